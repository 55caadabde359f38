//! Daytona's API (version 0) with its proxy in front of the sandboxes, as far as its clients use them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Path, Query, Request, State};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
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
    /// How long a sandbox is on its way to `started`.
    pub start_takes: Duration,
    /// How long a removed sandbox is still listed as being destroyed.
    pub destroy_takes: Duration,
    /// A state nobody has heard of, on the way to `started`.
    pub strange_state: Option<&'static str>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            key: "dtn_00000000aa".to_owned(),
            start_takes: Duration::ZERO,
            destroy_takes: Duration::ZERO,
            strange_state: None,
        }
    }
}

/// A running fake.
#[derive(Clone)]
pub struct FakeDaytona {
    /// What ends in `/api`.
    pub url: String,
    pub faults: Faults,
    relay: Relay,
    plane: Arc<Plane>,
}

struct Plane {
    options: Options,
    machines: Machines,
    address: String,
    sandboxes: Mutex<BTreeMap<String, Arc<Sandbox>>>,
}

struct Sandbox {
    id: String,
    name: String,
    labels: Mutex<BTreeMap<String, String>>,
    snapshot: String,
    env: Value,
    block_all: bool,
    created_at_ms: u64,
    /// A state, and from when on there is another one.
    state: Mutex<(&'static str, u64)>,
    machine: Mutex<Option<Arc<Machine>>>,
}

impl FakeDaytona {
    pub async fn start(program: Program, options: Options) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let relay = Relay::to(listener.local_addr().unwrap()).await;
        let plane = Arc::new(Plane {
            options,
            machines: Machines::new(program, Kind::Toolbox, None),
            address: format!("http://{}", relay.address),
            sandboxes: Mutex::default(),
        });
        let faults = Faults::default();
        let state = (faults.clone(), relay.clone());
        let app = router(&plane).layer(middleware::from_fn_with_state(state, at_fault));
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { url: format!("http://{}/api", relay.address), faults, relay, plane }
    }

    /// The ids of live sandboxes.
    pub fn live(&self) -> Vec<String> {
        self.plane.sandboxes.lock().unwrap().keys().cloned().collect()
    }

    /// The values of a label of live sandboxes.
    pub fn labels(&self, name: &str) -> Vec<String> {
        self.plane.find("");
        let sandboxes = self.plane.sandboxes.lock().unwrap();
        sandboxes.values().filter_map(|sandbox| sandbox.labels.lock().unwrap().get(name).cloned()).collect()
    }

    /// What there is of sandboxes on this machine, listed or not: folders and processes.
    pub fn left(&self) -> Vec<String> {
        self.plane.machines.left()
    }

    /// Takes a sandbox away.
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
}

fn router(plane: &Arc<Plane>) -> Router {
    Router::new()
        .route("/api/sandbox", post(create).get(list))
        .route("/api/sandbox/{id}", get(detail).delete(remove))
        .route("/api/sandbox/{id}/start", post(start))
        .route("/api/sandbox/{id}/stop", post(stop))
        .route("/api/sandbox/{id}/labels", put(label))
        .route("/api/sandbox/{id}/autostop/{minutes}", post(detail_of_two))
        .route("/api/sandbox/{id}/last-activity", post(|| async { StatusCode::CREATED }))
        .route("/toolbox/{id}/{*path}", axum::routing::any(inside))
        .fallback(|| async { (StatusCode::NOT_FOUND, "404 page not found") })
        .layer(DefaultBodyLimit::disable())
        .layer(middleware::from_fn_with_state(Arc::clone(plane), guarded))
        .with_state(Arc::clone(plane))
}

async fn at_fault(State((faults, relay)): State<(Faults, Relay)>, request: Request, next: Next) -> Response {
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
            let (parts, body) = request.into_parts();
            let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
            next.clone().run(Request::from_parts(parts.clone(), Body::from(body.clone()))).await;
            next.run(Request::from_parts(parts, Body::from(body))).await
        }
    }
}

