//! Walking folders that strangers wrote: by descriptor, never through a link, with a bound on depth.
//! Knows nothing of sandboxes.

mod copy;
mod measure;
mod remove;

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, RawDir};

pub(crate) use copy::copy;
pub(crate) use measure::{changed_at, changed_since, disk_bytes};
pub(crate) use remove::remove;

/// How deep folders are followed; each level holds one descriptor and one stack frame.
pub(crate) const DEPTH_MAX: usize = 256;
/// One read of a folder's entries.
const ENTRIES_BYTES: usize = 16 * 1024;

/// One name in a folder.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) name: CString,
    pub(crate) kind: FileType,
}

/// Everything in an open folder, in the order of the disk, without `.` and `..`.
pub(crate) fn entries(folder: BorrowedFd<'_>) -> io::Result<Vec<Entry>> {
    let mut buffer = Vec::with_capacity(ENTRIES_BYTES);
    let mut raw = RawDir::new(folder, buffer.spare_capacity_mut());
    let mut found = Vec::new();
    while let Some(entry) = raw.next() {
        let entry = entry?;
        let name = entry.file_name();
        if name == c"." || name == c".." {
            continue;
        }
        found.push(Entry { name: name.to_owned(), kind: entry.file_type() });
    }
    for entry in found.iter_mut().filter(|entry| entry.kind == FileType::Unknown) {
        let stat = rustix::fs::statat(folder, &entry.name, AtFlags::SYMLINK_NOFOLLOW)?;
        entry.kind = FileType::from_raw_mode(stat.st_mode);
    }
    Ok(found)
}

/// Opens a folder by path; a link as the last component is followed, since the path is ours.
pub(crate) fn open(path: &Path) -> io::Result<OwnedFd> {
    Ok(rustix::fs::openat(CWD, path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?)
}

/// Opens a folder in a folder, never through a link.
pub(crate) fn open_in<F: AsFd>(folder: F, name: &CStr) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(rustix::fs::openat(folder, name, flags, Mode::empty())?)
}

/// The error for a folder nested past [`DEPTH_MAX`].
pub(crate) fn too_deep() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, format!("folders are nested deeper than {DEPTH_MAX} levels"))
}
