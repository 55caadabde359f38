//! The line before the providers: who stands in it, who may start, and when to look again.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use regatta_core::{Actor, AttemptId, RunId, SandboxKey};

use super::Dispatcher;
use super::perform::ROOM_EVERY;
use crate::attempt::{self, Failure, SandboxLife, Trouble};
use crate::executor::Fatal;
use crate::placement::{self, Full, Placed, Placement, Traffic, Waiting};
use crate::race::Wish;

impl Dispatcher {
    /// Starts whoever may start, and says why the others wait; how long until that may come to something else by itself.
    pub(super) fn place(&mut self) -> Result<Duration, Fatal> {
        let now_ms = self.world.clock.now_ms();
        let line = self.line();
        if line.is_empty() {
            return Ok(Duration::MAX);
        }
        // A disk that is nearly full takes no more sandboxes either.
        if self.check_room(false).is_err() {
            return Ok(ROOM_EVERY);
        }
        let mut traffic = self.traffic();
        let (held, others) = self.hold_back(&line, &mut traffic, now_ms);
        let Placed { placements, next_ms } = placement::place(&others, &traffic, &self.caps, now_ms);
        let next_ms = next_ms.into_iter().chain(held.next_ms).min();
        for placement in placements.into_iter().chain(held.placements) {
            let (attempt, command) = match placement {
                Placement::Start(attempt) => {
                    self.note_start(attempt, now_ms);
                    (attempt, attempt::Command::Start(self.world.install.clone()))
                }
                Placement::Wait(attempt, reason) => (attempt, attempt::Command::Wait(reason)),
            };
            if let Err(refusal) =
                self.decide(attempt.run, Wish::Attempt(attempt.slot, command), Actor::regatta().into(), None)
            {
                return Err(Fatal(format!("attempt {attempt} is stuck: {refusal}")));
            }
        }
        let mut runs: Vec<RunId> = line.iter().map(|waiting| waiting.attempt.run).collect();
        runs.dedup();
        runs.into_iter().try_for_each(|run| self.advance(run))?;
        Ok(next_ms.map_or(Duration::MAX, |at_ms| Duration::from_millis(at_ms - now_ms)))
    }

    /// Who waits for a place that takes no more, and everybody else, who are placed by their provider alone. Where places are
    /// named, a full one holds up nobody who wants another; after its time it gets one attempt at a time.
    fn hold_back(
        &self,
        line: &[Waiting],
        traffic: &mut BTreeMap<String, Traffic>,
        now_ms: u64,
    ) -> (Placed, Vec<Waiting>) {
        let named = line.iter().map(Waiting::site).filter(|site| site.place.is_some());
        let with_places: BTreeSet<&str> = named.map(|site| site.provider).collect();
        for provider in &with_places {
            // It is looked at here.
            if let Some(here) = traffic.get_mut(*provider) {
                here.full = None;
            }
        }
        let mut tried = self.starting_at();
        let (mut held, mut others) = (Placed { placements: Vec::new(), next_ms: None }, Vec::new());
        for waiting in line {
            let whole = waiting.sandbox.as_str();
            let is_due = waiting.not_before_ms <= now_ms && with_places.contains(waiting.site().provider);
            let full = self.seen.get(whole).and_then(|seen| seen.full.as_ref()).filter(|_| is_due);
            match full {
                Some(full) if full.until_ms > now_ms || !tried.insert(whole) => {
                    let reason = format!("provider {whole} takes no more: {}", full.reason);
                    held.placements.push(Placement::Wait(waiting.attempt, reason));
                    let until = (full.until_ms > now_ms).then_some(full.until_ms);
                    held.next_ms = held.next_ms.into_iter().chain(until).min();
                }
                Some(_) | None => others.push(waiting.clone()),
            }
        }
        (held, others)
    }

    /// Where sandboxes are being made, as their entries name it.
    fn starting_at(&self) -> BTreeSet<&str> {
        let all = self.races.values().flat_map(|held| held.race.attempts.values());
        let starting = all.filter(|attempt| matches!(attempt.stage, attempt::Stage::Starting(_)));
        starting.map(|attempt| attempt.facts.entry.sandbox.as_str()).collect()
    }

    /// Everybody in line, oldest run first, with their sandboxes as their entries name them.
    fn line(&self) -> Vec<Waiting> {
        let mut line: Vec<(u64, Waiting)> = Vec::new();
        for held in self.races.values() {
            for attempt in held.race.attempts.values() {
                if let attempt::Stage::Queued { not_before_ms, .. } = &attempt.stage {
                    let waiting = Waiting {
                        attempt: attempt.id(),
                        sandbox: attempt.facts.entry.sandbox.clone(),
                        not_before_ms: *not_before_ms,
                    };
                    line.push((held.requested_at_us, waiting));
                }
            }
        }
        line.sort_by_key(|(requested_at_us, waiting)| (*requested_at_us, waiting.attempt));
        line.into_iter().map(|(_, waiting)| waiting).collect()
    }

    /// What goes on at each provider.
    fn traffic(&self) -> BTreeMap<String, Traffic> {
        let mut traffic = self.seen.clone();
        for attempt in self.races.values().flat_map(|held| held.race.attempts.values()) {
            if attempt.lease().is_some() {
                let here = traffic.entry(attempt.facts.entry.site().provider.to_owned()).or_default();
                here.in_use += 1;
                here.starting += usize::from(matches!(attempt.stage, attempt::Stage::Starting(_)));
            }
        }
        traffic
    }

    fn note_start(&mut self, id: AttemptId, now_ms: u64) {
        if let Some(attempt) = self.races.get(&id.run).and_then(|held| held.race.attempts.get(&id.slot)) {
            let provider = attempt.facts.entry.site().provider.to_owned();
            self.seen.entry(provider).or_default().started_ms = Some(now_ms);
        }
    }

    /// Remembers what an outcome says of its provider, or of the place there that was named: that it takes no more, that it
    /// takes them again, that there is room.
    pub(super) fn note_outcome(&mut self, run: RunId, wish: &Wish) {
        let Wish::Attempt(slot, command) = wish else { return };
        let Some(attempt) = self.races.get(&run).and_then(|held| held.race.attempts.get(slot)) else { return };
        let was_made = |key: &SandboxKey| attempt.sandboxes.get(key) == Some(&SandboxLife::Created);
        let makes_room = matches!(command, attempt::Command::Destroyed(key) if was_made(key));
        let now_ms = self.world.clock.now_ms();
        let seen = &mut self.seen.entry(attempt.facts.entry.sandbox.clone()).or_default().full;
        match command {
            attempt::Command::SandboxFailed(_, Failure { reason, trouble: Trouble::Full { wait_ms } }) => {
                let times = seen.as_ref().map_or(0, |full| full.times).saturating_add(1);
                let until_ms = now_ms.saturating_add(attempt::backoff_ms(times).max(*wait_ms));
                *seen = Some(Full { reason: reason.clone(), until_ms, times });
            }
            attempt::Command::SandboxCreated(..) => *seen = None,
            attempt::Command::Destroyed(_) => {
                if let Some(full) = seen.as_mut().filter(|_| makes_room) {
                    full.until_ms = now_ms;
                }
            }
            attempt::Command::SandboxFailed(..)
            | attempt::Command::Wait(_)
            | attempt::Command::Start(_)
            | attempt::Command::Intend
            | attempt::Command::PhaseEnded(..)
            | attempt::Command::Collected(..)
            | attempt::Command::Cancel(_)
            | attempt::Command::Fork(..)
            | attempt::Command::EndFork(_)
            | attempt::Command::Enter { .. } => {}
        }
    }
}
