//! The dispatcher at work: takes commands and outcomes one at a time, decides, records, and has what is due performed.
//!
//! A decision is made against the state that includes every decision before it, durable or not; an effect begins, and
//! an answer is given, only when everything decided before it is durable. The log keeps the order of submits, and a
//! log that fails stops this service, so nothing is ever acted upon that the disk does not have.

mod clean;
mod handle;
mod held;
mod line;
mod reap;
mod recall;
mod restore;
mod sandboxes;
mod submit;
mod synthesis;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use regatta_core::blob::Keeper;
use regatta_core::event::run::{Requested, RunEvent};
use regatta_core::log::Snapshots;
use regatta_core::{Actor, EventId, Log, RunId, SandboxKey, Seq, Slot};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::asked::reused;
use crate::executor::{self, Fatal, Job, World};
use crate::placement::{Caps, Traffic};
use crate::race::{Effect, Wish};
use crate::{Asked, Refusal, RefusalKind, attempt, run};
use held::{Decision, Held};
use sandboxes::Holding;
use submit::{Submitter, Ticket};

pub use handle::Handle;
pub use recall::Recall;
pub use restore::Released;
pub use sandboxes::Entered;
pub use synthesis::{SynthesisRequest, Synthesized};

/// Commands and outcomes that may wait for the dispatcher; past it, callers wait.
const INPUTS_MAX: usize = 1_024;
/// Most runs that may be under way at once; past it, requests are refused.
const RUNS_LIVE_MAX: usize = 1_000;
/// Between two looks at whether a decision that is not durable yet waits for room on the disk.
const ROOM_EVERY: Duration = Duration::from_millis(250);
/// Inputs taken before placement is worked out again.
const BATCH_MAX: usize = 256;

/// What the dispatcher is given.
pub struct Options {
    /// Everything outside it.
    pub world: World,
    /// How many attempts may run at once.
    pub caps: Caps,
    /// Where snapshots of what is under way are kept; without, a start folds the whole log.
    pub snapshots: Option<Snapshots>,
}

/// The running part. [`Dispatcher::run`] is its loop.
pub struct Dispatcher {
    world: Arc<World>,
    caps: Arc<Caps>,
    inputs: mpsc::Receiver<Input>,
    /// For the effects' outcomes.
    outcomes: mpsc::Sender<Input>,
    races: BTreeMap<RunId, Held>,
    /// What providers showed of themselves since the start: how fast they may be asked, and whether they take any more.
    seen: BTreeMap<String, Traffic>,
    /// Runs that began before this event and are not held are not taken up again: they are being removed from the log.
    released: Seq,
    submitter: Submitter,
    snapshots: Option<Snapshots>,
    /// Keeps those snapshots.
    recalling: Option<JoinHandle<()>>,
    tasks: TaskTracker,
    /// Ends every effect under way when the dispatcher ends; the sandboxes live on.
    halt: CancellationToken,
}

type Reply<T> = oneshot::Sender<Result<T, Refusal>>;

enum Input {
    Request { facts: Box<Requested>, kept: Arc<Keeper>, key: Arc<str>, by: Actor, reply: Reply<RunId> },
    Command { run: RunId, command: run::Command, asked: Asked, reply: Reply<()> },
    CancelAttempt { run: RunId, slot: Slot, reason: String, asked: Asked, reply: Reply<()> },
    Works { run: RunId, slots: Vec<Slot>, reply: Reply<synthesis::Works> },
    Release { below: Seq, is_dry: bool, reply: Reply<Released> },
    Holdings { keys: Vec<SandboxKey>, reply: Reply<Vec<(SandboxKey, Holding)>> },
    Fork { key: SandboxKey, for_ms: u64, by: Actor, reply: Reply<SandboxKey> },
    EndFork { key: SandboxKey, by: Actor, reply: Reply<()> },
    Used { reply: Reply<BTreeSet<String>> },
    Reaped { key: SandboxKey, provider: String, by: Actor, reply: Reply<()> },
    Enter { key: SandboxKey, exec: String, program: String, by: Actor, reply: Reply<Job> },
    Synthesize { run: RunId, synthesis: Box<run::Synthesis>, kept: Arc<Keeper>, asked: Asked, reply: Reply<Slot> },
    Outcome { run: RunId, effect: Effect, wish: Option<Wish>, cause: Option<EventId>, kept: Arc<Keeper> },
    Failed(Fatal),
}

