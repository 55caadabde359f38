//! The door for commands: what is asked is checked, its base is found, and the loop decides. Decides nothing itself.

use std::path::Path;
use std::sync::Arc;

use regatta_core::blob::Keeper;
use regatta_core::event::run::{Content, PROMPT_INLINE_BYTES_MAX, Prompt, Requested, Site};
use regatta_core::{Actor, RunId, Slot, VaultError};
use tokio::sync::{mpsc, oneshot};

use super::{Input, Reply};
use crate::executor::{World, chain};
use crate::request::REASON_BYTES_MAX;
use crate::{Asked, Caps, Refusal, RefusalKind, RunRequest, run};

/// The door for commands. Cheap to clone.
#[derive(Clone)]
pub struct Handle {
    pub(super) world: Arc<World>,
    pub(super) caps: Arc<Caps>,
    pub(super) inputs: mpsc::Sender<Input>,
}

impl Handle {
    /// Requests a run; the answer means it is on disk. A repeated key returns the first answer.
    ///
    /// # Errors
    /// A refusal, with what to do.
    pub async fn request_run(
        &self,
        request: RunRequest,
        by: Actor,
        idempotency_key: Option<String>,
    ) -> Result<RunId, Refusal> {
        request.check()?;
        self.check_usable(&request).await?;
        let key: Arc<str> = match idempotency_key {
            Some(key) if (1..=regatta_core::envelope::DEDUP_BYTES_MAX).contains(&key.len()) => key.into(),
            Some(_) => {
                return Err(Refusal::new(RefusalKind::Invalid, "the idempotency key must have 1 to 128 characters"));
            }
            None => self.world.clock.event_id().to_string().into(),
        };
        let kept = Arc::new(self.world.blobs.keeper());
        let facts = Box::new(self.facts(request, &kept).await?);
        self.check_secrets(&facts).await?;
        self.ask(|reply| Input::Request { facts, kept, key, by, reply }).await
    }

    /// Chooses the winner; its branch is delivered. `blind` says that whoever chose saw neither agents nor models.
    ///
    /// # Errors
    /// A refusal, with what to do.
    pub async fn pick(
        &self,
        run: RunId,
        slot: Slot,
        reason: String,
        blind: bool,
        asked: impl Into<Asked>,
    ) -> Result<(), Refusal> {
        let asked = asked.into();
        let reason = if reason.trim().is_empty() { "picked by hand".to_owned() } else { bounded(reason)? };
        self.ask(|reply| Input::Command { run, command: run::Command::Pick(slot, reason, blind), asked, reply }).await
    }

    /// Brings an attempt's branch into the user's repository without a verdict.
    ///
    /// # Errors
    /// A refusal, with what to do.
    pub async fn restore(&self, run: RunId, slot: Slot, asked: impl Into<Asked>) -> Result<(), Refusal> {
        let asked = asked.into();
        self.ask(|reply| Input::Command { run, command: run::Command::Restore(slot), asked, reply }).await
    }

    /// Stops a run, or one of its attempts.
    ///
    /// # Errors
    /// A refusal, with what to do.
    pub async fn cancel(
        &self,
        run: RunId,
        slot: Option<Slot>,
        reason: String,
        asked: impl Into<Asked>,
    ) -> Result<(), Refusal> {
        let asked = asked.into();
        let by = asked.by.as_str();
        let reason = if reason.trim().is_empty() { format!("cancelled by {by}") } else { bounded(reason)? };
        match slot {
            None => self.ask(|reply| Input::Command { run, command: run::Command::Cancel(reason), asked, reply }).await,
            Some(slot) => self.ask(|reply| Input::CancelAttempt { run, slot, reason, asked, reply }).await,
        }
    }

