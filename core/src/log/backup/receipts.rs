//! What the data directory remembers of backups made of it: where they are, and how far they reach. A receipt says where
//! to look and proves nothing; what a backup holds is proved by reading it.

use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::super::SegmentFile;
use super::super::journal::sealed::shape::HASH_AND_CHECKSUM_BYTES;
use super::super::journal::{RealDisk, disk, regular, segment};
use crate::Seq;

/// Name of the file in the data directory.
const NAME: &str = "backups.json";
/// Folders that are remembered; the one that was backed up to longest ago is forgotten.
const FOLDERS_MAX: usize = 16;
/// Largest file of receipts in bytes.
const BYTES_MAX: u64 = 1 << 20;

/// A backup was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// Where it is.
    pub folder: PathBuf,
    /// The first event in it.
    pub first: Seq,
    /// The last event in it.
    pub head: Seq,
    /// Hash of the block that ends with it, lower-case hex.
    pub hash: String,
    /// When it was made, in microseconds since the Unix epoch.
    pub at_us: u64,
}

/// The backups a data directory knows of, the latest last. Receipts that cannot be read are as good as none.
#[must_use]
pub fn receipts(dir: &Path) -> Vec<Receipt> {
    let path = dir.join(NAME);
    let read = || -> io::Result<Vec<Receipt>> {
        let mut text = String::new();
        regular::open(&path)?.take(BYTES_MAX).read_to_string(&mut text)?;
        serde_json::from_str(&text).map_err(io::Error::other)
    };
    match read() {
        Ok(receipts) => receipts,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => {
            tracing::warn!(%error, path = %path.display(), "backups made before are not remembered: back up again");
            Vec::new()
        }
    }
}

/// Remembers a backup, in place of what was known of that folder.
pub(super) fn keep(dir: &Path, receipt: Receipt) -> io::Result<()> {
    let mut known = receipts(dir);
    known.retain(|other| other.folder != receipt.folder);
    known.push(receipt);
    let known = known.split_off(known.len().saturating_sub(FOLDERS_MAX));
    disk::replace(&RealDisk, dir, NAME, &[&serde_json::to_vec_pretty(&known)?])
}

/// The latest backup that should hold an event.
pub(crate) fn holding(dir: &Path, seq: Seq) -> Option<PathBuf> {
    let found = receipts(dir).into_iter().rev().find(|receipt| (receipt.first..=receipt.head).contains(&seq));
    found.map(|receipt| receipt.folder)
}

/// Where what was removed is, as the end of a sentence.
pub(crate) fn named(archive: Option<&Path>) -> String {
    archive.map_or_else(String::new, |folder| format!("; the backup in {} holds it", folder.display()))
}

/// Reads a sealed segment in a backup from its beginning to its end, and says why it is not the very one the log has.
///
/// # Errors
/// With the reason, as the end of a sentence.
pub fn holds(folder: &Path, file: &SegmentFile) -> Result<(), String> {
    let Some(sealed) = file.sealed else { return Err("is not sealed yet".to_owned()) };
    let path = segment::path(folder, file.first.0, segment::Form::Sealed);
    let hash = hash_in(&path, file.bytes).map_err(|error| {
        if error.kind() == io::ErrorKind::NotFound {
            format!("is not in the backup {}", folder.display())
        } else {
            format!("cannot be read in the backup {}: {error}", folder.display())
        }
    })?;
    if hash.is_some_and(|hash| *hash.as_bytes() == sealed.blake3) {
        Ok(())
    } else {
        Err(format!(
            "is not the same in the backup {}: run `regatta log backup` to that folder, which replaces damaged copies",
            folder.display()
        ))
    }
}

/// BLAKE3 of a sealed segment, from the disk and not from memory; nothing when it is of another length.
fn hash_in(path: &Path, bytes: u64) -> io::Result<Option<blake3::Hash>> {
    let mut file = regular::open(path)?;
    let covered = bytes.saturating_sub(HASH_AND_CHECKSUM_BYTES as u64);
    if file.seek(SeekFrom::End(0))? != bytes {
        return Ok(None);
    }
    file.rewind()?;
    rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed).ok();
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(file.take(covered))?;
    Ok(Some(hasher.finalize()))
}
