//! The run decider: one task, N attempts, one verdict, one delivery. Pure; decides from the run's own streams.
//!
//! ```text
//! Preparing ─▶ Racing ─▶ Settled        a verdict may come while racing (race), at the end (best), or from a person;
//!     │           │         │           settled and picked again: Racing with every attempt ended, until delivered
//!     └── failed  └─ cancel ┘
//! ```

mod decide;
mod judge;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use regatta_core::event::delivery::DeliveryEvent;
use regatta_core::event::run::{AttemptEnded, Decided, Requested, RunEvent, RunOutcome};
use regatta_core::{RunId, Slot};
use serde::{Deserialize, Serialize};

pub use decide::Command;

/// A run, folded from `run/…` and `delivery/…`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// Its id.
    pub id: RunId,
    /// What was asked for.
    pub facts: Requested,
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
            stage: Stage::Preparing,
            cancel: None,
            ended: BTreeMap::new(),
            verdict: None,
            deliveries: BTreeMap::new(),
        }
    }

    /// Its slots, in order.
    pub fn slots(&self) -> impl Iterator<Item = Slot> + '_ {
        (0..self.facts.attempts.len()).filter_map(Slot::new)
    }

    /// Whether every attempt came to its end.
    #[must_use]
    pub fn all_ended(&self) -> bool {
        self.ended.len() == self.facts.attempts.len()
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
}
