//! `regatta log export`: the log as lines of JSON. Needs no server, and may run beside one.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use regatta_core::Seq;
use regatta_core::log::{Reader, export};

use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::terminal::numbers::counted;

/// Write the log as lines of JSON; patches and long prompts (the `blobs` folder) are not in it
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  regatta log export > events.jsonl
  regatta log export --from 1200 --output new.jsonl
  regatta log export | zstd > events.jsonl.zst")]
pub(crate) struct Args {
    /// The first event; without it, the first one that is kept
    #[arg(long, value_name = "SEQ")]
    from: Option<u64>,

    /// Write into a new file instead of standard output
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub(crate) fn run(context: &Context, args: Args) -> Outcome {
    let reader = Reader::open(&context.data_dir).map_err(|error| Failure::caused("the log cannot be read", &error))?;
    let mut out: Box<dyn Write> = match &args.output {
        Some(path) => Box::new(BufWriter::new(create(path)?)),
        None => Box::new(BufWriter::new(std::io::stdout().lock())),
    };
    let first = reader.first();
    if args.from.is_none() && first > Seq(1) {
        context.terminal.note(super::begins(&context.data_dir, first));
    }
    match export(&reader, args.from.map_or(first, Seq), &mut out) {
        Ok(moved) => {
            context.terminal.note(format!("exported {}, up to {}", counted(moved.events, "event"), moved.last));
            Ok(Exit::Done)
        }
        // Whoever read it had enough.
        Err(regatta_core::log::transfer::ExportError::Write(error))
            if error.kind() == std::io::ErrorKind::BrokenPipe =>
        {
            Ok(Exit::Done)
        }
        Err(error) => Err(Failure::caused("the log was not exported", &error)),
    }
}

fn create(path: &Path) -> Result<File, Failure> {
    File::create_new(path).map_err(|error| {
        Failure::usage(format!("{} cannot be made: {error}", path.display()))
            .hint("name a file that does not exist yet")
    })
}
