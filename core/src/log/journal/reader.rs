//! Reads events from the journal with bounded memory, while the writer goes on. Checks every block it reads. Never
//! writes.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use tokio::sync::watch;

use super::block::{self, Fault, Records};
use super::cursor::Cursor;
use super::disk::{Disk, RealDisk};
use super::link::Link;
use super::record::{Names, Raw, Record};
use super::sealed::read::{Bad, Unpacker};
use super::sealed::shape::{Page, Totals};
use super::sealed::{Sealed, StreamEntry, entries};
use super::segment::Form;
use super::{Hash, Place, recover, segment};
use crate::log::{OpenError, ReadError, ReadMax, backup, since};
use crate::{Envelope, Kind, Seq};

/// Most bytes read at once when reading on and on.
pub(super) const STEP_BYTES_MAX: usize = 256 << 10;
/// Bytes most events take less than.
const EVENT_BYTES_LIKELY: usize = 1 << 10;
/// Least bytes read at once.
const STEP_BYTES_MIN: usize = 8 << 10;
/// Between two remembered places in a segment: bounds both the memory they take and the headers walked to a block.
const MARK_BYTES: u64 = 16 << 10;

/// Where a block begins.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mark {
    pub(crate) seq: u64,
    pub(crate) at: u64,
}

/// A segment to read from.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) header: segment::Header,
    /// What is known of it when it is sealed.
    pub(crate) sealed: Option<Facts>,
    /// Places of some blocks, in order, as far as somebody has walked.
    marks: Mutex<Vec<Mark>>,
}

/// What is known of a sealed segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) totals: Totals,
    pub(crate) file_bytes: u64,
    pub(crate) blake3: Hash,
}

impl Segment {
    /// A segment as it is written, nobody has walked yet.
    pub(crate) fn new(header: segment::Header) -> Self {
        let first = Mark { seq: header.first_seq, at: segment::HEADER_BYTES as u64 };
        Self { header, sealed: None, marks: Mutex::new(vec![first]) }
    }

    /// A sealed segment.
    pub(crate) fn sealed(file: &Sealed) -> Self {
        let facts = Facts { totals: file.summary.totals, file_bytes: file.file_bytes, blake3: file.blake3() };
        Self { header: file.header, sealed: Some(facts), marks: Mutex::new(Vec::new()) }
    }

    /// The form it is in.
    pub(crate) fn form(&self) -> Form {
        if self.sealed.is_some() { Form::Sealed } else { Form::Written }
    }

    /// A place in it.
    pub(crate) fn place(&self, at: u64) -> Place {
        Place { segment: self.header.first_seq, form: self.form(), at }
    }

    /// Remembers where a block begins, when the last remembered one is far enough.
    pub(crate) fn note(&self, mark: Mark) {
        let mut marks = self.marks.lock().unwrap_or_else(PoisonError::into_inner);
        if marks.last().is_none_or(|last| mark.at >= last.at + MARK_BYTES) {
            marks.push(mark);
        }
    }

    /// The remembered block nearest before an event, or the one that holds it.
    pub(crate) fn mark_before(&self, seq: u64) -> Mark {
        let marks = self.marks.lock().unwrap_or_else(PoisonError::into_inner);
        let after = marks.partition_point(|mark| mark.seq <= seq);
        let first = Mark { seq: self.header.first_seq, at: segment::HEADER_BYTES as u64 };
        after.checked_sub(1).and_then(|place| marks.get(place)).copied().unwrap_or(first)
    }
}

/// Reads a journal. The writer tells it how far the journal is durable; nothing past that is shown.
#[derive(Debug)]
pub struct Reader {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    segments: RwLock<Vec<Arc<Segment>>>,
    head: watch::Sender<Seq>,
}

impl Reader {
    /// Reads the journal of a data directory as it stands now, without its lock: another process may be writing.
    ///
    /// # Errors
    /// When the journal is missing, damaged or shortened, or the disk fails.
    pub fn open(dir: &Path) -> Result<Self, OpenError> {
        Self::open_on(Arc::new(RealDisk), dir)
    }

