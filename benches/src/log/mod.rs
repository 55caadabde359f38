//! `cargo xtask bench log`: what issue "the log" asks for, measured through the log's public door, with a raw file,
//! PostgreSQL, SQLite, fjall and JetStream in the same run, in interleaved rounds on the same disk.

#![expect(clippy::print_stdout, reason = "the table is what a bench is for")]

mod acks;
mod committer;
mod load;
mod ours;
mod peers;
mod relay;
mod subscribers;

use std::path::Path;

use crate::Outcome;
use crate::rows::Rows;

/// What can be measured alone.
const PARTS: [&str; 3] = ["acks", "subscribers", "relay"];

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
    let mut rows = Rows::create("log")?;
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
