//! What agents ask people and what became of it: one fold of the facts for whoever decides about answers and for whoever
//! shows them. Pure; knows nothing of gateways' connections, of rules or of views.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::ApprovalId;
use crate::event::approval::{Answered, ApprovalEvent, Decision, EscalatedTo, Requested};

/// Questions: every one that is open, and the latest of those that are over.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Asks {
    /// Clones share them, so that a snapshot is written while the fold goes on.
    known: BTreeMap<ApprovalId, Arc<Ask>>,
    open: BTreeSet<ApprovalId>,
    /// The oldest first.
    over: VecDeque<ApprovalId>,
}

/// A question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ask {
    /// As it was asked.
    pub requested: Requested,
    /// Where it stands.
    pub stands: Stands,
    /// Where somebody was told that it is about to expire; with the reason where they could not be.
    pub escalated: BTreeMap<EscalatedTo, Option<String>>,
}

/// Where a question stands. Times are in microseconds since the Unix epoch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stands {
    /// It waits for an answer.
    Open {
        /// Why the last answer did not reach the gateway, when there was one.
        failed: Option<String>,
    },
    /// Somebody answered here, and the gateway is being told.
    Given(Given),
    /// The gateway took an answer.
    Resolved(Given),
    /// Nobody answered in time.
    Expired {
        /// When that was noticed.
        at_us: u64,
    },
    /// Nobody waits for an answer any more.
    Cancelled {
        /// Why.
        reason: String,
        /// When.
        at_us: u64,
    },
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Given {
    /// What.
    pub decision: Decision,
    /// Who gave it: an actor of ours, or somebody at the gateway.
    pub by: String,
    /// Their note; empty when there is none.
    pub note: String,
    /// When, in microseconds since the Unix epoch.
    pub at_us: u64,
}

impl Asks {
    /// Takes a fact, of which `by` is the actor; of questions that are over only the latest `over_max` are kept.
    pub fn evolve(&mut self, event: &ApprovalEvent, by: &str, at_us: u64, over_max: usize) {
        let id = event.approval();
        if let ApprovalEvent::Requested(requested) = event {
            let stands = Stands::Open { failed: None };
            let ask = Ask { requested: requested.clone(), stands, escalated: BTreeMap::new() };
            self.known.insert(id.clone(), Arc::new(ask));
            if self.open.insert(id.clone()) {
                self.over.retain(|over| over != id);
            }
            return;
        }
        // One that was asked before the log begins, or so long ago that it is not known any more.
        let Some(ask) = self.known.get_mut(id) else { return };
        let ask = Arc::make_mut(ask);
        if let ApprovalEvent::Escalated(escalated) = event {
            ask.escalated.insert(escalated.to, escalated.failed.clone());
            return;
        }
        ask.stands = ask.stands.after(event, by, at_us);
        if ask.stands.is_over() && self.open.remove(id) {
            self.over.push_back(id.clone());
        }
        while self.over.len() > over_max {
            let oldest = self.over.pop_front();
            oldest.map(|oldest| self.known.remove(&oldest));
        }
    }

    /// A question, when it is known.
    #[must_use]
    pub fn get(&self, id: &ApprovalId) -> Option<&Ask> {
        self.known.get(id).map(|ask| &**ask)
    }

    /// The ids of everything that is known.
    pub fn ids(&self) -> impl Iterator<Item = &ApprovalId> {
        self.known.keys()
    }

    /// Questions that are not over, by id.
    pub fn open(&self) -> impl Iterator<Item = &Ask> {
        self.open.iter().filter_map(|id| self.get(id))
    }

    /// How many are not over.
    #[must_use]
    pub fn open_count(&self) -> usize {
        self.open.len()
    }

    /// Questions that are over, the latest first.
    pub fn over(&self) -> impl Iterator<Item = &Ask> {
        self.over.iter().rev().filter_map(|id| self.get(id))
    }
}