    /// As [`Self::open`], on any disk.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_on(disk: Arc<dyn Disk>, dir: &Path) -> Result<Self, OpenError> {
        let recovered = recover::recover(&*disk, dir)?;
        let Some(recovered) = recovered else {
            return Err(OpenError::Absent { dir: dir.to_owned() });
        };
        Ok(Self::new(disk, dir, recovered.segments, recovered.tip.seq))
    }

    /// A reader of these segments, whose last durable event is `head`.
    pub(crate) fn new(disk: Arc<dyn Disk>, dir: &Path, segments: Vec<Arc<Segment>>, head: u64) -> Self {
        Self { disk, dir: dir.to_owned(), segments: RwLock::new(segments), head: watch::Sender::new(Seq(head)) }
    }

    /// The last durable event; 0 when there is none.
    #[must_use]
    pub fn head(&self) -> Seq {
        *self.head.borrow()
    }

    /// Reads events from `from` on, in order; empty at the end.
    ///
    /// # Errors
    /// When the bytes on disk are damaged or cannot be read.
    pub fn read(&self, from: Seq, max: ReadMax) -> Result<Vec<Envelope>, ReadError> {
        self.read_skipping(from, max, &[])
    }

    /// As [`Self::read`], but events of the kinds in `skip` come with an empty payload.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn read_skipping(&self, from: Seq, max: ReadMax, skip: &[Kind]) -> Result<Vec<Envelope>, ReadError> {
        let mut taken = Taken::new(max, skip);
        let left = self.head().0.saturating_sub(from.0).saturating_add(1);
        let step = taken.step(usize::try_from(left).unwrap_or(usize::MAX));
        self.scan(from.0.max(1), step, &mut |seq, record| taken.take(seq, record))?;
        Ok(taken.events)
    }

    /// Reads the events at these positions, which ascend. Positions past the end are left out.
    pub(crate) fn read_at(&self, seqs: &[u64], max: ReadMax) -> Result<Vec<Envelope>, ReadError> {
        let mut taken = Taken::new(max, &[]);
        let mut cursor = Cursor::new(self, STEP_BYTES_MIN);
        let readable = self.first().0..=cursor.head;
        let mut wanted = seqs.iter().copied().filter(|seq| readable.contains(seq)).peekable();
        while let Some(next) = wanted.peek().copied() {
            let (place, header, block) = cursor.block(next)?;
            for split in Records::of(&header, block) {
                let (seq, raw) = split.map_err(|fault| corrupt(place, &fault))?;
                if wanted.peek() != Some(&seq) {
                    continue;
                }
                wanted.next();
                if visit(place, seq, raw, &mut |seq, record| taken.take(seq, record))?.is_break() {
                    return Ok(taken.events);
                }
            }
            // A block holds the event its header promises, so this only guards against going round for ever.
            if wanted.peek() == Some(&next) {
                return Err(corrupt(place, &Fault::Record { seq: next, reason: "it is missing".to_owned() }));
            }
        }
        Ok(taken.events)
    }

    /// The last event of the block that holds an event, and the block's hash.
    pub(crate) fn block_of(&self, seq: u64) -> Result<(u64, Hash), ReadError> {
        let mut cursor = Cursor::new(self, STEP_BYTES_MIN);
        let (_, header, block) = cursor.block(seq)?;
        Ok((header.last_seq(), block::hash(block)))
    }

    /// The last event whose time is not after `at_us`; 0 when there is none.
    ///
    /// # Errors
    /// As [`Self::read`]; also when it was removed.
    pub fn seq_at(&self, at_us: u64) -> Result<Seq, ReadError> {
        let mut cursor = Cursor::new(self, STEP_BYTES_MAX);
        let mut below = cursor.head;
        while below > 0 {
            let Some((segment, _)) = self.segment_of(below, below) else { break };
            let first = segment.header.first_seq;
            let later = segment.sealed.is_some_and(|facts| facts.totals.t_min_us > at_us);
            if !later && let Some(seq) = cursor.last_at(first, below, at_us)? {
                return Ok(Seq(seq));
            }
            below = first - 1;
        }
        if below > 0 { Err(self.removed(Seq(below))) } else { Ok(Seq(0)) }
    }

    /// The first event that is kept after the last one that is before `at_us`; the one after the head when there is none.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn seq_since(&self, at_us: u64) -> Result<Seq, ReadError> {
        since(self.seq_at(at_us.saturating_sub(1)))
    }

    /// That an event was removed, and where it is.
    pub(super) fn removed(&self, seq: Seq) -> ReadError {
        ReadError::Removed { seq, first: self.first(), archive: backup::holding(&self.dir, seq) }
    }

    /// Shows every event from `from` on to `each`, until it breaks or the end is reached. What `each` cannot make
    /// sense of is reported with its place.
    pub(crate) fn scan(&self, from: u64, step: usize, each: &mut Each<'_>) -> Result<(), ReadError> {
        let mut cursor = Cursor::new(self, step);
        let mut next = from;
        while next <= cursor.head {
            let (place, header, block) = cursor.block(next)?;
            for split in Records::of(&header, block) {
                let (seq, raw) = split.map_err(|fault| corrupt(place, &fault))?;
                if seq >= next && visit(place, seq, raw, each)?.is_break() {
                    return Ok(());
                }
            }
            next = header.last_seq() + 1;
        }
        Ok(())
    }

    /// As [`Self::scan`], saying with the last event of each block what the chain knows of the block.
    pub(crate) fn scan_linked(&self, from: u64, step: usize, each: &mut EachLinked<'_>) -> Result<(), ReadError> {
        let mut cursor = Cursor::new(self, step);
        let mut next = from;
        while next <= cursor.head {
            let nonce = self.segment_of(next, cursor.head).map_or(0, |(segment, _)| segment.header.nonce);
            let (place, header, block) = cursor.block(next)?;
            let link = Link::of(&header, block, nonce);
            for split in Records::of(&header, block) {
                let (seq, raw) = split.map_err(|fault| corrupt(place, &fault))?;
                let link = link.as_ref().filter(|link| link.last == seq);
                if seq >= next && visit(place, seq, raw, &mut |seq, record| each(seq, record, link))?.is_break() {
                    return Ok(());
                }
            }
            next = header.last_seq() + 1;
        }
        Ok(())
    }

    /// The first full segment that begins at or after an event, and the one after it.
    pub(crate) fn full_from(&self, seq: u64) -> Option<(Arc<Segment>, Arc<Segment>)> {
        let segments = self.segments();
        let from = segments.partition_point(|segment| segment.header.first_seq < seq);
        Some((segments.get(from)?.clone(), segments.get(from + 1)?.clone()))
    }

    /// All segments as they are now, in order.
    pub(crate) fn segments(&self) -> RwLockReadGuard<'_, Vec<Arc<Segment>>> {
        self.segments.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn segments_mut(&self) -> RwLockWriteGuard<'_, Vec<Arc<Segment>>> {
        self.segments.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes whoever waits for new events.
    pub(crate) fn watch(&self) -> watch::Receiver<Seq> {
        self.head.subscribe()
    }

    /// A new segment begins. Called by the writer before anything in it is published.
    pub(crate) fn begin_segment(&self, header: segment::Header) {
        self.segments_mut().push(Arc::new(Segment::new(header)));
    }

    /// A segment is there in another form. Whoever reads it in the old one goes on.
    pub(crate) fn replace(&self, segment: Segment) -> Arc<Segment> {
        let segment = Arc::new(segment);
        for known in self.segments_mut().iter_mut().filter(|known| known.header.first_seq == segment.header.first_seq) {
            *known = segment.clone();
        }
        segment
    }

    /// The journal begins with this event from now on.
    pub(crate) fn begin_at(&self, first: u64) {
        self.segments_mut().retain(|segment| segment.header.first_seq >= first);
    }

    /// The oldest event kept; one past the head when there is none.
    #[must_use]
    pub fn first(&self) -> Seq {
        Seq(self.segments().first().map_or(1, |segment| segment.header.first_seq))
    }

    /// Everything up to `head` is durable. Called by the writer.
    pub(crate) fn publish(&self, head: u64) {
        self.head.send_replace(Seq(head));
    }

    /// The segment that holds an event, and the last event in it that may be read.
    pub(crate) fn segment_of(&self, seq: u64, head: u64) -> Option<(Arc<Segment>, u64)> {
        let segments = self.segments();
        let after = segments.partition_point(|segment| segment.header.first_seq <= seq);
        let segment = segments.get(after.checked_sub(1)?)?.clone();
        let last = segments.get(after).map_or(head, |next| head.min(next.header.first_seq - 1));
        Some((segment, last))
    }

    /// Bytes of a segment as it was written, or, when it was sealed since, what it is now and its bytes then.
    pub(crate) fn written_bytes(
        &self,
        disk: &dyn Disk,
        dir: &Path,
        first: u64,
    ) -> Result<(Option<Arc<Segment>>, u64), ReadError> {
        match disk.open(&segment::path(dir, first, Form::Written)) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let sealed = self.sealed_since(first)?;
                Ok((Some(sealed.clone()), sealed.sealed.map_or(0, |facts| facts.file_bytes)))
            }
            file => Ok((None, file.and_then(|file| file.size()).map_err(io)?)),
        }
    }

    /// A segment that was sealed since it was last looked at.
    fn sealed_since(&self, first: u64) -> Result<Arc<Segment>, ReadError> {
        Ok(self.replace(Segment::sealed(&self.sealed(first)?)))
    }

    /// Opens the sealed segment that begins with an event.
    pub(crate) fn sealed(&self, first: u64) -> Result<Sealed, ReadError> {
        let place = Place { segment: first, form: Form::Sealed, at: 0 };
        Sealed::open(&*self.disk, &self.dir, first).map_err(io_at(place))?.map_err(bad)
    }

    /// Shows where the events of each stream are in the sealed segment that begins with an event.
    pub(crate) fn streams(&self, first: u64, each: &mut dyn FnMut(&StreamEntry<'_>)) -> Result<(), ReadError> {
        let sealed = self.sealed(first)?;
        let mut unpacker = Unpacker::new().map_err(io)?;
        let mut bytes = Vec::new();
        for (page, Page { holds, .. }) in sealed.summary.pages.iter().enumerate() {
            if *holds != Page::STREAMS {
                continue;
            }
            sealed.page(&mut unpacker, page, &mut bytes).map_err(io)?.map_err(bad)?;
            for entry in entries::<StreamEntry<'_>>(&bytes) {
                let place = sealed.place(sealed.summary.bundles.len() + page);
                each(&entry.map_err(|reason| bad(Bad { place, reason }))?);
            }
        }
        Ok(())
    }

    /// The disk and the data directory.
    pub(crate) fn place(&self) -> (&dyn Disk, &Path) {
        (&*self.disk, &self.dir)
    }
}

