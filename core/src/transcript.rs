//! Which rows of a transcript were heard. Pure: what a row says is not looked at.
//!
//! A gateway says each row once, and what was missed is said again later from what it keeps, behind newer ones. Places count
//! from 1 and are given anew after a reset or a step back, so a row is newer than another one by its place or by its time.
//! Rows that no gateway says by itself (the answers of tools) leave holes, too, which does no harm.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

/// Most holes of one transcript that are remembered; what is missing in the oldest stays missing.
pub const HOLES_MAX: usize = 64;

/// Where a row stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowPlace {
    /// Its place in the transcript, from 1.
    pub seq: u64,
    /// When it was written, in milliseconds since the Unix epoch, by the gateway's clock; 0 when it does not say.
    pub at_ms: u64,
}

impl RowPlace {
    /// Whether it was written after another one: a clock may stand still or be set back, and places may begin anew.
    fn is_after(self, other: Self) -> bool {
        self.seq > other.seq || self.at_ms > other.at_ms
    }
}

/// The rows of one transcript that were heard, as far as that is remembered.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct HeardRows {
    span: Option<Span>,
    /// The oldest first.
    holes: VecDeque<Hole>,
}

/// The first and the last row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Span {
    first: RowPlace,
    last: RowPlace,
}

/// Between two rows that were heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Hole {
    after: RowPlace,
    before: RowPlace,
}

impl Hole {
    /// Nothing when no row has room there.
    fn between(after: RowPlace, before: RowPlace) -> Option<Self> {
        let is_room = before.seq > 1 && after.seq.checked_add(1) != Some(before.seq);
        is_room.then_some(Self { after, before })
    }

    fn holds(self, row: RowPlace) -> bool {
        row.seq < self.before.seq && row.at_ms <= self.before.at_ms && row.is_after(self.after)
    }
}

impl HeardRows {
    /// Takes in a row; whether it was not heard before.
    pub fn hear(&mut self, row: RowPlace) -> bool {
        let Some(Span { first, last }) = self.span else {
            self.span = Some(Span { first: row, last: row });
            return true;
        };
        if row.is_after(last) {
            // A clock that was set back does not make what follows old.
            let row = RowPlace { at_ms: row.at_ms.max(last.at_ms), ..row };
            self.span = Some(Span { first, last: row });
            self.holes.extend(Hole::between(last, row));
        } else if self.is_before_all(row) {
            self.span = Some(Span { first: row, last });
            if let Some(hole) = Hole::between(row, first) {
                self.holes.push_front(hole);
            }
        } else {
            let Some(at) = self.holes.iter().position(|hole| hole.holds(row)) else { return false };
            let Some(Hole { after, before }) = self.holes.remove(at) else { return false };
            let rest = [Hole::between(after, row), Hole::between(row, before)];
            rest.into_iter().flatten().rev().for_each(|hole| self.holes.insert(at, hole));
        }
        while self.holes.len() > HOLES_MAX {
            self.holes.pop_front();
        }
        true
    }

    /// Whether a row is missing: newer than the last one, or in a hole. Of what came before the first nothing is known.
    #[must_use]
    pub fn lacks(&self, row: RowPlace) -> bool {
        self.span.is_none_or(|span| row.is_after(span.last)) || self.holes.iter().any(|hole| hole.holds(row))
    }

    /// Whether a row is older than all that were heard.
    #[must_use]
    pub fn is_before_all(&self, row: RowPlace) -> bool {
        self.span.is_some_and(|Span { first, .. }| row.seq < first.seq && row.at_ms <= first.at_ms)
    }

    /// Whether there may be rows between those that were heard.
    #[must_use]
    pub fn has_holes(&self) -> bool {
        !self.holes.is_empty()
    }

    /// When the last row was written, in milliseconds since the Unix epoch; 0 when none was heard.
    #[must_use]
    pub fn last_at_ms(&self) -> u64 {
        self.span.map_or(0, |span| span.last.at_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(places: &[(u64, u64)]) -> Vec<RowPlace> {
        places.iter().map(|&(seq, at_ms)| RowPlace { seq, at_ms }).collect()
    }

    /// After these rows, those are missing and these others are not.
    fn check(heard: &[(u64, u64)], missing: &[(u64, u64)], known: &[(u64, u64)]) -> HeardRows {
        let mut all = HeardRows::default();
        for row in rows(heard) {
            assert!(all.hear(row), "{row:?} is new");
        }
        for row in rows(missing) {
            assert!(all.lacks(row), "{row:?} is missing in {all:?}");
        }
        for row in rows(known) {
            assert!(!all.lacks(row), "{row:?} is not missing in {all:?}");
            assert!(!all.clone().hear(row) || all.is_before_all(row), "{row:?} counts once");
        }
        all
    }

    #[test]
    fn what_was_heard_is_known_and_what_is_newer_is_missing() {
        check(&[], &[(1, 10)], &[]);
        let all = check(&[(1, 10), (2, 20), (3, 20)], &[(4, 20), (4, 30)], &[(1, 10), (2, 20), (3, 20)]);
        assert!(!all.has_holes());
    }

    #[test]
    fn a_row_told_late_fills_its_hole_and_no_other() {
        let (one, four) = ((1, 10), (4, 40));
        check(&[one, four], &[(2, 20), (3, 30)], &[one, four]);
        check(&[one, four, (3, 30)], &[(2, 20)], &[one, (3, 30), four]);
        let all = check(&[one, four, (3, 30), (2, 20)], &[(5, 41)], &[one, (2, 20), (3, 30), four]);
        assert!(!all.has_holes());
    }

    #[test]
    fn places_that_begin_anew_are_other_rows() {
        // A reset is row 1 of what follows, which nobody is told.
        let all = check(&[(1, 10), (2, 20), (3, 30), (2, 50)], &[(3, 60)], &[(2, 20), (2, 50)]);
        assert!(all.has_holes());
        check(&[(1, 10), (8, 20), (4, 60)], &[(2, 50), (3, 50), (5, 70)], &[(1, 10), (4, 60)]);
    }

    #[test]
    fn a_clock_that_is_set_back_makes_nothing_old() {
        check(&[(1, 100), (2, 40), (3, 50)], &[(4, 60)], &[(2, 40), (3, 50)]);
        check(&[(1, 100), (2, 40), (5, 60)], &[(3, 50), (4, 55)], &[(1, 100), (2, 40), (5, 60)]);
    }

    #[test]
    fn rows_before_the_first_one_heard_are_new_once() {
        let all = check(&[(5, 50), (2, 20)], &[(3, 30), (4, 40)], &[(2, 20), (5, 50), (1, 10)]);
        assert!(all.is_before_all(RowPlace { seq: 1, at_ms: 10 }));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut all = HeardRows::default();
        for number in 1..1_000 {
            all.hear(RowPlace { seq: number * 2, at_ms: number });
        }
        assert_eq!(all.holes.len(), HOLES_MAX);
        all.hear(RowPlace { seq: u64::MAX, at_ms: u64::MAX });
        assert!(all.lacks(RowPlace { seq: u64::MAX - 1, at_ms: 2_000 }));
    }
}
