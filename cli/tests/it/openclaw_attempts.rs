//! Attempts whose agents are sessions of gateways, through the real binary: of fake gateways, and of the real one when
//! `REGATTA_TEST_OPENCLAW` names its `openclaw.mjs`.

#![expect(clippy::indexing_slicing, reason = "what is not there fails the test")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Child;

use regatta_gateway_fake::House;
use serde_json::{Value, json};

use crate::install::{Install, can_race, until};
use crate::openclaw::{Real, TOKEN, models, program, stub_model};
use crate::secrets::piped;
use crate::victim::Victim;

const FOUR: [&str; 4] = ["a", "b", "c", "d"];
const CHECK: &str = "made=test -f made";

fn add(install: &Install, name: &str, url: &str) {
    piped(install, &["gateway", "add", name, url, "--token-stdin"], TOKEN).exits(0).says("is added and connected");
}

fn ask(install: &Install, arguments: &[&str]) -> String {
    let all: Vec<&str> =
        ["run", "--strategy", "all", "--check", CHECK, "--no-start"].iter().chain(arguments).copied().collect();
    install.regatta(&all).exits(0).out.trim().to_owned()
}

/// What a run's attempts came to, in a word each, once each is over.
fn ended(install: &Install, run: &str, slots: &[&str]) -> Vec<String> {
    let end = |slot: &&str| {
        until("it ends", || {
            // For a moment there is no such attempt.
            let shown = install.regatta(&["show", &format!("{run}.{slot}"), "--json"]);
            let state = (shown.code == 0).then(|| shown.json()["state"].clone())?;
            let outcome = (state["name"] == "finished").then(|| state["outcome"].clone())?;
            outcome.as_str().map(str::to_owned).or_else(|| outcome.as_object()?.keys().next().cloned())
        })
    };
    slots.iter().map(end).collect()
}

/// What an attempt printed; nothing while there is no attempt.
fn output(install: &Install, attempt: &str) -> Vec<Value> {
    let out = install.regatta(&["show", attempt, "--output"]).out;
    out.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

/// Fake gateways, with threads of their own.
fn houses<const COUNT: usize>() -> (tokio::runtime::Runtime, [House; COUNT]) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("threads");
    let houses = [(); COUNT].map(|()| runtime.block_on(House::open()));
    (runtime, houses)
}

fn sessions(house: &House) -> Vec<String> {
    house.calls("chat.send").iter().map(|sent| sent["sessionKey"].as_str().expect("a key").to_owned()).collect()
}

#[test]
fn four_attempts_on_two_gateways_are_compared_side_by_side() {
    if !can_race() {
        return;
    }
    let (install, (_runtime, [one, two])) = (Install::new(), houses());
    install.regatta(&["up", "--detach"]).exits(0);
    install.regatta(&["run", "x", "-a", "openclaw@gateway", "--no-start"]).exits(3).says("regatta gateway add");
    add(&install, "one", &one.url);
    add(&install, "two", &two.url);
    install.regatta(&["run", "x", "-a", "claude@gateway", "--no-start"]).exits(3).says("openclaw@gateway");
    install.regatta(&["run", "x", "-a", "openclaw@gateway:ten", "--no-start"]).exits(3).says("there is no gateway ten");
    let run = ask(&install, &["[[write made here]] [[hang]]", "-a", "openclaw:main@gateway*4"]);
    until("each gateway has two", || [&one, &two].iter().all(|house| sessions(house).len() == 2).then_some(()));
    for house in [&one, &two] {
        for session in sessions(house) {
            assert!(session.starts_with(&format!("agent:main:regatta-{run}-")), "{session}");
            house.finish(&session, "done");
        }
    }
    assert_eq!(ended(&install, &run, &FOUR), ["passed"; 4]);
    let said = output(&install, &format!("{run}.a"));
    assert_eq!(said[0]["session"], format!("agent:main:regatta-{run}-a"));
    assert!(["one", "two"].contains(&said[0]["gateway"].as_str().expect("a gateway")), "{said:#?}");
    assert_eq!(said.last().map(|line| line["state"].clone()), Some(json!("final")));
    let compared = install.regatta(&["compare", &run]).exits(0).out;
    assert!(compared.contains("gateway one") && compared.contains("gateway two"), "{compared}");
    install.regatta(&["pick", &run, "c"]).exits(0);
    let branch = format!("regatta/{run}/c:made");
    until("it is delivered", || (install.view(&["show", &run])["row"]["state"] == "delivered").then_some(()));
    assert_eq!(install.git(&["show", &branch]).out, "here");
    until("no sandbox is left", || install.view(&["sandbox", "ls"])["rows"].as_array()?.is_empty().then_some(()));
}

