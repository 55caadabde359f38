//! Providers and sandboxes over the API: what is told of them, and what people do with them.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use regatta_core::event::attempt::Exit;
use regatta_dispatcher::{Refusal, RefusalKind};
use regatta_http::requests::ExecPiece;
use serde_json::{Value, json};

use crate::compose::Repository;
use crate::world::{RUN, World, text};

const KEY: &str = "regatta-abcd-7q2k9x0m-a-1";

async fn read(world: &World, path: &str) -> Value {
    let (status, body) = text(world.get(path).await).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    serde_json::from_str(&body).expect("json")
}

fn asked(world: &World) -> Vec<String> {
    world.told.asked.lock().expect("lock").clone()
}

#[tokio::test]
async fn a_provider_that_cannot_be_used_says_why_and_one_that_is_silent_is_told() {
    let world = World::new();
    let providers = read(&world, "/providers").await;
    assert_eq!((&providers[0]["name"], &providers[0]["problem"]), (&"docker".into(), &"no engine; start it".into()));
    assert_eq!((&providers[0]["capabilities"][0], providers[0].get("fence")), (&"fork".into(), None));
    let sandboxes = read(&world, "/sandboxes").await;
    assert_eq!(sandboxes["rows"][0]["sandbox"]["key"], KEY);
    assert_eq!(sandboxes["rows"][0]["sandbox"]["attempt"], format!("{RUN}.a"));
    assert!(sandboxes["rows"][0].get("usage").is_none(), "the log knows no such attempt");
    let age_ms = sandboxes["rows"][0]["age_ms"].as_u64().expect("an age");
    assert_eq!(sandboxes["rows"][0]["rent_usd_micros"], 108_900 * age_ms / 3_600_000);
    assert_eq!(sandboxes["unanswered"][0]["provider"], "e2b");
}

#[tokio::test]
async fn each_limit_says_how_much_of_it_is_taken_up_and_by_whom() {
    let repository = Repository::new().await;
    let by = json!([{ "by": "regatta", "attempts": [format!("{RUN}.c")] }]);
    assert_eq!(
        read(&repository.world, "/limits").await,
        json!([
            { "limit": { "attempts_max": 8 }, "in_use": 1, "by": by },
            { "limit": { "provider": "docker", "attempts_max": 2 }, "in_use": 0, "by": [] },
            { "limit": { "provider": "local" }, "in_use": 1, "by": by },
        ])
    );
}

#[tokio::test]
async fn a_sandbox_is_removed_as_it_is_asked_for() {
    let world = World::new();
    for (query, status) in [("", 204), ("?force=true", 204), ("?force=perhaps", 400), ("?forced=true", 400)] {
        let request = Request::delete(format!("/api/v1/sandboxes/{KEY}{query}")).header("regatta-actor", "ana");
        let response = world.send(request.body(Body::empty()).expect("request")).await;
        assert_eq!(response.status().as_u16(), status, "{query}");
    }
    let response = world.send(Request::delete("/api/v1/sandboxes/x").body(Body::empty()).expect("request")).await;
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    assert_eq!(world.post("/sandboxes/reap?images=true", "").await.status(), StatusCode::OK);
    assert_eq!(
        asked(&world),
        [
            format!("remove {KEY} false by user:ana"),
            format!("remove {KEY} true by user:ana"),
            "reap true by user:ana".to_owned()
        ]
    );
    let refusing = World::refusing(Refusal::new(RefusalKind::WrongState, "it is in use").hint("--force"));
    let response =
        refusing.send(Request::delete(format!("/api/v1/sandboxes/{KEY}")).body(Body::empty()).expect("request"));
    let (status, body) = text(response.await).await;
    assert!(status == StatusCode::CONFLICT && body.contains("it is in use"), "{body}");
}

#[tokio::test]
async fn a_copy_is_made_for_a_while_and_named() {
    let world = World::new();
    for body in ["", r#"{"for_ms":60000}"#] {
        let (status, body) = text(world.post(&format!("/sandboxes/{KEY}/fork"), body).await).await;
        assert_eq!((status, body.as_str()), (StatusCode::CREATED, r#"{"key":"regatta-abcd-7q2k9x0m-a-1000001"}"#));
    }
    let expected = [3_600_000, 60_000].map(|for_ms| format!("fork {KEY} {for_ms} by user:ana"));
    assert_eq!(asked(&world), expected);
}

#[tokio::test]
async fn what_a_persons_command_prints_comes_line_by_line_and_its_end_last() {
    let world = World::new();
    let (status, body) = text(world.post(&format!("/sandboxes/{KEY}/exec"), r#"{"argv":["ls","-la"]}"#).await).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    let pieces: Vec<ExecPiece> = body.lines().map(|line| serde_json::from_str(line).expect("a piece")).collect();
    let nothing = ExecPiece::default;
    assert_eq!(
        pieces,
        [
            ExecPiece { out: Some("aGVsbG8K".to_owned()), ..nothing() },
            ExecPiece { err: Some("/w==".to_owned()), ..nothing() },
            ExecPiece { exit: Some(Exit::Code(3)), ..nothing() },
        ]
    );
    assert_eq!(asked(&world), [format!(r#"enter {KEY} ["ls", "-la"] 600000 by user:ana"#)]);
    let request = Request::post(format!("/api/v1/sandboxes/{KEY}/exec")).header("idempotency-key", "k");
    let (status, body) = text(world.send(request.body(Body::from(r#"{"argv":["ls"]}"#)).expect("request")).await).await;
    assert!(status == StatusCode::BAD_REQUEST && body.contains("is not kept"), "{body}");
}
