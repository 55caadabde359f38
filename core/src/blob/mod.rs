//! Big bytes (diffs, long prompts), kept once under the hash of their content. Blob first, fsync, then the event that
//! names it. Knows nothing of what the bytes are.

mod hold;

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use hold::Holds;
pub use hold::{Keeper, Sweep};

use crate::log::journal::regular;

/// Largest blob in bytes.
pub const BLOB_BYTES_MAX: u64 = 1 << 30;

/// Names a blob: BLAKE3 of its content, as 64 hex digits, and its size.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema, JsonSchema)]
pub struct BlobRef {
    /// BLAKE3, lower-case hex.
    pub hash: String,
    /// Size in bytes.
    pub bytes: u64,
}

impl BlobRef {
    /// The name of these bytes.
    #[must_use]
    pub fn of(content: &[u8]) -> Self {
        Self { hash: blake3::hash(content).to_hex().to_string(), bytes: content.len() as u64 }
    }
}

/// Why a blob could not be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No blob of that name is kept.
    #[error("blob {0} is missing")]
    Missing(String),
    /// The bytes on disk are not those the name stands for.
    #[error("blob {0} is damaged")]
    Damaged(String),
    /// Not a name of a blob.
    #[error("{0:?} is not the name of a blob")]
    InvalidName(String),
    /// Larger than [`BLOB_BYTES_MAX`].
    #[error("blob of {0} bytes is larger than {BLOB_BYTES_MAX}")]
    TooLarge(u64),
    /// The disk failed.
    #[error("failed to access blob")]
    Io(#[from] io::Error),
}

/// The store of blobs: one file each, `<root>/<first two digits>/<hash>`.
#[derive(Debug, Clone)]
pub struct Blobs {
    root: PathBuf,
    holds: Holds,
}

