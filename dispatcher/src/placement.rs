//! Who may start now, and why the others wait. A pure function of who waits, what is in use and the limits.

use std::collections::BTreeMap;

use regatta_core::AttemptId;
use regatta_core::event::run::Site;
use serde::{Deserialize, Serialize};

/// How many attempts may hold a lease at once, and how fast they may begin.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Caps {
    /// Over all providers.
    pub attempts_max: usize,
    /// By provider; one that is not named has no cap of its own.
    pub by_provider: BTreeMap<String, usize>,
    /// Least time between two starts at a provider, in milliseconds; none at one that is not named.
    pub pace_ms: BTreeMap<String, u64>,
}

/// What goes on at a provider.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Traffic {
    /// Leases.
    pub in_use: usize,
    /// Those of them whose sandbox is being made.
    pub starting: usize,
    /// When one was given last, in ms since the Unix epoch; nothing when that is not known.
    pub started_ms: Option<u64>,
    /// It said that it takes no more.
    pub full: Option<Full>,
}

/// A provider said that it takes no more sandboxes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Full {
    /// In its words.
    pub reason: String,
    /// Nobody is sent there before, in ms since the Unix epoch; then one at a time, until it takes one.
    pub until_ms: u64,
    /// How often it said so in a row.
    pub times: u32,
}

/// An attempt in line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Which.
    pub attempt: AttemptId,
    /// Where it wants to run, as its entry names it.
    pub sandbox: String,
    /// Not to be started before, in ms since the Unix epoch.
    pub not_before_ms: u64,
}

impl Waiting {
    /// Its provider, and the place there where one is named.
    #[must_use]
    pub fn site(&self) -> Site<'_> {
        Site::from(self.sandbox.as_str())
    }
}

/// What happens to an attempt in line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Placement {
    /// It starts.
    Start(AttemptId),
    /// It waits, for this reason.
    Wait(AttemptId, String),
}

/// What comes of a look at the line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// What happens to everybody who may start by now, in order.
    pub placements: Vec<Placement>,
    /// When placing again may come to something else although nothing happened until then, in ms since the Unix epoch.
    pub next_ms: Option<u64>,
}

/// Decides for everybody in line, first come first served; one that waits for its provider does not hold up others.
#[must_use]
pub fn place(line: &[Waiting], traffic: &BTreeMap<String, Traffic>, caps: &Caps, now_ms: u64) -> Placed {
    let mut traffic = traffic.clone();
    let mut total: usize = traffic.values().map(|here| here.in_use).sum();
    let (mut placements, mut left) = (Vec::with_capacity(line.len()), Vec::new());
    for waiting in line {
        if waiting.not_before_ms > now_ms {
            left.push(waiting);
            continue;
        }
        let name = waiting.site().provider;
        let here = traffic.entry(name.to_owned()).or_default();
        let cap = caps.by_provider.get(name).copied().unwrap_or(usize::MAX);
        let placement = if here.in_use >= cap {
            Placement::Wait(waiting.attempt, format!("provider {name} at {cap}/{cap}"))
        } else if total >= caps.attempts_max {
            Placement::Wait(waiting.attempt, format!("attempts at {0}/{0}", caps.attempts_max))
        } else if let Some(full) = here.full.as_ref().filter(|full| full.until_ms > now_ms || here.starting > 0) {
            Placement::Wait(waiting.attempt, format!("provider {name} takes no more: {}", full.reason))
        } else if let Some(pace_ms) = caps.pace_ms.get(name).filter(|pace| next_start(here, **pace) > now_ms) {
            Placement::Wait(waiting.attempt, format!("provider {name} begins one every {pace_ms} ms"))
        } else {
            here.in_use += 1;
            here.starting += 1;
            here.started_ms = Some(now_ms);
            total += 1;
            Placement::Start(waiting.attempt)
        };
        if matches!(placement, Placement::Wait(..)) {
            left.push(waiting);
        }
        placements.push(placement);
    }
    let next_ms = next_ms(&left, &traffic, caps, now_ms);
    Placed { placements, next_ms }
}

fn next_start(here: &Traffic, pace_ms: u64) -> u64 {
    here.started_ms.map_or(0, |started_ms| started_ms.saturating_add(pace_ms))
}

