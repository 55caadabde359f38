//! A log whose first events were removed: whoever asks for them is told so, with where it begins and who has them.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use regatta_core::event::attempt::Channel;
use regatta_core::log::backup::backup;
use regatta_core::log::{DurableLog, Options};
use regatta_core::{Seq, Stream};
use serde_json::Value;

use crate::world::{World, text};

/// A world whose log began with one attempt and now with another one; the first event kept.
async fn given(folder: &Path) -> (World, Seq) {
    let (data, archive) = (folder.join("data"), folder.join("archive"));
    let options = Options { segment_bytes: 8 << 10, seal_again_after: Duration::from_millis(1), ..Options::new(&data) };
    let log = DurableLog::open(options).expect("opens");
    let world = World::with(Arc::new(log.clone()), None);
    for attempt in ["7q2k9x0m.a", "zzzzzzzz.a"] {
        world.started(attempt, 1).await;
        for n in 0..60 {
            world.printed(attempt, 1, Channel::Out, n * 300, &[b'x'; 300]).await;
        }
    }
    let is_sealed = || {
        let files = log.reader().segment_files().expect("files");
        files.iter().rev().skip(1).all(|file| file.sealed.is_some())
    };
    while !is_sealed() {
        tokio::task::yield_now().await;
    }
    backup(&data, &archive).expect("backed up");
    let files = log.reader().segment_files().expect("files");
    let wanted = files.iter().rev().find(|file| file.first <= Seq(62)).expect("a file").first;
    let first = log.remove_below(wanted).expect("removed");
    assert!(first > Seq(1), "{first}");
    (world, first)
}

/// Asks, and shows that the answer is a 410 that says where the log begins and where the rest is.
async fn check(world: &World, request: Request<Body>, first: Seq, archive: &Path) {
    let asked = request.uri().to_string();
    let (status, body) = text(world.send(request).await).await;
    let problem: Value = serde_json::from_str(&body).unwrap_or_else(|error| panic!("{asked}: {error}: {body}"));
    assert_eq!((status, problem["type"].as_str()), (StatusCode::GONE, Some("/problems/archived")), "{asked}: {body}");
    let detail = problem["detail"].as_str().expect("detail");
    assert!(detail.contains(&format!("the log begins with event {first}")), "{asked}: {detail}");
    assert!(detail.contains(&format!("the backup in {} holds it", archive.display())), "{asked}: {detail}");
    assert!(problem["hint"].as_str().is_some_and(|hint| hint.contains("log restore --from")), "{asked}: {body}");
}

#[tokio::test]
async fn whoever_asks_for_what_was_removed_is_told_where_it_is() {
    let folder = tempfile::tempdir().expect("folder");
    let (world, first) = given(folder.path()).await;
    let archive = folder.path().join("archive");
    let gone = [
        "/events?from=1",
        "/events/1",
        "/events/stream?from=1",
        "/runs?as_of=1",
        "/runs?as_of=1970-01-01T00:00:00Z",
        "/attempts/7q2k9x0m.a/output",
        "/attempts/7q2k9x0m.a/diff",
    ];
    for path in gone {
        let request = Request::get(format!("/api/v1{path}")).body(Body::empty()).expect("request");
        check(&world, request, first, &archive).await;
    }
    let resumed = Request::get("/api/v1/events/stream").header("last-event-id", "1").body(Body::empty());
    check(&world, resumed.expect("request"), first, &archive).await;
}

#[tokio::test]
async fn what_is_kept_is_as_it_was() {
    let folder = tempfile::tempdir().expect("folder");
    let (world, first) = given(folder.path()).await;
    let (status, body) = text(world.get("/events?limit=1").await).await;
    let page: Value = serde_json::from_str(&body).expect("page");
    assert_eq!((status, page["rows"][0]["seq"].as_u64()), (StatusCode::OK, Some(first.0)), "{body}");
    // A time before that is the beginning of what is kept.
    let (status, body) = text(world.get("/events?limit=1&from=1970-01-01T00:00:00Z").await).await;
    let page: Value = serde_json::from_str(&body).expect("page");
    assert_eq!((status, page["rows"][0]["seq"].as_u64()), (StatusCode::OK, Some(first.0)), "{body}");
    let (status, body) = text(world.get("/health").await).await;
    let health: Value = serde_json::from_str(&body).expect("health");
    assert_eq!((status, health["first"].as_u64(), health["seq"].as_u64()), (StatusCode::OK, Some(first.0), Some(122)));
    let (status, body) = text(world.get("/attempts/zzzzzzzz.a/output").await).await;
    assert_eq!((status, body.len()), (StatusCode::OK, 60 * 300));
    assert_eq!(world.get("/timeline").await.status(), StatusCode::OK);
    assert_eq!(world.log.stream_head(&Stream::try_from("output/7q2k9x0m.a").expect("stream")).expect("head"), 60);
}
