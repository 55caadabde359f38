//! The vault's folder: whole files put in place at once, for their owner alone. Knows nothing of what they hold.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use zeroize::Zeroizing;

use super::VaultError;

/// Largest vault file, in bytes: the most secrets of the largest size, sealed and written as text.
const FILE_BYTES_MAX: u64 = 128 << 20;
/// A key file is one short line.
const KEY_FILE_BYTES_MAX: u64 = 256;

/// The folder.
#[derive(Debug, Clone)]
pub(super) struct Folder(PathBuf);

/// A file of the folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Name {
    /// What is sealed.
    Vault,
    /// What it is sealed with.
    Key,
    /// What it will be sealed with in a moment.
    NextKey,
}

impl Name {
    fn as_str(self) -> &'static str {
        match self {
            Self::Vault => "secrets",
            Self::Key => "key",
            Self::NextKey => "key.next",
        }
    }
}

fn disk(action: &'static str) -> impl FnOnce(io::Error) -> VaultError {
    move |source| VaultError::Disk { action, source }
}

impl Folder {
    pub(super) fn new(folder: &Path) -> Self {
        Self(folder.to_owned())
    }

    pub(super) fn path(&self, name: Name) -> PathBuf {
        self.0.join(name.as_str())
    }

    /// Makes it, for its owner alone.
    pub(super) fn make(&self) -> Result<(), VaultError> {
        let make = || {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.0)?;
            self.0.parent().map_or(Ok(()), sync)
        };
        make().map_err(disk("make the vault's folder"))
    }

    /// The vault's file; nothing when there is none.
    pub(super) fn vault(&self) -> Result<Option<Vec<u8>>, VaultError> {
        let read = || self.read(Name::Vault, FILE_BYTES_MAX).map(|read| read.map(|(bytes, _)| bytes.to_vec()));
        read().map_err(disk("read the vault's file"))
    }

    /// A key file's text; nothing when there is none. One that others can read is refused.
    pub(super) fn key(&self, name: Name) -> Result<Option<Zeroizing<String>>, VaultError> {
        let read = self.read(name, KEY_FILE_BYTES_MAX).map_err(disk("read the vault's key"))?;
        let Some((bytes, mode)) = read else { return Ok(None) };
        if mode & 0o077 != 0 {
            return Err(VaultError::KeyOpenToOthers { path: self.path(name), mode: mode & 0o777 });
        }
        Ok(Some(Zeroizing::new(String::from_utf8_lossy(&bytes).into_owned())))
    }

    fn read(&self, name: Name, bytes_max: u64) -> io::Result<Option<(Zeroizing<Vec<u8>>, u32)>> {
        let flags = i32::try_from((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits()).unwrap_or_default();
        let file = match File::options().read(true).custom_flags(flags).open(self.path(name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened?,
        };
        let metadata = file.metadata()?;
        if !metadata.is_file() || metadata.len() > bytes_max {
            return Err(io::Error::other(format!("{} is no file of ours", self.path(name).display())));
        }
        let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or(0)));
        file.take(bytes_max).read_to_end(&mut bytes)?;
        Ok(Some((bytes, metadata.mode())))
    }

    /// Puts a whole file in place at once; it is on disk when this returns.
    pub(super) fn put(&self, name: Name, bytes: &[u8]) -> Result<(), VaultError> {
        let put = || {
            let fresh = self.0.join(format!("{}.new", name.as_str()));
            // One that a crash left may have any mode.
            remove(&fresh)?;
            let mut file = File::options().write(true).create_new(true).mode(0o600).open(&fresh)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            fs::rename(&fresh, self.path(name))?;
            sync(&self.0)
        };
        put().map_err(disk("write the vault"))
    }

    /// Gives a file another one's name, in its place.
    pub(super) fn rename(&self, from: Name, to: Name) -> Result<(), VaultError> {
        let rename = || {
            fs::rename(self.path(from), self.path(to))?;
            sync(&self.0)
        };
        rename().map_err(disk("put the vault's key in place"))
    }

    /// Removes a file; one that is gone already is fine.
    pub(super) fn remove(&self, name: Name) -> Result<(), VaultError> {
        let remove = || {
            remove(&self.path(name))?;
            sync(&self.0)
        };
        remove().map_err(disk("remove an old key of the vault"))
    }

    /// Puts everything that is there aside, under a name that says so; where to.
    pub(super) fn set_aside(&self, now_us: u64) -> Result<Option<PathBuf>, VaultError> {
        if !self.0.exists() {
            return Ok(None);
        }
        let aside = self.0.with_extension(format!("lost-{now_us}"));
        let rename = || {
            fs::rename(&self.0, &aside)?;
            self.0.parent().map_or(Ok(()), sync)
        };
        rename().map_err(disk("put the old vault aside"))?;
        Ok(Some(aside))
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
