//! The demo, as a stranger runs it.

use std::process::Command;

use crate::install::{Install, can_race};

fn has_node() -> bool {
    let output = Command::new("node").arg("--version").output();
    let version = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    let major: Option<u32> = version.trim_start_matches('v').split('.').next().and_then(|major| major.parse().ok());
    let works = major.is_some_and(|major| major >= 20);
    if !works {
        assert!(std::env::var("REGATTA_TEST_REQUIRE").as_deref() != Ok("all"), "Node 20 or later is needed");
        println!("skipped: the demo's programs need Node 20 or later");
    }
    works
}

#[test]
fn the_demo_keeps_its_promises_and_leaves_nothing_running() {
    if !can_race() || !has_node() {
        return;
    }
    let install = Install::new();
    let place = install.folder().join("demo");
    let place = place.to_str().expect("path");
    let data = format!("{place}-data");
    let done = install
        .regatta(&["demo", "--dir", place, "--data-dir", &data])
        .exits(0)
        .says("everything came out as it should");
    for text in ["winner a: 2 of 4 passed", "timed out", "1 check failed", "8 files +142 -35"] {
        assert!(done.out.contains(text), "{text:?} is not in\n{}", done.out);
    }
    install.regatta(&["ls", "--data-dir", &data]).exits(4).says("no server runs");
    install.regatta(&["log", "verify", "--data-dir", &data]).exits(0);
    install.regatta(&["demo", "--dir", place]).exits(2).says("is not empty");
    install.regatta(&["demo", "--data-dir", &data]).exits(2).says("is not empty");
}
