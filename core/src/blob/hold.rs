//! Which blobs are about to be named, so that none of them is removed meanwhile. A blob is kept before the event that
//! names it; between the two nothing in the log speaks for it. Lives in memory: after a crash whoever was about to name
//! a blob keeps it again.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use super::{BlobRef, Blobs, Error};

/// Holds on blobs, by hash. Clones share them.
#[derive(Debug, Clone, Default)]
pub(super) struct Holds(Arc<Mutex<Held>>);

#[derive(Debug, Default)]
struct Held {
    /// How many hold each. One that is held no more stays, with 0, as long as a sweep is under way: the sweep may have
    /// looked for the event that names it too early.
    counts: HashMap<String, usize>,
    sweeps: usize,
}

impl Holds {
    fn lock(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps blobs, and holds them until it is dropped: when the event that names them is durable, or never will be.
#[derive(Debug)]
pub struct Keeper {
    blobs: Blobs,
    hashes: Mutex<Vec<String>>,
}

impl Keeper {
    pub(super) fn new(blobs: Blobs) -> Self {
        Self { blobs, hashes: Mutex::default() }
    }

    /// Keeps bytes, as [`Blobs::put`].
    ///
    /// # Errors
    /// As [`Blobs::put`].
    pub fn put(&self, content: &[u8]) -> Result<BlobRef, Error> {
        self.put_all([content]).map(|names| names.into_iter().next().unwrap_or_else(|| BlobRef::of(content)))
    }

    /// Keeps many at once, as [`Blobs::put_all`].
    ///
    /// # Errors
    /// As [`Blobs::put_all`].
    pub fn put_all<'a>(&self, contents: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<BlobRef>, Error> {
        // Held before it is looked whether it is there already.
        self.blobs.keep_all(contents, None, &|name: &BlobRef| self.hold(&name.hash))
    }

    /// Keeps bytes that were kept before, at that time in microseconds since the Unix epoch: they are as old as they were,
    /// so that whoever asks how long somebody may have needed them is told the truth.
    ///
    /// # Errors
    /// As [`Blobs::put`].
    pub fn put_back(&self, content: &[u8], kept_at_us: u64) -> Result<(), Error> {
        let kept_at = UNIX_EPOCH + Duration::from_micros(kept_at_us);
        self.blobs.keep_all([content], Some(kept_at), &|name: &BlobRef| self.hold(&name.hash)).map(drop)
    }

    /// Whether nothing was kept with it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.hashes.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    fn hold(&self, hash: &str) {
        *self.blobs.holds.lock().counts.entry(hash.to_owned()).or_default() += 1;
        self.hashes.lock().unwrap_or_else(PoisonError::into_inner).push(hash.to_owned());
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        let mut held = self.blobs.holds.lock();
        let is_swept = held.sweeps > 0;
        for hash in self.hashes.get_mut().unwrap_or_else(PoisonError::into_inner) {
            if let Some(count) = held.counts.get_mut(hash) {
                *count = count.saturating_sub(1);
                if *count == 0 && !is_swept {
                    held.counts.remove(hash);
                }
            }
        }
    }
}

/// Removes blobs. To be begun before it is looked who needs them: whatever is kept from then on stays.
#[derive(Debug)]
pub struct Sweep {
    blobs: Blobs,
    folders: BTreeSet<PathBuf>,
}

impl Sweep {
    pub(super) fn begin(blobs: Blobs) -> Self {
        blobs.holds.lock().sweeps += 1;
        Self { blobs, folders: BTreeSet::new() }
    }

    /// Removes a blob that no event needs. Whether it is gone: not when somebody is about to name it.
    ///
    /// # Errors
    /// When the name is none, or the disk fails.
    pub fn remove(&mut self, hash: &str) -> Result<bool, Error> {
        let path = self.blobs.path(hash)?;
        // Nobody may come to hold it between the look and the removal.
        let held = self.blobs.holds.lock();
        if held.counts.contains_key(hash) {
            return Ok(false);
        }
        match fs::remove_file(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            removed => removed?,
        }
        drop(held);
        self.folders.extend(path.parent().map(Path::to_owned));
        Ok(true)
    }

    /// Waits until what was removed is gone from the disk, too.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn finish(self) -> Result<(), Error> {
        for folder in &self.folders {
            match fs::File::open(folder) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                opened => opened?.sync_all()?,
            }
        }
        Ok(())
    }
}

impl Drop for Sweep {
    fn drop(&mut self) {
        let mut held = self.blobs.holds.lock();
        held.sweeps = held.sweeps.saturating_sub(1);
        if held.sweeps == 0 {
            held.counts.retain(|_, count| *count > 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_about_to_be_named_is_not_removed() {
        let root = tempfile::tempdir().expect("folder");
        let blobs = Blobs::open(root.path()).expect("store");
        let hash = blobs.put(b"patch").expect("kept").hash;
        let keeper = blobs.keeper();
        assert!(keeper.is_empty());
        keeper.put(b"patch").expect("kept again");
        let mut sweep = blobs.sweep();
        assert!(!sweep.remove(&hash).expect("asked") && !keeper.is_empty());
        // Its event may have come after this sweep looked.
        drop(keeper);
        assert!(!sweep.remove(&hash).expect("asked"));
        drop(sweep);
        let mut sweep = blobs.sweep();
        assert!(sweep.remove(&hash).expect("removed"));
        assert!(matches!(blobs.get(&hash), Err(Error::Missing(_))));
        // Kept anew meanwhile, it is there and stays.
        blobs.put(b"patch").expect("kept anew");
        assert!(!sweep.remove(&hash).expect("asked"));
        sweep.finish().expect("on disk");
        assert_eq!(blobs.get(&hash).expect("read"), b"patch");
    }

    #[test]
    fn what_is_put_back_is_as_old_as_it_was() {
        let root = tempfile::tempdir().expect("folder");
        let blobs = Blobs::open(root.path()).expect("store");
        let (old, young) = (BlobRef::of(b"gone meanwhile").hash, blobs.put(b"kept anew meanwhile").expect("kept").hash);
        assert!(blobs.kept_at_us(&young) > Some(7_000_000));
        let keeper = blobs.keeper();
        for content in [&b"gone meanwhile"[..], b"kept anew meanwhile"] {
            keeper.put_back(content, 7_000_000).expect("put back");
            // It never becomes younger.
            keeper.put_back(content, 8_000_000).expect("put back again");
        }
        assert_eq!([old, young].map(|hash| blobs.kept_at_us(&hash)), [Some(7_000_000); 2]);
    }

    #[test]
    fn removing_what_is_not_there_is_no_failure_and_a_hostile_name_is_one() {
        let root = tempfile::tempdir().expect("folder");
        let blobs = Blobs::open(root.path()).expect("store");
        let mut sweep = blobs.sweep();
        assert!(sweep.remove(&"0".repeat(64)).expect("gone already"));
        assert!(matches!(sweep.remove("../../x"), Err(Error::InvalidName(_))));
        sweep.finish().expect("on disk");
    }
}
