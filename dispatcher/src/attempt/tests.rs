//! The attempt decider as tables: given facts, when a command comes, then facts or a refusal.

use regatta_core::event::attempt::{
    Artifact, ArtifactsCollected, AttemptEvent, CancelRequested, Collected, DiffStat, Exit, Finished, Outcome, Phase,
    PhaseEnded, PhaseStarted, Queued, RetryScheduled, Started, Waiting,
};
use regatta_core::event::run::Entry;
use regatta_core::event::sandbox::{Created, Destroyed, Entered, Failed, ForkEnded, Forked, Intended, SandboxEvent};
use regatta_core::{BlobRef, Event, SandboxKey};

use super::{Attempt, Command, Failure, Trouble};

const NOW_US: u64 = 50_000_000;

fn facts(setup: bool, checks: u16) -> Queued {
    let entry = Entry { agent: "command".into(), command: Some("true".into()), model: None, sandbox: "local".into() };
    Queued {
        run: "7q2k9x0m".parse().expect("id"),
        slot: "b".parse().expect("slot"),
        entry,
        setup,
        checks,
        starts_max: 2,
    }
}

fn key(epoch: u32) -> SandboxKey {
    format!("regatta-test-7q2k9x0m-b-{epoch}").parse().expect("key")
}

fn queued() -> Event {
    AttemptEvent::Queued(facts(false, 0)).into()
}
fn queued_with(setup: bool, checks: u16) -> Event {
    AttemptEvent::Queued(facts(setup, checks)).into()
}
fn waiting(reason: &str) -> Event {
    AttemptEvent::Waiting(Waiting { reason: reason.into() }).into()
}
fn started(epoch: u32) -> Event {
    AttemptEvent::Started(Started { epoch, sandbox: key(epoch) }).into()
}
fn intended(epoch: u32) -> Event {
    let attempt = "7q2k9x0m.b".parse().expect("id");
    SandboxEvent::Intended(Intended { key: key(epoch), provider: "local".into(), attempt, epoch }).into()
}
fn created(epoch: u32) -> Event {
    SandboxEvent::Created(Created { key: key(epoch), fence: "bubblewrap".into() }).into()
}
fn sandbox_failed(transient: bool) -> Event {
    SandboxEvent::Failed(Failed { key: key(1), reason: "disk full".into(), transient }).into()
}
fn destroyed(epoch: u32) -> Event {
    SandboxEvent::Destroyed(Destroyed { key: key(epoch) }).into()
}
fn phase(epoch: u32, phase: Phase) -> Event {
    AttemptEvent::PhaseStarted(PhaseStarted { epoch, phase }).into()
}
fn end(epoch: u32, phase: Phase, exit: Exit) -> PhaseEnded {
    PhaseEnded { epoch, phase, exit, elapsed_ms: 7, out_bytes: 0, err_bytes: 0, oom_kills: 0 }
}
fn ended(epoch: u32, phase: Phase, exit: Exit) -> Event {
    AttemptEvent::PhaseEnded(end(epoch, phase, exit)).into()
}
fn kept(files: u32) -> Collected {
    let stat = DiffStat { files, added: 3, removed: 1 };
    Collected { epoch: 1, patch: None, stat, files: vec![], failure: None }
}
fn collected(files: u32) -> Event {
    AttemptEvent::Collected(kept(files)).into()
}
fn cancel_requested() -> Event {
    AttemptEvent::CancelRequested(CancelRequested { reason: "a won".into() }).into()
}
fn retry(epoch: u32, reason: &str, not_before_ms: u64) -> Event {
    AttemptEvent::RetryScheduled(RetryScheduled { epoch, reason: reason.into(), not_before_ms, is_spared: false })
        .into()
}
fn finished(outcome: Outcome) -> Event {
    AttemptEvent::Finished(Finished { outcome, elapsed_ms: 49_000 }).into()
}
fn cancelled() -> Outcome {
    Outcome::Cancelled { reason: "a won".into() }
}
fn failed(reason: &str) -> Outcome {
    Outcome::Failed { reason: reason.into() }
}

