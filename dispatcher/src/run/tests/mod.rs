//! The run decider as tables: given facts, when a command comes, then facts or a refusal.

mod clean;

use regatta_core::event::attempt::{DiffStat, Outcome};
use regatta_core::event::delivery::{Delivered, DeliveryEvent, Failed, Intended};
use regatta_core::event::run::{
    AttemptDiscarded, AttemptEnded, CancelRequested, Decided, DiscardUndone, Entry, Finished, Judge, Limits, Prepared,
    Prompt, Requested, RunEvent, RunOutcome, Strategy, SynthesisRequested, TakenHunk,
};
use regatta_core::{AttemptId, BlobRef, Event, Slot};

use super::{Command, Run, Synthesis};

fn slot(letters: &str) -> Slot {
    letters.parse().expect("slot")
}

fn id(letters: &str) -> AttemptId {
    AttemptId { run: "7q2k9x0m".parse().expect("id"), slot: slot(letters) }
}

/// Three attempts.
fn facts(strategy: Strategy) -> Requested {
    let entry = Entry { agent: "command".into(), command: Some("true".into()), model: None, sandbox: "local".into() };
    Requested {
        title: "fix it".into(),
        prompt: Prompt::Inline("fix it".into()),
        repository: "/repo".into(),
        base_ref: "main".into(),
        base_commit: "3f1c2".into(),
        uncommitted_included: 0,
        attempts: vec![entry.clone(), entry.clone(), entry],
        strategy,
        setup: None,
        checks: vec![],
        artifacts: vec![],
        limits: Limits::default(),
        environment: vec![],
    }
}

fn prepared() -> Event {
    RunEvent::Prepared(Prepared { base_commit: "3f1c2".into() }).into()
}
fn end(letters: &str, outcome: Outcome, lines: u64) -> AttemptEnded {
    let stat = DiffStat { files: u32::from(lines > 0), added: lines, removed: 0 };
    AttemptEnded { slot: slot(letters), outcome, stat, elapsed_ms: 1_234 }
}
fn ended(letters: &str, outcome: Outcome, lines: u64) -> Event {
    RunEvent::AttemptEnded(end(letters, outcome, lines)).into()
}
fn decided(winner: Option<&str>, judge: Judge, reason: &str) -> Event {
    RunEvent::Decided(Decided { winner: winner.map(slot), judge, reason: reason.into(), blind: false }).into()
}
fn intended(letters: &str) -> Event {
    let branch = format!("regatta/7q2k9x0m/{letters}");
    DeliveryEvent::Intended(Intended { attempt: id(letters), repository: "/repo".into(), branch }).into()
}
fn delivered(letters: &str) -> Event {
    let branch = format!("regatta/7q2k9x0m/{letters}");
    DeliveryEvent::Delivered(Delivered { attempt: id(letters), branch, commit: "9c0ffee".into() }).into()
}
fn undelivered(letters: &str) -> Event {
    let branch = format!("regatta/7q2k9x0m/{letters}");
    DeliveryEvent::Failed(Failed { attempt: id(letters), branch, reason: "gone".into() }).into()
}
fn finished(outcome: RunOutcome) -> Event {
    RunEvent::Finished(Finished { outcome }).into()
}
fn cancel_requested() -> Event {
    RunEvent::CancelRequested(CancelRequested { reason: "enough".into() }).into()
}
fn failing() -> Outcome {
    Outcome::ChecksFailed { failed: 1 }
}
fn won(letters: &str) -> RunOutcome {
    RunOutcome::Delivered { winner: slot(letters) }
}

fn given(strategy: Strategy, events: &[Event]) -> Run {
    let mut run = Run::requested("7q2k9x0m".parse().expect("id"), facts(strategy));
    for event in events {
        match event {
            Event::Run(event) => run.evolve(event),
            Event::Delivery(event) => run.evolve_delivery(event),
            Event::Cleaning(event) => run.evolve_cleaning(event),
            other @ (Event::Attempt(_)
            | Event::Sandbox(_)
            | Event::Gateway(_)
            | Event::Approval(_)
            | Event::Rule(_)
            | Event::Config(_)
            | Event::User(_)
            | Event::Secret(_)
            | Event::Log(_)
            | Event::Unknown { .. }) => {
                panic!("{other:?} is not of a run")
            }
        }
    }
    run
}

fn check(strategy: Strategy, history: &[Event], when: Command, then: &[Event]) {
    assert_eq!(given(strategy, history).decide(when).expect("no refusal"), then);
}

fn refused(strategy: Strategy, history: &[Event], when: Command, then: &str) {
    assert_eq!(given(strategy, history).decide(when).expect_err("a refusal").message, then);
}

