//! A run with its attempts, as the dispatcher holds it, and what is due for it. Pure.
//!
//! [`Race::due`] is the reactor: it is a function of the state alone, so that what must happen after an event and what
//! must happen after a crash are the same thing. An effect is due from the event that asks for it to the event that
//! records its outcome.

use std::collections::{BTreeMap, BTreeSet};

use regatta_core::cleaning::Step;
use regatta_core::event::attempt::{Outcome, Phase, Queued};
use regatta_core::event::cleaning::Wish as Tidy;
use regatta_core::event::run::{AttemptEnded, Strategy};
use regatta_core::{Event, SandboxKey, Slot};
use serde::{Deserialize, Serialize};

use crate::attempt::{self, Attempt};
use crate::run::{self, Delivery, Run};

/// A run and its attempts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Race {
    /// The run.
    pub run: Run,
    /// Its attempts, as far as they are queued.
    pub attempts: BTreeMap<Slot, Attempt>,
}

/// An intended effect in the world. Its fields are its identity: the same effect is never under way twice.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Effect {
    /// Pin the base of the run.
    Prepare,
    /// Make a sandbox.
    CreateSandbox(SandboxKey),
    /// Start a command in a sandbox unless it was started, and record what it prints until it ends.
    RunPhase(SandboxKey, Phase),
    /// Stop a command.
    Kill(SandboxKey, Phase),
    /// Keep what an attempt changed.
    Collect(SandboxKey),
    /// Remove a sandbox with everything in it.
    Destroy(SandboxKey),
    /// Bring an attempt's work into the user's repository.
    Deliver(Slot),
    /// Bring what an attempt left from one place to the next.
    Clean(Slot, Step),
}

/// A wish the dispatcher has itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// An attempt is to stand in line.
    Queue(Box<Queued>),
    /// For an attempt.
    Attempt(Slot, attempt::Command),
    /// For the run.
    Run(run::Command),
}

impl Wish {
    /// Whether it ends work, or removes something.
    #[must_use]
    pub fn relieves(&self) -> bool {
        match self {
            Self::Run(run::Command::Cancel(_)) => true,
            Self::Run(run::Command::Clean(_, wish)) => matches!(wish, Tidy::Clean { .. } | Tidy::Forget),
            Self::Attempt(_, command) => {
                matches!(command, attempt::Command::Cancel(_) | attempt::Command::EndFork(_))
            }
            Self::Run(_) | Self::Queue(_) => false,
        }
    }
}

/// What is due: wishes to decide at once, effects to have under way.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Due {
    /// To be decided at once, in order.
    pub wishes: Vec<Wish>,
    /// To be under way.
    pub effects: BTreeSet<Effect>,
}

impl Race {
    /// A race at its start.
    #[must_use]
    pub fn new(run: Run) -> Self {
        Self { run, attempts: BTreeMap::new() }
    }

    /// Takes in a fact of any of its streams. Facts of a slot it does not know of are passed over.
    pub fn evolve(&mut self, event: &Event, slot: Option<Slot>, at_us: u64) {
        match event {
            Event::Run(event) => self.run.evolve(event),
            Event::Delivery(event) => self.run.evolve_delivery(event),
            Event::Cleaning(event) => self.run.evolve_cleaning(event),
            Event::Attempt(regatta_core::event::AttemptEvent::Queued(facts)) => {
                self.attempts.insert(facts.slot, Attempt::queued(facts.clone()));
            }
            Event::Attempt(event) => {
                if let Some(attempt) = slot.and_then(|slot| self.attempts.get_mut(&slot)) {
                    attempt.evolve(event, at_us);
                }
            }
            Event::Sandbox(event) => {
                if let Some(attempt) = slot.and_then(|slot| self.attempts.get_mut(&slot)) {
                    attempt.evolve_sandbox(event);
                }
            }
            Event::Gateway(_)
            | Event::Approval(_)
            | Event::Rule(_)
            | Event::Config(_)
            | Event::User(_)
            | Event::Secret(_)
            | Event::Log(_)
            | Event::Unknown { .. } => {}
        }
    }

    /// Everything that is due now.
    #[must_use]
    pub fn due(&self) -> Due {
        let mut due = Due::default();
        match &self.run.stage {
            run::Stage::Preparing if self.run.cancel.is_some() => due.wishes.push(Wish::Run(run::Command::Settle)),
            run::Stage::Preparing => {
                due.effects.insert(Effect::Prepare);
            }
            run::Stage::Racing => self.due_while_racing(&mut due),
            run::Stage::Settled(_) => {}
        }
        for (slot, delivery) in &self.run.deliveries {
            if *delivery == Delivery::Intended {
                due.effects.insert(Effect::Deliver(*slot));
            }
        }
        let steps = self.run.cleanings.iter().filter_map(|(slot, cleaning)| Some((*slot, cleaning.place.step()?)));
        due.effects.extend(steps.map(|(slot, step)| Effect::Clean(slot, step)));
        for attempt in self.attempts.values() {
            due_of(attempt, &mut due);
        }
        due
    }

