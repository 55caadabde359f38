//! What merging an attempt's work into a branch of the user's would come to, tried in our mirror alone: the user's
//! repository is only read.

use super::error::Error;
use super::git::{SLOW, is_object};
use super::mirror::Mirror;
use super::{EMAIL, NAME, resolve};

/// Conflicting paths that are listed; past it only their number counts.
pub const CONFLICTS_LISTED_MAX: usize = 200;

/// A branch of the user's, as it stands now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Onto {
    /// Its commit.
    pub commit: String,
    /// How many commits it has that the base does not.
    pub behind: u64,
}

/// What a merge comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Merge {
    /// Git can do it alone.
    Clean,
    /// Somebody has to decide in these paths, at most [`CONFLICTS_LISTED_MAX`] of them.
    Conflicts(Vec<String>),
}

impl Mirror {
    /// The commit a name stands for in the user's repository now, brought into the mirror.
    ///
    /// # Errors
    /// When there is no such commit, or the repository is gone.
    pub async fn onto(&self, base_commit: &str, name: &str) -> Result<Onto, Error> {
        let commit = resolve::commit(self.repository(), name).await?;
        self.bring(base_commit).await?;
        self.bring(&commit).await?;
        let count = self.git("count commits").args(["rev-list", "--count", &format!("{base_commit}..{commit}")]);
        let printed = count.output().await?;
        let behind = String::from_utf8_lossy(&printed).trim().parse().unwrap_or(0);
        Ok(Onto { commit, behind })
    }

    /// What merging a tree made from `base_commit` into `onto` comes to.
    ///
    /// # Errors
    /// When git cannot try it: before version 2.38 it does not know how.
    pub async fn merge(&self, base_commit: &str, tree: &str, onto: &str) -> Result<Merge, Error> {
        const WHAT: &str = "try the merge";
        // The same tree makes the same commit, so that looking again adds nothing to the mirror.
        let commit = self.git(WHAT).signed(NAME, EMAIL, 0).args(["commit-tree", "-p", base_commit, tree]);
        let commit = commit.stdin(b"merge preview\n".to_vec()).object().await?;
        let merge = self.git(WHAT).deadline(SLOW).args(["merge-tree", "--write-tree", "-z", "--name-only"]);
        let said = merge.args(["--no-messages", onto, &commit]).said().await?;
        let printed = String::from_utf8_lossy(&said.stdout);
        let mut records = printed.split('\0').filter(|record| !record.is_empty());
        match records.next() {
            Some(merged) if is_object(merged.trim()) && said.ok => Ok(Merge::Clean),
            Some(merged) if is_object(merged.trim()) => {
                Ok(Merge::Conflicts(records.take(CONFLICTS_LISTED_MAX).map(str::to_owned).collect()))
            }
            Some(_) | None => Err(said.failure(WHAT)),
        }
    }
}
