//! The line before the providers: who stands in it, who may start, and when to look again.

use std::collections::BTreeMap;
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
        let Placed { placements, next_ms } = placement::place(&line, &self.traffic(), &self.caps, now_ms);
        for placement in placements {
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

    /// Everybody in line, oldest run first.
    fn line(&self) -> Vec<Waiting> {
        let mut line: Vec<(u64, Waiting)> = Vec::new();
        for held in self.races.values() {
            for attempt in held.race.attempts.values() {
                if let attempt::Stage::Queued { not_before_ms, .. } = &attempt.stage {
                    let waiting = Waiting {
                        attempt: attempt.id(),
                        provider: attempt.facts.entry.sandbox.clone(),
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
                let here = traffic.entry(attempt.facts.entry.sandbox.clone()).or_default();
                here.in_use += 1;
                here.starting += usize::from(matches!(attempt.stage, attempt::Stage::Starting(_)));
            }
        }
        traffic
    }

    fn note_start(&mut self, id: AttemptId, now_ms: u64) {
        if let Some(attempt) = self.races.get(&id.run).and_then(|held| held.race.attempts.get(&id.slot)) {
            self.seen.entry(attempt.facts.entry.sandbox.clone()).or_default().started_ms = Some(now_ms);
        }
    }

    /// Remembers what an outcome says of its provider: that it takes no more, that it takes them again, that there is room.
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
