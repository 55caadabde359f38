//! The run decider: one task, N attempts, one verdict, one delivery, and what becomes of what attempts left. Pure; decides
//! from the run's own streams.
//!
//! ```text
//! Preparing ─▶ Racing ─▶ Settled        a verdict may come while racing (race), at the end (best), or from a person;
//!     │           │         │           settled and picked again: Racing with every attempt ended, until delivered
//!     └── failed  └─ cancel ┘
//! ```

mod clean;
mod decide;
mod judge;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use regatta_core::cleaning::Cleaning;
use regatta_core::event::CleaningEvent;
use regatta_core::event::delivery::DeliveryEvent;
use regatta_core::event::run::{
    AttemptEnded, Decided, Entry, Requested, RunEvent, RunOutcome, SynthesisRequested, TakenHunk,
};
use regatta_core::{BlobRef, RunId, Slot};
use serde::{Deserialize, Serialize};

pub use decide::{Command, Synthesis};

/// A run, folded from `run/…`, `delivery/…` and `cleaning/…`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// Its id.
    pub id: RunId,
    /// What was asked for.
    pub facts: Requested,
    /// Attempts that were put together of others, in the slots behind those asked for.
    pub added: Vec<Arc<SynthesisRequested>>,
    /// Attempts that were put aside.
    pub discarded: BTreeSet<Slot>,
    /// Where it stands.
    pub stage: Stage,
    /// Asked to stop: why.
    pub cancel: Option<String>,
    /// The attempts that came to their end.
    pub ended: BTreeMap<Slot, AttemptEnded>,
    /// Who won and why, as last decided.
    pub verdict: Option<Decided>,
    /// Where each attempt's delivery stands.
    pub deliveries: BTreeMap<Slot, Delivery>,
    /// What becomes of what attempts left, of those that were ever cleaned.
    pub cleanings: BTreeMap<Slot, Cleaning>,
}

/// Where a run stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stage {
    /// Its base is being pinned.
    Preparing,
    /// Its attempts are under way, or its verdict is being delivered.
    Racing,
    /// Nothing more happens unless a person picks.
    Settled(RunOutcome),
}

/// Where a delivery stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Delivery {
    /// To be tried.
    Intended,
    /// The target has it.
    Delivered,
    /// The target does not have it: why.
    Failed(String),
}

impl Run {
    /// A run as it was requested.
    #[must_use]
    pub fn requested(id: RunId, facts: Requested) -> Self {
        Self {
            id,
            facts,
            added: vec![],
            discarded: BTreeSet::new(),
            stage: Stage::Preparing,
            cancel: None,
            ended: BTreeMap::new(),
            verdict: None,
            deliveries: BTreeMap::new(),
            cleanings: BTreeMap::new(),
        }
    }

    /// Its slots, in order.
    pub fn slots(&self) -> impl Iterator<Item = Slot> + '_ {
        (0..self.attempts_count()).filter_map(Slot::new)
    }

    /// How many attempts it has, those that were put together included.
    #[must_use]
    pub fn attempts_count(&self) -> usize {
        self.facts.attempts.len() + self.added.len()
    }

    /// Who tries in that slot.
    #[must_use]
    pub fn entry(&self, slot: Slot) -> Option<&Entry> {
        self.facts.attempts.get(slot.index()).or_else(|| self.synthesis(slot).map(|synthesis| &synthesis.entry))
    }

    /// What the attempt in that slot was put together of; nothing for those that were asked for with the run.
    #[must_use]
    pub fn synthesis(&self, slot: Slot) -> Option<&Arc<SynthesisRequested>> {
        self.added.get(slot.index().checked_sub(self.facts.attempts.len())?)
    }

    /// The attempt that was put together of exactly that, and is not put aside.
    #[must_use]
    pub fn twin(&self, patch: &BlobRef, hunks: &[TakenHunk]) -> Option<Slot> {
        let is_twin = |known: &&Arc<SynthesisRequested>| known.patch == *patch && known.hunks == hunks;
        let stands = |slot: &Slot| !self.discarded.contains(slot);
        self.added.iter().filter(is_twin).map(|known| known.slot).find(stands)
    }

    /// Whether every attempt came to its end.
    #[must_use]
    pub fn all_ended(&self) -> bool {
        self.ended.len() == self.attempts_count()
    }

    /// The winner, when there is one.
    #[must_use]
    pub fn winner(&self) -> Option<Slot> {
        self.verdict.as_ref().and_then(|verdict| verdict.winner)
    }

    /// Takes in a fact of the stream `run/…`.
    pub fn evolve(&mut self, event: &RunEvent) {
        match event {
            RunEvent::Requested(facts) => *self = Self::requested(self.id, facts.clone()),
            RunEvent::Prepared(_) => self.stage = Stage::Racing,
            RunEvent::AttemptEnded(ended) => {
                self.ended.insert(ended.slot, ended.clone());
            }
            RunEvent::Decided(decided) => {
                self.verdict = Some(decided.clone());
                self.stage = Stage::Racing;
            }
            RunEvent::CancelRequested(cancel) => self.cancel = Some(cancel.reason.clone()),
            RunEvent::Finished(finished) => self.stage = Stage::Settled(finished.outcome.clone()),
            RunEvent::SynthesisRequested(synthesis) => {
                // Whoever goes on with a run that was stopped has changed their mind.
                if matches!(self.stage, Stage::Settled(_)) {
                    self.cancel = None;
                }
                self.added.push(Arc::new(synthesis.clone()));
                self.stage = Stage::Racing;
            }
            RunEvent::AttemptDiscarded(discarded) => drop(self.discarded.insert(discarded.slot)),
            RunEvent::DiscardUndone(undone) => drop(self.discarded.remove(&undone.slot)),
        }
    }

    /// Takes in a fact of the stream `delivery/…`.
    pub fn evolve_delivery(&mut self, event: &DeliveryEvent) {
        let (slot, delivery) = match event {
            DeliveryEvent::Intended(intended) => (intended.attempt.slot, Delivery::Intended),
            DeliveryEvent::Delivered(delivered) => (delivered.attempt.slot, Delivery::Delivered),
            DeliveryEvent::Failed(failed) => (failed.attempt.slot, Delivery::Failed(failed.reason.clone())),
        };
        self.deliveries.insert(slot, delivery);
    }

    /// Takes in a fact of the stream `cleaning/…`.
    pub fn evolve_cleaning(&mut self, event: &CleaningEvent) {
        self.cleanings.entry(event.attempt().slot).or_default().evolve(event);
    }
}
