//! Where a backup may be made: in a folder that is empty or a backup already, and not inside what is backed up.

use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use super::{BLOBS, BackupError, LATER, failed};
use crate::cleaning;
use crate::log::journal::{RealDisk, anchor, beginning, disk, segment};
use crate::log::{install, lock, restoring, witness};

/// What is in the folder of a backup before there is a log in it.
const BEGUN: [&str; 10] = [
    lock::NAME,
    restoring::NAME,
    LATER,
    install::NAME,
    witness::RECHAINED,
    segment::FOLDER,
    anchor::NAME,
    beginning::NAME,
    BLOBS,
    cleaning::FOLDER,
];

/// Refuses a place that is something else, before anything is made there.
pub(super) fn check(dir: &Path, to: &Path) -> Result<(), BackupError> {
    if is_inside(to, dir).map_err(failed("look for", to))? {
        return Err(BackupError::Other(format!(
            "{} is inside the data directory {}: name a folder elsewhere, best on another disk",
            to.display(),
            dir.display()
        )));
    }
    if holds_log(to) {
        return Ok(());
    }
    let entries = match fs::read_dir(to) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(failed("look into", to))?,
    };
    for entry in entries {
        let name = entry.map_err(failed("look into", to))?.file_name();
        if !BEGUN.iter().any(|known| name == *known || name == *disk::unfinished(known)) {
            return Err(BackupError::Other(format!(
                "{} is neither empty nor a backup: it holds {}; name a folder of its own",
                to.display(),
                name.display()
            )));
        }
    }
    Ok(())
}

/// Whether there is a log, or was one.
pub(super) fn holds_log(dir: &Path) -> bool {
    dir.join(anchor::NAME).exists() || segment::list(&RealDisk, dir).is_ok_and(|found| !found.is_empty())
}

/// Whether a path, in whatever spelling, is a folder or inside of it. Neither has to be there.
///
/// # Errors
/// When the disk fails.
pub fn is_inside(path: &Path, folder: &Path) -> io::Result<bool> {
    Ok(resolved(path)?.starts_with(resolved(folder)?))
}

/// Without links, and without `..` as far as the path is there.
fn resolved(path: &Path) -> io::Result<PathBuf> {
    let path = std::path::absolute(path)?;
    let mut resolved = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => drop(resolved.pop()),
            Component::CurDir => {}
            Component::Normal(_) | Component::RootDir | Component::Prefix(_) => resolved.push(component),
        }
        match fs::canonicalize(&resolved) {
            Ok(found) => resolved = found,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(resolved)
}
