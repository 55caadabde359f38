//! Git as the dispatcher's source control: turns its calls into those of this module, and errors into refusals.

use std::path::Path;

use async_trait::async_trait;
use regatta_core::RunId;
use regatta_core::event::attempt::{DiffStat, FileChange};
use regatta_sandboxes::{Exec, Exit};

use super::{Error, Repositories, Seed, collect_exec, collect_failure, parse_numstat};
use crate::executor::chain;
use crate::source_control::{Base, Delivery, SourceControl, Start, Unusable, Written};
use crate::{Refusal, RefusalKind, Uncommitted};

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self { kind: RefusalKind::Repository, message: chain(&error), hint: error.hint() }
    }
}

impl From<Error> for Unusable {
    fn from(error: Error) -> Self {
        let told = chain(&error);
        Self(error.hint().map_or_else(|| told.clone(), |hint| format!("{told}; {hint}")))
    }
}

fn start(seed: Seed) -> Start {
    Start { seed: seed.path, read_only: seed.read_only }
}

#[async_trait]
impl SourceControl for Repositories {
    async fn resolve(
        &self,
        repository: &Path,
        base: Option<&str>,
        uncommitted: Uncommitted,
        at_ms: u64,
    ) -> Result<Base, Refusal> {
        let found = Self::resolve(self, repository, base, uncommitted, at_ms).await?;
        Ok(Base {
            repository: found.repository.to_string_lossy().into_owned(),
            base_ref: found.base_ref,
            base_commit: found.base_commit,
            uncommitted_included: found.uncommitted_included,
        })
    }

    async fn prepare(&self, run: RunId, repository: &str, base_commit: &str) -> Result<Start, Unusable> {
        let mirror = self.mirror(Path::new(repository));
        mirror.ensure(base_commit, run).await?;
        Ok(start(mirror.seed(base_commit).await?))
    }

    async fn start(&self, repository: &str, base_commit: &str) -> Result<Start, Unusable> {
        Ok(start(self.mirror(Path::new(repository)).seed(base_commit).await?))
    }

    fn collect_exec(&self, repository: &str, base_commit: &str) -> Exec {
        collect_exec(&self.mirror(Path::new(repository)).objects(), base_commit)
    }

    fn collect_failure(&self, exit: &Exit, complaints: &[u8]) -> Option<String> {
        collect_failure(exit, complaints)
    }

    fn read_numstat(&self, numstat: &[u8]) -> Result<(DiffStat, Vec<FileChange>), Unusable> {
        parse_numstat(numstat).map_err(|error| Unusable(error.to_string()))
    }

    async fn compose(&self, repository: &str, base_commit: &str, patch: Vec<u8>) -> Result<Written, Unusable> {
        let mirror = self.mirror(Path::new(repository));
        mirror.bring(base_commit).await?;
        let tree = mirror.patched(base_commit, &patch, &["--unidiff-zero"]).await?;
        let mut stat = DiffStat::default();
        for changed in mirror.changes(base_commit, &tree).await? {
            stat.files = stat.files.saturating_add(1);
            stat.added += changed.added.unwrap_or(0);
            stat.removed += changed.removed.unwrap_or(0);
        }
        Ok(Written { patch: mirror.diff(base_commit, &tree).await?, stat })
    }

    async fn deliver(&self, delivery: Delivery) -> Result<String, Unusable> {
        let mirror = self.mirror(Path::new(&delivery.repository));
        mirror.ensure(&delivery.base_commit, delivery.run).await?;
        let commit = mirror.deliver(super::Delivery {
            base_commit: &delivery.base_commit,
            patch: &delivery.patch,
            branch: &delivery.branch,
            message: &delivery.message,
            at_ms: delivery.at_ms,
        });
        Ok(commit.await?)
    }
}
