//! A link against the fake gateway: the good days, then the bad ones.

use std::time::Duration;

use regatta_gateway::{CallError, Credential, Gap, Link, Loss, Notice, Options, Reason, Refusal, State};
use serde_json::json;
use serde_json::value::{RawValue, to_raw_value};
use tokio::sync::mpsc;

use regatta_gateway_fake::Fake;

const SOON: Duration = Duration::from_secs(10);

fn open(fake: &Fake) -> (Link, mpsc::Receiver<Notice>) {
    Link::open(Options::control_plane(&fake.url, Credential::Token("secret-token".into()))).expect("an address")
}

fn params() -> Box<RawValue> {
    to_raw_value(&json!({})).expect("JSON")
}

async fn until(link: &Link, wanted: impl Fn(&State) -> bool) -> State {
    let mut state = link.state();
    let state = tokio::time::timeout(SOON, state.wait_for(|state| wanted(state))).await.expect("in time");
    state.expect("a state").clone()
}

fn is_disconnected(state: &State) -> bool {
    matches!(state, State::Disconnected(reason) if *reason != Reason::New)
}

/// What was noticed, in few words.
async fn next(notices: &mut mpsc::Receiver<Notice>) -> String {
    match tokio::time::timeout(SOON, notices.recv()).await.expect("in time").expect("a notice") {
        Notice::Welcomed(hello) => format!("welcome {}", hello.server.conn_id),
        Notice::Received(received) => format!("{} {}", received.event, received.payload().expect("a payload").get()),
        Notice::Missing(Gap { last, next }) => format!("missing between {last} and {next}"),
        Notice::Lost(loss) => format!("lost: {loss}"),
    }
}

#[tokio::test]
async fn events_come_as_they_were_sent_and_calls_are_answered_out_of_order() {
    let mut fake = Fake::new().await;
    let (link, mut notices) = open(&fake);
    let serving = async {
        let mut guest = fake.welcomed().await;
        assert_eq!(guest.connect["params"]["auth"], json!({ "token": "secret-token" }));
        assert_eq!(guest.connect["params"]["caps"], json!(["tool-events", "approvals"]));
        let (one, two) = (guest.heard().await.expect("a call"), guest.heard().await.expect("a call"));
        guest.tell(1).await;
        guest.say(&json!({ "type": "res", "id": two["id"], "ok": true, "payload": two["method"] })).await;
        guest.tell(2).await;
        guest.say(&json!({ "type": "res", "id": one["id"], "ok": true, "payload": one["method"] })).await;
        guest
    };
    let calling = async { tokio::join!(link.call("health", params(), SOON), link.call("status", params(), SOON)) };
    let (_guest, (health, status)) = tokio::join!(serving, calling);
    assert_eq!((health.expect("health").get(), status.expect("status").get()), ("\"health\"", "\"status\""));
    let seen = [next(&mut notices).await, next(&mut notices).await, next(&mut notices).await];
    assert_eq!(seen, ["welcome conn-1", "tick {\"ts\":1}", "tick {\"ts\":2}"]);
}

#[tokio::test]
async fn a_lost_connection_fails_calls_at_once_says_so_and_is_found_again() {
    let mut fake = Fake::new().await;
    let (link, mut notices) = open(&fake);
    let mut guest = fake.welcomed().await;
    guest.tell(1).await;
    let (lost, ()) = tokio::join!(link.call("chat.send", params(), SOON), async {
        guest.heard().await.expect("a call");
        guest.close(1012, "service restart").await;
    });
    let loss = Loss::Closed { code: 1012, reason: "service restart".to_owned() };
    assert_eq!(lost.expect_err("lost"), CallError::Lost(loss));
    until(&link, |state| matches!(state, State::Reconnecting { .. })).await;
    link.try_now().await;
    let (mut guest, answer) = tokio::join!(
        async {
            let mut guest = fake.welcomed().await;
            let call = guest.heard().await.expect("a call that waited");
            guest.say(&json!({ "type": "res", "id": call["id"], "ok": true })).await;
            guest
        },
        link.call("health", params(), SOON)
    );
    assert_eq!(answer.expect("answered").get(), "null");
    guest.tell(1).await;
    let mut seen = Vec::new();
    for _ in 0..5 {
        seen.push(next(&mut notices).await);
    }
    let lost = "lost: the gateway closed the connection with code 1012 (service restart)";
    assert_eq!(seen, ["welcome conn-1", "tick {\"ts\":1}", lost, "welcome conn-2", "tick {\"ts\":1}"]);
}

#[tokio::test]
async fn missing_events_are_said_before_the_next_one() {
    let mut fake = Fake::new().await;
    let (_link, mut notices) = open(&fake);
    let mut guest = fake.welcomed().await;
    for seq in [1, 4] {
        guest.tell(seq).await;
    }
    let mut seen = Vec::new();
    for _ in 0..4 {
        seen.push(next(&mut notices).await);
    }
    assert_eq!(seen, ["welcome conn-1", "tick {\"ts\":1}", "missing between 1 and 4", "tick {\"ts\":4}"]);
}

