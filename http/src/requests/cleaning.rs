//! What is asked of the disk that attempts take up, and what came of it.

use regatta_core::AttemptId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Cleans attempts.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CleanRequest {
    /// Which.
    pub attempts: Vec<AttemptId>,
    /// The folder the archives go to, on the server's machine; the installation's own when absent.
    #[serde(default)]
    pub to: Option<String>,
}

/// Puts back, or forgets, what was cleaned.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CleanedRequest {
    /// Of which attempts.
    pub attempts: Vec<AttemptId>,
}

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CleanAnswer {
    /// As they were named.
    pub rows: Vec<CleanRow>,
}

/// What was asked for of one attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CleanRow {
    /// Which.
    pub attempt: AttemptId,
    /// Why it is not done; nothing when it will be.
    pub refused: Option<String>,
    /// What to do about that.
    pub hint: Option<String>,
}
