//! Connections: made, recorded, lost, refused, found again.

use std::sync::atomic::Ordering;

use regatta_core::event::gateway::{GatewayEvent, Removed};
use regatta_core::event::user::Role;
use regatta_core::vault::ExposeSecret as _;
use regatta_core::{Event, Refusal, RefusalKind, Seq, Stream};
use regatta_federation::{LinkState, Wanted};
use regatta_gateway_fake::House;
use serde_json::json;

use crate::world::{World, ana, main, token, until, until_async};

const FRAMES: &str = include_str!("../../../gateway/tests/frames/observer-subscribed-tool-turn.jsonl");

#[tokio::test]
async fn everything_a_gateway_says_is_recorded_as_it_came_and_sessions_are_listened_to() {
    let house = House::open().await;
    house.wants_token("secret-token");
    let world = World::with(&house).await;
    assert_eq!(house.calls("sessions.subscribe"), [json!({})]);
    house.replay(FRAMES);
    house.say("the-end", json!({ "odd": "fields are kept" }));
    let told = world.told_when("the-end").await;
    assert_eq!((told[0].as_str(), told[1].as_str()), ("boot-1 conn-1 2026.9.6", "tick 1"));
    assert!(told.contains(&"session.tool 20".to_owned()) && told.contains(&"chat 42".to_owned()), "{told:?}");
    let events = world.events(&Stream::link(&main()));
    let Some(Event::Gateway(GatewayEvent::Frame(last))) = events.last() else { panic!("{events:?}") };
    let text: serde_json::Value = serde_json::from_slice(&last.text).expect("JSON");
    assert_eq!(text["payload"], json!({ "odd": "fields are kept" }));
}

#[tokio::test]
async fn gaps_losses_and_restarts_are_facts() {
    let house = House::open().await;
    let world = World::with(&house).await;
    house.say("tick", json!({}));
    house.skip(3);
    house.say("tick", json!({}));
    world.told_when("tick 5").await;
    // A gap is a reason to ask which questions are open.
    until("questions are compared", || (house.calls("exec.approval.list").len() == 2).then_some(())).await;
    house.restart();
    world.told_when("conn-1 gone").await;
    // It is found again by itself.
    let told = world.told_when("boot-2").await;
    assert_eq!(
        told,
        [
            "boot-1 conn-1 2026.9.6",
            "tick 1",
            "missed 1 to 5 of conn-1",
            "tick 5",
            "conn-1 gone after 5",
            "boot-2 conn-2 2026.9.6"
        ]
    );
    until("they are again", || (house.calls("exec.approval.list").len() == 3).then_some(())).await;
}

#[tokio::test]
async fn a_restart_of_ours_takes_the_gateways_up_again() {
    let house = House::open().await;
    house.wants_token("secret-token");
    let world = World::with(&house).await.again().await;
    world.link(|now| now.state == LinkState::Connected).await;
    let told = world.told_when("boot-1 conn-2").await;
    assert_eq!(told, ["boot-1 conn-1 2026.9.6", "conn-1 gone after 0", "boot-1 conn-2 2026.9.6"]);
}

#[tokio::test]
async fn a_wrong_token_is_said_once_with_what_to_do_and_mended_by_a_test() {
    let house = House::open().await;
    house.wants_token("another");
    let world = World::new();
    let now = world.add(&house, token("secret-token")).await;
    assert_eq!((now.state, now.reason.as_deref()), (LinkState::Stopped, Some("unauthorized: token mismatch")));
    assert!(now.advice.expect("advice").contains("gateway.auth.token"));
    let tested = world.gateways.test(&main()).await.expect("tested");
    assert_eq!((tested.is_good, tested.steps[0].found.as_str()), (false, "unauthorized: token mismatch"));
    assert_eq!(world.told(), ["stopped: unauthorized: token mismatch"]);
    house.wants_token("secret-token");
    let tested = world.gateways.test(&main()).await.expect("tested");
    assert!(tested.is_good, "{tested:?}");
    world.link(|now| now.state == LinkState::Connected).await;
}

