//! Git repositories: where a run starts from, the copies its attempts are given, what they changed, and how the winner
//! is brought home. All by the git command line.
//!
//! Three kinds of repository, three kinds of trust:
//!
//! - the **user's**: only ever read, under the user's own configuration. Its index, work tree, HEAD and refs stay as
//!   they are; a delivery adds objects and one new branch, nothing else;
//! - **ours**: one bare [`Mirror`] per repository and cached work trees (seeds), under our own configuration alone;
//! - the **attempt's**: hostile once its agent has run. It is only ever looked at from inside its sandbox, by
//!   [`collect_exec`], and nothing in its `.git` is read.
//!
//! Knows nothing of runs being decided, of providers, or of the log.

mod collect;
mod deliver;
mod error;
mod git;
mod merge;
mod mirror;
mod numstat;
mod port;
mod resolve;
mod seed;
mod snapshot;
mod status;
mod trees;

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

pub use collect::{
    COLLECT_EXEC, COLLECT_TIMEOUT_MS, NUMSTAT_BYTES_MAX, NUMSTAT_FILE, PATCH_BYTES_MAX, PATCH_FILE, collect_exec,
    collect_failure,
};
pub use deliver::Delivery;
pub use error::{DIRTY_NAMED_MAX, Error};
pub use merge::{CONFLICTS_LISTED_MAX, Merge, Onto};
pub use mirror::Mirror;
pub use numstat::{BrokenNumstat, parse_numstat};
pub use resolve::{Base, REF_BYTES_MAX};
pub use seed::Seed;
pub use trees::{Changed, DIFF_BYTES_MAX, FILE_BYTES_MAX, How, TreeFile};

/// Who signs commits made by Regatta itself.
pub const NAME: &str = "Regatta";
/// The address beside [`NAME`].
pub const EMAIL: &str = "regatta@localhost";

/// Our own folders for repositories, `<data>/repositories` (mirrors) and `<data>/seeds` (work trees). Cheap to clone.
#[derive(Debug, Clone)]
pub struct Repositories {
    places: Arc<Places>,
}

#[derive(Debug)]
struct Places {
    mirrors: PathBuf,
    seeds: PathBuf,
    /// Our whole git configuration, see [`CONFIG`].
    config: PathBuf,
    unfinished: AtomicU64,
    /// Trees by the mirror, base and patch they were made of.
    trees: Mutex<HashMap<String, String>>,
}

/// What our git commands are told beside their arguments. The user may have trusted a repository of another owner, which
/// git asked about when it was resolved.
const CONFIG: &str = "\
[safe]
	directory = *
[core]
	attributesFile = /dev/null
	excludesFile = /dev/null
	autocrlf = false
[init]
	templateDir =
	defaultBranch = regatta
[user]
	name = Regatta
	email = regatta@localhost
[commit]
	gpgSign = false
[advice]
	defaultBranchName = false
";

/// Folders being made carry this prefix until they are whole.
const UNFINISHED: &str = ".unfinished-";
/// Names the start of the machine under which the seeds were made.
const BOOT_FILE: &str = ".boot";

impl Repositories {
    /// Opens the folders under `data`, making them when missing. Call it once per start of the server: it removes what
    /// an earlier one left half made, and seeds made before the machine last started (they are never flushed to disk).
    ///
    /// # Errors
    /// When the folders cannot be made or written.
    pub fn open(data: &Path) -> Result<Self, Error> {
        let failed = Error::io("open the folders for repositories");
        let data = std::path::absolute(data).map_err(&failed)?;
        if data.to_str().is_none_or(|path| path.contains('\n')) {
            return Err(Error::PathUnsupported { path: data });
        }
        let (mirrors, seeds) = (data.join("repositories"), data.join("seeds"));
        fs::create_dir_all(&mirrors).map_err(&failed)?;
        fs::create_dir_all(&seeds).map_err(&failed)?;
        forget_old_seeds(&seeds).map_err(&failed)?;
        for root in [&mirrors, &seeds] {
            remove_entries(root, |name| name.starts_with(UNFINISHED)).map_err(&failed)?;
        }
        let config = mirrors.join("gitconfig");
        write_whole(&config, CONFIG.as_bytes()).map_err(&failed)?;
        let (unfinished, trees) = (AtomicU64::new(0), Mutex::default());
        Ok(Self { places: Arc::new(Places { mirrors, seeds, config, unfinished, trees }) })
    }

    /// The mirror of the repository at this path, as it stands in [`Base::repository`]. Touches nothing yet.
    #[must_use]
    pub fn mirror(&self, repository: &Path) -> Mirror {
        Mirror::new(Arc::clone(&self.places), repository.to_owned())
    }
}

impl Places {
    /// A fresh folder under `root`, removed with everything in it unless it is [`Unfinished::keep`]-ed.
    fn unfinished(&self, root: &Path) -> io::Result<Unfinished> {
        let n = self.unfinished.fetch_add(1, Ordering::Relaxed);
        let path = root.join(format!("{UNFINISHED}{}-{n}", std::process::id()));
        if path.exists() {
            fs::remove_dir_all(&path)?;
        }
        fs::create_dir(&path)?;
        Ok(Unfinished { path })
    }
}

/// A folder that goes away unless it is kept.
#[derive(Debug)]
struct Unfinished {
    path: PathBuf,
}

impl Unfinished {
    /// Moves the folder to its final place. Whoever was first wins; both made the same.
    fn keep(self, place: &Path) -> io::Result<()> {
        match fs::rename(&self.path, place) {
            Err(_) if place.is_dir() => Ok(()),
            other => other,
        }
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // After a rename nothing is left; otherwise the next start removes what could not be removed now.
        drop(fs::remove_dir_all(&self.path));
    }
}

fn forget_old_seeds(seeds: &Path) -> io::Result<()> {
    let boot = fs::read("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let marker = seeds.join(BOOT_FILE);
    if fs::read(&marker).is_ok_and(|made_under| made_under == boot) {
        return Ok(());
    }
    remove_entries(seeds, |_| true)?;
    write_whole(&marker, &boot)
}

fn remove_entries(root: &Path, doomed: impl Fn(&str) -> bool) -> io::Result<()> {
    for entry in fs::read_dir(root)? {
        let entry = entry?;
        if entry.file_name().to_str().is_some_and(&doomed) {
            if entry.file_type()?.is_dir() { fs::remove_dir_all(entry.path())? } else { fs::remove_file(entry.path())? }
        }
    }
    Ok(())
}

/// Writes a file that is never seen half written.
fn write_whole(path: &Path, content: &[u8]) -> io::Result<()> {
    let unfinished = path.with_extension("unfinished");
    fs::write(&unfinished, content)?;
    fs::rename(&unfinished, path)
}

/// Runs file work off the event loop.
async fn on_disk<T: Send + 'static>(
    what: &'static str,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, Error> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other).flatten().map_err(Error::io(what))
}
