//! What may become of a question: decided against what is known of it. Pure.
//!
//! The first answer wins. Whoever comes late is told who answered, what and when.

use regatta_core::asks::{Ask, Given, Stands};
use regatta_core::event::approval::{
    AnswerFailed, Answered, ApprovalEvent, Cancelled, Decision, Expired, Requested, Resolved,
};
use regatta_core::{ApprovalId, Asks, Refusal, RefusalKind};

use crate::questions::Settled;

/// Most open questions of one gateway; those beyond are only in its frames.
const OPEN_MAX: usize = 1_000;
/// Questions that are over and still known, so that whoever answers late is told what happened.
pub(crate) const OVER_MAX: usize = 1_000;
/// Longest note with an answer, in characters.
const NOTE_CHARS_MAX: usize = 500;
/// As whom a gateway knows us.
pub(crate) const OURS: &str = "gateway-client";
/// How far the clock of a gateway may be from ours, in milliseconds, when it tells of a time that is over.
const CLOCKS_MS: u64 = 2_000;

/// What comes of somebody's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taken {
    /// It is to be recorded, and the gateway to be told.
    Now,
    /// The gateway took this very answer of this very person before: asking again is no mistake.
    Before,
}

/// A question a gateway asks; nothing when it is known.
pub(crate) fn ask(asks: &Asks, requested: Requested) -> Option<ApprovalEvent> {
    let is_new = asks.get(&requested.approval).is_none();
    (is_new && asks.open_count() < OPEN_MAX).then_some(ApprovalEvent::Requested(requested))
}

/// An answer of `by`.
pub(crate) fn answer(asks: &Asks, answered: &Answered, by: &str, now_us: u64) -> Result<Taken, Refusal> {
    let unknown = || {
        Refusal::new(RefusalKind::NotFound, format!("there is no question {}", answered.approval))
            .hint("regatta approvals shows the open ones")
    };
    let Ask { requested, stands, .. } = asks.get(&answered.approval).ok_or_else(unknown)?;
    let is_same = |given: &Given| given.decision == answered.decision && given.by == by;
    match stands {
        Stands::Resolved(given) if is_same(given) => return Ok(Taken::Before),
        // What comes of it is not known yet.
        Stands::Given(given) if is_same(given) => {
            let message = "the gateway is being told this answer";
            return Err(Refusal::new(RefusalKind::Busy, message).hint("look again in a moment: regatta approvals"));
        }
        Stands::Open { .. }
        | Stands::Given(_)
        | Stands::Resolved(_)
        | Stands::Expired { .. }
        | Stands::Cancelled { .. } => {}
    }
    if let Some(message) = words(stands, now_us) {
        return Err(Refusal::new(RefusalKind::WrongState, message));
    }
    if !requested.decisions.contains(&answered.decision) {
        let offered: Vec<&str> = requested.decisions.iter().map(|decision| decision.as_str()).collect();
        let message = format!("{} is not offered for this question", answered.decision);
        return Err(
            Refusal::new(RefusalKind::Invalid, message).hint(format!("what is offered: {}", offered.join(", ")))
        );
    }
    if answered.note.chars().count() > NOTE_CHARS_MAX {
        let message = format!("a note has at most {NOTE_CHARS_MAX} characters");
        return Err(Refusal::new(RefusalKind::Invalid, message));
    }
    Ok(Taken::Now)
}

/// Whether the gateway took exactly this of that person.
pub(crate) fn is_resolved_so(asks: &Asks, id: &ApprovalId, decision: Decision, by: &str) -> bool {
    let stands = asks.get(id).map(|ask| &ask.stands);
    matches!(stands, Some(Stands::Resolved(given)) if given.decision == decision && given.by == by)
}

/// How it is known what became of a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Known {
    /// It was heard as it happened.
    Heard {
        /// Unix milliseconds.
        now_ms: u64,
    },
    /// It was found later; when it happened, where the gateway says.
    Found(Option<u64>),
}

