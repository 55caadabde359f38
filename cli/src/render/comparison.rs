//! The attempts of a run side by side: one column each, then who touched which file, then who did the same.

use std::fmt::Write as _;

use comfy_table::Cell;
use regatta_http::works::{MergePreview, MergeRow, MergeState};
use regatta_projections::compare::{Column, Comparison, FileClass, LineCounts};

use super::{run, words};
use crate::attempt_spec;
use crate::terminal::numbers::{counted, elapsed};
use crate::terminal::table::{Tone, cell, table, text};
use crate::terminal::{Terminal, escape};

/// Columns of the terminal one attempt needs to be read.
const COLUMN_WIDTH_MIN: usize = 17;
/// Columns of the terminal the names of the rows take.
const NAMES_WIDTH: usize = 12;
/// Most paths shown; the JSON has them all.
const FILES_SHOWN_MAX: usize = 40;
/// Lines of output shown per attempt.
const LAST_LINES: usize = 3;
/// Characters of the name of what is merged into.
const INTO_CHARS_MAX: usize = 16;
/// Characters of one of them.
const LAST_LINE_CHARS_MAX: usize = 120;

/// The whole comparison.
pub(crate) fn comparison(view: &Comparison, merge: Option<&MergePreview>, terminal: &Terminal) -> String {
    let mut shown = heading(view, terminal);
    let room = terminal.width.saturating_sub(NAMES_WIDTH) / COLUMN_WIDTH_MIN;
    for columns in view.columns.chunks(room.max(1)) {
        shown.push_str("\n\n");
        shown.push_str(&attempts(columns, merge, terminal));
    }
    if !view.files.is_empty() {
        shown.push_str("\n\n");
        shown.push_str(&files(view, terminal));
    }
    for group in view.groups.iter().filter(|group| group.slots.len() > 1 && group.patch_hash.is_some()) {
        let slots: Vec<String> = group.slots.iter().map(ToString::to_string).collect();
        // Writing to a String cannot fail.
        write!(shown, "\n\n{} made exactly the same changes", slots.join(", ")).ok();
    }
    shown
}

fn heading(view: &Comparison, terminal: &Terminal) -> String {
    let paint = terminal.paint;
    let (state, _) = words::run_state(view.state);
    let base = format!("{} at {}", view.base_ref, run::short(&view.base_commit));
    let mut shown = format!(
        "{}  {}\n{}",
        paint.strong(view.run.to_string()),
        escape::line(&view.title),
        paint.dim(format!("{state} · {} · base {}", run::strategy(view.strategy), escape::line(&base))),
    );
    if let Some(verdict) = &view.verdict {
        let winner = verdict.winner.map_or_else(|| "no winner".to_owned(), |slot| format!("winner {slot}"));
        let text = format!("\n{winner}: {}", escape::line(&verdict.reason));
        shown.push_str(&if verdict.winner.is_some() { paint.good(text) } else { paint.warn(text) });
    }
    shown
}

fn attempts(columns: &[Column], merge: Option<&MergePreview>, terminal: &Terminal) -> String {
    let mut table = table(terminal);
    let head = columns.iter().map(|column| {
        let name = if column.is_winner { format!("{} ★", column.slot) } else { column.slot.to_string() };
        cell(name, if column.is_winner { Tone::Good } else { Tone::Strong })
    });
    table.set_header([cell("", Tone::Plain)].into_iter().chain(head));
    let mut row = |name: &str, of: &dyn Fn(&Column) -> Option<Cell>| {
        let cells: Vec<Option<Cell>> = columns.iter().map(of).collect();
        if cells.iter().any(Option::is_some) {
            let cells = cells.into_iter().map(|found| found.unwrap_or_else(|| cell("-", Tone::Dim)));
            table.add_row([cell(name, Tone::Dim)].into_iter().chain(cells));
        }
    };
    row("agent", &|column| Some(cell(agent(column), Tone::Plain)));
    row("state", &|column| {
        let (state, tone) = words::attempt_state(&column.state);
        Some(cell(state, tone))
    });
    row("why", &|column| {
        let reason = column.waits_for.clone().or_else(|| words::attempt_reason(&column.state));
        reason.or_else(|| column.collect_failure.clone()).map(|reason| cell(reason, Tone::Dim))
    });
    row("elapsed", &|column| (column.elapsed_ms > 0).then(|| cell(elapsed(column.elapsed_ms), Tone::Plain)));
    row("checks", &|column| (column.checks_total > 0).then(|| checks(column)));
    row("changes", &|column| column.stat.as_ref().map(|stat| cell(words::stat(stat), Tone::Plain)));
    row("agent's end", &|column| column.agent_exit.as_ref().map(|exit| cell(words::exit(exit), Tone::Plain)));
    row("fence", &|column| column.fence.as_ref().map(|fence| cell(fence, Tone::Plain)));
    if let Some(preview) = merge {
        row(&format!("into {}", escape::cut(&preview.into, INTO_CHARS_MAX)), &|column| {
            preview.rows.iter().find(|row| row.slot == column.slot).and_then(merged)
        });
    }
    row("branch", &|column| column.branch.as_ref().map(|branch| cell(branch, Tone::Good)));
    row("last words", &|column| last_words(&column.output_tail.text).map(|text| cell(text, Tone::Dim)));
    text(&table)
}

