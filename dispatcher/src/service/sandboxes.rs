//! Providers and sandboxes as people ask about them: what there is, who uses it, and taking one away.

use std::collections::BTreeSet;
use std::time::Duration;

use regatta_core::{AttemptId, SandboxKey};
use regatta_sandboxes::Error;

use super::{Dispatcher, Handle, Input};
use crate::attempt::{Attempt, Stage};
use crate::executor::chain;
use crate::sandboxes::{KeptImages, Limit, ProviderRow, Right, SandboxRow, SandboxesView, Unanswered};
use crate::{Asked, Refusal, RefusalKind};

/// How long a provider may take to say whether it can be used, or what it has, before whoever asks is told that it does not
/// answer.
pub(super) const ANSWER_MAX: Duration = Duration::from_secs(10);

/// What the log knows of a sandbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Holding {
    pub(super) right: Right,
    /// Who has it, where that is known.
    pub(super) provider: Option<String>,
    /// What its attempt does in it.
    pub(super) doing: Option<String>,
}

impl Handle {
    /// Every provider, by name, asked now whether a sandbox could be made.
    pub async fn providers(&self) -> Vec<ProviderRow> {
        let rows = self.world.providers.iter().map(|(name, provider)| async move {
            let (fence, problem) = match in_time(ANSWER_MAX, provider.probe()).await {
                Ok(fence) => (Some(fence), None),
                Err(error) => (None, Some(chain(&error))),
            };
            // Whoever cannot be asked has said why.
            let kept = match &fence {
                Some(_) => in_time(ANSWER_MAX, provider.kept()).await.ok().flatten(),
                None => None,
            };
            ProviderRow {
                name: name.clone(),
                fence,
                problem,
                capabilities: provider.capabilities().iter().map(|can| can.as_str().to_owned()).collect(),
                attempts_max: self.caps.by_provider.get(name).copied(),
                kept: kept.map(KeptImages::from),
            }
        });
        futures_util::future::join_all(rows).await
    }

    /// How many attempts may be under way at once: over all providers, then at each by name.
    #[must_use]
    pub fn limits(&self) -> Vec<Limit> {
        let all = Limit { provider: None, attempts_max: Some(self.caps.attempts_max) };
        let each = self
            .world
            .providers
            .keys()
            .map(|name| Limit { provider: Some(name.clone()), attempts_max: self.caps.by_provider.get(name).copied() });
        std::iter::once(all).chain(each).collect()
    }

    /// Every sandbox of ours there is, asked of the providers now.
    ///
    /// # Errors
    /// When the server is stopping.
    pub async fn sandboxes(&self) -> Result<SandboxesView, Refusal> {
        let lists = self.world.providers.iter().map(|(name, provider)| async move {
            (name, in_time(ANSWER_MAX, provider.list(self.world.install.as_str())).await)
        });
        let mut view = SandboxesView::default();
        for (name, list) in futures_util::future::join_all(lists).await {
            let found = match list {
                Ok(found) => found,
                Err(error) => {
                    view.unanswered.extend(self.unanswered(name, &error).await?);
                    continue;
                }
            };
            let keyed = found.into_iter().filter_map(|found| Some((found.key.parse::<SandboxKey>().ok()?, found)));
            let (keys, found): (Vec<_>, Vec<_>) = keyed.unzip();
            let holdings = self.holdings(keys).await?;
            view.rows.extend(holdings.into_iter().zip(found).map(|((key, holding), found)| SandboxRow {
                attempt: key.attempt,
                key,
                provider: name.clone(),
                right: holding.right,
                doing: holding.doing,
                created_at_ms: found.created_at_ms,
                disk_bytes: found.disk_bytes,
                rent_usd_micros_per_hour: found.rent_usd_micros_per_hour,
            }));
        }
        Ok(view)
    }

    /// Removes a sandbox. One that an attempt uses only with `force`: the attempt is cancelled, and does not end first.
    ///
    /// # Errors
    /// A refusal, with what to do.
    pub async fn remove_sandbox(&self, key: SandboxKey, force: bool, asked: impl Into<Asked>) -> Result<(), Refusal> {
        let asked = asked.into();
        let Holding { right, provider, doing } = self.holding(&key).await?;
        let by = asked.by.clone();
        if right == Right::Copy {
            let (key, by) = (key.clone(), by.clone());
            self.ask(|reply| Input::EndFork { key, by, reply }).await?;
        }
        if right == Right::InUse {
            if !force {
                let doing = doing.map_or(String::new(), |doing| format!(" ({doing})"));
                let AttemptId { run, slot } = key.attempt;
                let message = format!("sandbox {key} is in use by attempt {}{doing}", key.attempt);
                return Err(Refusal::new(RefusalKind::WrongState, message).hint(format!(
                    "regatta cancel {run}.{slot} stops it and removes it after that; --force cancels it and removes it at once"
                )));
            }
            self.cancel_for_removal(&key, asked).await?;
        }
        let name = match provider {
            Some(name) => name,
            None => self.whose(&key).await?,
        };
        let provider = self.world.providers.get(&name).ok_or_else(|| {
            Refusal::new(RefusalKind::Unusable, format!("sandbox provider {name:?} is not configured here"))
                .hint("regatta doctor says what it needs")
        })?;
        match provider.destroy(&key.to_string()).await {
            Ok(()) | Err(Error::Missing(_)) => {}
            Err(error) => {
                let message = format!("sandbox {key} could not be removed: {}", chain(&error));
                return Err(Refusal::new(RefusalKind::Unusable, message).hint("ask again; regatta doctor says more"));
            }
        }
        // What an attempt knows of, its own removal records.
        if right == Right::None {
            self.tell_reaped(key, &name, &by).await?;
        }
        Ok(())
    }

