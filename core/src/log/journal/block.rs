//! Blocks: one group commit as bytes. An 80-byte header, then the body: `count` times a length and a record, as it is or
//! packed. Every length is checked against a bound before anything is allocated for it. Knows nothing of files.
//!
//! A block that is packed in a file stands for the plain one: its header with the plain lengths and checksum, and the
//! plain body. Hashes are over plain blocks, sealed segments hold plain blocks, records are read from plain blocks;
//! [`Header::open`] is the one way from the bytes in a file to them.

use serde::{Deserialize, Serialize};

use super::record::{CODEC, CODECS, Raw, Record};
use super::{Hash, fixed, packing};

/// Begins every block: `1GOL` on disk.
pub(crate) const MAGIC: u32 = 0x4C4F_4731;
/// Bytes of a block's header.
pub(crate) const HEADER_BYTES: usize = 80;
/// Most bytes of a body: a group is about 1 MiB, unless one append alone is larger.
pub(crate) const BODY_BYTES_MAX: usize = 8 << 20;
/// Most events in one block.
pub(crate) const COUNT_MAX: usize = 4_096;

const FORMAT: u8 = 1;
/// Most bytes of memory kept for the next block.
const KEPT_BYTES_MAX: usize = 2 << 20;
const PLAIN: u8 = 0;
/// The body is one LZ4 block (no frame, no dictionary).
const LZ4: u8 = 1;
/// The checksum is the header's last field and covers all before it.
const CHECKSUM_AT: usize = HEADER_BYTES - size_of::<u32>();

/// The header of a block. Never edit; a new shape is a new format number of the segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Header {
    magic: u32,
    format: u8,
    compression: u8,
    codec: u8,
    flags: u8,
    pub(crate) first_seq: u64,
    pub(crate) count: u32,
    raw_len: u32,
    body_len: u32,
    pub(crate) t_min_us: u64,
    pub(crate) t_max_us: u64,
    pub(crate) prev_hash: Hash,
    checksum: u32,
}

/// Why bytes are not a block that may be read here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    #[error("no block begins here")]
    NoBlock,
    #[error("a length in the block's header is out of bounds")]
    OutOfBounds,
    #[error("the block is cut off")]
    CutOff,
    #[error("the block's checksum does not match")]
    Checksum,
    #[error("the block cannot be decompressed")]
    Packed,
    #[error(
        "the block was written by a newer version (format {format}, compression {compression}, codec {codec}): update \
         regatta"
    )]
    Newer { format: u8, compression: u8, codec: u8 },
    #[error("the block begins with event {found}, but {expected} belongs here")]
    Order { expected: u64, found: u64 },
    #[error("the block's previous hash is not the hash of the block before it")]
    Chain,
    #[error("event {seq} cannot be read: {reason}")]
    Record { seq: u64, reason: String },
}

impl Fault {
    /// Whether a write that was never finished looks like this. Such a block was never acknowledged.
    pub(crate) fn may_be_unfinished(&self) -> bool {
        match self {
            Self::NoBlock | Self::OutOfBounds | Self::CutOff | Self::Checksum => true,
            Self::Packed | Self::Newer { .. } | Self::Order { .. } | Self::Chain | Self::Record { .. } => false,
        }
    }
}

