//! How facts become the fleet. Only what exists or waits is remembered one by one; what is gone is counted.

use std::collections::BTreeMap;

use regatta_core::event::AttemptEvent;
use regatta_core::event::sandbox::{Intended, SandboxEvent};
use regatta_core::{AttemptId, Event, SandboxKey, Seq};
use serde::{Deserialize, Serialize};

use super::SandboxState;
use crate::projection::{Fact, Fold, Stray, Subject};

/// Every sandbox that may exist, and every attempt that is not over.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Fleet {
    /// By attempt, since an attempt's lease decides which of its sandboxes has a right to exist.
    pub(super) sandboxes: BTreeMap<AttemptId, BTreeMap<SandboxKey, KeptSandbox>>,
    pub(super) attempts: BTreeMap<AttemptId, KeptAttempt>,
    /// What is gone, by provider.
    pub(super) gone: BTreeMap<String, Gone>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct KeptSandbox {
    pub(super) provider: String,
    pub(super) attempt: AttemptId,
    pub(super) epoch: u32,
    pub(super) state: SandboxState,
    pub(super) fence: Option<String>,
    pub(super) intended_at_us: u64,
    pub(super) intended_seq: Seq,
    pub(super) created_at_us: Option<u64>,
    pub(super) right_ended_at_us: Option<u64>,
}

