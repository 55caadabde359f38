//! Facts about an attempt: one agent, model and sandbox trying the task.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::run::Entry;
use crate::{BlobRef, RunId, SandboxKey, Slot};

/// Largest piece of output in one event, in bytes.
pub const OUTPUT_CHUNK_BYTES_MAX: usize = 256 << 10;
/// Most artifacts kept of one attempt.
pub const ARTIFACTS_MAX: usize = 500;
/// Longest name of an artifact, in bytes.
pub const ARTIFACT_NAME_BYTES_MAX: usize = 512;
/// Most files listed in [`ArtifactsCollected::omitted`]; all of them are counted.
pub const OMITTED_LISTED_MAX: usize = 20;
/// Most changed paths listed in [`Collected`]; the patch always has them all.
pub const FILES_LISTED_MAX: usize = 2_000;

/// A fact about an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttemptEvent {
    /// It stands in line.
    Queued(Queued),
    /// It still stands in line, for this reason now.
    Waiting(Waiting),
    /// It got the right to act: a lease with an epoch.
    Started(Started),
    /// A command is about to be started in its sandbox.
    PhaseStarted(PhaseStarted),
    /// It printed something. In the stream `output/<attempt>`.
    Output(Output),
    /// A command in its sandbox ended, and every process it left.
    PhaseEnded(PhaseEnded),
    /// What it changed against the base is kept.
    Collected(Collected),
    /// What a command left besides the change is kept.
    ArtifactsCollected(ArtifactsCollected),
    /// A transient failure; it will be started again.
    RetryScheduled(RetryScheduled),
    /// It is to stop.
    CancelRequested(CancelRequested),
    /// It is over.
    Finished(Finished),
}

/// It stands in line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Queued {
    /// The run it belongs to.
    pub run: RunId,
    /// Its place in the run.
    pub slot: Slot,
    /// Which agent, which model, where.
    pub entry: Entry,
    /// The phases it will go through when nothing fails, checks by their index.
    pub setup: bool,
    /// How many checks will be run.
    pub checks: u16,
    /// Starts it may have, the first included.
    pub starts_max: u32,
}

/// Why it still stands in line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Waiting {
    /// For people: `provider local at 4/4`.
    pub reason: String,
}

/// It got the right to act.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Started {
    /// Fencing number, from 1; anything said under an older one is refused.
    pub epoch: u32,
    /// The sandbox it will run in.
    pub sandbox: SandboxKey,
}

/// A command run in the sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// The run's setup command.
    Setup,
    /// The agent itself.
    Agent,
    /// The check of that index.
    Check(u16),
}

impl std::fmt::Display for Phase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Setup => f.write_str("setup"),
            Self::Agent => f.write_str("agent"),
            Self::Check(index) => write!(f, "check-{index}"),
        }
    }
}

/// A command is about to be started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PhaseStarted {
    /// Under which lease.
    pub epoch: u32,
    /// Which command.
    pub phase: Phase,
}

/// Where bytes were printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

/// Raw bytes as they were printed. A hot kind: its payload is a frozen bincode struct (see [`super::codec`]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Under which lease.
    pub epoch: u32,
    /// By which command.
    pub phase: Phase,
    /// Where.
    pub channel: Channel,
    /// Place of the first byte in everything this phase printed on this channel.
    pub offset: u64,
    /// The bytes; any encoding, any content.
    pub bytes: bytes::Bytes,
}

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Exit {
    /// By itself, with a code.
    Code(i32),
    /// By a signal nobody of ours sent.
    Signal(i32),
    /// Its time was up.
    TimedOut,
    /// Somebody cancelled it.
    Killed,
    /// It went past a limit: memory, processes, disk or output.
    OverLimit {
        /// Which, with the numbers, for people.
        limit: String,
    },
    /// It could not be started.
    NotStarted {
        /// Why, and what to do.
        reason: String,
    },
    /// Whatever watched it is gone, and so is its exit code.
    Lost,
}

impl Exit {
    /// Whether it ended by itself with code 0.
    #[must_use]
    pub fn is_success(&self) -> bool {
        *self == Self::Code(0)
    }
}

