//! What may be done now. The page and the command line show what stands here and hold no rule of their own; the
//! deciders still have the last word.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Something a person may do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Can {
    /// Name it the winner, and have it delivered.
    Pick,
    /// Stop it.
    Cancel,
    /// Get it back: what was put aside is shown again, what did not win becomes a branch.
    Restore,
    /// Put it aside.
    Discard,
}
