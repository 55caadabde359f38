//! What a stream already holds of a log: everything up to some event, and a few after it. Pure.

use std::collections::BTreeMap;

use super::Error;

/// Most events known beyond the first missing one. More are in flight nowhere, so somebody else wrote them.
const BEYOND_MAX: usize = 1 << 20;

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
    /// Events after the first missing one, with their places.
    beyond: BTreeMap<u64, u64>,
}

impl Stock {
    pub(super) fn new(anchor: Anchor) -> Self {
        Self { anchor, beyond: BTreeMap::new() }
    }

    /// An event was seen in the stream, or was acknowledged.
    pub(super) fn put(&mut self, seq: u64, at: u64) -> Result<(), Error> {
        if seq > self.anchor.seq {
            self.beyond.insert(seq, at);
        }
        while let Some(entry) = self.beyond.first_entry()
            && *entry.key() == self.anchor.seq + 1
        {
            self.anchor = Anchor { seq: *entry.key(), at: self.anchor.at.max(entry.remove()) };
        }
        if self.beyond.len() > BEYOND_MAX {
            return Err(Error::Disordered(format!("{BEYOND_MAX} events after {} without it", self.anchor.seq + 1)));
        }
        Ok(())
    }

    /// Whether an event is in the stream.
    pub(super) fn holds(&self, seq: u64) -> bool {
        seq <= self.anchor.seq || self.beyond.contains_key(&seq)
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

    fn check(seen: &[(u64, u64)], upto: u64, anchor: Option<(u64, u64)>) {
        let mut stock = Stock::default();
        for (seq, at) in seen {
            stock.put(*seq, *at).expect("in bounds");
        }
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
    }

    #[test]
    fn an_event_seen_twice_counts_once() {
        check(&[(1, 1), (1, 2), (2, 3)], 2, Some((2, 3)));
    }
}
