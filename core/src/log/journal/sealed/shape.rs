//! The frozen shapes of a sealed segment and their bounds. Every length is checked here before anything is allocated
//! for it. Knows nothing of files.

use serde::{Deserialize, Serialize};

use super::super::{Hash, block, codec, fixed, from_fixed, segment};

/// Most bytes of blocks in a bundle: it takes no further block past the option, but one block may be larger.
pub(crate) const BUNDLE_BYTES_MAX: usize = BUNDLE_BYTES_WANTED_MAX + block::BODY_BYTES_MAX + block::HEADER_BYTES;
/// Most bytes of blocks a bundle is asked to hold.
pub(crate) const BUNDLE_BYTES_WANTED_MAX: usize = 4 << 20;
/// Bytes of entries after which a page is full.
pub(crate) const PAGE_BYTES: usize = 64 << 10;
/// Most bytes of entries in a page: one entry may go past [`PAGE_BYTES`].
pub(crate) const PAGE_BYTES_MAX: usize = PAGE_BYTES + ENTRY_BYTES_MAX;
/// Most bytes of an entry: a chunk of positions and a few names.
pub(crate) const ENTRY_BYTES_MAX: usize = 8 << 10;
/// Most bytes of a summary: that of the largest segment, in bundles of 64 KiB and with every kind there can be, has less.
pub(crate) const SUMMARY_BYTES_MAX: usize = 4 << 20;
/// Bytes of a trailer.
pub(crate) const TRAILER_BYTES: usize = 60;
/// The trailer's last fields, which the file's hash does not cover: itself and the trailer's checksum.
pub(crate) const HASH_AND_CHECKSUM_BYTES: usize = size_of::<Hash>() + size_of::<u32>();

const MAGIC: u32 = 0x4C41_4553;
const FORMAT: u16 = 1;

/// Ends a sealed segment. Never edit; a new shape is a new format number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Trailer {
    magic: u32,
    format: u16,
    reserved: u16,
    summary_at: u64,
    summary_len: u32,
    summary_checksum: u32,
    /// BLAKE3 of the file up to here.
    pub(crate) blake3: Hash,
}

impl Trailer {
    /// The trailer behind a summary; the file's hash is set last.
    pub(crate) fn new(summary_at: u64, summary: &[u8]) -> Self {
        let (summary_len, summary_checksum) = (summary.len() as u32, crc32c::crc32c(summary));
        let (magic, format, reserved, blake3) = (MAGIC, FORMAT, 0, [0; 32]);
        Self { magic, format, reserved, summary_at, summary_len, summary_checksum, blake3 }
    }

    /// Its bytes, with the checksum.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = fixed(self);
        bytes.extend(crc32c::crc32c(&bytes).to_le_bytes());
        bytes
    }

    /// Reads the trailer of a file of so many bytes.
    pub(crate) fn parse(bytes: &[u8], file_bytes: u64) -> Result<Self, String> {
        let (covered, checksum) = bytes.split_last_chunk::<4>().ok_or("it is cut off")?;
        if crc32c::crc32c(covered).to_le_bytes() != *checksum {
            return Err("the checksum of its trailer does not match".to_owned());
        }
        let trailer: Self = from_fixed(covered).ok_or("its trailer cannot be read")?;
        if trailer.magic != MAGIC {
            return Err("it is not a sealed segment".to_owned());
        }
        if trailer.format != FORMAT {
            return Err(format!("it was sealed by a newer version (format {}): update regatta", trailer.format));
        }
        let end = trailer.summary_at.checked_add(u64::from(trailer.summary_len) + TRAILER_BYTES as u64);
        let begins_well = trailer.summary_at >= segment::HEADER_BYTES as u64;
        if end == Some(file_bytes) && begins_well && trailer.summary_len as usize <= SUMMARY_BYTES_MAX {
            Ok(trailer)
        } else {
            Err("its trailer names a summary that is out of bounds".to_owned())
        }
    }

    /// Where the summary is, and its length.
    pub(crate) fn summary(&self) -> (u64, usize) {
        (self.summary_at, self.summary_len as usize)
    }

    /// Whether these are the summary's bytes.
    pub(crate) fn names(&self, summary: &[u8]) -> bool {
        crc32c::crc32c(summary) == self.summary_checksum
    }
}

