//! Rules: what they answer in advance, what they leave to people, and how long they are there.

use regatta_core::event::approval::{Answered, ApprovalEvent, Decision};
use regatta_core::event::rule::{Rule, RuleAnswer, RuleEvent, RuleScope};
use regatta_core::{Clock as _, Event, RefusalKind, Seq, Stream};
use regatta_gateway_fake::House;
use serde_json::json;

use crate::approvals::{OFFERED, answer, asked, id};
use crate::world::{World, ana, main};

fn rule(name: &str, answer: RuleAnswer, scope: RuleScope) -> Rule {
    let reason = format!("because of {name}");
    Rule { name: name.parse().expect("a name"), answer, scope, reason }
}

fn about(command: &str) -> RuleScope {
    RuleScope { command: Some(command.to_owned()), ..RuleScope::default() }
}

async fn added(world: &World, name: &str, answer: RuleAnswer, scope: RuleScope) {
    world.gateways.rules().add(rule(name, answer, scope), &ana()).await.expect("added");
}

async fn removed(world: &World, name: &str) {
    world.gateways.rules().remove(&name.parse().expect("a name"), &ana()).await.expect("removed");
}

/// What became of a question that is asked now, once it is settled.
async fn told(world: &World, house: &House, question: &str, command: &str) -> Vec<String> {
    house.ask(question, command, &OFFERED, world.clock.now_ms());
    world.asked_when(&id(question), "resolved").await
}

#[tokio::test]
async fn a_rule_answers_what_is_open_and_what_is_asked_and_says_why() {
    let house = House::open().await;
    let world = World::with(&house).await;
    asked(&world, &house, "for-people").await;
    house.ask("open-before", "make deploy", &OFFERED, world.clock.now_ms());
    world.asked_when(&id("open-before"), "asked").await;
    added(&world, "make", RuleAnswer::Allow, about("make *")).await;
    let before = world.asked_when(&id("open-before"), "resolved").await;
    assert_eq!(before, ["asked", "answered allow-once", "resolved allow-once by rule:make"]);
    added(&world, "no-deploy", RuleAnswer::Deny, about("*deploy*")).await;
    let after = told(&world, &house, "after", "make deploy").await;
    assert_eq!(after, ["asked", "answered deny", "resolved deny by rule:no-deploy"], "no goes before yes");
    assert_eq!(house.asked("after").status, "denied");
    let why = world.events(&Stream::approvals(&main())).into_iter().find_map(|event| match event {
        Event::Approval(ApprovalEvent::Answered(Answered { approval, note, .. })) if approval == id("after") => {
            Some(note)
        }
        _ => None,
    });
    assert_eq!(why.as_deref(), Some("because of no-deploy"));
    let late = answer(&world, "after", Decision::AllowOnce, &ana()).await.expect_err("late");
    assert!(late.message.starts_with("the rule no-deploy answered deny "), "{}", late.message);
    assert_eq!(world.asked(&id("for-people")), ["asked"]);
}

#[tokio::test]
async fn each_thing_a_rule_names_must_be_so() {
    let house = House::open().await;
    let world = World::with(&house).await;
    let wrong = [
        ("other-agent", RuleScope { agent: Some("other".to_owned()), ..about("make") }),
        ("other-gateway", RuleScope { gateway: Some("other".parse().expect("a name")), ..about("make") }),
        ("other-folder", RuleScope { cwd: Some("/home/**".to_owned()), ..about("make") }),
        ("other-command", about("cargo *")),
        ("other-run", RuleScope { run: Some("00000000".parse().expect("a run")), ..about("make") }),
    ];
    for (name, scope) in wrong {
        added(&world, name, RuleAnswer::Deny, scope).await;
    }
    let all = RuleScope {
        agent: Some("main".to_owned()),
        gateway: Some(main()),
        cwd: Some("/work/**".to_owned()),
        command: Some("make".to_owned()),
        run: Some("7q2k9x0m".parse().expect("a run")),
    };
    added(&world, "this-one", RuleAnswer::Allow, all).await;
    house.ask_of("7q2k9x0m-b", "of-the-run", "make", world.clock.now_ms());
    let told = world.asked_when(&id("of-the-run"), "resolved").await;
    assert_eq!(told.last().map(String::as_str), Some("resolved allow-once by rule:this-one"));
}

