//! An installation with gateways: its log, its vault, and what keeps the connections. It can be ended and begun again.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use regatta_core::event::approval::ApprovalEvent;
use regatta_core::event::gateway::GatewayEvent;
use regatta_core::log::{self, MemoryLog, Pending};
use regatta_core::{
    Actor, Append, AppendError, ApprovalId, Clock, Draft, Envelope, Event, EventId, Expect, GatewayName, Log,
    ReadError, ReadMax, SecretString, Seq, Stream, SystemClock, Vault,
};
use regatta_federation::{Gateways, LinkNow, LinkState, Secret, Wanted};
use regatta_gateway_fake::House;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// A memory log that takes no writes while it is full, says nothing of those it took while it is slow, and panics while it
/// is broken.
#[derive(Default)]
pub(crate) struct Disk {
    log: MemoryLog,
    pub(crate) is_full: AtomicBool,
    pub(crate) is_slow: watch::Sender<bool>,
    pub(crate) is_broken: AtomicBool,
    /// The same as slow, of what is rebuilt alone.
    pub(crate) is_slow_to_rebuild: watch::Sender<bool>,
}

impl Log for Disk {
    fn submit(&self, append: Append) -> Pending {
        assert!(!self.is_broken.load(Ordering::SeqCst), "the log is broken, as the test wants it");
        if self.is_full.load(Ordering::SeqCst) {
            let (answer, pending) = tokio::sync::oneshot::channel();
            answer.send(Err(AppendError::ReadOnly("the disk is nearly full".to_owned()))).ok();
            return pending;
        }
        let is_rebuilt = append.events.iter().any(|draft| holds(&draft.payload, br#""reconstructed":true"#));
        let slow = if is_rebuilt { &self.is_slow_to_rebuild } else { &self.is_slow };
        let written = self.log.submit(append);
        if !*slow.borrow() {
            return written;
        }
        let (answer, pending) = tokio::sync::oneshot::channel();
        let mut is_slow = slow.subscribe();
        tokio::spawn(async move {
            is_slow.wait_for(|is_slow| !is_slow).await.ok();
            answer.send(written.await.expect("a writer")).ok();
        });
        pending
    }

    fn read_only(&self) -> Option<String> {
        self.is_full.load(Ordering::SeqCst).then(|| "the disk is nearly full".to_owned())
    }

    fn read(&self, from: Seq, max: ReadMax) -> Result<Vec<Envelope>, ReadError> {
        self.log.read(from, max)
    }

    fn read_stream(&self, stream: &Stream, from: u64, max: ReadMax) -> Result<Vec<Envelope>, ReadError> {
        self.log.read_stream(stream, from, max)
    }

    fn stream_head(&self, stream: &Stream) -> Result<u64, ReadError> {
        self.log.stream_head(stream)
    }

    fn head(&self) -> Seq {
        self.log.head()
    }

    fn watch(&self) -> watch::Receiver<Seq> {
        self.log.watch()
    }
}

fn holds(bytes: &[u8], text: &[u8]) -> bool {
    bytes.windows(text.len()).any(|window| window == text)
}

/// The machine's clock, ahead by as much as a test says.
#[derive(Default)]
pub(crate) struct Ahead(AtomicU64);

impl Ahead {
    pub(crate) fn by_s(&self, seconds: u64) {
        self.0.fetch_add(seconds * 1_000_000, Ordering::SeqCst);
    }
}

impl Clock for Ahead {
    fn now_us(&self) -> u64 {
        SystemClock.now_us() + self.0.load(Ordering::SeqCst)
    }

    fn event_id(&self) -> EventId {
        SystemClock.event_id()
    }
}

pub(crate) struct World {
    pub(crate) disk: Arc<Disk>,
    pub(crate) clock: Arc<Ahead>,
    pub(crate) gateways: Gateways,
    pub(crate) vault: Vault,
    stop: CancellationToken,
    running: JoinHandle<Result<(), ReadError>>,
    folder: tempfile::TempDir,
}

pub(crate) fn main() -> GatewayName {
    "main".parse().expect("a name")
}

pub(crate) fn ana() -> Actor {
    Actor::user("ana")
}

pub(crate) fn token(text: &str) -> Option<Secret> {
    Some(Secret::Token(SecretString::from(text)))
}

fn begun(
    disk: &Arc<Disk>,
    clock: &Arc<Ahead>,
    folder: &Path,
) -> (Gateways, Vault, CancellationToken, JoinHandle<Result<(), ReadError>>) {
    let vault = Vault::of(&folder.join("vault"), disk.clone(), clock.clone()).expect("a vault");
    let gateways = Gateways::open(disk.clone(), vault.clone(), clock.clone()).expect("gateways");
    let stop = CancellationToken::new();
    let running = tokio::spawn(gateways.clone().run(stop.clone()));
    (gateways, vault, stop, running)
}

impl World {
    pub(crate) fn new() -> Self {
        let (disk, clock) = (Arc::new(Disk::default()), Arc::new(Ahead::default()));
        let folder = tempfile::tempdir().expect("folder");
        let (gateways, vault, stop, running) = begun(&disk, &clock, folder.path());
        Self { disk, clock, gateways, vault, stop, running, folder }
    }

    /// With the fake gateway as `main`, connected.
    pub(crate) async fn with(house: &House) -> Self {
        let world = Self::new();
        let now = world.add(house, token("secret-token")).await;
        assert_eq!(now.state, LinkState::Connected, "{now:?}");
        // What is done after a connection is done.
        until("the questions are compared", || (house.calls("exec.approval.list").len() == 1).then_some(())).await;
        world
    }

    pub(crate) async fn add(&self, house: &House, secret: Option<Secret>) -> LinkNow {
        let wanted = Wanted { name: main(), url: house.url.clone(), allow_plain: false, secret };
        self.gateways.add(wanted, &ana()).await.expect("added")
    }

    pub(crate) async fn end(&mut self) {
        self.stop.cancel();
        (&mut self.running).await.expect("no panic").expect("ended well");
    }

    /// As after a restart of the server.
    pub(crate) async fn again(mut self) -> Self {
        if !self.stop.is_cancelled() {
            self.end().await;
        }
        let Self { disk, clock, folder, .. } = self;
        let (gateways, vault, stop, running) = begun(&disk, &clock, folder.path());
        Self { disk, clock, gateways, vault, stop, running, folder }
    }

    /// How the connection is, once it is so.
    pub(crate) async fn link(&self, wanted: impl Fn(&LinkNow) -> bool) -> LinkNow {
        until("the connection is so", || self.gateways.link(&main()).filter(|now| wanted(now))).await
    }

    /// As another server left it behind.
    pub(crate) async fn say(&self, stream: Stream, event: Event) {
        let draft = Draft::new(&event, &*self.clock, ana(), Uuid::nil());
        let append = Append { stream, expect: Expect::Any, events: vec![draft] };
        log::append(&*self.disk, append).await.expect("appended");
    }

    pub(crate) async fn secrets(&self) -> Vec<String> {
        self.vault.rows().await.expect("rows").iter().map(|row| row.name.to_string()).collect()
    }

    pub(crate) fn events(&self, stream: &Stream) -> Vec<Event> {
        let all = ReadMax { events: usize::MAX, bytes: usize::MAX };
        let read = self.disk.read_stream(stream, 1, all).expect("read");
        read.iter().map(|envelope| envelope.event().expect("a fact")).collect()
    }

    /// What is recorded of the connection, in few words.
    pub(crate) fn told(&self) -> Vec<String> {
        let words = |event: &Event| match event {
            Event::Gateway(GatewayEvent::Connected(fact)) => {
                format!("{} {} {}", fact.boot_id, fact.conn_id, fact.version)
            }
            Event::Gateway(GatewayEvent::Disconnected(fact)) => {
                format!("{} gone after {}", fact.conn_id, fact.last_seq)
            }
            Event::Gateway(GatewayEvent::Missed(fact)) => {
                format!("missed {} to {} of {}", fact.last, fact.next, fact.conn_id)
            }
            Event::Gateway(GatewayEvent::Frame(fact)) => format!("{} {}", fact.event, fact.seq.unwrap_or(0)),
            Event::Gateway(GatewayEvent::Stopped(fact)) => format!("stopped: {}", fact.reason),
            Event::Gateway(GatewayEvent::Called(fact)) => format!("called {}", fact.method),
            other => format!("{other:?}"),
        };
        self.events(&Stream::link(&main())).iter().map(words).collect()
    }

    pub(crate) async fn told_when(&self, last: &str) -> Vec<String> {
        until(last, || Some(self.told()).filter(|told| told.iter().any(|line| line.starts_with(last)))).await
    }

    /// What is recorded of a question, in few words.
    pub(crate) fn asked(&self, id: &ApprovalId) -> Vec<String> {
        let words = |event: &Event| match event {
            Event::Approval(event) if event.approval() == id => Some(match event {
                ApprovalEvent::Requested(fact) => format!("asked{}", rebuilt(fact.is_reconstructed)),
                ApprovalEvent::Answered(fact) => format!("answered {}", fact.decision),
                ApprovalEvent::AnswerFailed(fact) => format!("failed: {}", fact.reason),
                ApprovalEvent::Resolved(fact) => {
                    format!("resolved {} by {}{}", fact.decision, fact.by, rebuilt(fact.is_reconstructed))
                }
                ApprovalEvent::Expired(_) => "expired".to_owned(),
                ApprovalEvent::Cancelled(fact) => format!("cancelled: {}", fact.reason),
                ApprovalEvent::Escalated(fact) => format!("escalated to {}", fact.to),
            }),
            _ => None,
        };
        self.events(&Stream::approvals(&id.gateway)).iter().filter_map(words).collect()
    }

    pub(crate) async fn asked_when(&self, id: &ApprovalId, last: &str) -> Vec<String> {
        until(last, || Some(self.asked(id)).filter(|told| told.last().is_some_and(|line| line.starts_with(last)))).await
    }
}

fn rebuilt(is_reconstructed: bool) -> &'static str {
    if is_reconstructed { " (reconstructed)" } else { "" }
}

/// Waits until something is so; what is waited for happens in other tasks.
pub(crate) async fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let mut found = None;
    until_async(what, async || {
        found = look();
        found.is_some()
    })
    .await;
    found.expect(what)
}

/// The same of what has to be waited for itself.
pub(crate) async fn until_async(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let looking = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, looking).await.unwrap_or_else(|_| panic!("{what}: it does not happen"));
}
