//! How fast views are rebuilt from the log, and what their snapshot costs: a log is filled with whole legal histories
//! of runs (the walk the tests use, with as much output as real agents print), then folded from its beginning.
//! `cargo run --release -p regatta-projections --example rebuild fill <data folder> <events>`, then
//! `… --example rebuild measure <data folder>`.

#![expect(clippy::print_stdout, reason = "a program for a terminal")]
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "shared with the tests")]
#![expect(dead_code, reason = "the tests tell more than a walk does")]

#[path = "../tests/it/history.rs"]
mod history;
#[path = "../tests/it/walk.rs"]
mod walk;

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::time::Instant;

use regatta_core::log::{Options, Pending};
use regatta_core::{Append, Draft, DurableLog, Envelope, Expect, Kind, Log as _};
use regatta_projections::{Projection as _, Views, snapshot};

use walk::{Terrain, Walk};

type Outcome = Result<(), Box<dyn std::error::Error>>;

/// Three in four events of the demo's and of real agents' runs are output; the rest is what surrounds it.
const TERRAIN: Terrain = Terrain { runs_max: 6, attempts_max: 4, output_weight: 40, calm: 40 };
/// Appends under way at once while filling.
const UNDER_WAY_MAX: usize = 4_096;

fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["fill", folder, events] => fill(Path::new(folder), events.parse()?),
        ["measure", folder] => measure(Path::new(folder)),
        _ => Err("usage: rebuild fill <data folder> <events> | rebuild measure <data folder>".into()),
    }
}

/// Fills a log with runs, one after the other and side by side.
fn fill(folder: &Path, events: u64) -> Outcome {
    let log = DurableLog::open(Options::new(folder))?;
    let begin = Instant::now();
    let mut walk = Walk::new(TERRAIN);
    let mut number = 1_u64;
    let mut under_way: VecDeque<Pending> = VecDeque::new();
    let mut kinds: BTreeMap<Kind, u64> = BTreeMap::new();
    let mut written = 0;
    while written < events {
        number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        walk.step((number >> 33) as u32);
        for event in walk.history.take() {
            *kinds.entry(event.kind).or_default() += 1;
            under_way.push_back(log.submit(appended(event)));
            written += 1;
        }
        while under_way.len() > UNDER_WAY_MAX {
            if let Some(oldest) = under_way.pop_front() {
                oldest.blocking_recv()??;
            }
        }
    }
    for pending in under_way {
        pending.blocking_recv()??;
    }
    println!("{written} events in {:.1?}", begin.elapsed());
    for (kind, count) in kinds {
        println!("{kind:>26} {:>6.2} %", count as f64 * 100.0 / written as f64);
    }
    let begin = Instant::now();
    log.close()?;
    println!("closed in {:.1?}", begin.elapsed());
    Ok(())
}

fn appended(event: Envelope) -> Append {
    let draft = Draft {
        id: event.id,
        kind: event.kind,
        version: event.version,
        at_us: event.at_us,
        actor: event.actor,
        cause: event.cause,
        correlation: event.correlation,
        dedup: None,
        payload: event.payload,
    };
    Append { stream: event.stream, expect: Expect::Any, events: vec![draft] }
}

fn measure(folder: &Path) -> Outcome {
    let begin = Instant::now();
    let log = DurableLog::open(Options::new(folder))?;
    println!("opened at {} in {:.2?}, {} MB", log.head(), begin.elapsed(), memory_mb());
    let (begin, cpu_begin) = (Instant::now(), cpu_ms());
    let views = Views::rebuild(&log, None)?;
    let (took, cpu, events) = (begin.elapsed(), cpu_ms() - cpu_begin, views.seq().0);
    let rate = events as f64 / took.as_secs_f64();
    println!(
        "{} runs rebuilt from {events} events in {took:.2?} ({cpu} ms of one processor): {rate:.0} events/s, {} MB",
        views.runs.count(),
        memory_mb()
    );
    println!("{:?}", views.progress());
    let begin = Instant::now();
    let kept = snapshot::save(&views);
    println!("snapshot of {} KB in {:.2?}", kept.len() >> 10, begin.elapsed());
    let begin = Instant::now();
    let restored: Views = snapshot::restore(&kept)?;
    println!("restored in {:.2?}, the same: {}", begin.elapsed(), restored == views);
    let begin = Instant::now();
    log.close()?;
    println!("closed in {:.2?}", begin.elapsed());
    Ok(())
}

/// Time this process had a processor so far, in ms: what counts on a machine that is shared.
fn cpu_ms() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks = after_name.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok());
    ticks.sum::<u64>() * 10
}

/// Most memory this process had so far.
fn memory_mb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) / 1_024
}
