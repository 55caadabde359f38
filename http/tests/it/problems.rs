//! Every "no" is a problem of a stable type; commands reach the dispatcher as they were given.

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use regatta_dispatcher::{Refusal, RefusalKind};
use regatta_http::{Problem, REQUEST_BODY_BYTES_MAX};

use crate::world::{World, text};

const REQUEST: &str = r#"{"prompt":"fix it","repository":"/r","attempts":[{"agent":"claude"}],"strategy":"race"}"#;

async fn check(world: &World, request: Request<Body>, status: u16, name: &str, says: &str) {
    let response = world.send(request).await;
    let content_type = response.headers().get(header::CONTENT_TYPE).cloned();
    let (got, body) = text(response).await;
    let problem: Problem = serde_json::from_str(&body).unwrap_or_else(|error| panic!("{error}: {body}"));
    assert_eq!((got.as_u16(), problem.status, problem.name()), (status, status, name), "{body}");
    assert_eq!(content_type.expect("content type"), "application/problem+json");
    assert!(body.contains(says), "{says:?} is not in {body}");
}

fn post(path: &str, body: impl Into<Body>) -> Request<Body> {
    Request::post(format!("/api/v1{path}")).body(body.into()).expect("request")
}

fn get(path: &str) -> Request<Body> {
    Request::get(path).body(Body::empty()).expect("request")
}

#[tokio::test]
async fn what_cannot_be_understood_is_said() {
    let world = World::new();
    let unknown = REQUEST.replace("strategy", "stratgy");
    let huge = vec![b' '; REQUEST_BODY_BYTES_MAX + 1];
    check(&world, post("/runs", "{"), 400, "invalid", "the body is not what is expected").await;
    check(&world, post("/runs", unknown), 400, "invalid", "stratgy").await;
    check(&world, post("/runs", REQUEST.replace("fix it", " ")), 400, "invalid", "the prompt is empty").await;
    check(&world, post("/runs", huge), 413, "too_large", "name it in the prompt").await;
    check(&world, post("/runs/UPPER/cancel", ""), 404, "not_found", "no run").await;
    check(&world, get("/api/v1/nothing"), 404, "not_found", "there is no /api/v1/nothing").await;
    check(&world, get("/api/v2/runs"), 404, "not_found", "/api/v1").await;
    check(&world, get("/api/v1/events?limit=0"), 400, "invalid", "between 1 and").await;
    check(&world, get("/api/v1/events?form=1"), 400, "invalid", "the query is not what is expected: form").await;
    check(&world, post("/health", ""), 405, "method_not_allowed", "the path /api/v1/health does not take POST").await;
    check(&world, get("/api/v1/runs/zzzz"), 404, "not_found", "`regatta ls` lists the runs").await;
    check(&world, get("/api/v1/runs/zzzzzzzz"), 404, "not_found", "there is no run zzzzzzzz").await;
    check(&world, get("/api/v1/attempts/7q2k9x0m.a/diff"), 404, "not_found", "no attempt 7q2k9x0m.a").await;
    check(&world, get("/api/v1/attempts/7q2k9x0m.a/output?offset=1"), 400, "invalid", "needs a channel").await;
    assert!(world.told.asked.lock().expect("lock").is_empty(), "nothing reached the dispatcher");
}

#[tokio::test]
async fn every_kind_of_refusal_has_its_status() {
    for (kind, status, name) in [
        (RefusalKind::Invalid, 400, "invalid"),
        (RefusalKind::NotFound, 404, "not_found"),
        (RefusalKind::Cleaned, 410, "cleaned"),
        (RefusalKind::WrongState, 409, "wrong_state"),
        (RefusalKind::Repository, 422, "repository"),
        (RefusalKind::Unusable, 422, "unusable"),
        (RefusalKind::Busy, 429, "busy"),
        (RefusalKind::ReadOnly, 503, "read_only"),
        (RefusalKind::Unknown, 500, "unknown"),
    ] {
        let world = World::refusing(Refusal::new(kind, "no").hint("do this"));
        check(&world, post("/runs", REQUEST), status, name, "do this").await;
    }
}

#[tokio::test]
async fn commands_reach_the_dispatcher_with_who_gave_them() {
    let world = World::new();
    let (status, body) = text(world.post("/runs", REQUEST).await).await;
    assert_eq!((status, body.as_str()), (StatusCode::CREATED, r#"{"run":"7q2k9x0m"}"#));
    for (path, body) in [
        ("/runs/7q2k9x0m/pick", r#"{"attempt":"b","reason":"smaller"}"#),
        ("/runs/7q2k9x0m/cancel", ""),
        ("/runs/7q2k9x0m/attempts/c/restore", ""),
    ] {
        assert_eq!(world.post(path, body).await.status(), StatusCode::NO_CONTENT, "{path}");
    }
    let asked = world.told.asked.lock().expect("lock").clone();
    assert_eq!(
        asked,
        [
            r#"run "fix it" by user:ana key None"#,
            r#"pick 7q2k9x0m.b "smaller" by user:ana"#,
            r#"cancel 7q2k9x0m None "" by user:ana"#,
            "restore 7q2k9x0m.c by user:ana",
        ]
    );
}

#[tokio::test]
async fn a_server_says_how_it_is_and_stops_when_asked() {
    let world = World::new();
    let (status, body) = text(world.get("/health").await).await;
    assert_eq!(status, StatusCode::OK);
    assert!(body.contains(&format!(r#""pid":{}"#, std::process::id())), "{body}");
    assert_eq!(world.post("/shutdown", "").await.status(), StatusCode::ACCEPTED);
    assert!(world.stop.is_cancelled());
}
