//! The questions of one gateway and what became of them: folded from its approval stream, decided against that. Pure.
//!
//! The first answer wins. Whoever comes late is told who answered, what and when.

use std::collections::{BTreeMap, VecDeque};

use regatta_core::event::approval::{
    AnswerFailed, Answered, ApprovalEvent, Cancelled, Decision, Expired, Requested, Resolved,
};
use regatta_core::{ApprovalId, Refusal, RefusalKind};

use crate::questions::Settled;

/// Most open questions of one gateway; those beyond are only in its frames.
const OPEN_MAX: usize = 1_000;
/// Questions that are over and still known, so that whoever answers late is told what happened.
const OVER_MAX: usize = 1_000;
/// Longest note with an answer, in characters.
const NOTE_CHARS_MAX: usize = 500;
/// As whom a gateway knows us.
const OURS: &str = "gateway-client";

/// The questions of one gateway.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Asks {
    known: BTreeMap<ApprovalId, Ask>,
    /// Those that are over, the oldest first.
    over: VecDeque<ApprovalId>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Ask {
    requested: Requested,
    stands: Stands,
}

/// Where a question stands.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Stands {
    /// Nobody answered.
    Open,
    /// Somebody did here, and the gateway is being told.
    Given {
        decision: Decision,
        by: String,
        at_us: u64,
    },
    /// The gateway took an answer.
    Resolved {
        decision: Decision,
        by: String,
        at_us: u64,
    },
    Expired {
        at_us: u64,
    },
    Cancelled {
        reason: String,
        at_us: u64,
    },
}

impl Asks {
    pub(crate) fn evolve(&mut self, event: &ApprovalEvent, by: &str, at_us: u64) {
        let stands = match event {
            ApprovalEvent::Requested(requested) => {
                let ask = Ask { requested: requested.clone(), stands: Stands::Open };
                self.known.insert(requested.approval.clone(), ask);
                return;
            }
            ApprovalEvent::Answered(answered) => {
                Stands::Given { decision: answered.decision, by: by.to_owned(), at_us }
            }
            ApprovalEvent::AnswerFailed(_) => Stands::Open,
            ApprovalEvent::Resolved(resolved) => {
                Stands::Resolved { decision: resolved.decision, by: resolved.by.clone(), at_us }
            }
            ApprovalEvent::Expired(_) => Stands::Expired { at_us },
            ApprovalEvent::Cancelled(cancelled) => Stands::Cancelled { reason: cancelled.reason.clone(), at_us },
        };
        let Some(ask) = self.known.get_mut(event.approval()) else { return };
        let was_over = ask.stands.is_over();
        let is_over = stands.is_over();
        ask.stands = stands;
        if is_over && !was_over {
            self.over.push_back(event.approval().clone());
        }
        while self.over.len() > OVER_MAX {
            let oldest = self.over.pop_front();
            oldest.map(|oldest| self.known.remove(&oldest));
        }
    }

    /// A question a gateway asks; nothing when it is known.
    pub(crate) fn ask(&self, requested: Requested) -> Option<ApprovalEvent> {
        let is_new = !self.known.contains_key(&requested.approval);
        let open = self.known.len() - self.over.len();
        (is_new && open < OPEN_MAX).then_some(ApprovalEvent::Requested(requested))
    }

    /// A person's answer.
    pub(crate) fn answer(
        &self,
        id: &ApprovalId,
        decision: Decision,
        note: String,
        now_us: u64,
    ) -> Result<ApprovalEvent, Refusal> {
        let unknown = || {
            Refusal::new(RefusalKind::NotFound, format!("there is no question {id}"))
                .hint("regatta approvals shows the open ones")
        };
        let ask = self.known.get(id).ok_or_else(unknown)?;
        if let Some(message) = ask.stands.taken(now_us) {
            return Err(Refusal::new(RefusalKind::WrongState, message));
        }
        if !ask.requested.decisions.contains(&decision) {
            let offered: Vec<&str> = ask.requested.decisions.iter().map(|decision| decision.as_str()).collect();
            return Err(Refusal::new(RefusalKind::Invalid, format!("{decision} is not offered for this question"))
                .hint(format!("what is offered: {}", offered.join(", "))));
        }
        if note.chars().count() > NOTE_CHARS_MAX {
            let message = format!("a note has at most {NOTE_CHARS_MAX} characters");
            return Err(Refusal::new(RefusalKind::Invalid, message));
        }
        Ok(ApprovalEvent::Answered(Answered { approval: id.clone(), decision, note }))
    }