impl Blobs {
    /// Opens the store, making its folder when missing.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn open(root: &Path) -> Result<Self, Error> {
        fs::create_dir_all(root)?;
        Ok(Self { root: root.to_owned(), holds: Holds::default() })
    }

    /// Removes what an earlier process left half written. Nobody else may be writing.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn clear(&self) -> Result<(), Error> {
        for folder in fs::read_dir(&self.root)? {
            let folder = folder?;
            if !folder.file_type()?.is_dir() {
                continue;
            }
            for file in fs::read_dir(folder.path())? {
                let file = file?;
                if file.file_name().as_encoded_bytes().starts_with(b".") {
                    fs::remove_file(file.path())?;
                }
            }
        }
        Ok(())
    }

    fn path(&self, hash: &str) -> Result<PathBuf, Error> {
        let is_hex = hash.len() == 64 && hash.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        match hash.get(..2) {
            Some(folder) if is_hex => Ok(self.root.join(folder).join(hash)),
            _ => Err(Error::InvalidName(hash.chars().take(80).collect())),
        }
    }

    /// Keeps blobs that an event is about to name, while others may be removed.
    #[must_use]
    pub fn keeper(&self) -> Keeper {
        Keeper::new(self.clone())
    }

    /// Begins to remove blobs.
    #[must_use]
    pub fn sweep(&self) -> Sweep {
        Sweep::begin(self.clone())
    }

    /// Keeps bytes; they are on disk when this returns. Keeping the same bytes again does nothing.
    ///
    /// # Errors
    /// When the content is too large or the disk fails.
    pub fn put(&self, content: &[u8]) -> Result<BlobRef, Error> {
        self.keeper().put(content)
    }

    /// Keeps many at once, as [`Self::put`] keeps one, but waits for the disk's folders once.
    ///
    /// # Errors
    /// When one is too large or the disk fails; some may be kept then.
    pub fn put_all<'a>(&self, contents: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<BlobRef>, Error> {
        self.keeper().put_all(contents)
    }

    /// Keeps many; each is told to `begin` by its name before it is looked whether it is there. Those that were kept
    /// before are as old as they were then.
    fn keep_all<'a>(
        &self,
        contents: impl IntoIterator<Item = &'a [u8]>,
        kept_at: Option<SystemTime>,
        begin: &dyn Fn(&BlobRef),
    ) -> Result<Vec<BlobRef>, Error> {
        let (mut names, mut folders) = (Vec::new(), BTreeSet::new());
        for content in contents {
            let name = BlobRef::of(content);
            begin(&name);
            folders.insert(self.write(&name, content, kept_at)?);
            names.push(name);
        }
        // Of one that is there, too: whoever named it may not have come to this, or have crashed before.
        for folder in &folders {
            File::open(folder)?.sync_all()?;
        }
        if !folders.is_empty() {
            File::open(&self.root)?.sync_all()?;
        }
        Ok(names)
    }

    /// Writes a blob under its name, unless it is there, and tells the folder whose entries may not be on disk yet.
    fn write(&self, name: &BlobRef, content: &[u8], kept_at: Option<SystemTime>) -> Result<PathBuf, Error> {
        if name.bytes > BLOB_BYTES_MAX {
            return Err(Error::TooLarge(name.bytes));
        }
        let path = self.path(&name.hash)?;
        let folder = path.parent().unwrap_or(&self.root);
        if let Some(found) = fs::metadata(&path).ok().filter(|found| found.len() == name.bytes) {
            if let Some(kept_at) = kept_at.filter(|kept_at| found.modified().is_ok_and(|younger| younger > *kept_at)) {
                let file = File::open(&path)?;
                file.set_modified(kept_at)?;
                file.sync_all()?;
            }
            return Ok(folder.to_owned());
        }
        fs::create_dir_all(folder)?;
        // The process id keeps two writers of the same content apart; either may win the rename.
        let thread = format!("{:?}", std::thread::current().id());
        let unfinished = folder.join(format!(".{}.{}.{thread}", name.hash, std::process::id()));
        let mut file = File::create(&unfinished)?;
        file.write_all(content)?;
        if let Some(kept_at) = kept_at {
            file.set_modified(kept_at)?;
        }
        file.sync_all()?;
        fs::rename(&unfinished, &path)?;
        Ok(folder.to_owned())
    }

    /// When a blob was kept, in microseconds since the Unix epoch, by the disk; nothing when it is not there.
    #[must_use]
    pub fn kept_at_us(&self, hash: &str) -> Option<u64> {
        let kept_at = fs::metadata(self.path(hash).ok()?).and_then(|found| found.modified()).ok()?;
        let since_epoch = kept_at.duration_since(UNIX_EPOCH).ok()?;
        u64::try_from(since_epoch.as_micros()).ok()
    }

    /// Reads bytes back and checks that they are those that were kept.
    ///
    /// # Errors
    /// When the blob is missing or damaged, or the disk fails.
    pub fn get(&self, hash: &str) -> Result<Vec<u8>, Error> {
        let file = match regular::open(&self.path(hash)?) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(Error::Missing(hash.to_owned())),
            other => other?,
        };
        let mut content = Vec::new();
        // One that is longer than any has another hash, too.
        file.take(BLOB_BYTES_MAX + 1).read_to_end(&mut content)?;
        if blake3::hash(&content).to_hex().as_str() == hash {
            Ok(content)
        } else {
            Err(Error::Damaged(hash.to_owned()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_back_as_they_were_kept() {
        let root = tempfile::tempdir().expect("folder");
        let blobs = Blobs::open(root.path()).expect("store");
        let name = blobs.put(b"diff --git").expect("kept");
        assert_eq!(blobs.put(b"diff --git").expect("kept again"), name);
        assert_eq!(blobs.get(&name.hash).expect("read"), b"diff --git");
    }

    #[test]
    fn many_are_kept_as_one_is() {
        let root = tempfile::tempdir().expect("folder");
        let blobs = Blobs::open(root.path()).expect("store");
        let contents: [&[u8]; 3] = [b"one", b"two", b"one"];
        let names = blobs.put_all(contents).expect("kept");
        assert_eq!(names, contents.map(BlobRef::of));
        assert_eq!(blobs.get(&names[1].hash).expect("read"), b"two");
    }

    #[test]
    fn what_was_left_half_written_is_removed_and_nothing_else() {
        let root = tempfile::tempdir().expect("folder");
        let blobs = Blobs::open(root.path()).expect("store");
        let path = blobs.path(&blobs.put(b"whole").expect("kept").hash).expect("path");
        let half = path.with_file_name(".0123.77.ThreadId(3)");
        fs::write(&half, b"ha").expect("written");
        blobs.clear().expect("cleared");
        assert!(path.exists() && !half.exists());
    }

    #[test]
    fn a_changed_byte_a_missing_file_and_a_hostile_name_are_said() {
        let root = tempfile::tempdir().expect("folder");
        let blobs = Blobs::open(root.path()).expect("store");
        let name = blobs.put(b"diff --git").expect("kept");
        fs::write(blobs.path(&name.hash).expect("path"), b"diff --gix").expect("damage");
        assert!(matches!(blobs.get(&name.hash), Err(Error::Damaged(_))));
        assert!(matches!(blobs.get(&"0".repeat(64)), Err(Error::Missing(_))));
        assert!(matches!(blobs.get("../../../etc/passwd"), Err(Error::InvalidName(_))));
    }
}
