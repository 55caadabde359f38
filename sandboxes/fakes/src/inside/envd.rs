//! envd as E2B runs it in each sandbox: commands over Connect with JSON, files over HTTP. What was seen of the real one:
//! a dropped stream leaves its command running, output nobody hears is gone, the end waits for the pipes, a signal reaches one
//! process, and an exit code of zero is left out.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, FromRequest, Multipart, Query, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::StreamExt;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{ChildStdin, Command};
use tokio::sync::mpsc;

use super::{at_home, files};

/// Messages a listener may be behind before the command waits for it.
const BEHIND_MAX: usize = 64;
/// How long an end is still told after it.
const RETENTION: Duration = Duration::from_secs(30);
/// Bytes of one piece of output.
const PIECE: usize = 32 << 10;

#[derive(Default)]
struct Known {
    token: String,
    processes: Mutex<BTreeMap<u32, Arc<Process>>>,
}

struct Process {
    pid: u32,
    tag: Option<String>,
    config: Value,
    stdin: tokio::sync::Mutex<Option<ChildStdin>>,
    listeners: Mutex<Vec<mpsc::Sender<Value>>>,
    end: Mutex<Option<Value>>,
}

pub(super) fn router(token: String) -> Router {
    let known = Arc::new(Known { token, ..Known::default() });
    Router::new()
        .route("/health", get(|| async { StatusCode::NO_CONTENT }))
        .route("/files", get(read).post(write))
        .route("/process.Process/Start", post(start))
        .route("/process.Process/Connect", post(connect))
        .route("/process.Process/List", post(list))
        .route("/process.Process/SendInput", post(send_input))
        .route("/process.Process/CloseStdin", post(close_stdin))
        .route("/process.Process/SendSignal", post(send_signal))
        .route("/filesystem.Filesystem/{method}", post(filesystem))
        .fallback(|| async { (StatusCode::NOT_FOUND, "404 page not found\n") })
        .layer(DefaultBodyLimit::disable())
        .layer(middleware::from_fn_with_state(Arc::clone(&known), guarded))
        .with_state(known)
}

async fn guarded(State(known): State<Arc<Known>>, request: Request, next: Next) -> Response {
    let is_open = request.uri().path() == "/health";
    let token = request.headers().get("x-access-token").and_then(|token| token.to_str().ok());
    if is_open || token == Some(&known.token) {
        return next.run(request).await;
    }
    let message = "unauthorized access, please provide a valid access token or method signing if supported";
    (StatusCode::UNAUTHORIZED, Json(json!({ "code": 401, "message": message }))).into_response()
}

#[derive(Deserialize)]
struct Start {
    process: Config,
    tag: Option<String>,
    stdin: Option<bool>,
}

#[derive(Deserialize)]
struct Config {
    cmd: String,
    #[serde(default)]
    args: Vec<String>,
    #[serde(default)]
    envs: BTreeMap<String, String>,
    cwd: Option<String>,
}

/// What is between the five bytes before a message and its end.
fn opened<T: for<'a> Deserialize<'a>>(body: &[u8]) -> T {
    serde_json::from_slice(body.get(5..).unwrap_or_default()).unwrap()
}

fn sealed(flags: u8, json: &Value) -> Bytes {
    let json = json.to_string();
    let length = u32::try_from(json.len()).unwrap();
    [&[flags][..], &length.to_be_bytes(), json.as_bytes()].concat().into()
}

fn stream_of(messages: Vec<Bytes>) -> Response {
    let body = Body::from(messages.concat());
    ([("content-type", "application/connect+json")], body).into_response()
}

fn failed_stream(code: &str, message: &str) -> Response {
    stream_of(vec![sealed(2, &json!({ "error": { "code": code, "message": message } }))])
}

fn seconds(headers: &HeaderMap, name: &str) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.parse().ok()
}

