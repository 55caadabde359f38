//! Approvals: what agents ask people, and what became of it. The open ones, the longest waiting first, and the latest of
//! those that are over.

mod fold;
mod view;

pub use fold::Approvals;
pub use view::{ApprovalState, ApprovalView, ApprovalsView};

use regatta_core::{ApprovalId, GatewayName};

impl Approvals {
    /// Those that wait for an answer, the oldest first; with `with_over` also those that are over, the latest first.
    #[must_use]
    pub fn view(&self, with_over: bool) -> ApprovalsView {
        let mut open: Vec<ApprovalView> = self.open.iter().filter_map(|id| self.get(id)).collect();
        open.sort_by(|one, other| (one.asked_at_us, &one.id).cmp(&(other.asked_at_us, &other.id)));
        let over = self.over.iter().rev().filter(|_| with_over).filter_map(|id| self.get(id));
        ApprovalsView { open, over: over.collect() }
    }

    /// One question.
    #[must_use]
    pub fn get(&self, id: &ApprovalId) -> Option<ApprovalView> {
        self.known.get(id).cloned()
    }

    /// The question that is meant by an id, or by the beginning of one, with or without its gateway; the open ones first.
    #[must_use]
    pub fn named(&self, text: &str) -> Vec<ApprovalId> {
        let begins = |id: &&ApprovalId| id.to_string().starts_with(text) || id.question().starts_with(text);
        let exact = |id: &&ApprovalId| id.to_string() == text || id.question() == text;
        if let Some(id) = self.known.keys().find(exact) {
            return vec![id.clone()];
        }
        let open: Vec<ApprovalId> = self.open.iter().filter(begins).cloned().collect();
        if open.is_empty() { self.over.iter().filter(begins).cloned().collect() } else { open }
    }

    /// How many questions of a gateway wait for an answer.
    #[must_use]
    pub fn open_of(&self, gateway: &GatewayName) -> u64 {
        self.open.iter().filter(|id| id.gateway == *gateway).count() as u64
    }

    /// How many questions wait for an answer.
    #[must_use]
    pub fn open_count(&self) -> u64 {
        self.open.len() as u64
    }
}
