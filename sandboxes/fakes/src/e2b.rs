//! E2B's control plane with its proxy in front of the sandboxes, as far as its clients use them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Path, Query, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::faults::{Fault, Faults, refusal};
use crate::inside::Kind;
use crate::machine::{Machine, Machines, Program};
use crate::relay::Relay;
use crate::{now_ms, unique};

/// What the fake is to be like.
#[derive(Debug, Clone)]
pub struct Options {
    pub key: String,
    /// How long a sandbox takes to be made.
    pub create_takes: Duration,
    /// Live sandboxes at once.
    pub concurrent_max: usize,
    /// Whether there is only the first version of the API, as on self-hosted servers.
    pub is_first_version: bool,
    /// Machines made beforehand, as a vendor has them.
    pub warm: usize,
    /// Where its machines are; among the temporary files when unset.
    pub folder: Option<std::path::PathBuf>,
    /// How far its clock is off, in milliseconds.
    pub clock_off_ms: i64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            key: "e2b_00000000000000000000000000000000000000aa".to_owned(),
            create_takes: Duration::ZERO,
            concurrent_max: usize::MAX,
            is_first_version: false,
            warm: 0,
            folder: None,
            clock_off_ms: 0,
        }
    }
}

/// A running fake.
#[derive(Clone)]
pub struct FakeE2b {
    pub url: String,
    pub faults: Faults,
    relay: Relay,
    plane: Arc<Plane>,
}

struct Plane {
    options: Options,
    machines: Machines,
    sandboxes: Mutex<BTreeMap<String, Arc<Sandbox>>>,
    /// Files of sandboxes as they once were, by the name of the snapshot.
    snapshots: Mutex<BTreeMap<String, std::path::PathBuf>>,
    warm: Mutex<VecDeque<Machine>>,
    /// Held, beside the plane, by everybody who makes a sandbox.
    making: Arc<()>,
    /// The first answers to idempotency keys.
    answered: tokio::sync::Mutex<BTreeMap<String, Arc<tokio::sync::Mutex<Option<Value>>>>>,
}

struct Sandbox {
    id: String,
    metadata: BTreeMap<String, String>,
    template: String,
    clock_off_ms: i64,
    started_at_ms: u64,
    ends_at_ms: Mutex<u64>,
    is_paused: Mutex<bool>,
    machine: Machine,
}

impl FakeE2b {
    pub async fn start(program: Program, options: Options) -> Self {
        let machines = Machines::new(program, Kind::Envd, options.folder.as_deref());
        let mut warm = VecDeque::new();
        for _ in 0..options.warm {
            warm.push_back(machines.start(true).await);
        }
        let plane = Arc::new(Plane {
            options,
            machines,
            sandboxes: Mutex::default(),
            warm: Mutex::new(warm),
            making: Arc::default(),
            answered: tokio::sync::Mutex::default(),
            snapshots: Mutex::default(),
        });
        let faults = Faults::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let relay = Relay::to(listener.local_addr().unwrap()).await;
        let state = (Arc::clone(&plane), faults.clone(), relay.clone());
        let app = router(&plane).layer(middleware::from_fn_with_state(state, at_fault));
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { url: format!("http://{}", relay.address), faults, relay, plane }
    }

    /// The ids of live sandboxes.
    pub fn live(&self) -> Vec<String> {
        self.plane.sweep();
        self.plane.sandboxes.lock().unwrap().keys().cloned().collect()
    }

    /// The home of the sandbox with that value of a label.
    pub fn home(&self, label: &str, value: &str) -> Option<std::path::PathBuf> {
        let sandboxes = self.plane.sandboxes.lock().unwrap();
        let found = sandboxes.values().find(|sandbox| sandbox.metadata.get(label).is_some_and(|found| found == value));
        found.map(|sandbox| sandbox.machine.home.clone())
    }

    /// The values of a label of live sandboxes.
    pub fn labels(&self, name: &str) -> Vec<String> {
        self.plane.sweep();
        let sandboxes = self.plane.sandboxes.lock().unwrap();
        sandboxes.values().filter_map(|sandbox| sandbox.metadata.get(name).cloned()).collect()
    }