fn next_ms(left: &[&Waiting], traffic: &BTreeMap<String, Traffic>, caps: &Caps, now_ms: u64) -> Option<u64> {
    let times = left.iter().flat_map(|waiting| {
        let name = waiting.site().provider;
        let here = traffic.get(name);
        let until = here.and_then(|here| here.full.as_ref()).map(|full| full.until_ms);
        let pace = caps.pace_ms.get(name).and_then(|pace| Some(next_start(here?, *pace)));
        [Some(waiting.not_before_ms), until, pace]
    });
    times.flatten().filter(|at_ms| *at_ms > now_ms).min()
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
            sandbox: provider.to_owned(),
            not_before_ms,
        };
        line.iter().map(waiting).collect()
    }

    fn caps() -> Caps {
        let (by_provider, pace_ms) =
            (BTreeMap::from([("docker".to_owned(), 2)]), BTreeMap::from([("e2b".to_owned(), 50)]));
        Caps { attempts_max: 4, by_provider, pace_ms }
    }

    fn check(waiting: &[(&str, &str, u64)], in_use: &[(&str, usize)], then: &[(&str, &str)]) {
        let here = |in_use| Traffic { in_use, ..Traffic::default() };
        let traffic = in_use.iter().map(|(name, count)| ((*name).to_owned(), here(*count))).collect();
        placed(waiting, &traffic, then);
    }

    fn at_e2b(traffic: Traffic) -> BTreeMap<String, Traffic> {
        BTreeMap::from([("e2b".to_owned(), traffic)])
    }

    fn placed(waiting: &[(&str, &str, u64)], traffic: &BTreeMap<String, Traffic>, then: &[(&str, &str)]) {
        let told: Vec<(String, String)> = place(&line(waiting), traffic, &caps(), 100)
            .placements
            .into_iter()
            .map(|placement| match placement {
                Placement::Start(attempt) => (attempt.slot.to_string(), "start".to_owned()),
                Placement::Wait(attempt, reason) => (attempt.slot.to_string(), reason),
            })
            .collect();
        let then: Vec<_> = then.iter().map(|(slot, what)| ((*slot).to_owned(), (*what).to_owned())).collect();
        assert_eq!(told, then);
    }

    /// When it is to be looked again, at 100.
    fn next(waiting: &[(&str, &str, u64)], traffic: &BTreeMap<String, Traffic>) -> Option<u64> {
        place(&line(waiting), traffic, &caps(), 100).next_ms
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
    fn a_provider_with_a_pace_begins_one_at_a_time_and_the_next_is_not_forgotten() {
        let pace = "provider e2b begins one every 50 ms";
        let two = [("a", "e2b", 0), ("b", "e2b", 0)];
        placed(&two, &BTreeMap::new(), &[("a", "start"), ("b", pace)]);
        let began = |started_ms| at_e2b(Traffic { in_use: 1, started_ms: Some(started_ms), ..Traffic::default() });
        placed(&two, &began(60), &[("a", pace), ("b", pace)]);
        assert_eq!(next(&two, &began(60)), Some(110));
        placed(&two, &began(50), &[("a", "start"), ("b", pace)]);
        assert_eq!(next(&[("a", "local", 300)], &began(60)), Some(300));
        assert_eq!(next(&[("a", "local", 0)], &began(60)), None);
    }

    #[test]
    fn a_provider_that_takes_no_more_is_asked_again_later_and_by_one_alone() {
        let full = |until_ms, starting| {
            let full = Full { reason: "too many".to_owned(), until_ms, times: 1 };
            at_e2b(Traffic { starting, full: Some(full), ..Traffic::default() })
        };
        let no_more = "provider e2b takes no more: too many";
        let line_of = [("a", "e2b", 0), ("b", "e2b", 0), ("c", "local", 0)];
        placed(&line_of, &full(101, 0), &[("a", no_more), ("b", no_more), ("c", "start")]);
        assert_eq!(next(&line_of, &full(101, 0)), Some(101));
        placed(&line_of, &full(100, 0), &[("a", "start"), ("b", no_more), ("c", "start")]);
        placed(&line_of, &full(100, 1), &[("a", no_more), ("b", no_more), ("c", "start")]);
    }

    #[test]
    fn placing_what_was_placed_starts_nobody_twice() {
        check(&[], &[("local", 2)], &[]);
    }
}
