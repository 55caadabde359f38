//! What attempts left behind, for people to look at: asked of git in our own mirror, a few questions at once. Decides
//! nothing and writes nothing of the user's.

mod artifacts;
mod body;

use std::sync::Arc;

use axum::http::StatusCode;
use regatta_core::{BlobRef, Blobs};
use regatta_dispatcher::Refusal;
use regatta_dispatcher::compose;
use regatta_dispatcher::repository::{Error, Merge, Mirror, Repositories};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

pub use artifacts::{ArtifactRow, ArtifactsBody};
pub use body::{ChangedFile, FileChangeHow, FilesBody, HunkRow, HunksBody, MergePreview, MergeRow, MergeState};

use crate::Problem;

/// Questions to git under way at once; past it, whoever asks waits. Each may take a processor.
pub const ASKED_AT_ONCE_MAX: usize = 4;

/// The door to what attempts left behind. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Works {
    repositories: Repositories,
    blobs: Blobs,
    seats: Arc<Semaphore>,
}

/// What one attempt left behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Left {
    /// The user's repository.
    pub(crate) repository: String,
    /// What the patch is against.
    pub(crate) base_commit: String,
    /// Nothing when it changed nothing.
    pub(crate) patch: Option<BlobRef>,
}

impl Works {
    /// Over our mirrors and the patches in `blobs`.
    #[must_use]
    pub fn new(repositories: Repositories, blobs: Blobs) -> Self {
        Self { repositories, blobs, seats: Arc::new(Semaphore::new(ASKED_AT_ONCE_MAX)) }
    }

    /// Waits for a turn; given back when dropped.
    async fn seat(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.seats).acquire_owned().await.ok()
    }

    fn mirror(&self, left: &Left) -> Mirror {
        self.repositories.mirror(left.repository.as_ref())
    }

    async fn patch(&self, left: &Left) -> Result<Vec<u8>, Problem> {
        let Some(patch) = left.patch.clone() else { return Ok(Vec::new()) };
        let blobs = self.blobs.clone();
        let read = tokio::task::spawn_blocking(move || blobs.get(&patch.hash)).await;
        Ok(read.map_err(|error| Problem::internal("read a patch", &error))??)
    }

    /// What can be taken of an attempt.
    pub(crate) async fn hunks(&self, left: &Left) -> Result<HunksBody, Problem> {
        let patch = self.patch(left).await?;
        let files = compose::read(&patch).map_err(|error| Problem::internal("read a patch", &error))?;
        Ok(HunksBody { rows: files.iter().flat_map(HunkRow::of).collect() })
    }

    async fn tree(&self, left: &Left) -> Result<String, Problem> {
        let patch = self.patch(left).await?;
        Ok(self.mirror(left).tree(&left.base_commit, &patch).await?)
    }

    /// How what `new` left differs from what `old` left, as a patch.
    pub(crate) async fn diff(&self, old: &Left, new: &Left) -> Result<Vec<u8>, Problem> {
        let _seat = self.seat().await;
        let (old_tree, new_tree) = (self.tree(old).await?, self.tree(new).await?);
        Ok(self.mirror(new).diff(&old_tree, &new_tree).await?)
    }

    /// Every path an attempt changed.
    pub(crate) async fn files(&self, left: &Left) -> Result<FilesBody, Problem> {
        let _seat = self.seat().await;
        let tree = self.tree(left).await?;
        let changes = self.mirror(left).changes(&left.base_commit, &tree).await?;
        Ok(FilesBody { rows: changes.into_iter().map(ChangedFile::from).collect() })
    }

    /// A file as an attempt left it: its mode and its bytes.
    pub(crate) async fn file(&self, left: &Left, path: &str) -> Result<(String, Vec<u8>), Problem> {
        let _seat = self.seat().await;
        let tree = self.tree(left).await?;
        let file = self.mirror(left).file(&tree, path).await?;
        Ok((file.mode, file.content))
    }

    /// The branch the attempts of a run would be merged into, as it stands now.
    pub(crate) async fn onto(&self, left: &Left, name: &str) -> Result<(String, u64), Problem> {
        let _seat = self.seat().await;
        let onto = self.mirror(left).onto(&left.base_commit, name).await?;
        Ok((onto.commit, onto.behind))
    }

    /// What merging an attempt's work into that commit comes to.
    pub(crate) async fn merge(&self, left: &Left, onto: &str) -> Result<Merge, Problem> {
        let _seat = self.seat().await;
        let tree = self.tree(left).await?;
        Ok(self.mirror(left).merge(&left.base_commit, &tree, onto).await?)
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let (is_missing, is_large) =
            (matches!(error, Error::FileMissing { .. }), matches!(error, Error::TooLarge { .. }));
        let refusal = Refusal::from(error);
        if is_missing || is_large {
            let (status, name) = if is_missing {
                (StatusCode::NOT_FOUND, "not_found")
            } else {
                (StatusCode::PAYLOAD_TOO_LARGE, "too_large")
            };
            return Self { hint: refusal.hint, ..Self::new(status, name, refusal.message) };
        }
        refusal.into()
    }
}
