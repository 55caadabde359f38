//! The dispatcher at work: takes commands and outcomes one at a time, decides, records, and has what is due performed.
//!
//! A decision is made against the state that includes every decision before it, durable or not; an effect begins, and
//! an answer is given, only when everything decided before it is durable. The log keeps the order of submits, and a
//! log that fails stops this service, so nothing is ever acted upon that the disk does not have.

mod held;
mod restore;
mod submit;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use regatta_core::event::run::{PROMPT_INLINE_BYTES_MAX, Prompt, Requested, RunEvent};
use regatta_core::{Actor, EventId, RunId, Slot};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::executor::{self, Fatal, World};
use crate::placement::{self, Caps, Placement, Waiting};
use crate::race::{Effect, Wish};
use crate::request::REASON_BYTES_MAX;
use crate::{Refusal, RefusalKind, RunRequest, attempt, run};
use held::{Decision, Held};
use submit::{Submitter, Ticket};

/// Commands and outcomes that may wait for the dispatcher; past it, callers wait.
const INPUTS_MAX: usize = 1_024;
/// Most runs that may be under way at once; past it, requests are refused.
const RUNS_LIVE_MAX: usize = 1_000;
/// Inputs taken before placement is worked out again.
const BATCH_MAX: usize = 256;

/// What the dispatcher is given.
pub struct Options {
    /// Everything outside it.
    pub world: World,
    /// How many attempts may run at once.
    pub caps: Caps,
}

/// The running part. [`Dispatcher::run`] is its loop.
pub struct Dispatcher {
    world: Arc<World>,
    caps: Caps,
    inputs: mpsc::Receiver<Input>,
    /// For the effects' outcomes.
    outcomes: mpsc::Sender<Input>,
    races: BTreeMap<RunId, Held>,
    submitter: Submitter,
    tasks: TaskTracker,
    /// Ends every effect under way when the dispatcher ends; the sandboxes live on.
    halt: CancellationToken,
}

/// The door for commands. Cheap to clone.
#[derive(Clone)]
pub struct Handle {
    world: Arc<World>,
    inputs: mpsc::Sender<Input>,
}

type Reply<T> = oneshot::Sender<Result<T, Refusal>>;

enum Input {
    Request { facts: Box<Requested>, key: Arc<str>, by: Actor, reply: Reply<RunId> },
    Command { run: RunId, command: run::Command, by: Actor, reply: Reply<()> },
    CancelAttempt { run: RunId, slot: Slot, reason: String, by: Actor, reply: Reply<()> },
    Outcome { run: RunId, effect: Effect, wish: Option<Wish>, cause: Option<EventId> },
    Failed(Fatal),
}

impl Options {
    /// Makes the dispatcher and its door.
    #[must_use]
    pub fn build(self) -> (Dispatcher, Handle) {
        let (sender, inputs) = mpsc::channel(INPUTS_MAX);
        let world = Arc::new(self.world);
        let handle = Handle { world: Arc::clone(&world), inputs: sender.clone() };
        let dispatcher = Dispatcher {
            submitter: Submitter::new(Arc::clone(&world)),
            world,
            caps: self.caps,
            inputs,
            outcomes: sender,
            races: BTreeMap::new(),
            tasks: TaskTracker::new(),
            halt: CancellationToken::new(),
        };
        (dispatcher, handle)
    }
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
        let facts = Box::new(self.facts(request).await?);
        self.ask(|reply| Input::Request { facts, key, by, reply }).await
    }

    /// Chooses the winner; its branch is delivered.
    ///
    /// # Errors
    /// A refusal, with what to do.
    pub async fn pick(&self, run: RunId, slot: Slot, reason: String, by: Actor) -> Result<(), Refusal> {
        let reason = if reason.trim().is_empty() { "picked by hand".to_owned() } else { bounded(reason)? };
        self.ask(|reply| Input::Command { run, command: run::Command::Pick(slot, reason), by, reply }).await
    }

    /// Brings an attempt's branch into the user's repository without a verdict.
    ///
    /// # Errors
    /// A refusal, with what to do.
    pub async fn restore(&self, run: RunId, slot: Slot, by: Actor) -> Result<(), Refusal> {
        self.ask(|reply| Input::Command { run, command: run::Command::Restore(slot), by, reply }).await
    }

    /// Stops a run, or one of its attempts.
    ///
    /// # Errors
    /// A refusal, with what to do.
    pub async fn cancel(&self, run: RunId, slot: Option<Slot>, reason: String, by: Actor) -> Result<(), Refusal> {
        let reason = if reason.trim().is_empty() { format!("cancelled by {}", by.as_str()) } else { bounded(reason)? };
        match slot {
            None => self.ask(|reply| Input::Command { run, command: run::Command::Cancel(reason), by, reply }).await,
            Some(slot) => self.ask(|reply| Input::CancelAttempt { run, slot, reason, by, reply }).await,
        }
    }

    async fn ask<T>(&self, input: impl FnOnce(Reply<T>) -> Input) -> Result<T, Refusal> {
        let stopped = || Refusal::new(RefusalKind::Busy, "the server is stopping").hint("try again in a moment");
        let (reply, answer) = oneshot::channel();
        self.inputs.send(input(reply)).await.map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())?
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
            if asked.contains(&entry.sandbox.as_str()) {
                continue;
            }
            asked.push(&entry.sandbox);
            let Some(provider) = self.world.providers.get(&entry.sandbox) else {
                let known: Vec<&str> = self.world.providers.keys().map(String::as_str).collect();
                return Err(Refusal::new(
                    RefusalKind::Unusable,
                    format!("there is no sandbox provider {:?}", entry.sandbox),
                )
                .hint(format!("use one of: {}", known.join(", "))));
            };
            provider.probe().await.map_err(|error| {
                Refusal::new(RefusalKind::Unusable, format!("sandbox {} cannot be used here: {error}", entry.sandbox))
                    .hint("regatta doctor says what is missing")
            })?;
        }
        Ok(())
    }

    /// The request as a fact: the base found, a large prompt kept as a blob.
    async fn facts(&self, request: RunRequest) -> Result<Requested, Refusal> {
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
                let kept = self.world.blobs.put(request.prompt.as_bytes());
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
            limits: request.limits,
        })
    }
}

