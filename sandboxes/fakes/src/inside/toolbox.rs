//! The toolbox as Daytona runs it in each sandbox: commands that are waited for, sessions with a long-lived shell, files. What
//! was seen of the real one: commands of a session are sourced into its shell, so that `exit` ends it for ever; a log begins
//! with its first byte on every connection, its lines are marked by channel, and it is closed a second after the end.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{DefaultBodyLimit, Multipart, Path as Place, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, ChildStdin, Command};

use super::{KIND, TOKEN, at_home, files};

/// How often a log is looked at.
const LOOK: Duration = Duration::from_millis(10);
/// Between a command's end and that of its log.
const CLOSING: Duration = Duration::from_secs(1);
/// Marks the lines of the channel `@` in a log.
const LABEL: &str = r#"perl -ne 'BEGIN { $| = 1 } chomp; print "\x0@\x0@\x0@$_\n"'"#;

#[derive(Default)]
struct Sessions(Mutex<BTreeMap<String, Arc<Session>>>);

struct Session {
    folder: PathBuf,
    shell: tokio::sync::Mutex<(Child, ChildStdin)>,
    commands: Mutex<Vec<(String, String)>>,
}

pub(super) fn router() -> Router {
    Router::new()
        .route("/process/execute", post(execute))
        .route("/process/session", post(open).get(sessions))
        .route("/process/session/{id}", get(session).delete(close))
        .route("/process/session/{id}/exec", post(exec))
        .route("/process/session/{id}/command/{command}", get(command))
        .route("/process/session/{id}/command/{command}/logs", get(logs))
        .route("/files", get(list).delete(remove))
        .route("/files/info", get(facts))
        .route("/files/folder", post(folder))
        .route("/files/download", get(download))
        .route("/files/upload", post(upload))
        .route("/files/bulk-upload", post(bulk_upload))
        .route("/files/bulk-download", post(bulk_download))
        .fallback(|| async { (StatusCode::NOT_FOUND, "404 page not found") })
        .layer(DefaultBodyLimit::disable())
        .with_state(Arc::new(Sessions::default()))
}

fn error(status: u16, code: &str, message: &str) -> Response {
    let body = json!({ "statusCode": status, "message": message, "code": code, "timestamp": "2026-11-22T06:44:13Z" });
    (StatusCode::from_u16(status).unwrap(), Json(body)).into_response()
}

fn no_session() -> Response {
    error(404, "NOT_FOUND", "not found: session not found")
}

#[derive(Deserialize)]
struct Execute {
    command: String,
    cwd: Option<String>,
    #[serde(default)]
    envs: Option<BTreeMap<String, String>>,
    timeout: Option<u64>,
}

