//! Who brings the questions of one gateway to people and their answers back. Every step is durable before the next: an
//! answer is recorded before the gateway is told, and what the gateway says of it is what counts.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use regatta_core::event::approval::{ApprovalEvent, Decision};
use regatta_core::event::gateway::Frame;
use regatta_core::{
    Actor, Append, AppendError, ApprovalId, Clock, Draft, Event, EventId, Expect, GatewayName, Log, ReadError, ReadMax,
    Refusal, RefusalKind, Stream, log,
};
use regatta_gateway::{CallError, Link};
use serde_json::json;
use serde_json::value::{RawValue, to_raw_value};
use tokio::sync::{Mutex, MutexGuard};
use uuid::Uuid;

use crate::asks::Asks;
use crate::questions::{Said, Settled, listed, said, settled};

/// Events of the stream that are read at a start. Whatever was asked before them is long over.
const READ_BACK: u64 = 10_000;
/// How long a gateway may take to answer.
const WITHIN: Duration = Duration::from_secs(20);
/// A question this long past its time is over whether the gateway can be asked or not, in milliseconds.
const OVERDUE_MS: u64 = 60_000;
/// How long after its time a gateway is asked about a question, in milliseconds.
const GRACE_MS: u64 = 2_000;

/// The questions of one gateway. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Broker(Arc<Inner>);

struct Inner {
    gateway: GatewayName,
    stream: Stream,
    log: Arc<dyn Log>,
    clock: Arc<dyn Clock>,
    inside: Mutex<Inside>,
}

struct Inside {
    asks: Asks,
    /// Where the stream ends.
    position: u64,
    /// Answers the gateway is being told.
    under_way: BTreeSet<ApprovalId>,
}

impl Broker {
    /// What the log knows of a gateway's questions.
    pub(crate) fn open(gateway: &GatewayName, log: Arc<dyn Log>, clock: Arc<dyn Clock>) -> Result<Self, ReadError> {
        let stream = Stream::approvals(gateway);
        let mut asks = Asks::default();
        let head = log.stream_head(&stream)?;
        let mut position = head.saturating_sub(READ_BACK);
        loop {
            let batch = log.read_stream(&stream, position + 1, ReadMax::default())?;
            let Some(last) = batch.last() else { break };
            position = last.stream_seq;
            for envelope in &batch {
                if let Ok(Event::Approval(event)) = envelope.event() {
                    asks.evolve(&event, envelope.actor.as_str(), envelope.at_us);
                }
            }
        }
        let inside = Mutex::new(Inside { asks, position: position.max(head), under_way: BTreeSet::new() });
        Ok(Self(Arc::new(Inner { gateway: gateway.clone(), stream, log, clock, inside })))
    }

    /// Takes what a recorded frame says about a question.
    pub(crate) async fn hear(&self, frame: &Frame, cause: EventId) {
        let Some(said) = said(&self.0.gateway, &frame.boot_id, &frame.event, &frame.text) else { return };
        let mut inside = self.0.inside.lock().await;
        let event = match said {
            Said::Asked(requested) => inside.asks.ask(*requested),
            Said::Settled(id, settled) => inside.asks.settle(&id, settled, false),
        };
        self.note(&mut inside, event, Some(cause)).await;
    }

    /// Compares with what the gateway holds, after a connection or when something was missed.
    pub(crate) async fn compare(&self, link: &Link, boot_id: &str) -> Result<(), CallError> {
        let payload = link.call("exec.approval.list", params(&json!({})), WITHIN).await?;
        let listed = listed(&self.0.gateway, boot_id, &payload);
        let ids: BTreeSet<ApprovalId> = listed.iter().map(|asked| asked.approval.clone()).collect();
        let mut inside = self.0.inside.lock().await;
        for asked in listed {
            let event = inside.asks.ask(asked);
            self.note(&mut inside, event, None).await;
        }
        let open: Vec<ApprovalId> = inside.asks.open().map(|asked| asked.approval.clone()).collect();
        let left: Vec<ApprovalId> = open.into_iter().filter(|id| !inside.under_way.contains(id)).collect();
        for id in left.iter().filter(|id| ids.contains(id)) {
            // It waits there, so nobody told it what was answered here.
            let event = inside.asks.reopen(id, "the server ended before the gateway was told".to_owned());
            self.note(&mut inside, event, None).await;
        }
        drop(inside);
        for id in left.iter().filter(|id| !ids.contains(id)) {
            self.ask_after(link, id).await?;
        }
        Ok(())
    }

    /// Asks the gateway what became of a question.
    async fn ask_after(&self, link: &Link, id: &ApprovalId) -> Result<(), CallError> {
        let asked = link.call("approval.get", params(&json!({ "id": id.question() })), WITHIN).await;
        let settled = match asked {
            Ok(payload) => settled(&payload),
            Err(CallError::Refused(error)) if error.detail() == Some("APPROVAL_NOT_FOUND") => {
                Some(Settled::Cancelled("the gateway does not know it any more".to_owned()))
            }
            Err(error) => return Err(error),
        };
        let Some(settled) = settled else { return Ok(()) };
        let mut inside = self.0.inside.lock().await;
        let event = inside.asks.settle(id, settled, true);
        self.note(&mut inside, event, None).await;
        Ok(())
    }

