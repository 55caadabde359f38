//! Gateways through the real binary, against the fake gateway: added, listed, tested, called, asked for answers; and the
//! token nowhere to be found.

#![expect(clippy::indexing_slicing, reason = "what is not there fails the test")]

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use regatta_gateway_fake::House;
use serde_json::json;
use tokio::runtime::Runtime;

use crate::install::Install;
use crate::install::until;
use crate::secrets::{command_lines, holding, holds, piped, started};

/// Nothing else holds this.
const CANARY: &str = "canary-gateway-token-8821-plover";
const OFFERED: [&str; 2] = ["allow-once", "deny"];

/// The fake gateway, with threads of its own.
struct Away {
    runtime: Runtime,
    house: House,
}

impl Away {
    fn new() -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("threads");
        let house = runtime.block_on(House::open());
        Self { runtime, house }
    }

    /// Asks a question, and waits until it is here.
    fn ask(&self, install: &Install, id: &str, command: &str) {
        let _inside = self.runtime.enter();
        self.house.ask(id, command, &OFFERED, now_ms());
        until("the question is here", || {
            let open = install.view(&["approvals"])["open"].as_array().cloned().unwrap_or_default();
            open.iter().any(|asked| asked["id"] == format!("main.{id}")).then_some(())
        });
    }
}

fn now_ms() -> u64 {
    use regatta_core::Clock as _;
    regatta_core::SystemClock.now_ms()
}

fn added(install: &Install, away: &Away) {
    let url = away.house.url.clone();
    piped(install, &["gateway", "add", "main", &url, "--token-stdin"], CANARY).exits(0).says("is added and connected");
}

#[test]
fn a_gateway_is_added_listed_tested_called_and_removed() {
    let (install, away) = (Install::new(), Away::new());
    away.house.wants_token(CANARY);
    install.regatta(&["gateway", "ls"]).exits(0).says("regatta gateway add main");
    let wrong = piped(&install, &["gateway", "add", "main", &away.house.url, "--token-stdin"], "wrong");
    wrong.exits(0).says("unauthorized: token mismatch").says("gateway.auth.token");
    let tested = install.regatta(&["gateway", "test", "main"]).exits(3);
    assert!(tested.out.starts_with("no  connection: unauthorized: token mismatch"), "{}", tested.out);
    install.regatta(&["gateway", "rm", "main", "--yes"]).exits(0).says("removed main");
    added(&install, &away);
    piped(&install, &["gateway", "add", "main", &away.house.url, "--token-stdin"], "x").exits(3).says("already");
    let row = &install.view(&["gateway", "ls"])["rows"][0];
    assert_eq!(
        (&row["name"], &row["link"]["state"], &row["version"]),
        (&json!("main"), &json!("connected"), &json!("2026.9.6"),)
    );
    install.regatta(&["gateway", "test", "main"]).exits(0);
    install.regatta(&["gateway", "pair", "main"]).exits(0).says("main knows this device");
    assert_eq!(install.regatta(&["gateway", "call", "main", "health"]).exits(0).out, "{\"ok\":true}\n");
    away.house.answers("status", json!({ "note": "\u{9b}2Jgone" }));
    let shown = install.regatta(&["gateway", "call", "main", "status"]).exits(0).out;
    assert_eq!(shown, "{\"note\":\"\\u009b2Jgone\"}\n");
    install.regatta(&["gateway", "call", "main", "sessions.spawn"]).exits(3).says("has no method");
    install.regatta(&["gateway", "call", "main", "health", "{"]).exits(2).says("no JSON");
    install.regatta(&["gateway", "call", "main", "exec.approval.resolve"]).exits(3).says("regatta approvals answer");
    install.regatta(&["gateway", "call", "attic", "health"]).exits(3).says("there is no gateway attic");
    install.regatta(&["down"]).exits(0);
    install.regatta(&["up", "--detach"]).exits(0);
    until("it is connected again", || {
        (install.view(&["gateway", "ls"])["rows"][0]["link"]["state"] == "connected").then_some(())
    });
}

