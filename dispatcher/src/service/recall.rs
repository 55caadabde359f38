//! What the log says is under way: folded from durable facts alone, put down now and then as a snapshot, and taken up
//! from it at a start, so that a start reads what came after it and not the whole log. Decides nothing; the same facts
//! give the same recall, from a snapshot or from the beginning.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use regatta_core::event::{AttemptEvent, RunEvent};
use regatta_core::log::snapshots::{Kind, Place};
use regatta_core::log::{ReadMax, Snapshots};
use regatta_core::{AttemptId, Envelope, Event, Log, RunId, SandboxKey, Seq, Slot, Stream};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::held::Held;
use crate::executor::Fatal;

/// What snapshots of it are called. A new meaning or shape of [`Held`] or of what is in it is a new version.
const KIND: Kind = Kind { name: "dispatcher", version: 6 };
/// Events after which a snapshot is written.
const SNAPSHOT_EVENTS: u64 = 100_000;
/// Time after which a snapshot is written when anything happened.
const SNAPSHOT_EVERY: Duration = Duration::from_secs(300);
/// One event, whatever it says.
const ONE: ReadMax = ReadMax { events: 1, bytes: 0 };

/// Every run for which something is still to be done, as of one position.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Recall {
    seq: Seq,
    races: BTreeMap<RunId, Held>,
}

impl Recall {
    /// Folds the log from its beginning.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn fold(log: &dyn Log) -> Result<Self, Fatal> {
        let mut recall = Self::default();
        recall.advance(log)?;
        Ok(recall)
    }

    /// Takes up the newest snapshot that can be used, and folds what came after it.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn resume(log: &dyn Log, snapshots: &Snapshots) -> Result<Self, Fatal> {
        let read = |bytes: &[u8]| serde_json::from_slice::<Self>(bytes).map_err(|error| error.to_string());
        let found = snapshots.newest(log, KIND, log.head(), read);
        let mut recall = found.map(|(_, recall)| recall).unwrap_or_default();
        let from = recall.seq;
        recall.advance(log)?;
        tracing::info!(runs = recall.races.len(), %from, head = %recall.seq, "runs under way taken up");
        Ok(recall)
    }

    /// Folds up to the end of the log.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn advance(&mut self, log: &dyn Log) -> Result<(), Fatal> {
        // Nothing that is under way was removed.
        self.seq = self.seq.max(Seq(log.first().0.saturating_sub(1)));
        loop {
            // What gateways say is about no run.
            let skip = [regatta_core::Kind::GATEWAY_FRAME];
            let batch = log.read_skipping(self.seq.next(), ReadMax::default(), &skip).map_err(unreadable)?;
            let Some(last) = batch.last() else { return Ok(()) };
            // Runs that were over and are taken up again are in their own streams.
            let until = last.seq;
            let mut whole = BTreeSet::new();
            for envelope in &batch {
                let Some((run, slot)) = whose(&envelope.stream) else { continue };
                if !self.races.contains_key(&run) && !begins(envelope) && !is_output(&envelope.stream) {
                    // One whose beginning was removed is over, whatever else is told of it here.
                    if let Found::Whole(held) = load(log, run, until)? {
                        self.races.insert(run, *held);
                        whole.insert(run);
                    }
                }
                if !whole.contains(&run) {
                    take(&mut self.races, envelope, (run, slot))?;
                }
            }
            self.seq = until;
            self.races.retain(|_, held| !held.race.is_quiet());
        }
    }

    /// Keeps a snapshot.
    ///
    /// # Errors
    /// When the log cannot be read or the disk fails.
    pub fn keep(&self, log: &dyn Log, snapshots: &Snapshots) -> Result<(), Fatal> {
        let last = log.read(self.seq, ReadMax { events: 1, bytes: 0 }).map_err(unreadable)?;
        let Some(last) = last.first().filter(|last| last.seq == self.seq) else { return Ok(()) };
        let kept = serde_json::to_vec(self).map_err(std::io::Error::other);
        kept.and_then(|bytes| snapshots.keep(KIND, Place::of(last), &bytes))
            .map_err(|error| Fatal(format!("failed to keep a snapshot: {error}")))
    }

    /// The runs.
    pub(super) fn races(&self) -> BTreeMap<RunId, Held> {
        self.races.clone()
    }

    /// Follows the log and keeps snapshots, until told to stop; then keeps a last one. A snapshot that cannot be kept
    /// only makes the next start longer.
    pub(super) async fn run(mut self, log: Arc<dyn Log>, snapshots: Snapshots, stop: CancellationToken) {
        let mut head = log.watch();
        let mut kept = snapshots.reach(KIND.name).unwrap_or_default();
        loop {
            let due = Seq(kept.0.saturating_add(SNAPSHOT_EVENTS));
            let is_over = tokio::select! {
                biased;
                () = stop.cancelled() => true,
                reached = head.wait_for(|head| *head >= due) => reached.is_err(),
                () = tokio::time::sleep(SNAPSHOT_EVERY) => false,
            };
            if log.head() > kept {
                let (log, snapshots) = (Arc::clone(&log), snapshots.clone());
                let advanced = tokio::task::spawn_blocking(move || {
                    let done = self.advance(&*log).and_then(|()| self.keep(&*log, &snapshots));
                    (self, done)
                });
                let Ok((recall, done)) = advanced.await else { return };
                self = recall;
                kept = self.seq;
                if let Err(error) = done {
                    tracing::warn!(%error, "snapshot of the runs under way was not kept; the next start takes longer");
                }
            }
            if is_over {
                return;
            }
        }
    }
}

