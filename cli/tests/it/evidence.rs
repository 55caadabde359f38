//! What counts as an agent's work, and what does not.

#![expect(clippy::indexing_slicing, reason = "indexing a JSON value gives null for what is missing")]

use serde_json::Value;

use crate::install::{Install, can_race};

fn outcome(install: &Install, run: &str, attempt: usize) -> Value {
    install.view(&["compare", run])["columns"][attempt]["state"]["outcome"].clone()
}

#[test]
fn what_setup_changed_is_not_the_agents_work() {
    if !can_race() {
        return;
    }
    let install = Install::new();
    let agents = ["-a", "command=true", "-a", "command=echo mine >> file"];
    let setup = ["--setup", "echo made > by-setup; echo more >> file", "--strategy", "best"];
    let run = install.race(&[&agents[..], &setup].concat(), 0);
    assert_eq!(outcome(&install, &run, 0), "unchanged");
    assert_eq!(outcome(&install, &run, 1), "passed");
    assert_eq!(install.view(&["show", &run])["row"]["winner"], "b");
}

#[test]
fn a_file_made_unreadable_is_collected_all_the_same() {
    if !can_race() {
        return;
    }
    let install = Install::new();
    let run = install.race(&["-a", "command=echo two >> file; echo new > closed; chmod 000 closed file"], 0);
    assert_eq!(outcome(&install, &run, 0), "passed");
    let brought = install.git(&["show", &format!("regatta/{run}/a:closed")]).out;
    assert_eq!(brought, "new\n");
    assert_eq!(install.git(&["show", &format!("regatta/{run}/a:file")]).out, "one\ntwo\n");
}
