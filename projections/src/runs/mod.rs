//! Runs: a list of rows, and one run.

mod fold;
mod view;

use std::borrow::Cow;
use std::sync::Arc;

use regatta_core::event::attempt::Outcome;
use regatta_core::event::run::RunOutcome;
use regatta_core::{AttemptId, RunId, Slot};

pub use fold::Runs;
pub use view::{
    AttemptCounts, CancelView, DeliveryState, DeliveryView, RunFilter, RunPage, RunRow, RunState, RunView, VerdictView,
};

use crate::Can;
use crate::attempts::AttemptState;
use fold::Kept;

/// Most replaced verdicts kept per run.
pub const VERDICTS_REPLACED_MAX: usize = 32;
/// Most rows in one page.
pub const RUNS_PAGE_MAX: usize = 1_000;

impl Runs {
    /// How many runs there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.runs.len()
    }

    /// One run.
    #[must_use]
    pub fn get(&self, id: RunId) -> Option<RunView> {
        self.runs.get(id).map(|kept| kept.view(id))
    }

    /// One page of runs, newest first; at most `limit` rows and never more than [`RUNS_PAGE_MAX`].
    #[must_use]
    pub fn list(&self, filter: &RunFilter, limit: usize) -> RunPage {
        let limit = limit.clamp(1, RUNS_PAGE_MAX);
        let mut fitting = self.rows().filter(|row| filter.fits(row));
        let rows: Vec<RunRow> = fitting.by_ref().take(limit).map(Cow::into_owned).collect();
        let more = fitting.next().is_some();
        let next = rows.last().filter(|_| more).map(|row| row.requested_seq);
        RunPage { rows, next }
    }

    /// Every run, newest first.
    pub(crate) fn rows(&self) -> impl Iterator<Item = Cow<'_, RunRow>> {
        self.order.iter().rev().filter_map(|id| self.row(*id))
    }

    /// Who asked for a run.
    pub(crate) fn asked_by(&self, id: RunId) -> Option<String> {
        self.row(id).map(|row| row.by.as_str().to_owned())
    }

    fn row(&self, id: RunId) -> Option<Cow<'_, RunRow>> {
        match self.runs.get_open(id) {
            Some(kept) => Some(Cow::Owned(kept.row(id))),
            None => self.rows.get(&id).map(|row| Cow::Borrowed(&**row)),
        }
    }

    /// Whether nothing more is expected to happen to a run.
    pub(crate) fn is_over(&self, id: RunId) -> bool {
        self.runs.get_open(id).is_some_and(|kept| kept.finished.is_some())
    }

    /// Whether a run is packed.
    pub(crate) fn is_packed(&self, id: RunId) -> bool {
        self.runs.is_packed(id)
    }

    /// Packs a run; the list shows the row it has now.
    pub(crate) fn pack(&mut self, id: RunId) {
        if let Some(kept) = self.runs.get_open(id) {
            self.rows.insert(id, Arc::new(kept.row(id)));
            self.runs.pack(id);
        }
    }

    /// Opens a packed run, since something is about to happen to it.
    pub(crate) fn open(&mut self, id: RunId) {
        self.rows.remove(&id);
        self.runs.get_mut(id);
    }
}

impl RunFilter {
    fn fits(&self, row: &RunRow) -> bool {
        let says = |text: &String| {
            let text = text.to_lowercase();
            row.id.as_str().contains(&text) || row.title.to_lowercase().contains(&text)
        };
        self.before.is_none_or(|before| row.requested_seq < before)
            && (self.states.is_empty() || self.states.contains(&row.state))
            && self.repository.as_ref().is_none_or(|repository| *repository == row.repository)
            && self.by.as_ref().is_none_or(|by| by == row.by.as_str())
            && self.text.as_ref().is_none_or(says)
    }
}

impl Kept {
    fn view(&self, id: RunId) -> RunView {
        let asked = &self.requested;
        let pinned = self.prepared.as_ref().map_or(&asked.base_commit, |prepared| &prepared.base_commit);
        RunView {
            row: self.row(id),
            prompt: asked.prompt.clone(),
            base_commit: pinned.clone(),
            uncommitted_included: asked.uncommitted_included,
            entries: asked.attempts.iter().chain(&self.added).cloned().collect(),
            setup: asked.setup.clone(),
            checks: asked.checks.clone(),
            artifacts: asked.artifacts.clone(),
            limits: asked.limits,
            prepared_at_us: self.prepared.as_ref().map(|prepared| prepared.at_us),
            cancel: self.cancel.clone(),
            verdict: self.verdict.clone(),
            verdicts_replaced: self.verdicts_replaced.clone(),
            deliveries: self.deliveries.clone(),
            outcome: self.finished.as_ref().map(|end| end.outcome.clone()),
        }
    }

