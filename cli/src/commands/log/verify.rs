//! `regatta log verify`: proves that nothing in the log was changed or cut out. Needs no server, and may run beside one.

use std::path::Path;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use regatta_core::Seq;
use regatta_core::log::backup::is_restoring;
use regatta_core::log::verify::{self, IndexChecked, Report};
use regatta_core::log::witness::{Comparison, verify_against};

use super::{UNFINISHED, blobs, witness};
use crate::config::Config;
use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::terminal::numbers::counted;
use crate::terminal::{Terminal, escape};

/// Until a person is told why it takes long.
const STILL_AFTER: Duration = Duration::from_secs(5);

/// Prove that nothing in the log, its patches and prompts was changed or cut out; exits 1 when something was
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Each block of the log names the one before it by its hash. Keep the last hash somewhere else, and
nobody can change what stands before it unnoticed. Patches and long prompts (the `blobs` folder) are
named by their hash in the log; each is read, and those that are damaged or missing are named.

The chain alone cannot tell that somebody wrote a whole other log with a chain of its own, or cut
its end off. A witness can: set witness.file or witness.nats, and the server tells it where the log
stands; compare with --witness.

Examples:
  regatta log verify
  regatta log verify --json | jq -r .hash
  regatta log verify --witness /mnt/elsewhere/regatta.jsonl
  regatta log verify --witness nats://host")]
pub(crate) struct Args {
    /// Compare with what a witness has heard, too
    #[arg(long, value_name = "FILE|URL")]
    witness: Option<String>,
}

pub(crate) fn run(context: &Context, args: Args) -> Outcome {
    let unverifiable = |error| Failure::caused("the log cannot be verified", &error);
    let (report, compared) = match args.witness {
        None => {
            let verified = within(context, |deadline| verify::verify_within(&context.data_dir, deadline));
            (verified.map_err(unverifiable)?, None)
        }
        Some(witness) => {
            let heard = witness::heard(context, &witness)?;
            let verified = within(context, |deadline| verify_against(&context.data_dir, deadline, &heard));
            let (report, comparison) = verified.map_err(unverifiable)?;
            (report, Some(comparison))
        }
    };
    let compared = compared.as_ref();
    // What a damaged journal names is not known; it has to be whole first. With a HEAD that is damaged nobody reads it.
    let blobs = match report.is_journal_whole().then(|| blobs::verify(&context.data_dir)) {
        Some(Err(_)) if !report.is_clean() => None,
        looked => looked.transpose()?,
    };
    let is_clean = report.is_clean() && blobs.as_ref().is_some_and(|blobs| blobs.faults.is_empty());
    // Half a log may be without a fault.
    let is_whole = !is_restoring(&context.data_dir);
    let agrees = compared.is_none_or(|compared| compared.partings.is_empty());
    if context.terminal.json {
        json(&report, blobs.as_ref(), compared, is_clean && is_whole && agrees, &context.terminal)?;
    } else {
        show(&report, blobs.as_ref(), is_clean, &context.terminal)?;
        if !is_clean {
            context.terminal.note(advice(&report, blobs.as_ref(), &context.data_dir));
        }
        if !is_whole {
            context.terminal.note(UNFINISHED);
        }
        if report.first > Seq(1) {
            context.terminal.note(super::begins(&context.data_dir, report.first));
        }
        compared.map_or(Ok(()), |compared| witness::show(compared, &context.terminal))?;
    }
    Ok(if is_clean && is_whole && agrees { Exit::Done } else { Exit::NoWinner })
}

fn json(
    report: &Report,
    blobs: Option<&blobs::Report>,
    compared: Option<&Comparison>,
    is_clean: bool,
    terminal: &Terminal,
) -> Result<(), Failure> {
    let Report { segments, sealed, first, blocks, events, head, hash, anchor, .. } = report;
    let Report { unfinished_bytes, index, faults, faults_left_out, .. } = report;
    let faults = faults.iter().chain(blobs.into_iter().flat_map(|blobs| &blobs.faults));
    let faults: Vec<_> =
        faults.map(|fault| serde_json::json!({ "place": fault.place, "reason": fault.reason })).collect();
    terminal.json(&serde_json::json!({
        "clean": is_clean, "segments": segments, "sealed": sealed, "first": first, "blocks": blocks, "events": events, "head": head, "hash": hash,
        "anchor": anchor, "unfinished_bytes": unfinished_bytes, "index": index_word(*index),
        "blobs": blobs.map(|blobs| blobs.whole),
        "faults": faults, "faults_left_out": faults_left_out, "witness": compared.map(witness::json),
    }))
}

