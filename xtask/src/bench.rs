//! `cargo xtask bench …`: builds a release and measures it.

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use crate::command::{self, cargo, root, target};
use crate::ui;

/// Runs the benchmarks of one issue.
pub(crate) fn run(rest: &[&str]) -> Result<ExitCode, String> {
    match rest {
        ["dispatch", options @ ..] => {
            build(&["--package", "regatta", "--package", "regatta-benches"])?;
            let mut benches = Command::new(target().join("release/regatta-benches"));
            command::run(benches.arg("dispatch").arg(program()).args(options).current_dir(root()))?;
        }
        ["log", options @ ..] => {
            build(&["--package", "regatta-core", "--example", "replay"])?;
            build(&["--package", "regatta-projections", "--example", "rebuild"])?;
            build(&["--package", "regatta"])?;
            command::run(suite("log").args(options))?;
        }
        ["http", options @ ..] => {
            build(&["--package", "regatta"])?;
            build(&["--package", "regatta-projections", "--example", "rebuild"])?;
            command::run(suite("http").arg(program()).args(options))?;
        }
        ["sandboxes", "kills", options @ ..] => kills(options)?,
        ["sandboxes", options @ ..] => {
            let rows = root().join("benches/rows/sandboxes.jsonl");
            command::run(example("regatta-sandboxes", "containers").args(options).env("REGATTA_ROWS", rows))?;
            command::run(example("regatta-sandboxes", "rented").args(options))?;
        }
        ["gateway", options @ ..] => {
            // The frames of one connection are measured without a server around them.
            if options.iter().all(|option| option.starts_with("--") || *option == "ingest") {
                command::run(&mut example("regatta-federation", "ingest"))?;
            }
            if options != ["ingest"] {
                build(&["--package", "regatta"])?;
                command::run(suite("gateway").arg(program()).args(options))?;
            }
        }
        ["page"] => {
            ui::build()?;
            build(&["--package", "regatta"])?;
            let mut npm = Command::new("npm");
            npm.args(["run", "--silent", "bench"]).current_dir(root().join("http/ui"));
            command::run(npm.env("REGATTA_BIN", program()))?;
        }
        _ => {
            return Err("which benchmark? cargo xtask bench dispatch, gateway, http, log, sandboxes or page".to_owned());
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The program that is measured.
fn program() -> PathBuf {
    target().join("release/regatta")
}

fn build(what: &[&str]) -> Result<(), String> {
    command::run(cargo(&["build", "--release", "--locked"]).args(what))
}

/// Runs an example of a package; its own options are to be added.
fn example(package: &str, name: &str) -> Command {
    cargo(&["run", "--release", "--locked", "--package", package, "--example", name, "--"])
}

/// Runs the benchmarks of that name; their own options are to be added.
fn suite(name: &str) -> Command {
    let package = ["run", "--release", "--locked", "--package", "regatta-benches"];
    cargo(&[&package[..], &["--features", name, "--", name]].concat())
}

/// Providers whose sandboxes are not folders of this machine, and the test that kills the server while they work.
const KILLS: [(&str, &str); 3] = [("docker", "in_the_engine"), ("e2b", "at_e2b"), ("daytona", "at_daytona")];

/// Kills the server at random moments while eight attempts run at a provider, and looks for what is left.
fn kills(options: &[&str]) -> Result<(), String> {
    let (mut rounds, mut only) = ("200", None);
    for option in options.chunks(2) {
        match option {
            ["--rounds", number] if number.parse::<u64>().is_ok() => rounds = number,
            ["--provider", name] if KILLS.iter().any(|(known, _)| known == name) => only = Some(*name),
            _ => {
                let usage = "cargo xtask bench sandboxes kills [--rounds 200] [--provider docker|e2b|daytona]";
                return Err(format!("{} is not understood; {usage}", option.join(" ")));
            }
        }
    }
    for (provider, place) in KILLS.iter().filter(|(provider, _)| only.is_none_or(|only| only == *provider)) {
        let rows = root().join(format!("benches/rows/kills-{provider}.jsonl"));
        let test = format!("kills::kills_leave_nothing_{place}");
        let run = ["test", "--release", "--locked", "--package", "regatta", "--test", "it", "--", "--exact", &test];
        let mut killing = cargo(&run);
        killing.env("REGATTA_KILLS", rounds).env("REGATTA_KILLS_ROWS", &rows).env("REGATTA_TEST_REQUIRE", "all");
        command::run(&mut killing)?;
        eprintln!("{provider}: {rounds} kills, nothing left; each is a row of {}", rows.display());
    }
    Ok(())
}
