//! What is durable but not in the store yet, in memory, in parts: the newest one grows, the others wait for the store.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Committed;
use crate::Stream;
use crate::log::Appended;

/// Some events in the order of the log.
#[derive(Debug, Default)]
pub(super) struct Part {
    pub(super) streams: HashMap<Stream, Positions>,
    pub(super) answers: HashMap<(Stream, Arc<str>), Appended>,
    /// The last event it knows of.
    pub(super) head: u64,
    pub(super) events: usize,
}

/// Neighbouring events of one stream.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Positions {
    /// Position in the stream of the first.
    pub(super) first: u64,
    /// Global positions.
    pub(super) seqs: Vec<u64>,
}

impl Part {
    pub(super) fn add(&mut self, event: &Committed) {
        let positions = self
            .streams
            .entry(event.stream.clone())
            .or_insert_with(|| Positions { first: event.stream_seq, seqs: Vec::new() });
        positions.seqs.push(event.seq);
        if let Some((key, answer)) = &event.answer {
            self.answers.insert((event.stream.clone(), key.clone()), *answer);
        }
        self.events += 1;
        self.head = self.head.max(event.seq);
    }
}

impl Positions {
    fn last(&self) -> u64 {
        self.first + self.seqs.len() as u64 - 1
    }
}

/// Parts, oldest first.
#[derive(Debug, Default)]
pub(super) struct Recent {
    parts: Mutex<VecDeque<Arc<Part>>>,
}

impl Recent {
    fn parts(&self) -> MutexGuard<'_, VecDeque<Arc<Part>>> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn add(&self, events: &[Committed], head: u64) {
        let mut parts = self.parts();
        if parts.is_empty() {
            parts.push_back(Arc::default());
        }
        if let Some(newest) = parts.back_mut().and_then(Arc::get_mut) {
            for event in events {
                newest.add(event);
            }
            newest.head = head;
        }
    }

    /// The last position in a stream, when it has recent events.
    pub(super) fn stream_head(&self, stream: &Stream) -> Option<u64> {
        self.parts().iter().rev().find_map(|part| part.streams.get(stream)).map(Positions::last)
    }

    /// The first answer to a dedup key, when it is recent.
    pub(super) fn first_answer(&self, key: &(Stream, Arc<str>)) -> Option<Appended> {
        self.parts().iter().rev().find_map(|part| part.answers.get(key)).copied()
    }

    /// Up to `max` recent events of a stream from `from` on; `first` is that of its first recent event at all.
    pub(super) fn positions(&self, stream: &Stream, from: u64, max: usize) -> Positions {
        let mut found = Positions { first: u64::MAX, seqs: Vec::new() };
        for part in self.parts().iter() {
            let Some(positions) = part.streams.get(stream) else { continue };
            found.first = found.first.min(positions.first);
            let skip = usize::try_from(from.saturating_sub(positions.first)).unwrap_or(usize::MAX);
            found.seqs.extend(positions.seqs.iter().skip(skip).take(max - found.seqs.len()));
        }
        found
    }
}
