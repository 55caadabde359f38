//! Which gateway takes an attempt: one that is connected, has room and can do it; of several the one with the least load.
//! Pure.

use std::collections::BTreeMap;

use regatta_core::GatewayName;

/// How many attempts may be at each gateway at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caps {
    /// At every gateway that is not named below.
    pub each: usize,
    /// At these.
    pub by_gateway: BTreeMap<String, usize>,
}

impl Caps {
    fn of(&self, gateway: &GatewayName) -> usize {
        self.by_gateway.get(gateway.as_str()).copied().unwrap_or(self.each)
    }
}

/// A gateway that may be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub(crate) gateway: GatewayName,
    /// Why it cannot be asked now.
    pub(crate) away: Option<String>,
    /// Attempts that are there.
    pub(crate) here: usize,
}

/// Those that may be asked, the least loaded for what it may take first; and why the others may not, for now.
pub(crate) fn rank(candidates: Vec<Candidate>, caps: &Caps) -> (Vec<GatewayName>, Vec<String>) {
    let (mut able, mut reasons) = (Vec::new(), Vec::new());
    for Candidate { gateway, away, here } in candidates {
        let cap = caps.of(&gateway);
        match away {
            Some(reason) => reasons.push(format!("gateway {gateway} is not connected: {reason}")),
            None if here >= cap => reasons.push(format!("gateway {gateway} at {here}/{cap}")),
            None => able.push((here, cap, gateway)),
        }
    }
    // Loads as fractions, without dividing.
    able.sort_by(|(here, cap, gateway), (there, other_cap, other)| {
        (here * other_cap).cmp(&(there * cap)).then_with(|| gateway.cmp(other))
    });
    (able.into_iter().map(|(_, _, gateway)| gateway).collect(), reasons)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(candidates: &[(&str, Option<&str>, usize)], then: &[&str], reasons: &[&str]) {
        let candidate = |&(name, away, here): &(&str, Option<&str>, usize)| Candidate {
            gateway: name.parse().expect("a name"),
            away: away.map(str::to_owned),
            here,
        };
        let caps = Caps { each: 2, by_gateway: BTreeMap::from([("wide".to_owned(), 8)]) };
        let (able, told) = rank(candidates.iter().map(candidate).collect(), &caps);
        assert_eq!(able.iter().map(GatewayName::as_str).collect::<Vec<_>>(), then);
        assert_eq!(told, reasons);
    }

    #[test]
    fn the_least_loaded_for_what_it_may_take_comes_first() {
        check(&[("one", None, 1), ("two", None, 0), ("wide", None, 2)], &["two", "wide", "one"], &[]);
        check(&[("b", None, 1), ("a", None, 1)], &["a", "b"], &[]);
    }

    #[test]
    fn who_is_away_or_full_is_told() {
        check(
            &[("one", Some("connection refused"), 0), ("two", None, 2), ("wide", None, 7)],
            &["wide"],
            &["gateway one is not connected: connection refused", "gateway two at 2/2"],
        );
    }
}
