//! The one thread that writes events. It takes what waits, decides about each append, writes one block, makes it
//! durable with one sync, and only then answers. Any failure poisons it: a failed sync is never tried again, because
//! what it lost cannot be known.

use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use super::ahead::Ahead;
use super::anchor::Anchor;
use super::anchoring::Anchoring;
use super::backlog::Backlog;
use super::block::{Builder, COUNT_MAX};
use super::disk::{self, Disk, DiskFile};
use super::ledger::Ledger;
use super::reader::Reader;
use super::record::{RECORD_OVERHEAD_MAX, Record};
use super::recover::Tip;
use super::room::{Lacking, LowWater, Purpose, Room, is_full};
use super::segment;
use crate::Clock;
use crate::log::index::{Catalog, Committed};
use crate::log::{Append, AppendError, Appended};

/// A group takes no further append past this many bytes, counted as [`bytes_of`] does, which is several times what small
/// events take: with less, a thousand producers do not fit into one group. One append alone may be larger.
const GROUP_BYTES_MAX: usize = 4 << 20;
/// Between two looks at the disk while the log only reads.
const ROOM_EVERY: Duration = Duration::from_millis(250);

/// An append on its way to the writer.
pub(crate) struct Waiting {
    pub(crate) append: Append,
    pub(crate) answer: oneshot::Sender<Result<Appended, AppendError>>,
    /// What it counts against the queue's bound.
    pub(crate) bytes: usize,
    pub(crate) manner: Manner,
}

/// What becomes of an append while the log only reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// It is refused.
    Asks,
    /// It waits for room.
    Waits,
    /// It gives room back, and may take of what is kept for that.
    Relieves,
}

/// What the writer is told.
pub(crate) enum Message {
    /// Write this.
    Append(Waiting),
    /// Write what waits, then stop cleanly.
    Close,
}

/// What the writer and the handles share.
#[derive(Debug)]
pub(crate) struct Queue {
    /// Bytes that wait.
    pub(crate) bytes: AtomicUsize,
    /// Set once, when nothing can be acknowledged any more: why.
    pub(crate) poison: OnceLock<String>,
    /// What cannot be written now.
    pub(crate) lacking: Arc<Mutex<Lacking>>,
    /// What would anchor the last durable event.
    pub(crate) end: Mutex<Anchor>,
}

impl Queue {
    /// One before a journal with that end.
    pub(crate) fn new(end: Anchor) -> Self {
        let (bytes, poison, lacking) = (AtomicUsize::default(), OnceLock::new(), Arc::default());
        Self { bytes, poison, lacking, end: Mutex::new(end) }
    }
}

/// Upper bound of the bytes an append takes in a block.
pub(crate) fn bytes_of(append: &Append) -> usize {
    append.events.iter().map(|draft| draft.payload.len() + RECORD_OVERHEAD_MAX).sum()
}

/// The writer.
pub(crate) struct Writer {
    pub(crate) dir: PathBuf,
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) segment_bytes: u64,
    pub(crate) reader: Arc<Reader>,
    pub(crate) ahead: Arc<Ahead>,
    pub(crate) anchoring: Arc<Anchoring>,
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) queue: Arc<Queue>,
    pub(crate) file: Arc<dyn DiskFile>,
    pub(crate) tip: Tip,
    /// Told when a segment is full.
    pub(crate) full: Option<SyncSender<()>>,
    builder: Builder,
    ledger: Ledger,
    committed: Vec<Committed>,
    room: Room,
}

/// What a writer begins with.
pub(crate) struct Start {
    pub(crate) dir: PathBuf,
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) segment_bytes: u64,
    pub(crate) reader: Arc<Reader>,
    pub(crate) ahead: Arc<Ahead>,
    pub(crate) anchoring: Arc<Anchoring>,
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) queue: Arc<Queue>,
    pub(crate) file: Arc<dyn DiskFile>,
    pub(crate) tip: Tip,
    pub(crate) full: Option<SyncSender<()>>,
}

