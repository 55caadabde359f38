//! The line before the providers: who stands in it, who may start, and when to look again.

use std::collections::BTreeMap;
use std::time::Duration;

use regatta_core::{Actor, RunId};

use super::Dispatcher;
use crate::attempt;
use crate::executor::Fatal;
use crate::placement::{self, Placement, Waiting};
use crate::race::Wish;

impl Dispatcher {
    /// Starts whoever may start, and says why the others wait.
    pub(super) fn place(&mut self) -> Result<(), Fatal> {
        let now_ms = self.world.clock.now_ms();
        let line = self.line();
        if line.is_empty() {
            return Ok(());
        }
        let mut in_use: BTreeMap<String, usize> = BTreeMap::new();
        for attempt in self.races.values().flat_map(|held| held.race.attempts.values()) {
            if attempt.lease().is_some() {
                *in_use.entry(attempt.facts.entry.sandbox.clone()).or_default() += 1;
            }
        }
        for placement in placement::place(&line, &in_use, &self.caps, now_ms) {
            let (attempt, command) = match placement {
                Placement::Start(attempt) => (attempt, attempt::Command::Start(self.world.install.clone())),
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
        runs.into_iter().try_for_each(|run| self.advance(run))
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

    /// How long until the next retry may be started.
    pub(super) fn next_retry(&self) -> Duration {
        let now_ms = self.world.clock.now_ms();
        let later = self.line().into_iter().map(|waiting| waiting.not_before_ms).filter(|at_ms| *at_ms > now_ms);
        later.min().map_or(Duration::MAX, |at_ms| Duration::from_millis(at_ms - now_ms))
    }
}
