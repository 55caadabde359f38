//! Attempts side by side.

use regatta_core::Slot;
use regatta_core::event::attempt::{Exit, Outcome, Phase};
use regatta_core::event::run::Strategy;
use regatta_projections::compare::{Comparison, FileClass};

use crate::history::{History, attempt, entry, request, run};

/// One attempt per element: its patch and the paths it changed; nothing when it is still in line.
fn comparison(attempts: &[Option<(&str, &[&str])>]) -> Comparison {
    let mut history = History::new();
    history.requested(run(1), request(Strategy::Best, &vec![entry("claude"); attempts.len()], &["test"]));
    history.prepared(run(1));
    for (slot, changes) in attempts.iter().enumerate() {
        let id = attempt(run(1), slot);
        match changes {
            None => history.queued(id),
            Some((patch, paths)) => history.running(id).worked(id, patch, paths),
        };
    }
    history.views().compare(run(1), history.now_us()).expect("run")
}

fn check_files(attempts: &[Option<(&str, &[&str])>], then: &[(&str, FileClass, &str)]) {
    let comparison = comparison(attempts);
    let shown: Vec<(&str, FileClass, String)> = comparison
        .files
        .iter()
        .map(|row| (row.path.as_str(), row.class, row.by.keys().map(Slot::to_string).collect::<String>()))
        .collect();
    let then: Vec<_> = then.iter().map(|(path, class, slots)| (*path, *class, (*slots).to_owned())).collect();
    assert_eq!(shown, then);
}

#[test]
fn paths_are_touched_by_all_some_or_one() {
    check_files(&[], &[]);
    check_files(
        &[Some(("1", &["x", "y"])), Some(("2", &["x", "y", "z"])), Some(("3", &["x"]))],
        &[("x", FileClass::All, "abc"), ("y", FileClass::Some, "ab"), ("z", FileClass::One, "b")],
    );
}

#[test]
fn who_changed_nothing_yet_does_not_count() {
    let x = [("x", FileClass::All, "ac")];
    check_files(&[Some(("1", &["x"])), None, Some(("2", &["x"]))], &x);
    check_files(&[Some(("1", &["x"])), Some(("", &[])), Some(("2", &["x"]))], &x);
}

#[test]
fn the_only_one_that_changed_anything_is_one_and_not_all() {
    check_files(&[Some(("1", &["x"])), None], &[("x", FileClass::One, "a")]);
}

#[test]
fn the_same_patch_is_one_group_and_so_is_no_change() {
    let same: &[&str] = &["x"];
    let comparison =
        comparison(&[Some(("1", same)), Some(("", &[])), Some(("2", same)), Some(("1", same)), None, Some(("", &[]))]);
    let groups: Vec<(bool, String)> = comparison
        .groups
        .iter()
        .map(|group| (group.patch_hash.is_some(), group.slots.iter().map(Slot::to_string).collect()))
        .collect();
    let group = |changed, slots: &str| (changed, slots.to_owned());
    assert_eq!(groups, [group(true, "ad"), group(false, "bf"), group(true, "c")]);
}

#[test]
fn a_column_says_how_its_attempt_did() {
    let mut history = History::new();
    history.requested(run(1), request(Strategy::Race, &[entry("claude"), entry("codex")], &["build", "test"]));
    let (a, b) = (attempt(run(1), 0), attempt(run(1), 1));
    history.prepared(run(1)).running(a).pass(1_000).worked(a, "p", &["x", "y"]).checked(a, 0, 0).checked(a, 1, 1);
    history.over(a, Outcome::ChecksFailed { failed: 1 });
    history.queued(b).waiting(b, "provider local at 1/1");
    let comparison = history.views().compare(run(1), history.now_us()).expect("run");
    let [a, b] = &comparison.columns[..] else { panic!("two columns, not {}", comparison.columns.len()) };
    assert_eq!((a.checks_passed, a.checks_failed, a.checks_total), (1, 1, 2));
    assert_eq!((a.stat.map(|stat| stat.files), a.agent_exit.clone()), (Some(2), Some(Exit::Code(0))));
    assert_eq!((a.agent.as_str(), a.model.as_deref(), a.fence.as_deref()), ("claude", Some("m1"), Some("bubblewrap")));
    assert_eq!(a.elapsed_ms, 1_085);
    assert_eq!((b.waits_for.as_deref(), b.stat, b.checks_total), (Some("provider local at 1/1"), None, 2));
    assert_eq!(comparison.checks, ["build", "test"]);
}

#[test]
fn changes_that_could_not_be_collected_are_in_no_group() {
    let mut history = History::new();
    history.requested(run(1), request(Strategy::All, &[entry("claude")], &[])).prepared(run(1));
    let a = attempt(run(1), 0);
    history.running(a).phase_ended(a, Phase::Agent, Exit::Code(0)).not_collected(a);
    let comparison = history.views().compare(run(1), history.now_us()).expect("run");
    assert_eq!(comparison.groups, []);
    let column = &comparison.columns[0];
    assert_eq!((column.stat, column.collect_failure.as_deref()), (None, Some("git is gone")));
}
