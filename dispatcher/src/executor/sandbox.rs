//! Making and removing sandboxes.

use std::sync::Arc;
use std::time::Duration;

use regatta_core::SandboxKey;
use regatta_core::event::run::{Content, Part};
use regatta_sandboxes::{Bounds, Created, Error, InboxFile, Provider, Spec, Term, Warm, Wish};

use super::{Job, World, agent, chain, prompt, synthesis};
use crate::attempt::{Command, Failure, Trouble};

/// The file of the inbox that holds the task.
pub(super) const PROMPT_FILE: &str = "prompt.md";
/// What is done in a sandbox beside the phases of its attempt: it is made, waited for while a vendor or an engine is away, and
/// its work collected. In milliseconds.
const ASIDE_MS_MAX: u64 = 24 * 60 * 60 * 1_000;
/// Longest pause between two tries to remove a sandbox.
const DESTROY_PAUSE_MAX: Duration = Duration::from_secs(30);

pub(super) async fn create(world: &World, job: &Job, key: &SandboxKey) -> Command {
    world.failpoints.reach("create-begun").await;
    let made = try_create(world, job, key).await;
    world.failpoints.reach("create-done").await;
    match made {
        Ok(created) => Command::SandboxCreated(key.epoch, created.fence),
        Err(failure) => Command::SandboxFailed(key.epoch, failure),
    }
}

async fn try_create(world: &World, job: &Job, key: &SandboxKey) -> Result<Created, Failure> {
    let final_failure = |reason: String| Failure { reason, trouble: Trouble::Lasting };
    let provider = provider(world, job, key).map_err(final_failure)?;
    let facts = &job.facts;
    let start = world
        .source_control
        .start(&facts.repository, &facts.base_commit)
        .await
        .map_err(|unusable| final_failure(unusable.to_string()))?;
    let entry = job.entry(key.attempt.slot).ok_or_else(|| final_failure("the run has no such slot".to_owned()))?;
    let task = prompt(world, facts).map_err(final_failure)?;
    let mut inbox = vec![InboxFile { name: PROMPT_FILE.to_owned(), content: task.into_bytes() }];
    let mut home_links = vec![];
    match job.synthesis(key.attempt.slot) {
        Some(made) => inbox.push(synthesis::inbox(world, made).await.map_err(final_failure)?),
        None => {
            let agent = agent(entry).map_err(final_failure)?;
            home_links.extend(world.home.as_deref().map(|home| agent.home_links(home)).unwrap_or_default());
        }
    }
    let spec = Spec {
        key: key.to_string(),
        owner: world.install.to_string(),
        seed: start.seed,
        read_only: start.read_only,
        inbox,
        home_links: home_links
            .into_iter()
            .map(|(source, target)| regatta_sandboxes::HomeLink { source, target })
            .collect(),
        network: world.network,
        bounds: Bounds {
            memory_bytes_max: facts.limits.memory_bytes_max,
            processes_max: facts.limits.processes_max,
            disk_bytes_max: facts.limits.disk_bytes_max,
        },
        wish: Wish { place: entry.site().place.map(str::to_owned), model: entry.model.clone() },
        warm: warm(world, job),
        term: Term { epoch: key.epoch, until_ms: Some(world.clock.now_ms().saturating_add(longest_ms(job))) },
    };
    provider.create(&spec).await.map_err(|error| Failure { reason: chain(&error), trouble: trouble(&error) })
}

/// What setup makes of a sandbox of that run; nothing where no setup runs, or it is given secrets: it may write them down, and what
/// is kept outlives the sandbox.
pub(super) fn warm(world: &World, job: &Job) -> Option<Warm> {
    let facts = &job.facts;
    let given: Vec<_> = facts.environment.iter().filter(|variable| variable.is_for(Part::Setup)).collect();
    if given.iter().any(|variable| matches!(variable.content, Content::Secret(_))) {
        return None;
    }
    let parts = (&facts.repository, facts.setup.as_ref()?, &given, world.network);
    let name = blake3::hash(&serde_json::to_vec(&parts).ok()?).to_hex().to_string();
    Some(Warm { name, base: facts.base_commit.to_string() })
}

/// How long everything that is done in a sandbox takes at most, in milliseconds.
fn longest_ms(job: &Job) -> u64 {
    let (limits, checks) = (&job.facts.limits, job.facts.checks.len() as u64);
    let phases = [limits.setup_timeout_ms, limits.agent_timeout_ms, limits.check_timeout_ms.saturating_mul(checks)];
    phases.into_iter().fold(ASIDE_MS_MAX, u64::saturating_add)
}

fn trouble(error: &Error) -> Trouble {
    match error {
        Error::Full { wait_ms, .. } => Trouble::Full { wait_ms: *wait_ms },
        Error::Transient { .. } => Trouble::Passing,
        Error::Unusable { .. } | Error::Missing(_) | Error::TooLarge { .. } => Trouble::Lasting,
    }
}

pub(super) async fn destroy(world: &World, job: &Job, key: &SandboxKey) -> Command {
    world.failpoints.reach("destroy-begun").await;
    if let Ok(provider) = provider(world, job, key) {
        remove(&*provider, key).await;
    }
    world.failpoints.reach("destroy-done").await;
    Command::Destroyed(key.clone())
}

/// Removes a sandbox, however long it takes: a leak is never given up on.
pub(crate) async fn remove(provider: &dyn Provider, key: &SandboxKey) {
    let mut pause = Duration::from_millis(100);
    while let Err(error) = provider.destroy(&key.to_string()).await {
        if matches!(error, Error::Missing(_)) {
            return;
        }
        tracing::warn!(sandbox = %key, error = chain(&error), "sandbox could not be removed, trying again");
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(DESTROY_PAUSE_MAX);
    }
}

/// Who makes this attempt's sandboxes.
pub(super) fn provider(world: &World, job: &Job, key: &SandboxKey) -> Result<Arc<dyn Provider>, String> {
    let name = job.entry(key.attempt.slot).map_or("", |entry| entry.site().provider);
    world.providers.get(name).cloned().ok_or_else(|| format!("sandbox provider {name:?} is not configured here"))
}