#[test]
fn a_pinned_base_opens_the_race() {
    check(Strategy::All, &[], Command::Prepared, &[prepared()]);
    let reason = "the repository is gone".to_owned();
    check(Strategy::All, &[], Command::PrepareFailed(reason.clone()), &[finished(RunOutcome::Failed { reason })]);
}

#[test]
fn race_is_won_by_the_first_that_passes() {
    let history = [prepared(), ended("a", failing(), 1)];
    let then = [
        ended("c", Outcome::Passed, 9),
        decided(Some("c"), Judge::Checks, "the first that passed, after 1.2 s"),
        intended("c"),
    ];
    check(Strategy::Race, &history, Command::AttemptEnded(end("c", Outcome::Passed, 9)), &then);
}

#[test]
fn race_goes_on_past_whoever_fails_and_ends_with_nobody_when_all_do() {
    let history = [prepared(), ended("a", failing(), 1)];
    check(Strategy::Race, &history, Command::AttemptEnded(end("b", failing(), 1)), &[ended("b", failing(), 1)]);
    let history = [prepared(), ended("a", failing(), 1), ended("b", failing(), 1)];
    let then = [ended("c", Outcome::Unchanged, 0), decided(None, Judge::Checks, "none of 3 passed")];
    check(Strategy::Race, &history, Command::AttemptEnded(end("c", Outcome::Unchanged, 0)), &then);
}

#[test]
fn a_second_pass_does_not_overturn_a_race() {
    let history =
        [prepared(), ended("c", Outcome::Passed, 9), decided(Some("c"), Judge::Checks, "first"), intended("c")];
    check(
        Strategy::Race,
        &history,
        Command::AttemptEnded(end("a", Outcome::Passed, 1)),
        &[ended("a", Outcome::Passed, 1)],
    );
}

#[test]
fn best_waits_for_all_and_takes_the_smallest_change_that_passes() {
    let history = [prepared(), ended("a", Outcome::Passed, 40)];
    check(
        Strategy::Best,
        &history,
        Command::AttemptEnded(end("b", Outcome::Passed, 4)),
        &[ended("b", Outcome::Passed, 4)],
    );
    let history = [prepared(), ended("a", Outcome::Passed, 40), ended("b", Outcome::Passed, 4)];
    let then = [
        ended("c", failing(), 1),
        decided(Some("b"), Judge::Checks, "2 of 3 passed; smallest change: 4 lines in 1 file"),
        intended("b"),
    ];
    check(Strategy::Best, &history, Command::AttemptEnded(end("c", failing(), 1)), &then);
}

#[test]
fn all_leaves_the_verdict_to_a_person() {
    let history = [prepared(), ended("a", Outcome::Passed, 1), ended("b", Outcome::Passed, 1)];
    check(
        Strategy::All,
        &history,
        Command::AttemptEnded(end("c", Outcome::Passed, 1)),
        &[ended("c", Outcome::Passed, 1)],
    );
    let history = [prepared(), ended("a", failing(), 1), ended("b", failing(), 1), ended("c", failing(), 1)];
    check(Strategy::All, &history, Command::Settle, &[finished(RunOutcome::Undecided)]);
}

#[test]
fn an_end_said_twice_is_recorded_once() {
    let history = [prepared(), ended("a", failing(), 1)];
    check(Strategy::All, &history, Command::AttemptEnded(end("a", failing(), 1)), &[]);
}

#[test]
fn a_run_settles_when_all_ended_and_the_winner_is_delivered() {
    let mut history = vec![
        prepared(),
        ended("a", Outcome::Passed, 1),
        decided(Some("a"), Judge::Checks, "first"),
        intended("a"),
        ended("b", failing(), 1),
        ended("c", failing(), 1),
    ];
    check(Strategy::Race, &history, Command::Settle, &[]);
    check(Strategy::Race, &history, Command::Delivered(slot("a"), "9c0ffee".into()), &[delivered("a")]);
    check(Strategy::Race, &history, Command::DeliveryFailed(slot("a"), "gone".into()), &[undelivered("a")]);
    history.push(delivered("a"));
    check(Strategy::Race, &history, Command::Settle, &[finished(won("a"))]);
    history.push(undelivered("a"));
    let outcome = RunOutcome::Undelivered { winner: slot("a"), reason: "gone".into() };
    check(Strategy::Race, &history, Command::Settle, &[finished(outcome)]);
}

/// Everybody failed and it is over.
fn over() -> Vec<Event> {
    let ends = [ended("a", failing(), 1), ended("b", failing(), 1), ended("c", Outcome::Unchanged, 0)];
    [prepared()].into_iter().chain(ends).chain([finished(RunOutcome::Undecided)]).collect()
}

