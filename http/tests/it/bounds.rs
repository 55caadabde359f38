//! What a caller cannot do to the server, and what every answer keeps to.

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http_body_util::BodyExt as _;
use regatta_core::event::attempt::Channel;
use regatta_dispatcher::{Refusal, RefusalKind};
use regatta_http::{Problem, problem};

use crate::world::{World, text};

const REQUEST: &str = r#"{"prompt":"fix it","repository":"/r","attempts":[{"agent":"claude"}],"strategy":"race"}"#;

fn post(key: &str, path: &str, body: &str) -> Request<Body> {
    let request = Request::post(format!("/api/v1{path}")).header("idempotency-key", key);
    request.body(body.to_owned().into()).expect("request")
}

#[tokio::test]
async fn a_hundred_megabytes_are_refused_and_not_read_to_the_end() {
    let world = World::new();
    for key in [None, Some("k")] {
        let (read, counted) = (std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0)), 1 << 20);
        let told = read.clone();
        let pieces = stream::iter(0..100).map(move |_| {
            told.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            Ok::<_, std::io::Error>(Bytes::from(vec![b' '; counted]))
        });
        let mut request = Request::post("/api/v1/runs");
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        let (status, body) = text(world.send(request.body(Body::from_stream(pieces)).expect("request")).await).await;
        assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE, "{body}");
        assert!(body.contains("/problems/too_large"), "{body}");
        assert!(read.load(std::sync::atomic::Ordering::Relaxed) < 20, "the rest was not read");
    }
}

#[tokio::test]
async fn the_same_key_again_returns_the_first_answer_and_does_nothing() {
    let world = World::new();
    let first = text(world.send(post("k1", "/runs/7q2k9x0m/cancel", "")).await).await;
    let again = world.send(post("k1", "/runs/7q2k9x0m/cancel", "")).await;
    assert_eq!(again.headers().get("idempotency-replayed").map(|said| said.as_bytes()), Some(b"true".as_slice()));
    assert_eq!(first, text(again).await);
    world.send(post("k2", "/runs/7q2k9x0m/cancel", "")).await;
    assert_eq!(world.told.asked.lock().expect("lock").len(), 2, "one per key");
}

#[tokio::test]
async fn a_refusal_is_an_answer_too_and_trouble_of_the_moment_is_not() {
    for (kind, asked) in [(RefusalKind::WrongState, 1), (RefusalKind::Busy, 2), (RefusalKind::ReadOnly, 2)] {
        let world = World::refusing(Refusal::new(kind, "no"));
        let first = text(world.send(post("k", "/runs", REQUEST)).await).await;
        assert_eq!(first, text(world.send(post("k", "/runs", REQUEST)).await).await);
        assert_eq!(world.told.asked.lock().expect("lock").len(), asked, "{kind:?}");
    }
}

