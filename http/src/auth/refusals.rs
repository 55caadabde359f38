//! Refusals as facts. The first one after a quiet time is recorded at once; those of the minute after it make one fact,
//! so that guessing cannot flood the log.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use regatta_core::event::user::{Refused, SOURCES_MAX, UserEvent};
use regatta_core::{Actor, Append, Clock, Draft, Event, Expect, Log, Stream, log};

/// For how long refusals are counted before they make a fact.
pub(crate) const COUNTED_FOR: Duration = Duration::from_secs(60);

/// Why somebody is turned away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    Credential,
    LockedOut,
    Role,
    Origin,
    Host,
    Link,
    Plain,
}

impl Reason {
    fn as_str(self) -> &'static str {
        match self {
            Self::Credential => "credential",
            Self::LockedOut => "locked_out",
            Self::Role => "role",
            Self::Origin => "origin",
            Self::Host => "host",
            Self::Link => "link",
            Self::Plain => "plain",
        }
    }
}

#[derive(Debug, Default)]
struct Counted {
    counts: BTreeMap<String, u64>,
    sources: BTreeSet<IpAddr>,
    since_us: u64,
    is_watched: bool,
}

impl Counted {
    fn take(&mut self) -> Option<Refused> {
        if self.counts.is_empty() {
            return None;
        }
        let sources = std::mem::take(&mut self.sources).into_iter().map(|source| source.to_string()).collect();
        Some(Refused { counts: std::mem::take(&mut self.counts), sources, since_us: self.since_us })
    }
}

/// Counts refusals and records them.
#[derive(Clone)]
pub(crate) struct Refusals {
    counted: Arc<Mutex<Counted>>,
    log: Arc<dyn Log>,
    clock: Arc<dyn Clock>,
}

impl Refusals {
    pub(crate) fn new(log: Arc<dyn Log>, clock: Arc<dyn Clock>) -> Self {
        Self { counted: Arc::default(), log, clock }
    }

    /// Somebody was turned away.
    pub(crate) fn note(&self, reason: Reason, source: IpAddr) {
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        if counted.counts.is_empty() {
            counted.since_us = self.clock.now_us();
        }
        *counted.counts.entry(reason.as_str().to_owned()).or_default() += 1;
        if counted.sources.len() < SOURCES_MAX {
            counted.sources.insert(source);
        }
        if !counted.is_watched {
            counted.is_watched = true;
            tokio::spawn(self.clone().watch());
        }
    }

    /// Records what is counted, now and after each window, until one was quiet.
    async fn watch(self) {
        loop {
            let taken = {
                let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
                let taken = counted.take();
                counted.is_watched = taken.is_some();
                taken
            };
            let Some(refused) = taken else { return };
            self.record(refused).await;
            tokio::time::sleep(COUNTED_FOR).await;
        }
    }

    async fn record(&self, refused: Refused) {
        tracing::warn!(counts = ?refused.counts, sources = ?refused.sources, "callers were turned away");
        let event = Event::User(UserEvent::Refused(refused));
        let draft = Draft::new(&event, &*self.clock, Actor::regatta(), uuid::Uuid::nil());
        let draft = Draft { correlation: draft.id.0, ..draft };
        let append = Append { stream: Stream::refusals(), expect: Expect::Any, events: vec![draft] };
        if let Err(error) = log::append(&*self.log, append).await {
            tracing::warn!(%error, "refusals could not be recorded");
        }
    }
}
