//! Brings a patch home: a commit on the base, made in our mirror, then one new branch in the user's repository. Work
//! tree, index, HEAD and every other ref over there stay as they are. Doing it again does nothing.

use std::path::Path;

use super::error::Error;
use super::git::{Git, SLOW, Said};
use super::mirror::Mirror;
use super::{EMAIL, NAME};

/// Longest name of a delivered branch, in bytes.
const BRANCH_BYTES_MAX: usize = 200;

/// What is delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delivery<'a> {
    /// The commit the patch was made against; the mirror has it.
    pub base_commit: &'a str,
    /// What the attempt changed, as collected.
    pub patch: &'a [u8],
    /// Name of the new branch: `regatta/<run>/<slot>`.
    pub branch: &'a str,
    /// The commit's message.
    pub message: &'a str,
    /// When, in milliseconds since the Unix epoch. The same delivery at the same time is the same commit.
    pub at_ms: u64,
}

impl Mirror {
    /// Delivers a patch as a new branch in the user's repository and gives its commit. When the branch is there already
    /// with that very commit, that is success.
    ///
    /// # Errors
    /// When the patch does not apply, the repository is gone, or the branch is taken or checked out.
    pub async fn deliver(&self, delivery: Delivery<'_>) -> Result<String, Error> {
        check_branch(delivery.branch)?;
        if delivery.patch.is_empty() {
            return Err(Error::PatchEmpty);
        }
        let commit = self.commit(delivery).await?;
        // A name of its own in the mirror: what is fetched by it is then pinned as well.
        let pin = format!("refs/regatta-delivered/{}", delivery.branch);
        self.git("keep the delivered commit").args(["update-ref", &pin, &commit]).output().await?;
        self.make_branch(delivery.branch, &commit, &pin).await?;
        Ok(commit)
    }

    async fn commit(&self, delivery: Delivery<'_>) -> Result<String, Error> {
        let tree = self.patched(delivery.base_commit, delivery.patch, &[]).await?;
        let git = self.git("commit the patch").signed(NAME, EMAIL, delivery.at_ms);
        let commit = git.args(["commit-tree", "-p", delivery.base_commit, &tree]);
        commit.stdin(delivery.message.as_bytes().to_vec()).object().await
    }

    async fn make_branch(&self, branch: &str, commit: &str, pin: &str) -> Result<(), Error> {
        if !self.repository().is_dir() {
            return Err(Error::RepositoryGone { path: self.repository().to_owned() });
        }
        let name = format!("refs/heads/{branch}");
        if self.stands_already(branch, &name, commit).await? {
            return Ok(());
        }
        let config = self.places().config.clone();
        let git = |what| Git::ours(self.repository(), &config, what);
        let fetch = git("bring the commit into the repository").deadline(SLOW).args([
            "-c",
            "fetch.fsckObjects=true",
            "fetch",
            "--quiet",
            "--no-tags",
            "--no-write-fetch-head",
            "--no-auto-maintenance",
            "--no-recurse-submodules",
            "--refmap=",
            "--",
        ]);
        fetch.args([self.git_dir().as_os_str(), pin.as_ref()]).output().await?;
        // The commit's own digits as zeros: the branch must not exist at that instant.
        let nothing = "0".repeat(commit.len());
        let update = git("make the branch").signed(NAME, EMAIL, 0);
        let made = update.args(["update-ref", "-m", "regatta: delivered", &name, commit, &nothing]).said().await?;
        if made.ok || self.stands_already(branch, &name, commit).await? {
            return Ok(());
        }
        Err(self.refused(branch, &made))
    }

    /// Whether the branch points to the commit. An error when it points elsewhere, or when somebody stands on it.
    async fn stands_already(&self, branch: &str, name: &str, commit: &str) -> Result<bool, Error> {
        let config = self.places().config.clone();
        let git = |what| Git::ours(self.repository(), &config, what);
        let list = git("look at the branches").args(["for-each-ref", "--format=%(refname) %(objectname)", name]);
        let said = list.said().await?;
        if !said.ok {
            return Err(unopened(self.repository(), &said));
        }
        let printed = String::from_utf8_lossy(&said.stdout);
        let at = printed.lines().filter_map(|line| line.split_once(' ')).find(|(listed, _)| *listed == name);
        if let Some((_, at)) = at {
            let (branch, at) = (branch.to_owned(), at.to_owned());
            return if at == commit { Ok(true) } else { Err(Error::BranchTaken { branch, at }) };
        }
        // A branch without a commit can be checked out; making it would change what its work tree stands on.
        let trees = git("look at the work trees").args(["worktree", "list", "--porcelain"]).output().await?;
        match standing_on(&String::from_utf8_lossy(&trees), name) {
            Some(worktree) => Err(Error::BranchCheckedOut { branch: branch.to_owned(), worktree }),
            None => Ok(false),
        }
    }

    fn refused(&self, branch: &str, said: &Said) -> Error {
        let (path, branch) = (self.repository().to_owned(), branch.to_owned());
        Error::BranchRefused { path, branch, reason: said.reason() }
    }
}

fn unopened(path: &Path, said: &Said) -> Error {
    if said.stderr.contains("not a git repository") {
        Error::RepositoryGone { path: path.to_owned() }
    } else {
        said.failure("look at the branches")
    }
}

/// The work tree that has this branch checked out, as `git worktree list --porcelain` tells.
fn standing_on(printed: &str, name: &str) -> Option<String> {
    let is_on = |tree: &&str| tree.lines().any(|line| line.strip_prefix("branch ") == Some(name));
    let tree = printed.split("\n\n").find(is_on)?;
    tree.lines().find_map(|line| line.strip_prefix("worktree ")).map(str::to_owned)
}

/// Only names that are a branch to every git, and an option or a range to none.
fn check_branch(branch: &str) -> Result<(), Error> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let is_part = |part: &str| {
        !part.is_empty()
            && !part.starts_with(['.', '-'])
            && !part.ends_with('.')
            && !part.ends_with(".lock")
            && !part.contains("..")
            && part.bytes().all(is_plain)
    };
    if branch.len() <= BRANCH_BYTES_MAX && branch.split('/').all(is_part) {
        Ok(())
    } else {
        Err(Error::InvalidBranch { branch: branch.chars().take(80).collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_names_become_branches() {
        for branch in ["regatta/7q2k9x0m/a", "a", "a.b/c-d_e"] {
            assert!(check_branch(branch).is_ok(), "{branch:?}");
        }
        for branch in
            ["", "/a", "a/", "a//b", "-a", "a/-b", ".a", "a..b", "a.lock", "a b", "a\nb", "a:b", "a^", "ü", "a."]
        {
            assert!(check_branch(branch).is_err(), "{branch:?}");
        }
    }

    #[test]
    fn the_work_tree_on_a_branch_is_found() {
        let printed = "worktree /a\nHEAD 12\nbranch refs/heads/main\n\nworktree /b\nHEAD 00\nbranch refs/heads/x\n\n";
        assert_eq!(standing_on(printed, "refs/heads/x").as_deref(), Some("/b"));
        assert_eq!(standing_on(printed, "refs/heads/y"), None);
    }
}