async fn execute(Json(asked): Json<Execute>) -> Response {
    let cwd = at_home(asked.cwd.as_deref().unwrap_or(""));
    if !cwd.is_dir() {
        return Json(json!({ "exitCode": -1, "result": "" })).into_response();
    }
    // Both channels are one, and the command comes on standard input.
    let mut shell = Command::new("bash");
    shell.args(["-c", "exec bash 2>&1"]).current_dir(cwd).envs(asked.envs.unwrap_or_default());
    shell.env_remove(KIND).env_remove(TOKEN).stdin(Stdio::piped()).stdout(Stdio::piped()).process_group(0);
    let mut child = shell.spawn().unwrap();
    let group = child.id().unwrap();
    child.stdin.take().unwrap().write_all(asked.command.as_bytes()).await.ok();
    let limit = asked.timeout.map_or(Duration::MAX, Duration::from_secs);
    let Ok(output) = tokio::time::timeout(limit, child.wait_with_output()).await else {
        let group = rustix::process::Pid::from_raw(group.cast_signed()).unwrap();
        rustix::process::kill_process_group(group, rustix::process::Signal::KILL).ok();
        return error(408, "REQUEST_TIMEOUT", "request timeout: command execution timeout");
    };
    let output = output.unwrap();
    let result = String::from_utf8_lossy(&output.stdout);
    Json(json!({ "exitCode": output.status.code().unwrap_or(-1), "result": result })).into_response()
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Open {
    session_id: String,
}

async fn open(State(all): State<Arc<Sessions>>, Json(asked): Json<Open>) -> Response {
    let mut sessions = all.0.lock().unwrap();
    if sessions.contains_key(&asked.session_id) {
        return error(409, "CONFLICT", "conflict: session already exists");
    }
    let folder = Path::new("/run/sessions").join(&asked.session_id);
    std::fs::create_dir_all(&folder).unwrap();
    let mut shell = Command::new("bash");
    shell.env_remove(KIND).env_remove(TOKEN).current_dir(at_home("")).process_group(0);
    shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = shell.spawn().unwrap();
    let stdin = child.stdin.take().unwrap();
    let session = Session { folder, shell: tokio::sync::Mutex::new((child, stdin)), commands: Mutex::default() };
    sessions.insert(asked.session_id, Arc::new(session));
    StatusCode::CREATED.into_response()
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Exec {
    command: String,
    #[serde(default)]
    run_async: Option<bool>,
}

impl Sessions {
    fn find(&self, id: &str) -> Option<Arc<Session>> {
        self.0.lock().unwrap().get(id).cloned()
    }
}

impl Session {
    fn row(&self, id: &str) -> Value {
        let commands = self.commands.lock().unwrap();
        let rows: Vec<Value> = commands.iter().map(|(id, text)| self.command(id, text)).collect();
        json!({ "sessionId": id, "commands": rows })
    }

    fn command(&self, id: &str, text: &str) -> Value {
        match self.exit(id) {
            Some(code) => json!({ "id": id, "command": text, "exitCode": code }),
            None => json!({ "id": id, "command": text }),
        }
    }

    fn exit(&self, id: &str) -> Option<i32> {
        std::fs::read_to_string(self.folder.join(id).join("exit")).ok()?.trim().parse().ok()
    }

    fn log(&self, id: &str) -> Vec<u8> {
        std::fs::read(self.folder.join(id).join("log")).unwrap_or_default()
    }
}

async fn exec(State(all): State<Arc<Sessions>>, Place(id): Place<String>, Json(asked): Json<Exec>) -> Response {
    let Some(session) = all.find(&id) else { return no_session() };
    let command = crate::unique();
    let folder = session.folder.join(&command);
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("command"), &asked.command).unwrap();
    std::fs::write(folder.join("log"), "").unwrap();
    let (at, out, err) = (folder.display(), LABEL.replace('@', "1"), LABEL.replace('@', "2"));
    let line = format!(
        "{{ . {at}/command; }} > >({out} >>{at}/log) 2> >({err} >>{at}/log) </dev/null; echo $? >{at}/new; mv {at}/new {at}/exit\n"
    );
    let written = session.shell.lock().await.1.write_all(line.as_bytes()).await;
    if written.is_err() {
        return error(
            500,
            "",
            "failed to execute command: bad request: failed to write command: write |1: broken pipe",
        );
    }
    session.commands.lock().unwrap().insert(0, (command.clone(), asked.command));
    if asked.run_async == Some(true) {
        let body = json!({ "cmdId": command, "output": null, "stdout": null, "stderr": null, "exitCode": null });
        return (StatusCode::ACCEPTED, Json(body)).into_response();
    }
    while session.exit(&command).is_none() {
        tokio::time::sleep(LOOK).await;
    }
    tokio::time::sleep(LOOK * 3).await;
    let log = session.log(&command);
    let [stdout, stderr] = [1, 2].map(|mark| channel(&log, mark));
    let output = String::from_utf8_lossy(&log);
    let code = session.exit(&command);
    Json(json!({ "cmdId": command, "output": output, "stdout": stdout, "stderr": stderr, "exitCode": code }))
        .into_response()
}

/// The lines of one channel.
fn channel(log: &[u8], mark: u8) -> String {
    let lines = log.split_inclusive(|byte| *byte == b'\n').filter_map(|line| line.strip_prefix(&[mark; 3]));
    String::from_utf8_lossy(&lines.collect::<Vec<_>>().concat()).into_owned()
}

async fn sessions(State(all): State<Arc<Sessions>>) -> Response {
    let sessions = all.0.lock().unwrap();
    Json(sessions.iter().map(|(id, session)| session.row(id)).collect::<Vec<_>>()).into_response()
}

async fn session(State(all): State<Arc<Sessions>>, Place(id): Place<String>) -> Response {
    all.find(&id).map_or_else(no_session, |session| Json(session.row(&id)).into_response())
}

async fn close(State(all): State<Arc<Sessions>>, Place(id): Place<String>) -> Response {
    let Some(session) = all.0.lock().unwrap().remove(&id) else { return no_session() };
    let mut shell = session.shell.lock().await;
    if let Some(group) = shell.0.id().and_then(|pid| rustix::process::Pid::from_raw(pid.cast_signed())) {
        rustix::process::kill_process_group(group, rustix::process::Signal::KILL).ok();
    }
    shell.0.wait().await.ok();
    std::fs::remove_dir_all(&session.folder).ok();
    StatusCode::NO_CONTENT.into_response()
}

async fn command(State(all): State<Arc<Sessions>>, Place((id, command)): Place<(String, String)>) -> Response {
    let Some(session) = all.find(&id) else { return no_session() };
    let text = session.commands.lock().unwrap().iter().find(|(id, _)| *id == command).map(|(_, text)| text.clone());
    match text {
        Some(text) => Json(session.command(&command, &text)).into_response(),
        None => error(404, "NOT_FOUND", "not found: command not found"),
    }
}

/// Whether the asker wants lines marked.
fn is_split(headers: &HeaderMap) -> bool {
    headers.contains_key("x-daytona-sdk-version")
        || headers.get("x-daytona-split-output").is_some_and(|value| value == "true")
}

fn unmarked(log: &[u8]) -> Vec<u8> {
    let lines = log.split_inclusive(|byte| *byte == b'\n');
    lines
        .map(|line| line.strip_prefix(&[1; 3]).or_else(|| line.strip_prefix(&[2; 3])).unwrap_or(line))
        .collect::<Vec<_>>()
        .concat()
}

async fn logs(
    State(all): State<Arc<Sessions>>,
    Place((id, command)): Place<(String, String)>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, axum::extract::ws::rejection::WebSocketUpgradeRejection>,
) -> Response {
    let Some(session) = all.find(&id) else { return no_session() };
    let split = is_split(&headers);
    match upgrade {
        Ok(upgrade) => upgrade.on_upgrade(move |socket| follow(socket, session, command, split)),
        // It says what there is, and does not follow.
        Err(_) if headers.contains_key("x-daytona-sdk-version") => {
            let log = session.log(&command);
            let [stdout, stderr] = [1, 2].map(|mark| channel(&log, mark));
            Json(json!({ "output": String::from_utf8_lossy(&log), "stdout": stdout, "stderr": stderr })).into_response()
        }
        Err(_) => unmarked(&session.log(&command)).into_response(),
    }
}

async fn follow(mut socket: WebSocket, session: Arc<Session>, command: String, split: bool) {
    let mut told = 0;
    let mut ended: Option<tokio::time::Instant> = None;
    loop {
        let log = session.log(&command);
        if let Some(fresh) = log.get(told..).filter(|fresh| !fresh.is_empty()) {
            let piece = if split { fresh.to_vec() } else { unmarked(fresh) };
            if socket.send(Message::Binary(piece.into())).await.is_err() {
                return;
            }
            told = log.len();
        }
        if ended.is_none() && session.exit(&command).is_some() {
            ended = Some(tokio::time::Instant::now());
        }
        if ended.is_some_and(|ended| ended.elapsed() >= CLOSING) {
            break;
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            message = socket.recv() => if !matches!(message, Some(Ok(_))) { return },
        }
    }
    let frame = axum::extract::ws::CloseFrame { code: 1000, reason: "".into() };
    socket.send(Message::Close(Some(frame))).await.ok();
}

#[derive(Deserialize)]
struct At {
    path: Option<String>,
}

impl At {
    fn path(&self) -> PathBuf {
        at_home(self.path.as_deref().unwrap_or(""))
    }
}

async fn list(Query(at): Query<At>) -> Response {
    let Ok(entries) = at.path().read_dir() else { return StatusCode::NOT_FOUND.into_response() };
    let rows: Vec<Value> = entries.flatten().filter_map(|entry| files::facts(&entry.path()).ok()).collect();
    Json(rows).into_response()
}

async fn facts(Query(at): Query<At>) -> Response {
    files::facts(&at.path()).map_or_else(|_| StatusCode::NOT_FOUND.into_response(), |facts| Json(facts).into_response())
}

async fn folder(Query(at): Query<At>) -> Response {
    std::fs::create_dir_all(at.path()).unwrap();
    StatusCode::CREATED.into_response()
}

async fn remove(Query(at): Query<At>) -> Response {
    std::fs::remove_file(at.path()).or_else(|_| std::fs::remove_dir_all(at.path())).ok();
    StatusCode::NO_CONTENT.into_response()
}

async fn download(Query(at): Query<At>) -> Response {
    std::fs::read(at.path()).map_or_else(|_| StatusCode::NOT_FOUND.into_response(), IntoResponse::into_response)
}

async fn upload(Query(at): Query<At>, mut form: Multipart) -> Response {
    while let Ok(Some(field)) = form.next_field().await {
        files::write(&at.path(), &field.bytes().await.unwrap()).unwrap();
    }
    StatusCode::OK.into_response()
}

async fn bulk_upload(mut form: Multipart) -> Response {
    let mut paths: BTreeMap<String, PathBuf> = BTreeMap::new();
    let mut rows = Vec::new();
    while let Ok(Some(field)) = form.next_field().await {
        let name = field.name().unwrap_or_default().to_owned();
        if let Some(entry) = name.strip_suffix(".path") {
            paths.insert(entry.to_owned(), at_home(&field.text().await.unwrap()));
            continue;
        }
        let Some(path) = name.strip_suffix(".file").and_then(|entry| paths.get(entry)) else {
            return error(400, "BAD_REQUEST", "bad request: a file without a path before it");
        };
        let content = field.bytes().await.unwrap();
        files::write(path, &content).unwrap();
        rows.push(json!({ "path": path.to_string_lossy(), "bytes": content.len() }));
    }
    Json(json!({ "files": rows })).into_response()
}

#[derive(Deserialize)]
struct Paths {
    paths: Vec<String>,
}

async fn bulk_download(Json(asked): Json<Paths>) -> Response {
    const BOUNDARY: &str = "DAYTONA-FILE-BOUNDARY";
    let mut body = Vec::new();
    for path in asked.paths {
        match std::fs::read(at_home(&path)) {
            Ok(content) => {
                let head = format!(
                    "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{path}\"\r\n\
                     Content-Length: {}\r\nContent-Type: application/octet-stream\r\n\r\n",
                    content.len()
                );
                body.extend_from_slice(head.as_bytes());
                body.extend(content);
            }
            Err(_) => {
                let why = json!({ "statusCode": 404, "message": format!("file not found: {path}"), "code": "FILE_NOT_FOUND" });
                let head = format!(
                    "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"error\"; filename=\"{path}\"\r\n\
                     Content-Type: application/json; charset=utf-8\r\n\r\n{why}"
                );
                body.extend_from_slice(head.as_bytes());
            }
        }
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
    ([("content-type", format!("multipart/form-data; boundary={BOUNDARY}"))], body).into_response()
}
