//! A race as the dispatcher holds it: its state, where its streams end, and which effects are under way.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use regatta_core::event::run::Requested;
use regatta_core::event::{AttemptEvent, SandboxEvent};
use regatta_core::{Actor, Append, AttemptId, Blobs, Draft, Envelope, Event, EventId, Expect, RunId, Slot, Stream};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::submit::Submitter;
use crate::asked::reused;
use crate::executor::Job;
use crate::race::{Effect, Race, Wish};
use crate::run::Run;
use crate::{CommandKey, Refusal, RefusalKind};

/// Commands of one run whose keys are remembered; those beyond are done again when they are repeated.
const KEYS_MAX: usize = 4_096;

/// A race as the dispatcher holds it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Held {
    pub(super) race: Race,
    /// The idempotency key it was requested under.
    pub(super) key: Option<Arc<str>>,
    pub(super) requested_at_us: u64,
    /// Effects that are under way.
    #[serde(skip)]
    pub(super) active: BTreeSet<Effect>,
    /// How many events were recorded or restored; tells whether a decision changed anything.
    pub(super) recorded_events: u64,
    /// The point up to which the log must be durable before this can be read back from it.
    pub(super) submitted: u64,
    facts: Arc<Requested>,
    /// The last `stream_seq` of each of its streams.
    heads: BTreeMap<Stream, u64>,
    correlation: Uuid,
    cause: Option<EventId>,
    /// The keys of commands that were done, with what was asked under them.
    keys: BTreeMap<Arc<str>, Arc<str>>,
}

/// What was decided.
#[derive(Default)]
pub(super) struct Decision {
    /// The attempt it is about.
    pub(super) slot: Option<Slot>,
    pub(super) events: Vec<Event>,
    /// What led to it, when that is not the race's last fact.
    pub(super) cause: Option<EventId>,
    /// The key of the command it comes from.
    pub(super) key: Option<CommandKey>,
    /// Whether it gives the disk room back.
    pub(super) relieves: bool,
}

impl Held {
    pub(super) fn new(run: RunId, facts: Requested, key: Option<Arc<str>>) -> Self {
        Self {
            facts: Arc::new(facts.clone()),
            race: Race::new(Run::requested(run, facts)),
            key,
            requested_at_us: 0,
            active: BTreeSet::new(),
            recorded_events: 0,
            submitted: 0,
            heads: BTreeMap::new(),
            correlation: Uuid::nil(),
            cause: None,
            keys: BTreeMap::new(),
        }
    }

    /// Decides one wish.
    pub(super) fn decide(&self, wish: Wish, now_us: u64) -> Result<Decision, Refusal> {
        let relieves = wish.relieves();
        let (slot, events) = match wish {
            Wish::Queue(facts) => (Some(facts.slot), vec![AttemptEvent::Queued(*facts).into()]),
            Wish::Run(command) => (None, self.race.run.decide(command)?),
            Wish::Attempt(slot, command) => {
                let none = || {
                    let message = format!("run {} has no attempt {slot}", self.race.run.id);
                    Refusal::new(RefusalKind::NotFound, message)
                };
                (Some(slot), self.race.attempts.get(&slot).ok_or_else(none)?.decide(command, now_us)?)
            }
        };
        Ok(Decision { slot, events, relieves, ..Decision::default() })
    }

    /// Takes decisions in and hands them to the log, each to its own stream, one append per unbroken row.
    pub(super) fn record(&mut self, submitter: &mut Submitter, decision: Decision, by: &Actor) {
        let Decision { slot, events, cause, key, relieves } = decision;
        let mut dedup = self.dedup(key);
        let mut cause = cause.or(self.cause.filter(|_| *by == Actor::regatta()));
        let mut row: Option<(Stream, Vec<Draft>)> = None;
        for event in events {
            let Some(stream) = stream(self.race.run.id, slot, &event) else { continue };
            let draft = Draft::new(&event, &*submitter.world.clock, by.clone(), self.correlation);
            let (id, at_us) = (draft.id, draft.at_us);
            let first = self.recorded_events == 0;
            if first {
                self.correlation = id.0;
                self.requested_at_us = at_us;
            }
            let draft = Draft { cause, correlation: self.correlation, dedup: dedup.take(), ..draft };
            self.race.evolve(&event, slot, at_us);
            self.recorded_events += 1;
            self.cause = Some(id);
            cause = Some(id);
            match &mut row {
                Some((open, drafts)) if *open == stream => drafts.push(draft),
                _ => {
                    if let Some((stream, drafts)) = row.replace((stream, vec![draft])) {
                        self.submit(submitter, stream, drafts, relieves);
                    }
                }
            }
        }
        if let Some((stream, drafts)) = row {
            self.submit(submitter, stream, drafts, relieves);
        }
    }

