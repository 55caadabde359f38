//! Facts about the vault: which secrets there are and who was given them. They name a secret, they never hold one.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::attempt::Phase;
use crate::AttemptId;

/// A fact about the vault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretEvent {
    /// A secret has a value, or another one than before.
    Set(Set),
    /// A secret is gone.
    Removed(Removed),
    /// Other runs than before may use a secret.
    Allowed(Allowed),
    /// Everything is sealed with another key.
    Rotated(Rotated),
    /// Somebody was given secrets.
    Used(Used),
}

/// A secret has a value, or another one than before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Set {
    /// Which.
    pub secret: String,
    /// Where the vault's file stood with it: counts every change of the file.
    pub generation: u64,
    /// Whose runs may use it.
    pub scope: Scope,
}

/// Whose runs may use a secret.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema, utoipa::ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Scope {
    /// Runs of every repository.
    pub everywhere: bool,
    /// Runs of these repositories, by their absolute paths.
    pub repositories: std::collections::BTreeSet<String>,
}

/// A secret is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Removed {
    /// Which.
    pub secret: String,
    /// Where the vault's file stood without it.
    pub generation: u64,
}

/// Other runs than before may use a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Allowed {
    /// Which.
    pub secret: String,
    /// Where the vault's file stood with it.
    pub generation: u64,
    /// Whose runs may use it now.
    pub scope: Scope,
}

/// Everything is sealed with another key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Rotated {
    /// Where the vault's file stood with it.
    pub generation: u64,
    /// Where the key comes from now: `file` or `passphrase`.
    pub key: String,
    /// How many secrets were sealed again; none when the vault was begun anew.
    pub secrets: u32,
}

/// Somebody was given secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Used {
    /// Which.
    pub secrets: Vec<String>,
    /// Who.
    pub by: UsedBy,
}

/// Who was given secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum UsedBy {
    /// A command of an attempt.
    Attempt {
        /// Which attempt.
        attempt: AttemptId,
        /// Its start.
        epoch: u32,
        /// Which of its commands.
        phase: Phase,
    },
    /// The server itself, for a key of the configuration.
    Setting(String),
}
