//! Copying a folder with its modes, links and times: by reference where the file system can, else by content.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat, Timespec, Timestamps};

use super::{DEPTH_MAX, entries, open_in, too_deep};

/// Files up to this size are read in one go.
const SMALL_BYTES: usize = 64 * 1024;

/// What a copy remembers from one file to the next.
struct Copying {
    /// Whether the file system shares content between files; asked once.
    can_share: bool,
    /// The permissions a new file does not get by asking for them.
    masked: Mode,
    buffer: Vec<u8>,
}

/// Copies everything in `from` into the empty folder `to`, which was made with every permission: what it lacks is what the
/// process masks from new files.
///
/// # Errors
/// Also for what is neither file, folder nor link: sockets, pipes, devices.
pub(crate) fn copy(from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> io::Result<()> {
    let all = Mode::RWXU | Mode::RWXG | Mode::RWXO;
    let masked = all & !permissions(&rustix::fs::fstat(to)?);
    Copying { can_share: true, masked, buffer: vec![0; SMALL_BYTES] }.folder(from, to, 0)
}

impl Copying {
    fn folder(&mut self, from: BorrowedFd<'_>, to: BorrowedFd<'_>, depth: usize) -> io::Result<()> {
        if depth > DEPTH_MAX {
            return Err(too_deep());
        }
        for entry in entries(from)? {
            match entry.kind {
                FileType::RegularFile => self.file(from, to, &entry.name)?,
                FileType::Symlink => link(from, to, &entry.name)?,
                FileType::Directory => {
                    let source = open_in(from, &entry.name)?;
                    rustix::fs::mkdirat(to, &entry.name, Mode::RWXU)?;
                    let target = open_in(to, &entry.name)?;
                    self.folder(source.as_fd(), target.as_fd(), depth + 1)?;
                }
                FileType::Fifo
                | FileType::Socket
                | FileType::CharacterDevice
                | FileType::BlockDevice
                | FileType::Unknown => return Err(special(&entry.name)),
            }
        }
        let stat = rustix::fs::fstat(from)?;
        rustix::fs::fchmod(to, permissions(&stat))?;
        Ok(rustix::fs::futimens(to, &times(&stat))?)
    }

    fn file(&mut self, from: BorrowedFd<'_>, to: BorrowedFd<'_>, name: &CStr) -> io::Result<()> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let source = rustix::fs::openat(from, name, flags, Mode::empty())?;
        let stat = rustix::fs::fstat(&source)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(special(name));
        }
        let mode = permissions(&stat);
        let target = create(to, name, mode)?;
        if stat.st_size > 0 {
            self.content(source.as_fd(), target.as_fd())?;
        }
        if mode.intersects(self.masked) {
            rustix::fs::fchmod(&target, mode)?;
        }
        Ok(rustix::fs::futimens(&target, &times(&stat))?)
    }

    fn content(&mut self, from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> io::Result<()> {
        if self.can_share {
            if rustix::fs::ioctl_ficlone(to, from).is_ok() {
                return Ok(());
            }
            self.can_share = false;
        }
        loop {
            let read = rustix::io::read(from, self.buffer.as_mut_slice())?;
            let mut rest = self.buffer.get(..read).unwrap_or_default();
            while !rest.is_empty() {
                let written = rustix::io::write(to, rest)?;
                rest = rest.get(written..).unwrap_or_default();
            }
            if read < self.buffer.len() {
                return Ok(());
            }
        }
    }
}

fn create(folder: BorrowedFd<'_>, name: &CStr, mode: Mode) -> io::Result<OwnedFd> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(rustix::fs::openat(folder, name, flags, mode)?)
}

fn link(from: BorrowedFd<'_>, to: BorrowedFd<'_>, name: &CStr) -> io::Result<()> {
    let target = rustix::fs::readlinkat(from, name, Vec::new())?;
    let stat = rustix::fs::statat(from, name, AtFlags::SYMLINK_NOFOLLOW)?;
    rustix::fs::symlinkat(&target, to, name)?;
    Ok(rustix::fs::utimensat(to, name, &times(&stat), AtFlags::SYMLINK_NOFOLLOW)?)
}

fn special(name: &CStr) -> io::Error {
    let text = format!("{} is neither a file, a folder nor a link", name.to_string_lossy());
    io::Error::new(io::ErrorKind::Unsupported, text)
}

/// Without set-user-id, set-group-id and sticky: nothing inside needs them.
fn permissions(stat: &Stat) -> Mode {
    Mode::from_raw_mode(stat.st_mode) & (Mode::RWXU | Mode::RWXG | Mode::RWXO)
}

fn times(stat: &Stat) -> Timestamps {
    let at = |seconds: i64, nanoseconds: u64| Timespec {
        tv_sec: seconds,
        tv_nsec: i64::try_from(nanoseconds).unwrap_or_default(),
    };
    #[expect(clippy::unnecessary_cast, reason = "the width differs between targets")]
    Timestamps {
        last_access: at(stat.st_atime as i64, stat.st_atime_nsec as u64),
        last_modification: at(stat.st_mtime as i64, stat.st_mtime_nsec as u64),
    }
}