/// Folds facts; the first lease begins a second after the epoch.
fn given(events: &[Event]) -> Attempt {
    let mut attempt = Attempt::queued(facts(false, 0));
    for event in events {
        match event {
            Event::Attempt(event) => attempt.evolve(event, 1_000_000),
            Event::Sandbox(event) => attempt.evolve_sandbox(event),
            other @ (Event::Run(_)
            | Event::Gateway(_)
            | Event::Approval(_)
            | Event::Rule(_)
            | Event::Delivery(_)
            | Event::Config(_)
            | Event::User(_)
            | Event::Secret(_)
            | Event::Log(_)
            | Event::Cleaning(_)
            | Event::Unknown { .. }) => {
                panic!("{other:?} is not of an attempt")
            }
        }
    }
    attempt
}

fn check(history: &[Event], when: Command, then: &[Event]) {
    assert_eq!(given(history).decide(when, NOW_US).expect("no refusal"), then);
}

fn refused(history: &[Event], when: Command, then: &str) {
    assert_eq!(given(history).decide(when, NOW_US).expect_err("a refusal").message, then);
}

fn running(setup: bool, checks: u16, at: Phase) -> Vec<Event> {
    vec![queued_with(setup, checks), started(1), intended(1), created(1), phase(1, at)]
}

#[test]
fn whoever_waits_says_why_once() {
    check(&[queued()], Command::Wait("local at 4/4".into()), &[waiting("local at 4/4")]);
    check(&[queued(), waiting("local at 4/4")], Command::Wait("local at 4/4".into()), &[]);
    check(&[queued(), waiting("local at 4/4")], Command::Wait("attempts at 8/8".into()), &[waiting("attempts at 8/8")]);
}

#[test]
fn a_start_is_a_lease_and_the_intent_of_a_sandbox() {
    check(&[queued()], Command::Start("test".parse().expect("id")), &[started(1), intended(1)]);
}

#[test]
fn a_second_start_is_refused() {
    refused(&[queued(), started(1)], Command::Start("test".parse().expect("id")), "it has started");
}

#[test]
fn an_intent_lost_with_a_crash_is_said_again() {
    check(&[queued(), started(1)], Command::Intend, &[intended(1)]);
}

#[test]
fn a_sandbox_leads_to_setup_or_to_the_agent() {
    let before = [queued_with(true, 0), started(1), intended(1)];
    check(&before, Command::SandboxCreated(1, "bubblewrap".into()), &[created(1), phase(1, Phase::Setup)]);
    let before = [queued(), started(1), intended(1)];
    check(&before, Command::SandboxCreated(1, "bubblewrap".into()), &[created(1), phase(1, Phase::Agent)]);
}

#[test]
fn a_sandbox_found_again_after_a_crash_is_not_recorded_twice() {
    let before = [queued(), started(1), intended(1), created(1)];
    check(&before, Command::SandboxCreated(1, "bubblewrap".into()), &[phase(1, Phase::Agent)]);
}

#[test]
fn a_stale_epoch_is_refused() {
    let before = [queued(), started(1), intended(1), retry(1, "disk full", 1), started(2), intended(2)];
    let stale = "that was said of something else than what runs now (epoch 2)";
    refused(&before, Command::SandboxCreated(1, "none".into()), stale);
    refused(&before, Command::PhaseEnded(end(1, Phase::Agent, Exit::Code(0)), None), stale);
}

#[test]
fn a_transient_failure_is_tried_again_later_until_the_starts_are_used_up() {
    let failure = Failure { reason: "disk full".into(), trouble: Trouble::Passing };
    let before = [queued(), started(1), intended(1)];
    let again = retry(1, "disk full", NOW_US / 1_000 + 1_000);
    check(&before, Command::SandboxFailed(1, failure.clone()), &[sandbox_failed(true), again]);
    let failed_twice = Failed { key: key(2), reason: "disk full".into(), transient: true };
    let before = [queued(), started(1), retry(1, "disk full", 1), started(2), intended(2)];
    let then = [SandboxEvent::Failed(failed_twice).into(), finished(failed("disk full"))];
    check(&before, Command::SandboxFailed(2, failure), &then);
}

