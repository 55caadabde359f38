//! Reading a folder without changing it: bytes on disk, and whether anything changed since a moment.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use rustix::fs::{AtFlags, FileType, Stat};

use super::{DEPTH_MAX, entries, open_in, too_deep};

/// Bytes a folder takes on disk. What vanishes while it is read does not count.
pub(crate) fn disk_bytes(folder: BorrowedFd<'_>) -> io::Result<u64> {
    below(folder, 0)
}

fn below(folder: BorrowedFd<'_>, depth: usize) -> io::Result<u64> {
    if depth > DEPTH_MAX {
        return Err(too_deep());
    }
    let mut bytes = 0_u64;
    for entry in entries(folder)? {
        let Ok(stat) = rustix::fs::statat(folder, &entry.name, AtFlags::SYMLINK_NOFOLLOW) else {
            continue;
        };
        // The unit of `st_blocks` is 512 bytes whatever the file system.
        bytes = bytes.saturating_add(u64::try_from(stat.st_blocks).unwrap_or_default().saturating_mul(512));
        if entry.kind == FileType::Directory
            && let Ok(inner) = open_in(folder, &entry.name)
        {
            bytes = bytes.saturating_add(below(inner.as_fd(), depth + 1)?);
        }
    }
    Ok(bytes)
}

/// A moment of the file system's clock: seconds and nanoseconds of a change time.
pub(crate) type Moment = (i64, u64);

/// When the inode last changed; unlike the modification time no call sets it.
#[expect(clippy::unnecessary_cast, reason = "the width differs between targets")]
pub(crate) fn changed_at(stat: &Stat) -> Moment {
    (stat.st_ctime as i64, stat.st_ctime_nsec as u64)
}

/// Whether anything in the folder changed at `moment` or later, leaving out `skip` at its top.
///
/// A name that appears, vanishes or moves changes its folder, so looking at what is there now is enough.
pub(crate) fn changed_since(folder: BorrowedFd<'_>, moment: Moment, skip: &std::ffi::CStr) -> io::Result<bool> {
    if changed_at(&rustix::fs::fstat(folder)?) >= moment {
        return Ok(true);
    }
    any_since(folder, moment, Some(skip), 0)
}

fn any_since(folder: BorrowedFd<'_>, moment: Moment, skip: Option<&std::ffi::CStr>, depth: usize) -> io::Result<bool> {
    if depth > DEPTH_MAX {
        return Err(too_deep());
    }
    for entry in entries(folder)? {
        if skip == Some(entry.name.as_c_str()) {
            continue;
        }
        let stat = rustix::fs::statat(folder, &entry.name, AtFlags::SYMLINK_NOFOLLOW)?;
        if changed_at(&stat) >= moment {
            return Ok(true);
        }
        if entry.kind == FileType::Directory
            && any_since(open_in(folder, &entry.name)?.as_fd(), moment, None, depth + 1)?
        {
            return Ok(true);
        }
    }
    Ok(false)
}