fn show(report: &Report, blobs: Option<&blobs::Report>, is_clean: bool, terminal: &Terminal) -> Result<(), Failure> {
    let kept = blobs
        .map_or_else(|| "blobs not looked at".to_owned(), |blobs| format!("{} whole", counted(blobs.whole, "blob")));
    let told = format!(
        "{}, {}, {}, last hash {}, {kept}",
        counted(report.events, "event"),
        counted(report.blocks, "block"),
        counted(report.segments, "segment"),
        report.hash,
    );
    if is_clean {
        terminal.out(format!("{} {told}", terminal.paint.good("intact:")))?;
        match report.index {
            IndexChecked::InUse => terminal
                .note("the index was not compared: a server uses it; regatta down, and verify again, compares it"),
            IndexChecked::DiskFull => terminal
                .note("the index was not compared: it cannot be opened while the disk is full; free some space, and verify again"),
            IndexChecked::Absent | IndexChecked::Unreadable | IndexChecked::Compared(_) => {}
        }
        return Ok(());
    }
    terminal.out(format!("{} {told}", terminal.paint.bad("damaged:")))?;
    for fault in report.faults.iter().chain(blobs.into_iter().flat_map(|blobs| &blobs.faults)) {
        terminal.out(format!("  {}: {}", escape::line(&fault.place), escape::line(&fault.reason)))?;
    }
    if report.faults_left_out > 0 {
        terminal.out(format!("  … and {}", counted(report.faults_left_out, "more fault")))?;
    }
    Ok(())
}

/// What to do about what is damaged.
fn advice(report: &Report, blobs: Option<&blobs::Report>, data_dir: &Path) -> String {
    let again: Vec<&str> = verify::BESIDE
        .into_iter()
        .filter(|name| report.faults.iter().any(|fault| fault.place == *name) && data_dir.join(name).exists())
        .collect();
    let again = again.join(" and ");
    let advice = match report {
        Report { contradicted: true, .. } => {
            "the journal is not what it was: restore the log from a backup into an empty data directory; or, to go on \
             with what is here, move HEAD and the folder index away"
                .to_owned()
        }
        report if !report.is_journal_whole() => "restore the damaged files from a backup".to_owned(),
        report if report.is_clean() => "restore the damaged blobs from a backup".to_owned(),
        _ if again.is_empty() => "what is here is whole, and the next start writes HEAD anew".to_owned(),
        _ => format!(
            "the events are whole: move {again} away in {}, and the next start makes it anew",
            data_dir.display()
        ),
    };
    let more = match blobs {
        Some(blobs) if !report.is_clean() && !blobs.faults.is_empty() => "; restore the damaged blobs from a backup",
        None if report.is_journal_whole() => "; verify again then, which looks at the blobs",
        _ => "",
    };
    format!("{advice}{more}; nothing was changed")
}

/// Verifies with the configured patience for the index, and says what it is at when that takes long. What else is wrong
/// with the configuration is no reason not to.
fn within<T>(context: &Context, verify: impl FnOnce(Duration) -> T) -> T {
    let deadline = Config::as_far_as_readable(&context.data_dir, None).0.server().index_deadline;
    let (done, ended) = channel::<()>();
    thread::scope(|scope| {
        scope.spawn(move || {
            if ended.recv_timeout(STILL_AFTER) == Err(RecvTimeoutError::Timeout) {
                let seconds = deadline.as_secs();
                let told = "still verifying; an index that does not open is left behind after";
                context.terminal.note(format!("{told} {seconds} s (log.index_deadline), then the journal is read"));
            }
        });
        let verified = verify(deadline);
        drop(done);
        verified
    })
}

/// Whether the index says the same, in a word for programs.
fn index_word(index: IndexChecked) -> &'static str {
    match index {
        IndexChecked::Absent => "absent",
        IndexChecked::InUse => "in use",
        IndexChecked::DiskFull => "disk full",
        IndexChecked::Unreadable => "unreadable",
        IndexChecked::Compared(_) => "compared",
    }
}
