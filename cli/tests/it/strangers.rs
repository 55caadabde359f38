//! An attempt that reaches the server's socket is turned away: it may not pick itself, stop others, or start without a
//! fence.

#![expect(clippy::indexing_slicing, reason = "indexing a JSON value gives null for what is missing")]

use crate::install::{Install, can_race};

fn asks_for(fence: &str, sandbox: &str) {
    if !can_race() {
        return;
    }
    let install = Install::new();
    let binary = env!("CARGO_BIN_EXE_regatta");
    let folder = std::path::Path::new(binary).parent().expect("folder").to_string_lossy().into_owned();
    let mut up = install.command(&["up", "--detach"]);
    assert!(up.env("REGATTA_SANDBOX_FENCE", fence).env("REGATTA_SANDBOX_READ", folder).status().expect("up").success());
    let data = install.data();
    let agent = format!(
        "command@{sandbox}=REGATTA_DATA_DIR={} {binary} cancel last; echo exit $?; echo changed >> file",
        data.display()
    );
    let run = install.race(&["-a", &agent, "--strategy", "all"], 1);
    let said = install.regatta(&["show", &format!("{run}.a"), "--output"]).out;
    assert!(!said.contains("exit 0"), "an attempt gave a command: {said}");
    assert_eq!(install.view(&["show", &run])["row"]["state"], "undecided");
}

#[test]
fn without_a_fence() {
    asks_for("auto", "host");
}

#[test]
fn behind_bubblewrap_or_what_there_is() {
    asks_for("auto", "local");
}

#[test]
fn behind_landlock() {
    let install = Install::new();
    let findings = install.regatta(&["doctor", "--json"]).json();
    let lines = findings.as_array().cloned().unwrap_or_default();
    if lines.iter().any(|finding| finding["name"] == "landlock" && finding["level"] == "ok") {
        asks_for("landlock", "local");
    } else {
        assert!(std::env::var("REGATTA_TEST_REQUIRE").as_deref() != Ok("all"), "Landlock does not work");
        println!("skipped: Landlock does not work here");
    }
}