fn bounded(reason: String) -> Result<String, Refusal> {
    if reason.len() > REASON_BYTES_MAX {
        return Err(Refusal::new(RefusalKind::Invalid, format!("the reason is longer than {REASON_BYTES_MAX} bytes")));
    }
    Ok(reason)
}

impl Dispatcher {
    /// Takes up what the log says is under way, then works until cancelled. Attempts that run go on running.
    ///
    /// # Errors
    /// When the log fails: nothing can be acknowledged any more, and the process must be started again.
    pub async fn run(mut self, cancel: CancellationToken) -> Result<(), Fatal> {
        let result = self.work(&cancel).await;
        self.halt.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        result
    }

    async fn work(&mut self, cancel: &CancellationToken) -> Result<(), Fatal> {
        self.restore()?;
        self.reap().await?;
        for run in self.races.keys().copied().collect::<Vec<_>>() {
            self.advance(run)?;
        }
        self.place()?;
        let mut failed = self.submitter.failed();
        loop {
            let retry = self.next_retry();
            tokio::select! {
                biased;
                () = cancel.cancelled() => return Ok(()),
                fatal = failed.recv() => return Err(fatal.unwrap_or_else(|| Fatal("the log's writer is gone".to_owned()))),
                input = self.inputs.recv() => {
                    let Some(input) = input else { return Ok(()) };
                    self.take(input)?;
                    for _ in 1..BATCH_MAX {
                        let Ok(input) = self.inputs.try_recv() else { break };
                        self.take(input)?;
                    }
                }
                () = tokio::time::sleep(retry), if retry < Duration::MAX => {}
            }
            self.place()?;
        }
    }

    fn take(&mut self, input: Input) -> Result<(), Fatal> {
        match input {
            Input::Request { facts, key, by, reply } => self.request(*facts, &key, &by, reply),
            Input::Command { run, command, by, reply } => self.answer(run, Wish::Run(command), &by, reply),
            Input::CancelAttempt { run, slot, reason, by, reply } => {
                self.answer(run, Wish::Attempt(slot, attempt::Command::Cancel(reason)), &by, reply)
            }
            Input::Outcome { run, effect, wish, cause } => {
                if let Some(wish) = wish
                    && let Err(refusal) = self.decide(run, wish, &Actor::regatta(), cause)
                {
                    tracing::debug!(%run, ?effect, %refusal, "outcome came too late");
                }
                self.advance(run)
            }
            Input::Failed(fatal) => Err(fatal),
        }
    }

    fn request(&mut self, facts: Requested, key: &Arc<str>, by: &Actor, reply: Reply<RunId>) -> Result<(), Fatal> {
        for place in 0_u32.. {
            let run = run_id(key, place);
            let known = self.find(run)?;
            match known.map(|held| (held.key.as_ref() == Some(key), held.race.run.facts == facts)) {
                None => {
                    if self.live() >= RUNS_LIVE_MAX {
                        let refusal = Refusal::new(RefusalKind::Busy, format!("{RUNS_LIVE_MAX} runs are under way"));
                        reply.send(Err(refusal.hint("wait for one to finish, or cancel one"))).ok();
                        return Ok(());
                    }
                    self.begin(run, facts, key, by);
                    self.answer_when_durable(reply, Ok(run));
                    return self.advance(run);
                }
                Some((true, true)) => {
                    self.answer_when_durable(reply, Ok(run));
                    return self.advance(run);
                }
                Some((true, false)) => {
                    let refusal =
                        Refusal::new(RefusalKind::Invalid, "that idempotency key was used for another request");
                    reply.send(Err(refusal.hint("use a fresh key for a different run"))).ok();
                    return self.advance(run);
                }
                // Another run has this id by chance: the key's next id.
                Some((false, _)) => {}
            }
        }
        Ok(())
    }

