//! What a stream already holds of a log: everything up to some event, and a few after it. Pure.

use std::collections::BTreeMap;

use super::Error;

/// Most gaps known at once. More make no sense: whoever removed so much removed everything.
const RUNS_MAX: usize = 1 << 16;

/// An event and where it stands in the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Anchor {
    /// The event; it and all before it are in the stream.
    pub(super) seq: u64,
    /// A place in the stream; later events stand after it.
    pub(super) at: u64,
}

/// What a stream holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Stock {
    anchor: Anchor,
    /// Runs of events after the first missing one: the first of each, and the last.
    beyond: BTreeMap<u64, u64>,
    /// How many events up to the anchor's it does not hold and never will.
    missing: u64,
    /// The first of them, and the last.
    lacks: Option<(u64, u64)>,
}

impl Stock {
    pub(super) fn new(anchor: Anchor) -> Self {
        Self { anchor, ..Self::default() }
    }

    /// An event was seen in the stream, or was acknowledged.
    pub(super) fn put(&mut self, seq: u64, at: u64) -> Result<(), Error> {
        self.anchor.at = self.anchor.at.max(at);
        if seq == self.anchor.seq + 1 {
            self.anchor.seq = seq;
        } else if !self.holds(seq) {
            self.insert(seq);
        }
        self.join();
        if self.beyond.len() > RUNS_MAX {
            return Err(Error::Disordered(format!("{RUNS_MAX} gaps after event {}", self.anchor.seq)));
        }
        Ok(())
    }

    fn insert(&mut self, seq: u64) {
        let mut run = (seq, seq);
        if let Some((first, _)) = self.beyond.range(..seq).next_back().filter(|(_, last)| **last + 1 == seq) {
            run.0 = *first;
        }
        if let Some(last) = self.beyond.remove(&(seq + 1)) {
            run.1 = last;
        }
        self.beyond.insert(run.0, run.1);
    }

    fn join(&mut self) {
        while let Some(run) = self.beyond.first_entry()
            && *run.key() <= self.anchor.seq + 1
        {
            self.anchor.seq = self.anchor.seq.max(run.remove());
        }
    }

    /// What is missing up to an event is not published again.
    pub(super) fn give_up(&mut self, upto: u64) {
        while self.anchor.seq < upto {
            let next = self.beyond.first_key_value().map_or(upto, |(first, _)| (first - 1).min(upto));
            let (first, _) = self.lacks.unwrap_or((self.anchor.seq + 1, next));
            self.lacks = Some((first, next));
            self.missing += next - self.anchor.seq;
            self.anchor.seq = next;
            self.join();
        }
    }

    /// How many events up to [`Self::upto`] it does not hold.
    pub(super) fn missing(&self) -> u64 {
        self.missing
    }

    /// The last event of which it and all before it, from `first` on, are in the stream.
    pub(super) fn whole(&self, first: u64) -> u64 {
        match self.lacks {
            Some((lacks, last)) if first <= last => lacks.max(first) - 1,
            _ => self.anchor.seq,
        }
    }

    /// The first event it holds.
    pub(super) fn first(&self) -> Option<u64> {
        if self.anchor.seq > 0 { Some(1) } else { self.beyond.first_key_value().map(|(first, _)| *first) }
    }

    /// Whether an event is in the stream, or was given up.
    pub(super) fn holds(&self, seq: u64) -> bool {
        seq <= self.anchor.seq || self.beyond.range(..=seq).next_back().is_some_and(|(_, last)| seq <= *last)
    }

    /// The last event before the first missing one.
    pub(super) fn upto(&self) -> u64 {
        self.anchor.seq
    }

    /// From where a later look has to begin. Nothing while later events stand before the missing ones: a look from
    /// there would not see them.
    pub(super) fn anchor(&self) -> Option<Anchor> {
        self.beyond.is_empty().then_some(self.anchor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stock(seen: &[(u64, u64)]) -> Stock {
        let mut stock = Stock::default();
        for (seq, at) in seen {
            stock.put(*seq, *at).expect("in bounds");
        }
        stock
    }

    fn check(seen: &[(u64, u64)], upto: u64, anchor: Option<(u64, u64)>) {
        let stock = stock(seen);
        assert_eq!(stock.upto(), upto);
        assert_eq!(stock.anchor(), anchor.map(|(seq, at)| Anchor { seq, at }));
    }

    #[test]
    fn events_in_order_move_the_anchor() {
        check(&[], 0, Some((0, 0)));
        check(&[(1, 4), (2, 9)], 2, Some((2, 9)));
    }

    #[test]
    fn behind_a_gap_the_anchor_waits_and_then_stands_after_everything() {
        check(&[(1, 1), (3, 2), (4, 3)], 1, None);
        check(&[(1, 1), (3, 2), (4, 3), (2, 4)], 4, Some((4, 4)));
        check(&[(1, 1), (7, 2), (3, 3), (5, 4), (4, 5), (6, 6)], 1, None);
        check(&[(1, 1), (7, 2), (3, 3), (5, 4), (4, 5), (6, 6), (2, 7)], 7, Some((7, 7)));
    }

    #[test]
    fn an_event_seen_twice_counts_once() {
        check(&[(1, 1), (1, 2), (2, 3)], 2, Some((2, 3)));
        check(&[(1, 1), (3, 2), (3, 3), (2, 4)], 3, Some((3, 4)));
    }

    #[test]
    fn what_is_held_is_known_and_what_is_not_is_too() {
        let stock = stock(&[(3, 1), (4, 2), (6, 3)]);
        let held: Vec<u64> = (1..9).filter(|seq| stock.holds(*seq)).collect();
        assert_eq!((held, stock.first()), (vec![3, 4, 6], Some(3)));
    }

    #[test]
    fn a_long_purged_stream_takes_no_memory() {
        let mut stock = Stock::default();
        for seq in 2..3_000_000 {
            stock.put(seq, seq).expect("one run");
        }
        assert_eq!((stock.upto(), stock.beyond.len()), (0, 1));
    }

    #[test]
    fn what_is_given_up_is_counted_and_nothing_before_it_counts_as_whole() {
        let mut stock = stock(&[(3, 1), (4, 2), (6, 3), (9, 4)]);
        stock.give_up(5);
        assert_eq!((stock.missing(), stock.upto(), stock.anchor()), (3, 6, None), "1, 2 and 5");
        assert_eq!((stock.whole(1), stock.whole(4), stock.whole(6)), (0, 3, 6));
        stock.give_up(5);
        assert_eq!(stock.missing(), 3);
        stock.give_up(20);
        assert_eq!((stock.missing(), stock.upto()), (16, 20));
    }
}
