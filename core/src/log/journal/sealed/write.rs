//! Writes the sealed form of a segment that is full: beside it, under a name of its own once it is on disk and was read
//! back. Never changes the segment it reads.

use std::io;
use std::path::Path;
use std::sync::Arc;

use super::super::block::{self, Plain};
use super::super::disk::{self, Disk, DiskFile};
use super::super::recover::follows;
use super::super::segment::{self, Form};
use super::super::tail::{block_at, is_blank};
use super::super::window::Window;
use super::super::{Hash, Place};
use super::check::check;
use super::gather::{Gather, Loose};
use super::read::{Bad, Sealed};
use super::shape::{Bundle, HASH_AND_CHECKSUM_BYTES, Page, Summary, Trailer};

/// How hard zstd tries. Measured on events of 250 B: 72 B each, 0.29x of the payload.
const LEVEL: i32 = 1;
/// Bytes read at once.
const STEP_BYTES: usize = 1 << 20;
/// Bytes written between two syncs, so that the disk is never busy for long when the writer needs it.
const SYNC_BYTES: u64 = 1 << 20;

/// Why a segment was not sealed. It is as it was.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SealError {
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The segment, or what was read back, is not what it should be.
    #[error("{place}: {reason}")]
    Damaged { place: Place, reason: String },
    /// The log is being closed.
    #[error("it was interrupted")]
    Stopped,
}

/// What is sealed, and where.
pub(crate) struct Sealing<'a> {
    pub(crate) disk: &'a dyn Disk,
    pub(crate) dir: &'a Path,
    pub(crate) segment: segment::Header,
    /// The header of the segment after it: where this one must end.
    pub(crate) next: segment::Header,
    /// Bytes of blocks a bundle holds.
    pub(crate) bundle_bytes: usize,
    /// Asked now and then whether to give up.
    pub(crate) stopped: &'a dyn Fn() -> bool,
}