impl Writer {
    /// A writer that goes on at the tip.
    pub(crate) fn new(start: Start) -> Self {
        let Start { dir, disk, clock, segment_bytes, reader, ahead, anchoring, catalog, queue, file, tip, full } =
            start;
        ahead.begin(file.clone(), tip.end, segment_bytes);
        let ledger = Ledger::new(catalog.clone());
        let (builder, committed) = (Builder::default(), Vec::new());
        let room = Room::new(LowWater::new(dir.clone(), segment_bytes), queue.lacking.clone());
        Self {
            dir,
            disk,
            clock,
            segment_bytes,
            reader,
            ahead,
            anchoring,
            catalog,
            queue,
            file,
            tip,
            full,
            builder,
            ledger,
            committed,
            room,
        }
    }

    /// Writes until told to stop or all handles are gone. The error is why it was poisoned.
    pub(crate) fn run(mut self, messages: &Receiver<Message>) -> Result<(), String> {
        let mut backlog = Backlog::default();
        let mut closing = false;
        while !closing {
            let written = if self.room.only_reads() {
                self.wait_for_room(messages, &mut backlog).map(|is_over| closing = is_over)
            } else {
                let group;
                (group, closing) = self.gather(messages, &mut backlog);
                self.answer(group, &mut backlog, Purpose::Work)
            };
            if let Err(reason) = written {
                self.ahead.stop();
                self.refuse_all(messages, backlog, closing, &reason);
                return Err(reason);
            }
        }
        // There was no room for these until the end.
        backlog.refuse(&self.queue, &AppendError::ReadOnly("it was closed before there was room".to_owned()));
        let ended = self.end().map_err(|error| format!("failed to anchor the end: {error}"));
        self.ahead.stop();
        ended
    }

    /// While the log only reads: refuses whoever does not want to wait, keeps the others in order, and writes what gives
    /// room back. Says whether to stop; else there is room again.
    fn wait_for_room(&mut self, messages: &Receiver<Message>, backlog: &mut Backlog) -> Result<bool, String> {
        loop {
            self.relieve(backlog)?;
            let message = messages.recv_timeout(ROOM_EVERY);
            let lacking = self.room.check(&*self.disk).err();
            match (message, lacking) {
                (Ok(Message::Close) | Err(RecvTimeoutError::Disconnected), _) => return Ok(true),
                (Ok(Message::Append(waiting)), Some(reason)) if waiting.manner == Manner::Asks => {
                    self.queue.bytes.fetch_sub(waiting.bytes, Ordering::Relaxed);
                    waiting.answer.send(Err(AppendError::ReadOnly(reason))).ok();
                }
                (Ok(Message::Append(waiting)), lacking) => {
                    backlog.add(waiting);
                    if lacking.is_none() {
                        return Ok(false);
                    }
                }
                (Err(RecvTimeoutError::Timeout), None) => return Ok(false),
                (Err(RecvTimeoutError::Timeout), Some(_)) => {}
            }
        }
    }

    /// Writes what gives room back, as far as what is kept for that lasts. What does not get through waits on.
    fn relieve(&mut self, backlog: &mut Backlog) -> Result<(), String> {
        let mut before = None;
        while before.replace(self.tip.seq) != Some(self.tip.seq) {
            let group = backlog.relief();
            let bytes = group.iter().map(|waiting| waiting.bytes).sum();
            self.queue.bytes.fetch_sub(bytes, Ordering::Relaxed);
            self.answer(group, backlog, Purpose::Relief)?;
        }
        Ok(())
    }

