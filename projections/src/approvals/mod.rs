//! Approvals: what agents ask people, and what became of it. The open ones, the longest waiting first, and the latest of
//! those that are over.

mod fold;
mod view;

pub use fold::Approvals;
pub use view::{ApprovalState, ApprovalView, ApprovalsView, EscalationView};

use std::cmp::Reverse;
use std::collections::BTreeMap;

use fold::view;
use regatta_core::event::approval::Common;
use regatta_core::{ApprovalId, GatewayName};

impl Approvals {
    /// Those that wait for an answer, the oldest first; with `with_over` also those that are over, the latest first.
    #[must_use]
    pub fn view(&self, with_over: bool) -> ApprovalsView {
        let mut open: Vec<ApprovalView> = self.asks.open().map(view).collect();
        let mut alike: BTreeMap<Common, Vec<ApprovalId>> = BTreeMap::new();
        for asked in open.iter().filter(|asked| asked.state == ApprovalState::Open) {
            if let Some(common) = asked.question.common() {
                alike.entry(common).or_default().push(asked.id.clone());
            }
        }
        for asked in open.iter_mut().filter(|asked| asked.state == ApprovalState::Open) {
            let all = asked.question.common().and_then(|common| alike.get(&common));
            asked.siblings = all.into_iter().flatten().filter(|id| **id != asked.id).cloned().collect();
        }
        open.sort_by(|one, other| (one.asked_at_us, &one.id).cmp(&(other.asked_at_us, &other.id)));
        let mut over: Vec<ApprovalView> = self.asks.over().filter(|_| with_over).map(view).collect();
        // What was found in a gateway's history was over before it was found.
        over.sort_by_key(|row| Reverse(row.settled_at_us));
        ApprovalsView { open, over }
    }

    /// One question.
    #[must_use]
    pub fn get(&self, id: &ApprovalId) -> Option<ApprovalView> {
        self.asks.get(id).map(view)
    }

    /// The questions that may be meant by an id, or by the beginning of one, with or without its gateway. Whether they are
    /// open makes no difference: one that was meant and is over must not be taken for another one.
    #[must_use]
    pub fn named(&self, text: &str) -> Vec<ApprovalId> {
        let exact = |id: &&ApprovalId| id.to_string() == text || id.question() == text;
        let begins = |id: &&ApprovalId| id.to_string().starts_with(text) || id.question().starts_with(text);
        let exactly: Vec<ApprovalId> = self.asks.ids().filter(exact).cloned().collect();
        if exactly.is_empty() { self.asks.ids().filter(begins).cloned().collect() } else { exactly }
    }

    /// How many questions of a gateway wait for an answer.
    #[must_use]
    pub fn open_of(&self, gateway: &GatewayName) -> u64 {
        self.asks.open().filter(|ask| ask.requested.approval.gateway == *gateway).count() as u64
    }

    /// How many questions wait for an answer.
    #[must_use]
    pub fn open_count(&self) -> u64 {
        self.asks.open_count() as u64
    }
}
