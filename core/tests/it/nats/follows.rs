//! Following the stream over outages: from where it was, nothing twice.

use regatta_core::Seq;
use regatta_core::bus::nats::{Error, Follower};

use super::server::Nats;
use super::{append, relay, run};
use crate::given;

/// The numbers of the next events.
async fn next(follower: &mut Follower, count: usize) -> Vec<u64> {
    let mut seqs = Vec::new();
    while seqs.len() < count {
        seqs.push(follower.next().await.expect("goes on").expect("an event").envelope.seq.0);
    }
    seqs
}

async fn connected(follower: &mut Follower) {
    while follower.connect().await.is_err() {
        tokio::task::yield_now().await;
    }
}

#[test]
fn it_goes_on_after_an_outage_and_after_the_stream_was_made_anew() {
    let Some(mut nats) = Nats::start() else { return };
    let dir = tempfile::tempdir().expect("folder");
    let log = given::open(dir.path());
    run(async {
        append(&log, 1, 30).await;
        let mut relaying = relay(&log, &nats.server());
        relaying.catches_up(&log).await;
        let mut follower = Follower::begin(&nats.server(), None, Some(10)).await.expect("begins");
        assert_eq!(follower.left(), 10);
        assert_eq!(next(&mut follower, 10).await, (21..=30).collect::<Vec<u64>>());
        for (wipe, from) in [(false, 31), (true, 51)] {
            nats.kill();
            let lost = follower.next().await.expect_err("an outage");
            assert!(matches!(lost, Error::Lost | Error::Nats { .. }), "{lost}");
            if wipe {
                nats.wipe();
            }
            append(&log, from, from + 19).await;
            nats.again();
            relaying.catches_up(&log).await;
            connected(&mut follower).await;
            let seen = next(&mut follower, if wipe { 40 } else { 20 }).await;
            // What stood before it began was not seen, and comes with the new stream.
            let expected: Vec<u64> =
                if wipe { (1..=20).chain(from..=from + 19).collect() } else { (31..=50).collect() };
            assert_eq!(seen, expected);
            assert_eq!(follower.left(), 0);
        }
        assert_eq!(log.chain_head().0, Seq(70));
        relaying.stop().await;
    });
}
