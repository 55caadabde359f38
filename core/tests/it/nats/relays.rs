//! The relay on good days.

use regatta_core::bus::RELAY_CHECKPOINT;
use regatta_core::bus::nats::Server;
use regatta_core::vault::Credential;
use regatta_core::{Expect, Log as _, Seq};

use super::server::Nats;
use super::{append, holds_exactly, mirrored, relay, run};
use crate::given;

#[test]
fn every_event_is_published_in_order_as_it_stands_in_the_log() {
    let Some(nats) = Nats::start() else { return };
    let dir = tempfile::tempdir().expect("folder");
    let log = given::open(dir.path());
    run(async {
        append(&log, 1, 3_000).await;
        let mut relaying = relay(&log, &nats.server());
        relaying.catches_up(&log).await;
        append(&log, 3_001, 6_000).await;
        relaying.catches_up(&log).await;
        let state = relaying.state.borrow().clone();
        assert_eq!((state.behind(), state.last_error), (0, None));
        assert_eq!(log.checkpoint(RELAY_CHECKPOINT).expect("checkpoint"), Seq(6_000));
        relaying.stop().await;
        let order: Vec<u64> = mirrored(&nats.server()).await.iter().map(|event| event.envelope.seq.0).collect();
        assert!(order.is_sorted(), "in the order of the log");
        holds_exactly(&nats.server(), &log).await;
    });
}

#[test]
fn a_log_opened_again_goes_on_where_it_was() {
    let Some(nats) = Nats::start() else { return };
    let dir = tempfile::tempdir().expect("folder");
    run(async {
        for round in 0..4 {
            let log = given::open(dir.path());
            append(&log, 1 + round * 500, 500 + round * 500).await;
            let mut relaying = relay(&log, &nats.server());
            relaying.catches_up(&log).await;
            relaying.stop().await;
            holds_exactly(&nats.server(), &log).await;
            log.close().expect("closed");
        }
    });
}

#[test]
fn a_lost_checkpoint_publishes_nothing_twice() {
    let Some(nats) = Nats::start() else { return };
    let dir = tempfile::tempdir().expect("folder");
    run(async {
        for round in 0..3 {
            let log = given::open(dir.path());
            append(&log, 1 + round * 1_000, 1_000 + round * 1_000).await;
            let mut relaying = relay(&log, &nats.server());
            relaying.catches_up(&log).await;
            relaying.stop().await;
            holds_exactly(&nats.server(), &log).await;
            log.close().expect("closed");
            std::fs::remove_dir_all(dir.path().join("index")).expect("the index, with its checkpoints");
        }
    });
}

#[test]
fn a_log_that_is_not_the_one_in_the_stream_is_refused() {
    let Some(nats) = Nats::start() else { return };
    let (first, second) = (tempfile::tempdir().expect("folder"), tempfile::tempdir().expect("folder"));
    let (log, other) = (given::open(first.path()), given::open(second.path()));
    run(async {
        append(&log, 1, 50).await;
        append(&other, 1_001, 1_060).await;
        let mut relaying = relay(&log, &nats.server());
        relaying.catches_up(&log).await;
        relaying.stop().await;
        let mut foreign = relay(&other, &nats.server());
        let state = foreign.until(|state| state.last_error.is_some()).await;
        assert!(state.last_error.is_some_and(|error| error.contains("two logs publish as one install")));
        foreign.stop().await;
        holds_exactly(&nats.server(), &log).await;
    });
}

#[test]
fn a_message_the_server_never_takes_is_told_with_what_to_do() {
    let folder = tempfile::tempdir().expect("folder");
    let config = folder.path().join("nats.conf");
    std::fs::write(&config, "max_payload: 8192\n").expect("config");
    let Some(nats) = Nats::start_with(&["-c", config.to_str().expect("path")]) else { return };
    let dir = tempfile::tempdir().expect("folder");
    let log = given::open(dir.path());
    run(async {
        append(&log, 1, 10).await;
        let mut large = given::one("run/0", Expect::Any, 11);
        large.events[0].payload = format!("{:?}", "x".repeat(10_000)).into();
        log.submit(large).await.expect("answered").expect("appended");
        let mut relaying = relay(&log, &nats.server());
        let state = relaying.until(|state| state.last_error.is_some()).await;
        assert!(state.last_error.is_some_and(|error| error.contains("event 11 is") && error.contains("max_payload")));
        relaying.stop().await;
    });
}

#[test]
fn credentials_open_the_way_and_are_shown_nowhere() {
    let folder = tempfile::tempdir().expect("folder");
    let config = folder.path().join("nats.conf");
    // The pair of the NATS documentation.
    let (public, seed) = (
        "UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4",
        "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY",
    );
    std::fs::write(&config, format!("authorization {{ users: [ {{ nkey: {public} }} ] }}\n")).expect("config");
    let nkey = folder.path().join("nkey");
    std::fs::write(&nkey, format!("{seed}\n")).expect("seed");
    let Some(nats) = Nats::start_with(&["-c", config.to_str().expect("path")]) else { return };
    let dir = tempfile::tempdir().expect("folder");
    let log = given::open(dir.path());
    run(async {
        append(&log, 1, 10).await;
        let mut refused = relay(&log, &nats.server());
        let state = refused.until(|state| state.last_error.is_some()).await;
        assert!(state.last_error.is_some_and(|error| error.contains("authorization")));
        refused.stop().await;
        let server = Server { nkey: Some(Credential::File(nkey)), ..nats.server() };
        assert!(!format!("{server:?}").contains(seed));
        let mut relaying = relay(&log, &server);
        relaying.catches_up(&log).await;
        relaying.stop().await;
        holds_exactly(&server, &log).await;
    });
}