#[test]
fn a_provider_without_room_costs_no_start_however_often() {
    let failure = Failure { reason: "too many".into(), trouble: Trouble::Full { wait_ms: 5_000 } };
    let spared = |epoch, not_before_ms| {
        let retry = RetryScheduled { epoch, reason: "too many".into(), not_before_ms, is_spared: true };
        Event::from(AttemptEvent::RetryScheduled(retry))
    };
    let told = |epoch| {
        Event::from(SandboxEvent::Failed(Failed { key: key(epoch), reason: "too many".into(), transient: true }))
    };
    let again = |epoch| [told(epoch), spared(epoch, NOW_US / 1_000 + 5_000)];
    check(&[queued(), started(1), intended(1)], Command::SandboxFailed(1, failure.clone()), &again(1));
    let before = [queued(), started(1), spared(1, 1), started(2), spared(2, 1), started(3), intended(3)];
    check(&before, Command::SandboxFailed(3, failure), &again(3));
    // Of what really fails, there are as many starts as before.
    let broken = Failure { reason: "disk full".into(), trouble: Trouble::Passing };
    let failed_once = Failed { key: key(3), reason: "disk full".into(), transient: true };
    let then = [SandboxEvent::Failed(failed_once).into(), retry(3, "disk full", NOW_US / 1_000 + 1_000)];
    check(&before, Command::SandboxFailed(3, broken), &then);
}

#[test]
fn a_lasting_failure_is_not_tried_again() {
    let failure = Failure { reason: "disk full".into(), trouble: Trouble::Lasting };
    let before = [queued(), started(1), intended(1)];
    check(&before, Command::SandboxFailed(1, failure), &[sandbox_failed(false), finished(failed("disk full"))]);
}

#[test]
fn a_lost_runner_is_a_transient_failure() {
    let reason = "whatever ran the agent command is gone (killed, or the machine was restarted)";
    let then = [ended(1, Phase::Agent, Exit::Lost), retry(1, reason, NOW_US / 1_000 + 1_000)];
    check(&running(false, 0, Phase::Agent), Command::PhaseEnded(end(1, Phase::Agent, Exit::Lost), None), &then);
}

#[test]
fn a_failed_setup_fails_the_attempt() {
    let then = [ended(1, Phase::Setup, Exit::Code(3)), finished(failed("the setup command failed: exit code 3"))];
    check(&running(true, 0, Phase::Setup), Command::PhaseEnded(end(1, Phase::Setup, Exit::Code(3)), None), &then);
}

#[test]
fn setup_is_followed_by_the_agent_and_the_agent_by_collecting() {
    let then = [ended(1, Phase::Setup, Exit::Code(0)), phase(1, Phase::Agent)];
    check(&running(true, 0, Phase::Setup), Command::PhaseEnded(end(1, Phase::Setup, Exit::Code(0)), None), &then);
    let then = [ended(1, Phase::Agent, Exit::Code(0))];
    check(&running(false, 0, Phase::Agent), Command::PhaseEnded(end(1, Phase::Agent, Exit::Code(0)), None), &then);
}

/// What an attempt of two checks ends as, by how its agent and its collecting went.
fn after_agent(exit: Exit, files: u32, then: Event) {
    let mut history = running(false, 2, Phase::Agent);
    history.push(ended(1, Phase::Agent, exit));
    check(&history, Command::Collected(kept(files), None), &[collected(files), then]);
}

#[test]
fn checks_follow_only_an_agent_that_ended_well_and_changed_something() {
    after_agent(Exit::Code(0), 1, phase(1, Phase::Check(0)));
    after_agent(Exit::Code(0), 0, finished(Outcome::Unchanged));
    after_agent(Exit::Code(1), 1, finished(Outcome::AgentFailed { exit: Exit::Code(1) }));
    after_agent(Exit::Signal(9), 1, finished(Outcome::AgentFailed { exit: Exit::Signal(9) }));
    after_agent(Exit::TimedOut, 1, finished(Outcome::TimedOut));
    let limit = Exit::OverLimit { limit: "memory 2 of 1 GB".into() };
    after_agent(limit.clone(), 1, finished(Outcome::AgentFailed { exit: limit }));
}

#[test]
fn an_agent_that_could_not_be_started_fails_the_attempt() {
    let exit = Exit::NotStarted { reason: "claude is not installed".into() };
    let then = [ended(1, Phase::Agent, exit.clone()), finished(failed("claude is not installed"))];
    check(&running(false, 0, Phase::Agent), Command::PhaseEnded(end(1, Phase::Agent, exit), None), &then);
}

