//! Who brings the questions of one gateway to people and their answers back. Every step is durable before the next: an
//! answer is recorded before the gateway is told, and what the gateway says of it is what counts.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use regatta_core::asks::{Ask, Stands};
use regatta_core::event::approval::{Answered, ApprovalEvent, Escalated, EscalatedTo, Question, Requested};
use regatta_core::event::gateway::Frame;
use regatta_core::{
    Actor, Append, AppendError, ApprovalId, Asks, Clock, Draft, Event, EventId, Expect, GatewayName, Log, ReadError,
    ReadMax, Refusal, RefusalKind, RuleName, Stream, log, to_the_end,
};
use regatta_gateway::{CallError, Link};
use serde_json::json;
use serde_json::value::{RawValue, to_raw_value};
use tokio::sync::{Mutex, Notify, OwnedMutexGuard};
use tokio::time::sleep;
use uuid::Uuid;

use crate::asks::{self, Known, OURS, OVER_MAX, Taken};
use crate::escalation::Expiring;
use crate::history::{Past, past};
use crate::questions::{Said, Settled, listed, said, settled, short};
use crate::rules::Book;

/// Events of the stream that are read at a start. Whatever was asked before them is long over.
const READ_BACK: u64 = 10_000;
/// Questions that are over, asked for at once.
const HISTORY_PAGE: usize = 50;
/// How often is asked for more of them after a connection.
const HISTORY_PAGES_MAX: usize = 4;
/// How long a gateway may take to answer.
const WITHIN: Duration = Duration::from_secs(20);
/// A question this long past its time is over whether the gateway can be asked or not, in milliseconds.
const OVERDUE_MS: u64 = 60_000;
/// How long after its time a gateway is asked about a question, in milliseconds.
const GRACE_MS: u64 = 2_000;
/// How long is waited when too many appends wait already.
const BUSY_WAIT: Duration = Duration::from_millis(50);

/// The questions of one gateway. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Broker(Arc<Inner>);

struct Inner {
    gateway: GatewayName,
    stream: Stream,
    log: Arc<dyn Log>,
    clock: Arc<dyn Clock>,
    inside: Arc<Mutex<Inside>>,
    /// Wakes whoever answers in advance.
    asked: Arc<Notify>,
}

struct Inside {
    asks: Asks,
    /// Where the stream ends.
    position: u64,
    /// Answers the gateway is being told.
    under_way: BTreeSet<ApprovalId>,
    /// Whether a fact could not be recorded: what the gateway holds is to be compared again.
    is_behind: bool,
}

/// Held while something is decided and recorded.
type Held = OwnedMutexGuard<Inside>;

impl Inside {
    fn evolve(&mut self, event: &ApprovalEvent, by: &str, at_us: u64) {
        self.asks.evolve(event, by, at_us, OVER_MAX);
    }

    fn open(&self) -> Vec<ApprovalId> {
        self.asks.open().map(|ask| ask.requested.approval.clone()).collect()
    }
}

impl Broker {
    /// What the log knows of a gateway's questions.
    pub(crate) fn open(gateway: &GatewayName, log: Arc<dyn Log>, clock: Arc<dyn Clock>) -> Result<Self, ReadError> {
        let stream = Stream::approvals(gateway);
        let head = log.stream_head(&stream)?;
        let position = head.saturating_sub(READ_BACK);
        let mut inside = Inside { asks: Asks::default(), position, under_way: BTreeSet::new(), is_behind: false };
        loop {
            let batch = log.read_stream(&stream, inside.position + 1, ReadMax::default())?;
            let Some(last) = batch.last() else { break };
            inside.position = last.stream_seq;
            for envelope in &batch {
                if let Ok(Event::Approval(event)) = envelope.event() {
                    inside.evolve(&event, envelope.actor.as_str(), envelope.at_us);
                }
            }
        }
        inside.position = inside.position.max(head);
        let inside = Arc::new(Mutex::new(inside));
        Ok(Self(Arc::new(Inner { gateway: gateway.clone(), stream, log, clock, inside, asked: Arc::default() })))
    }

    async fn held(&self) -> Held {
        Arc::clone(&self.0.inside).lock_owned().await
    }

    /// Whether a fact could not be recorded, so that [`Self::compare`] is to find it again.
    pub(crate) async fn is_behind(&self) -> bool {
        self.held().await.is_behind
    }

    /// Wakes when something was asked, or is open again.
    pub(crate) fn asked(&self) -> Arc<Notify> {
        Arc::clone(&self.0.asked)
    }

