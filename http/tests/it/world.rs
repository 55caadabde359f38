//! A plane over a memory log, and the requests a test makes.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, Response, StatusCode};
use bytes::Bytes;
use http_body_util::BodyExt as _;
use regatta_core::Vault;
use regatta_core::event::attempt::{self, AttemptEvent, Channel, DiffStat, Output, Phase};
use regatta_core::event::cleaning::Wish;
use regatta_core::event::run::TakenHunk;
use regatta_core::{
    Actor, Append, AttemptId, Blobs, Clock, Draft, Event, EventId, Expect, Log, RunId, SandboxKey, Slot, Stream,
    SystemClock,
    log::{self, MemoryLog},
};
use regatta_dispatcher::compose::{Choice, Conflict, NotComposed};
use regatta_dispatcher::executor::Piece;
use regatta_dispatcher::repository::Repositories;
use regatta_dispatcher::sandboxes::{Limit, ProviderRow, Reaping, Right, SandboxRow, SandboxesView, Unanswered};
use regatta_dispatcher::{Asked, Entered, Refusal, RefusalKind, RunRequest, SynthesisRequest, Synthesized};
use regatta_federation::Gateways;
use regatta_http::auth::{Auth, Door, Options};
use regatta_http::premises::{
    ConfigChange, ConfigRow, DiskPart, DiskSort, Finding, Measured, Premises, PruneRequest, Pruned,
};
use regatta_http::{About, Commands, Feed, LiveClients, Plane, Sandboxes, Works, router};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;
use uuid::Uuid;

pub(crate) const RUN: &str = "7q2k9x0m";

/// Writes down what it was asked and answers as it is told.
#[derive(Default)]
pub(crate) struct Told {
    pub(crate) asked: Mutex<Vec<String>>,
    pub(crate) refusal: Option<Refusal>,
}

impl Told {
    fn answer(&self, asked: String) -> Result<(), Refusal> {
        self.asked.lock().expect("lock").push(asked);
        self.refusal.clone().map_or(Ok(()), Err)
    }
}

#[async_trait]
impl Commands for Told {
    async fn request_run(&self, request: RunRequest, by: Actor, key: Option<String>) -> Result<RunId, Refusal> {
        // As the dispatcher's own door does.
        request.check()?;
        self.answer(format!("run {:?} by {} key {key:?}", request.title(), by.as_str()))?;
        RUN.parse().map_err(|_| Refusal::new(RefusalKind::Invalid, "no id"))
    }

    async fn pick(&self, run: RunId, slot: Slot, reason: String, blind: bool, asked: Asked) -> Result<(), Refusal> {
        let blind = if blind { " blind" } else { "" };
        self.answer(format!("pick {run}.{slot} {reason:?}{blind} by {}", asked.by.as_str()))
    }

    async fn cancel(&self, run: RunId, slot: Option<Slot>, reason: String, asked: Asked) -> Result<(), Refusal> {
        self.answer(format!("cancel {run} {slot:?} {reason:?} by {}", asked.by.as_str()))
    }

    async fn restore(&self, run: RunId, slot: Slot, asked: Asked) -> Result<(), Refusal> {
        self.answer(format!("restore {run}.{slot} by {}", asked.by.as_str()))
    }

    async fn discard(&self, run: RunId, slot: Slot, reason: String, asked: Asked) -> Result<(), Refusal> {
        self.answer(format!("discard {run}.{slot} {reason:?} by {}", asked.by.as_str()))
    }

    async fn clean(&self, run: RunId, slot: Slot, wish: Wish, asked: Asked) -> Result<(), Refusal> {
        let key = asked.key.is_some();
        self.answer(format!("clean {run}.{slot} {wish:?} key {key} by {}", asked.by.as_str()))
    }

