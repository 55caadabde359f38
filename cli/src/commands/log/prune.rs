//! `regatta log prune`: old events go, once a backup holds them and nobody needs them any more.

use bytesize::ByteSize;
use regatta_http::premises::{PruneRequest, Pruned};

use crate::commands::down;
use crate::config::duration_ms;
use crate::context::{Context, block_on};
use crate::failure::{Exit, Outcome};
use crate::server;
use crate::terminal::Terminal;
use crate::terminal::escape;
use crate::terminal::numbers::{bytes, counted};
use crate::terminal::table::{Tone, cell, table, text};

/// Remove old events that a backup holds and nobody needs any more
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The log is a row of files; only whole files go, from the beginning on. A file stays when it is not
compressed yet, when a run under way began in it, when a view, NATS or a witness has not come that
far, or when no backup holds it. Each one is read in the backup before it is removed here. A backup
is known by `regatta log backup DIR`, or made by itself in the folder log.archive names.

Runs that are over stay in the lists, with what they came to; what they printed and did step by step
is in the backup then. `regatta log backup` to the same folder and a restore from it give back the
whole log. Without a flag it is as log.retain_age and log.retain_bytes say, which a server also
keeps to by itself.

Examples:
  regatta log prune --older-than 90d --dry-run
  regatta log prune --keep-bytes 20GiB")]
pub(crate) struct Args {
    /// What happened longer ago may go, as 90d
    #[arg(long, value_name = "TIME", value_parser = age)]
    older_than: Option<u64>,

    /// The oldest may go while the log takes more disk, as 20GiB
    #[arg(long, value_name = "SIZE", value_parser = size)]
    keep_bytes: Option<u64>,

    /// Only say what would go
    #[arg(long)]
    dry_run: bool,
}

fn age(text: &str) -> Result<u64, String> {
    duration_ms(text).ok_or_else(|| "a time, as 90d or 12h".to_owned())
}

fn size(text: &str) -> Result<u64, String> {
    let size = text.parse::<ByteSize>().ok().map(|size| size.as_u64());
    size.ok_or_else(|| "a size, as 20GiB or 500MB".to_owned())
}

pub(crate) fn run(context: &Context, args: Args) -> Outcome {
    let Args { older_than: older_than_ms, keep_bytes, dry_run } = args;
    let request = PruneRequest { older_than_ms, keep_bytes, dry_run };
    let pruned: Pruned = block_on(async {
        let started = server::ensured(context).await?;
        let pruned = context.client().command_answered("/log/prune", &request).await;
        // Only asked what would be: everything is as before.
        if let Some(started) = started.filter(|_| dry_run) {
            down::stop(context, started.pid).await?;
        }
        pruned
    })?;
    let terminal = &context.terminal;
    if terminal.json {
        terminal.json(&pruned)?;
    } else {
        terminal.out(render(&pruned, terminal))?;
    }
    Ok(Exit::Done)
}

fn render(pruned: &Pruned, terminal: &Terminal) -> String {
    let Pruned { segments, first, head, kept_segments, kept_bytes, dry_run, .. } = pruned;
    let mut lines = Vec::new();
    if let (Some(last), Some(archive)) = (segments.last(), &pruned.archive) {
        let mut rows = table(terminal);
        rows.set_header(["EVENTS", "UNTIL", "SIZE"].map(|title| cell(title, Tone::Dim)));
        for segment in segments {
            let events = format!("{} to {}", segment.first, segment.last);
            rows.add_row(
                [events, super::time(segment.last_at_us), bytes(segment.bytes)].map(|text| cell(text, Tone::Plain)),
            );
        }
        let files = counted(segments.len() as u64, "file");
        let freed = bytes(pruned.freed_bytes);
        let did = if *dry_run { "would remove" } else { "removed" };
        lines.extend([text(&rows), String::new()]);
        lines.push(format!("{did} {files} with the events up to {}: {freed}", last.last));
        lines.push(format!(
            "the backup in {} holds {}",
            escape::line(archive),
            if segments.len() == 1 { "it" } else { "them" }
        ));
    } else {
        lines.push("nothing to remove".to_owned());
    }
    let (files, size) = (counted(*kept_segments, "file"), bytes(*kept_bytes));
    lines.push(format!("kept: {files} with the events {first} to {head}, {size}"));
    lines.push(format!("the one that begins with event {first} stays: {}", escape::line(&pruned.reason)));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use regatta_core::Seq;
    use regatta_http::premises::PrunedSegment;

    use super::*;

    fn pruned(segments: &[(u64, u64)], dry_run: bool) -> Pruned {
        let segment = |(first, last): &(u64, u64)| PrunedSegment {
            first: Seq(*first),
            last: Seq(*last),
            bytes: 20 << 20,
            last_at_us: 1_764_000_000_000_000,
        };
        Pruned {
            dry_run,
            segments: segments.iter().map(segment).collect(),
            freed_bytes: segments.len() as u64 * (20 << 20),
            archive: (!segments.is_empty()).then(|| "/mnt/elsewhere/regatta".to_owned()),
            first: Seq(segments.last().map_or(1, |(_, last)| last + 1)),
            head: Seq(5_000),
            kept_segments: 2,
            kept_bytes: 84 << 20,
            reason: "run 7q2k9x0m is under way and begins with event 2401".to_owned(),
        }
    }

    #[test]
    fn it_says_what_goes_and_why_the_rest_stays() {
        let terminal = Terminal::plain(80);
        let shown = [pruned(&[], false), pruned(&[(1, 1_200)], true), pruned(&[(1, 1_200), (1_201, 2_400)], false)];
        let shown: Vec<String> = shown.iter().map(|pruned| render(pruned, &terminal)).collect();
        insta::assert_snapshot!(shown.join("\n\n"));
    }

    #[test]
    fn days_and_sizes_are_read() {
        assert_eq!(age("90d"), Ok(90 * 24 * 3_600_000));
        assert_eq!(size("20GiB"), Ok(20 << 30));
        assert!(age("soon").is_err() && size("much").is_err());
    }
}
