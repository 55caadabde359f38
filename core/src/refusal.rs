//! An expected "no": what was asked cannot be done, why, and what to do. Never an error of ours.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What sort of "no" it is; stable, part of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalKind {
    /// What was asked is not well-formed or out of bounds.
    Invalid,
    /// There is no such thing.
    NotFound,
    /// Its beginning was removed from the log, after a backup held it.
    Archived,
    /// It is over, not there yet, or already so.
    WrongState,
    /// The repository or base cannot be used.
    Repository,
    /// What it asks for cannot be used here, or does not answer.
    Unusable,
    /// The idempotency key came with another request before.
    KeyReused,
    /// Too much is waiting already.
    Busy,
    /// The log takes no writes now.
    ReadOnly,
}

/// An expected "no".
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// What sort of "no".
    pub kind: RefusalKind,
    /// Why, in one lower-case sentence without a full stop.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Refusal {
    /// A refusal without a hint.
    pub fn new(kind: RefusalKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hint: None }
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Refusal {}