/// What the log has of a run.
pub(super) enum Found {
    /// There is no such run.
    Nothing,
    /// There was one, and its beginning was removed from the log.
    Archived,
    /// All of it.
    Whole(Box<Held>),
}

/// The state of a run as its own streams have it up to a position. What attempts that are over printed is not read.
pub(super) fn load(log: &dyn Log, run: RunId, until: Seq) -> Result<Found, Fatal> {
    let own = Stream::run(run);
    let mut facts = stream(log, &own, until)?;
    let Some(first) = facts.first() else {
        // One that begins after the position is not there yet.
        let is_archived = log.first() > Seq(1)
            && log.stream_head(&own).map_err(unreadable)? > 0
            && log.read_stream(&own, 1, ONE).map_err(unreadable)?.is_empty();
        return Ok(if is_archived { Found::Archived } else { Found::Nothing });
    };
    if first.stream_seq > 1 {
        return Ok(Found::Archived);
    }
    facts.extend(stream(log, &Stream::delivery(run), until)?);
    facts.extend(stream(log, &Stream::cleaning(run), until)?);
    for slot in (0..).map_while(Slot::new) {
        let attempt = AttemptId { run, slot };
        // Attempts are queued in the order of their slots.
        let own = stream(log, &Stream::attempt(attempt), until)?;
        let mut is_over = false;
        let mut leases = BTreeSet::new();
        for envelope in &own {
            let event = event(envelope)?;
            is_over |= matches!(event, Event::Attempt(AttemptEvent::Finished(_)));
            if let Event::Attempt(AttemptEvent::Started(started)) = event {
                leases.insert(started.sandbox);
            }
        }
        if own.is_empty() {
            break;
        }
        for key in &leases {
            facts.extend(stream(log, &Stream::sandbox(key), until)?);
        }
        if !is_over {
            facts.extend(stream(log, &Stream::output(attempt), until)?);
        }
        facts.extend(own);
    }
    facts.sort_unstable_by_key(|envelope| envelope.seq);
    let mut races = BTreeMap::new();
    for envelope in &facts {
        if let Some((_, slot)) = whose(&envelope.stream) {
            take(&mut races, envelope, (run, slot))?;
        }
    }
    Ok(races.remove(&run).map_or(Found::Nothing, |held| Found::Whole(Box::new(held))))
}

/// The position of a run's first fact; nothing when it is not in the log, or not yet.
pub(super) fn begins_at(log: &dyn Log, run: RunId) -> Result<Option<Seq>, Fatal> {
    let first = log.read_stream(&Stream::run(run), 1, ONE).map_err(unreadable)?;
    Ok(first.first().map(|envelope| envelope.seq))
}

fn stream(log: &dyn Log, stream: &Stream, until: Seq) -> Result<Vec<Envelope>, Fatal> {
    let mut all: Vec<Envelope> = Vec::new();
    loop {
        let from = all.last().map_or(1, |last| last.stream_seq + 1);
        let batch = log.read_stream(stream, from, ReadMax::default()).map_err(unreadable)?;
        let is_over = batch.last().is_none_or(|last| last.seq > until);
        all.extend(batch.into_iter().filter(|envelope| envelope.seq <= until));
        if is_over {
            return Ok(all);
        }
    }
}

/// Takes in a fact about a run; those about a run that is not held are passed over.
fn take(
    races: &mut BTreeMap<RunId, Held>,
    envelope: &Envelope,
    (run, slot): (RunId, Option<Slot>),
) -> Result<(), Fatal> {
    if !races.contains_key(&run) && !begins(envelope) {
        return Ok(());
    }
    let event = event(envelope)?;
    if let Event::Run(RunEvent::Requested(facts)) = &event {
        races.entry(run).or_insert_with(|| Held::new(run, facts.clone(), None));
    }
    if let Some(held) = races.get_mut(&run) {
        held.restore(envelope, &event, slot);
    }
    Ok(())
}

fn event(envelope: &Envelope) -> Result<Event, Fatal> {
    envelope.event().map_err(|error| Fatal(format!("event {}: {error}", envelope.seq)))
}

fn begins(envelope: &Envelope) -> bool {
    envelope.kind == regatta_core::Kind::RUN_REQUESTED
}

fn is_output(stream: &Stream) -> bool {
    stream.as_str().starts_with("output/")
}

/// The run a stream belongs to, and the attempt; nothing for streams that are not of a run.
fn whose(stream: &Stream) -> Option<(RunId, Option<Slot>)> {
    let (family, name) = stream.as_str().split_once('/')?;
    match family {
        "run" | "delivery" | "cleaning" => Some((name.parse().ok()?, None)),
        "attempt" | "output" => {
            let attempt: AttemptId = name.parse().ok()?;
            Some((attempt.run, Some(attempt.slot)))
        }
        "sandbox" => {
            let key: SandboxKey = name.parse().ok()?;
            Some((key.attempt.run, Some(key.attempt.slot)))
        }
        _ => None,
    }
}

fn unreadable(error: regatta_core::ReadError) -> Fatal {
    Fatal(format!("failed to read the log: {error}"))
}
