//! Facts about a run: one task sent to N attempts, one verdict, one delivery.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{BlobRef, Slot};

/// Largest prompt in bytes. Larger ones are refused, with the advice to put the text into the repository.
pub const PROMPT_BYTES_MAX: usize = 1 << 20;
/// Prompts up to this size live in the event; larger ones in a blob.
pub const PROMPT_INLINE_BYTES_MAX: usize = 8 << 10;
/// Most checks one run may have.
pub const CHECKS_MAX: usize = 32;

/// A fact about a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunEvent {
    /// Somebody asked for it.
    Requested(Requested),
    /// The base is pinned and every attempt can be given its copy.
    Prepared(Prepared),
    /// One attempt came to its end. The run's own record of it, so that a run is decided from its own stream.
    AttemptEnded(AttemptEnded),
    /// There is a verdict. A later one replaces it.
    Decided(Decided),
    /// Somebody asked to stop it.
    CancelRequested(CancelRequested),
    /// Nothing more will happen unless a person picks.
    Finished(Finished),
    /// Somebody put hunks of several attempts together; the result is tried as a further attempt.
    SynthesisRequested(SynthesisRequested),
    /// Somebody put an attempt aside: it is not shown any more unless asked for. Nothing of it is lost.
    AttemptDiscarded(AttemptDiscarded),
    /// An attempt that was put aside is shown again.
    DiscardUndone(DiscardUndone),
}

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Requested {
    /// One line for people: the first line of the prompt, cut to 120 characters.
    pub title: String,
    /// The task as given to every agent.
    pub prompt: Prompt,
    /// Absolute path of the user's repository.
    pub repository: String,
    /// What was asked as the base: a branch, tag or commit.
    pub base_ref: String,
    /// The commit the base stood at when the run was requested; with uncommitted changes included, the commit that
    /// holds them.
    pub base_commit: String,
    /// How many uncommitted paths were included on top of the base.
    pub uncommitted_included: u32,
    /// Who tries, in slot order.
    pub attempts: Vec<Entry>,
    /// When it is over and who wins.
    pub strategy: Strategy,
    /// Run in each sandbox before the agent; a failure fails the attempt.
    pub setup: Option<String>,
    /// Run by Regatta in each sandbox after the agent.
    pub checks: Vec<Check>,
    /// Paths of the workspace whose files are kept, too: relative, with `*`, `?`, `[…]` and `**`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub artifacts: Vec<String>,
    /// What one attempt may use.
    pub limits: Limits,
    /// Variables its commands get, beside those every command gets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub environment: Vec<Variable>,
}

/// A variable that commands of a run get.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Variable {
    /// What it is called.
    pub name: String,
    /// What it holds.
    pub content: Content,
    /// Which commands get it; all of them when empty.
    #[serde(default, rename = "for", skip_serializing_if = "BTreeSet::is_empty")]
    #[schema(value_type = Vec<Part>)]
    pub parts: BTreeSet<Part>,
}

impl Variable {
    /// Whether commands of that part of a run get it.
    #[must_use]
    pub fn is_for(&self, part: Part) -> bool {
        self.parts.is_empty() || self.parts.contains(&part)
    }
}

/// What a variable holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    /// This text. Never a secret: it stands in the log.
    Value(String),
    /// The value of the secret of that name.
    Secret(String),
}

/// A part of what an attempt runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// The setup command.
    Setup,
    /// The agent.
    Agent,
    /// The checks.
    Checks,
}

/// A task's text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Prompt {
    /// Small enough to live in the event.
    Inline(String),
    /// Kept as a blob of UTF-8 text.
    Blob(BlobRef),
}

/// One line of the starting list: which agent, which model, where.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Name of the agent: `command`, `claude`, `codex`, `openclaw`, …
    pub agent: String,
    /// For `command`: the shell text to run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub command: Option<String>,
    /// The model asked for, of `openclaw` one of its agents; the agent's own default when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub model: Option<String>,
    /// Name of the sandbox provider: `local`, `host`, …; with its place where it has several, as `gateway:ams`.
    #[serde(default = "local")]
    pub sandbox: String,
}

impl Entry {
    /// Where it is to run.
    #[must_use]
    pub fn site(&self) -> Site<'_> {
        Site::from(self.sandbox.as_str())
    }
}

/// Where an attempt is to run, as an entry names it: a provider, and a place there where one is named, as in `gateway:ams`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Site<'a> {
    /// The provider.
    pub provider: &'a str,
    /// The place there.
    pub place: Option<&'a str>,
}

impl<'a> From<&'a str> for Site<'a> {
    fn from(sandbox: &'a str) -> Self {
        let (provider, place) = sandbox.split_once(':').map_or((sandbox, None), |(name, place)| (name, Some(place)));
        Self { provider, place }
    }
}

