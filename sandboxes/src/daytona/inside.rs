//! Daytona's toolbox: what runs in every sandbox. Short commands are waited for; one whose lines are wanted runs in a session of
//! its own, whose log begins anew with every connection, so that what was heard is skipped.

use std::path::Path;
use std::time::Duration;

use futures_util::StreamExt as _;
use reqwest::multipart::{Form, Part};
use reqwest::{Method, RequestBuilder};
use serde::Deserialize;
use serde_json::json;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::VENDOR;
use super::control::{Control, json_body, read};
use super::log::Log;
use super::parts;
use crate::provider::Error;
use crate::remote::cloud::{ANSWER_BYTES_MAX, Answer, Call, Lines, Machine};
use crate::remote::wire::{Again, Fault, bounded, random, transient};

/// Longest a short command takes.
const CALL: Duration = Duration::from_secs(20 * 60);
/// Time for one file to be sent.
const UPLOAD: Duration = Duration::from_secs(30 * 60);
/// Until a stream has begun.
const BEGIN: Duration = Duration::from_secs(30);
/// Tries to send a file.
const UPLOADS_MAX: u32 = 3;
/// What is said of a request whose body is used up.
const SPENT: &str = "spent";
/// How often a log that broke off is connected to again before whoever hears it begins anew.
const RECONNECTS_MAX: u32 = 3;
/// Comes between what a command prints and its complaints, which the toolbox would mix.
const BETWEEN: &str = "\n--regatta-complaints--\n";
/// What an answer's JSON may add to what it holds.
const ESCAPES: usize = 2;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Executed {
    #[serde(default)]
    exit_code: i32,
    #[serde(default)]
    result: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Begun {
    cmd_id: String,
}

/// The inside of one sandbox.
#[derive(Clone, Copy)]
pub(super) struct Inside<'a> {
    pub(super) control: &'a Control,
    pub(super) machine: &'a Machine,
}

impl<'a> Inside<'a> {
    fn request(&self, client: &reqwest::Client, method: Method, path: &str) -> RequestBuilder {
        client.request(method, format!("{}{path}", self.machine.address))
    }

    /// What is missing is the sandbox: its files and sessions are asked for elsewhere.
    fn error(&self, action: &str, fault: Fault) -> Error {
        VENDOR.error(action, &self.machine.id, fault)
    }

    pub(super) async fn call(&self, call: &Call) -> Result<Answer, Error> {
        // The command comes on standard input, which nothing in it may read.
        let command = format!(
            "complaints=$(mktemp); {} 2>\"$complaints\" </dev/null; code=$?; printf '{}'; head -c 4000 \"$complaints\"; \
             rm -f \"$complaints\"; exit $code",
            line(call),
            BETWEEN.replace('\n', "\\n"),
        );
        let body = json!({ "command": command, "envs": call.env, "timeout": CALL.as_secs() });
        let sent = self.control.account.send(Again::Safe, || {
            let request = self.request(&self.control.wire.patient, Method::POST, "/process/execute");
            Ok(json_body(request.timeout(CALL), &body))
        });
        let response = sent.await.map_err(|fault| self.error("run a command", fault))?;
        let executed: Executed = read("run a command", response, ANSWER_BYTES_MAX * ESCAPES).await?;
        let result = executed.result.unwrap_or_default();
        let (out, err) = result.rsplit_once(BETWEEN).unwrap_or((&result, ""));
        Ok(Answer { code: executed.exit_code, out: out.as_bytes().to_vec(), err: err.as_bytes().to_vec() })
    }

