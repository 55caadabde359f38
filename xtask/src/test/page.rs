//! The page: its packages, formatting, types, unit tests, size, and the browser tests against the real binary. Knows the
//! page only by its npm scripts.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::output::{Tally, counts};
use super::{Step, heading, missing, single};
use crate::command::{cargo, root};
use crate::ui::{INSTALL, can_build};

/// The binary under test, and the gateway it connects to.
const BUILD: [&str; 7] = ["build", "--package", "regatta", "--package", "regatta-gateway-fake", "--locked", "--quiet"];
/// Where Debian has it; another place is named by the variable.
const CHROMIUM: &str = "/usr/bin/chromium";
const CHROMIUM_VARIABLE: &str = "REGATTA_CHROMIUM";

/// Everything that can be said of the page without a browser.
pub(super) fn page() -> Vec<Step> {
    heading("page");
    if let Err(reason) = can_build() {
        return vec![missing("page", &reason)];
    }
    let packages = single("page: packages", npm(INSTALL).args(["--no-audit", "--no-fund", "--loglevel=error"]));
    if packages.tally.failed > 0 {
        return vec![packages];
    }
    vec![
        packages,
        single("page: style", &mut npm(&["run", "--silent", "check"])),
        counted("page: units", npm(&["run", "--silent", "test"])),
        single("page: build", &mut npm(&["run", "--silent", "build"])),
    ]
}

/// What a person can do with it, done by a browser. The page must have been built.
pub(super) fn browser() -> Step {
    const NAME: &str = "browser";
    heading(NAME);
    if let Err(reason) = can_build() {
        return missing(NAME, &reason);
    }
    let chromium = std::env::var_os(CHROMIUM_VARIABLE).map_or_else(|| PathBuf::from(CHROMIUM), PathBuf::from);
    if !chromium.exists() {
        let reason = format!("there is no {} (apt install chromium, or set {CHROMIUM_VARIABLE})", chromium.display());
        return missing(NAME, &reason);
    }
    let built = single(NAME, &mut cargo(&BUILD));
    if built.tally.failed > 0 {
        return built;
    }
    counted(NAME, npm(&["run", "--silent", "browser"]))
}

fn npm(arguments: &[&str]) -> Command {
    let mut npm = Command::new("npm");
    npm.args(arguments).current_dir(root().join("http/ui")).stdin(Stdio::null());
    // The machine's browser is used; a download would be another one.
    npm.env("PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD", "1").env("NO_COLOR", "1").env_remove("FORCE_COLOR");
    npm
}

/// Runs a program that tells its counts in its last lines.
fn counted(name: &'static str, mut command: Command) -> Step {
    let failed = |note: String| Step { name, tally: Tally { failed: 1, ..Tally::default() }, note: Some(note) };
    let mut child = match command.stdout(Stdio::piped()).spawn() {
        Ok(child) => child,
        Err(error) => return failed(format!("failed to start: {error}")),
    };
    let mut tally = Tally::default();
    let output = child.stdout.take();
    for line in output.into_iter().flat_map(|output| BufReader::new(output).split(b'\n')).map_while(Result::ok) {
        let line = String::from_utf8_lossy(&line).into_owned();
        println!("{line}");
        tally = counts(&line).unwrap_or(tally);
    }
    let is_good = child.wait().as_ref().is_ok_and(std::process::ExitStatus::success);
    let is_odd = !is_good && tally.failed == 0 || is_good && tally.passed == 0;
    tally.failed += u64::from(is_odd);
    Step { name, tally, note: is_odd.then(|| "it did not come to its end".to_owned()) }
}
