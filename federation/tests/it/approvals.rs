//! Questions: heard, answered once, answered elsewhere, lost and found again.

use std::sync::atomic::Ordering;

use regatta_core::event::approval::{Answered, Decision};
use regatta_core::event::rule::{Rule, RuleAnswer, RuleScope};
use regatta_core::event::user::Role;
use regatta_core::{Actor, ApprovalId, Clock as _, Refusal, RefusalKind};
use regatta_federation::LinkState;
use regatta_gateway_fake::House;
use serde_json::json;
use tokio::task::JoinSet;

use crate::world::{World, ana, until};

pub(crate) const OFFERED: [&str; 2] = ["allow-once", "deny"];

pub(crate) fn id(question: &str) -> ApprovalId {
    format!("main.{question}").parse().expect("an id")
}

pub(crate) async fn answer(world: &World, question: &str, decision: Decision, by: &Actor) -> Result<(), Refusal> {
    world.gateways.answer(answer_to(question, decision), by).await
}

fn answer_to(question: &str, decision: Decision) -> Answered {
    Answered { approval: id(question), decision, note: String::new() }
}

/// A question that was heard.
pub(crate) async fn asked(world: &World, house: &House, question: &str) {
    house.ask(question, "rm -rf build", &OFFERED, world.clock.now_ms());
    world.asked_when(&id(question), "asked").await;
}

#[tokio::test]
async fn the_first_answer_reaches_the_gateway_and_late_ones_are_told_who_and_when() {
    let house = House::open().await;
    let world = World::with(&house).await;
    asked(&world, &house, "a-1").await;
    let refused = answer(&world, "a-1", Decision::AllowAlways, &ana()).await.expect_err("not offered");
    assert_eq!(refused.hint.as_deref(), Some("what is offered: allow-once, deny"));
    answer(&world, "a-1", Decision::AllowOnce, &ana()).await.expect("taken");
    assert_eq!(house.asked("a-1").status, "allowed");
    let told = world.asked_when(&id("a-1"), "resolved").await;
    assert_eq!(told, ["asked", "answered allow-once", "resolved allow-once by user:ana"]);
    let late = answer(&world, "a-1", Decision::Deny, &Actor::user("ben")).await.expect_err("late");
    assert_eq!(late.kind, RefusalKind::WrongState);
    assert!(late.message.starts_with("ana answered allow-once "), "{}", late.message);
    // Asking again for what one did is no mistake, and does nothing.
    answer(&world, "a-1", Decision::AllowOnce, &ana()).await.expect("it is so");
    assert_eq!(house.calls("exec.approval.resolve").len(), 1);
}

#[tokio::test]
async fn of_many_answers_at_once_one_is_given() {
    let house = House::open().await;
    let world = World::with(&house).await;
    asked(&world, &house, "a-1").await;
    let mut answering = JoinSet::new();
    for number in 0..20 {
        let gateways = world.gateways.clone();
        answering.spawn(async move {
            let by = Actor::user(&format!("person-{number}"));
            gateways.answer(answer_to("a-1", Decision::Deny), &by).await.is_ok()
        });
    }
    let given = answering.join_all().await.into_iter().filter(|is_given| *is_given).count();
    assert_eq!((given, house.calls("exec.approval.resolve").len()), (1, 1));
}

#[tokio::test]
async fn an_answer_whose_giver_hangs_up_is_brought_to_its_end() {
    let house = House::open().await;
    let world = World::with(&house).await;
    asked(&world, &house, "a-1").await;
    world.disk.is_slow.send_replace(true);
    let gateways = world.gateways.clone();
    let answering = tokio::spawn(async move { gateways.answer(answer_to("a-1", Decision::Deny), &ana()).await });
    world.asked_when(&id("a-1"), "answered").await;
    answering.abort();
    assert!(answering.await.expect_err("they hung up").is_cancelled());
    world.disk.is_slow.send_replace(false);
    assert_eq!(world.asked_when(&id("a-1"), "resolved").await.len(), 3);
    assert_eq!(house.asked("a-1").status, "denied");
    // What comes after stands where it belongs.
    asked(&world, &house, "a-2").await;
    answer(&world, "a-2", Decision::Deny, &ana()).await.expect("taken");
}

