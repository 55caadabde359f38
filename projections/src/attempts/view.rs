//! What a person sees of an attempt. Plain data, stable JSON; no rule lives here.

use regatta_core::cleaning::Place;
use regatta_core::event::attempt::{DiffStat, Exit, FileChange, Outcome};
use regatta_core::event::cleaning::Archive;
use regatta_core::event::run::{Entry, TakenHunk};
use regatta_core::{Actor, AttemptId, BlobRef, RunId, SandboxKey, Seq, Slot};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Can;

/// Where an attempt stands. In JSON: `{"name": "queued", "reason": …}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "name", rename_all = "snake_case")]
pub enum AttemptState {
    /// It stands in line.
    Queued {
        /// Why, for people; nothing when it was not said.
        reason: Option<String>,
    },
    /// It has the right to act; its sandbox is being made, or its next command is about to start.
    Starting,
    /// In the setup command.
    Setup,
    /// In the agent.
    Running,
    /// Its changes are being collected.
    Collecting,
    /// In the check of that index.
    Checking {
        /// From 0.
        index: u16,
    },
    /// A transient failure; it waits to be started again.
    Retrying {
        /// Not before this time, in milliseconds since the Unix epoch.
        not_before_ms: u64,
        /// What failed, or what it waits for now.
        reason: String,
    },
    /// It is to stop.
    Cancelling {
        /// One line for people.
        reason: String,
    },
    /// It is over.
    Finished {
        /// How.
        outcome: Outcome,
    },
}

/// One attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AttemptView {
    /// Its name.
    pub id: AttemptId,
    /// The run it belongs to.
    pub run: RunId,
    /// Its place in the run.
    pub slot: Slot,
    /// Which agent, which model, where.
    pub entry: Entry,
    /// Where it stands.
    pub state: AttemptState,
    /// What it waits for now, for people: a queue's limit, the time of the next try.
    pub waits_for: Option<String>,
    /// The lease in force, from 1; 0 before the first start.
    pub epoch: u32,
    /// How often it was started.
    pub starts_used: u32,
    /// How often it may be started.
    pub starts_max: u32,
    /// The sandbox it runs or ran in last.
    pub sandbox: Option<SandboxKey>,
    /// The fence really in force in that sandbox; nothing until it exists.
    pub fence: Option<String>,
    /// When it was queued, in microseconds since the Unix epoch.
    pub queued_at_us: u64,
    /// When it was first started, in microseconds since the Unix epoch.
    pub started_at_us: Option<u64>,
    /// When it was over, in microseconds since the Unix epoch.
    pub finished_at_us: Option<u64>,
    /// From its first start to its end or to now, in milliseconds; 0 before the first start.
    pub elapsed_ms: u64,
    /// How the setup command ended, under the lease in force.
    pub setup_exit: Option<Exit>,
    /// How the agent ended, under the lease in force.
    pub agent_exit: Option<Exit>,
    /// How long the agent ran, in milliseconds, when it ended.
    pub agent_elapsed_ms: Option<u64>,
    /// The checks, in order.
    pub checks: Vec<CheckView>,
    /// What it changed against the base; nothing until it was collected.
    pub changes: Option<ChangesView>,
    /// What it left besides the change, under the lease in force; nothing until something was.
    pub artifacts: Option<ArtifactsView>,
    /// Bytes printed under the lease in force on standard output, all commands together.
    pub out_bytes: u64,
    /// Bytes printed under the lease in force on standard error, all commands together.
    pub err_bytes: u64,
    /// Processes that the kernel ended for want of memory under the lease in force, where its provider is told; a command may
    /// have ended well all the same.
    pub oom_kills: u64,
    /// The last that the setup command and the agent printed, both channels as they came; in words where the agent
    /// prints JSON.
    pub output_tail: OutputTail,
    /// Branch and commit, when its work is in the user's repository.
    pub delivered: Option<DeliveredView>,
    /// For an attempt that was put together of others: what it is made of.
    pub made_of: Vec<TakenHunk>,
    /// What its agent says it used, under all leases.
    pub usage: UsageView,
    /// Who put it aside, and why; nothing when it was not.
    pub discarded: Option<DiscardView>,
    /// What becomes of what it left; nothing when nobody ever asked for it to be cleaned.
    pub cleaning: Option<CleaningView>,
    /// Whether the verdict in force names it.
    pub is_winner: bool,
    /// Position of the last event about it.
    pub last_seq: Seq,
    /// When that event happened: what is shown is as old as this.
    pub last_event_at_us: u64,
    /// What may be done with it now.
    pub can: Vec<Can>,
}

