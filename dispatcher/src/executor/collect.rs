//! Keeping what an attempt changed: a patch in the blob store, sums and paths in the log.

use std::sync::Arc;

use regatta_core::event::attempt::{Collected, DiffStat, FILES_LISTED_MAX, FileChange, Phase};
use regatta_core::{BlobRef, SandboxKey};
use regatta_sandboxes::{Ended, Error, Exec, Exit, Provider, Status, Stdio};

use super::patience::patiently;
use super::sandbox::provider;
use super::{Fatal, Job, World, artifacts, chain, environment};
use crate::attempt::Command;
use crate::repository::{NUMSTAT_FILE, PATCH_BYTES_MAX, PATCH_FILE};

/// Name of the command that collects what setup changed.
const BASELINE: &str = "baseline";
/// Bytes of the collecting command's complaints that are looked at.
const COMPLAINTS_BYTES_MAX: usize = 4 << 10;
/// Tries of a collect whose runner was lost. Each has its own name, since a command never runs twice under one.
const TRIES_MAX: u32 = 3;

pub(super) async fn collect(world: &World, job: &Job, key: &SandboxKey) -> Result<Command, Fatal> {
    world.failpoints.reach("collect-begun").await;
    let mut collected =
        Collected { epoch: key.epoch, patch: None, stat: DiffStat::default(), files: vec![], failure: None };
    match try_collect(world, job, key).await {
        Ok(None) => {}
        Ok(Some(change)) => {
            collected.stat = change.stat;
            collected.files = change.files;
            collected.files.truncate(FILES_LISTED_MAX);
            collected.patch = keep(job, change.patch).await?;
        }
        Err(failure) => collected.failure = Some(failure),
    }
    world.failpoints.reach("collect-kept").await;
    let artifacts = artifacts::collect(world, job, key, Phase::Agent).await;
    Ok(Command::Collected(collected, artifacts))
}

/// What an attempt changed.
struct Change {
    patch: Vec<u8>,
    stat: DiffStat,
    files: Vec<FileChange>,
}

async fn keep(job: &Job, patch: Vec<u8>) -> Result<Option<BlobRef>, Fatal> {
    if patch.is_empty() {
        return Ok(None);
    }
    let keeper = Arc::clone(&job.kept);
    let kept = tokio::task::spawn_blocking(move || keeper.put(&patch)).await;
    match kept {
        Ok(Ok(name)) => Ok(Some(name)),
        Ok(Err(error)) => Err(Fatal(format!("failed to keep a patch: {}", chain(&error)))),
        Err(error) => Err(Fatal(format!("failed to keep a patch: {error}"))),
    }
}

/// What changed; nothing when it is proved that nothing did.
async fn try_collect(world: &World, job: &Job, key: &SandboxKey) -> Result<Option<Change>, String> {
    let provider = provider(world, job, key)?;
    let sandbox = key.to_string();
    let said = |error: Error| chain(&error);
    if patiently(&sandbox, || provider.untouched(&sandbox)).await.map_err(said)? {
        return Ok(None);
    }
    let mask = environment::mask(world, job, key).await;
    let exec = world.source_control.collect_exec(&job.facts.repository, &job.facts.base_commit);
    for tries in 1..=TRIES_MAX {
        let exec = Exec { name: format!("collect-{tries}"), ..exec.clone() };
        patiently(&sandbox, || provider.start(&sandbox, &exec)).await.map_err(said)?;
        let ended = ended(&*provider, &sandbox, &exec.name).await.map_err(said)?;
        if ended.exit == Exit::Lost {
            continue;
        }
        let complaints = provider.read(&sandbox, &exec.name, Stdio::Err, 0, COMPLAINTS_BYTES_MAX).await;
        if let Some(failure) = world.source_control.collect_failure(&ended.exit, &complaints.unwrap_or_default()) {
            return Err(mask.text(failure));
        }
        let get = async |name: &'static str| {
            patiently(&sandbox, || provider.get(&sandbox, &exec.name, name, PATCH_BYTES_MAX)).await
        };
        let patch = get(PATCH_FILE).await.map_err(said)?;
        if let Some(secret) = mask.found_in(&patch) {
            return Err(format!("it holds the value of the secret `{secret}`, so nothing of it is kept"));
        }
        // What setup did is not the agent's work.
        if job.facts.setup.is_some()
            && provider.get(&sandbox, BASELINE, PATCH_FILE, PATCH_BYTES_MAX).await.ok().as_ref() == Some(&patch)
        {
            return Ok(None);
        }
        let numstat = get(NUMSTAT_FILE).await.map_err(said)?;
        let (stat, files) = world.source_control.read_numstat(&numstat).map_err(|unusable| unusable.to_string())?;
        return Ok(Some(Change { patch, stat, files }));
    }
    Err(format!("its runner was lost {TRIES_MAX} times"))
}

/// Collects what setup changed, before the agent begins, so that an agent that does nothing can be told. A baseline that
/// is missing only means that its changes count as the agent's.
pub(super) async fn baseline(world: &World, job: &Job, key: &SandboxKey, provider: &dyn Provider) {
    let exec = world.source_control.collect_exec(&job.facts.repository, &job.facts.base_commit);
    let exec = Exec { name: BASELINE.to_owned(), ..exec };
    let sandbox = key.to_string();
    let done = match patiently(&sandbox, || provider.start(&sandbox, &exec)).await {
        Ok(()) => ended(provider, &sandbox, BASELINE).await.map(drop),
        Err(error) => Err(error),
    };
    if let Err(error) = done {
        tracing::warn!(sandbox, error = chain(&error), "what setup changed is not known apart");
    }
}

/// Waits until a command has ended.
pub(super) async fn ended(provider: &dyn Provider, sandbox: &str, exec: &str) -> Result<Ended, Error> {
    loop {
        match patiently(sandbox, || provider.status(sandbox, exec)).await? {
            Status::Ended(ended) => return Ok(ended),
            Status::NotStarted | Status::Running => provider.changed(sandbox, exec).await,
        }
    }
}