/// A command ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PhaseEnded {
    /// Under which lease.
    pub epoch: u32,
    /// Which command.
    pub phase: Phase,
    /// How.
    pub exit: Exit,
    /// How long it ran, in milliseconds.
    pub elapsed_ms: u64,
    /// Bytes printed on standard output, all of them recorded.
    pub out_bytes: u64,
    /// Bytes printed on standard error, all of them recorded.
    pub err_bytes: u64,
    /// Processes of it that the kernel ended for want of memory, also when the command itself ended well; 0 too where nobody
    /// is told.
    #[serde(default, skip_serializing_if = "is_none")]
    pub oom_kills: u64,
}

/// Whether there was none.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_none(count: &u64) -> bool {
    *count == 0
}

/// What was changed against the base, untracked and binary files included.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Collected {
    /// Under which lease.
    pub epoch: u32,
    /// `git diff --binary --full-index` against the base; nothing when nothing changed.
    pub patch: Option<BlobRef>,
    /// Sums over all paths.
    pub stat: DiffStat,
    /// Paths, sorted; cut at [`FILES_LISTED_MAX`].
    pub files: Vec<FileChange>,
    /// When it could not be collected: why.
    pub failure: Option<String>,
}

/// Sums over a diff. Binary files count as files, not as lines.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, JsonSchema, ToSchema,
)]
pub struct DiffStat {
    /// Changed paths.
    pub files: u32,
    /// Lines added.
    pub added: u64,
    /// Lines removed.
    pub removed: u64,
}

/// One changed path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema, ToSchema)]
pub struct FileChange {
    /// Path in the repository; bytes that are not UTF-8 are shown as U+FFFD.
    pub path: String,
    /// Lines added; nothing for a binary file.
    pub added: Option<u64>,
    /// Lines removed; nothing for a binary file.
    pub removed: Option<u64>,
}

/// What a command left besides the change: files in `REGATTA_ARTIFACTS`, and those the run asks for by their paths.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ArtifactsCollected {
    /// Under which lease.
    pub epoch: u32,
    /// After which command.
    pub phase: Phase,
    /// New ones, and those that are not what they were; sorted by name. A later one replaces one of the same name.
    pub artifacts: Vec<Artifact>,
    /// Files that were not kept, cut at [`OMITTED_LISTED_MAX`].
    pub omitted: Vec<OmittedArtifact>,
    /// How many were not kept.
    pub omitted_count: u64,
    /// When nothing could be collected: why.
    pub failure: Option<String>,
    /// How many are kept of this lease by now.
    pub kept_count: u32,
    /// Their bytes.
    pub kept_bytes: u64,
}

/// One file that is kept.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Artifact {
    /// `agent/…` or `check-0/…` for what lay in `REGATTA_ARTIFACTS`, `workspace/…` for what was asked for by its path.
    pub name: String,
    /// Its content.
    pub blob: BlobRef,
    /// Its permission bits.
    pub mode: u32,
}

/// One file that is not kept.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema, ToSchema)]
pub struct OmittedArtifact {
    /// Its name, as far as it can be shown.
    pub name: String,
    /// Why, for people.
    pub reason: String,
}

/// A transient failure, or no room for now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RetryScheduled {
    /// The lease that failed.
    pub epoch: u32,
    /// Why.
    pub reason: String,
    /// Not before this time, in milliseconds since the Unix epoch.
    pub not_before_ms: u64,
    /// Nothing failed, its provider had no room: this start is none of those it may have.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_spared: bool,
}

/// It is to stop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CancelRequested {
    /// One line for people.
    pub reason: String,
}

/// It is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Finished {
    /// How.
    pub outcome: Outcome,
    /// From its first start to now, in milliseconds; 0 when it never started.
    pub elapsed_ms: u64,
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The agent ended well, changed something, and every check passed.
    Passed,
    /// The agent ended well, but checks failed.
    ChecksFailed {
        /// How many failed.
        failed: u16,
    },
    /// The agent ended well and changed nothing.
    Unchanged,
    /// The agent ended with a failure.
    AgentFailed {
        /// How.
        exit: Exit,
    },
    /// The agent's time was up.
    TimedOut,
    /// It was stopped: by a person, or because another one won.
    Cancelled {
        /// One line for people.
        reason: String,
    },
    /// Something around the agent failed: sandbox, setup, collecting.
    Failed {
        /// Why, and what to do.
        reason: String,
    },
}