async fn guarded(State(plane): State<Arc<Plane>>, request: Request, next: Next) -> Response {
    let expected = format!("Bearer {}", plane.options.key);
    let key = request.headers().get("authorization").and_then(|key| key.to_str().ok());
    // What the vendor's clients listen to for news; they do without.
    let is_open = request.uri().path().starts_with("/api/socket.io");
    if !is_open && key != Some(&expected) {
        return error(401, "Unauthorized", request.uri().path(), "Invalid credentials");
    }
    next.run(request).await
}

fn error(status: u16, kind: &str, path: &str, message: &str) -> Response {
    let body = json!({
        "path": path, "timestamp": "2026-11-22T06:43:09.031Z", "statusCode": status, "error": kind, "message": message,
    });
    refusal(status, &body.to_string(), &[])
}

fn gone(id: &str) -> Response {
    error(404, "Not Found", &format!("/api/sandbox/{id}"), &format!("Sandbox with ID or name {id} not found"))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Create {
    name: Option<String>,
    snapshot: Option<String>,
    env: Option<Value>,
    labels: Option<BTreeMap<String, String>>,
    network_block_all: Option<bool>,
}

impl Plane {
    fn find(&self, id: &str) -> Option<Arc<Sandbox>> {
        let mut sandboxes = self.sandboxes.lock().unwrap();
        sandboxes.retain(|_, sandbox| sandbox.state_now() != "destroyed");
        sandboxes.values().find(|sandbox| sandbox.id == id || sandbox.name == id).cloned()
    }
}

impl Sandbox {
    /// The state, moved on when its time has come.
    fn state_now(&self) -> &'static str {
        let mut state = self.state.lock().unwrap();
        if now_ms() >= state.1 {
            state.0 = match state.0 {
                "destroying" | "destroyed" => "destroyed",
                "stopping" | "stopped" => "stopped",
                _ => "started",
            };
        }
        state.0
    }

    /// Every field the vendor's clients want.
    fn row(&self, plane: &Plane) -> Value {
        json!({
            "id": self.id, "organizationId": "org-1", "name": self.name, "snapshot": self.snapshot, "user": "daytona",
            "env": self.env, "labels": *self.labels.lock().unwrap(), "public": false, "networkBlockAll": self.block_all,
            "kvm": false, "target": "us", "cpu": 1, "gpu": 0, "memory": 1, "disk": 3, "state": self.state_now(),
            "desiredState": "started", "recoverable": false, "autoStopInterval": 15, "autoArchiveInterval": 10080,
            "autoDeleteInterval": 0, "toolboxProxyUrl": format!("{}/toolbox", plane.address),
            "createdAt": crate::e2b::stamp(self.created_at_ms), "updatedAt": crate::e2b::stamp(self.created_at_ms),
            "a field of tomorrow": { "nobody": "knows" },
        })
    }
}

async fn create(State(plane): State<Arc<Plane>>, Json(asked): Json<Create>) -> Response {
    crate::e2b::at_any_rate(make(plane, asked)).await
}

async fn make(plane: Arc<Plane>, asked: Create) -> Response {
    let id = format!("sb-{}", unique());
    let name = asked.name.unwrap_or_else(|| id.clone());
    if plane.find(&name).is_some() {
        return error(409, "Conflict", "/api/sandbox", &format!("Sandbox with name {name} already exists"));
    }
    let on_the_way = plane.options.strange_state.unwrap_or("creating");
    let block_all = asked.network_block_all.unwrap_or(false);
    let sandbox = Arc::new(Sandbox {
        id: id.clone(),
        name,
        labels: Mutex::new(asked.labels.unwrap_or_default()),
        snapshot: asked.snapshot.unwrap_or_else(|| "default".to_owned()),
        env: asked.env.unwrap_or_else(|| json!({})),
        block_all,
        created_at_ms: now_ms(),
        state: Mutex::new((on_the_way, u64::MAX)),
        machine: Mutex::default(),
    });
    plane.sandboxes.lock().unwrap().insert(id, Arc::clone(&sandbox));
    let machine = plane.machines.start(!block_all).await;
    *sandbox.machine.lock().unwrap() = Some(Arc::new(machine));
    sandbox.state.lock().unwrap().1 = now_ms() + u64::try_from(plane.options.start_takes.as_millis()).unwrap();
    Json(sandbox.row(&plane)).into_response()
}

