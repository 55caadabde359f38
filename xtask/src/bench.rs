//! `cargo xtask bench …`: builds a release and measures it.

use std::process::ExitCode;

use crate::command::{self, cargo, root, target};
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
            let release = target().join("release");
            let mut benches = std::process::Command::new(release.join("regatta-benches"));
            command::run(benches.arg("dispatch").arg(release.join("regatta")).args(options).current_dir(root()))?;
        }
        ["log", options @ ..] => {
            for (package, example) in [("regatta-core", "replay"), ("regatta-projections", "rebuild")] {
                let build = ["build", "--release", "--locked", "--package", package, "--example", example];
                command::run(&mut cargo(&build))?;
            }
            command::run(&mut cargo(&["build", "--release", "--locked", "--package", "regatta"]))?;
            let run =
                ["run", "--release", "--locked", "--package", "regatta-benches", "--features", "log", "--", "log"];
            command::run(cargo(&run).args(options).current_dir(root()))?;
        }
        ["http", options @ ..] => {
            command::run(&mut cargo(&["build", "--release", "--locked", "--package", "regatta"]))?;
            let fill = ["build", "--release", "--locked", "--package", "regatta-projections", "--example", "rebuild"];
            command::run(&mut cargo(&fill))?;
            let run =
                ["run", "--release", "--locked", "--package", "regatta-benches", "--features", "http", "--", "http"];
            command::run(cargo(&run).arg(target().join("release/regatta")).args(options).current_dir(root()))?;
        }
        ["sandboxes", options @ ..] => {
            for example in ["containers", "rented"] {
                let run =
                    ["run", "--release", "--locked", "--package", "regatta-sandboxes", "--example", example, "--"];
                command::run(cargo(&run).args(options).current_dir(root()))?;
            }
        }
        ["gateway", options @ ..] => {
            // The frames of one connection are measured without a server around them.
            if options.iter().all(|option| option.starts_with("--") || *option == "ingest") {
                let ingest = ["run", "--release", "--locked", "--package", "regatta-federation", "--example", "ingest"];
                command::run(cargo(&ingest).current_dir(root()))?;
            }
            if options != ["ingest"] {
                command::run(&mut cargo(&["build", "--release", "--locked", "--package", "regatta"]))?;
                let run = [
                    "run",
                    "--release",
                    "--locked",
                    "--package",
                    "regatta-benches",
                    "--features",
                    "gateway",
                    "--",
                    "gateway",
                ];
                command::run(cargo(&run).arg(target().join("release/regatta")).args(options).current_dir(root()))?;
            }
        }
        ["page"] => {
            ui::build()?;
            command::run(&mut cargo(&["build", "--release", "--locked", "--package", "regatta"]))?;
            let mut npm = std::process::Command::new("npm");
            npm.args(["run", "--silent", "bench"]).current_dir(root().join("http/ui"));
            command::run(npm.env("REGATTA_BIN", target().join("release/regatta")))?;
        }
        _ => {
            return Err("which benchmark? cargo xtask bench dispatch, gateway, http, log, sandboxes or page".to_owned());
        }
    }
    Ok(ExitCode::SUCCESS)
}