/// What is in a sealed segment. Never edit; a new shape is a new format number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Summary {
    pub(crate) totals: Totals,
    /// By number of the kind, ascending.
    pub(crate) kinds: Vec<KindAmount>,
    pub(crate) bundles: Vec<Bundle>,
    pub(crate) pages: Vec<Page>,
}

/// A segment in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Totals {
    /// The last event.
    pub(crate) last_seq: u64,
    pub(crate) blocks: u64,
    /// Bytes of the plain blocks.
    pub(crate) block_bytes: u64,
    /// Bytes of the records in them.
    pub(crate) record_bytes: u64,
    /// Bytes of the payloads in those.
    pub(crate) payload_bytes: u64,
    pub(crate) t_min_us: u64,
    pub(crate) t_max_us: u64,
    /// Hash of the last block: what the next segment begins with.
    pub(crate) last_hash: Hash,
}

/// Events of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KindAmount {
    pub(crate) kind: u16,
    pub(crate) events: u64,
    pub(crate) payload_bytes: u64,
}

/// A bundle of blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Bundle {
    /// Bytes in the file.
    pub(crate) len: u32,
    /// Bytes of the blocks.
    pub(crate) raw_len: u32,
    /// CRC32C of the bytes in the file.
    pub(crate) checksum: u32,
    pub(crate) first_seq: u64,
    /// Events.
    pub(crate) count: u32,
    pub(crate) t_min_us: u64,
    pub(crate) t_max_us: u64,
}

/// A page of entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Page {
    /// What its entries are.
    pub(crate) holds: u8,
    /// Bytes in the file.
    pub(crate) len: u32,
    /// Bytes of the entries.
    pub(crate) raw_len: u32,
    /// CRC32C of the bytes in the file.
    pub(crate) checksum: u32,
}

impl Page {
    /// Where the events of streams are.
    pub(crate) const STREAMS: u8 = 1;
}

impl Summary {
    /// Its bytes.
    pub(crate) fn bytes(&self) -> Result<Vec<u8>, String> {
        use bincode::Options as _;
        codec(SUMMARY_BYTES_MAX).serialize(self).map_err(|error| error.to_string())
    }

    /// Reads a summary that stands at an offset behind the segment's header, and holds it against both.
    pub(crate) fn parse(bytes: &[u8], header: &segment::Header, summary_at: u64) -> Result<Self, String> {
        use bincode::Options as _;
        let summary: Self = codec(SUMMARY_BYTES_MAX).deserialize(bytes).map_err(|error| error.to_string())?;
        let mut next = header.first_seq;
        let mut at = segment::HEADER_BYTES as u64;
        for bundle in &summary.bundles {
            let fits = fits(bundle.len, bundle.raw_len, BUNDLE_BYTES_MAX) && bundle.count > 0;
            if !fits || bundle.first_seq != next {
                return Err("its summary names a bundle that is out of bounds".to_owned());
            }
            next = next.checked_add(u64::from(bundle.count)).ok_or("its summary names too many events")?;
            at += u64::from(bundle.len);
        }
        for page in &summary.pages {
            if !fits(page.len, page.raw_len, PAGE_BYTES_MAX) {
                return Err("its summary names a page that is out of bounds".to_owned());
            }
            at += u64::from(page.len);
        }
        let whole = at == summary_at && next == summary.totals.last_seq + 1 && next > header.first_seq;
        if whole { Ok(summary) } else { Err("its summary does not fit what stands before it".to_owned()) }
    }
}

/// Whether lengths are within bounds. What does not compress takes a little more room than it had.
fn fits(len: u32, raw_len: u32, raw_max: usize) -> bool {
    let (len, raw_len) = (len as usize, raw_len as usize);
    (1..=raw_max).contains(&raw_len) && (1..=raw_max + raw_max / 128 + 1_024).contains(&len)
}
