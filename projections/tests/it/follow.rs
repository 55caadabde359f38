//! Views that follow a log.

use std::sync::Arc;

use regatta_core::event::run::Strategy;
use regatta_core::log::MemoryLog;
use regatta_core::{Log as _, Seq};
use regatta_projections::{Projection as _, Stopped, Views, follow, snapshot};

use crate::history::{History, append, attempt, entry, request, run};

fn given() -> History {
    let mut history = History::new();
    for number in 1..=2_000 {
        history.requested(run(number), request(Strategy::All, &[entry("claude")], &[])).prepared(run(number));
        history.running(attempt(run(number), 0));
    }
    history
}

#[tokio::test]
async fn what_was_acknowledged_is_seen_after_waiting_for_it() {
    let history = given();
    let log = MemoryLog::default();
    let (follower, live) = follow(Arc::new(log.clone()), Views::default());
    let task = tokio::spawn(follower.run());
    for part in history.events.chunks(777) {
        append(&log, part);
        live.wait_for(log.head()).await.expect("follows");
        assert!(live.seq() >= log.head());
    }
    let seen = live.read(snapshot::save);
    assert_eq!(seen, snapshot::save(&history.views()));
    drop(live);
    task.await.expect("task").expect("ended well");
}

#[tokio::test]
async fn following_goes_on_from_where_the_views_stand() {
    let history = given();
    let log = history.log();
    let half = Views::rebuild(&log, Some(Seq(5_000))).expect("read");
    let (follower, live) = follow(Arc::new(log.clone()), half);
    assert_eq!(live.seq(), Seq(5_000));
    let task = tokio::spawn(follower.run());
    live.wait_for(log.head()).await.expect("follows");
    assert_eq!(live.read(snapshot::save), snapshot::save(&history.views()));
    drop(live);
    task.await.expect("task").expect("ended well");
}

#[tokio::test]
async fn whoever_waits_is_told_when_nobody_follows_any_more() {
    let log = given().log();
    let (follower, live) = follow(Arc::new(log), Views::default());
    drop(follower);
    assert_eq!(live.wait_for(Seq(1)).await, Err(Stopped { at: Seq(0), wanted: Seq(1) }));
    assert_eq!(live.wait_for(Seq(0)).await, Ok(()));
}

#[tokio::test]
async fn looking_never_sees_half_an_event() {
    let history = given();
    let log = MemoryLog::default();
    let (follower, live) = follow(Arc::new(log.clone()), Views::default());
    let task = tokio::spawn(follower.run());
    let mut changed = live.watch();
    append(&log, &history.events);
    while live.seq() < log.head() {
        changed.changed().await.expect("follows");
        live.read(|views| {
            let row = views.runs.list(&regatta_projections::runs::RunFilter::default(), 1).rows;
            assert!(row.iter().all(|row| row.last_seq <= views.seq()));
        });
    }
    drop((live, changed));
    task.await.expect("task").expect("ended well");
}
