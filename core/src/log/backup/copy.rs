//! Copying one file: whole or not at all, compared with what it must be, and read back from the disk before it gets its
//! name. Never follows a link where it writes.

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use super::{BackupError, failed};
use crate::log::journal::{Disk, regular, segment};

/// Bytes read at once.
const STEP_BYTES: usize = 1 << 20;

/// What became of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Brought {
    /// It was there already.
    Kept,
    /// It is there now.
    Copied { bytes: u64 },
}

/// What a file is known to be, wherever it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    /// BLAKE3 of its first bytes.
    pub(super) hash: blake3::Hash,
    /// How many those are.
    pub(super) covered: u64,
}

/// How closely a copy that is there is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// Every byte is read.
    Whole,
    /// Its length, its beginning and its end.
    Ends,
}

/// Whether a copy of a file is there and is the same.
pub(super) fn is_there(source: &Path, target: &Path, known: Option<&Known>, look: Look) -> Result<bool, BackupError> {
    let found = match fs::symlink_metadata(target) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        other => other.map_err(failed("look at", target))?,
    };
    if !found.is_file() || found.len() != fs::metadata(source).map_err(failed("look at", source))?.len() {
        return Ok(false);
    }
    // The hash does not cover the last bytes of a sealed segment.
    let has_same_ends = ends(source)? == ends(target)?;
    if !has_same_ends || look == Look::Ends {
        return Ok(has_same_ends);
    }
    match known {
        Some(known) => Ok(hash_of(target, known.covered)? == known.hash),
        None => Ok(hash_of(target, u64::MAX)? == hash_of(source, u64::MAX)?),
    }
}

/// Whether a file is there and is the beginning of another one.
pub(super) fn is_beginning(source: &Path, end: u64, target: &Path) -> Result<bool, BackupError> {
    let is_as_long = fs::symlink_metadata(target).is_ok_and(|found| found.is_file() && found.len() == end);
    Ok(is_as_long && hash_of(source, end)? == hash_of(target, end)?)
}

/// Copies a file, or its beginning when somebody may be adding to it, with its time: how long a blob has been kept says
/// who may need it. What is there already is replaced by the whole copy only.
pub(super) fn copy(
    disk: &dyn Disk,
    source: &Path,
    end: u64,
    target: &Path,
    known: Option<&Known>,
) -> Result<Brought, BackupError> {
    let unfinished = unfinished(target);
    remove_if_there(disk, &unfinished)?;
    let from = regular::open(source).map_err(failed("read", source))?;
    let kept_at = from.metadata().and_then(|found| found.modified()).map_err(failed("look at", source))?;
    let mut from = from.take(end);
    let to = disk.create(&unfinished).map_err(failed("write", &unfinished))?;
    let (mut all, mut covered) = (blake3::Hasher::new(), blake3::Hasher::new());
    let mut step = vec![0; STEP_BYTES];
    let mut bytes = 0;
    loop {
        let read = from.read(&mut step).map_err(failed("read", source))?;
        let Some(part) = step.get(..read).filter(|part| !part.is_empty()) else { break };
        all.update(part);
        let left = known.map_or(0, |known| known.covered.saturating_sub(bytes));
        covered.update(part.get(..usize::try_from(left).unwrap_or(usize::MAX)).unwrap_or(part));
        to.write(part, bytes).map_err(failed("write", &unfinished))?;
        bytes += read as u64;
    }
    if known.is_some_and(|known| known.hash != covered.finalize()) {
        remove_if_there(disk, &unfinished)?;
        let reason = "its bytes are not those of its BLAKE3".to_owned();
        return Err(BackupError::Damaged { place: source.display().to_string(), reason });
    }
    let timed = File::open(&unfinished).and_then(|copy| copy.set_modified(kept_at));
    timed.map_err(failed("write", &unfinished))?;
    to.sync_all().map_err(failed("write", &unfinished))?;
    drop(to);
    if hash_of(&unfinished, u64::MAX)? != all.finalize() {
        return Err(BackupError::Unfaithful(target.to_owned()));
    }
    disk.rename(&unfinished, target).map_err(failed("name", target))?;
    let folder = target.parent().unwrap_or(target);
    disk.sync_folder(folder).map_err(failed("sync", folder))?;
    Ok(Brought::Copied { bytes })
}

/// Removes a name; what it links to stays.
pub(super) fn remove_if_there(disk: &dyn Disk, path: &Path) -> Result<(), BackupError> {
    match disk.remove(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed.map_err(failed("remove", path)),
    }
}

/// As the journal's own files that are not whole yet.
fn unfinished(target: &Path) -> PathBuf {
    let mut name = target.as_os_str().to_owned();
    name.push(".new");
    PathBuf::from(name)
}

/// BLAKE3 of the first bytes of a file, from the disk: what is in memory says nothing about it. Where that cannot be
/// asked for, it is read as it is.
pub(super) fn hash_of(path: &Path, end: u64) -> Result<blake3::Hash, BackupError> {
    let mut hasher = blake3::Hasher::new();
    let file = regular::open(path).map_err(failed("read", path))?;
    rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed).ok();
    hasher.update_reader(file.take(end)).map_err(failed("read", path))?;
    Ok(hasher.finalize())
}

/// The first page of a file tells files of different logs apart, its last bytes what is in it.
fn ends(path: &Path) -> Result<[Vec<u8>; 2], BackupError> {
    let read = || -> io::Result<[Vec<u8>; 2]> {
        let page = segment::HEADER_BYTES as u64;
        let mut file = regular::open(path)?;
        let (mut first, mut last) = (Vec::new(), Vec::new());
        (&file).take(page).read_to_end(&mut first)?;
        let size = file.seek(SeekFrom::End(0))?;
        file.seek(SeekFrom::Start(size.saturating_sub(page)))?;
        file.read_to_end(&mut last)?;
        Ok([first, last])
    };
    read().map_err(failed("read", path))
}
