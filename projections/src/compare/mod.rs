//! The attempts of one run side by side: a pure function of other views, with no state of its own.

mod blind;
mod view;

use std::collections::BTreeMap;

use regatta_core::Slot;

pub use view::{Column, Comparison, FileClass, FileRow, LineCounts, PatchGroup};

use crate::attempts::{AttemptView, ChangesView, CheckState, UsageView};
use crate::runs::RunView;

/// Puts the attempts of a run side by side.
#[must_use]
pub fn compare(run: &RunView, attempts: &[AttemptView]) -> Comparison {
    let is_cut =
        |changes: &ChangesView| changes.files.len() < usize::try_from(changes.stat.files).unwrap_or(usize::MAX);
    Comparison {
        run: run.row.id,
        title: run.row.title.clone(),
        state: run.row.state,
        strategy: run.row.strategy,
        base_ref: run.row.base_ref.clone(),
        base_commit: run.base_commit.clone(),
        checks: run.checks.iter().map(|check| check.name.clone()).collect(),
        verdict: run.verdict.clone(),
        columns: attempts.iter().map(column).collect(),
        discarded: vec![],
        blind: false,
        usage: attempts.iter().fold(UsageView::default(), |sum, attempt| sum.plus(attempt.usage)),
        files: files(attempts),
        files_cut: attempts.iter().filter_map(|attempt| attempt.changes.as_ref()).any(is_cut),
        groups: groups(attempts),
    }
}

impl Comparison {
    /// Without the attempts that are put aside.
    #[must_use]
    pub fn without_discarded(mut self) -> Self {
        let (aside, shown): (Vec<Column>, Vec<Column>) =
            self.columns.into_iter().partition(|column| column.is_discarded);
        self.columns = shown;
        self.discarded = aside.into_iter().map(|column| column.slot).collect();
        for row in &mut self.files {
            row.by.retain(|slot, _| !self.discarded.contains(slot));
        }
        self.files.retain(|row| !row.by.is_empty());
        for group in &mut self.groups {
            group.slots.retain(|slot| !self.discarded.contains(slot));
        }
        self.groups.retain(|group| !group.slots.is_empty());
        let changed = self.columns.iter().filter(|column| column.stat.is_some_and(|stat| stat.files > 0)).count();
        for row in &mut self.files {
            row.class = class(row.by.len(), changed);
        }
        self
    }
}

/// How many of those that changed anything changed a path.
fn class(by: usize, changed: usize) -> FileClass {
    match by {
        0 | 1 => FileClass::One,
        count if count == changed => FileClass::All,
        _ => FileClass::Some,
    }
}

fn column(attempt: &AttemptView) -> Column {
    let changes = attempt.changes.as_ref().filter(|changes| changes.failure.is_none());
    let count = |state| {
        let those = attempt.checks.iter().filter(|check| check.state == state);
        u32::try_from(those.count()).unwrap_or(u32::MAX)
    };
    Column {
        slot: attempt.slot,
        attempt: attempt.id,
        agent: attempt.entry.agent.clone(),
        command: attempt.entry.command.clone(),
        model: attempt.entry.model.clone(),
        sandbox: attempt.entry.sandbox.clone(),
        state: attempt.state.clone(),
        waits_for: attempt.waits_for.clone(),
        elapsed_ms: attempt.elapsed_ms,
        checks_passed: count(CheckState::Passed),
        checks_failed: count(CheckState::Failed),
        checks_total: u32::try_from(attempt.checks.len()).unwrap_or(u32::MAX),
        stat: changes.map(|changes| changes.stat),
        patch: changes.and_then(|changes| changes.patch.clone()),
        collect_failure: attempt.changes.as_ref().and_then(|changes| changes.failure.clone()),
        agent_exit: attempt.agent_exit.clone(),
        fence: attempt.fence.clone(),
        output_tail: attempt.output_tail.clone(),
        branch: attempt.delivered.as_ref().map(|delivered| delivered.branch.clone()),
        made_of: attempt.made_of.clone(),
        usage: attempt.usage,
        is_discarded: attempt.discarded.is_some(),
        is_winner: attempt.is_winner,
        can: attempt.can.clone(),
    }
}

/// What was collected, by slot.
fn collected(attempts: &[AttemptView]) -> impl Iterator<Item = (Slot, &ChangesView)> {
    let kept = attempts.iter().filter_map(|attempt| Some((attempt.slot, attempt.changes.as_ref()?)));
    kept.filter(|(_, changes)| changes.failure.is_none())
}

fn files(attempts: &[AttemptView]) -> Vec<FileRow> {
    let changed = collected(attempts).filter(|(_, changes)| changes.stat.files > 0).count();
    let mut rows: BTreeMap<&str, BTreeMap<Slot, LineCounts>> = BTreeMap::new();
    for (slot, changes) in collected(attempts) {
        for file in &changes.files {
            let lines = LineCounts { added: file.added, removed: file.removed };
            rows.entry(&file.path).or_default().insert(slot, lines);
        }
    }
    let row = |(path, by): (&str, BTreeMap<Slot, LineCounts>)| FileRow {
        path: path.to_owned(),
        class: class(by.len(), changed),
        by,
    };
    rows.into_iter().map(row).collect()
}

fn groups(attempts: &[AttemptView]) -> Vec<PatchGroup> {
    let mut groups: Vec<PatchGroup> = vec![];
    for (slot, changes) in collected(attempts) {
        let patch_hash = changes.patch.as_ref().map(|patch| patch.hash.clone());
        match groups.iter_mut().find(|group| group.patch_hash == patch_hash) {
            Some(group) => group.slots.push(slot),
            None => groups.push(PatchGroup { patch_hash, slots: vec![slot] }),
        }
    }
    groups
}
