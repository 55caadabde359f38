//! Where an attempt stands, what it showed, and what may be done with it.

use regatta_core::AttemptId;
use regatta_core::event::attempt::{Channel, Exit, Outcome, Phase};
use regatta_core::event::run::{RunOutcome, Strategy};
use regatta_projections::Can;
use regatta_projections::attempts::{
    AttemptState, AttemptView, CHECK_TAIL_BYTES_MAX, CheckState, OUTPUT_TAIL_BYTES_MAX,
};

use crate::history::{History, attempt, entry, request, run};

fn a() -> AttemptId {
    attempt(run(1), 0)
}

/// A run of one attempt with two checks, its base pinned.
fn given() -> History {
    let mut history = History::new();
    history.requested(run(1), request(Strategy::All, &[entry("claude")], &["build", "test"])).prepared(run(1));
    history
}

fn view(history: &History) -> AttemptView {
    history.views().attempt(a(), history.now_us()).expect("attempt")
}

fn after(tell: impl FnOnce(&mut History) -> &mut History) -> AttemptView {
    let mut history = given();
    tell(&mut history);
    view(&history)
}

fn check(tell: impl FnOnce(&mut History) -> &mut History, then: AttemptState) {
    assert_eq!(after(tell).state, then);
}

#[test]
fn an_attempt_walks_through_its_states() {
    let reason = Some("provider local at 4/4".to_owned());
    check(|history| history.queued(a()), AttemptState::Queued { reason: None });
    check(|history| history.queued(a()).waiting(a(), "provider local at 4/4"), AttemptState::Queued { reason });
    check(|history| history.queued(a()).started(a()), AttemptState::Starting);
    check(|history| history.queued(a()).started(a()).phase_started(a(), Phase::Setup), AttemptState::Setup);
    check(|history| history.running(a()), AttemptState::Running);
    check(|history| history.running(a()).phase_ended(a(), Phase::Agent, Exit::Code(0)), AttemptState::Collecting);
    check(
        |history| history.running(a()).worked(a(), "p", &["x"]).checked(a(), 0, 0),
        AttemptState::Checking { index: 0 },
    );
    check(
        |history| history.running(a()).worked(a(), "p", &["x"]).checked(a(), 0, 0).phase_started(a(), Phase::Check(1)),
        AttemptState::Checking { index: 1 },
    );
    let outcome = Outcome::Passed;
    check(|history| history.running(a()).finished(a(), Outcome::Passed), AttemptState::Finished { outcome });
}

#[test]
fn a_retry_says_when_and_why_and_begins_anew() {
    let mut history = given();
    history.running(a()).printed(a(), Phase::Agent, Channel::Out, b"half").retry_scheduled(a());
    let not_before_ms = history.now_us() / 1_000 + 1_000;
    let waits = view(&history);
    assert_eq!(waits.state, AttemptState::Retrying { not_before_ms, reason: "disk is full".to_owned() });
    assert_eq!(waits.waits_for.as_deref(), Some("another try after: disk is full"));
    assert_eq!((waits.output_tail.text.as_str(), waits.starts_used), ("half", 1));

    history.waiting(a(), "provider local at 4/4");
    assert_eq!(view(&history).waits_for.as_deref(), Some("provider local at 4/4"));

    let first_start = waits.started_at_us;
    history.pass(2_000).started(a());
    let again = view(&history);
    assert_eq!((again.state.clone(), again.epoch, again.starts_used), (AttemptState::Starting, 2, 2));
    assert_eq!((again.output_tail.text.as_str(), again.out_bytes, again.fence), ("", 0, None));
    assert_eq!((again.started_at_us, again.sandbox), (first_start, Some(history.key(a()))));
}

#[test]
fn artifacts_are_told_as_sums_of_the_lease_in_force() {
    let mut history = given();
    history.running(a()).left(a(), Phase::Agent, &["x", "y"]);
    let sums = view(&history).artifacts.expect("left");
    assert_eq!((sums.count, sums.bytes, sums.omitted, sums.failure), (2, 2, 1, None));
    history.retry_scheduled(a()).started(a());
    assert_eq!(view(&history).artifacts, None);
}

