//! Where attempts run and who waits. Plain data, stable JSON; no rule lives here.

use regatta_core::{AttemptId, SandboxKey};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Every provider and everybody who waits, at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FleetView {
    /// By name.
    pub providers: Vec<ProviderView>,
    /// Who waits, longest first.
    pub queue: Vec<WaitingView>,
    /// Sums over all providers.
    pub totals: FleetTotals,
}

/// One provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProviderView {
    /// Its name: `local`, `host`, …
    pub name: String,
    /// Sandboxes that exist, are about to, or may have left something behind; oldest first.
    pub sandboxes: Vec<SandboxView>,
    /// Sums.
    pub totals: FleetTotals,
}

/// One sandbox that exists or is about to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SandboxView {
    /// Its deterministic name.
    pub key: SandboxKey,
    /// The attempt it is for.
    pub attempt: AttemptId,
    /// The lease it was made under.
    pub epoch: u32,
    /// Where it stands.
    pub state: SandboxState,
    /// The fence really in force; nothing until it exists.
    pub fence: Option<String>,
    /// When it was intended, in microseconds since the Unix epoch.
    pub intended_at_us: u64,
    /// When it was made, in microseconds since the Unix epoch.
    pub created_at_us: Option<u64>,
    /// Time since it was made, or intended while it is not made, in milliseconds.
    pub age_ms: u64,
    /// When its right to exist ended (its attempt was over or started anew); nothing while it has one.
    pub right_ended_at_us: Option<u64>,
    /// Whether that is longer ago than [`super::LEAK_AFTER_MS`].
    pub is_leak: bool,
    /// What its attempt's agents cost so far in micro-dollars, under all leases, as they tell; nothing when they do not.
    pub cost_usd_micros: Option<u64>,
}

/// Where a sandbox stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SandboxState {
    /// A provider was or is about to be asked; it may or may not exist.
    Intended,
    /// It exists.
    Alive,
    /// It could not be made, or was lost; whatever it left behind is still to be removed.
    Failed,
    /// A person's copy of another one: it has no lease, and a time of its own.
    Forked,
}

/// An attempt that waits for its turn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WaitingView {
    /// Who.
    pub attempt: AttemptId,
    /// The provider it wants.
    pub provider: String,
    /// Why, for people; nothing when it was not said.
    pub reason: Option<String>,
    /// Since when, in microseconds since the Unix epoch.
    pub since_us: u64,
    /// How long, in milliseconds.
    pub waiting_ms: u64,
    /// When it waits for another try: not before this time, in milliseconds since the Unix epoch.
    pub not_before_ms: Option<u64>,
}

/// An attempt under way: it counts towards the limits of how many may be at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InUse {
    /// Which.
    pub attempt: AttemptId,
    /// The provider it runs at.
    pub provider: String,
    /// Who asked for its run.
    pub by: String,
}

/// Sums. Counts of what is gone are since the log's beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct FleetTotals {
    /// Sandboxes that exist.
    pub alive: u64,
    /// Sandboxes about to be made.
    pub intended: u64,
    /// Sandboxes that were removed.
    pub destroyed: u64,
    /// Sandboxes that could not be made, or were lost.
    pub failed: u64,
    /// Sandboxes found with no right to exist, and removed.
    pub reaped: u64,
    /// Sandboxes with no right to exist for too long.
    pub leaks: u64,
    /// Attempts that wait.
    pub waiting: u64,
}
