//! An expected "no": what was asked cannot be done, why, and what to do. Never an error of ours.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{AppendError, VaultError};

/// What sort of "no" it is; stable, part of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalKind {
    /// What was asked is not well-formed or out of bounds.
    Invalid,
    /// Whoever asks may not have it done.
    Forbidden,
    /// There is no such thing.
    NotFound,
    /// Its beginning was removed from the log, after a backup held it.
    Archived,
    /// What it left was cleaned, and is in an archive or gone.
    Cleaned,
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
    /// Whether it happened is not known.
    Unknown,
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

    /// The disk failed, or the server ended, while something was being recorded.
    pub fn unknown() -> Self {
        let message =
            "the disk failed, or the server ended, while this was being recorded: whether it is, is not known";
        Self::new(RefusalKind::Unknown, message)
            .hint("start the server again and look (regatta ls) before you ask once more")
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

/// What the log does not take.
impl From<&AppendError> for Refusal {
    fn from(error: &AppendError) -> Self {
        let kind = match error {
            // The block was written, perhaps, and its sync failed.
            AppendError::Poisoned(_) => return Self::unknown(),
            AppendError::ReadOnly(_) => RefusalKind::ReadOnly,
            AppendError::Busy | AppendError::Conflict { .. } => RefusalKind::Busy,
            AppendError::OutOfBounds(_) => RefusalKind::Invalid,
        };
        Self::new(kind, error.to_string()).hint("nothing was changed; try again once the log can be written")
    }
}

/// What the vault does not do.
impl From<&VaultError> for Refusal {
    fn from(error: &VaultError) -> Self {
        let kind = match error {
            VaultError::Name(_) | VaultError::Value(_) => RefusalKind::Invalid,
            VaultError::NotThere(_) => RefusalKind::NotFound,
            VaultError::NotAllowed { .. }
            | VaultError::Full
            | VaultError::Locked
            | VaultError::NoPassphrase
            | VaultError::WrongKey(_) => RefusalKind::WrongState,
            VaultError::Log(_) => RefusalKind::ReadOnly,
            VaultError::KeyMissing(_)
            | VaultError::Keyring(_)
            | VaultError::NotInKeyring
            | VaultError::KeyOpenToOthers { .. }
            | VaultError::Damaged { .. }
            | VaultError::Missing(_)
            | VaultError::Older { .. }
            | VaultError::Disk { .. }
            | VaultError::Machine(_) => RefusalKind::Unusable,
        };
        Self::new(kind, error.to_string()).hint(error.hint())
    }
}
