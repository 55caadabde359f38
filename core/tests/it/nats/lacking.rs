//! A stream that lost messages while nobody looked, or holds some that are none of ours: what can be is filled, and what
//! cannot is said.

use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::jetstream::stream::Config;
use regatta_core::bus::nats::{self, Mirror, Server, Skipped, Wanted, subject};
use regatta_core::log::open::INDEX_DEADLINE;
use regatta_core::log::verify;
use regatta_core::log::witness::{Rechained, Witnessed, verify_against};
use regatta_core::{Kind, Log as _, Seq};

use super::outages::forget_at_once;
use super::server::Nats;
use super::{append, holds_exactly, install, mirrored, relay, relay_looking_every, run};
use crate::given;

type Stream = async_nats::jetstream::stream::Stream;

pub(super) async fn stream(server: &Server) -> Stream {
    let client = async_nats::connect(&server.url).await.expect("client");
    async_nats::jetstream::new(client).get_stream(nats::STREAM).await.expect("stream")
}

/// A stream with a limit.
async fn made(server: &Server, limits: Config) {
    let client = async_nats::connect(&server.url).await.expect("client");
    let config = Config {
        name: nats::STREAM.to_owned(),
        subjects: vec![nats::SUBJECTS.to_owned()],
        duplicate_window: super::outages::WINDOW,
        allow_direct: true,
        ..limits
    };
    async_nats::jetstream::new(client).create_stream(config).await.expect("stream");
}

/// Lets something be removed between two relays of one log, and shows that the second one fills it.
fn check_filled(remove: impl AsyncFn(&Stream)) {
    let Some(nats) = Nats::start() else { return };
    let dir = tempfile::tempdir().expect("folder");
    let log = given::open(dir.path());
    forget_at_once(&nats.server(), || {
        run(async {
            append(&log, 1, 100).await;
            let mut relaying = relay(&log, &nats.server());
            relaying.catches_up(&log).await;
            relaying.stop().await;
            remove(&stream(&nats.server()).await).await;
            append(&log, 101, 120).await;
            let mut relaying = relay(&log, &nats.server());
            relaying.catches_up(&log).await;
            assert_eq!(relaying.state.borrow().missing, 0);
            relaying.stop().await;
            holds_exactly(&nats.server(), &log).await;
        });
    });
}

#[test]
fn a_purged_stream_is_filled_again() {
    check_filled(async |stream| {
        stream.purge().await.expect("purged");
    });
}

#[test]
fn a_stream_purged_but_for_its_end_is_filled_again() {
    check_filled(async |stream| {
        stream.purge().keep(7).await.expect("purged");
    });
}

#[test]
fn a_deleted_message_in_the_middle_is_filled_again() {
    check_filled(async |stream| {
        stream.delete_message(60).await.expect("deleted");
    });
}

#[test]
fn the_last_message_deleted_is_filled_again() {
    check_filled(async |stream| {
        stream.delete_message(100).await.expect("deleted");
    });
}

#[test]
fn a_stream_purged_under_a_relay_at_work_is_filled_again() {
    let Some(nats) = Nats::start() else { return };
    let dir = tempfile::tempdir().expect("folder");
    let log = given::open(dir.path());
    forget_at_once(&nats.server(), || {
        run(async {
            append(&log, 1, 100).await;
            let mut relaying = relay_looking_every(&log, &nats.server(), Duration::from_millis(20));
            relaying.catches_up(&log).await;
            let stream = stream(&nats.server()).await;
            stream.purge().await.expect("purged");
            while stream.get_info().await.expect("stream").state.messages < 100 {
                tokio::task::yield_now().await;
            }
            relaying.catches_up(&log).await;
            relaying.stop().await;
            holds_exactly(&nats.server(), &log).await;
        });
    });
}

#[test]
fn what_a_stream_drops_by_its_own_limits_is_counted_and_not_published_again() {
    let Some(nats) = Nats::start() else { return };
    let dir = tempfile::tempdir().expect("folder");
    let log = given::open(dir.path());
    run(async {
        made(&nats.server(), Config { max_messages: 30, ..Config::default() }).await;
        append(&log, 1, 100).await;
        let mut relaying = relay(&log, &nats.server());
        relaying.until(|state| state.published == Seq(100)).await;
        relaying.stop().await;
        for upto in [100, 110] {
            append(&log, log.head().0 + 1, upto).await;
            let mut relaying = relay(&log, &nats.server());
            let told = relaying.until(|state| state.connected && state.published == Seq(upto)).await;
            // Those it dropped while this relay was at work are counted by the next one.
            assert_eq!((told.missing, told.behind(), told.acked), (70, 0, Seq(0)), "nobody may rely on it for {upto}");
            relaying.stop().await;
        }
        let held: Vec<u64> = mirrored(&nats.server()).await.iter().map(|event| event.envelope.seq.0).collect();
        assert_eq!(held, (81..=110).collect::<Vec<u64>>());
    });
}

