//! How facts become attempts. Each attempt holds a bounded amount: tails have a maximum, paths and checks too.

use std::collections::BTreeMap;

use regatta_core::event::attempt::{
    ArtifactsCollected, AttemptEvent, Channel, Collected, Exit, Output, Phase, PhaseEnded, Queued, Started,
};
use regatta_core::event::delivery::DeliveryEvent;
use regatta_core::event::run::{CHECKS_MAX, Check, Entry, Prompt, Requested, RunEvent, TakenHunk};
use regatta_core::event::sandbox::SandboxEvent;
use regatta_core::{AttemptId, BlobRef, Envelope, Event, RunId, SandboxKey, Seq, Slot};
use serde::{Deserialize, Serialize};

use super::left::KeptLeft;
use super::usage::Used;
use super::{ArtifactsView, AttemptState, ChangesView, CheckState, DeliveredView, DiscardView};
use crate::projection::{Fact, Fold, Stray, Subject};
use crate::shelf::Shelf;
use crate::tail::Tail;

/// Bytes of output kept of the setup command and the agent together.
pub const OUTPUT_TAIL_BYTES_MAX: usize = 8 << 10;
/// Bytes of output kept of each check.
pub const CHECK_TAIL_BYTES_MAX: usize = 2 << 10;
/// Bytes kept of each of them once the run is long over.
pub const LAST_WORDS_BYTES_MAX: usize = 256;

/// Every attempt there ever was. Those of runs long over are packed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Attempts {
    pub(super) runs: Shelf<KeptRun>,
}

/// The attempts of a run, and what they need to know of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct KeptRun {
    pub(super) checks: Vec<Check>,
    /// When it is kept as a blob.
    pub(super) prompt: Option<BlobRef>,
    pub(super) winner: Option<Slot>,
    /// What attempts that were put together are made of.
    pub(super) made_of: BTreeMap<Slot, Vec<TakenHunk>>,
    /// And the patches they were put together to.
    pub(super) put_together: BTreeMap<Slot, BlobRef>,
    pub(super) attempts: BTreeMap<Slot, Kept>,
}

