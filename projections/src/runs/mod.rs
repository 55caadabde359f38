//! Runs: a list of rows, and one run.

mod fold;
mod view;

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
pub const RUNS_PAGE_MAX: usize = 500;

impl Runs {
    /// How many runs there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.runs.len()
    }

    /// One run.
    #[must_use]
    pub fn get(&self, id: RunId) -> Option<RunView> {
        self.runs.get(&id).map(|kept| kept.view(id))
    }

    /// One page of runs, newest first; at most `limit` rows and never more than [`RUNS_PAGE_MAX`].
    #[must_use]
    pub fn list(&self, filter: &RunFilter, limit: usize) -> RunPage {
        let limit = limit.clamp(1, RUNS_PAGE_MAX);
        let known = self.order.iter().rev().filter_map(|id| Some((*id, self.runs.get(id)?)));
        let mut fitting = known
            .filter(|(_, kept)| filter.before.is_none_or(|before| kept.requested_seq < before))
            .filter(|(id, kept)| kept.fits(*id, filter));
        let rows: Vec<RunRow> = fitting.by_ref().take(limit).map(|(id, kept)| kept.row(id)).collect();
        let more = fitting.next().is_some();
        let next = rows.last().filter(|_| more).map(|row| row.requested_seq);
        RunPage { rows, next }
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
            entries: asked.attempts.clone(),
            setup: asked.setup.clone(),
            checks: asked.checks.clone(),
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

    fn winner(&self) -> Option<Slot> {
        self.verdict.as_ref().and_then(|verdict| verdict.winner)
    }

    /// Where the run stands, from what was heard: the end first, then what comes before it.
    fn state(&self, id: RunId) -> RunState {
        let all_ended = self.ended.len() == self.requested.attempts.len();
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
        let total = count(self.requested.attempts.len());
        let mut counts = AttemptCounts { total, ..AttemptCounts::default() };
        for state in self.attempts.values() {
            *counts.place(state) += 1;
        }
        if self.finished.is_none() {
            counts.queued += total.saturating_sub(count(self.attempts.len()));
        }
        counts
    }

    fn fits(&self, id: RunId, filter: &RunFilter) -> bool {
        let asked = &self.requested;
        let says = |text: &String| {
            let text = text.to_lowercase();
            id.as_str().contains(&text) || asked.title.to_lowercase().contains(&text)
        };
        (filter.states.is_empty() || filter.states.contains(&self.state(id)))
            && filter.repository.as_ref().is_none_or(|repository| *repository == asked.repository)
            && filter.by.as_ref().is_none_or(|by| by == self.by.as_str())
            && filter.text.as_ref().is_none_or(says)
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
