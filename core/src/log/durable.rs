//! The log on disk: the journal is the truth, the index makes it fast. This is the handle; the work is done by the
//! threads it owns, which [`start`](super::start) starts.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::mpsc::{SyncSender, TrySendError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use tokio::sync::{oneshot, watch};

use super::index::Catalog;
use super::journal::Disk;
use super::journal::anchoring;
use super::journal::reader::Reader;
use super::journal::room::{Lacking, LowWater};
use super::journal::sealer::{self, Sealer};
use super::journal::writer::{Manner, Message, Queue, Waiting, bytes_of};
use super::lock::Lock;
use super::scrub::{Scrub, Scrubbed};
use super::{Append, AppendError, IndexError, Log, Pending, ReadError, ReadMax, Snapshots, check_bounds};
use crate::{Envelope, Kind, Seq, Stream};

/// Most appends that wait for the writer; past it they are refused as [`AppendError::Busy`].
pub const QUEUE_APPENDS_MAX: usize = 8_192;
/// Most bytes that wait for the writer.
pub const QUEUE_BYTES_MAX: usize = 64 << 20;

/// A log on disk. Clones share it; when the last one is dropped it stops as [`DurableLog::close`] does.
#[derive(Debug, Clone)]
pub struct DurableLog {
    pub(super) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) dir: PathBuf,
    pub(super) reader: Arc<Reader>,
    pub(super) catalog: Arc<Catalog>,
    pub(super) queue: Arc<Queue>,
    pub(super) messages: SyncSender<Message>,
    pub(super) scrubbed: watch::Receiver<Scrubbed>,
    pub(super) disk: Arc<dyn Disk>,
    pub(super) low_water: LowWater,
    pub(super) sealer: Arc<Sealer>,
    pub(super) running: Mutex<Option<Running>>,
}

/// What ends when the log is closed.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) writer: JoinHandle<Result<(), String>>,
    pub(super) ahead: Option<JoinHandle<()>>,
    pub(super) anchoring: Option<anchoring::Running>,
    pub(super) scrub: Option<Scrub>,
    pub(super) sealing: Option<sealer::Running>,
    pub(super) lock: Lock,
}

/// Why a log did not stop cleanly. What was acknowledged is on disk nevertheless.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the log did not stop cleanly: {0}")]
pub struct CloseError(String);

impl DurableLog {
    /// Writes what waits, anchors the end, and gives the data directory back. Later appends are refused; reading goes
    /// on. Blocks until done; closing again does nothing.
    ///
    /// # Errors
    /// When the log was poisoned or the disk fails now. What was acknowledged is on disk nevertheless.
    pub fn close(self) -> Result<(), CloseError> {
        self.inner.close()
    }

