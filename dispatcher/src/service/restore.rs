//! Taking up, after a start, what the log says is under way; and removing every sandbox that has no right to exist.

use regatta_core::event::RunEvent;
use regatta_core::event::sandbox::{Reaped, SandboxEvent};
use regatta_core::log::ReadMax;
use regatta_core::{Actor, Append, AttemptId, Draft, Envelope, Event, Expect, RunId, SandboxKey, Seq, Slot, Stream};
use uuid::Uuid;

use super::Dispatcher;
use super::held::{Decision, Held};
use crate::executor::Fatal;

impl Dispatcher {
    /// Folds the whole log; keeps the runs for which something is still to be done.
    pub(super) fn restore(&mut self) -> Result<(), Fatal> {
        let mut next = Seq(1);
        loop {
            let batch = self.world.log.read(next, ReadMax::default()).map_err(unreadable)?;
            let Some(last) = batch.last() else { break };
            next = last.seq.next();
            batch.iter().try_for_each(|envelope| self.take_up(envelope))?;
        }
        self.races.retain(|_, held| !held.race.is_quiet());
        tracing::info!(runs = self.races.len(), head = %self.world.log.head(), "log folded");
        Ok(())
    }

    fn take_up(&mut self, envelope: &Envelope) -> Result<(), Fatal> {
        let Some((run, slot)) = whose(&envelope.stream) else { return Ok(()) };
        let event = envelope.event().map_err(|error| Fatal(format!("event {}: {error}", envelope.seq)))?;
        if let Event::Run(RunEvent::Requested(facts)) = &event {
            self.races.entry(run).or_insert_with(|| Held::new(run, facts.clone(), None));
        }
        if let Some(held) = self.races.get_mut(&run) {
            held.restore(envelope, &event, slot);
        }
        Ok(())
    }

    /// The run, from memory or from its own streams.
    pub(super) fn find(&mut self, run: RunId) -> Result<Option<&Held>, Fatal> {
        if !self.races.contains_key(&run) {
            let mut streams = vec![Stream::run(run), Stream::delivery(run)];
            let mut read = 0;
            // An attempt's stream is known from the run's, a sandbox's from its attempt's.
            while let Some(stream) = streams.get(read).cloned() {
                read += 1;
                for envelope in self.stream(&stream)? {
                    self.take_up(&envelope)?;
                }
                if read == 2
                    && let Some(held) = self.races.get(&run)
                {
                    streams.extend(held.race.run.slots().map(|slot| Stream::attempt(AttemptId { run, slot })));
                }
                if let Some((_, Some(slot))) = whose(&stream)
                    && let Some(attempt) = self.races.get(&run).and_then(|held| held.race.attempts.get(&slot))
                    && stream.as_str().starts_with("attempt/")
                {
                    let (install, attempt, last) = (self.world.install.clone(), attempt.id(), attempt.epoch);
                    let key = |epoch| SandboxKey { install: install.clone(), attempt, epoch };
                    streams.extend((1..=last).map(|epoch| Stream::sandbox(&key(epoch))));
                }
            }
        }
        Ok(self.races.get(&run))
    }

    fn stream(&self, stream: &Stream) -> Result<Vec<Envelope>, Fatal> {
        let mut all: Vec<Envelope> = Vec::new();
        loop {
            let from = all.last().map_or(1, |last| last.stream_seq + 1);
            let batch = self.world.log.read_stream(stream, from, ReadMax::default()).map_err(unreadable)?;
            if batch.is_empty() {
                return Ok(all);
            }
            all.extend(batch);
        }
    }

    /// Asks every provider for our sandboxes and removes those the log gives no right to exist.
    pub(super) async fn reap(&mut self) -> Result<(), Fatal> {
        for (name, provider) in self.world.providers.clone() {
            let found = match provider.list(self.world.install.as_str()).await {
                Ok(found) => found,
                Err(error) => {
                    tracing::warn!(provider = name, %error, "sandboxes cannot be listed, leaks would go unseen");
                    continue;
                }
            };
            for found in found {
                let Ok(key) = found.key.parse::<SandboxKey>() else { continue };
                if self.races.get(&key.attempt.run).is_some_and(|held| held.knows(&key)) {
                    continue;
                }
                tracing::warn!(sandbox = %key, provider = name, "sandbox has no right to exist, removing it");
                match provider.destroy(&found.key).await {
                    Ok(()) => self.record_reaped(key, &name)?,
                    Err(error) => tracing::warn!(sandbox = found.key, %error, "sandbox could not be removed"),
                }
            }
        }
        Ok(())
    }

    fn record_reaped(&mut self, key: SandboxKey, provider: &str) -> Result<(), Fatal> {
        let (run, slot, stream) = (key.attempt.run, key.attempt.slot, Stream::sandbox(&key));
        let event = Event::from(SandboxEvent::Reaped(Reaped { key, provider: provider.to_owned() }));
        self.find(run)?;
        if let Some(held) = self.races.get_mut(&run) {
            let decision = Decision { slot: Some(slot), events: vec![event], cause: None };
            held.record(&mut self.submitter, decision, &Actor::regatta());
            return Ok(());
        }
        // No run of this log ever had it.
        let draft = Draft::new(&event, &*self.world.clock, Actor::regatta(), Uuid::nil());
        self.submitter.submit(Append { stream, expect: Expect::Any, events: vec![draft] });
        Ok(())
    }
}

/// The run a stream belongs to, and the attempt; nothing for streams that are not of a run.
fn whose(stream: &Stream) -> Option<(RunId, Option<Slot>)> {
    let (family, name) = stream.as_str().split_once('/')?;
    match family {
        "run" | "delivery" => Some((name.parse().ok()?, None)),
        "attempt" | "output" => {
            let attempt: AttemptId = name.parse().ok()?;
            Some((attempt.run, Some(attempt.slot)))
        }
        "sandbox" => {
            let key: SandboxKey = name.parse().ok()?;
            Some((key.attempt.run, Some(key.attempt.slot)))
        }
        _ => None,
    }
}

fn unreadable(error: regatta_core::ReadError) -> Fatal {
    Fatal(format!("failed to read the log: {error}"))
}
