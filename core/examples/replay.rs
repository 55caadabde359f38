//! A long log: filled, replayed, opened, its index rebuilt. Each step is a process of its own, so that its memory is
//! its own too, and prints one JSON object.
//!
//! `cargo run --release -p regatta-core --example replay -- <step> <data directory> [events] [payload bytes]`, with the
//! steps `fill` (waits until all full segments are sealed), `live` (seals nothing), `headers`, `decoded`, `open`, `rebuild`, `stats`, `verify`.

#![expect(clippy::print_stdout, reason = "a program for a terminal")]

mod events;

use std::collections::VecDeque;
use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use regatta_core::log::{Options, Reader, SegmentFile, stats, verify};
use regatta_core::{Actor, Append, AppendError, Draft, DurableLog, Event, Expect, Log as _, Seq, Stream, SystemClock};
use serde_json::{Value, json};

type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

const STREAMS: u64 = 1_000;
const IN_FLIGHT: usize = 256;
/// An event of about so many bytes, in one of a thousand runs.
fn draft(n: u64, bytes: usize) -> Draft {
    let correlation = uuid::Uuid::from_u64_pair(events::Dice(n % STREAMS).roll(u64::MAX), n % STREAMS);
    Draft::new(&events::event(n, bytes), &SystemClock, Actor::regatta(), correlation)
}

fn fill(dir: &Path, events: u64, bytes: usize) -> Outcome<Value> {
    let log = DurableLog::open(Options::new(dir))?;
    let streams: Vec<Stream> =
        (0..STREAMS).map(|n| Stream::try_from(format!("run/{n:08}").as_str())).collect::<Result<_, _>>()?;
    let start = Instant::now();
    let mut pending = VecDeque::new();
    for n in log.head().0..events {
        let stream = streams.get((n % STREAMS) as usize).ok_or("a stream")?.clone();
        let append = Append { stream, expect: Expect::Any, events: vec![draft(n, bytes)] };
        pending.push_back(log.submit(append));
        if pending.len() == IN_FLIGHT
            && let Some(oldest) = pending.pop_front()
        {
            oldest.blocking_recv()??;
        }
    }
    for rest in pending {
        let answer: Result<_, AppendError> = rest.blocking_recv()?;
        answer?;
    }
    let filled = start.elapsed();
    while log.reader().segment_files()?.iter().rev().skip(1).any(|file| file.sealed.is_none()) {
        thread::sleep(Duration::from_millis(20));
    }
    let sealed = start.elapsed() - filled;
    let close = Instant::now();
    log.close()?;
    let shown = json!({
        "step": "fill", "events": events, "seconds": filled.as_secs_f64(),
        "events_per_second": events as f64 / filled.as_secs_f64(), "sealing_went_on_seconds": sealed.as_secs_f64(),
        "close_seconds": close.elapsed().as_secs_f64(),
    });
    Ok(merged(shown, sizes(&Reader::open(dir)?.segment_files()?)))
}

/// What the sealed segments take, and took when they were written.
fn sizes(files: &[SegmentFile]) -> Value {
    let (mut events, mut stored, mut plain, mut records, mut payloads) = (0, 0, 0, 0, 0);
    for file in files {
        let Some(sealed) = file.sealed else { continue };
        events += file.last.0 + 1 - file.first.0;
        stored += file.bytes;
        plain += sealed.block_bytes;
        records += sealed.record_bytes;
        payloads += sealed.payload_bytes;
    }
    let each = |bytes: u64| bytes as f64 / events.max(1) as f64;
    json!({
        "sealed_segments": files.iter().filter(|file| file.sealed.is_some()).count(), "sealed_events": events,
        "sealed_bytes_per_event": each(stored), "plain_bytes_per_event": each(plain),
        "record_bytes_per_event": each(records), "payload_bytes_per_event": each(payloads),
    })
}

/// What the segments take as they are written: so many producers, each with one event under way, nothing sealed.
fn live(dir: &Path, events: u64, bytes: usize) -> Outcome<Value> {
    const PRODUCERS: u64 = 64;
    let log = DurableLog::open(Options { seal: false, ..Options::new(dir) })?;
    let streams: Vec<Stream> =
        (0..PRODUCERS).map(|n| Stream::try_from(format!("run/{n:08}").as_str())).collect::<Result<_, _>>()?;
    let payload_bytes = AtomicU64::new(0);
    let produced = thread::scope(|scope| {
        let producers: Vec<_> = (0..)
            .zip(&streams)
            .map(|(place, stream)| {
                let (log, payload_bytes) = (&log, &payload_bytes);
                scope.spawn(move || {
                    for n in (place..events).step_by(PRODUCERS as usize) {
                        let draft = draft(n, bytes);
                        payload_bytes.fetch_add(draft.payload.len() as u64, Ordering::Relaxed);
                        let append = Append { stream: stream.clone(), expect: Expect::Any, events: vec![draft] };
                        log.submit(append).blocking_recv()??;
                    }
                    Outcome::Ok(())
                })
            })
            .collect();
        producers
            .into_iter()
            .map(|producer| producer.join().map_err(|_| "a producer panicked")?)
            .collect::<Outcome<Vec<()>>>()
    });
    produced?;
    log.close()?;
    let files = Reader::open(dir)?.segment_files()?;
    let bytes = files.iter().map(|file| file.bytes).sum::<u64>() as f64;
    Ok(json!({
        "step": "live", "events": events, "bytes_per_event": bytes / events as f64,
        "payload_bytes_per_event": payload_bytes.into_inner() as f64 / events as f64,
    }))
}

