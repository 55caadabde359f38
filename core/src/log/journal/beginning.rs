//! Where the journal begins once old segments were removed: a file that keeps what the first kept segment must follow,
//! so that the chain is verifiable from there on, and how far each stream was in what was removed, so that no stream
//! ever begins again. It is on disk before anything is removed; what it says was removed and is there still is
//! forgotten at the next start.

use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::disk::{self, Disk};
use super::{GENESIS, Hash, codec};

/// Name of the file in the data directory.
pub(crate) const NAME: &str = "FIRST";

const MAGIC: u32 = 0x5453_4946;
const FORMAT: u16 = 1;
/// Most bytes of the file: millions of streams.
const BYTES_MAX: usize = 256 << 20;

/// What the first kept segment must be. Never edit; a new shape is a new format number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
    /// The last removed event of each stream, by the streams' names.
    pub(crate) carried: Vec<Carried>,
}

/// The last removed event of a stream. Never edit; a new shape is a new format number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Carried {
    pub(crate) stream: String,
    pub(crate) stream_seq: u64,
    pub(crate) seq: u64,
}

impl Beginning {
    /// A journal that begins with this event.
    pub(crate) fn new(first: u64, number: u64, prev_hash: Hash, journal: u64, carried: Vec<Carried>) -> Self {
        Self { magic: MAGIC, format: FORMAT, reserved: 0, first, number, prev_hash, journal, carried }
    }

    /// A journal of which nothing was removed.
    pub(crate) fn whole() -> Self {
        Self::new(1, 1, GENESIS, 0, Vec::new())
    }

    /// Its bytes, with their checksum.
    pub(crate) fn bytes(&self) -> Result<Vec<u8>, String> {
        use bincode::Options as _;
        let mut bytes = codec(BYTES_MAX - size_of::<u32>()).serialize(self).map_err(|error| error.to_string())?;
        bytes.extend(crc32c::crc32c(&bytes).to_le_bytes());
        Ok(bytes)
    }

    /// Reads them.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, String> {
        use bincode::Options as _;
        let (covered, checksum) = bytes.split_last_chunk::<4>().ok_or("it is cut off")?;
        if crc32c::crc32c(covered).to_le_bytes() != *checksum {
            return Err("its checksum does not match".to_owned());
        }
        let beginning: Self = codec(BYTES_MAX).deserialize(covered).map_err(|_| "it cannot be read")?;
        match (beginning.magic, beginning.format) {
            (MAGIC, FORMAT) if beginning.first > 0 && beginning.number > 0 => Ok(beginning),
            (MAGIC, newer) => Err(format!("it was written by a newer version (format {newer}): update regatta")),
            _ => Err("it is not the beginning of a log".to_owned()),
        }
    }

    /// Replaces the file; the new one is on disk when this returns.
    pub(crate) fn write(&self, disk: &dyn Disk, dir: &Path) -> io::Result<()> {
        let bytes = self.bytes().map_err(io::Error::other)?;
        disk::replace(disk, dir, NAME, &[&bytes])
    }
}

/// Reads the beginning: that of a whole journal when there is no file, a reason when it is damaged.
pub(crate) fn read(disk: &dyn Disk, dir: &Path) -> io::Result<Result<Beginning, String>> {
    let file = match disk.open(&dir.join(NAME)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Ok(Beginning::whole())),
        other => other?,
    };
    let len = usize::try_from(file.size()?).unwrap_or(usize::MAX);
    if len > BYTES_MAX {
        return Ok(Err("it is too long".to_owned()));
    }
    Ok(Beginning::parse(&disk::read_first(&*file, len)?))
}
