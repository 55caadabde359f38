//! `regatta sandbox ls`.

use std::collections::BTreeMap;

use regatta_dispatcher::sandboxes::Right;
use regatta_http::requests::{SandboxBody, SandboxesBody};

use crate::context::{Context, block_on};
use crate::failure::{Exit, Outcome};
use crate::render::words;
use crate::terminal::Terminal;
use crate::terminal::numbers::{bytes, elapsed};
use crate::terminal::table::{Tone, cell, table, text};

/// List the sandboxes there are, asked of their providers now
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Print their names alone
    #[arg(long, short)]
    quiet: bool,
}

pub(super) fn run(context: &Context, args: &Args) -> Outcome {
    let listed: SandboxesBody = block_on(context.client().get("/sandboxes"))?;
    let terminal = &context.terminal;
    if terminal.json {
        terminal.json(&listed)?;
        return Ok(Exit::Done);
    }
    if args.quiet {
        for row in &listed.rows {
            terminal.out(row.sandbox.key.to_string())?;
        }
    } else if listed.rows.is_empty() && listed.unanswered.is_empty() {
        terminal.note("there is no sandbox now; each attempt gets one when it runs");
    } else if !listed.rows.is_empty() {
        terminal.out(render(&listed, terminal))?;
        rents(&listed.rows).into_iter().for_each(|rent| terminal.note(rent));
    }
    super::unanswered(terminal, &listed.unanswered);
    Ok(Exit::Done)
}

fn render(listed: &SandboxesBody, terminal: &Terminal) -> String {
    let mut shown = table(terminal);
    // Who tries stands behind the attempt; a name that is cut or broken is of no use to anybody. So what is known of none is
    // left out.
    let all: [(&str, Told); 3] = [("disk", disk), ("agent's cost", cost), ("rent so far", rent)];
    let is_known = |(_, told): &(&str, Told)| listed.rows.iter().any(|row| told(row).is_some());
    let more: Vec<(&str, Told)> = all.into_iter().filter(is_known).collect();
    let heads =
        ["sandbox", "provider", "age", "attempt", "state"].into_iter().chain(more.iter().map(|(name, _)| *name));
    shown.set_header(heads.map(|name| cell(name, Tone::Dim)));
    for row in &listed.rows {
        let sandbox = &row.sandbox;
        let (state, tone) = match (sandbox.right, &sandbox.doing) {
            (Right::InUse, Some(doing)) => (doing.as_str(), Tone::Busy),
            (Right::InUse, None) => ("in use", Tone::Busy),
            (Right::Copy, _) => ("a copy", Tone::Plain),
            (Right::Ending, _) => ("being removed", Tone::Warn),
            (Right::None, _) => ("left behind", Tone::Bad),
        };
        let known = [
            cell(sandbox.key.to_string(), Tone::Plain),
            cell(&sandbox.provider, Tone::Plain),
            cell(elapsed(row.age_ms), Tone::Plain),
            cell(sandbox.attempt.to_string(), Tone::Strong),
            cell(state, tone),
        ];
        let more = more.iter().map(|(_, told)| cell(told(row).unwrap_or_else(|| "-".to_owned()), Tone::Plain));
        shown.add_row(known.into_iter().chain(more));
    }
    text(&shown)
}

/// What may be known of a sandbox.
type Told = fn(&SandboxBody) -> Option<String>;

fn disk(row: &SandboxBody) -> Option<String> {
    row.sandbox.disk_bytes.map(bytes)
}

/// What its attempt's agents say they cost.
fn cost(row: &SandboxBody) -> Option<String> {
    row.usage.as_ref().and_then(words::cost)
}

/// What its vendor asks for it.
fn rent(row: &SandboxBody) -> Option<String> {
    row.rent_usd_micros.map(words::dollars)
}

/// What those of each vendor cost together, so far and from here on, where that is known.
fn rents(rows: &[SandboxBody]) -> Vec<String> {
    let mut sums: BTreeMap<&str, (u64, u64, u64)> = BTreeMap::new();
    for row in rows {
        if let (Some(so_far), Some(per_hour)) = (row.rent_usd_micros, row.sandbox.rent_usd_micros_per_hour) {
            let sum = sums.entry(&row.sandbox.provider).or_default();
            *sum = (sum.0 + 1, sum.1.saturating_add(so_far), sum.2.saturating_add(per_hour));
        }
    }
    let told = |(provider, (count, so_far, per_hour)): (&str, (u64, u64, u64))| {
        let count = if count == 1 { "1 sandbox".to_owned() } else { format!("{count} sandboxes") };
        format!("{provider}: {count}, {} so far, {} an hour", words::dollars(so_far), words::dollars(per_hour))
    };
    sums.into_iter().map(told).collect()
}
