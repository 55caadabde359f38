//! `regatta sandbox ls`.

use regatta_dispatcher::sandboxes::Right;
use regatta_http::requests::SandboxesBody;

use crate::context::{Context, block_on};
use crate::failure::{Exit, Outcome};
use crate::render::words;
use crate::terminal::Terminal;
use crate::terminal::numbers::{bytes, elapsed};
use crate::terminal::table::{Tone, cell, table, text};

/// List the sandboxes there are, asked of their providers now
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Print their names alone
    #[arg(long, short)]
    quiet: bool,
}

pub(super) fn run(context: &Context, args: &Args) -> Outcome {
    let listed: SandboxesBody = block_on(context.client().get("/sandboxes"))?;
    let terminal = &context.terminal;
    if terminal.json {
        terminal.json(&listed)?;
        return Ok(Exit::Done);
    }
    if args.quiet {
        for row in &listed.rows {
            terminal.out(row.sandbox.key.to_string())?;
        }
    } else if listed.rows.is_empty() {
        terminal.note("there is no sandbox now; each attempt gets one when it runs");
    } else {
        terminal.out(render(&listed, terminal))?;
    }
    super::unanswered(terminal, &listed.unanswered);
    Ok(Exit::Done)
}

fn render(listed: &SandboxesBody, terminal: &Terminal) -> String {
    let mut shown = table(terminal);
    // Who tries stands behind the attempt; a name that is cut is of no use to anybody.
    let heads = ["sandbox", "provider", "age", "attempt", "state", "disk", "cost so far"];
    shown.set_header(heads.map(|name| cell(name, Tone::Dim)));
    for row in &listed.rows {
        let sandbox = &row.sandbox;
        let (state, tone) = match (sandbox.right, &sandbox.doing) {
            (Right::InUse, Some(doing)) => (doing.as_str(), Tone::Busy),
            (Right::InUse, None) => ("in use", Tone::Busy),
            (Right::Copy, _) => ("a copy", Tone::Plain),
            (Right::Ending, _) => ("being removed", Tone::Warn),
            (Right::None, _) => ("left behind", Tone::Bad),
        };
        let or_nothing = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        shown.add_row([
            cell(sandbox.key.to_string(), Tone::Plain),
            cell(&sandbox.provider, Tone::Plain),
            cell(elapsed(row.age_ms), Tone::Plain),
            cell(sandbox.attempt.to_string(), Tone::Strong),
            cell(state, tone),
            cell(or_nothing(sandbox.disk_bytes.map(bytes)), Tone::Plain),
            cell(or_nothing(row.usage.as_ref().and_then(words::cost)), Tone::Plain),
        ]);
    }
    text(&shown)
}
