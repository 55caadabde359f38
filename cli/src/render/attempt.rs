//! One attempt, told from its top.

use std::fmt::Write as _;

use regatta_projections::attempts::{AttemptView, CheckState, CheckView};

use super::words;
use crate::attempt_spec;
use crate::terminal::numbers::{bytes, counted, elapsed};
use crate::terminal::paint::Paint;
use crate::terminal::{Terminal, escape};

/// Paths shown.
const FILES_SHOWN_MAX: usize = 40;

/// The attempt: where it stands, its checks, what it changed, the last it printed.
pub(crate) fn attempt(view: &AttemptView, terminal: &Terminal) -> String {
    let paint = terminal.paint;
    let (state, _) = words::attempt_state(&view.state);
    let star = if view.is_winner { " ★" } else { "" };
    let mut shown = format!("{}{star}\n", paint.strong(view.id.to_string()));
    let mut line = |name: &str, value: &str| {
        // Writing to a String cannot fail.
        writeln!(shown, "{} {}", paint.dim(format!("{name:<10}")), escape::line(value)).ok();
    };
    line("agent", &attempt_spec::show(&view.entry));
    line("state", &state);
    if let Some(reason) = view.waits_for.clone().or_else(|| words::attempt_reason(&view.state)) {
        line("because", &reason);
    }
    line("elapsed", &elapsed(view.elapsed_ms));
    line("starts", &format!("{} of {}", view.starts_used, view.starts_max));
    if let Some(fence) = &view.fence {
        line("fence", fence);
    }
    if let Some(exit) = &view.setup_exit {
        line("setup", &words::exit(exit));
    }
    if let Some(exit) = &view.agent_exit {
        line("agent end", &words::exit(exit));
    }
    line("printed", &format!("{} out, {} err", bytes(view.out_bytes), bytes(view.err_bytes)));
    if let Some(tokens) = words::tokens(&view.usage) {
        line("tokens", &tokens);
    }
    if let Some(cost) = words::cost(&view.usage) {
        line("cost", &cost);
    }
    for hunk in &view.made_of {
        line("made of", &format!("{} {} {}", hunk.slot, hunk.path, hunk.header));
    }
    if let Some(discarded) = &view.discarded {
        line("aside", &format!("put aside by {}: {}", discarded.by.as_str(), discarded.reason));
    }
    if let Some(delivered) = &view.delivered {
        line("branch", &delivered.branch);
    }
    if let Some(changes) = &view.changes {
        line("changes", &words::stat(&changes.stat));
        for file in changes.files.iter().take(FILES_SHOWN_MAX) {
            let count =
                |count: Option<u64>, sign: &str| count.map_or_else(|| "binary".to_owned(), |n| format!("{sign}{n}"));
            line("", &format!("{} {} {}", count(file.added, "+"), count(file.removed, "-"), file.path));
        }
        if let Some(failure) = &changes.failure {
            line("", failure);
        }
    }
    for (name, text) in memory(view).into_iter().chain(cleaned(view)).chain(artifacts(view)) {
        line(name, &text);
    }
    for check in &view.checks {
        line("check", &check_line(check));
    }
    if !view.output_tail.text.trim().is_empty() {
        shown.push_str(&tail(&view.output_tail.text, paint));
    }
    shown.trim_end().to_owned()
}

/// How many of its processes the kernel ended, also when its commands ended well.
fn memory(view: &AttemptView) -> Option<(&'static str, String)> {
    let who = match view.oom_kills {
        0 => return None,
        1 => "1 process was".to_owned(),
        count => format!("{count} processes were"),
    };
    Some(("memory", format!("{who} ended by the kernel for want of it")))
}

/// That what it left was cleaned, and how to have it back.
fn cleaned(view: &AttemptView) -> Vec<(&'static str, String)> {
    let Some(missing) = view.cleaning.as_ref().and_then(|cleaning| cleaning.unreadable(view.id)) else {
        return vec![];
    };
    std::iter::once(("cleaned", missing.message)).chain(missing.hint.map(|hint| ("", hint))).collect()
}

/// What it left besides its change, as sums, and why some of it is missing.
fn artifacts(view: &AttemptView) -> Vec<(&'static str, String)> {
    let Some(artifacts) = &view.artifacts else { return vec![] };
    let omitted = if artifacts.omitted > 0 { format!(", {} not kept", artifacts.omitted) } else { String::new() };
    let sum = format!("{} in {}{omitted}", counted(u64::from(artifacts.count), "file"), bytes(artifacts.bytes));
    let told = ("artifacts", format!("{sum}: regatta artifacts {}", view.id));
    std::iter::once(told).chain(artifacts.failure.clone().map(|failure| ("", failure))).collect()
}

fn check_line(check: &CheckView) -> String {
    let state = match check.state {
        CheckState::Pending => "not run yet",
        CheckState::Running => "running",
        CheckState::Passed => "passed",
        CheckState::Failed => "failed",
        CheckState::Skipped => "skipped",
    };
    let exit = check.exit.as_ref().filter(|exit| !exit.is_success()).map(|exit| format!(" ({})", words::exit(exit)));
    let time = check.elapsed_ms.map(|ms| format!(" in {}", elapsed(ms)));
    format!("{} {state}{}{}", check.name, exit.unwrap_or_default(), time.unwrap_or_default())
}

/// Every check with the last it printed.
pub(crate) fn checks(view: &AttemptView, terminal: &Terminal) -> String {
    let paint = terminal.paint;
    let mut shown = String::new();
    for check in &view.checks {
        let line = check_line(check);
        let painted = match check.state {
            CheckState::Passed => paint.good(escape::line(&line)),
            CheckState::Failed => paint.bad(escape::line(&line)),
            CheckState::Pending | CheckState::Running | CheckState::Skipped => paint.warn(escape::line(&line)),
        };
        // Writing to a String cannot fail.
        writeln!(shown, "{painted}\n{}", paint.dim(format!("  $ {}", escape::line(&check.command)))).ok();
        shown.push_str(&tail(&check.output_tail.text, paint));
    }
    shown.trim_end().to_owned()
}

fn tail(text: &str, paint: Paint) -> String {
    let lines = text.lines().map(|line| format!("{} {}\n", paint.dim("  │"), escape::line(line)));
    lines.collect()
}
