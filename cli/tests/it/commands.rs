//! Mistakes: what each is answered with, and how the process exits.

use std::fs;

use crate::install::Install;

fn check(arguments: &[&str], code: i32, says: &str, hint: &str) {
    Install::new().regatta(arguments).exits(code).says(says).says(hint);
}

#[test]
fn mistakes_on_the_command_line_exit_2_and_say_what_to_write() {
    check(
        &["run", "x", "-a", "claud"],
        2,
        "error: \"claud\" is not an attempt: there is no agent",
        "hint: did you mean claude?",
    );
    check(&["run", "x"], 2, "error: nobody was asked to try", "hint: say who: -a claude -a codex");
    check(&["run", "-a", "claude"], 2, "error: there is no prompt", "hint: regatta run 'fix");
    check(&["run", "x", "-a", "claude", "--strategy", "rase"], 2, "one of race, best, all", "hint: run.strategy");
    check(
        &["run", "x", "-a", "claude", "--timeout", "soon"],
        2,
        "--timeout: run.timeout = \"soon\" should be a time",
        "hint:",
    );
    check(
        &["run", "x", "-a", "claude", "--repo", "/nowhere"],
        2,
        "the repository /nowhere cannot be opened",
        "--repo DIR",
    );
    check(&["run", "-f", "/nowhere", "-a", "claude"], 2, "the prompt's file /nowhere cannot be opened", "");
    check(&["pick", "last"], 2, "error: which attempt?", "hint: regatta pick last b");
    check(&["pick", "last.a", "b"], 2, "error: the attempt is named twice", "hint:");
    check(&["show", "last", "--diff"], 2, "are of one attempt", "hint: name it: regatta show last.a --diff");
    check(&["show", "../etc"], 2, "an attempt", "");
    check(&["replay", "last", "--speed", "warp"], 2, "a speed is a number above 0, or `max`", "");
    check(&["compare", "last", "--as-of", "&x"], 2, "is no moment", "hint: give an event's number");
    check(&["comparre", "last"], 2, "compare", "");
    for flag in ["--setup-timeout", "--check-timeout"] {
        check(&["run", "x", "-a", "claude", flag, "soon"], 2, &format!("{flag}: run."), "time for");
    }
    check(&["log", "tail", "--kind", "run,!atempt.output"], 2, "no kind of events", "did you mean attempt.output?");
}

#[test]
fn without_a_server_readers_exit_4_and_say_how_to_start_one() {
    for arguments in [&["ls"][..], &["show", "last"], &["watch", "last"], &["compare", "last"], &["pick", "last", "b"]]
    {
        check(arguments, 4, "error: no server runs for", "hint: start one: regatta up --detach");
    }
    Install::new().regatta(&["down"]).exits(0).says("no server runs");
}

#[test]
fn a_moment_that_is_still_to_come_is_told() {
    let install = Install::new();
    install.regatta(&["up", "--detach"]).exits(0);
    for arguments in [&["ls"][..], &["fleet"], &["show", "last"], &["compare", "last"], &["replay", "last"]] {
        for moment in ["1000", "2999-01-01T00:00:00Z"] {
            let all: Vec<&str> = arguments.iter().copied().chain(["--as-of", moment]).collect();
            install.regatta(&all).exits(2).says("is still to come: the log ends at ");
        }
    }
    install.regatta(&["fleet", "--as-of", "1"]).exits(0);
}

#[test]
fn mistakes_in_configuration_files_are_told_with_file_and_line() {
    let install = Install::new();
    fs::create_dir(install.data()).expect("data");
    fs::write(install.data().join("regatta.toml"), "[limits]\nattemps = 3\n").expect("file");
    for arguments in [&["up"][..], &["run", "x", "-a", "claude"], &["doctor", "--config"]] {
        let done = install.regatta(arguments).exits(2);
        done.says("regatta.toml:2: unknown key `limits.attemps`").says("hint: did you mean `limits.attempts`?");
    }
    let listed = install.regatta(&["doctor", "--config"]);
    assert!(listed.out.contains("limits.attempts"), "every key is listed beside the mistake: {}", listed.out);
    let findings = install.regatta(&["doctor"]).exits(1);
    assert!(findings.out.contains("fail  configuration") && findings.out.contains("server"), "{}", findings.out);
    fs::write(install.data().join("regatta.toml"), "zebra = 3\n").expect("file");
    let circular = install.regatta(&["doctor", "--config"]).exits(2);
    assert!(!circular.err.contains("doctor --config"), "{}", circular.err);
    fs::write(install.data().join("regatta.toml"), "").expect("file");
    let mut command = install.command(&["doctor"]);
    let output = command.env("REGATTA_RUN_TIMEOT", "3").output().expect("regatta");
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(told.contains("do: did you mean REGATTA_RUN_TIMEOUT?") && told.contains("git "), "{told}");

    let project = Install::new();
    project.write("regatta.toml", "[sandbox]\nfence = \"landlock\"\n");
    project.regatta(&["run", "x", "-a", "claude"]).exits(2).says("`sandbox.fence` cannot be set by a project");
}

#[test]
fn configuration_is_shown_with_where_each_value_came_from() {
    let install = Install::new();
    fs::create_dir(install.data()).expect("data");
    fs::write(install.data().join("regatta.toml"), "[run]\ntimeout = \"5m\"\n").expect("file");
    install.write("regatta.toml", "[run]\nstrategy = \"all\"\n");
    let rows = install.view(&["doctor", "--config"]);
    let from = |key: &str| {
        let row = rows.as_array().expect("rows").iter().find(|row| row["key"] == key).expect(key);
        row["from"].as_str().expect("from").to_owned()
    };
    assert!(from("run.timeout").ends_with("data/regatta.toml:2"), "{}", from("run.timeout"));
    assert!(from("run.strategy").ends_with("repository/regatta.toml:2"), "{}", from("run.strategy"));
    assert_eq!(from("limits.attempts"), "REGATTA_LIMITS_ATTEMPTS");
    assert_eq!(from("run.memory"), "default");
}

#[test]
fn a_log_that_is_not_there_is_no_log_to_verify() {
    let install = Install::new();
    for arguments in [&["log", "verify"][..], &["log", "export"]] {
        install.regatta(arguments).exits(4).says("there is no log in");
    }
}
