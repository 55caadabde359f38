//! Lines and lanes.

use regatta_core::event::attempt::{Channel, Exit, Outcome, Phase};
use regatta_core::event::run::{RunOutcome, Strategy};
use regatta_core::{AttemptId, Seq};
use regatta_projections::timeline::{
    ENTRIES_KEPT_MAX, MarkSort, RunPhase, SpanPhase, TimelineEntry, TimelineFilter, read,
};

use crate::history::{History, START_US, attempt, entry, request, run};

fn a() -> AttemptId {
    attempt(run(1), 0)
}

fn given() -> History {
    let mut history = History::new();
    history.requested(run(1), request(Strategy::All, &[entry("claude")], &["test"])).pass(100).prepared(run(1));
    history.queued(a()).pass(400).started(a()).pass(50).created(a()).phase_started(a(), Phase::Agent).pass(1_000);
    history.printed(a(), Phase::Agent, Channel::Out, b"hello").printed(a(), Phase::Agent, Channel::Err, b"oh");
    history.worked(a(), "p", &["x"]).checked(a(), 0, 0).over(a(), Outcome::Passed);
    history.run_finished(run(1), RunOutcome::Undecided);
    history.requested(run(2), request(Strategy::All, &[entry("codex")], &[])).run_cancelled(run(2));
    history
}

fn kinds(entries: &[TimelineEntry]) -> Vec<String> {
    entries.iter().map(|entry| entry.kind.to_string()).collect()
}

fn all() -> TimelineFilter {
    TimelineFilter::default()
}

/// From memory and from the log the same lines come.
fn check(filter: &TimelineFilter, then: &[&str]) {
    let history = given();
    let page = history.views().timeline.page(filter, 100);
    assert_eq!((kinds(&page.rows), page.next), (then.iter().map(|kind| (*kind).to_owned()).collect(), None));
    let from_log = read(&history.log(), filter, 100).expect("read");
    let without_cause = |entry: &TimelineEntry| TimelineEntry { cause_seq: None, ..entry.clone() };
    assert_eq!(from_log.rows, page.rows.iter().map(without_cause).collect::<Vec<_>>());
}

#[test]
fn lines_are_filtered_by_run_attempt_kind_family_actor_and_position() {
    check(&TimelineFilter { run: Some(run(2)), ..all() }, &["run.requested", "run.cancel_requested"]);
    check(
        &TimelineFilter { run: Some(run(1)), kinds: vec!["run".to_owned()], ..all() },
        &["run.requested", "run.prepared", "run.attempt_ended", "run.finished"],
    );
    check(
        &TimelineFilter {
            attempt: Some(a()),
            kinds: vec!["sandbox".to_owned(), "run".to_owned(), "attempt.collected".to_owned()],
            ..all()
        },
        &["sandbox.intended", "sandbox.created", "attempt.collected", "run.attempt_ended", "sandbox.destroyed"],
    );
    check(
        &TimelineFilter { actor: Some("user:ada".to_owned()), ..all() },
        &["run.requested", "run.requested", "run.cancel_requested"],
    );
    check(
        &TimelineFilter { from: Some(Seq(2)), to: Some(Seq(4)), ..all() },
        &["run.prepared", "attempt.queued", "attempt.started"],
    );
    check(&TimelineFilter { kinds: vec!["nonsense".to_owned()], ..all() }, &[]);
}

#[test]
fn pieces_of_output_are_lines_only_when_asked_for() {
    let history = given();
    let filter = TimelineFilter { kinds: vec!["attempt.output".to_owned()], ..all() };
    assert_eq!(history.views().timeline.page(&filter, 10).rows, []);
    let asked = TimelineFilter { with_output: true, ..filter };
    let page = read(&history.log(), &asked, 10).expect("read");
    let texts: Vec<&str> = page.rows.iter().map(|entry| entry.text.as_str()).collect();
    assert_eq!(texts, ["the agent printed 5 B on standard output", "the agent printed 2 B on standard error"]);
}

#[test]
fn pages_join_without_a_gap_in_memory_and_in_the_log() {
    let history = given();
    let (views, log) = (history.views(), history.log());
    let whole = views.timeline.page(&all(), 100).rows;
    for limit in 1..whole.len() {
        let mut from_memory = vec![];
        let mut from_log = vec![];
        let (mut memory, mut logged) = (Some(Seq(1)), Some(Seq(1)));
        while let Some(from) = memory {
            let page = views.timeline.page(&TimelineFilter { from: Some(from), ..all() }, limit);
            from_memory.extend(page.rows);
            memory = page.next;
        }
        while let Some(from) = logged {
            let page = read(&log, &TimelineFilter { from: Some(from), ..all() }, limit).expect("read");
            from_log.extend(page.rows);
            logged = page.next;
        }
        assert_eq!(from_memory, whole, "pages of {limit}");
        assert_eq!(kinds(&from_log), kinds(&whole), "pages of {limit}");
    }
}

#[test]
fn the_last_lines_come_in_order() {
    let page = given().views().timeline.last(&all(), 2);
    assert_eq!(kinds(&page.rows), ["run.requested", "run.cancel_requested"]);
}

