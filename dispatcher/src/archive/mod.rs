//! Archives of what attempts left: where they are, and whose turn it is to make or empty one. What is in a file is the
//! business of [`file`]; whether something may go is decided elsewhere.

pub(crate) mod file;

use std::fs::{DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use regatta_core::AttemptId;
use regatta_core::cleaning::{FOLDER, Owners};
use regatta_core::log::backup::is_inside;
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::{Refusal, RefusalKind};

/// Longest path of a folder for archives, in bytes.
const FOLDER_BYTES_MAX: usize = 4_096;

/// Where archives are. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Archives {
    data_dir: PathBuf,
    /// Who needs which blob, as far as it was looked at: nothing before the first cleaning.
    owners: Arc<Mutex<Owners>>,
}

impl Archives {
    /// Those of a data directory. Touches nothing yet.
    #[must_use]
    pub fn of(data_dir: &Path) -> Self {
        Self { data_dir: data_dir.to_owned(), owners: Arc::default() }
    }

    /// Waits for a turn: what is cleaned or put back is read and written whole, so one attempt at a time.
    pub(crate) async fn turn(&self) -> OwnedMutexGuard<Owners> {
        Arc::clone(&self.owners).lock_owned().await
    }

    /// The path of an attempt's archive as facts name it: absolute, or within the data directory.
    pub(crate) fn path(attempt: AttemptId, to: Option<&str>) -> String {
        format!("{}/{attempt}.tar.zst", to.unwrap_or(FOLDER))
    }

    /// Where a path that a fact names is.
    #[must_use]
    pub fn place(&self, path: &str) -> PathBuf {
        // An absolute one stays as it is.
        self.data_dir.join(path)
    }

    /// Makes our own folder, which only its owner can look into; it is on disk when this returns.
    pub(crate) fn make_folder(&self) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(self.data_dir.join(FOLDER))?;
        File::open(&self.data_dir)?.sync_all()
    }

    /// Whether a folder is on the disk of the data directory, so that an archive there takes room of the log.
    pub(crate) fn is_beside_log(&self, folder: &Path) -> bool {
        let device = |path: &Path| path.metadata().ok().map(|found| found.dev());
        device(folder) == device(&self.data_dir)
    }

    /// Refuses a folder that archives cannot go to.
    pub(crate) fn check(&self, folder: &str) -> Result<(), Refusal> {
        let path = Path::new(folder);
        let refuse = |message: String| {
            Err(Refusal::new(RefusalKind::Invalid, message)
                .hint("name a folder that is there, on the server's machine: /mnt/elsewhere"))
        };
        if folder.len() > FOLDER_BYTES_MAX {
            refuse(format!("the folder's path is longer than {FOLDER_BYTES_MAX} bytes"))
        } else if !path.is_absolute() {
            refuse(format!("{folder:?} is not an absolute path"))
        } else if !path.is_dir() {
            refuse(format!("there is no folder {folder}"))
        } else {
            match is_inside(path, &self.data_dir) {
                Ok(false) => Ok(()),
                Ok(true) => {
                    refuse(format!("{folder} is inside the data directory, which keeps archives in {FOLDER} by itself"))
                }
                Err(error) => refuse(format!("{folder} cannot be looked at: {error}")),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_goes_to_a_folder_that_is_there_and_elsewhere() {
        let folder = tempfile::tempdir().expect("folder");
        let (data, elsewhere) = (folder.path().join("data"), folder.path().join("elsewhere"));
        for made in [&data, &elsewhere] {
            std::fs::create_dir(made).expect("folder");
        }
        std::os::unix::fs::symlink(&data, folder.path().join("link")).expect("link");
        let archives = Archives::of(&data);
        let says = |path: &str| archives.check(path).err().map(|refusal| refusal.message).unwrap_or_default();
        let text = |path: &Path| path.to_str().expect("text").to_owned();
        assert_eq!(says(&text(&elsewhere)), "");
        for (path, then) in [
            ("cleaned".to_owned(), "is not an absolute path"),
            (text(&folder.path().join("nowhere")), "there is no folder"),
            (text(&data), "is inside the data directory"),
            (text(&elsewhere.join("../data")), "is inside the data directory"),
            (text(&folder.path().join("link")), "is inside the data directory"),
            ("/x".repeat(3_000), "is longer than"),
        ] {
            assert!(says(&path).contains(then), "{path}: {}", says(&path));
        }
        let attempt = "7q2k9x0m.b".parse().expect("attempt");
        assert_eq!(archives.place(&Archives::path(attempt, None)), data.join("cleaned/7q2k9x0m.b.tar.zst"));
        let there = archives.place(&Archives::path(attempt, Some("/mnt/x")));
        assert_eq!(there, Path::new("/mnt/x/7q2k9x0m.b.tar.zst"));
    }
}
