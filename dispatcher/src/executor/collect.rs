//! Keeping what an attempt changed: a patch in the blob store, sums and paths in the log.

use regatta_core::event::attempt::{Collected, DiffStat, FILES_LISTED_MAX};
use regatta_core::{BlobRef, SandboxKey};
use regatta_sandboxes::{Ended, Error, Exec, Exit, Provider, Status, Stdio};

use super::sandbox::provider;
use super::{Fatal, Job, World, chain};
use crate::attempt::Command;

/// Largest patch that is kept, in bytes.
pub(super) const PATCH_BYTES_MAX: u64 = 256 << 20;
/// How long collecting may take, in milliseconds.
const COLLECT_TIMEOUT_MS: u64 = 5 * 60 * 1_000;
/// Bytes the collecting command may print.
const COLLECT_OUTPUT_BYTES_MAX: u64 = 1 << 20;
/// Tries of a collect whose runner was lost. Each has its own name, since a command never runs twice under one.
const TRIES_MAX: u32 = 3;

pub(super) async fn collect(world: &World, job: &Job, key: &SandboxKey) -> Result<Command, Fatal> {
    world.failpoints.reach("collect-begun").await;
    let nothing = Collected { epoch: key.epoch, patch: None, stat: DiffStat::default(), files: vec![], failure: None };
    let collected = match try_collect(world, job, key).await {
        Ok(None) => nothing,
        Ok(Some((patch, numstat))) => {
            let (stat, mut files) = world.repositories.read_numstat(&numstat);
            files.truncate(FILES_LISTED_MAX);
            let patch = keep(world, patch).await?;
            Collected { patch, stat, files, ..nothing }
        }
        Err(failure) => {
            let failure = format!("what it changed could not be collected: {failure}");
            Collected { failure: Some(failure), ..nothing }
        }
    };
    world.failpoints.reach("collect-kept").await;
    Ok(Command::Collected(collected))
}

async fn keep(world: &World, patch: Vec<u8>) -> Result<Option<BlobRef>, Fatal> {
    if patch.is_empty() {
        return Ok(None);
    }
    let blobs = world.blobs.clone();
    let kept = tokio::task::spawn_blocking(move || blobs.put(&patch)).await;
    match kept {
        Ok(Ok(name)) => Ok(Some(name)),
        Ok(Err(error)) => Err(Fatal(format!("failed to keep a patch: {}", chain(&error)))),
        Err(error) => Err(Fatal(format!("failed to keep a patch: {error}"))),
    }
}

/// The patch and its numstat; nothing when it is proved that nothing changed.
async fn try_collect(world: &World, job: &Job, key: &SandboxKey) -> Result<Option<(Vec<u8>, Vec<u8>)>, String> {
    let provider = provider(world, job, key)?;
    let sandbox = key.to_string();
    if provider.untouched(&sandbox).await.map_err(|error| chain(&error))? {
        return Ok(None);
    }
    let command = world.repositories.collect_command(&job.facts.repository, &job.facts.base_commit);
    for tries in 1..=TRIES_MAX {
        let exec = Exec {
            name: format!("collect-{tries}"),
            argv: command.argv.clone(),
            env: command.env.clone(),
            env_pass: vec![],
            timeout_ms: COLLECT_TIMEOUT_MS,
            output_bytes_max: COLLECT_OUTPUT_BYTES_MAX,
        };
        provider.start(&sandbox, &exec).await.map_err(|error| chain(&error))?;
        let ended = ended(&*provider, &sandbox, &exec.name).await.map_err(|error| chain(&error))?;
        match ended.exit {
            Exit::Code(0) => {
                let get = |name: &'static str| provider.get(&sandbox, &exec.name, name, PATCH_BYTES_MAX);
                let patch = get("diff.patch").await.map_err(|error| chain(&error))?;
                let numstat = get("numstat").await.map_err(|error| chain(&error))?;
                return Ok(Some((patch, numstat)));
            }
            Exit::Lost => {}
            Exit::Code(_)
            | Exit::Signal(_)
            | Exit::TimedOut
            | Exit::Killed
            | Exit::OverLimit(_)
            | Exit::NotStarted(_) => {
                let said = provider.read(&sandbox, &exec.name, Stdio::Err, 0, 4_096).await.unwrap_or_default();
                return Err(format!("{:?}: {}", ended.exit, String::from_utf8_lossy(&said).trim()));
            }
        }
    }
    Err(format!("its runner was lost {TRIES_MAX} times"))
}

/// Waits until a command has ended.
async fn ended(provider: &dyn Provider, sandbox: &str, exec: &str) -> Result<Ended, Error> {
    loop {
        match provider.status(sandbox, exec).await? {
            Status::Ended(ended) => return Ok(ended),
            Status::NotStarted | Status::Running => provider.changed(sandbox, exec).await,
        }
    }
}