/// One check of one attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CheckView {
    /// From 0.
    pub index: u16,
    /// What people call it.
    pub name: String,
    /// The shell text that is run.
    pub command: String,
    /// Where it stands.
    pub state: CheckState,
    /// How it ended.
    pub exit: Option<Exit>,
    /// How long it ran, in milliseconds, when it ended.
    pub elapsed_ms: Option<u64>,
    /// The last it printed, both channels as they came.
    pub output_tail: OutputTail,
}

/// Where a check stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CheckState {
    /// Not run yet.
    Pending,
    /// It runs.
    Running,
    /// It ended with code 0.
    Passed,
    /// It ended in any other way.
    Failed,
    /// The attempt was over before it was run or ended.
    Skipped,
}

/// What an attempt changed against the base.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ChangesView {
    /// The patch; nothing when nothing changed.
    pub patch: Option<BlobRef>,
    /// Sums over all paths.
    pub stat: DiffStat,
    /// Paths, sorted; at most [`regatta_core::event::attempt::FILES_LISTED_MAX`], the patch has them all.
    pub files: Vec<FileChange>,
    /// When they could not be collected: why.
    pub failure: Option<String>,
}

/// What an attempt left besides its change, as sums.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct ArtifactsView {
    /// How many are kept.
    pub count: u32,
    /// Their bytes.
    pub bytes: u64,
    /// How many files were not kept, over all commands.
    pub omitted: u64,
    /// When those of a command could not be collected: why, as last said.
    pub failure: Option<String>,
}

/// The end of what was printed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct OutputTail {
    /// The text; bytes that are not UTF-8 are shown as U+FFFD. It may hold control characters.
    pub text: String,
    /// Bytes printed before it that are not in it; the output stream has them.
    pub bytes_before: u64,
}

/// Where an attempt's work was delivered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeliveredView {
    /// The branch in the user's repository.
    pub branch: String,
    /// The commit it points to.
    pub commit: String,
}

/// Who put an attempt aside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DiscardView {
    /// One line for people.
    pub reason: String,
    /// Who.
    pub by: Actor,
    /// When, in microseconds since the Unix epoch.
    pub at_us: u64,
}

/// What becomes of what an attempt left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CleaningView {
    /// Where it is.
    pub place: Place,
    /// The archive that holds it, or held it; nothing while there was none, and once it was put back.
    pub archive: Option<Archive>,
    /// Bytes that were removed; what others need as well stays.
    pub removed_bytes: u64,
    /// Why the latest wish could not be done, when it could not.
    pub failure: Option<String>,
    /// Whose wish that was.
    pub by: Actor,
    /// When, in microseconds since the Unix epoch.
    pub at_us: u64,
}

/// What was used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct UsageView {
    /// Tokens read, the cached ones included.
    pub tokens_in: Option<u64>,
    /// Of these, tokens read from a cache.
    pub tokens_cached: Option<u64>,
    /// Tokens written.
    pub tokens_out: Option<u64>,
    /// Cost in micro-dollars, as far as it was told.
    pub cost_usd_micros: Option<u64>,
    /// Who says so.
    pub source: UsageSource,
}

/// Who says what was used; the better known, the less.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum UsageSource {
    /// The agent's own sum.
    Reported,
    /// Summed up from what the agent said on the way.
    Estimated,
    /// Nothing was said.
    #[default]
    Unknown,
}
