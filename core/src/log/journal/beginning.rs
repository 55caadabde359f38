//! Where the journal begins once old segments were removed: a small file that keeps what the first kept segment must
//! follow, so that the chain is verifiable from there on. It is on disk before anything is removed; what it says was
//! removed and is there still is forgotten at the next start.

use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::disk::{self, Disk};
use super::{GENESIS, Hash, fixed, from_fixed};

/// Name of the file in the data directory.
pub(crate) const NAME: &str = "FIRST";

const MAGIC: u32 = 0x5453_4946;
const FORMAT: u16 = 1;
/// Most bytes read from the file.
const BYTES_MAX: usize = 4_096;

/// What the first kept segment must be. Never edit; a new shape is a new format number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Beginning {
    magic: u32,
    format: u16,
    reserved: u16,
    /// The oldest event kept.
    pub(crate) first: u64,
    /// Place of its segment among all there ever were.
    pub(crate) number: u64,
    /// Hash of the last block before it.
    pub(crate) prev_hash: Hash,
    /// Identity of the journal: the nonce of the first segment there ever was. 0 when that one is still there.
    pub(crate) journal: u64,
}

impl Beginning {
    /// A journal that begins with this event.
    pub(crate) fn new(first: u64, number: u64, prev_hash: Hash, journal: u64) -> Self {
        Self { magic: MAGIC, format: FORMAT, reserved: 0, first, number, prev_hash, journal }
    }

    /// A journal of which nothing was removed.
    pub(crate) fn whole() -> Self {
        Self::new(1, 1, GENESIS, 0)
    }

    fn parse(bytes: &[u8]) -> Result<Self, String> {
        let (covered, checksum) = bytes.split_last_chunk::<4>().ok_or("it is cut off")?;
        if crc32c::crc32c(covered).to_le_bytes() != *checksum {
            return Err("its checksum does not match".to_owned());
        }
        let beginning: Self = from_fixed(covered).ok_or("it cannot be read")?;
        match (beginning.magic, beginning.format) {
            (MAGIC, FORMAT) if beginning.first > 0 && beginning.number > 0 => Ok(beginning),
            (MAGIC, newer) => Err(format!("it was written by a newer version (format {newer}): update regatta")),
            _ => Err("it is not the beginning of a log".to_owned()),
        }
    }

    /// Replaces the file; the new one is on disk when this returns.
    pub(crate) fn write(&self, disk: &dyn Disk, dir: &Path) -> io::Result<()> {
        let mut bytes = fixed(self);
        bytes.extend(crc32c::crc32c(&bytes).to_le_bytes());
        let unfinished = dir.join(format!("{NAME}.new"));
        let file = disk.create(&unfinished)?;
        file.write(&bytes, 0)?;
        disk::sync_all(&*file)?;
        disk.rename(&unfinished, &dir.join(NAME))?;
        disk.sync_folder(dir).map_err(io::Error::other)
    }
}

/// Reads the beginning: that of a whole journal when there is no file, a reason when it is damaged.
pub(crate) fn read(disk: &dyn Disk, dir: &Path) -> io::Result<Result<Beginning, String>> {
    let file = match disk.open(&dir.join(NAME)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Ok(Beginning::whole())),
        other => other?,
    };
    let bytes = disk::read_first(&*file, BYTES_MAX)?;
    Ok(Beginning::parse(&bytes))
}