#[test]
fn what_an_agent_asks_is_answered_once() {
    let (install, away) = (Install::new(), Away::new());
    added(&install, &away);
    install.regatta(&["approvals"]).exits(0).says("nobody asks anything");
    away.ask(&install, "a734987a-e5f9", "rm -rf build");
    let shown = install.regatta(&["approvals"]).exits(0).out;
    assert!(shown.contains("$ rm -rf build") && shown.contains("in /lab/run/workspace"), "{shown}");
    assert!(shown.contains("regatta approvals answer main.a734987a allow-once|deny"), "{shown}");
    install
        .regatta(&["approvals", "answer", "a734", "allow-always"])
        .exits(2)
        .says("what is offered: allow-once, deny");
    install.regatta(&["approvals", "answer", "zzz", "deny"]).exits(3).says("there is no question");
    install.regatta(&["approvals", "answer", "a734", "allow-once", "-m", "fine"]).exits(0).says("rm -rf build");
    assert_eq!(away.house.asked("a734987a-e5f9").status, "allowed");
    let late = install.regatta(&["approvals", "answer", "main.a734987a-e5f9", "deny"]).exits(3);
    assert!(late.err.contains("ana answered allow-once"), "{}", late.err);
    let over = install.view(&["approvals", "ls", "--over"])["over"][0].clone();
    assert_eq!((&over["by"], &over["note"], &over["state"]), (&json!("user:ana"), &json!("fine"), &json!("resolved")));
    let log = install.regatta(&["log", "tail", "--kind", "approval", "-n", "1000"]).exits(0).out;
    for line in ["asks: rm -rf build", "answered allow-once: fine", "settled: allow-once by user:ana"] {
        assert!(log.contains(line), "{line} is not in {log}");
    }
}

#[test]
fn a_rule_answers_in_advance_and_says_what_it_would_have_answered() {
    let (install, away) = (Install::new(), Away::new());
    added(&install, &away);
    install.regatta(&["approvals", "rules", "ls"]).exits(0).says("people answer everything");
    away.ask(&install, "q-1", "make deploy");
    let preview = install.regatta(&["approvals", "rules", "preview", "deny", "--command", "*deploy*"]).exits(0);
    assert!(preview.out.contains("make deploy") && preview.err.contains("deny to 1 of 1 question"), "{preview:?}");
    install.regatta(&["approvals", "rules", "add", "all", "allow", "-m", "x"]).exits(2).says("every question");
    let add = ["approvals", "rules", "add", "no-deploy", "deny", "--command", "*deploy*", "-m", "not from here"];
    install.regatta(&add).exits(0).says("no-deploy answers deny from now on");
    let over = until("it is answered", || {
        let over = install.view(&["approvals", "ls", "--over"])["over"][0].clone();
        (over["state"] == "resolved").then_some(over)
    });
    assert_eq!((&over["by"], &over["note"]), (&json!("rule:no-deploy"), &json!("not from here")));
    assert_eq!(away.house.asked("q-1").status, "denied");
    let over = install.regatta(&["approvals", "ls", "--over"]).exits(0).out;
    assert!(over.contains("rule:no-deploy") && over.contains("not from here"), "{over}");
    let listed = install.regatta(&["approvals", "rules"]).exits(0).out;
    assert!(
        listed.contains("no-deploy") && listed.contains("*deploy*") && listed.contains("not from here"),
        "{listed}"
    );
    install.regatta(&["approvals", "rules", "rm", "no-deploy"]).exits(0).says("no-deploy answers no more");
    install.regatta(&["approvals", "rules", "rm", "no-deploy"]).exits(3).says("there is no rule");
}