    /// The questions nobody answered yet, and what rules answer to them.
    pub(crate) async fn ruled(&self, book: &Book) -> (BTreeSet<ApprovalId>, Vec<(Answered, RuleName)>) {
        let held = self.held().await;
        let is_open = |ask: &&Ask| matches!(ask.stands, Stands::Open { .. });
        let open: Vec<&Requested> = held.asks.open().filter(is_open).map(|ask| &ask.requested).collect();
        let answer = |asked: &&Requested| {
            let rule = book.answers(&self.0.gateway, &asked.question, &asked.decisions)?;
            let (approval, decision) = (asked.approval.clone(), rule.answer.decision());
            Some((Answered { approval, decision, note: rule.reason.clone() }, rule.name.clone()))
        };
        let ruled = open.iter().filter_map(answer).collect();
        (open.iter().map(|asked| asked.approval.clone()).collect(), ruled)
    }

    /// Takes what a recorded frame says about a question.
    pub(crate) async fn hear(&self, frame: &Frame, cause: EventId) {
        let Some(said) = said(&self.0.gateway, &frame.boot_id, &frame.event, &frame.text) else { return };
        let held = self.held().await;
        let event = match said {
            Said::Asked(requested) => asks::ask(&held.asks, *requested),
            Said::Settled(id, settled) => asks::settle(&held.asks, &id, settled, self.heard_now()),
        };
        self.note(held, event, Some(cause)).await;
    }

    /// Compares with what the gateway holds, after a connection or when something was missed.
    pub(crate) async fn compare(&self, link: &Link, boot_id: &str) -> Result<(), CallError> {
        self.held().await.is_behind = false;
        let compared = self.compare_all(link, boot_id).await;
        if compared.is_err() {
            self.held().await.is_behind = true;
        }
        compared
    }

    fn listed(&self, boot_id: &str, payload: &RawValue) -> Vec<Requested> {
        listed(&self.0.gateway, boot_id, payload)
    }

    async fn compare_all(&self, link: &Link, boot_id: &str) -> Result<(), CallError> {
        let payload = link.call("exec.approval.list", params(&json!({})), WITHIN).await?;
        let mut listed = self.listed(boot_id, &payload);
        match link.call("plugin.approval.list", params(&json!({})), WITHIN).await {
            Ok(payload) => listed.extend(self.listed(boot_id, &payload)),
            // Of one that knows no such list, no plugin asks.
            Err(CallError::Refused(_)) => {}
            Err(error) => return Err(error),
        }
        let ids: BTreeSet<ApprovalId> = listed.iter().map(|asked| asked.approval.clone()).collect();
        let mut held = self.held().await;
        for asked in listed {
            let event = asks::ask(&held.asks, asked);
            held = self.note(held, event, None).await;
        }
        let left: Vec<ApprovalId> = held.open().into_iter().filter(|id| !held.under_way.contains(id)).collect();
        for id in left.iter().filter(|id| ids.contains(id)) {
            // It waits there, so nobody told it what was answered here.
            let event = asks::reopen(&held.asks, id, "the server ended before the gateway was told".to_owned());
            held = self.note(held, event, None).await;
        }
        drop(held);
        for id in left.iter().filter(|id| !ids.contains(id)) {
            self.ask_after(link, id).await?;
        }
        self.look_back(link, boot_id).await
    }

    /// Takes what was asked and settled while nobody listened here, as far as the gateway keeps it.
    async fn look_back(&self, link: &Link, boot_id: &str) -> Result<(), CallError> {
        let mut cursor: Option<String> = None;
        for _ in 0..HISTORY_PAGES_MAX {
            let mut wanted = json!({ "limit": HISTORY_PAGE });
            if let (Some(cursor), Some(wanted)) = (cursor, wanted.as_object_mut()) {
                wanted.insert("cursor".to_owned(), cursor.into());
            }
            let page = match link.call("approval.history", params(&wanted), WITHIN).await {
                Ok(payload) => past(&self.0.gateway, boot_id, &payload),
                // One that keeps none has none to tell.
                Err(CallError::Refused(_)) => return Ok(()),
                Err(error) => return Err(error),
            };
            let (mut held, mut has_news) = (self.held().await, false);
            for Past { requested, settled, at_ms } in page.oldest_first {
                let id = requested.approval.clone();
                // What becomes of those that are known is heard, or asked after.
                let Some(asked) = asks::ask(&held.asks, requested) else { continue };
                has_news = true;
                held = self.note(held, Some(asked), None).await;
                held = self.settle(held, &id, settled, Known::Found(at_ms)).await;
            }
            drop(held);
            cursor = page.next.filter(|_| has_news);
            if cursor.is_none() {
                break;
            }
        }
        Ok(())
    }