    pub(super) async fn upload(&self, path: &str, file: &Path) -> Result<(), Error> {
        let failed = |source| Error::Transient { action: "read what is to be sent".to_owned(), source };
        for tries in 1.. {
            let open = tokio::fs::File::open(file).await.map_err(failed)?;
            let bytes = open.metadata().await.map_err(failed)?.len();
            let body = reqwest::Body::wrap_stream(tokio_util::io::ReaderStream::new(open));
            let part = Part::stream_with_length(body, bytes).file_name("file");
            // A path must come before its file.
            let form = Form::new().text("files[0].path", path.to_owned()).part("files[0].file", part);
            let request = self.request(&self.control.wire.patient, Method::POST, "/files/bulk-upload");
            let error = match self.once(request.timeout(UPLOAD).multipart(form)).await {
                Ok(()) => return Ok(()),
                Err(fault) => self.error("send a file", fault),
            };
            if !error.is_transient() || tries >= UPLOADS_MAX {
                return Err(error);
            }
        }
        Ok(())
    }

    pub(super) async fn download(&self, path: &str, bytes_max: u64) -> Result<Vec<u8>, Error> {
        let body = json!({ "paths": [path] });
        let sent = self.control.account.send(Again::Safe, || {
            let request = self.request(&self.control.wire.plain, Method::POST, "/files/bulk-download");
            Ok(json_body(request, &body))
        });
        let response = sent.await.map_err(|fault| self.error("read a file", fault))?;
        let kind = response.headers().get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let boundary = parts::boundary(kind).unwrap_or_default();
        let room = usize::try_from(bytes_max).unwrap_or(usize::MAX).saturating_add(parts::ROOM);
        let too_large = || Error::TooLarge { what: path.to_owned(), bytes: bytes_max.saturating_add(1), bytes_max };
        let body = bounded(response, room).await.ok_or_else(too_large)?;
        match parts::first(&body, &boundary) {
            Some(part) if part.name == "file" && part.content.len() as u64 > bytes_max => Err(too_large()),
            Some(part) if part.name == "file" => Ok(part.content.to_vec()),
            Some(_) => Err(Error::Missing(format!("the file {path}"))),
            None => Err(transient("read a file".to_owned(), "the answer is no file".to_owned())),
        }
    }

    pub(super) async fn begin(&self, call: &Call) -> Result<Session, Error> {
        let session = format!("regatta-{:016x}", random());
        let body = json!({ "sessionId": session });
        let made = self.control.account.send(Again::Safe, || {
            Ok(json_body(self.request(&self.control.wire.client, Method::POST, "/process/session"), &body))
        });
        match made.await {
            Ok(_) => {}
            // An answer was lost.
            Err(Fault::Refused(refused)) if refused.status == 409 => {}
            Err(fault) => return Err(self.error("open a session", fault)),
        }
        // A program of its own: a command of the session's shell that exits would take the session with it.
        let body = json!({ "command": line(call), "runAsync": true });
        let path = format!("/process/session/{session}/exec");
        let begun = self
            .control
            .account
            .send(Again::Unsent, || Ok(json_body(self.request(&self.control.wire.client, Method::POST, &path), &body)));
        let response = begun.await.map_err(|fault| self.error("run a command", fault))?;
        let begun: Begun = read("run a command", response, ANSWER_BYTES_MAX).await?;
        Ok(Session { path: format!("/process/session/{session}"), command: begun.cmd_id })
    }

    /// Connects to the log of a command, from its first byte.
    pub(super) async fn log(&self, session: &Session) -> Result<WebSocketStream<reqwest::Upgraded>, Error> {
        let path = format!("{}/command/{}/logs?follow=true", session.path, session.command);
        let sent = self.control.account.send(Again::Safe, || {
            let request = self.request(&self.control.wire.patient, Method::GET, &path);
            Ok(request
                .header("Connection", "Upgrade")
                .header("Upgrade", "websocket")
                .header("Sec-WebSocket-Version", "13")
                .header("Sec-WebSocket-Key", websocket_key())
                .header("X-Daytona-Split-Output", "true"))
        });
        let broken = |reason: String| transient("hear a command in a Daytona sandbox".to_owned(), reason);
        let response = match tokio::time::timeout(BEGIN, sent).await {
            Ok(Ok(response)) => response,
            Ok(Err(fault)) => return Err(self.error("hear a command", fault)),
            Err(_) => return Err(broken("no answer".to_owned())),
        };
        let stream = response.upgrade().await.map_err(|error| broken(error.without_url().to_string()))?;
        Ok(WebSocketStream::from_raw_socket(stream, Role::Client, None).await)
    }

