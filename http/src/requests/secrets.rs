//! What is sealed: its names, never a value that is told.

use regatta_core::event::secret::Scope;
use regatta_core::vault::{SecretString, Standing};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Gives a secret a value.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SecretRequest {
    /// The value: text of at most 32 KiB.
    #[schema(value_type = String)]
    pub value: SecretString,
    /// Whose runs may use it; as before when absent, nobody's at first.
    #[serde(default)]
    pub scope: Option<Scope>,
}

/// Seals everything with a fresh key.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyRequest {
    /// From this passphrase; from a key file when absent.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub passphrase: Option<SecretString>,
    /// In the keyring of the desktop session the server was started from, instead of a key file.
    #[serde(default)]
    pub keyring: bool,
}

/// Opens a vault that takes a passphrase.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PassphraseRequest {
    /// The passphrase.
    #[schema(value_type = String)]
    pub passphrase: SecretString,
}

/// What was done with the vault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct VaultAnswer {
    /// How many secrets it holds.
    pub secrets: usize,
    /// Where the vault is now that was put aside.
    pub aside: Option<String>,
}

/// The vault, without any value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SecretsView {
    /// Where it stands.
    pub standing: Standing,
    /// Whether the caller's connection may carry a value.
    pub may_set: bool,
    /// Every secret, by name.
    pub rows: Vec<SecretRow>,
}

/// A secret, without its value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SecretRow {
    /// What it is called.
    pub name: String,
    /// When it was made, in microseconds since the Unix epoch.
    pub made_at_us: u64,
    /// When it got its value, in microseconds since the Unix epoch.
    pub changed_at_us: u64,
    /// Whose runs may use it.
    pub scope: Scope,
    /// Keys of the configuration that name it.
    pub settings: Vec<String>,
    /// When it was last given out since the server was started.
    pub last_use: Option<LastUse>,
}

/// A use of a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LastUse {
    /// When, in microseconds since the Unix epoch.
    pub at_us: u64,
    /// By whom: an attempt with the part of it, or a key of the configuration.
    pub by: String,
}
