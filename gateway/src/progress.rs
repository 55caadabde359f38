//! The order of events on one connection, and what is missing in it. Pure.
//!
//! A gateway numbers events per connection from 1 and never sends one again, so a gap is a loss that must be rebuilt from
//! what the gateway keeps. Skipped events used their number too.

/// Events that were lost on the way: those after `last` and before `next`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// The last one that came, 0 when none had.
    pub last: u64,
    /// The one that came instead of the next.
    pub next: u64,
}

impl Gap {
    /// How many are missing.
    #[must_use]
    pub fn missing(&self) -> u64 {
        self.next.saturating_sub(self.last).saturating_sub(1)
    }
}

/// How far a connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    last: u64,
}

/// What a number means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The next one.
    Next,
    /// Some are missing before it.
    After(Gap),
    /// It, or a later one, was here already.
    Again,
}

impl Progress {
    /// Takes over a number.
    pub fn step(&mut self, seq: u64) -> Step {
        let last = self.last;
        if seq <= last {
            return Step::Again;
        }
        self.last = seq;
        if seq == last.saturating_add(1) { Step::Next } else { Step::After(Gap { last, next: seq }) }
    }

    /// The last number that came, 0 when none had.
    #[must_use]
    pub fn last(&self) -> u64 {
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_next_missing_or_again() {
        let mut progress = Progress::default();
        let steps: Vec<Step> = [1, 2, 5, 5, 3, 6, u64::MAX].map(|seq| progress.step(seq)).to_vec();
        let gap = |last, next| Step::After(Gap { last, next });
        let expected = [Step::Next, Step::Next, gap(2, 5), Step::Again, Step::Again, Step::Next, gap(6, u64::MAX)];
        assert_eq!(steps, expected);
        assert_eq!(Gap { last: 2, next: 5 }.missing(), 2);
    }

    #[test]
    fn a_connection_that_begins_late_has_a_gap_before_its_first_event() {
        assert_eq!(Progress::default().step(4), Step::After(Gap { last: 0, next: 4 }));
    }
}
