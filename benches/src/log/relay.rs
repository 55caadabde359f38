//! How fast the relay brings a log to JetStream, from an empty stream to the last acknowledgement, against a plain
//! publisher of the same bytes with as many acknowledgements under way.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use regatta_core::bus::nats::{Relay, Server};
use regatta_core::log::install_id;
use regatta_core::{DurableLog, Log as _, SystemClock};
use serde_json::json;

use super::Line;
use super::ours::Ours;
use super::peers::{Durable, Jetstream};
use crate::Outcome;
use crate::rows::{Rows, median};

const PAYLOAD_BYTES: usize = 250;
/// Acknowledgements the plain publisher waits for at once.
const WINDOW: usize = 4_096;

/// The relay's rate, in events per second.
async fn relay(log: &DurableLog, server: &Jetstream, events: u64) -> Outcome<f64> {
    let install = install_id(log.dir(), &SystemClock)?;
    let server = Server { url: server.url().to_owned(), ..Server::default() };
    let (relay, mut state) = Relay::new(log.clone(), install, server)?;
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let began = Instant::now();
    let relaying = tokio::spawn(relay.run(async move { drop(stopped.await) }));
    let ended = state.wait_for(|state| state.acked == log.head() || state.last_error.is_some()).await?.clone();
    let elapsed = began.elapsed().as_secs_f64();
    drop(stop);
    relaying.await?;
    match ended.last_error {
        Some(error) => Err(error.into()),
        None => Ok(super::rate(events, elapsed)),
    }
}

/// What a program without a log of its own would do.
async fn publish(server: &Jetstream, events: u64) -> Outcome<f64> {
    let context = server.with_stream().await?;
    let records = super::peers::records(PAYLOAD_BYTES);
    let began = Instant::now();
    let mut pending = VecDeque::new();
    for n in 0..events {
        pending.push_back(context.publish(format!("events.{}", n % 64), records.next()?.clone()).await?);
        if pending.len() >= WINDOW
            && let Some(first) = pending.pop_front()
        {
            first.await?;
        }
    }
    for acknowledged in pending {
        acknowledged.await?;
    }
    Ok(super::rate(events, began.elapsed().as_secs_f64()))
}

pub(crate) fn measure(folder: &Path, is_quick: bool, rows: &mut Rows) -> Outcome<Vec<Line>> {
    let (rounds, events) = if is_quick { (1, 50_000) } else { (3, 400_000) };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let (mut relayed, mut published) = (Vec::new(), Vec::new());
    for number in 0..rounds {
        for who in ["relay", "publisher"] {
            let dir = tempfile::tempdir_in(folder)?;
            let rate = runtime.block_on(async {
                let server = Jetstream::serve(dir.path(), Durable::AsItComes).await?;
                if who == "publisher" {
                    return publish(&server, events).await;
                }
                let ours = Arc::new(Ours::open(dir.path(), 64, PAYLOAD_BYTES)?);
                ours.fill(events).await?;
                relay(&ours.log, &server, events).await
            })?;
            eprintln!("{who}: {rate:.0} events/s");
            rows.add(&json!({ "bench": "relay", "round": number, "who": who, "events": events, "per_second": rate }))?;
            if who == "relay" { relayed.push(rate) } else { published.push(rate) }
        }
    }
    let line = |what: &str, must, aim, rates: &[f64]| Line {
        what: what.to_owned(),
        must,
        aim,
        measured: format!("{:.0} events/s", median(rates)),
    };
    Ok(vec![
        line("relay to JetStream, sustained", "40,000 events/s", "100,000 events/s", &relayed),
        line("a plain publisher of the same bytes", "–", "–", &published),
    ])
}
