//! Messages that claim to be events of the log and are not: the relay says them and goes on, and a restore tells them
//! from the right ones by the chain.

use std::path::Path;

use regatta_core::bus::nats::{self, Error, Restored, Wanted};
use regatta_core::log::open::INDEX_DEADLINE;
use regatta_core::log::transfer::import;
use regatta_core::log::witness::{Rechained, Witnessed, verify_against};
use regatta_core::log::{DurableLog, export};
use regatta_core::{Log as _, ReadMax, Seq};

use super::lacking::{disturb, stream};
use super::server::Nats;
use super::{append, install, relay, run};
use crate::given;

const ALL: ReadMax = ReadMax { events: 10_000, bytes: 64 << 20 };

/// An event of ada's as a line, as if it were another one's.
fn changed(log: &DurableLog, seq: u64) -> String {
    let mut text = Vec::new();
    export(log.reader(), Seq(seq), Seq(seq), &mut text).expect("exported");
    let line = String::from_utf8(text).expect("text").lines().next().expect("an event").replace(",\"export\":2", "");
    line.replace("user:ada", "user:eve")
}

async fn relayed(log: &DurableLog, nats: &Nats) -> u64 {
    let mut relaying = relay(log, &nats.server());
    relaying.catches_up(log).await;
    let foreign = relaying.state.borrow().foreign;
    relaying.stop().await;
    foreign
}

async fn restored(nats: &Nats, dir: &Path) -> Result<Restored, Error> {
    nats::restore(&nats.server(), Wanted::default(), given::small(dir)).await
}

fn is_the_same(log: &DurableLog, dir: &Path, heard: &[Witnessed]) {
    let (report, compared) = verify_against(dir, INDEX_DEADLINE, heard).expect("compared");
    assert!(report.is_clean(), "{report:?}");
    assert_eq!((report.head, report.hash), log.chain_head());
    assert_eq!((compared.rechained, compared.agreed, compared.partings), (0, Some(log.head()), vec![]));
    assert_eq!(Rechained::of(dir).expect("nothing noted"), None);
    let again = given::open(dir);
    assert_eq!(again.read(Seq(1), ALL).expect("read"), log.read(Seq(1), ALL).expect("read"));
}

#[test]
fn forged_messages_stop_no_relay_and_a_restore_leaves_them_out_by_the_chain() {
    let Some(nats) = Nats::start() else { return };
    let (lost, found) = (tempfile::tempdir().expect("folder"), tempfile::tempdir().expect("folder"));
    let log = given::open(lost.path());
    run(async {
        let mut heard = Vec::new();
        append(&log, 1, 60).await;
        heard.push(Witnessed::now(&log, &install(), 1).expect("events"));
        relayed(&log, &nats).await;
        // One for an event that is there, and one for an event to come.
        let fiftieth = changed(&log, 50);
        let (unknown, to_come) = ("0192f0c1-0000-7000-8000-000000000001", "0192f0c1-0000-7000-8000-000000000002");
        let line_to_come = fiftieth.replacen("\"seq\":50", "\"seq\":61", 1);
        disturb(&nats.server(), &[("50", unknown, &fiftieth), ("61", to_come, &line_to_come)]).await;
        append(&log, 61, 100).await;
        assert_eq!(relayed(&log, &nats).await, 2);
        heard.push(Witnessed::now(&log, &install(), 2).expect("events"));
        let restored = restored(&nats, found.path()).await.expect("restored");
        assert_eq!((restored.moved.events, restored.proved), (100, Seq(100)));
        let told: Vec<_> = restored.skipped.iter().map(|skipped| (skipped.place, skipped.reason.as_str())).collect();
        let claims = |seq| format!("it claims to be event {seq}, and the chain has another one");
        let (fifty, sixty_one) = (claims(50), claims(61));
        assert_eq!(told, [(61, fifty.as_str()), (62, sixty_one.as_str())]);
        is_the_same(&log, found.path(), &heard);
    });
}

#[test]
fn an_event_that_was_replaced_in_the_stream_is_not_restored_unless_that_is_asked_for() {
    let Some(nats) = Nats::start() else { return };
    let (lost, found, any) = (tempfile::tempdir(), tempfile::tempdir(), tempfile::tempdir());
    let (lost, found, any) = (lost.expect("folder"), found.expect("folder"), any.expect("folder"));
    let log = given::open(lost.path());
    run(async {
        append(&log, 1, 100).await;
        relayed(&log, &nats).await;
        let line = changed(&log, 50);
        stream(&nats.server()).await.delete_message(50).await.expect("deleted");
        // Without its id the server would still take it for the one that was removed.
        disturb(&nats.server(), &[("50", "", &line)]).await;
        let refused = restored(&nats, found.path()).await.expect_err("replaced");
        let Error::Unchained(reason) = &refused else { panic!("{refused}") };
        assert!(reason.contains("are not what the chain of hashes says"), "{refused}");
        let as_they_are = Wanted { chained: false, ..Wanted::default() };
        let taken = nats::restore(&nats.server(), as_they_are, given::small(any.path())).await.expect("restored");
        assert_eq!((taken.moved.events, taken.proved), (100, Seq(0)));
        let events = given::open(any.path()).read(Seq(50), ReadMax { events: 1, bytes: 1 }).expect("read");
        assert_eq!(events[0].actor.as_str(), "user:eve");
    });
}

#[test]
fn a_log_that_went_another_way_is_not_published_over() {
    let Some(nats) = Nats::start() else { return };
    let (lost, before) = (tempfile::tempdir().expect("folder"), tempfile::tempdir().expect("folder"));
    let log = given::open(lost.path());
    run(async {
        append(&log, 1, 60).await;
        let mut text = Vec::new();
        export(log.reader(), Seq(1), Seq(u64::MAX), &mut text).expect("exported");
        let copy = given::copied(lost.path());
        append(&log, 61, 100).await;
        relayed(&log, &nats).await;
        tokio::task::block_in_place(|| import(given::small(before.path()), &mut text.as_slice())).expect("imported");
        let older = given::open(copy.path());
        append(&older, 201, 220).await;
        for other in [older, given::open(before.path())] {
            append(&other, 301, 302).await;
            let mut relaying = relay(&other, &nats.server());
            let told = relaying.until(|state| state.last_error.is_some() || state.foreign > 0).await;
            let is_a_copy = other.head() == Seq(82);
            assert_eq!(is_a_copy, told.last_error.is_some(), "an import has another chain: {told:?}");
            if let Some(error) = told.last_error {
                assert!(
                    error.contains("two logs publish as one install, or this one was restored from before"),
                    "{error}"
                );
            }
            relaying.stop().await;
        }
    });
}
