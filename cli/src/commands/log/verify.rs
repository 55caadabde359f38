//! `regatta log verify`: proves that nothing in the log was changed or cut out. Needs no server, and may run beside one.

use regatta_core::Seq;
use regatta_core::log::verify::{self, IndexChecked, Report};
use regatta_core::log::witness::{Comparison, verify_against};

use super::{blobs, witness};
use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::terminal::numbers::counted;
use crate::terminal::{Terminal, escape};

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
        None => (verify::verify(&context.data_dir).map_err(unverifiable)?, None),
        Some(witness) => {
            let heard = witness::heard(context, &witness)?;
            let (report, comparison) = verify_against(&context.data_dir, &heard).map_err(unverifiable)?;
            (report, Some(comparison))
        }
    };
    let compared = compared.as_ref();
    // What a damaged log names is not known; it has to be whole first.
    let blobs = if report.is_clean() { Some(blobs::verify(&context.data_dir)?) } else { None };
    let is_clean = report.is_clean() && blobs.as_ref().is_some_and(|blobs| blobs.faults.is_empty());
    let agrees = compared.is_none_or(|compared| compared.partings.is_empty());
    if context.terminal.json {
        json(&report, blobs.as_ref(), compared, is_clean && agrees, &context.terminal)?;
    } else {
        show(&report, blobs.as_ref(), is_clean, &context.terminal)?;
        if report.first > Seq(1) {
            context.terminal.note(super::begins(&context.data_dir, report.first));
        }
        compared.map_or(Ok(()), |compared| witness::show(compared, &context.terminal))?;
    }
    Ok(if is_clean && agrees { Exit::Done } else { Exit::NoWinner })
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
    terminal.note("restore the damaged files from a backup; nothing was changed");
    Ok(())
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
