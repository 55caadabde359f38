//! What may happen to an attempt next. Every stage is named; an illegal move is a refusal with a reason.

use std::collections::BTreeMap;

use regatta_core::event::attempt::{
    ArtifactsCollected, AttemptEvent, CancelRequested, Collected, DiffStat, Exit, Finished, Outcome, Phase, PhaseEnded,
    PhaseStarted, RetryScheduled, Started, Waiting,
};
use regatta_core::event::sandbox::{Created, Destroyed, Entered, Failed, ForkEnded, Forked, Intended, SandboxEvent};
use regatta_core::{AttemptId, Event, InstallId, SandboxKey};

use super::{Attempt, Lease, SandboxLife, Stage};
use crate::{Refusal, RefusalKind};

/// First wait before a failed start is tried again, in milliseconds; doubles with each.
const BACKOFF_FIRST_MS: u64 = 1_000;
/// Longest wait before a failed start is tried again, in milliseconds.
const BACKOFF_MAX_MS: u64 = 60_000;

/// Copies of an attempt's sandboxes at once.
const FORKS_MAX: usize = 10;
/// What their names count from, where sandboxes of leases have their epoch.
const FORKS_FROM: u32 = 1_000_001;

/// A wish about an attempt: from the dispatcher, or what the executor saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// It has to wait, for this reason.
    Wait(String),
    /// It gets a lease.
    Start(InstallId),
    /// The intent to make its sandbox was lost with a crash, between two streams: say it again.
    Intend,
    /// Its sandbox exists, with this fence.
    SandboxCreated(u32, String),
    /// Its sandbox could not be made.
    SandboxFailed(u32, Failure),
    /// A command in its sandbox ended, and left that.
    PhaseEnded(PhaseEnded, Option<Box<ArtifactsCollected>>),
    /// What it changed was collected, or could not be; and what the agent left besides.
    Collected(Collected, Option<Box<ArtifactsCollected>>),
    /// It is to stop.
    Cancel(String),
    /// One of its sandboxes is gone, with everything in it.
    Destroyed(SandboxKey),
    /// A person wants a copy of the sandbox of its lease, for so many milliseconds.
    Fork(SandboxKey, u64),
    /// A copy is to be removed.
    EndFork(SandboxKey),
    /// A person goes into the sandbox of its lease, or into a copy.
    Enter {
        /// Which one.
        key: SandboxKey,
        /// What their command is called there.
        exec: String,
        /// The program they run.
        program: String,
    },
}

/// Something around the agent failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Why, and what to do.
    pub reason: String,
    /// What it means for another try.
    pub trouble: Trouble,
}

/// What a failure means for another try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// Trying again does not help.
    Lasting,
    /// Trying again may help.
    Passing,
    /// The provider had no room; nothing failed.
    Full {
        /// How long it asks us to wait, in milliseconds.
        wait_ms: u64,
    },
}

/// How long it is waited after so many failures in a row, in milliseconds.
#[must_use]
pub fn backoff_ms(failures: u32) -> u64 {
    BACKOFF_FIRST_MS.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(BACKOFF_MAX_MS)
}

/// Why nobody can go into a sandbox, or copy it.
pub(crate) fn nobody_in(key: &SandboxKey) -> Refusal {
    wrong(format!("no attempt is under way in sandbox {key}")).hint("regatta sandbox ls shows those in use")
}

impl Attempt {
    /// Its id.
    #[must_use]
    pub fn id(&self) -> AttemptId {
        AttemptId { run: self.facts.run, slot: self.facts.slot }
    }

