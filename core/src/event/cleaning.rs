//! Facts about what attempts left (patches, artifacts) being moved into archives, back, or given up.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::AttemptId;

/// A fact about a cleaning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CleaningEvent {
    /// Somebody asked for it; it is about to be tried.
    Requested(Requested),
    /// An archive holds everything, read back from the disk. Only now anything is removed.
    Archived(Archived),
    /// What nobody else needs is removed.
    Removed(Removed),
    /// Everything is back where it was, and the archive is gone.
    Returned(Returned),
    /// The archive is gone, and with it what the attempt left.
    Forgotten(Forgotten),
    /// It could not be done; everything is as it was before it was asked for.
    Failed(Failed),
}

/// Somebody asked for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Requested {
    /// Of which attempt.
    pub attempt: AttemptId,
    /// What is wanted.
    pub wish: Wish,
}

/// What is wanted of what an attempt left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Wish {
    /// Into an archive.
    Clean {
        /// The archive's folder, absolute; the installation's own when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<String>,
    },
    /// Out of the archive, back to where it was.
    Return,
    /// The archive is to be removed for good.
    Forget,
}

/// An archive holds everything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Archived {
    /// Of which attempt.
    pub attempt: AttemptId,
    /// Which archive.
    pub archive: Archive,
    /// How many blobs are in it.
    pub blobs: u32,
    /// Their bytes, unpacked.
    pub blob_bytes: u64,
}

/// A file that holds what an attempt left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
pub struct Archive {
    /// Where it is: absolute, or within the data directory.
    pub path: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// BLAKE3 of the file, lower-case hex, as it was read back.
    pub blake3: String,
}

/// What nobody else needs is removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Removed {
    /// Of which attempt.
    pub attempt: AttemptId,
    /// How many blobs were removed.
    pub blobs: u32,
    /// Their bytes.
    pub blob_bytes: u64,
    /// How many stay, because somebody else needs them.
    pub kept: u32,
}

/// Everything is back where it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Returned {
    /// Of which attempt.
    pub attempt: AttemptId,
    /// How many blobs it left.
    pub blobs: u32,
    /// Their bytes, each checked by its hash.
    pub blob_bytes: u64,
}

/// What the attempt left is gone for good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Forgotten {
    /// Of which attempt.
    pub attempt: AttemptId,
}

/// It could not be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Failed {
    /// Of which attempt.
    pub attempt: AttemptId,
    /// Why, and what to do.
    pub reason: String,
}

impl CleaningEvent {
    /// The attempt it is about.
    #[must_use]
    pub fn attempt(&self) -> AttemptId {
        match self {
            Self::Requested(requested) => requested.attempt,
            Self::Archived(archived) => archived.attempt,
            Self::Removed(removed) => removed.attempt,
            Self::Returned(returned) => returned.attempt,
            Self::Forgotten(forgotten) => forgotten.attempt,
            Self::Failed(failed) => failed.attempt,
        }
    }
}
