//! Every frame captured from a real gateway is read, and says what it said.

use std::collections::BTreeMap;

use regatta_gateway::{Decoded, Progress, Refusal, Retry, RpcError, Step, decode};
use serde_json::Value;

const FILES: [(&str, &str); 12] = [
    ("errors-connect", include_str!("../frames/errors-connect.jsonl")),
    ("errors-rpc", include_str!("../frames/errors-rpc.jsonl")),
    ("exec-approval-allow-once", include_str!("../frames/exec-approval-allow-once.jsonl")),
    ("handshake-backend-no-device", include_str!("../frames/handshake-backend-no-device.jsonl")),
    ("handshake-device-token", include_str!("../frames/handshake-device-token.jsonl")),
    ("handshake-token-new-device", include_str!("../frames/handshake-token-new-device.jsonl")),
    ("idle-65s-ticks", include_str!("../frames/idle-65s-ticks.jsonl")),
    ("observer-subscribed-tool-turn", include_str!("../frames/observer-subscribed-tool-turn.jsonl")),
    ("pairing-and-origins", include_str!("../frames/pairing-and-origins.jsonl")),
    ("reconnect-socket", include_str!("../frames/reconnect-socket.jsonl")),
    ("startup-sidecars", include_str!("../frames/startup-sidecars.jsonl")),
    ("tool-call-turn", include_str!("../frames/tool-call-turn.jsonl")),
];

/// Lines of a capture: what was received, with the connection it came on.
fn received(file: &str) -> impl Iterator<Item = (String, Value)> {
    let lines = file.lines().map(|line| serde_json::from_str::<Value>(line).expect("a line"));
    lines.filter(|line| line["dir"] == "recv" && line["frame"].is_object()).map(|line| {
        let connection = format!("{} {}", line["case"], line["conn"]);
        (connection, line["frame"].clone())
    })
}

#[test]
fn every_captured_frame_is_read_with_its_name_place_and_payload() {
    let mut read = BTreeMap::new();
    for (name, file) in FILES {
        for (_, frame) in received(file) {
            let text = frame.to_string();
            let payload_of = |payload: Option<&serde_json::value::RawValue>| match payload {
                Some(payload) => serde_json::from_str(payload.get()).expect("JSON"),
                None => Value::Null,
            };
            let kind = match decode(&text).unwrap_or_else(|error| panic!("{name}: {error}: {text}")) {
                Decoded::Event { head, payload } => {
                    assert_eq!(
                        (&*head.event, head.seq),
                        (frame["event"].as_str().expect("a name"), frame["seq"].as_u64())
                    );
                    assert_eq!(payload_of(payload), frame["payload"]);
                    "events"
                }
                Decoded::Response(response) => {
                    assert_eq!(response.id, frame["id"].as_str().expect("an id"));
                    match response.outcome {
                        Ok(payload) => assert_eq!(payload_of(payload), frame["payload"]),
                        Err(error) => assert_eq!(serde_json::to_value(&error).expect("JSON"), frame["error"]),
                    }
                    "answers"
                }
            };
            *read.entry(kind).or_insert(0) += 1;
        }
    }
    assert!(read["events"] > 300 && read["answers"] > 60, "{read:?}");
}

#[test]
fn no_captured_connection_has_a_gap() {
    for (name, file) in FILES {
        // What was left out of a capture on purpose is no gap of the gateway's: those files keep single frames only.
        if !["reconnect-socket", "idle-65s-ticks", "handshake-token-new-device"].contains(&name) {
            continue;
        }
        let mut connections: BTreeMap<String, Progress> = BTreeMap::new();
        for (connection, frame) in received(file) {
            let Some(seq) = frame["seq"].as_u64() else { continue };
            let step = connections.entry(connection).or_default().step(seq);
            assert_eq!(step, Step::Next, "{name}: {} at {seq}", frame["event"]);
        }
        assert!(!connections.is_empty(), "{name}");
    }
}

/// The refusals in a capture, by the case that brought them about.
fn refusals(file: &str) -> BTreeMap<String, Refusal> {
    let refused = received(file).filter(|(_, frame)| frame["ok"] == false && frame["id"] == "c1");
    refused
        .map(|(connection, frame)| {
            let error: RpcError = serde_json::from_value(frame["error"].clone()).expect("an error");
            (connection.split('"').nth(1).unwrap_or_default().to_owned(), Refusal::of(&error))
        })
        .collect()
}

#[test]
fn every_captured_refusal_says_whether_asking_again_helps_and_what_to_do() {
    let mut seen = Vec::new();
    for file in ["errors-connect", "pairing-and-origins", "startup-sidecars"] {
        let text = FILES.iter().find(|(name, _)| *name == file).expect("a capture").1;
        for (case, refusal) in refusals(text) {
            let advice = refusal.advice().unwrap_or_default();
            let kind = format!("{refusal:?}").split([' ', '{']).next().unwrap_or_default().to_owned();
            seen.push(format!("{file} {case}: {kind}, {:?}, {advice}", refusal.retry()));
            assert!(refusal.retry() == Retry::Never || matches!(refusal, Refusal::Starting { .. }), "{refusal:?}");
        }
    }
    insta::assert_snapshot!(seen.join("\n"));
}
