//! The relay on bad days: whatever happens, no event is missing in the stream and none is there twice.

use regatta_core::DurableLog;
use regatta_core::bus::nats::Server;

use super::server::Nats;
use super::{append, holds_exactly, relay, run};
use crate::given;

/// Events appended in each phase.
const PHASE: u64 = 4_000;

/// For how long a stream remembers ids at least.
pub(super) const WINDOW: std::time::Duration = std::time::Duration::from_millis(100);

/// Appends while something else happens.
async fn meanwhile(log: &DurableLog, phase: u64, happens: impl Future<Output = ()>) {
    tokio::join!(append(log, 1 + phase * PHASE, (phase + 1) * PHASE), happens);
}

#[test]
fn a_server_killed_under_load_misses_nothing_and_has_nothing_twice() {
    let Some(mut nats) = Nats::start() else { return };
    let dir = tempfile::tempdir().expect("folder");
    let log = given::open(dir.path());
    run(async {
        let mut relaying = relay(&log, &nats.server());
        for outage in 0..5 {
            let seen = relaying.state.borrow().acked;
            meanwhile(&log, 2 * outage, async {
                relaying.until(|state| state.acked > seen).await;
                nats.kill();
            })
            .await;
            relaying.until(|state| !state.connected).await;
            meanwhile(&log, 2 * outage + 1, async { nats.again() }).await;
        }
        relaying.catches_up(&log).await;
        relaying.stop().await;
        holds_exactly(&nats.server(), &log).await;
    });
}

#[test]
fn a_wiped_server_gets_everything_again() {
    let Some(mut nats) = Nats::start() else { return };
    let dir = tempfile::tempdir().expect("folder");
    let log = given::open(dir.path());
    run(async {
        let mut relaying = relay(&log, &nats.server());
        meanwhile(&log, 0, async {}).await;
        relaying.catches_up(&log).await;
        nats.kill();
        nats.wipe();
        meanwhile(&log, 1, async { nats.again() }).await;
        relaying.catches_up(&log).await;
        holds_exactly(&nats.server(), &log).await;
        // While nobody relays, too.
        relaying.stop().await;
        nats.kill();
        nats.wipe();
        nats.again();
        let mut relaying = relay(&log, &nats.server());
        relaying.catches_up(&log).await;
        relaying.stop().await;
        holds_exactly(&nats.server(), &log).await;
    });
}

#[test]
fn a_relay_stopped_at_any_moment_goes_on_without_repeating() {
    let Some(nats) = Nats::start() else { return };
    let dir = tempfile::tempdir().expect("folder");
    let log = given::open(dir.path());
    forget_at_once(&nats.server(), || {
        run(async {
            for phase in 0..5 {
                let mut relaying = relay(&log, &nats.server());
                let seen = relaying.state.borrow().acked;
                append(&log, 1 + phase * PHASE, (phase + 1) * PHASE).await;
                relaying.until(|state| state.acked > seen).await;
                // With messages on their way.
                relaying.stop().await;
            }
            let mut relaying = relay(&log, &nats.server());
            relaying.catches_up(&log).await;
            relaying.stop().await;
            holds_exactly(&nats.server(), &log).await;
        });
    });
}

/// A stream that remembers ids for as short as the server lets it: what is not repeated then was known from the stream.
pub(super) fn forget_at_once(server: &Server, test: impl FnOnce()) {
    run(async {
        let client = async_nats::connect(&server.url).await.expect("client");
        let config = async_nats::jetstream::stream::Config {
            name: regatta_core::bus::nats::STREAM.to_owned(),
            subjects: vec![regatta_core::bus::nats::SUBJECTS.to_owned()],
            duplicate_window: WINDOW,
            ..Default::default()
        };
        async_nats::jetstream::new(client).create_stream(config).await.expect("stream");
    });
    test();
}

#[test]
fn a_gap_in_the_stream_is_filled_and_the_rest_is_not_repeated() {
    let Some(mut nats) = Nats::start() else { return };
    let dir = tempfile::tempdir().expect("folder");
    let log = given::open(dir.path());
    run(async {
        append(&log, 1, 100).await;
        let mut relaying = relay(&log, &nats.server());
        relaying.catches_up(&log).await;
        relaying.stop().await;
        log.close().expect("closed");
        let client = async_nats::connect(&nats.server().url).await.expect("client");
        let stream = async_nats::jetstream::new(client).get_stream(regatta_core::bus::nats::STREAM).await;
        let stream = stream.expect("stream");
        for lost in [40, 41, 77] {
            stream.delete_message(lost).await.expect("deleted");
        }
        // It forgets the ids of what it does not hold.
        nats.kill();
        nats.again();
        // Without a checkpoint everything is looked at.
        std::fs::remove_dir_all(dir.path().join("index")).expect("index");
        let log = given::open(dir.path());
        let mut relaying = relay(&log, &nats.server());
        relaying.catches_up(&log).await;
        relaying.stop().await;
        holds_exactly(&nats.server(), &log).await;
    });
}

#[test]
fn how_far_behind_it_is_is_known_without_a_server() {
    let dir = tempfile::tempdir().expect("folder");
    let log = given::open(dir.path());
    run(async {
        append(&log, 1, 5).await;
        let nobody = Server { url: "nats://127.0.0.1:1".to_owned(), ..Server::default() };
        let mut relaying = relay(&log, &nobody);
        let state = relaying.until(|state| state.last_error.is_some()).await;
        relaying.stop().await;
        // The first event is of 1,000 µs.
        assert_eq!((state.behind(), state.waiting_since_us, state.behind_us(61_000)), (5, Some(1_000), 60_000));
    });
}
