//! Facts about bringing an attempt's work to its target, with receipts.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::AttemptId;

/// A fact about a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeliveryEvent {
    /// It is about to be tried.
    Intended(Intended),
    /// The target has it.
    Delivered(Delivered),
    /// The target does not have it.
    Failed(Failed),
}

/// It is about to be tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Intended {
    /// Whose work.
    pub attempt: AttemptId,
    /// Where to: the user's repository.
    pub repository: String,
    /// Under which name: `regatta/<run>/<slot>`.
    pub branch: String,
}

/// The target has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Delivered {
    /// Whose work.
    pub attempt: AttemptId,
    /// Under which name.
    pub branch: String,
    /// The commit the branch points to.
    pub commit: String,
}

/// The target does not have it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Failed {
    /// Whose work.
    pub attempt: AttemptId,
    /// Under which name.
    pub branch: String,
    /// Why, and what to do.
    pub reason: String,
}
