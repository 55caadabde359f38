//! Gateways and what their agents ask, as people see them.

use regatta_core::event::approval::{
    AnswerFailed, Answered, ApprovalEvent, Cancelled, Decision, Escalated, EscalatedTo, Expired, Question, Requested,
    Resolved,
};
use regatta_core::event::gateway::{
    Added, Connected, Disconnected, Frame, GatewayEvent, Missed, Proof, Removed, Restated, RestatedGateway, Stopped,
    Why,
};
use regatta_core::{Actor, ApprovalId, Event, GatewayName, Stream};
use regatta_projections::approvals::{ApprovalState, ApprovalView};
use regatta_projections::gateways::{GatewayState, GatewayView};

use crate::history::{History, START_US};

pub(crate) const IDLE: &str = include_str!("../../../gateway/tests/frames/idle-65s-ticks.jsonl");

pub(crate) fn main() -> GatewayName {
    "main".parse().expect("a name")
}

fn added() -> Added {
    Added { gateway: main(), url: "ws://127.0.0.1:1/".to_owned(), allow_plain: false, proof: Proof::Token }
}

/// Frames of a capture, each as if it came on that connection of that process: its connection number and itself.
pub(crate) fn captured(file: &str) -> Vec<(u64, serde_json::Value)> {
    let lines = file.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).expect("a line"));
    let events = lines.filter(|line| line["dir"] == "recv" && line["frame"]["type"] == "event");
    events.map(|line| (line["conn"].as_u64().unwrap_or(1), line["frame"].clone())).collect()
}

pub(crate) trait Gateways {
    fn of_gateway(&mut self, event: GatewayEvent) -> &mut History;
    fn asks(&mut self, actor: &Actor, event: ApprovalEvent) -> &mut History;
    fn connected(&mut self, boot: &str, conn: &str) -> &mut History;
    fn heard(&mut self, boot: &str, frame: &serde_json::Value) -> &mut History;
}

impl Gateways for History {
    fn of_gateway(&mut self, event: GatewayEvent) -> &mut History {
        let is_list = matches!(event, GatewayEvent::Added(_) | GatewayEvent::Removed(_) | GatewayEvent::Restated(_));
        let stream = if is_list { Stream::gateways() } else { Stream::link(&main()) };
        self.pass(1_000).say(stream, &Actor::user("ada"), &Event::Gateway(event))
    }

    fn asks(&mut self, actor: &Actor, event: ApprovalEvent) -> &mut History {
        self.pass(1_000).say(Stream::approvals(&main()), actor, &Event::Approval(event))
    }

    fn connected(&mut self, boot: &str, conn: &str) -> &mut History {
        self.of_gateway(GatewayEvent::Connected(Connected {
            gateway: main(),
            boot_id: boot.to_owned(),
            conn_id: conn.to_owned(),
            version: "2026.9.6".to_owned(),
            scopes: vec!["operator.read".to_owned(), "operator.write".to_owned()],
            methods: 466,
        }))
    }

    fn heard(&mut self, boot: &str, frame: &serde_json::Value) -> &mut History {
        self.of_gateway(GatewayEvent::Frame(Frame {
            gateway: main(),
            boot_id: boot.to_owned(),
            conn_id: "c".to_owned(),
            seq: frame["seq"].as_u64(),
            event: frame["event"].as_str().expect("a name").to_owned(),
            text: frame.to_string().into(),
        }))
    }
}

fn view(history: &History) -> GatewayView {
    history.views().gateway(&main()).expect("a gateway")
}

#[test]
fn a_gateway_is_seen_from_being_added_to_being_removed() {
    let mut history = History::new();
    history.of_gateway(GatewayEvent::Added(added()));
    let new = view(&history);
    assert_eq!((new.state, new.added_by.as_str(), new.version), (GatewayState::New, "user:ada", None));
    history.connected("b-1", "c-1");
    let there = view(&history);
    assert_eq!((there.state, there.connections, there.restarts), (GatewayState::Connected, 1, 0));
    assert_eq!(there.lacks, ["operator.approvals: agents' questions are denied at once"]);
    let (boot_id, conn_id) = ("b-1".to_owned(), "c-1".to_owned());
    let reason = "code 1012".to_owned();
    history.of_gateway(GatewayEvent::Disconnected(Disconnected {
        gateway: main(),
        boot_id,
        conn_id,
        reason,
        last_seq: 5,
    }));
    assert_eq!(view(&history).reason.as_deref(), Some("code 1012"));
    history.of_gateway(GatewayEvent::Stopped(Stopped {
        gateway: main(),
        reason: "who are you".to_owned(),
        advice: Some("approve r-1".to_owned()),
        pairing: Some("r-1".to_owned()),
        is_tried_again: false,
    }));
    let stopped = view(&history);
    assert_eq!((stopped.state, stopped.pairing.as_deref()), (GatewayState::Stopped, Some("r-1")));
    history.connected("b-2", "c-2");
    let back = view(&history);
    assert_eq!((back.connections, back.restarts, back.reason, back.pairing), (2, 1, None, None));
    history.of_gateway(GatewayEvent::Removed(Removed { gateway: main() }));
    assert_eq!(history.views().gateways().rows, []);
}

