//! The verdict the strategies propose, from checks and diffs alone. Pure; blind to agents and models.

use std::collections::{BTreeMap, BTreeSet};

use regatta_core::Slot;
use regatta_core::event::attempt::Outcome;
use regatta_core::event::run::{AttemptEnded, Decided, Judge};

/// The best of those that pass: fewest changed lines, then fewest files, then fastest, then first in line.
pub(super) fn best(ended: &BTreeMap<Slot, AttemptEnded>, discarded: &BTreeSet<Slot>) -> Decided {
    let stands = |one: &&AttemptEnded| one.outcome == Outcome::Passed && !discarded.contains(&one.slot);
    let passed: Vec<&AttemptEnded> = ended.values().filter(stands).collect();
    let size = |one: &AttemptEnded| one.stat.added + one.stat.removed;
    let first = passed.iter().min_by_key(|one| (size(one), one.stat.files, one.elapsed_ms, one.slot));
    let Some(first) = first else { return nobody(ended.len()) };
    let reason = if passed.len() == 1 {
        format!("the only one of {} that passed", ended.len())
    } else {
        let (files, lines) = (counted(u64::from(first.stat.files), "file"), counted(size(first), "line"));
        format!("{} of {} passed; smallest change: {lines} in {files}", passed.len(), ended.len())
    };
    Decided { winner: Some(first.slot), judge: Judge::Checks, reason, blind: false }
}

/// The first that passed.
pub(super) fn first(ended: &AttemptEnded) -> Decided {
    let seconds = ended.elapsed_ms / 1_000;
    let tenths = ended.elapsed_ms % 1_000 / 100;
    let reason = format!("the first that passed, after {seconds}.{tenths} s");
    Decided { winner: Some(ended.slot), judge: Judge::Checks, reason, blind: false }
}

/// Nobody passed.
pub(super) fn nobody(attempts: usize) -> Decided {
    let reason = format!("none of {attempts} passed");
    Decided { winner: None, judge: Judge::Checks, reason, blind: false }
}

fn counted(count: u64, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}
