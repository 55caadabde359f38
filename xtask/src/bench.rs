//! `cargo xtask bench …`: builds a release and measures it.

use std::process::ExitCode;

use crate::command::{self, cargo, root, target};

/// Runs the benchmarks of one issue.
pub(crate) fn run(rest: &[&str]) -> Result<ExitCode, String> {
    match rest {
        ["dispatch", options @ ..] => {
            command::run(&mut cargo(&[
                "build",
                "--release",
                "--locked",
                "--package",
                "regatta",
                "--package",
                "regatta-benches",
            ]))?;
            let release = target().join("release");
            let mut benches = std::process::Command::new(release.join("regatta-benches"));
            command::run(benches.arg("dispatch").arg(release.join("regatta")).args(options).current_dir(root()))?;
        }
        ["log", options @ ..] => {
            let mut command =
                cargo(&["run", "--release", "--locked", "--package", "regatta-core", "--example", "append", "--"]);
            command::run(command.args(options))?;
        }
        _ => return Err("which benchmark? cargo xtask bench dispatch, or cargo xtask bench log".to_owned()),
    }
    Ok(ExitCode::SUCCESS)
}