/// Publishes what is no event of ours, under our subjects.
pub(super) async fn disturb(server: &Server, messages: &[(&str, &str, &str)]) {
    let client = async_nats::connect(&server.url).await.expect("client");
    let subject = subject(&install(), Kind::RUN_DECIDED, &given::stream("run/x"));
    let context = async_nats::jetstream::new(client);
    for (seq, id, body) in messages {
        let mut headers = HeaderMap::new();
        for (name, value) in [("Regatta-Seq", seq), ("Nats-Msg-Id", id)] {
            if !value.is_empty() {
                headers.insert(name, *value);
            }
        }
        let sent = context.publish_with_headers(subject.clone(), headers, (*body).to_owned().into()).await;
        sent.expect("sent").await.expect("taken");
    }
}

#[test]
fn messages_that_are_none_of_ours_stop_nobody_and_are_said() {
    let Some(nats) = Nats::start() else { return };
    let (dir, found) = (tempfile::tempdir().expect("folder"), tempfile::tempdir().expect("folder"));
    let log = given::open(dir.path());
    run(async {
        append(&log, 1, 60).await;
        let mut relaying = relay(&log, &nats.server());
        relaying.catches_up(&log).await;
        relaying.stop().await;
        let id = "0192f0c1-0000-7000-8000-000000000001";
        disturb(
            &nats.server(),
            &[
                ("", "", "garbage"),
                ("7", "", "{}"),
                ("60", "", ""),
                ("18446744073709551615", "x", "x"),
                ("18446744073709551615", id, "x"),
            ],
        )
        .await;
        append(&log, 61, 80).await;
        let mut relaying = relay(&log, &nats.server());
        relaying.catches_up(&log).await;
        assert_eq!(relaying.state.borrow().foreign, 5);
        relaying.stop().await;
        // It is remembered by the next relay, which does not look at them again.
        let mut relaying = relay(&log, &nats.server());
        relaying.catches_up(&log).await;
        assert_eq!(relaying.state.borrow().foreign, 5);
        relaying.stop().await;
        let restored = nats::restore(&nats.server(), Wanted::default(), given::small(found.path())).await;
        let restored = restored.expect("restored");
        assert_eq!((restored.moved.events, restored.skipped_more), (80, 0));
        let places: Vec<u64> = restored.skipped.iter().map(|skipped| skipped.place).collect();
        assert_eq!(places, [61, 62, 63, 64, 65]);
        let mirror = Mirror::connect(&nats.server()).await.expect("mirror");
        let mut events = mirror.events(61, None).await.expect("events");
        let Err(Skipped { place: 61, reason }) = events.next().await.expect("message") else { panic!("no event") };
        assert!(reason.contains("expected"), "{reason}");
    });
}

#[test]
fn a_witness_is_not_said_to_disagree_with_a_log_restored_without_hashes() {
    let Some(nats) = Nats::start() else { return };
    let (lost, found) = (tempfile::tempdir().expect("folder"), tempfile::tempdir().expect("folder"));
    let log = given::open(lost.path());
    run(async {
        let mut heard = Vec::new();
        for upto in [40, 100] {
            append(&log, log.head().0 + 1, upto).await;
            heard.push(Witnessed::now(&log, &install(), upto).expect("events"));
        }
        let mut relaying = relay(&log, &nats.server());
        relaying.catches_up(&log).await;
        relaying.stop().await;
        let unchained = Wanted { chained: false, ..Wanted::default() };
        let restored = nats::restore(&nats.server(), unchained, given::small(found.path())).await.expect("restored");
        assert_eq!(restored.proved, Seq(0));
        assert_eq!(Rechained::of(found.path()).expect("noted"), Some(Rechained { from: Seq(1), upto: Seq(100) }));
        let again = given::open(found.path());
        append(&again, 101, 120).await;
        heard.push(Witnessed::now(&again, &install(), 120).expect("events"));
        again.close().expect("stops");
        let (report, compared) = verify_against(found.path(), INDEX_DEADLINE, &heard).expect("compared");
        assert!(report.is_clean());
        assert_eq!((compared.rechained, compared.agreed, compared.partings), (2, Some(Seq(120)), vec![]));
        // What was told after that is compared as ever.
        heard[2].hash = heard[1].hash.clone();
        let (_, compared) = verify_against(found.path(), INDEX_DEADLINE, &heard).expect("compared");
        assert_eq!((compared.rechained, compared.partings.len()), (2, 1));
        assert!(verify(found.path()).expect("verified").is_clean());
    });
}
