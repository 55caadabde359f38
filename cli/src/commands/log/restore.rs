//! `regatta log restore`: a data directory that was lost, rebuilt from what the relay brought to NATS.

use regatta_core::InstallId;

use crate::context::Context;
use crate::failure::Outcome;

/// Rebuild a lost log from NATS, in an empty data directory, or go on with a restore that stopped
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Every event keeps its number, its time and its id, and the installation its name. Patches and long
prompts (the `blobs` folder) are not in NATS.

Examples:
  regatta --data-dir /var/lib/regatta-new log restore --from-nats nats://host
  REGATTA_NATS_CREDENTIALS=/etc/regatta.creds regatta log restore --from-nats tls://host")]
pub(crate) struct Args {
    /// The NATS server
    #[arg(long, value_name = "URL")]
    from_nats: String,

    /// Whose events, when several installs publish to it
    #[arg(long, value_name = "ID")]
    install: Option<InstallId>,
}

#[cfg(not(feature = "nats"))]
pub(crate) fn run(_: &Context, _: Args) -> Outcome {
    Err(crate::nats::absent())
}

#[cfg(feature = "nats")]
pub(crate) fn run(context: &Context, args: Args) -> Outcome {
    use regatta_core::bus::nats::{Error, restore};
    use regatta_core::log::transfer::ImportError;
    use regatta_core::log::{OpenError, Options, verify};

    use crate::context::block_on;
    use crate::failure::{Exit, Failure};
    use crate::server;
    use crate::terminal::numbers::counted;

    let from = crate::nats::of_command(context, "--from-nats", &args.from_nats)?;
    let dir = &context.data_dir;
    server::make_data_dir(dir)?;
    let restored = block_on(async {
        restore(&from, args.install, Options::new(dir)).await.map_err(|error| {
            if let Error::Import(ImportError::Open(OpenError::Locked { pid, .. })) = error {
                return Failure::new(Exit::Refused, format!("a server runs on {}: process {pid}", dir.display()))
                    .hint("stop it (regatta down), or name another directory: --data-dir DIR");
            }
            Failure::caused("the log was not restored", &error)
        })
    })?;
    let report = verify(dir).map_err(|error| Failure::caused("the log cannot be verified", &error))?;
    if !report.is_clean() {
        return Err(Failure::new(Exit::Failed, "the restored log is damaged").hint("regatta log verify shows where"));
    }
    let moved = restored.moved;
    let same = if moved.same > 0 { format!(", {} were there already", moved.same) } else { String::new() };
    if restored.left_out > 0 {
        let left_out = counted(restored.left_out, "event");
        context.terminal.note(format!("left out {left_out} at the end: the append they are of is not whole in NATS"));
    }
    let (events, install) = (counted(moved.events, "event"), &restored.install);
    let told =
        format!("restored {events} of install {install}, up to {}{same}; intact, hash {}", moved.last, report.hash);
    let data = serde_json::json!({
        "restored": moved.events, "same": moved.same, "last": moved.last, "install": install,
        "left_out": restored.left_out, "hash": report.hash,
    });
    context.terminal.done(told, &data)?;
    Ok(Exit::Done)
}