#[test]
fn a_server_that_is_killed_goes_on_with_a_turn_and_sends_nothing_twice() {
    if !can_race() {
        return;
    }
    let (install, (_runtime, [house])) = (Install::new(), houses());
    let mut victim = Victim::new(&install);
    let up = |victim: &mut Victim<'_>| {
        victim.start();
        until("it is up", || victim.is_up().then_some(()));
    };
    up(&mut victim);
    add(&install, "main", &house.url);
    let run = ask(&install, &["[[write made here]] [[hang]]", "-a", "openclaw@gateway:main", "-a", "openclaw@gateway"]);
    until("both are sent", || (sessions(&house).len() == 2).then_some(()));
    let attempt = format!("{run}.a");
    until("what it did is there", || {
        output(&install, &attempt).iter().any(|line| line["stream"] == "tool").then_some(())
    });
    victim.kill();
    up(&mut victim);
    until("it is connected again", || {
        (install.view(&["gateway", "ls"])["rows"][0]["link"]["state"] == "connected").then_some(())
    });
    house.finish(&format!("agent:main:regatta-{run}-a"), "done");
    install.regatta(&["cancel", &format!("{run}.b")]).exits(0);
    assert_eq!(ended(&install, &run, &["a", "b"]), ["passed", "cancelled"]);
    assert_eq!(sessions(&house).len(), 2, "nothing is sent twice");
    let aborted: Vec<Value> = house.calls("chat.abort").into_iter().map(|call| call["sessionKey"].clone()).collect();
    assert!(aborted.contains(&json!(format!("agent:main:regatta-{run}-b"))), "{aborted:?}");
    let said = output(&install, &attempt);
    let count = |event: &str| said.iter().filter(|line| line["event"] == event).count();
    assert_eq!((count("regatta.session"), count("session.message")), (1, 1), "nothing is said twice: {said:#?}");
}

/// A model without a gateway; gone when dropped.
struct Model(Child);

