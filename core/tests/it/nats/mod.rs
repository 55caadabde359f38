//! The relay and the way back, against a real NATS server.

mod follows;
mod forged;
mod killed;
mod lacking;
mod outages;
mod relays;
mod restores;
mod secured;
mod server;

use std::time::Duration;

use regatta_core::bus::RelayState;
use regatta_core::bus::nats::{Mirror, Mirrored, Relay, Server};
use regatta_core::{DurableLog, InstallId, Log as _};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

use crate::given;

/// How long anything here may take.
const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) fn install() -> InstallId {
    "abcd1234".parse().expect("install")
}

/// Runs a test with a runtime; it must not take for ever.
pub(crate) fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("runtime");
    runtime.block_on(async { tokio::time::timeout(PATIENCE, test).await.expect("it takes too long") });
}

/// Appends events `from` to `to` to a few streams; each one's every field follows from its number.
pub(crate) async fn append(log: &DurableLog, from: u64, to: u64) {
    let mut pending = Vec::new();
    for n in from..=to {
        let mut append = given::one(&format!("run/{}", n % 7), regatta_core::Expect::Any, n);
        if n.is_multiple_of(5) {
            append.events[0].payload = vec![0, 159, 146, 150, (n % 256) as u8].into();
        }
        pending.push(log.submit(append));
        if pending.len() >= 1_000 {
            for appended in pending.drain(..) {
                appended.await.expect("answered").expect("appended");
            }
        }
    }
    for appended in pending {
        appended.await.expect("answered").expect("appended");
    }
}

/// A relay at work.
pub(crate) struct Relaying {
    pub(crate) state: watch::Receiver<RelayState>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

pub(crate) fn relay(log: &DurableLog, server: &Server) -> Relaying {
    relay_looking_every(log, server, Duration::from_secs(60))
}

pub(crate) fn relay_looking_every(log: &DurableLog, server: &Server, period: Duration) -> Relaying {
    let (relay, state) = Relay::new(log.clone(), install(), server.clone()).expect("relay");
    let relay = relay.looking_every(period);
    let (stop, stopped) = oneshot::channel();
    let task = tokio::spawn(relay.run(async move { drop(stopped.await) }));
    Relaying { state, stop, task }
}

impl Relaying {
    /// Waits until the server has everything.
    pub(crate) async fn catches_up(&mut self, log: &DurableLog) {
        let head = log.head();
        self.until(|state| state.connected && state.acked >= head).await;
    }

    pub(crate) async fn until(&mut self, holds: impl FnMut(&RelayState) -> bool) -> RelayState {
        self.state.wait_for(holds).await.expect("it runs").clone()
    }

    pub(crate) async fn stop(self) {
        drop(self.stop);
        self.task.await.expect("stopped");
    }
}

/// Everything in the stream.
pub(crate) async fn mirrored(server: &Server) -> Vec<Mirrored> {
    let mirror = Mirror::connect(server).await.expect("mirror");
    let mut events = mirror.events(1, None).await.expect("events");
    let mut all = Vec::new();
    while events.left() > 0 {
        all.push(events.next().await.expect("message").expect("an event"));
    }
    all
}

/// Checks that the stream holds every event of the log as it is, and none twice.
pub(crate) async fn holds_exactly(server: &Server, log: &DurableLog) {
    let mut found: Vec<_> = mirrored(server).await.into_iter().map(|event| event.envelope).collect();
    found.sort_by_key(|event| event.seq);
    let mut next = regatta_core::Seq(1);
    let mut found = found.into_iter();
    loop {
        let events = log.read(next, regatta_core::ReadMax::default()).expect("read");
        let Some(last) = events.last() else { break };
        next = last.seq.next();
        for event in events {
            assert_eq!(found.next(), Some(event));
        }
    }
    assert_eq!(found.next(), None, "nothing else, nothing twice");
}