#[tokio::test]
async fn the_same_answer_again_while_the_gateway_is_told_is_no_success() {
    let house = House::open().await;
    let world = World::with(&house).await;
    asked(&world, &house, "a-1").await;
    house.ignores("exec.approval.resolve");
    let gateways = world.gateways.clone();
    let answering = tokio::spawn(async move { gateways.answer(answer_to("a-1", Decision::Deny), &ana()).await });
    until("the gateway is told", || (house.calls("exec.approval.resolve").len() == 1).then_some(())).await;
    let refused = answer(&world, "a-1", Decision::Deny, &ana()).await.expect_err("nobody knows yet");
    assert_eq!(refused.kind, RefusalKind::Busy);
    house.drop_connections();
    let lost = answering.await.expect("no panic").expect_err("it was lost");
    assert!(lost.message.starts_with("whether the gateway took the answer is not known"), "{}", lost.message);
}

#[tokio::test]
async fn what_the_gateway_took_is_settled_though_it_says_no_more_about_it() {
    let house = House::open().await;
    let world = World::with(&house).await;
    asked(&world, &house, "a-1").await;
    house.answers("exec.approval.resolve", json!({ "ok": true }));
    answer(&world, "a-1", Decision::Deny, &ana()).await.expect("taken");
    assert_eq!(world.asked(&id("a-1")), ["asked", "answered deny", "resolved deny by user:ana"]);
}

#[tokio::test]
async fn a_gateway_that_does_not_answer_is_heard_all_the_same() {
    let house = House::open().await;
    let world = World::with(&house).await;
    for number in 0..5 {
        asked(&world, &house, &format!("a-{number}")).await;
    }
    house.ignores("approval.get");
    world.clock.by_s(1_803);
    until("it is asked after one", || (!house.calls("approval.get").is_empty()).then_some(())).await;
    for _ in 0..2_000 {
        house.say("tick", json!({}));
    }
    asked(&world, &house, "new").await;
    answer(&world, "new", Decision::Deny, &ana()).await.expect("taken");
}

#[tokio::test]
async fn what_could_not_be_recorded_of_a_question_is_found_again() {
    let house = House::open().await;
    let world = World::with(&house).await;
    asked(&world, &house, "a-1").await;
    world.disk.is_full.store(true, Ordering::SeqCst);
    house.answer("a-1", "deny", "cli");
    house.say("tick", json!({}));
    let nothing = json!({});
    // An answer on the same socket comes after them.
    world.gateways.call(&id("a-1").gateway, "health", &nothing, &ana(), Role::Operator).await.expect("answered");
    world.disk.is_full.store(false, Ordering::SeqCst);
    house.say("tick", json!({}));
    let told = world.asked_when(&id("a-1"), "resolved").await;
    assert_eq!(told, ["asked", "resolved deny by cli at the gateway (reconstructed)"]);
}

#[tokio::test]
async fn an_answer_given_at_the_gateway_is_recorded_with_who_gave_it() {
    let house = House::open().await;
    let world = World::with(&house).await;
    asked(&world, &house, "a-1").await;
    house.answer("a-1", "deny", "cli");
    let told = world.asked_when(&id("a-1"), "resolved").await;
    assert_eq!(told, ["asked", "resolved deny by cli at the gateway"]);
    let late = answer(&world, "a-1", Decision::Deny, &ana()).await.expect_err("late");
    assert!(late.message.starts_with("cli at the gateway answered deny "), "{}", late.message);
}

#[tokio::test]
async fn an_answer_nobody_heard_of_is_found_out_when_ours_comes_too_late() {
    let house = House::open().await;
    let world = World::with(&house).await;
    asked(&world, &house, "a-1").await;
    house.settle("a-1", "denied", "user");
    let late = answer(&world, "a-1", Decision::AllowOnce, &ana()).await.expect_err("late");
    assert!(late.message.starts_with("somebody at the gateway answered deny "), "{}", late.message);
    let told = world.asked(&id("a-1"));
    assert_eq!(told, ["asked", "answered allow-once", "resolved deny by somebody at the gateway (reconstructed)"]);
}

