//! The fleet: where attempts run, who waits, and what was left behind.

mod view;

pub use view::{FleetTotals, FleetView, ProviderView, SandboxState, SandboxView, WaitingView};

/// How long a sandbox may outlive its right to exist before it counts as a leak: removing one takes a moment, also
/// when the server is started again in between.
pub const LEAK_AFTER_MS: u64 = 60_000;
