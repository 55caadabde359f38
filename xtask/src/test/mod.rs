//! `cargo xtask test`: format, lints, tests, documentation tests, the API's document, the page, the browser, dependencies.
//! What needs something that is missing is skipped with its reason, and with `REGATTA_TEST_REQUIRE=all` fails instead.

#![expect(clippy::print_stdout, reason = "its results are its output")]

mod api;
mod output;
mod page;

use std::io::{BufRead as _, BufReader};
use std::process::{Command, ExitCode, Stdio};

use crate::command::{answer, cargo};
use output::{Reader, Tally};

/// How one step went.
struct Step {
    name: &'static str,
    tally: Tally,
    /// Why it was skipped, or what failed.
    note: Option<String>,
}

/// Runs everything and tells how it went.
pub(crate) fn run() -> Result<ExitCode, String> {
    // The page first: it is embedded into what is tested.
    let mut steps = page::page();
    steps.extend([format(), lints(), tests(), doc_tests(), api::api(), page::browser(), dependencies()]);
    Ok(told(&steps))
}

/// Runs that step alone.
pub(crate) fn run_api() -> Result<ExitCode, String> {
    Ok(told(&[api::api()]))
}

/// Tells the sums.
fn told(steps: &[Step]) -> ExitCode {
    println!("\nsummary");
    let mut sum = Tally::default();
    for step in steps {
        let Tally { passed, failed, skipped } = &step.tally;
        println!("  {:<14} {passed} passed, {failed} failed, {} skipped", step.name, skipped.len());
        if let Some(note) = &step.note {
            println!("                 {note}");
        }
        for reason in skipped {
            println!("                 skipped: {reason}");
        }
        sum.add(&step.tally);
    }
    println!("{} passed, {} failed, {} skipped", sum.passed, sum.failed, sum.skipped.len());
    if sum.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn heading(name: &str) {
    println!("\n── {name}");
}

/// A step that is one test in itself.
fn single(name: &'static str, command: &mut Command) -> Step {
    heading(name);
    let status = command.status();
    let is_good = status.as_ref().is_ok_and(std::process::ExitStatus::success);
    let note = (!is_good).then(|| format!("{command:?} failed").replace('"', ""));
    Step { name, tally: Tally { passed: u64::from(is_good), failed: u64::from(!is_good), skipped: vec![] }, note }
}

/// A step that needs something that is not here: skipped, or failed where nothing may be skipped.
fn missing(name: &'static str, reason: &str) -> Step {
    if std::env::var("REGATTA_TEST_REQUIRE").as_deref() == Ok("all") {
        return Step { name, tally: Tally { failed: 1, ..Tally::default() }, note: Some(reason.to_owned()) };
    }
    Step { name, tally: Tally { skipped: vec![reason.to_owned()], ..Tally::default() }, note: None }
}

fn format() -> Step {
    single("format", &mut cargo(&["fmt", "--all", "--check"]))
}

fn lints() -> Step {
    single(
        "lints",
        &mut cargo(&["clippy", "--workspace", "--all-targets", "--locked", "--quiet", "--", "-D", "warnings"]),
    )
}

fn tests() -> Step {
    heading("tests");
    if answer(&mut cargo(&["nextest", "--version"])).is_some() {
        let arguments =
            ["nextest", "run", "--workspace", "--locked", "--success-output", "immediate", "--no-fail-fast"];
        return read("tests", cargo(&arguments), Reader::nextest());
    }
    println!("cargo-nextest is not installed; cargo test does it more slowly");
    let arguments = ["test", "--workspace", "--locked", "--no-fail-fast", "--bins", "--lib", "--tests"];
    let mut command = cargo(&arguments);
    command.args(["--", "--show-output"]);
    read("tests", command, Reader::libtest())
}

fn doc_tests() -> Step {
    heading("doc tests");
    let mut command = cargo(&["test", "--workspace", "--locked", "--doc", "--no-fail-fast", "--", "--show-output"]);
    command.env("RUSTDOCFLAGS", "-D warnings");
    read("doc tests", command, Reader::libtest())
}

/// The advisories change without us, and their list comes over the network: never demanded.
fn dependencies() -> Step {
    if answer(&mut cargo(&["deny", "--version"])).is_some() {
        return single("dependencies", &mut cargo(&["deny", "--workspace", "check"]));
    }
    let reason = "cargo-deny is not installed (cargo install --locked cargo-deny)".to_owned();
    Step { name: "dependencies", tally: Tally { skipped: vec![reason], ..Tally::default() }, note: None }
}

/// Runs a test program, shows what a person needs of its output, and counts.
fn read(name: &'static str, mut command: Command, mut reader: Reader) -> Step {
    let failed = |note: String| Step { name, tally: Tally { failed: 1, ..Tally::default() }, note: Some(note) };
    // Nextest tells everything on standard error, libtest its results on standard output.
    let is_nextest = reader.is_nextest();
    if is_nextest {
        command.stderr(Stdio::piped());
    } else {
        command.stdout(Stdio::piped());
    }
    let mut child = match command.stdin(Stdio::null()).spawn() {
        Ok(child) => child,
        Err(error) => return failed(format!("failed to start: {error}")),
    };
    let output: Option<Box<dyn std::io::Read>> = if is_nextest {
        child.stderr.take().map(|stderr| Box::new(stderr) as Box<dyn std::io::Read>)
    } else {
        child.stdout.take().map(|stdout| Box::new(stdout) as Box<dyn std::io::Read>)
    };
    for line in output.into_iter().flat_map(|output| BufReader::new(output).split(b'\n')).map_while(Result::ok) {
        let line = String::from_utf8_lossy(&line).into_owned();
        if let Some(shown) = reader.take(line) {
            println!("{shown}");
        }
    }
    let status = child.wait();
    let mut tally = reader.finish();
    let is_good = status.as_ref().is_ok_and(std::process::ExitStatus::success);
    let note = (!is_good && tally.failed == 0).then(|| "it did not build, or did not come to its end".to_owned());
    tally.failed += u64::from(note.is_some());
    Step { name, tally, note }
}