    /// The data directory.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.inner.dir
    }

    /// How far a consumer is; 0 when it never said, or when the index was lost.
    ///
    /// # Errors
    /// When the name is out of bounds or the index fails.
    pub fn checkpoint(&self, name: &str) -> Result<Seq, IndexError> {
        self.inner.catalog.checkpoint(name)
    }

    /// Keeps how far a consumer is. Written behind: a crash may bring back an earlier one.
    ///
    /// # Errors
    /// As [`Self::checkpoint`].
    pub fn set_checkpoint(&self, name: &str, seq: Seq) -> Result<(), IndexError> {
        self.inner.catalog.set_checkpoint(name, seq)
    }

    /// The snapshot of that name, when it was made by this version of its maker and is whole.
    ///
    /// # Errors
    /// As [`Self::checkpoint`].
    pub fn snapshot(&self, name: &str, version: u32) -> Result<Option<(Seq, Vec<u8>)>, IndexError> {
        self.inner.catalog.snapshot(name, version)
    }

    /// Keeps a snapshot of what stood at `seq`, in place of the last one of that name. Written behind, as checkpoints.
    ///
    /// # Errors
    /// As [`Self::checkpoint`].
    pub fn set_snapshot(&self, name: &str, version: u32, seq: Seq, bytes: &[u8]) -> Result<(), IndexError> {
        self.inner.catalog.set_snapshot(name, version, seq, bytes)
    }

    /// The last durable event and the hash of the block that ends with it, lower-case hex: what a witness is told.
    #[must_use]
    pub fn chain_head(&self) -> (Seq, String) {
        let end = *self.inner.queue.end.lock().unwrap_or_else(PoisonError::into_inner);
        (Seq(end.seq), blake3::Hash::from_bytes(end.hash).to_string())
    }

    /// Where snapshots of what is built from this log are kept.
    #[must_use]
    pub fn snapshots(&self) -> Snapshots {
        Snapshots::of(&self.inner.dir)
    }

    /// How far every consumer is that ever said so.
    ///
    /// # Errors
    /// As [`Self::checkpoint`].
    pub fn checkpoints(&self) -> Result<BTreeMap<String, Seq>, IndexError> {
        self.inner.catalog.checkpoints()
    }

    /// What reading the sealed segments again in the background has found.
    #[must_use]
    pub fn scrubbed(&self) -> watch::Receiver<Scrubbed> {
        self.inner.scrubbed.clone()
    }

    /// Removes the sealed segments all of whose events are before `seq`, up to the first one that is not sealed, and
    /// says with which event the log begins then. What remains is verifiable from its new beginning. Whoever asks has
    /// made sure that nobody needs those events any more. Takes turns with sealing; blocks.
    ///
    /// # Errors
    /// When the disk fails. Some of the segments may be removed then, oldest first, and the others are at the next start.
    pub fn remove_below(&self, seq: Seq) -> io::Result<Seq> {
        self.inner.sealer.remove_below(seq.0).map(Seq)
    }

    /// What is known about streams and dedup keys.
    pub(crate) fn catalog(&self) -> &Catalog {
        &self.inner.catalog
    }

    /// The journal, for reading only.
    #[must_use]
    pub fn reader(&self) -> &Reader {
        &self.inner.reader
    }
}

impl DurableLog {
    /// The first position in a stream, from `from` on, of an event that is not before `first`; found by halving, because
    /// the index of a stream whose beginning was removed may have a gap.
    fn first_kept(&self, stream: &Stream, from: u64, first: u64) -> Result<u64, ReadError> {
        let catalog = &self.inner.catalog;
        let (mut removed, mut kept) = (from, catalog.stream_head(stream).map_err(unindexed)? + 1);
        while kept - removed > 1 {
            let middle = removed + (kept - removed) / 2;
            let seqs = catalog.positions(stream, middle, 1).map_err(unindexed)?;
            if seqs.first().is_some_and(|seq| *seq < first) {
                removed = middle;
            } else {
                kept = middle;
            }
        }
        Ok(kept)
    }
}

fn unindexed(error: IndexError) -> ReadError {
    ReadError::Io(Arc::new(io::Error::other(error)))
}

impl Inner {
    fn close(&self) -> Result<(), CloseError> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(Running { writer, ahead, anchoring, scrub, sealing, lock }) = running.take() else { return Ok(()) };
        // It only fails when the writer has ended, and then there is nothing to tell it.
        self.messages.send(Message::Close).ok();
        let panicked = |_| Err("the writer panicked".to_owned());
        let stopped = writer.join().unwrap_or_else(panicked);
        if let Some(ahead) = ahead {
            ahead.join().ok();
        }
        if let Some(anchoring) = anchoring {
            anchoring.stop();
        }
        if let Some(scrub) = scrub {
            scrub.stop();
        }
        if let Some(sealing) = sealing {
            sealing.stop();
        }
        self.catalog.close();
        self.queue.poison.set("it was closed".to_owned()).ok();
        drop(lock);
        stopped.map_err(CloseError)
    }

    fn submit(&self, append: Append, manner: Manner) -> Pending {
        let (answer, pending) = oneshot::channel();
        let bytes = bytes_of(&append);
        if let Some(error) = self.refusal(&append, bytes) {
            answer.send(Err(error)).ok();
            return pending;
        }
        let queue = &self.queue;
        queue.bytes.fetch_add(bytes, Ordering::Relaxed);
        match self.messages.try_send(Message::Append(Waiting { append, answer, bytes, manner })) {
            Ok(()) => {}
            Err(TrySendError::Full(message)) => refuse(queue, message, AppendError::Busy),
            Err(TrySendError::Disconnected(message)) => {
                let reason = queue.poison.get().map_or("it was closed", String::as_str).to_owned();
                refuse(queue, message, AppendError::Poisoned(reason));
            }
        }
        pending
    }

    fn lacking(&self) -> Lacking {
        self.queue.lacking.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Why an append cannot even wait.
    fn refusal(&self, append: &Append, bytes: usize) -> Option<AppendError> {
        if let Err(error) = check_bounds(append) {
            return Some(error);
        }
        if let Some(reason) = self.queue.poison.get() {
            return Some(AppendError::Poisoned(reason.clone()));
        }
        (self.queue.bytes.load(Ordering::Relaxed) + bytes > QUEUE_BYTES_MAX).then_some(AppendError::Busy)
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Err(error) = self.close() {
            tracing::warn!(%error, "log dropped");
        }
    }
}

