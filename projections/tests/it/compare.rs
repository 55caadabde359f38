//! Attempts side by side.

use regatta_core::Slot;
use regatta_core::event::attempt::{Channel, Exit, Outcome, Phase};
use regatta_core::event::run::{RunOutcome, Strategy};
use regatta_projections::attempts::{UsageSource, UsageView};
use regatta_projections::compare::{Comparison, FileClass};
use regatta_projections::runs::RunState;
use regatta_projections::{Can, Projection as _};

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

/// Three attempts are over; `c` was put aside, and hunks of `a` and `b` were put together.
fn composed() -> History {
    let mut history = History::new();
    let entries = [entry("claude"), entry("codex"), entry("claude")];
    history.requested(run(1), request(Strategy::All, &entries, &[])).prepared(run(1));
    for (slot, paths) in [(0, &["x", "y"][..]), (1, &["x"]), (2, &["x", "z"])] {
        let id = attempt(run(1), slot);
        history.running(id).worked(id, &slot.to_string(), paths).over(id, Outcome::Passed);
    }
    history.run_finished(run(1), RunOutcome::Undecided);
    history.discarded(attempt(run(1), 2));
    let d = attempt(run(1), 3);
    history.synthesized(d, &[0, 1]);
    history
}

#[test]
fn what_was_put_together_is_a_column_that_says_what_it_is_made_of() {
    let mut history = composed();
    assert_eq!(history.views().run(run(1)).expect("run").row.state, RunState::Racing);
    let d = attempt(run(1), 3);
    history.running(d).worked(d, "d", &["x"]).over(d, Outcome::Passed).run_finished(run(1), RunOutcome::Undecided);
    let views = history.views();
    let comparison = views.compare(run(1), history.now_us()).expect("run");
    let column = &comparison.columns[3];
    assert_eq!((column.agent.as_str(), column.made_of.len(), column.can.contains(&Can::Pick)), ("synthesis", 2, true));
    let row = views.run(run(1)).expect("run").row;
    assert_eq!((row.state, row.attempts.total, row.attempts.passed), (RunState::Undecided, 4, 4));
    assert_eq!(views.progress().strays, 0);
}

#[test]
fn what_is_put_aside_is_left_out_until_it_is_asked_for_or_comes_back() {
    let mut history = composed();
    let slots =
        |comparison: &Comparison| comparison.columns.iter().map(|column| column.slot.to_string()).collect::<String>();
    let whole = history.views().compare(run(1), history.now_us()).expect("run");
    assert_eq!((slots(&whole), whole.columns[2].is_discarded), ("abc".to_owned(), true));
    assert!(!whole.columns[2].can.contains(&Can::Pick) && whole.columns[2].can.contains(&Can::Restore));
    let shown = whole.without_discarded();
    assert_eq!((slots(&shown), shown.discarded.len()), ("ab".to_owned(), 1));
    let files: Vec<(&str, FileClass)> = shown.files.iter().map(|row| (row.path.as_str(), row.class)).collect();
    assert_eq!(files, [("x", FileClass::All), ("y", FileClass::One)]);
    assert_eq!(shown.groups.len(), 2);
    history.discard_undone(attempt(run(1), 2));
    let back = history.views().compare(run(1), history.now_us()).expect("run").without_discarded();
    assert_eq!(slots(&back), "abc");
}

#[test]
fn a_blind_comparison_hides_who_did_what_and_keeps_its_order_for_each_person() {
    let mut history = History::new();
    history.requested(run(1), request(Strategy::All, &vec![entry("claude"); 8], &[])).prepared(run(1));
    for slot in 0..8 {
        let id = attempt(run(1), slot);
        history.running(id).printed(id, Phase::Agent, Channel::Out, b"I am claude").worked(id, "p", &["x"]);
    }
    let whole = history.views().compare(run(1), history.now_us()).expect("run");
    let order =
        |comparison: &Comparison| comparison.columns.iter().map(|column| column.slot.index()).collect::<Vec<_>>();
    let (ada, bob) = (whole.clone().blind("user:ada"), whole.clone().blind("user:bob"));
    assert!(!serde_json::to_string(&ada.columns).expect("json").contains("claude"));
    assert!(ada.columns.iter().all(|column| column.agent == "hidden" && column.model.is_none()));
    assert_eq!(order(&ada), order(&whole.clone().blind("user:ada")));
    assert_ne!(order(&ada), order(&bob));
    assert_ne!(order(&ada), order(&whole));
    let mut sorted = order(&ada);
    sorted.sort_unstable();
    assert_eq!(sorted, order(&whole));
}