#[test]
fn what_is_recorded_what_is_missing_and_its_health_are_counted() {
    let mut history = History::new();
    history.of_gateway(GatewayEvent::Added(added())).connected("b-1", "c-1");
    for (_, frame) in captured(IDLE) {
        history.heard("b-1", &frame);
    }
    let missed = |last, next, why| {
        let (boot_id, conn_id) = ("b-1".to_owned(), "c-1".to_owned());
        GatewayEvent::Missed(Missed { gateway: main(), boot_id, conn_id, last, next, why })
    };
    history.of_gateway(missed(3, 6, Why::Lost)).of_gateway(missed(9, 11, Why::NotRecorded("full".to_owned())));
    let seen = view(&history);
    assert_eq!((seen.frames, seen.last_seq, seen.gaps, seen.missing), (4, 3, 2, 3));
    let health = seen.health.expect("it told");
    assert_eq!((health.is_well, health.agents, health.sessions, health.plugin_errors), (true, 1, 43, 0));
}

#[test]
fn a_log_without_its_beginning_knows_its_gateways_from_what_was_said_again() {
    let restated = RestatedGateway { added: added(), added_at_us: 7, added_by: "user:ada".to_owned() };
    let said = || GatewayEvent::Restated(Restated { gateways: vec![restated.clone()] });
    let mut history = History::new();
    history.of_gateway(said()).connected("b-1", "c-1").of_gateway(said());
    let seen = view(&history);
    assert_eq!((seen.state, seen.added_at_us), (GatewayState::Connected, 7));
}

fn id(question: &str) -> ApprovalId {
    ApprovalId::of(&main(), question).expect("an id")
}

fn asked(question: &str, asked_at_ms: u64) -> ApprovalEvent {
    ApprovalEvent::Requested(Requested {
        approval: id(question),
        boot_id: "b-1".to_owned(),
        question: Question { command: format!("run {question}"), ..Question::default() },
        decisions: vec![Decision::AllowOnce, Decision::Deny],
        asked_at_ms,
        expires_at_ms: asked_at_ms + 1_800_000,
        is_reconstructed: false,
    })
}

fn answered(question: &str) -> ApprovalEvent {
    ApprovalEvent::Answered(Answered { approval: id(question), decision: Decision::Deny, note: "no".to_owned() })
}

/// How a question stands after these facts.
fn check(facts: &[(&Actor, ApprovalEvent)]) -> ApprovalView {
    let mut history = History::new();
    history.asks(&Actor::regatta(), asked("q", START_US / 1_000));
    for (actor, fact) in facts {
        history.asks(actor, fact.clone());
    }
    history.views().approvals.get(&id("q")).expect("a question")
}

#[test]
fn a_question_shows_who_answered_what_and_when() {
    let (ada, us) = (Actor::user("ada"), Actor::regatta());
    let resolved = |by: &str| {
        let (approval, by) = (id("q"), by.to_owned());
        let decision = Decision::Deny;
        ApprovalEvent::Resolved(Resolved { approval, decision, by, is_reconstructed: false, at_ms: None })
    };
    assert_eq!(check(&[]).state, ApprovalState::Open);
    let given = check(&[(&ada, answered("q"))]);
    assert_eq!(
        (given.state, given.by.as_deref(), given.note.as_deref()),
        (ApprovalState::Answering, Some("user:ada"), Some("no"),)
    );
    let taken = check(&[(&ada, answered("q")), (&us, resolved("user:ada"))]);
    assert_eq!((taken.state, taken.note.as_deref()), (ApprovalState::Resolved, Some("no")));
    let overtaken = check(&[(&ada, answered("q")), (&us, resolved("cli at the gateway"))]);
    assert_eq!((overtaken.by.as_deref(), overtaken.note), (Some("cli at the gateway"), None));
    let failed = ApprovalEvent::AnswerFailed(AnswerFailed { approval: id("q"), reason: "lost".to_owned() });
    let open = check(&[(&ada, answered("q")), (&us, failed)]);
    assert_eq!((open.state, open.by, open.reason.as_deref()), (ApprovalState::Open, None, Some("lost")));
    let expired = check(&[(&us, ApprovalEvent::Expired(Expired { approval: id("q"), at_ms: None }))]);
    assert_eq!((expired.state, expired.settled_at_us.is_some()), (ApprovalState::Expired, true));
    let cancelled = Cancelled { approval: id("q"), reason: "gateway-restart".to_owned(), at_ms: None };
    assert_eq!(check(&[(&us, ApprovalEvent::Cancelled(cancelled))]).reason.as_deref(), Some("gateway-restart"));
}

#[test]
fn what_was_found_later_is_over_since_the_gateway_says_and_stands_there() {
    let (mut history, us) = (History::new(), Actor::regatta());
    let over = |question: &str, at_ms| ApprovalEvent::Expired(Expired { approval: id(question), at_ms });
    history.asks(&us, asked("now", 3)).asks(&us, over("now", None));
    history.asks(&us, asked("long-ago", 1)).asks(&us, over("long-ago", Some(2)));
    let rows = history.views().approvals.view(true).over;
    let rows: Vec<_> = rows.iter().map(|row| (row.id.question(), row.settled_at_us == Some(2_000))).collect();
    assert_eq!(rows, [("now", false), ("long-ago", true)]);
}