/// One attempt, as it is remembered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Kept {
    pub(super) entry: Entry,
    pub(super) state: AttemptState,
    pub(super) epoch: u32,
    pub(super) starts_used: u32,
    pub(super) starts_max: u32,
    pub(super) sandbox: Option<SandboxKey>,
    pub(super) queued_at_us: u64,
    pub(super) started_at_us: Option<u64>,
    pub(super) finished: Option<KeptEnd>,
    /// What was seen under the lease in force; a new lease begins anew.
    pub(super) lease: KeptLease,
    /// Whether its run recorded that it ended with changes, so that there is something to deliver.
    pub(super) has_work: bool,
    /// Whether its run recorded its end.
    pub(super) is_recorded: bool,
    pub(super) discarded: Option<DiscardView>,
    /// What its agents used, under all leases.
    pub(super) used: Used,
    pub(super) delivery: Option<KeptDelivery>,
    pub(super) left: KeptLeft,
    pub(super) last_seq: Seq,
    pub(super) last_event_at_us: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct KeptEnd {
    pub(super) at_us: u64,
    pub(super) elapsed_ms: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct KeptLease {
    pub(super) fence: Option<String>,
    pub(super) setup_exit: Option<Exit>,
    pub(super) agent_exit: Option<Exit>,
    pub(super) agent_elapsed_ms: Option<u64>,
    pub(super) checks: Vec<KeptCheck>,
    pub(super) changes: Option<ChangesView>,
    pub(super) artifacts: Option<ArtifactsView>,
    pub(super) out_bytes: u64,
    pub(super) err_bytes: u64,
    pub(super) oom_kills: u64,
    pub(super) tail: Tail,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct KeptCheck {
    pub(super) state: CheckState,
    pub(super) exit: Option<Exit>,
    pub(super) elapsed_ms: Option<u64>,
    pub(super) tail: Tail,
}

/// Where the latest try to deliver it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum KeptDelivery {
    Intended,
    Delivered(DeliveredView),
    Failed,
}

impl Fold for Attempts {
    fn fold(&mut self, fact: &Fact<'_>) -> Result<(), Stray> {
        match (fact.event, fact.subject) {
            (Event::Run(event), Subject::Run(run)) => self.fold_run(run, event, fact.envelope),
            (Event::Attempt(AttemptEvent::Queued(queued)), Subject::Attempt(id)) => {
                self.fold_queued(id, queued, fact.envelope)
            }
            (Event::Attempt(event), Subject::Attempt(id)) => {
                let kept = self.attempt(id).ok_or(Stray)?;
                kept.touch(fact.envelope);
                kept.fold(event, fact.envelope.at_us);
                Ok(())
            }
            (Event::Sandbox(event), Subject::Attempt(id)) => {
                // A sandbox whose attempt this log does not know may be reaped.
                if let Some(kept) = self.attempt(id) {
                    kept.touch(fact.envelope);
                    kept.fold_sandbox(event);
                }
                Ok(())
            }
            (Event::Delivery(event), Subject::Run(_)) => self.fold_delivery(event, fact.envelope),
            (Event::Cleaning(event), Subject::Run(_)) => {
                let kept = self.attempt(event.attempt()).ok_or(Stray)?;
                kept.touch(fact.envelope);
                kept.left.fold(event, fact.envelope);
                Ok(())
            }
            (
                Event::Gateway(_)
                | Event::Approval(_)
                | Event::Rule(_)
                | Event::Config(_)
                | Event::User(_)
                | Event::Secret(_)
                | Event::Log(_)
                | Event::Unknown { .. },
                _,
            ) => Ok(()),
            (Event::Run(_) | Event::Attempt(_) | Event::Sandbox(_) | Event::Delivery(_) | Event::Cleaning(_), _) => {
                Err(Stray)
            }
        }
    }
}

impl Attempts {
    fn attempt(&mut self, id: AttemptId) -> Option<&mut Kept> {
        self.runs.get_mut(id.run)?.attempts.get_mut(&id.slot)
    }

    /// Packs the attempts of a run. Of what they printed their last words stay; the log has all of it.
    pub(crate) fn pack(&mut self, run: RunId) {
        if self.runs.get_open(run).is_some()
            && let Some(kept_run) = self.runs.get_mut(run)
        {
            kept_run.attempts.values_mut().for_each(|kept| kept.lease.shorten());
            self.runs.pack(run);
        }
    }

    fn fold_run(&mut self, run: RunId, event: &RunEvent, envelope: &Envelope) -> Result<(), Stray> {
        if let RunEvent::Requested(requested) = event {
            self.runs.insert(run, KeptRun::begun(requested));
            return Ok(());
        }
        let kept_run = self.runs.get_mut(run).ok_or(Stray)?;
        match event {
            RunEvent::Decided(decided) => kept_run.winner = decided.winner,
            RunEvent::AttemptEnded(ended) => {
                let kept = kept_run.attempts.get_mut(&ended.slot).ok_or(Stray)?;
                kept.has_work = ended.stat.files > 0;
                kept.is_recorded = true;
            }
            RunEvent::SynthesisRequested(synthesis) => {
                kept_run.made_of.insert(synthesis.slot, synthesis.hunks.clone());
                kept_run.put_together.insert(synthesis.slot, synthesis.patch.clone());
            }
            RunEvent::AttemptDiscarded(discarded) => {
                let kept = kept_run.attempts.get_mut(&discarded.slot).ok_or(Stray)?;
                let (reason, by) = (discarded.reason.clone(), envelope.actor.clone());
                kept.discarded = Some(DiscardView { reason, by, at_us: envelope.at_us });
            }
            RunEvent::DiscardUndone(undone) => {
                kept_run.attempts.get_mut(&undone.slot).ok_or(Stray)?.discarded = None;
            }
            RunEvent::Requested(_) | RunEvent::Prepared(_) | RunEvent::CancelRequested(_) | RunEvent::Finished(_) => {}
        }
        Ok(())
    }

    fn fold_queued(&mut self, id: AttemptId, queued: &Queued, envelope: &Envelope) -> Result<(), Stray> {
        let kept_run = self.runs.get_mut(id.run).ok_or(Stray)?;
        let checks = usize::from(queued.checks).min(CHECKS_MAX);
        let kept = Kept {
            entry: queued.entry.clone(),
            state: AttemptState::Queued { reason: None },
            epoch: 0,
            starts_used: 0,
            starts_max: queued.starts_max,
            sandbox: None,
            queued_at_us: envelope.at_us,
            started_at_us: None,
            finished: None,
            lease: KeptLease::begun(checks),
            has_work: false,
            is_recorded: false,
            discarded: None,
            used: Used::default(),
            delivery: None,
            left: KeptLeft::default(),
            last_seq: envelope.seq,
            last_event_at_us: envelope.at_us,
        };
        kept_run.attempts.insert(id.slot, kept);
        Ok(())
    }

    fn fold_delivery(&mut self, event: &DeliveryEvent, envelope: &Envelope) -> Result<(), Stray> {
        let (id, delivery) = match event {
            DeliveryEvent::Intended(intended) => (intended.attempt, KeptDelivery::Intended),
            DeliveryEvent::Delivered(delivered) => {
                let view = DeliveredView { branch: delivered.branch.clone(), commit: delivered.commit.clone() };
                (delivered.attempt, KeptDelivery::Delivered(view))
            }
            DeliveryEvent::Failed(failed) => (failed.attempt, KeptDelivery::Failed),
        };
        let kept = self.attempt(id).ok_or(Stray)?;
        kept.touch(envelope);
        kept.delivery = Some(delivery);
        Ok(())
    }
}

impl KeptRun {
    fn begun(requested: &Requested) -> Self {
        let prompt = match &requested.prompt {
            Prompt::Blob(blob) => Some(blob.clone()),
            Prompt::Inline(_) => None,
        };
        let (made_of, put_together, attempts) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Self { checks: requested.checks.clone(), prompt, winner: None, made_of, put_together, attempts }
    }
}

impl Kept {
    fn touch(&mut self, envelope: &Envelope) {
        self.last_seq = envelope.seq;
        self.last_event_at_us = envelope.at_us;
    }

    fn fold(&mut self, event: &AttemptEvent, at_us: u64) {
        self.state.evolve(event);
        self.left.take(event);
        match event {
            AttemptEvent::Started(started) => self.start(started, at_us),
            AttemptEvent::PhaseStarted(started) if started.epoch == self.epoch => {
                if let Some(check) = self.lease.check(started.phase) {
                    check.state = CheckState::Running;
                }
            }
            AttemptEvent::Output(output) if output.epoch == self.epoch => {
                self.lease.print(output);
                if output.phase == Phase::Agent && output.channel == Channel::Out {
                    self.used.read(&self.entry.agent, &output.bytes);
                }
            }
            AttemptEvent::PhaseEnded(ended) if ended.epoch == self.epoch => self.lease.end(ended),
            AttemptEvent::Collected(collected) if collected.epoch == self.epoch => self.lease.collect(collected),
            AttemptEvent::ArtifactsCollected(collected) if collected.epoch == self.epoch => self.lease.keep(collected),
            AttemptEvent::Finished(finished) => {
                self.finished = Some(KeptEnd { at_us, elapsed_ms: finished.elapsed_ms });
                self.lease.settle();
                self.used.settle(&self.entry.agent);
            }
            AttemptEvent::RetryScheduled(retry) if retry.is_spared => {
                self.starts_used = self.starts_used.saturating_sub(1);
                if self.starts_used == 0 {
                    // It has not really begun.
                    self.started_at_us = None;
                }
            }
            AttemptEvent::PhaseStarted(_)
            | AttemptEvent::Output(_)
            | AttemptEvent::PhaseEnded(_)
            | AttemptEvent::Collected(_)
            | AttemptEvent::ArtifactsCollected(_)
            | AttemptEvent::Queued(_)
            | AttemptEvent::Waiting(_)
            | AttemptEvent::RetryScheduled(_)
            | AttemptEvent::CancelRequested(_) => {}
        }
    }

    fn start(&mut self, started: &Started, at_us: u64) {
        self.epoch = started.epoch;
        self.starts_used += 1;
        self.started_at_us.get_or_insert(at_us);
        self.sandbox = Some(started.sandbox.clone());
        self.lease = KeptLease::begun(self.lease.checks.len());
        self.used.begin(&self.entry.agent);
    }

    fn fold_sandbox(&mut self, event: &SandboxEvent) {
        if let SandboxEvent::Created(created) = event
            && created.key.epoch == self.epoch
        {
            self.lease.fence = Some(created.fence.clone());
        }
    }
}

impl KeptLease {
    fn begun(checks: usize) -> Self {
        let check = KeptCheck { state: CheckState::Pending, exit: None, elapsed_ms: None, tail: Tail::default() };
        Self { checks: vec![check; checks], ..Self::default() }
    }

    fn check(&mut self, phase: Phase) -> Option<&mut KeptCheck> {
        match phase {
            Phase::Check(index) => self.checks.get_mut(usize::from(index)),
            Phase::Setup | Phase::Agent => None,
        }
    }

    fn print(&mut self, output: &Output) {
        let bytes = output.bytes.len() as u64;
        match output.channel {
            Channel::Out => self.out_bytes += bytes,
            Channel::Err => self.err_bytes += bytes,
        }
        match output.phase {
            Phase::Setup | Phase::Agent => self.tail.push(&output.bytes, OUTPUT_TAIL_BYTES_MAX),
            Phase::Check(_) => {
                if let Some(check) = self.check(output.phase) {
                    check.tail.push(&output.bytes, CHECK_TAIL_BYTES_MAX);
                }
            }
        }
    }

    fn end(&mut self, ended: &PhaseEnded) {
        self.oom_kills += ended.oom_kills;
        match ended.phase {
            Phase::Setup => self.setup_exit = Some(ended.exit.clone()),
            Phase::Agent => {
                self.agent_exit = Some(ended.exit.clone());
                self.agent_elapsed_ms = Some(ended.elapsed_ms);
            }
            Phase::Check(_) => {
                if let Some(check) = self.check(ended.phase) {
                    check.state = if ended.exit.is_success() { CheckState::Passed } else { CheckState::Failed };
                    check.exit = Some(ended.exit.clone());
                    check.elapsed_ms = Some(ended.elapsed_ms);
                }
            }
        }
    }

    fn collect(&mut self, collected: &Collected) {
        self.changes = Some(ChangesView {
            patch: collected.patch.clone(),
            stat: collected.stat,
            files: collected.files.clone(),
            failure: collected.failure.clone(),
        });
    }

    fn keep(&mut self, collected: &ArtifactsCollected) {
        let artifacts = self.artifacts.get_or_insert_default();
        artifacts.count = collected.kept_count;
        artifacts.bytes = collected.kept_bytes;
        artifacts.omitted += collected.omitted_count;
        if collected.failure.is_some() {
            artifacts.failure.clone_from(&collected.failure);
        }
    }

    fn shorten(&mut self) {
        self.tail.shorten(LAST_WORDS_BYTES_MAX);
        self.checks.iter_mut().for_each(|check| check.tail.shorten(LAST_WORDS_BYTES_MAX));
    }

    /// Nothing more will be seen.
    fn settle(&mut self) {
        self.tail.settle();
        for check in &mut self.checks {
            check.tail.settle();
            if matches!(check.state, CheckState::Pending | CheckState::Running) {
                check.state = CheckState::Skipped;
            }
        }
    }
}
