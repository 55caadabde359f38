//! What may happen to a run next. Every stage is named; an illegal move is a refusal with a reason.

use regatta_core::event::attempt::Outcome;
use regatta_core::event::delivery::{Delivered, DeliveryEvent, Failed, Intended};
use regatta_core::event::run::{
    AttemptEnded, CancelRequested, Decided, Finished, Judge, Prepared, RunEvent, RunOutcome, Strategy,
};
use regatta_core::{AttemptId, Event, Slot};

use super::{Delivery, Run, Stage, judge};
use crate::{Refusal, RefusalKind};

/// A wish about a run: from a person, or what the executor saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Its base is pinned.
    Prepared,
    /// Its base cannot be pinned: why, and what to do.
    PrepareFailed(String),
    /// One attempt came to its end.
    AttemptEnded(AttemptEnded),
    /// A person chose, for this reason.
    Pick(Slot, String),
    /// A person wants an attempt's branch, whatever the verdict.
    Restore(Slot),
    /// A branch is in the user's repository, at this commit.
    Delivered(Slot, String),
    /// A branch could not be brought there: why.
    DeliveryFailed(Slot, String),
    /// A person wants it stopped.
    Cancel(String),
    /// Everything is done: say so.
    Settle,
}

impl Run {
    /// Decides what happens.
    ///
    /// # Errors
    /// A refusal when the move is not legal where the run stands.
    pub fn decide(&self, command: Command) -> Result<Vec<Event>, Refusal> {
        match (&self.stage, command) {
            (Stage::Preparing, Command::Prepared) => {
                let prepared = Prepared { base_commit: self.facts.base_commit.clone() };
                Ok(vec![RunEvent::Prepared(prepared).into()])
            }
            (Stage::Preparing, Command::PrepareFailed(reason)) => Ok(vec![finished(RunOutcome::Failed { reason })]),
            (Stage::Racing, Command::AttemptEnded(ended)) => Ok(self.end(ended)),
            (Stage::Racing | Stage::Settled(_), Command::Pick(slot, reason)) => self.pick(slot, reason),
            (Stage::Racing | Stage::Settled(_), Command::Restore(slot)) => self.restore(slot),
            (Stage::Racing | Stage::Settled(_), Command::Delivered(slot, commit)) => {
                Ok(vec![self.delivered(slot, commit)])
            }
            (Stage::Racing | Stage::Settled(_), Command::DeliveryFailed(slot, reason)) => {
                Ok(vec![self.delivery_failed(slot, reason)])
            }
            (Stage::Preparing | Stage::Racing, Command::Cancel(reason)) => self.cancel(reason),
            (Stage::Racing, Command::Settle) => Ok(self.settle().map(finished).into_iter().collect()),
            (Stage::Preparing, Command::Settle) => {
                Ok(self.cancel.iter().map(|_| finished(RunOutcome::Cancelled)).collect())
            }
            (Stage::Preparing, Command::Pick(..) | Command::Restore(_)) => {
                Err(wrong(format!("run {} has not started yet", self.id)))
            }
            (Stage::Settled(outcome), Command::Cancel(_)) => {
                Err(wrong(format!("run {} is over: {}", self.id, told(outcome))))
            }
            (Stage::Racing | Stage::Settled(_), Command::Prepared | Command::PrepareFailed(_))
            | (Stage::Preparing, Command::AttemptEnded(_) | Command::Delivered(..) | Command::DeliveryFailed(..))
            | (Stage::Settled(_), Command::AttemptEnded(_) | Command::Settle) => Err(wrong("that was said already")),
        }
    }

    fn end(&self, ended: AttemptEnded) -> Vec<Event> {
        if self.ended.contains_key(&ended.slot) {
            return vec![];
        }
        let mut all = self.ended.clone();
        all.insert(ended.slot, ended.clone());
        let last = all.len() == self.facts.attempts.len();
        let verdict = match self.facts.strategy {
            _ if self.verdict.is_some() || self.cancel.is_some() => None,
            Strategy::Race if ended.outcome == Outcome::Passed => Some(judge::first(&ended)),
            Strategy::Race if last => Some(judge::nobody(all.len())),
            Strategy::Best if last => Some(judge::best(&all)),
            Strategy::Race | Strategy::Best | Strategy::All => None,
        };
        let mut events = vec![RunEvent::AttemptEnded(ended).into()];
        if let Some(verdict) = verdict {
            events.extend(self.intend(verdict.winner));
            // The verdict stands in the run's own stream right behind the fact that led to it.
            events.insert(1, RunEvent::Decided(verdict).into());
        }
        events
    }

