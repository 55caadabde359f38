//! What a person sees of a run: a row in a list, or the run itself. Plain data, stable JSON; no rule lives here.

use regatta_core::event::run::{Check, Entry, Judge, Limits, Prompt, RunOutcome, Strategy};
use regatta_core::{Actor, AttemptId, RunId, Seq, Slot};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Can;

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// Asked for; the base is about to be pinned.
    Requested,
    /// Attempts stand in line, but the base is not pinned yet.
    Preparing,
    /// The base is pinned and at least one attempt is not over. Also when a winner was delivered before the others
    /// were over.
    Racing,
    /// Every attempt is over; there is no verdict yet.
    Deciding,
    /// There is a winner on its way to the target.
    Delivering,
    /// The winner's branch is in the user's repository.
    Delivered,
    /// There is a winner, but it could not be delivered.
    Undelivered,
    /// There is no winner; a person may pick one.
    Undecided,
    /// Somebody asked to stop it; it is not over yet.
    Cancelling,
    /// It was stopped.
    Cancelled,
    /// It could not be prepared.
    Failed,
}

impl RunState {
    /// Every state, in the order a run may go through them.
    pub const ALL: [Self; 11] = [
        Self::Requested,
        Self::Preparing,
        Self::Racing,
        Self::Deciding,
        Self::Delivering,
        Self::Delivered,
        Self::Undelivered,
        Self::Undecided,
        Self::Cancelling,
        Self::Cancelled,
        Self::Failed,
    ];

    /// The word, as in JSON.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Preparing => "preparing",
            Self::Racing => "racing",
            Self::Deciding => "deciding",
            Self::Delivering => "delivering",
            Self::Delivered => "delivered",
            Self::Undelivered => "undelivered",
            Self::Undecided => "undecided",
            Self::Cancelling => "cancelling",
            Self::Cancelled => "cancelled",
            Self::Failed => "failed",
        }
    }
}

/// One line of the list of runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RunRow {
    /// Its name.
    pub id: RunId,
    /// One line for people.
    pub title: String,
    /// Where it stands.
    pub state: RunState,
    /// When it is over and who wins.
    pub strategy: Strategy,
    /// Absolute path of the user's repository.
    pub repository: String,
    /// What was asked as the base.
    pub base_ref: String,
    /// When it was asked for, in microseconds since the Unix epoch.
    pub requested_at_us: u64,
    /// Position of its `run.requested`: the order of the list, and its cursor.
    pub requested_seq: Seq,
    /// Who asked.
    pub by: Actor,
    /// When it was last over; nothing while it goes on, also when a person picked and delivery goes on again.
    pub finished_at_us: Option<u64>,
    /// Its attempts, counted by state.
    pub attempts: AttemptCounts,
    /// Who won, by the verdict in force.
    pub winner: Option<Slot>,
    /// Position of the last event about it or one of its attempts.
    pub last_seq: Seq,
    /// When that event happened: what is shown is as old as this.
    pub last_event_at_us: u64,
    /// What may be done with it now: `cancel`. Picking is allowed per attempt.
    pub can: Vec<Can>,
}

/// One run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RunView {
    /// What the list shows of it.
    pub row: RunRow,
    /// The task as given to every agent.
    pub prompt: Prompt,
    /// The commit every attempt starts from.
    pub base_commit: String,
    /// How many uncommitted paths were included on top of the base.
    pub uncommitted_included: u32,
    /// Who tries, in slot order.
    pub entries: Vec<Entry>,
    /// Run in each sandbox before the agent.
    pub setup: Option<String>,
    /// Run by Regatta in each sandbox after the agent.
    pub checks: Vec<Check>,
    /// Paths of the workspace whose files are kept besides the change.
    pub artifacts: Vec<String>,
    /// What one attempt may use.
    pub limits: Limits,
    /// When the base was pinned, in microseconds since the Unix epoch.
    pub prepared_at_us: Option<u64>,
    /// Why it is to stop, when somebody asked.
    pub cancel: Option<CancelView>,
    /// The verdict in force.
    pub verdict: Option<VerdictView>,
    /// Verdicts that were replaced, oldest first; the oldest are dropped past [`super::VERDICTS_REPLACED_MAX`].
    pub verdicts_replaced: Vec<VerdictView>,
    /// The latest try to deliver each attempt's work, in the order of the first tries.
    pub deliveries: Vec<DeliveryView>,
    /// How it ended when it last did; nothing while it goes on.
    pub outcome: Option<RunOutcome>,
}

/// Attempts of a run, counted by state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct AttemptCounts {
    /// All of them, also those that were never queued because the run was over before.
    pub total: u32,
    /// Stand in line, or will.
    pub queued: u32,
    /// Have the right to act; no command runs yet.
    pub starting: u32,
    /// In the setup command.
    pub setup: u32,
    /// In the agent.
    pub running: u32,
    /// Their changes are being collected.
    pub collecting: u32,
    /// In a check.
    pub checking: u32,
    /// Wait to be started again.
    pub retrying: u32,
    /// Are to stop.
    pub cancelling: u32,
    /// Over: passed.
    pub passed: u32,
    /// Over: checks failed.
    pub checks_failed: u32,
    /// Over: changed nothing.
    pub unchanged: u32,
    /// Over: the agent failed.
    pub agent_failed: u32,
    /// Over: the agent's time was up.
    pub timed_out: u32,
    /// Over: stopped.
    pub cancelled: u32,
    /// Over: something around the agent failed.
    pub failed: u32,
}

/// Who won and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct VerdictView {
    /// The winner, or nobody.
    pub winner: Option<Slot>,
    /// What proposed it.
    pub judge: Judge,
    /// One line for people.
    pub reason: String,
    /// Whether whoever chose saw neither agents nor models.
    pub blind: bool,
    /// Who caused it.
    pub by: Actor,
    /// When, in microseconds since the Unix epoch.
    pub at_us: u64,
    /// Position of its event.
    pub seq: Seq,
}

/// Somebody asked to stop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CancelView {
    /// One line for people.
    pub reason: String,
    /// Who.
    pub by: Actor,
    /// When, in microseconds since the Unix epoch.
    pub at_us: u64,
}

/// Bringing one attempt's work to its target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeliveryView {
    /// Whose work.
    pub attempt: AttemptId,
    /// Under which name.
    pub branch: String,
    /// Where it stands.
    pub state: DeliveryState,
    /// When it came to stand there, in microseconds since the Unix epoch.
    pub at_us: u64,
}

/// Where a delivery stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "name", rename_all = "snake_case")]
pub enum DeliveryState {
    /// It is being tried.
    Intended,
    /// The target has it.
    Delivered {
        /// The commit the branch points to.
        commit: String,
    },
    /// The target does not have it.
    Failed {
        /// Why, and what to do.
        reason: String,
    },
}

/// Which runs to list. Empty lists everything.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct RunFilter {
    /// Only these states; all when empty.
    pub states: Vec<RunState>,
    /// Only runs of this repository, by absolute path.
    pub repository: Option<String>,
    /// Only runs asked for by this actor.
    pub by: Option<String>,
    /// Only runs whose id or title contains this text, case ignored.
    pub text: Option<String>,
    /// Only runs requested before this position: the cursor of the next page.
    pub before: Option<Seq>,
}

/// One page of the list, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RunPage {
    /// The rows.
    pub rows: Vec<RunRow>,
    /// What to pass as [`RunFilter::before`] for the next page; nothing when this is the last one.
    pub next: Option<Seq>,
}