/// What a gateway says became of a question; nothing when that is known, or the question is not.
pub(crate) fn settle(asks: &Asks, id: &ApprovalId, settled: Settled, known: Known) -> Option<ApprovalEvent> {
    let ask = asks.get(id).filter(|ask| !ask.stands.is_over())?;
    let approval = id.clone();
    let (is_reconstructed, at_ms) = match known {
        Known::Heard { .. } => (false, None),
        Known::Found(at_ms) => (true, at_ms),
    };
    Some(match settled {
        // When nobody answers in time, a gateway tells of a no that nobody gave.
        Settled::Resolved { decision: Decision::Deny, by: None } if matches!(known, Known::Heard { now_ms } if is_its_time_over(ask, now_ms)) => {
            ApprovalEvent::Expired(Expired { approval, at_ms })
        }
        Settled::Resolved { decision, by } => {
            let by = giver(&ask.stands, decision, by.as_deref()).unwrap_or_else(|| at_the_gateway(by));
            ApprovalEvent::Resolved(Resolved { approval, decision, by, is_reconstructed, at_ms })
        }
        Settled::Expired => ApprovalEvent::Expired(Expired { approval, at_ms }),
        Settled::Cancelled(reason) => ApprovalEvent::Cancelled(Cancelled { approval, reason, at_ms }),
    })
}

fn is_its_time_over(ask: &Ask, now_ms: u64) -> bool {
    !matches!(ask.stands, Stands::Given(_)) && now_ms.saturating_add(CLOCKS_MS) >= ask.requested.expires_at_ms
}

/// An answer that did not reach the gateway; nothing when none is under way.
pub(crate) fn reopen(asks: &Asks, id: &ApprovalId, reason: String) -> Option<ApprovalEvent> {
    let is_given = matches!(asks.get(id)?.stands, Stands::Given(_));
    is_given.then(|| ApprovalEvent::AnswerFailed(AnswerFailed { approval: id.clone(), reason }))
}

/// Why a question is not open any more, in words.
pub(crate) fn taken(asks: &Asks, id: &ApprovalId, now_us: u64) -> Option<String> {
    words(&asks.get(id)?.stands, now_us)
}

/// Whose answer the gateway took, when it was given here.
fn giver(stands: &Stands, taken: Decision, by: Option<&str>) -> Option<String> {
    match stands {
        Stands::Given(given) if given.decision == taken && by.is_none_or(|by| by == OURS) => Some(given.by.clone()),
        Stands::Open { .. }
        | Stands::Given(_)
        | Stands::Resolved(_)
        | Stands::Expired { .. }
        | Stands::Cancelled { .. } => None,
    }
}

fn words(stands: &Stands, now_us: u64) -> Option<String> {
    let ago = |at_us: &u64| span(now_us.saturating_sub(*at_us) / 1_000_000);
    match stands {
        Stands::Open { .. } => None,
        Stands::Given(given) | Stands::Resolved(given) => {
            Some(format!("{} answered {} {} ago", who(&given.by), given.decision, ago(&given.at_us)))
        }
        Stands::Expired { at_us } => Some(format!("nobody answered in time; it expired {} ago", ago(at_us))),
        Stands::Cancelled { reason, at_us } => Some(format!("it was cancelled {} ago: {reason}", ago(at_us))),
    }
}

fn at_the_gateway(by: Option<String>) -> String {
    by.map_or_else(|| "somebody at the gateway".to_owned(), |by| format!("{by} at the gateway"))
}

