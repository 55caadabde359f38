//! `regatta log export`: the log as lines of JSON. Needs no server, and may run beside one.

use std::fs::{self, File};
use std::io::{BufWriter, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use regatta_core::Seq;
use regatta_core::log::backup::is_restoring;
use regatta_core::log::transfer::ExportError;
use regatta_core::log::{Reader, export};

use super::UNFINISHED;
use super::range::Range;
use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::terminal::numbers::counted;

/// Write the log as lines of JSON; patches and long prompts (the `blobs` folder) are not in it
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The last line says that it is the last, so that an import notices when the rest was cut off. A file
is readable by its owner only. Events that were written together are not parted: the first and the
last few may be a little before and after what was asked for. An export that begins after event 1,
because it was asked to or after a prune, can only be imported where the events before it are: to
carry a pruned log away whole, restore it from its backup first.

Examples:
  regatta log export > events.jsonl
  regatta log export --from 1200 --output new.jsonl
  regatta log export --since 2026-11-22T08:00:00Z --until 2h > morning.jsonl
  regatta log export | zstd > events.jsonl.zst")]
pub(crate) struct Args {
    #[command(flatten)]
    range: Range,

    /// Write into a new file instead of standard output
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub(crate) fn run(context: &Context, args: Args) -> Outcome {
    args.range.check()?;
    let unreadable = |error: &dyn std::error::Error| Failure::caused("the log cannot be read", error);
    // Its last line would say that this is all.
    if is_restoring(&context.data_dir) {
        return Err(Failure::new(Exit::Failed, UNFINISHED));
    }
    let reader = Reader::open(&context.data_dir).map_err(|error| unreadable(&error))?;
    let (from, upto) = args.range.in_log(&reader).map_err(|error| unreadable(&error))?;
    let mut out: Box<dyn Write> = match &args.output {
        Some(path) => Box::new(BufWriter::new(create(path)?)),
        None => Box::new(BufWriter::new(std::io::stdout().lock())),
    };
    let first = reader.first();
    let from = from.unwrap_or(first);
    // Only by its number somebody asks for an event that is gone.
    if args.range.from.is_none() && from == first && first > Seq(1) {
        context.terminal.note(super::begins(&context.data_dir, first));
    }
    match export(&reader, from, upto.unwrap_or(reader.head()), &mut out) {
        Ok(moved) if moved.events == 0 => {
            context.terminal.note("exported nothing: there are no such events");
            Ok(Exit::Done)
        }
        Ok(moved) => {
            context.terminal.note(format!("exported {}, up to {}", counted(moved.events, "event"), moved.last));
            Ok(Exit::Done)
        }
        // Whoever read it had enough.
        Err(ExportError::Write(error)) if error.kind() == ErrorKind::BrokenPipe && args.output.is_none() => {
            Ok(Exit::Done)
        }
        Err(error) => {
            drop(out);
            let removed = args.output.as_ref().map_or(Ok(()), fs::remove_file);
            let failure = Failure::caused("the log was not exported", &error);
            Err(if removed.is_err() { failure.hint("what was written stays, and is not all of it") } else { failure })
        }
    }
}

/// Only its owner may read it: it holds what people asked for and what agents printed.
fn create(path: &Path) -> Result<File, Failure> {
    let made = File::options().write(true).create_new(true).mode(0o600).open(path);
    made.map_err(|error| {
        if error.kind() == ErrorKind::AlreadyExists {
            Failure::usage(format!("{} is there already", path.display()))
                .hint("name a new file; without --output it is written to standard output, which leads anywhere")
        } else {
            Failure::usage(format!("{} cannot be made: {error}", path.display()))
                .hint("name a new file in a folder that is there")
        }
    })
}
