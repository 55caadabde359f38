//! The dispatcher at work: takes commands and outcomes one at a time, decides, records, and has what is due performed.
//!
//! A decision is made against the state that includes every decision before it, durable or not; an effect begins, and
//! an answer is given, only when everything decided before it is durable. The log keeps the order of submits, and a
//! log that fails stops this service, so nothing is ever acted upon that the disk does not have.

mod clean;
mod commands;
mod enter;
mod forks;
mod handle;
mod held;
mod line;
mod perform;
mod reap;
mod recall;
mod restore;
mod sandboxes;
mod submit;
mod synthesis;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use regatta_core::blob::Keeper;
use regatta_core::event::run::Requested;
use regatta_core::log::Snapshots;
use regatta_core::{Actor, EventId, RunId, SandboxKey, Seq, Slot};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::executor::{Fatal, Job, World};
use crate::placement::{Caps, Traffic};
use crate::race::{Effect, Wish};
use crate::{Asked, Refusal, attempt, run};
use held::Held;
use sandboxes::Holding;
use submit::Submitter;

pub use enter::Entered;
pub use handle::Handle;
pub use recall::Recall;
pub use restore::Released;
pub use synthesis::{SynthesisRequest, Synthesized};

/// Commands and outcomes that may wait for the dispatcher; past it, callers wait.
const INPUTS_MAX: usize = 1_024;
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
    /// Nothing is removed any more: nobody has to hold blobs that facts are about to name.
    swept: CancellationToken,
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
            swept: CancellationToken::new(),
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
        self.swept.cancel();
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
        let mut next_placing = self.place()?;
        let mut failed = self.submitter.failed();
        loop {
            let next = next_placing.min(self.next_fork_end());
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
            next_placing = self.place()?;
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
                self.answer_when_durable(reply, false, forked);
                Ok(())
            }
            Input::EndFork { key, by, reply } => {
                self.end_fork(key, by)?;
                self.answer_when_durable(reply, true, Ok(()));
                Ok(())
            }
            Input::Used { reply } => {
                reply.send(Ok(self.used())).ok();
                Ok(())
            }
            Input::Reaped { key, provider, by, reply } => {
                self.record_reaped(key, provider, &by)?;
                self.answer_when_durable(reply, true, Ok(()));
                Ok(())
            }
            Input::Enter { key, exec, program, by, reply } => {
                let entered = self.enter(key, exec, program, &by);
                self.answer_when_durable(reply, false, entered);
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
}
