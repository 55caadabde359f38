//! Facts about this installation's configuration.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A fact about the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConfigEvent {
    /// These values are in force from now on. Recorded at a start when they differ from the last recorded ones.
    Applied(Applied),
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