    /// Decides what happens. `now_us` is µs since the Unix epoch.
    ///
    /// # Errors
    /// A refusal when the move is not legal where the attempt stands.
    pub fn decide(&self, command: Command, now_us: u64) -> Result<Vec<Event>, Refusal> {
        match (&self.stage, command) {
            (_, Command::Destroyed(key)) => Ok(self.destroyed(key)),
            (_, Command::Fork(of, for_ms)) => self.fork(of, for_ms, now_us),
            (_, Command::EndFork(key)) => Ok(self.end_fork(key)),
            (_, Command::Enter { key, exec, program }) => {
                if !self.is_at_work_in(&key) && !self.forks.contains_key(&key) {
                    return Err(nobody_in(&key));
                }
                Ok(vec![SandboxEvent::Entered(Entered { key, exec, program }).into()])
            }
            (Stage::Queued { reason, .. }, Command::Wait(new)) => {
                let said = reason.as_deref() == Some(&new);
                Ok(if said { vec![] } else { vec![AttemptEvent::Waiting(Waiting { reason: new }).into()] })
            }
            (Stage::Queued { .. }, Command::Start(install)) => Ok(self.start(install)),
            (Stage::Queued { .. }, Command::Cancel(reason)) => {
                let outcome = Outcome::Cancelled { reason: reason.clone() };
                Ok(vec![cancel_requested(reason), self.finished(outcome, now_us)])
            }
            (Stage::Starting(lease), Command::Intend) => Ok(vec![self.intended(lease.epoch, lease.sandbox.clone())]),
            (Stage::Starting(lease), Command::SandboxCreated(epoch, fence)) => {
                self.same(lease, epoch)?;
                Ok(self.enter(lease, fence, now_us))
            }
            (Stage::Starting(lease), Command::SandboxFailed(epoch, failure)) => {
                self.same(lease, epoch)?;
                Ok(self.fail_start(lease, failure, now_us))
            }
            (Stage::Running(lease, phase), Command::PhaseEnded(ended, artifacts)) => {
                self.same(lease, ended.epoch)?;
                if *phase != ended.phase {
                    return Err(stale(lease.epoch));
                }
                Ok(self.kept(artifacts).into_iter().chain(self.end(lease, ended, now_us)).collect())
            }
            (Stage::Collecting(lease), Command::Collected(collected, artifacts)) => {
                self.same(lease, collected.epoch)?;
                Ok(self.kept(artifacts).into_iter().chain(self.collect(lease, collected, now_us)).collect())
            }
            (Stage::Starting(_) | Stage::Running(..) | Stage::Collecting(_), Command::Cancel(reason)) => {
                Ok(if self.cancel.is_some() { vec![] } else { vec![cancel_requested(reason)] })
            }
            (Stage::Finished(_), Command::Cancel(_)) => Err(wrong(format!("attempt {} is over", self.id()))),
            (Stage::Finished(_), Command::Wait(_) | Command::Start(_)) => Err(wrong("it is over")),
            (Stage::Starting(_) | Stage::Running(..) | Stage::Collecting(_), Command::Wait(_) | Command::Start(_)) => {
                Err(wrong("it has started"))
            }
            (
                Stage::Queued { .. } | Stage::Running(..) | Stage::Collecting(_) | Stage::Finished(_),
                Command::Intend | Command::SandboxCreated(..) | Command::SandboxFailed(..),
            )
            | (
                Stage::Queued { .. } | Stage::Starting(_) | Stage::Collecting(_) | Stage::Finished(_),
                Command::PhaseEnded(..),
            )
            | (
                Stage::Queued { .. } | Stage::Starting(_) | Stage::Running(..) | Stage::Finished(_),
                Command::Collected(..),
            ) => Err(stale(self.epoch)),
        }
    }

    fn same(&self, lease: &Lease, epoch: u32) -> Result<(), Refusal> {
        if lease.epoch == epoch { Ok(()) } else { Err(stale(lease.epoch)) }
    }

    /// The lease and the intent to make its sandbox, on disk before any provider is asked.
    fn start(&self, install: InstallId) -> Vec<Event> {
        let epoch = self.epoch + 1;
        let sandbox = SandboxKey { install, attempt: self.id(), epoch };
        let started = AttemptEvent::Started(Started { epoch, sandbox: sandbox.clone() });
        vec![started.into(), self.intended(epoch, sandbox)]
    }

    fn destroyed(&self, key: SandboxKey) -> Vec<Event> {
        let known = self.sandboxes.contains_key(&key);
        known.then(|| SandboxEvent::Destroyed(Destroyed { key }).into()).into_iter().collect()
    }

    fn end_fork(&self, key: SandboxKey) -> Vec<Event> {
        let known = self.forks.contains_key(&key);
        known.then(|| SandboxEvent::ForkEnded(ForkEnded { key }).into()).into_iter().collect()
    }

    /// Whether that is the sandbox of its lease. While it is being made nobody can be in it.
    fn is_at_work_in(&self, key: &SandboxKey) -> bool {
        !matches!(self.stage, Stage::Starting(_)) && self.lease().is_some_and(|lease| lease.sandbox == *key)
    }

