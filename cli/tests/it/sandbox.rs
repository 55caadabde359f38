//! `regatta sandbox` on sandboxes of this machine: seen, gone into, taken away.

use std::fs;
use std::process::Stdio;

use crate::install::{Install, can_race, until};
use crate::secrets::piped;

const WAITS: &str = "command=echo begun; while ! [ -e go ]; do sleep 0.05; done; rm go; echo two >> file";

/// Waits until the agent of an attempt has printed that.
pub(crate) fn printed(install: &Install, attempt: &str, text: &str) {
    until("the agent prints", || {
        let shown = install.regatta(&["show", attempt, "--output"]);
        shown.out.contains(text).then_some(())
    });
}

/// Waits until it has begun.
pub(crate) fn begun(install: &Install, attempt: &str) {
    printed(install, attempt, "begun");
}

#[test]
fn a_sandbox_is_seen_and_gone_into_and_the_log_says_by_whom() {
    if !can_race() {
        return;
    }
    let install = Install::new();
    install.regatta(&["up", "--detach"]).exits(0);
    install.regatta(&["sandbox", "ls"]).exits(0).says("there is no sandbox now");
    install.regatta(&["run", "wait", "-a", WAITS]).exits(0);
    begun(&install, "last.a");
    let fleet = install.regatta(&["fleet"]).exits(0).out;
    assert!(fleet.contains("1 of 8") && fleet.contains("ana 1"), "{fleet}");
    let row = install.view(&["sandbox", "ls"])["rows"][0].clone();
    let key = row["sandbox"]["key"].as_str().expect("key").to_owned();
    let told = ["provider", "right", "doing"].map(|name| row["sandbox"][name].as_str().unwrap_or_default().to_owned());
    assert_eq!(told, ["local", "in_use", "agent"], "{row}");
    assert_eq!(install.regatta(&["sandbox", "ls", "-q"]).exits(0).out.trim(), key);

    let exec = |arguments: &[&str]| install.regatta(&[&["sandbox", "exec", "last.a", "--"], arguments].concat());
    let done = exec(&["sh", "-c", "cat file; echo \"${REGATTA_ATTEMPT}\"; printf '\\377' >&2; exit 3"]).exits(1);
    assert_eq!(done.out, "one\na\n");
    assert!(done.err.ends_with("exit 3\n"), "{}", done.err);
    install
        .regatta(&["sandbox", "fork", "last.a"])
        .exits(3)
        .says("sandboxes of local cannot be copied")
        .says("@docker");
    exec(&["no-such-program"]).exits(1).says("could not be started");
    install.regatta(&["sandbox", "exec", "last.a"]).exits(2);
    install.regatta(&["sandbox", "exec", &key, "--timeout", "2h", "--", "true"]).exits(2).says("between 1 and 3600000");
    let late = install.regatta(&["sandbox", "exec", &key, "--timeout", "50ms", "--", "sleep", "1000"]).exits(1);
    assert!(late.err.contains("time was up"), "{}", late.err);
    exec(&["touch", "go"]).exits(0);
    install.regatta(&["watch", "last"]).exits(0);
    exec(&["true"]).exits(3).says("no attempt is under way in sandbox");

    let entered = install.view_lines(&["log", "tail", "--from", "1", "--kind", "sandbox.entered"]);
    let told: Vec<(&str, &str)> = entered
        .iter()
        .map(|event| {
            (
                event["actor"].as_str().unwrap_or_default(),
                event["payload"]["fields"]["program"].as_str().unwrap_or_default(),
            )
        })
        .collect();
    let by = "user:ana";
    assert_eq!(told, [(by, "sh"), (by, "no-such-program"), (by, "sleep"), (by, "touch")]);
}

#[test]
fn a_sandbox_in_use_is_removed_only_by_force_and_its_attempt_is_cancelled() {
    if !can_race() {
        return;
    }
    let install = Install::new();
    install.regatta(&["run", "wait", "-a", WAITS, "-a", WAITS]).exits(0);
    begun(&install, "last.a");
    let refused = install.regatta(&["sandbox", "rm", "last.a"]).exits(3).says("is in use by attempt").says("--force");
    assert!(refused.err.contains("regatta cancel"), "{}", refused.err);
    install.regatta(&["sandbox", "rm", "last.a", "--force"]).exits(0).says("removed regatta-");
    install.regatta(&["cancel", "last"]).exits(0);
    install.regatta(&["watch", "last"]);
    let state = install.view(&["show", "last.a"])["state"].to_string();
    assert!(state.contains("its sandbox was removed by user:ana"), "{state}");
    until("every sandbox is gone", || install.view(&["sandbox", "ls"])["rows"].as_array()?.is_empty().then_some(()));
    install.regatta(&["sandbox", "reap"]).exits(0).says("nothing was left behind");
    install.regatta(&["sandbox", "fork", "regatta-abcd-7q2k9x0m-a-1"]).exits(3).says("there is no sandbox");
    install.regatta(&["sandbox", "rm", "regatta-abcd-7q2k9x0m-a-1"]).exits(3).says("there is no sandbox");
}