#[test]
fn a_person_may_pick_whoever_changed_something_also_after_the_end() {
    let pick = |letters: &str| Command::Pick(slot(letters), "reads best".into(), false);
    let then = [decided(Some("b"), Judge::Human, "reads best"), intended("b")];
    check(Strategy::All, &over(), pick("b"), &then);
    refused(Strategy::All, &over(), pick("c"), "attempt c changed nothing");
    refused(Strategy::All, &over(), pick("d"), "run 7q2k9x0m has no attempt d");
    refused(Strategy::All, &[prepared()], pick("a"), "attempt a is not over yet");
    refused(Strategy::All, &[], pick("a"), "run 7q2k9x0m has not started yet");
}

#[test]
fn a_pick_of_what_could_not_be_collected_says_so() {
    let failed = Outcome::Failed { reason: "the patch is larger than 64 MiB".into() };
    let history = [prepared(), ended("a", failed, 0)];
    let then = "attempt a has nothing to deliver: the patch is larger than 64 MiB";
    refused(Strategy::All, &history, Command::Pick(slot("a"), "x".into(), false), then);
}

#[test]
fn a_pick_may_be_changed_but_not_repeated() {
    let mut history = over();
    history.extend([decided(Some("b"), Judge::Human, "x"), intended("b"), delivered("b"), finished(won("b"))]);
    refused(Strategy::All, &history, Command::Pick(slot("b"), "y".into(), false), "attempt b is the winner already");
    let then = [decided(Some("a"), Judge::Human, "y"), intended("a")];
    check(Strategy::All, &history, Command::Pick(slot("a"), "y".into(), false), &then);
}

#[test]
fn a_losers_branch_can_be_had_without_a_verdict() {
    check(Strategy::All, &over(), Command::Restore(slot("a")), &[intended("a")]);
}

#[test]
fn a_cancel_is_recorded_once_and_refused_when_it_is_decided_or_over() {
    let cancel = || Command::Cancel("enough".into());
    check(Strategy::All, &[prepared()], cancel(), &[cancel_requested()]);
    check(Strategy::All, &[prepared(), cancel_requested()], cancel(), &[]);
    let history = [prepared(), ended("a", Outcome::Passed, 1), decided(Some("a"), Judge::Checks, "first")];
    refused(Strategy::Race, &history, cancel(), "run 7q2k9x0m is decided: attempt a won");
    refused(Strategy::All, &over(), cancel(), "run 7q2k9x0m is over: nobody won");
}

#[test]
fn a_cancelled_run_has_no_winner_and_ends_cancelled() {
    let history = [prepared(), cancel_requested()];
    check(
        Strategy::Race,
        &history,
        Command::AttemptEnded(end("a", Outcome::Passed, 1)),
        &[ended("a", Outcome::Passed, 1)],
    );
    let ends = [ended("a", failing(), 1), ended("b", failing(), 1), ended("c", failing(), 1)];
    let history: Vec<Event> = history.into_iter().chain(ends).collect();
    check(Strategy::Race, &history, Command::Settle, &[finished(RunOutcome::Cancelled)]);
    check(Strategy::Race, &[cancel_requested()], Command::Settle, &[finished(RunOutcome::Cancelled)]);
}

fn taken(letters: &str) -> TakenHunk {
    let header = "@@ -1,3 +1,3 @@".to_owned();
    TakenHunk { slot: slot(letters), path: "src/lib.rs".into(), hunk: Some(1), header, hash: None }
}
fn synthesize(letters: &[&str]) -> Command {
    let hunks = letters.iter().map(|letters| taken(letters)).collect();
    Command::Synthesize(Box::new(Synthesis { patch: BlobRef::of(b"patch"), hunks, reason: "both".into() }))
}
fn synthesized(place: &str, letters: &[&str]) -> Event {
    let entry = Entry { agent: "synthesis".into(), command: None, model: None, sandbox: "local".into() };
    let hunks = letters.iter().map(|letters| taken(letters)).collect();
    let (patch, reason) = (BlobRef::of(b"patch"), "both".into());
    RunEvent::SynthesisRequested(SynthesisRequested { slot: slot(place), entry, patch, hunks, reason }).into()
}
fn discarded(letters: &str) -> Event {
    RunEvent::AttemptDiscarded(AttemptDiscarded { slot: slot(letters), reason: "off topic".into() }).into()
}
fn undone(letters: &str) -> Event {
    RunEvent::DiscardUndone(DiscardUndone { slot: slot(letters) }).into()
}

