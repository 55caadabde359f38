//! Who may be at the door ends when their right does.

use axum::http::{Request, StatusCode};
use serde_json::json;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

use super::{Browser, Place};

async fn change(place: &Place, method: &str, path: &str, body: &'static str) {
    let request = Request::builder().method(method).uri(format!("/api/v1{path}")).body(body.into()).expect("request");
    assert_eq!(place.world.send(request).await.status(), StatusCode::NO_CONTENT, "{method} {path}");
}

#[tokio::test]
async fn a_browser_is_let_go_when_its_token_is_revoked() {
    let place = Place::new().await;
    let ben = place.world.user("ben", "operator").await;
    let mut browser = Browser::open(place.address, "/api/gateway/main/ws", &ben.token).await.expect("a WebSocket");
    browser.connect(&[]).await;
    let mut not_in_yet = Browser::open(place.address, "/api/gateway/main/ws", &ben.token).await.expect("a WebSocket");
    change(&place, "DELETE", &format!("/tokens/{}", ben.id), "").await;
    assert_eq!(browser.closed().await, (1008, "not signed in any more".to_owned()));
    assert_eq!(not_in_yet.closed().await.0, 1008);
}

#[tokio::test]
async fn a_browser_comes_again_when_its_role_is_another_one() {
    let place = Place::new().await;
    let mut browser = place.browser("admin").await;
    change(&place, "PATCH", "/users/admin", r#"{"role":"viewer"}"#).await;
    assert_eq!(browser.closed().await, (1012, "rights changed".to_owned()));
}

#[tokio::test]
async fn a_browser_is_told_to_come_again_when_the_server_stops() {
    let place = Place::new().await;
    let mut browser = place.browser("operator").await;
    place.world.stop.cancel();
    assert_eq!(browser.closed().await, (1012, "server stops".to_owned()));
}

#[tokio::test]
async fn a_removed_gateway_lets_its_browsers_go() {
    let place = Place::new().await;
    let mut browser = place.browser("operator").await;
    change(&place, "DELETE", "/gateways/main", "").await;
    assert_eq!(browser.closed().await.0, 1012);
    let token = place.world.user("ben", "operator").await.token;
    match Browser::open(place.address, "/api/gateway/main/ws", &token).await {
        Err(Error::Http(answer)) => assert_eq!(answer.status(), StatusCode::NOT_FOUND),
        other => panic!("{:?}", other.map(|_| "let in")),
    }
}

#[tokio::test]
async fn a_page_of_another_origin_and_whoever_is_not_signed_in_get_no_door() {
    let place = Place::new().await;
    let ben = place.world.user("ben", "admin").await;
    let by = format!("Bearer {}", ben.token);
    let cases: [(Vec<(&'static str, &str)>, StatusCode); 5] = [
        (vec![("authorization", by.as_str()), ("origin", "http://evil.example")], StatusCode::FORBIDDEN),
        (vec![("authorization", by.as_str()), ("host", "evil.example")], StatusCode::FORBIDDEN),
        (vec![("origin", "http://evil.example")], StatusCode::FORBIDDEN),
        (vec![], StatusCode::UNAUTHORIZED),
        (vec![("authorization", "Bearer rgt_wrong")], StatusCode::UNAUTHORIZED),
    ];
    for (headers, status) in cases {
        let at = format!("ws://{}/api/gateway/main/ws", place.address);
        let mut request = at.into_client_request().expect("request");
        for (name, value) in &headers {
            request.headers_mut().insert(*name, value.parse().expect("value"));
        }
        let stream = tokio::net::TcpStream::connect(place.address).await.expect("it listens");
        match tokio_tungstenite::client_async(request, stream).await {
            Err(Error::Http(answer)) => assert_eq!(answer.status(), status, "{headers:?}"),
            other => panic!("{headers:?}: {:?}", other.map(|_| "let in")),
        }
    }
    assert_eq!(place.browser("operator").await.call("health", json!({})).await["ok"], true);
}