    /// A copy with a name of its own, beyond those of leases.
    fn fork(&self, of: SandboxKey, for_ms: u64, now_us: u64) -> Result<Vec<Event>, Refusal> {
        if !self.is_at_work_in(&of) {
            return Err(nobody_in(&of));
        }
        if self.forks.len() >= FORKS_MAX {
            return Err(Refusal::new(RefusalKind::Busy, format!("attempt {} has {FORKS_MAX} copies", self.id()))
                .hint("take one away: regatta sandbox rm NAME"));
        }
        let epoch = FORKS_FROM.saturating_add(self.forks_made);
        let key = SandboxKey { epoch, ..of.clone() };
        let until_ms = (now_us / 1_000).saturating_add(for_ms);
        let provider = self.facts.entry.site().provider.to_owned();
        Ok(vec![SandboxEvent::Forked(Forked { key, of, provider, until_ms }).into()])
    }

    fn intended(&self, epoch: u32, key: SandboxKey) -> Event {
        let provider = self.facts.entry.site().provider.to_owned();
        SandboxEvent::Intended(Intended { key, provider, attempt: self.id(), epoch }).into()
    }

    fn enter(&self, lease: &Lease, fence: String, now_us: u64) -> Vec<Event> {
        let next = match &self.cancel {
            Some(reason) => self.finished(Outcome::Cancelled { reason: reason.clone() }, now_us),
            None if self.facts.setup => phase_started(lease, Phase::Setup),
            None => phase_started(lease, Phase::Agent),
        };
        let known = self.sandboxes.get(&lease.sandbox) == Some(&SandboxLife::Created);
        let created = (!known).then(|| SandboxEvent::Created(Created { key: lease.sandbox.clone(), fence }).into());
        created.into_iter().chain([next]).collect()
    }

    fn fail_start(&self, lease: &Lease, failure: Failure, now_us: u64) -> Vec<Event> {
        let transient = failure.trouble != Trouble::Lasting;
        let failed = Failed { key: lease.sandbox.clone(), reason: failure.reason.clone(), transient };
        let mut events = vec![SandboxEvent::Failed(failed).into()];
        events.push(self.retry_or_fail(lease, failure, now_us));
        events
    }

    fn retry_or_fail(&self, lease: &Lease, failure: Failure, now_us: u64) -> Event {
        if let Some(reason) = &self.cancel {
            return self.finished(Outcome::Cancelled { reason: reason.clone() }, now_us);
        }
        let starts_used = lease.epoch.saturating_sub(self.spared);
        let (wait_ms, is_spared) = match failure.trouble {
            Trouble::Full { wait_ms } => (wait_ms, true),
            Trouble::Passing if starts_used < self.facts.starts_max => (backoff_ms(starts_used), false),
            Trouble::Passing | Trouble::Lasting => {
                return self.finished(Outcome::Failed { reason: failure.reason }, now_us);
            }
        };
        let not_before_ms = (now_us / 1_000).saturating_add(wait_ms);
        let retry = RetryScheduled { epoch: lease.epoch, reason: failure.reason, not_before_ms, is_spared };
        AttemptEvent::RetryScheduled(retry).into()
    }

    fn end(&self, lease: &Lease, ended: PhaseEnded, now_us: u64) -> Vec<Event> {
        let (phase, exit) = (ended.phase, ended.exit.clone());
        let mut events = vec![AttemptEvent::PhaseEnded(ended).into()];
        events.extend(self.after(lease, phase, &exit, now_us));
        events
    }

    /// What follows the end of a command; nothing when collecting does.
    fn after(&self, lease: &Lease, phase: Phase, exit: &Exit, now_us: u64) -> Option<Event> {
        if *exit == Exit::Lost {
            let reason = format!("whatever ran the {phase} command is gone (killed, or the machine was restarted)");
            return Some(self.retry_or_fail(lease, Failure { reason, trouble: Trouble::Passing }, now_us));
        }
        if phase == Phase::Agent {
            return match exit {
                Exit::NotStarted { reason } => Some(self.finished(Outcome::Failed { reason: reason.clone() }, now_us)),
                // Whatever it did is kept, also when it was stopped.
                Exit::Code(_)
                | Exit::Signal(_)
                | Exit::TimedOut
                | Exit::Killed
                | Exit::OverLimit { .. }
                | Exit::Lost => None,
            };
        }
        if let Some(reason) = &self.cancel {
            return Some(self.finished(Outcome::Cancelled { reason: reason.clone() }, now_us));
        }
        Some(match phase {
            Phase::Setup if exit.is_success() => phase_started(lease, Phase::Agent),
            Phase::Setup => {
                let reason = format!("the setup command failed: {}", told(exit));
                self.finished(Outcome::Failed { reason }, now_us)
            }
            Phase::Agent | Phase::Check(_) => {
                let index = if let Phase::Check(index) = phase { index + 1 } else { 0 };
                let failed = self.checks_failed + u16::from(!exit.is_success());
                self.check_or_finish(lease, index, failed, now_us)
            }
        })
    }

