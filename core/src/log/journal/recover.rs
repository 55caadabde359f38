//! Finds the beginning and the end of the journal at a start. Of the last segment everything is read, of earlier ones
//! the headers, and of sealed ones the summaries: an earlier one was full and on disk before the next got its name.
//! Only reads; the writer cuts an unfinished tail.
//!
//! The end is the first bad block after which no valid one follows: a write that was never finished and so never
//! acknowledged. A valid block after a bad one is damage; it is reported with its place and never cut off.

use std::io;
use std::path::Path;
use std::sync::Arc;

use super::anchor::{self, Anchor};
use super::beginning::{self, Beginning};
use super::block::{self, Fault, Plain};
use super::disk::Disk;
use super::reader::{Mark, Segment};
use super::sealed::Sealed;
use super::sealed::read::Bad;
use super::segment::Form;
use super::tail::{block_at, is_blank, next_block};
use super::window::Window;
use super::{Hash, Place, segment};
use crate::log::OpenError;

/// Bytes read at once while walking.
const STEP_BYTES: usize = 1 << 20;

/// A journal as found.
pub(crate) struct Recovered {
    pub(crate) segments: Vec<Arc<Segment>>,
    pub(crate) tip: Tip,
    /// Whether there is an anchor.
    pub(crate) anchored: bool,
    /// Whether it is at the end, as after a clean stop.
    pub(crate) clean: bool,
    /// Where the journal begins.
    pub(crate) beginning: Beginning,
}

impl Recovered {
    /// Identity of the journal: the nonce of the first segment there ever was.
    pub(crate) fn journal(&self) -> u64 {
        let oldest = self.segments.first().map_or(0, |first| first.header.nonce);
        if self.beginning.journal == 0 { oldest } else { self.beginning.journal }
    }
}

/// The end of the journal.
#[derive(Debug, Clone)]
pub(crate) struct Tip {
    /// The last event; 0 when there is none.
    pub(crate) seq: u64,
    /// Hash of the last block.
    pub(crate) hash: Hash,
    /// The segment to go on writing.
    pub(crate) segment: segment::Header,
    /// Where its last block begins; where to go on when it has none.
    pub(crate) last: u64,
    /// Where to go on in it.
    pub(crate) end: u64,
    /// Where that would be if all its blocks were plain: what makes it full.
    pub(crate) plain_end: u64,
    /// What stands there when it is not prepared space: why it is no block, and how many bytes the file goes on.
    pub(crate) unfinished: Option<(Fault, u64)>,
}

impl Tip {
    /// What anchors it.
    pub(crate) fn anchor(&self) -> Anchor {
        Anchor::new(self.seq, self.segment.first_seq, self.hash)
    }

    /// The end of a journal whose last segment has no blocks yet.
    pub(crate) fn at_the_beginning_of(segment: segment::Header) -> Self {
        let end = segment::HEADER_BYTES as u64;
        let (seq, hash) = (segment.first_seq - 1, segment.prev_hash);
        Self { seq, hash, segment, last: end, end, plain_end: end, unfinished: None }
    }
}

/// Finds the journal of a data directory: nothing when there never was one.
pub(crate) fn recover(disk: &dyn Disk, dir: &Path) -> Result<Option<Recovered>, OpenError> {
    // Before the segments: a writer at work may move it on, but never past what they then hold.
    let anchor = anchor::read(disk, dir)
        .map_err(|source| OpenError::Io { what: "read HEAD", source })?
        .map_err(|reason| OpenError::Anchor { reason })?;
    let beginning = beginning::read(disk, dir)
        .map_err(|source| OpenError::Io { what: "read FIRST", source })?
        .map_err(|reason| OpenError::Beginning { reason })?;
    let mut segments = segments(disk, dir, &beginning)?;
    let Some(last) = segments.pop() else {
        return anchor.map_or(Ok(None), |anchor| Err(OpenError::Missing { seq: anchor.seq, dir: dir.to_owned() }));
    };
    check_complete(segments.iter().chain([&last]), &beginning)?;
    if last.sealed.is_some() {
        let reason = "it is sealed, but the segment after it is missing".to_owned();
        return Err(OpenError::Corrupt { place: last.place(0).to_string(), reason });
    }
    let mut anchored_hash =
        (anchor.map(|anchor| anchor.seq) == last.header.first_seq.checked_sub(1)).then_some(last.header.prev_hash);
    let tip = walk(disk, dir, &last, &mut |seq, hash| {
        if anchor.is_some_and(|anchor| anchor.seq == seq) {
            anchored_hash = Some(hash);
        }
    })?;
    if let Some(anchor) = anchor {
        check_anchor(&anchor, &tip, anchored_hash, dir)?;
    }
    segments.push(last);
    let segments = segments.into_iter().map(Arc::new).collect();
    let clean = anchor.is_some_and(|anchor| anchor.seq == tip.seq);
    Ok(Some(Recovered { segments, tip, anchored: anchor.is_some(), clean, beginning }))
}

/// All segments from the beginning on, in order.
fn segments(disk: &dyn Disk, dir: &Path, beginning: &Beginning) -> Result<Vec<Segment>, OpenError> {
    let io = |source| OpenError::Io { what: "read the journal's segments", source };
    let mut segments = Vec::new();
    for named in segment::list(disk, dir).map_err(io)? {
        if named.first >= beginning.first {
            let place = Place { segment: named.first, form: named.form, at: 0 };
            let at = |error: io::Error| io(io::Error::new(error.kind(), format!("{place}: {error}")));
            let found = open_segment(disk, dir, named.first, named.form).map_err(at)?;
            let corrupt = |Bad { place, reason }| OpenError::Corrupt { place: place.to_string(), reason };
            segments.push(found.map_err(corrupt)?);
        }
    }
    Ok(segments)
}