#[test]
fn hunks_of_attempts_become_the_next_attempt_also_after_the_end() {
    check(Strategy::All, &over(), synthesize(&["a", "b"]), &[synthesized("d", &["a", "b"])]);
    let mut history = over();
    history.push(synthesized("d", &["a", "b"]));
    // Asked for again it is the same one; something else is the next.
    check(Strategy::All, &history, synthesize(&["a", "b"]), &[]);
    check(Strategy::All, &history, synthesize(&["b"]), &[synthesized("e", &["b"])]);
    // It can be made of another one, once that is over.
    refused(Strategy::All, &history, synthesize(&["d"]), "attempt d is not over yet");
    history.push(ended("d", Outcome::Passed, 2));
    check(Strategy::All, &history, synthesize(&["d"]), &[synthesized("e", &["d"])]);
    refused(Strategy::All, &history, synthesize(&["c"]), "attempt c changed nothing");
    refused(Strategy::All, &history, synthesize(&["f"]), "run 7q2k9x0m has no attempt f");
}

#[test]
fn a_run_is_under_way_again_until_what_was_put_together_is_over() {
    let mut history = over();
    history.push(synthesized("d", &["a"]));
    check(Strategy::All, &history, Command::Settle, &[]);
    refused(Strategy::All, &history, Command::Pick(slot("d"), "x".into(), false), "attempt d is not over yet");
    history.push(ended("d", Outcome::Passed, 2));
    check(Strategy::All, &history, Command::Settle, &[finished(RunOutcome::Undecided)]);
    let picked = [decided(Some("d"), Judge::Human, "x"), intended("d")];
    check(Strategy::All, &history, Command::Pick(slot("d"), "x".into(), false), &picked);
}

#[test]
fn what_was_put_together_never_wins_by_strategy() {
    let d = || Command::AttemptEnded(end("d", Outcome::Passed, 1));
    let mut history = vec![prepared(), ended("a", failing(), 1), synthesized("d", &["a"])];
    check(Strategy::Race, &history, d(), &[ended("d", Outcome::Passed, 1)]);
    history.extend([ended("d", Outcome::Passed, 1), ended("b", Outcome::Passed, 9)]);
    let c = || Command::AttemptEnded(end("c", failing(), 1));
    let then =
        [ended("c", failing(), 1), decided(Some("b"), Judge::Checks, "the only one of 3 that passed"), intended("b")];
    check(Strategy::Best, &history, c(), &then);
}

#[test]
fn a_stopped_run_that_somebody_goes_on_with_is_no_longer_stopped() {
    let mut history = vec![prepared(), cancel_requested()];
    refused(Strategy::All, &history, synthesize(&["a"]), "run 7q2k9x0m is being stopped");
    history.extend([ended("a", failing(), 1), ended("b", failing(), 1), ended("c", failing(), 1)]);
    history.push(finished(RunOutcome::Cancelled));
    history.extend([synthesized("d", &["a"]), ended("d", Outcome::Passed, 1)]);
    check(Strategy::All, &history, Command::Settle, &[finished(RunOutcome::Undecided)]);
}

#[test]
fn an_attempt_is_put_aside_once_and_comes_back() {
    let discard = |letters: &str| Command::Discard(slot(letters), "off topic".into());
    check(Strategy::All, &over(), discard("a"), &[discarded("a")]);
    refused(Strategy::All, &[prepared()], discard("a"), "attempt a is not over yet");
    refused(Strategy::All, &over(), discard("d"), "run 7q2k9x0m has no attempt d");
    let mut history = over();
    history.push(discarded("a"));
    check(Strategy::All, &history, discard("a"), &[]);
    refused(Strategy::All, &history, Command::Pick(slot("a"), "x".into(), false), "attempt a was put aside");
    check(Strategy::All, &history, Command::Restore(slot("a")), &[undone("a")]);
    check(Strategy::All, &history, Command::UndoDiscard(slot("a")), &[undone("a")]);
    history.push(undone("a"));
    check(Strategy::All, &history, Command::UndoDiscard(slot("a")), &[]);
    check(Strategy::All, &history, Command::Restore(slot("a")), &[intended("a")]);
}

#[test]
fn a_winner_is_not_put_aside_and_what_is_aside_does_not_win() {
    let mut history = over();
    history.extend([decided(Some("b"), Judge::Human, "x"), intended("b"), delivered("b"), finished(won("b"))]);
    let discard = Command::Discard(slot("b"), "off topic".into());
    refused(Strategy::All, &history, discard, "attempt b is the winner");
    let history = [prepared(), ended("a", Outcome::Passed, 1), discarded("a"), ended("b", Outcome::Passed, 9)];
    let then =
        [ended("c", failing(), 1), decided(Some("b"), Judge::Checks, "the only one of 3 that passed"), intended("b")];
    check(Strategy::Best, &history, Command::AttemptEnded(end("c", failing(), 1)), &then);
}

#[test]
fn a_pick_says_whether_it_was_blind() {
    let decided = Decided { winner: Some(slot("a")), judge: Judge::Human, reason: "x".into(), blind: true };
    let then = [RunEvent::Decided(decided).into(), intended("a")];
    check(Strategy::All, &over(), Command::Pick(slot("a"), "x".into(), true), &then);
}
