//! What the dispatcher needs of source control. The real one is git ([`crate::repository`]); the simulation brings its
//! own. Knows nothing of runs' states.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use regatta_core::RunId;
use regatta_core::event::attempt::{DiffStat, FileChange};
use regatta_sandboxes::{Exec, Exit};

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

/// Why a repository could not be used for a run under way: why, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unusable(pub String);

/// One branch to be brought into the user's repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The user's repository.
    pub repository: String,
    /// The run it belongs to.
    pub run: RunId,
    /// The commit the patch belongs on.
    pub base_commit: String,
    /// `git diff --binary --full-index`.
    pub patch: Vec<u8>,
    /// The branch's name.
    pub branch: String,
    /// The commit's message.
    pub message: String,
    /// The commit's time, in ms since the Unix epoch: the same try twice makes the same commit.
    pub at_ms: u64,
}

/// A change as git writes it, with sums over it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// `git diff --binary --full-index`.
    pub patch: Vec<u8>,
    /// Sums.
    pub stat: DiffStat,
}

/// What the dispatcher needs of source control. Every call may be made again after a crash.
#[async_trait]
pub trait SourceControl: Send + Sync + 'static {
    /// Finds the base of a run about to be requested at `at_ms`.
    async fn resolve(
        &self,
        repository: &Path,
        base: Option<&str>,
        uncommitted: Uncommitted,
        at_ms: u64,
    ) -> Result<Base, Refusal>;

    /// Pins the base so that it never vanishes, and readies what sandboxes are made from.
    async fn prepare(&self, run: RunId, repository: &str, base_commit: &str) -> Result<Start, Unusable>;

    /// What sandboxes are made from, once prepared. Cheap.
    async fn start(&self, repository: &str, base_commit: &str) -> Result<Start, Unusable>;

    /// The command that collects what an attempt changed: it writes `diff.patch` and `numstat` into its outbox.
    fn collect_exec(&self, repository: &str, base_commit: &str) -> Exec;

    /// Why collecting failed, for people; nothing when it did not. `complaints` is what it printed as errors.
    fn collect_failure(&self, exit: &Exit, complaints: &[u8]) -> Option<String>;

    /// Reads what the collecting command wrote to `numstat`.
    fn read_numstat(&self, numstat: &[u8]) -> Result<(DiffStat, Vec<FileChange>), Unusable>;

    /// Writes a patch without context, made for exactly that base, as git writes it.
    async fn compose(&self, repository: &str, base_commit: &str, patch: Vec<u8>) -> Result<Written, Unusable>;

    /// Brings a branch into the user's repository; the commit it points to. Never touches the work tree.
    async fn deliver(&self, delivery: Delivery) -> Result<String, Unusable>;
}
