//! Where a run stands, told by its events.

use regatta_core::event::attempt::Outcome;
use regatta_core::event::run::{RunOutcome, Strategy};
use regatta_core::{Seq, Slot};
use regatta_projections::Can;
use regatta_projections::runs::{DeliveryState, RunFilter, RunState};

use crate::history::{History, attempt, entry, request, run};

/// Two attempts and one check, racing.
fn given() -> History {
    let mut history = History::new();
    history.requested(run(1), request(Strategy::Race, &[entry("claude"), entry("codex")], &["test"]));
    history
}

fn check(tell: impl FnOnce(&mut History) -> &mut History, then: RunState) {
    let mut history = given();
    tell(&mut history);
    let view = history.views().run(run(1)).expect("run");
    assert_eq!(view.row.state, then);
    let is_over = matches!(
        then,
        RunState::Delivered | RunState::Undelivered | RunState::Undecided | RunState::Cancelled | RunState::Failed
    );
    // `undecided` is also shown between the verdict and the end.
    assert_eq!(view.row.finished_at_us.is_some(), is_over && view.outcome.is_some());
}

const A: usize = 0;
const B: usize = 1;

/// Both ran; the first passed.
fn a_passed(history: &mut History) -> &mut History {
    let (a, b) = (attempt(run(1), A), attempt(run(1), B));
    history.prepared(run(1)).running(a).running(b).worked(a, "p", &["x"]).checked(a, 0, 0).over(a, Outcome::Passed)
}

fn b_is_stopped(history: &mut History) -> &mut History {
    let b = attempt(run(1), B);
    history.cancelled(b, "a won").over(b, Outcome::Cancelled { reason: "a won".to_owned() })
}

#[test]
fn a_run_begins_requested() {
    check(|history| history, RunState::Requested);
}

#[test]
fn attempts_in_line_before_the_base_is_pinned_are_preparing() {
    check(|history| history.queued(attempt(run(1), A)), RunState::Preparing);
}

#[test]
fn a_pinned_base_is_racing_until_every_attempt_is_over() {
    check(|history| history.prepared(run(1)), RunState::Racing);
    check(a_passed, RunState::Racing);
}

#[test]
fn every_attempt_over_and_no_verdict_is_deciding() {
    check(
        |history| {
            a_passed(history);
            b_is_stopped(history)
        },
        RunState::Deciding,
    );
}

#[test]
fn a_winner_is_delivering_until_the_run_is_over() {
    fn decided(history: &mut History) -> &mut History {
        a_passed(history);
        history.decided(run(1), Some(A)).delivery_intended(attempt(run(1), A))
    }
    check(decided, RunState::Delivering);
    check(
        |history| {
            decided(history);
            history.delivered(attempt(run(1), A))
        },
        // The loser still stops.
        RunState::Racing,
    );
    check(
        |history| {
            decided(history);
            b_is_stopped(history);
            history.delivered(attempt(run(1), A))
        },
        RunState::Delivering,
    );
    check(
        |history| {
            decided(history);
            b_is_stopped(history);
            let winner = Slot::new(A).expect("slot");
            history.delivered(attempt(run(1), A)).run_finished(run(1), RunOutcome::Delivered { winner })
        },
        RunState::Delivered,
    );
}

#[test]
fn nobody_winning_is_undecided() {
    check(|history| history.prepared(run(1)).decided(run(1), None), RunState::Undecided);
    check(
        |history| history.prepared(run(1)).decided(run(1), None).run_finished(run(1), RunOutcome::Undecided),
        RunState::Undecided,
    );
}

#[test]
fn a_cancelled_run_is_cancelling_until_it_is_over() {
    check(|history| history.run_cancelled(run(1)), RunState::Cancelling);
    check(|history| history.prepared(run(1)).run_cancelled(run(1)), RunState::Cancelling);
    check(|history| history.run_cancelled(run(1)).run_finished(run(1), RunOutcome::Cancelled), RunState::Cancelled);
}

#[test]
fn a_base_that_cannot_be_pinned_is_failed() {
    let outcome = RunOutcome::Failed { reason: "no such branch".to_owned() };
    check(|history| history.run_finished(run(1), outcome), RunState::Failed);
}

#[test]
fn a_pick_replaces_the_verdict_and_delivers_again() {
    let mut history = given();
    a_passed(&mut history);
    history.decided(run(1), Some(A));
    let (a, b) = (attempt(run(1), A), attempt(run(1), B));
    history.worked(b, "q", &["y"]).over(b, Outcome::Cancelled { reason: "a won".to_owned() });
    let winner = |slot| Slot::new(slot).expect("slot");
    history.delivery_intended(a).undelivered(a);
    history.run_finished(
        run(1),
        RunOutcome::Undelivered { winner: winner(A), reason: "the repository is gone".to_owned() },
    );
    let before = history.views().run(run(1)).expect("run");
    assert_eq!((before.row.state, before.row.winner), (RunState::Undelivered, Some(winner(A))));

    history.picked(run(1), B).delivery_intended(b);
    let during = history.views().run(run(1)).expect("run");
    assert_eq!((during.row.state, during.row.winner), (RunState::Delivering, Some(winner(B))));
    assert_eq!((during.row.finished_at_us, during.outcome), (None, None));

    history.delivered(b).run_finished(run(1), RunOutcome::Delivered { winner: winner(B) });
    let after = history.views().run(run(1)).expect("run");
    assert_eq!(after.row.state, RunState::Delivered);
    assert_eq!(after.verdict.map(|verdict| verdict.by.as_str().to_owned()), Some("user:bob".to_owned()));
    assert_eq!(after.verdicts_replaced.iter().map(|verdict| verdict.winner).collect::<Vec<_>>(), [Some(winner(A))]);
    let states: Vec<_> = after.deliveries.iter().map(|delivery| (delivery.attempt, delivery.state.clone())).collect();
    let failed = DeliveryState::Failed { reason: "the repository is gone".to_owned() };
    assert_eq!(states, [(a, failed), (b, DeliveryState::Delivered { commit: "c0ffee".to_owned() })]);
}