    async fn synthesize(
        &self,
        run: RunId,
        request: SynthesisRequest,
        asked: Asked,
    ) -> Result<Synthesized, NotComposed> {
        let SynthesisRequest { choices, reason, dry_run } = request;
        let took: Vec<String> = choices.iter().map(|choice| format!("{}:{}", choice.slot, choice.path)).collect();
        self.answer(format!("synthesize {run} {} {reason:?} {dry_run} by {}", took.join(" "), asked.by.as_str()))?;
        let taken = |choice: &Choice| TakenHunk {
            slot: choice.slot,
            path: choice.path.clone(),
            hunk: choice.hunk,
            header: "@@ -1 +1 @@".to_owned(),
            hash: None,
        };
        let hunks: Vec<TakenHunk> = choices.iter().map(taken).collect();
        if hunks.len() > 1 {
            let (path, reason) = (hunks[0].path.clone(), "they change the same lines".to_owned());
            return Err(NotComposed::Conflicts(vec![Conflict { path, between: hunks, reason }]));
        }
        let stat = DiffStat { files: 1, added: 1, removed: 1 };
        Ok(Synthesized { slot: (!dry_run).then(|| "d".parse().expect("slot")), hunks, stat, conflicts: vec![] })
    }
}

#[async_trait]
impl Sandboxes for Told {
    async fn providers(&self) -> Vec<ProviderRow> {
        let (problem, capabilities) = (Some("no engine; start it".to_owned()), vec!["fork".to_owned()]);
        let (name, attempts_max) = ("docker".to_owned(), Some(2));
        vec![ProviderRow { name, fence: None, problem, capabilities, attempts_max, kept: None }]
    }

    fn limits(&self) -> Vec<Limit> {
        let at = |provider: Option<&str>, attempts_max| Limit { provider: provider.map(str::to_owned), attempts_max };
        vec![at(None, Some(8)), at(Some("docker"), Some(2)), at(Some("local"), None)]
    }

    async fn sandboxes(&self) -> Result<SandboxesView, Refusal> {
        self.answer("sandboxes".to_owned())?;
        let key: SandboxKey = format!("regatta-abcd-{RUN}-a-1").parse().expect("a key");
        let row = SandboxRow {
            attempt: key.attempt,
            key,
            provider: "docker".to_owned(),
            right: Right::InUse,
            doing: Some("agent".to_owned()),
            created_at_ms: 1,
            disk_bytes: None,
            rent_usd_micros_per_hour: Some(108_900),
        };
        let unanswered = Unanswered { provider: "e2b".to_owned(), reason: "it does not answer".to_owned() };
        Ok(SandboxesView { rows: vec![row], unanswered: vec![unanswered] })
    }

    async fn remove(&self, key: SandboxKey, force: bool, asked: Asked) -> Result<(), Refusal> {
        self.answer(format!("remove {key} {force} by {}", asked.by.as_str()))
    }

    async fn reap(&self, images: bool, by: Actor) -> Result<Reaping, Refusal> {
        self.answer(format!("reap {images} by {}", by.as_str()))?;
        Ok(Reaping::default())
    }

    async fn fork(&self, of: SandboxKey, for_ms: u64, by: Actor) -> Result<SandboxKey, Refusal> {
        self.answer(format!("fork {of} {for_ms} by {}", by.as_str()))?;
        Ok(SandboxKey { epoch: 1_000_001, ..of })
    }

    async fn enter(&self, key: SandboxKey, argv: Vec<String>, timeout_ms: u64, by: Actor) -> Result<Entered, Refusal> {
        self.answer(format!("enter {key} {argv:?} {timeout_ms} by {}", by.as_str()))?;
        let (told, pieces) = tokio::sync::mpsc::channel(4);
        told.send(Piece::Printed(Channel::Out, b"hello\n".to_vec())).await.expect("listened to");
        told.send(Piece::Printed(Channel::Err, b"\xff".to_vec())).await.expect("listened to");
        told.send(Piece::Ended(attempt::Exit::Code(3))).await.expect("listened to");
        Ok(Entered { pieces })
    }
}

/// A clock that stands still until it is moved.
pub(crate) struct Hand(AtomicU64);