    /// What there is of sandboxes on this machine, listed or not: folders and processes.
    pub fn left(&self) -> Vec<String> {
        self.plane.machines.left()
    }

    /// The ids of the snapshots there are.
    pub fn snapshots(&self) -> Vec<String> {
        self.plane.snapshots.lock().unwrap().keys().cloned().collect()
    }

    /// Takes a sandbox away, as its end does.
    pub fn vanish(&self, id: &str) {
        let gone = self.plane.sandboxes.lock().unwrap().remove(id);
        drop(gone);
    }

    /// Breaks every connection; while it is cut new ones break too.
    pub fn set_cut(&self, is_cut: bool) {
        self.relay.set_cut(is_cut);
    }

    /// Breaks every connection of now.
    pub fn drop_connections(&self) {
        self.relay.cut();
    }

    /// What is called when it is over: no machine is left.
    pub fn end(&self) {
        self.plane.sandboxes.lock().unwrap().clear();
        self.plane.warm.lock().unwrap().clear();
    }
}

fn router(plane: &Arc<Plane>) -> Router {
    let mut router = Router::new()
        .route("/sandboxes", post(create).get(list))
        .route("/sandboxes/{id}", delete(kill).get(detail))
        .route("/sandboxes/{id}/timeout", post(put_off))
        .route("/sandboxes/{id}/pause", post(pause))
        .route("/sandboxes/{id}/connect", post(connect))
        .route("/sandboxes/{id}/snapshots", post(snapshot))
        .route("/snapshots", get(snapshots))
        .route("/templates/{id}", delete(forget));
    if !plane.options.is_first_version {
        router =
            router.route("/v2/sandboxes", post(create).get(list)).route("/v2/sandboxes/{id}/connect", post(connect));
    }
    router
        .fallback(inside)
        .layer(DefaultBodyLimit::disable())
        .layer(middleware::from_fn_with_state(Arc::clone(plane), guarded))
        .with_state(Arc::clone(plane))
}

async fn at_fault(
    State((_, faults, relay)): State<(Arc<Plane>, Faults, Relay)>,
    request: Request,
    next: Next,
) -> Response {
    match faults.take(request.method(), request.uri().path()) {
        None => next.run(request).await,
        Some(Fault::Refuse(status, body, headers)) => refusal(status, body, &headers),
        Some(Fault::Late(late)) => {
            tokio::time::sleep(late).await;
            next.run(request).await
        }
        Some(Fault::LoseReply) => {
            next.run(request).await;
            relay.cut();
            std::future::pending().await
        }
        Some(Fault::Twice) => {
            let (mut parts, body) = request.into_parts();
            let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
            parts.headers.remove("idempotency-key");
            let again = Request::from_parts(parts.clone(), Body::from(body.clone()));
            next.clone().run(again).await;
            next.run(Request::from_parts(parts, Body::from(body))).await
        }
    }
}

async fn guarded(State(plane): State<Arc<Plane>>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let is_control = ["/sandboxes", "/v2/", "/snapshots", "/templates"].iter().any(|plane| path.starts_with(plane));
    let key = request.headers().get("x-api-key").and_then(|key| key.to_str().ok());
    if is_control && key != Some(&plane.options.key) {
        return error(401, "Invalid API key");
    }
    plane.sweep();
    next.run(request).await
}

fn error(status: u16, message: &str) -> Response {
    refusal(status, &json!({ "code": status, "message": message }).to_string(), &[])
}

#[derive(Deserialize)]
struct Create {
    #[serde(rename = "templateID")]
    template: String,
    timeout: Option<u64>,
    #[serde(default)]
    metadata: Option<BTreeMap<String, String>>,
    allow_internet_access: Option<bool>,
}

#[derive(Deserialize)]
struct Timeout {
    timeout: Option<u64>,
}

