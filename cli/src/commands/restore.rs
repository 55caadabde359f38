//! `regatta restore`: an attempt's work as a branch, whoever won.

use super::AttemptRef;
use crate::context::{Context, block_on};
use crate::failure::{Exit, Outcome};

/// Get an attempt's work as a branch, although it did not win
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  regatta restore last.c")]
pub(crate) struct Args {
    /// An attempt
    #[arg(value_name = "RUN.LETTER")]
    attempt: AttemptRef,
}

pub(crate) fn run(context: &Context, args: Args) -> Outcome {
    let AttemptRef { run, slot } = args.attempt;
    let nothing = serde_json::json!({});
    block_on(context.client().command(&format!("/runs/{run}/attempts/{slot}/restore"), &nothing))?;
    let told = format!("its branch is on its way: regatta show {run}.{slot}");
    context.terminal.done(told, &serde_json::json!({ "run": run.to_string(), "restoring": slot }))?;
    Ok(Exit::Done)
}
