//! Refusals as facts. The first of a burst, of one reason from one source, is recorded at once: what an attacker does before
//! a crash is known. What repeats it within a minute is counted and makes one fact, so that guessing cannot flood the log.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use regatta_core::event::user::{Refused, SOURCES_MAX, UserEvent};
use regatta_core::{Actor, Append, Clock, Draft, Event, Expect, Log, Stream, log};

use super::guesses::Source;

/// For how long refusals are counted before they make a fact.
pub(crate) const COUNTED_FOR: Duration = Duration::from_secs(60);
/// Bursts told apart at once; what comes beyond, as from an attacker with many addresses, is only counted.
const BURSTS_MAX: usize = 32;

/// Why somebody is turned away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
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

/// What is not recorded yet, and which bursts go on. Pure: time is an argument.
#[derive(Debug, Default)]
struct Counted {
    /// Bursts whose beginning is recorded, and whether they went on since the last count.
    bursts: BTreeMap<(Reason, Source), bool>,
    counts: BTreeMap<String, u64>,
    sources: BTreeSet<IpAddr>,
    since_us: u64,
}

impl Counted {
    /// Takes in a refusal; the fact to record now when it begins a burst.
    fn note(&mut self, reason: Reason, source: IpAddr, now_us: u64) -> Option<Refused> {
        let (burst, has_room) = ((reason, Source::from(source)), self.bursts.len() < BURSTS_MAX);
        match self.bursts.get_mut(&burst) {
            Some(goes_on) => *goes_on = true,
            None if has_room => {
                self.bursts.insert(burst, false);
                let counts = [(reason.as_str().to_owned(), 1)].into();
                return Some(Refused { counts, sources: vec![source.to_string()], since_us: now_us });
            }
            None => {}
        }
        if self.counts.is_empty() {
            self.since_us = now_us;
        }
        *self.counts.entry(reason.as_str().to_owned()).or_default() += 1;
        if self.sources.len() < SOURCES_MAX {
            self.sources.insert(source);
        }
        None
    }

    /// Takes what was counted, and forgets the bursts that are over.
    fn take(&mut self) -> Option<Refused> {
        self.bursts.retain(|_, goes_on| std::mem::take(goes_on));
        if self.counts.is_empty() {
            return None;
        }
        let sources = std::mem::take(&mut self.sources).into_iter().map(|source| source.to_string()).collect();
        Some(Refused { counts: std::mem::take(&mut self.counts), sources, since_us: self.since_us })
    }

    fn is_quiet(&self) -> bool {
        self.bursts.is_empty() && self.counts.is_empty()
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
        let was_quiet = counted.is_quiet();
        let first = counted.note(reason, source, self.clock.now_us());
        drop(counted);
        if let Some(first) = first {
            let refusals = self.clone();
            tokio::spawn(async move { refusals.record(first).await });
        }
        if was_quiet {
            tokio::spawn(self.clone().watch());
        }
    }

    /// Records what was counted after each window, until one was quiet.
    async fn watch(self) {
        loop {
            tokio::time::sleep(COUNTED_FOR).await;
            if self.settle().await {
                return;
            }
        }
    }

    /// Records what was counted until now; whether nothing goes on.
    pub(crate) async fn settle(&self) -> bool {
        let (taken, is_quiet) = {
            let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
            (counted.take(), counted.is_quiet())
        };
        if let Some(refused) = taken {
            self.record(refused).await;
        }
        is_quiet
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

#[cfg(test)]
mod tests {
    use super::*;

    fn from(address: [u8; 4]) -> IpAddr {
        address.into()
    }

    #[test]
    fn the_first_of_a_burst_is_told_at_once_and_its_repeats_are_counted() {
        let mut counted = Counted::default();
        let here = from([127, 0, 0, 1]);
        let first = counted.note(Reason::Credential, here, 5).expect("the first is told");
        assert_eq!(
            (first.counts, first.sources, first.since_us),
            (counts(&[("credential", 1)]), vec!["127.0.0.1".to_owned()], 5)
        );
        assert_eq!(counted.note(Reason::Credential, here, 6), None);
        assert_eq!(counted.note(Reason::Credential, here, 7), None);
        assert!(counted.note(Reason::Role, here, 8).is_some(), "for another reason");
        assert!(counted.note(Reason::Credential, from([10, 0, 0, 1]), 9).is_some(), "from elsewhere");
        let repeats = counted.take().expect("repeats");
        assert_eq!((repeats.counts, repeats.since_us), (counts(&[("credential", 2)]), 6));
    }

    #[test]
    fn a_burst_that_goes_on_is_one_and_after_a_quiet_window_another_begins() {
        let mut counted = Counted::default();
        let here = from([127, 0, 0, 1]);
        let mut told = |now_us| counted.note(Reason::Host, here, now_us).is_some();
        assert_eq!((told(1), told(2)), (true, false));
        assert!(counted.take().is_some());
        assert_eq!(counted.note(Reason::Host, here, 3), None, "it went on");
        assert!(counted.take().is_some());
        assert_eq!(counted.take(), None, "a quiet window");
        assert!(counted.is_quiet());
        assert!(counted.note(Reason::Host, here, 4).is_some());
    }

    #[test]
    fn an_attacker_with_many_addresses_makes_few_facts() {
        let mut counted = Counted::default();
        let told = (0..1_000_u32)
            .filter(|n| counted.note(Reason::Credential, std::net::Ipv4Addr::from_bits(*n).into(), 1).is_some());
        assert_eq!(told.count(), BURSTS_MAX);
        let rest = counted.take().expect("the rest");
        assert_eq!(rest.counts, counts(&[("credential", 1_000 - BURSTS_MAX as u64)]));
        assert_eq!(rest.sources.len(), SOURCES_MAX);
    }

    fn counts(all: &[(&str, u64)]) -> BTreeMap<String, u64> {
        all.iter().map(|(reason, count)| ((*reason).to_owned(), *count)).collect()
    }
}
