//! `regatta log restore`: a data directory that was lost, from a backup or rebuilt from what the relay brought to NATS.

use std::path::{Path, PathBuf};

use regatta_core::InstallId;
use regatta_core::log::backup::restore;

use super::{backup, blobs};
use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::server;
use crate::terminal::numbers::{bytes, counted};

/// Bring a lost log back, from a backup or from NATS, into an empty data directory
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Every event keeps its number, its time and its id, and the installation its name. From a backup the
chain of hashes comes back and is verified, and patches and long prompts (the `blobs` folder) too.
NATS holds neither: that every event is there, once, is checked, and not that none was replaced; the
chain is made anew. Messages that are no events are named and left out. A restore that was stopped
goes on when it is run again. Write regatta.toml anew.

Examples:
  regatta --data-dir ~/new log restore --from /mnt/elsewhere/regatta
  regatta --data-dir /var/lib/regatta-new log restore --from-nats nats://host
  REGATTA_NATS_CREDENTIALS=/etc/regatta.creds regatta log restore --from-nats tls://host")]
#[group(skip)]
#[command(group = clap::ArgGroup::new("source").required(true).args(["from", "from_nats"]))]
pub(crate) struct Args {
    /// A folder that `log backup` wrote
    #[arg(long, value_name = "DIR", conflicts_with = "install")]
    from: Option<PathBuf>,

    /// The NATS server
    #[arg(long, value_name = "URL")]
    from_nats: Option<String>,

    /// Whose events, when several installs publish to it
    #[arg(long, value_name = "ID", requires = "from_nats")]
    install: Option<InstallId>,
}

pub(crate) fn run(context: &Context, args: Args) -> Outcome {
    match (args.from, args.from_nats) {
        (Some(from), _) => from_backup(context, &std::path::absolute(from)?),
        (None, Some(url)) => from_nats(context, &url, args.install),
        (None, None) => Err(Failure::usage("nothing to restore from").hint("name it: --from DIR or --from-nats URL")),
    }
}

fn from_backup(context: &Context, from: &Path) -> Outcome {
    let dir = &context.data_dir;
    if !from.is_dir() {
        return Err(Failure::usage(format!("there is no backup in {}", from.display()))
            .hint("name a folder that `regatta log backup` wrote"));
    }
    server::make_data_dir(dir)?;
    let copied = restore(from, dir).map_err(|error| backup::failed(&error, "the log was not restored"))?;
    let blobs = blobs::verify(dir)?;
    let missing = blobs.faults.len() as u64;
    let hash = &copied.hash;
    let (head, of_bytes) = (copied.head, bytes(copied.bytes));
    let told =
        format!("restored up to event {head}: {} ({of_bytes}); intact, hash {hash}", counted(copied.files, "file"));
    let data = serde_json::json!({
        "files": copied.files, "bytes": copied.bytes, "last": head, "hash": hash, "blobs": blobs.whole,
        "blobs_damaged": missing,
    });
    context.terminal.done(told, &data)?;
    if missing > 0 {
        let damaged = counted(missing, "patch or prompt");
        context.terminal.note(format!("{damaged} missing or damaged in the backup: regatta log verify names them"));
    }
    Ok(Exit::Done)
}

#[cfg(not(feature = "nats"))]
fn from_nats(_: &Context, _: &str, _: Option<InstallId>) -> Outcome {
    Err(crate::nats::absent())
}

#[cfg(feature = "nats")]
fn from_nats(context: &Context, url: &str, install: Option<InstallId>) -> Outcome {
    use regatta_core::bus::nats::{Error, restore};
    use regatta_core::log::transfer::ImportError;
    use regatta_core::log::{OpenError, Options};

    use crate::context::block_on;

    let from = crate::nats::of_command(context, "--from-nats", url)?;
    let dir = &context.data_dir;
    server::make_data_dir(dir)?;
    let restored = block_on(async {
        restore(&from, install, Options::new(dir)).await.map_err(|error| {
            if let Error::Import(ImportError::Open(OpenError::Locked { pid, .. })) = error {
                return Failure::new(Exit::Refused, format!("a server runs on {}: process {pid}", dir.display()))
                    .hint("stop it (regatta down), or name another directory: --data-dir DIR");
            }
            Failure::caused("the log was not restored", &error)
        })
    })?;
    let hash = verified(dir)?;
    let moved = restored.moved;
    let same = if moved.same > 0 { format!(", {} were there already", moved.same) } else { String::new() };
    if restored.left_out > 0 {
        let left_out = counted(restored.left_out, "event");
        context.terminal.note(format!("left out {left_out} at the end: the append they are of is not whole in NATS"));
    }
    let (events, install) = (counted(moved.events, "event"), &restored.install);
    for skipped in &restored.skipped {
        context
            .terminal
            .note(format!("message {} in NATS is no event and was left out: {}", skipped.place, skipped.reason));
    }
    if restored.skipped_more > 0 {
        context.terminal.note(format!("and {} were left out", counted(restored.skipped_more, "more message")));
    }
    let told = format!(
        "restored {events} of install {install}, up to {}{same}: each is there, once; NATS carries no hashes, so whether \
         one was replaced there cannot be told; chained anew, hash {hash}",
        moved.last
    );
    let data = serde_json::json!({
        "restored": moved.events, "same": moved.same, "last": moved.last, "install": install,
        "left_out": restored.left_out, "hash": hash,
        "skipped": restored.skipped.len() as u64 + restored.skipped_more,
    });
    context.terminal.done(told, &data)?;
    Ok(Exit::Done)
}

#[cfg(feature = "nats")]
/// The hash of the restored log's last block, when it is whole.
fn verified(dir: &Path) -> Result<String, Failure> {
    let report =
        regatta_core::log::verify(dir).map_err(|error| Failure::caused("the log cannot be verified", &error))?;
    if report.is_clean() {
        return Ok(report.hash);
    }
    Err(Failure::new(Exit::Failed, "the restored log is damaged").hint("regatta log verify shows where"))
}
