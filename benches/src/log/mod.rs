//! `cargo xtask bench log`: what issue "the log" asks for, measured through the log's public door, with a raw file,
//! PostgreSQL, SQLite, fjall and JetStream in the same run, in interleaved rounds on the same disk.

#![expect(clippy::print_stdout, reason = "the table is what a bench is for")]

mod acks;
mod committer;
#[path = "../../../core/examples/events/mod.rs"]
mod events;
mod load;
mod long;
mod ours;
mod outage;
mod peers;
mod projections;
mod relay;
mod start;
mod subscribers;

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::Outcome;
use crate::rows::Rows;

/// What can be measured alone.
const PARTS: [&str; 7] = ["acks", "subscribers", "relay", "outage", "long", "projections", "start"];

/// What one figure is, for the table.
pub(crate) struct Line {
    pub(crate) what: String,
    pub(crate) must: &'static str,
    pub(crate) aim: &'static str,
    pub(crate) measured: String,
}

/// Measures everything, or only the parts named, on the disk that holds the folder after `--in` (or this one).
pub(crate) fn run(words: &[&str]) -> Outcome<()> {
    let is_quick = words.contains(&"--quick");
    let folder = words.iter().skip_while(|word| **word != "--in").nth(1).map_or(Path::new("."), Path::new);
    let parts: Vec<&str> = words.iter().take_while(|word| !word.starts_with("--")).copied().collect();
    if let Some(unknown) = parts.iter().find(|part| !PARTS.contains(part)) {
        return Err(format!("there is no part {unknown}; there are {}", PARTS.join(", ")).into());
    }
    let is_asked = |part: &str| parts.is_empty() || parts.contains(&part);
    // Parts measured alone keep their own rows.
    let mut rows = Rows::create(&parts.iter().fold("log".to_owned(), |name, part| format!("{name}-{part}")))?;
    let mut lines = Vec::new();
    if is_asked("acks") {
        lines.extend(acks::measure(folder, is_quick, &mut rows)?);
    }
    if is_asked("subscribers") {
        lines.push(subscribers::measure(folder, is_quick, &mut rows)?);
    }
    if is_asked("relay") {
        lines.extend(relay::measure(folder, is_quick, &mut rows)?);
    }
    if is_asked("outage") {
        lines.push(outage::measure(folder, is_quick, &mut rows)?);
    }
    if is_asked("long") {
        lines.extend(long::measure(folder, is_quick, &mut rows)?);
    }
    if is_asked("projections") {
        lines.push(projections::measure(folder, is_quick, &mut rows)?);
    }
    if is_asked("start") {
        lines.push(start::measure(folder, is_quick, &mut rows)?);
    }
    println!("| what | must | aim | measured |\n|---|---|---|---|");
    for Line { what, must, aim, measured } in lines {
        println!("| {what} | {must} | {aim} | {measured} |");
    }
    Ok(())
}

fn rate(events: u64, seconds: f64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
    let events = events as f64;
    events / seconds
}

/// Runs one of the examples that were built beside this program; the last line it prints is its answer.
fn child(example: &str, words: &[&str]) -> Outcome<Value> {
    let own = std::env::current_exe()?;
    let program = own.parent().ok_or("this program is nowhere")?.join("examples").join(example);
    let ended = Command::new(&program).args(words).stderr(Stdio::inherit()).output();
    let ended = ended.map_err(|error| format!("failed to run {}: {error}", program.display()))?;
    if !ended.status.success() {
        return Err(format!("{example} {} ended with {}", words.join(" "), ended.status).into());
    }
    let text = String::from_utf8(ended.stdout)?;
    Ok(serde_json::from_str(text.lines().last().ok_or("the example printed nothing")?)?)
}
