//! Coming in: what is greeted, who is not, and that nothing secret is said.

use axum::http::StatusCode;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::{Error, Message};

use super::{Browser, CANARY, Place, connect_params, served, until};
use crate::world::{World, text};

fn names(list: &Value) -> Vec<&str> {
    list.as_array().expect("a list").iter().filter_map(Value::as_str).collect()
}

#[tokio::test]
async fn the_greeting_is_our_own_and_offers_what_the_role_may() {
    let place = Place::new().await;
    let mut greetings = Vec::new();
    for role in ["viewer", "operator", "approver", "admin"] {
        let token = place.world.user(role, role).await.token;
        let mut browser = Browser::open(place.address, "/api/gateway/ws", &token).await.expect("a WebSocket");
        greetings.push(browser.connect(&[]).await);
    }
    let [viewer, operator, approver, admin] = &greetings[..] else { panic!("{greetings:?}") };
    assert_eq!((&operator["type"], &operator["protocol"]), (&json!("hello-ok"), &json!(4)));
    assert_eq!(
        (&operator["server"]["version"], &operator["server"]["bootId"]),
        (&json!("regatta 0.0.0"), &json!("boot-1"))
    );
    assert_ne!(operator["server"]["connId"], "conn-1", "that is the installation's own");
    assert_eq!(operator["snapshot"]["sessionDefaults"]["mainSessionKey"], "agent:main:main");
    assert_eq!(operator["auth"]["scopes"], json!(["operator.read", "operator.write"]));
    assert_eq!(admin["auth"]["scopes"].as_array().map(Vec::len), Some(6));
    let methods = |greeting: &'_ Value| {
        names(&greeting["features"]["methods"]).into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let has = |greeting: &Value, method: &str| methods(greeting).iter().any(|name| name == method);
    assert!(has(operator, "chat.send") && has(operator, "sessions.usage") && !has(operator, "config.patch"));
    assert!(has(approver, "exec.approval.list") && !has(operator, "exec.approval.list"));
    assert!(has(admin, "config.patch") && !has(admin, "exec.approval.resolve") && !has(admin, "connect"));
    assert!(!has(viewer, "chat.send"));
    let hears = |greeting: &Value, event: &str| names(&greeting["features"]["events"]).contains(&event);
    assert!(hears(viewer, "chat") && !hears(viewer, "exec.approval.requested"));
    assert!(
        hears(approver, "exec.approval.requested")
            && !hears(approver, "terminal.data")
            && hears(admin, "terminal.data")
    );
}

#[tokio::test]
async fn no_credential_of_a_gateway_reaches_a_browser() {
    let place = Place::new().await;
    place.house.answers("chat.send", json!({ "runId": "r", "status": "started" }));
    let mut bytes = Vec::new();
    for role in ["viewer", "admin"] {
        let mut browser = place.browser(role).await;
        for (method, params) in [
            ("health", json!({})),
            ("chat.send", json!({ "message": "hello" })),
            ("no.such", json!({})),
            ("connect", connect_params(&[])),
            ("exec.approval.list", json!({})),
            ("device.token.rotate", json!({ "deviceId": "d" })),
        ] {
            browser.call(method, params).await;
        }
        place.house.ask(role, "uname -s", &["deny"], 1);
        place.house.say("tick", json!({ "ts": 1 }));
        browser.events_up_to("tick").await;
        bytes.push(browser);
    }
    place.house.refuses(json!({ "code": "UNAVAILABLE", "message": "not now" }), 1013);
    place.house.restart();
    for browser in &mut bytes {
        assert_eq!(browser.closed().await.0, 1012);
    }
    until("the link is lost", async || {
        !text(place.world.get("/gateways/main").await).await.1.contains("\"connected\"")
    })
    .await;
    let token = place.world.user("late", "admin").await.token;
    let mut late = Browser::open(place.address, "/api/gateway/main/ws", &token).await.expect("a WebSocket");
    late.hear().await;
    late.say_json(&json!({ "type": "req", "id": "1", "method": "connect", "params": connect_params(&[]) })).await;
    let refused = late.hear().await;
    assert_eq!(refused["error"]["details"]["code"], "REGATTA_NOT_CONNECTED", "{refused}");
    assert_eq!(late.closed().await, (1013, "gateway away".to_owned()));
    bytes.push(late);
    for browser in bytes {
        let said = String::from_utf8_lossy(&browser.bytes);
        // What the captured greeting has in the place of secrets begins so.
        for secret in [CANARY, "DUMMY-", "device-token-of-the-fake"] {
            assert!(!said.contains(secret), "{secret} was said");
        }
    }
}

