//! `cargo xtask demo`: checks what is needed, builds, and runs the demo.

use std::process::{Command, ExitCode};

use crate::command::{self, answer, cargo, root};
use crate::ui;

/// Builds a release and runs its demo, with the rest of the command line.
pub(crate) fn run(rest: &[&str]) -> Result<ExitCode, String> {
    if !cfg!(target_os = "linux") {
        return Err("the demo needs Linux: sandboxes are made by bubblewrap or Landlock".to_owned());
    }
    if answer(Command::new("git").arg("--version")).is_none() {
        return Err("the demo needs git: apt install git".to_owned());
    }
    if ["cc", "gcc", "clang"].iter().all(|compiler| answer(Command::new(compiler).arg("--version")).is_none()) {
        return Err("building needs a C compiler: apt install build-essential".to_owned());
    }
    let node = answer(Command::new("node").arg("--version")).unwrap_or_default();
    let major: Option<u32> = node.trim_start_matches('v').split('.').next().and_then(|major| major.parse().ok());
    if major.is_none_or(|major| major < 20) {
        return Err("the demo's programs need Node 20 or later: apt install nodejs, or nodejs.org".to_owned());
    }
    eprintln!("building (the first time takes some minutes)");
    match ui::can_build() {
        Ok(()) => ui::build()?,
        Err(reason) => eprintln!("without the page: {reason}"),
    }
    command::run(&mut cargo(&["build", "--release", "--locked", "--quiet", "--package", "regatta"]))?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), Into::into);
    // A person looks at it in the browser; whoever only wants to know whether it works says --stop.
    let stay = (!rest.contains(&"--stop")).then_some("--stay");
    let rest = rest.iter().filter(|word| **word != "--stop");
    let status = Command::new(target.join("release/regatta")).arg("demo").args(stay).args(rest).status();
    let status = status.map_err(|error| format!("failed to start the demo: {error}"))?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
