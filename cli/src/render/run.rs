//! One run, told from its top.

use std::fmt::Write as _;

use regatta_core::event::run::{Judge, RunOutcome, Strategy};
use regatta_projections::compare::Comparison;
use regatta_projections::runs::{DeliveryState, RunView};

use super::words;
use crate::attempt_spec;
use crate::terminal::numbers::{ago, elapsed};
use crate::terminal::table::{Tone, cell, table, text};
use crate::terminal::{Terminal, escape};

/// The run: what was asked, where it stands, its attempts one per line.
pub(crate) fn run(view: &RunView, comparison: &Comparison, now_us: u64, terminal: &Terminal) -> String {
    let paint = terminal.paint;
    let row = &view.row;
    let (state, _) = words::run_state(row.state);
    let mut shown = format!("{}  {}\n", paint.strong(row.id.to_string()), escape::line(&row.title));
    let mut line = |name: &str, value: &str| {
        // Writing to a String cannot fail.
        writeln!(shown, "{} {}", paint.dim(format!("{name:<10}")), escape::line(value)).ok();
    };
    line("state", state);
    line("strategy", strategy(row.strategy));
    line("repository", &row.repository);
    line("base", &format!("{} at {}", row.base_ref, short(&view.base_commit)));
    if view.uncommitted_included > 0 {
        line("", &format!("with {} uncommitted paths included", view.uncommitted_included));
    }
    line("asked", &format!("{} by {}", ago(row.requested_at_us, now_us), row.by.as_str()));
    if let Some(setup) = &view.setup {
        line("setup", setup);
    }
    for check in &view.checks {
        line("check", &format!("{}: {}", check.name, check.command));
    }
    for glob in &view.artifacts {
        line("artifacts", glob);
    }
    if let Some(verdict) = &view.verdict {
        let winner = verdict.winner.map_or_else(|| "nobody".to_owned(), |slot| slot.to_string());
        let judge = match verdict.judge {
            Judge::Checks => "by checks",
            Judge::Human => verdict.by.as_str(),
        };
        line("winner", &format!("{winner} ({judge}): {}", verdict.reason));
    }
    for delivery in &view.deliveries {
        let how = match &delivery.state {
            DeliveryState::Intended => "on its way".to_owned(),
            DeliveryState::Delivered { commit } => format!("at {}", short(commit)),
            DeliveryState::Failed { reason } => format!("failed: {reason}"),
        };
        line("branch", &format!("{} {how}", delivery.branch));
    }
    if let Some(RunOutcome::Failed { reason } | RunOutcome::Undelivered { reason, .. }) = &view.outcome {
        line("because", reason);
    }
    shown.push('\n');
    shown.push_str(&attempts(comparison, terminal));
    shown
}

fn attempts(comparison: &Comparison, terminal: &Terminal) -> String {
    let mut table = table(terminal);
    table.set_header(["", "agent", "state", "elapsed", "checks", "changes"].map(|name| cell(name, Tone::Dim)));
    for column in &comparison.columns {
        let (state, tone) = words::attempt_state(&column.state);
        let reason = column.waits_for.clone().or_else(|| words::attempt_reason(&column.state));
        let state = reason.map_or(state.clone(), |reason| format!("{state}: {reason}"));
        let slot = if column.is_winner { format!("{} ★", column.slot) } else { column.slot.to_string() };
        let agent =
            attempt_spec::brief(&column.agent, column.command.as_deref(), column.model.as_deref(), &column.sandbox);
        table.add_row([
            cell(slot, Tone::Strong),
            cell(agent, Tone::Plain),
            cell(state, tone),
            cell(elapsed(column.elapsed_ms), Tone::Plain),
            cell(format!("{}/{}", column.checks_passed, column.checks_total), Tone::Plain),
            cell(column.stat.as_ref().map_or_else(|| "-".to_owned(), words::stat), Tone::Plain),
        ]);
    }
    text(&table)
}

/// A strategy in words.
pub(crate) fn strategy(strategy: Strategy) -> &'static str {
    match strategy {
        Strategy::All => "all: a person picks",
        Strategy::Race => "race: the first that passes wins",
        Strategy::Best => "best: the smallest that passes wins",
    }
}

/// The first characters of a commit.
pub(crate) fn short(commit: &str) -> &str {
    commit.get(..10).unwrap_or(commit)
}