#[tokio::test]
async fn who_does_not_begin_as_the_protocol_says_is_told_and_let_go() {
    let place = Place::new().await;
    let token = place.world.user("ben", "admin").await.token;
    let first = |params: Value| json!({ "type": "req", "id": "1", "method": "connect", "params": params }).to_string();
    let large = json!({ "minProtocol": 4, "maxProtocol": 4, "x": "x".repeat(70_000) });
    for (message, id, code, reason) in [
        (Message::text("hello"), "invalid", 1008, "handshake: connect comes first"),
        (Message::text(r#"{"type":"req","id":"1","method":"health"}"#), "1", 1008, "handshake: connect comes first"),
        (Message::text(first(json!({}))), "1", 1008, "handshake: invalid connect params"),
        (Message::text(first(json!({ "minProtocol": 3, "maxProtocol": 3 }))), "1", 1002, "protocol mismatch"),
        (Message::text(first(large)), "1", 1009, "frame too large"),
        (Message::binary(vec![1, 2, 3]), "", 1003, "text only"),
    ] {
        let mut browser = Browser::open(place.address, "/api/gateway/main/ws", &token).await.expect("a WebSocket");
        browser.hear().await;
        browser.say(message.clone()).await;
        if !id.is_empty() {
            let answer = browser.hear().await;
            assert_eq!((&answer["id"], &answer["ok"]), (&json!(id), &json!(false)), "{answer}");
        }
        assert_eq!(browser.closed().await, (code, reason.to_owned()));
    }
    assert_eq!(place.house.connections(), 1, "nothing of this reaches the gateway");
}

#[tokio::test]
async fn a_gateway_is_named_unless_there_is_only_one() {
    let world = World::new();
    let token = world.user("ben", "viewer").await.token;
    let address = served(&world).await;
    let status = async |path: &str| match Browser::open(address, path, &token).await {
        Err(Error::Http(answer)) => answer.status(),
        Ok(_) => StatusCode::SWITCHING_PROTOCOLS,
        Err(other) => panic!("{path}: {other}"),
    };
    assert_eq!(status("/api/gateway/ws").await, StatusCode::NOT_FOUND);
    for (name, then) in [("one", StatusCode::SWITCHING_PROTOCOLS), ("two", StatusCode::BAD_REQUEST)] {
        let body = json!({ "name": name, "url": format!("ws://127.0.0.1:1/{name}") }).to_string();
        assert_eq!(world.post("/gateways", body).await.status(), StatusCode::CREATED);
        assert_eq!(status("/api/gateway/ws").await, then, "{name}");
        assert_eq!(status(&format!("/api/gateway/ws?gateway={name}")).await, StatusCode::SWITCHING_PROTOCOLS);
        assert_eq!(status(&format!("/api/gateway/{name}/ws")).await, StatusCode::SWITCHING_PROTOCOLS);
    }
    assert_eq!(status("/api/gateway/three/ws").await, StatusCode::NOT_FOUND);
    assert_eq!(status("/api/gateway/No%20Name/ws").await, StatusCode::BAD_REQUEST);
    let plain = axum::http::Request::get("/api/gateway/one/ws").body("".into()).expect("request");
    let (plain, said) = text(world.send(plain).await).await;
    assert!(plain == StatusCode::UPGRADE_REQUIRED && said.contains("/call"), "{plain} {said}");
}
