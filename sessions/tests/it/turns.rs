//! Turns from their message to their end, and who takes them.

use regatta_gateway_fake::House;
use regatta_sandboxes::{Error, Exit, Provider as _};
use regatta_sessions::After;
use serde_json::json;

use crate::world::{World, key, session, until};

/// Longer than any turn here.
const MINUTE_MS: u64 = 60_000;

#[tokio::test]
async fn a_turn_is_sent_once_works_in_its_workspace_and_is_told_line_by_line() {
    let house = House::open().await;
    let world = World::new(&[("one", &house)], After::Delete).await;
    let created = world.seat("a", None, None).await.expect("a seat");
    assert_eq!(created.fence, "gateway one; checks: none");
    world.begin("a", "/[[write made it]] [[say done]]", MINUTE_MS).await;
    // Begun again it is the same turn.
    world.begin("a", "/[[write made it]] [[say done]]", MINUTE_MS).await;
    assert_eq!(world.ended("a").await.exit, Exit::Code(0));
    let begun = format!("{} at one", session("a"));
    let told = [&begun, "lifecycle start", "tool start", "tool result", "chat deltadone", "says done", "chat final"];
    assert_eq!(world.told("a").await, told);
    let workspace = world.workspace("a").await;
    assert_eq!(std::fs::read_to_string(workspace.join("made")).expect("made"), "it");
    let sent = json!({
        "sessionKey": session("a"), "message": "/[[write made it]] [[say done]]", "idempotencyKey": "regatta-7q2k9x0m-a",
        "suppressCommandInterpretation": true,
    });
    assert_eq!(house.calls("chat.send"), [sent]);
    let cwd = house.calls("sessions.create")[0]["cwd"].clone();
    assert_eq!(cwd.as_str(), workspace.to_str());
    world.provider.destroy(&key("a")).await.expect("destroyed");
    until("the session is deleted", || house.calls("sessions.delete") == [json!({ "key": session("a") })]).await;
    assert!(!workspace.exists());
}

#[tokio::test]
async fn a_turn_that_is_killed_or_takes_too_long_is_aborted_at_its_gateway() {
    let house = House::open().await;
    let world = World::new(&[("one", &house)], After::Keep).await;
    for (slot, timeout_ms, exit) in [("a", MINUTE_MS, Exit::Killed), ("b", 5_000, Exit::TimedOut)] {
        world.seat(slot, None, None).await.expect("a seat");
        world.begin(slot, "[[hang]]", timeout_ms).await;
        let is_sent = || house.calls("chat.send").iter().any(|sent| sent["sessionKey"] == session(slot));
        until("it is sent", is_sent).await;
        if exit == Exit::Killed {
            world.kill(slot).await;
        }
        assert_eq!(world.ended(slot).await.exit, exit);
        assert!(house.calls("chat.abort").contains(&json!({ "sessionKey": session(slot) })));
        assert_eq!(world.told(slot).await.last().map(String::as_str), Some("chat aborted"));
    }
}

#[tokio::test]
async fn a_session_is_compacted_before_it_rests_as_soon_as_its_gateway_lets_it() {
    let house = House::open().await;
    let world = World::new(&[("one", &house)], After::Compact).await;
    let queued = "Session agent:main:x has queued work; retry after it finishes.";
    house.denies("sessions.compact", json!({ "code": "INVALID_REQUEST", "message": queued }));
    world.seat("a", None, None).await.expect("a seat");
    world.begin("a", "[[hang]]", MINUTE_MS).await;
    until("it is sent", || house.calls("chat.send").len() == 1).await;
    world.provider.destroy(&key("a")).await.expect("destroyed");
    assert_eq!(house.calls("chat.abort")[0], json!({ "sessionKey": session("a") }));
    until("it is asked again", || house.calls("sessions.compact").len() > 2).await;
    house.answers("sessions.compact", json!({ "ok": true }));
    let taken = house.calls("sessions.compact");
    assert!(taken.iter().all(|call| *call == json!({ "key": session("a") })), "{taken:?}");
}