    /// One try of a request whose body is used up by it.
    async fn once(&self, request: RequestBuilder) -> Result<(), Fault> {
        let request = std::sync::Mutex::new(Some(request));
        let take = || {
            let taken = request.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
            taken.ok_or_else(|| SPENT.to_owned())
        };
        match self.control.account.send(Again::Unsent, take).await {
            Ok(_) => Ok(()),
            Err(Fault::NoKey(reason)) if reason == SPENT => Err(Fault::Unreachable("no answer".to_owned())),
            Err(fault) => Err(fault),
        }
    }

    /// Ends a session and everything in it; one that is gone is fine.
    async fn close(&self, session: &Session) {
        let closed = self
            .control
            .account
            .send(Again::Safe, || Ok(self.request(&self.control.wire.client, Method::DELETE, &session.path)));
        // What is left of it ends by itself, or with the sandbox.
        drop(closed.await);
    }
}

/// A command that runs in a session of its own.
#[derive(Debug, Clone)]
pub(super) struct Session {
    path: String,
    command: String,
}

#[cfg(test)]
impl Session {
    pub(super) fn of(path: &str, command: &str) -> Self {
        Self { path: path.to_owned(), command: command.to_owned() }
    }
}

/// The lines a command prints on its standard output.
pub(super) fn lines(control: std::sync::Arc<Control>, machine: Machine, session: Session) -> Lines {
    let (sender, receiver) = tokio::sync::mpsc::channel(64);
    tokio::spawn(async move {
        let inside = Inside { control: &control, machine: &machine };
        let mut log = Log::default();
        let mut breaks = 0;
        loop {
            match hear(inside, &session, &mut log, &sender).await {
                // Its end, or nobody listens.
                Ok(()) => break,
                Err(error) if breaks >= RECONNECTS_MAX || !error.is_transient() => {
                    sender.send(Err(error)).await.ok();
                    break;
                }
                Err(_) => breaks += 1,
            }
        }
        inside.close(&session).await;
    });
    futures_util::stream::unfold(receiver, async |mut receiver| receiver.recv().await.map(|line| (line, receiver)))
        .boxed()
}

type LineSender = tokio::sync::mpsc::Sender<Result<String, Error>>;

/// Hears a log to its end; what was heard before is skipped.
async fn hear(inside: Inside<'_>, session: &Session, log: &mut Log, sender: &LineSender) -> Result<(), Error> {
    let broken = |reason: String| transient("hear a command in a Daytona sandbox".to_owned(), reason);
    let mut socket = inside.log(session).await?;
    log.begins_anew();
    loop {
        let message = tokio::select! {
            message = socket.next() => message,
            () = sender.closed() => return Ok(()),
        };
        match message {
            Some(Ok(Message::Binary(piece))) => log.push(&piece),
            Some(Ok(Message::Text(piece))) => log.push(piece.as_bytes()),
            Some(Ok(Message::Close(_))) => return Ok(()),
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
            Some(Err(error)) => return Err(broken(error.to_string())),
            None => return Err(broken("the log broke off".to_owned())),
        }
        while let Some(line) = log.next_line().map_err(|()| broken("a line is too long".to_owned()))? {
            if sender.send(Ok(line)).await.is_err() {
                return Ok(());
            }
        }
    }
}

fn websocket_key() -> String {
    use base64::Engine as _;
    let bytes = [random().to_be_bytes(), random().to_be_bytes()].concat();
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// A command line that runs a program, in a login shell of its own where it is to.
fn line(call: &Call) -> String {
    let words: Vec<String> = call.argv.iter().map(|word| quoted(word)).collect();
    let shell = if call.login { "bash -l -c 'exec \"$0\" \"$@\"' " } else { "" };
    format!("{shell}{}", words.join(" "))
}

fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}