#[tokio::test]
async fn a_key_with_another_body_is_refused_and_with_another_path_or_caller_is_another_key() {
    let world = World::new();
    world.send(post("k", "/runs/7q2k9x0m/cancel", r#"{"reason":"a"}"#)).await;
    let (status, body) = text(world.send(post("k", "/runs/7q2k9x0m/cancel", r#"{"reason":"b"}"#)).await).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(body.contains("/problems/key_reused"), "{body}");
    assert_eq!(
        world.send(post("k", "/runs/7q2k9x0m/pick", r#"{"attempt":"a"}"#)).await.status(),
        StatusCode::NO_CONTENT
    );
    let mut other = post("k", "/runs/7q2k9x0m/cancel", r#"{"reason":"b"}"#);
    other.headers_mut().insert("regatta-actor", "bob".parse().expect("a name"));
    assert_eq!(world.send(other).await.status(), StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn what_no_handler_says_is_a_problem_too() {
    let world = World::new();
    for (method, path, status) in [
        ("GET", "/api/v1/runs/%ff", StatusCode::BAD_REQUEST),
        ("GET", "/api/v1/runs/..%2f..%2fetc", StatusCode::NOT_FOUND),
        ("GET", "/api/v1/attempts/..%2f..%2fetc.a/output", StatusCode::NOT_FOUND),
        ("GET", "/api/v1/attempts/7q2k9x0m.a/files/..%2f..%2fetc%2fpasswd", StatusCode::NOT_FOUND),
        ("DELETE", "/api/v1/runs", StatusCode::METHOD_NOT_ALLOWED),
        ("GET", "/api/v1/live", StatusCode::UPGRADE_REQUIRED),
        ("GET", "/problems/none", StatusCode::NOT_FOUND),
    ] {
        let request = Request::builder().method(method).uri(path).body(Body::empty()).expect("request");
        let (got, body) = text(world.send(request).await).await;
        let problem: Problem = serde_json::from_str(&body).unwrap_or_else(|error| panic!("{path}: {error}: {body}"));
        assert_eq!((got, problem.status), (status, status.as_u16()), "{path}: {body}");
    }
}

#[tokio::test]
async fn what_agents_wrote_is_data_and_never_a_page() {
    let world = World::new();
    world.started("7q2k9x0m.a", 1).await;
    world.printed("7q2k9x0m.a", 1, Channel::Out, 0, b"<script>alert(1)</script>").await;
    for path in ["/attempts/7q2k9x0m.a/output", "/events", "/events/2", "/timeline"] {
        let response = world.get(path).await;
        let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        assert_eq!(header(header::X_CONTENT_TYPE_OPTIONS), "nosniff", "{path}");
        assert!(["application/octet-stream", "application/json"].contains(&header(header::CONTENT_TYPE)), "{path}");
    }
}

#[tokio::test]
async fn a_large_answer_is_compressed_for_who_can_read_it_and_a_stream_never() {
    let world = World::new();
    world.many(300).await;
    for (path, accepts, encoding) in [
        ("/events?limit=300", "gzip", Some("gzip")),
        ("/events?limit=300", "br, gzip", Some("br")),
        ("/events?limit=300", "identity", None),
        ("/health", "gzip", None),
        ("/events/stream?from=1", "gzip", None),
    ] {
        let request = Request::get(format!("/api/v1{path}")).header(header::ACCEPT_ENCODING, accepts);
        let response = world.send(request.body(Body::empty()).expect("request")).await;
        let said = response.headers().get(header::CONTENT_ENCODING).map(|said| said.to_str().expect("text").to_owned());
        assert_eq!(said.as_deref(), encoding, "{path} {accepts}");
    }
}

#[tokio::test]
async fn the_server_counts_and_says_whether_it_is_ready() {
    let world = World::new();
    world.started("7q2k9x0m.a", 1).await;
    world.get("/runs/7q2k9x0m").await;
    let root = |path: &str| Request::get(path.to_owned()).body(Body::empty()).expect("request");
    assert_eq!(text(world.send(root("/healthz")).await).await, (StatusCode::OK, "alive\n".to_owned()));
    assert_eq!(text(world.send(root("/readyz")).await).await, (StatusCode::OK, "ready\n".to_owned()));
    let (status, numbers) = text(world.send(root("/metrics")).await).await;
    assert_eq!(status, StatusCode::OK);
    for wanted in [
        "regatta_log_head ",
        "regatta_live_clients ",
        "regatta_sandbox_leaks 0",
        r#"regatta_runs{state="racing"} 0"#,
        r#"regatta_attempts{state="queued"} 0"#,
        r#"route="/api/v1/runs/{run}""#,
        r#"status="404""#,
        "regatta_http_request_seconds_bucket",
    ] {
        assert!(numbers.contains(wanted), "{wanted} is not in {numbers}");
    }
    world.stop.cancel();
    assert_eq!(world.send(root("/readyz")).await.status(), StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn every_number_says_what_it_is() {
    let world = World::new();
    world.get("/runs").await;
    let request = Request::get("/metrics").body(Body::empty()).expect("request");
    let (_, numbers) = text(world.send(request).await).await;
    let named = |word: &str| -> Vec<String> {
        let lines = numbers.lines().filter_map(|line| line.strip_prefix(word));
        lines.map(|line| line.split(' ').next().unwrap_or_default().to_owned()).collect()
    };
    let (all, explained) = (named("# TYPE "), named("# HELP "));
    assert!(all.len() > 10, "{numbers}");
    assert_eq!(all.iter().filter(|name| !explained.contains(name)).collect::<Vec<_>>(), Vec::<&String>::new());
}

#[tokio::test]
async fn a_page_has_as_many_rows_as_were_asked_for_within_bounds() {
    let world = World::new();
    world.started("7q2k9x0m.a", 1).await;
    for (path, max) in [
        ("/runs", 1_000),
        ("/runs/7q2k9x0m/timeline", 1_000),
        ("/timeline", 1_000),
        ("/events", 1_000),
        ("/disk", 1_000),
        ("/attempts/7q2k9x0m.a/pieces", 2_000),
    ] {
        for limit in [0, max + 1] {
            let (status, said) = text(world.get(&format!("{path}?limit={limit}")).await).await;
            assert_eq!(status, StatusCode::BAD_REQUEST, "{path} {limit}");
            assert!(said.contains(&format!("limit must be between 1 and {max}")), "{path} {limit}: {said}");
        }
        for limit in [1, max] {
            let (status, said) = text(world.get(&format!("{path}?limit={limit}")).await).await;
            assert_ne!(status, StatusCode::BAD_REQUEST, "{path} {limit}: {said}");
        }
    }
}

#[tokio::test]
async fn every_type_of_problem_explains_itself() {
    let world = World::new();
    for (name, _, about) in problem::TYPES {
        let request = Request::get(format!("/problems/{name}")).body(Body::empty()).expect("request");
        let (status, body) = text(world.send(request).await).await;
        assert_eq!(status, StatusCode::OK);
        assert!(body.contains(about), "{body}");
    }
}

/// Names of problems that stand in the sources but in no list would be a surprise for programs.
#[test]
fn every_type_of_problem_in_the_sources_is_listed() {
    let mut folders = vec![std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    let mut found = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("folder") {
            let path = entry.expect("entry").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let source = std::fs::read_to_string(&path).expect("source");
            let words: Vec<&str> = source.split_whitespace().collect();
            for pair in words.windows(2) {
                let Some(name) = pair[0].contains("StatusCode::").then(|| name_in(pair[1])).flatten() else { continue };
                found += 1;
                let is_listed = problem::TYPES.iter().any(|(known, _, _)| *known == name);
                assert!(is_listed, "{name} in {} is not in problem::TYPES", path.display());
            }
        }
    }
    assert!(found > 10, "{found} names were found");
}

/// `"not_found",` → `not_found`.
fn name_in(word: &str) -> Option<&str> {
    let name = word.trim_end_matches([',', ')', ';']).strip_prefix('"')?.strip_suffix('"')?;
    name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_').then_some(name)
}

#[tokio::test]
async fn a_stream_holds_a_seat_only_while_it_is_read() {
    let world = World::new();
    world.many(3).await;
    let mut body = world.get("/events/stream?from=1").await.into_body();
    body.frame().await.expect("a frame").expect("data");
    assert_eq!(world.live_clients.seated(), 1);
    drop(body);
    assert_eq!(world.live_clients.seated(), 0);
}
