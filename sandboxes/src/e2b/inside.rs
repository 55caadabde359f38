//! envd: what runs in every E2B sandbox. Commands over Connect with JSON, files over plain HTTP. A stream that is dropped
//! leaves its command running, and nothing is told twice: whoever needs all of it reads files.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::StreamExt as _;
use reqwest::header::RANGE;
use reqwest::multipart::{Form, Part};
use reqwest::{RequestBuilder, Response, StatusCode};
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};

use super::envelope::{self, Reader};
use crate::provider::Error;
use crate::remote::cloud::{ANSWER_BYTES_MAX, Answer, Call, LINE_BYTES_MAX, Lines, Machine};
use crate::remote::wire::{Again, Fault, Vendor, Wire, bounded, send, transient};

/// Where envd listens in a sandbox.
pub(super) const PORT: &str = "49983";
/// How often envd says that it is there while a command says nothing, in seconds.
const KEEPALIVE: &str = "5";
/// A stream without a sign of life for so long has broken.
const SILENCE: Duration = Duration::from_secs(15);
/// Time for one file to be sent.
const UPLOAD: Duration = Duration::from_secs(30 * 60);
/// Bytes of a unary answer.
const UNARY_BYTES_MAX: usize = 1 << 20;

/// The inside of one sandbox.
#[derive(Debug, Clone, Copy)]
pub(super) struct Inside<'a> {
    pub(super) wire: &'a Wire,
    pub(super) vendor: Vendor,
    pub(super) machine: &'a Machine,
}

/// A command to start.
#[derive(Debug, Clone, Serialize)]
struct Start<'a> {
    process: ProcessConfig<'a>,
    /// Left out, it is true, and some programs wait for it.
    stdin: bool,
}

#[derive(Debug, Clone, Serialize)]
struct ProcessConfig<'a> {
    cmd: &'a str,
    args: &'a [String],
    envs: &'a BTreeMap<String, String>,
}

#[derive(Debug, Default, Deserialize)]
struct Reply {
    #[serde(default)]
    event: Happened,
    error: Option<Failure>,
}

/// What happened to a command; unknown kinds are none of these.
#[derive(Debug, Default, Deserialize)]
struct Happened {
    data: Option<Printed>,
    end: Option<End>,
}

#[derive(Debug, Default, Deserialize)]
struct Printed {
    stdout: Option<String>,
    stderr: Option<String>,
}

/// What is zero is left out.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct End {
    #[serde(default)]
    exit_code: i32,
}

#[derive(Debug, Default, Deserialize)]
struct Failure {
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: String,
}

/// What a running command tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Told {
    Out(Vec<u8>),
    Err(Vec<u8>),
    Ended(i32),
}

/// A process envd knows.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Process {
    /// Its id in the sandbox.
    #[serde(default)]
    pub pid: u32,
    /// What it was tagged with.
    pub tag: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
struct Processes {
    #[serde(default)]
    processes: Vec<Process>,
}

/// A stream of what a command tells.
pub(crate) struct Telling {
    response: Response,
    reader: Reader,
    vendor: Vendor,
}

impl Telling {
    /// What comes next; nothing after the end.
    pub(crate) async fn next(&mut self) -> Result<Option<Told>, Error> {
        loop {
            let broken = |reason: String| transient("hear a command in an E2B sandbox".to_owned(), reason);
            if let Some(message) = self.reader.next().map_err(|error| broken(error.to_string()))? {
                match told(&message, self.vendor)? {
                    Heard::Told(told) => return Ok(Some(told)),
                    Heard::Nothing => continue,
                    Heard::Over => return Ok(None),
                }
            }
            match tokio::time::timeout(SILENCE, self.response.chunk()).await {
                Ok(Ok(Some(piece))) => self.reader.push(&piece),
                Ok(Ok(None)) => return Err(broken("the stream broke off".to_owned())),
                Ok(Err(error)) => return Err(broken(error.without_url().to_string())),
                Err(_) => return Err(broken("the stream fell silent".to_owned())),
            }
        }
    }
}

enum Heard {
    Told(Told),
    Nothing,
    Over,
}

fn told(message: &envelope::Message, vendor: Vendor) -> Result<Heard, Error> {
    let strange = |reason: String| transient(format!("understand {}", vendor.name), reason);
    let reply: Reply = serde_json::from_slice(&message.json).map_err(|error| strange(error.to_string()))?;
    if message.is_last {
        return match reply.error {
            None => Ok(Heard::Over),
            Some(Failure { code, message }) if code == "unavailable" || code == "deadline_exceeded" => {
                Err(strange(format!("{code}: {message}")))
            }
            Some(Failure { code, message }) => {
                Err(Error::Unusable { reason: format!("{} refuses a command ({code}): {message}", vendor.name) })
            }
        };
    }
    let bytes = |text: &str| STANDARD.decode(text).map_err(|error| strange(error.to_string()));
    Ok(match reply.event {
        Happened { end: Some(end), .. } => Heard::Told(Told::Ended(end.exit_code)),
        Happened { data: Some(Printed { stdout: Some(text), .. }), .. } => Heard::Told(Told::Out(bytes(&text)?)),
        Happened { data: Some(Printed { stderr: Some(text), .. }), .. } => Heard::Told(Told::Err(bytes(&text)?)),
        Happened { .. } => Heard::Nothing,
    })
}