#[derive(Deserialize)]
struct Filter {
    labels: Option<String>,
    limit: Option<usize>,
    cursor: Option<String>,
}

async fn list(State(plane): State<Arc<Plane>>, Query(filter): Query<Filter>) -> Response {
    plane.find("");
    let wanted: BTreeMap<String, String> =
        filter.labels.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
    let sandboxes = plane.sandboxes.lock().unwrap();
    let after = filter.cursor.unwrap_or_default();
    let fits = |sandbox: &Sandbox| {
        let labels = sandbox.labels.lock().unwrap();
        wanted.iter().all(|(name, value)| labels.get(name) == Some(value))
    };
    let mut rows = sandboxes.values().filter(|sandbox| fits(sandbox) && sandbox.id > after);
    // Pages are small, so that whoever reads one only is found out.
    let page: Vec<_> = rows.by_ref().take(filter.limit.unwrap_or(100).min(3)).collect();
    let next = rows.next().and(page.last()).map(|last| last.id.clone());
    let items: Vec<Value> = page.iter().map(|sandbox| sandbox.row(&plane)).collect();
    Json(json!({ "items": items, "nextCursor": next })).into_response()
}

async fn detail(State(plane): State<Arc<Plane>>, Path(id): Path<String>) -> Response {
    plane.find(&id).map_or_else(|| gone(&id), |sandbox| Json(sandbox.row(&plane)).into_response())
}

async fn detail_of_two(state: State<Arc<Plane>>, Path((id, _)): Path<(String, String)>) -> Response {
    detail(state, Path(id)).await
}

async fn remove(State(plane): State<Arc<Plane>>, Path(id): Path<String>) -> Response {
    let Some(sandbox) = plane.find(&id) else { return gone(&id) };
    drop(sandbox.machine.lock().unwrap().take());
    let until = now_ms() + u64::try_from(plane.options.destroy_takes.as_millis()).unwrap();
    *sandbox.state.lock().unwrap() = ("destroying", until);
    Json(sandbox.row(&plane)).into_response()
}

async fn start(State(plane): State<Arc<Plane>>, Path(id): Path<String>) -> Response {
    let Some(sandbox) = plane.find(&id) else { return gone(&id) };
    if let Some(machine) = &*sandbox.machine.lock().unwrap() {
        machine.freeze(false);
    }
    *sandbox.state.lock().unwrap() = ("starting", now_ms());
    Json(sandbox.row(&plane)).into_response()
}

async fn stop(State(plane): State<Arc<Plane>>, Path(id): Path<String>) -> Response {
    let Some(sandbox) = plane.find(&id) else { return gone(&id) };
    if let Some(machine) = &*sandbox.machine.lock().unwrap() {
        machine.freeze(true);
    }
    *sandbox.state.lock().unwrap() = ("stopped", u64::MAX);
    Json(sandbox.row(&plane)).into_response()
}

#[derive(Deserialize)]
struct Labels {
    labels: BTreeMap<String, String>,
}

async fn label(State(plane): State<Arc<Plane>>, Path(id): Path<String>, Json(asked): Json<Labels>) -> Response {
    let Some(sandbox) = plane.find(&id) else { return gone(&id) };
    *sandbox.labels.lock().unwrap() = asked.labels.clone();
    Json(json!({ "labels": asked.labels })).into_response()
}

/// The proxy before the sandboxes.
async fn inside(State(plane): State<Arc<Plane>>, request: Request) -> Response {
    let path = request.uri().path_and_query().map(ToString::to_string).unwrap_or_default();
    let (id, path) = path.strip_prefix("/toolbox/").and_then(|rest| rest.split_once('/')).unwrap_or_default();
    let (id, path) = (id.to_owned(), format!("/{path}"));
    let machine = plane.find(&id).filter(|sandbox| sandbox.state_now() == "started");
    let machine = machine.and_then(|sandbox| sandbox.machine.lock().unwrap().clone());
    match machine {
        Some(machine) => machine.ask(request, &path).await,
        None => gone(&id),
    }
}
