//! Durable acknowledgements per second and their p99, ours and the peers', as multiples of the raw file's.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::runtime::Runtime;

use super::Line;
use super::load::{Load, Shown, drive};
use super::ours::Ours;
use super::peers::{self, Durable, Jetstream, Postgres};
use crate::Outcome;
use crate::rows::{Rows, median};

const ENGINES: [&str; 7] = ["raw", "regatta", "sqlite", "fjall", "postgres", "jetstream", "jetstream, synced"];
/// With the must and the aim for acks, against raw.
const LOADS: [(Load, &str, &str); 3] = [
    (Load { producers: 64, payload_bytes: 250 }, "0.8x raw", "1.1x"),
    (Load { producers: 1_024, payload_bytes: 250 }, "0.3x raw", "0.5x"),
    (Load { producers: 64, payload_bytes: 2_048 }, "0.5x raw", "0.8x"),
];

/// A connection per producer is what PostgreSQL gives; a thousand of them is not how anybody uses it.
fn is_sensible(engine: &str, load: Load) -> bool {
    engine != "postgres" || load.producers <= 64
}

fn round(engine: &str, load: Load, folder: &Path, runtime: &Runtime, length: Duration) -> Outcome<Shown> {
    let dir = tempfile::tempdir_in(folder)?;
    let Load { producers, payload_bytes } = load;
    let path = dir.path();
    match engine {
        "raw" => drive(runtime, &Arc::new(peers::raw(path, payload_bytes)?), load, length),
        "sqlite" => drive(runtime, &Arc::new(peers::sqlite(path, payload_bytes)?), load, length),
        "fjall" => drive(runtime, &Arc::new(peers::fjall(path, payload_bytes)?), load, length),
        "postgres" => {
            let server = runtime.block_on(Postgres::start(path, producers, payload_bytes))?;
            drive(runtime, &Arc::new(server), load, length)
        }
        "jetstream" | "jetstream, synced" => {
            let durable = if engine == "jetstream" { Durable::AsItComes } else { Durable::Synced };
            let server = runtime.block_on(Jetstream::start(path, durable, payload_bytes))?;
            drive(runtime, &Arc::new(server), load, length)
        }
        _ => {
            let ours = Arc::new(Ours::open(path, producers, payload_bytes)?);
            let shown = drive(runtime, &ours, load, length)?;
            let ours = Arc::into_inner(ours).ok_or("a producer is still there")?;
            ours.log.close()?;
            Ok(shown)
        }
    }
}

/// Every round has every engine once, so that a slow minute of the machine is everybody's.
pub(crate) fn measure(folder: &Path, is_quick: bool, rows: &mut Rows) -> Outcome<Vec<Line>> {
    let (rounds, length) = if is_quick { (1, Duration::from_millis(500)) } else { (5, Duration::from_secs(2)) };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let mut lines = Vec::new();
    for (load, must, aim) in LOADS {
        let mut all: BTreeMap<&str, Vec<(Shown, Shown)>> = BTreeMap::new();
        let mut absent = BTreeMap::new();
        for number in 0..rounds {
            let mut raw = None;
            for engine in ENGINES.into_iter().filter(|engine| is_sensible(engine, load)) {
                if absent.contains_key(engine) {
                    continue;
                }
                let shown = match round(engine, load, folder, &runtime, length) {
                    Ok(shown) => shown,
                    Err(error) if engine == "raw" || engine == "regatta" => return Err(error),
                    Err(error) => {
                        eprintln!("{engine}: left out: {error}");
                        absent.insert(engine, error.to_string());
                        continue;
                    }
                };
                let Shown { per_second, p50_ms, p99_ms } = shown;
                eprintln!("{} {engine}: {per_second:.0}/s, p50 {p50_ms:.2} ms, p99 {p99_ms:.2} ms", load.shown());
                rows.add(&json!({
                    "bench": "acks", "load": load.shown(), "round": number, "engine": engine,
                    "per_second": per_second, "p50_ms": p50_ms, "p99_ms": p99_ms,
                }))?;
                let raw = *raw.get_or_insert(shown);
                all.entry(engine).or_default().push((shown, raw));
            }
        }
        lines.extend(lines_of(load, must, aim, &all));
    }
    Ok(lines)
}

fn against(rounds: &[(Shown, Shown)], of: impl Fn(&Shown) -> f64) -> f64 {
    median(&rounds.iter().map(|(shown, raw)| of(shown) / of(raw)).collect::<Vec<_>>())
}

fn lines_of(load: Load, must: &'static str, aim: &'static str, all: &BTreeMap<&str, Vec<(Shown, Shown)>>) -> Vec<Line> {
    let mut lines = Vec::new();
    for engine in ENGINES {
        let Some(rounds) = all.get(engine) else { continue };
        let rate = median(&rounds.iter().map(|(shown, _)| shown.per_second).collect::<Vec<_>>());
        let acks = against(rounds, |shown| shown.per_second);
        let p99 = against(rounds, |shown| shown.p99_ms);
        let is_ours = engine == "regatta";
        lines.push(Line {
            what: format!("durable acks, {}, {engine}", load.shown()),
            must: if is_ours { must } else { "–" },
            aim: if is_ours { aim } else { "–" },
            measured: format!("{acks:.2}x raw ({rate:.0}/s)"),
        });
        if engine != "raw" {
            lines.push(Line {
                what: format!("ack p99, {}, {engine}", load.shown()),
                must: if is_ours { "3x raw" } else { "–" },
                aim: if is_ours { "1.5x" } else { "–" },
                measured: format!("{p99:.2}x raw"),
            });
        }
    }
    lines
}