#[test]
fn what_a_killed_server_left_of_a_sandbox_is_cleared_away_by_the_next() {
    if !can_race() {
        return;
    }
    let install = Install::new();
    install.regatta(&["run", "count", "-a", "command=echo two >> file"]).exits(0);
    let destroyed = until("its sandbox is removed", || {
        install.view_lines(&["log", "tail", "--from", "1", "--kind", "sandbox.destroyed"]).pop()
    });
    let over = destroyed["payload"]["fields"]["key"].as_str().expect("key").to_owned();
    install.regatta(&["down"]).exits(0);
    let root = install.data().join("sandboxes/local");
    assert_eq!(fs::read_dir(&root).expect("folder").count(), 0);
    let run = over.split('-').nth(2).expect("run");
    let unknown = over.replace(run, if run == "7q2k9x0m" { "7q2k9x0n" } else { "7q2k9x0m" });
    for rest in [format!(".{over}.1-2.trash"), format!(".{unknown}.1-3.trash"), format!(".{unknown}.1-3.trash.0")] {
        fs::create_dir_all(root.join(rest).join("execs/main")).expect("rest");
    }
    install.regatta(&["up", "--detach"]).exits(0);
    until("nothing is left", || (fs::read_dir(&root).expect("folder").count() == 0).then_some(()));
    let told = until("both are told", || {
        let reaped = install.view_lines(&["log", "tail", "--from", "1", "--kind", "sandbox.reaped"]);
        (reaped.len() == 2).then_some(reaped)
    });
    let mut told: Vec<_> = told.iter().filter_map(|event| event["payload"]["fields"]["key"].as_str()).collect();
    let mut keys = [over.as_str(), unknown.as_str()];
    told.sort_unstable();
    keys.sort_unstable();
    assert_eq!(told, keys);
}

#[test]
fn a_command_nobody_listens_to_any_more_is_stopped() {
    if !can_race() {
        return;
    }
    let install = Install::new();
    install.regatta(&["run", "wait", "-a", WAITS]).exits(0);
    begun(&install, "last.a");
    let mark = format!("{}.5", 80_000 + std::process::id());
    let script = format!("echo here; exec sleep {mark}");
    let mut command = install.command(&["sandbox", "exec", "last.a", "--", "sh", "-c", &script]);
    let mut child = command.stdout(Stdio::piped()).spawn().expect("started");
    let out = child.stdout.take().expect("output");
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(out));
    assert_eq!(lines.next().expect("a line").expect("text"), "here");
    let running = || {
        let listed = std::process::Command::new("ps").args(["-eo", "args"]).output().expect("ps");
        String::from_utf8_lossy(&listed.stdout).lines().any(|line| *line == format!("sleep {mark}"))
    };
    until("the command runs", || running().then_some(()));
    child.kill().expect("kill");
    child.wait().expect("wait");
    until("the command is stopped", || (!running()).then_some(()));
    install.regatta(&["cancel", "last"]).exits(0);
}

#[test]
fn what_an_exec_prints_of_a_secret_is_masked() {
    if !can_race() {
        return;
    }
    let install = Install::new();
    install.write("regatta.toml", "[environment]\nAPI_KEY = { secret = \"openai\" }\n");
    install.commit("declare");
    piped(&install, &["secret", "set", "openai"], "canary-wren-7719").exits(0);
    let agent = "command=echo \"$API_KEY\" > noted; echo begun; while ! [ -e go ]; do sleep 0.05; done";
    install.regatta(&["run", "wait", "-a", agent]).exits(0);
    begun(&install, "last.a");
    let done =
        install.regatta(&["sandbox", "exec", "last.a", "--", "sh", "-c", "cat noted; echo \"<$API_KEY>\""]).exits(0);
    assert_eq!(done.out, format!("{}\n<>\n", "*".repeat("canary-wren-7719".len())));
    install.regatta(&["cancel", "last"]).exits(0);
}
