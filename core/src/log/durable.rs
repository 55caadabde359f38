//! The log on disk: the journal is the truth, the index makes it fast. This is the handle; the work is done by the
//! threads it owns.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::{fs, io};

use tokio::sync::{oneshot, watch};

use super::begin::{begin, carry, check_new, continue_at, replay};
use super::index::Catalog;
use super::journal::ahead::Ahead;
use super::journal::reader::Reader;
use super::journal::recover::{Recovered, Tip, recover};
use super::journal::room::{Lacking, LowWater};
use super::journal::sealer::{self, Sealer};
use super::journal::writer::{Manner, Message, Queue, Start, Waiting, Writer, bytes_of};
use super::journal::{Disk, DiskFile, segment};
use super::lock::Lock;
use super::open::{BUNDLE_BYTES_BOUNDS, SEGMENT_BYTES_BOUNDS};
use super::scrub::{self, Scrub, Scrubbed};
use super::{
    Append, AppendError, IndexError, Log, OpenError, Options, Pending, ReadError, ReadMax, Snapshots, check_bounds,
    restoring,
};
use crate::{Envelope, Kind, Seq, Stream};

/// Most appends that wait for the writer; past it they are refused as [`AppendError::Busy`].
pub const QUEUE_APPENDS_MAX: usize = 8_192;
/// Most bytes that wait for the writer.
pub const QUEUE_BYTES_MAX: usize = 64 << 20;

/// Events from which on bringing the index up to the journal takes long enough to be said before.
const REBUILD_SAID_MIN: u64 = 1_000_000;

/// A log on disk. Clones share it; when the last one is dropped it stops as [`DurableLog::close`] does.
#[derive(Debug, Clone)]
pub struct DurableLog {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    dir: PathBuf,
    reader: Arc<Reader>,
    catalog: Arc<Catalog>,
    queue: Arc<Queue>,
    messages: SyncSender<Message>,
    scrubbed: watch::Receiver<Scrubbed>,
    disk: Arc<dyn Disk>,
    low_water: LowWater,
    sealer: Arc<Sealer>,
    running: Mutex<Option<Running>>,
}

/// What ends when the log is closed.
#[derive(Debug)]
struct Running {
    writer: JoinHandle<Result<(), String>>,
    ahead: Option<JoinHandle<()>>,
    scrub: Option<Scrub>,
    sealing: Option<sealer::Running>,
    lock: Lock,
}

/// Why a log did not stop cleanly. What was acknowledged is on disk nevertheless.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the log did not stop cleanly: {0}")]
pub struct CloseError(String);

impl DurableLog {
    /// Opens the log of a data directory, making it when there is none.
    ///
    /// # Errors
    /// When another process has it open, or the journal is damaged or shortened, or the disk fails.
    pub fn open(options: Options) -> Result<Self, OpenError> {
        Self::open_to_fill(options, None)
    }

