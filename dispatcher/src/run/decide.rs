//! What may happen to a run next. Every stage is named; an illegal move is a refusal with a reason.

use regatta_core::event::CleaningEvent;
use regatta_core::event::attempt::Outcome;
use regatta_core::event::cleaning::Wish;
use regatta_core::event::delivery::{Delivered, DeliveryEvent, Failed, Intended};
use regatta_core::event::run::{
    AttemptDiscarded, AttemptEnded, CancelRequested, Decided, DiscardUndone, Entry, Finished, Judge, Prepared,
    RunEvent, RunOutcome, SYNTHESIS, Strategy, SynthesisRequested, TakenHunk,
};
use regatta_core::{AttemptId, BlobRef, Event, Slot};

use super::{Delivery, Run, Stage, judge};
use crate::request::ATTEMPTS_MAX;
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
    /// A person chose, for this reason, and did they see who did what?
    Pick(Slot, String, bool),
    /// A person wants an attempt back: one that was put aside, or else its branch, whatever the verdict.
    Restore(Slot),
    /// A person put hunks of several attempts together.
    Synthesize(Box<Synthesis>),
    /// A person puts an attempt aside, for this reason.
    Discard(Slot, String),
    /// A person wants it shown again.
    UndoDiscard(Slot),
    /// A branch is in the user's repository, at this commit.
    Delivered(Slot, String),
    /// A branch could not be brought there: why.
    DeliveryFailed(Slot, String),
    /// A person wants what an attempt left cleaned, put back or forgotten.
    Clean(Slot, Wish),
    /// What came of that.
    Cleaned(Box<CleaningEvent>),
    /// A person wants it stopped.
    Cancel(String),
    /// Everything is done: say so.
    Settle,
}

