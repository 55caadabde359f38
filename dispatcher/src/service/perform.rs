//! What is due is performed, and answers are given: both only when everything decided before is durable.

use std::sync::Arc;
use std::time::Duration;

use regatta_core::blob::Keeper;
use regatta_core::{Actor, Log, RunId};

use super::submit::Ticket;
use super::{Dispatcher, Input, Reply};
use crate::executor::{self, Fatal, Job};
use crate::race::Effect;
use crate::{Refusal, RefusalKind};

/// Between two looks at whether a decision that is not durable yet waits for room on the disk.
pub(super) const ROOM_EVERY: Duration = Duration::from_millis(250);

impl Dispatcher {
    /// Decides every wish that is due, then has every effect performed that became due.
    pub(super) fn advance(&mut self, run: RunId) -> Result<(), Fatal> {
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
    pub(super) fn let_go_when_durable(&self, kept: Arc<Keeper>) {
        if kept.is_empty() {
            return;
        }
        let durable: Ticket = self.submitter.everything_so_far();
        let swept = self.swept.clone();
        // What was decided may still become durable after this service has ended, and a removal that was begun goes on.
        tokio::spawn(async move {
            swept.run_until_cancelled(durable.reached()).await;
            drop(kept);
        });
    }

    /// Answers once what was decided is durable, or says that it waits for room. What relieves the disk may take more.
    pub(super) fn answer_when_durable<T: Send + 'static>(
        &self,
        reply: Reply<T>,
        relieves: bool,
        answer: Result<T, Refusal>,
    ) {
        let durable: Ticket = self.submitter.everything_so_far();
        let (halt, world) = (self.halt.clone(), Arc::clone(&self.world));
        let task = async move {
            let answer = tokio::select! {
                biased;
                reached = durable.reached() => if reached { answer } else { Err(Refusal::unknown()) },
                refusal = room_is_lacking(&*world.log, relieves) => Err(refusal),
            };
            world.failpoints.reach("answer-due").await;
            // Whoever asked may be gone; the fact stands.
            reply.send(answer).ok();
        };
        self.tasks.spawn(async move { halt.run_until_cancelled(task).await });
    }

    /// Refuses what could not be recorded now, before anything is decided.
    pub(super) fn check_room(&self, relieves: bool) -> Result<(), Refusal> {
        lacking(&*self.world.log, relieves, "nothing was done; ask again then").map_or(Ok(()), Err)
    }
}

/// Why nothing can be recorded now, if so.
fn lacking(log: &dyn Log, relieves: bool, hint: &str) -> Option<Refusal> {
    let reason = if relieves { log.read_only_for_relief() } else { log.read_only() };
    reason
        .map(|reason| Refusal::new(RefusalKind::ReadOnly, format!("nothing can be recorded now: {reason}")).hint(hint))
}

/// Returns when something that was decided waits for room on the disk.
async fn room_is_lacking(log: &dyn Log, relieves: bool) -> Refusal {
    let hint = "what was asked is kept and done once there is room, unless the server ends before that";
    loop {
        tokio::time::sleep(ROOM_EVERY).await;
        if let Some(refusal) = lacking(log, relieves, hint) {
            return refusal;
        }
    }
}