impl Plane {
    fn sweep(&self) {
        let now = now_ms();
        let mut sandboxes = self.sandboxes.lock().unwrap();
        let over = sandboxes.extract_if(.., |_, sandbox| *sandbox.ends_at_ms.lock().unwrap() <= now);
        let gone: Vec<_> = over.collect();
        drop(sandboxes);
        drop(gone);
    }

    fn find(&self, id: &str) -> Option<Arc<Sandbox>> {
        self.sandboxes.lock().unwrap().get(id).cloned()
    }

    fn add(&self, machine: Machine, template: String, metadata: BTreeMap<String, String>, timeout: u64) -> Value {
        let sandbox = Arc::new(Sandbox {
            id: format!("i{}", unique()),
            metadata,
            template,
            clock_off_ms: self.options.clock_off_ms,
            started_at_ms: now_ms(),
            ends_at_ms: Mutex::new(now_ms() + timeout * 1000),
            is_paused: Mutex::new(false),
            machine,
        });
        let reply = sandbox.reply();
        self.sandboxes.lock().unwrap().insert(sandbox.id.clone(), sandbox);
        reply
    }
}

impl Sandbox {
    /// A moment, as the vendor's clock has it.
    fn told(&self, ms: u64) -> String {
        // What never ends has no date a calendar could hold.
        stamp(ms.min(1 << 43).saturating_add_signed(self.clock_off_ms))
    }

    fn reply(&self) -> Value {
        json!({
            "templateID": self.template, "sandboxID": self.id, "clientID": "00000000", "envdVersion": "0.6.13",
            "envdAccessToken": self.machine.token, "trafficAccessToken": null, "domain": null,
        })
    }

    fn row(&self) -> Value {
        let state = if *self.is_paused.lock().unwrap() { "paused" } else { "running" };
        json!({
            "templateID": self.template, "sandboxID": self.id, "clientID": "00000000", "envdVersion": "0.6.13",
            "startedAt": self.told(self.started_at_ms), "endAt": self.told(*self.ends_at_ms.lock().unwrap()),
            "cpuCount": 2, "memoryMB": 512, "diskSizeMB": 1024, "metadata": self.metadata, "state": state,
        })
    }
}

/// A moment as text.
pub(crate) fn stamp(ms: u64) -> String {
    let (seconds, ms) = (ms / 1000, ms % 1000);
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    // Civil from days, after Howard Hinnant.
    let z = days + 719_468;
    let (era, doe) = (z / 146_097, z % 146_097);
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let (day, month) = (doy - (153 * mp + 2) / 5 + 1, if mp < 10 { mp + 3 } else { mp - 9 });
    let year = yoe + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z")
}

async fn create(State(plane): State<Arc<Plane>>, headers: HeaderMap, Json(asked): Json<Create>) -> Response {
    let key = headers.get("idempotency-key").filter(|_| !plane.options.is_first_version);
    let Some(key) = key.and_then(|key| key.to_str().ok()) else {
        return at_any_rate(async move {
            match make(&plane, asked).await {
                Ok(reply) => (StatusCode::CREATED, Json(reply)).into_response(),
                Err(response) => response,
            }
        })
        .await;
    };
    let answered = Arc::clone(plane.answered.lock().await.entry(key.to_owned()).or_default());
    at_any_rate(async move {
        let mut answered = answered.lock().await;
        if answered.is_none() {
            match make(&plane, asked).await {
                Ok(reply) => *answered = Some(reply),
                Err(response) => return response,
            }
        }
        (StatusCode::CREATED, Json(answered.clone())).into_response()
    })
    .await
}

/// A vendor does what it began, also when whoever asked has gone.
pub(crate) async fn at_any_rate(work: impl Future<Output = Response> + Send + 'static) -> Response {
    tokio::spawn(work).await.unwrap()
}

