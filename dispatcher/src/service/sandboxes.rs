//! Providers and sandboxes as people ask about them: what there is, who uses it, taking one away, and running a command of
//! one's own in one.

use std::collections::BTreeSet;
use std::time::Duration;

use regatta_core::event::sandbox::{self, SandboxEvent};
use regatta_core::{Actor, AttemptId, Event, SandboxKey, Slot};
use regatta_sandboxes::{Capability, Error};
use tokio::sync::mpsc;

use super::held::Decision;
use super::{Dispatcher, Handle, Input};
use crate::attempt::{Attempt, Command, Stage};
use crate::executor::{Fatal, Job, Piece, Visit, chain, visit};
use crate::race::{Effect, Wish};
use crate::request::COMMAND_BYTES_MAX;
use crate::sandboxes::{ProviderRow, Right, SandboxRow, SandboxesView, Unanswered};
use crate::{Asked, Refusal, RefusalKind};

/// How long a provider may take to say whether it can be used, or what it has, before whoever asks is told that it does not
/// answer.
const ANSWER_MAX: Duration = Duration::from_secs(10);
/// Words of a person's command.
const WORDS_MAX: usize = 1_000;
/// How long a person's command may run at most, in milliseconds.
const VISIT_MS_MAX: u64 = 60 * 60 * 1_000;

/// How long a copy of a sandbox is kept at most, in milliseconds.
const FORK_MS_MAX: u64 = 24 * 60 * 60 * 1_000;

/// What the log knows of a sandbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Holding {
    pub(super) right: Right,
    /// Who has it, where that is known.
    pub(super) provider: Option<String>,
    /// What its attempt does in it.
    pub(super) doing: Option<String>,
}

/// A person's command that runs in a sandbox. When it is dropped the command is stopped.
#[derive(Debug)]
pub struct Entered {
    /// What it prints, and how it ends.
    pub pieces: mpsc::Receiver<Piece>,
}

impl Handle {
    /// Every provider, by name, asked now whether a sandbox could be made.
    pub async fn providers(&self) -> Vec<ProviderRow> {
        let rows = self.world.providers.iter().map(|(name, provider)| async move {
            let (fence, problem) = match in_time(provider.probe()).await {
                Ok(fence) => (Some(fence), None),
                Err(error) => (None, Some(chain(&error))),
            };
            ProviderRow {
                name: name.clone(),
                fence,
                problem,
                capabilities: provider.capabilities().iter().map(|can| can.as_str().to_owned()).collect(),
                attempts_max: self.caps.by_provider.get(name).copied(),
            }
        });
        futures_util::future::join_all(rows).await
    }

    /// Every sandbox of ours there is, asked of the providers now.
    ///
    /// # Errors
    /// When the server is stopping.
    pub async fn sandboxes(&self) -> Result<SandboxesView, Refusal> {
        let lists =
            self.world.providers.iter().map(|(name, provider)| async move {
                (name, in_time(provider.list(self.world.install.as_str())).await)
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
            self.ask(|reply| Input::Reaped { key, provider: name, by, reply }).await?;
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
                .hint("those of docker can: run the attempt with @docker")
        })?;
        let (at, who) = (of.clone(), by.clone());
        let key = self.ask(|reply| Input::Fork { key: at, for_ms, by: who, reply }).await?;
        if let Err(error) = provider.fork(&of.to_string(), &key.to_string()).await {
            self.ask(|reply| Input::EndFork { key, by, reply }).await?;
            let message = format!("sandbox {of} could not be copied: {}", chain(&error));
            return Err(Refusal::new(RefusalKind::Unusable, message).hint("ask again; regatta doctor says more"));
        }
        Ok(key)
    }