    /// Asks the gateway what became of a question.
    async fn ask_after(&self, link: &Link, id: &ApprovalId) -> Result<(), CallError> {
        let asked = link.call("approval.get", params(&json!({ "id": id.question() })), WITHIN).await;
        let settled = match asked {
            Ok(payload) => settled(&payload),
            Err(CallError::Refused(error)) if error.detail() == Some("APPROVAL_NOT_FOUND") => {
                Some((Settled::Cancelled("the gateway does not know it any more".to_owned()), None))
            }
            Err(error) => return Err(error),
        };
        if let Some((settled, at_ms)) = settled {
            self.settle(self.held().await, id, settled, Known::Found(at_ms)).await;
        }
        Ok(())
    }

    fn heard_now(&self) -> Known {
        Known::Heard { now_ms: self.0.clock.now_ms() }
    }

    async fn settle(&self, held: Held, id: &ApprovalId, settled: Settled, known: Known) -> Held {
        let event = asks::settle(&held.asks, id, settled, known);
        self.note(held, event, None).await
    }

    /// Settles questions whose time is over.
    pub(crate) async fn look_at_times(&self, link: Option<&Link>) {
        let now_ms = self.0.clock.now_ms();
        let held = self.held().await;
        let late = |grace: u64| {
            let is_late = move |expires_at_ms: u64| expires_at_ms.saturating_add(grace) < now_ms;
            let open = held.asks.open().filter(move |ask| is_late(ask.requested.expires_at_ms));
            open.map(|ask| ask.requested.approval.clone()).collect::<Vec<_>>()
        };
        let (due, overdue) = (late(GRACE_MS), late(OVERDUE_MS));
        drop(held);
        for id in due {
            let is_asked = match link {
                Some(link) => self.ask_after(link, &id).await.is_ok(),
                None => false,
            };
            // Whose clock is right, the gateway's or ours, only it can say.
            if !is_asked && overdue.contains(&id) {
                self.settle(self.held().await, &id, Settled::Expired, Known::Found(None)).await;
            }
        }
    }

    /// Open questions with that little time left, of which nobody was told there.
    pub(crate) async fn expiring(&self, before: Duration, to: EscalatedTo) -> Vec<Expiring> {
        let (held, now_ms) = (self.held().await, self.0.clock.now_ms());
        let is_untold = |ask: &&Ask| matches!(ask.stands, Stands::Open { .. }) && !ask.escalated.contains_key(&to);
        let due = held.asks.open().filter(is_untold).filter_map(|Ask { requested, .. }| {
            let left = Duration::from_millis(requested.expires_at_ms.checked_sub(now_ms)?);
            (left <= before).then(|| Expiring { asked: requested.clone(), left })
        });
        due.collect()
    }

    /// Records that somebody was told, or could not be.
    pub(crate) async fn escalated(&self, escalated: Escalated) -> Result<(), AppendError> {
        self.record(self.held().await, ApprovalEvent::Escalated(escalated), &Actor::regatta(), None).await.1
    }

    /// What a question asks.
    pub(crate) async fn question(&self, id: &ApprovalId) -> Option<Question> {
        self.held().await.asks.get(id).map(|ask| ask.requested.question.clone())
    }

    /// Nobody will hear an answer any more: the gateway is gone for good.
    pub(crate) async fn end(&self, reason: &str) {
        let mut held = self.held().await;
        for id in held.open() {
            held = self.settle(held, &id, Settled::Cancelled(reason.to_owned()), Known::Found(None)).await;
        }
    }

    /// Gives an answer to the gateway. When this returns well, the gateway has taken it. Whoever begins this brings it to
    /// its end: an answer that is recorded must not be left where nobody knows what became of it.
    pub(crate) async fn answer(&self, link: &Link, answered: Answered, by: &Actor) -> Result<(), Refusal> {
        let (id, decision) = (answered.approval.clone(), answered.decision);
        let held = self.held().await;
        if asks::answer(&held.asks, &answered, by.as_str(), self.0.clock.now_us())? == Taken::Before {
            return Ok(());
        }
        let event = ApprovalEvent::Answered(answered.clone());
        let (mut held, recorded) = self.record(held, event, by, None).await;
        recorded.map_err(|error| Refusal::from(&error))?;
        held.under_way.insert(id.clone());
        let of_plugin = held.asks.get(&id).is_some_and(|ask| ask.requested.question.plugin.is_some());
        drop(held);
        let method = if of_plugin { "plugin.approval.resolve" } else { "exec.approval.resolve" };
        let body = params(&json!({ "id": id.question(), "decision": decision }));
        let (mut held, outcome) = match link.call(method, body, WITHIN).await {
            Ok(_) => {
                let taken = Settled::Resolved { decision, by: Some(OURS.to_owned()) };
                (self.settle(self.held().await, &id, taken, self.heard_now()).await, Ok(()))
            }
            Err(error) => self.not_taken(link, &answered, by, error).await,
        };
        // Before that, whoever compares would take it for one that nobody told the gateway.
        held.under_way.remove(&id);
        outcome
    }

