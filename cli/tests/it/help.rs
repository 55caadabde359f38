//! Help texts, kept as they were last looked at.

use crate::install::Install;

/// Every command whose help is kept.
const COMMANDS: &[&str] = &[
    "",
    "up",
    "down",
    "run",
    "ls",
    "show",
    "watch",
    "compare",
    "artifacts",
    "pick",
    "cancel",
    "restore",
    "synthesize",
    "discard",
    "disk",
    "clean",
    "fleet",
    "gateway",
    "gateway add",
    "gateway ls",
    "gateway rm",
    "gateway test",
    "gateway pair",
    "gateway call",
    "approvals",
    "approvals ls",
    "approvals answer",
    "approvals rules",
    "approvals rules ls",
    "approvals rules add",
    "approvals rules rm",
    "approvals rules preview",
    "threads",
    "open",
    "token",
    "token create",
    "token ls",
    "token revoke",
    "token link",
    "user",
    "user add",
    "user role",
    "log",
    "log tail",
    "log show",
    "log verify",
    "log stats",
    "log export",
    "log import",
    "log backup",
    "log restore",
    "replay",
    "doctor",
    "demo",
    "schema",
    "completions",
    "secret",
    "secret set",
    "secret allow",
    "secret ls",
    "secret rm",
    "secret rotate",
    "secret unlock",
    "secret reset",
    "sandbox",
    "sandbox ls",
    "sandbox rm",
    "sandbox reap",
    "sandbox logs",
    "sandbox exec",
    "sandbox fork",
    "log prune",
    "user ls",
    "user rm",
];

#[test]
fn every_command_explains_itself() {
    let install = Install::new();
    let mut all = String::new();
    for command in COMMANDS {
        let arguments: Vec<&str> = command.split(' ').filter(|word| !word.is_empty()).chain(["--help"]).collect();
        let done = install.regatta(&arguments).exits(0);
        all.push_str(&format!("$ regatta {}\n{}\n", arguments.join(" "), done.out));
    }
    insta::assert_snapshot!(all);
}

#[test]
fn completions_are_written_for_every_shell() {
    let install = Install::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let done = install.regatta(&["completions", shell]).exits(0);
        assert!(done.out.contains("compare"), "{shell}");
        let told = install.view(&["completions", shell]);
        assert_eq!((told["shell"].as_str(), told["script"].as_str()), (Some(shell), Some(done.out.as_str())));
    }
}
