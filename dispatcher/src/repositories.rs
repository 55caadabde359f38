//! What the dispatcher needs of repositories. The real one is git ([`crate::repository`]); the simulation brings its
//! own. Knows nothing of runs' states.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use regatta_core::RunId;
use regatta_core::event::attempt::{DiffStat, FileChange};

use crate::{Refusal, Uncommitted};

/// The base of a run, found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Base {
    /// Absolute path of the repository.
    pub repository: String,
    /// What was asked for.
    pub base_ref: String,
    /// The commit.
    pub base_commit: String,
    /// How many uncommitted paths it includes.
    pub uncommitted_included: u32,
}

/// What sandboxes of a run are made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// The folder that becomes each workspace.
    pub seed: PathBuf,
    /// Paths of this machine that must be readable inside.
    pub read_only: Vec<PathBuf>,
}

/// A command that writes `diff.patch` and `numstat` into its outbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CollectCommand {
    /// Program and arguments.
    pub argv: Vec<String>,
    /// Variables.
    pub env: BTreeMap<String, String>,
}

/// Why a repository could not be used for a run under way: why, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unusable(pub String);

/// One branch to be brought into the user's repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The user's repository.
    pub repository: String,
    /// The commit the patch belongs on.
    pub base_commit: String,
    /// `git diff --binary --full-index`.
    pub patch: Vec<u8>,
    /// The branch's name.
    pub branch: String,
    /// The commit's message.
    pub message: String,
    /// The commit's time, in seconds since the Unix epoch: the same try twice makes the same commit.
    pub at_s: u64,
}

/// What the dispatcher needs of repositories. Every call may be made again after a crash.
#[async_trait]
pub trait Repositories: Send + Sync + 'static {
    /// Finds the base of a run about to be requested.
    async fn resolve(&self, repository: &Path, base: Option<&str>, uncommitted: Uncommitted) -> Result<Base, Refusal>;

    /// Pins the base so that it never vanishes, and readies what sandboxes are made from. Cheap when done before.
    async fn prepare(&self, run: RunId, repository: &str, base_commit: &str) -> Result<Start, Unusable>;

    /// The command that collects what an attempt changed.
    fn collect_command(&self, repository: &str, base_commit: &str) -> CollectCommand;

    /// Reads what [`Self::collect_command`] wrote to `numstat`.
    fn read_numstat(&self, numstat: &[u8]) -> (DiffStat, Vec<FileChange>);

    /// Brings a branch into the user's repository; the commit it points to. Never touches the work tree.
    async fn deliver(&self, delivery: Delivery) -> Result<String, Unusable>;
}