/// What is done with each event of a scan.
pub(crate) type Each<'a> = dyn FnMut(u64, &Record<'_>) -> Result<ControlFlow<()>, String> + 'a;

/// The same, with what the last event of a block tells of it.
pub(crate) type EachLinked<'a> = dyn FnMut(u64, &Record<'_>, Option<&Link>) -> Result<ControlFlow<()>, String> + 'a;

pub(super) fn visit(place: Place, seq: u64, raw: Raw<'_>, each: &mut Each<'_>) -> Result<ControlFlow<()>, ReadError> {
    let flow = raw.read().and_then(|record| each(seq, &record));
    flow.map_err(|reason| corrupt(place, &Fault::Record { seq, reason }))
}

/// What is wrong with a sealed segment.
pub(crate) fn bad(Bad { place, reason }: Bad) -> ReadError {
    ReadError::Corrupt { place: place.to_string(), reason }
}

pub(super) fn corrupt(place: Place, fault: &Fault) -> ReadError {
    ReadError::Corrupt { place: place.to_string(), reason: fault.to_string() }
}

pub(crate) fn io(error: std::io::Error) -> ReadError {
    ReadError::Io(Arc::new(error))
}

/// For `map_err`: where the disk failed.
pub(super) fn io_at(place: Place) -> impl FnOnce(std::io::Error) -> ReadError {
    move |error| io(std::io::Error::new(error.kind(), format!("{place}: {error}")))
}

