//! Ready-made work trees of a commit, made once and then copied by the sandbox provider for each attempt. A copy that
//! keeps modification times is seen as clean by git. Made whole or not at all.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, utimensat};

use super::error::Error;
use super::git::{Git, SLOW, is_object};
use super::mirror::{Mirror, object_format};
use super::on_disk;

/// Files of a seed are this much older than the seed, so that git never has to look inside an unchanged one.
const FILES_OLDER: Duration = Duration::from_secs(10);

/// What an agent finds in the repository of its work tree. Never read by us again.
const CONFIG: &str = "\
[core]
	bare = false
	fileMode = true
	logAllRefUpdates = true
	checkStat = minimal
	trustCtime = false
[user]
	name = Regatta
	email = regatta@localhost
[commit]
	gpgSign = false
[gc]
	auto = 0
";

/// A ready-made work tree of a commit, with its own small repository on a branch `regatta`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seed {
    /// The folder to copy, with modes, symbolic links and modification times.
    pub path: PathBuf,
    /// What must be readable in the sandbox, under the same path: the objects it borrows from the mirror.
    pub read_only: Vec<PathBuf>,
}

impl Mirror {
    /// The work tree of a commit the mirror has (see [`Mirror::ensure`]). No git command when it was made before.
    ///
    /// # Errors
    /// When the mirror does not have the commit, or git or the disk fails.
    pub async fn seed(&self, commit: &str) -> Result<Seed, Error> {
        if !is_object(commit) {
            return Err(Error::CommitMissing { path: self.repository().to_owned(), commit: commit.to_owned() });
        }
        let path = self.places().seeds.join(format!("{}-{commit}", self.name()));
        let seed = Seed { path: path.clone(), read_only: vec![self.objects()] };
        if path.is_dir() {
            return Ok(seed);
        }
        let lock = self.lock().await?;
        if !path.is_dir() {
            self.make_seed(commit, path).await?;
        }
        drop(lock);
        Ok(seed)
    }

    async fn make_seed(&self, commit: &str, path: PathBuf) -> Result<(), Error> {
        const WHAT: &str = "make a work tree";
        let (places, objects, mirror, at) = (self.places(), self.objects(), self.git_dir(), commit.to_owned());
        let unfinished = on_disk(WHAT, move || {
            let unfinished = places.unfinished(&places.seeds)?;
            make_git_dir(&unfinished.path.join(".git"), &objects, &mirror, &at)?;
            Ok(unfinished)
        })
        .await?;
        let places = self.places();
        let git = || {
            let git = Git::ours(&unfinished.path, &places.config, WHAT).deadline(SLOW);
            git.env("GIT_DIR", unfinished.path.join(".git")).env("GIT_WORK_TREE", &unfinished.path)
        };
        git().args(["-c", "checkout.workers=0", "read-tree", "--reset", "-u", commit]).output().await?;
        let tree = unfinished.path.clone();
        on_disk(WHAT, move || make_older(&tree)).await?;
        git().args(["update-index", "-q", "--ignore-submodules", "--refresh"]).output().await?;
        on_disk(WHAT, move || unfinished.keep(&path)).await
    }
}

fn make_git_dir(git_dir: &Path, objects: &Path, mirror: &Path, commit: &str) -> io::Result<()> {
    fs::create_dir_all(git_dir.join("objects/info"))?;
    fs::create_dir_all(git_dir.join("objects/pack"))?;
    fs::create_dir_all(git_dir.join("refs/heads"))?;
    fs::write(git_dir.join("objects/info/alternates"), format!("{}\n", objects.display()))?;
    fs::write(git_dir.join("HEAD"), "ref: refs/heads/regatta\n")?;
    fs::write(git_dir.join("refs/heads/regatta"), format!("{commit}\n"))?;
    fs::write(git_dir.join("config"), format!("{}{CONFIG}", object_format(commit.len())))?;
    match fs::copy(mirror.join("shallow"), git_dir.join("shallow")) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Gives every file of the work tree one modification time in whole seconds, before that of the tree itself.
fn make_older(tree: &Path) -> io::Result<()> {
    let made = fs::metadata(tree)?.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
    let older = Timespec { tv_sec: i64::try_from(made.saturating_sub(FILES_OLDER).as_secs()).unwrap_or(0), tv_nsec: 0 };
    let times = Timestamps { last_access: older, last_modification: older };
    let mut folders = vec![tree.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            if folder == tree && entry.file_name() == ".git" {
                continue;
            }
            if entry.file_type()?.is_dir() {
                folders.push(entry.path());
            } else {
                utimensat(CWD, entry.path(), &times, AtFlags::SYMLINK_NOFOLLOW)?;
            }
        }
    }
    Ok(())
}