/// What a merge comes to; nothing when there is nothing to merge yet.
fn merged(row: &MergeRow) -> Option<Cell> {
    let behind = if row.behind > 0 { format!(", {} behind", row.behind) } else { String::new() };
    match row.state {
        MergeState::Clean => Some(cell(format!("clean{behind}"), Tone::Good)),
        MergeState::Conflicts => {
            let count = counted(row.conflicts.len() as u64, "conflict");
            let first = row.conflicts.first().map(|path| format!(": {path}")).unwrap_or_default();
            Some(cell(format!("{count}{behind}{first}"), Tone::Bad))
        }
        MergeState::Unknown => None,
    }
}

fn agent(column: &Column) -> String {
    attempt_spec::brief(&column.agent, column.command.as_deref(), column.model.as_deref(), &column.sandbox)
}

fn checks(column: &Column) -> Cell {
    let text = match column.checks_passed + column.checks_failed {
        0 if column.checks_total > 0 => "not run".to_owned(),
        _ => format!("{} of {} passed", column.checks_passed, column.checks_total),
    };
    let tone = match column.checks_failed {
        0 if column.checks_passed == column.checks_total => Tone::Good,
        0 => Tone::Plain,
        _ => Tone::Bad,
    };
    cell(text, tone)
}

/// The last lines that say something.
fn last_words(text: &str) -> Option<String> {
    let mut lines: Vec<&str> = text.lines().rev().filter(|line| !line.trim().is_empty()).take(LAST_LINES).collect();
    lines.reverse();
    let cut = lines.iter().map(|line| escape::cut(line, LAST_LINE_CHARS_MAX));
    (!lines.is_empty()).then(|| cut.collect::<Vec<_>>().join("\n"))
}

fn files(view: &Comparison, terminal: &Terminal) -> String {
    let mut table = table(terminal);
    let head = view.columns.iter().map(|column| cell(column.slot.to_string(), Tone::Strong));
    table.set_header([cell("touched by", Tone::Dim), cell("file", Tone::Dim)].into_iter().chain(head));
    for row in view.files.iter().take(FILES_SHOWN_MAX) {
        let (class, tone) = match row.class {
            FileClass::All => ("all", Tone::Good),
            FileClass::Some => ("some", Tone::Plain),
            FileClass::One => ("one", Tone::Warn),
        };
        let counts = view.columns.iter().map(|column| match row.by.get(&column.slot) {
            Some(counts) => cell(lines(counts), Tone::Plain),
            None => cell("", Tone::Plain),
        });
        table.add_row([cell(class, tone), cell(escape::line(&row.path), Tone::Plain)].into_iter().chain(counts));
    }
    let mut shown = text(&table);
    let more = view.files.len().saturating_sub(FILES_SHOWN_MAX);
    if more > 0 || view.files_cut {
        let cut = if view.files_cut { " and those past what is listed" } else { "" };
        // Writing to a String cannot fail.
        write!(shown, "\n… and {}{cut}; --json has every listed one", counted(more as u64, "more file")).ok();
    }
    shown
}

fn lines(counts: &LineCounts) -> String {
    match (counts.added, counts.removed) {
        (Some(added), Some(removed)) => format!("+{added} -{removed}"),
        (None, _) | (_, None) => "binary".to_owned(),
    }
}