/// An attempt that is not over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct KeptAttempt {
    pub(super) provider: String,
    /// The lease in force; nothing while it has none.
    pub(super) lease: Option<u32>,
    pub(super) waits: Option<KeptWait>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct KeptWait {
    pub(super) reason: Option<String>,
    pub(super) since_us: u64,
    pub(super) since_seq: Seq,
    pub(super) not_before_ms: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Gone {
    pub(super) destroyed: u64,
    pub(super) failed: u64,
    pub(super) reaped: u64,
}

impl Fold for Fleet {
    fn fold(&mut self, fact: &Fact<'_>) -> Result<(), Stray> {
        let (seq, at_us) = (fact.envelope.seq, fact.envelope.at_us);
        if let (Event::Attempt(event), Subject::Attempt(id)) = (fact.event, fact.subject) {
            self.fold_attempt(id, event, seq, at_us);
        } else if let Event::Sandbox(event) = fact.event {
            self.fold_sandbox(event, seq, at_us);
        }
        Ok(())
    }
}

impl Fleet {
    fn fold_attempt(&mut self, id: AttemptId, event: &AttemptEvent, seq: Seq, at_us: u64) {
        let begun = |reason, not_before_ms| KeptWait { reason, since_us: at_us, since_seq: seq, not_before_ms };
        match event {
            AttemptEvent::Queued(queued) => {
                let provider = queued.entry.site().provider.to_owned();
                let waits = Some(begun(None, None));
                self.attempts.insert(id, KeptAttempt { provider, lease: None, waits });
            }
            AttemptEvent::Waiting(waiting) => {
                if let Some(attempt) = self.attempts.get_mut(&id) {
                    // Its place in line is older than the reason.
                    let wait = attempt.waits.get_or_insert_with(|| begun(None, None));
                    wait.reason = Some(waiting.reason.clone());
                    wait.not_before_ms = None;
                }
            }
            AttemptEvent::Started(started) => {
                if let Some(attempt) = self.attempts.get_mut(&id) {
                    attempt.waits = None;
                    attempt.lease = Some(started.epoch);
                }
                self.end_rights(id, Some(started.epoch), at_us);
            }
            AttemptEvent::RetryScheduled(retry) => {
                if let Some(attempt) = self.attempts.get_mut(&id) {
                    attempt.waits = Some(begun(Some(retry.reason.clone()), Some(retry.not_before_ms)));
                    attempt.lease = None;
                }
                self.end_rights(id, None, at_us);
            }
            AttemptEvent::Finished(_) => {
                self.attempts.remove(&id);
                self.end_rights(id, None, at_us);
            }
            AttemptEvent::CancelRequested(_) => {
                // What is to stop waits for nothing any more.
                if let Some(attempt) = self.attempts.get_mut(&id) {
                    attempt.waits = None;
                }
            }
            AttemptEvent::PhaseStarted(_)
            | AttemptEvent::Output(_)
            | AttemptEvent::PhaseEnded(_)
            | AttemptEvent::Collected(_)
            | AttemptEvent::ArtifactsCollected(_) => {}
        }
    }

    /// Only the sandbox of the lease in force has a right to exist, and a person's copy of one until its own end.
    fn end_rights(&mut self, id: AttemptId, lease: Option<u32>, at_us: u64) {
        let own = self.sandboxes.get_mut(&id).into_iter().flat_map(BTreeMap::values_mut);
        let leased = own.filter(|sandbox| sandbox.state != SandboxState::Forked);
        for sandbox in leased.filter(|sandbox| Some(sandbox.epoch) != lease) {
            sandbox.right_ended_at_us.get_or_insert(at_us);
        }
    }

    fn fold_sandbox(&mut self, event: &SandboxEvent, seq: Seq, at_us: u64) {
        match event {
            SandboxEvent::Intended(intended) => self.intend(intended, seq, at_us),
            SandboxEvent::Created(created) => {
                if let Some(sandbox) = self.sandbox(&created.key) {
                    sandbox.state = SandboxState::Alive;
                    sandbox.fence = Some(created.fence.clone());
                    sandbox.created_at_us = Some(at_us);
                }
            }
            // What failed may still have left something behind; only its removal says that it is gone.
            SandboxEvent::Failed(failed) => {
                if let Some(sandbox) = self.sandbox(&failed.key) {
                    sandbox.state = SandboxState::Failed;
                    let provider = sandbox.provider.clone();
                    self.gone.entry(provider).or_default().failed += 1;
                }
            }
            SandboxEvent::Destroyed(destroyed) => {
                if let Some(sandbox) = self.remove(&destroyed.key) {
                    self.gone.entry(sandbox.provider).or_default().destroyed += 1;
                }
            }
            SandboxEvent::Reaped(reaped) => {
                self.remove(&reaped.key);
                self.gone.entry(reaped.provider.clone()).or_default().reaped += 1;
            }
            SandboxEvent::Forked(forked) => {
                let own = self.sandboxes.entry(forked.key.attempt).or_default();
                own.entry(forked.key.clone()).or_insert_with(|| KeptSandbox {
                    provider: forked.provider.clone(),
                    attempt: forked.key.attempt,
                    epoch: forked.key.epoch,
                    state: SandboxState::Forked,
                    fence: None,
                    intended_at_us: at_us,
                    intended_seq: seq,
                    created_at_us: None,
                    right_ended_at_us: None,
                });
            }
            SandboxEvent::ForkEnded(ended) => {
                if let Some(sandbox) = self.sandbox(&ended.key) {
                    sandbox.right_ended_at_us = Some(at_us);
                }
            }
            SandboxEvent::Entered(_) => {}
        }
    }

    fn sandbox(&mut self, key: &SandboxKey) -> Option<&mut KeptSandbox> {
        self.sandboxes.get_mut(&key.attempt)?.get_mut(key)
    }

    fn remove(&mut self, key: &SandboxKey) -> Option<KeptSandbox> {
        let own = self.sandboxes.get_mut(&key.attempt)?;
        let removed = own.remove(key);
        if own.is_empty() {
            self.sandboxes.remove(&key.attempt);
        }
        removed
    }

    fn intend(&mut self, intended: &Intended, seq: Seq, at_us: u64) {
        let attempt = self.attempts.get(&intended.attempt);
        let has_right = attempt.is_some_and(|attempt| attempt.lease == Some(intended.epoch));
        // Said again after a crash between two streams, it keeps its age.
        let own = self.sandboxes.entry(intended.key.attempt).or_default();
        own.entry(intended.key.clone()).or_insert_with(|| KeptSandbox {
            provider: intended.provider.clone(),
            attempt: intended.attempt,
            epoch: intended.epoch,
            state: SandboxState::Intended,
            fence: None,
            intended_at_us: at_us,
            intended_seq: seq,
            created_at_us: None,
            right_ended_at_us: (!has_right).then_some(at_us),
        });
    }
}
