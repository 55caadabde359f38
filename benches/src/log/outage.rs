//! NATS killed and away for a minute while events keep coming: what its stream lacks afterwards, or holds twice.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use regatta_core::bus::nats::{Mirror, Relay, Server};
use regatta_core::log::install_id;
use regatta_core::{DurableLog, Log as _, Seq, SystemClock};
use serde_json::json;

use super::Line;
use super::load::Engine as _;
use super::ours::Ours;
use super::peers::{Durable, Jetstream};
use crate::Outcome;
use crate::rows::Rows;

const PAYLOAD_BYTES: usize = 250;
/// Before the server goes away, and after it is back.
const AROUND: Duration = Duration::from_secs(5);
const PER_MS: u32 = 4;

/// Appends until that long has passed.
async fn append_for(ours: Arc<Ours>, length: Duration) -> Outcome<()> {
    let until = Instant::now() + length;
    let mut beat = tokio::time::interval(Duration::from_millis(1));
    let mut producer = 0;
    while Instant::now() < until {
        beat.tick().await;
        for _ in 0..PER_MS {
            ours.append(producer % 64).await?;
            producer += 1;
        }
    }
    Ok(())
}

/// How often the stream holds each event.
async fn held(server: &Server) -> Outcome<BTreeMap<Seq, u64>> {
    let mirror = Mirror::connect(server).await?;
    let mut events = mirror.events(1, None).await?;
    let mut held = BTreeMap::new();
    while events.left() > 0 {
        if let Ok(event) = events.next().await? {
            *held.entry(event.envelope.seq).or_default() += 1;
        }
    }
    Ok(held)
}

/// What one outage did.
struct Shown {
    events: u64,
    missing: u64,
    doubled: u64,
    behind: u64,
    caught_up: Duration,
}

async fn survive(dir: &Path, away: Duration) -> Outcome<Shown> {
    let mut nats = Jetstream::serve(dir, Durable::AsItComes).await?;
    let ours = Arc::new(Ours::open(dir, 64, PAYLOAD_BYTES)?);
    let log: DurableLog = ours.log.clone();
    let server = Server { url: nats.url().to_owned(), ..Server::default() };
    let (relay, mut state) = Relay::new(log.clone(), install_id(log.dir(), &SystemClock)?, server.clone())?;
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let relaying = tokio::spawn(relay.run(async move { drop(stopped.await) }));
    let appending = tokio::spawn(append_for(ours, AROUND + away + AROUND));
    tokio::time::sleep(AROUND).await;
    nats.kill()?;
    tokio::time::sleep(away).await;
    let behind = state.borrow().behind();
    nats.again().await?;
    let back = Instant::now();
    appending.await??;
    state.wait_for(|state| state.connected && state.acked == log.head()).await?;
    let caught_up = back.elapsed().saturating_sub(AROUND);
    drop(stop);
    relaying.await?;
    let (events, held) = (log.head().0, held(&server).await?);
    let missing = (1..=events).filter(|seq| !held.contains_key(&Seq(*seq))).count() as u64;
    let doubled = held.values().filter(|times| **times > 1).count() as u64;
    Ok(Shown { events, missing, doubled, behind, caught_up })
}

pub(crate) fn measure(folder: &Path, is_quick: bool, rows: &mut Rows) -> Outcome<Line> {
    let away = Duration::from_secs(if is_quick { 3 } else { 60 });
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let dir = tempfile::tempdir_in(folder)?;
    let Shown { events, missing, doubled, behind, caught_up } = runtime.block_on(survive(dir.path(), away))?;
    let row = json!({
        "bench": "outage", "away_seconds": away.as_secs(), "events": events, "missing": missing, "doubled": doubled,
        "behind_when_back": behind, "caught_up_after_the_last_event_seconds": caught_up.as_secs_f64(),
    });
    eprintln!("{row}");
    rows.add(&row)?;
    Ok(Line {
        what: format!(
            "NATS away for {} s while {events} events come ({behind} waited): missing, double",
            away.as_secs()
        ),
        must: "0, 0",
        aim: "–",
        measured: format!("{missing}, {doubled}"),
    })
}
