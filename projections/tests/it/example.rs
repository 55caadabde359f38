//! One whole run, as every view shows it in JSON. The snapshots are the contract with whoever renders them.

use regatta_core::event::attempt::{Channel, Exit, Outcome, Phase};
use regatta_core::event::run::{RunOutcome, Strategy};
use regatta_core::{Actor, Slot};
use regatta_projections::timeline::TimelineFilter;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::history::{History, attempt, entry, request, run};

/// Three attempts race: the first is retried once and passes, the second fails a check, the third is stopped.
fn example() -> History {
    let mut history = History::new();
    let mut requested =
        request(Strategy::Race, &[entry("claude"), entry("codex"), entry("command")], &["build", "test"]);
    requested.attempts[2].command = Some("./solve.sh".to_owned());
    requested.attempts[2].model = None;
    requested.attempts[2].sandbox = "host".to_owned();
    requested.setup = Some("cargo fetch".to_owned());
    let [a, b, c] = [0, 1, 2].map(|slot| attempt(run(1), slot));
    history.requested(run(1), requested).pass(40).prepared(run(1)).queued(a).queued(b).queued(c);
    history.pass(1).started(a).started(b).waiting(c, "attempts at 2/2");
    history.pass(20).sandbox_failed(a, true).retry_scheduled(a);
    let lost = history.key(a);
    history.created(b).phase_started(b, Phase::Setup).pass(300).phase_ended(b, Phase::Setup, Exit::Code(0));
    history.phase_started(b, Phase::Agent).destroyed(&lost).pass(900).started(a).pass(15).created(a);
    history.phase_started(a, Phase::Setup).printed(a, Phase::Setup, Channel::Err, b"fetching\n").pass(200);
    history.phase_ended(a, Phase::Setup, Exit::Code(0)).phase_started(a, Phase::Agent).pass(4_000);
    history.printed(a, Phase::Agent, Channel::Out, b"the loop ends one too early\n").pass(2_000);
    history.printed(b, Phase::Agent, Channel::Out, b"rewrote it \xf0\x9f\x98\x80\xff");
    history.worked(b, "large", &["src/lib.rs", "src/parse.rs", "tests/rows.rs"]).checked(b, 0, 0);
    history.phase_started(b, Phase::Check(1)).printed(b, Phase::Check(1), Channel::Err, b"row 3 is missing\n").pass(70);
    history.phase_ended(b, Phase::Check(1), Exit::Code(101)).over(b, Outcome::ChecksFailed { failed: 1 });
    history.started(c).created(c).phase_started(c, Phase::Setup);
    history.worked(a, "small", &["src/parse.rs"]).checked(a, 0, 0).checked(a, 1, 0).over(a, Outcome::Passed);
    history.decided(run(1), Some(0)).delivery_intended(a).cancelled(c, "attempt a won").pass(12).delivered(a);
    history
        .phase_ended(c, Phase::Setup, Exit::Killed)
        .over(c, Outcome::Cancelled { reason: "attempt a won".to_owned() });
    history.run_finished(run(1), RunOutcome::Delivered { winner: Slot::new(0).expect("slot") });
    history
}

/// Shows it as JSON that reads back as the same.
fn json<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(view: &T) -> String {
    let text = serde_json::to_string_pretty(view).expect("json");
    assert_eq!(serde_json::from_str::<T>(&text).expect("reads back"), *view);
    text
}

#[test]
fn the_run() {
    insta::assert_snapshot!(json(&example().views().run(run(1)).expect("run")));
}

#[test]
fn the_list_of_runs() {
    insta::assert_snapshot!(json(&example().views().runs.list(&Default::default(), 10)));
}

#[test]
fn the_attempts() {
    let history = example();
    insta::assert_snapshot!(json(&history.views().attempts.of_run(run(1), history.now_us())));
}

#[test]
fn the_comparison() {
    let history = example();
    insta::assert_snapshot!(json(&history.views().compare(run(1), history.now_us()).expect("run")));
}

#[test]
fn the_timeline() {
    let mut history = example();
    let unknown = (regatta_core::Kind(0x7f01), 1, bytes::Bytes::from_static(b"{}"));
    history.say_raw(regatta_core::Stream::config(), &Actor::recorded("import"), unknown);
    insta::assert_snapshot!(json(&history.views().timeline.page(&TimelineFilter::default(), 1_000)));
}

#[test]
fn the_lanes() {
    insta::assert_snapshot!(json(&example().views().timeline.lanes(run(1)).expect("lanes")));
}

#[test]
fn the_fleet_in_the_middle() {
    let mut history = example();
    history.events.truncate(33);
    insta::assert_snapshot!(json(&history.views().fleet(history.now_us())));
}
