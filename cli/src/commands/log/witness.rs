//! What a witness has heard of this log, for `log verify`: brought here from a file or from NATS, and told to a person.

use std::path::Path;

use regatta_core::log::witness::{Comparison, Found, Parting, WitnessState, Witnessed, read_file};
use regatta_core::{InstallId, SystemClock};

use crate::context::Context;
use crate::failure::{Failure, chain};
use crate::terminal::Terminal;
use crate::terminal::numbers::{ago, counted};

/// What the witnesses are called: the key of the configuration that names each.
pub(crate) const FILE: &str = "witness.file";
pub(crate) const NATS: &str = "witness.nats";

/// What a person does about a witness that contradicts the log.
pub(crate) fn todo(state: &WitnessState) -> String {
    let (place, away) = match state.name.as_str() {
        NATS => ("URL", "remove the stream REGATTA_WITNESS (every install's there) with the nats tool"),
        _ => ("FILE", "move the witness's file away"),
    };
    format!(
        "see where they part with `regatta log verify --witness {place}`, and restore the log from a backup; or, when you \
         know why, {away} and start the server again"
    )
}

/// How it goes with telling one, for people; whether it fails.
pub(crate) fn standing(state: &WitnessState, now_us: u64) -> (String, bool) {
    let heard = match state.heard_at_us {
        Some(at_us) => format!("heard up to event {}, {}", state.heard, ago(at_us, now_us)),
        None => "was told nothing yet since the start".to_owned(),
    };
    if let Some(reason) = &state.contradicted {
        return (format!("contradicts the log: {reason}; it is told nothing more"), true);
    }
    match &state.failed {
        Some(reason) => (format!("cannot be told where the log stands: {reason}; it {heard}"), true),
        None => (heard, false),
    }
}

/// Everything the witness has heard of the install of this data directory.
pub(super) fn heard(context: &Context, witness: &str) -> Result<Vec<Witnessed>, Failure> {
    let dir = context.data_dir.display();
    if !context.data_dir.join("install").exists() {
        if context.data_dir.join("journal").exists() {
            let message = format!("{dir} has a log, but no file `install` that says whose: as one that was imported");
            return Err(Failure::usage(message)
                .hint("copy the file `install` of the data directory the witness was told of into it"));
        }
        return Err(Failure::usage(format!("{dir} has no log of its own"))
            .hint("name the data directory of a server that has run: --data-dir DIR"));
    }
    let install = regatta_core::log::install_id(&context.data_dir, &SystemClock)
        .map_err(|error| Failure::caused("the install cannot be named", &error))?;
    let heard = if witness.contains("://") {
        from_nats(context, witness, &install)?
    } else {
        read_file(Path::new(witness), &install)
            .map_err(|error| Failure::usage(format!("{witness} cannot be compared with: {}", chain(&error))))?
    };
    if heard.is_empty() {
        return Err(Failure::usage(format!("that witness has heard nothing of install {install}"))
            .hint("set witness.file or witness.nats, so that the server tells it where the log stands"));
    }
    Ok(heard)
}

#[cfg(feature = "nats")]
fn from_nats(context: &Context, url: &str, install: &InstallId) -> Result<Vec<Witnessed>, Failure> {
    let server = crate::nats::of_command(context, "--witness", url)?;
    crate::context::block_on(async {
        let heard = regatta_core::bus::nats::witness::heard(&server, install).await;
        heard.map_err(|error| Failure::caused("the witness cannot be heard", &error))
    })
}

#[cfg(not(feature = "nats"))]
fn from_nats(_: &Context, _: &str, _: &InstallId) -> Result<Vec<Witnessed>, Failure> {
    Err(crate::nats::absent())
}

pub(super) fn json(compared: &Comparison) -> serde_json::Value {
    let partings = compared.partings.iter().map(|parting| {
        serde_json::json!({
            "seq": parting.heard.seq, "witnessed_hash": parting.heard.hash, "witnessed_at_us": parting.heard.at_us,
            "found": found(&parting.found),
        })
    });
    serde_json::json!({
        "heard": compared.heard, "agreed": compared.agreed, "archived": compared.archived,
        "rechained": compared.rechained,
        "partings": partings.collect::<Vec<_>>(), "partings_left_out": compared.partings_left_out,
    })
}

pub(super) fn show(compared: &Comparison, terminal: &Terminal) -> Result<(), Failure> {
    let heard = counted(compared.heard, "time");
    if compared.rechained > 0 {
        terminal.note(format!(
            "the log was imported, or restored from NATS, without its chain of hashes: what the witness heard {} before \
             that cannot be compared, but for how far the log goes",
            counted(compared.rechained, "time")
        ));
    }
    let Some(first) = compared.partings.first() else {
        let told = match compared.agreed {
            Some(agreed) => format!("it was told {heard}, the last one at event {agreed}"),
            None if compared.archived + compared.rechained == compared.heard => {
                return terminal
                    .out(format!("the witness cannot be asked: it was told {heard}, of events whose hashes are gone"));
            }
            None => format!("it was told {heard}, of events that are archived since"),
        };
        return terminal.out(format!("{} {told}", terminal.paint.good("the witness agrees:")));
    };
    let since = compared.agreed.map_or_else(
        || "nothing it heard is so".to_owned(),
        |agreed| format!("the log is what it heard up to event {agreed}, and another one at event {}", first.heard.seq),
    );
    terminal.out(format!("{} {since}", terminal.paint.bad("the witness disagrees:")))?;
    for parting in &compared.partings {
        terminal.out(format!("  {}", told(parting)))?;
    }
    if compared.partings_left_out > 0 {
        terminal.out(format!("  … and {}", counted(compared.partings_left_out, "more time")))?;
    }
    terminal.note("the log was changed, shortened or replaced after the witness was told; compare it with a backup");
    Ok(())
}

fn told(parting: &Parting) -> String {
    let Witnessed { seq, hash, at_us, install: _ } = &parting.heard;
    format!("event {seq} had hash {hash} on {}; {}", super::time(*at_us), found(&parting.found))
}

fn found(found: &Found) -> String {
    match found {
        Found::Hash(hash) => format!("it has {hash}"),
        Found::NoEnd => "no block ends with it".to_owned(),
        Found::Ended(head) => format!("the log ends at {head}"),
    }
}
