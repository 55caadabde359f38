//! `regatta pick`: a person names the winner.

use regatta_core::Slot;
use regatta_http::requests::PickRequest;

use super::Target;
use crate::context::{Context, block_on};
use crate::failure::{Exit, Failure, Outcome};

/// Name an attempt the winner and have it delivered as a branch
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  regatta pick last b -m 'reads best'
  regatta pick 7q2k9x0m.b")]
pub(crate) struct Args {
    /// A run, or the attempt itself
    #[arg(value_name = "RUN[.LETTER]")]
    target: Target,

    /// The attempt's letter
    #[arg(value_name = "LETTER", value_parser = |text: &str| text.parse::<Slot>().map_err(|error| error.to_string()))]
    attempt: Option<Slot>,

    /// Why, for whoever looks later
    #[arg(long = "message", short, value_name = "TEXT", default_value = "")]
    message: String,
}

pub(crate) fn run(context: &Context, args: Args) -> Outcome {
    let Target { run, slot } = args.target;
    let attempt = match (slot, args.attempt) {
        (Some(slot), None) | (None, Some(slot)) => slot,
        (Some(_), Some(_)) => {
            return Err(Failure::usage("the attempt is named twice").hint(format!("regatta pick {run} b")));
        }
        (None, None) => return Err(Failure::usage("which attempt?").hint(format!("regatta pick {run} b"))),
    };
    let request = PickRequest { attempt, reason: args.message, blind: false };
    block_on(context.client().command(&format!("/runs/{run}/pick"), &request))?;
    let told = format!("picked {attempt}; its branch is on its way: regatta show {run}");
    context.terminal.done(told, &serde_json::json!({ "run": run.to_string(), "picked": attempt }))?;
    Ok(Exit::Done)
}