impl Inside<'_> {
    fn request(&self, client: &reqwest::Client, method: reqwest::Method, path: &str) -> RequestBuilder {
        let request = client
            .request(method, format!("{}{path}", self.machine.address))
            .header("E2b-Sandbox-Id", &self.machine.id)
            .header("E2b-Sandbox-Port", PORT);
        match &self.machine.token {
            Some(token) => request.header("X-Access-Token", token.expose_secret()),
            None => request,
        }
    }

    /// What is missing is the sandbox: its files are asked for elsewhere. A token that is refused is one of before.
    fn error(&self, action: &str, fault: Fault) -> Error {
        match &fault {
            Fault::Refused(refused) if refused.status == 401 => Error::Missing(self.machine.id.clone()),
            Fault::Refused(_) | Fault::Unreachable(_) | Fault::NoKey(_) => {
                self.vendor.error(action, &self.machine.id, fault)
            }
        }
    }

    async fn start(&self, call: &Call) -> Result<Telling, Error> {
        // As the vendor's own clients do: a login shell knows where the template's programs are.
        let shell = ["/bin/bash", "-l", "-c", "exec \"$0\" \"$@\""].map(str::to_owned);
        let words = if call.login { [&shell[..], &call.argv].concat() } else { call.argv.clone() };
        let (cmd, args) = words.split_first().map_or(("", &[][..]), |(cmd, args)| (cmd.as_str(), args));
        let start = Start { process: ProcessConfig { cmd, args, envs: &call.env }, stdin: false };
        let json =
            serde_json::to_vec(&start).map_err(|error| transient("say a command".to_owned(), error.to_string()))?;
        let body = envelope::seal(&json);
        // No `Connect-Timeout-Ms`: it would kill the command.
        let response = send(Again::Safe, || {
            let request = self.request(&self.wire.patient, reqwest::Method::POST, "/process.Process/Start");
            Ok(request
                .header("Content-Type", "application/connect+json")
                .header("Connect-Protocol-Version", "1")
                .header("Keepalive-Ping-Interval", KEEPALIVE)
                .body(body.clone()))
        });
        // The answer begins when the command has begun.
        let response = tokio::time::timeout(SILENCE * 2, response).await;
        let response = response.map_err(|_| transient("run a command".to_owned(), "no answer".to_owned()))?;
        let response = response.map_err(|fault| self.error("run a command", fault))?;
        Ok(Telling { response, reader: Reader::default(), vendor: self.vendor })
    }

    pub(super) async fn call(&self, call: &Call) -> Result<Answer, Error> {
        let mut telling = self.start(call).await?;
        let (mut out, mut err) = (Vec::new(), Vec::new());
        loop {
            match telling.next().await? {
                Some(Told::Out(bytes)) if out.len() + bytes.len() <= ANSWER_BYTES_MAX => out.extend(bytes),
                Some(Told::Err(bytes)) if err.len() + bytes.len() <= ANSWER_BYTES_MAX => err.extend(bytes),
                Some(Told::Ended(code)) => return Ok(Answer { code, out, err }),
                Some(Told::Out(_) | Told::Err(_)) => {
                    return Err(transient("run a command".to_owned(), "it says too much".to_owned()));
                }
                None => return Err(transient("run a command".to_owned(), "it did not say how it ended".to_owned())),
            }
        }
    }

    pub(super) async fn lines(&self, call: &Call) -> Result<Lines, Error> {
        let telling = self.start(call).await?;
        let state = (telling, Vec::<u8>::new());
        let pieces = futures_util::stream::try_unfold(state, async |(mut telling, mut pending)| {
            loop {
                if let Some(end) = pending.iter().position(|byte| *byte == b'\n') {
                    let rest = pending.split_off(end + 1);
                    pending.pop();
                    let line = String::from_utf8_lossy(&pending).into_owned();
                    return Ok(Some((line, (telling, rest))));
                }
                match telling.next().await? {
                    Some(Told::Out(bytes)) if pending.len() + bytes.len() <= LINE_BYTES_MAX => pending.extend(bytes),
                    Some(Told::Err(_)) => {}
                    Some(Told::Out(_)) => {
                        return Err(transient("hear a command".to_owned(), "a line is too long".to_owned()));
                    }
                    Some(Told::Ended(_)) | None => return Ok(None),
                }
            }
        });
        Ok(pieces.boxed())
    }

    /// The processes envd knows.
    pub(super) async fn processes(&self) -> Result<Vec<Process>, Error> {
        let response = send(Again::Safe, || {
            let request = self.request(&self.wire.client, reqwest::Method::POST, "/process.Process/List");
            Ok(request.header("Content-Type", "application/json").header("Connect-Protocol-Version", "1").body("{}"))
        });
        let response = response.await.map_err(|fault| self.error("list processes", fault))?;
        let body = bounded(response, UNARY_BYTES_MAX).await.unwrap_or_default();
        let listed: Result<Processes, _> = serde_json::from_slice(&body);
        Ok(listed.map_err(|error| transient("list processes".to_owned(), error.to_string()))?.processes)
    }

    pub(super) async fn upload(&self, path: &str, file: &Path) -> Result<(), Error> {
        let failed = |source| Error::Transient { action: "read what is to be sent".to_owned(), source };
        let mut tries = 0;
        loop {
            let open = tokio::fs::File::open(file).await.map_err(failed)?;
            let bytes = open.metadata().await.map_err(failed)?.len();
            let part =
                Part::stream_with_length(reqwest::Body::wrap_stream(tokio_util::io::ReaderStream::new(open)), bytes);
            let form = Form::new().part("file", part.file_name("file"));
            let request = self.request(&self.wire.patient, reqwest::Method::POST, "/files");
            let request = request.query(&[("path", path)]).timeout(UPLOAD).multipart(form);
            // The body is used up by a try, so tries are made here.
            let request = std::sync::Mutex::new(Some(request));
            let sent = send(Again::Unsent, || {
                let request = request.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
                request.ok_or_else(|| SPENT.to_owned())
            });
            let Err(fault) = sent.await else { return Ok(()) };
            let error = match &fault {
                Fault::NoKey(_) => transient("send a file".to_owned(), "no answer".to_owned()),
                Fault::Refused(_) | Fault::Unreachable(_) => self.error("send a file", fault),
            };
            tries += 1;
            if !error.is_transient() || tries >= UPLOADS_MAX {
                return Err(error);
            }
        }
    }

    fn file(&self, path: &str, range: Option<String>) -> RequestBuilder {
        let request = self.request(&self.wire.plain, reqwest::Method::GET, "/files");
        let request = request.query(&[("path", path)]).header("Accept-Encoding", "identity");
        match range {
            Some(range) => request.header(RANGE, range),
            None => request,
        }
    }

    pub(super) async fn part(&self, path: &str, offset: u64, bytes_max: usize) -> Result<Vec<u8>, Error> {
        let end = offset.saturating_add(bytes_max as u64).saturating_sub(1);
        let response = send(Again::Safe, || Ok(self.file(path, Some(format!("bytes={offset}-{end}"))))).await;
        let response = match response {
            Ok(response) => response,
            Err(Fault::Refused(refused)) if refused.status == 404 || refused.status == 416 => {
                return Ok(Vec::new());
            }
            Err(fault) => return Err(self.error("read a file", fault)),
        };
        let is_part = response.status() == StatusCode::PARTIAL_CONTENT;
        let lost = || transient("read a file".to_owned(), "the answer broke off".to_owned());
        if is_part || offset == 0 {
            let mut part = bounded(response, bytes_max.saturating_add(1)).await.ok_or_else(lost)?;
            part.truncate(bytes_max);
            return Ok(part);
        }
        Err(Error::Unusable { reason: "this envd cannot read parts of files; use a newer template".to_owned() })
    }

    pub(super) async fn download(&self, path: &str, bytes_max: u64) -> Result<Vec<u8>, Error> {
        let response = match send(Again::Safe, || Ok(self.file(path, None))).await {
            Ok(response) => response,
            Err(Fault::Refused(refused)) if refused.status == 404 || refused.status == 400 => {
                return Err(Error::Missing(format!("the file {path}")));
            }
            Err(fault) => return Err(self.error("read a file", fault)),
        };
        read_whole(response, path, bytes_max).await
    }
}

/// What [`send`] is told when a body cannot be sent again.
const SPENT: &str = "spent";
/// Tries to send a file.
const UPLOADS_MAX: u32 = 3;

/// A body of at most that many bytes.
pub(crate) async fn read_whole(mut response: Response, path: &str, bytes_max: u64) -> Result<Vec<u8>, Error> {
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => return Ok(body),
            Err(error) => return Err(transient("read a file".to_owned(), error.without_url().to_string())),
        }
        let bytes = body.len() as u64;
        if bytes > bytes_max {
            return Err(Error::TooLarge { what: path.to_owned(), bytes, bytes_max });
        }
    }
}
