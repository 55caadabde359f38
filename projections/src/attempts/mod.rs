//! Attempts: everything about one agent's try.

mod fold;
mod left;
mod state;
mod usage;
mod view;

use regatta_agents::{Agent, Remarks, Said};
use regatta_core::cleaning::Place;
use regatta_core::event::run::Entry;
use regatta_core::{AttemptId, RunId};

pub use fold::{Attempts, CHECK_TAIL_BYTES_MAX, LAST_WORDS_BYTES_MAX, OUTPUT_TAIL_BYTES_MAX};
pub use usage::USAGE_LINE_BYTES_MAX;
pub use view::{
    ArtifactsView, AttemptState, AttemptView, ChangesView, CheckState, CheckView, CleaningView, DeliveredView,
    DiscardView, OutputTail, UsageSource, UsageView,
};

use crate::Can;
use fold::{Kept, KeptDelivery, KeptRun};
pub(crate) use left::LeftBy;

impl Attempts {
    /// One attempt, as it stands at `now_us` (microseconds since the Unix epoch).
    #[must_use]
    pub fn get(&self, id: AttemptId, now_us: u64) -> Option<AttemptView> {
        let run = self.runs.get(id.run)?;
        run.attempts.get(&id.slot).map(|kept| view(id, kept, &run, now_us))
    }

    /// What an attempt's agents cost so far in micro-dollars, as far as it was told.
    pub(crate) fn cost(&self, id: AttemptId) -> Option<u64> {
        self.runs.get(id.run)?.attempts.get(&id.slot)?.used.view().cost_usd_micros
    }

    /// The attempts of a run, in slot order. Empty until the first is queued.
    #[must_use]
    pub fn of_run(&self, run: RunId, now_us: u64) -> Vec<AttemptView> {
        let Some(kept_run) = self.runs.get(run) else { return vec![] };
        let own = kept_run.attempts.iter();
        own.map(|(slot, kept)| view(AttemptId { run, slot: *slot }, kept, &kept_run, now_us)).collect()
    }
}

fn view(id: AttemptId, kept: &Kept, run: &KeptRun, now_us: u64) -> AttemptView {
    let is_winner = run.winner == Some(id.slot);
    let lease = &kept.lease;
    AttemptView {
        id,
        run: id.run,
        slot: id.slot,
        entry: kept.entry.clone(),
        state: kept.state.clone(),
        waits_for: waits_for(&kept.state),
        epoch: kept.epoch,
        starts_used: kept.starts_used,
        starts_max: kept.starts_max,
        sandbox: kept.sandbox.clone(),
        fence: lease.fence.clone(),
        queued_at_us: kept.queued_at_us,
        started_at_us: kept.started_at_us,
        finished_at_us: kept.finished.map(|end| end.at_us),
        elapsed_ms: elapsed_ms(kept, now_us),
        setup_exit: lease.setup_exit.clone(),
        agent_exit: lease.agent_exit.clone(),
        oom_kills: lease.oom_kills,
        agent_elapsed_ms: lease.agent_elapsed_ms,
        checks: checks(kept, run),
        changes: lease.changes.clone(),
        artifacts: lease.artifacts.clone(),
        out_bytes: lease.out_bytes,
        err_bytes: lease.err_bytes,
        output_tail: tail_in_words(&kept.entry, lease.tail.view()),
        delivered: match &kept.delivery {
            Some(KeptDelivery::Delivered(delivered)) => Some(delivered.clone()),
            Some(KeptDelivery::Intended | KeptDelivery::Failed) | None => None,
        },
        made_of: run.made_of.get(&id.slot).cloned().unwrap_or_default(),
        usage: kept.used.view(),
        discarded: kept.discarded.clone(),
        cleaning: kept.left.view(),
        is_winner,
        last_seq: kept.last_seq,
        last_event_at_us: kept.last_event_at_us,
        can: can(kept, is_winner),
    }
}

/// The end of what was printed by an agent that prints JSON, as people read it.
fn tail_in_words(entry: &Entry, tail: OutputTail) -> OutputTail {
    let Some(agent) = regatta_agents::find(entry).ok().filter(Agent::is_structured) else { return tail };
    // What was cut off at the front is no whole value.
    let cut = if tail.bytes_before == 0 { 0 } else { tail.text.find('\n').map_or(tail.text.len(), |end| end + 1) };
    let mut reader = agent.reader();
    let mut said = reader.read(tail.text.as_bytes().get(cut..).unwrap_or_default());
    said.extend(reader.end());
    if said.iter().all(|said| matches!(said, Said::Other(_))) {
        return tail;
    }
    let mut remarks = Remarks::default();
    let remarks = said.into_iter().filter_map(|said| remarks.on(said)).map(|remark| remark.text);
    let text = remarks.filter(|text| !text.is_empty()).collect::<Vec<_>>().join("\n");
    OutputTail { text, bytes_before: tail.bytes_before }
}

fn waits_for(state: &AttemptState) -> Option<String> {
    match state {
        AttemptState::Queued { reason } => Some(reason.clone().unwrap_or_else(|| "its turn".to_owned())),
        AttemptState::Retrying { reason, .. } => Some(format!("another try after: {reason}")),
        AttemptState::Starting
        | AttemptState::Setup
        | AttemptState::Running
        | AttemptState::Collecting
        | AttemptState::Checking { .. }
        | AttemptState::Cancelling { .. }
        | AttemptState::Finished { .. } => None,
    }
}

fn elapsed_ms(kept: &Kept, now_us: u64) -> u64 {
    match (kept.finished, kept.started_at_us) {
        (Some(end), _) => end.elapsed_ms,
        (None, Some(started)) => now_us.saturating_sub(started) / 1_000,
        (None, None) => 0,
    }
}

fn checks(kept: &Kept, run: &KeptRun) -> Vec<CheckView> {
    let view = |(index, check): (u16, &fold::KeptCheck)| {
        let asked = run.checks.get(usize::from(index));
        CheckView {
            index,
            name: asked.map_or_else(|| format!("check {}", index + 1), |asked| asked.name.clone()),
            command: asked.map(|asked| asked.command.clone()).unwrap_or_default(),
            state: check.state,
            exit: check.exit.clone(),
            elapsed_ms: check.elapsed_ms,
            output_tail: check.tail.view(),
        }
    };
    (0..).zip(&kept.lease.checks).map(view).collect()
}

/// What the deciders would not refuse, less what would change nothing.
fn can(kept: &Kept, is_winner: bool) -> Vec<Can> {
    let under_way = matches!(kept.delivery, Some(KeptDelivery::Intended));
    let delivered = matches!(kept.delivery, Some(KeptDelivery::Delivered(_)));
    let stops = matches!(kept.state, AttemptState::Cancelling { .. });
    let has_work = kept.has_work && kept.left.place() == Place::Here;
    let allowed = [
        (Can::Pick, has_work && kept.discarded.is_none() && !(is_winner && (under_way || delivered))),
        (Can::Cancel, !kept.state.is_finished() && !stops),
        (Can::Restore, kept.discarded.is_some() || (has_work && !under_way)),
        (Can::Discard, kept.is_recorded && kept.discarded.is_none() && !is_winner),
    ];
    allowed.into_iter().filter_map(|(can, yes)| yes.then_some(can)).collect()
}
