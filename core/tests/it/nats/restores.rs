//! A lost data directory, rebuilt from the stream.

use regatta_core::bus::nats::{self, Error, Wanted};
use regatta_core::log::{DurableLog, Reader, install_id, verify};
use regatta_core::{Expect, Log as _, ReadMax, Seq, SystemClock};

use super::lacking::stream;
use super::outages::forget_at_once;
use super::server::Nats;
use super::{append, holds_exactly, install, relay, run};
use crate::given;

#[test]
fn a_lost_data_directory_is_rebuilt_and_goes_on() {
    let Some(nats) = Nats::start() else { return };
    let (lost, found) = (tempfile::tempdir().expect("folder"), tempfile::tempdir().expect("folder"));
    let log = given::open(lost.path());
    run(async {
        append(&log, 1, 3_000).await;
        // Appends of several events, one of them with a dedup key.
        let mut several = given::keyed("run/several", Expect::Empty, 3_001, "key");
        several.events.extend((3_002..3_010).map(|n| given::draft(n, "null")));
        log.submit(several.clone()).await.expect("answered").expect("appended");
        let mut relaying = relay(&log, &nats.server());
        relaying.catches_up(&log).await;
        relaying.stop().await;

        let restored =
            nats::restore(&nats.server(), Wanted::default(), given::small(found.path())).await.expect("restored");
        assert_eq!((restored.install.clone(), restored.moved.events, restored.left_out), (install(), 3_009, 0));
        assert_eq!(install_id(found.path(), &SystemClock).expect("name"), install());
        let report = verify(found.path()).expect("verified");
        assert!(report.faults.is_empty(), "{report:?}");
        assert_eq!(restored.proved, Seq(3_009));
        assert_eq!((report.head, report.hash.clone()), log.chain_head(), "its chain is that of the log that was lost");
        let again =
            nats::restore(&nats.server(), Wanted::default(), given::small(found.path())).await.expect("the same");
        assert_eq!((again.moved.events, again.moved.same), (0, 3_009));
        let all = ReadMax { events: 10_000, bytes: 64 << 20 };
        let again = given::open(found.path());
        assert_eq!(again.read(Seq(1), all).expect("read"), log.read(Seq(1), all).expect("read"));
        let answer = again.submit(several).await.expect("answered").expect("known");
        assert!(answer.duplicate, "dedup keys are known again");
        append(&again, 3_010, 3_100).await;
        let mut relaying = relay(&again, &nats.server());
        relaying.catches_up(&again).await;
        relaying.stop().await;
        holds_exactly(&nats.server(), &again).await;
    });
}

#[test]
fn a_stream_that_lacks_an_event_is_not_restored_past_it() {
    let Some(nats) = Nats::start() else { return };
    let (lost, found) = (tempfile::tempdir().expect("folder"), tempfile::tempdir().expect("folder"));
    let log = given::open(lost.path());
    run(async {
        append(&log, 1, 100).await;
        let mut relaying = relay(&log, &nats.server());
        relaying.catches_up(&log).await;
        relaying.stop().await;
        let client = async_nats::connect(&nats.server().url).await.expect("client");
        let stream = async_nats::jetstream::new(client).get_stream(nats::STREAM).await.expect("stream");
        stream.delete_message(60).await.expect("deleted");
        let refused =
            nats::restore(&nats.server(), Wanted::default(), given::small(found.path())).await.expect_err("a gap");
        assert!(matches!(refused, Error::Missing { seq: Seq(60), .. }), "{refused}");
        assert!(refused.to_string().contains("event 60 is missing in the stream; the next one there is "), "{refused}");
        assert!(Reader::open(found.path()).map_or(Seq(0), |there| there.head()) < Seq(60));
    });
}

#[test]
fn a_restore_that_stopped_goes_on_with_the_same_chain() {
    let Some(nats) = Nats::start() else { return };
    let (lost, found) = (tempfile::tempdir().expect("folder"), tempfile::tempdir().expect("folder"));
    let log = given::open(lost.path());
    forget_at_once(&nats.server(), || {
        run(async {
            // Block after block, so that some of them stand before what is missing.
            for n in 1..=100 {
                append(&log, n, n).await;
            }
            let mut relaying = relay(&log, &nats.server());
            relaying.catches_up(&log).await;
            relaying.stop().await;
            stream(&nats.server()).await.delete_message(60).await.expect("deleted");
            let restore = async || nats::restore(&nats.server(), Wanted::default(), given::small(found.path())).await;
            restore().await.expect_err("a gap");
            assert_eq!(Reader::open(found.path()).expect("opens").head(), Seq(59), "what stands before it is there");
            let refused = DurableLog::open(given::small(found.path())).expect_err("half a log");
            assert!(refused.to_string().contains("a restore from NATS into "), "{refused}");
            let mut relaying = relay(&log, &nats.server());
            relaying.catches_up(&log).await;
            relaying.stop().await;
            let restored = restore().await.expect("restored");
            assert_eq!((restored.moved.events, restored.moved.same, restored.proved), (41, 59, Seq(100)));
            let report = verify(found.path()).expect("verified");
            assert!(report.is_clean());
            assert_eq!((report.head, report.hash), log.chain_head());
            drop(given::open(found.path()));
            let another = tempfile::tempdir().expect("folder");
            let other = given::open(another.path());
            append(&other, 1, 3).await;
            other.close().expect("stops");
            let refused = nats::restore(&nats.server(), Wanted::default(), given::small(another.path())).await;
            assert!(refused.expect_err("another").to_string().contains("holds another log"));
        });
    });
}

#[test]
fn without_a_stream_or_a_server_it_says_so() {
    let Some(mut nats) = Nats::start() else { return };
    let dir = tempfile::tempdir().expect("folder");
    run(async {
        let missing =
            nats::restore(&nats.server(), Wanted::default(), given::small(dir.path())).await.expect_err("no stream");
        assert!(missing.to_string().contains("stream"), "{missing}");
        nats.kill();
        let gone =
            nats::restore(&nats.server(), Wanted::default(), given::small(dir.path())).await.expect_err("no server");
        assert!(gone.to_string().starts_with("failed to connect to NATS"), "{gone}");
    });
}
