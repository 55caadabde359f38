//! Removing a folder whatever is in it: read-only folders, strange names, trees deeper than a path can say.

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use rustix::fs::{AtFlags, FileType, Mode};
use rustix::io::Errno;

use super::{entries, open_in};

/// Past this depth a folder is first moved to the top, so that descriptors and stack stay bounded.
const LEVELS_MAX: usize = 64;
/// Tries against something that still writes while we remove.
const TRIES_MAX: usize = 16;

/// Removes `name` in `parent` with everything in it. What is gone already counts as removed.
pub(crate) fn remove(parent: BorrowedFd<'_>, name: &CStr) -> io::Result<()> {
    let mut removal = Removal { top: parent, lifted: 0, prefix: name.to_owned() };
    removal.folder(parent, name, 0)?;
    // Only moved folders are left; each may lift more.
    let mut done = 0;
    while done < removal.lifted {
        let lifted = removal.lifted_name(done)?;
        removal.folder(parent, &lifted, 0)?;
        done += 1;
    }
    Ok(())
}

struct Removal<'a> {
    top: BorrowedFd<'a>,
    lifted: usize,
    prefix: CString,
}

impl Removal<'_> {
    fn lifted_name(&self, number: usize) -> io::Result<CString> {
        let mut name = self.prefix.as_bytes().to_vec();
        name.extend_from_slice(format!(".{number}").as_bytes());
        CString::new(name).map_err(io::Error::other)
    }

    fn folder(&mut self, parent: BorrowedFd<'_>, name: &CStr, depth: usize) -> io::Result<()> {
        if depth > LEVELS_MAX {
            return self.lift(parent, name);
        }
        for _ in 0..TRIES_MAX {
            let opened = match open_in(parent, name) {
                Err(error) if error.raw_os_error() == Some(Errno::ACCESS.raw_os_error()) => {
                    rustix::fs::chmodat(parent, name, Mode::RWXU, AtFlags::empty())?;
                    open_in(parent, name)
                }
                opened => opened,
            };
            let folder = match opened {
                Ok(folder) => folder,
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
                Err(error) => return Err(error),
            };
            self.content(folder.as_fd(), depth)?;
            match rustix::fs::unlinkat(parent, name, AtFlags::REMOVEDIR) {
                Ok(()) | Err(Errno::NOENT) => return Ok(()),
                Err(Errno::NOTEMPTY) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Errno::NOTEMPTY.into())
    }

    fn content(&mut self, folder: BorrowedFd<'_>, depth: usize) -> io::Result<()> {
        let mut opened_up = false;
        for entry in entries(folder)? {
            if entry.kind == FileType::Directory {
                if let Err(error) = self.folder(folder, &entry.name, depth + 1) {
                    if error.raw_os_error() != Some(Errno::ACCESS.raw_os_error()) || opened_up {
                        return Err(error);
                    }
                    opened_up = true;
                    rustix::fs::fchmod(folder, Mode::RWXU)?;
                    self.folder(folder, &entry.name, depth + 1)?;
                }
                continue;
            }
            match rustix::fs::unlinkat(folder, &entry.name, AtFlags::empty()) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(Errno::ACCESS) if !opened_up => {
                    opened_up = true;
                    rustix::fs::fchmod(folder, Mode::RWXU)?;
                    rustix::fs::unlinkat(folder, &entry.name, AtFlags::empty())?;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Moves a deep folder next to the one being removed; moving a folder needs the right to write to it.
    fn lift(&mut self, parent: BorrowedFd<'_>, name: &CStr) -> io::Result<()> {
        let to = self.lifted_name(self.lifted)?;
        match rustix::fs::renameat(parent, name, self.top, &to) {
            Err(Errno::ACCESS) => {
                rustix::fs::fchmod(parent, Mode::RWXU)?;
                rustix::fs::chmodat(parent, name, Mode::RWXU, AtFlags::empty())?;
                rustix::fs::renameat(parent, name, self.top, &to)?;
            }
            Err(Errno::NOENT) => return Ok(()),
            moved => moved?,
        }
        self.lifted += 1;
        Ok(())
    }
}
