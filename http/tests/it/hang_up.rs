//! Clients that hang up while what they asked for is being written: it stands all the same, and so does what comes after.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, StatusCode};
use regatta_core::log::{MemoryLog, Pending};
use regatta_core::{Append, Envelope, Log, ReadError, ReadMax, Seq, Stream};
use regatta_http::auth::Door;
use tokio::sync::watch;
use tower::ServiceExt as _;

use crate::world::{World, text};

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// A memory log that says nothing of what it took while it is slow.
#[derive(Default)]
struct Slow {
    log: MemoryLog,
    is_slow: watch::Sender<bool>,
}

impl Log for Slow {
    fn submit(&self, append: Append) -> Pending {
        let (written, mut is_slow) = (self.log.submit(append), self.is_slow.subscribe());
        if !*is_slow.borrow() {
            return written;
        }
        let (answer, pending) = tokio::sync::oneshot::channel();
        tokio::spawn(async move {
            is_slow.wait_for(|is_slow| !is_slow).await.ok();
            answer.send(written.await.expect("a writer")).ok();
        });
        pending
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

#[tokio::test]
async fn a_user_is_added_though_whoever_asked_hung_up_and_so_is_the_next_one() {
    let log = Arc::new(Slow::default());
    let world = World::with(log.clone(), None);
    log.is_slow.send_replace(true);
    let mut request =
        Request::post("/api/v1/users").body(Body::from(r#"{"name":"ben","role":"viewer"}"#)).expect("request");
    request.extensions_mut().insert(ConnectInfo(Door::Socket));
    let asking = tokio::spawn(world.router.clone().oneshot(request));
    let written = async { log.watch().wait_for(|head| *head > Seq(0)).await.map(drop) };
    tokio::time::timeout(PATIENCE, written).await.expect("it is written").expect("a log");
    asking.abort();
    assert!(asking.await.expect_err("they hung up").is_cancelled());
    log.is_slow.send_replace(false);
    let (status, said) = text(world.post("/users", r#"{"name":"eve","role":"viewer"}"#).await).await;
    assert_eq!(status, StatusCode::CREATED, "{said}");
    let (_, users) = text(world.get("/users").await).await;
    assert!(users.contains("ben") && users.contains("eve"), "{users}");
}