#[tokio::test]
async fn a_gateway_that_does_not_know_this_device_says_what_to_run_there() {
    let house = House::open().await;
    house.wants_pairing("r-1");
    let world = World::new();
    let now = world.add(&house, None).await;
    assert_eq!((now.state, now.pairing.as_deref()), (LinkState::Stopped, Some("r-1")));
    let tested = world.gateways.test(&main()).await.expect("tested");
    assert_eq!(tested.pairing.as_deref(), Some("r-1"));
    assert_eq!(tested.steps[0].advice.as_deref(), Some("on the gateway's machine run: openclaw devices approve r-1"));
}

#[tokio::test]
async fn a_device_that_was_approved_comes_in_with_its_own_token_from_then_on() {
    let house = House::open().await;
    house.wants_pairing("r-1");
    let world = World::new();
    world.add(&house, None).await;
    house.approve();
    assert!(world.gateways.test(&main()).await.expect("tested").is_good);
    world.link(|now| now.state == LinkState::Connected).await;
    let name = "gateway.main.device-token".parse().expect("a name");
    let known = world.vault.known(&[name]).await;
    assert_eq!(known[0].1.expose_secret(), "device-token-of-the-fake");
    house.wants_token("nobody has this");
    house.drop_connections();
    until("it is in again with its own token", || (house.connections() >= 3).then_some(())).await;
}

#[tokio::test]
async fn a_gateway_that_lets_us_do_too_little_says_so() {
    let house = House::open().await;
    house.grants(&["operator.read"]);
    let world = World::new();
    assert_eq!(world.add(&house, token("t")).await.state, LinkState::Connected);
    let tested = world.gateways.test(&main()).await.expect("tested");
    let bad: Vec<&str> = tested.steps.iter().filter(|step| !step.is_good).map(|step| step.found.as_str()).collect();
    let lacking = "missing: operator.write, operator.admin, operator.approvals, operator.questions, operator.pairing";
    assert_eq!(bad, [lacking, "the gateway says: missing scope: operator.approvals"]);
}

#[tokio::test]
async fn what_is_said_while_the_disk_is_full_is_a_gap_and_the_connection_stays() {
    let house = House::open().await;
    let world = World::with(&house).await;
    house.say("tick", json!({}));
    world.told_when("tick 1").await;
    world.disk.is_full.store(true, Ordering::SeqCst);
    for _ in 0..5 {
        house.say("tick", json!({}));
    }
    // An answer on the same socket comes after them.
    let answer = world.gateways.call(&main(), "health", &json!({}), &ana(), Role::Operator).await;
    assert_eq!(answer.expect("answered").get(), "{\"ok\":true}");
    let refused = world.gateways.remove(&main(), &ana()).await.expect_err("nothing is recorded");
    assert_eq!(refused.kind, RefusalKind::ReadOnly);
    world.disk.is_full.store(false, Ordering::SeqCst);
    house.say("after", json!({}));
    let told = world.told_when("after 7").await;
    assert_eq!(told.first().map(String::as_str), Some("boot-1 conn-1 2026.9.6"));
    assert!(told.contains(&"missed 1 to 7 of conn-1".to_owned()), "{told:?}");
    assert_eq!(house.connections(), 1);
}

