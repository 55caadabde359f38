//! Segments of a backup that follow one that is damaged: they cannot be joined to the log that is there, which stays one
//! that can be restored, so they wait in a folder of their own until what is before them can be brought.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::bring::Bring;
use super::{BackupError, Copied, failed, make_folder};
use crate::Seq;
use crate::log::journal::reader::Segment;
use crate::log::journal::segment::{self, Form};
use crate::log::journal::{Disk as _, RealDisk};

/// The folder in a backup; within, the files are where they are in a data directory.
pub const LATER: &str = "later";

fn folder(to: &Path) -> PathBuf {
    to.join(LATER)
}

/// Brings segments, the last one up to `end`. Those that are damaged, too, are left out.
pub(super) fn bring(
    bring: &Bring<'_>,
    segments: &[Arc<Segment>],
    end: u64,
    copied: &mut Copied,
) -> Result<(), BackupError> {
    let to = folder(bring.to);
    make_folder(&to.join(segment::FOLDER))?;
    let bring = Bring { to: &to, ..*bring };
    for (number, segment) in segments.iter().enumerate() {
        let first = segment.header.first_seq;
        match bring.segment(segment, segments.get(number + 1).map(|next| &**next), end) {
            Ok(brought) => {
                copied.count(brought);
                // The form it had before.
                bring.remove(first, if segment.sealed.is_some() { Form::Written } else { Form::Sealed })?;
            }
            Err(error) => copied.damaged.push(bring.damage(error)?),
        }
    }
    Ok(())
}

/// The first event that waits.
pub(super) fn first(to: &Path) -> Result<Option<Seq>, BackupError> {
    let to = folder(to);
    if !to.exists() {
        return Ok(None);
    }
    let waiting = segment::list(&RealDisk, &to).map_err(failed("list", &to))?;
    Ok(waiting.first().map(|named| Seq(named.first)))
}

/// A segment is where it belongs: it waits no longer.
pub(super) fn remove(bring: &Bring<'_>, first: u64) -> Result<(), BackupError> {
    let to = folder(bring.to);
    let bring = Bring { to: &to, ..*bring };
    [Form::Written, Form::Sealed].into_iter().try_for_each(|form| bring.remove(first, form))
}

/// Nothing waits any more; what is left of files that were being written goes, too.
pub(super) fn end(bring: &Bring<'_>) -> Result<(), BackupError> {
    let to = folder(bring.to);
    match fs::remove_dir_all(&to) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed.and_then(|()| RealDisk.sync_folder(bring.to)).map_err(failed("remove", &to)),
    }
}
