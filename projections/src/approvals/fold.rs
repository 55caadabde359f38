//! How facts about questions become what is shown of them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use regatta_core::event::approval::{ApprovalEvent, Requested};
use regatta_core::{ApprovalId, Envelope, Event};
use serde::{Deserialize, Serialize};

use super::{ApprovalState, ApprovalView};
use crate::projection::{Fact, Fold, Stray};

/// Questions that are over and still shown.
const OVER_MAX: usize = 500;

/// What agents ask people.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Approvals {
    pub(super) known: BTreeMap<ApprovalId, ApprovalView>,
    pub(super) open: BTreeSet<ApprovalId>,
    /// The oldest first.
    pub(super) over: VecDeque<ApprovalId>,
}

impl Fold for Approvals {
    fn fold(&mut self, fact: &Fact<'_>) -> Result<(), Stray> {
        let Event::Approval(event) = fact.event else { return Ok(()) };
        if let ApprovalEvent::Requested(requested) = event {
            self.open.insert(requested.approval.clone());
            self.known.insert(requested.approval.clone(), asked(requested));
            return Ok(());
        }
        let id = event.approval();
        // One that was asked before the log begins, or so long ago that it is not shown any more.
        let Some(view) = self.known.get_mut(id) else { return Ok(()) };
        change(view, event, fact.envelope);
        let is_over = !matches!(view.state, ApprovalState::Open | ApprovalState::Answering);
        if is_over && self.open.remove(id) {
            self.over.push_back(id.clone());
        }
        while self.over.len() > OVER_MAX {
            let oldest = self.over.pop_front();
            oldest.map(|oldest| self.known.remove(&oldest));
        }
        Ok(())
    }
}

fn asked(requested: &Requested) -> ApprovalView {
    ApprovalView {
        id: requested.approval.clone(),
        gateway: requested.approval.gateway.clone(),
        state: ApprovalState::Open,
        question: requested.question.clone(),
        decisions: requested.decisions.clone(),
        asked_at_us: requested.asked_at_ms.saturating_mul(1_000),
        expires_at_us: requested.expires_at_ms.saturating_mul(1_000),
        decision: None,
        by: None,
        note: None,
        settled_at_us: None,
        reason: None,
        boot_id: requested.boot_id.clone(),
        is_reconstructed: requested.is_reconstructed,
    }
}

fn change(view: &mut ApprovalView, event: &ApprovalEvent, envelope: &Envelope) {
    match event {
        ApprovalEvent::Requested(_) => {}
        ApprovalEvent::Answered(answered) => {
            view.state = ApprovalState::Answering;
            view.decision = Some(answered.decision);
            view.by = Some(envelope.actor.as_str().to_owned());
            view.note = Some(answered.note.clone()).filter(|note| !note.is_empty());
            (view.settled_at_us, view.reason) = (Some(envelope.at_us), None);
        }
        ApprovalEvent::AnswerFailed(failed) => {
            view.state = ApprovalState::Open;
            (view.decision, view.by, view.note, view.settled_at_us) = (None, None, None, None);
            view.reason = Some(failed.reason.clone());
        }
        ApprovalEvent::Resolved(resolved) => {
            view.state = ApprovalState::Resolved;
            view.note = view.note.take().filter(|_| view.by.as_ref() == Some(&resolved.by));
            (view.decision, view.by) = (Some(resolved.decision), Some(resolved.by.clone()));
            (view.settled_at_us, view.reason) = (Some(envelope.at_us), None);
        }
        ApprovalEvent::Expired(_) => {
            view.state = ApprovalState::Expired;
            (view.decision, view.by, view.settled_at_us) = (None, None, Some(envelope.at_us));
        }
        ApprovalEvent::Cancelled(cancelled) => {
            view.state = ApprovalState::Cancelled;
            (view.decision, view.by, view.settled_at_us) = (None, None, Some(envelope.at_us));
            view.reason = Some(cancelled.reason.clone());
        }
    }
}
