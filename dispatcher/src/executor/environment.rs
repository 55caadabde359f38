//! What a command gets of the environment its run declared: plain variables as they are, secrets out of the vault, and
//! nothing that was not declared for that part of the run.

use std::collections::BTreeMap;

use regatta_core::event::attempt::Phase;
use regatta_core::event::run::{Content, Part, Variable};
use regatta_core::event::secret::UsedBy;
use regatta_core::vault::{SecretName, SecretString, VaultError};
use regatta_core::{SandboxKey, Vault};
use regatta_sandboxes::Secrets;

use super::mask::Mask;
use super::{Job, World, agent};

/// What names of variables end in that hold a credential; others that agents are passed hold addresses and the like.
const CREDENTIAL_ENDS: [&str; 2] = ["KEY", "TOKEN"];

/// What one command gets.
#[derive(Default)]
pub(super) struct Given {
    pub(super) plain: BTreeMap<String, String>,
    pub(super) secrets: Secrets,
}

/// Takes what a command gets out of the vault; that it got it is on disk when this returns.
pub(super) async fn give(
    world: &World,
    job: &Job,
    key: &SandboxKey,
    phase: Phase,
    mask: &mut Mask,
) -> Result<Given, String> {
    let part = match phase {
        Phase::Setup => Part::Setup,
        Phase::Agent => Part::Agent,
        Phase::Check(_) => Part::Checks,
    };
    let own = || job.facts.environment.iter().filter(|variable| variable.is_for(part));
    let plain = own().filter_map(|variable| match &variable.content {
        Content::Value(value) => Some((variable.name.clone(), value.clone())),
        Content::Secret(_) => None,
    });
    let by = UsedBy::Attempt { attempt: key.attempt, epoch: key.epoch, phase };
    let (variables, names): (Vec<String>, Vec<SecretName>) = secrets(own()).unzip();
    if names.is_empty() {
        return Ok(Given { plain: plain.collect(), secrets: Secrets::default() });
    }
    let values = world.vault.give(&names, &job.facts.repository, by).await.map_err(|error| told(&error))?;
    // One may have changed since the mask was made.
    names.iter().zip(&values).for_each(|(name, value)| mask.add(name.as_str(), value));
    Ok(Given { plain: plain.collect(), secrets: variables.into_iter().zip(values).collect() })
}

/// The secrets among variables, each with the variable it becomes.
fn secrets<'a>(variables: impl Iterator<Item = &'a Variable>) -> impl Iterator<Item = (String, SecretName)> {
    variables.filter_map(|variable| match &variable.content {
        Content::Secret(secret) => Some((variable.name.clone(), secret.parse().ok()?)),
        Content::Value(_) => None,
    })
}

/// What must not be recorded of an attempt: the secrets of its run, whoever of it got them, and the keys its agent is
/// passed from the server's own environment.
pub(super) async fn mask(world: &World, job: &Job, key: &SandboxKey) -> Mask {
    let mut mask = Mask::default();
    let names: Vec<SecretName> = secrets(job.facts.environment.iter()).map(|(_, name)| name).collect();
    for (name, value) in known(&world.vault, names).await {
        mask.add(name.as_str(), &value);
    }
    let agent = job.entry(key.attempt.slot).and_then(|entry| agent(entry).ok());
    let nothing = regatta_agents::Task { prompt: "", prompt_file: "", model: None };
    let passed = agent.and_then(|agent| agent.start(&nothing).ok()).map(|start| start.env_pass).unwrap_or_default();
    for name in passed.iter().filter(|name| CREDENTIAL_ENDS.iter().any(|end| name.ends_with(end))) {
        if let Ok(value) = std::env::var(name) {
            mask.add(name, &SecretString::from(value));
        }
    }
    mask
}

async fn known(vault: &Vault, names: Vec<SecretName>) -> Vec<(SecretName, SecretString)> {
    if names.is_empty() { Vec::new() } else { vault.known(&names).await }
}

/// What is wrong and what to do, on one line.
pub(super) fn told(error: &VaultError) -> String {
    format!("{}; {}", super::chain(error), error.hint())
}
