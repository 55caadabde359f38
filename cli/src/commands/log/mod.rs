//! `regatta log`: the log itself.

mod backup;
mod blobs;
mod export;
mod import;
mod mirror;
mod prune;
mod range;
mod restore;
mod show;
mod stats;
mod tail;
mod verify;
pub(crate) mod witness;

use std::path::Path;

use clap::Subcommand;
use regatta_core::Seq;
use regatta_core::log::backup::receipts;

use crate::context::Context;
use crate::failure::Outcome;
use crate::moment::Moment;
use crate::terminal::escape;

/// Look at the log itself: follow it, prove it, carry it away, bring it back
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Tail(tail::Args),
    Show(show::Args),
    Verify(verify::Args),
    Stats(stats::Args),
    Export(export::Args),
    Import(import::Args),
    Backup(backup::Args),
    Restore(restore::Args),
    Prune(prune::Args),
}

pub(crate) fn run(context: &Context, args: Args) -> Outcome {
    match args.command {
        Command::Tail(args) => tail::run(context, args),
        Command::Show(args) => show::run(context, args),
        Command::Verify(args) => verify::run(context, args),
        Command::Stats(args) => stats::run(context, args),
        Command::Export(args) => export::run(context, args),
        Command::Import(args) => import::run(context, args),
        Command::Backup(args) => backup::run(context, args),
        Command::Restore(args) => restore::run(context, args),
        Command::Prune(args) => prune::run(context, args),
    }
}

/// Half a log is nobody's whole one.
const UNFINISHED: &str = "a restore, an import or a first backup into this folder did not come to its end, and this is only its \
                          beginning: run it again, it goes on where it stopped; or, to make do with what is there, remove its file \
                          `restoring`";

/// That the log does not begin with its first event any more, and where the others are.
fn begins(data_dir: &Path, first: Seq) -> String {
    let known = receipts(data_dir).into_iter().rev().find(|receipt| receipt.first < first);
    let place = known.map_or_else(
        || "in a backup".to_owned(),
        |receipt| format!("in the backup in {}", escape::line(&receipt.folder.display().to_string())),
    );
    format!("the log begins with event {first}; what is before is {place}")
}

/// A moment for people, to the second.
fn time(at_us: u64) -> String {
    Moment(at_us / 1_000_000 * 1_000_000).shown()
}