#[tokio::test]
async fn what_was_asked_and_settled_while_nobody_listened_is_found_after_a_connection() {
    let house = House::open().await;
    let world = World::with(&house).await;
    for question in ["stays", "denied", "expired"] {
        asked(&world, &house, question).await;
    }
    let mut world = world;
    world.end().await;
    house.ask("new", "make deploy", &OFFERED, world.clock.now_ms());
    house.settle("denied", "denied", "user");
    house.settle("expired", "expired", "timeout");
    let world = world.again().await;
    world.asked_when(&id("expired"), "expired").await;
    assert_eq!(world.asked_when(&id("new"), "asked").await, ["asked (reconstructed)"]);
    assert_eq!(
        world.asked_when(&id("denied"), "resolved").await,
        ["asked", "resolved deny by somebody at the gateway (reconstructed)"]
    );
    assert_eq!(world.asked(&id("stays")), ["asked"]);
    answer(&world, "new", Decision::Deny, &ana()).await.expect("taken");
    assert_eq!(house.asked("new").status, "denied");
}

#[tokio::test]
async fn what_was_asked_and_answered_while_nobody_listened_is_in_the_gateways_history() {
    let house = House::open().await;
    let mut world = World::with(&house).await;
    world.end().await;
    house.ask("gone", "make deploy", &OFFERED, world.clock.now_ms());
    house.answer("gone", "deny", "cli");
    let world = world.again().await;
    let then = ["asked (reconstructed)", "resolved deny by cli at the gateway (reconstructed)"];
    assert_eq!(world.asked_when(&id("gone"), "resolved").await, then);
    // What is known is not taken again.
    let world = world.again().await;
    until("it is asked for again", || (house.calls("approval.history").len() == 3).then_some(())).await;
    asked(&world, &house, "new").await;
    assert_eq!(world.asked(&id("gone")), then);
}

#[tokio::test]
async fn a_restart_of_the_gateway_cancels_what_it_does_not_wait_for_any_more() {
    let house = House::open().await;
    let world = World::with(&house).await;
    asked(&world, &house, "a-1").await;
    house.restart();
    let told = world.asked_when(&id("a-1"), "cancelled").await;
    assert_eq!(told, ["asked", "cancelled: gateway-restart"]);
    let late = answer(&world, "a-1", Decision::Deny, &ana()).await.expect_err("late");
    assert!(late.message.contains("it was cancelled") && late.message.ends_with("gateway-restart"), "{}", late.message);
}

#[tokio::test]
async fn a_question_whose_time_is_over_expires_when_the_gateway_says_so() {
    let house = House::open().await;
    let world = World::with(&house).await;
    asked(&world, &house, "a-1").await;
    house.settle("a-1", "expired", "timeout");
    world.clock.by_s(1_803);
    assert_eq!(world.asked_when(&id("a-1"), "expired").await, ["asked", "expired"]);
}

#[tokio::test]
async fn without_a_connection_an_answer_is_refused_and_nothing_recorded() {
    let house = House::open().await;
    let world = World::with(&house).await;
    asked(&world, &house, "a-1").await;
    house.refuses(json!({ "code": "INVALID_REQUEST", "message": "go away" }), 1008);
    house.drop_connections();
    world.link(|now| now.state == LinkState::Stopped).await;
    let refused = answer(&world, "a-1", Decision::Deny, &ana()).await.expect_err("not connected");
    assert_eq!(
        (refused.kind, refused.message.as_str()),
        (RefusalKind::WrongState, "gateway main is not connected: go away",)
    );
    assert_eq!(world.asked(&id("a-1")), ["asked"]);
}

#[tokio::test]
async fn questions_of_a_gateway_that_is_removed_are_over() {
    let house = House::open().await;
    let world = World::with(&house).await;
    asked(&world, &house, "a-1").await;
    world.gateways.remove(&id("a-1").gateway, &ana()).await.expect("removed");
    assert_eq!(world.asked(&id("a-1")), ["asked", "cancelled: the gateway was removed here"]);
    assert_eq!(house.asked("a-1").status, "pending");
}