    async fn cancel_for_removal(&self, key: &SandboxKey, asked: Asked) -> Result<(), Refusal> {
        let AttemptId { run, slot } = key.attempt;
        let reason = format!("its sandbox was removed by {}", asked.by.as_str());
        match self.cancel(run, Some(slot), reason, asked).await {
            // It ended in between.
            Err(refusal) if refusal.kind == RefusalKind::WrongState => Ok(()),
            cancelled => cancelled,
        }
    }

    /// What is said of a provider that did not answer; nothing of one that cannot be used here and never was.
    pub(super) async fn unanswered(&self, name: &str, error: &Error) -> Result<Option<Unanswered>, Refusal> {
        if !error.is_transient() && !self.ask(|reply| Input::Used { reply }).await?.contains(name) {
            return Ok(None);
        }
        Ok(Some(Unanswered { provider: name.to_owned(), reason: chain(error) }))
    }

    pub(super) async fn rights(&self, keys: Vec<SandboxKey>) -> Result<Vec<(SandboxKey, Right)>, Refusal> {
        let holdings = self.holdings(keys).await?;
        Ok(holdings.into_iter().map(|(key, holding)| (key, holding.right)).collect())
    }

    async fn holdings(&self, keys: Vec<SandboxKey>) -> Result<Vec<(SandboxKey, Holding)>, Refusal> {
        if keys.is_empty() {
            return Ok(vec![]);
        }
        self.ask(|reply| Input::Holdings { keys, reply }).await
    }

    pub(super) async fn holding(&self, key: &SandboxKey) -> Result<Holding, Refusal> {
        let holdings = self.holdings(vec![key.clone()]).await?;
        holdings.into_iter().next().map(|(_, holding)| holding).ok_or_else(|| no_sandbox(key))
    }

    /// Who has a sandbox that the log knows nothing of.
    async fn whose(&self, key: &SandboxKey) -> Result<String, Refusal> {
        let view = self.sandboxes().await?;
        let row = view.rows.into_iter().find(|row| row.key == *key);
        row.map(|row| row.provider).ok_or_else(|| no_sandbox(key))
    }
}

/// What a provider answers, within a time.
pub(super) async fn in_time<T>(time: Duration, asked: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let late = |_| {
        let source = std::io::Error::other(format!("no answer within {} s", time.as_secs()));
        Error::Transient { action: "ask it".to_owned(), source }
    };
    tokio::time::timeout(time, asked).await.map_err(late)?
}

pub(super) fn no_sandbox(key: &SandboxKey) -> Refusal {
    Refusal::new(RefusalKind::NotFound, format!("there is no sandbox {key}")).hint("regatta sandbox ls shows them")
}

impl Dispatcher {
    /// What the log knows of sandboxes.
    pub(super) fn holdings(&self, keys: Vec<SandboxKey>) -> Vec<(SandboxKey, Holding)> {
        keys.into_iter().map(|key| (key.clone(), self.holding(&key))).collect()
    }

    /// The providers that attempts have sandboxes at, or are about to.
    pub(super) fn used(&self) -> BTreeSet<String> {
        let attempts = self.races.values().flat_map(|held| held.race.attempts.values());
        let used = attempts.filter(|attempt| !attempt.sandboxes.is_empty() || !attempt.forks.is_empty());
        used.map(provider_of).collect()
    }

    fn holding(&self, key: &SandboxKey) -> Holding {
        let attempt = self.races.get(&key.attempt.run).and_then(|held| held.race.attempts.get(&key.attempt.slot));
        let uses = |attempt: &&Attempt| attempt.lease().is_some_and(|lease| lease.sandbox == *key);
        let (right, doing) = match attempt {
            Some(attempt) if uses(&attempt) => (Right::InUse, Some(doing(&attempt.stage))),
            Some(attempt) if attempt.forks.contains_key(key) => (Right::Copy, None),
            Some(attempt) if attempt.sandboxes.contains_key(key) => (Right::Ending, None),
            Some(_) | None => (Right::None, None),
        };
        let provider = attempt.filter(|_| right != Right::None).map(provider_of);
        Holding { right, provider, doing }
    }
}

fn provider_of(attempt: &Attempt) -> String {
    attempt.facts.entry.site().provider.to_owned()
}

fn doing(stage: &Stage) -> String {
    match stage {
        Stage::Starting(_) => "starting".to_owned(),
        Stage::Running(_, phase) => phase.to_string(),
        Stage::Collecting(_) => "collecting".to_owned(),
        Stage::Queued { .. } | Stage::Finished(_) => "nothing".to_owned(),
    }
}