    /// Whether exactly this was answered by that person already, so that asking again is no mistake.
    pub(crate) fn is_answer_of(&self, id: &ApprovalId, decision: Decision, by: &str) -> bool {
        match self.known.get(id).map(|ask| &ask.stands) {
            Some(
                Stands::Given { decision: known, by: who, .. } | Stands::Resolved { decision: known, by: who, .. },
            ) => *known == decision && who == by,
            Some(Stands::Open | Stands::Expired { .. } | Stands::Cancelled { .. }) | None => false,
        }
    }

    /// What a gateway says became of a question; nothing when that is known, or the question is not.
    pub(crate) fn settle(&self, id: &ApprovalId, settled: Settled, is_reconstructed: bool) -> Option<ApprovalEvent> {
        let ask = self.known.get(id).filter(|ask| !ask.stands.is_over())?;
        let approval = id.clone();
        Some(match settled {
            Settled::Resolved { decision, by } => {
                let by = ask.stands.giver(decision, by.as_deref()).unwrap_or_else(|| at_the_gateway(by));
                ApprovalEvent::Resolved(Resolved { approval, decision, by, is_reconstructed })
            }
            Settled::Expired => ApprovalEvent::Expired(Expired { approval }),
            Settled::Cancelled(reason) => ApprovalEvent::Cancelled(Cancelled { approval, reason }),
        })
    }

    /// An answer that did not reach the gateway; nothing when it is not under way.
    pub(crate) fn reopen(&self, id: &ApprovalId, reason: String) -> Option<ApprovalEvent> {
        let ask = self.known.get(id)?;
        let approval = id.clone();
        matches!(ask.stands, Stands::Given { .. })
            .then_some(ApprovalEvent::AnswerFailed(AnswerFailed { approval, reason }))
    }

    /// Questions that are not over.
    pub(crate) fn open(&self) -> impl Iterator<Item = &Requested> {
        self.known.values().filter(|ask| !ask.stands.is_over()).map(|ask| &ask.requested)
    }

    /// Why a question is not open any more, in words.
    pub(crate) fn taken(&self, id: &ApprovalId, now_us: u64) -> Option<String> {
        self.known.get(id)?.stands.taken(now_us)
    }
}

impl Stands {
    fn is_over(&self) -> bool {
        match self {
            Self::Open | Self::Given { .. } => false,
            Self::Resolved { .. } | Self::Expired { .. } | Self::Cancelled { .. } => true,
        }
    }

    /// Whose answer the gateway took, when it was given here.
    fn giver(&self, taken: Decision, by: Option<&str>) -> Option<String> {
        match self {
            Self::Given { decision, by: who, .. } if *decision == taken && by.is_none_or(|by| by == OURS) => {
                Some(who.clone())
            }
            Self::Open | Self::Given { .. } | Self::Resolved { .. } | Self::Expired { .. } | Self::Cancelled { .. } => {
                None
            }
        }
    }

    fn taken(&self, now_us: u64) -> Option<String> {
        let ago = |at_us: &u64| span(now_us.saturating_sub(*at_us) / 1_000_000);
        match self {
            Self::Open => None,
            Self::Given { decision, by, at_us } | Self::Resolved { decision, by, at_us } => {
                Some(format!("{} answered {decision} {} ago", who(by), ago(at_us)))
            }
            Self::Expired { at_us } => Some(format!("nobody answered in time; it expired {} ago", ago(at_us))),
            Self::Cancelled { reason, at_us } => Some(format!("it was cancelled {} ago: {reason}", ago(at_us))),
        }
    }
}

fn at_the_gateway(by: Option<String>) -> String {
    by.map_or_else(|| "somebody at the gateway".to_owned(), |by| format!("{by} at the gateway"))
}

/// An actor as a person is called.
fn who(by: &str) -> &str {
    by.strip_prefix("user:").unwrap_or(by)
}

fn span(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min", seconds / 60),
        _ => format!("{} h", seconds / 3_600),
    }
}

#[cfg(test)]
mod tests {
    use regatta_core::event::approval::Question;

    use super::*;

    fn id() -> ApprovalId {
        "main.a-1".parse().expect("an id")
    }

    fn requested() -> Requested {
        Requested {
            approval: id(),
            boot_id: "b-1".to_owned(),
            question: Question { command: "uname -s".to_owned(), ..Question::default() },
            decisions: vec![Decision::AllowOnce, Decision::Deny],
            asked_at_ms: 1_000,
            expires_at_ms: 2_000,
            is_reconstructed: false,
        }
    }

