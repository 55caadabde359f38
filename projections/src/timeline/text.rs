//! One line for people per fact. A function of the fact alone, so that a line read from the log years later is the
//! line that was shown.

use std::collections::BTreeSet;

use regatta_core::event::LogEvent;
use regatta_core::event::attempt::{
    ArtifactsCollected, AttemptEvent, Channel, Collected, DiffStat, Exit, Outcome, Phase, PhaseEnded,
};
use regatta_core::event::config::ConfigEvent;
use regatta_core::event::delivery::DeliveryEvent;
use regatta_core::event::run::{Judge, Requested, RunEvent, RunOutcome, Strategy};
use regatta_core::event::sandbox::SandboxEvent;
use regatta_core::{Event, Slot};

/// Longest line, in characters.
pub const TEXT_CHARS_MAX: usize = 300;

/// The line of a fact: no control characters, at most [`TEXT_CHARS_MAX`] characters.
#[must_use]
pub fn line(event: &Event) -> String {
    let text = match event {
        Event::Run(event) => run(event),
        Event::Attempt(event) => attempt(event),
        Event::Sandbox(event) => sandbox(event),
        Event::Gateway(event) => super::gateways::gateway(event),
        Event::Approval(event) => super::gateways::approval(event),
        Event::Rule(event) => super::gateways::rule(event),
        Event::Delivery(event) => delivery(event),
        Event::Config(event) => config(event),
        Event::User(event) => super::people::line(event),
        Event::Secret(event) => super::secrets::line(event),
        Event::Log(LogEvent::Released(released)) => format!(
            "events before {} are not kept here any more; the backup in {} holds them",
            released.first_kept, released.archive
        ),
        Event::Cleaning(event) => super::cleaning::line(event),
        Event::Unknown { payload, .. } => format!("{} bytes this version cannot read", payload.len()),
    };
    clean(text)
}

fn config(event: &ConfigEvent) -> String {
    match event {
        ConfigEvent::Applied(applied) => format!("{} settings are in force", applied.values.len()),
        ConfigEvent::Changed(changed) => {
            let to = changed.to.as_deref().unwrap_or("its default");
            let when = if changed.is_live { "" } else { ", from the next start on" };
            format!("{} changed from {} to {to}{when}", changed.key, changed.from)
        }
    }
}

fn clean(text: String) -> String {
    let is_plain = text.len() <= TEXT_CHARS_MAX && !text.chars().any(char::is_control);
    if is_plain {
        return text;
    }
    let shown = |c: char| if c.is_control() { ' ' } else { c };
    let mut clean: String = text.chars().map(shown).take(TEXT_CHARS_MAX).collect();
    if text.chars().nth(TEXT_CHARS_MAX).is_some() {
        clean.pop();
        clean.push('…');
    }
    clean
}

fn run(event: &RunEvent) -> String {
    match event {
        RunEvent::Requested(requested) => asked(requested),
        RunEvent::Prepared(prepared) => format!("base pinned at {:.12}", prepared.base_commit),
        RunEvent::AttemptEnded(ended) => {
            let (slot, outcome) = (ended.slot, outcome(&ended.outcome));
            let changed = if ended.stat.files > 0 { format!(", {}", stat(ended.stat)) } else { String::new() };
            format!("attempt {slot} is over after {}: {outcome}{changed}", span(ended.elapsed_ms))
        }
        RunEvent::Decided(decided) => {
            let judge = match decided.judge {
                Judge::Checks => "checks",
                Judge::Human => "a person",
            };
            match decided.winner {
                Some(winner) => {
                    let blind = if decided.blind { " (blind)" } else { "" };
                    format!("winner {winner}, by {judge}{blind}: {}", decided.reason)
                }
                None => format!("no winner, by {judge}: {}", decided.reason),
            }
        }
        RunEvent::CancelRequested(cancel) => format!("the run is to stop: {}", cancel.reason),
        RunEvent::SynthesisRequested(synthesis) => {
            let of: BTreeSet<Slot> = synthesis.hunks.iter().map(|hunk| hunk.slot).collect();
            let of: Vec<String> = of.iter().map(ToString::to_string).collect();
            format!("attempt {} is put together of {}: {}", synthesis.slot, of.join(", "), synthesis.reason)
        }
        RunEvent::AttemptDiscarded(discarded) => format!("{} is put aside: {}", discarded.slot, discarded.reason),
        RunEvent::DiscardUndone(undone) => format!("{} is shown again", undone.slot),
        RunEvent::Finished(finished) => match &finished.outcome {
            RunOutcome::Delivered { winner } => format!("the run is over: {winner} is delivered"),
            RunOutcome::Undelivered { winner, reason } => {
                format!("the run is over: {winner} won but could not be delivered: {reason}")
            }
            RunOutcome::Undecided => "the run is over without a winner; a person may pick one".to_owned(),
            RunOutcome::Cancelled => "the run was stopped".to_owned(),
            RunOutcome::Failed { reason } => format!("the run failed: {reason}"),
        },
    }
}

