//! `regatta demo`: the whole job on a small repository with a real bug, with programs for agents.

use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};

/// Race four small programs on a small repository with a bug: no network, no keys, no Docker
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Where the attempts run: local, or host (no fence)
    #[arg(long, value_name = "SANDBOX", default_value = "local")]
    sandbox: String,
}

pub(crate) fn run(_context: &Context, args: Args) -> Outcome {
    Err(Failure::new(Exit::Failed, format!("the demo cannot run in {} yet", args.sandbox)))
}
