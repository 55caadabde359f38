//! `regatta log stats`: how much of what is in the log. Needs no server, and may run beside one.

use std::io::ErrorKind;

use regatta_core::log::stats::{Amount, Stats};
use regatta_core::log::witness::WitnessState;
use regatta_core::log::{Reader, stats};
use regatta_core::{ReadError, Seq};
use serde_json::json;

use super::witness;
use crate::commands::now_us;
use crate::context::{Context, block_on};
use crate::failure::{Exit, Failure, Outcome};
use crate::terminal::numbers::{bytes, counted};
use crate::terminal::table::{Tone, cell, table, text};
use crate::terminal::{Terminal, escape};

/// Times it is counted anew because an old file went meanwhile.
const LOOKS_MAX: u32 = 10;

/// Count what is in the log: events and bytes by kind and by family of streams, and the disk they take
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The payload is what the events say; the disk holds it with headers, compressed once a file is sealed.
While a server runs, it says how it goes with telling its witnesses where the log stands.

Examples:
  regatta log stats
  regatta log stats --json | jq '.kinds[\"attempt.output\"].payload_bytes'")]
pub(crate) struct Args {}

/// Counts what is there, anew when the server removed an old file meanwhile.
fn counted_whole(context: &Context) -> Result<Stats, Failure> {
    let mut looks = 1;
    loop {
        let unreadable = |error| Failure::caused("the log cannot be read", &error);
        let reader = Reader::open(&context.data_dir).map_err(unreadable)?;
        match stats(&reader) {
            Err(ReadError::Io(error)) if error.kind() == ErrorKind::NotFound && looks < LOOKS_MAX => looks += 1,
            counted => return counted.map_err(|error| Failure::caused("the log cannot be counted", &error)),
        }
    }
}

pub(crate) fn run(context: &Context, _: Args) -> Outcome {
    let found = counted_whole(context)?;
    let terminal = &context.terminal;
    let witnesses = block_on(async { Ok(context.client().health().await?.map(|health| health.witnesses)) });
    // A server that does not answer is no reason to count nothing.
    let witnesses = witnesses.ok().flatten().unwrap_or_default();
    if terminal.json {
        terminal.json(&as_json(&found, &witnesses))?;
    } else {
        terminal.out(render(&found, terminal))?;
        for state in &witnesses {
            let (told, fails) = witness::standing(state, now_us());
            let told = escape::line(&told).into_owned();
            let told = if fails { terminal.paint.bad(told) } else { told };
            terminal.out(format!("\n{}: {told}", state.name))?;
            if state.contradicted.is_some() {
                terminal.note(witness::todo(state));
            }
        }
        if found.first > Seq(1) {
            terminal.note(super::begins(&context.data_dir, found.first));
        }
    }
    Ok(Exit::Done)
}

fn as_json(found: &Stats, witnesses: &[WitnessState]) -> serde_json::Value {
    let amount = |amount: Amount| json!({ "events": amount.events, "payload_bytes": amount.payload_bytes });
    let kinds: serde_json::Map<_, _> =
        found.kinds.iter().map(|(kind, of_kind)| (kind.to_string(), amount(*of_kind))).collect();
    let families = found.families.iter().map(|(name, family)| {
        let of_family = json!({
            "streams": family.streams, "events": family.amount.events, "payload_bytes": family.amount.payload_bytes,
        });
        (name.clone(), of_family)
    });
    let families: serde_json::Map<_, _> = families.collect();
    json!({
        "events": found.all.events, "payload_bytes": found.all.payload_bytes, "disk_bytes": found.disk_bytes,
        "segments": found.segments, "first": found.first, "head": found.head, "first_at_us": found.first_at_us,
        "last_at_us": found.last_at_us, "kinds": kinds, "families": families,
        "witnesses": witnesses,
    })
}

fn render(found: &Stats, terminal: &Terminal) -> String {
    let mut lines = vec![format!(
        "{} in {}, {} of payload, {} on disk",
        counted(found.all.events, "event"),
        counted(found.segments, "file"),
        bytes(found.all.payload_bytes),
        bytes(found.disk_bytes),
    )];
    if let (Some(first), Some(last)) = (found.first_at_us, found.last_at_us) {
        lines.push(format!("from {} to {}", super::time(first), super::time(last)));
    }
    if found.all.events == 0 {
        return lines.join("\n");
    }
    let share = |amount: Amount| format!("{} %", percent(amount.payload_bytes, found.all.payload_bytes));
    let number = |count: u64| cell(count.to_string(), Tone::Plain);
    let mut kinds = table(terminal);
    kinds.set_header(["KIND", "EVENTS", "PAYLOAD", "SHARE"].map(|title| cell(title, Tone::Dim)));
    for (kind, amount) in by_size(found.kinds.iter().map(|(kind, amount)| (kind.to_string(), *amount))) {
        let row = [cell(kind, Tone::Plain), number(amount.events), cell(bytes(amount.payload_bytes), Tone::Plain)];
        kinds.add_row(row.into_iter().chain([cell(share(amount), Tone::Plain)]));
    }
    let mut families = table(terminal);
    families.set_header(["STREAMS OF", "STREAMS", "EVENTS", "PAYLOAD"].map(|title| cell(title, Tone::Dim)));
    for (name, amount) in by_size(found.families.iter().map(|(name, family)| (name.clone(), family.amount))) {
        let streams = found.families.get(&name).map_or(0, |family| family.streams);
        let row = [cell(name, Tone::Plain), number(streams), number(amount.events)];
        families.add_row(row.into_iter().chain([cell(bytes(amount.payload_bytes), Tone::Plain)]));
    }
    lines.extend([String::new(), text(&kinds), String::new(), text(&families)]);
    lines.join("\n")
}

/// Largest first.
fn by_size(rows: impl Iterator<Item = (String, Amount)>) -> Vec<(String, Amount)> {
    let mut rows: Vec<_> = rows.collect();
    rows.sort_by(|(left_name, left), (right_name, right)| {
        (right.payload_bytes, right.events).cmp(&(left.payload_bytes, left.events)).then(left_name.cmp(right_name))
    });
    rows
}

fn percent(part: u64, whole: u64) -> u64 {
    // Of an empty payload everything is nothing.
    (u128::from(part) * 100).checked_div(u128::from(whole)).and_then(|share| u64::try_from(share).ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use regatta_core::Seq;
    use regatta_core::event::Kind;
    use regatta_core::log::stats::Family;

    use super::*;

    #[test]
    fn the_largest_stands_first() {
        let amount = |events, payload_bytes| Amount { events, payload_bytes };
        let found = Stats {
            segments: 2,
            disk_bytes: 9_000,
            all: amount(12, 4_096),
            kinds: BTreeMap::from([
                (Kind::RUN_REQUESTED, amount(2, 96)),
                (Kind::ATTEMPT_OUTPUT, amount(9, 4_000)),
                (Kind(0xff01), amount(1, 0)),
            ]),
            families: BTreeMap::from([
                ("run".to_owned(), Family { streams: 2, amount: amount(3, 96) }),
                ("output".to_owned(), Family { streams: 1, amount: amount(9, 4_000) }),
            ]),
            head: Seq(12),
            first_at_us: Some(1_764_000_000_000_000),
            last_at_us: Some(1_764_000_100_900_000),
            ..Stats::default()
        };
        insta::assert_snapshot!(render(&found, &Terminal::plain(80)));
        assert_eq!(render(&Stats::default(), &Terminal::plain(80)), "0 events in 0 files, 0 B of payload, 0 B on disk");
    }
}