#[test]
fn every_check_runs_and_the_failures_are_counted() {
    let mut history = running(false, 2, Phase::Agent);
    history.extend([ended(1, Phase::Agent, Exit::Code(0)), collected(1), phase(1, Phase::Check(0))]);
    let first = ended(1, Phase::Check(0), Exit::Code(1));
    let then = [first.clone(), phase(1, Phase::Check(1))];
    check(&history, Command::PhaseEnded(end(1, Phase::Check(0), Exit::Code(1)), None), &then);
    history.extend(then);
    let second = ended(1, Phase::Check(1), Exit::Code(0));
    let then = [second, finished(Outcome::ChecksFailed { failed: 1 })];
    check(&history, Command::PhaseEnded(end(1, Phase::Check(1), Exit::Code(0)), None), &then);
}

/// What a command left, with sums nobody has worked out yet.
fn left(phase: Phase, files: &[(&str, u64)]) -> ArtifactsCollected {
    let artifact = |(name, bytes): &(&str, u64)| Artifact {
        name: (*name).to_owned(),
        blob: BlobRef { hash: "ab".repeat(32), bytes: *bytes },
        mode: 0o644,
    };
    ArtifactsCollected {
        epoch: 1,
        phase,
        artifacts: files.iter().map(artifact).collect(),
        omitted: vec![],
        omitted_count: 0,
        failure: None,
        kept_count: 0,
        kept_bytes: 0,
    }
}

#[test]
fn artifacts_stand_before_what_follows_with_the_sums_of_their_lease() {
    let mut history = running(false, 1, Phase::Agent);
    history.push(ended(1, Phase::Agent, Exit::Code(0)));
    let agents = left(Phase::Agent, &[("agent/a", 5), ("workspace/r", 7)]);
    let first = ArtifactsCollected { kept_count: 2, kept_bytes: 12, ..agents.clone() };
    let then = [AttemptEvent::ArtifactsCollected(first).into(), collected(1), phase(1, Phase::Check(0))];
    check(&history, Command::Collected(kept(1), Some(Box::new(agents))), &then);
    history.extend(then);
    let checks = left(Phase::Check(0), &[("check-0/j", 1), ("workspace/r", 9)]);
    let second = ArtifactsCollected { kept_count: 3, kept_bytes: 15, ..checks.clone() };
    let over = ended(1, Phase::Check(0), Exit::Code(0));
    let then = [AttemptEvent::ArtifactsCollected(second).into(), over, finished(Outcome::Passed)];
    check(&history, Command::PhaseEnded(end(1, Phase::Check(0), Exit::Code(0)), Some(Box::new(checks))), &then);
}

#[test]
fn no_checks_and_a_change_is_a_pass() {
    let mut history = running(false, 0, Phase::Agent);
    history.push(ended(1, Phase::Agent, Exit::Code(0)));
    check(&history, Command::Collected(kept(1), None), &[collected(1), finished(Outcome::Passed)]);
}

#[test]
fn a_cancel_ends_at_once_what_stands_in_line() {
    let never_started = AttemptEvent::Finished(Finished { outcome: cancelled(), elapsed_ms: 0 }).into();
    check(&[queued()], Command::Cancel("a won".into()), &[cancel_requested(), never_started]);
}

#[test]
fn a_cancel_of_what_runs_waits_for_its_end_and_keeps_what_it_did() {
    let mut history = running(false, 2, Phase::Agent);
    check(&history, Command::Cancel("a won".into()), &[cancel_requested()]);
    history.push(cancel_requested());
    check(&history, Command::Cancel("a won".into()), &[]);
    let over = ended(1, Phase::Agent, Exit::Killed);
    check(&history, Command::PhaseEnded(end(1, Phase::Agent, Exit::Killed), None), std::slice::from_ref(&over));
    history.push(over);
    check(&history, Command::Collected(kept(1), None), &[collected(1), finished(cancelled())]);
}

