//! `regatta log backup`: a copy of everything the log knows, made beside a server at work.

use std::path::PathBuf;

use regatta_core::Seq;
use regatta_core::log::OpenError;
use regatta_core::log::backup::{BackupError, Copied, LATER, backup, is_inside};
use regatta_core::log::verify::Damage;

use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::terminal::escape;
use crate::terminal::numbers::{bytes, counted};

/// Copy the log, its patches and prompts to a folder; the next backup there copies only what is new
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A server may be at work meanwhile. Every file is read back after it was copied, and those that are
there already are read again: a damaged one is replaced. What is damaged here is named, not copied
(exit code 1); what follows it in the log is kept apart, and comes back with it once it is mended
and this is run again. With a file whose header or summary is damaged nothing is copied. A backup
that was stopped is gone on with by running it again; until then the one before is there, and
nothing can be restored from a first one. A folder with anything else in it is refused, and so is
the backup of a log with another history. Not copied: the index (it is rebuilt), sandboxes, mirrors
of repositories, and regatta.toml, which may hold a password.

The folder can be looked at like a data directory: regatta --data-dir DIR log verify.

Examples:
  regatta log backup /mnt/elsewhere/regatta
  regatta --data-dir ~/new log restore --from /mnt/elsewhere/regatta")]
pub(crate) struct Args {
    /// Where to; made when it is not there
    dir: PathBuf,
}

pub(crate) fn run(context: &Context, args: Args) -> Outcome {
    let to = std::path::absolute(&args.dir)?;
    if is_inside(&to, &context.data_dir)? {
        return Err(Failure::usage(format!("{} is inside the data directory", to.display()))
            .hint("name a folder elsewhere, best on another disk"));
    }
    let copied = backup(&context.data_dir, &to).map_err(|error| failed(&error, "the log was not backed up"))?;
    let Copied { files, bytes: of_bytes, kept, damaged, missing, first, head, hash } = &copied;
    let told = format!(
        "{}backed up to event {head}: {} copied ({}), {kept} there already; hash {hash}",
        if missing.is_some() { "incomplete: " } else { "" },
        counted(*files, "file"),
        bytes(*of_bytes),
    );
    let data = serde_json::json!({
        "files": files, "bytes": of_bytes, "kept": kept, "damaged": damaged, "missing": missing, "first": first,
        "head": head, "hash": hash,
    });
    context.terminal.done(told, &data)?;
    if *first > Seq(1) {
        let begins = super::begins(&context.data_dir, *first);
        context.terminal.note(format!("{begins}, and not in this one"));
    }
    for Damage { place, reason } in damaged {
        context.terminal.note(format!("{}: {}; left out", escape::line(place), escape::line(reason)));
    }
    if let Some((first, last)) = missing {
        context.terminal.note(format!(
            "events {first} to {last} are missing, and what follows them waits in {}: bring the damaged files back from \
             another copy, and run it again",
            to.join(LATER).display()
        ));
    }
    Ok(if damaged.is_empty() { Exit::Done } else { Exit::NoWinner })
}

/// Why nothing, or only a part, was copied.
pub(super) fn failed(error: &BackupError, what: &str) -> Failure {
    match error {
        BackupError::Open(OpenError::Locked { pid, dir }) => {
            Failure::new(Exit::Refused, format!("{} is in use by process {pid}", dir.display()))
                .hint("wait for it, or name another folder")
        }
        BackupError::Other(reason) => Failure::new(Exit::Refused, reason.clone()),
        BackupError::Damaged { .. } | BackupError::Open(OpenError::Corrupt { .. }) => Failure::new(
            Exit::NoWinner,
            format!("{what}: {error}"),
        )
        .hint("bring that file back from another copy, and run it again; regatta log verify finds all that is damaged"),
        BackupError::Io { .. } => {
            Failure::caused(what, error).hint("what was copied stays; running it again goes on with it")
        }
        BackupError::Open(_) | BackupError::Read(_) | BackupError::Unfaithful(_) => Failure::caused(what, error),
    }
}
