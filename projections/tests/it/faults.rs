//! What cannot be read or placed is passed over, counted and shown; nothing stops.

use bytes::Bytes;
use regatta_core::event::attempt::Outcome;
use regatta_core::event::run::Strategy;
use regatta_core::{Actor, AttemptId, Kind, Stream};
use regatta_projections::Projection as _;
use regatta_projections::runs::RunState;

use crate::history::{History, attempt, entry, request, run};

fn a() -> AttemptId {
    attempt(run(1), 0)
}

fn check(tell: impl FnOnce(&mut History) -> &mut History, (faults, strays, unknown): (u64, u64, u64)) {
    let mut history = History::new();
    history.requested(run(1), request(Strategy::All, &[entry("claude")], &[])).prepared(run(1)).queued(a());
    tell(&mut history);
    let views = history.views();
    let progress = views.progress();
    assert_eq!((progress.faults, progress.strays, progress.unknown), (faults, strays, unknown));
    assert_eq!(progress.last_fault.is_some(), faults + strays > 0);
    assert_eq!(progress.seq, history.events.last().expect("event").seq);
    assert_eq!(views.run(run(1)).expect("run").row.state, RunState::Racing);
}

#[test]
fn a_legal_history_has_no_faults() {
    check(|history| history, (0, 0, 0));
}

fn raw<'a>(history: &'a mut History, kind: Kind, version: u16, payload: &'static [u8]) -> &'a mut History {
    history.say_raw(Stream::run(run(1)), &Actor::regatta(), (kind, version, Bytes::from_static(payload)))
}

#[test]
fn a_damaged_payload_is_a_fault() {
    check(|history| raw(history, Kind::RUN_DECIDED, 1, b"{\"winner\": 7"), (1, 0, 0));
    check(|history| raw(history, Kind::ATTEMPT_OUTPUT, 1, b"{}"), (1, 0, 0));
}

#[test]
fn a_kind_or_version_of_tomorrow_is_unknown_and_no_fault() {
    check(|history| raw(history, Kind(0x01ff), 1, b"{}"), (0, 0, 1));
    check(|history| raw(history, Kind::RUN_FINISHED, 99, b"{}"), (0, 0, 1));
}

#[test]
fn a_fact_about_something_never_introduced_is_a_stray() {
    check(|history| history.cancelled(attempt(run(1), 5), "who?"), (0, 1, 0));
    check(|history| history.cancelled(attempt(run(7), 0), "who?"), (0, 1, 0));
    check(|history| history.run_cancelled(run(7)), (0, 1, 0));
    check(|history| history.delivered(attempt(run(1), 5)), (0, 1, 0));
}

#[test]
fn a_fact_in_a_stream_that_is_not_its_own_is_a_stray() {
    check(
        |history| {
            history.finished(a(), Outcome::Passed);
            let last = history.events.last_mut().expect("event");
            last.stream = Stream::config();
            history
        },
        (0, 1, 0),
    );
}

#[test]
fn an_event_taken_twice_counts_once() {
    let mut history = History::new();
    history.requested(run(1), request(Strategy::All, &[entry("claude")], &[])).prepared(run(1)).running(a());
    let mut views = history.views();
    let once = views.clone();
    for envelope in &history.events {
        views.apply(envelope);
    }
    assert_eq!(views, once);
}