#[test]
fn a_blind_comparison_has_no_reason_verdict_or_order_that_tells_who_is_who() {
    let mut history = History::new();
    let entries = [entry("claude"), entry("codex"), entry("command"), entry("claude")];
    history.requested(run(1), request(Strategy::Race, &entries, &[])).prepared(run(1));
    for slot in 0..2 {
        let id = attempt(run(1), slot);
        history.running(id).worked(id, "the same", &["x"]).over(id, Outcome::Passed);
    }
    let reason = "claude is not installed".to_owned();
    history.running(attempt(run(1), 2)).running(attempt(run(1), 3));
    history.over(attempt(run(1), 2), Outcome::AgentFailed { exit: Exit::NotStarted { reason } });
    history.over(attempt(run(1), 3), Outcome::Cancelled { reason: "attempt a won".to_owned() });
    history.decided(run(1), Some(0)).delivery_intended(attempt(run(1), 0)).delivered(attempt(run(1), 0));
    let whole = history.views().compare(run(1), history.now_us()).expect("run");
    assert!(whole.verdict.is_some() && whole.columns[0].is_winner && whole.columns[0].branch.is_some());
    for person in ["user:ada", "user:bob", "user:cleo", "user:dan"] {
        let blind = whole.clone().blind(person);
        let columns = serde_json::to_string(&blind.columns).expect("json");
        for told in ["claude", "codex", "command\":\"", "local", "attempt a won", "regatta/", "\"is_winner\":true"] {
            assert!(!columns.contains(told), "{told} in {columns}");
        }
        assert_eq!((&blind.verdict, blind.usage), (&None, UsageView::default()));
        let place = |slot: &Slot| blind.columns.iter().position(|column| column.slot == *slot);
        let twins: Vec<_> = blind.groups[0].slots.iter().map(place).collect();
        assert!(twins.is_sorted(), "{twins:?}");
    }
}

#[test]
fn a_column_says_what_its_agent_used_and_the_comparison_what_all_did() {
    let mut history = History::new();
    let entries = [entry("claude"), entry("codex"), entry("command")];
    history.requested(run(1), request(Strategy::All, &entries, &[])).prepared(run(1));
    let said: [&[u8]; 3] = [
        b"{\"type\":\"result\",\"usage\":{\"input_tokens\":5,\"output_tokens\":2},\"total_cost_usd\":0.25}\n",
        b"{\"type\":\"turn.completed\",\"usage\":{\"input_tokens\":7,\"output_tokens\":1}}\n",
        b"no usage\n",
    ];
    for (slot, said) in said.into_iter().enumerate() {
        let id = attempt(run(1), slot);
        let (head, tail) = said.split_at(9);
        history.running(id).printed(id, Phase::Agent, Channel::Out, head);
        history.printed(id, Phase::Agent, Channel::Err, said).printed(id, Phase::Agent, Channel::Out, tail);
    }
    let comparison = history.views().compare(run(1), history.now_us()).expect("run");
    let told: Vec<_> = comparison
        .columns
        .iter()
        .map(|column| {
            (column.usage.tokens_in, column.usage.tokens_out, column.usage.cost_usd_micros, column.usage.source)
        })
        .collect();
    let then = [
        (Some(5), Some(2), Some(250_000), UsageSource::Reported),
        (Some(7), Some(1), None, UsageSource::Reported),
        (None, None, None, UsageSource::Unknown),
    ];
    assert_eq!(told, then);
    assert_eq!((comparison.usage.tokens_in, comparison.usage.cost_usd_micros), (Some(12), Some(250_000)));
}