/// Collects envelopes until a bound is met.
struct Taken<'a> {
    events: Vec<Envelope>,
    bytes: usize,
    max: ReadMax,
    skip: &'a [Kind],
    names: Names,
}

impl<'a> Taken<'a> {
    fn new(max: ReadMax, skip: &'a [Kind]) -> Self {
        Self { events: Vec::new(), bytes: 0, max, skip, names: Names::default() }
    }

    /// Bytes to read at once when so many events are left: whoever follows the log reads the last few, again and again.
    fn step(&self, left: usize) -> usize {
        let likely = left.min(self.max.events).saturating_mul(EVENT_BYTES_LIKELY);
        self.max.bytes.min(likely).clamp(STEP_BYTES_MIN, STEP_BYTES_MAX)
    }

    fn take(&mut self, seq: u64, record: &Record<'_>) -> Result<ControlFlow<()>, String> {
        let wanted = !self.skip.contains(&Kind(record.kind));
        let bytes = if wanted { record.payload.len() } else { 0 };
        let full = self.events.len() >= self.max.events;
        if full || (!self.events.is_empty() && self.bytes + bytes > self.max.bytes) {
            return Ok(ControlFlow::Break(()));
        }
        self.bytes += bytes;
        self.events.push(self.names.envelope(seq, record, wanted)?);
        let full = self.events.len() >= self.max.events;
        Ok(if full { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }
}