    fn check_or_finish(&self, lease: &Lease, index: u16, failed: u16, now_us: u64) -> Event {
        if index < self.facts.checks {
            return phase_started(lease, Phase::Check(index));
        }
        let outcome = if failed == 0 { Outcome::Passed } else { Outcome::ChecksFailed { failed } };
        self.finished(outcome, now_us)
    }

    /// What was left, with the sums over everything that is kept of this lease.
    fn kept(&self, collected: Option<Box<ArtifactsCollected>>) -> Option<Event> {
        let mut collected = *collected?;
        let mut bytes: BTreeMap<&str, u64> =
            self.artifacts.iter().map(|(name, blob)| (name.as_str(), blob.bytes)).collect();
        bytes.extend(collected.artifacts.iter().map(|artifact| (artifact.name.as_str(), artifact.blob.bytes)));
        (collected.kept_count, collected.kept_bytes) =
            (u32::try_from(bytes.len()).unwrap_or(u32::MAX), bytes.values().sum());
        Some(AttemptEvent::ArtifactsCollected(collected).into())
    }

    fn collect(&self, lease: &Lease, collected: Collected, now_us: u64) -> Vec<Event> {
        let (stat, failure) = (collected.stat, collected.failure.clone());
        let next = self.after_collect(lease, stat, failure, now_us);
        vec![AttemptEvent::Collected(collected).into(), next]
    }

    fn after_collect(&self, lease: &Lease, stat: DiffStat, failure: Option<String>, now_us: u64) -> Event {
        if let Some(reason) = &self.cancel {
            return self.finished(Outcome::Cancelled { reason: reason.clone() }, now_us);
        }
        let outcome = match (&self.agent_exit, failure) {
            (_, Some(reason)) => Outcome::Failed { reason },
            (Some(Exit::Code(0)), None) if stat.files == 0 => Outcome::Unchanged,
            (Some(Exit::Code(0)), None) => return self.check_or_finish(lease, 0, 0, now_us),
            (Some(Exit::TimedOut), None) => Outcome::TimedOut,
            (Some(exit), None) => Outcome::AgentFailed { exit: exit.clone() },
            (None, None) => Outcome::AgentFailed { exit: Exit::Lost },
        };
        self.finished(outcome, now_us)
    }

    fn finished(&self, outcome: Outcome, now_us: u64) -> Event {
        let elapsed_ms = self.started_at_us.map_or(0, |started| now_us.saturating_sub(started) / 1_000);
        AttemptEvent::Finished(Finished { outcome, elapsed_ms }).into()
    }
}

/// An exit in words.
#[must_use]
pub(crate) fn told(exit: &Exit) -> String {
    match exit {
        Exit::Code(code) => format!("exit code {code}"),
        Exit::Signal(signal) => format!("killed by signal {signal}"),
        Exit::TimedOut => "its time was up".to_owned(),
        Exit::Killed => "it was stopped".to_owned(),
        Exit::OverLimit { limit } => limit.clone(),
        Exit::NotStarted { reason } => reason.clone(),
        Exit::Lost => "it was lost".to_owned(),
    }
}

fn phase_started(lease: &Lease, phase: Phase) -> Event {
    AttemptEvent::PhaseStarted(PhaseStarted { epoch: lease.epoch, phase }).into()
}

fn cancel_requested(reason: String) -> Event {
    AttemptEvent::CancelRequested(CancelRequested { reason }).into()
}

fn wrong(message: impl Into<String>) -> Refusal {
    Refusal::new(RefusalKind::WrongState, message)
}

fn stale(current: u32) -> Refusal {
    wrong(format!("that was said of something else than what runs now (epoch {current})"))
}
