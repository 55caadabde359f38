//! Why something about a repository could not be done, and what to do about it.

use std::io;
use std::path::PathBuf;

/// Paths of uncommitted changes named in a refusal; the rest is a number.
pub const DIRTY_NAMED_MAX: usize = 5;

/// Why something about a repository could not be done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The git program is not on the `PATH`.
    #[error("git is not installed or not on the PATH")]
    GitMissing,
    /// Nothing is there.
    #[error("{} does not exist", path.display())]
    PathMissing {
        /// What was given.
        path: PathBuf,
    },
    /// A path that cannot be written into an event or into git's own files.
    #[error("{path:?} cannot be used: a repository's path must be UTF-8 and hold no line break")]
    PathUnsupported {
        /// What was given.
        path: PathBuf,
    },
    /// Something is there, but it is no repository.
    #[error("{} is not a git repository", path.display())]
    NotARepository {
        /// What was given.
        path: PathBuf,
    },
    /// Git refuses to open it, because it belongs to somebody else.
    #[error("{} belongs to another user, and git refuses to open it", path.display())]
    NotOwned {
        /// What was given.
        path: PathBuf,
    },
    /// There is nothing to start from.
    #[error("{} has no commits yet", path.display())]
    NoCommits {
        /// The repository.
        path: PathBuf,
    },
    /// What was given as the base can be no name of a commit.
    #[error("{base_ref:?} cannot be a base")]
    InvalidRef {
        /// What was given, cut.
        base_ref: String,
    },
    /// No commit goes by that name.
    #[error("there is no commit {base_ref:?} in {}", path.display())]
    BaseMissing {
        /// The repository.
        path: PathBuf,
        /// What was given.
        base_ref: String,
        /// Branches and tags that look like it, best first.
        near: Vec<String>,
    },
    /// There are changes that attempts would not see.
    #[error(
        "{} has {count} uncommitted {}: {}",
        path.display(), if *count == 1 { "change" } else { "changes" }, named(first, *count)
    )]
    Dirty {
        /// The repository.
        path: PathBuf,
        /// How many paths.
        count: u32,
        /// The first few, at most [`DIRTY_NAMED_MAX`].
        first: Vec<String>,
    },
    /// Uncommitted changes lie on top of what is checked out, and the base is something else.
    #[error("uncommitted changes lie on top of what is checked out, and {base_ref:?} is another commit")]
    UncommittedElsewhere {
        /// The base asked for.
        base_ref: String,
    },
    /// The commit is neither in the mirror nor in the repository.
    #[error("commit {commit} is no longer in {}", path.display())]
    CommitMissing {
        /// The repository.
        path: PathBuf,
        /// What was looked for.
        commit: String,
    },
    /// The patch has no changes.
    #[error("there is nothing to deliver: the patch is empty")]
    PatchEmpty,
    /// The patch does not apply to its base.
    #[error("the patch does not apply to {base_commit}: {reason}")]
    PatchRefused {
        /// The base.
        base_commit: String,
        /// What git says.
        reason: String,
    },
    /// Not a name we would give a branch.
    #[error("{branch:?} cannot be the name of a delivered branch")]
    InvalidBranch {
        /// What was given, cut.
        branch: String,
    },
    /// A branch of that name points to something else.
    #[error("branch {branch} already exists and points to {at}")]
    BranchTaken {
        /// The branch.
        branch: String,
        /// Where it points to.
        at: String,
    },
    /// Somebody stands on that branch.
    #[error("branch {branch} is checked out at {worktree}")]
    BranchCheckedOut {
        /// The branch.
        branch: String,
        /// Where.
        worktree: String,
    },
    /// The branch cannot be made.
    #[error("branch {branch} cannot be made in {}: {reason}", path.display())]
    BranchRefused {
        /// The repository.
        path: PathBuf,
        /// The branch.
        branch: String,
        /// What git says.
        reason: String,
    },
    /// The repository was there when the run was requested, and is not there now.
    #[error("the repository {} is gone", path.display())]
    RepositoryGone {
        /// Where it was.
        path: PathBuf,
    },
    /// Larger than what is shown.
    #[error("{what} is larger than {} MiB", bytes_max >> 20)]
    TooLarge {
        /// What.
        what: String,
        /// The bound.
        bytes_max: u64,
    },
    /// Not a file of that tree.
    #[error("there is no file {path:?}")]
    FileMissing {
        /// What was looked for, cut.
        path: String,
    },
    /// A git command failed in a way that has no name of its own.
    #[error("failed to {what}: {reason}")]
    Git {
        /// What was being done.
        what: &'static str,
        /// What git says, cut.
        reason: String,
    },
    /// A git command took too long and was stopped.
    #[error("failed to {what} within {after_s} s")]
    TimedOut {
        /// What was being done.
        what: &'static str,
        /// How long it was given, in seconds.
        after_s: u64,
    },
    /// The disk or the machine failed.
    #[error("failed to {what}")]
    Io {
        /// What was being done.
        what: &'static str,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
}

impl Error {
    /// What to do about it; nothing when what git says is all there is.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let fixed = match self {
            Self::GitMissing => "install it (apt install git, brew install git)",
            Self::PathMissing { .. } => "give the path of a git repository",
            Self::PathUnsupported { .. } => "rename the folder",
            Self::NotARepository { .. } => "run `git init` and commit there, or give another path",
            Self::NotOwned { path } => {
                return Some(format!("if you trust it: git config --global --add safe.directory {}", path.display()));
            }
            Self::NoCommits { .. } => "commit something first, attempts start from a commit",
            Self::InvalidRef { .. } => "give a branch, a tag or a commit",
            Self::BaseMissing { near, .. } if near.is_empty() => "`git branch -a` lists the names",
            Self::BaseMissing { near, .. } => return Some(format!("did you mean {}?", near.join(", "))),
            Self::Dirty { .. } => "commit them, or choose with --uncommitted include|ignore",
            Self::UncommittedElsewhere { .. } => "leave out the base, or use --uncommitted ignore",
            Self::CommitMissing { .. } => "start again from a commit that exists",
            Self::InvalidBranch { .. } => "use letters, digits and - _ . /",
            Self::BranchTaken { .. } => "rename or delete it, then deliver again",
            Self::BranchCheckedOut { .. } => "check out another branch there, then deliver again",
            Self::RepositoryGone { .. } => "put it back and deliver again, the patch is kept",
            Self::TooLarge { .. } => "get the patch and look at it with git",
            Self::FileMissing { .. } => "deleted files, folders and submodules have no content",
            Self::TimedOut { .. } => "is the disk slow or the repository locked?",
            Self::PatchEmpty
            | Self::PatchRefused { .. }
            | Self::BranchRefused { .. }
            | Self::Git { .. }
            | Self::Io { .. } => return None,
        };
        Some(fixed.to_owned())
    }

    /// Whether trying again may help, with nothing changed by a person.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::TimedOut { .. } | Self::Io { .. })
    }

    pub(super) fn io(what: &'static str) -> impl Fn(io::Error) -> Self {
        move |source| Self::Io { what, source }
    }
}

fn named(first: &[String], count: u32) -> String {
    let more = usize::try_from(count).unwrap_or(usize::MAX).saturating_sub(first.len());
    let names = first.join(", ");
    if more == 0 { names } else { format!("{names} and {more} more") }
}