#[tokio::test]
async fn what_a_plugin_asks_is_answered_as_a_command_is_and_by_no_rule() {
    let house = House::open().await;
    let mut world = World::with(&house).await;
    let anything = RuleScope { agent: Some("main".to_owned()), ..RuleScope::default() };
    let rule = Rule {
        name: "anything".parse().expect("a name"),
        answer: RuleAnswer::Deny,
        scope: anything,
        reason: "so".to_owned(),
    };
    world.gateways.rules().add(rule, &ana()).await.expect("added");
    house.ask_as_plugin("plugin:1", "Send mail", &OFFERED, world.clock.now_ms());
    world.asked_when(&id("plugin:1"), "asked").await;
    answer(&world, "plugin:1", Decision::AllowOnce, &ana()).await.expect("taken");
    assert_eq!((house.asked("plugin:1").status.as_str(), house.calls("plugin.approval.resolve").len()), ("allowed", 1));
    let told = world.asked(&id("plugin:1"));
    assert_eq!(told, ["asked", "answered allow-once", "resolved allow-once by user:ana"]);
    world.end().await;
    house.ask_as_plugin("plugin:2", "Send mail", &OFFERED, world.clock.now_ms());
    let world = world.again().await;
    assert_eq!(world.asked_when(&id("plugin:2"), "asked").await, ["asked (reconstructed)"]);
    house.answer("plugin:2", "deny", "cli");
    let told = world.asked_when(&id("plugin:2"), "resolved").await;
    assert_eq!(told, ["asked (reconstructed)", "resolved deny by cli at the gateway"]);
}

/// What came of one answer to all of these.
async fn answer_all(world: &World, questions: &[&str], by: &Actor) -> Result<Vec<(String, Option<String>)>, Refusal> {
    let all = questions.iter().map(|question| id(question)).collect();
    let outcomes = world.gateways.answer_all(all, (Decision::Deny, "not from here".to_owned()), by).await?;
    let told = |(id, outcome): (ApprovalId, Result<(), Refusal>)| {
        (id.question().to_owned(), outcome.err().map(|refusal| refusal.message))
    };
    Ok(outcomes.into_iter().map(told).collect())
}

#[tokio::test]
async fn one_answer_settles_the_identical_question_of_sibling_attempts_and_no_other() {
    let house = House::open().await;
    let world = World::with(&house).await;
    for (attempt, question, command) in [
        ("7q2k9x0m-a", "a", "make"),
        ("7q2k9x0m-b", "b", "make"),
        ("7q2k9x0m-c", "c", "make all"),
        ("00000000-a", "other-run", "make"),
    ] {
        house.ask_of(attempt, question, command, world.clock.now_ms());
        world.asked_when(&id(question), "asked").await;
    }
    asked(&world, &house, "no-attempt").await;
    for other in ["c", "other-run", "no-attempt"] {
        for both in [["a", other], [other, "a"]] {
            let refused = answer_all(&world, &both, &ana()).await.expect_err("not the same");
            assert_eq!(refused.kind, RefusalKind::Invalid, "{both:?}: {}", refused.message);
        }
    }
    assert_eq!(answer_all(&world, &[], &ana()).await.expect_err("none").kind, RefusalKind::Invalid);
    assert_eq!(answer_all(&world, &["a", "zzz"], &ana()).await.expect_err("unknown").kind, RefusalKind::NotFound);
    assert!(house.calls("exec.approval.resolve").is_empty(), "nothing was answered");
    let told = answer_all(&world, &["b", "a", "a"], &ana()).await.expect("the same");
    assert_eq!(told, [("a".to_owned(), None), ("b".to_owned(), None)]);
    for question in ["a", "b"] {
        let told = world.asked(&id(question));
        assert_eq!(told, ["asked", "answered deny", "resolved deny by user:ana"], "{question}");
    }
    // Each is answered by itself: of one that somebody else was faster with, that is said.
    house.ask_of("7q2k9x0m-a", "late-a", "make", world.clock.now_ms());
    house.ask_of("7q2k9x0m-b", "late-b", "make", world.clock.now_ms());
    world.asked_when(&id("late-b"), "asked").await;
    answer(&world, "late-a", Decision::AllowOnce, &ana()).await.expect("taken");
    let told = answer_all(&world, &["late-a", "late-b"], &Actor::user("ben")).await.expect("the same");
    let [(_, Some(problem)), (_, None)] = &told[..] else { panic!("{told:?}") };
    assert!(problem.starts_with("ana answered allow-once "), "{problem}");
    for left in ["c", "other-run", "no-attempt"] {
        assert_eq!(world.asked(&id(left)), ["asked"], "{left}");
    }
}