    fn row(&self, id: RunId) -> RunRow {
        let can_cancel = self.finished.is_none() && self.cancel.is_none() && self.winner().is_none();
        RunRow {
            id,
            title: self.requested.title.clone(),
            state: self.state(id),
            strategy: self.requested.strategy,
            repository: self.requested.repository.clone(),
            base_ref: self.requested.base_ref.clone(),
            requested_at_us: self.requested_at_us,
            requested_seq: self.requested_seq,
            by: self.by.clone(),
            finished_at_us: self.finished.as_ref().map(|end| end.at_us),
            attempts: self.counts(),
            winner: self.winner(),
            last_seq: self.last_seq,
            last_event_at_us: self.last_event_at_us,
            can: can_cancel.then_some(Can::Cancel).into_iter().collect(),
        }
    }

    fn attempts_count(&self) -> usize {
        self.requested.attempts.len() + self.added.len()
    }

    fn winner(&self) -> Option<Slot> {
        self.verdict.as_ref().and_then(|verdict| verdict.winner)
    }

    /// Where the run stands, from what was heard: the end first, then what comes before it.
    fn state(&self, id: RunId) -> RunState {
        let all_ended = self.ended.len() == self.attempts_count();
        if let Some(end) = &self.finished {
            return match end.outcome {
                RunOutcome::Delivered { .. } => RunState::Delivered,
                RunOutcome::Undelivered { .. } => RunState::Undelivered,
                RunOutcome::Undecided => RunState::Undecided,
                RunOutcome::Cancelled => RunState::Cancelled,
                RunOutcome::Failed { .. } => RunState::Failed,
            };
        }
        match (&self.verdict, self.winner()) {
            // Its work is there (or cannot be), but others still run.
            (_, Some(slot)) if !all_ended && self.is_delivery_over(AttemptId { run: id, slot }) => RunState::Racing,
            (_, Some(_)) => RunState::Delivering,
            (_, None) if self.cancel.is_some() => RunState::Cancelling,
            (Some(_), None) if !all_ended && !self.added.is_empty() => RunState::Racing,
            (Some(_), None) => RunState::Undecided,
            (None, None) if self.prepared.is_some() => {
                if all_ended {
                    RunState::Deciding
                } else {
                    RunState::Racing
                }
            }
            (None, None) if self.attempts.is_empty() => RunState::Requested,
            (None, None) => RunState::Preparing,
        }
    }

    fn counts(&self) -> AttemptCounts {
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let total = count(self.attempts_count());
        let mut counts = AttemptCounts { total, ..AttemptCounts::default() };
        for state in self.attempts.values() {
            *counts.place(state) += 1;
        }
        if self.finished.is_none() {
            counts.queued += total.saturating_sub(count(self.attempts.len()));
        }
        counts
    }
}

impl AttemptCounts {
    fn place(&mut self, state: &AttemptState) -> &mut u32 {
        match state {
            AttemptState::Queued { .. } => &mut self.queued,
            AttemptState::Starting => &mut self.starting,
            AttemptState::Setup => &mut self.setup,
            AttemptState::Running => &mut self.running,
            AttemptState::Collecting => &mut self.collecting,
            AttemptState::Checking { .. } => &mut self.checking,
            AttemptState::Retrying { .. } => &mut self.retrying,
            AttemptState::Cancelling { .. } => &mut self.cancelling,
            AttemptState::Finished { outcome } => match outcome {
                Outcome::Passed => &mut self.passed,
                Outcome::ChecksFailed { .. } => &mut self.checks_failed,
                Outcome::Unchanged => &mut self.unchanged,
                Outcome::AgentFailed { .. } => &mut self.agent_failed,
                Outcome::TimedOut => &mut self.timed_out,
                Outcome::Cancelled { .. } => &mut self.cancelled,
                Outcome::Failed { .. } => &mut self.failed,
            },
        }
    }
}
