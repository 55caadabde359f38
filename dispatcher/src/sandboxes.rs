//! Providers and the sandboxes they really have, as people ask about them. Plain data; decides nothing.

use regatta_core::{AttemptId, SandboxKey};
use regatta_sandboxes::Images;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A provider, as it stands now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProviderRow {
    /// Its name: `local`, `docker`, …
    pub name: String,
    /// The fence a sandbox made now would have; absent when none can be made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub fence: Option<String>,
    /// Why none can be made, and what to do; absent when one can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub problem: Option<String>,
    /// What it can do beyond what every provider can, in stable words: `pause`, `fork`, `network-off`, `memory-caged`,
    /// `remote`.
    pub capabilities: Vec<String>,
    /// Attempts that may run in its sandboxes at once, when that is bounded for it alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub attempts_max: Option<usize>,
    /// What it keeps so that later sandboxes are made sooner, whichever installation it was made for; absent where nothing
    /// ever is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub kept: Option<KeptImages>,
}

/// Images that a provider keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct KeptImages {
    /// How many.
    pub images: u64,
    /// What they take together, at least: bytes that several need are not counted.
    pub bytes: u64,
}

impl From<Images> for KeptImages {
    fn from(images: Images) -> Self {
        Self { images: images.count, bytes: images.bytes }
    }
}

/// A limit of how many attempts may be under way at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Limit {
    /// At this provider; over all of them when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub provider: Option<String>,
    /// Attempts at most; absent for a provider without a limit of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub attempts_max: Option<usize>,
}

/// Whether a sandbox has a right to exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Right {
    /// An attempt under way uses it.
    InUse,
    /// A person's copy of one, for a time.
    Copy,
    /// Its attempt is over, or started anew elsewhere; it is being removed.
    Ending,
    /// Nothing the log knows of uses it.
    None,
}

/// A sandbox that a provider has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SandboxRow {
    /// Its deterministic name.
    pub key: SandboxKey,
    /// Who has it.
    pub provider: String,
    /// The attempt it was made for.
    pub attempt: AttemptId,
    /// Whether it has a right to exist.
    pub right: Right,
    /// What its attempt does in it now: `setup`, `agent`, `check-0`, …; absent when nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub doing: Option<String>,
    /// When it was made, in milliseconds since the Unix epoch, as its provider says.
    pub created_at_ms: u64,
    /// Bytes in its folders, when its provider knows cheaply.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub disk_bytes: Option<u64>,
    /// What its vendor asks for an hour of it as it stands now, in micro-dollars; absent where nobody asks for anything, or it
    /// is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub rent_usd_micros_per_hour: Option<u64>,
}

/// A provider that could not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Unanswered {
    /// Its name.
    pub provider: String,
    /// Why, for people.
    pub reason: String,
}

/// What every provider has, asked of them now.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct SandboxesView {
    /// By provider, then by name.
    pub rows: Vec<SandboxRow>,
    /// Providers that could not be asked; they may have more.
    pub unanswered: Vec<Unanswered>,
}

/// What came of looking for sandboxes without a right to exist.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct Reaping {
    /// Those that were removed.
    pub removed: Vec<SandboxKey>,
    /// Images that were kept and are removed; absent when nobody asked for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub cleared: Option<KeptImages>,
    /// Providers that could not be asked, or did not remove one.
    pub unanswered: Vec<Unanswered>,
}