#[tokio::test]
async fn what_was_said_while_nobody_was_connected_is_found_in_the_history() {
    let house = House::open().await;
    let world = World::new(&[("one", &house)], After::Keep).await;
    world.seat("a", None, None).await.expect("a seat");
    world.begin("a", "[[hang]]", MINUTE_MS).await;
    until("it is sent", || house.calls("chat.send").len() == 1).await;
    house.drop_connections();
    house.finish_unheard(&session("a"), "the last word");
    assert_eq!(world.ended("a").await.exit, Exit::Code(0));
    let told = world.told("a").await;
    assert!(told.iter().any(|line| line.starts_with("the connection to gateway one was lost")), "{told:?}");
    assert_eq!(told[told.len() - 2..], ["says the last word", "chat final"]);
    assert_eq!(house.calls("chat.send").len(), 1);
}

#[tokio::test]
async fn a_turn_lost_by_a_gateway_that_was_restarted_has_failed() {
    let house = House::open().await;
    let world = World::new(&[("one", &house)], After::Keep).await;
    world.seat("a", None, None).await.expect("a seat");
    world.begin("a", "[[hang]]", MINUTE_MS).await;
    until("it is sent", || house.calls("chat.send").len() == 1).await;
    house.restart();
    assert_eq!(world.ended("a").await.exit, Exit::Code(1));
    assert_eq!(world.told("a").await.last().map(String::as_str), Some("chat error"));
    assert_eq!(house.calls("chat.send").len(), 1);
}

#[tokio::test]
async fn attempts_are_spread_by_load_and_wait_for_room() {
    let (one, two) = (House::open().await, House::open().await);
    let world = World::new(&[("one", &one), ("two", &two)], After::Keep).await;
    let mut fences = Vec::new();
    for slot in ["a", "b", "c"] {
        fences.push(world.seat(slot, None, None).await.expect("a seat").fence);
    }
    let at = |name: &str| format!("gateway {name}; checks: none");
    assert_eq!(fences, [at("one"), at("two"), at("one")]);
    assert_eq!(world.seat("d", Some("two"), None).await.expect("a seat").fence, at("two"));
    // Asked again it is the same seat.
    assert_eq!(world.seat("b", None, None).await.expect("its seat").fence, at("two"));
    let full = world.seat("e", None, None).await.expect_err("no room");
    assert!(
        matches!(&full, Error::Full { reason, .. } if reason == "gateway one at 2/2; gateway two at 2/2"),
        "{full}"
    );
    let nowhere = world.provider.find(&key("e")).await.expect_err("nothing is copied for it");
    assert!(matches!(nowhere, Error::Missing(_)), "{nowhere}");
    world.provider.destroy(&key("a")).await.expect("destroyed");
    assert_eq!(world.seat("e", None, None).await.expect("room").fence, at("one"));
}

#[tokio::test]
async fn a_gateway_that_cannot_do_it_is_not_asked_and_says_why() {
    let (one, two) = (House::open().await, House::open().await);
    let world = World::new(&[("one", &one), ("two", &two)], After::Keep).await;
    one.answers("agents.list", json!({ "agents": [{ "id": "main" }, { "id": "reviewer" }] }));
    let seat = world.seat("a", None, Some("reviewer")).await.expect("one has it");
    assert_eq!(seat.fence, "gateway one; checks: none");
    let lacking = world.seat("b", Some("two"), Some("reviewer")).await.expect_err("it has none");
    assert_eq!(lacking.to_string(), "gateway two has no agent reviewer; it has: main");
    assert!(matches!(lacking, Error::Unusable { .. }));
    assert!(world.provider.find(&key("b")).await.is_err(), "its workspace went again");
    let unknown = world.provider.takes(Some("three"), "openclaw").expect_err("there is none");
    assert_eq!(unknown.to_string(), "there is no gateway three; there are: one, two");
    let other = world.provider.takes(None, "claude").expect_err("not that agent");
    assert!(other.to_string().contains("openclaw@gateway"), "{other}");
    world.gateways.remove(&"one".parse().expect("a name"), &regatta_core::Actor::user("ana")).await.expect("removed");
    assert_eq!(world.seat("c", None, None).await.expect("a seat").fence, "gateway two; checks: none");
}
