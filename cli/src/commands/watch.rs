//! `regatta watch`: a run as it goes on.

use super::RunRef;
use crate::context::{Context, block_on};
use crate::failure::Outcome;
use crate::follow;
use crate::terminal::Terminal;

/// Watch a run until it is over; exits as `run --wait` does
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  regatta watch last
  regatta watch 7q2k --json | jq -r .text")]
pub(crate) struct Args {
    /// A run
    run: RunRef,
}

pub(crate) fn run(context: &Context, args: Args) -> Outcome {
    let terminal = &context.terminal;
    let client = context.client();
    let view = block_on(follow::follow(&client, &args.run.to_string(), terminal))?;
    if !terminal.json {
        end(&view, terminal);
    }
    Ok(follow::exit(&view))
}

/// Says how a run ended and what may come next.
pub(super) fn end(view: &regatta_projections::runs::RunView, terminal: &Terminal) {
    use crate::terminal::escape;
    let id = view.row.id;
    let state = view.row.state.word();
    let reason = view.verdict.as_ref().map_or(String::new(), |verdict| format!(": {}", escape::line(&verdict.reason)));
    match view.row.winner {
        Some(winner) => terminal.note(format!("{id} {state}, winner {winner}{reason}")),
        None => terminal.note(format!("{id} {state}{reason}")),
    }
    for delivery in &view.deliveries {
        terminal.note(format!("branch {}", delivery.branch));
    }
    terminal.note(format!("compare them: regatta compare {id}"));
}
