//! Whole runs: asked for, raced, compared, picked, delivered, replayed.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::install::{Install, can_race};

const GOOD: &str = "command=echo changed >> file";
const LARGE: &str = "command=echo changed >> file; seq 100 > numbers";
const WRONG: &str = "command=echo broken >> file";
const CHECK: &str = "it=grep -q changed file";
/// How long sandboxes may take to be gone once their run is over.
const GONE_MAX: Duration = Duration::from_secs(30);

#[test]
fn the_first_that_passes_wins_and_is_delivered_as_a_branch() {
    if !can_race() {
        return;
    }
    let install = Install::new();
    let run = install.race(&["-a", WRONG, "-a", GOOD, "--check", CHECK], 0);
    let branch = format!("regatta/{run}/b");
    assert_eq!(install.git(&["show", &format!("{branch}:file")]).out, "one\nchanged\n");
    assert_eq!(install.git(&["status", "--porcelain"]).out, "", "the work tree is not touched");
    let view = install.view(&["show", &run]);
    assert_eq!((&view["row"]["state"], &view["row"]["winner"]), (&"delivered".into(), &"b".into()));
    assert_eq!(view["row"]["by"], "user:ana");

    let diff = install.regatta(&["show", &format!("{run}.b"), "--diff"]).exits(0);
    assert!(diff.raw.starts_with(b"diff --git a/file b/file\n"), "{}", diff.out);
    let patch = install.folder().join("patch");
    std::fs::write(&patch, &diff.raw).expect("patch");
    install.git(&["apply", "--check", patch.to_str().expect("path")]);

    install.regatta(&["log", "verify"]).exits(0);
    let fleet = install.view(&["fleet"]);
    assert_eq!(fleet["totals"]["leaks"], 0);
}

#[test]
fn the_smallest_that_passes_is_the_best() {
    if !can_race() {
        return;
    }
    let install = Install::new();
    let run = install.race(&["-a", LARGE, "-a", WRONG, "-a", GOOD, "--strategy", "best", "--check", CHECK], 0);
    let compared = install.view(&["compare", &run]);
    assert_eq!(compared["verdict"]["winner"], "c");
    let files: Vec<(&str, &str)> = compared["files"]
        .as_array()
        .expect("files")
        .iter()
        .map(|file| (file["path"].as_str().expect("path"), file["class"].as_str().expect("class")))
        .collect();
    assert_eq!(files, [("file", "all"), ("numbers", "one")]);
    let shown = install.regatta(&["compare", &run]).exits(0);
    for text in ["c ★", "1 check failed", "1 of 1 passed", "numbers", "2 files +101 -0"] {
        assert!(shown.out.contains(text), "{text:?} is not in\n{}", shown.out);
    }
    assert!(shown.out.contains("into main") && shown.out.contains("clean"), "{}", shown.out);
    let between = install.regatta(&["compare", &run, "--diff", "a", "c"]).exits(0);
    assert!(between.out.contains("numbers") && !between.out.contains("file\n"), "{}", between.out);
}

#[test]
fn a_person_picks_after_all_and_losers_can_be_had_back() {
    if !can_race() {
        return;
    }
    let install = Install::new();
    let run = install.race(&["-a", GOOD, "-a", LARGE, "--strategy", "all", "--check", CHECK], 1);
    install.regatta(&["pick", "last", "b", "-m", "reads best"]).exits(0);
    install.regatta(&["watch", &run]).exits(0);
    let view = install.view(&["show", &run]);
    assert_eq!((&view["verdict"]["judge"], &view["verdict"]["reason"]), (&"human".into(), &"reads best".into()));
    install.regatta(&["restore", &format!("{run}.a")]).exits(0);
    let began = Instant::now();
    while !install.git(&["branch", "--list", "regatta/*"]).out.contains(&format!("regatta/{run}/a")) {
        assert!(began.elapsed().as_secs() < 30, "the loser's branch does not come");
    }
    assert_eq!(install.view(&["show", &run])["row"]["winner"], "b", "the verdict stays");
}

