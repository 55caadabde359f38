//! Our own bare copy of a user's repository, so that bases never vanish and nothing of ours is written into it. Made
//! whole or not at all, safe under concurrent runs and after any crash. Never garbage-collected.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use regatta_core::RunId;

use super::error::Error;
use super::git::{Git, SLOW, is_object};
use super::{Places, on_disk};

/// Digits of the path's hash in the name of a mirror.
const NAME_DIGITS: usize = 16;

/// Our own bare copy of one repository. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Mirror {
    places: Arc<Places>,
    repository: PathBuf,
    name: String,
}

impl Mirror {
    pub(super) fn new(places: Arc<Places>, repository: PathBuf) -> Self {
        let hash = blake3::hash(repository.as_os_str().as_encoded_bytes()).to_hex();
        let name = hash.chars().take(NAME_DIGITS).collect();
        Self { places, repository, name }
    }

    /// The user's repository.
    #[must_use]
    pub fn repository(&self) -> &Path {
        &self.repository
    }

    /// The folder of its objects: what a sandbox must be able to read for a seed to work in it.
    #[must_use]
    pub fn objects(&self) -> PathBuf {
        self.git_dir().join("objects")
    }

    /// Makes sure that the mirror has this commit with all its history, and pins it for that run. Makes the mirror when
    /// there is none. One git command when the commit is there already.
    ///
    /// # Errors
    /// When the repository is gone or no longer has the commit, or git fails.
    pub async fn ensure(&self, commit: &str, run: RunId) -> Result<(), Error> {
        let pin = format!("refs/regatta/{run}");
        self.make().await?;
        let pinned = self.git("pin the base").args(["update-ref", &pin, commit]).said().await?;
        if pinned.ok {
            return Ok(());
        }
        self.fetch(commit, &format!("{commit}:{pin}")).await
    }

    /// Makes sure that the mirror has this commit, without pinning it.
    pub(super) async fn bring(&self, commit: &str) -> Result<(), Error> {
        self.make().await?;
        let known = self.git("look for the base").args(["cat-file", "-e", &format!("{commit}^{{commit}}")]);
        if known.said().await?.ok { Ok(()) } else { self.fetch(commit, commit).await }
    }

    async fn fetch(&self, commit: &str, refspec: &str) -> Result<(), Error> {
        let missing = || Error::CommitMissing { path: self.repository.clone(), commit: commit.to_owned() };
        if !is_object(commit) {
            return Err(missing());
        }
        let lock = self.lock().await?;
        let git = self.git("fetch from the repository").deadline(SLOW).args([
            "fetch",
            "--quiet",
            "--no-tags",
            "--no-write-fetch-head",
            "--no-auto-maintenance",
            "--no-recurse-submodules",
            "--update-shallow",
            "--",
        ]);
        let said = git.args([self.repository.as_os_str(), refspec.as_ref()]).said().await?;
        drop(lock);
        if said.ok {
            Ok(())
        } else if !self.repository.exists() {
            Err(Error::RepositoryGone { path: self.repository.clone() })
        } else if said.stderr.contains("not our ref") || said.stderr.contains("remote ref") {
            Err(missing())
        } else {
            Err(said.failure("fetch from the repository"))
        }
    }

    /// Makes the mirror when there is none yet.
    async fn make(&self) -> Result<(), Error> {
        if self.git_dir().is_dir() {
            return Ok(());
        }
        let lock = self.lock().await?;
        if self.git_dir().is_dir() {
            return Ok(());
        }
        if !self.repository.exists() {
            return Err(Error::RepositoryGone { path: self.repository.clone() });
        }
        // Hard links to the user's packs where the file system allows it: fast, small, and they outlive a `git gc`
        // over there. Objects the repository itself borrows from elsewhere must be copied.
        let borrows = !self.clone_to_place(true).await?;
        if borrows && !self.clone_to_place(false).await? {
            let reason = "its objects are spread over other repositories".to_owned();
            return Err(Error::Git { what: "copy the repository", reason });
        }
        drop(lock);
        Ok(())
    }

    /// Whether the clone stands by itself and was put in its place.
    async fn clone_to_place(&self, link: bool) -> Result<bool, Error> {
        let places = Arc::clone(&self.places);
        let unfinished = on_disk("make a mirror", move || places.unfinished(&places.mirrors)).await?;
        let clone = unfinished.path.join("clone");
        let git = Git::ours(&self.places.mirrors, &self.places.config, "copy the repository").deadline(SLOW);
        let git = git.args(["clone", "--quiet", "--bare", "--template="]);
        let git = if link { git } else { git.args(["--no-local"]) };
        let said = git.args([Path::new("--"), &self.repository, &clone]).said().await?;
        if !said.ok {
            // A repack over there can pull files away from under a linking clone; the slow way does not mind.
            return if link { Ok(false) } else { Err(said.failure("copy the repository")) };
        }
        let place = self.git_dir();
        on_disk("make a mirror", move || {
            if clone.join("objects/info/alternates").exists() {
                return Ok(false);
            }
            configure(&clone)?;
            fs::create_dir_all(clone.join("objects/pack"))?;
            // Once per repository: a mirror must never be found half written after a power cut.
            rustix::fs::syncfs(fs::File::open(&clone)?)?;
            fs::rename(&clone, &place)?;
            drop(unfinished);
            Ok(true)
        })
        .await
    }

    pub(super) fn git(&self, what: &'static str) -> Git {
        let git_dir = self.git_dir();
        Git::ours(&git_dir, &self.places.config, what).env("GIT_DIR", &git_dir)
    }

    /// Keeps others from fetching into the same mirror or making the same seed, in any thread; free again when dropped.
    pub(super) async fn lock(&self) -> Result<fs::File, Error> {
        let path = self.places.mirrors.join(format!("{}.lock", self.name));
        on_disk("lock the mirror", move || {
            let file = fs::File::options().create(true).truncate(false).write(true).open(path)?;
            file.lock()?;
            Ok(file)
        })
        .await
    }

    pub(super) fn git_dir(&self) -> PathBuf {
        self.places.mirrors.join(format!("{}.git", self.name))
    }

    pub(super) fn places(&self) -> Arc<Places> {
        Arc::clone(&self.places)
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }
}

/// Replaces what the clone wrote about where it came from by what a mirror needs.
fn configure(clone: &Path) -> io::Result<()> {
    let cloned = fs::read_to_string(clone.join("config"))?;
    let is_sha256 =
        cloned.lines().any(|line| line.trim().to_ascii_lowercase().replace(' ', "") == "objectformat=sha256");
    let format = object_format(if is_sha256 { 64 } else { 40 });
    fs::write(clone.join("config"), format!("[core]\n\tbare = true\n\tlogAllRefUpdates = false\n{format}"))
}

/// Configuration that tells the object format, known by the digits of an object's name.
pub(super) fn object_format(digits: usize) -> &'static str {
    if digits == 64 {
        "[core]\n\trepositoryFormatVersion = 1\n[extensions]\n\tobjectFormat = sha256\n"
    } else {
        "[core]\n\trepositoryFormatVersion = 0\n"
    }
}