/// An actor as it is called.
fn who(by: &str) -> String {
    match by.split_once(':') {
        Some(("user", name)) => name.to_owned(),
        Some(("rule", name)) => format!("the rule {name}"),
        Some(_) | None => by.to_owned(),
    }
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

    const HEARD: Known = Known::Heard { now_ms: 1_500 };

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
            expires_at_ms: 61_000,
            is_reconstructed: false,
        }
    }

    /// Each event with who caused it, one second apart.
    fn given(events: &[(&str, ApprovalEvent)]) -> Asks {
        let mut asks = Asks::default();
        for ((by, event), second) in events.iter().zip(0..) {
            asks.evolve(event, by, second * 1_000_000, OVER_MAX);
        }
        asks
    }

    fn asked() -> (&'static str, ApprovalEvent) {
        ("regatta", ApprovalEvent::Requested(requested()))
    }

    fn answer_of(decision: Decision) -> Answered {
        Answered { approval: id(), decision, note: String::new() }
    }

    fn answered() -> (&'static str, ApprovalEvent) {
        ("user:ana", ApprovalEvent::Answered(answer_of(Decision::Deny)))
    }

    fn resolved(by: &str) -> Settled {
        Settled::Resolved { decision: Decision::Deny, by: Some(by.to_owned()) }
    }

    fn refused(asks: &Asks, decision: Decision, by: &str) -> (RefusalKind, String) {
        let refusal = answer(asks, &answer_of(decision), by, 10_000_000).expect_err("refused");
        (refusal.kind, refusal.message)
    }

    #[test]
    fn the_first_answer_wins_and_late_ones_are_told_who_and_when() {
        let none = (RefusalKind::NotFound, "there is no question main.a-1".to_owned());
        assert_eq!(refused(&Asks::default(), Decision::Deny, "user:ana"), none);
        let open = given(&[asked()]);
        assert_eq!(answer(&open, &answer_of(Decision::Deny), "user:ana", 0), Ok(Taken::Now));
        let under_way = given(&[asked(), answered()]);
        let late = (RefusalKind::WrongState, "ana answered deny 9 s ago".to_owned());
        assert_eq!(refused(&under_way, Decision::AllowOnce, "user:ana"), late);
        assert_eq!(refused(&under_way, Decision::Deny, "user:ben"), late);
    }

    #[test]
    fn the_same_answer_again_is_no_mistake_once_the_gateway_took_it() {
        let under_way = given(&[asked(), answered()]);
        assert_eq!(refused(&under_way, Decision::Deny, "user:ana").0, RefusalKind::Busy);
        let settled = settle(&under_way, &id(), resolved(OURS), HEARD).expect("under way");
        let over = given(&[asked(), answered(), ("regatta", settled)]);
        assert_eq!(answer(&over, &answer_of(Decision::Deny), "user:ana", 0), Ok(Taken::Before));
        assert_eq!(refused(&over, Decision::Deny, "user:ben").0, RefusalKind::WrongState);
    }

    #[test]
    fn only_what_is_offered_is_taken() {
        let open = given(&[asked()]);
        let refusal = answer(&open, &answer_of(Decision::AllowAlways), "user:ana", 0).expect_err("not offered");
        assert_eq!(refusal.hint.as_deref(), Some("what is offered: allow-once, deny"));
    }

    #[test]
    fn whose_answer_the_gateway_took_is_said() {
        let by = |asks: &Asks, by: &str| match settle(asks, &id(), resolved(by), HEARD) {
            Some(ApprovalEvent::Resolved(resolved)) => resolved.by,
            other => panic!("{other:?}"),
        };
        assert_eq!(by(&given(&[asked(), answered()]), OURS), "user:ana");
        assert_eq!(by(&given(&[asked(), answered()]), "cli"), "cli at the gateway");
        assert_eq!(by(&given(&[asked()]), OURS), "gateway-client at the gateway");
    }

    #[test]
    fn a_no_that_nobody_gave_when_the_time_is_over_is_that_nobody_answered() {
        let expires_at_ms = requested().expires_at_ms;
        let nobody = || Settled::Resolved { decision: Decision::Deny, by: None };
        let at = |settled, now_ms| settle(&given(&[asked()]), &id(), settled, Known::Heard { now_ms }).expect("open");
        assert!(matches!(at(nobody(), expires_at_ms + 3), ApprovalEvent::Expired(_)));
        assert!(matches!(at(nobody(), expires_at_ms - 30_000), ApprovalEvent::Resolved(_)));
        assert!(matches!(at(resolved("cli"), expires_at_ms + 3), ApprovalEvent::Resolved(_)));
    }

    #[test]
    fn what_is_over_stays_over() {
        let found = Known::Found(None);
        let settle_open = |settled: Settled| settle(&given(&[asked()]), &id(), settled, found).expect("it was open");
        for settled in [resolved("cli"), Settled::Expired, Settled::Cancelled("gateway-restart".to_owned())] {
            let over = given(&[asked(), ("regatta", settle_open(settled))]);
            assert_eq!(settle(&over, &id(), Settled::Expired, HEARD), None);
            assert_eq!(ask(&over, requested()), None);
            assert_eq!(over.open_count(), 0);
            assert!(taken(&over, &id(), 0).is_some());
        }
        let cancelled = settle_open(Settled::Cancelled("gateway-restart".to_owned()));
        let cancelled = given(&[asked(), ("regatta", cancelled)]);
        assert_eq!(refused(&cancelled, Decision::Deny, "user:ana").1, "it was cancelled 9 s ago: gateway-restart");
    }

    #[test]
    fn an_answer_that_did_not_arrive_opens_the_question_again() {
        let under_way = given(&[asked(), answered()]);
        let failed = reopen(&under_way, &id(), "lost".to_owned()).expect("it was under way");
        let open = given(&[asked(), answered(), ("regatta", failed)]);
        assert!(answer(&open, &answer_of(Decision::AllowOnce), "user:ana", 0).is_ok());
        assert_eq!(reopen(&open, &id(), "lost".to_owned()), None);
    }
}
