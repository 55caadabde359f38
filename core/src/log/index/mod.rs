//! What makes the journal fast to use: where the events of a stream are, which dedup keys are known; and, for
//! consumers, how far they are and their snapshots. The one folder that names sled.
//!
//! It follows the journal: a thread of its own takes what is durable, writes it to the store in batches that carry the
//! cursor, and flushes on a schedule; what is not in the store yet is served from memory. A store that is missing,
//! damaged or from another journal is set aside and rebuilt from the journal. When it fails while in use the log is
//! poisoned, and the next start rebuilds it; when it cannot be opened because the disk is full it is left as it is. So losing it costs time and consumers' checkpoints, never an event. One that
//! is ahead of its journal is a witness: the journal has lost what it had.

mod keep;
mod known;
mod opening;
mod recent;
mod store;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::log::journal::{Disk as _, RealDisk};
use crate::log::{Appended, OpenError};
use crate::{Seq, Stream};

use recent::{Part, Recent};
use store::Store;

pub(crate) use known::Known;

pub use keep::{NAME_BYTES_MAX, SNAPSHOT_BYTES_MAX};

/// Bytes that must be free on the disk before the store is written to: one that meets a full disk fails for good.
/// The log only reads long before, so what waits in memory meanwhile does not grow.
const FREE_MIN: u64 = 4 << 20;

/// How much less urgent the store is than the writer and those who wait for it. It takes a tenth of a core when the log is
/// driven as hard as two cores can; with 5 it still gets that, and nobody waits a whole turn for it.
const NICENESS: i32 = 5;

/// Why the index could not answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IndexError {
    /// The store failed. The log is poisoned by it; the next start rebuilds the index from the journal.
    #[error("the index failed: {0}; start again, it will be rebuilt from the journal")]
    Failed(String),
    /// Somebody else has it open.
    #[error("another process has the index open")]
    InUse,
    /// It cannot be opened, or written to, because the disk is full. One that is opened anew when there is room is whole.
    #[error("the disk is full")]
    Full,
    /// The log was closed, and the index with it.
    #[error("the index is closed")]
    Closed,
    /// A name or snapshot is out of bounds.
    #[error("out of bounds: {0}")]
    OutOfBounds(String),
}

/// What the index of a data directory knows of the events from `first` on; nothing when there is none. Nobody may be
/// using it.
pub(crate) fn known(dir: &Path, first: u64, deadline: Duration) -> Result<Option<Known>, IndexError> {
    opening::known(dir, first, deadline)
}

/// Up to which event the index of a data directory knows the log; 0 when there is none. Nobody may be using it.
pub(crate) fn cursor(dir: &Path, deadline: Duration) -> Result<u64, IndexError> {
    opening::cursor(dir, deadline)
}

/// Why a log is not opened whose index is not.
pub(crate) fn unopened(dir: &Path, error: IndexError) -> OpenError {
    let source = match error {
        IndexError::InUse => return OpenError::InUse { dir: dir.to_owned() },
        IndexError::Full => io::Error::new(io::ErrorKind::StorageFull, error),
        IndexError::Failed(_) | IndexError::Closed | IndexError::OutOfBounds(_) => io::Error::other(error),
    };
    OpenError::Io { what: "open the index", source }
}

/// Whether there is room for a store to work.
fn has_room(dir: &Path) -> bool {
    // A disk that does not say how full it is says so when it is written to.
    RealDisk.space(dir).map_or(true, |space| space.free >= FREE_MIN)
}

/// One event on disk, as far as the index wants to know.
#[derive(Debug, Clone)]
pub(crate) struct Committed {
    pub(crate) stream: Stream,
    pub(crate) stream_seq: u64,
    pub(crate) seq: u64,
    /// The first answer to a dedup key, on the first event of its append.
    pub(crate) answer: Option<(Arc<str>, Appended)>,
}

/// Everything known about the events in the journal.
#[derive(Debug)]
pub(crate) struct Catalog {
    shared: Arc<Shared>,
    follower: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
struct Shared {
    dir: PathBuf,
    recent: Recent,
    /// Nothing once it is closed.
    store: RwLock<Option<Store>>,
    /// Set once, when the store failed: why.
    failed: OnceLock<String>,
}

impl Catalog {
    /// Opens the index of the journal of that identity whose last event is `head`, and says up to where it knows the
    /// events; the caller adds the others. One that does not fit, or does not open in time, is set aside.
    ///
    /// # Errors
    /// When it knows events after `head`: it is told of none before they are on disk, so they are lost.
    pub(crate) fn open(dir: &Path, journal: u64, head: u64, deadline: Duration) -> Result<(Self, u64), OpenError> {
        let opened = opening::open(dir, journal, head, deadline);
        let (store, cursor) = opened.map_err(|error| unopened(dir, error))?;
        if cursor > head {
            return Err(OpenError::Lost { seq: head, known: cursor, dir: dir.to_owned() });
        }
        let (recent, store) = (Recent::default(), RwLock::new(Some(store)));
        let shared = Arc::new(Shared { dir: dir.to_owned(), recent, store, failed: OnceLock::new() });
        let followed = shared.clone();
        let io = |source| OpenError::Io { what: "start a thread", source };
        let follower = thread::Builder::new().name("index".to_owned()).spawn(move || followed.follow()).map_err(io)?;
        Ok((Self { shared, follower: Mutex::new(Some(follower)) }, cursor))
    }

