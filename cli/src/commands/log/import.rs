//! `regatta log import`: brings an exported log into a data directory that no server uses.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;

use regatta_core::log::transfer::{ImportError, Imported};
use regatta_core::log::{OpenError, Options, import};

use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::server;
use crate::terminal::numbers::counted;

/// Bring an exported log into an empty data directory, or go on with an import that stopped
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Every event keeps its number, its time and its id. Copy the `blobs` folder beside it to have the
patches too. No server starts on half an import: run it again with the whole export, it goes on. The
export of a pruned log cannot be imported into an empty directory: its first events are missing;
restore the backup that holds them instead.

Examples:
  regatta --data-dir /tmp/copy log import events.jsonl
  zstd -dc events.jsonl.zst | regatta --data-dir /tmp/copy log import -")]
pub(crate) struct Args {
    /// A file that `log export` wrote; `-` reads standard input
    file: PathBuf,
}

pub(crate) fn run(context: &Context, args: Args) -> Outcome {
    let mut input: Box<dyn BufRead> = if args.file.as_os_str() == "-" {
        Box::new(std::io::stdin().lock())
    } else {
        let file = File::open(&args.file)
            .map_err(|error| Failure::usage(format!("the export {} cannot be opened: {error}", args.file.display())))?;
        Box::new(BufReader::new(file))
    };
    if input.fill_buf()?.is_empty() {
        return Err(Failure::usage(format!("there are no events in {}", args.file.display()))
            .hint("name a file that `regatta log export` wrote"));
    }
    server::make_data_dir(&context.data_dir)?;
    let Imported { moved, ended } =
        import(Options::new(&context.data_dir), &mut input).map_err(|error| match &error {
            ImportError::Open(OpenError::Locked { pid, .. }) => {
                Failure::new(Exit::Refused, format!("a server runs on {}: process {pid}", context.data_dir.display()))
                    .hint("stop it (regatta down), or name another directory: --data-dir DIR")
            }
            ImportError::Line { .. } => Failure::caused("the log was not imported", &error)
                .hint("what stands before that line may have been; importing again goes on after it"),
            ImportError::Open(_) | ImportError::Read(_) | ImportError::Io(_) | ImportError::Close(_) => {
                Failure::caused("the log was not imported", &error)
            }
        })?;
    let same = if moved.same > 0 { format!(", {} were there already", moved.same) } else { String::new() };
    let told = format!("imported {}, up to {}{same}", counted(moved.events, "event"), moved.last);
    let data = serde_json::json!({ "imported": moved.events, "same": moved.same, "last": moved.last, "ended": ended });
    context.terminal.done(told, &data)?;
    if !ended {
        context.terminal.note(
            "this export does not say where it ends, as those of older versions: whether it is whole cannot be told",
        );
    }
    context.terminal.note(
        "an export carries no hashes: from here on the log is chained, but nothing proves that it is what was exported",
    );
    Ok(Exit::Done)
}