    /// Runs a person's command in the sandbox of an attempt under way. That they did is on disk before it begins.
    ///
    /// # Errors
    /// A refusal, with what to do.
    pub async fn enter(
        &self,
        key: SandboxKey,
        argv: Vec<String>,
        timeout_ms: u64,
        by: Actor,
    ) -> Result<Entered, Refusal> {
        let program = checked(&argv, timeout_ms)?;
        let exec = format!("person-{}", self.world.clock.event_id().0.simple());
        let (at, name) = (key.clone(), exec.clone());
        let job = self.ask(|reply| Input::Enter { key: at, exec: name, program, by, reply }).await?;
        let pieces = visit(&self.world, &job, Visit { key, exec, argv, timeout_ms }).await;
        let pieces = pieces.map_err(|reason| {
            Refusal::new(RefusalKind::Unusable, format!("the command could not be started: {reason}"))
                .hint("regatta sandbox ls shows what is there")
        })?;
        Ok(Entered { pieces })
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

    async fn holding(&self, key: &SandboxKey) -> Result<Holding, Refusal> {
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

/// The program of a person's command, when the command is within its bounds.
fn checked(argv: &[String], timeout_ms: u64) -> Result<String, Refusal> {
    let invalid = |message: String| Refusal::new(RefusalKind::Invalid, message);
    let Some(program) = argv.first().filter(|program| !program.is_empty()) else {
        return Err(invalid("there is no command".to_owned()).hint("regatta sandbox exec last.b -- ls -la"));
    };
    let bytes: usize = argv.iter().map(String::len).sum();
    if argv.len() > WORDS_MAX || bytes > COMMAND_BYTES_MAX || argv.iter().any(|word| word.contains('\0')) {
        let bounds = format!("a command has at most {WORDS_MAX} words and {COMMAND_BYTES_MAX} bytes, none of them NUL");
        return Err(invalid(bounds));
    }
    if !(1..=VISIT_MS_MAX).contains(&timeout_ms) {
        return Err(invalid(format!("timeout_ms is {timeout_ms}, it must be between 1 and {VISIT_MS_MAX}")));
    }
    Ok(program.chars().filter(|character| !character.is_control()).take(100).collect())
}

/// What a provider answers, within a time.
async fn in_time<T>(asked: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let late = |_| {
        let source = std::io::Error::other(format!("no answer within {} s", ANSWER_MAX.as_secs()));
        Error::Transient { action: "ask it".to_owned(), source }
    };
    tokio::time::timeout(ANSWER_MAX, asked).await.map_err(late)?
}

fn no_sandbox(key: &SandboxKey) -> Refusal {
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
        used.map(|attempt| attempt.facts.entry.sandbox.clone()).collect()
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
        let provider = attempt.filter(|_| right != Right::None).map(|attempt| attempt.facts.entry.sandbox.clone());
        Holding { right, provider, doing }
    }

    /// A person goes into the sandbox of an attempt under way; what is needed to follow them there.
    pub(super) fn enter(&mut self, key: SandboxKey, exec: String, program: String, by: &Actor) -> Result<Job, Refusal> {
        if let Some(refusal) = super::read_only(&*self.world.log, "nothing was done; ask again then") {
            return Err(refusal);
        }
        let slot: Slot = key.attempt.slot;
        let held = self.races.get_mut(&key.attempt.run).filter(|held| {
            let attempt = held.race.attempts.get(&slot);
            let lease = attempt.and_then(Attempt::lease);
            // While it is being made nobody can be in it.
            let is_made = attempt.is_some_and(|attempt| !matches!(attempt.stage, Stage::Starting(_)));
            let is_copy = attempt.is_some_and(|attempt| attempt.forks.contains_key(&key));
            is_copy || (is_made && lease.is_some_and(|lease| lease.sandbox == key))
        });
        let held = held.ok_or_else(|| {
            Refusal::new(RefusalKind::WrongState, format!("no attempt is under way in sandbox {key}"))
                .hint("regatta sandbox ls shows those in use")
        })?;
        let job = held.job(&Effect::Collect(key.clone()), &self.world.blobs);
        let event = SandboxEvent::Entered(sandbox::Entered { key, exec, program }).into();
        held.record(
            &mut self.submitter,
            Decision { slot: Some(slot), events: vec![event], cause: None, key: None },
            by,
        );
        Ok(job)
    }
}

/// What people may ask of copies, and how those end by themselves.
impl Dispatcher {
    pub(super) fn fork(&mut self, of: SandboxKey, for_ms: u64, by: &Actor) -> Result<SandboxKey, Refusal> {
        if let Some(refusal) = super::read_only(&*self.world.log, "nothing was done; ask again then") {
            return Err(refusal);
        }
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

fn doing(stage: &Stage) -> String {
    match stage {
        Stage::Starting(_) => "starting".to_owned(),
        Stage::Running(_, phase) => phase.to_string(),
        Stage::Collecting(_) => "collecting".to_owned(),
        Stage::Queued { .. } | Stage::Finished(_) => "nothing".to_owned(),
    }
}
