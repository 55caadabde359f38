//! The attempts of one run side by side. Plain data, stable JSON; no rule lives here.

use std::collections::BTreeMap;

use regatta_core::event::attempt::{DiffStat, Exit};
use regatta_core::event::run::{Strategy, TakenHunk};
use regatta_core::{AttemptId, BlobRef, RunId, Slot};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Can;
use crate::attempts::{AttemptState, OutputTail, UsageView};
use crate::runs::{RunState, VerdictView};

/// The attempts of one run side by side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Comparison {
    /// The run.
    pub run: RunId,
    /// One line for people.
    pub title: String,
    /// Where the run stands.
    pub state: RunState,
    /// When it is over and who wins.
    pub strategy: Strategy,
    /// What was asked as the base.
    pub base_ref: String,
    /// The commit every attempt starts from.
    pub base_commit: String,
    /// The names of the checks, in order.
    pub checks: Vec<String>,
    /// The verdict in force.
    pub verdict: Option<VerdictView>,
    /// One per attempt that is not put aside, in slot order; shuffled when `blind`.
    pub columns: Vec<Column>,
    /// Attempts that are put aside and not shown.
    pub discarded: Vec<Slot>,
    /// Whether everything is hidden that tells who did what: names, branches, reasons, usage, the verdict and output.
    pub blind: bool,
    /// Everything all attempts used together.
    pub usage: UsageView,
    /// One per changed path, sorted by path.
    pub files: Vec<FileRow>,
    /// Whether some attempt changed more paths than are listed.
    pub files_cut: bool,
    /// Attempts by what they changed; every attempt with collected changes is in exactly one group. In the order of
    /// the groups' first slots.
    pub groups: Vec<PatchGroup>,
}

/// One attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Column {
    /// Its place in the run.
    pub slot: Slot,
    /// Its name.
    pub attempt: AttemptId,
    /// Name of the agent.
    pub agent: String,
    /// For `command`: the shell text that is run.
    pub command: Option<String>,
    /// The model asked for.
    pub model: Option<String>,
    /// Name of the sandbox provider.
    pub sandbox: String,
    /// Where it stands.
    pub state: AttemptState,
    /// What it waits for now, for people.
    pub waits_for: Option<String>,
    /// From its first start to its end or to now, in milliseconds.
    pub elapsed_ms: u64,
    /// Checks that passed.
    pub checks_passed: u32,
    /// Checks that failed.
    pub checks_failed: u32,
    /// All checks.
    pub checks_total: u32,
    /// Sums over the changed paths; nothing until they were collected.
    pub stat: Option<DiffStat>,
    /// The patch; nothing until it was collected, and when nothing changed.
    pub patch: Option<BlobRef>,
    /// When the changes could not be collected: why.
    pub collect_failure: Option<String>,
    /// How the agent ended.
    pub agent_exit: Option<Exit>,
    /// The fence really in force.
    pub fence: Option<String>,
    /// The last that the setup command and the agent printed.
    pub output_tail: OutputTail,
    /// The branch its work was delivered under.
    pub branch: Option<String>,
    /// For an attempt that was put together of others: what it is made of.
    pub made_of: Vec<TakenHunk>,
    /// What its agent says it used.
    pub usage: UsageView,
    /// Whether it is put aside.
    pub is_discarded: bool,
    /// Whether the verdict in force names it.
    pub is_winner: bool,
    /// What may be done with it now.
    pub can: Vec<Can>,
}

/// One changed path and who changed it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FileRow {
    /// Path in the repository.
    pub path: String,
    /// How many of the attempts that changed anything changed it.
    pub class: FileClass,
    /// Who, and how many lines.
    pub by: BTreeMap<Slot, LineCounts>,
}

/// How many of the attempts that changed anything changed a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FileClass {
    /// Each of them, and there are at least two.
    All,
    /// At least two, but not each.
    Some,
    /// Only one.
    One,
}

/// Lines of one path; nothing for a binary file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
pub struct LineCounts {
    /// Lines added.
    pub added: Option<u64>,
    /// Lines removed.
    pub removed: Option<u64>,
}

/// Attempts that changed exactly the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PatchGroup {
    /// Hash of their patch; nothing for those that changed nothing.
    pub patch_hash: Option<String>,
    /// Who, in slot order; one alone has no twin.
    pub slots: Vec<Slot>,
}
