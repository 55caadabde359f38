//! `regatta log restore`: a data directory that was lost, from a backup or rebuilt from what the relay brought to NATS.

use std::path::{Path, PathBuf};

use regatta_core::InstallId;
use regatta_core::log::backup::{LATER, restore};

use super::{backup, blobs};
use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::server;
use crate::terminal::escape;
use crate::terminal::numbers::{bytes, counted};

/// Bring a lost log back, from a backup or from NATS, into an empty data directory
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Every event keeps its number, its time and its id, and the installation its name. The chain of
hashes comes back and is verified: with it, a changed or forged event is told from the right one,
and a witness agrees with what was restored. Compare the last hash with what a witness heard. NATS
does not hold patches and long prompts (the `blobs` folder); a backup does. Messages that are no
events of the log are named and left out. A restore that was stopped goes on when it is run again.
Write regatta.toml anew.

Older versions published no chain: of such events it is checked that each is there, once, and the
chain is made anew. --without-chain takes all events so, when there is no other way.

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

    /// Take the events of NATS as they are, whatever the chain of hashes says
    #[arg(long, requires = "from_nats")]
    without_chain: bool,
}

pub(crate) fn run(context: &Context, args: Args) -> Outcome {
    match (args.from, args.from_nats) {
        (Some(from), _) => from_backup(context, &std::path::absolute(from)?),
        (None, Some(url)) => from_nats(context, &url, args.install, !args.without_chain),
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
        "blobs_damaged": missing, "missing": copied.missing,
    });
    context.terminal.done(told, &data)?;
    if missing > 0 {
        let damaged = counted(missing, "patch or prompt");
        context.terminal.note(format!("{damaged} missing or damaged in the backup: regatta log verify names them"));
    }
    let Some((first, last)) = copied.missing else { return Ok(Exit::Done) };
    context.terminal.note(format!(
        "events {first} to {last} are missing in the backup: they were damaged when it was made, and what follows them \
         in {} was not restored; back up the mended log there, and restore that into an empty data directory",
        from.join(LATER).display()
    ));
    Ok(Exit::NoWinner)
}

#[cfg(not(feature = "nats"))]
fn from_nats(_: &Context, _: &str, _: Option<InstallId>, _: bool) -> Outcome {
    Err(crate::nats::absent())
}

#[cfg(feature = "nats")]
fn from_nats(context: &Context, url: &str, install: Option<InstallId>, chained: bool) -> Outcome {
    use regatta_core::bus::nats::{Error, Wanted, restore};
    use regatta_core::log::transfer::ImportError;
    use regatta_core::log::{OpenError, Options};

    use crate::context::block_on;

    let from = crate::nats::of_command(context, "--from-nats", url)?;
    let dir = &context.data_dir;
    server::make_data_dir(dir)?;
    let restored = block_on(async {
        restore(&from, Wanted { install, chained }, Options::new(dir)).await.map_err(|error| {
            if let Error::Import(ImportError::Open(OpenError::Locked { pid, .. })) = error {
                return Failure::new(Exit::Refused, format!("a server runs on {}: process {pid}", dir.display()))
                    .hint("stop it (regatta down), or name another directory: --data-dir DIR");
            }
            let failure = Failure::caused("the log was not restored", &error);
            if matches!(error, Error::Unchained(_)) {
                return failure.hint(
                    "remove the wrong messages (nats stream rmm REGATTA_EVENTS MESSAGE) and run it again; or take the \
                     events as they are: --without-chain, in an empty data directory",
                );
            }
            failure
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
        context.terminal.note(format!(
            "message {} in NATS was left out: {}",
            skipped.place,
            escape::line(&skipped.reason)
        ));
    }
    if restored.skipped_more > 0 {
        context.terminal.note(format!("and {} were left out", counted(restored.skipped_more, "more message")));
    }
    let proved = restored.proved;
    let chain = if proved == moved.last {
        format!("the chain is that of the log that was lost, hash {hash}")
    } else if proved.0 > 0 {
        format!("up to event {proved} the chain is that of the log that was lost; after it is made anew, hash {hash}")
    } else {
        format!(
            "each is there, once; without the chain of the log that was lost, so whether one was replaced cannot be \
             told; chained anew, hash {hash}"
        )
    };
    let told = format!("restored {events} of install {install}, up to {}{same}: {chain}", moved.last);
    let data = serde_json::json!({
        "restored": moved.events, "same": moved.same, "last": moved.last, "install": install,
        "left_out": restored.left_out, "proved": proved, "hash": hash,
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