async fn start(State(known): State<Arc<Known>>, headers: HeaderMap, body: Bytes) -> Response {
    let asked: Start = opened(&body);
    if let Some(user) = user(&headers)
        && !matches!(user.as_str(), "user" | "root")
    {
        return failed_stream("unauthenticated", &format!("invalid username: '{user}'"));
    }
    let cwd = at_home(asked.process.cwd.as_deref().unwrap_or(""));
    if !cwd.is_dir() {
        return failed_stream("invalid_argument", &format!("cwd '{}' does not exist", cwd.display()));
    }
    let spawn = |mut command: Command| {
        command.args(&asked.process.args).envs(&asked.process.envs).current_dir(&cwd);
        command.env_remove(super::KIND).env_remove(super::TOKEN);
        command.stdin(if asked.stdin.unwrap_or(true) { Stdio::piped() } else { Stdio::null() });
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()
    };
    // The real one starts commands through a program that says what it cannot find; here that is asked only then.
    let child = spawn(Command::new(&asked.process.cmd)).or_else(|_| {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", "exec \"$0\" \"$@\"", &asked.process.cmd]);
        spawn(shell)
    });
    let mut child = child.unwrap();
    let pid = child.id().unwrap();
    let process = Arc::new(Process {
        pid,
        tag: asked.tag,
        config: json!({ "cmd": asked.process.cmd, "args": asked.process.args }),
        stdin: tokio::sync::Mutex::new(child.stdin.take()),
        listeners: Mutex::default(),
        end: Mutex::default(),
    });
    known.processes.lock().unwrap().insert(pid, Arc::clone(&process));
    let deadline = seconds(&headers, "connect-timeout-ms").map(Duration::from_millis);
    let response = listen(&process, &headers, deadline);
    tokio::spawn(watch(known, process, child));
    response
}

fn user(headers: &HeaderMap) -> Option<String> {
    let basic = headers.get("authorization")?.to_str().ok()?.strip_prefix("Basic ")?;
    let text = String::from_utf8(STANDARD.decode(basic).ok()?).ok()?;
    Some(text.split(':').next()?.to_owned())
}

