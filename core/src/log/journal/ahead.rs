//! Space prepared ahead of the writer: zeros on disk, so that writing a block into them changes no file metadata and
//! its sync is cheap. Only speed depends on it: zeros are never written below what the writer has claimed.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::disk::DiskFile;

/// What is prepared of the segment being written.
#[derive(Debug, Default)]
pub(crate) struct Ahead {
    space: Mutex<Space>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Space {
    file: Option<Arc<dyn DiskFile>>,
    /// Nothing is prepared past this offset.
    limit: u64,
    /// Everything below is the writer's.
    claimed: u64,
    /// Everything below is claimed or zeros.
    zeroed: u64,
    /// Whether zeros are being written from `zeroed` on.
    busy: bool,
    /// Whether the writer has written to this file.
    wanted: bool,
    stopped: bool,
}

impl Ahead {
    fn space(&self) -> MutexGuard<'_, Space> {
        self.space.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn idle(&self) -> MutexGuard<'_, Space> {
        let mut space = self.space();
        while space.busy {
            space = self.changed.wait(space).unwrap_or_else(PoisonError::into_inner);
        }
        space
    }

    /// A segment is written from `from` on.
    pub(crate) fn begin(&self, file: Arc<dyn DiskFile>, from: u64, limit: u64) {
        let mut space = self.idle();
        let stopped = space.stopped;
        *space = Space { file: Some(file), limit, claimed: from, zeroed: from, busy: false, wanted: false, stopped };
    }

    /// The writer will write up to `until`; no zero is written below it after this returns.
    pub(crate) fn claim(&self, until: u64) {
        let mut space = self.space();
        while space.busy && until > space.zeroed {
            space = self.changed.wait(space).unwrap_or_else(PoisonError::into_inner);
        }
        space.claimed = until;
        space.zeroed = space.zeroed.max(until);
        space.wanted = true;
        self.changed.notify_all();
    }

    /// The segment is written no more; no zero reaches it after this returns.
    pub(crate) fn end(&self) {
        self.idle().file = None;
    }

    /// Ends [`Self::run`].
    pub(crate) fn stop(&self) {
        self.space().stopped = true;
        self.changed.notify_all();
    }

    /// Keeps at least half a step of zeros before the writer. The body of a thread of its own.
    pub(crate) fn run(&self, step: u64) {
        let zeros = vec![0; usize::try_from(step).unwrap_or(0)];
        let mut space = self.space();
        while !space.stopped {
            let Some((file, from, len)) = space.next(step) else {
                space = self.changed.wait(space).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            space.busy = true;
            drop(space);
            let written = write(&*file, zeros.get(..len).unwrap_or(&zeros), from);
            space = self.space();
            space.busy = false;
            match written {
                Ok(()) => space.zeroed = from + len as u64,
                Err(error) => {
                    // The writer meets the same disk and decides.
                    tracing::warn!(%error, "no space can be prepared ahead");
                    space.file = None;
                }
            }
            self.changed.notify_all();
        }
    }
}

impl Space {
    /// What to zero next: file, offset, length.
    fn next(&self, step: u64) -> Option<(Arc<dyn DiskFile>, u64, usize)> {
        let file = self.file.as_ref().filter(|_| self.wanted)?;
        let ahead = self.zeroed.saturating_sub(self.claimed);
        let len = step.min(self.limit.saturating_sub(self.zeroed));
        (ahead <= step / 2 && len > 0).then(|| (file.clone(), self.zeroed, usize::try_from(len).unwrap_or(0)))
    }
}

fn write(file: &dyn DiskFile, zeros: &[u8], at: u64) -> io::Result<()> {
    file.write(zeros, at)?;
    file.sync()
}
