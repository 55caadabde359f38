//! How an attempt moves from state to state, as people see it. Total and lenient: what is over stays over, and a fact
//! that does not fit changes nothing.

use regatta_core::event::AttemptEvent;
use regatta_core::event::attempt::{Outcome, Phase};

use super::AttemptState;

impl AttemptState {
    /// Whether it is over.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        matches!(self, Self::Finished { .. })
    }

    /// The state in one word: that of the outcome when it is over.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Queued { .. } => "queued",
            Self::Starting => "starting",
            Self::Setup => "setup",
            Self::Running => "running",
            Self::Collecting => "collecting",
            Self::Checking { .. } => "checking",
            Self::Retrying { .. } => "retrying",
            Self::Cancelling { .. } => "cancelling",
            Self::Finished { outcome } => match outcome {
                Outcome::Passed => "passed",
                Outcome::ChecksFailed { .. } => "checks failed",
                Outcome::Unchanged => "unchanged",
                Outcome::AgentFailed { .. } => "agent failed",
                Outcome::TimedOut => "timed out",
                Outcome::Cancelled { .. } => "cancelled",
                Outcome::Failed { .. } => "failed",
            },
        }
    }

    /// Takes a fact.
    pub(crate) fn evolve(&mut self, event: &AttemptEvent) {
        if self.is_finished() {
            return;
        }
        match event {
            AttemptEvent::Finished(finished) => *self = Self::Finished { outcome: finished.outcome.clone() },
            AttemptEvent::CancelRequested(cancel) => *self = Self::Cancelling { reason: cancel.reason.clone() },
            AttemptEvent::Queued(_)
            | AttemptEvent::Waiting(_)
            | AttemptEvent::Started(_)
            | AttemptEvent::PhaseStarted(_)
            | AttemptEvent::Output(_)
            | AttemptEvent::PhaseEnded(_)
            | AttemptEvent::Collected(_)
            | AttemptEvent::ArtifactsCollected(_)
            | AttemptEvent::RetryScheduled(_) => {
                // What is to stop goes on with what it was doing, but says that it stops.
                if !matches!(self, Self::Cancelling { .. })
                    && let Some(next) = Self::going_on(event)
                {
                    *self = next;
                }
            }
        }
    }

    fn going_on(event: &AttemptEvent) -> Option<Self> {
        Some(match event {
            AttemptEvent::Queued(_) => Self::Queued { reason: None },
            AttemptEvent::Waiting(waiting) => Self::Queued { reason: Some(waiting.reason.clone()) },
            AttemptEvent::Started(_) => Self::Starting,
            AttemptEvent::PhaseStarted(started) => match started.phase {
                Phase::Setup => Self::Setup,
                Phase::Agent => Self::Running,
                Phase::Check(index) => Self::Checking { index },
            },
            AttemptEvent::PhaseEnded(ended) => match ended.phase {
                Phase::Setup => Self::Starting,
                Phase::Agent => Self::Collecting,
                // Until the next check starts or it is over.
                Phase::Check(index) => Self::Checking { index },
            },
            AttemptEvent::RetryScheduled(retry) => {
                Self::Retrying { not_before_ms: retry.not_before_ms, reason: retry.reason.clone() }
            }
            AttemptEvent::Output(_)
            | AttemptEvent::Collected(_)
            | AttemptEvent::ArtifactsCollected(_)
            | AttemptEvent::CancelRequested(_)
            | AttemptEvent::Finished(_) => return None,
        })
    }
}
