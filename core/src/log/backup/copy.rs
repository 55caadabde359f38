//! Copying one file: whole or not at all, and read back from the disk before it gets its name.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use super::BackupError;
use crate::log::journal::{Disk as _, RealDisk, segment};

/// Bytes read at once.
const STEP_BYTES: usize = 1 << 20;

/// What became of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Brought {
    /// It was there already.
    Kept,
    /// It is there now.
    Copied { bytes: u64, hash: blake3::Hash },
}

/// Whether a file that never changes was copied before. Its first page tells files of different logs apart.
pub(super) fn same(source: &Path, target: &Path) -> Result<bool, BackupError> {
    let found = match fs::metadata(target) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        other => other.map_err(failed("look at", target))?,
    };
    let expected = fs::metadata(source).map_err(failed("look at", source))?;
    if found.len() != expected.len() {
        return Ok(false);
    }
    let page = |path: &Path| -> io::Result<Vec<u8>> {
        let mut page = Vec::new();
        File::open(path)?.take(segment::HEADER_BYTES as u64).read_to_end(&mut page)?;
        Ok(page)
    };
    Ok(page(source).map_err(failed("read", source))? == page(target).map_err(failed("read", target))?)
}

/// Copies a file that does not change any more.
pub(super) fn copy(source: &Path, target: &Path) -> Result<Brought, BackupError> {
    copy_up_to(source, u64::MAX, target)
}

/// Copies the beginning of a file that somebody may be adding to, unless it was copied before.
pub(super) fn copy_part(source: &Path, end: u64, target: &Path) -> Result<Brought, BackupError> {
    let is_there = fs::metadata(target).is_ok_and(|found| found.len() == end);
    if is_there && hash_of(source, end)? == hash_of(target, end)? {
        return Ok(Brought::Kept);
    }
    copy_up_to(source, end, target)
}

fn copy_up_to(source: &Path, end: u64, target: &Path) -> Result<Brought, BackupError> {
    let unfinished = unfinished(target);
    let mut from = File::open(source).map_err(failed("read", source))?.take(end);
    let mut to = File::create(&unfinished).map_err(failed("write", &unfinished))?;
    let mut hasher = blake3::Hasher::new();
    let mut step = vec![0; STEP_BYTES];
    let mut bytes = 0;
    loop {
        let read = from.read(&mut step).map_err(failed("read", source))?;
        let Some(part) = step.get(..read).filter(|part| !part.is_empty()) else { break };
        hasher.update(part);
        to.write_all(part).map_err(failed("write", &unfinished))?;
        bytes += read as u64;
    }
    to.sync_all().map_err(failed("write", &unfinished))?;
    // What is in memory says nothing about the disk; where that cannot be asked for, it is read as it is.
    rustix::fs::fadvise(&to, 0, None, rustix::fs::Advice::DontNeed).ok();
    drop(to);
    let hash = hasher.finalize();
    if hash_of(&unfinished, u64::MAX)? != hash {
        return Err(BackupError::Unfaithful(target.to_owned()));
    }
    fs::rename(&unfinished, target).map_err(failed("name", target))?;
    let folder = target.parent().unwrap_or(target);
    RealDisk.sync_folder(folder).map_err(failed("sync", folder))?;
    Ok(Brought::Copied { bytes, hash })
}

/// As the journal's own files that are not whole yet.
fn unfinished(target: &Path) -> PathBuf {
    let mut name = target.as_os_str().to_owned();
    name.push(".new");
    PathBuf::from(name)
}

fn hash_of(path: &Path, end: u64) -> Result<blake3::Hash, BackupError> {
    let mut hasher = blake3::Hasher::new();
    let file = File::open(path).map_err(failed("read", path))?;
    hasher.update_reader(file.take(end)).map_err(failed("read", path))?;
    Ok(hasher.finalize())
}

fn failed(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> BackupError {
    let path = path.to_owned();
    move |source| BackupError::Io { what, path, source }
}