#[tokio::test]
async fn a_wrong_token_is_tried_once_and_calls_say_why_nothing_is_tried() {
    let mut fake = Fake::new().await;
    let (link, _notices) = open(&fake);
    let details = json!({ "code": "AUTH_TOKEN_MISMATCH" });
    let error = json!({ "code": "INVALID_REQUEST", "message": "unauthorized", "details": details });
    fake.asked().await.refuse(error, 1008).await;
    let refusal = Refusal::Credential { code: "AUTH_TOKEN_MISMATCH".to_owned(), message: "unauthorized".to_owned() };
    assert_eq!(until(&link, is_disconnected).await, State::Disconnected(Reason::Refused(refusal.clone())));
    let refused = link.call("health", params(), SOON).await.expect_err("not connected");
    assert_eq!(refused, CallError::NotConnected(Reason::Refused(refusal)));
    assert!(refused.was_not_sent());
    // A person mended it and says so.
    link.try_now().await;
    let _guest = fake.welcomed().await;
    until(&link, |state| *state == State::Connected).await;
}

#[tokio::test]
async fn a_gateway_that_starts_or_drains_is_asked_again() {
    let mut fake = Fake::new().await;
    let (link, _notices) = open(&fake);
    let error = json!({
        "code": "UNAVAILABLE", "message": "gateway starting", "retryable": true, "retryAfterMs": 5,
        "details": { "reason": "startup-sidecars" },
    });
    fake.asked().await.refuse(error, 1013).await;
    fake.answered_with("503 Service Unavailable").await;
    until(&link, |state| matches!(state, State::Reconnecting { wait_ms: 1_000, .. })).await;
    link.try_now().await;
    let _guest = fake.welcomed().await;
    until(&link, |state| *state == State::Connected).await;
}

#[tokio::test]
async fn a_proxy_that_refuses_is_said_with_what_to_do() {
    let mut fake = Fake::new().await;
    let (link, _notices) = open(&fake);
    fake.answered_with("403 Forbidden").await;
    let State::Disconnected(Reason::Refused(refusal)) = until(&link, is_disconnected).await else {
        panic!("it is refused");
    };
    assert_eq!(refusal, Refusal::Upgrade { status: 403 });
    assert!(refusal.advice().expect("advice").contains("gateway.trustedProxies"));
}

#[tokio::test]
async fn hostile_frames_end_the_connection_and_nothing_else() {
    let deep = format!("{{\"type\":\"event\",\"event\":\"x\",\"payload\":{}}}", "[".repeat(200_000));
    let long = format!("{{\"type\":\"event\",\"event\":\"{}\"}}", "x".repeat(10_000));
    let hostile = ["not JSON", "{}", "[]", "{\"type\":\"req\"}", "{\"type\":\"res\",\"id\":\"1\"}", &deep, &long];
    let mut fake = Fake::new().await;
    let (link, mut notices) = open(&fake);
    for text in hostile {
        let mut guest = fake.welcomed().await;
        assert!(next(&mut notices).await.starts_with("welcome"));
        guest.say_text(text).await;
        let lost = next(&mut notices).await;
        assert!(lost.starts_with("lost: the gateway sent something unreadable"), "{lost}");
        link.try_now().await;
    }
}

#[tokio::test]
async fn a_gateway_that_falls_silent_is_given_up_after_two_of_its_ticks() {
    let mut fake = Fake::new().await;
    let (_link, mut notices) = open(&fake);
    let _guest = fake.welcomed().await;
    assert_eq!(next(&mut notices).await, "welcome conn-1");
    assert_eq!(next(&mut notices).await, "lost: the gateway said nothing for 2000 ms");
}

#[tokio::test]
async fn a_call_larger_than_the_gateway_takes_is_not_sent() {
    let mut fake = Fake::new().await;
    let (link, _notices) = open(&fake);
    let _guest = fake.welcomed().await;
    let large = to_raw_value(&"x".repeat(5_000)).expect("JSON");
    let refused = link.call("chat.send", large, SOON).await.expect_err("too large");
    assert!(matches!(refused, CallError::TooLarge { bytes_max: 4_096, .. }), "{refused}");
}

#[tokio::test]
async fn closing_says_goodbye_and_answers_whoever_waits() {
    let mut fake = Fake::new().await;
    let (link, _notices) = open(&fake);
    let mut guest = fake.welcomed().await;
    let (answer, (), ()) = tokio::join!(
        link.call("health", params(), SOON),
        async {
            guest.heard().await.expect("a call");
            link.close().await;
        },
        async {
            until(&link, is_disconnected).await;
        }
    );
    assert_eq!(answer.expect_err("closed"), CallError::NotConnected(Reason::Closed));
    assert_eq!(link.call("health", params(), SOON).await.expect_err("closed"), CallError::NotConnected(Reason::Closed));
}

#[tokio::test]
async fn a_gateway_that_is_not_there_is_said_with_the_machines_words() {
    let fake = Fake::new().await;
    let url = fake.url.clone();
    drop(fake);
    let (link, _notices) = Link::open(Options::control_plane(&url, Credential::Nothing)).expect("an address");
    let State::Reconnecting { loss, .. } = until(&link, |state| matches!(state, State::Reconnecting { .. })).await
    else {
        panic!("it is tried again");
    };
    assert!(loss.to_string().contains("Connection refused"), "{loss}");
}