#[test]
fn what_an_older_lease_says_changes_nothing() {
    let mut late = given();
    late.running(a()).printed(a(), Phase::Agent, Channel::Out, b"late");
    let mut said_late = late.events.last().expect("event").clone();

    let mut history = given();
    history.running(a()).retry_scheduled(a()).started(a()).phase_started(a(), Phase::Agent);
    let before = view(&history);
    said_late.seq = history.events.last().expect("event").seq.next();
    history.events.push(said_late);
    let after = view(&history);
    assert_eq!((after.out_bytes, after.output_tail), (before.out_bytes, before.output_tail));
}

#[test]
fn a_cancelled_attempt_is_cancelling_until_it_is_over() {
    let reason = "a person".to_owned();
    fn stopping(history: &mut History) -> &mut History {
        history.running(a()).cancelled(a(), "a person")
    }
    check(stopping, AttemptState::Cancelling { reason: reason.clone() });
    check(
        |history| {
            stopping(history);
            history.phase_ended(a(), Phase::Agent, Exit::Killed).collected(a(), "p", &["x"])
        },
        AttemptState::Cancelling { reason: reason.clone() },
    );
    let outcome = Outcome::Cancelled { reason };
    check(
        |history| {
            stopping(history);
            history.finished(a(), outcome.clone())
        },
        AttemptState::Finished { outcome: outcome.clone() },
    );
}

#[test]
fn elapsed_time_runs_from_the_first_start_until_the_end() {
    let mut history = given();
    history.queued(a()).pass(500);
    assert_eq!(view(&history).elapsed_ms, 0);
    history.started(a()).pass(250);
    assert_eq!(view(&history).elapsed_ms, 250);
    history.retry_scheduled(a()).pass(1_000).started(a()).pass(50).finished(a(), Outcome::Passed).pass(9_000);
    assert_eq!(view(&history).elapsed_ms, 1_300);
}

#[test]
fn checks_are_named_and_their_results_kept() {
    let shown = |view: AttemptView| -> Vec<(String, CheckState, Option<Exit>)> {
        view.checks.into_iter().map(|check| (check.name, check.state, check.exit)).collect()
    };
    let row = |name: &str, state, exit| (name.to_owned(), state, exit);
    let pending = [row("build", CheckState::Pending, None), row("test", CheckState::Pending, None)];
    assert_eq!(shown(after(|history| history.running(a()))), pending);
    let passed = Some(Exit::Code(0));
    let running = [row("build", CheckState::Passed, passed.clone()), row("test", CheckState::Running, None)];
    fn half(history: &mut History) -> &mut History {
        history.running(a()).worked(a(), "p", &["x"]).checked(a(), 0, 0).phase_started(a(), Phase::Check(1))
    }
    assert_eq!(shown(after(half)), running);
    let skipped = [row("build", CheckState::Passed, passed.clone()), row("test", CheckState::Skipped, None)];
    fn stopped(history: &mut History) -> &mut History {
        half(history);
        history.finished(a(), Outcome::Cancelled { reason: "stop".to_owned() })
    }
    assert_eq!(shown(after(stopped)), skipped);
    let failed = [row("build", CheckState::Passed, passed), row("test", CheckState::Failed, Some(Exit::Code(101)))];
    fn ended(history: &mut History) -> &mut History {
        half(history);
        history.phase_ended(a(), Phase::Check(1), Exit::Code(101))
    }
    assert_eq!(shown(after(ended)), failed);
}

#[test]
fn output_is_kept_up_to_a_bound_and_counted_whole() {
    let view = after(|history| {
        history.running(a());
        for _ in 0..100 {
            history.printed(a(), Phase::Agent, Channel::Out, &[b'o'; 1_000]);
        }
        history.printed(a(), Phase::Agent, Channel::Err, b"end").worked(a(), "p", &["x"]);
        history.phase_started(a(), Phase::Check(0)).printed(a(), Phase::Check(0), Channel::Err, &[b'c'; 5_000])
    });
    assert_eq!((view.out_bytes, view.err_bytes), (100_000, 5_003));
    assert_eq!(view.output_tail.text.len(), OUTPUT_TAIL_BYTES_MAX);
    assert!(view.output_tail.text.ends_with("oooend"), "{}", view.output_tail.text);
    assert_eq!(view.output_tail.bytes_before, 100_003 - OUTPUT_TAIL_BYTES_MAX as u64);
    let tail = &view.checks[0].output_tail;
    assert_eq!((tail.text.len(), tail.bytes_before), (CHECK_TAIL_BYTES_MAX, 5_000 - CHECK_TAIL_BYTES_MAX as u64));
    assert_eq!(view.checks[1].output_tail.text, "");
}

