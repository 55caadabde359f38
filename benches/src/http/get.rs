//! A run by its id, 500 times a second, with a million events in the log; beside it a bare server with the same bytes.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::load::{Load, drive};
use super::peer::Peer;
use super::wire::Wire;
use crate::Outcome;
use crate::place::Place;
use crate::rows::{Line, Rows, median, percentile};
use crate::server::Server;

/// Runs asked for in turn.
const RUNS: usize = 50;

pub(crate) async fn measure(regatta: &Path, is_quick: bool, rows: &mut Rows) -> Outcome<Vec<Line>> {
    let (rounds, events, seconds) = if is_quick { (2, "100000", 3) } else { (5, "1000000", 10) };
    let folder = Server::folder_for_bench()?;
    fill(&folder.path().join("data"), events)?;
    let server = Server::start_in(regatta, folder).map_err(|error| error.to_string())?;
    let place = Place::of(&server)?;
    let mut wire = Wire::open(&place).await?;
    let (_, listed) = wire.ask("GET", &format!("/api/v1/runs?limit={RUNS}"), "").await?;
    let listed: Value = serde_json::from_slice(&listed)?;
    let ids = listed.get("rows").and_then(Value::as_array).into_iter().flatten();
    let ids = ids.filter_map(|row| row.get("id").and_then(Value::as_str));
    let paths: Vec<String> = ids.map(|id| format!("/api/v1/runs/{id}")).collect();
    let first = paths.first().ok_or("there are no runs")?;
    let (_, body) = wire.ask("GET", first, "").await?;
    let peer = Peer::start(&body)?;
    let load = Load { per_second: 500, seconds };
    let (mut ours, mut peers) = (Vec::new(), Vec::new());
    for round in 0..=rounds {
        let took = drive(&place, &paths, load).await?;
        let bare = drive(&peer.place, &["/bytes".to_owned()], load).await?;
        let (p50, p99) = (median(&took), percentile(&took, 0.99));
        let (bare_p50, bare_p99) = (median(&bare), percentile(&bare, 0.99));
        rows.add(&json!({"bench": "get", "round": round, "bytes": body.len(), "requests": took.len(), "p50_ms": p50,
            "p99_ms": p99, "bare_p50_ms": bare_p50, "bare_p99_ms": bare_p99}))?;
        // The first round warms the caches of both.
        if round > 0 {
            ours.push((p50, p99));
            peers.push((bare_p50, bare_p99));
        }
    }
    let middle = |all: &[(f64, f64)], of: fn(&(f64, f64)) -> f64| median(&all.iter().map(of).collect::<Vec<_>>());
    let worst = ours.iter().map(|(_, p99)| *p99).fold(0.0, f64::max);
    let (p50, p99) = (middle(&ours, |round| round.0), middle(&ours, |round| round.1));
    let (bare_p50, bare_p99) = (middle(&peers, |round| round.0), middle(&peers, |round| round.1));
    Ok(vec![
        Line {
            what: format!(
                "GET a run by id, 500/s, {events} events in the log, p99 (p50 {p50:.2} ms, worst round {worst:.1} ms)"
            ),
            must: "10 ms",
            measured: format!("{p99:.2} ms"),
        },
        Line {
            what: format!("a bare server with the same {} bytes, p99 (p50 {bare_p50:.2} ms)", body.len()),
            must: "–",
            measured: format!("{bare_p99:.2} ms"),
        },
    ])
}

/// Fills a log with whole legal runs: the example `rebuild` of the projections, built beside this program.
fn fill(data: &Path, events: &str) -> Outcome<()> {
    let own = std::env::current_exe()?;
    let program = own.parent().ok_or("this program is nowhere")?.join("examples/rebuild");
    let place = data.to_str().ok_or("the folder's name is not text")?;
    let status = Command::new(&program).args(["fill", place, events]).stdout(Stdio::null()).status();
    match status.map_err(|error| format!("failed to run {}: {error}", program.display()))? {
        status if status.success() => Ok(()),
        status => Err(format!("the log was not filled: {status}").into()),
    }
}
