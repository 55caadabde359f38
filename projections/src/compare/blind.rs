//! A comparison in which nobody can see who did what: names are hidden and the order is another for every person. Pure:
//! the same run and person always give the same order.

use regatta_core::event::attempt::{Exit, Outcome};

use super::{Column, Comparison};
use crate::attempts::{AttemptState, OutputTail, UsageView};

/// What stands where a name or a reason would.
const HIDDEN: &str = "hidden";

impl Comparison {
    /// Without whatever tells one attempt from another but its work, in an order of that person's own.
    #[must_use]
    pub fn blind(mut self, person: &str) -> Self {
        let run = self.run;
        self.columns.sort_by_key(|column| order(&format!("{run}/{person}/{}", column.slot)));
        self.columns.iter_mut().for_each(hide);
        // A verdict, who is put aside and sums of what was used are hints at best.
        self.verdict = None;
        self.discarded.clear();
        self.usage = UsageView::default();
        let places: Vec<_> = self.columns.iter().map(|column| column.slot).collect();
        let place = |slot: &_| places.iter().position(|known| known == slot);
        for group in &mut self.groups {
            group.slots.sort_by_key(place);
        }
        self.groups.sort_by_key(|group| group.slots.first().and_then(place));
        self.blind = true;
        self
    }
}

/// Leaves what somebody judges work by: what changed, what checks say, how long it took.
fn hide(column: &mut Column) {
    HIDDEN.clone_into(&mut column.agent);
    column.command = None;
    column.model = None;
    column.branch = None;
    // Agents greet with their names, and say so in their own ways.
    column.output_tail = OutputTail::default();
    // Where it ran, what it used and of whom it was made are as good as names for those who know.
    HIDDEN.clone_into(&mut column.sandbox);
    column.fence = None;
    column.usage = UsageView::default();
    column.made_of.clear();
    column.is_winner = false;
    column.waits_for = column.waits_for.take().map(|_| HIDDEN.to_owned());
    column.collect_failure = column.collect_failure.take().map(|_| HIDDEN.to_owned());
    column.agent_exit = column.agent_exit.take().map(hidden_exit);
    hide_reason(&mut column.state);
}

/// Reasons name programs, sandboxes and winners.
fn hide_reason(state: &mut AttemptState) {
    match state {
        AttemptState::Queued { reason } => *reason = None,
        AttemptState::Retrying { reason, .. } | AttemptState::Cancelling { reason } => HIDDEN.clone_into(reason),
        AttemptState::Finished { outcome } => match outcome {
            Outcome::AgentFailed { exit } => *exit = hidden_exit(exit.clone()),
            Outcome::Cancelled { reason } | Outcome::Failed { reason } => HIDDEN.clone_into(reason),
            Outcome::Passed | Outcome::ChecksFailed { .. } | Outcome::Unchanged | Outcome::TimedOut => {}
        },
        AttemptState::Starting
        | AttemptState::Setup
        | AttemptState::Running
        | AttemptState::Collecting
        | AttemptState::Checking { .. } => {}
    }
}

fn hidden_exit(exit: Exit) -> Exit {
    match exit {
        Exit::NotStarted { .. } => Exit::NotStarted { reason: HIDDEN.to_owned() },
        Exit::OverLimit { .. } => Exit::OverLimit { limit: HIDDEN.to_owned() },
        told @ (Exit::Code(_) | Exit::Signal(_) | Exit::TimedOut | Exit::Killed | Exit::Lost) => told,
    }
}

/// A number for a text; the same text, the same number. FNV-1a, and then stirred, so that the last letter counts.
fn order(text: &str) -> u64 {
    let start = 0xcbf2_9ce4_8422_2325_u64;
    let hash = text.bytes().fold(start, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let stirred = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let stirred = (stirred ^ (stirred >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    stirred ^ (stirred >> 31)
}