fn local() -> String {
    "local".to_owned()
}

/// When a run is over and who wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// Finish everything; a person picks.
    All,
    /// The first that passes the checks wins, the rest are cancelled.
    Race,
    /// When all are done, the best of those that pass wins.
    Best,
}

/// A command whose exit code is evidence.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// What people call it.
    pub name: String,
    /// The shell text to run.
    pub command: String,
}

/// What one attempt may use. Every number is a hard bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// For the agent, in milliseconds.
    pub agent_timeout_ms: u64,
    /// For the setup command, in milliseconds.
    pub setup_timeout_ms: u64,
    /// For each check, in milliseconds.
    pub check_timeout_ms: u64,
    /// Memory of all processes together, in bytes.
    pub memory_bytes_max: u64,
    /// Processes at once.
    pub processes_max: u32,
    /// Bytes the sandbox's folders may hold.
    pub disk_bytes_max: u64,
    /// Bytes one phase may print on each channel; past it the phase is stopped.
    pub output_bytes_max: u64,
    /// Starts of one attempt, the first included; only transient failures are tried again.
    pub starts_max: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            agent_timeout_ms: 60 * 60 * 1_000,
            setup_timeout_ms: 10 * 60 * 1_000,
            check_timeout_ms: 10 * 60 * 1_000,
            memory_bytes_max: 8 << 30,
            processes_max: 1_024,
            disk_bytes_max: 10 << 30,
            output_bytes_max: 256 << 20,
            starts_max: 3,
        }
    }
}

/// The base is pinned in Regatta's own mirror of the repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Prepared {
    /// The commit every attempt starts from.
    pub base_commit: String,
}

/// One attempt came to its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AttemptEnded {
    /// Which.
    pub slot: Slot,
    /// How it ended.
    pub outcome: super::attempt::Outcome,
    /// How much it changed: what `best` ranks by.
    pub stat: super::attempt::DiffStat,
    /// From its start to its end, in milliseconds.
    pub elapsed_ms: u64,
}

/// Who won and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Decided {
    /// The winner, or nobody.
    pub winner: Option<Slot>,
    /// What proposed it.
    pub judge: Judge,
    /// One line for people.
    pub reason: String,
    /// Whether whoever chose saw neither agents nor models.
    pub blind: bool,
}

/// What proposes a verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Judge {
    /// The strategy, from checks and diffs.
    Checks,
    /// A person.
    Human,
}

/// Somebody asked to stop it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CancelRequested {
    /// One line for people.
    pub reason: String,
}

/// Nothing more will happen unless a person picks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Finished {
    /// How it ended.
    pub outcome: RunOutcome,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunOutcome {
    /// The winner's branch is in the user's repository.
    Delivered {
        /// Who won.
        winner: Slot,
    },
    /// There is a winner, but it could not be delivered; the patch is kept.
    Undelivered {
        /// Who won.
        winner: Slot,
        /// Why not.
        reason: String,
    },
    /// Attempts finished; a person may pick one.
    Undecided,
    /// Stopped by a person.
    Cancelled,
    /// It could not be prepared.
    Failed {
        /// Why, and what to do.
        reason: String,
    },
}

/// Somebody put hunks of several attempts together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SynthesisRequested {
    /// The place of the further attempt: the first behind all others.
    pub slot: Slot,
    /// Its agent is [`SYNTHESIS`]; the sandbox is that of the first attempt something was taken of.
    pub entry: Entry,
    /// The change it stands for, against the run's base, as `git diff --binary --full-index` writes it.
    pub patch: BlobRef,
    /// What it is made of, by path and place.
    pub hunks: Vec<TakenHunk>,
    /// One line for people.
    pub reason: String,
}

/// The agent of an attempt that was put together of others.
pub const SYNTHESIS: &str = "synthesis";

/// A hunk, or a whole file, of an attempt.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema, ToSchema)]
pub struct TakenHunk {
    /// Whose.
    pub slot: Slot,
    /// Path in the repository.
    pub path: String,
    /// Which hunk of that path, from 1; nothing for the whole file.
    pub hunk: Option<u32>,
    /// Where it is: `@@ -41,3 +41,3 @@`, or why the file goes as a whole.
    pub header: String,
    /// Names the hunk's content; nothing for a whole file.
    pub hash: Option<String>,
}

/// Somebody put an attempt aside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AttemptDiscarded {
    /// Which.
    pub slot: Slot,
    /// One line for people.
    pub reason: String,
}

/// An attempt that was put aside is shown again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DiscardUndone {
    /// Which.
    pub slot: Slot,
}
