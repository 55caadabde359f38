//! Rules: what people answer in advance. Adds and removes them; which rule answers what is in `book` and `fits`.

mod book;
mod fits;

use std::sync::Arc;

use regatta_core::event::rule::{KnownRule, Rule, RuleEvent};
use regatta_core::{
    Actor, Append, Clock, Draft, Event, Expect, Log, ReadError, ReadMax, Refusal, RefusalKind, RuleName, Seq, Stream,
    log, to_the_end,
};
use tokio::sync::{Mutex, OwnedMutexGuard, watch};
use uuid::Uuid;

pub(crate) use book::Book;
pub use book::check;
pub use fits::is_about;

/// Every rule of this installation. Cheap to clone.
#[derive(Clone)]
pub struct Rules(Arc<Inner>);

struct Inner {
    log: Arc<dyn Log>,
    clock: Arc<dyn Clock>,
    /// Where the stream ends; held while something is decided and made durable.
    position: Arc<Mutex<u64>>,
    book: watch::Sender<Arc<Book>>,
}

impl Rules {
    /// Reads from the log which rules there are.
    pub(crate) fn open(log: Arc<dyn Log>, clock: Arc<dyn Clock>) -> Result<Self, ReadError> {
        let (stream, mut book, mut position) = (Stream::rules(), Book::default(), 0);
        loop {
            let batch = log.read_stream(&stream, position + 1, ReadMax::default())?;
            let Some(last) = batch.last() else { break };
            position = last.stream_seq;
            for envelope in &batch {
                if let Ok(Event::Rule(event)) = envelope.event() {
                    book.evolve(&event, envelope.at_us, envelope.actor.as_str());
                }
            }
        }
        // Also what was removed counts.
        let position = Arc::new(Mutex::new(log.stream_head(&stream)?.max(position)));
        Ok(Self(Arc::new(Inner { log, clock, position, book: watch::Sender::new(Arc::new(book)) })))
    }

    pub(crate) fn watch(&self) -> watch::Receiver<Arc<Book>> {
        self.0.book.subscribe()
    }

    /// Every rule, the oldest first.
    #[must_use]
    pub fn all(&self) -> Vec<KnownRule> {
        self.0.book.borrow().all().to_vec()
    }

    /// Adds a rule. It answers from now on, and what is open now.
    ///
    /// # Errors
    /// When it is out of bounds, its name is taken, or it cannot be recorded.
    pub async fn add(&self, rule: Rule, by: &Actor) -> Result<(), Refusal> {
        self.decide(by, |book| book.add(rule)).await
    }

    /// Removes a rule. What it answered stays answered.
    ///
    /// # Errors
    /// When there is none of that name, or it cannot be recorded.
    pub async fn remove(&self, rule: &RuleName, by: &Actor) -> Result<(), Refusal> {
        self.decide(by, |book| book.remove(rule)).await
    }

    /// Says everything that holds again, so that the facts before `below` may be removed from the log.
    pub(crate) async fn restate(&self, by: &Actor, below: Seq) -> Result<(), Refusal> {
        let first = self.0.log.read_stream(&Stream::rules(), 1, ReadMax { events: 1, bytes: 0 });
        let first = first.map_err(|error| Refusal::new(RefusalKind::Unusable, error.to_string()))?;
        if first.first().is_none_or(|first| first.seq >= below) {
            return Ok(());
        }
        self.decide(by, |book| Ok(book.restated())).await
    }

    async fn decide(&self, by: &Actor, wish: impl FnOnce(&Book) -> Result<RuleEvent, Refusal>) -> Result<(), Refusal> {
        let held = Arc::clone(&self.0.position).lock_owned().await;
        let event = wish(&self.0.book.borrow())?;
        self.record(held, event, by).await
    }

    /// Makes a fact durable and takes it in, as one.
    async fn record(&self, mut held: OwnedMutexGuard<u64>, event: RuleEvent, by: &Actor) -> Result<(), Refusal> {
        let (inner, by) = (Arc::clone(&self.0), by.clone());
        to_the_end(async move {
            let draft = Draft::new(&Event::Rule(event.clone()), &*inner.clock, by.clone(), Uuid::nil());
            let at_us = draft.at_us;
            let events = vec![Draft { correlation: draft.id.0, ..draft }];
            let append = Append { stream: Stream::rules(), expect: Expect::At(*held), events };
            *held = log::append(&*inner.log, append).await.map_err(|error| Refusal::from(&error))?.stream_seq;
            inner.book.send_modify(|book| Arc::make_mut(book).evolve(&event, at_us, by.as_str()));
            Ok(())
        })
        .await
    }
}
