//! The files of a journal, for whoever copies or removes them. Sealed ones never change again; the others are still
//! written, or are about to be sealed.

use std::path::{Path, PathBuf};

use super::journal::anchor::Anchor;
use super::journal::reader::Reader;
use super::journal::sealed::Sealed;
use super::journal::segment::{self, Form};
use super::journal::writer::new_header;
use super::journal::{Disk, RealDisk};
use super::{OpenError, ReadError};
use crate::{Clock, Seq};

/// One segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentFile {
    /// Place among all segments there ever were, from 1.
    pub number: u64,
    /// Its first event.
    pub first: Seq,
    /// Its last event; before the first one when it is empty.
    pub last: Seq,
    /// Where it is.
    pub path: PathBuf,
    /// Bytes of the file; what is prepared ahead counts.
    pub bytes: u64,
    /// What is known of it when it is sealed.
    pub sealed: Option<SealedFile>,
}

/// What is known of a sealed segment without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SealedFile {
    /// BLAKE3 of the file but its last 36 bytes, which are this hash and a checksum.
    pub blake3: [u8; 32],
    /// Hash of its last block: the chain goes on from it.
    pub chain: [u8; 32],
    /// Blocks in it.
    pub blocks: u64,
    /// Bytes of its blocks, uncompressed.
    pub block_bytes: u64,
    /// Bytes of the records in them: payloads and what is around them.
    pub record_bytes: u64,
    /// Bytes of the payloads in those.
    pub payload_bytes: u64,
    /// Time of its earliest event, in microseconds since the Unix epoch.
    pub first_at_us: u64,
    /// Time of its latest event.
    pub last_at_us: u64,
}

impl Reader {
    /// All segments as they are now, oldest first; the last one is being written.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn segment_files(&self) -> Result<Vec<SegmentFile>, ReadError> {
        let head = self.head().0;
        let (disk, dir) = self.place();
        let segments = self.segments().clone();
        let lasts = segments.iter().skip(1).map(|next| next.header.first_seq - 1).chain([head]);
        let mut files = Vec::with_capacity(segments.len());
        for (segment, last) in segments.iter().zip(lasts) {
            let (first, number) = (segment.header.first_seq, segment.header.number);
            let (found, bytes) = match segment.form() {
                Form::Sealed => (None, segment.sealed.map_or(0, |facts| facts.file_bytes)),
                Form::Written => self.written_bytes(disk, dir, first)?,
            };
            let segment = found.unwrap_or_else(|| segment.clone());
            let path = segment::path(dir, first, segment.form());
            let sealed = segment.sealed.map(|facts| SealedFile {
                blake3: facts.blake3,
                chain: facts.totals.last_hash,
                blocks: facts.totals.blocks,
                block_bytes: facts.totals.block_bytes,
                record_bytes: facts.totals.record_bytes,
                payload_bytes: facts.totals.payload_bytes,
                first_at_us: facts.totals.t_min_us,
                last_at_us: facts.totals.t_max_us,
            });
            files.push(SegmentFile { number, first: Seq(first), last: Seq(last), path, bytes, sealed });
        }
        Ok(files)
    }
}

/// Begins the segment after the last one, when that is sealed, and anchors the log there: for a data directory that was
/// restored from sealed segments only. Says with which event the log goes on. Nobody may be using the directory.
///
/// # Errors
/// When the last segment is damaged or the disk fails. Nothing is changed when it is not sealed.
pub fn begin_after_sealed(dir: &Path, clock: &dyn Clock) -> Result<Option<Seq>, OpenError> {
    begin_after_sealed_on(&RealDisk, dir, clock)
}

/// As [`begin_after_sealed`], on any disk.
///
/// # Errors
/// As [`begin_after_sealed`].
pub fn begin_after_sealed_on(disk: &dyn Disk, dir: &Path, clock: &dyn Clock) -> Result<Option<Seq>, OpenError> {
    let io = |source| OpenError::Io { what: "begin the next segment", source };
    let last = segment::list(disk, dir).map_err(io)?.pop();
    let Some(last) = last.filter(|last| last.form == Form::Sealed) else { return Ok(None) };
    let sealed = Sealed::open(disk, dir, last.first)
        .map_err(io)?
        .map_err(|bad| OpenError::Corrupt { place: bad.place.to_string(), reason: bad.reason })?;
    let (seq, hash) = (sealed.summary.totals.last_seq, sealed.summary.totals.last_hash);
    let header = new_header(clock, sealed.header.number + 1, seq + 1, hash);
    segment::create(disk, dir, &header).map_err(io)?;
    Anchor::new(seq, sealed.header.first_seq, hash).write(disk, dir).map_err(io)?;
    Ok(Some(Seq(seq + 1)))
}
