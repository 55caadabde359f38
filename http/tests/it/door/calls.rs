//! Calls: whose answer is whose, what is recorded, what is not passed on, and what becomes of them when a gateway goes.

use regatta_core::{ReadMax, Stream};
use serde_json::{Value, json};

use super::Place;

#[tokio::test]
async fn every_browser_gets_its_own_answers_under_its_own_ids() {
    let place = Place::new().await;
    place.house.answers("status", json!({ "of": "status" }));
    place.house.answers("models.list", json!({ "of": "models" }));
    let (mut one, mut other) = (place.browser("operator").await, place.browser("admin").await);
    // Both begin to count at the same number.
    let ids = (one.begin("status", json!({})).await, other.begin("models.list", json!({})).await);
    assert_eq!(ids.0, ids.1);
    let (one, other) = (one.answer().await, other.answer().await);
    assert_eq!((&one["id"], &one["payload"]), (&json!(ids.0), &json!({ "of": "status" })));
    assert_eq!((&other["id"], &other["payload"]), (&json!(ids.1), &json!({ "of": "models" })));
    assert_eq!(place.house.connections(), 1, "they share one connection");
}

#[tokio::test]
async fn what_the_gateway_says_to_a_call_comes_as_it_is() {
    let place = Place::new().await;
    let mut browser = place.browser("admin").await;
    let refused = browser.call("config.get", json!({})).await;
    assert_eq!(refused["error"], json!({ "code": "INVALID_REQUEST", "message": "unknown method: config.get" }));
    let detailed = browser.call("approval.get", json!({ "id": "none" })).await;
    assert_eq!(detailed["error"]["details"]["reason"], "APPROVAL_NOT_FOUND");
    let unknown = browser.call("sessions.spawn", json!({})).await;
    assert_eq!(unknown["error"]["details"]["code"], "UNKNOWN_METHOD");
}

#[tokio::test]
async fn a_call_the_caller_may_not_make_never_leaves() {
    let place = Place::new().await;
    let mut browser = place.browser("operator").await;
    for (method, params, code) in [
        ("config.patch", json!({ "raw": "{}" }), "REGATTA_ROLE"),
        ("tools.invoke", json!({ "name": "exec" }), "REGATTA_ROLE"),
        ("chat.send", json!({ "message": "/config set x" }), "REGATTA_ROLE"),
        ("exec.approval.list", json!({}), "REGATTA_ROLE"),
        ("exec.approval.resolve", json!({ "id": "a", "decision": "deny" }), "REGATTA_NOBODY"),
    ] {
        let asked_before = place.house.calls(method).len();
        let refused = browser.call(method, params).await;
        assert_eq!(
            (&refused["error"]["code"], &refused["error"]["details"]["code"]),
            (&json!("FORBIDDEN"), &json!(code))
        );
        assert_eq!(place.house.calls(method).len(), asked_before, "{method}");
    }
    let needs = browser.call("config.patch", json!({})).await;
    assert_eq!(needs["error"]["details"]["needs"], "admin");
}

#[tokio::test]
async fn what_changes_something_is_recorded_with_who_did_it() {
    let place = Place::new().await;
    place.house.answers("chat.send", json!({ "runId": "r", "status": "started" }));
    let mut browser = place.browser("operator").await;
    browser.call("health", json!({})).await;
    let sent =
        browser.call("chat.send", json!({ "sessionKey": "k", "message": "a secret", "idempotencyKey": "1" })).await;
    assert_eq!(sent["payload"]["status"], "started");
    let link = place.world.log.read_stream(&Stream::link(&"main".parse().expect("a name")), 1, ReadMax::default());
    let calls: Vec<_> =
        link.expect("read").into_iter().filter(|event| event.kind.to_string() == "gateway.called").collect();
    assert_eq!(calls.len(), 1);
    assert_eq!(calls[0].actor.as_str(), "user:operator");
    let fact: Value = serde_json::from_slice(&calls[0].payload).expect("JSON");
    assert_eq!(fact, json!({ "gateway": "main", "method": "chat.send" }), "without what was sent");
}

#[tokio::test]
async fn calls_under_way_are_answered_at_once_when_the_gateway_goes_and_the_browser_is_told_to_come_again() {
    let place = Place::new().await;
    place.house.ignores("status");
    let mut browser = place.browser("operator").await;
    let ids = [browser.begin("status", json!({})).await, browser.begin("status", json!({})).await];
    super::until("they are asked", async || place.house.calls("status").len() == 2).await;
    place.house.restart();
    for _ in &ids {
        let lost = browser.answer().await;
        assert!(ids.iter().any(|id| lost["id"] == *id), "{lost}");
        assert_eq!(lost["error"]["details"]["code"], "REGATTA_LOST", "{lost}");
    }
    let (code, reason) = browser.closed().await;
    assert!(code == 1012 && reason.starts_with("gateway lost: "), "{code} {reason}");
    place.connected().await;
    let token = place.world.user("ben", "operator").await.token;
    let mut again = super::Browser::open(place.address, "/api/gateway/main/ws", &token).await.expect("a WebSocket");
    assert_eq!(again.connect(&[]).await["server"]["bootId"], "boot-2");
    assert_eq!(again.call("health", json!({})).await["ok"], true);
}
