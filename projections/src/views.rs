//! All views together: one fold, one position. Any of them as of any position or time, from the log alone.

use std::collections::VecDeque;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

use regatta_core::event::RunEvent;
use regatta_core::{AttemptId, Envelope, Event, GatewayName, Log, ReadError, ReadMax, RunId, Seq};
use serde::{Deserialize, Serialize};

use crate::approvals::Approvals;
use crate::attempts::{AttemptView, Attempts};
use crate::compare::{Comparison, compare};
use crate::fleet::{Fleet, FleetView, InUse};
use crate::gateways::{GatewayView, Gateways, GatewaysView};
use crate::projection::{Fact, Fold, Progress, Projection, Stray, Subject};
use crate::runs::{RunView, Runs};
use crate::threads::Threads;
use crate::timeline::Timeline;
use crate::usage::Usage;

/// Runs that are over and still open; older ones are packed, and take a tenth of the memory.
pub const RUNS_ENDED_OPEN_MAX: usize = 256;

/// What is read at once of a log that is folded on and on: several bundles of a sealed segment.
const BATCH: ReadMax = ReadMax { events: 8_192, bytes: 2 << 20 };
/// Batches that wait to be folded: bounds the memory they take.
const BATCHES_AHEAD: usize = 1;

/// Everything people look at, as of one position.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Views {
    progress: Progress,
    /// Runs that were over lately and are still open, in the order in which they ended.
    ended: VecDeque<RunId>,
    /// Runs: a list, and one by one.
    pub runs: Runs,
    /// Attempts, one by one.
    pub attempts: Attempts,
    /// What happened and how long it took.
    pub timeline: Timeline,
    /// Where attempts run and who waits.
    pub fleet: Fleet,
    /// Gateways and how the connection to each fares.
    pub gateways: Gateways,
    /// What agents of gateways ask people.
    pub approvals: Approvals,
    /// Conversations of gateways.
    pub threads: Threads,
    /// What was used and what it cost.
    pub usage: Usage,
}

impl Projection for Views {
    const NAME: &'static str = "views";
    const VERSION: u32 = 12;

    fn apply(&mut self, envelope: &Envelope) {
        if !self.progress.advance(envelope) {
            return;
        }
        match envelope.event() {
            Ok(event) => {
                self.progress.unknown += u64::from(matches!(event, Event::Unknown { .. }));
                let fact = Fact { envelope, event: &event, subject: Subject::of(&envelope.stream) };
                self.open(&fact);
                if self.fold(&fact) == Err(Stray) {
                    self.progress.note_stray(envelope);
                }
                self.pack(&fact);
            }
            Err(error) => self.progress.note_fault(&error),
        }
    }

    fn progress(&self) -> &Progress {
        &self.progress
    }
}

impl Fold for Views {
    fn fold(&mut self, fact: &Fact<'_>) -> Result<(), Stray> {
        // Each view takes what it can, also when another one calls it a stray.
        let all = [
            self.runs.fold(fact),
            self.attempts.fold(fact),
            self.timeline.fold(fact),
            self.fleet.fold(fact),
            self.gateways.fold(fact),
            self.approvals.fold(fact),
            self.threads.fold(fact),
        ];
        self.usage.take(fact, |attempt| self.attempts.get(attempt, fact.envelope.at_us));
        all.into_iter().collect()
    }
}

impl Views {
    /// Without a snapshot, views of a log whose beginning was removed hold what began after that.
    pub(crate) fn begin(&mut self, first: Seq) {
        if self.seq() == Seq(0) {
            self.progress.seq = Seq(first.0.saturating_sub(1));
        }
    }

    /// Opens the packed run that a fact is about.
    fn open(&mut self, fact: &Fact<'_>) {
        if let Some(run) = fact.subject.run().filter(|run| self.runs.is_packed(*run)) {
            self.runs.open(run);
            self.ended.push_back(run);
        }
    }

    /// Packs the run that has been over for the longest time, when another one ended.
    fn pack(&mut self, fact: &Fact<'_>) {
        if let (Event::Run(RunEvent::Finished(_)), Some(run)) = (fact.event, fact.subject.run()) {
            self.ended.push_back(run);
        }
        while self.ended.len() > RUNS_ENDED_OPEN_MAX {
            let Some(run) = self.ended.pop_front() else { break };
            if self.runs.is_over(run) {
                self.runs.pack(run);
                self.attempts.pack(run);
                self.timeline.pack(run);
            }
        }
    }