impl Hand {
    pub(crate) fn forward_s(&self, seconds: u64) {
        self.0.fetch_add(seconds * 1_000_000, Ordering::SeqCst);
    }
}

impl Clock for Hand {
    fn now_us(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }

    fn event_id(&self) -> EventId {
        SystemClock.event_id()
    }
}

/// An installation without configuration.
struct Bare;

#[async_trait]
impl Premises for Bare {
    async fn config(&self) -> Result<Vec<ConfigRow>, Refusal> {
        Ok(Vec::new())
    }

    async fn configure(&self, key: &str, _: serde_json::Value, _: Actor) -> Result<ConfigRow, Refusal> {
        Err(Refusal::new(RefusalKind::NotFound, format!("there is no key {key:?}")))
    }

    async fn config_history(&self) -> Result<Vec<ConfigChange>, Refusal> {
        Ok(Vec::new())
    }

    async fn doctor(&self) -> Vec<Finding> {
        Vec::new()
    }

    async fn disk(&self) -> Result<Measured, Refusal> {
        let parts =
            vec![DiskPart { sort: DiskSort::Unnamed, bytes: 1_000 }, DiskPart { sort: DiskSort::Log, bytes: 500 }];
        let (folder, workspaces) = ("/data".to_owned(), [("7q2k9x0m.a".parse().expect("an attempt"), 64)].into());
        Ok(Measured { folder, total_bytes: 10_000, free_bytes: 4_000, parts, workspaces })
    }

    async fn prune(&self, _: PruneRequest, _: Actor) -> Result<Pruned, Refusal> {
        Err(Refusal::new(RefusalKind::Unusable, "there are no files"))
    }
}