impl Header {
    /// Reads a header and checks its lengths. Says nothing about the checksum.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, Fault> {
        let header = bytes.first_chunk().map(Self::from_bytes).ok_or(Fault::CutOff)?;
        if header.magic != MAGIC {
            return Err(Fault::NoBlock);
        }
        let within = |len: u32| (1..=BODY_BYTES_MAX).contains(&(len as usize));
        let countable = (1..=COUNT_MAX).contains(&(header.count as usize));
        let placed = header.first_seq >= 1 && header.first_seq.checked_add(u64::from(header.count)).is_some();
        if within(header.raw_len) && within(header.body_len) && countable && placed {
            Ok(header)
        } else {
            Err(Fault::OutOfBounds)
        }
    }

    /// What bincode would read; there may be one for every event, so this is the short way.
    fn from_bytes(bytes: &[u8; HEADER_BYTES]) -> Self {
        Self {
            magic: u32::from_le_bytes(field(bytes, 0)),
            format: u8::from_le_bytes(field(bytes, 4)),
            compression: u8::from_le_bytes(field(bytes, 5)),
            codec: u8::from_le_bytes(field(bytes, 6)),
            flags: u8::from_le_bytes(field(bytes, 7)),
            first_seq: u64::from_le_bytes(field(bytes, 8)),
            count: u32::from_le_bytes(field(bytes, 16)),
            raw_len: u32::from_le_bytes(field(bytes, 20)),
            body_len: u32::from_le_bytes(field(bytes, 24)),
            t_min_us: u64::from_le_bytes(field(bytes, 28)),
            t_max_us: u64::from_le_bytes(field(bytes, 36)),
            prev_hash: field(bytes, 44),
            checksum: u32::from_le_bytes(field(bytes, 76)),
        }
    }

    /// Bytes of the whole block as it stands there.
    pub(crate) fn block_bytes(&self) -> usize {
        HEADER_BYTES + self.body_len as usize
    }

    /// Position of its last event.
    pub(crate) fn last_seq(&self) -> u64 {
        self.first_seq + u64::from(self.count) - 1
    }

    /// Whether a block of the same events would be written in the same way now.
    pub(crate) fn is_written_so_today(&self) -> bool {
        (self.format, self.codec, self.flags) == (FORMAT, CODEC, 0)
    }

    /// Checks the whole block as it stands there: its checksum, and that this version can read it.
    pub(crate) fn check(&self, block: &[u8], nonce: u64) -> Result<(), Fault> {
        let (Some(covered), Some(body)) = (block.get(..CHECKSUM_AT), block.get(HEADER_BYTES..self.block_bytes()))
        else {
            return Err(Fault::CutOff);
        };
        if checksum(nonce, covered, body) != self.checksum {
            return Err(Fault::Checksum);
        }
        // Flags do not change how a block is read; a version that gives them a meaning that must be known bumps `format`.
        let Self { format, compression, codec, raw_len, body_len, .. } = *self;
        if format != FORMAT || !matches!(compression, PLAIN | LZ4) || !CODECS.contains(&codec) {
            return Err(Fault::Newer { format, compression, codec });
        }
        let fits = if compression == PLAIN { body_len == raw_len } else { body_len < raw_len };
        if fits { Ok(()) } else { Err(Fault::OutOfBounds) }
    }

    /// Checks the whole block as it stands there, and gives the plain one. `room` is memory for it, used again and again.
    pub(crate) fn open<'a>(&self, stored: &'a [u8], nonce: u64, room: &'a mut Vec<u8>) -> Result<Plain<'a>, Fault> {
        self.check(stored, nonce)?;
        if self.compression == PLAIN {
            return Ok(Plain { header: *self, bytes: stored, stored: stored.len() });
        }
        let packed = stored.get(HEADER_BYTES..).unwrap_or_default();
        // Bounded by `parse`.
        room.resize(HEADER_BYTES + self.raw_len as usize, 0);
        let Some((place, body)) = room.split_at_mut_checked(HEADER_BYTES) else { return Err(Fault::Packed) };
        if !packing::unpack(packed, body) {
            return Err(Fault::Packed);
        }
        let (header, bytes) = Self { compression: PLAIN, body_len: self.raw_len, ..*self }.signed(nonce, body);
        place.copy_from_slice(&bytes);
        Ok(Plain { header, bytes: room, stored: stored.len() })
    }

    /// Checks a block of a sealed segment, where all are plain.
    pub(crate) fn check_plain(&self, block: &[u8], nonce: u64) -> Result<(), Fault> {
        self.check(block, nonce)?;
        if self.compression == PLAIN { Ok(()) } else { Err(Fault::Packed) }
    }

    /// The header with its checksum over that body, and its bytes.
    fn signed(mut self, nonce: u64, body: &[u8]) -> (Self, Vec<u8>) {
        let unsigned = fixed(&self);
        self.checksum = checksum(nonce, unsigned.get(..CHECKSUM_AT).unwrap_or_default(), body);
        (self, fixed(&self))
    }
}

/// A checked block in its plain form.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plain<'a> {
    pub(crate) header: Header,
    /// Header and body.
    pub(crate) bytes: &'a [u8],
    /// Bytes it takes where it stands.
    pub(crate) stored: usize,
}

/// The bytes of a field that stands at an offset.
fn field<const BYTES: usize>(header: &[u8; HEADER_BYTES], at: usize) -> [u8; BYTES] {
    header.get(at..).and_then(|rest| rest.first_chunk()).copied().unwrap_or([0; BYTES])
}

fn checksum(nonce: u64, covered: &[u8], body: &[u8]) -> u32 {
    let seeded = crc32c::crc32c(&nonce.to_le_bytes());
    crc32c::crc32c_append(crc32c::crc32c_append(seeded, covered), body)
}

/// The hash of a whole plain block.
pub(crate) fn hash(block: &[u8]) -> Hash {
    *blake3::hash(block).as_bytes()
}

/// Splits the body of a checked, plain block into the bytes of its records.
pub(crate) struct Records<'a> {
    codec: u8,
    rest: &'a [u8],
    seq: u64,
    left: u32,
}