#[test]
fn a_cancel_while_the_sandbox_is_made_or_a_check_runs_ends_there() {
    let history = [queued(), started(1), intended(1), cancel_requested()];
    check(&history, Command::SandboxCreated(1, "bubblewrap".into()), &[created(1), finished(cancelled())]);
    let mut history = running(false, 2, Phase::Agent);
    history.extend([
        ended(1, Phase::Agent, Exit::Code(0)),
        collected(1),
        phase(1, Phase::Check(0)),
        cancel_requested(),
    ]);
    let then = [ended(1, Phase::Check(0), Exit::Killed), finished(cancelled())];
    check(&history, Command::PhaseEnded(end(1, Phase::Check(0), Exit::Killed), None), &then);
}

#[test]
fn what_is_over_takes_nothing_more_but_the_end_of_its_sandbox() {
    let history = [queued(), started(1), intended(1), finished(Outcome::Passed)];
    refused(&history, Command::Cancel("a won".into()), "attempt 7q2k9x0m.b is over");
    check(&history, Command::Destroyed(key(1)), &[destroyed(1)]);
    check(&history, Command::Destroyed(key(2)), &[]);
}

#[test]
fn each_retry_waits_longer_up_to_a_minute() {
    let waits: Vec<u64> = [1, 2, 3, 6, 7, 40].into_iter().map(super::backoff_ms).collect();
    assert_eq!(waits, [1_000, 2_000, 4_000, 32_000, 60_000, 60_000]);
}

#[test]
fn a_copy_is_of_the_sandbox_in_use_and_goes_when_it_is_ended() {
    let copy = |number: u32| SandboxKey { epoch: 1_000_001 + number, ..key(1) };
    let until_ms = NOW_US / 1_000 + 60_000;
    let forked = |number| {
        let forked = Forked { key: copy(number), of: key(1), provider: "local".into(), until_ms };
        Event::from(SandboxEvent::Forked(forked))
    };
    let ended = |number| Event::from(SandboxEvent::ForkEnded(ForkEnded { key: copy(number) }));
    let mut history = running(false, 0, Phase::Agent);
    check(&history, Command::Fork(key(1), 60_000), &[forked(0)]);
    let nobody = |epoch| format!("no attempt is under way in sandbox {}", key(epoch));
    refused(&history, Command::Fork(key(2), 60_000), &nobody(2));
    refused(&[queued(), started(1), intended(1)], Command::Fork(key(1), 1), &nobody(1));
    history.push(forked(0));
    check(&history, Command::Fork(key(1), 60_000), &[forked(1)]);
    check(&history, Command::EndFork(copy(0)), &[ended(0)]);
    check(&history, Command::EndFork(copy(1)), &[]);
    check(&history, Command::Destroyed(copy(0)), &[]);
    history.push(ended(0));
    // Its name is not used again, and its removal is due.
    check(&history, Command::Fork(key(1), 60_000), &[forked(1)]);
    check(&history, Command::Destroyed(copy(0)), &[SandboxEvent::Destroyed(Destroyed { key: copy(0) }).into()]);
}

#[test]
fn a_person_goes_into_a_sandbox_in_use_or_a_copy_and_nowhere_else() {
    let copy = SandboxKey { epoch: 1_000_001, ..key(1) };
    let wish = |key: SandboxKey| Command::Enter { key, exec: "person-1".into(), program: "ls".into() };
    let entered = |key: SandboxKey| {
        let entered = Entered { key, exec: "person-1".into(), program: "ls".into() };
        Event::from(SandboxEvent::Entered(entered))
    };
    let nobody = |key: &SandboxKey| format!("no attempt is under way in sandbox {key}");
    refused(&[queued(), started(1), intended(1)], wish(key(1)), &nobody(&key(1)));
    let mut history = running(false, 0, Phase::Agent);
    check(&history, wish(key(1)), &[entered(key(1))]);
    refused(&history, wish(key(2)), &nobody(&key(2)));
    refused(&history, wish(copy.clone()), &nobody(&copy));
    let (of, until_ms) = (key(1), NOW_US / 1_000 + 60_000);
    let forked = Forked { key: copy.clone(), of, provider: "local".into(), until_ms };
    history.push(SandboxEvent::Forked(forked).into());
    check(&history, wish(copy.clone()), &[entered(copy)]);
    history.push(finished(Outcome::Passed));
    refused(&history, wish(key(1)), &nobody(&key(1)));
}
