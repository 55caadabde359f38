//! From a durable commit to sixteen subscribers that tail the log by cursor.

use std::path::Path;

use serde_json::json;

use super::Line;
use super::ours::commit_to_subscriber;
use crate::Outcome;
use crate::rows::{Rows, median, percentile};

const SUBSCRIBERS: usize = 16;

pub(crate) fn measure(folder: &Path, is_quick: bool, rows: &mut Rows) -> Outcome<Line> {
    let (rounds, events) = if is_quick { (1, 1_000) } else { (5, 10_000) };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let (mut middles, mut tails) = (Vec::new(), Vec::new());
    for number in 0..rounds {
        let dir = tempfile::tempdir_in(folder)?;
        let took = runtime.block_on(commit_to_subscriber(dir.path(), SUBSCRIBERS, events))?;
        let (p50, p99) = (median(&took), percentile(&took, 0.99));
        rows.add(&json!({ "bench": "subscribers", "round": number, "events": events, "p50_ms": p50, "p99_ms": p99 }))?;
        middles.push(p50);
        tails.push(p99);
    }
    Ok(Line {
        what: format!("commit to subscriber, {SUBSCRIBERS} subscribers, p99 (p50 {:.2} ms)", median(&middles)),
        must: "2 ms",
        aim: "0.5 ms",
        measured: format!("{:.2} ms", median(&tails)),
    })
}
