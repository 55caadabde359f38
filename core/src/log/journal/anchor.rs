//! The anchor: a small file that says how far the log certainly went. It is written when a segment is full, at a
//! clean stop, and in between ([`super::anchoring`]); a journal that ends before it was shortened.

use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::disk::{self, Disk};
use super::{Hash, fixed, from_fixed};

/// Name of the file in the data directory.
pub(crate) const NAME: &str = "HEAD";

const MAGIC: u32 = 0x4441_4548;
const FORMAT: u16 = 1;
/// Most bytes read from the file.
const BYTES_MAX: usize = 4_096;

/// How far the log went. Never edit; a new shape is a new format number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Anchor {
    magic: u32,
    format: u16,
    reserved: u16,
    /// The oldest event kept.
    pub(crate) first: u64,
    /// The last event.
    pub(crate) seq: u64,
    /// First seq of the segment that holds it, or would hold the first.
    pub(crate) segment: u64,
    /// Hash of the block that ends with it.
    pub(crate) hash: Hash,
}

impl Anchor {
    /// An anchor at the end of a block.
    pub(crate) fn new(seq: u64, segment: u64, hash: Hash) -> Self {
        Self { magic: MAGIC, format: FORMAT, reserved: 0, first: 1, seq, segment, hash }
    }

    fn parse(bytes: &[u8]) -> Result<Self, String> {
        let (covered, checksum) = bytes.split_last_chunk::<4>().ok_or("it is cut off")?;
        if crc32c::crc32c(covered).to_le_bytes() != *checksum {
            return Err("its checksum does not match".to_owned());
        }
        let anchor: Self = from_fixed(covered).ok_or("it cannot be read")?;
        match (anchor.magic, anchor.format) {
            (MAGIC, FORMAT) => Ok(anchor),
            (MAGIC, newer) => Err(format!("it was written by a newer version (format {newer}): update regatta")),
            _ => Err("it is not the anchor of a log".to_owned()),
        }
    }

    /// Replaces the file; the new one is on disk when this returns.
    pub(crate) fn write(&self, disk: &dyn Disk, dir: &Path) -> io::Result<()> {
        let mut bytes = fixed(self);
        bytes.extend(crc32c::crc32c(&bytes).to_le_bytes());
        disk::replace(disk, dir, NAME, &[&bytes])
    }
}

/// Reads the anchor: nothing when there is none, a reason when it is damaged.
pub(crate) fn read(disk: &dyn Disk, dir: &Path) -> io::Result<Result<Option<Anchor>, String>> {
    let file = match disk.open(&dir.join(NAME)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Ok(None)),
        other => other?,
    };
    let bytes = disk::read_first(&*file, BYTES_MAX)?;
    Ok(Anchor::parse(&bytes).map(Some))
}
