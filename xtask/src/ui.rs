//! `cargo xtask ui`: builds the page, which the next `cargo build` embeds.

use std::process::{Command, ExitCode};

use crate::command::{self, answer, root};

/// The first version of Node the page is built with.
const NODE_MIN: u32 = 20;
/// Whom npm tells, when it is asked to be quiet.
const QUIET: [&str; 4] = ["--no-audit", "--no-fund", "--loglevel", "error"];

/// Builds the page.
pub(crate) fn run() -> Result<ExitCode, String> {
    build()?;
    eprintln!("the page is built; `cargo build` embeds it");
    Ok(ExitCode::SUCCESS)
}

/// Whether the page can be built here; else why not.
pub(crate) fn can_build() -> Result<(), String> {
    let node = answer(Command::new("node").arg("--version")).unwrap_or_default();
    let major: Option<u32> = node.trim_start_matches('v').split('.').next().and_then(|major| major.parse().ok());
    if major.is_none_or(|major| major < NODE_MIN) {
        return Err(format!("the page needs Node {NODE_MIN} or later: apt install nodejs, or nodejs.org"));
    }
    match answer(Command::new("npm").arg("--version")) {
        Some(_) => Ok(()),
        None => Err("the page needs npm: apt install npm".to_owned()),
    }
}

/// Takes what the lock file names and writes neither it nor `package.json`. Not `npm ci`: that refuses a lock file without
/// the packages of other systems, which not every registry has.
pub(crate) const INSTALL: &[&str] = &["install", "--no-save"];

/// Installs exactly what the lock file names, when that is not there, and builds.
pub(crate) fn build() -> Result<(), String> {
    can_build()?;
    let folder = root().join("http/ui");
    let npm = |arguments: &[&str]| {
        let mut command = Command::new("npm");
        command.args(arguments).current_dir(&folder);
        command
    };
    let written = |path: &str| folder.join(path).metadata().and_then(|file| file.modified()).ok();
    // npm writes the second file when it has installed what the first one names.
    if written("node_modules/.package-lock.json") < written("package-lock.json") {
        command::run(npm(INSTALL).args(QUIET))?;
    }
    command::run(npm(&["run", "build"]).args(["--silent"]))
}