    /// Waits for an append and takes what else is there, within the bounds of a group. Says whether to stop.
    fn gather(&self, messages: &Receiver<Message>, backlog: &mut Backlog) -> (Vec<Waiting>, bool) {
        let mut group = Vec::new();
        let (mut events, mut bytes) = (0, 0);
        loop {
            let waiting = match backlog.next() {
                Some(waiting) => waiting,
                None => {
                    let message = if group.is_empty() {
                        messages.recv().map_err(|_| TryRecvError::Disconnected)
                    } else {
                        messages.try_recv()
                    };
                    match message {
                        Ok(Message::Append(waiting)) => waiting,
                        Ok(Message::Close) | Err(TryRecvError::Disconnected) => return (group, true),
                        Err(TryRecvError::Empty) => return (group, false),
                    }
                }
            };
            events += waiting.append.events.len();
            bytes += waiting.bytes;
            if !group.is_empty() && is_too_much(events, bytes) {
                backlog.give_back([waiting]);
                return (group, false);
            }
            self.queue.bytes.fetch_sub(waiting.bytes, Ordering::Relaxed);
            group.push(waiting);
        }
    }

    /// Commits a group and answers everybody in it, except those who wait for room.
    fn answer(&mut self, group: Vec<Waiting>, backlog: &mut Backlog, purpose: Purpose) -> Result<(), String> {
        if group.is_empty() {
            return Ok(());
        }
        let committed = catch_unwind(AssertUnwindSafe(|| self.commit(&group, purpose)));
        let committed = committed.unwrap_or_else(|_| Err("the writer panicked".to_owned()));
        match committed {
            Ok(answers) => {
                let mut patient = Vec::new();
                for (waiting, answer) in group.into_iter().zip(answers) {
                    if waiting.manner != Manner::Asks && matches!(answer, Err(AppendError::ReadOnly(_))) {
                        self.queue.bytes.fetch_add(waiting.bytes, Ordering::Relaxed);
                        patient.push(waiting);
                        continue;
                    }
                    // Whoever asked may have gone away; the append stands.
                    waiting.answer.send(answer).ok();
                }
                backlog.give_back(patient);
                Ok(())
            }
            Err(reason) => {
                tracing::error!(%reason, "log is poisoned; nothing is acknowledged any more");
                self.queue.poison.set(reason.clone()).ok();
                for waiting in group {
                    waiting.answer.send(Err(AppendError::Poisoned(reason.clone()))).ok();
                }
                Err(reason)
            }
        }
    }

    /// Writes what of the group is admitted as one block. After it returns, all of that is durable and readable.
    fn commit(&mut self, group: &[Waiting], purpose: Purpose) -> Result<Vec<Result<Appended, AppendError>>, String> {
        self.catalog.check().map_err(|error| error.to_string())?;
        if let Err(reason) = self.room.check_for(&*self.disk, purpose) {
            return Ok(read_only(group, &reason));
        }
        self.builder.clear();
        let mut answers = Vec::with_capacity(group.len());
        for waiting in group {
            let first = self.tip.seq + 1 + u64::from(self.builder.count());
            let answer = self.ledger.admit(&waiting.append, first).map_err(|error| error.to_string())?;
            if let Ok(appended) = &answer
                && !appended.duplicate
            {
                self.encode(&waiting.append, appended)?;
            }
            answers.push(answer);
        }
        if self.builder.count() > 0 {
            let io = |error| format!("failed to write the journal: {error}");
            if let Err(error) = self.write() {
                if !is_full(&error) {
                    return Err(io(error));
                }
                self.take_back().map_err(io)?;
                return Ok(read_only(group, &self.room.refused(&error)));
            }
            self.room.wrote();
            *self.queue.end.lock().unwrap_or_else(PoisonError::into_inner) = self.tip.anchor();
            self.catalog.add(&mem::take(&mut self.committed), self.tip.seq);
            self.reader.publish(self.tip.seq);
        }
        self.ledger.committed();
        Ok(answers)
    }

    fn encode(&mut self, append: &Append, appended: &Appended) -> Result<(), String> {
        let count = append.events.len();
        for (index, draft) in append.events.iter().enumerate() {
            let stream_seq = appended.stream_seq + 1 + index as u64 - count as u64;
            let more = u16::try_from(count - 1 - index).map_err(|error| error.to_string())?;
            self.builder.push(&Record::of(draft, &append.stream, stream_seq, more))?;
            self.committed.push(Committed {
                stream: append.stream.clone(),
                stream_seq,
                seq: appended.first.0 + index as u64,
                answer: draft.dedup.clone().map(|key| (key, *appended)),
            });
        }
        Ok(())
    }