#[test]
fn attempts_are_counted_by_state() {
    let mut history = given();
    let counts = |history: &History| history.views().run(run(1)).expect("run").row.attempts;
    assert_eq!((counts(&history).total, counts(&history).queued), (2, 2));
    a_passed(&mut history);
    assert_eq!((counts(&history).passed, counts(&history).running), (1, 1));
    history.cancelled(attempt(run(1), B), "a won");
    assert_eq!((counts(&history).running, counts(&history).cancelling), (0, 1));
}

#[test]
fn attempts_never_queued_do_not_wait_when_the_run_is_over() {
    let mut history = given();
    history.run_cancelled(run(1)).run_finished(run(1), RunOutcome::Cancelled);
    let counts = history.views().run(run(1)).expect("run").row.attempts;
    assert_eq!((counts.total, counts.queued), (2, 0));
}

#[test]
fn cancelling_is_offered_while_there_is_something_to_cancel() {
    let can = |tell: &dyn Fn(&mut History) -> &mut History| {
        let mut history = given();
        tell(&mut history);
        history.views().run(run(1)).expect("run").row.can
    };
    assert_eq!(can(&|history| history), [Can::Cancel]);
    assert_eq!(can(&|history| history.prepared(run(1))), [Can::Cancel]);
    assert_eq!(can(&|history| history.run_cancelled(run(1))), []);
    assert_eq!(can(&|history| history.prepared(run(1)).decided(run(1), Some(A))), []);
    assert_eq!(can(&|history| history.run_finished(run(1), RunOutcome::Undecided)), []);
}

#[test]
fn the_age_of_a_run_is_that_of_its_last_event_wherever_it_stands() {
    let mut history = given();
    history.pass(1_000).prepared(run(1)).pass(1_000).running(attempt(run(1), A)).pass(5_000);
    let last = history.events.last().expect("event").clone();
    let row = history.views().run(run(1)).expect("run").row;
    assert_eq!((row.last_seq, row.last_event_at_us), (last.seq, last.at_us));
    let key = history.key(attempt(run(1), A));
    history.destroyed(&key);
    assert_eq!(history.views().run(run(1)).expect("run").row.last_seq, last.seq.next());
}

/// Runs 1 to 5 of two repositories; run 4 was stopped.
fn five() -> History {
    let mut history = History::new();
    for number in 1..=5 {
        let mut requested = request(Strategy::All, &[entry("claude")], &[]);
        requested.title = format!("Task {number}");
        requested.repository = format!("/r/{}", number % 2);
        history.requested(run(number), requested).pass(1_000);
    }
    history.run_cancelled(run(4)).run_finished(run(4), RunOutcome::Cancelled);
    history
}

fn check_list(filter: &RunFilter, limit: usize, rows: &[u128], next_before: Option<u64>) {
    let page = five().views().runs.list(filter, limit);
    assert_eq!(
        page.rows.iter().map(|row| row.id).collect::<Vec<_>>(),
        rows.iter().map(|n| run(*n)).collect::<Vec<_>>()
    );
    assert_eq!(page.next, next_before.map(Seq));
}

#[test]
fn runs_are_listed_newest_first_page_by_page() {
    let from = |before| RunFilter { before: Some(Seq(before)), ..RunFilter::default() };
    check_list(&RunFilter::default(), 10, &[5, 4, 3, 2, 1], None);
    check_list(&RunFilter::default(), 2, &[5, 4], Some(4));
    check_list(&from(4), 2, &[3, 2], Some(2));
    check_list(&from(2), 2, &[1], None);
}

#[test]
fn runs_are_listed_by_state_repository_actor_and_text() {
    let all = RunFilter::default;
    check_list(&RunFilter { states: vec![RunState::Cancelled], ..all() }, 10, &[4], None);
    check_list(&RunFilter { repository: Some("/r/1".to_owned()), ..all() }, 10, &[5, 3, 1], None);
    check_list(&RunFilter { by: Some("user:ada".to_owned()), ..all() }, 1, &[5], Some(5));
    check_list(&RunFilter { by: Some("user:eve".to_owned()), ..all() }, 10, &[], None);
    check_list(&RunFilter { text: Some("tASK 3".to_owned()), ..all() }, 10, &[3], None);
    check_list(&RunFilter { text: Some(run(2).to_string()), ..all() }, 10, &[2], None);
}