#[test]
fn without_a_winner_the_exit_says_so() {
    if !can_race() {
        return;
    }
    let install = Install::new();
    install.race(&["-a", WRONG, "-a", "command=true", "--check", CHECK], 1);
    let compared = install.view(&["compare", "last"]);
    let outcome = |column: usize| compared["columns"][column]["state"]["outcome"].clone();
    assert_eq!(outcome(0), serde_json::json!({ "checks_failed": { "failed": 1 } }));
    assert_eq!(outcome(1), "unchanged");
}

#[test]
fn a_run_can_be_cancelled_while_it_goes_on() {
    if !can_race() {
        return;
    }
    let install = Install::new();
    let run = install.regatta(&["run", "never end", "-a", "command=sleep 1000", "-a", "command=sleep 1000"]).exits(0);
    let run = run.out.trim().to_owned();
    let attempt = format!("{run}.a");
    while install.regatta(&["show", &attempt]).code != 0 {}
    install.regatta(&["cancel", &attempt, "-m", "too slow"]).exits(0);
    install.regatta(&["cancel", &run]).exits(0);
    install.regatta(&["watch", &run]).exits(1);
    assert_eq!(install.view(&["show", &run])["row"]["state"], "cancelled");
    install.regatta(&["cancel", &run]).exits(3);
    // The verdict does not wait for the sandboxes to be taken away.
    let begin = Instant::now();
    while install.view(&["fleet"])["totals"]["alive"] != 0 {
        assert!(begin.elapsed() < GONE_MAX, "sandboxes of a cancelled run stay");
    }
}

#[test]
fn a_run_is_replayed_from_the_log_and_seen_as_it_was() {
    if !can_race() {
        return;
    }
    let install = Install::new();
    let run = install.race(&["-a", "command=echo hello; echo changed >> file", "--check", CHECK], 0);
    let replayed = install.regatta(&["replay", &run, "--speed", "max"]).exits(0);
    let places = ["asked: change the file", "│ hello", "changed +1", "winner a", "the run is over"]
        .map(|text| replayed.out.find(text).unwrap_or_else(|| panic!("{text:?} is not in\n{}", replayed.out)));
    assert!(places.is_sorted(), "{}", replayed.out);

    let seq = install.view(&["show", &run])["row"]["requested_seq"].to_string();
    let then = install.view(&["compare", &run, "--as-of", &seq]);
    assert_eq!((&then["state"], &then["verdict"]), (&"requested".into(), &Value::Null));
    install.regatta(&["compare", &run, "--as-of", "1999-01-01T00:00:00Z"]).exits(3).says("there is no run");
}

#[test]
fn a_run_goes_on_after_its_server_was_stopped() {
    if !can_race() {
        return;
    }
    let install = Install::new();
    let go = install.folder().join("go");
    let agent = format!("command=echo begun; until [ -e {} ]; do sleep 0.05; done; echo changed >> file", go.display());
    let run = install.regatta(&["run", "wait", "-a", &agent, "--sandbox", "host", "--check", CHECK]).exits(0);
    let run = run.out.trim().to_owned();
    while install.regatta(&["show", &format!("{run}.a"), "--output"]).raw != b"begun\n" {}
    install.regatta(&["down"]).exits(0);
    std::fs::write(&go, "").expect("go");
    install.regatta(&["up", "--detach"]).exits(0);
    install.regatta(&["watch", &run]).exits(0);
    assert_eq!(install.regatta(&["show", &format!("{run}.a"), "--output"]).raw, b"begun\n");
    assert_eq!(install.view(&["show", &format!("{run}.a")])["starts_used"], 1);
}

#[test]
fn a_task_file_and_the_projects_file_say_what_flags_do_not() {
    if !can_race() {
        return;
    }
    let install = Install::new();
    install.write("regatta.toml", "[run]\nchecks = [\"it=grep -q changed file\"]\nsetup = \"echo ready > .ready\"\n");
    install.write(".gitignore", ".ready\n");
    install.commit("settings");
    let task = install.folder().join("task.toml");
    let text = "prompt = \"change it\"\nattempts = [\"command=test -e .ready && echo changed >> file\"]\n";
    std::fs::write(&task, text).expect("task");
    install.regatta(&["run", "--task", task.to_str().expect("path"), "--wait"]).exits(0);
    let view = install.view(&["show", "last"]);
    assert_eq!((&view["row"]["title"], &view["setup"]), (&"change it".into(), &"echo ready > .ready".into()));
}
