//! What is said about artifacts. Plain data, stable JSON.

use regatta_core::event::attempt::{OmittedArtifact, Phase};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What an attempt left besides its change, under its last lease.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct ArtifactsBody {
    /// Sorted by name.
    pub rows: Vec<ArtifactRow>,
    /// Files that were not kept and why; the first of each command.
    pub omitted: Vec<OmittedArtifact>,
    /// How many were not kept.
    pub omitted_count: u64,
    /// Why those of a command could not be collected.
    pub failures: Vec<String>,
}

/// One file that is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ArtifactRow {
    /// `agent/…` or `check-0/…` for what lay in `REGATTA_ARTIFACTS`, `workspace/…` for what was asked for by its path.
    pub name: String,
    /// After which command it was seen like this.
    pub phase: Phase,
    /// Its size.
    pub bytes: u64,
    /// BLAKE3 of its content, lower-case hex.
    pub hash: String,
    /// Its permission bits in octal: `644`.
    pub mode: String,
}
