//! Views as of any position and any time, and from a snapshot.

use regatta_core::event::attempt::Outcome;
use regatta_core::event::run::Strategy;
use regatta_core::{Envelope, Seq};
use regatta_projections::snapshot::{self, RestoreError};
use regatta_projections::{Projection as _, Views, seq_at};

use crate::history::{History, START_US, attempt, entry, request, run, views};

fn given() -> History {
    let mut history = History::new();
    history.requested(run(1), request(Strategy::All, &[entry("claude")], &[])).pass(1_000).prepared(run(1));
    let a = attempt(run(1), 0);
    history.pass(1_000).running(a).pass(1_000).worked(a, "p", &["x"]).over(a, Outcome::Passed);
    history
}

fn bytes(views: &Views) -> String {
    String::from_utf8(snapshot::save(views)).expect("text")
}

#[test]
fn views_as_of_a_position_know_nothing_of_what_came_after() {
    let history = given();
    let log = history.log();
    for until in 0..=history.events.len() {
        let rebuilt = Views::rebuild(&log, Some(Seq(until as u64))).expect("read");
        assert_eq!(bytes(&rebuilt), bytes(&views(&history.events[..until])), "until {until}");
    }
    let past_the_end = Views::rebuild(&log, Some(Seq(1_000_000))).expect("read");
    assert_eq!(bytes(&past_the_end), bytes(&Views::rebuild(&log, None).expect("read")));
}

#[test]
fn a_log_longer_than_one_batch_is_read_whole() {
    let mut history = given();
    for index in 0..5_000 {
        history.requested(run(100 + index), request(Strategy::All, &[entry("claude")], &[]));
    }
    let rebuilt = Views::rebuild(&history.log(), None).expect("read");
    assert_eq!(rebuilt.seq(), history.events.last().expect("event").seq);
    assert_eq!(rebuilt.runs.count(), 5_001);
    let until = Some(Seq(3_000));
    assert_eq!(Views::rebuild(&history.log(), until).expect("read").seq(), Seq(3_000));
}

fn check_time(history: &History, at_ms: u64, then: Option<u64>) {
    let at_us = START_US + at_ms * 1_000;
    let log = history.log();
    assert_eq!(seq_at(&log, at_us).expect("read"), then.map(Seq));
    let events: Vec<Envelope> =
        history.events.iter().filter(|envelope| then.is_some_and(|seq| envelope.seq <= Seq(seq))).cloned().collect();
    assert_eq!(bytes(&Views::rebuild_at(&log, at_us).expect("read")), bytes(&views(&events)));
}

#[test]
fn a_time_stands_for_the_last_event_not_later_than_it() {
    let mut history = History::new();
    history.pass(10).requested(run(1), request(Strategy::All, &[entry("claude")], &[])).pass(1_000).prepared(run(1));
    check_time(&history, 9, None);
    check_time(&history, 10, Some(1));
    check_time(&history, 1_009, Some(1));
    check_time(&history, 1_010, Some(2));
    check_time(&history, 99_000, Some(2));
}

#[test]
fn when_the_clock_jumps_back_the_later_position_counts() {
    let mut history = History::new();
    history.pass(5_000).requested(run(1), request(Strategy::All, &[entry("claude")], &[])).prepared(run(1));
    history.jump_back(2_000).queued(attempt(run(1), 0)).pass(4_000).waiting(attempt(run(1), 0), "its turn");
    check_time(&history, 3_000, Some(3));
    check_time(&history, 2_999, None);
    check_time(&history, 7_000, Some(4));
}

#[test]
fn a_snapshot_goes_on_where_it_was_put_down() {
    let history = given();
    let log = history.log();
    for until in 0..=history.events.len() {
        let kept = snapshot::save(&views(&history.events[..until]));
        let mut restored: Views = snapshot::restore(&kept).expect("snapshot");
        assert_eq!(restored.seq(), Seq(until as u64));
        restored.catch_up(&log, None).expect("read");
        assert_eq!(bytes(&restored), bytes(&history.views()), "put down at {until}");
    }
}

#[test]
fn a_snapshot_of_something_else_is_refused() {
    let kept = bytes(&given().views());
    let restored = |text: &str| snapshot::restore::<Views>(text.as_bytes());
    assert!(restored(&kept).is_ok());
    let other_version = kept.replacen(&format!("\"version\":{}", Views::VERSION), "\"version\":0", 1);
    assert!(matches!(restored(&other_version), Err(RestoreError::Other { version: 0, .. })));
    let other_name = kept.replacen("\"name\":\"views\"", "\"name\":\"usage\"", 1);
    assert!(matches!(restored(&other_name), Err(RestoreError::Other { .. })));
    assert!(matches!(restored(kept.trim_end_matches('}')), Err(RestoreError::Damaged(_))));
    assert!(matches!(restored(""), Err(RestoreError::Damaged(_))));
}

#[test]
fn a_snapshot_says_where_it_was_put_down_without_being_restored() {
    let views = given().views();
    let head = snapshot::head(&snapshot::save(&views)).expect("head");
    assert_eq!((head.name.as_str(), head.version, head.seq), ("views", Views::VERSION, views.seq()));
}