/// Hunks of several attempts, put together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Synthesis {
    /// The change, kept.
    pub patch: BlobRef,
    /// What it is made of.
    pub hunks: Vec<TakenHunk>,
    /// One line for people.
    pub reason: String,
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
            (Stage::Racing | Stage::Settled(_), Command::Pick(slot, reason, blind)) => self.pick(slot, reason, blind),
            (Stage::Racing | Stage::Settled(_), Command::Synthesize(synthesis)) => self.synthesize(*synthesis),
            (Stage::Racing | Stage::Settled(_), Command::Discard(slot, reason)) => self.discard(slot, reason),
            (Stage::Racing | Stage::Settled(_), Command::UndoDiscard(slot)) => self.undo_discard(slot),
            (Stage::Racing | Stage::Settled(_), Command::Restore(slot)) => self.restore(slot),
            (Stage::Racing | Stage::Settled(_), Command::Delivered(slot, commit)) => {
                Ok(vec![self.delivered(slot, commit)])
            }
            (Stage::Racing | Stage::Settled(_), Command::DeliveryFailed(slot, reason)) => {
                Ok(vec![self.delivery_failed(slot, reason)])
            }
            (Stage::Racing | Stage::Settled(_), Command::Clean(slot, wish)) => self.clean(slot, wish),
            (Stage::Racing | Stage::Settled(_), Command::Cleaned(event)) => self.cleaned(*event),
            (Stage::Preparing | Stage::Racing, Command::Cancel(reason)) => self.cancel(reason),
            (Stage::Racing, Command::Settle) => Ok(self.settle().map(finished).into_iter().collect()),
            (Stage::Preparing, Command::Settle) => {
                Ok(self.cancel.iter().map(|_| finished(RunOutcome::Cancelled)).collect())
            }
            (
                Stage::Preparing,
                Command::Pick(..)
                | Command::Restore(_)
                | Command::Synthesize(_)
                | Command::Discard(..)
                | Command::UndoDiscard(_)
                | Command::Clean(..),
            ) => Err(wrong(format!("run {} has not started yet", self.id))),
            (Stage::Settled(outcome), Command::Cancel(_)) => {
                Err(wrong(format!("run {} is over: {}", self.id, told(outcome))))
            }
            (Stage::Racing | Stage::Settled(_), Command::Prepared | Command::PrepareFailed(_))
            | (
                Stage::Preparing,
                Command::AttemptEnded(_) | Command::Delivered(..) | Command::DeliveryFailed(..) | Command::Cleaned(_),
            )
            | (Stage::Settled(_), Command::AttemptEnded(_) | Command::Settle) => Err(wrong("that was said already")),
        }
    }

    fn end(&self, ended: AttemptEnded) -> Vec<Event> {
        if self.ended.contains_key(&ended.slot) {
            return vec![];
        }
        let mut all = self.ended.clone();
        all.insert(ended.slot, ended.clone());
        // The strategy judges those it was asked for; what a person put together is for a person to judge.
        all.retain(|slot, _| self.synthesis(*slot).is_none());
        let last = all.len() == self.facts.attempts.len();
        let verdict = match self.facts.strategy {
            _ if self.verdict.is_some() || self.cancel.is_some() || !all.contains_key(&ended.slot) => None,
            Strategy::Race if ended.outcome == Outcome::Passed => Some(judge::first(&ended)),
            Strategy::Race if last => Some(judge::nobody(all.len())),
            Strategy::Best if last => Some(judge::best(&all, &self.discarded)),
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

    fn pick(&self, slot: Slot, reason: String, blind: bool) -> Result<Vec<Event>, Refusal> {
        self.has_patch(slot)?;
        if self.discarded.contains(&slot) {
            return Err(wrong(format!("attempt {slot} was put aside"))
                .hint(format!("bring it back first: regatta discard {}.{slot} --undo", self.id)));
        }
        if self.winner() == Some(slot) && self.deliveries.get(&slot) == Some(&Delivery::Delivered) {
            return Err(wrong(format!("attempt {slot} is the winner already"))
                .hint(format!("git switch {}", self.branch(slot))));
        }
        let decided = Decided { winner: Some(slot), judge: Judge::Human, reason, blind };
        let mut events = vec![RunEvent::Decided(decided).into()];
        events.extend(self.intend(Some(slot)));
        Ok(events)
    }

    fn restore(&self, slot: Slot) -> Result<Vec<Event>, Refusal> {
        if self.discarded.contains(&slot) {
            return self.undo_discard(slot);
        }
        self.has_patch(slot)?;
        Ok(self.intend(Some(slot)).into_iter().collect())
    }

    /// A further attempt, whose change is what was put together.
    fn synthesize(&self, synthesis: Synthesis) -> Result<Vec<Event>, Refusal> {
        let Synthesis { patch, hunks, reason } = synthesis;
        if self.cancel.is_some() && self.stage == Stage::Racing {
            return Err(wrong(format!("run {} is being stopped", self.id)).hint("try again when it has"));
        }
        hunks.iter().try_for_each(|hunk| self.has_patch(hunk.slot))?;
        if self.twin(&patch, &hunks).is_some() {
            return Ok(vec![]);
        }
        let count = self.attempts_count();
        let slot = Slot::new(count).filter(|_| count < ATTEMPTS_MAX).ok_or_else(|| {
            wrong(format!("run {} has {count} attempts, more are not taken", self.id)).hint("start another run")
        })?;
        let sandbox = hunks.first().and_then(|hunk| self.entry(hunk.slot)).map(|entry| entry.sandbox.clone());
        let sandbox = sandbox.ok_or_else(|| Refusal::new(RefusalKind::Invalid, "nothing is chosen"))?;
        let entry = Entry { agent: SYNTHESIS.to_owned(), command: None, model: None, sandbox };
        Ok(vec![RunEvent::SynthesisRequested(SynthesisRequested { slot, entry, patch, hunks, reason }).into()])
    }

    fn discard(&self, slot: Slot, reason: String) -> Result<Vec<Event>, Refusal> {
        self.has(slot)?;
        if !self.ended.contains_key(&slot) {
            return Err(wrong(format!("attempt {slot} is not over yet"))
                .hint(format!("stop it first: regatta cancel {}.{slot}", self.id)));
        }
        if self.winner() == Some(slot) {
            return Err(wrong(format!("attempt {slot} is the winner")).hint("pick another one first"));
        }
        let said = self.discarded.contains(&slot);
        Ok((!said).then(|| RunEvent::AttemptDiscarded(AttemptDiscarded { slot, reason }).into()).into_iter().collect())
    }

    fn undo_discard(&self, slot: Slot) -> Result<Vec<Event>, Refusal> {
        self.has(slot)?;
        let said = self.discarded.contains(&slot);
        Ok(said.then(|| RunEvent::DiscardUndone(DiscardUndone { slot }).into()).into_iter().collect())
    }

    pub(super) fn has(&self, slot: Slot) -> Result<(), Refusal> {
        let none = || Refusal::new(RefusalKind::NotFound, format!("run {} has no attempt {slot}", self.id));
        if slot.index() < self.attempts_count() { Ok(()) } else { Err(none()) }
    }

    fn has_patch(&self, slot: Slot) -> Result<(), Refusal> {
        self.has(slot)?;
        match self.ended.get(&slot) {
            None => Err(wrong(format!("attempt {slot} is not over yet")).hint(format!("regatta watch {}", self.id))),
            Some(AttemptEnded { outcome: Outcome::Failed { reason }, stat, .. }) if stat.files == 0 => {
                Err(wrong(format!("attempt {slot} has nothing to deliver: {reason}")))
            }
            Some(ended) if ended.stat.files == 0 => Err(wrong(format!("attempt {slot} changed nothing"))),
            Some(_) => self.is_here(slot),
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

pub(super) fn wrong(message: impl Into<String>) -> Refusal {
    Refusal::new(RefusalKind::WrongState, message)
}
