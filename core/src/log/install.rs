//! The name of this installation: drawn once, kept in the data directory, part of every sandbox's name.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use super::journal::{Disk as _, RealDisk, regular};
use crate::{Clock, InstallId};

/// Name of the file in the data directory.
pub(super) const NAME: &str = "install";

/// Why there is no name.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// The file holds something else.
    #[error("the file {NAME} in the data directory holds {0:?}: restore it, or remove it to draw a new name")]
    Damaged(String),
    /// The disk failed.
    #[error("failed to keep the installation's name")]
    Io(#[from] io::Error),
}

/// The name kept in a data directory; drawn when there is none, and on disk when this returns.
///
/// # Errors
/// When the file is damaged or the disk fails.
pub fn install_id(dir: &Path, clock: &dyn Clock) -> Result<InstallId, InstallError> {
    // 40 random bits as eight characters of a-z0-9.
    keep(dir, || clock.run_id().to_string())
}

/// Gives a data directory the name of the installation it is restored from; the name it has then, which is another one
/// when it had one already.
///
/// # Errors
/// As [`install_id`].
pub fn adopt_install(dir: &Path, install: &InstallId) -> Result<InstallId, InstallError> {
    keep(dir, || install.to_string())
}

/// What is in the file.
pub(super) fn text(dir: &Path) -> io::Result<String> {
    let mut text = String::new();
    regular::open(&dir.join(NAME))?.take(64).read_to_string(&mut text)?;
    Ok(text)
}

fn keep(dir: &Path, name: impl FnOnce() -> String) -> Result<InstallId, InstallError> {
    let path = dir.join(NAME);
    if !path.try_exists()? {
        fs::create_dir_all(dir)?;
        let name = name();
        let unfinished = dir.join(format!("{NAME}.{name}"));
        let mut file = File::create(&unfinished)?;
        writeln!(file, "{name}")?;
        file.sync_all()?;
        // Of two that draw at once the first one's name stays.
        match fs::hard_link(&unfinished, &path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error.into()),
            _ => fs::remove_file(&unfinished)?,
        }
        RealDisk.sync_folder(dir)?;
    }
    let text = text(dir)?;
    text.trim_end().parse().map_err(|_| InstallError::Damaged(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SystemClock;

    #[test]
    fn a_name_is_drawn_once_and_kept() {
        let dir = tempfile::tempdir().expect("folder");
        let name = install_id(dir.path(), &SystemClock).expect("drawn");
        assert_eq!(name.as_str().len(), 8);
        assert_eq!(install_id(dir.path(), &SystemClock).expect("kept"), name);
        assert_eq!(fs::read_dir(dir.path()).expect("folder").count(), 1);
    }

    #[test]
    fn a_name_is_adopted_where_there_is_none() {
        let dir = tempfile::tempdir().expect("folder");
        let (first, second): (InstallId, InstallId) = ("abcd".parse().expect("name"), "efgh".parse().expect("name"));
        assert_eq!(adopt_install(dir.path(), &first).expect("adopted"), first);
        assert_eq!(adopt_install(dir.path(), &second).expect("kept"), first);
        assert_eq!(install_id(dir.path(), &SystemClock).expect("kept"), first);
    }

    #[test]
    fn a_damaged_name_is_said_and_not_replaced() {
        let dir = tempfile::tempdir().expect("folder");
        fs::write(dir.path().join(NAME), "../../etc").expect("damage");
        assert!(matches!(install_id(dir.path(), &SystemClock), Err(InstallError::Damaged(_))));
    }
}