fn replay(dir: &Path, decode: bool) -> Outcome<Value> {
    let reader = Reader::open(dir)?;
    let start = Instant::now();
    let (mut events, mut bytes, mut latest, mut wrong) = (0_u64, 0_u64, 0, 0_u64);
    reader.replay(Seq(1), &mut |envelope| {
        events += 1;
        bytes += envelope.payload.len() as u64;
        latest = latest.max(envelope.at_us);
        if decode && !matches!(envelope.event(), Ok(Event::Run(_) | Event::Attempt(_))) {
            wrong += 1;
        }
        ControlFlow::Continue(())
    })?;
    if wrong > 0 || latest == 0 {
        return Err(format!("{wrong} events are not what was written").into());
    }
    let seconds = start.elapsed().as_secs_f64();
    Ok(json!({
        "step": if decode { "decoded" } else { "headers" }, "events": events, "payload_bytes": bytes,
        "seconds": seconds, "events_per_second": events as f64 / seconds,
    }))
}

fn open(dir: &Path, step: &str) -> Outcome<Value> {
    if step == "rebuild" {
        fs::remove_dir_all(dir.join("index"))?;
    }
    let start = Instant::now();
    let log = DurableLog::open(Options { scrub_every: Duration::ZERO, ..Options::new(dir) })?;
    let opened = start.elapsed();
    let head = log.head();
    // A rebuild is done when the store has it all, not when the log can be used.
    log.close()?;
    let seconds = opened.as_secs_f64();
    Ok(
        json!({ "step": step, "events": head, "seconds": seconds, "until_closed_seconds": start.elapsed().as_secs_f64() }),
    )
}

fn count(dir: &Path) -> Outcome<Value> {
    let start = Instant::now();
    let stats = stats(&Reader::open(dir)?)?;
    let seconds = start.elapsed().as_secs_f64();
    Ok(json!({ "step": "stats", "seconds": seconds, "events": stats.all.events, "disk_bytes": stats.disk_bytes }))
}

fn check(dir: &Path) -> Outcome<Value> {
    let start = Instant::now();
    let report = verify(dir)?;
    let (seconds, clean) = (start.elapsed().as_secs_f64(), report.is_clean());
    Ok(
        json!({ "step": "verify", "seconds": seconds, "events": report.events, "clean": clean, "index": format!("{:?}", report.index) }),
    )
}

fn merged(mut one: Value, other: Value) -> Value {
    if let (Some(one), Value::Object(other)) = (one.as_object_mut(), other) {
        one.extend(other);
    }
    one
}

/// The most memory this process ever had.
fn peak() -> Value {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    json!({ "peak_memory_mb": kilobytes.map(|kilobytes| kilobytes / 1_000) })
}

fn main() -> Outcome<()> {
    let mut arguments = std::env::args().skip(1);
    let (Some(step), Some(dir)) = (arguments.next(), arguments.next()) else {
        return Err(
            "usage: replay fill|live|headers|decoded|open|rebuild|stats|verify <data directory> [events] [bytes]"
                .into(),
        );
    };
    let dir = Path::new(&dir);
    let shown = match step.as_str() {
        "fill" => {
            let events = arguments.next().map_or(Ok(10_000_000), |text| text.parse())?;
            fill(dir, events, arguments.next().map_or(Ok(250), |text| text.parse())?)?
        }
        "live" => {
            let events = arguments.next().map_or(Ok(500_000), |text| text.parse())?;
            live(dir, events, arguments.next().map_or(Ok(250), |text| text.parse())?)?
        }
        "headers" => replay(dir, false)?,
        "decoded" => replay(dir, true)?,
        "open" | "rebuild" => open(dir, &step)?,
        "stats" => count(dir)?,
        "verify" => check(dir)?,
        other => return Err(format!("there is no step {other}").into()),
    };
    println!("{}", merged(shown, peak()));
    Ok(())
}
