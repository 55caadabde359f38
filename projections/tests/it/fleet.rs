//! Where attempts run, who waits, and what was left behind.

use regatta_core::event::attempt::{Channel, Outcome, Phase};
use regatta_core::event::run::Strategy;
use regatta_core::{AttemptId, SandboxKey};
use regatta_projections::fleet::{FleetTotals, InUse, LEAK_AFTER_MS, SandboxState};

use crate::history::{History, attempt, entry, request, run};

fn a() -> AttemptId {
    attempt(run(1), 0)
}

fn given() -> History {
    let mut history = History::new();
    history.requested(run(1), request(Strategy::All, &[entry("claude"), entry("codex")], &[])).prepared(run(1));
    history
}

fn check(tell: impl FnOnce(&mut History) -> &mut History, then: FleetTotals) {
    let mut history = given();
    tell(&mut history);
    let fleet = history.views().fleet(history.now_us());
    assert_eq!(fleet.totals, then);
}

#[test]
fn sandboxes_are_counted_from_intent_to_removal() {
    let none = FleetTotals::default;
    check(|history| history, none());
    check(|history| history.queued(a()), FleetTotals { waiting: 1, ..none() });
    check(|history| history.queued(a()).started(a()), FleetTotals { intended: 1, ..none() });
    check(|history| history.running(a()), FleetTotals { alive: 1, ..none() });
    check(|history| history.running(a()).over(a(), Outcome::Unchanged), FleetTotals { destroyed: 1, ..none() });
}

#[test]
fn a_sandbox_that_failed_is_watched_until_it_is_removed() {
    let mut history = given();
    history.queued(a()).started(a()).sandbox_failed(a(), true).retry_scheduled(a());
    let fleet = history.views().fleet(history.now_us());
    assert_eq!(fleet.providers[0].sandboxes[0].state, SandboxState::Failed);
    assert_eq!(fleet.totals, FleetTotals { failed: 1, waiting: 1, ..FleetTotals::default() });
    let key = history.key(a());
    history.destroyed(&key);
    let fleet = history.views().fleet(history.now_us());
    assert_eq!(fleet.providers[0].sandboxes, []);
    assert_eq!(fleet.totals, FleetTotals { failed: 1, destroyed: 1, waiting: 1, ..FleetTotals::default() });
}

#[test]
fn a_sandbox_says_what_its_agent_cost_so_far() {
    let mut history = given();
    history.running(a());
    let cost = |history: &History| history.views().fleet(history.now_us()).providers[0].sandboxes[0].cost_usd_micros;
    assert_eq!(cost(&history), None);
    let said = b"{\"type\":\"result\",\"usage\":{\"input_tokens\":5},\"total_cost_usd\":0.25}\n";
    history.printed(a(), Phase::Agent, Channel::Out, said);
    assert_eq!(cost(&history), Some(250_000));
}

fn check_in_use(tell: impl FnOnce(&mut History) -> &mut History, then: bool) {
    let mut history = given();
    tell(&mut history);
    let (attempt, provider, by) = (a(), "local".to_owned(), "user:ada".to_owned());
    assert_eq!(history.views().in_use(), then.then_some(InUse { attempt, provider, by }).as_slice());
}

#[test]
fn whoever_has_a_lease_counts_towards_the_limits_until_it_is_over() {
    check_in_use(|history| history.queued(a()), false);
    check_in_use(|history| history.queued(a()).started(a()), true);
    check_in_use(|history| history.running(a()), true);
    check_in_use(|history| history.queued(a()).started(a()).sandbox_failed(a(), true).retry_scheduled(a()), false);
    check_in_use(|history| history.running(a()).over(a(), Outcome::Unchanged), false);
}

fn check_leaks(tell: impl FnOnce(&mut History) -> &mut History, leaks: u64) {
    let mut history = given();
    tell(&mut history);
    assert_eq!(history.views().fleet(history.now_us()).totals.leaks, leaks);
}

