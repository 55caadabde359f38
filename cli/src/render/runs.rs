//! The list of runs.

use regatta_projections::runs::{AttemptCounts, RunRow};

use super::words;
use crate::terminal::numbers::ago;
use crate::terminal::table::{Tone, cell, table, text};
use crate::terminal::{Terminal, escape};

/// Columns a title may take.
const TITLE_CHARS_MAX: usize = 48;

/// The list as a table, newest first.
pub(crate) fn runs(rows: &[RunRow], now_us: u64, terminal: &Terminal) -> String {
    let mut table = table(terminal);
    table.set_header(["run", "state", "task", "attempts", "winner", "asked"].map(|name| cell(name, Tone::Dim)));
    for row in rows {
        let (state, tone) = words::run_state(row.state);
        let title = escape::cut(&row.title, TITLE_CHARS_MAX);
        let winner = row.winner.map_or_else(|| "-".to_owned(), |slot| slot.to_string());
        table.add_row([
            cell(row.id.to_string(), Tone::Strong),
            cell(state, tone),
            cell(title, Tone::Plain),
            cell(counts(&row.attempts), Tone::Plain),
            cell(winner, Tone::Good),
            cell(ago(row.requested_at_us, now_us), Tone::Dim),
        ]);
    }
    text(&table)
}

/// `4: 1 running, 2 passed, 1 cancelled`.
fn counts(counts: &AttemptCounts) -> String {
    let AttemptCounts {
        total,
        queued,
        starting,
        setup,
        running,
        collecting,
        checking,
        retrying,
        cancelling,
        passed,
        checks_failed,
        unchanged,
        agent_failed,
        timed_out,
        cancelled,
        failed,
    } = *counts;
    let named = [
        (queued + retrying, "queued"),
        (starting + setup + running + collecting + checking + cancelling, "at work"),
        (passed, "passed"),
        (checks_failed + agent_failed + failed, "failed"),
        (unchanged, "unchanged"),
        (timed_out, "timed out"),
        (cancelled, "cancelled"),
    ];
    let parts = named.iter().filter(|(count, _)| *count > 0).map(|(count, name)| format!("{count} {name}"));
    let parts: Vec<String> = parts.collect();
    if parts.is_empty() { total.to_string() } else { parts.join(", ") }
}