impl Stands {
    fn after(&self, event: &ApprovalEvent, by: &str, at_us: u64) -> Self {
        match event {
            ApprovalEvent::Requested(_) => Self::Open { failed: None },
            ApprovalEvent::Answered(Answered { decision, note, .. }) => {
                Self::Given(Given { decision: *decision, by: by.to_owned(), note: note.clone(), at_us })
            }
            ApprovalEvent::AnswerFailed(failed) => Self::Open { failed: Some(failed.reason.clone()) },
            ApprovalEvent::Resolved(resolved) => {
                // The note belongs to whoever wrote it, and to nobody who was faster.
                let note = match self {
                    Self::Given(given) if given.by == resolved.by => given.note.clone(),
                    Self::Open { .. }
                    | Self::Given(_)
                    | Self::Resolved(_)
                    | Self::Expired { .. }
                    | Self::Cancelled { .. } => String::new(),
                };
                let at_us = settled_us(resolved.at_ms, at_us);
                Self::Resolved(Given { decision: resolved.decision, by: resolved.by.clone(), note, at_us })
            }
            ApprovalEvent::Escalated(_) => self.clone(),
            ApprovalEvent::Expired(expired) => Self::Expired { at_us: settled_us(expired.at_ms, at_us) },
            ApprovalEvent::Cancelled(cancelled) => {
                let at_us = settled_us(cancelled.at_ms, at_us);
                Self::Cancelled { reason: cancelled.reason.clone(), at_us }
            }
        }
    }

    /// Whether nobody can answer any more.
    #[must_use]
    pub fn is_over(&self) -> bool {
        match self {
            Self::Open { .. } | Self::Given(_) => false,
            Self::Resolved(_) | Self::Expired { .. } | Self::Cancelled { .. } => true,
        }
    }
}

/// When something was settled: as the gateway says, else when we heard of it.
fn settled_us(at_ms: Option<u64>, heard_us: u64) -> u64 {
    at_ms.map_or(heard_us, |at_ms| at_ms.saturating_mul(1_000))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::approval::{Expired, Question, Resolved};

    const OVER_MAX: usize = 3;

    fn id(name: &str) -> ApprovalId {
        format!("main.{name}").parse().expect("an id")
    }

    fn asked(name: &str) -> ApprovalEvent {
        ApprovalEvent::Requested(Requested {
            approval: id(name),
            boot_id: "b-1".to_owned(),
            question: Question { command: "uname -s".to_owned(), ..Question::default() },
            decisions: vec![Decision::AllowOnce, Decision::Deny],
            asked_at_ms: 1_000,
            expires_at_ms: 2_000,
            is_reconstructed: false,
        })
    }

    fn expired(name: &str) -> ApprovalEvent {
        ApprovalEvent::Expired(Expired { approval: id(name), at_ms: None })
    }

    fn given(events: &[(&str, ApprovalEvent)]) -> Asks {
        let mut asks = Asks::default();
        events.iter().for_each(|(by, event)| asks.evolve(event, by, 7, OVER_MAX));
        asks
    }

    #[test]
    fn a_note_is_its_writers() {
        let note = |resolved_by: &str| {
            let (approval, decision) = (id("a"), Decision::Deny);
            let answered = Answered { approval: approval.clone(), decision, note: "no".to_owned() };
            let by = resolved_by.to_owned();
            let resolved = Resolved { approval, decision, by, is_reconstructed: false, at_ms: None };
            let asks = given(&[
                ("regatta", asked("a")),
                ("user:ana", ApprovalEvent::Answered(answered)),
                ("regatta", ApprovalEvent::Resolved(resolved)),
            ]);
            let ask = asks.get(&id("a")).expect("known");
            let Stands::Resolved(given) = &ask.stands else { panic!("{ask:?}") };
            given.note.clone()
        };
        assert_eq!((note("user:ana").as_str(), note("cli at the gateway").as_str()), ("no", ""));
    }

    #[test]
    fn only_so_many_that_are_over_are_known_and_one_that_is_asked_again_is_open_once() {
        let mut asks = Asks::default();
        for number in 0..OVER_MAX + 2 {
            for event in [asked(&number.to_string()), expired(&number.to_string())] {
                asks.evolve(&event, "regatta", 7, OVER_MAX);
            }
        }
        assert_eq!((asks.ids().count(), asks.over().count()), (OVER_MAX, OVER_MAX));
        // Whatever the log holds, every question stands in one place.
        for _ in 0..OVER_MAX + 2 {
            asks.evolve(&asked("4"), "regatta", 7, OVER_MAX);
            assert_eq!((asks.open_count(), asks.over().count()), (1, OVER_MAX - 1));
            asks.evolve(&expired("4"), "regatta", 7, OVER_MAX);
            assert_eq!((asks.open_count(), asks.over().count()), (0, OVER_MAX));
        }
        assert_eq!(asks.ids().count(), OVER_MAX);
    }
}
