//! `regatta log`: the log itself.

mod blobs;
mod export;
mod import;
mod mirror;
mod restore;
mod tail;
mod verify;

use clap::Subcommand;

use crate::context::Context;
use crate::failure::Outcome;

/// Look at the log itself: follow it, prove it, carry it away, bring it back
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Tail(tail::Args),
    Verify(verify::Args),
    Export(export::Args),
    Import(import::Args),
    Restore(restore::Args),
}

pub(crate) fn run(context: &Context, args: Args) -> Outcome {
    match args.command {
        Command::Tail(args) => tail::run(context, args),
        Command::Verify(args) => verify::run(context, args),
        Command::Export(args) => export::run(context, args),
        Command::Import(args) => import::run(context, args),
        Command::Restore(args) => restore::run(context, args),
    }
}
