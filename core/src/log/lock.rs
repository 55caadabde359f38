//! One writer per data directory: an exclusive lock on `lock`, which holds the writer's process id. Reading takes none.

use std::fs::{File, TryLockError};
use std::io::{Read as _, Write as _};
use std::path::Path;

use super::OpenError;
use super::journal::regular;

/// Name of the file in the data directory.
pub(crate) const NAME: &str = "lock";

/// Held while a log is open for writing; the kernel gives it back when the process ends, however it ends.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock of a data directory.
    pub(crate) fn take(dir: &Path) -> Result<Self, OpenError> {
        let io = |source| OpenError::Io { what: "lock the data directory", source };
        let path = dir.join(NAME);
        let mut options = File::options();
        options.read(true).write(true).create(true).truncate(false);
        let mut file = regular::make_as(&mut options, &path).map_err(io)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(OpenError::Locked { pid: holder(&mut file), dir: dir.to_owned() });
            }
            Err(TryLockError::Error(error)) => return Err(io(error)),
        }
        // Under another name it may be anything; the lock holds without a process id in it.
        if !regular::has_other_names(&file).map_err(io)? {
            // In place: on a full disk, what is given back may not be had again.
            let pid = format!("{}\n", std::process::id());
            file.write_all(pid.as_bytes()).map_err(io)?;
            file.set_len(pid.len() as u64).map_err(io)?;
        }
        Ok(Self { _file: file })
    }
}

/// Whether somebody has the lock of a data directory, and if nobody has, holds it as long as the answer is kept.
pub(crate) fn unused(dir: &Path) -> std::io::Result<Option<Unused>> {
    match regular::open(&dir.join(NAME)) {
        Ok(file) => match file.try_lock() {
            Ok(()) => Ok(Some(Unused { _file: Some(file) })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Some(Unused { _file: None })),
        Err(error) => Err(error),
    }
}

/// Nobody uses the data directory meanwhile.
pub(crate) struct Unused {
    _file: Option<File>,
}

/// The process id in the file; 0 when there is none yet.
fn holder(file: &mut File) -> u32 {
    let mut text = String::new();
    match file.take(32).read_to_string(&mut text) {
        Ok(_) => text.trim().parse().unwrap_or(0),
        Err(_) => 0,
    }
}