async fn make(plane: &Plane, asked: Create) -> Result<Value, Response> {
    let seat = Arc::clone(&plane.making);
    // One that is being made counts, too.
    if plane.sandboxes.lock().unwrap().len() + Arc::strong_count(&seat) > plane.options.concurrent_max.saturating_add(1)
    {
        let message = format!(
            "you have reached the maximum number of concurrent E2B sandboxes ({})",
            plane.options.concurrent_max
        );
        let body = json!({ "code": 429, "message": message }).to_string();
        return Err(refusal(429, &body, &[("retry-after", "1")]));
    }
    let network = asked.allow_internet_access.unwrap_or(true);
    let is_snapshot = plane.snapshots.lock().unwrap().contains_key(&asked.template);
    let warm = if network && !is_snapshot { plane.warm.lock().unwrap().pop_front() } else { None };
    tokio::time::sleep(plane.options.create_takes).await;
    let snapshot = plane.snapshots.lock().unwrap().get(&asked.template).cloned();
    let machine = match (snapshot, warm) {
        (Some(folder), _) => plane.machines.start_from(&folder, network).await,
        (None, Some(machine)) => machine,
        (None, None) => plane.machines.start(network).await,
    };
    let timeout = asked.timeout.unwrap_or(if plane.options.is_first_version { 15 } else { 300 });
    let made = plane.add(machine, asked.template, asked.metadata.unwrap_or_default(), timeout);
    drop(seat);
    Ok(made)
}

/// Rows of a page: few, so that whoever reads one page only is found out.
const PAGE: usize = 3;

#[derive(Deserialize)]
struct Filter {
    metadata: Option<String>,
    limit: Option<usize>,
    #[serde(rename = "nextToken")]
    next: Option<String>,
}

async fn list(State(plane): State<Arc<Plane>>, Query(filter): Query<Filter>) -> Response {
    let wanted: Vec<(String, String)> = filter
        .metadata
        .iter()
        .flat_map(|text| text.split('&'))
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let sandboxes = plane.sandboxes.lock().unwrap();
    let fits = |sandbox: &Sandbox| wanted.iter().all(|(name, value)| sandbox.metadata.get(name) == Some(value));
    let after = filter.next.unwrap_or_default();
    let mut rows = sandboxes.values().filter(|sandbox| fits(sandbox) && sandbox.id > after);
    let limit = filter.limit.unwrap_or(100).min(if plane.options.is_first_version { usize::MAX } else { PAGE });
    let page: Vec<_> = rows.by_ref().take(limit).collect();
    let next = rows.next().and(page.last()).map(|last| last.id.clone());
    let body = Json(page.iter().map(|sandbox| sandbox.row()).collect::<Vec<_>>());
    match next {
        Some(next) => ([("x-next-token", next)], body).into_response(),
        None => body.into_response(),
    }
}

const GONE: &str = "Sandbox not found";

async fn detail(State(plane): State<Arc<Plane>>, Path(id): Path<String>) -> Response {
    plane.find(&id).map_or_else(|| error(404, GONE), |sandbox| Json(sandbox.row()).into_response())
}

async fn kill(State(plane): State<Arc<Plane>>, Path(id): Path<String>) -> Response {
    let gone = plane.sandboxes.lock().unwrap().remove(&id);
    match gone {
        Some(_) => StatusCode::NO_CONTENT.into_response(),
        None => error(404, GONE),
    }
}

async fn put_off(State(plane): State<Arc<Plane>>, Path(id): Path<String>, Json(asked): Json<Timeout>) -> Response {
    let Some(sandbox) = plane.find(&id) else { return error(404, GONE) };
    *sandbox.ends_at_ms.lock().unwrap() = now_ms() + asked.timeout.unwrap_or(300) * 1000;
    StatusCode::NO_CONTENT.into_response()
}

async fn pause(State(plane): State<Arc<Plane>>, Path(id): Path<String>, _body: Bytes) -> Response {
    let Some(sandbox) = plane.find(&id) else { return error(404, GONE) };
    let mut is_paused = sandbox.is_paused.lock().unwrap();
    if *is_paused {
        return error(409, "Sandbox is already paused");
    }
    *is_paused = true;
    // It lives until it is removed.
    *sandbox.ends_at_ms.lock().unwrap() = u64::MAX;
    sandbox.machine.freeze(true);
    StatusCode::NO_CONTENT.into_response()
}

