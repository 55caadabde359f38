//! Reading of a gateway by requests: what everybody who may look sees, and nothing that changes or tells more.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use regatta_http::auth::Door;
use serde_json::json;

use super::Place;
use crate::world::text;

async fn read(place: &Place, token: &str, query: &str) -> (StatusCode, String) {
    let request = Request::get(format!("/api/v1/gateways/main/read?{query}"))
        .header("host", place.address.to_string())
        .header("authorization", format!("Bearer {token}"))
        .body(Body::empty())
        .expect("request");
    let peer = "127.0.0.1:9".parse().expect("address");
    text(place.world.by(Door::Tcp { peer, is_secure: false }, request).await).await
}

#[tokio::test]
async fn who_may_look_reads_conversations_and_agents_and_nothing_else() {
    let place = Place::new().await;
    place.house.answers("sessions.list", json!({ "sessions": [] }));
    let viewer = place.world.user("vera", "viewer").await.token;
    let operator = place.world.user("otto", "operator").await.token;
    let (status, said) = read(&place, &viewer, "method=sessions.list&params=%7B%22limit%22%3A3%7D").await;
    assert_eq!((status, said.as_str()), (StatusCode::OK, r#"{"payload":{"sessions":[]}}"#));
    assert_eq!(place.house.calls("sessions.list"), [json!({ "limit": 3 })]);
    for (token, query, status) in [
        (&viewer, "method=health", StatusCode::FORBIDDEN),
        (&operator, "method=health", StatusCode::OK),
        (&operator, "method=exec.approval.list", StatusCode::BAD_REQUEST),
        (&operator, "method=chat.send&params=%7B%7D", StatusCode::BAD_REQUEST),
        (&operator, "method=sessions.list&params=7", StatusCode::BAD_REQUEST),
        (&operator, "method=sessions.list&params=x", StatusCode::BAD_REQUEST),
        (&operator, "method=sessions.list&as_of=7", StatusCode::BAD_REQUEST),
    ] {
        let (was, said) = read(&place, token, query).await;
        assert_eq!(was, status, "{query}: {said}");
    }
    assert!(place.house.calls("chat.send").is_empty());
}
