//! Hands decisions to the log in order, and tells when everything up to a point is durable. While the disk is nearly
//! full they wait for room, in order, but for those that end work and so give room back, with all before them; of what
//! waits nothing is acknowledged, and no effect begins.

use std::sync::Arc;

use regatta_core::log::Pending;
use regatta_core::{Append, AppendError};
use tokio::sync::{mpsc, watch};

use crate::executor::{Fatal, World};

/// Submits in order; a task of its own watches the answers come in.
pub(super) struct Submitter {
    pub(super) world: Arc<World>,
    submitted: u64,
    pending: mpsc::UnboundedSender<Pending>,
    durable: watch::Receiver<u64>,
    failed: Option<mpsc::Receiver<Fatal>>,
}

/// A point in what was submitted.
pub(super) struct Ticket {
    submitted: u64,
    durable: watch::Receiver<u64>,
}

impl Ticket {
    /// Waits until everything up to the point is durable; `false` when it never will be.
    pub(super) async fn reached(mut self) -> bool {
        self.durable.wait_for(|durable| *durable >= self.submitted).await.is_ok()
    }
}

impl Submitter {
    pub(super) fn new(world: Arc<World>) -> Self {
        // Bounded by what the log takes before it says it is busy.
        let (pending, answers) = mpsc::unbounded_channel();
        let (durable_sender, durable) = watch::channel(0);
        let (failed_sender, failed) = mpsc::channel(1);
        tokio::spawn(watch_answers(answers, durable_sender, failed_sender));
        Self { world, submitted: 0, pending, durable, failed: Some(failed) }
    }

    /// Where the first failure is told. To be taken once.
    pub(super) fn failed(&mut self) -> mpsc::Receiver<Fatal> {
        self.failed.take().unwrap_or_else(|| mpsc::channel(1).1)
    }

    /// Hands over what was decided; what relieves the disk is not held up by one that is nearly full.
    pub(super) fn submit(&mut self, append: Append, relieves: bool) {
        self.submitted += 1;
        let log = &self.world.log;
        let pending = if relieves { log.submit_to_relieve(append) } else { log.submit_patiently(append) };
        // The watcher ends only when the log has failed, and that is told elsewhere.
        self.pending.send(pending).ok();
    }

    /// A point that [`Self::is_durable`] knows.
    pub(super) fn submitted(&self) -> u64 {
        self.submitted
    }

    /// Whether everything up to a point is durable.
    pub(super) fn is_durable(&self, submitted: u64) -> bool {
        *self.durable.borrow() >= submitted
    }

    pub(super) fn everything_so_far(&self) -> Ticket {
        Ticket { submitted: self.submitted, durable: self.durable.clone() }
    }
}

async fn watch_answers(
    mut answers: mpsc::UnboundedReceiver<Pending>,
    durable: watch::Sender<u64>,
    failed: mpsc::Sender<Fatal>,
) {
    while let Some(pending) = answers.recv().await {
        let answer = pending.await.unwrap_or_else(|_| Err(AppendError::Poisoned("the writer is gone".to_owned())));
        match answer {
            Ok(_) => durable.send_modify(|durable| *durable += 1),
            Err(error) => {
                failed.send(Fatal(format!("failed to record a decision: {error}"))).await.ok();
                return;
            }
        }
    }
}
