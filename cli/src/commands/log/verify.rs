//! `regatta log verify`: proves that nothing in the log was changed or cut out. Needs no server, and may run beside one.

use regatta_core::log::verify::{self, IndexChecked, Report};

use crate::context::Context;
use crate::failure::{Exit, Failure, Outcome};
use crate::terminal::numbers::counted;
use crate::terminal::{Terminal, escape};

/// Prove that nothing in the log was changed or cut out; exits 1 when something was
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Each block of the log names the one before it by its hash. Keep the last hash somewhere else, and
nobody can change what stands before it unnoticed.

Examples:
  regatta log verify
  regatta log verify --json | jq -r .hash")]
pub(crate) struct Args {}

pub(crate) fn run(context: &Context, _: Args) -> Outcome {
    let report =
        verify::verify(&context.data_dir).map_err(|error| Failure::caused("the log cannot be verified", &error))?;
    show(&report, &context.terminal)?;
    Ok(if report.is_clean() { Exit::Done } else { Exit::NoWinner })
}

fn show(report: &Report, terminal: &Terminal) -> Result<(), Failure> {
    let Report { segments, blocks, events, head, hash, anchor, unfinished_bytes, index, faults, faults_left_out } =
        report;
    if terminal.json {
        let faults: Vec<_> =
            faults.iter().map(|fault| serde_json::json!({ "place": fault.place, "reason": fault.reason })).collect();
        return terminal.json(&serde_json::json!({
            "clean": report.is_clean(), "segments": segments, "blocks": blocks, "events": events, "head": head,
            "hash": hash, "anchor": anchor, "unfinished_bytes": unfinished_bytes, "index": index_word(*index), "faults": faults,
            "faults_left_out": faults_left_out,
        }));
    }
    let told = format!(
        "{}, {}, {}, last hash {hash}",
        counted(*events, "event"),
        counted(*blocks, "block"),
        counted(*segments, "segment")
    );
    if report.is_clean() {
        return terminal.out(format!("{} {told}", terminal.paint.good("intact:")));
    }
    terminal.out(format!("{} {told}", terminal.paint.bad("damaged:")))?;
    for fault in faults {
        terminal.out(format!("  {}: {}", escape::line(&fault.place), escape::line(&fault.reason)))?;
    }
    if *faults_left_out > 0 {
        terminal.out(format!("  … and {}", counted(*faults_left_out, "more fault")))?;
    }
    terminal.note("restore the damaged files from a backup; nothing was changed");
    Ok(())
}

/// Whether the index says the same, in a word for programs.
fn index_word(index: IndexChecked) -> &'static str {
    match index {
        IndexChecked::Absent => "absent",
        IndexChecked::InUse => "in use",
        IndexChecked::Unreadable => "unreadable",
        IndexChecked::Compared(_) => "compared",
    }
}
