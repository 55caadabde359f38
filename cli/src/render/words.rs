//! States in words and tones.

use regatta_core::event::attempt::{DiffStat, Exit, Outcome};
use regatta_projections::attempts::{AttemptState, UsageSource, UsageView};
use regatta_projections::runs::RunState;

use crate::terminal::numbers::counted;
use crate::terminal::table::Tone;

/// An attempt's state in a word or two.
pub(crate) fn attempt_state(state: &AttemptState) -> (String, Tone) {
    match state {
        AttemptState::Queued { .. } => ("queued".to_owned(), Tone::Warn),
        AttemptState::Starting => ("starting".to_owned(), Tone::Busy),
        AttemptState::Setup => ("in setup".to_owned(), Tone::Busy),
        AttemptState::Running => ("running".to_owned(), Tone::Busy),
        AttemptState::Collecting => ("collecting changes".to_owned(), Tone::Busy),
        AttemptState::Checking { .. } => ("checking".to_owned(), Tone::Busy),
        AttemptState::Retrying { .. } => ("waits to retry".to_owned(), Tone::Warn),
        AttemptState::Cancelling { .. } => ("cancelling".to_owned(), Tone::Warn),
        AttemptState::Finished { outcome } => outcome_words(outcome),
    }
}

fn outcome_words(outcome: &Outcome) -> (String, Tone) {
    match outcome {
        Outcome::Passed => ("passed".to_owned(), Tone::Good),
        Outcome::ChecksFailed { failed } => (format!("{} failed", counted(u64::from(*failed), "check")), Tone::Bad),
        Outcome::Unchanged => ("changed nothing".to_owned(), Tone::Warn),
        Outcome::AgentFailed { .. } => ("agent failed".to_owned(), Tone::Bad),
        Outcome::TimedOut => ("timed out".to_owned(), Tone::Bad),
        Outcome::Cancelled { .. } => ("cancelled".to_owned(), Tone::Dim),
        Outcome::Failed { .. } => ("failed".to_owned(), Tone::Bad),
    }
}

/// Why a state is as it is, when it says.
pub(crate) fn attempt_reason(state: &AttemptState) -> Option<String> {
    match state {
        AttemptState::Queued { reason } => reason.clone(),
        AttemptState::Retrying { reason, .. } | AttemptState::Cancelling { reason } => Some(reason.clone()),
        AttemptState::Finished { outcome: Outcome::Cancelled { reason } | Outcome::Failed { reason } } => {
            Some(reason.clone())
        }
        AttemptState::Finished { outcome: Outcome::AgentFailed { exit: how } } => Some(exit(how)),
        AttemptState::Finished { .. }
        | AttemptState::Starting
        | AttemptState::Setup
        | AttemptState::Running
        | AttemptState::Collecting
        | AttemptState::Checking { .. } => None,
    }
}

/// A run's state in a word.
pub(crate) fn run_state(state: RunState) -> (&'static str, Tone) {
    let tone = match state {
        RunState::Requested | RunState::Preparing | RunState::Cancelling => Tone::Warn,
        RunState::Racing | RunState::Deciding | RunState::Delivering => Tone::Busy,
        RunState::Delivered => Tone::Good,
        RunState::Undelivered | RunState::Failed => Tone::Bad,
        RunState::Undecided => Tone::Strong,
        RunState::Cancelled => Tone::Dim,
    };
    (state.word(), tone)
}

/// Whether nothing more will happen unless a person picks.
pub(crate) fn is_over(state: RunState) -> bool {
    match state {
        RunState::Delivered | RunState::Undelivered | RunState::Undecided | RunState::Cancelled | RunState::Failed => {
            true
        }
        RunState::Requested
        | RunState::Preparing
        | RunState::Racing
        | RunState::Deciding
        | RunState::Delivering
        | RunState::Cancelling => false,
    }
}

/// How a command ended.
pub(crate) fn exit(exit: &Exit) -> String {
    match exit {
        Exit::Code(code) => format!("exit {code}"),
        Exit::Signal(signal) => format!("killed by signal {signal}"),
        Exit::TimedOut => "time was up".to_owned(),
        Exit::Killed => "stopped".to_owned(),
        Exit::OverLimit { limit } => format!("over its limit: {limit}"),
        Exit::NotStarted { reason } => format!("could not be started: {reason}"),
        Exit::Lost => "lost".to_owned(),
    }
}

/// `1 file +3 -1`.
pub(crate) fn stat(stat: &DiffStat) -> String {
    format!("{} +{} -{}", counted(u64::from(stat.files), "file"), stat.added, stat.removed)
}

/// `1,204 in, 98 out`; a tilde says that it was summed up on the way. Nothing when the agent said nothing.
pub(crate) fn tokens(usage: &UsageView) -> Option<String> {
    let about = if usage.source == UsageSource::Estimated { "~" } else { "" };
    Some(format!("{about}{} in, {about}{} out", usage.tokens_in?, usage.tokens_out?))
}

/// What it cost; nothing when the agent does not say.
pub(crate) fn cost(usage: &UsageView) -> Option<String> {
    usage.cost_usd_micros.map(dollars)
}

/// `$0.31`, to a hundredth of a cent when it is less than a cent.
pub(crate) fn dollars(micros: u64) -> String {
    let (dollars, rest) = (micros / 1_000_000, micros % 1_000_000);
    if micros < 10_000 { format!("$0.{:04}", rest / 100) } else { format!("${dollars}.{:02}", rest / 10_000) }
}
