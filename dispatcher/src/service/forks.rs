//! Copies of sandboxes that people look into: made from one of an attempt under way, and ended when their time is up.

use std::sync::Arc;
use std::time::Duration;

use regatta_core::event::sandbox::SandboxEvent;
use regatta_core::{Actor, Event, SandboxKey};
use regatta_sandboxes::{Capability, Provider};

use super::sandboxes::no_sandbox;
use super::{Dispatcher, Handle, Input};
use crate::attempt::Command;
use crate::executor::{Fatal, chain, remove};
use crate::race::Wish;
use crate::sandboxes::Right;
use crate::{Refusal, RefusalKind};

/// How long a copy of a sandbox is kept at most, in milliseconds.
const FORK_MS_MAX: u64 = 24 * 60 * 60 * 1_000;

impl Handle {
    /// Makes a copy of the sandbox of an attempt under way, with its files and nothing that runs; its name. It is removed
    /// after that time, in milliseconds.
    ///
    /// # Errors
    /// A refusal, with what to do.
    pub async fn fork(&self, of: SandboxKey, for_ms: u64, by: Actor) -> Result<SandboxKey, Refusal> {
        if !(1..=FORK_MS_MAX).contains(&for_ms) {
            let message = format!("for_ms is {for_ms}, it must be between 1 and {FORK_MS_MAX}");
            return Err(Refusal::new(RefusalKind::Invalid, message));
        }
        let name = self.holding(&of).await?.provider.ok_or_else(|| no_sandbox(&of))?;
        let provider = self.world.providers.get(&name).filter(|one| one.capabilities().contains(&Capability::Fork));
        let provider = provider.ok_or_else(|| {
            Refusal::new(RefusalKind::Unusable, format!("sandboxes of {name} cannot be copied"))
                .hint("those of docker (unless docker.read_only is on) and e2b can: run the attempt with @docker")
        })?;
        let (at, who) = (of.clone(), by.clone());
        let key = self.ask(|reply| Input::Fork { key: at, for_ms, by: who, reply }).await?;
        // To its end, also when whoever asked has gone.
        let making = self.clone().make_fork(Arc::clone(provider), of, key, by);
        tokio::spawn(making).await.map_err(|_| Refusal::unknown())?
    }

    async fn make_fork(
        self,
        provider: Arc<dyn Provider>,
        of: SandboxKey,
        key: SandboxKey,
        by: Actor,
    ) -> Result<SandboxKey, Refusal> {
        if let Err(error) = provider.fork(&of.to_string(), &key.to_string()).await {
            self.ask(|reply| Input::EndFork { key, by, reply }).await?;
            let message = format!("sandbox {of} could not be copied: {}", chain(&error));
            return Err(Refusal::new(RefusalKind::Unusable, message).hint("ask again; regatta doctor says more"));
        }
        if self.holding(&key).await?.right == Right::Copy {
            return Ok(key);
        }
        // Its end came first, and whoever removed it then may have found nothing yet.
        remove(&*provider, &key).await;
        let message = format!("the copy of {of} was ended before it was made");
        Err(Refusal::new(RefusalKind::WrongState, message).hint("ask for another one, for a longer time"))
    }
}

impl Dispatcher {
    /// A person is to have a copy; its name.
    pub(super) fn fork(&mut self, of: SandboxKey, for_ms: u64, by: &Actor) -> Result<SandboxKey, Refusal> {
        self.check_room(false)?;
        let now_us = self.world.clock.now_us();
        let held = self.races.get_mut(&of.attempt.run).ok_or_else(|| no_sandbox(&of))?;
        let wish = Wish::Attempt(of.attempt.slot, Command::Fork(of.clone(), for_ms));
        let decision = held.decide(wish, now_us)?;
        let named = decision.events.iter().find_map(|event| {
            if let Event::Sandbox(SandboxEvent::Forked(forked)) = event { Some(forked.key.clone()) } else { None }
        });
        held.record(&mut self.submitter, decision, by);
        named.ok_or_else(|| no_sandbox(&of))
    }

    /// A copy is to be removed; one that is not there any more is fine.
    pub(super) fn end_fork(&mut self, key: SandboxKey, by: Actor) -> Result<(), Fatal> {
        let (run, slot) = (key.attempt.run, key.attempt.slot);
        // A run that is not held has no copies.
        self.decide(run, Wish::Attempt(slot, Command::EndFork(key)), by.into(), None).ok();
        self.advance(run)
    }

    /// Ends the copies whose time is up.
    pub(super) fn end_forks(&mut self) -> Result<(), Fatal> {
        let now_ms = self.world.clock.now_ms();
        let over: Vec<SandboxKey> =
            self.forks().filter(|(_, until_ms)| *until_ms <= now_ms).map(|(key, _)| key.clone()).collect();
        over.into_iter().try_for_each(|key| self.end_fork(key, Actor::regatta()))
    }

    /// How long until the next one's time is up.
    pub(super) fn next_fork_end(&self) -> Duration {
        let now_ms = self.world.clock.now_ms();
        let next_ms = self.forks().map(|(_, until_ms)| until_ms).min();
        next_ms.map_or(Duration::MAX, |at_ms| Duration::from_millis(at_ms.saturating_sub(now_ms)))
    }

    fn forks(&self) -> impl Iterator<Item = (&SandboxKey, u64)> {
        let attempts = self.races.values().flat_map(|held| held.race.attempts.values());
        attempts.flat_map(|attempt| attempt.forks.iter().map(|(key, until_ms)| (key, *until_ms)))
    }
}
