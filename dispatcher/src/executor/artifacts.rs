//! Keeping what a command left besides the change: packed inside the sandbox, each file a blob, named in the log.

use std::sync::Arc;

use regatta_core::blob::Keeper;
use regatta_core::event::attempt::{Artifact, ArtifactsCollected, Phase};
use regatta_core::{BlobRef, SandboxKey};
use regatta_sandboxes::{Error, Exec, Exit, Provider, Stdio};

use super::collect::ended;
use super::mask::Mask;
use super::patience::patiently;
use super::sandbox::provider;
use super::{Job, World, chain, environment};
use crate::artifacts::{
    ARTIFACTS_BYTES_MAX, Gathered, Known, LIST_BYTES_MAX, LIST_FILE, PACKING_BYTES_MAX, Source, gather, pack_exec,
    pack_failure,
};

/// Bytes of the packing command's complaints that are looked at.
const COMPLAINTS_BYTES_MAX: usize = 4 << 10;
/// Tries of a command whose runner was lost. Each has its own name, since a command never runs twice under one.
const TRIES_MAX: u32 = 3;

/// What a command that has ended left; nothing when it left nothing new. A failure is a fact, too: it fails no attempt.
pub(super) async fn collect(
    world: &World,
    job: &Job,
    key: &SandboxKey,
    phase: Phase,
) -> Option<Box<ArtifactsCollected>> {
    let mut collected = ArtifactsCollected {
        epoch: key.epoch,
        phase,
        artifacts: vec![],
        omitted: vec![],
        omitted_count: 0,
        failure: None,
        kept_count: 0,
        kept_bytes: 0,
    };
    match try_collect(world, job, key, phase).await {
        Ok(None) => return None,
        Ok(Some((artifacts, Gathered { omitted, omitted_count, .. }))) => {
            collected.artifacts = artifacts;
            collected.omitted = omitted;
            collected.omitted_count = omitted_count;
        }
        Err(failure) => collected.failure = Some(failure),
    }
    let says_nothing = collected.artifacts.is_empty() && collected.omitted_count == 0 && collected.failure.is_none();
    (!says_nothing).then(|| Box::new(collected))
}

async fn try_collect(
    world: &World,
    job: &Job,
    key: &SandboxKey,
    phase: Phase,
) -> Result<Option<(Vec<Artifact>, Gathered)>, String> {
    let provider = provider(world, job, key)?;
    let (sandbox, globs) = (key.to_string(), &job.facts.artifacts);
    let said = |error: Error| chain(&error);
    let name = phase.to_string();
    if globs.is_empty() && patiently(&sandbox, || provider.left_nothing(&sandbox, &name)).await.map_err(said)? {
        return Ok(None);
    }
    let mask = environment::mask(world, job, key).await;
    for tries in 1..=TRIES_MAX {
        let exec = pack_exec(format!("artifacts-{phase}-{tries}"), phase, globs);
        patiently(&sandbox, || provider.start(&sandbox, &exec)).await.map_err(said)?;
        let ended = ended(&*provider, &sandbox, &exec.name).await.map_err(said)?;
        if ended.exit == Exit::Lost {
            continue;
        }
        let complaints = provider.read(&sandbox, &exec.name, Stdio::Err, 0, COMPLAINTS_BYTES_MAX).await;
        if let Some(failure) = pack_failure(&ended.exit, &complaints.unwrap_or_default()) {
            return Err(mask.text(failure));
        }
        let packed = get(&*provider, &sandbox, &exec).await.map_err(said)?;
        world.failpoints.reach("artifacts-packed").await;
        return keep(Arc::clone(&job.kept), phase, packed, job.artifacts.clone(), mask).await.map(Some);
    }
    Err(format!("failed to collect the artifacts: its runner was lost {TRIES_MAX} times"))
}

/// A list and the archives it tells of.
struct Packed {
    list: Vec<u8>,
    archives: Vec<(Source, Vec<u8>)>,
}

async fn get(provider: &dyn Provider, sandbox: &str, exec: &Exec) -> Result<Packed, Error> {
    let get = async |name: &'static str, bytes_max| {
        patiently(sandbox, || provider.get(sandbox, &exec.name, name, bytes_max)).await
    };
    let list = match get(LIST_FILE, LIST_BYTES_MAX).await {
        // Without it, what does not fit is not said; what fits is kept all the same.
        Err(Error::TooLarge { .. }) => vec![],
        list => list?,
    };
    let mut archives = vec![];
    for source in Source::ALL {
        let bytes_max = ARTIFACTS_BYTES_MAX + PACKING_BYTES_MAX;
        match get(source.archive(), bytes_max).await {
            Ok(archive) => archives.push((source, archive)),
            Err(Error::Missing(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(Packed { list, archives })
}

/// Blobs first; the event that names them comes after.
async fn keep(
    keeper: Arc<Keeper>,
    phase: Phase,
    packed: Packed,
    known: Known,
    mask: Mask,
) -> Result<(Vec<Artifact>, Gathered), String> {
    let keep = move || -> Result<(Vec<Artifact>, Gathered), String> {
        let mut gathered = gather(phase, &packed.list, &packed.archives, &known);
        drop(packed);
        mask.withhold(&mut gathered);
        let files = std::mem::take(&mut gathered.files);
        let kept = keeper.put_all(files.iter().map(|file| file.content.as_slice()));
        let kept: Vec<BlobRef> = kept.map_err(|error| format!("failed to keep the artifacts: {}", chain(&error)))?;
        let named = files.into_iter().zip(kept).map(|(file, blob)| Artifact { name: file.name, blob, mode: file.mode });
        Ok((named.collect(), gathered))
    };
    let done = tokio::task::spawn_blocking(keep).await;
    done.map_err(|error| format!("failed to keep the artifacts: {error}"))?
}