    /// These events are durable, and now everything up to `head` is. Waits when the store is too far behind.
    pub(crate) fn add(&self, events: &[Committed], head: u64) {
        self.shared.recent.add(events, head);
    }

    /// Fails when the store has failed.
    pub(crate) fn check(&self) -> Result<(), IndexError> {
        self.shared.failed.get().map_or(Ok(()), |reason| Err(IndexError::Failed(reason.clone())))
    }

    /// The last position in a stream; 0 when it has no events.
    pub(crate) fn stream_head(&self, stream: &Stream) -> Result<u64, IndexError> {
        match self.shared.recent.stream_head(stream) {
            Some(head) => Ok(head),
            None => self.shared.ask(|store| store.stream_head(stream)),
        }
    }

    /// The first answer to a dedup key.
    pub(crate) fn first_answer(&self, key: &(Stream, Arc<str>)) -> Result<Option<Appended>, IndexError> {
        match self.shared.recent.first_answer(key) {
            Some(answer) => Ok(Some(answer)),
            None => self.shared.ask(|store| store.first_answer(key)),
        }
    }

    /// Global positions of up to `max` events of a stream, from `from` on.
    pub(crate) fn positions(&self, stream: &Stream, from: u64, max: usize) -> Result<Vec<u64>, IndexError> {
        // Memory first: what it no longer holds when asked is in the store by then.
        let recent = self.shared.recent.positions(stream, from, max);
        if from >= recent.first {
            return Ok(recent.seqs);
        }
        let mut seqs = self.shared.ask(|store| store.positions(stream, from, recent.first, max))?;
        let room = max - seqs.len();
        seqs.extend(recent.seqs.into_iter().take(room));
        Ok(seqs)
    }

    /// How far a consumer is; 0 when it never said.
    pub(crate) fn checkpoint(&self, name: &str) -> Result<Seq, IndexError> {
        self.shared.ask(|store| store.checkpoint(name))
    }

    /// How far every consumer is that ever said so.
    pub(crate) fn checkpoints(&self) -> Result<BTreeMap<String, Seq>, IndexError> {
        self.shared.ask(Store::checkpoints)
    }

    /// Keeps how far a consumer is.
    pub(crate) fn set_checkpoint(&self, name: &str, seq: Seq) -> Result<(), IndexError> {
        if !has_room(&self.shared.dir) {
            return Ok(());
        }
        self.shared.recent.touch();
        self.shared.ask(|store| store.set_checkpoint(name, seq))
    }

    /// The snapshot of that name, when it was made by this version and is whole.
    pub(crate) fn snapshot(&self, name: &str, version: u32) -> Result<Option<(Seq, Vec<u8>)>, IndexError> {
        self.shared.ask(|store| store.snapshot(name, version))
    }

    /// Keeps a snapshot in place of the last one of that name.
    pub(crate) fn set_snapshot(&self, name: &str, version: u32, seq: Seq, bytes: &[u8]) -> Result<(), IndexError> {
        if !has_room(&self.shared.dir) {
            return Ok(());
        }
        self.shared.recent.touch();
        self.shared.ask(|store| store.set_snapshot(name, version, seq, bytes))
    }

    /// Writes everything that is recent, makes it durable, and stops.
    pub(crate) fn close(&self) {
        self.shared.recent.stop();
        if let Some(follower) = self.follower.lock().unwrap_or_else(PoisonError::into_inner).take() {
            follower.join().ok();
        }
        // Dropping it gives its files back.
        *self.shared.store.write().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl Drop for Catalog {
    fn drop(&mut self) {
        self.close();
    }
}

impl Shared {
    /// The body of the index's thread.
    fn follow(&self) {
        if let Err(error) = rustix::process::nice(NICENESS) {
            tracing::debug!(%error, "the index is as urgent as everything else");
        }
        let mut dirty = false;
        loop {
            let stopped = self.recent.wait(dirty);
            match self.ask(|store| self.pass(store, &mut dirty)) {
                Ok(()) if !stopped => {}
                Ok(()) => return,
                Err(_) => return self.recent.give_up(),
            }
        }
    }

    fn pass(&self, store: &Store, dirty: &mut bool) -> Result<(), IndexError> {
        if !has_room(&self.dir) {
            return Ok(());
        }
        *dirty |= self.recent.take_touched();
        while let Some(part) = self.recent.oldest() {
            store.apply(&part)?;
            self.recent.drop_oldest();
            *dirty = true;
        }
        if *dirty {
            store.flush()?;
            *dirty = false;
        }
        Ok(())
    }

    /// Asks the store. A failure is remembered, here and for the next start.
    fn ask<T>(&self, question: impl FnOnce(&Store) -> Result<T, IndexError>) -> Result<T, IndexError> {
        let store = self.store.read().unwrap_or_else(PoisonError::into_inner);
        let result = store.as_ref().map_or(Err(IndexError::Closed), question);
        let reason = match &result {
            Err(IndexError::Failed(reason)) => reason.clone(),
            // What sled keeps in memory is not what is on disk any more.
            Err(error @ IndexError::Full) => error.to_string(),
            _ => return result,
        };
        if self.failed.set(reason.clone()).is_ok() {
            tracing::error!(%reason, "index failed; it will be rebuilt at the next start");
            opening::suspect(&self.dir);
        }
        result
    }
}
