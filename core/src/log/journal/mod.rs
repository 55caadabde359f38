//! The journal: events on disk, in segment files of blocks. It is the only truth; everything else is rebuilt from it.
//!
//! # Shape on disk (final; a change is a new format number)
//!
//! - `journal/<first seq, 20 digits>.seg`: one 4 KiB page of [`segment`] header, then blocks back to back, then zeros
//!   prepared for the blocks to come. A name exists only once its header is on disk.
//! - A [`block`] is one group commit: an 80-byte header and the records, packed with LZ4 where that pays. Its checksum
//!   also covers the segment's nonce, so that bytes of another segment can never be read as a block of this one. Its hash
//!   (BLAKE3 of header and body in the plain form) is the next block's `prev_hash`, across segments.
//! - A [`record`] is one event; its position is not stored, it follows from the block's.
//! - `HEAD` is the [`anchor`]: how far the log certainly went, so that a shortened or emptied journal is noticed.
//! - A full segment becomes a [`sealed`] one, `journal/<first seq>.sealed`, in the background ([`sealer`]): the same
//!   blocks, compressed, with a summary and where the events of each stream are.
//!   Where both are there, [`forms`] says which one counts.
//! - `FIRST` is the [`beginning`], once old sealed segments were removed: what the first kept one must follow.
//!
//! Only the thread of [`writer`] writes events. Knows nothing of what the facts mean, and nothing of the index.

pub(crate) mod ahead;
pub(crate) mod anchor;
pub(crate) mod anchoring;
mod backlog;
pub(crate) mod beginning;
pub(crate) mod block;
mod cursor;
pub mod disk;
mod forms;
mod ledger;
pub(crate) mod link;
mod packing;
pub(crate) mod reader;
pub(crate) mod record;
pub(crate) mod recover;
pub(crate) mod regular;
mod replay;
pub(crate) mod room;
pub(crate) mod sealed;
pub(crate) mod sealer;
pub(crate) mod segment;
pub(crate) mod tail;
pub(crate) mod window;
pub(crate) mod writer;

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

pub use disk::{Disk, DiskFile, RealDisk, Space};
pub use reader::Reader;
use segment::Form;

/// BLAKE3.
pub(crate) type Hash = [u8; 32];

/// The hash before the first block.
pub(crate) const GENESIS: Hash = [0; 32];

/// Where in the journal, for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// First seq of the segment.
    pub(crate) segment: u64,
    /// The file it is in.
    pub(crate) form: Form,
    /// Offset in bytes.
    pub(crate) at: u64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "journal/{} at byte {}", segment::file_name(self.segment, self.form), self.at)
    }
}

/// What bincode writes everywhere in the journal: fixed-width little-endian integers, no trailing bytes, bounded.
pub(crate) fn codec(limit: usize) -> impl bincode::Options {
    use bincode::Options as _;
    bincode::DefaultOptions::new().with_fixint_encoding().reject_trailing_bytes().with_limit(limit as u64)
}

/// Bytes of a header-like struct: integers and arrays only.
fn fixed<T: Serialize>(value: &T) -> Vec<u8> {
    use bincode::Options as _;
    #[expect(clippy::expect_used, reason = "a struct of integers and byte arrays always serializes")]
    codec(segment::HEADER_BYTES).serialize(value).expect("header fits its limit")
}

/// Reads a header-like struct from exactly its bytes.
fn from_fixed<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    use bincode::Options as _;
    codec(segment::HEADER_BYTES).deserialize(bytes).ok()
}

#[cfg(test)]
mod tests;
