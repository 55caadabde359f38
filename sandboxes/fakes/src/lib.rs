//! Servers that answer as E2B and Daytona do, for tests: their sandboxes are local processes behind bubblewrap with a home
//! of their own, their commands run for real, and faults happen when a test asks for them. What they answer is held against
//! recorded traffic and the vendors' own clients. Never part of what is delivered; knows nothing of our providers.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a fake that cannot do its part has failed its test")]
#![expect(missing_docs, reason = "only tests read it")]

pub mod daytona;
pub mod e2b;
pub mod faults;
pub mod inside;
mod machine;
mod relay;

pub use faults::{Fault, Faults, On};
pub use machine::{Machines, Program};

use std::sync::atomic::{AtomicU64, Ordering};

/// A word nobody else has.
pub(crate) fn unique() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let at = std::fs::read_to_string("/proc/sys/kernel/random/uuid").unwrap();
    let at: String = at.chars().filter(char::is_ascii_alphanumeric).take(12).collect();
    format!("{at}{count:04x}")
}

/// Milliseconds since the Unix epoch.
pub(crate) fn now_ms() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "a vendor has a clock")]
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    u64::try_from(now.as_millis()).unwrap()
}
