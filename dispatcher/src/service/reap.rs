//! Removing sandboxes that have no right to exist: at a start, and when somebody asks. A provider that cannot be asked holds
//! nobody up; it is asked again until it answers.

use std::sync::Arc;
use std::time::Duration;

use regatta_core::event::sandbox::{Reaped, SandboxEvent};
use regatta_core::{Actor, Append, Draft, Event, Expect, SandboxKey, Stream};
use regatta_sandboxes::{Error, Provider};
use uuid::Uuid;

use super::held::Decision;
use super::sandboxes::{ANSWER_MAX, in_time};
use super::{Dispatcher, Handle, Input};
use crate::executor::{Fatal, chain};
use crate::sandboxes::{KeptImages, Reaping, Right};
use crate::{Refusal, RefusalKind};

/// The first pause before a provider that did not answer at a start is asked again; it doubles.
const PAUSE: Duration = Duration::from_secs(1);
/// The longest such pause.
const PAUSE_MAX: Duration = Duration::from_secs(60);
/// How long a provider may take to remove a sandbox, before the next one's turn comes.
const REMOVAL_MAX: Duration = Duration::from_secs(60);

impl Handle {
    /// Removes every sandbox of ours without a right to exist; with `images`, then what providers keep and nothing uses.
    ///
    /// # Errors
    /// When the server is stopping.
    pub async fn reap(&self, images: bool, by: &Actor) -> Result<Reaping, Refusal> {
        let reaping = self
            .world
            .providers
            .iter()
            .map(|(name, provider)| async move { (name, self.reap_at(name, &**provider, by).await) });
        let mut all = Reaping::default();
        for (name, reaped) in futures_util::future::join_all(reaping).await {
            let (removed, failed) = reaped?;
            all.removed.extend(removed);
            for error in failed {
                all.unanswered.extend(self.unanswered(name, &error).await?);
            }
        }
        if images {
            self.clear_kept(&mut all).await?;
        }
        Ok(all)
    }

    async fn clear_kept(&self, all: &mut Reaping) -> Result<(), Refusal> {
        let mut cleared = KeptImages::default();
        for (name, provider) in &self.world.providers {
            // Who was asked in vain once is not asked again.
            if all.unanswered.iter().any(|silent| silent.provider == *name) {
                continue;
            }
            match in_time(REMOVAL_MAX, provider.clear_kept()).await {
                Ok(images) => {
                    cleared.images += images.count;
                    cleared.bytes = cleared.bytes.saturating_add(images.bytes);
                }
                Err(error) => all.unanswered.extend(self.unanswered(name, &error).await?),
            }
        }
        all.cleared = Some(cleared);
        Ok(())
    }

    /// The same of one provider: what was removed, and what went wrong.
    async fn reap_at(
        &self,
        name: &str,
        provider: &dyn Provider,
        by: &Actor,
    ) -> Result<(Vec<SandboxKey>, Vec<Error>), Refusal> {
        let (mut removed, mut failed) = (vec![], vec![]);
        let strays = match self.strays_at(provider).await? {
            Ok(strays) => strays,
            Err(error) => {
                failed.push(error);
                vec![]
            }
        };
        for key in strays {
            tracing::warn!(sandbox = %key, provider = name, "sandbox has no right to exist, removing it");
            match in_time(REMOVAL_MAX, provider.destroy(&key.to_string())).await {
                Ok(()) | Err(Error::Missing(_)) => {
                    self.tell_reaped(key.clone(), name, by).await?;
                    removed.push(key);
                }
                Err(error) => {
                    tracing::warn!(sandbox = %key, error = chain(&error), "sandbox could not be removed");
                    failed.push(error);
                }
            }
        }
        Ok((removed, failed))
    }

    /// Has it recorded that a sandbox without a right to exist is gone. Gone it is; when there is no room, that it is will be
    /// told once there is some.
    pub(super) async fn tell_reaped(&self, key: SandboxKey, provider: &str, by: &Actor) -> Result<(), Refusal> {
        let (provider, by) = (provider.to_owned(), by.clone());
        match self.ask(|reply| Input::Reaped { key, provider, by, reply }).await {
            Err(refusal) if refusal.kind == RefusalKind::ReadOnly => Ok(()),
            told => told,
        }
    }

    /// What a provider has that nothing uses. Between a list and the look at who uses what, a sandbox may have been removed
    /// as it should be: what a second list no longer has was no stray.
    async fn strays_at(&self, provider: &dyn Provider) -> Result<Result<Vec<SandboxKey>, Error>, Refusal> {
        let listed = async || -> Result<Vec<SandboxKey>, Error> {
            let found = in_time(ANSWER_MAX, provider.list(self.world.install.as_str())).await?;
            Ok(found.iter().filter_map(|found| found.key.parse().ok()).collect())
        };
        let mut strays = match listed().await {
            Ok(keys) => self.rights(keys).await?,
            Err(error) => return Ok(Err(error)),
        };
        strays.retain(|(_, right)| *right == Right::None);
        if strays.is_empty() {
            return Ok(Ok(vec![]));
        }
        let again = listed().await;
        Ok(again.map(|keys| keys.into_iter().filter(|key| strays.iter().any(|(stray, _)| stray == key)).collect()))
    }
}

impl Dispatcher {
    /// Has every provider asked for sandboxes without a right to exist, beside the work.
    pub(super) fn reap_in_the_background(&self) {
        let handle =
            Handle { world: Arc::clone(&self.world), caps: Arc::clone(&self.caps), inputs: self.outcomes.clone() };
        for (name, provider) in self.world.providers.clone() {
            let (handle, halt) = (handle.clone(), self.halt.clone());
            let reaping = async move { reap_until_done(&handle, &name, &*provider).await };
            self.tasks.spawn(async move { halt.run_until_cancelled(reaping).await });
        }
    }

    /// A sandbox is gone that had no right to exist.
    pub(super) fn record_reaped(&mut self, key: SandboxKey, provider: String, by: &Actor) -> Result<(), Fatal> {
        let (run, slot, stream) = (key.attempt.run, key.attempt.slot, Stream::sandbox(&key));
        let event = Event::from(SandboxEvent::Reaped(Reaped { key, provider }));
        // A run that is not there any more is no reason to keep quiet.
        self.find(run)?.ok();
        if let Some(held) = self.races.get_mut(&run) {
            let decision = Decision { slot: Some(slot), events: vec![event], relieves: true, ..Decision::default() };
            held.record(&mut self.submitter, decision, by);
            return Ok(());
        }
        // No run of this log ever had it.
        let draft = Draft::new(&event, &*self.world.clock, by.clone(), Uuid::nil());
        self.submitter.submit(Append { stream, expect: Expect::Any, events: vec![draft] }, true);
        Ok(())
    }
}

async fn reap_until_done(handle: &Handle, name: &str, provider: &dyn Provider) {
    let mut pause = PAUSE;
    // When it is refused the server is stopping.
    while let Ok((_, failed)) = handle.reap_at(name, provider, &Actor::regatta()).await {
        let Some(error) = failed.first() else { return };
        if pause == PAUSE {
            let reason = chain(error);
            tracing::info!(provider = name, reason, "whether sandboxes were left behind there is not known yet");
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PAUSE_MAX);
    }
}
