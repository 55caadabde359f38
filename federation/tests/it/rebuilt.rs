//! What was not heard is made of what the gateway keeps, and marked.

#![expect(clippy::indexing_slicing, reason = "what is not there fails the test")]

use regatta_core::event::gateway::GatewayEvent;
use regatta_core::{Clock as _, Event, Stream, SystemClock};
use regatta_gateway_fake::House;
use serde_json::{Value, json};

use crate::world::{World, main, until};

fn row(seq: u64, role: &str, run: Option<&str>) -> Value {
    json!({
        "role": role, "content": [{ "type": "text", "text": format!("row {seq}") }], "timestamp": 1, "stopReason": "stop",
        "__openclaw": { "id": format!("m-{seq}"), "seq": seq, "recordTimestampMs": SystemClock.now_ms(), "runId": run },
    })
}

/// What the gateway keeps of its one session, in which nothing runs.
fn keeps(house: &House, messages: &[Value]) {
    let now = SystemClock.now_ms();
    let session = json!({
        "key": "k", "agentId": "main", "updatedAt": now, "hasActiveRun": false, "activeRunIds": [],
    });
    house.answers("sessions.list", json!({ "ts": now, "count": 1, "sessions": [session] }));
    house.answers("chat.history", json!({ "sessionKey": "k", "sessionId": "s", "messages": messages }));
}

/// The frames that were rebuilt, in few words.
fn rebuilt(world: &World) -> Vec<String> {
    let events = world.events(&Stream::link(&main()));
    let frames = events.iter().filter_map(|event| match event {
        Event::Gateway(GatewayEvent::Frame(frame)) if frame.seq.is_none() => Some(frame),
        _ => None,
    });
    let words = |frame: &regatta_core::event::gateway::Frame| {
        let text: Value = serde_json::from_slice(&frame.text).expect("JSON");
        assert_eq!(text["reconstructed"], true, "{text}");
        let payload = &text["payload"];
        match frame.event.as_str() {
            "session.message" => format!("{} {}", frame.conn_id, payload["message"]["content"][0]["text"]),
            "chat" => format!("{} {} {}", frame.conn_id, payload["runId"], payload["state"]),
            other => format!("{} {other}", frame.conn_id),
        }
    };
    frames.map(words).map(|words| words.replace('"', "")).collect()
}

async fn rebuilt_when(world: &World, count: usize) -> Vec<String> {
    until("it is rebuilt", || Some(rebuilt(world)).filter(|rebuilt| rebuilt.len() >= count)).await
}

fn say(house: &House, seq: u64, message: &Value) {
    house.say("session.message", json!({ "sessionKey": "k", "messageSeq": seq, "message": message }));
}

#[tokio::test]
async fn what_happened_without_a_connection_in_a_gap_or_without_a_server_is_rebuilt_once() {
    let house = House::open().await;
    let world = World::with(&house).await;
    assert_eq!(house.calls("sessions.list").len(), 0, "nothing is missing before anything was heard");
    let rows =
        [row(1, "user", None), row(2, "assistant", Some("r1")), row(3, "user", None), row(4, "assistant", Some("r2"))];
    say(&house, 1, &rows[0]);
    world.told_when("session.message 1").await;
    keeps(&house, &rows[..2]);
    house.drop_connections();
    let told = rebuilt_when(&world, 3).await;
    assert_eq!(told, ["conn-2 row 2", "conn-2 r1 final", "conn-2 sessions.changed"]);

    // The third row is lost on the way, the fourth is heard.
    keeps(&house, &rows);
    house.say("chat", json!({ "sessionKey": "k", "runId": "r2", "state": "final" }));
    house.skip(1);
    say(&house, 4, &rows[3]);
    let told = rebuilt_when(&world, 5).await;
    assert_eq!(told[3..], ["conn-2 row 3", "conn-2 sessions.changed"]);

    let mut world = world;
    world.end().await;
    let rows = [&rows[..], &[row(5, "assistant", Some("r3"))]].concat();
    keeps(&house, &rows);
    let world = world.again().await;
    let told = rebuilt_when(&world, 8).await;
    assert_eq!(told[5..], ["conn-3 row 5", "conn-3 r3 final", "conn-3 sessions.changed"]);
}

#[tokio::test]
async fn prompts_tools_and_aborts_that_were_missed_are_rebuilt_as_they_stand() {
    let house = House::open().await;
    let world = World::with(&house).await;
    let mut calls = row(2, "assistant", Some("r1"));
    calls["stopReason"] = "toolUse".into();
    let gave = row(3, "toolResult", None);
    let mut cut = row(4, "assistant", Some("r1"));
    cut["openclawAbort"] = json!({ "aborted": true, "origin": "rpc", "runId": "r1" });
    keeps(&house, &[row(1, "user", None), calls, gave, cut]);
    house.drop_connections();
    let told = rebuilt_when(&world, 6).await;
    assert_eq!(
        told,
        ["row 1", "row 2", "row 3", "row 4", "r1 aborted", "sessions.changed"].map(|of| format!("conn-2 {of}"))
    );
    // Nothing of it is missing any more.
    house.drop_connections();
    let told = rebuilt_when(&world, 7).await;
    assert_eq!(told[6..], ["conn-3 sessions.changed"]);
}

#[tokio::test]
async fn a_run_whose_last_row_was_heard_and_whose_end_was_not_ends_as_it_did() {
    let house = House::open().await;
    let world = World::with(&house).await;
    let rows = [row(1, "user", None), row(2, "assistant", Some("r1"))];
    (1..).zip(&rows).for_each(|(seq, row)| say(&house, seq, row));
    world.told_when("session.message 2").await;
    keeps(&house, &rows);
    house.drop_connections();
    assert_eq!(rebuilt_when(&world, 2).await, ["conn-2 r1 final", "conn-2 sessions.changed"]);
}

#[tokio::test]
async fn what_is_missed_of_a_gateway_whose_clock_is_behind_is_rebuilt() {
    let house = House::open().await;
    let world = World::with(&house).await;
    let then = SystemClock.now_ms() - 3_600_000;
    let session = json!({
        "key": "k", "agentId": "main", "updatedAt": then, "hasActiveRun": false, "activeRunIds": [],
    });
    let mut missed = row(1, "user", None);
    missed["__openclaw"]["recordTimestampMs"] = then.into();
    house.answers("sessions.list", json!({ "ts": then, "count": 1, "sessions": [session] }));
    house.answers("chat.history", json!({ "sessionKey": "k", "sessionId": "s", "messages": [missed] }));
    house.drop_connections();
    assert_eq!(rebuilt_when(&world, 2).await, ["conn-2 row 1", "conn-2 sessions.changed"]);
}

#[tokio::test]
async fn what_is_being_rebuilt_when_the_connection_is_lost_again_is_recorded_once() {
    let house = House::open().await;
    let world = World::with(&house).await;
    keeps(&house, &[row(1, "user", None), row(2, "user", None)]);
    world.disk.is_slow_to_rebuild.send_replace(true);
    house.drop_connections();
    rebuilt_when(&world, 3).await;
    house.drop_connections();
    world.told_when("boot-1 conn-3").await;
    world.disk.is_slow_to_rebuild.send_replace(false);
    let told = rebuilt_when(&world, 4).await;
    let all = ["conn-2 row 1", "conn-2 row 2", "conn-2 sessions.changed", "conn-3 sessions.changed"];
    assert_eq!(told, all);
}
