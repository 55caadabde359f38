//! Keeps the anchor close behind the end while events are written, on a thread of its own, so that nobody who waits for an
//! answer waits for it. What is cut off the segment being written is noticed by it; before, by an index or a witness only.

use std::io;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::Disk;
use super::anchor::{self, Anchor};
use super::writer::Queue;

/// The anchor of a log at work.
#[derive(Debug)]
pub(crate) struct Anchoring {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    /// The event it names, as far as that is known. Held while it is written: there are two who do.
    named: Mutex<Option<u64>>,
}

impl Anchoring {
    /// Of a data directory whose anchor is as it was found.
    pub(crate) fn new(disk: Arc<dyn Disk>, dir: PathBuf) -> Self {
        // One that cannot be read is written anew.
        let found = anchor::read(&*disk, &dir).ok().and_then(Result::ok).flatten();
        Self { disk, dir, named: Mutex::new(found.map(|anchor| anchor.seq)) }
    }

    fn named(&self) -> MutexGuard<'_, Option<u64>> {
        self.named.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Anchors an end that is on disk; one that is behind what was anchored since is passed over.
    pub(crate) fn anchor(&self, end: &Anchor) -> io::Result<()> {
        let mut named = self.named();
        if named.is_none_or(|named| named <= end.seq) {
            end.write(&*self.disk, &self.dir)?;
            *named = Some(end.seq);
        }
        Ok(())
    }

    /// The body of the thread. A disk that refuses is the writer's to judge; here it is told once, and tried again.
    fn follow(&self, queue: &Queue, every: Duration, stopped: &Receiver<()>) {
        let mut was_told = false;
        while stopped.recv_timeout(every) == Err(RecvTimeoutError::Timeout) {
            let end = *queue.end.lock().unwrap_or_else(PoisonError::into_inner);
            let is_behind = *self.named() != Some(end.seq);
            match if is_behind { self.anchor(&end) } else { Ok(()) } {
                Ok(()) => was_told = false,
                Err(error) if !was_told => {
                    tracing::warn!(%error, "the end of the log cannot be anchored; it is tried again");
                    was_told = true;
                }
                Err(_) => {}
            }
        }
    }
}

/// The thread.
#[derive(Debug)]
pub(crate) struct Running {
    stop: Sender<()>,
    thread: JoinHandle<()>,
}

impl Running {
    /// Begins, unless it is never to.
    pub(crate) fn start(anchoring: Arc<Anchoring>, queue: Arc<Queue>, every: Duration) -> io::Result<Option<Self>> {
        if every.is_zero() {
            return Ok(None);
        }
        let (stop, stopped) = channel();
        let follow = move || anchoring.follow(&queue, every, &stopped);
        let thread = thread::Builder::new().name("journal-anchor".to_owned()).spawn(follow)?;
        Ok(Some(Self { stop, thread }))
    }

    /// Ends, after what it is writing.
    pub(crate) fn stop(self) {
        drop(self.stop);
        self.thread.join().ok();
    }
}
