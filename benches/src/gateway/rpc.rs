//! One call after the other, of the gateway itself and through the door, in the same rounds: what the door adds.

use std::path::Path;
use std::time::Instant;

use serde_json::json;

use super::Site;
use super::client::Client;
use crate::Outcome;
use crate::rows::{Line, Rows, median, percentile};

/// A method that changes nothing, so that nothing is recorded of it.
const METHOD: &str = "health";

async fn calls(client: &mut Client, count: usize) -> Outcome<Vec<f64>> {
    let mut took = Vec::with_capacity(count);
    for _ in 0..count {
        let began = Instant::now();
        client.call(METHOD).await?;
        took.push(began.elapsed().as_secs_f64() * 1e3);
    }
    Ok(took)
}

pub(super) async fn measure(regatta: &Path, is_quick: bool, rows: &mut Rows) -> Outcome<Vec<Line>> {
    let (rounds, count) = if is_quick { (2, 200) } else { (9, 2_000) };
    let site = Site::open(regatta).await?;
    let (mut direct, mut door) = (Client::direct(&site.house.url).await?, Client::at_door(&site.place).await?);
    let mut added = [Vec::new(), Vec::new()];
    let mut whole = Vec::new();
    for round in 0..=rounds {
        let bare = calls(&mut direct, count).await?;
        let ours = calls(&mut door, count).await?;
        let figures = [median(&bare), median(&ours), percentile(&bare, 0.99), percentile(&ours, 0.99)];
        rows.add(&json!({"bench": "rpc", "round": round, "calls": count,
            "order": "p50 direct, p50 door, p99 direct, p99 door", "ms": figures}))?;
        // The first round warms the caches of both.
        if round > 0 {
            let [bare_p50, our_p50, bare_p99, our_p99] = figures;
            added[0].push(our_p50 - bare_p50);
            added[1].push(our_p99 - bare_p99);
            whole.push(our_p50);
        }
    }
    let what = |share: &str| format!("RPC through the browser door against a direct connection, {share} added");
    let whole = median(&whole);
    Ok(vec![
        Line {
            what: format!("{} (in all {whole:.2} ms)", what("p50")),
            must: "1 ms",
            measured: format!("{:.2} ms", median(&added[0])),
        },
        Line { what: what("p99"), must: "5 ms", measured: format!("{:.2} ms", median(&added[1])) },
    ])
}
