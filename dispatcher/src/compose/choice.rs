//! What a person chooses: a hunk, or a whole file, of an attempt.

use regatta_core::Slot;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Most hunks and files one synthesis may be made of.
pub const CHOICES_MAX: usize = 500;

/// A hunk, or a whole file, of an attempt.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Choice {
    /// Whose.
    pub slot: Slot,
    /// Path in the repository.
    pub path: String,
    /// Which hunk of that path, from 1; the whole file when absent.
    #[serde(default)]
    pub hunk: Option<u32>,
    /// The hunk's hash, to be sure that it is the one that was seen.
    #[serde(default)]
    pub hash: Option<String>,
}