fn asked(requested: &Requested) -> String {
    let strategy = match requested.strategy {
        Strategy::All => "all",
        Strategy::Race => "race",
        Strategy::Best => "best",
    };
    let count = requested.attempts.len();
    let attempts = if count == 1 { "attempt" } else { "attempts" };
    format!("asked: {} ({count} {attempts}, {strategy}, from {})", requested.title, requested.base_ref)
}

fn attempt(event: &AttemptEvent) -> String {
    match event {
        AttemptEvent::Queued(queued) => {
            let entry = &queued.entry;
            let model = entry.model.as_ref().map(|model| format!(" · {model}")).unwrap_or_default();
            format!("stands in line: {}{model} in {}", entry.agent, entry.sandbox)
        }
        AttemptEvent::Waiting(waiting) => format!("waits: {}", waiting.reason),
        AttemptEvent::Started(started) => format!("starts, try {}", started.epoch),
        AttemptEvent::PhaseStarted(started) => format!("{} begins", phase(started.phase)),
        AttemptEvent::Output(output) => {
            let channel = match output.channel {
                Channel::Out => "standard output",
                Channel::Err => "standard error",
            };
            format!("{} printed {} on {channel}", phase(output.phase), bytes(output.bytes.len() as u64))
        }
        AttemptEvent::PhaseEnded(ended) => phase_ended(ended),
        AttemptEvent::Collected(collected) => changes(collected),
        AttemptEvent::ArtifactsCollected(collected) => artifacts(collected),
        AttemptEvent::RetryScheduled(retry) => format!("will be tried again: {}", retry.reason),
        AttemptEvent::CancelRequested(cancel) => format!("is to stop: {}", cancel.reason),
        AttemptEvent::Finished(finished) => {
            format!("is over after {}: {}", span(finished.elapsed_ms), outcome(&finished.outcome))
        }
    }
}

fn phase_ended(ended: &PhaseEnded) -> String {
    let printed = bytes(ended.out_bytes + ended.err_bytes);
    format!("{} {} after {}, {printed} printed", phase(ended.phase), exit(&ended.exit), span(ended.elapsed_ms))
}

fn changes(collected: &Collected) -> String {
    match &collected.failure {
        Some(failure) => format!("its changes could not be collected: {failure}"),
        None => format!("changed {}", stat(collected.stat)),
    }
}

fn artifacts(collected: &ArtifactsCollected) -> String {
    let whose = phase(collected.phase);
    if let Some(failure) = &collected.failure {
        return format!("artifacts of {whose} are missing: {failure}");
    }
    let sum = collected.artifacts.iter().map(|artifact| artifact.blob.bytes).sum();
    let count = collected.artifacts.len();
    let files = if count == 1 { "1 artifact".to_owned() } else { format!("{count} artifacts") };
    let omitted = match collected.omitted_count {
        0 => String::new(),
        count => format!("; {count} not kept"),
    };
    format!("{whose} left {files}, {}{omitted}", bytes(sum))
}

fn sandbox(event: &SandboxEvent) -> String {
    match event {
        SandboxEvent::Intended(intended) => format!("a sandbox is asked of {}", intended.provider),
        SandboxEvent::Created(created) => format!("its sandbox exists, fence {}", created.fence),
        SandboxEvent::Failed(failed) => format!("its sandbox failed: {}", failed.reason),
        SandboxEvent::Destroyed(_) => "its sandbox is gone".to_owned(),
        SandboxEvent::Reaped(reaped) => format!("a sandbox left behind at {} was removed", reaped.provider),
        SandboxEvent::Forked(forked) => format!("a person gets a copy of its sandbox, {}", forked.key),
        SandboxEvent::ForkEnded(_) => "a copy of its sandbox is to be removed".to_owned(),
        SandboxEvent::Entered(entered) => format!("a person runs {} in its sandbox", entered.program),
    }
}