#[test]
fn a_sandbox_that_outlives_its_right_is_a_leak() {
    fn over(history: &mut History) -> &mut History {
        history.running(a()).finished(a(), Outcome::Unchanged)
    }
    check_leaks(|history| history.running(a()).pass(10 * LEAK_AFTER_MS), 0);
    check_leaks(over, 0);
    check_leaks(
        |history| {
            over(history);
            history.pass(LEAK_AFTER_MS)
        },
        0,
    );
    check_leaks(
        |history| {
            over(history);
            history.pass(LEAK_AFTER_MS + 1)
        },
        1,
    );
    check_leaks(
        |history| {
            over(history);
            let key = history.key(a());
            history.pass(LEAK_AFTER_MS + 1).destroyed(&key)
        },
        0,
    );
}

#[test]
fn the_sandbox_of_an_older_lease_has_no_right_and_the_new_one_has() {
    fn retried(history: &mut History) -> &mut History {
        history.running(a()).retry_scheduled(a()).pass(1_000).started(a()).created(a()).pass(LEAK_AFTER_MS + 1)
    }
    check_leaks(retried, 1);
    let mut history = given();
    retried(&mut history);
    let fleet = history.views().fleet(history.now_us());
    let shown: Vec<_> = fleet.providers[0].sandboxes.iter().map(|one| (one.epoch, one.is_leak)).collect();
    assert_eq!(shown, [(1, true), (2, false)]);
}

#[test]
fn an_intent_said_again_keeps_its_age() {
    let mut history = given();
    history.queued(a()).started(a()).pass(5_000).intended(a());
    let fleet = history.views().fleet(history.now_us());
    assert_eq!(fleet.providers[0].sandboxes.len(), 1);
    assert_eq!(fleet.providers[0].sandboxes[0].age_ms, 5_000);
}

#[test]
fn what_was_left_behind_and_removed_is_counted_with_its_provider() {
    let mut history = given();
    history.running(a());
    let key = history.key(a());
    history.reaped(&key);
    let mut unknown = key.clone();
    unknown.attempt.run = run(9);
    history.reaped(&unknown);
    let views = history.views();
    let fleet = views.fleet(history.now_us());
    assert_eq!(fleet.totals, FleetTotals { reaped: 2, ..FleetTotals::default() });
    assert_eq!(regatta_projections::Projection::progress(&views).strays, 0);
}

#[test]
fn whoever_waits_says_why_and_for_how_long() {
    let mut history = given();
    let b = attempt(run(1), 1);
    history.queued(b).pass(100).queued(a()).pass(900).waiting(b, "provider local at 4/4");
    let queue = history.views().fleet(history.now_us()).queue;
    let shown: Vec<_> = queue.iter().map(|one| (one.attempt, one.reason.as_deref(), one.waiting_ms)).collect();
    assert_eq!(shown, [(b, Some("provider local at 4/4"), 1_000), (a(), None, 900)]);
    history.started(b).retry_scheduled(b);
    let queue = history.views().fleet(history.now_us()).queue;
    let shown: Vec<_> = queue.iter().map(|one| (one.attempt, one.reason.as_deref(), one.not_before_ms)).collect();
    assert_eq!(shown, [(a(), None, None), (b, Some("disk is full"), Some(history.now_us() / 1_000 + 1_000))]);
}

#[test]
fn a_persons_copy_outlives_its_attempt_and_is_a_leak_only_after_its_own_end() {
    let mut history = given();
    history.running(a());
    let key = history.key(a());
    let copy = SandboxKey { epoch: 1_000_001, ..key.clone() };
    history.forked(&copy, &key).over(a(), Outcome::Unchanged).pass(LEAK_AFTER_MS + 1);
    let told = |history: &History| {
        let fleet = history.views().fleet(history.now_us());
        fleet.providers[0].sandboxes.iter().map(|one| (one.state, one.is_leak)).collect::<Vec<_>>()
    };
    assert_eq!(told(&history), [(SandboxState::Forked, false)]);
    history.fork_ended(&copy).pass(LEAK_AFTER_MS + 1);
    assert_eq!(told(&history), [(SandboxState::Forked, true)]);
    history.destroyed(&copy);
    assert_eq!(told(&history), []);
}