#[test]
fn an_id_in_full_means_that_question_and_in_two_gateways_both() {
    let mut history = History::new();
    let us = Actor::regatta();
    let other = ApprovalId::of(&"other".parse().expect("a name"), "a-1").expect("an id");
    let ApprovalEvent::Requested(asked_there) = asked("a-1", 3) else { panic!("it is asked") };
    let asked_there = ApprovalEvent::Requested(Requested { approval: other, ..asked_there });
    history.asks(&us, asked("a", 3)).asks(&us, asked("a-1", 4)).asks(&us, asked_there);
    history.asks(&us, ApprovalEvent::Expired(Expired { approval: id("a"), at_ms: None }));
    let views = history.views();
    let named = |text: &str| views.approvals.named(text).iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(named("a"), ["main.a"], "it is over, and was meant");
    assert_eq!(named("a-1"), ["main.a-1", "other.a-1"]);
    assert_eq!(named("main.a"), ["main.a"]);
}

#[test]
fn open_questions_stand_the_longest_waiting_first_and_are_found_by_the_beginning_of_an_id() {
    let mut history = History::new();
    let us = Actor::regatta();
    history.of_gateway(GatewayEvent::Added(added()));
    history.asks(&us, asked("late", 9)).asks(&us, asked("early-1", 3)).asks(&us, asked("early-2", 5));
    history.asks(&us, ApprovalEvent::Expired(Expired { approval: id("early-2"), at_ms: None }));
    let views = history.views();
    let names = |rows: &[ApprovalView]| rows.iter().map(|row| row.id.question().to_owned()).collect::<Vec<_>>();
    let (open, all) = (views.approvals.view(false), views.approvals.view(true));
    assert_eq!((names(&open.open), names(&open.over)), (vec!["early-1".to_owned(), "late".to_owned()], vec![]));
    assert_eq!(names(&all.over), ["early-2"]);
    assert_eq!(views.gateway(&main()).expect("a gateway").approvals_open, 2);
    let named = |text: &str| views.approvals.named(text).iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(named("early"), ["main.early-1", "main.early-2"], "which is meant is not guessed");
    assert_eq!(named("main.early-2"), ["main.early-2"]);
    assert_eq!(named("lat"), ["main.late"]);
    assert_eq!(named("zzz"), [""; 0]);
}

#[test]
fn who_was_told_elsewhere_that_a_question_is_about_to_expire_stands_with_it() {
    let mut history = History::new();
    let us = Actor::regatta();
    let told = |to: EscalatedTo, failed: Option<&str>| {
        ApprovalEvent::Escalated(Escalated { approval: id("a"), to, failed: failed.map(str::to_owned) })
    };
    history.asks(&us, asked("a", 3)).asks(&us, told(EscalatedTo::Slack, Some("it answered 404")));
    history.asks(&us, told(EscalatedTo::Webhook, None));
    let open = history.views().approvals.view(false).open;
    let [row] = &open[..] else { panic!("{open:?}") };
    let escalated: Vec<_> = row.escalated.iter().map(|told| (told.to, told.failed.as_deref())).collect();
    let then = [(EscalatedTo::Webhook, None), (EscalatedTo::Slack, Some("it answered 404"))];
    assert_eq!((row.state, escalated), (ApprovalState::Open, then.to_vec()));
}

#[test]
fn the_same_question_of_siblings_is_one_to_answer_and_another_is_not() {
    let mut history = History::new();
    let of = |question: &str, slot: &str, command: &str| {
        let ApprovalEvent::Requested(asked) = asked(question, 3) else { panic!("it is asked") };
        let session = Some(format!("agent:main:regatta-7q2k9x0m-{slot}"));
        let question = Question { command: command.to_owned(), session, ..asked.question };
        ApprovalEvent::Requested(Requested { question, ..asked })
    };
    let us = Actor::regatta();
    history.asks(&us, of("a", "a", "make")).asks(&us, of("b", "b", "make")).asks(&us, of("c", "c", "make all"));
    history
        .asks(&us, of("d", "d", "make"))
        .asks(&us, ApprovalEvent::Expired(Expired { approval: id("d"), at_ms: None }));
    history.asks(&us, asked("e", 3));
    let views = history.views();
    let siblings = |question: &str| {
        let open = views.approvals.view(false).open;
        open.into_iter().find(|row| row.id == id(question)).expect("it is open").siblings
    };
    assert_eq!((siblings("a"), siblings("b")), (vec![id("b")], vec![id("a")]));
    assert_eq!((siblings("c"), siblings("e")), (vec![], vec![]));
    let attempt = views.approvals.get(&id("a")).and_then(|row| row.attempt);
    assert_eq!(attempt.map(|attempt| attempt.to_string()).as_deref(), Some("7q2k9x0m.a"));
}