async fn connect(State(plane): State<Arc<Plane>>, Path(id): Path<String>, Json(asked): Json<Timeout>) -> Response {
    let Some(sandbox) = plane.find(&id) else { return error(404, GONE) };
    let was_paused = std::mem::replace(&mut *sandbox.is_paused.lock().unwrap(), false);
    let end = now_ms() + asked.timeout.unwrap_or(300) * 1000;
    let mut ends_at_ms = sandbox.ends_at_ms.lock().unwrap();
    *ends_at_ms = if was_paused { end } else { end.max(*ends_at_ms) };
    if was_paused {
        sandbox.machine.freeze(false);
    }
    let status = if was_paused { StatusCode::CREATED } else { StatusCode::OK };
    (status, Json(sandbox.reply())).into_response()
}

#[derive(Deserialize)]
struct Named {
    name: Option<String>,
}

/// Keeps the files a sandbox has now, to make others from. One of that name is replaced.
async fn snapshot(State(plane): State<Arc<Plane>>, Path(id): Path<String>, Json(asked): Json<Named>) -> Response {
    let Some(sandbox) = plane.find(&id) else { return error(404, GONE) };
    let id = asked.name.map_or_else(|| format!("snap{}:default", unique()), |name| format!("team/{name}:default"));
    let folder = plane.machines.keep(&sandbox.machine);
    if let Some(before) = plane.snapshots.lock().unwrap().insert(id.clone(), folder) {
        std::fs::remove_dir_all(before).ok();
    }
    (StatusCode::CREATED, Json(told(&id))).into_response()
}

/// As it is told of a snapshot.
fn told(id: &str) -> Value {
    let names: Vec<&str> = Some(id).filter(|id| id.contains('/')).into_iter().collect();
    json!({ "snapshotID": id, "names": names })
}

async fn snapshots(State(plane): State<Arc<Plane>>, Query(filter): Query<Filter>) -> Response {
    let snapshots = plane.snapshots.lock().unwrap();
    let after = filter.next.unwrap_or_default();
    let mut ids = snapshots.keys().filter(|id| **id > after);
    let page: Vec<_> = ids.by_ref().take(PAGE).collect();
    let next = ids.next().and(page.last()).map(|last| (*last).clone());
    let body = Json(page.iter().map(|id| told(id)).collect::<Vec<_>>());
    match next {
        Some(next) => ([("x-next-token", next)], body).into_response(),
        None => body.into_response(),
    }
}

async fn forget(State(plane): State<Arc<Plane>>, Path(id): Path<String>) -> Response {
    let gone = plane.snapshots.lock().unwrap().remove(&id);
    match gone {
        Some(folder) => {
            std::fs::remove_dir_all(folder).ok();
            StatusCode::NO_CONTENT.into_response()
        }
        None => error(404, "Template not found"),
    }
}

fn header(request: &Request, name: &str) -> Option<String> {
    request.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}

/// The proxy before the sandboxes.
async fn inside(State(plane): State<Arc<Plane>>, request: Request) -> Response {
    // What this version of the API does not have.
    if request.uri().path().starts_with("/v2/") {
        return error(404, "no such route");
    }
    let (Some(id), Some(_)) = (header(&request, "e2b-sandbox-id"), header(&request, "e2b-sandbox-port")) else {
        return error(400, "missing routing headers");
    };
    let Some(sandbox) = plane.find(&id) else {
        let body = json!({ "sandboxId": id, "message": "The sandbox was not found", "code": 502 });
        return refusal(502, &body.to_string(), &[]);
    };
    if *sandbox.is_paused.lock().unwrap() {
        let body = json!({ "sandboxId": id, "message": "The sandbox is paused", "code": 409 });
        return refusal(409, &body.to_string(), &[]);
    }
    let path = request.uri().path_and_query().map(ToString::to_string).unwrap_or_default();
    // While it is asked it may be taken away: then nobody answers.
    sandbox.machine.ask(request, &path).await
}