#[tokio::test]
async fn calls_go_over_the_kept_connection_and_those_that_change_something_are_recorded() {
    let house = House::open().await;
    let world = World::with(&house).await;
    house.answers("chat.send", json!({ "runId": "r", "status": "started" }));
    let params = json!({ "message": "hello" });
    let (gateway, ana) = (main(), ana());
    let by = |role, name| world.gateways.call(&gateway, name, &params, &ana, role);
    let called = |name| by(Role::Operator, name);
    let answer = called("chat.send").await.expect("answered");
    assert_eq!(answer.get(), "{\"runId\":\"r\",\"status\":\"started\"}");
    called("health").await.expect("answered");
    assert_eq!(world.told(), ["boot-1 conn-1 2026.9.6", "called chat.send"]);
    let unknown = Refusal::from(by(Role::Admin, "sessions.spawn").await.expect_err("none"));
    assert_eq!(unknown.message, "gateway main has no method \"sessions.spawn\"");
    assert!(unknown.hint.expect("a hint").starts_with("it has sessions."));
    let refused = Refusal::from(called("config.get").await.expect_err("the fake has none"));
    assert_eq!(
        (refused.kind, refused.message.as_str()),
        (RefusalKind::Unusable, "the gateway says: unknown method: config.get",)
    );
    let refused = Refusal::from(called("config.patch").await.expect_err("for admins"));
    assert_eq!(refused.kind, RefusalKind::Forbidden);
    assert_eq!(refused.message, "config.patch with these parameters is for admins, and you are operator");
    let refused = Refusal::from(called("exec.approval.resolve").await.expect_err("for nobody"));
    assert!(refused.hint.expect("a hint").contains("regatta approvals answer"));
    assert_eq!(house.calls("config.patch").len() + house.calls("exec.approval.resolve").len(), 0);
}

#[tokio::test]
async fn whoever_adds_or_removes_a_gateway_and_hangs_up_leaves_nothing_half_done() {
    let house = House::open().await;
    let world = World::new();
    world.disk.is_slow.send_replace(true);
    let adding = |wanted: Wanted| {
        let gateways = world.gateways.clone();
        tokio::spawn(async move { gateways.add(wanted, &ana()).await.map(drop) })
    };
    let wanted = Wanted { name: main(), url: house.url.clone(), allow_plain: false, secret: None };
    let begun = adding(wanted.clone());
    until("it is written", || (world.events(&Stream::gateways()).len() == 1).then_some(())).await;
    begun.abort();
    assert!(begun.await.expect_err("they hung up").is_cancelled());
    world.disk.is_slow.send_replace(false);
    world.link(|now| now.state == LinkState::Connected).await;
    // It is there once, and what comes after stands where it belongs.
    adding(wanted.clone()).await.expect("no panic").expect_err("it is there");
    world.disk.is_slow.send_replace(true);
    let gateways = world.gateways.clone();
    let removing = tokio::spawn(async move { gateways.remove(&main(), &ana()).await });
    until("it is left", || world.told().iter().any(|told| told.contains("gone")).then_some(())).await;
    removing.abort();
    assert!(removing.await.expect_err("they hung up").is_cancelled());
    world.disk.is_slow.send_replace(false);
    until("it is gone", || (world.events(&Stream::gateways()).len() == 2).then_some(())).await;
    adding(wanted).await.expect("no panic").expect("the name is free");
    assert_eq!(world.link(|now| now.state == LinkState::Connected).await.reason, None);
}

#[tokio::test]
async fn a_gateway_that_cannot_be_removed_now_is_kept() {
    let house = House::open().await;
    house.wants_token("secret-token");
    let world = World::with(&house).await;
    world.disk.is_full.store(true, Ordering::SeqCst);
    world.gateways.remove(&main(), &ana()).await.expect_err("nothing is recorded");
    world.disk.is_full.store(false, Ordering::SeqCst);
    house.drop_connections();
    until("it is in again with its token", || (house.connections() == 2).then_some(())).await;
}

#[tokio::test]
async fn whatever_a_gateway_says_of_itself_fits_the_log() {
    let house = House::open().await;
    house.refuses(json!({ "code": "INVALID_REQUEST", "message": "x".repeat(5 << 20) }), 1008);
    let world = World::new();
    let now = world.add(&house, None).await;
    assert_eq!(now.reason.map(|reason| reason.len()), Some(500));
    assert_eq!(world.told(), [format!("stopped: {}", "x".repeat(500))]);
    house.refuses_nobody();
    house.grants(&["y".repeat(5 << 20).as_str()]);
    world.gateways.test(&main()).await.expect("tested");
    world.told_when("boot-1").await;
}

