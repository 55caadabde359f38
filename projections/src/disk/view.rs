//! What attempts left and the room it takes, as people see it. Plain data, stable JSON; no rule lives here.

use regatta_core::AttemptId;
use regatta_core::cleaning::Place;
use regatta_core::event::cleaning::Archive;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What attempts left.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct LeftView {
    /// The attempts that take room, those that take most first.
    pub rows: Vec<LeftRow>,
    /// How many more there are.
    pub rows_left_out: u64,
    /// Attempts whose patches and artifacts may go, and what that frees: what others need as well does not count.
    pub may_go: LeftSum,
    /// Attempts whose archives are kept, and the bytes of those.
    pub cleaned: LeftSum,
    /// Bytes of all patches that are there, each counted once.
    pub patches_bytes: u64,
    /// Bytes of all artifacts that are there and are no patch, each counted once.
    pub artifacts_bytes: u64,
    /// Bytes of long prompts that are nothing else, each counted once.
    pub prompts_bytes: u64,
}

/// Some attempts, and bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct LeftSum {
    /// How many.
    pub attempts: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// What one attempt left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LeftRow {
    /// Which attempt.
    pub attempt: AttemptId,
    /// Its run's title.
    pub title: String,
    /// When it was over, in microseconds since the Unix epoch.
    pub ended_at_us: Option<u64>,
    /// Bytes of its patches.
    pub patch_bytes: u64,
    /// Bytes of its artifacts.
    pub artifacts_bytes: u64,
    /// Bytes of its sandboxes that still exist.
    pub workspace_bytes: u64,
    /// Bytes it takes by itself: what is removed when it alone is cleaned.
    pub alone_bytes: u64,
    /// Where its patch and artifacts are.
    pub place: Place,
    /// Why they stay as they are, for people; nothing when they may go.
    pub stays: Option<String>,
    /// The archive that holds them.
    pub archive: Option<Archive>,
    /// Why they could not be cleaned or put back when that was last tried.
    pub failure: Option<String>,
}