impl<'a> Records<'a> {
    /// The records of this block (header and body).
    pub(crate) fn of(header: &Header, block: &'a [u8]) -> Self {
        let rest = block.get(HEADER_BYTES..header.block_bytes()).unwrap_or_default();
        Self { codec: header.codec, rest, seq: header.first_seq, left: header.count }
    }

    fn split(&mut self) -> Option<&'a [u8]> {
        let (len, rest) = self.rest.split_first_chunk::<4>()?;
        let (record, rest) = rest.split_at_checked(u32::from_le_bytes(*len) as usize)?;
        self.rest = rest;
        (self.left > 1 || rest.is_empty()).then_some(record)
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<(u64, Raw<'a>), Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 {
            return None;
        }
        let seq = self.seq;
        let Some(bytes) = self.split() else {
            self.left = 0;
            return Some(Err(Fault::Record { seq, reason: "its length does not fit the block".to_owned() }));
        };
        self.left -= 1;
        self.seq += 1;
        Some(Ok((seq, Raw { codec: self.codec, bytes })))
    }
}

/// A block being built. Its memory is used again for the next one.
#[derive(Debug)]
pub(crate) struct Builder {
    bytes: Vec<u8>,
    /// Room for a header and the packed body; empty when it did not pay.
    packed: Vec<u8>,
    count: u32,
    t_min_us: u64,
    t_max_us: u64,
}

impl Default for Builder {
    fn default() -> Self {
        Self { bytes: vec![0; HEADER_BYTES], packed: Vec::new(), count: 0, t_min_us: u64::MAX, t_max_us: 0 }
    }
}

impl Builder {
    /// Adds one record.
    pub(crate) fn push(&mut self, record: &Record<'_>) -> Result<(), String> {
        let start = self.bytes.len();
        self.bytes.extend([0; 4]);
        record.write(&mut self.bytes)?;
        let len = u32::try_from(self.bytes.len() - start - 4).map_err(|error| error.to_string())?;
        if let Some(place) = self.bytes.get_mut(start..start + 4) {
            place.copy_from_slice(&len.to_le_bytes());
        }
        self.count += 1;
        self.t_min_us = self.t_min_us.min(record.at_us);
        self.t_max_us = self.t_max_us.max(record.at_us);
        Ok(())
    }

    /// How many events it holds.
    pub(crate) fn count(&self) -> u32 {
        self.count
    }

    /// Bytes of the plain block so far.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Packs the body when that pays. Nothing is added after it. Gives the bytes the block will take.
    pub(crate) fn pack(&mut self) -> usize {
        self.packed.clear();
        self.packed.resize(HEADER_BYTES, 0);
        if packing::pack(self.bytes.get(HEADER_BYTES..).unwrap_or_default(), &mut self.packed) {
            return self.packed.len();
        }
        self.packed.clear();
        self.bytes.len()
    }

    /// Finishes the block at its place: the bytes to write, and the hash of the plain block.
    pub(crate) fn finish(&mut self, first_seq: u64, prev_hash: Hash, nonce: u64) -> Result<(&[u8], Hash), String> {
        let body_len = self.bytes.len() - HEADER_BYTES;
        if body_len > BODY_BYTES_MAX || self.count as usize > COUNT_MAX {
            return Err(format!("a block of {body_len} bytes and {} events is out of bounds", self.count));
        }
        let header = Header {
            magic: MAGIC,
            format: FORMAT,
            compression: PLAIN,
            codec: CODEC,
            flags: 0,
            first_seq,
            count: self.count,
            raw_len: body_len as u32,
            body_len: body_len as u32,
            t_min_us: self.t_min_us,
            t_max_us: self.t_max_us,
            prev_hash,
            checksum: 0,
        };
        let (place, body) = self.bytes.split_at_mut(HEADER_BYTES);
        place.copy_from_slice(&header.signed(nonce, body).1);
        let hash = hash(&self.bytes);
        let Some((place, packed)) = self.packed.split_at_mut_checked(HEADER_BYTES) else {
            return Ok((&self.bytes, hash));
        };
        let header = Header { compression: LZ4, body_len: packed.len() as u32, ..header };
        place.copy_from_slice(&header.signed(nonce, packed).1);
        Ok((&self.packed, hash))
    }

    /// Empties it. Memory of an unusually large block is given back.
    pub(crate) fn clear(&mut self) {
        self.bytes.truncate(HEADER_BYTES);
        self.bytes.shrink_to(KEPT_BYTES_MAX);
        self.packed.clear();
        self.packed.shrink_to(KEPT_BYTES_MAX);
        self.count = 0;
        self.t_min_us = u64::MAX;
        self.t_max_us = 0;
    }
}