    fn begin(&mut self, run: RunId, facts: Requested, key: &Arc<str>, by: &Actor) {
        let held = Held::new(run, facts.clone(), Some(Arc::clone(key)));
        self.races.insert(run, held);
        if let Some(held) = self.races.get_mut(&run) {
            let events = vec![RunEvent::Requested(facts).into()];
            held.record(&mut self.submitter, Decision { slot: None, events, cause: None }, by);
        }
    }

    fn answer(&mut self, run: RunId, wish: Wish, by: &Actor, reply: Reply<()>) -> Result<(), Fatal> {
        if self.find(run)?.is_none() {
            let refusal = Refusal::new(RefusalKind::NotFound, format!("there is no run {run}"));
            reply.send(Err(refusal.hint("regatta ls shows them"))).ok();
            return Ok(());
        }
        let decided = self.decide(run, wish, by, None);
        self.answer_when_durable(reply, decided);
        self.advance(run)
    }

    /// Decides one wish and records what follows from it.
    fn decide(&mut self, run: RunId, wish: Wish, by: &Actor, cause: Option<EventId>) -> Result<(), Refusal> {
        let now_us = self.world.clock.now_us();
        let gone = || Refusal::new(RefusalKind::NotFound, format!("there is no run {run}"));
        let held = self.races.get_mut(&run).ok_or_else(gone)?;
        let decision = Decision { cause, ..held.decide(wish, now_us)? };
        held.record(&mut self.submitter, decision, by);
        Ok(())
    }

    /// Decides every wish that is due, then has every effect performed that became due.
    fn advance(&mut self, run: RunId) -> Result<(), Fatal> {
        loop {
            let Some(held) = self.races.get_mut(&run) else { return Ok(()) };
            let due = held.race.due();
            if due.wishes.is_empty() {
                let begun: Vec<Effect> = due.effects.difference(&held.active).cloned().collect();
                held.active = due.effects;
                let jobs: Vec<_> = begun.into_iter().map(|effect| (held.job(&effect), effect)).collect();
                let quiet = held.active.is_empty() && held.race.is_quiet();
                for (job, effect) in jobs {
                    self.spawn(job, effect);
                }
                if quiet {
                    self.races.remove(&run);
                }
                return Ok(());
            }
            let before = held.recorded_events;
            for wish in due.wishes {
                if let Err(refusal) = self.decide(run, wish, &Actor::regatta(), None) {
                    return Err(Fatal(format!("run {run} is stuck: what is due is refused: {refusal}")));
                }
            }
            if self.races.get(&run).is_some_and(|held| held.recorded_events == before) {
                return Err(Fatal(format!("run {run} is stuck: what is due changes nothing")));
            }
        }
    }

    fn spawn(&mut self, job: executor::Job, effect: Effect) {
        let (world, outcomes, halt) = (Arc::clone(&self.world), self.outcomes.clone(), self.halt.clone());
        let durable = self.submitter.everything_so_far();
        let task = async move {
            if !durable.reached().await {
                return;
            }
            let (run, cause) = (job.run, job.cause);
            let input = match Box::pin(executor::perform(&world, &job, &effect)).await {
                Ok(wish) => Input::Outcome { run, effect, wish, cause },
                Err(fatal) => Input::Failed(fatal),
            };
            // Nobody listens when the dispatcher has ended; the next one performs the effect again.
            outcomes.send(input).await.ok();
        };
        self.tasks.spawn(async move { halt.run_until_cancelled(task).await });
    }

    fn answer_when_durable<T: Send + 'static>(&self, reply: Reply<T>, answer: Result<T, Refusal>) {
        let durable: Ticket = self.submitter.everything_so_far();
        let (halt, failpoints) = (self.halt.clone(), self.world.failpoints.clone());
        let task = async move {
            if durable.reached().await {
                failpoints.reach("answer-due").await;
                // Whoever asked may be gone; the fact stands.
                reply.send(answer).ok();
            }
        };
        self.tasks.spawn(async move { halt.run_until_cancelled(task).await });
    }

    fn live(&self) -> usize {
        self.races.values().filter(|held| !matches!(held.race.run.stage, run::Stage::Settled(_))).count()
    }

    /// Starts whoever may start, and says why the others wait.
    fn place(&mut self) -> Result<(), Fatal> {
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
                self.decide(attempt.run, Wish::Attempt(attempt.slot, command), &Actor::regatta(), None)
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
    fn next_retry(&self) -> Duration {
        let now_ms = self.world.clock.now_ms();
        let later = self.line().into_iter().map(|waiting| waiting.not_before_ms).filter(|at_ms| *at_ms > now_ms);
        later.min().map_or(Duration::MAX, |at_ms| Duration::from_millis(at_ms - now_ms))
    }
}

/// The id a request's key stands for: the same key always means the same run.
fn run_id(key: &str, place: u32) -> RunId {
    RunId::derived(&format!("{key}/{place}"))
}