impl Options {
    /// Makes the dispatcher and its door.
    #[must_use]
    pub fn build(self) -> (Dispatcher, Handle) {
        let (sender, inputs) = mpsc::channel(INPUTS_MAX);
        let world = Arc::new(self.world);
        let caps = Arc::new(self.caps);
        let handle = Handle { world: Arc::clone(&world), caps: Arc::clone(&caps), inputs: sender.clone() };
        let dispatcher = Dispatcher {
            submitter: Submitter::new(Arc::clone(&world)),
            world,
            caps,
            snapshots: self.snapshots,
            recalling: None,
            inputs,
            outcomes: sender,
            races: BTreeMap::new(),
            seen: BTreeMap::new(),
            released: Seq(0),
            tasks: TaskTracker::new(),
            halt: CancellationToken::new(),
        };
        (dispatcher, handle)
    }
}

impl Dispatcher {
    /// Takes up what the log says is under way, then works until cancelled. Attempts that run go on running.
    ///
    /// # Errors
    /// When the log fails: nothing can be acknowledged any more, and the process must be started again.
    pub async fn run(mut self, cancel: CancellationToken) -> Result<(), Fatal> {
        let ended = CancellationToken::new();
        let result = self.work(&cancel, &ended).await;
        self.halt.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        // What is on its way to or from an archive is there before somebody else may open the log.
        drop(self.world.archives.turn().await);
        // Nothing more is written: the last snapshot holds everything.
        ended.cancel();
        if let Some(recalling) = self.recalling.take() {
            recalling.await.ok();
        }
        result
    }

