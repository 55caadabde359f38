//! The bare server beside ours, in a process of its own: fixed bytes, and a line that is kept with one `fdatasync` and
//! told to everybody who listens. As little as does the same work.

#![expect(clippy::print_stdout, reason = "it tells where it listens")]

use std::convert::Infallible;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use tokio::net::TcpListener;
use tokio::sync::broadcast;

use crate::Outcome;
use crate::place::Place;

/// A bare server that runs.
pub(crate) struct Peer {
    process: Child,
    pub(crate) place: Place,
}

impl Peer {
    /// Starts one that answers these bytes.
    pub(crate) fn start(bytes: &[u8]) -> Outcome<Self> {
        let mut process = Command::new(std::env::current_exe()?)
            .arg("http-peer")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        process.stdin.take().ok_or("the peer has no input")?.write_all(bytes)?;
        let mut address = String::new();
        BufReader::new(process.stdout.take().ok_or("the peer has no output")?).read_line(&mut address)?;
        Ok(Self { process, place: Place { address: address.trim().to_owned(), token: "none".to_owned() } })
    }

    pub(crate) fn process_id(&self) -> u32 {
        self.process.id()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // One that is gone already is fine.
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

#[derive(Clone)]
struct Kept {
    bytes: Bytes,
    file: Arc<Mutex<File>>,
    told: broadcast::Sender<Bytes>,
}

/// Is one: answers what comes on standard input, and prints where it listens.
pub(crate) fn run() -> Outcome<()> {
    super::raise_files_max();
    let mut bytes = Vec::new();
    std::io::stdin().read_to_end(&mut bytes)?;
    let file = Arc::new(Mutex::new(tempfile::tempfile()?));
    let kept = Kept { bytes: bytes.into(), file, told: broadcast::Sender::new(1_024) };
    let router = Router::new()
        .route(
            "/bytes",
            get(|State(kept): State<Kept>| async move { ([(header::CONTENT_TYPE, "application/json")], kept.bytes) }),
        )
        .route("/say", post(say))
        .route("/stream", get(stream))
        .with_state(kept);
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async move {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        println!("{}", listener.local_addr()?);
        let listener = axum::serve::ListenerExt::tap_io(listener, |stream| {
            stream.set_nodelay(true).ok();
        });
        Ok(axum::serve(listener, router).await?)
    })
}

async fn say(State(kept): State<Kept>, line: Bytes) -> StatusCode {
    let (file, written) = (Arc::clone(&kept.file), line.clone());
    let done = tokio::task::spawn_blocking(move || {
        let Ok(mut file) = file.lock() else { return false };
        file.write_all(&written).and_then(|()| file.sync_data()).is_ok()
    });
    if !done.await.unwrap_or(false) {
        return StatusCode::INTERNAL_SERVER_ERROR;
    }
    let event = [b"data: ", line.as_ref(), b"\n\n"].concat();
    // Nobody may be listening.
    kept.told.send(event.into()).ok();
    StatusCode::NO_CONTENT
}

async fn stream(State(kept): State<Kept>) -> impl IntoResponse {
    let told = futures_util::stream::unfold(kept.told.subscribe(), |mut told| async move {
        let piece = told.recv().await.ok()?;
        Some((Ok::<_, Infallible>(piece), told))
    });
    ([(header::CONTENT_TYPE, "text/event-stream")], Body::from_stream(told))
}
