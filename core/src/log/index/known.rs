//! What is known about the events up to one of them, summed up by stream: built from the index and from the journal it
//! must come out the same. Small, whatever is known, and the order of what is added does not matter.

use std::collections::BTreeMap;

use crate::log::Appended;

/// Sums by stream.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Known {
    /// Identity of the journal it is about.
    pub(crate) journal: u64,
    /// The last event it knows of.
    pub(crate) cursor: u64,
    streams: BTreeMap<Box<str>, u64>,
}

impl Known {
    /// Nothing yet, about the same events as another one.
    pub(crate) fn begin(other: &Self) -> Self {
        Self { streams: BTreeMap::new(), ..*other }
    }

    /// An event of a stream stands there.
    pub(crate) fn position(&mut self, stream: &str, stream_seq: u64, seq: u64) {
        self.add(stream, mix(&[1, stream_seq, seq]));
    }

    /// A dedup key got that first answer.
    pub(crate) fn answer(&mut self, stream: &str, key: &str, answer: &Appended) {
        let key = u64::from(crc32c::crc32c(key.as_bytes()));
        self.add(stream, mix(&[2, key, answer.first.0, answer.last.0, answer.stream_seq]));
    }

    fn add(&mut self, stream: &str, sum: u64) {
        let total = match self.streams.get_mut(stream) {
            Some(total) => total,
            None => self.streams.entry(stream.into()).or_default(),
        };
        *total = total.wrapping_add(sum);
    }

    /// The streams about which the other one knows something else.
    pub(crate) fn differences<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = &'a str> {
        let changed = self.streams.iter().filter(|(stream, sum)| other.streams.get(*stream) != Some(sum));
        let more = other.streams.keys().filter(|stream| !self.streams.contains_key(*stream));
        changed.map(|(stream, _)| &**stream).chain(more.map(|stream| &**stream))
    }
}

/// Mixes numbers into one (the steps of splitmix64); a difference in any of them shows.
fn mix(numbers: &[u64]) -> u64 {
    numbers.iter().fold(0, |mixed, number| {
        let mut mixed = (mixed ^ number).wrapping_add(0x9E37_79B9_7F4A_7C15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    })
}