pub(crate) struct World {
    pub(crate) log: Arc<dyn Log>,
    pub(crate) told: Arc<Told>,
    pub(crate) router: Router,
    pub(crate) blobs: Blobs,
    pub(crate) stop: CancellationToken,
    pub(crate) live_clients: LiveClients,
    pub(crate) clock: Arc<Hand>,
    _folder: tempfile::TempDir,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(Arc::new(MemoryLog::default()), None)
    }

    pub(crate) fn refusing(refusal: Refusal) -> Self {
        Self::with(Arc::new(MemoryLog::default()), Some(refusal))
    }

    /// A server over a log that is there already, as after a restart.
    pub(crate) fn with(log: Arc<dyn Log>, refusal: Option<Refusal>) -> Self {
        Self::made(log, refusal, true)
    }

    /// A server whose views do not move.
    pub(crate) fn stalled() -> Self {
        Self::made(Arc::new(MemoryLog::default()), None, false)
    }

    fn made(log: Arc<dyn Log>, refusal: Option<Refusal>, follows: bool) -> Self {
        let folder = tempfile::tempdir().expect("folder");
        let blobs = Blobs::open(folder.path()).expect("blobs");
        let told = Arc::new(Told { refusal, ..Told::default() });
        let (stop, live_clients) = (CancellationToken::new(), LiveClients::default());
        let clock = Arc::new(Hand(AtomicU64::new(SystemClock.now_us())));
        let (follower, live) = regatta_projections::follow(log.clone(), regatta_projections::Views::default());
        if follows {
            tokio::spawn(follower.run());
        }
        let vault = Vault::of(&folder.path().join("vault"), log.clone(), clock.clone()).expect("vault");
        let plane = Plane {
            log: log.clone(),
            works: Works::new(Repositories::open(&folder.path().join("data")).expect("mirrors"), blobs.clone()),
            blobs: blobs.clone(),
            commands: told.clone(),
            sandboxes: told.clone(),
            live,
            feed: Feed::follow(log.clone(), stop.clone()),
            live_clients: live_clients.clone(),
            about: Arc::new(About {
                version: "0.0.0",
                data_dir: "/data".into(),
                fence: "none".to_owned(),
                url: Some("http://127.0.0.1:7433".to_owned()),
                started_at_us: 1,
            }),
            auth: Auth::open(log.clone(), clock.clone(), Options::default()).expect("accounts"),
            gateways: Gateways::open(log.clone(), vault.clone(), clock.clone()).expect("gateways"),
            vault,
            premises: Arc::new(Bare),
            relay: None,
            witnesses: None,
            scrubbed: None,
            stop: stop.clone(),
        };
        Self { log, told, router: router(plane), blobs, stop, live_clients, clock, _folder: folder }
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Response<Body> {
        self.by(Door::Socket, request).await
    }

    /// A request that came in by a door.
    pub(crate) async fn by(&self, door: Door, mut request: Request<Body>) -> Response<Body> {
        request.extensions_mut().insert(ConnectInfo(door));
        self.router.clone().oneshot(request).await.expect("the router answers")
    }

    pub(crate) async fn get(&self, path: &str) -> Response<Body> {
        self.send(Request::get(format!("/api/v1{path}")).body(Body::empty()).expect("request")).await
    }

    pub(crate) async fn post(&self, path: &str, body: impl Into<Body>) -> Response<Body> {
        let request = Request::post(format!("/api/v1{path}")).header("regatta-actor", "ana");
        self.send(request.body(body.into()).expect("request")).await
    }

    pub(crate) async fn append(&self, stream: Stream, event: Event) {
        let at = self.log.head().0 + 1;
        let events = vec![Self::draft(&event, at)];
        log::append(&*self.log, Append { stream, expect: Expect::Any, events }).await.expect("appended");
    }

    /// So many events about one attempt.
    pub(crate) async fn many(&self, count: u64) {
        let id: AttemptId = "7q2k9x0m.a".parse().expect("an attempt");
        let waiting = attempt::Waiting { reason: "it waits".to_owned() };
        let event = Event::Attempt(AttemptEvent::Waiting(waiting));
        self.many_of(Stream::attempt(id), &event, count).await;
    }

    /// The same event so many times.
    pub(crate) async fn many_of(&self, stream: Stream, event: &Event, count: u64) {
        let mut at = self.log.head().0;
        let end = at + count;
        while at < end {
            let batch = (end - at).min(1_000);
            let events = (at + 1..=at + batch).map(|at| Self::draft(event, at)).collect();
            let append = Append { stream: stream.clone(), expect: Expect::Any, events };
            log::append(&*self.log, append).await.expect("appended");
            at += batch;
        }
    }

    fn draft(event: &Event, at: u64) -> Draft {
        let (kind, version, payload) = event.encode();
        Draft {
            id: EventId(Uuid::from_u128(u128::from(at))),
            kind,
            version,
            at_us: at * 1_000_000,
            actor: Actor::regatta(),
            cause: None,
            correlation: Uuid::from_u128(1),
            dedup: None,
            payload,
        }
    }

    /// An attempt printed something.
    pub(crate) async fn printed(&self, attempt: &str, epoch: u32, channel: Channel, offset: u64, bytes: &[u8]) {
        let attempt: AttemptId = attempt.parse().expect("an attempt");
        let bytes = Bytes::copy_from_slice(bytes);
        let output = Output { epoch, phase: Phase::Agent, channel, offset, bytes };
        self.append(Stream::output(attempt), Event::Attempt(AttemptEvent::Output(output))).await;
    }

    pub(crate) async fn started(&self, attempt: &str, epoch: u32) {
        let id: AttemptId = attempt.parse().expect("an attempt");
        let sandbox = format!("regatta-abcd-{}-{}-{epoch}", id.run, id.slot).parse().expect("a key");
        let started = attempt::Started { epoch, sandbox };
        self.append(Stream::attempt(id), Event::Attempt(AttemptEvent::Started(started))).await;
    }
}

pub(crate) async fn text(response: Response<Body>) -> (StatusCode, String) {
    let status = response.status();
    let body = response.into_body().collect().await.expect("body").to_bytes();
    (status, String::from_utf8_lossy(&body).into_owned())
}
