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
    /// A person runs a command of theirs in it.
    Entered(Entered),
    /// A person gets a copy of it, which is about to be made.
    Forked(Forked),
    /// A copy's time is up, or somebody took it away: it is to be removed.
    ForkEnded(ForkEnded),
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

/// A person runs a command of theirs in it: from then on what is in there may be their work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Entered {
    /// Its deterministic name.
    pub key: SandboxKey,
    /// The command's name in the sandbox.
    pub exec: String,
    /// The program alone: its arguments may hold what nobody else should read.
    pub program: String,
}

/// A person gets a copy of it: its files, and nothing that runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Forked {
    /// The copy's deterministic name.
    pub key: SandboxKey,
    /// What it is a copy of.
    pub of: SandboxKey,
    /// Who makes it.
    pub provider: String,
    /// It is removed then, in milliseconds since the Unix epoch.
    pub until_ms: u64,
}

/// A copy is to be removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ForkEnded {
    /// Its deterministic name.
    pub key: SandboxKey,
}