impl Sealing<'_> {
    /// Seals the segment. When this returns, the sealed form has its name on disk, and the segment as it was written is
    /// still there.
    pub(crate) fn seal(&self) -> Result<Sealed, SealError> {
        let unborn = segment::unborn_path(self.dir, self.segment.first_seq, Form::Sealed);
        let written = self.write(&unborn);
        let Err(error) = written else { return written };
        // What is left of it is in the way of others that need the room.
        self.disk.remove(&unborn).ok();
        Err(error)
    }

    fn write(&self, unborn: &Path) -> Result<Sealed, SealError> {
        let first = self.segment.first_seq;
        let file = self.disk.create(unborn)?;
        let mut out = Out::new(file.clone());
        out.write(&self.segment.in_form(Form::Sealed).page())?;
        let mut gather = Gather::new(first - 1, self.segment.prev_hash);
        let bundles = self.bundles(&mut gather, &mut out)?;
        let whole = |reason| self.damaged(segment::HEADER_BYTES as u64, reason);
        let mut zstd = zstd::bulk::Compressor::new(LEVEL)?;
        let mut pages = Vec::new();
        for entries in gather.pages().map_err(whole)? {
            let stored = zstd.compress(&entries)?;
            let (len, raw_len, checksum) = (stored.len() as u32, entries.len() as u32, crc32c::crc32c(&stored));
            pages.push(Page { holds: Page::STREAMS, len, raw_len, checksum });
            out.write(&stored)?;
        }
        let summary = Summary { totals: gather.totals, kinds: gather.kinds(), bundles, pages };
        let summary = summary.bytes().map_err(whole)?;
        let trailer = Trailer::new(out.at, &summary);
        out.write(&summary)?;
        out.end(trailer)?;
        disk::sync_all(&*file)?;
        let sealed = self.read_back(file)?;
        let folder = self.dir.join(segment::FOLDER);
        self.disk.rename(unborn, &segment::path(self.dir, first, Form::Sealed))?;
        self.disk.sync_folder(&folder)?;
        Ok(sealed)
    }

    /// Compresses the blocks of the segment, which must be whole and lead to the next one.
    fn bundles(&self, gather: &mut Gather, out: &mut Out) -> Result<Vec<Bundle>, SealError> {
        let header = self.segment;
        let file = self.disk.open(&segment::path(self.dir, header.first_seq, Form::Written))?;
        let end = file.size()?;
        let mut window = Window::new(file, end, STEP_BYTES);
        let mut at = segment::HEADER_BYTES as u64;
        let mut zstd = zstd::bulk::Compressor::new(LEVEL)?;
        let (mut bundles, mut loose, mut room) = (Vec::new(), Loose::default(), Vec::new());
        while gather.totals.last_seq + 1 < self.next.first_seq {
            let found = block_at(&mut window, &mut room, at, header.nonce)?;
            let plain = found.map_err(|fault| self.damaged(at, fault.to_string()))?;
            let Plain { header: block_header, bytes: block, stored } = plain;
            let checked = follows(&block_header, gather.totals.last_seq, gather.totals.last_hash);
            checked
                .and_then(|()| gather.block(&block_header, block))
                .map_err(|fault| self.damaged(at, fault.to_string()))?;
            if !loose.bytes.is_empty() && loose.bytes.len() + block.len() > self.bundle_bytes {
                bundles.push(out.bundle(&mut zstd, &mut loose)?);
                if (self.stopped)() {
                    return Err(SealError::Stopped);
                }
            }
            loose.push(&block_header, block);
            at += stored as u64;
        }
        if !loose.bytes.is_empty() {
            bundles.push(out.bundle(&mut zstd, &mut loose)?);
        }
        let ends = (gather.totals.last_seq + 1, gather.totals.last_hash);
        if ends != (self.next.first_seq, self.next.prev_hash) || !is_blank(&mut window, at)? {
            return Err(self.damaged(at, "it does not end where the next segment begins".to_owned()));
        }
        Ok(bundles)
    }

    /// Reads the file as anybody will who relies on it.
    fn read_back(&self, file: Arc<dyn DiskFile>) -> Result<Sealed, SealError> {
        let bad = |Bad { place, reason }| SealError::Damaged { place, reason: format!("read back, {reason}") };
        let sealed = Sealed::from_file(file, self.segment.first_seq)?.map_err(bad)?;
        let mut first = None;
        check(&sealed, &mut |checked| {
            if let Err(found) = checked {
                first.get_or_insert(found);
            }
        })?;
        let totals = &sealed.summary.totals;
        if let Some(found) = first {
            return Err(bad(found));
        }
        if (totals.last_seq + 1, totals.last_hash) == (self.next.first_seq, self.next.prev_hash) {
            Ok(sealed)
        } else {
            Err(self.damaged(0, "read back, it does not end where the next segment begins".to_owned()))
        }
    }

    fn damaged(&self, at: u64, reason: String) -> SealError {
        let place = Place { segment: self.segment.first_seq, form: Form::Written, at };
        SealError::Damaged { place, reason }
    }
}

/// The file being written.
struct Out {
    file: Arc<dyn DiskFile>,
    at: u64,
    unsynced: u64,
    hasher: blake3::Hasher,
}

impl Out {
    fn new(file: Arc<dyn DiskFile>) -> Self {
        Self { file, at: 0, unsynced: 0, hasher: blake3::Hasher::new() }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write(bytes, self.at)?;
        self.hasher.update(bytes);
        self.at += bytes.len() as u64;
        self.unsynced += bytes.len() as u64;
        if self.unsynced >= SYNC_BYTES {
            self.file.sync()?;
            self.unsynced = 0;
        }
        Ok(())
    }

    fn bundle(&mut self, zstd: &mut zstd::bulk::Compressor<'_>, loose: &mut Loose) -> io::Result<Bundle> {
        debug_assert!(loose.bytes.len() >= block::HEADER_BYTES);
        let stored = zstd.compress(&loose.bytes)?;
        self.write(&stored)?;
        let bundle = loose.bundle(&stored);
        loose.bytes.clear();
        Ok(bundle)
    }

    fn end(&mut self, mut trailer: Trailer) -> io::Result<()> {
        let unsigned = trailer.bytes();
        self.hasher.update(unsigned.get(..unsigned.len() - HASH_AND_CHECKSUM_BYTES).unwrap_or_default());
        let blake3: Hash = *self.hasher.finalize().as_bytes();
        trailer.blake3 = blake3;
        self.file.write(&trailer.bytes(), self.at)
    }
}
