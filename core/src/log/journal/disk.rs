//! Everything the journal asks of the machine's disk, behind a trait, so that tests can cut the power, fill it and make
//! it lie. Nothing else in the journal names a file. Knows nothing of what is in the files.

use std::fmt::Debug;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;

use super::regular;

/// How much a disk can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// Bytes that can still be written.
    pub free: u64,
    /// Bytes in all.
    pub total: u64,
}

/// A disk: files by path.
///
/// What is written, named or removed may be lost at a power cut until it is synced, all of it or any part.
pub trait Disk: Debug + Send + Sync + 'static {
    /// Opens an existing file for reading.
    ///
    /// # Errors
    /// When it is missing or the disk fails.
    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>>;

    /// Opens an existing file for reading and writing.
    ///
    /// # Errors
    /// As [`Self::open`].
    fn open_to_write(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>>;

    /// Makes a file, or empties the one that is there; never one that a link leads to.
    ///
    /// # Errors
    /// When there is a link, or the disk fails or is full.
    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>>;

    /// Gives a file another name in the same folder, in place of whatever has it.
    ///
    /// # Errors
    /// When it is missing or the disk fails.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file's name.
    ///
    /// # Errors
    /// As [`Self::rename`].
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Names in a folder, in any order.
    ///
    /// # Errors
    /// When it is missing or the disk fails.
    fn list(&self, folder: &Path) -> io::Result<Vec<String>>;

    /// Makes a folder, and those above it, unless they are there.
    ///
    /// # Errors
    /// When the disk fails.
    fn make_folder(&self, folder: &Path) -> io::Result<()>;

    /// Makes the names in a folder durable.
    ///
    /// # Errors
    /// When the disk fails.
    fn sync_folder(&self, folder: &Path) -> io::Result<()>;

    /// How much the disk that holds a folder can hold.
    ///
    /// # Errors
    /// When it cannot be told.
    fn space(&self, folder: &Path) -> io::Result<Space>;
}

/// An open file. It stays open whatever becomes of its name.
pub trait DiskFile: Debug + Send + Sync + 'static {
    /// Reads up to as many bytes as fit; 0 at the end.
    ///
    /// # Errors
    /// When the disk fails.
    fn read(&self, into: &mut [u8], at: u64) -> io::Result<usize>;

    /// Writes all bytes at an offset.
    ///
    /// # Errors
    /// When the disk fails or is full; any part of the bytes may be written then.
    fn write(&self, bytes: &[u8], at: u64) -> io::Result<()>;

    /// Makes the bytes durable, and the size as far as reading them needs it.
    ///
    /// # Errors
    /// When the disk fails. What was written may be lost, whatever a later call says.
    fn sync(&self) -> io::Result<()>;

    /// Makes the bytes and everything the disk knows about the file durable.
    ///
    /// # Errors
    /// As [`Self::sync`].
    fn sync_all(&self) -> io::Result<()>;

    /// Its size in bytes.
    ///
    /// # Errors
    /// When the disk fails.
    fn size(&self) -> io::Result<u64>;

    /// Cuts it, or lengthens it with zeros.
    ///
    /// # Errors
    /// When the disk fails or is full.
    fn set_size(&self, bytes: u64) -> io::Result<()>;
}

/// The machine's own disk.
#[derive(Debug, Clone, Copy, Default)]
pub struct RealDisk;

impl Disk for RealDisk {
    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        Ok(Arc::new(regular::open(path)?))
    }

    fn open_to_write(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        Ok(Arc::new(regular::open_as(File::options().read(true).write(true), path)?))
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        Ok(Arc::new(regular::make(path)?))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        let names = fs::read_dir(folder)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
        names.collect()
    }

    fn make_folder(&self, folder: &Path) -> io::Result<()> {
        fs::create_dir_all(folder)
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        File::open(folder)?.sync_all()
    }

    fn space(&self, folder: &Path) -> io::Result<Space> {
        let stat = rustix::fs::statvfs(folder)?;
        Ok(Space {
            free: stat.f_bavail.saturating_mul(stat.f_frsize),
            total: stat.f_blocks.saturating_mul(stat.f_frsize),
        })
    }
}

impl DiskFile for File {
    fn read(&self, into: &mut [u8], at: u64) -> io::Result<usize> {
        self.read_at(into, at)
    }

    fn write(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        self.write_all_at(bytes, at)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }

    fn sync_all(&self) -> io::Result<()> {
        Self::sync_all(self)
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn set_size(&self, bytes: u64) -> io::Result<()> {
        self.set_len(bytes)
    }
}

/// Reads the first bytes of a file, fewer when it is shorter.
pub(crate) fn read_first(file: &dyn DiskFile, bytes_max: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; bytes_max];
    let read = read_full(file, &mut bytes, 0)?;
    bytes.truncate(read);
    Ok(bytes)
}

/// Reads until the buffer is full or the file ends, and says how much that is.
pub(crate) fn read_full(file: &dyn DiskFile, into: &mut [u8], at: u64) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = into.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read(rest, at + filled as u64) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Puts a whole file, of these parts one after the other, in place of whatever has its name; it is on disk when this
/// returns. Stopped anywhere, one of the two is there, whole.
pub(crate) fn replace(disk: &dyn Disk, folder: &Path, name: &str, parts: &[&[u8]]) -> io::Result<()> {
    let unfinished = folder.join(unfinished(name));
    let file = disk.create(&unfinished)?;
    let mut end = 0;
    for part in parts {
        file.write(part, end)?;
        end += part.len() as u64;
    }
    sync_all(&*file)?;
    disk.rename(&unfinished, &folder.join(name))?;
    disk.sync_folder(folder).map_err(io::Error::other)
}

/// What a file is called while it is written by [`replace`].
pub(crate) fn unfinished(name: &str) -> String {
    format!("{name}.new")
}

/// Syncs a file. A full disk is no excuse here: what a failed sync lost cannot be known, so the error is never of the
/// kind that may be tried again.
pub(crate) fn sync(file: &dyn DiskFile) -> io::Result<()> {
    file.sync().map_err(io::Error::other)
}

/// As [`sync`], with everything the disk knows about the file.
pub(crate) fn sync_all(file: &dyn DiskFile) -> io::Result<()> {
    file.sync_all().map_err(io::Error::other)
}