    /// Each event with who caused it, one second apart.
    fn given(events: &[(&str, ApprovalEvent)]) -> Asks {
        let mut asks = Asks::default();
        for ((by, event), second) in events.iter().zip(0..) {
            asks.evolve(event, by, second * 1_000_000);
        }
        asks
    }

    fn asked() -> (&'static str, ApprovalEvent) {
        ("regatta", ApprovalEvent::Requested(requested()))
    }

    fn answered() -> (&'static str, ApprovalEvent) {
        (
            "user:ana",
            ApprovalEvent::Answered(Answered { approval: id(), decision: Decision::Deny, note: String::new() }),
        )
    }

    fn resolved(by: &str) -> Settled {
        Settled::Resolved { decision: Decision::Deny, by: Some(by.to_owned()) }
    }

    fn refused(asks: &Asks, decision: Decision) -> String {
        asks.answer(&id(), decision, String::new(), 10_000_000).expect_err("refused").message
    }

    #[test]
    fn the_first_answer_wins_and_late_ones_are_told_who_and_when() {
        assert_eq!(refused(&Asks::default(), Decision::Deny), "there is no question main.a-1");
        let open = given(&[asked()]);
        assert_eq!(open.answer(&id(), Decision::Deny, String::new(), 0).expect("open"), answered().1);
        let under_way = given(&[asked(), answered()]);
        assert_eq!(refused(&under_way, Decision::AllowOnce), "ana answered deny 9 s ago");
        assert!(under_way.is_answer_of(&id(), Decision::Deny, "user:ana"));
        assert!(!under_way.is_answer_of(&id(), Decision::AllowOnce, "user:ana"));
        assert!(!under_way.is_answer_of(&id(), Decision::Deny, "user:ben"));
    }

    #[test]
    fn only_what_is_offered_is_taken() {
        let open = given(&[asked()]);
        let refusal = open.answer(&id(), Decision::AllowAlways, String::new(), 0).expect_err("not offered");
        assert_eq!(refusal.hint.as_deref(), Some("what is offered: allow-once, deny"));
    }

    #[test]
    fn whose_answer_the_gateway_took_is_said() {
        let by = |asks: &Asks, by: &str| match asks.settle(&id(), resolved(by), false) {
            Some(ApprovalEvent::Resolved(resolved)) => resolved.by,
            other => panic!("{other:?}"),
        };
        assert_eq!(by(&given(&[asked(), answered()]), "gateway-client"), "user:ana");
        assert_eq!(by(&given(&[asked(), answered()]), "cli"), "cli at the gateway");
        assert_eq!(by(&given(&[asked()]), "gateway-client"), "gateway-client at the gateway");
    }

    #[test]
    fn what_is_over_stays_over() {
        let settle = |settled: Settled| given(&[asked()]).settle(&id(), settled, true).expect("it was open");
        for settled in [resolved("cli"), Settled::Expired, Settled::Cancelled("gateway-restart".to_owned())] {
            let over = given(&[asked(), ("regatta", settle(settled))]);
            assert_eq!(over.settle(&id(), Settled::Expired, false), None);
            assert_eq!(over.ask(requested()), None);
            assert_eq!(over.open().count(), 0);
            assert!(over.taken(&id(), 0).is_some());
        }
        let cancelled = settle(Settled::Cancelled("gateway-restart".to_owned()));
        let cancelled = given(&[asked(), ("regatta", cancelled)]);
        assert_eq!(refused(&cancelled, Decision::Deny), "it was cancelled 9 s ago: gateway-restart");
    }

    #[test]
    fn an_answer_that_did_not_arrive_opens_the_question_again() {
        let under_way = given(&[asked(), answered()]);
        let failed = under_way.reopen(&id(), "lost".to_owned()).expect("it was under way");
        let open = given(&[asked(), answered(), ("regatta", failed)]);
        assert!(open.answer(&id(), Decision::AllowOnce, String::new(), 0).is_ok());
        assert_eq!(open.reopen(&id(), "lost".to_owned()), None);
    }

    #[test]
    fn only_so_many_are_remembered() {
        let mut asks = Asks::default();
        for number in 0..OVER_MAX + 3 {
            let approval: ApprovalId = format!("main.a-{number}").parse().expect("an id");
            asks.evolve(
                &ApprovalEvent::Requested(Requested { approval: approval.clone(), ..requested() }),
                "regatta",
                0,
            );
            asks.evolve(&ApprovalEvent::Expired(Expired { approval }), "regatta", 0);
        }
        assert_eq!((asks.known.len(), asks.over.len()), (OVER_MAX, OVER_MAX));
    }
}
