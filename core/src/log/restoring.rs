//! The mark that a data directory is being filled, by a restore or an import: made durable before the first event is
//! there and removed after everything is, so that no server takes half a log for a whole one.

use std::fs;
use std::io::{self, Read as _};
use std::path::Path;

use super::OpenError;
use super::journal::{Disk as _, RealDisk, disk, regular};

/// Name of the file in the data directory.
pub(crate) const NAME: &str = "restoring";
/// Most bytes of it.
const BYTES_MAX: u64 = 128;

const NATS: &str = "nats";
const IMPORT: &str = "import";

/// Where the events come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// A backup whose last block has this hash, lower-case hex.
    Backup(String),
    /// The stream in NATS.
    Nats,
    /// An export.
    Export,
}

impl Source {
    fn text(&self) -> &str {
        match self {
            Self::Backup(hash) => hash,
            Self::Nats => NATS,
            Self::Export => IMPORT,
        }
    }

    fn of(text: &str) -> Self {
        match text.trim_end() {
            NATS => Self::Nats,
            IMPORT => Self::Export,
            hash => Self::Backup(hash.to_owned()),
        }
    }

    /// What is under way, as the beginning of a sentence.
    pub(crate) fn told(&self) -> &'static str {
        match self {
            Self::Backup(_) => "a restore from a backup",
            Self::Nats => "a restore from NATS",
            Self::Export => "an import",
        }
    }
}

/// Whether a restore or an import into this data directory was begun and did not come to its end.
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
pub(crate) fn begin(dir: &Path, source: &Source) -> io::Result<()> {
    disk::replace(&RealDisk, dir, NAME, &[source.text().as_bytes()])
}

/// Says that everything is there.
pub(crate) fn end(dir: &Path) -> io::Result<()> {
    match fs::remove_file(dir.join(NAME)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        removed => removed?,
    }
    RealDisk.sync_folder(dir)
}
