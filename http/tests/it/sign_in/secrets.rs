//! Values of secrets go in over the socket or TLS only, and come out nowhere.

use axum::http::StatusCode;
use regatta_http::auth::Door;
use serde_json::{Value, json};

use super::{ask, bearer, near, problem, read};
use crate::world::{World, text};

const CANARY: &str = "canary-wren-7719";

fn over_tls() -> Door {
    Door::Tcp { peer: "10.0.0.9:50000".parse().expect("address"), is_secure: true }
}

#[tokio::test]
async fn a_value_is_taken_where_nobody_can_listen_and_nowhere_else() {
    let world = World::new();
    let token = bearer(&world.user("ana", "admin").await.token);
    let headers = [("authorization", token.as_str())];
    let body = json!({ "value": CANARY }).to_string();
    for (method, path) in
        [("PUT", "/api/v1/secrets/a"), ("PUT", "/api/v1/vault/key"), ("PUT", "/api/v1/vault/passphrase")]
    {
        let response = world.by(near(), ask(method, path, &headers, &body)).await;
        assert_eq!(problem(response).await, (StatusCode::CONFLICT, "in_the_clear".to_owned()), "{method} {path}");
    }
    let view: Value = read(world.by(near(), ask("GET", "/api/v1/secrets", &headers, "")).await).await;
    assert_eq!((&view["may_set"], &view["rows"]), (&json!(false), &json!([])));
    for (name, door) in [("a", over_tls()), ("b", Door::Socket)] {
        let response = world.by(door, ask("PUT", &format!("/api/v1/secrets/{name}"), &headers, &body)).await;
        let (status, answer) = text(response).await;
        assert!(status == StatusCode::OK && !answer.contains(CANARY), "{name}: {status} {answer}");
    }
    let (_, answer) = text(world.by(over_tls(), ask("GET", "/api/v1/secrets", &headers, "")).await).await;
    assert!(answer.contains(r#""name":"b""#) && answer.contains(r#""may_set":true"#), "{answer}");
    assert!(!answer.contains(CANARY) && !world.everything().contains(CANARY));
}

#[tokio::test]
async fn what_is_wrong_with_a_value_is_said_without_it() {
    let world = World::new();
    let long = json!({ "value": "x".repeat(40_000) }).to_string();
    let huge = json!({ "value": "x".repeat(400_000) }).to_string();
    for (body, status) in [
        (format!(r#"{{"value": ["{CANARY}"]}}"#), StatusCode::BAD_REQUEST),
        (format!(r#"{{"value": "a", "scope": "{CANARY}"}}"#), StatusCode::BAD_REQUEST),
        (format!(r#"{{"value": "{CANARY}"#), StatusCode::BAD_REQUEST),
        (json!({ "value": "" }).to_string(), StatusCode::BAD_REQUEST),
        (long, StatusCode::BAD_REQUEST),
        (huge, StatusCode::PAYLOAD_TOO_LARGE),
    ] {
        let response = world.by(Door::Socket, ask("PUT", "/api/v1/secrets/a", &[], &body)).await;
        let (found, answer) = text(response).await;
        assert_eq!(found, status, "{answer}");
        assert!(!answer.contains(CANARY), "{answer}");
    }
}