#[test]
fn a_line_names_the_position_of_its_cause() {
    let entries = given().views().timeline.page(&all(), 3).rows;
    let causes: Vec<Option<Seq>> = entries.iter().map(|entry| entry.cause_seq).collect();
    assert_eq!(causes, [None, Some(Seq(1)), Some(Seq(2))]);
}

#[test]
fn lines_are_kept_up_to_a_bound_and_say_from_where() {
    let mut history = History::new();
    history.requested(run(1), request(Strategy::All, &[entry("claude")], &[])).prepared(run(1)).queued(a());
    history.requested(run(2), request(Strategy::All, &[entry("claude")], &[])).prepared(run(2));
    let b = attempt(run(2), 0);
    history.queued(b);
    for index in 0..ENTRIES_KEPT_MAX - 2 {
        history.waiting(b, &format!("reason {index}"));
    }
    let timeline = history.views().timeline;
    let page = timeline.page(&all(), 2);
    assert_eq!(page.kept_from, Seq(5));
    assert_eq!(kinds(&page.rows), ["run.prepared", "attempt.queued"]);
    let of_run = |number| TimelineFilter { run: Some(run(number)), ..all() };
    assert_eq!(timeline.page(&of_run(1), 10).rows, []);
    assert_eq!(timeline.page(&of_run(2), 1).rows[0].seq, Seq(5));
    assert_eq!(read(&history.log(), &of_run(1), 10).expect("read").rows.len(), 3);
}

#[test]
fn a_lane_has_true_durations_and_folds_output_into_its_span() {
    let lanes = given().views().timeline.lanes(run(1)).expect("lanes");
    let ms = |us: u64| (us - START_US) / 1_000;
    let spans: Vec<_> = lanes.attempts[0]
        .spans
        .iter()
        .map(|span| (span.phase, ms(span.start_us), span.end_us.map(ms), span.output_events))
        .collect();
    assert_eq!(
        spans,
        [
            (SpanPhase::Queued, 100, Some(500), 0),
            (SpanPhase::Starting, 500, Some(550), 0),
            (SpanPhase::Agent, 550, Some(1_550), 2),
            (SpanPhase::Collecting, 1_550, Some(1_555), 0),
            (SpanPhase::Check(0), 1_555, Some(1_585), 0),
        ]
    );
    let agent = &lanes.attempts[0].spans[2];
    assert_eq!((agent.out_bytes, agent.err_bytes, agent.exit.clone()), (5, 2, Some(Exit::Code(0))));
    let run_spans: Vec<_> = lanes.spans.iter().map(|span| (span.phase, span.end_us.map(ms))).collect();
    assert_eq!(run_spans, [(RunPhase::Preparing, Some(100)), (RunPhase::Racing, Some(1_585))]);
    assert_eq!(lanes.marks.iter().map(|mark| mark.sort).collect::<Vec<_>>(), [MarkSort::Requested, MarkSort::Passed]);
}

#[test]
fn a_lane_is_open_while_its_attempt_runs() {
    let mut history = History::new();
    history.requested(run(1), request(Strategy::All, &[entry("claude")], &[])).prepared(run(1)).running(a());
    let lanes = history.views().timeline.lanes(run(1)).expect("lanes");
    let last = lanes.attempts[0].spans.last().expect("span");
    assert_eq!((last.phase, last.end_us, lanes.end_us), (SpanPhase::Agent, None, None));
}

#[test]
fn a_retry_is_a_span_and_then_comes_the_line_again() {
    let mut history = History::new();
    history.requested(run(1), request(Strategy::All, &[entry("claude")], &[])).prepared(run(1));
    history.queued(a()).started(a()).sandbox_failed(a(), true).retry_scheduled(a());
    history.waiting(a(), "provider local at 4/4").waiting(a(), "attempts at 8/8").started(a());
    let lanes = history.views().timeline.lanes(run(1)).expect("lanes");
    let spans: Vec<_> = lanes.attempts[0].spans.iter().map(|span| (span.phase, span.epoch)).collect();
    assert_eq!(
        spans,
        [
            (SpanPhase::Queued, 0),
            (SpanPhase::Starting, 1),
            (SpanPhase::Retrying, 1),
            (SpanPhase::Queued, 1),
            (SpanPhase::Starting, 2),
        ]
    );
}

#[test]
fn a_clock_that_jumps_back_makes_no_negative_bar() {
    let mut history = History::new();
    history.requested(run(1), request(Strategy::All, &[entry("claude")], &[])).pass(1_000).prepared(run(1));
    history.running(a()).jump_back(60_000).worked(a(), "p", &["x"]).over(a(), Outcome::Passed);
    history.run_finished(run(1), RunOutcome::Undecided);
    let lanes = history.views().timeline.lanes(run(1)).expect("lanes");
    for span in &lanes.attempts[0].spans {
        assert!(span.end_us.is_some_and(|end_us| end_us >= span.start_us), "{span:?}");
    }
    assert!(lanes.end_us.is_some_and(|end_us| end_us >= lanes.start_us));
}