    /// One run.
    #[must_use]
    pub fn run(&self, run: RunId) -> Option<RunView> {
        self.runs.get(run)
    }

    /// One attempt, as it stands at `now_us` (microseconds since the Unix epoch).
    #[must_use]
    pub fn attempt(&self, attempt: AttemptId, now_us: u64) -> Option<AttemptView> {
        self.attempts.get(attempt, now_us)
    }

    /// The attempts of one run side by side, at `now_us`.
    #[must_use]
    pub fn compare(&self, run: RunId, now_us: u64) -> Option<Comparison> {
        let view = self.runs.get(run)?;
        Some(compare(&view, &self.attempts.of_run(run, now_us)))
    }

    /// Every provider and everybody who waits, at `now_us`.
    #[must_use]
    pub fn fleet(&self, now_us: u64) -> FleetView {
        let mut fleet = self.fleet.view(now_us);
        for sandbox in fleet.providers.iter_mut().flat_map(|provider| &mut provider.sandboxes) {
            sandbox.cost_usd_micros = self.attempts.cost(sandbox.attempt);
        }
        fleet
    }

    /// Every attempt under way, in the order of their names.
    #[must_use]
    pub fn in_use(&self) -> Vec<InUse> {
        let in_use = |(attempt, provider): (AttemptId, &str)| InUse {
            attempt,
            provider: provider.to_owned(),
            by: self.runs.asked_by(attempt.run).unwrap_or_default(),
        };
        self.fleet.leases().map(in_use).collect()
    }

    /// Every gateway.
    #[must_use]
    pub fn gateways(&self) -> GatewaysView {
        self.gateways.view(|gateway| self.approvals.open_of(gateway))
    }

    /// One gateway.
    #[must_use]
    pub fn gateway(&self, gateway: &GatewayName) -> Option<GatewayView> {
        self.gateways.get(gateway, self.approvals.open_of(gateway))
    }

    /// Reads the log from its beginning up to and including `until`, or to its end.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn rebuild(log: &dyn Log, until: Option<Seq>) -> Result<Self, ReadError> {
        let mut views = Self::default();
        views.catch_up(log, until)?;
        Ok(views)
    }

    /// As [`Self::rebuild`], as of a time: up to the last event that is not later than `at_us` (see [`seq_at`]).
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn rebuild_at(log: &dyn Log, at_us: u64) -> Result<Self, ReadError> {
        match seq_at(log, at_us)? {
            Some(seq) => Self::rebuild(log, Some(seq)),
            None => Ok(Self::default()),
        }
    }

    /// Goes on from where it stands up to and including `until`, or to the log's end: what a restored snapshot needs.
    ///
    /// # Errors
    /// When the log cannot be read; what was read before is kept.
    pub fn catch_up(&mut self, log: &dyn Log, until: Option<Seq>) -> Result<(), ReadError> {
        self.begin(log.first());
        let (from, end) = (self.seq().next(), until.unwrap_or(Seq(u64::MAX)));
        let (ahead, batches) = sync_channel(BATCHES_AHEAD);
        thread::scope(|scope| {
            scope.spawn(move || read_on(log, from, end, &ahead));
            for batch in batches {
                for envelope in batch?.iter().take_while(|envelope| envelope.seq <= end) {
                    self.apply(envelope);
                }
            }
            Ok(())
        })
    }
}

/// Reads batch after batch while the last one is folded, up to the one with `end`, to the log's end, or until nobody
/// wants them.
fn read_on(log: &dyn Log, from: Seq, end: Seq, batches: &SyncSender<Result<Vec<Envelope>, ReadError>>) {
    let mut next = from;
    while next <= end {
        let wanted = usize::try_from(end.0 - next.0).unwrap_or(usize::MAX).saturating_add(1);
        let batch = log.read(next, ReadMax { events: BATCH.events.min(wanted), ..BATCH });
        let last = batch.as_ref().ok().and_then(|batch| batch.last()).map(|last| last.seq);
        if batches.send(batch).is_err() {
            return;
        }
        let Some(last) = last else { return };
        next = last.next();
    }
}

/// The position a time stands for: that of the last event, by position, that is not later than `at_us`. When clocks
/// jumped, a few events before that position may be later. Nothing when every event is later.
///
/// # Errors
/// When the log cannot be read.
pub fn seq_at(log: &dyn Log, at_us: u64) -> Result<Option<Seq>, ReadError> {
    Ok(Some(log.seq_at(at_us)?).filter(|seq| *seq > Seq(0)))
}
