//! A run while it goes on: a line per attempt that moves, drawn on standard error.

use std::collections::BTreeMap;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use regatta_core::Slot;
use regatta_projections::attempts::AttemptState;
use regatta_projections::compare::{Column, Comparison};

use super::escape;
use super::numbers::elapsed;
use super::paint::Paint;
use super::table::Tone;
use crate::attempt_spec;
use crate::render::words;

/// How often a spinner turns.
const TURN: Duration = Duration::from_millis(120);
/// Columns an agent's name takes.
const AGENT_WIDTH: usize = 28;
/// Columns the rest of a line may take.
const LINE_CHARS_MAX: usize = 110;

/// The lines of one run.
pub(crate) struct Board {
    all: MultiProgress,
    lines: BTreeMap<Slot, ProgressBar>,
    paint: Paint,
}

impl Board {
    pub(crate) fn new(paint: Paint) -> Self {
        Self { all: MultiProgress::new(), lines: BTreeMap::new(), paint }
    }

    /// Brings every line up to date.
    pub(crate) fn show(&mut self, view: &Comparison) {
        for column in &view.columns {
            let line = self.lines.entry(column.slot).or_insert_with(|| self.all.add(line(column.slot)));
            let text = describe(column, self.paint);
            if matches!(column.state, AttemptState::Finished { .. }) && !line.is_finished() {
                line.finish_with_message(text);
            } else {
                line.set_message(text);
            }
        }
    }

    /// Leaves the lines as they stand.
    pub(crate) fn leave(self) {
        for line in self.lines.values().filter(|line| !line.is_finished()) {
            line.abandon();
        }
    }
}

fn line(slot: Slot) -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{prefix:>3} {spinner} {msg}") {
        bar.set_style(style.tick_chars("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏ "));
    }
    bar.set_prefix(slot.to_string());
    bar.enable_steady_tick(TURN);
    bar
}

fn describe(column: &Column, paint: Paint) -> String {
    let (state, tone) = words::attempt_state(&column.state);
    let reason = column.waits_for.clone().or_else(|| words::attempt_reason(&column.state));
    let mut text = reason.map_or(state.clone(), |reason| format!("{state}: {reason}"));
    if column.checks_passed + column.checks_failed > 0 {
        text.push_str(&format!(", checks {}/{}", column.checks_passed, column.checks_total));
    }
    if let Some(stat) = &column.stat {
        text.push_str(&format!(", {}", words::stat(stat)));
    }
    let text = escape::cut(&escape::line(&text), LINE_CHARS_MAX);
    let text = match tone {
        Tone::Good => paint.good(text),
        Tone::Bad => paint.bad(text),
        Tone::Warn => paint.warn(text),
        Tone::Busy => paint.busy(text),
        Tone::Dim => paint.dim(text),
        Tone::Strong => paint.strong(text),
        Tone::Plain => text,
    };
    let agent = attempt_spec::brief(&column.agent, column.command.as_deref(), column.model.as_deref(), &column.sandbox);
    let agent = escape::cut(&escape::line(&agent), AGENT_WIDTH);
    format!("{agent:<AGENT_WIDTH$} {:>11}  {text}", elapsed(column.elapsed_ms))
}
