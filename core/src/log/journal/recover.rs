//! Finds the end of the journal at a start. Only the last segment is read: an earlier one was sealed before the next
//! got its name. Only reads; the writer cuts an unfinished tail.
//!
//! The end is the first bad block after which no valid one follows: a write that was never finished and so never
//! acknowledged. A valid block after a bad one is damage; it is reported with its place and never cut off.

use std::io;
use std::path::Path;
use std::sync::Arc;

use super::anchor::{self, Anchor};
use super::block::{self, Fault};
use super::disk::Disk;
use super::reader::{Mark, Segment};
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
    /// Where to go on in it.
    pub(crate) end: u64,
    /// What stands there when it is not prepared space: why it is no block, and how many bytes the file goes on.
    pub(crate) unfinished: Option<(Fault, u64)>,
}

/// Finds the journal of a data directory: nothing when there never was one.
pub(crate) fn recover(disk: &dyn Disk, dir: &Path) -> Result<Option<Recovered>, OpenError> {
    // Before the segments: a writer at work may move it on, but never past what they then hold.
    let anchor = anchor::read(disk, dir)
        .map_err(|source| OpenError::Io { what: "read HEAD", source })?
        .map_err(|reason| OpenError::Anchor { reason })?;
    let headers = headers(disk, dir)?;
    let Some(last) = headers.last() else {
        return anchor.map_or(Ok(None), |anchor| Err(OpenError::Missing { seq: anchor.seq, dir: dir.to_owned() }));
    };
    check_complete(&headers, anchor.as_ref())?;
    let last = Segment::new(*last);
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
    let earlier = headers.iter().take(headers.len() - 1).map(|header| Segment::new(*header));
    let segments = earlier.chain([last]).map(Arc::new).collect();
    Ok(Some(Recovered { segments, tip, anchored: anchor.is_some() }))
}

/// Headers of all segments, in order.
fn headers(disk: &dyn Disk, dir: &Path) -> Result<Vec<segment::Header>, OpenError> {
    let io = |source| OpenError::Io { what: "read the journal's segments", source };
    let mut headers = Vec::new();
    for first in segment::list(disk, dir).map_err(io)? {
        let file = disk.open(&segment::path(dir, first)).map_err(io)?;
        let place = Place { segment: first, at: 0 };
        let header = segment::read_header(&*file, first).map_err(io)?;
        headers.push(header.map_err(|reason| OpenError::Corrupt { place: place.to_string(), reason })?);
    }
    Ok(headers)
}

/// No segment may be missing before the last one.
fn check_complete(headers: &[segment::Header], anchor: Option<&Anchor>) -> Result<(), OpenError> {
    let mut first = anchor.map_or(1, |anchor| anchor.first);
    for (number, header) in (1..).zip(headers) {
        let place = Place { segment: header.first_seq, at: 0 }.to_string();
        if header.number != number || (number == 1 && header.first_seq != first) {
            let reason = format!("it is segment {}, but segment {number} is missing before it", header.number);
            return Err(OpenError::Corrupt { place, reason });
        }
        if number > 1 && header.first_seq <= first {
            return Err(OpenError::Corrupt { place, reason: "it begins before the segment before it".to_owned() });
        }
        first = header.first_seq;
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
    let io = |source| OpenError::Io { what: "read the last segment", source };
    let header = segment.header;
    let file = disk.open(&segment::path(dir, header.first_seq)).map_err(io)?;
    let end = file.size().map_err(io)?;
    let mut window = Window::new(file, end, STEP_BYTES);
    let at = segment::HEADER_BYTES as u64;
    let mut tip = Tip { seq: header.first_seq - 1, hash: header.prev_hash, segment: header, end: at, unfinished: None };
    let mut looked_again = None;
    loop {
        let fault = match step(&mut window, &mut tip).map_err(io)? {
            Ok(()) => {
                segment.note(Mark { seq: tip.seq + 1, at: tip.end });
                each(tip.seq, tip.hash);
                continue;
            }
            Err(fault) => fault,
        };
        let place = Place { segment: header.first_seq, at: tip.end }.to_string();
        if !fault.may_be_unfinished() {
            return Err(OpenError::Corrupt { place, reason: fault.to_string() });
        }
        if let Some((later, found)) = next_block(&mut window, tip.end + 1, header.nonce, tip.seq + 1).map_err(io)? {
            // A writer at work may have finished this block since it was read, and then the later one.
            if looked_again != Some(tip.end) {
                looked_again = Some(tip.end);
                window.forget();
                continue;
            }
            let reason = format!("{fault}, but a valid block with event {} follows at byte {later}", found.first_seq);
            return Err(OpenError::Corrupt { place, reason });
        }
        let blank = is_blank(&mut window, tip.end).map_err(io)?;
        tip.unfinished = (!blank).then(|| (fault, end.saturating_sub(tip.end)));
        return Ok(tip);
    }
}

/// Moves the tip past the next block.
fn step(window: &mut Window, tip: &mut Tip) -> io::Result<Result<(), Fault>> {
    let (header, bytes) = match block_at(window, tip.end, tip.segment.nonce)? {
        Ok(found) => found,
        Err(fault) => return Ok(Err(fault)),
    };
    if let Err(fault) = follows(&header, tip.seq, tip.hash) {
        return Ok(Err(fault));
    }
    tip.hash = block::hash(bytes);
    tip.seq = header.last_seq();
    tip.end += bytes.len() as u64;
    Ok(Ok(()))
}

/// Whether a checked block is the one after the event `seq` in a block of this hash.
pub(crate) fn follows(header: &block::Header, seq: u64, hash: Hash) -> Result<(), Fault> {
    if header.first_seq != seq + 1 {
        return Err(Fault::Order { expected: seq + 1, found: header.first_seq });
    }
    if header.prev_hash == hash { Ok(()) } else { Err(Fault::Chain) }
}