    fn due_while_racing(&self, due: &mut Due) {
        for slot in self.run.slots() {
            match self.attempts.get(&slot) {
                None => due.wishes.extend(self.queued(slot).map(|queued| Wish::Queue(Box::new(queued)))),
                Some(attempt) => match (attempt.outcome(), self.why_stop(slot)) {
                    (Some(_), _) if self.run.ended.contains_key(&slot) => {}
                    (Some(outcome), _) => due.wishes.push(Wish::Run(ended(slot, attempt, outcome))),
                    (None, Some(reason)) if attempt.cancel.is_none() => {
                        due.wishes.push(Wish::Attempt(slot, attempt::Command::Cancel(reason)));
                    }
                    (None, _) => {}
                },
            }
        }
        if let Some(winner) = self.run.winner()
            && !self.run.deliveries.contains_key(&winner)
        {
            due.effects.insert(Effect::Deliver(winner));
        }
        if self.run.settle().is_some() {
            due.wishes.push(Wish::Run(run::Command::Settle));
        }
    }

    fn queued(&self, slot: Slot) -> Option<Queued> {
        Some(Queued {
            run: self.run.id,
            slot,
            entry: self.run.entry(slot)?.clone(),
            setup: self.run.facts.setup.is_some(),
            checks: u16::try_from(self.run.facts.checks.len()).unwrap_or(u16::MAX),
            starts_max: self.run.facts.limits.starts_max,
        })
    }

    /// Why an attempt that still runs is to stop; nothing when it is to go on.
    fn why_stop(&self, slot: Slot) -> Option<String> {
        if let Some(reason) = &self.run.cancel {
            return Some(reason.clone());
        }
        // Whoever put hunks together wants to see what comes of it, whoever won.
        if self.run.synthesis(slot).is_some() {
            return None;
        }
        let winner = self.run.winner()?;
        match self.run.facts.strategy {
            Strategy::Race | Strategy::Best => Some(format!("attempt {winner} won")),
            Strategy::All => None,
        }
    }

    /// Whether what is decided now ends work and so gives the disk room back: something of it is being stopped, or all of
    /// it is over and is at most tidied up.
    #[must_use]
    pub fn relieves(&self) -> bool {
        let is_over = self.run.cancel.is_some() || matches!(self.run.stage, run::Stage::Settled(_));
        is_over || self.attempts.values().any(|attempt| attempt.cancel.is_some())
    }

    /// Whether nothing is due, nothing stands in line and nobody has a copy of a sandbox: it may be forgotten until somebody
    /// asks.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        let has_copies = self.attempts.values().any(|attempt| !attempt.forks.is_empty());
        matches!(self.run.stage, run::Stage::Settled(_)) && self.due() == Due::default() && !has_copies
    }
}

fn ended(slot: Slot, attempt: &Attempt, outcome: &Outcome) -> run::Command {
    run::Command::AttemptEnded(AttemptEnded {
        slot,
        outcome: outcome.clone(),
        stat: attempt.stat,
        elapsed_ms: attempt.elapsed_ms.unwrap_or(0),
    })
}

fn due_of(attempt: &Attempt, due: &mut Due) {
    match &attempt.stage {
        attempt::Stage::Queued { .. } | attempt::Stage::Finished(_) => {}
        attempt::Stage::Starting(lease) if attempt.sandboxes.contains_key(&lease.sandbox) => {
            due.effects.insert(Effect::CreateSandbox(lease.sandbox.clone()));
        }
        attempt::Stage::Starting(_) => {
            due.wishes.push(Wish::Attempt(attempt.facts.slot, attempt::Command::Intend));
        }
        attempt::Stage::Running(lease, phase) => {
            due.effects.insert(Effect::RunPhase(lease.sandbox.clone(), *phase));
            if attempt.cancel.is_some() {
                due.effects.insert(Effect::Kill(lease.sandbox.clone(), *phase));
            }
        }
        attempt::Stage::Collecting(lease) => {
            due.effects.insert(Effect::Collect(lease.sandbox.clone()));
        }
    }
    let held = attempt.lease().map(|lease| &lease.sandbox);
    for key in attempt.sandboxes.keys().filter(|key| Some(*key) != held) {
        due.effects.insert(Effect::Destroy(key.clone()));
    }
}
