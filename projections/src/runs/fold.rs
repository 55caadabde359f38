//! How facts become runs. Where a run stands is not stored but derived from what was heard.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use regatta_core::event::AttemptEvent;
use regatta_core::event::delivery::DeliveryEvent;
use regatta_core::event::run::{Entry, Requested, RunEvent, RunOutcome};
use regatta_core::{Actor, AttemptId, Envelope, Event, RunId, Seq, Slot};
use serde::{Deserialize, Serialize};

use super::{CancelView, DeliveryState, DeliveryView, RunRow, VERDICTS_REPLACED_MAX, VerdictView};
use crate::attempts::AttemptState;
use crate::projection::{Fact, Fold, Stray, Subject};
use crate::shelf::Shelf;

/// Every run there ever was. Those long over are packed; the list has their rows.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Runs {
    pub(super) runs: Shelf<Kept>,
    /// Rows of the packed ones.
    pub(super) rows: BTreeMap<RunId, Arc<RunRow>>,
    /// Oldest first.
    pub(super) order: Vec<RunId>,
}

/// One run, as it is remembered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Kept {
    pub(super) requested: Requested,
    pub(super) requested_at_us: u64,
    pub(super) requested_seq: Seq,
    pub(super) by: Actor,
    pub(super) prepared: Option<KeptPrepared>,
    /// Those that were put together of others, in the slots behind those asked for.
    pub(super) added: Vec<Entry>,
    pub(super) attempts: BTreeMap<Slot, AttemptState>,
    /// Those whose end the run itself recorded.
    pub(super) ended: BTreeSet<Slot>,
    pub(super) cancel: Option<CancelView>,
    pub(super) verdict: Option<VerdictView>,
    pub(super) verdicts_replaced: Vec<VerdictView>,
    pub(super) deliveries: Vec<DeliveryView>,
    pub(super) finished: Option<KeptEnd>,
    pub(super) last_seq: Seq,
    pub(super) last_event_at_us: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct KeptPrepared {
    pub(super) base_commit: String,
    pub(super) at_us: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct KeptEnd {
    pub(super) outcome: RunOutcome,
    pub(super) at_us: u64,
}

impl Fold for Runs {
    fn fold(&mut self, fact: &Fact<'_>) -> Result<(), Stray> {
        let envelope = fact.envelope;
        if let (Event::Run(RunEvent::Requested(requested)), Subject::Run(run)) = (fact.event, fact.subject) {
            if !self.runs.insert(run, Kept::begun(requested, envelope)) {
                self.order.push(run);
            }
            return Ok(());
        }
        let Some(run) = fact.subject.run() else { return Ok(()) };
        let Some(kept) = self.runs.get_mut(run) else {
            // A sandbox whose run this log does not know may be reaped; what cannot be read is not judged.
            return if matches!(fact.event, Event::Sandbox(_) | Event::Unknown { .. }) { Ok(()) } else { Err(Stray) };
        };
        kept.last_seq = envelope.seq;
        kept.last_event_at_us = envelope.at_us;
        match (fact.event, fact.subject) {
            (Event::Run(event), Subject::Run(_)) => kept.fold(event, envelope),
            (Event::Attempt(event), Subject::Attempt(id)) => kept.fold_attempt(id.slot, event),
            (Event::Delivery(event), Subject::Run(_)) => kept.fold_delivery(event, envelope.at_us),
            (
                Event::Sandbox(_)
                | Event::Gateway(_)
                | Event::Approval(_)
                | Event::Rule(_)
                | Event::Config(_)
                | Event::User(_)
                | Event::Secret(_)
                | Event::Log(_)
                | Event::Cleaning(_)
                | Event::Unknown { .. },
                _,
            ) => {}
            (Event::Run(_) | Event::Attempt(_) | Event::Delivery(_), _) => return Err(Stray),
        }
        Ok(())
    }
}

impl Kept {
    fn begun(requested: &Requested, envelope: &Envelope) -> Self {
        Self {
            requested: requested.clone(),
            requested_at_us: envelope.at_us,
            requested_seq: envelope.seq,
            by: envelope.actor.clone(),
            prepared: None,
            added: vec![],
            attempts: BTreeMap::new(),
            ended: BTreeSet::new(),
            cancel: None,
            verdict: None,
            verdicts_replaced: vec![],
            deliveries: vec![],
            finished: None,
            last_seq: envelope.seq,
            last_event_at_us: envelope.at_us,
        }
    }

    fn fold(&mut self, event: &RunEvent, envelope: &Envelope) {
        let at_us = envelope.at_us;
        match event {
            RunEvent::Requested(_) => {}
            RunEvent::Prepared(prepared) => {
                self.prepared = Some(KeptPrepared { base_commit: prepared.base_commit.clone(), at_us });
            }
            RunEvent::AttemptEnded(ended) => {
                self.ended.insert(ended.slot);
            }
            RunEvent::Decided(decided) => {
                let verdict = VerdictView {
                    winner: decided.winner,
                    judge: decided.judge,
                    reason: decided.reason.clone(),
                    blind: decided.blind,
                    by: envelope.actor.clone(),
                    at_us,
                    seq: envelope.seq,
                };
                self.verdicts_replaced.extend(self.verdict.replace(verdict));
                let excess = self.verdicts_replaced.len().saturating_sub(VERDICTS_REPLACED_MAX);
                self.verdicts_replaced.drain(..excess);
                self.finished = None;
            }
            RunEvent::CancelRequested(cancel) => {
                let by = envelope.actor.clone();
                self.cancel = Some(CancelView { reason: cancel.reason.clone(), by, at_us });
            }
            RunEvent::Finished(finished) => self.finished = Some(KeptEnd { outcome: finished.outcome.clone(), at_us }),
            RunEvent::SynthesisRequested(synthesis) => {
                // Whoever goes on with a run that was stopped has changed their mind.
                if self.finished.take().is_some() {
                    self.cancel = None;
                }
                self.added.push(synthesis.entry.clone());
            }
            RunEvent::AttemptDiscarded(_) | RunEvent::DiscardUndone(_) => {}
        }
    }

    fn fold_attempt(&mut self, slot: Slot, event: &AttemptEvent) {
        // Output comes by far the most often and never changes where an attempt stands.
        if !matches!(event, AttemptEvent::Output(_)) {
            self.attempts.entry(slot).or_insert(AttemptState::Queued { reason: None }).evolve(event);
        }
    }

    fn fold_delivery(&mut self, event: &DeliveryEvent, at_us: u64) {
        let (attempt, branch, state) = match event {
            DeliveryEvent::Intended(intended) => (intended.attempt, &intended.branch, DeliveryState::Intended),
            DeliveryEvent::Delivered(delivered) => {
                let commit = delivered.commit.clone();
                (delivered.attempt, &delivered.branch, DeliveryState::Delivered { commit })
            }
            DeliveryEvent::Failed(failed) => {
                let reason = failed.reason.clone();
                (failed.attempt, &failed.branch, DeliveryState::Failed { reason })
            }
        };
        let delivery = DeliveryView { attempt, branch: branch.clone(), state, at_us };
        match self.deliveries.iter_mut().find(|known| known.attempt == attempt) {
            Some(known) => *known = delivery,
            None => self.deliveries.push(delivery),
        }
    }

    /// Whether the latest try to deliver that attempt is over.
    pub(super) fn is_delivery_over(&self, attempt: AttemptId) -> bool {
        let delivery = self.deliveries.iter().find(|delivery| delivery.attempt == attempt);
        delivery.is_some_and(|delivery| delivery.state != DeliveryState::Intended)
    }
}
