//! Answers questions of one gateway by the rules there are, for as long as one connection lasts: like a person who is very
//! fast. Nothing is decided here.

use std::collections::BTreeSet;
use std::sync::Arc;

use regatta_core::{Actor, ApprovalId, to_the_end};
use regatta_gateway::Link;
use tokio::sync::watch;

use crate::broker::Broker;
use crate::rules::Book;

pub(crate) struct Ruling {
    pub(crate) broker: Broker,
    pub(crate) link: Arc<Link>,
    pub(crate) rules: watch::Receiver<Arc<Book>>,
}

impl Ruling {
    /// Goes on until it is aborted.
    pub(crate) async fn go_on(mut self) {
        // One whose answer did not arrive is left to people, and to the next connection.
        let mut tried = BTreeSet::new();
        let asked = self.broker.asked();
        loop {
            let book = Arc::clone(&self.rules.borrow_and_update());
            self.answer(&book, &mut tried).await;
            tokio::select! {
                () = asked.notified() => {}
                changed = self.rules.changed() => if changed.is_err() { return },
            }
        }
    }

    async fn answer(&self, book: &Book, tried: &mut BTreeSet<ApprovalId>) {
        let (open, ruled) = self.broker.ruled(book).await;
        tried.retain(|id| open.contains(id));
        for (answered, rule) in ruled {
            let id = answered.approval.clone();
            if tried.contains(&id) {
                continue;
            }
            // One that was removed meanwhile, or that another goes before, answers no more.
            if self.rules.has_changed().unwrap_or(true) {
                return;
            }
            tried.insert(id.clone());
            let (broker, link) = (self.broker.clone(), Arc::clone(&self.link));
            let by = Actor::rule(&rule);
            let answering = to_the_end(async move { broker.answer(&link, answered, &by).await });
            if let Err(refusal) = answering.await {
                tracing::warn!(%id, %rule, reason = refusal.message, "a rule's answer was not taken");
            }
        }
    }
}