fn delivery(event: &DeliveryEvent) -> String {
    match event {
        DeliveryEvent::Intended(intended) => format!("{} is to become {}", intended.attempt.slot, intended.branch),
        DeliveryEvent::Delivered(delivered) => {
            format!("{} is {} at {:.12}", delivered.attempt.slot, delivered.branch, delivered.commit)
        }
        DeliveryEvent::Failed(failed) => {
            format!("{} could not become {}: {}", failed.attempt.slot, failed.branch, failed.reason)
        }
    }
}

fn phase(phase: Phase) -> String {
    match phase {
        Phase::Setup => "setup".to_owned(),
        Phase::Agent => "the agent".to_owned(),
        Phase::Check(index) => format!("check {}", u32::from(index) + 1),
    }
}

fn exit(exit: &Exit) -> String {
    match exit {
        Exit::Code(code) => format!("ended with code {code}"),
        Exit::Signal(signal) => format!("was ended by signal {signal}"),
        Exit::TimedOut => "ran out of time".to_owned(),
        Exit::Killed => "was stopped".to_owned(),
        Exit::OverLimit { limit } => format!("went past a limit ({limit})"),
        Exit::NotStarted { reason } => format!("could not be started ({reason})"),
        Exit::Lost => "was lost".to_owned(),
    }
}

fn outcome(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Passed => "passed".to_owned(),
        Outcome::ChecksFailed { failed: 1 } => "1 check failed".to_owned(),
        Outcome::ChecksFailed { failed } => format!("{failed} checks failed"),
        Outcome::Unchanged => "changed nothing".to_owned(),
        Outcome::AgentFailed { exit: how } => format!("the agent {}", exit(how)),
        Outcome::TimedOut => "the agent ran out of time".to_owned(),
        Outcome::Cancelled { reason } => format!("stopped ({reason})"),
        Outcome::Failed { reason } => format!("failed: {reason}"),
    }
}

fn stat(stat: DiffStat) -> String {
    if stat.files == 0 {
        return "nothing".to_owned();
    }
    let files = if stat.files == 1 { "1 file".to_owned() } else { format!("{} files", stat.files) };
    format!("+{} −{} in {files}", stat.added, stat.removed)
}

/// A duration: `0.4 s`, `59.9 s`, `1:42`, `2:00:05`.
fn span(ms: u64) -> String {
    let (seconds, minutes, hours) = (ms / 1_000 % 60, ms / 60_000 % 60, ms / 3_600_000);
    match (hours, minutes) {
        (0, 0) => format!("{seconds}.{} s", ms % 1_000 / 100),
        (0, _) => format!("{minutes}:{seconds:02}"),
        (_, _) => format!("{hours}:{minutes:02}:{seconds:02}"),
    }
}

/// A size: `312 B`, `1.2 kB`, `3.4 MB`.
pub(super) fn bytes(count: u64) -> String {
    match count {
        0..1_000 => format!("{count} B"),
        1_000..1_000_000 => format!("{}.{} kB", count / 1_000, count % 1_000 / 100),
        1_000_000.. => format!("{}.{} MB", count / 1_000_000, count % 1_000_000 / 100_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_like_a_stopwatch() {
        for (ms, text) in [(0, "0.0 s"), (450, "0.4 s"), (59_999, "59.9 s"), (102_000, "1:42"), (7_205_000, "2:00:05")]
        {
            assert_eq!(span(ms), text);
        }
    }

    #[test]
    fn sizes_are_cut_not_rounded() {
        for (count, text) in [(0, "0 B"), (999, "999 B"), (1_999, "1.9 kB"), (1_000_000, "1.0 MB")] {
            assert_eq!(bytes(count), text);
        }
    }

    #[test]
    fn a_line_is_one_line_and_bounded() {
        assert_eq!(clean("a\nb\u{1b}[31mc".to_owned()), "a b [31mc");
        let cut = clean("é".repeat(TEXT_CHARS_MAX + 1));
        assert_eq!(cut.chars().count(), TEXT_CHARS_MAX);
        assert!(cut.ends_with('…'), "{cut}");
        assert_eq!(clean("é".repeat(TEXT_CHARS_MAX)), "é".repeat(TEXT_CHARS_MAX));
    }
}