#[tokio::test]
async fn what_is_not_offered_is_never_answered() {
    let house = House::open().await;
    let world = World::with(&house).await;
    added(&world, "make", RuleAnswer::Allow, about("make *")).await;
    added(&world, "no-deploy", RuleAnswer::Deny, about("*deploy*")).await;
    house.ask("only-always", "make", &["allow-always", "deny"], world.clock.now_ms());
    house.ask("only-yes", "make deploy", &["allow-once"], world.clock.now_ms());
    // What is asked after them is looked at after them.
    told(&world, &house, "last", "make").await;
    for left in ["only-always", "only-yes"] {
        assert_eq!(world.asked(&id(left)), ["asked"], "{left}");
    }
    assert_eq!(house.calls("exec.approval.resolve").len(), 1);
}

#[tokio::test]
async fn a_rule_that_is_removed_answers_no_more() {
    let house = House::open().await;
    let world = World::with(&house).await;
    added(&world, "make", RuleAnswer::Allow, about("make")).await;
    added(&world, "test", RuleAnswer::Allow, about("test")).await;
    told(&world, &house, "before", "make").await;
    removed(&world, "make").await;
    house.ask("after", "make", &OFFERED, world.clock.now_ms());
    told(&world, &house, "last", "test").await;
    assert_eq!(world.asked(&id("after")), ["asked"]);
    let gone = world.gateways.rules().remove(&"make".parse().expect("a name"), &ana()).await.expect_err("gone");
    assert_eq!(gone.kind, RefusalKind::NotFound);
}

#[tokio::test]
async fn rules_are_there_after_a_restart_and_answer_what_was_asked_meanwhile() {
    let house = House::open().await;
    let mut world = World::with(&house).await;
    asked(&world, &house, "for-people").await;
    added(&world, "make", RuleAnswer::Allow, about("make *")).await;
    world.end().await;
    house.ask("meanwhile", "make all", &OFFERED, world.clock.now_ms());
    let world = world.again().await;
    assert_eq!(world.gateways.rules().all().len(), 1);
    let told = world.asked_when(&id("meanwhile"), "resolved").await;
    assert_eq!(told.last().map(String::as_str), Some("resolved allow-once by rule:make"));
    assert_eq!(world.asked(&id("for-people")), ["asked"]);
}

#[tokio::test]
async fn an_answer_of_a_rule_that_the_gateway_did_not_take_is_left_to_people_until_the_next_connection() {
    let house = House::open().await;
    let world = World::with(&house).await;
    house.denies("exec.approval.resolve", json!({ "code": "UNAVAILABLE", "message": "not now" }));
    added(&world, "make", RuleAnswer::Allow, about("make")).await;
    house.ask("a-1", "make", &OFFERED, world.clock.now_ms());
    world.asked_when(&id("a-1"), "failed").await;
    house.heeds("exec.approval.resolve");
    // It is not tried again by what comes after.
    told(&world, &house, "last", "make").await;
    assert_eq!(world.asked(&id("a-1")).len(), 3);
    house.drop_connections();
    let told = world.asked_when(&id("a-1"), "resolved").await;
    let [_, _, failed, again, settled] = &told[..] else { panic!("{told:?}") };
    assert_eq!((again.as_str(), settled.as_str()), ("answered allow-once", "resolved allow-once by rule:make"));
    assert!(failed.contains("not now"), "{failed}");
}

#[tokio::test]
async fn rules_are_said_again_before_old_events_go() {
    let world = World::new();
    added(&world, "make", RuleAnswer::Allow, about("make *")).await;
    world.gateways.restate(&ana(), Seq(1)).await.expect("nothing to say");
    assert_eq!(world.events(&Stream::rules()).len(), 1);
    world.gateways.restate(&ana(), Seq(1_000)).await.expect("said");
    let events = world.events(&Stream::rules());
    let Some(Event::Rule(RuleEvent::Restated(restated))) = events.last() else { panic!("{events:?}") };
    let [known] = &restated.rules[..] else { panic!("{restated:?}") };
    assert_eq!((known.rule.name.to_string().as_str(), known.added_by.as_str()), ("make", "user:ana"));
}
