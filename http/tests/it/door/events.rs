//! Events: who hears which, in order, from the log, and nothing past a hole.

use regatta_core::event::gateway::{Frame, GatewayEvent};
use regatta_core::{Event, ReadMax, Stream};
use serde_json::json;

use super::Place;
use crate::world::World;

const TURN: &str = include_str!("../../../../gateway/tests/frames/observer-subscribed-tool-turn.jsonl");

fn recorded(world: &World) -> Vec<Frame> {
    let all = ReadMax { events: usize::MAX, bytes: usize::MAX };
    let read = world.log.read_stream(&Stream::link(&"main".parse().expect("a name")), 1, all).expect("read");
    let frames = read.iter().filter_map(|envelope| match envelope.event().expect("a fact") {
        Event::Gateway(GatewayEvent::Frame(frame)) => Some(frame),
        _ => None,
    });
    frames.collect()
}

#[tokio::test]
async fn a_browser_hears_what_the_protocol_gives_it_in_order_and_only_what_is_in_the_log() {
    let place = Place::new().await;
    let mut subscribed = place.browser("operator").await;
    let mut bare = place.browser("viewer").await;
    assert_eq!(subscribed.call("sessions.subscribe", json!({})).await["payload"], json!({ "subscribed": true }));
    place.house.replay(TURN);
    place.house.say("heartbeat", json!({}));
    let (mut heard, mut expected) = (Vec::new(), Vec::new());
    loop {
        let frame = subscribed.hear().await;
        assert_eq!(frame.get("seq"), None, "the place on our own connection is not theirs");
        heard.push(frame["event"].as_str().expect("a name").to_owned());
        if expected.len() < heard.len() {
            // An operator does not hear of approvals, and hears all else of this turn.
            let all = recorded(&place.world).into_iter().map(|frame| frame.event);
            expected = all.filter(|event| !event.contains("approval")).collect();
        }
        assert!(expected.starts_with(&heard), "{heard:?} of {expected:?}");
        if frame["event"] == "heartbeat" {
            break;
        }
    }
    for name in ["chat", "agent", "session.tool", "session.message", "sessions.changed"] {
        assert!(heard.iter().any(|event| event == name), "{name} is not in {heard:?}");
    }
    let heard = bare.events_up_to("heartbeat").await;
    assert!(heard.iter().any(|event| event == "chat"), "{heard:?}");
    assert!(!heard.iter().any(|event| event.starts_with("session")), "{heard:?}");
}

#[tokio::test]
async fn tools_sessions_and_approvals_are_for_those_they_are_for() {
    let place = Place::new().await;
    let mut approver = place.browser("approver").await;
    let mut operator = place.browser("operator").await;
    let token = place.world.user("plain", "admin").await.token;
    let mut plain = super::Browser::open(place.address, "/api/gateway/main/ws", &token).await.expect("a WebSocket");
    plain.connect(&[]).await;
    let subscribed = operator.call("sessions.messages.subscribe", json!({ "key": "one" })).await;
    assert_eq!(subscribed["payload"], json!({ "subscribed": true, "key": "one" }));
    assert_eq!(place.house.calls("sessions.messages.subscribe").len(), 0, "the installation's own subscription stays");
    let say = |event: &str, payload| place.house.say(event, payload);
    say("agent", json!({ "stream": "tool" }));
    say("session.message", json!({ "sessionKey": "one" }));
    say("session.message", json!({ "sessionKey": "other" }));
    say("session.tool", json!({ "sessionKey": "one" }));
    say("terminal.data", json!({}));
    say("came.later", json!({}));
    place.house.ask("a-1", "uname -s", &["deny"], 1);
    say("tick", json!({}));
    assert_eq!(approver.events_up_to("tick").await, ["agent", "exec.approval.requested"]);
    assert_eq!(operator.events_up_to("tick").await, ["agent", "session.message"]);
    assert_eq!(plain.events_up_to("tick").await, ["terminal.data", "came.later", "exec.approval.requested"]);
    operator.call("sessions.messages.unsubscribe", json!({ "key": "one" })).await;
    say("session.message", json!({ "sessionKey": "one" }));
    say("tick", json!({}));
    assert_eq!(operator.events_up_to("tick").await, [""; 0]);
}

#[tokio::test]
async fn nobody_hears_past_a_hole() {
    let place = Place::new().await;
    let mut browser = place.browser("operator").await;
    place.house.say("tick", json!({ "ts": 1 }));
    place.house.skip(3);
    place.house.say("tick", json!({ "ts": 2 }));
    assert_eq!(browser.hear().await["payload"]["ts"], 1);
    assert_eq!(browser.closed().await, (1012, "events lost: read anew".to_owned()));
    // The connection is the same, and whoever comes again hears on.
    let mut again = place.browser("admin").await;
    place.house.say("tick", json!({ "ts": 3 }));
    while again.hear().await["payload"]["ts"] != 3 {}
}

#[tokio::test]
async fn a_browser_that_does_not_read_is_let_go_and_nobody_else_notices() {
    let place = Place::new().await;
    let mut slow = place.browser("viewer").await;
    let mut quick = place.browser("operator").await;
    let gateway = || "main".parse().expect("a name");
    let text = json!({ "type": "event", "event": "chat", "payload": { "text": "x".repeat(8_000) } }).to_string();
    let (boot_id, conn_id, event) = ("boot-1".to_owned(), "conn-1".to_owned(), "chat".to_owned());
    let frame = Frame { gateway: gateway(), boot_id, conn_id, seq: None, event, text: text.into_bytes().into() };
    let event = Event::Gateway(GatewayEvent::Frame(frame));
    // More than the machine holds for one connection.
    for _ in 0..30 {
        place.world.many_of(Stream::link(&gateway()), &event, 100).await;
        for _ in 0..100 {
            assert_eq!(quick.hear().await["event"], "chat");
        }
    }
    // And then more than a browser may be behind.
    place.world.many(17_000).await;
    assert_eq!(slow.closed().await, (1008, "slow consumer".to_owned()));
    assert_eq!(quick.call("health", json!({})).await["ok"], true);
}