    pub(super) async fn ask<T>(&self, input: impl FnOnce(Reply<T>) -> Input) -> Result<T, Refusal> {
        let stopped = || Refusal::new(RefusalKind::Busy, "the server is stopping").hint("try again in a moment");
        let (reply, answer) = oneshot::channel();
        self.inputs.send(input(reply)).await.map_err(|_| stopped())?;
        // It was taken: decided, perhaps on disk.
        answer.await.map_err(|_| Refusal::unknown())?
    }

    /// Whether the agents and sandboxes asked for can be used at all here.
    async fn check_usable(&self, request: &RunRequest) -> Result<(), Refusal> {
        let mut asked: Vec<&str> = Vec::new();
        for entry in &request.attempts {
            regatta_agents::find(entry).map_err(|error| Refusal {
                kind: RefusalKind::Unusable,
                message: error.to_string(),
                hint: error.hint(),
            })?;
            let Site { provider: name, place } = entry.site();
            let Some(provider) = self.world.providers.get(name) else {
                let known: Vec<&str> = self.world.providers.keys().map(String::as_str).collect();
                return Err(Refusal::new(RefusalKind::Unusable, format!("there is no sandbox provider {name:?}"))
                    .hint(format!("use one of: {}; regatta doctor says what others need", known.join(", "))));
            };
            provider.takes(place, &entry.agent).map_err(|error| {
                Refusal::new(RefusalKind::Unusable, chain(&error))
                    .hint("regatta run --help shows how to write an attempt")
            })?;
            if asked.contains(&name) {
                continue;
            }
            asked.push(name);
            provider.probe().await.map_err(|error| {
                let message = format!("sandbox {name} cannot be used here: {}", chain(&error));
                Refusal::new(RefusalKind::Unusable, message).hint("regatta doctor says what is missing")
            })?;
        }
        Ok(())
    }

    /// Whether every secret the run declares is there and may be used by runs of its repository.
    async fn check_secrets(&self, facts: &Requested) -> Result<(), Refusal> {
        for variable in &facts.environment {
            let Content::Secret(secret) = &variable.content else { continue };
            let refuse = |error: VaultError| {
                let hint = if matches!(error, VaultError::NotThere(_)) {
                    format!("regatta secret set {secret} --repository {}", facts.repository)
                } else {
                    error.hint()
                };
                let message = format!("the run's variable {} cannot be given: {error}", variable.name);
                Refusal::new(RefusalKind::Unusable, message).hint(hint)
            };
            let name = secret.parse().map_err(refuse)?;
            self.world.vault.check(&name, &facts.repository).await.map_err(refuse)?;
        }
        Ok(())
    }

    /// The request as a fact: the base found, a large prompt kept as a blob.
    async fn facts(&self, request: RunRequest, keeper: &Keeper) -> Result<Requested, Refusal> {
        let resolve = self.world.source_control.resolve(
            Path::new(&request.repository),
            request.base.as_deref(),
            request.uncommitted,
            self.world.clock.now_ms(),
        );
        let base = resolve.await?;
        let title = request.title();
        let prompt =
            if request.prompt.len() <= PROMPT_INLINE_BYTES_MAX {
                Prompt::Inline(request.prompt)
            } else {
                let kept = keeper.put(request.prompt.as_bytes());
                Prompt::Blob(kept.map_err(|error| {
                    Refusal::new(RefusalKind::ReadOnly, format!("failed to keep the prompt: {error}"))
                })?)
            };
        Ok(Requested {
            title,
            prompt,
            repository: base.repository,
            base_ref: base.base_ref,
            base_commit: base.base_commit,
            uncommitted_included: base.uncommitted_included,
            attempts: request.attempts,
            strategy: request.strategy,
            setup: request.setup,
            checks: request.checks,
            artifacts: request.artifacts,
            limits: request.limits,
            environment: request.environment,
        })
    }
}

pub(super) fn bounded(reason: String) -> Result<String, Refusal> {
    if reason.len() > REASON_BYTES_MAX {
        return Err(Refusal::new(RefusalKind::Invalid, format!("the reason is longer than {REASON_BYTES_MAX} bytes")));
    }
    Ok(reason)
}
