//! The one place that touches the world on behalf of a run. Performs an effect, and turns what happened into a wish
//! for a decider. Decides nothing; every effect may be performed again after a crash.

mod artifacts;
mod clean;
mod collect;
mod deliver;
mod enter;
mod environment;
mod follow;
mod mask;
mod patience;
mod phase;
mod sandbox;
mod synthesis;

use std::collections::BTreeMap;
use std::sync::Arc;

use regatta_agents::Agent;
use regatta_core::blob::Keeper;
use regatta_core::cleaning::Cleaning;
use regatta_core::event::attempt::{Channel, Phase};
use regatta_core::event::run::{Prompt, Requested, SynthesisRequested};
use regatta_core::{BlobRef, Blobs, Clock, EventId, InstallId, Log, RunId, SandboxKey, Slot, Vault};
use regatta_sandboxes::Provider;
use uuid::Uuid;

use crate::archive::Archives;
use crate::failpoint::Failpoints;
use crate::race::{Effect, Wish};
use crate::source_control::SourceControl;
use crate::{attempt, run};
pub use enter::Piece;
pub(crate) use enter::{Visit, visit};
pub(crate) use sandbox::remove;

/// Everything outside the dispatcher.
#[derive(Clone)]
pub struct World {
    /// Which installation this is.
    pub install: InstallId,
    /// Where facts go.
    pub log: Arc<dyn Log>,
    /// Where big bytes go.
    pub blobs: Blobs,
    /// Where they go that nobody needs at hand any more.
    pub archives: Archives,
    /// Time and ids.
    pub clock: Arc<dyn Clock>,
    /// Who makes sandboxes, by name.
    pub providers: BTreeMap<String, Arc<dyn Provider>>,
    /// What knows git.
    pub source_control: Arc<dyn SourceControl>,
    /// The home folder whose credentials agents may see, when there is one.
    pub home: Option<std::path::PathBuf>,
    /// Whether attempts may reach the network.
    pub network: bool,
    /// Where secrets come from.
    pub vault: Vault,
    /// Where the simulation may crash us.
    pub failpoints: Failpoints,
}

/// What an effect needs to know of the run when it is performed.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    pub(crate) run: RunId,
    pub(crate) facts: Arc<Requested>,
    pub(crate) requested_at_us: u64,
    pub(crate) correlation: Uuid,
    pub(crate) cause: Option<EventId>,
    /// The next output byte to record, for [`Effect::RunPhase`].
    pub(crate) recorded: BTreeMap<(u32, Phase, Channel), u64>,
    /// Artifacts of the lease that are kept, for [`Effect::RunPhase`] and [`Effect::Collect`].
    pub(crate) artifacts: BTreeMap<String, BlobRef>,
    /// The attempt's patch, for [`Effect::Deliver`].
    pub(crate) patch: Option<BlobRef>,
    /// Attempts of the run that were put together of others.
    pub(crate) added: Vec<Arc<SynthesisRequested>>,
    /// Where what the attempt left is, for [`Effect::Clean`].
    pub(crate) cleaning: Cleaning,
    /// Keeps blobs until the facts that name them are durable.
    pub(crate) kept: Arc<Keeper>,
}

impl Job {
    fn entry(&self, slot: Slot) -> Option<&regatta_core::event::run::Entry> {
        self.facts.attempts.get(slot.index()).or_else(|| self.synthesis(slot).map(|synthesis| &synthesis.entry))
    }

    fn synthesis(&self, slot: Slot) -> Option<&SynthesisRequested> {
        self.added.iter().find(|synthesis| synthesis.slot == slot).map(|synthesis| &**synthesis)
    }
}

/// The log or the disk failed: nothing can be acknowledged any more.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub struct Fatal(pub String);

/// Performs one effect to its end.
pub(crate) async fn perform(world: &World, job: &Job, effect: &Effect) -> Result<Option<Wish>, Fatal> {
    Ok(match effect {
        Effect::Prepare => Some(prepare(world, job).await),
        Effect::CreateSandbox(key) => Some(of(key, sandbox::create(world, job, key).await)),
        Effect::RunPhase(key, phase) => Some(of(key, phase::run(world, job, key, *phase).await?)),
        Effect::Kill(key, phase) => {
            phase::kill(world, job, key, *phase).await;
            None
        }
        Effect::Collect(key) => Some(of(key, collect::collect(world, job, key).await?)),
        Effect::Destroy(key) => Some(of(key, sandbox::destroy(world, job, key).await)),
        Effect::Deliver(slot) => Some(Wish::Run(deliver::deliver(world, job, *slot).await)),
        Effect::Clean(slot, step) => Some(Wish::Run(clean::clean(world, job, *slot, *step).await?)),
    })
}

fn of(key: &SandboxKey, command: attempt::Command) -> Wish {
    Wish::Attempt(key.attempt.slot, command)
}

async fn prepare(world: &World, job: &Job) -> Wish {
    world.failpoints.reach("prepare-begun").await;
    let prepared = world.source_control.prepare(job.run, &job.facts.repository, &job.facts.base_commit).await;
    world.failpoints.reach("prepare-done").await;
    Wish::Run(match prepared {
        Ok(_) => run::Command::Prepared,
        Err(unusable) => run::Command::PrepareFailed(unusable.to_string()),
    })
}

/// The task's text.
fn prompt(world: &World, facts: &Requested) -> Result<String, String> {
    match &facts.prompt {
        Prompt::Inline(text) => Ok(text.clone()),
        Prompt::Blob(blob) => {
            let bytes = world.blobs.get(&blob.hash).map_err(|error| format!("failed to read the prompt: {error}"))?;
            String::from_utf8(bytes).map_err(|_| "failed to read the prompt: not UTF-8".to_owned())
        }
    }
}

fn agent(entry: &regatta_core::event::run::Entry) -> Result<Agent, String> {
    regatta_agents::find(entry).map_err(|error| error.to_string())
}

/// An error with everything that led to it, on one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
