//! What consumers keep in the store: how far they are, and small snapshots of where they stand. Both may be lost with
//! the store; a consumer then begins from 0. Large ones are files: [`crate::log::snapshots`].
//!
//! Keys: `c<name>` a checkpoint, `s<name>` a snapshot's header, `b<name>\0<generation><number>` a piece of its bytes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sled::Batch;

use super::IndexError;
use super::store::{Store, from_bytes, guard, to_bytes};
use crate::Seq;
use crate::log::positions::BYTES_MAX as PIECE_BYTES_MAX;

/// Longest name of a consumer or snapshot in bytes.
pub const NAME_BYTES_MAX: usize = 64;
/// Largest snapshot in bytes.
pub const SNAPSHOT_BYTES_MAX: usize = 256 << 20;

#[derive(Debug, Serialize, Deserialize)]
struct Header {
    version: u32,
    seq: u64,
    len: u64,
    checksum: u32,
    /// Drawn anew for every snapshot, so that the pieces of two never mix.
    generation: u64,
}

impl Store {
    pub(super) fn checkpoint(&self, name: &str) -> Result<Seq, IndexError> {
        let key = key(b"c", name)?;
        let Some(bytes) = guard(|| self.kept.get(key))? else { return Ok(Seq(0)) };
        from_bytes(&bytes, "a checkpoint").map(Seq)
    }

    pub(super) fn checkpoints(&self) -> Result<BTreeMap<String, Seq>, IndexError> {
        let mut entries = guard(|| Ok(self.kept.scan_prefix(b"c")))?;
        let mut said = BTreeMap::new();
        while let Some((key, value)) = guard(|| entries.next().transpose())? {
            let name = key.get(1..).unwrap_or_default();
            said.insert(String::from_utf8_lossy(name).into_owned(), Seq(from_bytes(&value, "a checkpoint")?));
        }
        Ok(said)
    }

    pub(super) fn set_checkpoint(&self, name: &str, seq: Seq) -> Result<(), IndexError> {
        let key = key(b"c", name)?;
        guard(|| self.kept.insert(key, to_bytes(&seq.0))).map(drop)
    }

    pub(super) fn snapshot(&self, name: &str, version: u32) -> Result<Option<(Seq, Vec<u8>)>, IndexError> {
        let Some(header) = self.header(name)? else { return Ok(None) };
        if header.version != version || header.len > SNAPSHOT_BYTES_MAX as u64 {
            return Ok(None);
        }
        let mut bytes = Vec::with_capacity(usize::try_from(header.len).unwrap_or(0));
        let mut pieces = guard(|| Ok(self.kept.scan_prefix(piece_prefix(name, header.generation))))?;
        while let Some((_, piece)) = guard(|| pieces.next().transpose())? {
            bytes.extend_from_slice(&piece);
        }
        let whole = bytes.len() as u64 == header.len && crc32c::crc32c(&bytes) == header.checksum;
        if !whole {
            tracing::warn!(name, seq = header.seq, "snapshot is not whole; it is built again");
        }
        Ok(whole.then_some((Seq(header.seq), bytes)))
    }

    pub(super) fn set_snapshot(&self, name: &str, version: u32, seq: Seq, bytes: &[u8]) -> Result<(), IndexError> {
        if bytes.len() > SNAPSHOT_BYTES_MAX {
            return Err(IndexError::OutOfBounds(format!("a snapshot of more than {SNAPSHOT_BYTES_MAX} bytes")));
        }
        let last = self.header(name)?;
        let generation = last.as_ref().map_or(1, |last| last.generation.wrapping_add(1));
        // Pieces of a snapshot that was never finished may stand under this generation.
        self.remove_pieces(name, generation)?;
        let prefix = piece_prefix(name, generation);
        for (piece, number) in bytes.chunks(PIECE_BYTES_MAX).zip(0_u32..) {
            let key = [prefix.as_slice(), &number.to_be_bytes()].concat();
            guard(|| self.kept.insert(key, piece))?;
        }
        let (len, checksum) = (bytes.len() as u64, crc32c::crc32c(bytes));
        let header = Header { version, seq: seq.0, len, checksum, generation };
        let key = key(b"s", name)?;
        guard(|| self.kept.insert(key, to_bytes(&header)))?;
        last.map_or(Ok(()), |last| self.remove_pieces(name, last.generation))
    }

    fn header(&self, name: &str) -> Result<Option<Header>, IndexError> {
        let key = key(b"s", name)?;
        guard(|| self.kept.get(key))?.map(|bytes| from_bytes(&bytes, "a snapshot's header")).transpose()
    }

    fn remove_pieces(&self, name: &str, generation: u64) -> Result<(), IndexError> {
        let mut batch = Batch::default();
        let mut keys = guard(|| Ok(self.kept.scan_prefix(piece_prefix(name, generation)).keys()))?;
        while let Some(key) = guard(|| keys.next().transpose())? {
            batch.remove(key);
        }
        guard(|| self.kept.apply_batch(batch))
    }
}

fn key(prefix: &[u8], name: &str) -> Result<Vec<u8>, IndexError> {
    let fits = (1..=NAME_BYTES_MAX).contains(&name.len()) && !name.contains('\0');
    if fits {
        Ok([prefix, name.as_bytes()].concat())
    } else {
        Err(IndexError::OutOfBounds(format!("a name must have 1 to {NAME_BYTES_MAX} bytes, none of them NUL")))
    }
}

fn piece_prefix(name: &str, generation: u64) -> Vec<u8> {
    [b"b", name.as_bytes(), b"\0", &generation.to_be_bytes()].concat()
}