impl Log for DurableLog {
    fn submit(&self, append: Append) -> Pending {
        self.inner.submit(append, Manner::Asks)
    }

    fn submit_patiently(&self, append: Append) -> Pending {
        self.inner.submit(append, Manner::Waits)
    }

    fn submit_to_relieve(&self, append: Append) -> Pending {
        self.inner.submit(append, Manner::Relieves)
    }

    fn read_only(&self) -> Option<String> {
        // The writer looks when it has something to write; this is asked before.
        self.inner.lacking().work.or_else(|| self.inner.low_water.lacking(&*self.inner.disk))
    }

    fn read_only_for_relief(&self) -> Option<String> {
        self.inner.lacking().relief.or_else(|| self.inner.low_water.lacking_for_relief(&*self.inner.disk))
    }

    fn room(&self) -> Option<u64> {
        self.inner.low_water.room(&*self.inner.disk)
    }

    fn read(&self, from: Seq, max: ReadMax) -> Result<Vec<Envelope>, ReadError> {
        self.inner.reader.read(from, max)
    }

    fn read_skipping(&self, from: Seq, max: ReadMax, skip: &[Kind]) -> Result<Vec<Envelope>, ReadError> {
        self.inner.reader.read_skipping(from, max, skip)
    }

    fn read_stream(&self, stream: &Stream, from_stream_seq: u64, max: ReadMax) -> Result<Vec<Envelope>, ReadError> {
        let Inner { catalog, reader, .. } = &*self.inner;
        let mut from = from_stream_seq.max(1);
        loop {
            let first = reader.first().0;
            let mut seqs = catalog.positions(stream, from, max.events).map_err(unindexed)?;
            if seqs.first().is_some_and(|seq| *seq < first) {
                from = self.first_kept(stream, from, first)?;
                seqs = catalog.positions(stream, from, max.events).map_err(unindexed)?;
            }
            let events = reader.read_at(&seqs, max)?;
            // Others may have been removed since; then it is looked for anew.
            if !events.is_empty() || seqs.is_empty() || reader.first().0 == first {
                return Ok(events);
            }
        }
    }

    fn stream_head(&self, stream: &Stream) -> Result<u64, ReadError> {
        self.inner.catalog.stream_head(stream).map_err(unindexed)
    }

    fn first(&self) -> Seq {
        self.inner.reader.first()
    }

    fn seq_at(&self, at_us: u64) -> Result<Seq, ReadError> {
        self.inner.reader.seq_at(at_us)
    }

    fn head(&self) -> Seq {
        self.inner.reader.head()
    }

    fn watch(&self) -> watch::Receiver<Seq> {
        self.inner.reader.watch()
    }
}

fn refuse(queue: &Queue, message: Message, error: AppendError) {
    if let Message::Append(Waiting { append: _, answer, bytes, manner: _ }) = message {
        queue.bytes.fetch_sub(bytes, Ordering::Relaxed);
        answer.send(Err(error)).ok();
    }
}
