//! Views that follow the log. A wake-up carries no data: whatever it says, the follower reads from its own position
//! until the log has no more, so that nothing is missed and nothing is taken twice.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use regatta_core::log::snapshots::Place;
use regatta_core::log::{Reader, Snapshots};
use regatta_core::{Log, ReadError, ReadMax, Seq};
use tokio::sync::watch;

use crate::keeping::{self, Keeper};
use crate::{Keeping, Projection as _, Views};

/// Makes views that follow `log` from where `views` stand: empty ones, or a restored snapshot. The [`Follower`] does the
/// work and has to be spawned; the [`Live`] is for whoever looks.
#[must_use]
pub fn follow(log: Arc<dyn Log>, views: Views) -> (Follower, Live) {
    follow_with(log, views, None, None)
}

/// As [`follow`], from the newest snapshot that can be used, or from the log's beginning; the [`Follower`] writes the
/// next ones. Without a snapshot, what was removed from the log is read in `older`, a backup that holds it. Reads from
/// the disk.
#[must_use]
pub fn follow_kept(log: Arc<dyn Log>, keeping: Keeping, older: impl FnOnce() -> Option<Reader>) -> (Follower, Live) {
    let views = keeping::newest(&*log, &keeping.snapshots, log.head());
    let wants_older = views.seq() == Seq(0) && log.first() > Seq(1);
    let older = if wants_older { older() } else { None };
    tracing::info!(from = %views.seq(), head = %log.head(), "views taken up");
    follow_with(log, views, Some(keeping), older)
}

fn follow_with(
    log: Arc<dyn Log>,
    mut views: Views,
    keeping: Option<Keeping>,
    older: Option<Reader>,
) -> (Follower, Live) {
    if older.is_none() {
        views.begin(log.first());
    }
    let kept = views.seq();
    let applied = watch::Sender::new(kept);
    let seq = applied.subscribe();
    let views = Arc::new(RwLock::new(views));
    let snapshots = keeping.as_ref().map(|keeping| keeping.snapshots.clone());
    let live = Live { log: Arc::clone(&log), snapshots, views: Arc::clone(&views), seq };
    let keeper = keeping.map(|keeping| Keeper::new(keeping, kept));
    (Follower { log, older: older.map(Arc::new), views, applied, last: None, keeper }, live)
}

/// The task that brings the views up to date.
pub struct Follower {
    log: Arc<dyn Log>,
    /// Holds what was removed from the log, when the views begin there.
    older: Option<Arc<Reader>>,
    views: Arc<RwLock<Views>>,
    applied: watch::Sender<Seq>,
    /// The last event taken; nothing before the first.
    last: Option<Place>,
    keeper: Option<Keeper>,
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
    log: Arc<dyn Log>,
    snapshots: Option<Snapshots>,
    views: Arc<RwLock<Views>>,
    seq: watch::Receiver<Seq>,
}

impl Follower {
    /// Follows until nobody looks any more (every [`Live`] is dropped) or the log is closed.
    ///
    /// # Errors
    /// When the log cannot be read. Dropping the future stops it, too.
    pub async fn run(self) -> Result<(), FollowError> {
        self.run_until(std::future::pending()).await
    }

    /// As [`Self::run`], or until told to stop; then takes what the log has and keeps a last snapshot.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub async fn run_until(mut self, stop: impl Future<Output = ()> + Send) -> Result<(), FollowError> {
        let mut head = self.log.watch();
        let every = self.keeper.as_ref().map(Keeper::every);
        let mut stop = std::pin::pin!(stop);
        loop {
            // Marked as seen before reading: what comes in between wakes again.
            head.borrow_and_update();
            while self.take_batch().await? {
                self.keep(Keeper::is_due);
            }
            let is_over = tokio::select! {
                changed = head.changed() => changed.is_err(),
                () = self.applied.closed() => true,
                () = &mut stop => true,
                () = passed(every) => {
                    self.keep(Keeper::is_behind);
                    false
                }
            };
            if is_over {
                return self.end().await;
            }
        }
    }

    async fn end(mut self) -> Result<(), FollowError> {
        while self.take_batch().await? {}
        if let Some(keeper) = &mut self.keeper {
            keeper.written().await;
        }
        self.keep(Keeper::is_behind);
        if let Some(keeper) = &mut self.keeper {
            keeper.written().await;
        }
        tracing::debug!(seq = %*self.applied.borrow(), "views stopped following");
        Ok(())
    }

    /// Begins a snapshot when it is wanted now. The views wait for the clone alone, which copies no run.
    fn keep(&mut self, is_wanted: impl Fn(&Keeper, Seq) -> bool) {
        if let (Some(keeper), Some(last)) = (&mut self.keeper, self.last)
            && is_wanted(keeper, last.seq)
        {
            let views = self.views.read().unwrap_or_else(PoisonError::into_inner).clone();
            keeper.begin(views, last);
        }
    }

    /// Reading may touch the disk, so it has a thread of its own.
    async fn take_batch(&mut self) -> Result<bool, FollowError> {
        let (log, older, views) = (Arc::clone(&self.log), self.older.clone(), Arc::clone(&self.views));
        let from = self.applied.borrow().next();
        let batch = tokio::task::spawn_blocking(move || {
            // Whoever looks waits only while events are taken, not while they are read.
            let first = log.first();
            let batch = match older.filter(|_| from < first) {
                Some(older) => match older.read(from, ReadMax::default()) {
                    Ok(batch) => batch.into_iter().take_while(|envelope| envelope.seq < first).collect(),
                    Err(error) => {
                        tracing::warn!(%error, %first, "the backup cannot be read on: runs that began before are not listed");
                        let mut without = Views::default();
                        without.begin(first);
                        *views.write().unwrap_or_else(PoisonError::into_inner) = without;
                        log.read(first, ReadMax::default())?
                    }
                },
                None => log.read(from, ReadMax::default())?,
            };
            let mut views = views.write().unwrap_or_else(PoisonError::into_inner);
            for envelope in &batch {
                views.apply(envelope);
            }
            Ok::<_, ReadError>(batch.last().map(Place::of))
        });
        let last = batch.await??;
        if let Some(last) = last {
            self.last = Some(last);
            self.applied.send_replace(last.seq);
        }
        Ok(last.is_some())
    }
}

/// Returns after a time; never without one, and then it asks no timer.
async fn passed(time: Option<Duration>) {
    match time {
        Some(time) => tokio::time::sleep(time).await,
        None => std::future::pending().await,
    }
}

impl Live {
    /// Looks at the views. Writers wait meanwhile: take what is shown and return.
    pub fn read<T>(&self, look: impl FnOnce(&Views) -> T) -> T {
        look(&self.views.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The views as of a position, from the nearest snapshot before it or from the log's beginning. Reads from the disk.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn as_of(&self, until: Seq) -> Result<Views, ReadError> {
        Views::as_of(&*self.log, self.snapshots.as_ref(), until)
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