/// Tells everybody who listens what the command prints, and at last how it ended.
async fn watch(known: Arc<Known>, process: Arc<Process>, mut child: tokio::process::Child) {
    let (out, err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    tokio::join!(pump(&process, out, "stdout"), pump(&process, err, "stderr"));
    let status = child.wait().await.unwrap();
    let end = match (status.code(), status.signal()) {
        (Some(0), _) => json!({ "exited": true, "status": "exit status 0" }),
        (Some(code), _) => {
            let said = format!("exit status {code}");
            json!({ "exitCode": code, "exited": true, "status": said, "error": said })
        }
        (None, signal) => {
            let said = if signal == Some(9) { "signal: killed" } else { "signal: terminated" };
            json!({ "exitCode": -1, "status": said, "error": said })
        }
    };
    *process.end.lock().unwrap() = Some(end.clone());
    tell(&process, json!({ "event": { "end": end } })).await;
    process.listeners.lock().unwrap().clear();
    tokio::time::sleep(RETENTION).await;
    known.processes.lock().unwrap().remove(&process.pid);
}

async fn pump(process: &Process, mut from: impl tokio::io::AsyncRead + Unpin, channel: &str) {
    let mut piece = vec![0; PIECE];
    loop {
        match from.read(&mut piece).await {
            Ok(0) | Err(_) => return,
            Ok(bytes) => {
                let text = STANDARD.encode(piece.get(..bytes).unwrap());
                tell(process, json!({ "event": { "data": { channel: text } } })).await;
            }
        }
    }
}

async fn tell(process: &Process, message: Value) {
    let listeners = process.listeners.lock().unwrap().clone();
    for listener in listeners {
        listener.send(message.clone()).await.ok();
    }
    process.listeners.lock().unwrap().retain(|listener| !listener.is_closed());
}

/// A stream of what happens from now on.
fn listen(process: &Arc<Process>, headers: &HeaderMap, deadline: Option<Duration>) -> Response {
    let (sender, mut receiver) = mpsc::channel(BEHIND_MAX);
    let ended = process.end.lock().unwrap().clone();
    if ended.is_none() {
        process.listeners.lock().unwrap().push(sender);
    }
    let keepalive = Duration::from_secs(seconds(headers, "keepalive-ping-interval").unwrap_or(90));
    let (pid, first) = (process.pid, sealed(0, &json!({ "event": { "start": { "pid": process.pid } } })));
    let until = deadline.map(|deadline| tokio::time::Instant::now() + deadline);
    let (messages, stream) = mpsc::channel::<Bytes>(1);
    tokio::spawn(async move {
        messages.send(first).await.ok();
        if let Some(end) = ended {
            messages.send(sealed(0, &json!({ "event": { "end": end } }))).await.ok();
            messages.send(sealed(2, &json!({}))).await.ok();
            return;
        }
        loop {
            let patience = until.map_or(Duration::MAX, |until| until - tokio::time::Instant::now());
            let next = tokio::select! {
                message = receiver.recv() => match message {
                    Some(message) => sealed(0, &message),
                    None => { messages.send(sealed(2, &json!({}))).await.ok(); return }
                },
                () = tokio::time::sleep(keepalive) => sealed(0, &json!({ "event": { "keepalive": {} } })),
                () = messages.closed() => return,
                () = tokio::time::sleep(patience), if until.is_some() => {
                    signal(pid, rustix::process::Signal::KILL);
                    let error = json!({ "code": "deadline_exceeded", "message": "context deadline exceeded" });
                    messages.send(sealed(2, &json!({ "error": error }))).await.ok();
                    return;
                }
            };
            if messages.send(next).await.is_err() {
                return;
            }
        }
    });
    let stream = futures_util::stream::unfold(stream, async |mut stream| {
        stream.recv().await.map(|message| (Ok::<_, std::convert::Infallible>(message), stream))
    });
    ([("content-type", "application/connect+json")], Body::from_stream(stream.boxed())).into_response()
}

fn signal(pid: u32, signal: rustix::process::Signal) -> bool {
    let pid = rustix::process::Pid::from_raw(pid.cast_signed()).unwrap();
    rustix::process::kill_process(pid, signal).is_ok()
}

#[derive(Deserialize)]
struct Selected {
    process: Selector,
    input: Option<Input>,
    signal: Option<String>,
}

#[derive(Deserialize)]
struct Selector {
    pid: Option<u32>,
    tag: Option<String>,
}

#[derive(Deserialize)]
struct Input {
    stdin: Option<String>,
}

impl Known {
    fn find(&self, selector: &Selector) -> Result<Arc<Process>, String> {
        let processes = self.processes.lock().unwrap();
        let found = processes.values().find(|process| match (&selector.pid, &selector.tag) {
            (Some(pid), _) => process.pid == *pid,
            (None, tag) => tag.is_some() && process.tag == *tag,
        });
        let what = selector.pid.map_or_else(
            || format!("process with tag {} not found", selector.tag.clone().unwrap_or_default()),
            |pid| format!("process with pid {pid} not found"),
        );
        found.cloned().ok_or(what)
    }
}

fn not_found(message: &str) -> Response {
    (StatusCode::NOT_FOUND, Json(json!({ "code": "not_found", "message": message }))).into_response()
}

async fn connect(State(known): State<Arc<Known>>, headers: HeaderMap, body: Bytes) -> Response {
    let asked: Selected = opened(&body);
    match known.find(&asked.process) {
        Ok(process) => listen(&process, &headers, None),
        Err(message) => failed_stream("not_found", &message),
    }
}

async fn list(State(known): State<Arc<Known>>) -> Response {
    let processes = known.processes.lock().unwrap();
    let alive = processes.values().filter(|process| process.end.lock().unwrap().is_none());
    let rows: Vec<Value> = alive
        .map(|process| {
            let mut row = json!({ "config": process.config, "pid": process.pid });
            if let (Some(tag), Some(row)) = (&process.tag, row.as_object_mut()) {
                row.insert("tag".to_owned(), json!(tag));
            }
            row
        })
        .collect();
    // Nothing is left out of JSON when it is empty.
    Json(if rows.is_empty() { json!({}) } else { json!({ "processes": rows }) }).into_response()
}

async fn send_input(State(known): State<Arc<Known>>, Json(asked): Json<Selected>) -> Response {
    let process = match known.find(&asked.process) {
        Ok(process) => process,
        Err(message) => return not_found(&message),
    };
    let bytes = STANDARD.decode(asked.input.and_then(|input| input.stdin).unwrap_or_default()).unwrap();
    if let Some(stdin) = process.stdin.lock().await.as_mut() {
        stdin.write_all(&bytes).await.ok();
        stdin.flush().await.ok();
    }
    Json(json!({})).into_response()
}

async fn close_stdin(State(known): State<Arc<Known>>, Json(asked): Json<Selected>) -> Response {
    match known.find(&asked.process) {
        Ok(process) => {
            drop(process.stdin.lock().await.take());
            Json(json!({})).into_response()
        }
        Err(message) => not_found(&message),
    }
}

async fn send_signal(State(known): State<Arc<Known>>, Json(asked): Json<Selected>) -> Response {
    let process = match known.find(&asked.process) {
        Ok(process) => process,
        Err(message) => return not_found(&message),
    };
    let kind = match asked.signal.as_deref() {
        Some("SIGNAL_SIGKILL") => rustix::process::Signal::KILL,
        _ => rustix::process::Signal::TERM,
    };
    signal(process.pid, kind);
    Json(json!({})).into_response()
}

#[derive(Deserialize)]
struct Path {
    path: Option<String>,
}

fn file_error(status: StatusCode, message: &str) -> Response {
    (status, Json(json!({ "code": status.as_u16(), "message": message }))).into_response()
}

async fn read(Query(asked): Query<Path>, headers: HeaderMap) -> Response {
    let path = at_home(&asked.path.unwrap_or_default());
    if path.is_dir() {
        return file_error(StatusCode::BAD_REQUEST, &format!("path '{}' is a directory", path.display()));
    }
    let Ok(content) = std::fs::read(&path) else {
        return file_error(StatusCode::NOT_FOUND, &format!("path '{}' does not exist", path.display()));
    };
    let range = headers.get("range").and_then(|range| range.to_str().ok()?.strip_prefix("bytes=")?.split_once('-'));
    let Some((begin, end)) = range else {
        return ([("content-type", "application/octet-stream")], content).into_response();
    };
    let begin: usize = begin.parse().unwrap();
    let end = end.parse::<usize>().unwrap().saturating_add(1).min(content.len());
    match content.get(begin..end) {
        Some(part) if begin < content.len() => {
            let of = format!("bytes {begin}-{}/{}", end - 1, content.len());
            (StatusCode::PARTIAL_CONTENT, [("content-range", of)], part.to_vec()).into_response()
        }
        _ => StatusCode::RANGE_NOT_SATISFIABLE.into_response(),
    }
}

async fn write(Query(asked): Query<Path>, request: Request) -> Response {
    let kind = request.headers().get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or("").to_owned();
    let mut written = Vec::new();
    if kind.starts_with("multipart/") {
        let mut form = Multipart::from_request(request, &()).await.unwrap();
        while let Ok(Some(mut field)) = form.next_field().await {
            let name = asked.path.clone().or_else(|| field.file_name().map(str::to_owned)).unwrap_or_default();
            let path = at_home(&name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            let mut file = tokio::fs::File::create(&path).await.unwrap();
            while let Ok(Some(piece)) = field.chunk().await {
                file.write_all(&piece).await.unwrap();
            }
            file.flush().await.unwrap();
            written.push(path);
        }
    } else {
        let Some(path) = asked.path else {
            return file_error(StatusCode::BAD_REQUEST, "path query parameter is required for raw body upload");
        };
        let content = axum::body::to_bytes(request.into_body(), usize::MAX).await.unwrap();
        files::write(&at_home(&path), &content).unwrap();
        written.push(at_home(&path));
    }
    let rows: Vec<Value> = written
        .iter()
        .map(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            json!({ "name": name, "path": path.to_string_lossy(), "type": "file" })
        })
        .collect();
    // It says text, and is JSON.
    ([("content-type", "text/plain; charset=utf-8")], Value::from(rows).to_string()).into_response()
}

#[derive(Deserialize)]
struct Moved {
    path: Option<String>,
    source: Option<String>,
    destination: Option<String>,
}

async fn filesystem(axum::extract::Path(method): axum::extract::Path<String>, Json(asked): Json<Moved>) -> Response {
    let path = at_home(asked.path.as_deref().unwrap_or(""));
    let missing = || not_found(&format!("file not found: lstat {}: no such file or directory", path.display()));
    match method.as_str() {
        "Stat" => {
            files::entry(&path).map_or_else(|_| missing(), |entry| Json(json!({ "entry": entry })).into_response())
        }
        "ListDir" => {
            let Ok(entries) = path.read_dir() else { return missing() };
            let rows: Vec<Value> = entries.flatten().filter_map(|entry| files::entry(&entry.path()).ok()).collect();
            Json(json!({ "entries": rows })).into_response()
        }
        "MakeDir" if path.exists() => {
            let message = format!("directory already exists: {}", path.display());
            (StatusCode::CONFLICT, Json(json!({ "code": "already_exists", "message": message }))).into_response()
        }
        "MakeDir" => {
            std::fs::create_dir_all(&path).unwrap();
            Json(json!({ "entry": files::entry(&path).unwrap() })).into_response()
        }
        "Move" => {
            let to = at_home(&asked.destination.unwrap());
            std::fs::rename(at_home(&asked.source.unwrap()), &to).unwrap();
            Json(json!({ "entry": files::entry(&to).unwrap() })).into_response()
        }
        "Remove" => {
            std::fs::remove_dir_all(&path).or_else(|_| std::fs::remove_file(&path)).ok();
            Json(json!({})).into_response()
        }
        _ => (StatusCode::NOT_FOUND, "404 page not found\n").into_response(),
    }
}
