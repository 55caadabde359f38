//! `regatta threads`: the conversations of gateways.

use regatta_core::{GatewayName, ThreadId};
use regatta_projections::threads::{
    GatewayRunState, GatewayRunView, ThreadRow, ThreadView, ThreadsView, ToolState, ToolView,
};

use super::now_us;
use crate::context::{Context, block_on};
use crate::failure::{Exit, Outcome};
use crate::terminal::numbers::{ago, elapsed};
use crate::terminal::table::{Tone, cell, table, text};
use crate::terminal::{Terminal, escape};

/// List the conversations of gateways, or show one: what was asked, what tools did, what was said
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  regatta threads
  regatta threads --gateway main
  regatta threads 7q2k9x0m")]
pub(crate) struct Args {
    /// Which one to show
    thread: Option<ThreadId>,
    /// Only those of this gateway
    #[arg(long, value_name = "NAME", conflicts_with = "thread")]
    gateway: Option<GatewayName>,
}

pub(crate) fn run(context: &Context, args: Args) -> Outcome {
    match args.thread {
        Some(thread) => show(context, thread),
        None => list(context, args.gateway.as_ref()),
    }
}

fn list(context: &Context, gateway: Option<&GatewayName>) -> Outcome {
    let only = gateway.map(|gateway| format!("?gateway={gateway}")).unwrap_or_default();
    let view: ThreadsView = block_on(context.client().get(&format!("/threads{only}")))?;
    let terminal = &context.terminal;
    if terminal.json {
        terminal.json(&view)?;
        return Ok(Exit::Done);
    }
    if view.rows.is_empty() {
        terminal.note("no gateway said anything in a conversation yet; regatta gateway ls shows them");
        return Ok(Exit::Done);
    }
    terminal.out(rows(&view.rows, terminal, now_us()))?;
    Ok(Exit::Done)
}

fn rows(rows: &[ThreadRow], terminal: &Terminal, now_us: u64) -> String {
    let mut shown = table(terminal);
    shown.set_header(["thread", "gateway", "session", "state", "last", "when"].map(|name| cell(name, Tone::Dim)));
    for row in rows {
        let (word, tone) = row.state.map_or(("-", Tone::Dim), state);
        let last: String = row.last_text.chars().take(60).collect();
        shown.add_row([
            cell(row.id.to_string(), Tone::Strong),
            cell(row.gateway.as_str(), Tone::Plain),
            cell(row.label.as_deref().unwrap_or(&row.session), Tone::Plain),
            cell(word, tone),
            cell(last.replace('\n', " "), Tone::Plain),
            cell(ago(row.last_at_us, now_us), Tone::Plain),
        ]);
    }
    text(&shown)
}

fn state(state: GatewayRunState) -> (&'static str, Tone) {
    match state {
        GatewayRunState::Running => ("running", Tone::Busy),
        GatewayRunState::Waiting => ("asks", Tone::Warn),
        GatewayRunState::Final => ("done", Tone::Good),
        GatewayRunState::Aborted => ("stopped", Tone::Dim),
        GatewayRunState::Error => ("failed", Tone::Bad),
        GatewayRunState::Unknown => ("unknown", Tone::Warn),
    }
}

fn show(context: &Context, thread: ThreadId) -> Outcome {
    let view: ThreadView = block_on(context.client().get(&format!("/threads/{thread}")))?;
    let terminal = &context.terminal;
    if terminal.json {
        terminal.json(&view)?;
        return Ok(Exit::Done);
    }
    let row = &view.row;
    let mut lines = vec![format!("{} at {}", escape::line(&row.session), row.gateway)];
    lines.extend(view.turns.iter().map(|turn| told(turn, terminal)));
    terminal.out(lines.join("\n\n"))?;
    Ok(Exit::Done)
}

/// One turn: what was asked, what tools did, what was said, how it ended.
fn told(turn: &GatewayRunView, terminal: &Terminal) -> String {
    let mut lines: Vec<String> =
        turn.prompt.iter().map(|prompt| terminal.paint.strong(format!("> {}", escape::lines(prompt)))).collect();
    lines.extend(turn.tools.iter().map(|tool| used(tool, terminal)));
    if !turn.text.is_empty() {
        let cut = if turn.is_cut { " …" } else { "" };
        lines.push(format!("{}{cut}", escape::lines(&turn.text)));
    }
    let (word, _) = state(turn.state);
    let reason = turn.reason.as_deref().map(|reason| format!(": {}", escape::line(reason))).unwrap_or_default();
    let lasted = turn.ended_at_us.map(|at_us| elapsed(at_us.saturating_sub(turn.started_at_us) / 1_000));
    let lasted = lasted.map(|lasted| format!(" after {lasted}")).unwrap_or_default();
    let model = turn.model.as_deref().map(|model| format!(", {}", escape::line(model))).unwrap_or_default();
    let tokens = format!(", {} tokens read, {} written", turn.input_tokens, turn.output_tokens);
    lines.push(terminal.paint.dim(format!("{word}{lasted}{reason}{model}{tokens}")));
    lines.extend(turn.addenda.iter().map(|addendum| format!("afterwards: {}", escape::lines(&addendum.text))));
    lines.join("\n")
}

fn used(tool: &ToolView, terminal: &Terminal) -> String {
    let word = match tool.state {
        ToolState::Running => terminal.paint.busy("running"),
        ToolState::Waiting => terminal.paint.warn("asks"),
        ToolState::Done => terminal.paint.good("done"),
        ToolState::Failed => terminal.paint.bad("failed"),
    };
    let title = escape::line(tool.title.as_deref().unwrap_or(&tool.name)).into_owned();
    let output = escape::lines(tool.output.trim_end()).replace('\n', "\n    ");
    if output.is_empty() { format!("  {title} ({word})") } else { format!("  {title} ({word})\n    {output}") }
}
