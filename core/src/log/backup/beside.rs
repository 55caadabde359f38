//! Copying what is kept beside the journal: the blobs its events name, and the archives of what was cleaned. A server may
//! move things from one to the other meanwhile, so what vanishes is passed over.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::Path;

use super::copy::Brought;
use super::{BackupError, Copied, make_folder, whole};
use crate::cleaning;

/// Folder of the blobs in a data directory.
const BLOBS: &str = "blobs";

/// Copies the blobs.
pub(super) fn blobs(from: &Path, to: &Path, copied: &mut Copied) -> Result<(), BackupError> {
    let io = |what, path: &Path| {
        let path = path.to_owned();
        move |source| BackupError::Io { what, path, source }
    };
    let (here, there) = (from.join(BLOBS), to.join(BLOBS));
    if !here.exists() {
        return Ok(());
    }
    for folder in fs::read_dir(&here).map_err(io("list", &here))? {
        let folder = folder.map_err(io("list", &here))?.path();
        if !folder.is_dir() {
            continue;
        }
        let target = there.join(folder.file_name().unwrap_or_default());
        make_folder(&target)?;
        for file in fs::read_dir(&folder).map_err(io("list", &folder))? {
            let source = file.map_err(io("list", &folder))?.path();
            let name = source.file_name().and_then(OsStr::to_str).unwrap_or_default().to_owned();
            // One that begins with a dot is just being written, or was when the power went.
            if !name.starts_with('.') {
                blob(&source, &target.join(&name), &name, copied)?;
            }
        }
    }
    Ok(())
}

fn blob(source: &Path, target: &Path, name: &str, copied: &mut Copied) -> Result<(), BackupError> {
    let Some(brought) = whole_unless_gone(source, target)? else { return Ok(()) };
    if let Brought::Copied { hash, .. } = &brought
        && hash.to_hex().as_str() != name
    {
        copied.damaged.push(name.to_owned());
        let removed = fs::remove_file(target);
        return removed.map_err(|source| BackupError::Io { what: "remove", path: target.to_owned(), source });
    }
    copied.count(brought);
    Ok(())
}

/// Copies the archives of what was cleaned.
pub(super) fn cleaned(from: &Path, to: &Path, copied: &mut Copied) -> Result<(), BackupError> {
    let (here, there) = (from.join(cleaning::FOLDER), to.join(cleaning::FOLDER));
    let io = |source| BackupError::Io { what: "list", path: here.clone(), source };
    if !here.exists() {
        return Ok(());
    }
    make_folder(&there)?;
    for file in fs::read_dir(&here).map_err(io)? {
        let file = file.map_err(io)?;
        // One that begins with a dot is just being written.
        if file.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        // It is gone through twice, and counted once.
        if let Some(brought @ Brought::Copied { .. }) = whole_unless_gone(&file.path(), &there.join(file.file_name()))?
        {
            copied.count(brought);
        }
    }
    Ok(())
}

/// As [`whole`]; nothing when the file was removed meanwhile.
fn whole_unless_gone(source: &Path, target: &Path) -> Result<Option<Brought>, BackupError> {
    match whole(source, target) {
        Err(BackupError::Io { source: error, .. }) if error.kind() == io::ErrorKind::NotFound && !source.exists() => {
            Ok(None)
        }
        brought => brought.map(Some),
    }
}
