//! Facts about this installation's configuration.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A fact about the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConfigEvent {
    /// These values are in force from now on. Recorded at a start when they differ from the last recorded ones.
    Applied(Applied),
    /// Somebody wrote another value into the configuration file.
    Changed(Changed),
}

/// The values in force. Secrets are named, never held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Applied {
    /// By dotted key.
    pub values: BTreeMap<String, Setting>,
}

/// One value and where it came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Setting {
    /// As it would stand in `regatta.toml`.
    pub value: String,
    /// `default`, a file's path, `REGATTA_…`, or a flag.
    pub from: String,
}

/// Somebody wrote another value into the configuration file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Changed {
    /// The dotted key.
    pub key: String,
    /// What was in force, as it would stand in `regatta.toml`; secrets are left out.
    pub from: String,
    /// What was written; absent when the key was taken out of the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Whether it is in force already, or only after the next start.
    pub is_live: bool,
}
