//! Who may start now, and why the others wait. A pure function of who waits, what is in use and the limits.

use std::collections::BTreeMap;

use regatta_core::AttemptId;
use serde::{Deserialize, Serialize};

/// How many attempts may hold a lease at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caps {
    /// Over all providers.
    pub attempts_max: usize,
    /// By provider; one that is not named has no cap of its own.
    pub by_provider: BTreeMap<String, usize>,
}

/// An attempt in line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Which.
    pub attempt: AttemptId,
    /// Where it wants to run.
    pub provider: String,
    /// Not to be started before, in ms since the Unix epoch.
    pub not_before_ms: u64,
}

/// What happens to an attempt in line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Placement {
    /// It starts.
    Start(AttemptId),
    /// It waits, for this reason.
    Wait(AttemptId, String),
}

/// Decides for everybody in line, first come first served; one that waits for its provider does not hold up others.
/// `in_use` counts the leases by provider.
#[must_use]
pub fn place(line: &[Waiting], in_use: &BTreeMap<String, usize>, caps: &Caps, now_ms: u64) -> Vec<Placement> {
    let mut used = in_use.clone();
    let mut total: usize = used.values().sum();
    let mut placements = Vec::with_capacity(line.len());
    for waiting in line.iter().filter(|waiting| waiting.not_before_ms <= now_ms) {
        let here = used.entry(waiting.provider.clone()).or_insert(0);
        let cap = caps.by_provider.get(&waiting.provider).copied().unwrap_or(usize::MAX);
        let placement = if *here >= cap {
            Placement::Wait(waiting.attempt, format!("provider {} at {cap}/{cap}", waiting.provider))
        } else if total >= caps.attempts_max {
            Placement::Wait(waiting.attempt, format!("attempts at {0}/{0}", caps.attempts_max))
        } else {
            *here += 1;
            total += 1;
            Placement::Start(waiting.attempt)
        };
        placements.push(placement);
    }
    placements
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(slot: &str) -> AttemptId {
        format!("7q2k9x0m.{slot}").parse().expect("id")
    }

    fn line(line: &[(&str, &str, u64)]) -> Vec<Waiting> {
        let waiting = |&(slot, provider, not_before_ms): &(&str, &str, u64)| Waiting {
            attempt: id(slot),
            provider: provider.to_owned(),
            not_before_ms,
        };
        line.iter().map(waiting).collect()
    }

    fn check(waiting: &[(&str, &str, u64)], in_use: &[(&str, usize)], then: &[(&str, &str)]) {
        let in_use = in_use.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect();
        let caps = Caps { attempts_max: 4, by_provider: BTreeMap::from([("docker".to_owned(), 2)]) };
        let told: Vec<(String, String)> = place(&line(waiting), &in_use, &caps, 100)
            .into_iter()
            .map(|placement| match placement {
                Placement::Start(attempt) => (attempt.slot.to_string(), "start".to_owned()),
                Placement::Wait(attempt, reason) => (attempt.slot.to_string(), reason),
            })
            .collect();
        let then: Vec<_> = then.iter().map(|(slot, what)| ((*slot).to_owned(), (*what).to_owned())).collect();
        assert_eq!(told, then);
    }

    #[test]
    fn whoever_fits_starts_in_order() {
        check(&[("a", "local", 0), ("b", "local", 0)], &[], &[("a", "start"), ("b", "start")]);
    }

    #[test]
    fn a_full_provider_is_the_reason_and_holds_up_nobody_else() {
        check(
            &[("a", "docker", 0), ("b", "local", 0)],
            &[("docker", 2)],
            &[("a", "provider docker at 2/2"), ("b", "start")],
        );
    }

    #[test]
    fn a_full_install_is_the_reason() {
        check(&[("a", "local", 0)], &[("local", 4)], &[("a", "attempts at 4/4")]);
    }

    #[test]
    fn whoever_is_to_wait_for_a_retry_says_nothing_new() {
        check(&[("a", "local", 101), ("b", "local", 100)], &[], &[("b", "start")]);
    }

    #[test]
    fn placing_what_was_placed_starts_nobody_twice() {
        check(&[], &[("local", 2)], &[]);
    }
}
