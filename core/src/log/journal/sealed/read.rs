//! Reads a sealed segment: its summary at once, bundles and pages one by one, each checked before it is decompressed
//! and never into more memory than its bound. Never writes.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

use super::super::disk::{Disk, DiskFile, read_full};
use super::super::segment::{self, Form};
use super::super::{Hash, Place};
use super::shape::{Bundle, Page, Summary, TRAILER_BYTES, Trailer};

/// Something in a sealed segment is not what was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bad {
    pub(crate) place: Place,
    pub(crate) reason: String,
}

/// An open sealed segment.
#[derive(Debug)]
pub(crate) struct Sealed {
    file: Arc<dyn DiskFile>,
    pub(crate) header: segment::Header,
    pub(crate) summary: Summary,
    pub(crate) trailer: Trailer,
    /// Where each bundle begins, then each page.
    starts: Vec<u64>,
    /// Bytes of the file.
    pub(crate) file_bytes: u64,
}

/// What decompressing needs, to be used again and again.
pub(crate) struct Unpacker {
    zstd: zstd::bulk::Decompressor<'static>,
    /// Bytes as they are in the file.
    pub(super) stored: Vec<u8>,
}

impl fmt::Debug for Unpacker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unpacker").finish_non_exhaustive()
    }
}

impl Unpacker {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self { zstd: zstd::bulk::Decompressor::new()?, stored: Vec::new() })
    }

    /// Reads and decompresses one frame into `into`; the reason when it is not what the summary says.
    fn frame(
        &mut self,
        file: &dyn DiskFile,
        (at, len, raw_len, checksum): (u64, u32, u32, u32),
        into: &mut Vec<u8>,
    ) -> io::Result<Result<(), &'static str>> {
        into.clear();
        self.stored.resize(len as usize, 0);
        if read_full(file, &mut self.stored, at)? < self.stored.len() {
            return Ok(Err("it is cut off"));
        }
        if crc32c::crc32c(&self.stored) != checksum {
            return Ok(Err("its checksum does not match"));
        }
        into.reserve_exact(raw_len as usize);
        let whole = self.zstd.decompress_to_buffer(&self.stored, into).is_ok_and(|len| len == raw_len as usize);
        if !whole {
            into.clear();
        }
        Ok(if whole { Ok(()) } else { Err("it cannot be decompressed") })
    }
}

impl Sealed {
    /// Opens the sealed form of the segment that begins with `first`.
    pub(crate) fn open(disk: &dyn Disk, dir: &Path, first: u64) -> io::Result<Result<Self, Bad>> {
        Self::from_file(disk.open(&segment::path(dir, first, Form::Sealed))?, first)
    }

    /// As [`Self::open`], of a file under any name.
    pub(crate) fn from_file(file: Arc<dyn DiskFile>, first: u64) -> io::Result<Result<Self, Bad>> {
        let bad = |at, reason: String| Bad { place: Place { segment: first, form: Form::Sealed, at }, reason };
        let header = match segment::read_header(&*file, first, Form::Sealed)? {
            Ok(header) => header,
            Err(reason) => return Ok(Err(bad(0, reason))),
        };
        let file_bytes = file.size()?;
        let trailer_at = file_bytes.saturating_sub(TRAILER_BYTES as u64);
        let mut bytes = vec![0; TRAILER_BYTES];
        let read = read_full(&*file, &mut bytes, trailer_at)?;
        let trailer = match Trailer::parse(bytes.get(..read).unwrap_or_default(), file_bytes) {
            Ok(trailer) => trailer,
            Err(reason) => return Ok(Err(bad(trailer_at, reason))),
        };
        let (summary_at, len) = trailer.summary();
        bytes.resize(len, 0);
        let read = read_full(&*file, &mut bytes, summary_at)?;
        if read < len || !trailer.names(&bytes) {
            return Ok(Err(bad(summary_at, "the checksum of its summary does not match".to_owned())));
        }
        let summary = match Summary::parse(&bytes, &header, summary_at) {
            Ok(summary) => summary,
            Err(reason) => return Ok(Err(bad(summary_at, reason))),
        };
        let mut starts = vec![segment::HEADER_BYTES as u64];
        let mut at = segment::HEADER_BYTES as u64;
        let pages = summary.pages.iter().map(|page| page.len);
        for len in summary.bundles.iter().map(|bundle| bundle.len).chain(pages) {
            at += u64::from(len);
            starts.push(at);
        }
        Ok(Ok(Self { file, header, summary, trailer, starts, file_bytes }))
    }

    /// BLAKE3 of the file before its last 36 bytes.
    pub(crate) fn blake3(&self) -> Hash {
        self.trailer.blake3
    }

    /// The file.
    pub(super) fn file(&self) -> &dyn DiskFile {
        &*self.file
    }

    /// The bundle that holds an event of the segment.
    pub(crate) fn bundle_of(&self, seq: u64) -> usize {
        self.summary.bundles.partition_point(|bundle| bundle.first_seq <= seq).saturating_sub(1)
    }

    /// Where a bundle is, or, counting on, a page.
    pub(crate) fn place(&self, number: usize) -> Place {
        let at = self.starts.get(number).copied().unwrap_or(0);
        Place { segment: self.header.first_seq, form: Form::Sealed, at }
    }

    /// The blocks of a bundle, decompressed into `into`. They are whole, but were not checked one by one.
    pub(crate) fn blocks(
        &self,
        unpacker: &mut Unpacker,
        bundle: usize,
        into: &mut Vec<u8>,
    ) -> io::Result<Result<(), Bad>> {
        let place = self.place(bundle);
        let Some(Bundle { len, raw_len, checksum, .. }) = self.summary.bundles.get(bundle) else {
            return Ok(Err(Bad { place, reason: "there is no such bundle".to_owned() }));
        };
        let read = unpacker.frame(&*self.file, (place.at, *len, *raw_len, *checksum), into)?;
        Ok(read.map_err(|reason| Bad { place, reason: format!("a bundle of blocks is damaged: {reason}") }))
    }

    /// The entries of a page, decompressed into `into`, and what they are.
    pub(crate) fn page(&self, unpacker: &mut Unpacker, page: usize, into: &mut Vec<u8>) -> io::Result<Result<u8, Bad>> {
        let place = self.place(self.summary.bundles.len() + page);
        let Some(Page { holds, len, raw_len, checksum }) = self.summary.pages.get(page) else {
            return Ok(Err(Bad { place, reason: "there is no such page".to_owned() }));
        };
        let read = unpacker.frame(&*self.file, (place.at, *len, *raw_len, *checksum), into)?;
        let bad = |reason| Bad { place, reason: format!("a page of the index is damaged: {reason}") };
        Ok(read.map(|()| *holds).map_err(bad))
    }
}
