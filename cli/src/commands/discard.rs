//! `regatta discard`: an attempt is put aside, and brought back.

use regatta_http::requests::DiscardRequest;

use super::AttemptRef;
use crate::context::{Context, block_on};
use crate::failure::{Exit, Outcome};

/// Put an attempt aside, so that `compare` no longer shows it; nothing of it is lost
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  regatta discard last.c -m 'rewrites everything'
  regatta discard last.c --undo
  regatta compare last --all           with those that are put aside")]
pub(crate) struct Args {
    /// An attempt
    #[arg(value_name = "RUN.LETTER")]
    attempt: AttemptRef,

    /// Why, for whoever looks later
    #[arg(long = "message", short, value_name = "TEXT", default_value = "")]
    message: String,

    /// Bring it back
    #[arg(long, conflicts_with = "message")]
    undo: bool,
}

pub(crate) fn run(context: &Context, args: Args) -> Outcome {
    let AttemptRef { run, slot } = args.attempt;
    let (path, told) = if args.undo {
        ("restore", format!("{slot} is shown again"))
    } else {
        ("discard", format!("{slot} is put aside; bring it back: regatta discard {run}.{slot} --undo"))
    };
    let request = DiscardRequest { reason: args.message };
    block_on(context.client().command(&format!("/runs/{run}/attempts/{slot}/{path}"), &request))?;
    context
        .terminal
        .done(told, &serde_json::json!({ "run": run.to_string(), "attempt": slot, "discarded": !args.undo }))?;
    Ok(Exit::Done)
}
