//! The mark that a folder is being filled with a log, by a restore, an import or a first backup: made durable before the
//! first event is there and removed after everything is, so that nobody takes half a log for a whole one.

use std::io::{self, Read as _};
use std::path::Path;

use super::OpenError;
use super::journal::{Disk, disk, regular};

/// Name of the file in the data directory.
pub(crate) const NAME: &str = "restoring";
/// Most bytes of it.
const BYTES_MAX: u64 = 128;

const NATS: &str = "nats";
const IMPORT: &str = "import";
const FIRST_BACKUP: &str = "first-backup";

/// Where the events come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// A backup whose last block has this hash, lower-case hex.
    Backup(String),
    /// The stream in NATS.
    Nats,
    /// An export.
    Export,
    /// The log that is backed up there for the first time.
    Log,
}

impl Source {
    fn text(&self) -> &str {
        match self {
            Self::Backup(hash) => hash,
            Self::Nats => NATS,
            Self::Export => IMPORT,
            Self::Log => FIRST_BACKUP,
        }
    }

    fn of(text: &str) -> Self {
        match text.trim_end() {
            NATS => Self::Nats,
            IMPORT => Self::Export,
            FIRST_BACKUP => Self::Log,
            hash => Self::Backup(hash.to_owned()),
        }
    }

    /// What is under way, as the beginning of a sentence.
    pub(crate) fn told(&self) -> &'static str {
        match self {
            Self::Backup(_) => "a restore from a backup",
            Self::Nats => "a restore from NATS",
            Self::Export => "an import",
            Self::Log => "a first backup",
        }
    }
}

/// Whether a restore, an import or a first backup into this folder was begun and did not come to its end.
#[must_use]
pub fn is_restoring(dir: &Path) -> bool {
    dir.join(NAME).exists()
}

/// What was begun.
pub(crate) fn read(dir: &Path) -> io::Result<Option<Source>> {
    let mut text = String::new();
    match regular::open(&dir.join(NAME)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        file => {
            file?.take(BYTES_MAX).read_to_string(&mut text)?;
            Ok(Some(Source::of(&text)))
        }
    }
}

/// Refuses a data directory where something else was begun than what is gone on with.
pub(crate) fn check(dir: &Path, goes_on: Option<&Source>) -> Result<(), OpenError> {
    let begun = read(dir).map_err(|source| OpenError::Io { what: "look for an unfinished restore", source })?;
    match begun {
        Some(begun) if goes_on != Some(&begun) => Err(OpenError::Restoring { what: begun.told(), dir: dir.to_owned() }),
        _ => Ok(()),
    }
}

/// Says that it begins; the mark is on disk when this returns.
pub(crate) fn begin(disk: &dyn Disk, dir: &Path, source: &Source) -> io::Result<()> {
    disk::replace(disk, dir, NAME, &[source.text().as_bytes()])
}

/// Says that everything is there.
pub(crate) fn end(disk: &dyn Disk, dir: &Path) -> io::Result<()> {
    match disk.remove(&dir.join(NAME)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        removed => removed?,
    }
    disk.sync_folder(dir)
}
