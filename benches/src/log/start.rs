//! The whole server's start on a log of ten million mixed events (whole legal runs, the example `rebuild` of the
//! projections), after a clean stop: from `regatta up --detach` until it says that it is ready.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;

use super::{Line, child};
use crate::Outcome;
use crate::rows::{Rows, median};

/// How long the views may take to fold everything, at the first start.
const FOLDED_MAX: Duration = Duration::from_secs(240);
/// Between two looks at how far they are.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// The built program and a data directory.
struct Program {
    regatta: PathBuf,
    data_dir: String,
}

impl Program {
    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.regatta);
        command.args(["--data-dir", &self.data_dir]).args(words).stdin(Stdio::null());
        command
    }

    fn run(&self, words: &[&str]) -> Outcome<String> {
        let ended = self.command(words).output()?;
        if !ended.status.success() {
            let said = String::from_utf8_lossy(&ended.stderr).trim().to_owned();
            return Err(format!("regatta {} failed: {said}", words.join(" ")).into());
        }
        Ok(String::from_utf8(ended.stdout)?)
    }

    /// Starts the server; how long it took until it was ready.
    fn up(&self) -> Outcome<Duration> {
        let began = Instant::now();
        // What it started holds its standard streams, so nothing of them is waited for.
        let mut up = self.command(&["up", "--detach", "--listen", "127.0.0.1:0"]);
        let ready = up.stdout(Stdio::null()).stderr(Stdio::null()).status()?;
        let took = began.elapsed();
        if ready.success() { Ok(took) } else { Err("regatta up failed".into()) }
    }

    /// Whether the views know everything; the program says so when they do not yet.
    fn is_folded(&self) -> Outcome<bool> {
        let ended = self.command(&["fleet", "--json"]).output()?;
        Ok(ended.status.success() && ended.stderr.is_empty())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // One that is down already says so.
        self.command(&["down"]).stdout(Stdio::null()).stderr(Stdio::null()).status().ok();
    }
}

pub(crate) fn measure(folder: &Path, is_quick: bool, rows: &mut Rows) -> Outcome<Line> {
    let (rounds, events) = if is_quick { (1, 300_000_u64) } else { (3, 10_000_000) };
    let dir = tempfile::tempdir_in(folder)?;
    let data_dir = dir.path().to_str().ok_or("the folder's name is not text")?.to_owned();
    child("rebuild", &["fill", &data_dir, &events.to_string()])?;
    let own = std::env::current_exe()?;
    let regatta = own.parent().ok_or("this program is nowhere")?.join("regatta");
    let program = Program { regatta, data_dir };
    // The first start folds everything, and the stop after it keeps that.
    let first = program.up()?;
    let began = Instant::now();
    while !program.is_folded()? {
        if began.elapsed() > FOLDED_MAX {
            return Err("the views did not come to the end of the log".into());
        }
        std::thread::sleep(LOOK_EVERY);
    }
    let folded = began.elapsed();
    program.run(&["down"])?;
    let row = json!({ "bench": "start", "events": events, "first_seconds": first.as_secs_f64(), "folded_seconds": folded.as_secs_f64() });
    rows.add(&row)?;
    eprintln!("{row}");
    let mut took = Vec::new();
    for number in 0..rounds {
        let seconds = program.up()?.as_secs_f64();
        program.run(&["down"])?;
        eprintln!("ready after {seconds:.2} s");
        rows.add(&json!({ "bench": "start", "round": number, "events": events, "seconds": seconds }))?;
        took.push(seconds);
    }
    Ok(Line {
        what: format!("`regatta up` to ready, {events} mixed events, after a clean stop"),
        must: "1 s",
        aim: "0.3 s",
        measured: format!("{:.2} s", median(&took)),
    })
}