    fn pick(&self, slot: Slot, reason: String) -> Result<Vec<Event>, Refusal> {
        self.has_patch(slot)?;
        if self.winner() == Some(slot) && self.deliveries.get(&slot) == Some(&Delivery::Delivered) {
            return Err(wrong(format!("attempt {slot} is the winner already"))
                .hint(format!("git switch {}", self.branch(slot))));
        }
        let mut events = vec![RunEvent::Decided(Decided { winner: Some(slot), judge: Judge::Human, reason }).into()];
        events.extend(self.intend(Some(slot)));
        Ok(events)
    }

    fn restore(&self, slot: Slot) -> Result<Vec<Event>, Refusal> {
        self.has_patch(slot)?;
        Ok(self.intend(Some(slot)).into_iter().collect())
    }

    fn has_patch(&self, slot: Slot) -> Result<(), Refusal> {
        if slot.index() >= self.facts.attempts.len() {
            return Err(Refusal::new(RefusalKind::NotFound, format!("run {} has no attempt {slot}", self.id)));
        }
        match self.ended.get(&slot) {
            None => Err(wrong(format!("attempt {slot} is not over yet")).hint(format!("regatta watch {}", self.id))),
            Some(AttemptEnded { outcome: Outcome::Failed { reason }, stat, .. }) if stat.files == 0 => {
                Err(wrong(format!("attempt {slot} has nothing to deliver: {reason}")))
            }
            Some(ended) if ended.stat.files == 0 => Err(wrong(format!("attempt {slot} changed nothing"))),
            Some(_) => Ok(()),
        }
    }

    /// The name of an attempt's branch in the user's repository.
    #[must_use]
    pub fn branch(&self, slot: Slot) -> String {
        format!("regatta/{}/{slot}", self.id)
    }

    fn intend(&self, winner: Option<Slot>) -> Option<Event> {
        let slot = winner?;
        let attempt = AttemptId { run: self.id, slot };
        let repository = self.facts.repository.clone();
        Some(DeliveryEvent::Intended(Intended { attempt, repository, branch: self.branch(slot) }).into())
    }

    fn delivered(&self, slot: Slot, commit: String) -> Event {
        let attempt = AttemptId { run: self.id, slot };
        DeliveryEvent::Delivered(Delivered { attempt, branch: self.branch(slot), commit }).into()
    }

    fn delivery_failed(&self, slot: Slot, reason: String) -> Event {
        let attempt = AttemptId { run: self.id, slot };
        DeliveryEvent::Failed(Failed { attempt, branch: self.branch(slot), reason }).into()
    }

    fn cancel(&self, reason: String) -> Result<Vec<Event>, Refusal> {
        if let Some(winner) = self.winner() {
            return Err(wrong(format!("run {} is decided: attempt {winner} won", self.id)));
        }
        if self.cancel.is_some() {
            return Ok(vec![]);
        }
        Ok(vec![RunEvent::CancelRequested(CancelRequested { reason }).into()])
    }

    /// How the run ends, once every attempt has ended and the verdict is delivered or cannot be.
    #[must_use]
    pub fn settle(&self) -> Option<RunOutcome> {
        if !self.all_ended() {
            return None;
        }
        let Some(winner) = self.winner() else {
            return Some(if self.cancel.is_some() { RunOutcome::Cancelled } else { RunOutcome::Undecided });
        };
        match self.deliveries.get(&winner) {
            None | Some(Delivery::Intended) => None,
            Some(Delivery::Delivered) => Some(RunOutcome::Delivered { winner }),
            Some(Delivery::Failed(reason)) => Some(RunOutcome::Undelivered { winner, reason: reason.clone() }),
        }
    }
}

fn finished(outcome: RunOutcome) -> Event {
    RunEvent::Finished(Finished { outcome }).into()
}

fn told(outcome: &RunOutcome) -> String {
    match outcome {
        RunOutcome::Delivered { winner } => format!("attempt {winner} won"),
        RunOutcome::Undelivered { winner, .. } => format!("attempt {winner} won but could not be delivered"),
        RunOutcome::Undecided => "nobody won".to_owned(),
        RunOutcome::Cancelled => "it was cancelled".to_owned(),
        RunOutcome::Failed { .. } => "it failed".to_owned(),
    }
}

fn wrong(message: impl Into<String>) -> Refusal {
    Refusal::new(RefusalKind::WrongState, message)
}