    /// One write, one sync.
    fn write(&mut self) -> std::io::Result<()> {
        let plain = self.builder.len() as u64;
        let has_blocks = self.tip.seq >= self.tip.segment.first_seq;
        // Counted plain, so that what a start reads and a sealed segment holds is bounded however well it packs.
        if has_blocks && self.tip.plain_end + plain > self.segment_bytes {
            self.next_segment()?;
        }
        let stored = self.builder.pack() as u64;
        let finished = self.builder.finish(self.tip.seq + 1, self.tip.hash, self.tip.segment.nonce);
        let (block, hash) = finished.map_err(std::io::Error::other)?;
        self.ahead.claim(self.tip.end + stored);
        self.file.write(block, self.tip.end)?;
        disk::sync(&*self.file)?;
        self.tip.hash = hash;
        self.tip.end += stored;
        self.tip.plain_end += plain;
        self.tip.seq += u64::from(self.builder.count());
        Ok(())
    }

    /// Forgets a group that did not fit on the disk. None of it was synced.
    fn take_back(&mut self) -> std::io::Result<()> {
        self.ledger.take_back();
        self.committed.clear();
        self.ahead.end();
        self.file.set_size(self.tip.end)?;
        self.ahead.begin(self.file.clone(), self.tip.end, self.segment_bytes);
        Ok(())
    }

    fn next_segment(&mut self) -> std::io::Result<()> {
        self.end()?;
        let number = self.tip.segment.number + 1;
        let header = new_header(&*self.clock, number, self.tip.seq + 1, self.tip.hash);
        self.file = segment::create(&*self.disk, &self.dir, &header)?;
        self.reader.begin_segment(header);
        self.tip = Tip::at_the_beginning_of(header);
        self.ahead.begin(self.file.clone(), self.tip.end, self.segment_bytes);
        if let Some(full) = &self.full {
            // One that was not taken yet says the same.
            full.try_send(()).ok();
        }
        Ok(())
    }

    /// Cuts the space prepared behind the last block and anchors the end.
    fn end(&self) -> std::io::Result<()> {
        self.ahead.end();
        self.file.set_size(self.tip.end)?;
        disk::sync_all(&*self.file)?;
        self.anchoring.anchor(&self.tip.anchor())
    }

    /// Answers what still comes after the writer was poisoned, until it is told to stop.
    fn refuse_all(&self, messages: &Receiver<Message>, backlog: Backlog, closing: bool, reason: &str) {
        let poisoned = AppendError::Poisoned(reason.to_owned());
        backlog.refuse(&self.queue, &poisoned);
        if closing {
            return;
        }
        loop {
            match messages.recv() {
                Ok(Message::Append(waiting)) => {
                    self.queue.bytes.fetch_sub(waiting.bytes, Ordering::Relaxed);
                    waiting.answer.send(Err(poisoned.clone())).ok();
                }
                Ok(Message::Close) | Err(_) => return,
            }
        }
    }
}

/// Whether so much is more than one group takes.
pub(super) fn is_too_much(events: usize, bytes: usize) -> bool {
    events > COUNT_MAX || bytes > GROUP_BYTES_MAX
}

fn read_only(group: &[Waiting], reason: &str) -> Vec<Result<Appended, AppendError>> {
    group.iter().map(|_| Err(AppendError::ReadOnly(reason.to_owned()))).collect()
}

/// A header for a new segment, with a fresh nonce.
pub(crate) fn new_header(clock: &dyn Clock, number: u64, first_seq: u64, prev_hash: super::Hash) -> segment::Header {
    // The lower half of a uuid v7 is random.
    let nonce = clock.event_id().0.as_u64_pair().1;
    segment::Header::new(number, nonce, first_seq, prev_hash, clock.now_us())
}
