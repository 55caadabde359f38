//! Regatta's log, driven through its public door: durable appends, and the way from a commit to sixteen subscribers.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use regatta_core::log::{Options, ReadMax, append};
use regatta_core::{Actor, Append, Clock as _, Draft, DurableLog, Expect, Log as _, Seq, Stream, SystemClock};
use uuid::Uuid;

use super::events::{Dice, event};
use super::load::{Engine, Turns};
use crate::Outcome;

/// The log, and a stream for each producer.
pub(crate) struct Ours {
    pub(crate) log: DurableLog,
    streams: Vec<Stream>,
    drafts: Turns<Draft>,
}

impl Ours {
    pub(crate) fn open(dir: &Path, producers: usize, payload_bytes: usize) -> Outcome<Self> {
        let log = DurableLog::open(Options::new(dir.join("log")))?;
        let streams = (0..producers).map(|producer| Stream::try_from(format!("run/{producer}").as_str()));
        let drafts = Turns::new(|n| Draft::new(&event(n, payload_bytes), &SystemClock, Actor::regatta(), Uuid::nil()));
        Ok(Self { log, streams: streams.collect::<Result<_, _>>()?, drafts })
    }

    /// Appends that many events over all streams, with many under way.
    pub(crate) async fn fill(&self, events: u64) -> Outcome<()> {
        const WINDOW: usize = 4_096;
        let mut pending = VecDeque::new();
        for (producer, stream) in self.streams.iter().enumerate().cycle().take(usize::try_from(events)?) {
            let append = Append { stream: stream.clone(), expect: Expect::Any, events: vec![self.draft(producer)?] };
            pending.push_back(self.log.submit(append));
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

    /// The next event, now, of the producer's run.
    fn draft(&self, producer: usize) -> Outcome<Draft> {
        let run = u64::try_from(producer)?;
        let correlation = Uuid::from_u64_pair(Dice(run).roll(u64::MAX), run);
        let draft = self.drafts.next()?.clone();
        Ok(Draft { id: SystemClock.event_id(), at_us: SystemClock.now_us(), correlation, ..draft })
    }
}

impl Engine for Ours {
    async fn append(&self, producer: usize) -> Outcome<()> {
        let stream = self.streams.get(producer).ok_or("more producers than streams")?.clone();
        append(&self.log, Append { stream, expect: Expect::Any, events: vec![self.draft(producer)?] }).await?;
        Ok(())
    }
}

/// Reads its way to the head whenever it is woken, until `last`; for every event, how long after its commit it was seen.
async fn follow(log: DurableLog, commits: Arc<Commits>, last: u64) -> Outcome<Vec<f64>> {
    let mut heads = log.watch();
    let mut next = Seq(1);
    let mut took = Vec::new();
    while next.0 <= last {
        heads.wait_for(|head| *head >= next).await?;
        for event in log.read(next, ReadMax::default())? {
            let seen = Instant::now();
            if let Some(at) = commits.at(event.seq) {
                took.push(seen.saturating_duration_since(at).as_secs_f64() * 1e3);
            }
            next = event.seq.next();
        }
    }
    Ok(took)
}

/// When each event was acknowledged to its producer, by sequence.
struct Commits {
    at: Vec<std::sync::OnceLock<Instant>>,
}

impl Commits {
    /// Nothing when the subscriber saw it before the producer had its answer: it was faster than the acknowledgement.
    fn at(&self, seq: Seq) -> Option<Instant> {
        self.at.get(usize::try_from(seq.0).ok()?)?.get().copied()
    }
}

/// How long after its acknowledgement each event was seen, in ms, over all subscribers. Events seen before the
/// acknowledgement count as 0.
pub(crate) async fn commit_to_subscriber(dir: &Path, subscribers: usize, events: u64) -> Outcome<Vec<f64>> {
    const PER_MS: u32 = 4;
    let ours = Ours::open(dir, 1, 250)?;
    let places = (0..=events).map(|_| std::sync::OnceLock::new()).collect();
    let commits = Arc::new(Commits { at: places });
    let following: Vec<_> =
        (0..subscribers).map(|_| tokio::spawn(follow(ours.log.clone(), commits.clone(), events))).collect();
    let mut beat = tokio::time::interval(Duration::from_millis(1));
    let mut appended = 0;
    while appended < events {
        beat.tick().await;
        for _ in 0..PER_MS {
            let stream = ours.streams.first().ok_or("no stream")?.clone();
            let next = Append { stream, expect: Expect::Any, events: vec![ours.draft(0)?] };
            let done = append(&ours.log, next).await?;
            if let Some(place) = usize::try_from(done.last.0).ok().and_then(|place| commits.at.get(place)) {
                place.set(Instant::now()).ok();
            }
            appended += 1;
            if appended == events {
                break;
            }
        }
    }
    let mut all = Vec::new();
    for subscriber in following {
        let mut took = subscriber.await??;
        let early = usize::try_from(events)?.saturating_sub(took.len());
        all.append(&mut took);
        all.extend(std::iter::repeat_n(0.0, early));
    }
    Ok(all)
}