#[test]
fn the_last_words_of_an_agent_that_prints_json_are_words() {
    let tail = |first: &[u8]| {
        let end =
            b"\n{\"type\":\"assistant\",\"message\":{\"content\":[{\"type\":\"text\",\"text\":\"Two\\nlines\"}]}}\n\
            not json\n{\"type\":\"result\",\"is_error\":true,\"result\":\"API Error: 500\"}";
        let first = first.to_vec();
        let view = after(move |history| {
            history.running(a()).printed(a(), Phase::Agent, Channel::Out, &first).printed(
                a(),
                Phase::Agent,
                Channel::Out,
                end,
            )
        });
        view.output_tail
    };
    let words = "Two\nlines\nnot json\nAPI Error: 500";
    assert_eq!((tail(b"").text.as_str(), tail(b"").bytes_before), (words, 0));
    // Half a value at the front is none.
    let cut = tail(&[b'x'; OUTPUT_TAIL_BYTES_MAX]);
    assert!(cut.text == words && cut.bytes_before > 0, "{}", cut.text);
}

#[test]
fn the_fence_is_that_of_the_lease_in_force() {
    assert_eq!(after(|history| history.queued(a()).started(a())).fence, None);
    assert_eq!(after(|history| history.running(a())).fence.as_deref(), Some("bubblewrap"));
}

#[test]
fn only_what_makes_sense_now_is_offered() {
    fn worked(history: &mut History) -> &mut History {
        history.running(a()).worked(a(), "p", &["x"]).over(a(), Outcome::Passed)
    }
    let can = |tell: &dyn Fn(&mut History) -> &mut History| after(tell).can;
    assert_eq!(can(&|history| history.queued(a())), [Can::Cancel]);
    assert_eq!(can(&|history| history.running(a())), [Can::Cancel]);
    assert_eq!(can(&|history| history.running(a()).cancelled(a(), "stop")), []);
    assert_eq!(can(&|history| history.running(a()).over(a(), Outcome::Unchanged)), [Can::Discard]);
    assert_eq!(can(&worked), [Can::Pick, Can::Restore, Can::Discard]);
    fn picked(history: &mut History) -> &mut History {
        worked(history);
        history.picked(run(1), 0).delivery_intended(a())
    }
    assert_eq!(can(&picked), []);
    fn delivered(history: &mut History) -> &mut History {
        picked(history);
        history.delivered(a()).run_finished(run(1), RunOutcome::Delivered { winner: a().slot })
    }
    // Its branch may have been deleted since.
    assert_eq!(can(&delivered), [Can::Restore]);
    fn undelivered(history: &mut History) -> &mut History {
        picked(history);
        history.undelivered(a())
    }
    assert_eq!(can(&undelivered), [Can::Pick, Can::Restore]);
}

#[test]
fn a_delivered_attempt_names_its_branch() {
    let view = after(|history| {
        history.running(a()).worked(a(), "p", &["x"]).over(a(), Outcome::Passed).picked(run(1), 0);
        history.delivery_intended(a()).delivered(a())
    });
    let delivered = view.delivered.expect("delivered");
    assert_eq!(delivered.branch, format!("regatta/{}/a", run(1)));
    assert!(view.is_winner);
}

#[test]
fn changes_that_could_not_be_collected_say_why() {
    let changes =
        after(|history| history.running(a()).phase_ended(a(), Phase::Agent, Exit::Code(0)).not_collected(a()))
            .changes
            .expect("changes");
    assert_eq!((changes.patch, changes.failure.as_deref()), (None, Some("git is gone")));
}

#[test]
fn attempts_of_a_run_come_in_slot_order_and_are_its_own() {
    let mut history = History::new();
    for number in [1, 2] {
        let entries = vec![entry("claude"); 30];
        history.requested(run(number), request(Strategy::All, &entries, &[])).prepared(run(number));
        for slot in (0..30).rev() {
            history.queued(attempt(run(number), slot));
        }
    }
    let views = history.views();
    let ids: Vec<AttemptId> = views.attempts.of_run(run(2), 0).into_iter().map(|view| view.id).collect();
    assert_eq!(ids, (0..30).map(|slot| attempt(run(2), slot)).collect::<Vec<_>>());
    assert_eq!(views.attempts.of_run(run(3), 0), []);
}
