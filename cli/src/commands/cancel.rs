//! `regatta cancel`: stops a run, or one attempt of it.

use regatta_http::requests::CancelRequest;

use super::Target;
use crate::context::{Context, block_on};
use crate::failure::{Exit, Outcome};

/// Stop a run, or one attempt of it
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  regatta cancel last
  regatta cancel last.c -m 'goes in circles'")]
pub(crate) struct Args {
    /// A run, or an attempt
    #[arg(value_name = "RUN[.LETTER]")]
    target: Target,

    /// Why, for whoever looks later
    #[arg(long = "message", short, value_name = "TEXT", default_value = "")]
    message: String,
}

pub(crate) fn run(context: &Context, args: Args) -> Outcome {
    let Target { run, slot } = args.target;
    let request = CancelRequest { attempt: slot, reason: args.message };
    block_on(context.client().command(&format!("/runs/{run}/cancel"), &request))?;
    let told = format!("it is being stopped: regatta watch {run}");
    context.terminal.done(told, &serde_json::json!({ "run": run.to_string(), "cancelling": slot }))?;
    Ok(Exit::Done)
}
