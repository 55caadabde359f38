//! The attempt decider: every stage of an attempt named, every move legal or refused. Pure; knows no clock, no disk.
//!
//! ```text
//! Queued ─▶ Starting ─▶ Running(setup) ─▶ Running(agent) ─▶ Collecting ─▶ Running(check 0…) ─▶ Finished
//!   ▲          │ transient failure: back in line with the next epoch          a cancel may come at any time
//!   └──────────┘
//! ```

mod decide;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use regatta_core::event::attempt::{
    AttemptEvent, Channel, DiffStat, Exit, Outcome, Phase, PhaseEnded, Queued, Started,
};
use regatta_core::event::sandbox::SandboxEvent;
use regatta_core::{BlobRef, SandboxKey};
use serde::{Deserialize, Serialize};

pub(crate) use decide::nobody_in;
pub use decide::{Command, Failure, Trouble, backoff_ms};

/// An attempt, folded from its own streams: `attempt/…`, `sandbox/…` of its leases, and how far `output/…` got.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// What it is and what it will go through.
    pub facts: Queued,
    /// Where it stands.
    pub stage: Stage,
    /// The lease of the highest epoch so far; 0 before the first.
    pub epoch: u32,
    /// Starts that do not count, because its provider had no room.
    pub spared: u32,
    /// Asked to stop: why.
    pub cancel: Option<String>,
    /// When its first lease began, in µs since the Unix epoch.
    pub started_at_us: Option<u64>,
    /// From its first lease to its end, in ms, once it is over.
    pub elapsed_ms: Option<u64>,
    /// How the agent of this epoch ended.
    pub agent_exit: Option<Exit>,
    /// What it changed, once collected.
    pub stat: DiffStat,
    /// Its patch, once collected and not empty.
    pub patch: Option<BlobRef>,
    /// Artifacts of this epoch that are kept, by name; forgotten when it is over.
    pub artifacts: BTreeMap<String, BlobRef>,
    /// Checks of this epoch that failed so far.
    pub checks_failed: u16,
    /// The sandboxes of its leases that may still exist.
    pub sandboxes: BTreeMap<SandboxKey, SandboxLife>,
    /// Copies of those that people have, with the end of each in ms since the Unix epoch.
    pub forks: BTreeMap<SandboxKey, u64>,
    /// How many copies there ever were.
    pub forks_made: u32,
    /// The next output byte to record, by lease, command and channel.
    #[serde(with = "as_list")]
    pub recorded: BTreeMap<(u32, Phase, Channel), u64>,
}

/// Where an attempt stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stage {
    /// In line.
    Queued {
        /// Why it still is, as last said.
        reason: Option<String>,
        /// Not to be started before, in ms since the Unix epoch.
        not_before_ms: u64,
    },
    /// It has a lease; its sandbox is being made.
    Starting(Lease),
    /// A command is to run, or runs, in its sandbox.
    Running(Lease, Phase),
    /// What it changed is being collected.
    Collecting(Lease),
    /// Over.
    Finished(Outcome),
}

/// The right to act.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// Fencing number.
    pub epoch: u32,
    /// The sandbox it acts in.
    pub sandbox: SandboxKey,
}

/// A sandbox that may exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum SandboxLife {
    /// A provider was to be asked; the answer is not known.
    Intended,
    /// It exists.
    Created,
}

impl Attempt {
    /// An attempt as it was queued.
    #[must_use]
    pub fn queued(facts: Queued) -> Self {
        Self {
            facts,
            stage: Stage::Queued { reason: None, not_before_ms: 0 },
            epoch: 0,
            spared: 0,
            cancel: None,
            started_at_us: None,
            elapsed_ms: None,
            agent_exit: None,
            stat: DiffStat::default(),
            patch: None,
            artifacts: BTreeMap::new(),
            checks_failed: 0,
            sandboxes: BTreeMap::new(),
            forks: BTreeMap::new(),
            forks_made: 0,
            recorded: BTreeMap::new(),
        }
    }

    /// The lease in force.
    #[must_use]
    pub fn lease(&self) -> Option<&Lease> {
        match &self.stage {
            Stage::Starting(lease) | Stage::Running(lease, _) | Stage::Collecting(lease) => Some(lease),
            Stage::Queued { .. } | Stage::Finished(_) => None,
        }
    }

    /// How it ended, when it has.
    #[must_use]
    pub fn outcome(&self) -> Option<&Outcome> {
        match &self.stage {
            Stage::Finished(outcome) => Some(outcome),
            Stage::Queued { .. } | Stage::Starting(_) | Stage::Running(..) | Stage::Collecting(_) => None,
        }
    }