    /// The gateway did not take an answer, or nobody knows: says why, and what holds instead.
    async fn not_taken(
        &self,
        link: &Link,
        answered: &Answered,
        by: &Actor,
        error: CallError,
    ) -> (Held, Result<(), Refusal>) {
        let Answered { approval: id, decision, .. } = answered;
        let is_settled = matches!(&error, CallError::Refused(refused)
            if matches!(refused.detail(), Some("APPROVAL_ALREADY_RESOLVED" | "APPROVAL_NOT_FOUND")));
        if is_settled && let Err(error) = self.ask_after(link, id).await {
            tracing::warn!(%id, %error, "the gateway does not say what became of a question");
        }
        let held = self.held().await;
        let reopened = asks::reopen(&held.asks, id, short(error.to_string()));
        let is_open_again = reopened.is_some();
        let held = self.note(held, reopened, None).await;
        if !is_open_again {
            // What was heard meanwhile counts: it may be this very answer.
            if asks::is_resolved_so(&held.asks, id, *decision, by.as_str()) {
                return (held, Ok(()));
            }
            let taken = asks::taken(&held.asks, id, self.0.clock.now_us()).unwrap_or_else(|| error.to_string());
            return (held, Err(Refusal::new(RefusalKind::WrongState, taken)));
        }
        let refusal = match &error {
            CallError::Lost(_) | CallError::TimedOut(_) => Refusal::new(
                RefusalKind::Unusable,
                format!("whether the gateway took the answer is not known: {error}"),
            )
            .hint("look again in a moment: regatta approvals; if it is still open, answer again"),
            CallError::NotConnected(_) | CallError::Busy | CallError::TooLarge { .. } | CallError::Refused(_) => {
                Refusal::new(RefusalKind::Unusable, error.to_string()).hint("the question is still open")
            }
        };
        (held, Err(refusal))
    }

    /// Records a fact about a question that nobody waits for; when it cannot be, a comparison finds it again.
    async fn note(&self, mut held: Held, event: Option<ApprovalEvent>, cause: Option<EventId>) -> Held {
        let Some(event) = event else { return held };
        loop {
            let (back, recorded) = self.record(held, event.clone(), &Actor::regatta(), cause).await;
            held = back;
            match recorded {
                Ok(()) => {
                    if matches!(event, ApprovalEvent::Requested(_) | ApprovalEvent::AnswerFailed(_)) {
                        self.0.asked.notify_one();
                    }
                    return held;
                }
                Err(AppendError::Busy) => sleep(BUSY_WAIT).await,
                Err(error) => {
                    tracing::warn!(id = %event.approval(), %error, "a fact about a question was not recorded");
                    held.is_behind = true;
                    return held;
                }
            }
        }
    }

    /// Makes a fact durable and takes it in, as one: whoever is dropped meanwhile leaves no position behind the log.
    async fn record(
        &self,
        mut held: Held,
        event: ApprovalEvent,
        by: &Actor,
        cause: Option<EventId>,
    ) -> (Held, Result<(), AppendError>) {
        let (inner, by) = (Arc::clone(&self.0), by.clone());
        let recording = async move {
            let fact = Event::Approval(event.clone());
            let draft = Draft::new(&fact, &*inner.clock, by.clone(), Uuid::nil());
            let at_us = draft.at_us;
            let events = vec![Draft { correlation: draft.id.0, cause, ..draft }];
            let append = Append { stream: inner.stream.clone(), expect: Expect::At(held.position), events };
            let appended = log::append(&*inner.log, append).await.map(|appended| {
                held.position = appended.stream_seq;
                held.evolve(&event, by.as_str(), at_us);
            });
            (held, appended)
        };
        to_the_end(recording).await
    }
}

fn params(value: &serde_json::Value) -> Box<RawValue> {
    to_raw_value(value).unwrap_or_else(|_| RawValue::NULL.to_owned())
}
