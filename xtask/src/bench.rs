//! `cargo xtask bench …`: builds a release and measures it.

use std::process::ExitCode;

use crate::command::{self, cargo, root};
use crate::ui;

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
            let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), Into::into);
            let release = target.join("release");
            let mut benches = std::process::Command::new(release.join("regatta-benches"));
            command::run(benches.arg("dispatch").arg(release.join("regatta")).args(options).current_dir(root()))?;
        }
        ["log", options @ ..] => {
            let mut command =
                cargo(&["run", "--release", "--locked", "--package", "regatta-core", "--example", "append", "--"]);
            command::run(command.args(options))?;
        }
        ["page"] => {
            ui::build()?;
            command::run(&mut cargo(&["build", "--release", "--locked", "--package", "regatta"]))?;
            let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), Into::into);
            let mut npm = std::process::Command::new("npm");
            npm.args(["run", "--silent", "bench"]).current_dir(root().join("http/ui"));
            command::run(npm.env("REGATTA_BIN", target.join("release/regatta")))?;
        }
        _ => return Err("which benchmark? cargo xtask bench dispatch, log or page".to_owned()),
    }
    Ok(ExitCode::SUCCESS)
}
