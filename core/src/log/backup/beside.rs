//! Copying what is kept beside the journal: the blobs its events name, and the archives of what was cleaned. A server may
//! move things from one to the other meanwhile, so what vanishes is passed over.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::Path;

use super::bring::Bring;
use super::copy::{Brought, Known, copy, is_there};
use super::{BLOBS, BackupError, Copied, failed, make_folder};
use crate::cleaning;
use crate::log::verify::Damage;

/// Copies the blobs. Each is named by the hash of its content: a damaged one is named and left out; a good copy of it
/// stays.
pub(super) fn blobs(bring: &Bring<'_>, copied: &mut Copied) -> Result<(), BackupError> {
    let (here, there) = (bring.from.join(BLOBS), bring.to.join(BLOBS));
    if !here.exists() {
        return Ok(());
    }
    for folder in fs::read_dir(&here).map_err(failed("list", &here))? {
        let folder = folder.map_err(failed("list", &here))?.path();
        if !folder.is_dir() {
            continue;
        }
        let target = there.join(folder.file_name().unwrap_or_default());
        make_folder(&target)?;
        for file in fs::read_dir(&folder).map_err(failed("list", &folder))? {
            let source = file.map_err(failed("list", &folder))?.path();
            let name = source.file_name().and_then(OsStr::to_str).unwrap_or_default().to_owned();
            // One that begins with a dot is just being written, or was when the power went.
            if !name.starts_with('.') {
                blob(bring, (&source, &target.join(&name)), &name, copied)?;
            }
        }
    }
    Ok(())
}

fn blob(
    bring: &Bring<'_>,
    (source, target): (&Path, &Path),
    name: &str,
    copied: &mut Copied,
) -> Result<(), BackupError> {
    let mut damaged = |reason: &str| {
        let place = source.display().to_string();
        copied.damaged.push(Damage { place, reason: reason.to_owned() });
    };
    let Ok(hash) = name.parse() else {
        damaged("it is not named by a hash");
        return Ok(());
    };
    let known = Known { hash, covered: u64::MAX };
    match whole_unless_gone(bring, source, target, Some(&known)) {
        Ok(Some(brought)) => copied.count(brought),
        Ok(None) => {}
        Err(BackupError::Damaged { .. }) => damaged("its content is not what it is named by"),
        Err(error) => return Err(error),
    }
    Ok(())
}

/// Copies the archives of what was cleaned.
pub(super) fn cleaned(bring: &Bring<'_>, copied: &mut Copied) -> Result<(), BackupError> {
    let (here, there) = (bring.from.join(cleaning::FOLDER), bring.to.join(cleaning::FOLDER));
    if !here.exists() {
        return Ok(());
    }
    make_folder(&there)?;
    for file in fs::read_dir(&here).map_err(failed("list", &here))? {
        let file = file.map_err(failed("list", &here))?;
        // One that begins with a dot is just being written.
        if file.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        let brought = whole_unless_gone(bring, &file.path(), &there.join(file.file_name()), None)?;
        // It is gone through twice, and counted once.
        if let Some(brought @ Brought::Copied { .. }) = brought {
            copied.count(brought);
        }
    }
    Ok(())
}

/// Copies a file that does not change any more, unless it is there; nothing when it was removed meanwhile.
fn whole_unless_gone(
    bring: &Bring<'_>,
    source: &Path,
    target: &Path,
    known: Option<&Known>,
) -> Result<Option<Brought>, BackupError> {
    let bring_it = || {
        if is_there(source, target, known, bring.look)? {
            return Ok(Brought::Kept);
        }
        copy(bring.disk, source, u64::MAX, target, known)
    };
    match bring_it() {
        Err(BackupError::Io { source: error, .. }) if error.kind() == io::ErrorKind::NotFound && !source.exists() => {
            Ok(None)
        }
        brought => brought.map(Some),
    }
}