impl Drop for Model {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

#[test]
fn a_real_gateway_in_each_sandbox_works_and_ends_with_its_attempt() {
    let Some((openclaw, node)) = program().filter(|_| can_race()) else { return };
    let install = Install::new();
    let (model, port) = stub_model(&node);
    let _model = Model(model);
    let programs = install.folder().join("bin");
    fs::create_dir_all(&programs).expect("a folder");
    std::os::unix::fs::symlink(&node, programs.join("node")).expect("a link");
    let script = format!("#!/bin/sh\nexec '{node}' '{}' \"$@\"\n", openclaw.display());
    fs::write(programs.join("openclaw"), script).expect("written");
    fs::set_permissions(programs.join("openclaw"), fs::Permissions::from_mode(0o755)).expect("executable");
    let mine = json!({
        "models": models(&port), "agents": { "defaults": { "model": { "primary": "stub/stub-1" } } },
        "plugins": { "enabled": false },
    });
    let home = install.folder().join("home/.openclaw");
    fs::create_dir_all(&home).expect("a folder");
    fs::write(home.join("regatta.json"), mine.to_string()).expect("written");
    // Also where it is in a home, which no sandbox sees by itself.
    let modules = openclaw.ancestors().nth(2).expect("a folder of packages");
    let node_folder = Path::new(&node).parent().filter(|folder| folder.is_absolute());
    let read: Vec<&Path> = [programs.as_path(), modules].into_iter().chain(node_folder).collect();
    install.configure(&format!("[sandbox]\nread = {}\n", json!(read)));
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").expect("a PATH"));
    let mut up = install.command(&["up", "--detach"]);
    assert!(up.env("PATH", path).status().expect("started").success());

    let task = "[[exec echo here > made]] [[say done]]";
    let run = ask(&install, &[task, "-a", "openclaw:main", "-a", "openclaw"]);
    assert_eq!(ended(&install, &run, &["a", "b"]), ["passed"; 2]);
    let said = output(&install, &format!("{run}.a"));
    let has =
        |event: &str, field: &str, value: &str| said.iter().any(|line| line["event"] == event && line[field] == value);
    assert!(
        has("chat", "state", "delta") && has("agent", "stream", "tool") && has("chat", "state", "final"),
        "{said:#?}"
    );
    assert_eq!(said[0]["session"], format!("agent:main:regatta-{run}-a"));
    let used = &install.view(&["show", &format!("{run}.a")])["usage"];
    assert_eq!((&used["tokens_in"], &used["tokens_out"]), (&json!(200), &json!(40)), "{used}");
    // One that never answers is ended with its sandbox.
    let run = ask(&install, &["[[hang]]", "-a", "openclaw"]);
    until("it works", || {
        output(&install, &format!("{run}.a")).iter().any(|line| line["stream"] == "lifecycle").then_some(())
    });
    install.regatta(&["cancel", &run]).exits(0);
    assert_eq!(ended(&install, &run, &["a"]), ["cancelled"]);
}

#[test]
fn four_attempts_on_two_real_gateways_survive_the_restart_of_one() {
    if !can_race() {
        return;
    }
    let install = Install::new();
    let Some(mut one) = Real::start(&install.folder().join("one"), "full") else { return };
    let Some(two) = Real::start(&install.folder().join("two"), "full") else { return };
    install.regatta(&["up", "--detach"]).exits(0);
    add(&install, "one", &one.url());
    add(&install, "two", &two.url());
    let task = "[[exec echo here > made]] [[slow 40 100]]";
    let run = ask(&install, &[task, "-a", "openclaw:main@gateway*4"]);
    assert_eq!(ended(&install, &run, &FOUR), ["passed"; 4]);
    let at = |slot: &str| output(&install, &format!("{run}.{slot}"))[0]["gateway"].clone();
    let mut gateways: Vec<String> = FOUR.map(|slot| at(slot).to_string()).to_vec();
    gateways.sort();
    assert_eq!(gateways, ["\"one\"", "\"one\"", "\"two\"", "\"two\""]);

    // Killed in the middle of a turn, it goes on by itself once it is there again.
    let run = ask(&install, &["[[exec echo here > made]] [[slow 100 100]]", "-a", "openclaw@gateway:one"]);
    let attempt = format!("{run}.a");
    until("it streams", || output(&install, &attempt).iter().any(|line| line["state"] == "delta").then_some(()));
    one.kill();
    one.run();
    let outcomes = ended(&install, &run, &["a"]);
    let said = output(&install, &attempt);
    assert_eq!(outcomes, ["passed"], "{said:#?}");
    assert!(said.iter().any(|line| line["event"] == "regatta.problem"), "the loss is told: {said:#?}");

    // A turn that hangs is aborted when its time is up.
    let run = ask(&install, &["[[hang]]", "-a", "openclaw@gateway:two", "--timeout", "20s"]);
    assert_eq!(ended(&install, &run, &["a"]), ["timed_out"]);
    let session = format!("agent:main:regatta-{run}-a");
    let asked = json!({ "sessionKey": session }).to_string();
    until("nothing runs there any more", || {
        let held = install.regatta(&["gateway", "call", "two", "chat.history", &asked]).exits(0).json();
        (held["sessionInfo"]["hasActiveRun"] == false && held.get("inFlightRun").is_none()).then_some(())
    });
    until("its turn is known as aborted", || {
        let threads = install.view(&["threads"]);
        let row = threads["rows"].as_array()?.iter().find(|row| row["session"] == session)?.clone();
        (row["state"] == "aborted").then_some(())
    });
}