    /// The key that the first fact of a decision is recorded under: the run's own for its request. None that the log
    /// knows, so that nothing that was decided is taken for a repeat there.
    fn dedup(&mut self, key: Option<CommandKey>) -> Option<Arc<str>> {
        if self.recorded_events == 0 {
            return self.key.clone();
        }
        let key = key.filter(|key| self.keys.len() < KEYS_MAX && !self.keys.contains_key(&key.name))?;
        let dedup = key.to_dedup();
        self.keys.insert(key.name, key.content);
        Some(dedup)
    }

    /// Whether a command was done before under that key; refused when it was another one.
    pub(super) fn is_done(&self, key: &CommandKey) -> Result<bool, Refusal> {
        match self.keys.get(&key.name) {
            None => Ok(false),
            Some(content) if *content == key.content => Ok(true),
            Some(_) => Err(reused()),
        }
    }

    fn submit(&mut self, submitter: &mut Submitter, stream: Stream, events: Vec<Draft>, relieves: bool) {
        let head = self.heads.entry(stream.clone()).or_insert(0);
        let expect = if *head == 0 { Expect::Empty } else { Expect::At(*head) };
        *head += events.len() as u64;
        submitter.submit(Append { stream, expect, events }, relieves || self.race.relieves());
        self.submitted = submitter.submitted();
    }

    /// Takes in a fact read from the log, in the log's order.
    pub(super) fn restore(&mut self, envelope: &Envelope, event: &Event, slot: Option<Slot>) {
        if envelope.stream.as_str().starts_with("output/") {
            self.race.evolve(event, slot, envelope.at_us);
            return;
        }
        if self.recorded_events == 0 {
            self.correlation = envelope.correlation;
            self.requested_at_us = envelope.at_us;
            self.key.clone_from(&envelope.dedup);
        } else if let Some(key) = envelope.dedup.as_deref().and_then(CommandKey::from_dedup) {
            self.keys.insert(key.name, key.content);
        }
        self.heads.insert(envelope.stream.clone(), envelope.stream_seq);
        self.cause = Some(envelope.id);
        self.recorded_events += 1;
        self.race.evolve(event, slot, envelope.at_us);
    }

    pub(super) fn job(&self, effect: &Effect, blobs: &Blobs) -> Job {
        let slot = match effect {
            Effect::Prepare => None,
            Effect::CreateSandbox(key) | Effect::RunPhase(key, _) | Effect::Kill(key, _) => Some(key.attempt.slot),
            Effect::Collect(key) | Effect::Destroy(key) => Some(key.attempt.slot),
            Effect::Deliver(slot) | Effect::Clean(slot, _) => Some(*slot),
        };
        let attempt = slot.and_then(|slot| self.race.attempts.get(&slot));
        Job {
            run: self.race.run.id,
            facts: Arc::clone(&self.facts),
            requested_at_us: self.requested_at_us,
            correlation: self.correlation,
            cause: self.cause,
            recorded: attempt.map(|attempt| attempt.recorded.clone()).unwrap_or_default(),
            artifacts: attempt.map(|attempt| attempt.artifacts.clone()).unwrap_or_default(),
            patch: attempt.and_then(|attempt| attempt.patch.clone()),
            added: self.race.run.added.clone(),
            cleaning: slot.and_then(|slot| self.race.run.cleanings.get(&slot)).cloned().unwrap_or_default(),
            kept: Arc::new(blobs.keeper()),
        }
    }
}

/// The stream a fact belongs to; nothing for facts that are not of a run.
fn stream(run: RunId, slot: Option<Slot>, event: &Event) -> Option<Stream> {
    match event {
        Event::Run(_) => Some(Stream::run(run)),
        Event::Delivery(_) => Some(Stream::delivery(run)),
        Event::Cleaning(_) => Some(Stream::cleaning(run)),
        Event::Attempt(_) => slot.map(|slot| Stream::attempt(AttemptId { run, slot })),
        Event::Sandbox(event) => Some(Stream::sandbox(match event {
            SandboxEvent::Intended(intended) => &intended.key,
            SandboxEvent::Created(created) => &created.key,
            SandboxEvent::Failed(failed) => &failed.key,
            SandboxEvent::Destroyed(destroyed) => &destroyed.key,
            SandboxEvent::Reaped(reaped) => &reaped.key,
            SandboxEvent::Entered(entered) => &entered.key,
            SandboxEvent::Forked(forked) => &forked.key,
            SandboxEvent::ForkEnded(ended) => &ended.key,
        })),
        Event::Gateway(_)
        | Event::Approval(_)
        | Event::Rule(_)
        | Event::Config(_)
        | Event::User(_)
        | Event::Secret(_)
        | Event::Log(_)
        | Event::Unknown { .. } => None,
    }
}