/// Reads what must be known of a segment. It may have been sealed since it was seen.
pub(crate) fn open_segment(disk: &dyn Disk, dir: &Path, first: u64, form: Form) -> io::Result<Result<Segment, Bad>> {
    if form == Form::Written {
        match disk.open(&segment::path(dir, first, form)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            file => {
                let header = segment::read_header(&*file?, first, form)?;
                let bad = |reason| Bad { place: Place { segment: first, form, at: 0 }, reason };
                return Ok(header.map(Segment::new).map_err(bad));
            }
        }
    }
    Ok(Sealed::open(disk, dir, first)?.map(|sealed| Segment::sealed(&sealed)))
}

/// No segment may be missing before the last one, and where one was read to its end the next must follow.
fn check_complete<'a>(segments: impl Iterator<Item = &'a Segment>, beginning: &Beginning) -> Result<(), OpenError> {
    let mut least = beginning.first;
    let mut ends = Some((beginning.first - 1, beginning.prev_hash));
    for (number, segment) in (beginning.number..).zip(segments) {
        let header = &segment.header;
        let corrupt = |reason| Err(OpenError::Corrupt { place: segment.place(0).to_string(), reason });
        if header.number != number || (number == beginning.number && header.first_seq != least) {
            return corrupt(format!("it is segment {}, but segment {number} is missing before it", header.number));
        }
        if number > beginning.number && header.first_seq <= least {
            return corrupt("it begins before the segment before it".to_owned());
        }
        if ends.is_some_and(|ends| ends != (header.first_seq - 1, header.prev_hash)) {
            return corrupt("it does not follow the segment before it".to_owned());
        }
        least = header.first_seq;
        ends = segment.sealed.as_ref().map(|sealed| (sealed.totals.last_seq, sealed.totals.last_hash));
    }
    Ok(())
}

fn check_anchor(anchor: &Anchor, tip: &Tip, hash: Option<Hash>, dir: &Path) -> Result<(), OpenError> {
    if anchor.seq > tip.seq {
        return Err(OpenError::Shortened { seq: tip.seq, anchor: anchor.seq, dir: dir.to_owned() });
    }
    // An anchor in an earlier segment is compared by `verify`, which reads them all.
    if anchor.seq >= tip.segment.first_seq - 1 && hash != Some(anchor.hash) {
        let reason = format!("it names another history: its hash at event {} is not the journal's", anchor.seq);
        return Err(OpenError::Anchor { reason });
    }
    Ok(())
}

/// Walks a segment to its end, showing the last event and the hash of each block.
fn walk(disk: &dyn Disk, dir: &Path, segment: &Segment, each: &mut dyn FnMut(u64, Hash)) -> Result<Tip, OpenError> {
    let what = "read the last segment";
    let io = |at| {
        let place = segment.place(at);
        move |error: io::Error| OpenError::Io {
            what,
            source: io::Error::new(error.kind(), format!("{place}: {error}")),
        }
    };
    let header = segment.header;
    let file = disk.open(&segment::path(dir, header.first_seq, Form::Written)).map_err(io(0))?;
    let end = file.size().map_err(io(0))?;
    let mut window = Window::new(file, end, STEP_BYTES);
    let mut tip = Tip::at_the_beginning_of(header);
    let mut room = Vec::new();
    let mut looked_again = None;
    loop {
        let fault = match step(&mut window, &mut room, &mut tip).map_err(io(tip.end))? {
            Ok(()) => {
                segment.note(Mark { seq: tip.seq + 1, at: tip.end });
                each(tip.seq, tip.hash);
                continue;
            }
            Err(fault) => fault,
        };
        let place = segment.place(tip.end).to_string();
        if matches!(fault, Fault::Newer { .. }) {
            return Err(OpenError::Newer { place, reason: fault.to_string() });
        }
        if !fault.may_be_unfinished() {
            return Err(OpenError::Corrupt { place, reason: fault.to_string() });
        }
        if let Some((later, found)) =
            next_block(&mut window, tip.end + 1, header.nonce, tip.seq + 1).map_err(io(tip.end))?
        {
            // A writer at work may have finished this block since it was read, and then the later one.
            if looked_again != Some(tip.end) {
                looked_again = Some(tip.end);
                window.forget();
                continue;
            }
            let reason = format!("{fault}, but a valid block with event {} follows at byte {later}", found.first_seq);
            return Err(OpenError::Corrupt { place, reason });
        }
        let blank = is_blank(&mut window, tip.end).map_err(io(tip.end))?;
        tip.unfinished = (!blank).then(|| (fault, end.saturating_sub(tip.end)));
        return Ok(tip);
    }
}

/// Moves the tip past the next block.
fn step(window: &mut Window, room: &mut Vec<u8>, tip: &mut Tip) -> io::Result<Result<(), Fault>> {
    let Plain { header, bytes, stored } = match block_at(window, room, tip.end, tip.segment.nonce)? {
        Ok(found) => found,
        Err(fault) => return Ok(Err(fault)),
    };
    if let Err(fault) = follows(&header, tip.seq, tip.hash) {
        return Ok(Err(fault));
    }
    tip.hash = block::hash(bytes);
    tip.seq = header.last_seq();
    tip.last = tip.end;
    tip.end += stored as u64;
    tip.plain_end += bytes.len() as u64;
    Ok(Ok(()))
}

/// Whether a checked block is the one after the event `seq` in a block of this hash.
pub(crate) fn follows(header: &block::Header, seq: u64, hash: Hash) -> Result<(), Fault> {
    if header.first_seq != seq + 1 {
        return Err(Fault::Order { expected: seq + 1, found: header.first_seq });
    }
    if header.prev_hash == hash { Ok(()) } else { Err(Fault::Chain) }
}
