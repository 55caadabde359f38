//! A journal made again from its own blocks: the same segments, the same chain, the same hashes. For a restore from what
//! tells the chain. Needs no index; the next start builds it.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use super::begin::{check_new, continue_at};
use super::journal::link::{Link, Made};
use super::journal::reader::Reader;
use super::journal::recover::{Recovered, Tip, recover};
use super::journal::{Disk, DiskFile, RealDisk, disk, segment};
use super::lock::Lock;
use super::restoring::{self, Source};
use super::{OpenError, Options, ReadError};
use crate::Clock;

/// Bytes written before they are made durable, so that no end waits for all of them.
const SYNC_BYTES: u64 = 16 << 20;

/// A journal being made again.
pub(crate) struct Rebuild {
    dir: PathBuf,
    disk: Arc<dyn Disk>,
    clock: Arc<dyn Clock>,
    /// What was there at the beginning.
    there: Option<Reader>,
    /// Where it ends, and its file; nothing before the first block.
    end: Option<(Tip, Arc<dyn DiskFile>)>,
    unsynced: u64,
    source: Source,
    marked: bool,
    _lock: Lock,
}

impl Rebuild {
    /// In an empty data directory, or one where this stopped. No server starts there until [`restoring::end`].
    pub(crate) fn begin(options: &Options, source: &Source) -> Result<Self, OpenError> {
        let Options { dir, disk, clock, index_deadline, .. } = options;
        let io = |what| move |source| OpenError::Io { what, source };
        std::fs::create_dir_all(dir).map_err(io("make the data directory"))?;
        let lock = Lock::take(dir)?;
        restoring::check(dir, Some(source))?;
        disk.make_folder(&dir.join(segment::FOLDER)).map_err(io("make the journal's folder"))?;
        let (there, end) = match recover(&**disk, dir)? {
            Some(recovered) => {
                let file = continue_at(&**disk, dir, &recovered).map_err(io("continue the journal"))?;
                let Recovered { segments, tip, .. } = recovered;
                (Some(Reader::new(disk.clone(), dir, segments, tip.seq)), Some((tip, file)))
            }
            None => {
                check_new(dir, *index_deadline)?;
                (None, None)
            }
        };
        segment::remove_unborn(&**disk, dir).map_err(io("clear the journal's folder"))?;
        let (dir, disk, clock) = (dir.clone(), disk.clone(), clock.clone());
        Ok(Self { dir, disk, clock, there, end, unsynced: 0, source: source.clone(), marked: false, _lock: lock })
    }

    /// Whether a block was there at the beginning; nothing when the journal ended before it.
    pub(crate) fn holds(&self, link: &Link) -> Result<Option<bool>, ReadError> {
        let Some(there) = self.there.as_ref().filter(|there| there.head().0 >= link.first) else { return Ok(None) };
        if there.head().0 < link.last {
            return Ok(Some(false));
        }
        Ok(Some(there.block_of(link.last)? == (link.last, link.hash)))
    }

    /// Adds the next block. It is durable after [`Self::end`].
    pub(crate) fn add(&mut self, block: &Made) -> io::Result<()> {
        // Before anything is there that a server could take for a whole log.
        if !self.marked {
            restoring::begin(&RealDisk, &self.dir, &self.source)?;
            self.marked = true;
        }
        let link = block.link;
        let (mut tip, file) = match self.end.take() {
            Some((tip, file)) if tip.segment.nonce == link.nonce => (tip, file),
            before => {
                if let Some((_, file)) = &before {
                    disk::sync_all(&**file)?;
                }
                let number = before.map_or(1, |(tip, _)| tip.segment.number + 1);
                let now_us = self.clock.now_us();
                let header = segment::Header::new(number, link.nonce, link.first, link.prev, now_us);
                (Tip::at_the_beginning_of(header), segment::create(&*self.disk, &self.dir, &header)?)
            }
        };
        file.write(&block.bytes, tip.end)?;
        let bytes = block.bytes.len() as u64;
        (tip.seq, tip.hash, tip.last) = (link.last, link.hash, tip.end);
        tip.end += bytes;
        tip.plain_end += block.plain;
        self.unsynced += bytes;
        if self.unsynced >= SYNC_BYTES {
            disk::sync(&*file)?;
            self.unsynced = 0;
        }
        self.end = Some((tip, file));
        Ok(())
    }

    /// Makes everything durable and anchors it.
    pub(crate) fn end(self) -> io::Result<()> {
        let Some((tip, file)) = &self.end else { return Ok(()) };
        disk::sync_all(&**file)?;
        tip.anchor().write(&*self.disk, &self.dir)
    }
}
