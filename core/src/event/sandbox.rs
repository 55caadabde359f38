//! Facts about the place an attempt runs in. The intent is on disk before a provider is called.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{AttemptId, SandboxKey};

/// A fact about a sandbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SandboxEvent {
    /// A provider is about to be asked for it.
    Intended(Intended),
    /// It exists.
    Created(Created),
    /// It could not be made, or was lost.
    Failed(Failed),
    /// It is gone, with every process and file in it.
    Destroyed(Destroyed),
    /// It was found with our label but with no right to exist, and was removed.
    Reaped(Reaped),
}

/// A provider is about to be asked for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Intended {
    /// Its deterministic name.
    pub key: SandboxKey,
    /// Who is asked.
    pub provider: String,
    /// The attempt it is for.
    pub attempt: AttemptId,
    /// The lease it is made under.
    pub epoch: u32,
}

/// It exists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Created {
    /// Its deterministic name.
    pub key: SandboxKey,
    /// The fence really in force, for people: `bubblewrap`, `landlock (abi 7)`, `none`.
    pub fence: String,
}

/// It could not be made, or was lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Failed {
    /// Its deterministic name.
    pub key: SandboxKey,
    /// Why, and what to do.
    pub reason: String,
    /// Whether trying again may help.
    pub transient: bool,
}

/// It is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Destroyed {
    /// Its deterministic name.
    pub key: SandboxKey,
}

/// It was found with no right to exist, and was removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Reaped {
    /// Its deterministic name.
    pub key: SandboxKey,
    /// Who had it.
    pub provider: String,
}
