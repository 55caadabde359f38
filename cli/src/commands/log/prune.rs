//! `regatta log prune`: removes the oldest sealed segments that are archived and that nobody needs.

use regatta_core::log::retention::Judged;
use regatta_core::log::snapshots::Snapshots;
use regatta_core::log::{DurableLog, Options, Reader};
use regatta_core::Seq;

use crate::config::Config;
use crate::context::{Context, block_on};
use crate::failure::{Exit, Failure, Outcome};
use crate::retention::{self, CONSUMERS, Retention};
use crate::terminal::Terminal;
use crate::terminal::numbers::{bytes, counted};
use crate::terminal::table::{Tone, cell, table, text};

/// Archive the log and remove its oldest files, as log.retain_days and log.retain_bytes want it
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Only whole sealed files go, oldest first, and only when a verified copy is in log.archive. Nothing
goes that a view, the relay, an unfinished run, or users and their tokens need. A server does the
same by itself every hour. What is removed is recorded as an event, and can be brought back:

  regatta --data-dir ~/whole log restore --from /mnt/elsewhere/regatta

Examples:
  regatta log prune --dry-run
  regatta log prune")]
pub(crate) struct Args {
    /// Say what would be removed, and why the rest stays; change nothing
    #[arg(long)]
    dry_run: bool,
}

pub(crate) fn run(context: &Context, args: &Args) -> Outcome {
    let config = Config::of_server(&context.data_dir, Vec::new())?;
    let Some(retention) = Retention::of(&config, &context.data_dir)? else {
        return Err(Failure::usage("nothing is ever removed here: neither log.retain_days nor log.retain_bytes is set")
            .hint("set one of them and log.archive in regatta.toml, or REGATTA_LOG_RETAIN_DAYS and REGATTA_LOG_ARCHIVE"));
    };
    let health = block_on(async { context.client().health().await })?;
    if args.dry_run {
        let reader =
            Reader::open(&context.data_dir).map_err(|error| Failure::caused("the log cannot be read", &error))?;
        // The relay of a server that runs says where it is; of one that does not run, nothing is known here.
        let relay = health.and_then(|health| health.relay).map(|relay| relay.acked);
        let judged = retention.judge(&reader, done(context, relay)?)?;
        return show(&judged, &retention, &context.terminal);
    }
    if health.is_some() {
        return Err(retention::busy());
    }
    let log = DurableLog::open(Options::new(&context.data_dir))
        .map_err(|error| Failure::caused("failed to open the log", &error))?;
    let pruned = retention.prune(&log)?;
    log.close().map_err(|error| Failure::caused("the log did not close well", &error))?;
    let told = pruned.map_or_else(
        || "nothing may go: regatta log prune --dry-run says why".to_owned(),
        |pruned| {
            let (files, of_bytes) = (counted(pruned.segments, "file"), bytes(pruned.bytes));
            format!("removed {files} ({of_bytes}); the log begins with event {}", pruned.first)
        },
    );
    let data = serde_json::json!({
        "segments": pruned.map_or(0, |pruned| pruned.segments), "bytes": pruned.map_or(0, |pruned| pruned.bytes),
        "first": pruned.map(|pruned| pruned.first), "archive": retention.archive,
    });
    context.terminal.done(told, &data)?;
    Ok(Exit::Done)
}

/// Up to where the views are kept, and the relay is, when there is one.
fn done(context: &Context, relay: Option<Seq>) -> Result<Seq, Failure> {
    let snapshots = Snapshots::of(&context.data_dir);
    let mut done = relay;
    for consumer in CONSUMERS {
        let reach =
            snapshots.reach(consumer).map_err(|error| Failure::caused("the snapshots cannot be listed", &error))?;
        done = Some(done.map_or(reach, |done| done.min(reach)));
    }
    Ok(done.unwrap_or_default())
}

fn show(judged: &[Judged], retention: &Retention, terminal: &Terminal) -> Outcome {
    if terminal.json {
        let rows = judged.iter().map(|judged| {
            let segment = &judged.segment;
            let why = judged.stays.as_ref().map(|stays| retention::why(stays, &retention.archive));
            serde_json::json!({
                "file": segment.path.file_name().map(|name| name.to_string_lossy()), "first": segment.first,
                "last": segment.last, "bytes": segment.bytes, "goes": why.is_none(), "why_it_stays": why,
            })
        });
        terminal.json(&rows.collect::<Vec<_>>())?;
        return Ok(Exit::Done);
    }
    let mut rows = table(terminal);
    rows.set_header(["EVENTS", "SIZE", "GOES", "WHY IT STAYS"].map(|title| cell(title, Tone::Dim)));
    for Judged { segment, stays } in judged {
        let why = stays.as_ref().map_or_else(String::new, |stays| retention::why(stays, &retention.archive));
        rows.add_row([
            cell(format!("{}–{}", segment.first, segment.last), Tone::Plain),
            cell(bytes(segment.bytes), Tone::Plain),
            if stays.is_none() { cell("yes", Tone::Warn) } else { cell("no", Tone::Plain) },
            cell(why, Tone::Dim),
        ]);
    }
    terminal.out(text(&rows))?;
    let goes: u64 = judged.iter().filter(|judged| judged.stays.is_none()).map(|judged| judged.segment.bytes).sum();
    terminal.note(format!("{} would be removed; nothing was changed", bytes(goes)));
    Ok(Exit::Done)
}