    /// Takes in a fact of the stream `attempt/…`. Facts are folded, never questioned.
    pub fn evolve(&mut self, event: &AttemptEvent, at_us: u64) {
        match event {
            AttemptEvent::Queued(facts) => *self = Self::queued(facts.clone()),
            AttemptEvent::Waiting(waiting) => {
                if let Stage::Queued { reason, .. } = &mut self.stage {
                    *reason = Some(waiting.reason.clone());
                }
            }
            AttemptEvent::Started(started) => self.begin(started, at_us),
            AttemptEvent::PhaseStarted(started) => {
                if let Some(lease) = self.lease().cloned() {
                    self.stage = Stage::Running(lease, started.phase);
                }
            }
            AttemptEvent::PhaseEnded(ended) => self.end_phase(ended),
            AttemptEvent::Output(output) => {
                let next = output.offset + output.bytes.len() as u64;
                self.recorded.insert((output.epoch, output.phase, output.channel), next);
            }
            AttemptEvent::Collected(collected) => {
                self.stat = collected.stat;
                self.patch.clone_from(&collected.patch);
            }
            AttemptEvent::ArtifactsCollected(collected) => {
                let kept = collected.artifacts.iter().map(|artifact| (artifact.name.clone(), artifact.blob.clone()));
                self.artifacts.extend(kept);
            }
            AttemptEvent::RetryScheduled(retry) => {
                self.spared += u32::from(retry.is_spared);
                if self.spared == self.epoch {
                    // It has not really begun.
                    self.started_at_us = None;
                }
                self.stage = Stage::Queued { reason: Some(retry.reason.clone()), not_before_ms: retry.not_before_ms };
            }
            AttemptEvent::CancelRequested(cancel) => self.cancel = Some(cancel.reason.clone()),
            AttemptEvent::Finished(finished) => {
                self.recorded.clear();
                self.artifacts.clear();
                self.elapsed_ms = Some(finished.elapsed_ms);
                self.stage = Stage::Finished(finished.outcome.clone());
            }
        }
    }

    fn begin(&mut self, started: &Started, at_us: u64) {
        self.epoch = started.epoch;
        self.agent_exit = None;
        self.artifacts.clear();
        self.checks_failed = 0;
        self.started_at_us.get_or_insert(at_us);
        self.stage = Stage::Starting(Lease { epoch: started.epoch, sandbox: started.sandbox.clone() });
    }

    fn end_phase(&mut self, ended: &PhaseEnded) {
        match ended.phase {
            Phase::Setup => {}
            Phase::Agent => {
                self.agent_exit = Some(ended.exit.clone());
                if let Some(lease) = self.lease().cloned() {
                    self.stage = Stage::Collecting(lease);
                }
            }
            Phase::Check(_) => self.checks_failed += u16::from(!ended.exit.is_success()),
        }
    }

    /// Takes in a fact of one of its sandboxes' streams.
    pub fn evolve_sandbox(&mut self, event: &SandboxEvent) {
        match event {
            SandboxEvent::Intended(intended) => {
                self.sandboxes.insert(intended.key.clone(), SandboxLife::Intended);
            }
            SandboxEvent::Created(created) => {
                self.sandboxes.insert(created.key.clone(), SandboxLife::Created);
            }
            // What failed may still have left something behind; only a destroy says it is gone.
            SandboxEvent::Failed(_) => {}
            SandboxEvent::Destroyed(destroyed) => {
                self.sandboxes.remove(&destroyed.key);
            }
            SandboxEvent::Reaped(reaped) => {
                self.sandboxes.remove(&reaped.key);
            }
            SandboxEvent::Forked(forked) => {
                self.forks_made += 1;
                self.forks.insert(forked.key.clone(), forked.until_ms);
            }
            SandboxEvent::ForkEnded(ended) => {
                self.forks.remove(&ended.key);
                self.sandboxes.insert(ended.key.clone(), SandboxLife::Created);
            }
            // What a person does in there, is theirs to answer for.
            SandboxEvent::Entered(_) => {}
        }
    }
}

/// In snapshots: a map whose keys are no text, as a list of pairs.
mod as_list {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer, K: Serialize, V: Serialize>(
        map: &BTreeMap<K, V>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(map)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>, K: Deserialize<'de> + Ord, V: Deserialize<'de>>(
        deserializer: D,
    ) -> Result<BTreeMap<K, V>, D::Error> {
        Ok(Vec::<(K, V)>::deserialize(deserializer)?.into_iter().collect())
    }
}