    /// As [`Self::open`], also where filling it from there was begun.
    pub(crate) fn open_to_fill(options: Options, from: Option<&restoring::Source>) -> Result<Self, OpenError> {
        if !SEGMENT_BYTES_BOUNDS.contains(&options.segment_bytes) {
            let (least, most) = (SEGMENT_BYTES_BOUNDS.start(), SEGMENT_BYTES_BOUNDS.end());
            return Err(OpenError::OutOfBounds(format!("segment_bytes must be from {least} to {most}")));
        }
        if !BUNDLE_BYTES_BOUNDS.contains(&options.bundle_bytes) {
            let (least, most) = (BUNDLE_BYTES_BOUNDS.start(), BUNDLE_BYTES_BOUNDS.end());
            return Err(OpenError::OutOfBounds(format!("bundle_bytes must be from {least} to {most}")));
        }
        let dir = options.dir.clone();
        let io = |what| move |source| OpenError::Io { what, source };
        fs::create_dir_all(&dir).map_err(io("make the data directory"))?;
        let lock = Lock::take(&dir)?;
        restoring::check(&dir, from)?;
        let disk = options.disk.clone();
        disk.make_folder(&dir.join(segment::FOLDER)).map_err(io("make the journal's folder"))?;
        let recovered = match recover(&*disk, &dir)? {
            Some(recovered) => recovered,
            None => {
                check_new(&dir, options.index_deadline)?;
                begin(&options).map_err(io("begin a journal"))?
            }
        };
        let journal = recovered.journal();
        // Before anything is changed: it may know that the journal has lost its end, or that somebody else is at work.
        let (catalog, cursor) = Catalog::open(&dir, journal, recovered.tip.seq, options.index_deadline)?;
        let catalog = Arc::new(catalog);
        segment::remove_unborn(&*disk, &dir).map_err(io("clear the journal's folder"))?;
        let file = continue_at(&*disk, &dir, &recovered).map_err(io("continue the journal"))?;
        sealer::remove_before(&*disk, &dir, recovered.beginning.first).map_err(io("remove old segments"))?;
        let Recovered { segments, tip, beginning, .. } = recovered;
        let reader = Arc::new(Reader::new(disk, &dir, segments, tip.seq));
        if cursor + 1 < beginning.first {
            carry(&catalog, beginning)?;
        }
        if tip.seq.saturating_sub(cursor) > REBUILD_SAID_MIN {
            tracing::info!(from = cursor + 1, upto = tip.seq, "bringing the index up to the journal");
        }
        replay(&reader, &catalog, cursor + 1)?;
        if cursor == 0 && tip.seq > 0 {
            tracing::info!(events = tip.seq, "the index was rebuilt from the journal");
        }
        Self::start(options, lock, file, tip, reader, catalog, journal)
    }

    fn start(
        options: Options,
        lock: Lock,
        file: Arc<dyn DiskFile>,
        tip: Tip,
        reader: Arc<Reader>,
        catalog: Arc<Catalog>,
        journal: u64,
    ) -> Result<Self, OpenError> {
        let queue = Arc::new(Queue { chain: Mutex::new((tip.seq, tip.hash)), ..Queue::default() });
        let ahead = Arc::new(Ahead::default());
        let sealer = Sealer::new(&options, reader.clone(), journal);
        let sealing = options.seal.then(|| sealer::Running::start(sealer.clone(), options.seal_again_after));
        let Options { dir, segment_bytes, ahead_bytes, scrub_every: every, clock, disk, .. } = options;
        let io = |source| OpenError::Io { what: "start a thread", source };
        let (found, scrubbed) = watch::channel(Scrubbed::default());
        let scrub = scrub::Start { disk: disk.clone(), dir: dir.clone(), reader: reader.clone(), every, found };
        let scrub = Scrub::start(scrub).map_err(io)?;
        let low_water = LowWater::new(dir.clone(), segment_bytes);
        let sealing = sealing.transpose().map_err(io)?;
        let writer = Writer::new(Start {
            dir: dir.clone(),
            disk: disk.clone(),
            clock,
            segment_bytes,
            reader: reader.clone(),
            ahead: ahead.clone(),
            catalog: catalog.clone(),
            queue: queue.clone(),
            file,
            tip,
            full: sealing.as_ref().map(sealer::Running::waker),
        });
        let (messages, waiting) = sync_channel(QUEUE_APPENDS_MAX);
        let ahead = (ahead_bytes > 0)
            .then(|| thread::Builder::new().name("journal-ahead".to_owned()).spawn(move || ahead.run(ahead_bytes)))
            .transpose()
            .map_err(io)?;
        let writer = thread::Builder::new().name("journal".to_owned()).spawn(move || writer.run(&waiting));
        let running = Mutex::new(Some(Running { writer: writer.map_err(io)?, ahead, scrub, sealing, lock }));
        let inner = Inner { dir, reader, catalog, queue, messages, scrubbed, disk, low_water, sealer, running };
        Ok(Self { inner: Arc::new(inner) })
    }

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
        let (seq, hash) = *self.inner.queue.chain.lock().unwrap_or_else(PoisonError::into_inner);
        (Seq(seq), blake3::Hash::from_bytes(hash).to_string())
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
        let Some(Running { writer, ahead, scrub, sealing, lock }) = running.take() else { return Ok(()) };
        // It only fails when the writer has ended, and then there is nothing to tell it.
        self.messages.send(Message::Close).ok();
        let panicked = |_| Err("the writer panicked".to_owned());
        let stopped = writer.join().unwrap_or_else(panicked);
        if let Some(ahead) = ahead {
            ahead.join().ok();
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
