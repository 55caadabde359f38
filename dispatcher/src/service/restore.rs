//! Taking up, after a start, what the log says is under way.

use std::sync::Arc;

use regatta_core::{RunId, Seq};
use tokio_util::sync::CancellationToken;

use super::held::Held;
use super::recall::{self, Found, Recall};
use super::{Dispatcher, Handle, Input, Reply};
use crate::executor::Fatal;
use crate::{Refusal, RefusalKind};

/// Up to where the events of runs may be removed from the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Released {
    /// Nothing under way needs what is before this event.
    pub below: Seq,
    /// The run under way that begins there, when one does.
    pub by: Option<RunId>,
}

impl Handle {
    /// Lets go of the events before `below`, as far as no run under way needs them: runs that are over and began before
    /// are not taken up again. `is_dry` only asks.
    ///
    /// # Errors
    /// When the server is stopping.
    pub async fn release(&self, below: Seq, is_dry: bool) -> Result<Released, Refusal> {
        self.ask(|reply| Input::Release { below, is_dry, reply }).await
    }
}

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

    /// The run, from memory or from its own streams; refused when there is none, or its beginning was removed from the
    /// log.
    pub(super) fn find(&mut self, run: RunId) -> Result<Result<&Held, Refusal>, Fatal> {
        if !self.races.contains_key(&run) {
            match self.recall(run)? {
                Found::Nothing => return Ok(Err(no_run(run))),
                Found::Archived => return Ok(Err(archived(run))),
                Found::Whole(held) => drop(self.races.insert(run, *held)),
            }
        }
        Ok(self.races.get(&run).ok_or_else(|| no_run(run)))
    }

    /// The run from its own streams, unless it was let go of to be removed.
    fn recall(&self, run: RunId) -> Result<Found, Fatal> {
        let log = &*self.world.log;
        if self.released > Seq(1) && recall::begins_at(log, run)?.is_some_and(|begins| begins < self.released) {
            return Ok(Found::Archived);
        }
        recall::load(log, run, Seq(u64::MAX))
    }

    /// Lets go of the events before `below`, as far as no run under way needs them, and says up to where that is: runs
    /// that began before are not taken up again. `is_dry` only asks.
    pub(super) fn release(&mut self, below: Seq, is_dry: bool, reply: Reply<Released>) -> Result<(), Fatal> {
        let mut needed: Option<(Seq, RunId)> = None;
        for run in self.races.keys() {
            // A run whose first fact is not durable yet is past everything that could go.
            let begins = recall::begins_at(&*self.world.log, *run)?;
            needed = needed.into_iter().chain(begins.map(|begins| (begins, *run))).min();
        }
        let needed = needed.filter(|(begins, _)| *begins < below);
        let below = needed.map_or(below, |(begins, _)| begins);
        if !is_dry {
            self.released = self.released.max(below);
        }
        // Whoever asked may be gone.
        reply.send(Ok(Released { below, by: needed.map(|(_, run)| run) })).ok();
        Ok(())
    }
}

pub(super) fn no_run(run: RunId) -> Refusal {
    Refusal::new(RefusalKind::NotFound, format!("there is no run {run}")).hint("regatta ls shows them")
}

fn archived(run: RunId) -> Refusal {
    Refusal::new(RefusalKind::Archived, format!("run {run} is archived: its first events were removed from the log"))
        .hint(
            "it can be looked at, but nothing can be done with it; regatta log stats says which backup holds the rest",
        )
}
