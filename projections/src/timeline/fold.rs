//! How facts become lines and lanes. Lines are kept up to a maximum, the newest; the log has all of them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use regatta_core::event::RunEvent;
use regatta_core::{Event, RunId, Seq};
use serde::{Deserialize, Serialize};

use super::TimelineEntry;
use super::entry::entry;
use super::lanes::Lanes;
use crate::projection::{Fact, Fold, Stray, Subject};
use crate::shelf::Shelf;

/// Most entries kept in memory; older ones are read from the log.
pub const ENTRIES_KEPT_MAX: usize = 20_000;

/// The newest lines, and the lanes of every run.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Timeline {
    /// In the order of their positions.
    pub(super) entries: VecDeque<Arc<TimelineEntry>>,
    /// Positions of the kept entries of each run.
    pub(super) by_run: BTreeMap<RunId, VecDeque<Seq>>,
    /// Entries before this position were dropped.
    pub(super) kept_from: Seq,
    pub(super) lanes: Shelf<Lanes>,
}

impl Fold for Timeline {
    fn fold(&mut self, fact: &Fact<'_>) -> Result<(), Stray> {
        if !fact.envelope.kind.is_raw() {
            self.keep(entry(fact.envelope, fact.event, fact.subject));
        }
        self.fold_lanes(fact)
    }
}

impl Timeline {
    /// Packs the lanes of a run.
    pub(crate) fn pack(&mut self, run: RunId) {
        self.lanes.pack(run);
    }

    fn keep(&mut self, entry: TimelineEntry) {
        if let Some(run) = entry.run {
            self.by_run.entry(run).or_default().push_back(entry.seq);
        }
        self.entries.push_back(Arc::new(entry));
        if self.entries.len() > ENTRIES_KEPT_MAX {
            self.drop_oldest();
        }
    }

    fn drop_oldest(&mut self) {
        let Some(oldest) = self.entries.pop_front() else { return };
        self.kept_from = oldest.seq.next();
        let Some(run) = oldest.run else { return };
        if let Some(positions) = self.by_run.get_mut(&run) {
            positions.pop_front();
            if positions.is_empty() {
                self.by_run.remove(&run);
            }
        }
    }

    fn fold_lanes(&mut self, fact: &Fact<'_>) -> Result<(), Stray> {
        let (seq, at_us) = (fact.envelope.seq, fact.envelope.at_us);
        if let (Event::Run(RunEvent::Requested(_)), Subject::Run(run)) = (fact.event, fact.subject) {
            self.lanes.insert(run, Lanes::begun(fact.envelope));
        } else if let (Event::Run(event), Subject::Run(run)) = (fact.event, fact.subject) {
            self.lanes.get_mut(run).ok_or(Stray)?.fold_run(event, seq, at_us);
        } else if let (Event::Attempt(event), Subject::Attempt(id)) = (fact.event, fact.subject) {
            self.lanes.get_mut(id.run).ok_or(Stray)?.fold_attempt(id.slot, event, seq, at_us);
        } else if let (Event::Delivery(event), Subject::Run(run)) = (fact.event, fact.subject) {
            self.lanes.get_mut(run).ok_or(Stray)?.fold_delivery(event, seq, at_us);
        }
        Ok(())
    }
}
