//! Views that follow the log. A wake-up carries no data: whatever it says, the follower reads from its own position
//! until the log has no more, so that nothing is missed and nothing is taken twice.

use std::sync::{Arc, PoisonError, RwLock};

use regatta_core::{Log, ReadError, ReadMax, Seq};
use tokio::sync::watch;

use crate::{Projection as _, Views};

/// Makes views that follow `log` from where `views` stand: empty ones, or a restored snapshot. The [`Follower`] does the
/// work and has to be spawned; the [`Live`] is for whoever looks.
#[must_use]
pub fn follow(log: Arc<dyn Log>, views: Views) -> (Follower, Live) {
    let applied = watch::Sender::new(views.seq());
    let seq = applied.subscribe();
    let views = Arc::new(RwLock::new(views));
    (Follower { log, views: Arc::clone(&views), applied }, Live { views, seq })
}

/// The task that brings the views up to date.
pub struct Follower {
    log: Arc<dyn Log>,
    views: Arc<RwLock<Views>>,
    applied: watch::Sender<Seq>,
}

/// Why views stopped following.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    /// The log cannot be read.
    #[error("failed to follow the log")]
    Read(#[from] ReadError),
    /// Taking a batch panicked: a bug. The views stand where they stood and must not be trusted.
    #[error("failed to take events into the views")]
    Batch(#[from] tokio::task::JoinError),
}

/// The views will not come that far: whoever followed the log stopped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("views stopped at {at}, before {wanted}; look at the log of the server")]
pub struct Stopped {
    /// Where they stand.
    pub at: Seq,
    /// What was waited for.
    pub wanted: Seq,
}

/// Views that follow the log, for whoever looks. Clones share them.
#[derive(Clone)]
pub struct Live {
    views: Arc<RwLock<Views>>,
    seq: watch::Receiver<Seq>,
}

impl Follower {
    /// Follows until nobody looks any more (every [`Live`] is dropped) or the log is closed.
    ///
    /// # Errors
    /// When the log cannot be read. Dropping the future stops it, too.
    pub async fn run(self) -> Result<(), FollowError> {
        let mut head = self.log.watch();
        loop {
            // Marked as seen before reading: what comes in between wakes again.
            head.borrow_and_update();
            while self.take_batch().await? {}
            let is_over = tokio::select! {
                changed = head.changed() => changed.is_err(),
                () = self.applied.closed() => true,
            };
            if is_over {
                tracing::debug!(seq = %*self.applied.borrow(), "views stopped following");
                return Ok(());
            }
        }
    }

    /// Reading may touch the disk, so it has a thread of its own.
    async fn take_batch(&self) -> Result<bool, FollowError> {
        let (log, views) = (Arc::clone(&self.log), Arc::clone(&self.views));
        let from = self.applied.borrow().next();
        let batch = tokio::task::spawn_blocking(move || {
            // Whoever looks waits only while events are taken, not while they are read.
            let batch = log.read(from, ReadMax::default())?;
            let mut views = views.write().unwrap_or_else(PoisonError::into_inner);
            for envelope in &batch {
                views.apply(envelope);
            }
            Ok::<_, ReadError>(batch.last().map(|last| last.seq))
        });
        let last = batch.await??;
        if let Some(last) = last {
            self.applied.send_replace(last);
        }
        Ok(last.is_some())
    }
}

impl Live {
    /// Looks at the views. Writers wait meanwhile: take what is shown and return.
    pub fn read<T>(&self, look: impl FnOnce(&Views) -> T) -> T {
        look(&self.views.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The last position taken.
    #[must_use]
    pub fn seq(&self) -> Seq {
        *self.seq.borrow()
    }

    /// Wakes whoever shows the views; carries the last position taken.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Seq> {
        self.seq.clone()
    }

    /// Waits until the views hold everything up to and including `seq`: what was acknowledged is then seen.
    ///
    /// # Errors
    /// When the follower stopped before.
    pub async fn wait_for(&self, seq: Seq) -> Result<(), Stopped> {
        let mut applied = self.seq.clone();
        match applied.wait_for(|applied| *applied >= seq).await {
            Ok(_) => Ok(()),
            Err(_) => Err(Stopped { at: self.seq(), wanted: seq }),
        }
    }
}