    /// Settles questions whose time is over.
    pub(crate) async fn look_at_times(&self, link: Option<&Link>) {
        let now_ms = self.0.clock.now_ms();
        let inside = self.0.inside.lock().await;
        let late = |grace: u64| {
            let is_late = move |expires_at_ms: u64| expires_at_ms.saturating_add(grace) < now_ms;
            let open = inside.asks.open().filter(move |asked| is_late(asked.expires_at_ms));
            open.map(|asked| asked.approval.clone()).collect::<Vec<_>>()
        };
        let (due, overdue) = (late(GRACE_MS), late(OVERDUE_MS));
        drop(inside);
        for id in due {
            let is_asked = match link {
                Some(link) => self.ask_after(link, &id).await.is_ok(),
                None => false,
            };
            // Whose clock is right, the gateway's or ours, only it can say.
            if !is_asked && overdue.contains(&id) {
                let mut inside = self.0.inside.lock().await;
                let event = inside.asks.settle(&id, Settled::Expired, true);
                self.note(&mut inside, event, None).await;
            }
        }
    }

    /// Nobody will hear an answer any more: the gateway is gone for good.
    pub(crate) async fn end(&self, reason: &str) {
        let mut inside = self.0.inside.lock().await;
        let open: Vec<ApprovalId> = inside.asks.open().map(|asked| asked.approval.clone()).collect();
        for id in open {
            let event = inside.asks.settle(&id, Settled::Cancelled(reason.to_owned()), true);
            self.note(&mut inside, event, None).await;
        }
    }

    /// Gives a person's answer to the gateway. When this returns well, the gateway has taken it.
    pub(crate) async fn answer(
        &self,
        link: &Link,
        id: &ApprovalId,
        decision: Decision,
        note: String,
        by: &Actor,
    ) -> Result<(), Refusal> {
        let mut inside = self.0.inside.lock().await;
        if inside.asks.is_answer_of(id, decision, by.as_str()) {
            return Ok(());
        }
        let answered = inside.asks.answer(id, decision, note, self.0.clock.now_us())?;
        self.record(&mut inside, answered, by, None).await.map_err(|error| Refusal::from(&error))?;
        inside.under_way.insert(id.clone());
        drop(inside);
        let body = params(&json!({ "id": id.question(), "decision": decision }));
        let told = link.call("exec.approval.resolve", body, WITHIN).await;
        let outcome = match told {
            Ok(_) => Ok(()),
            Err(error) => self.not_taken(link, id, decision, by, error).await,
        };
        self.0.inside.lock().await.under_way.remove(id);
        outcome
    }

    /// The gateway did not take an answer, or nobody knows: says why, and what holds instead.
    async fn not_taken(
        &self,
        link: &Link,
        id: &ApprovalId,
        decision: Decision,
        by: &Actor,
        error: CallError,
    ) -> Result<(), Refusal> {
        let is_settled = matches!(&error, CallError::Refused(refused)
            if matches!(refused.detail(), Some("APPROVAL_ALREADY_RESOLVED" | "APPROVAL_NOT_FOUND")));
        if is_settled && let Err(error) = self.ask_after(link, id).await {
            tracing::warn!(%id, %error, "the gateway does not say what became of a question");
        }
        let mut inside = self.0.inside.lock().await;
        let reopened = inside.asks.reopen(id, error.to_string());
        let is_open_again = reopened.is_some();
        self.note(&mut inside, reopened, None).await;
        if !is_open_again {
            // What was heard meanwhile counts: it may be this very answer.
            if inside.asks.is_answer_of(id, decision, by.as_str()) {
                return Ok(());
            }
            let taken = inside.asks.taken(id, self.0.clock.now_us()).unwrap_or_else(|| error.to_string());
            return Err(Refusal::new(RefusalKind::WrongState, taken));
        }
        Err(match &error {
            CallError::Lost(_) | CallError::TimedOut(_) => Refusal::new(
                RefusalKind::Unusable,
                format!("whether the gateway took the answer is not known: {error}"),
            )
            .hint("look again in a moment: regatta approvals; if it is still open, answer again"),
            CallError::NotConnected(_) | CallError::Busy | CallError::TooLarge { .. } | CallError::Refused(_) => {
                Refusal::new(RefusalKind::Unusable, error.to_string()).hint("the question is still open")
            }
        })
    }

    /// Records a fact about a question that nobody waits for; when it cannot be, the next comparison finds it again.
    async fn note(&self, inside: &mut MutexGuard<'_, Inside>, event: Option<ApprovalEvent>, cause: Option<EventId>) {
        let Some(event) = event else { return };
        let id = event.approval().clone();
        if let Err(error) = self.record(inside, event, &Actor::regatta(), cause).await {
            tracing::warn!(%id, %error, "a fact about a question was not recorded");
        }
    }

    async fn record(
        &self,
        inside: &mut MutexGuard<'_, Inside>,
        event: ApprovalEvent,
        by: &Actor,
        cause: Option<EventId>,
    ) -> Result<(), AppendError> {
        let fact = Event::Approval(event);
        let draft = Draft::new(&fact, &*self.0.clock, by.clone(), Uuid::nil());
        let at_us = draft.at_us;
        let events = vec![Draft { correlation: draft.id.0, cause, ..draft }];
        let append = Append { stream: self.0.stream.clone(), expect: Expect::At(inside.position), events };
        inside.position = log::append(&*self.0.log, append).await?.stream_seq;
        if let Event::Approval(event) = &fact {
            inside.asks.evolve(event, by.as_str(), at_us);
        }
        Ok(())
    }
}

fn params(value: &serde_json::Value) -> Box<RawValue> {
    to_raw_value(value).unwrap_or_else(|_| RawValue::NULL.to_owned())
}
