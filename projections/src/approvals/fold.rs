//! How facts about questions become what is shown of them.

use regatta_core::asks::{Ask, Given, Stands};
use regatta_core::{Asks, Event};
use serde::{Deserialize, Serialize};

use super::{ApprovalState, ApprovalView, EscalationView};
use crate::projection::{Fact, Fold, Stray};

/// Questions that are over and still shown.
const OVER_MAX: usize = 500;

/// What agents ask people.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Approvals {
    pub(super) asks: Asks,
}

impl Fold for Approvals {
    fn fold(&mut self, fact: &Fact<'_>) -> Result<(), Stray> {
        if let Event::Approval(event) = fact.event {
            self.asks.evolve(event, fact.envelope.actor.as_str(), fact.envelope.at_us, OVER_MAX);
        }
        Ok(())
    }
}

pub(super) fn view(ask: &Ask) -> ApprovalView {
    let Ask { requested, stands, escalated } = ask;
    let open = ApprovalView {
        id: requested.approval.clone(),
        gateway: requested.approval.gateway.clone(),
        state: ApprovalState::Open,
        attempt: requested.question.attempt(),
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
        siblings: Vec::new(),
        escalated: escalated.iter().map(|(to, failed)| EscalationView { to: *to, failed: failed.clone() }).collect(),
    };
    match stands {
        Stands::Open { failed } => ApprovalView { reason: failed.clone(), ..open },
        Stands::Given(given) => answered(open, ApprovalState::Answering, given),
        Stands::Resolved(given) => answered(open, ApprovalState::Resolved, given),
        Stands::Expired { at_us } => {
            ApprovalView { state: ApprovalState::Expired, settled_at_us: Some(*at_us), ..open }
        }
        Stands::Cancelled { reason, at_us } => ApprovalView {
            state: ApprovalState::Cancelled,
            settled_at_us: Some(*at_us),
            reason: Some(reason.clone()),
            ..open
        },
    }
}

fn answered(open: ApprovalView, state: ApprovalState, given: &Given) -> ApprovalView {
    let Given { decision, by, note, at_us } = given;
    ApprovalView {
        state,
        decision: Some(*decision),
        by: Some(by.clone()),
        note: Some(note.clone()).filter(|note| !note.is_empty()),
        settled_at_us: Some(*at_us),
        ..open
    }
}
