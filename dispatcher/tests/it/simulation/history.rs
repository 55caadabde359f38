//! What must hold in the log of every life, and at the end of all.

use std::collections::{BTreeMap, BTreeSet};

use regatta_core::event::attempt::{AttemptEvent, Channel, Exit as Ended, Phase};
use regatta_core::event::delivery::DeliveryEvent;
use regatta_core::event::run::{RunEvent, RunOutcome};
use regatta_core::{AttemptId, Event};
use regatta_dispatcher::source_control::SourceControl as _;
use regatta_sandboxes::Exec;

use super::tidy::check_left;
use super::world::{FakeGit, script};
use super::{CAP, Simulation};

/// What must hold in every log, at every moment.
pub(super) fn check_history(simulation: &Simulation) {
    let mut leases: BTreeSet<AttemptId> = BTreeSet::new();
    let mut epochs: BTreeMap<AttemptId, u32> = BTreeMap::new();
    let mut finished: BTreeMap<String, u32> = BTreeMap::new();
    let mut artifacts: BTreeSet<(AttemptId, u32, String)> = BTreeSet::new();
    let mut printed: BTreeMap<(String, u32, Phase, Channel), Vec<u8>> = BTreeMap::new();
    for (stream, event) in simulation.events() {
        let attempt: Option<AttemptId> = stream.strip_prefix("attempt/").and_then(|id| id.parse().ok());
        match (event, attempt) {
            (Event::Attempt(AttemptEvent::Started(started)), Some(attempt)) => {
                let before = epochs.insert(attempt, started.epoch).unwrap_or(0);
                assert_eq!(started.epoch, before + 1, "{attempt}: a lease is skipped or repeated");
                assert!(leases.insert(attempt), "{attempt} has two leases");
                assert!(leases.len() <= CAP, "more leases than allowed");
            }
            (Event::Attempt(AttemptEvent::RetryScheduled(_)), Some(attempt)) => {
                assert!(leases.remove(&attempt), "{attempt} tries again without a lease");
            }
            (Event::Attempt(AttemptEvent::Finished(_)), Some(attempt)) => {
                leases.remove(&attempt);
                *finished.entry(stream).or_default() += 1;
            }
            (Event::Attempt(AttemptEvent::Output(output)), None) => {
                let so_far = printed.entry((stream, output.epoch, output.phase, output.channel)).or_default();
                assert_eq!(so_far.len() as u64, output.offset, "output is missing or doubled");
                so_far.extend(&output.bytes);
            }
            (Event::Attempt(AttemptEvent::ArtifactsCollected(collected)), Some(attempt)) => {
                if collected.failure.is_some() {
                    continue;
                }
                assert_eq!((collected.artifacts.len(), collected.omitted_count), (1, 1), "{attempt}");
                for artifact in collected.artifacts {
                    let is_new = artifacts.insert((attempt, collected.epoch, artifact.name.clone()));
                    assert!(is_new, "{attempt}: {} is kept twice", artifact.name);
                }
            }
            (Event::Attempt(AttemptEvent::PhaseEnded(ended)), Some(attempt)) => {
                let of = |channel| printed.get(&(format!("output/{attempt}"), ended.epoch, ended.phase, channel));
                let (out, err) = (of(Channel::Out).map_or(0, Vec::len), of(Channel::Err).map_or(0, Vec::len));
                assert_eq!(
                    (out as u64, err as u64),
                    (ended.out_bytes, ended.err_bytes),
                    "{attempt}: output counted wrong"
                );
                if matches!(ended.exit, Ended::Code(_) | Ended::Signal(_)) {
                    let exec = Exec { name: ended.phase.to_string(), ..FakeGit::default().collect_exec("", "") };
                    let key = format!("regatta-test-{}-{}-{}", attempt.run, attempt.slot, ended.epoch);
                    let script = script(simulation.seed, &key, &exec);
                    let all: usize = script.prints.iter().map(|(.., bytes)| bytes.len()).sum();
                    assert_eq!(out + err, all, "{attempt}: output of {} is incomplete", ended.phase);
                }
            }
            _ => {}
        }
    }
    check_left(simulation);
    assert!(finished.values().all(|times| *times == 1), "an attempt ended twice: {finished:?}");
    let begun = simulation.world.all_begun();
    assert!(begun.values().all(|times| *times == 1), "a command was started twice: {begun:?}");
}

/// What must hold when everything is settled.
pub(super) fn check_end(simulation: &Simulation) {
    assert_eq!(simulation.world.sandboxes(), Vec::<String>::new(), "sandboxes are left");
    let events = simulation.events();
    for (key, (request, run)) in &simulation.asked {
        let run = run.unwrap_or_else(|| panic!("{key} was never answered"));
        let of_run: Vec<&RunEvent> = events
            .iter()
            .filter(|(stream, _)| *stream == format!("run/{run}"))
            .filter_map(|(_, event)| if let Event::Run(event) = event { Some(event) } else { None })
            .filter(|event| !matches!(event, RunEvent::AttemptDiscarded(_) | RunEvent::DiscardUndone(_)))
            .collect();
        let added = of_run.iter().filter(|event| matches!(event, RunEvent::SynthesisRequested(_))).count();
        let attempts = request.attempts.len() + added;
        let requested = of_run.iter().filter(|event| matches!(event, RunEvent::Requested(_))).count();
        assert_eq!(requested, 1, "{run} was requested {requested} times");
        let Some(RunEvent::Finished(finished)) = of_run.last() else { panic!("{run} did not finish") };
        let ended = of_run.iter().filter(|event| matches!(event, RunEvent::AttemptEnded(_))).count();
        match &finished.outcome {
            RunOutcome::Failed { .. } => assert_eq!((request.repository.as_str(), ended), ("/gone", 0)),
            RunOutcome::Cancelled if ended == 0 => {}
            RunOutcome::Delivered { winner } => {
                assert_eq!(ended, attempts);
                let branch = format!("regatta/{run}/{winner}");
                assert!(simulation.git.0.lock().expect("lock").contains_key(&branch), "{branch} is missing");
            }
            RunOutcome::Undelivered { .. } | RunOutcome::Undecided | RunOutcome::Cancelled => {
                assert_eq!(ended, attempts);
            }
        }
    }
    let delivered = events.iter().filter(|(_, event)| matches!(event, Event::Delivery(DeliveryEvent::Delivered(_))));
    let branches = simulation.git.0.lock().expect("lock").len();
    assert!(delivered.count() >= branches, "a branch was made that no event tells of");
}