#[tokio::test]
async fn a_gateway_that_is_removed_is_left_and_its_credential_forgotten() {
    let house = House::open().await;
    let world = World::with(&house).await;
    world.gateways.remove(&main(), &ana()).await.expect("removed");
    assert_eq!(world.told().last().map(String::as_str), Some("conn-1 gone after 0"));
    assert_eq!(world.gateways.link(&main()), None);
    assert_eq!(world.secrets().await, ["gateway-device"]);
    assert_eq!(world.gateways.remove(&main(), &ana()).await.expect_err("gone").kind, RefusalKind::NotFound);
    // The name is free again.
    assert_eq!(world.add(&house, token("t")).await.state, LinkState::Connected);
}

#[tokio::test]
async fn a_credential_that_a_crash_left_behind_is_forgotten_at_the_next_start_and_nobody_elses() {
    let house = House::open().await;
    let mut world = World::with(&house).await;
    world.end().await;
    world.say(Stream::gateways(), Event::Gateway(GatewayEvent::Removed(Removed { gateway: main() }))).await;
    let world = world.again().await;
    until_async("it is forgotten", async || world.secrets().await == ["gateway-device"]).await;
    assert_eq!(world.gateways.link(&main()), None);
    // Whoever has a secret of such a name now keeps it.
    let name = "gateway.main.token".parse().expect("a name");
    world.vault.set(&name, "theirs".into(), None, &ana()).await.expect("set");
    let world = world.again().await;
    world.add(&house, None).await;
    let all = ["gateway-device", "gateway.main.device-token", "gateway.main.token"];
    until_async("a token for the device is there, too", async || world.secrets().await == all).await;
}

#[tokio::test]
async fn a_gateway_whose_keeper_is_gone_is_told_and_can_be_removed() {
    let house = House::open().await;
    let world = World::with(&house).await;
    world.disk.is_broken.store(true, Ordering::SeqCst);
    house.say("tick", json!({}));
    let now = world.link(|now| now.state == LinkState::Stopped).await;
    assert!(now.advice.expect("advice").contains("restart the server"));
    world.disk.is_broken.store(false, Ordering::SeqCst);
    let away = world.gateways.call(&main(), "health", &json!({}), &ana(), Role::Operator).await;
    assert_eq!(Refusal::from(away.expect_err("nobody listens")).kind, RefusalKind::WrongState);
    world.gateways.remove(&main(), &ana()).await.expect("removed");
    assert_eq!(world.add(&house, token("t")).await.state, LinkState::Connected);
}

#[tokio::test]
async fn an_address_that_would_tell_a_secret_is_refused_before_anything_is_kept() {
    let world = World::new();
    let cases = [
        ("ws://gateway.example:18789", "would go to gateway.example unencrypted"),
        ("ws://user:secret@host", "holds no user, password or query"),
        ("not an address", "is not the address of a gateway"),
    ];
    for (url, says) in cases {
        let wanted = Wanted { name: main(), url: url.to_owned(), allow_plain: false, secret: token("t") };
        let refused = world.gateways.add(wanted, &ana()).await.expect_err(url);
        assert!(refused.message.contains(says) && !refused.message.contains("secret"), "{}", refused.message);
    }
    assert!(world.vault.rows().await.expect("rows").is_empty());
    assert_eq!(world.events(&Stream::gateways()), []);
}

#[tokio::test]
async fn what_was_added_is_said_again_before_old_events_go() {
    let house = House::open().await;
    let world = World::with(&house).await;
    world.gateways.restate(&ana(), Seq(1)).await.expect("nothing is to be said");
    assert_eq!(world.events(&Stream::gateways()).len(), 1);
    world.gateways.restate(&ana(), Seq(1_000)).await.expect("said");
    let events = world.events(&Stream::gateways());
    let Some(Event::Gateway(GatewayEvent::Restated(restated))) = events.last() else { panic!("{events:?}") };
    assert_eq!((restated.gateways.len(), restated.gateways[0].added_by.as_str()), (1, "user:ana"));
    let world = world.again().await;
    world.link(|now| now.state == LinkState::Connected).await;
}
