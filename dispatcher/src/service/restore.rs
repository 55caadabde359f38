//! Taking up, after a start, what the log says is under way; and removing every sandbox that has no right to exist.

use std::sync::Arc;

use regatta_core::event::sandbox::{Reaped, SandboxEvent};
use regatta_core::{Actor, Append, Draft, Event, Expect, RunId, SandboxKey, Seq, Stream};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::Dispatcher;
use super::held::{Decision, Held};
use super::recall::{self, Recall};
use crate::executor::Fatal;

impl Dispatcher {
    /// Takes up the runs for which something is still to be done, and keeps a snapshot of them from time to time.
    pub(super) fn restore(&mut self, stop: &CancellationToken) -> Result<(), Fatal> {
        let log = Arc::clone(&self.world.log);
        let recall = match &self.snapshots {
            Some(snapshots) => Recall::resume(&*log, snapshots)?,
            None => Recall::fold(&*log)?,
        };
        self.races = recall.races();
        if let Some(snapshots) = self.snapshots.clone() {
            self.recalling = Some(tokio::spawn(recall.run(log, snapshots, stop.clone())));
        }
        Ok(())
    }

    /// The run, from memory or from its own streams.
    pub(super) fn find(&mut self, run: RunId) -> Result<Option<&Held>, Fatal> {
        if !self.races.contains_key(&run)
            && let Some(held) = recall::load(&*self.world.log, run, Seq(u64::MAX))?
        {
            self.races.insert(run, held);
        }
        Ok(self.races.get(&run))
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
            let decision = Decision { slot: Some(slot), events: vec![event], cause: None, key: None };
            held.record(&mut self.submitter, decision, &Actor::regatta());
            return Ok(());
        }
        // No run of this log ever had it.
        let draft = Draft::new(&event, &*self.world.clock, Actor::regatta(), Uuid::nil());
        self.submitter.submit(Append { stream, expect: Expect::Any, events: vec![draft] });
        Ok(())
    }
}