#[test]
fn one_answer_is_given_to_all_attempts_that_ask_the_same() {
    let (install, away) = (Install::new(), Away::new());
    added(&install, &away);
    {
        let _inside = away.runtime.enter();
        for (attempt, question, command) in
            [("7q2k9x0m-a", "one", "make"), ("7q2k9x0m-b", "two", "make"), ("7q2k9x0m-c", "odd", "make all")]
        {
            away.house.ask_of(attempt, question, command, now_ms());
        }
    }
    until("all are here", || (install.view(&["approvals"])["open"].as_array().map(Vec::len) == Some(3)).then_some(()));
    let shown = install.regatta(&["approvals"]).exits(0).out;
    assert!(shown.contains("1 other attempt of the run asked the same: --all answers it, too"), "{shown}");
    install.regatta(&["approvals", "answer", "o", "deny", "--all"]).exits(2).says("write more of the id");
    install.regatta(&["approvals", "answer", "zzz", "deny", "--all"]).exits(2).says("there is no open question");
    let answered = install.regatta(&["approvals", "answer", "two", "deny", "--all", "-m", "no"]).exits(0);
    assert!(answered.err.contains("main.one  answered deny") && answered.err.contains("main.two"), "{answered:?}");
    for (question, status) in [("one", "denied"), ("two", "denied"), ("odd", "pending")] {
        assert_eq!(away.house.asked(question).status, status, "{question}");
    }
}

#[test]
fn a_gateways_token_is_in_no_event_file_answer_line_or_argument_list() {
    let (install, away) = (Install::new(), Away::new());
    away.house.wants_token(CANARY);
    let url = away.house.url.clone();
    let mut adding = started(&install, &["gateway", "add", "main", &url, "--token-stdin"]);
    adding.stdin.as_mut().expect("input").write_all(CANARY.as_bytes()).expect("written");
    assert!(!holds(&command_lines(), CANARY), "a command line holds it");
    drop(adding.stdin.take());
    crate::install::Done::of(adding.wait_with_output().expect("ended")).exits(0);
    away.ask(&install, "q-1", "make");
    install.regatta(&["approvals", "answer", "q-1", "deny"]).exits(0);
    install.regatta(&["gateway", "test", "main"]).exits(0);
    assert!(!holds(&command_lines(), CANARY), "a command line holds it");
    let answers = [
        &["gateway", "ls", "--json"][..],
        &["gateway", "test", "main", "--json"],
        &["log", "tail", "--json", "-n", "10000"],
        &["secret", "ls", "--json"],
        &["approvals", "ls", "--over", "--json"],
    ];
    for arguments in answers {
        let done = install.regatta(arguments).exits(0);
        assert!(!holds(&done.raw, CANARY) && !holds(done.err.as_bytes(), CANARY), "{arguments:?}");
    }
    assert_ne!(
        holding(&install.data(), "gateway.main.token"),
        [""; 0].map(PathBuf::from),
        "the search finds what is there"
    );
    assert_eq!(holding(&install.data(), CANARY), [""; 0].map(PathBuf::from));
    // What the server does not take it does not say again, nor keep.
    let refused = json!({ "name": "main", "url": "ws://127.0.0.1:1", "token": CANARY, "odd": true });
    let answer = posted(&install, "/api/v1/gateways", &refused.to_string());
    assert!(answer.starts_with("HTTP/1.1 400") && answer.contains("not what is expected"), "{answer}");
    assert!(!answer.contains(CANARY), "{answer}");
    assert_eq!(holding(&install.data(), CANARY), [""; 0].map(PathBuf::from));
}

/// What the server answers on its socket, as it came.
fn posted(install: &Install, path: &str, body: &str) -> String {
    let mut socket = UnixStream::connect(install.data().join(regatta_http::listener::SOCKET_NAME)).expect("a server");
    let length = body.len();
    let head =
        format!("POST {path} HTTP/1.1\r\nhost: regatta\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n");
    socket.write_all(format!("{head}{body}").as_bytes()).expect("written");
    let mut answer = String::new();
    socket.read_to_string(&mut answer).expect("an answer");
    answer
}