    async fn work(&mut self, cancel: &CancellationToken, ended: &CancellationToken) -> Result<(), Fatal> {
        self.restore(ended)?;
        self.reap_in_the_background();
        for run in self.races.keys().copied().collect::<Vec<_>>() {
            self.advance(run)?;
        }
        self.place()?;
        let mut failed = self.submitter.failed();
        loop {
            let next = self.next_placing().min(self.next_fork_end());
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
                () = tokio::time::sleep(next), if next < Duration::MAX => {}
            }
            self.end_forks()?;
            self.place()?;
            self.forget_quiet();
        }
    }

    /// Forgets the runs for which nothing is left to do. One whose last facts are not durable yet is kept: read back
    /// from the log, it would lack them.
    fn forget_quiet(&mut self) {
        let submitter = &self.submitter;
        self.races.retain(|_, held| {
            let is_quiet = held.active.is_empty() && held.race.is_quiet();
            !(is_quiet && submitter.is_durable(held.submitted))
        });
    }

    fn take(&mut self, input: Input) -> Result<(), Fatal> {
        match input {
            Input::Request { facts, kept, key, by, reply } => {
                self.request(*facts, &key, &by, reply)?;
                self.let_go_when_durable(kept);
                Ok(())
            }
            Input::Command { run, command, asked, reply } => self.answer(run, Wish::Run(command), asked, reply),
            Input::CancelAttempt { run, slot, reason, asked, reply } => {
                self.answer(run, Wish::Attempt(slot, attempt::Command::Cancel(reason)), asked, reply)
            }
            Input::Works { run, slots, reply } => self.works(run, &slots, reply),
            Input::Release { below, is_dry, reply } => self.release(below, is_dry, reply),
            Input::Holdings { keys, reply } => {
                // Whoever asked may be gone.
                reply.send(Ok(self.holdings(keys))).ok();
                Ok(())
            }
            Input::Fork { key, for_ms, by, reply } => {
                let forked = self.fork(key, for_ms, &by);
                self.answer_when_durable(reply, forked);
                Ok(())
            }
            Input::EndFork { key, by, reply } => {
                self.end_fork(key, by)?;
                self.answer_when_durable(reply, Ok(()));
                Ok(())
            }
            Input::Used { reply } => {
                reply.send(Ok(self.used())).ok();
                Ok(())
            }
            Input::Reaped { key, provider, by, reply } => {
                self.record_reaped(key, provider, &by)?;
                self.answer_when_durable(reply, Ok(()));
                Ok(())
            }
            Input::Enter { key, exec, program, by, reply } => {
                let entered = self.enter(key, exec, program, &by);
                self.answer_when_durable(reply, entered);
                Ok(())
            }
            Input::Synthesize { run, synthesis, kept, asked, reply } => {
                self.synthesize(run, *synthesis, asked, reply)?;
                self.let_go_when_durable(kept);
                Ok(())
            }
            Input::Outcome { run, effect, wish, cause, kept } => {
                if let Some(wish) = &wish {
                    self.note_outcome(run, wish);
                }
                if let Some(wish) = wish
                    && let Err(refusal) = self.decide(run, wish, Actor::regatta().into(), cause)
                {
                    tracing::debug!(%run, ?effect, %refusal, "outcome came too late");
                }
                self.let_go_when_durable(kept);
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
                Err(refusal) if refusal.kind == RefusalKind::Archived => {
                    // Whether it asked for the same can no longer be told.
                    reply.send(Err(refusal.hint("use a fresh key for another run"))).ok();
                    return Ok(());
                }
                Err(_) => {
                    if let Some(refusal) = read_only(&*self.world.log, "nothing was done; ask again then") {
                        reply.send(Err(refusal)).ok();
                        return Ok(());
                    }
                    if self.live() >= RUNS_LIVE_MAX {
                        let refusal = Refusal::new(RefusalKind::Busy, format!("{RUNS_LIVE_MAX} runs are under way"));
                        reply.send(Err(refusal.hint("wait for one to finish, or cancel one"))).ok();
                        return Ok(());
                    }
                    self.begin(run, facts, key, by);
                    self.answer_when_durable(reply, Ok(run));
                    return self.advance(run);
                }
                Ok((true, true)) => {
                    self.answer_when_durable(reply, Ok(run));
                    return self.advance(run);
                }
                Ok((true, false)) => {
                    reply.send(Err(reused())).ok();
                    return self.advance(run);
                }
                // Another run has this id by chance: the key's next id.
                Ok((false, _)) => {}
            }
        }
        Ok(())
    }

    fn begin(&mut self, run: RunId, facts: Requested, key: &Arc<str>, by: &Actor) {
        let held = Held::new(run, facts.clone(), Some(Arc::clone(key)));
        self.races.insert(run, held);
        if let Some(held) = self.races.get_mut(&run) {
            let events = vec![RunEvent::Requested(facts).into()];
            held.record(&mut self.submitter, Decision { slot: None, events, cause: None, key: None }, by);
        }
    }

    fn answer(&mut self, run: RunId, wish: Wish, asked: Asked, reply: Reply<()>) -> Result<(), Fatal> {
        let held = match self.find(run)? {
            Ok(held) => held,
            Err(refusal) => {
                reply.send(Err(refusal)).ok();
                return Ok(());
            }
        };
        let is_done = asked.key.as_ref().map_or(Ok(false), |key| held.is_done(key));
        if !matches!(is_done, Ok(false)) {
            self.answer_when_durable(reply, is_done.map(drop));
            return self.advance(run);
        }
        if let Some(refusal) = read_only(&*self.world.log, "nothing was done; ask again then") {
            reply.send(Err(refusal)).ok();
            return Ok(());
        }
        let decided = self.decide(run, wish, asked, None);
        self.answer_when_durable(reply, decided);
        self.advance(run)
    }

    /// Decides one wish and records what follows from it.
    fn decide(&mut self, run: RunId, wish: Wish, asked: Asked, cause: Option<EventId>) -> Result<(), Refusal> {
        let now_us = self.world.clock.now_us();
        let gone = || Refusal::new(RefusalKind::NotFound, format!("there is no run {run}"));
        let held = self.races.get_mut(&run).ok_or_else(gone)?;
        let decision = Decision { cause, key: asked.key, ..held.decide(wish, now_us)? };
        held.record(&mut self.submitter, decision, &asked.by);
        Ok(())
    }

    fn live(&self) -> usize {
        self.races.values().filter(|held| !matches!(held.race.run.stage, run::Stage::Settled(_))).count()
    }

    /// Decides every wish that is due, then has every effect performed that became due.
    fn advance(&mut self, run: RunId) -> Result<(), Fatal> {
        loop {
            let Some(held) = self.races.get_mut(&run) else { return Ok(()) };
            let due = held.race.due();
            if due.wishes.is_empty() {
                let begun: Vec<Effect> = due.effects.difference(&held.active).cloned().collect();
                held.active = due.effects;
                let jobs: Vec<_> =
                    begun.into_iter().map(|effect| (held.job(&effect, &self.world.blobs), effect)).collect();
                for (job, effect) in jobs {
                    self.spawn(job, effect);
                }
                return Ok(());
            }
            let before = held.recorded_events;
            for wish in due.wishes {
                if let Err(refusal) = self.decide(run, wish, Actor::regatta().into(), None) {
                    return Err(Fatal(format!("run {run} is stuck: what is due is refused: {refusal}")));
                }
            }
            if self.races.get(&run).is_some_and(|held| held.recorded_events == before) {
                return Err(Fatal(format!("run {run} is stuck: what is due changes nothing")));
            }
        }
    }

    fn spawn(&mut self, job: Job, effect: Effect) {
        let (world, outcomes, halt) = (Arc::clone(&self.world), self.outcomes.clone(), self.halt.clone());
        let durable = self.submitter.everything_so_far();
        let task = async move {
            if !durable.reached().await {
                return;
            }
            let (run, cause, kept) = (job.run, job.cause, Arc::clone(&job.kept));
            let input = match Box::pin(executor::perform(&world, &job, &effect)).await {
                Ok(wish) => Input::Outcome { run, effect, wish, cause, kept },
                Err(fatal) => Input::Failed(fatal),
            };
            // Nobody listens when the dispatcher has ended; the next one performs the effect again.
            outcomes.send(input).await.ok();
        };
        self.tasks.spawn(async move { halt.run_until_cancelled(task).await });
    }

    /// Holds blobs that were kept until the facts that name them are durable: until then nothing in the log speaks for them.
    fn let_go_when_durable(&self, kept: Arc<Keeper>) {
        if kept.is_empty() {
            return;
        }
        let durable: Ticket = self.submitter.everything_so_far();
        let task = async move {
            durable.reached().await;
            drop(kept);
        };
        let halt = self.halt.clone();
        self.tasks.spawn(async move { halt.run_until_cancelled(task).await });
    }

    fn answer_when_durable<T: Send + 'static>(&self, reply: Reply<T>, answer: Result<T, Refusal>) {
        let durable: Ticket = self.submitter.everything_so_far();
        let (halt, world) = (self.halt.clone(), Arc::clone(&self.world));
        let task = async move {
            let answer = tokio::select! {
                biased;
                reached = durable.reached() => if reached { answer } else { Err(Refusal::unknown()) },
                refusal = room_is_lacking(&*world.log) => Err(refusal),
            };
            world.failpoints.reach("answer-due").await;
            // Whoever asked may be gone; the fact stands.
            reply.send(answer).ok();
        };
        self.tasks.spawn(async move { halt.run_until_cancelled(task).await });
    }
}

/// Why nothing can be recorded now, if so.
fn read_only(log: &dyn Log, hint: &str) -> Option<Refusal> {
    let reason = log.read_only()?;
    Some(Refusal::new(RefusalKind::ReadOnly, format!("nothing can be recorded now: {reason}")).hint(hint))
}

/// Returns when something that was decided waits for room on the disk.
async fn room_is_lacking(log: &dyn Log) -> Refusal {
    let hint = "what was asked is kept and done once there is room, unless the server ends before that";
    loop {
        tokio::time::sleep(ROOM_EVERY).await;
        if let Some(refusal) = read_only(log, hint) {
            return refusal;
        }
    }
}

/// The id a request's key stands for: the same key always means the same run.
fn run_id(key: &str, place: u32) -> RunId {
    RunId::derived(&format!("{key}/{place}"))
}
