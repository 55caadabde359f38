//! How fast the relay brings a log to JetStream, from an empty stream to the last acknowledgement, and how long the way
//! back takes. `cargo run --release -p regatta-core --features nats --example relay URL [events] [payload bytes] [folder]`.
//! The server must have no stream REGATTA_EVENTS yet, or one without events of other installs.

#![expect(clippy::print_stdout, reason = "a program for a terminal")]

use std::collections::VecDeque;
use std::path::Path;
use std::time::Instant;

use regatta_core::bus::nats::{Relay, Server, restore};
use regatta_core::log::{Options, install_id};
use regatta_core::{Actor, Append, Clock as _, Draft, DurableLog, Expect, Kind, Log as _, Stream, SystemClock};

const ROUNDS: usize = 3;
/// Appends under way while the log is filled.
const WINDOW: usize = 2_048;
type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

async fn fill(log: &DurableLog, events: u64, bytes: usize) -> Outcome<()> {
    let payload = bytes::Bytes::from(format!("{:?}", "x".repeat(bytes.saturating_sub(2))));
    let mut pending = VecDeque::new();
    for n in 0..events {
        let event = Draft {
            id: SystemClock.event_id(),
            kind: Kind::RUN_DECIDED,
            version: 1,
            at_us: SystemClock.now_us(),
            actor: Actor::regatta(),
            cause: None,
            correlation: uuid::Uuid::nil(),
            dedup: None,
            payload: payload.clone(),
        };
        let stream = Stream::try_from(format!("run/{}", n % 64).as_str())?;
        pending.push_back(log.submit(Append { stream, expect: Expect::Any, events: vec![event] }));
        if pending.len() >= WINDOW
            && let Some(first) = pending.pop_front()
        {
            first.await??;
        }
    }
    for appended in pending {
        appended.await??;
    }
    Ok(())
}

async fn round(dir: &Path, server: &Server, events: u64, bytes: usize) -> Outcome<(f64, f64)> {
    let log = DurableLog::open(Options::new(dir.join("log")))?;
    fill(&log, events, bytes).await?;
    let install = install_id(log.dir(), &SystemClock)?;
    let (relay, mut state) = Relay::new(log.clone(), install.clone(), server.clone())?;
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let began = Instant::now();
    let relaying = tokio::spawn(relay.run(async move { drop(stopped.await) }));
    let caught_up = state.wait_for(|state| state.acked == log.head() || state.last_error.is_some()).await?;
    if let Some(error) = &caught_up.last_error {
        return Err(error.clone().into());
    }
    drop(caught_up);
    let relayed = events as f64 / began.elapsed().as_secs_f64();
    drop(stop);
    relaying.await?;
    let began = Instant::now();
    let restored = restore(server, Some(install), Options::new(dir.join("restored"))).await?;
    if restored.moved.events != events {
        return Err(format!("{} of {events} came back", restored.moved.events).into());
    }
    Ok((relayed, events as f64 / began.elapsed().as_secs_f64()))
}

fn main() -> Outcome<()> {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().ok_or("say which server: nats://127.0.0.1:4222")?;
    let events = arguments.next().map_or(Ok(400_000), |text| text.parse())?;
    let bytes = arguments.next().map_or(Ok(250), |text| text.parse())?;
    let folder = arguments.next().unwrap_or_else(|| ".".to_owned());
    let server = Server { url, ..Server::default() };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    println!("{events} events of {bytes} B, {}", server.shown());
    let mut rates = Vec::new();
    for number in 0..ROUNDS {
        let dir = tempfile::tempdir_in(&folder)?;
        let (relayed, restored) = runtime.block_on(round(dir.path(), &server, events, bytes))?;
        println!("{number}: relayed {relayed:>9.0} events/s   restored {restored:>9.0} events/s");
        rates.push(relayed);
    }
    rates.sort_by(f64::total_cmp);
    println!("median: relayed {:.0} events/s", rates.get(rates.len() / 2).copied().unwrap_or_default());
    Ok(())
}
