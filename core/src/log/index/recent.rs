//! What is durable but not in the store yet, in memory, in parts: the newest one grows, the others wait for the store.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::Committed;
use crate::Stream;
use crate::log::Appended;

/// Events after which a part is full. Each part takes a key of the store for every stream in it, and sled spends 170 µs on
/// a key: parts of 65,536 events in a thousand streams kept a whole core busy, parts of 262,144 a quarter of one.
const PART_EVENTS_MAX: usize = 1 << 19;
/// First answers after which a part is full too: with the events this bounds one batch of the store.
const PART_ANSWERS_MAX: usize = 1 << 16;
/// Parts that wait for the store before the writer waits for it too: bounds the memory all of this takes.
const PARTS_MAX: usize = 4;
/// How long events may wait before the store is told: each time takes a key for every stream in them.
const INTERVAL: Duration = Duration::from_secs(2);

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
    fn is_full(&self) -> bool {
        self.events >= PART_EVENTS_MAX || self.answers.len() >= PART_ANSWERS_MAX
    }

    fn add(&mut self, event: &Committed) {
        let positions = self
            .streams
            .entry(event.stream.clone())
            .or_insert_with(|| Positions { first: event.stream_seq, seqs: Vec::new() });
        positions.seqs.push(event.seq);
        if let Some((key, answer)) = &event.answer {
            self.answers.insert((event.stream.clone(), key.clone()), *answer);
        }
        self.events += 1;
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
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    parts: VecDeque<Arc<Part>>,
    /// Whether the store was written to directly since it was last asked.
    touched: bool,
    /// Nothing more will come.
    stopped: bool,
    /// The store will take nothing more.
    given_up: bool,
}

impl Recent {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn add(&self, events: &[Committed], head: u64) {
        let mut state = self.state();
        while state.parts.len() >= PARTS_MAX && !state.given_up {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let open = state.parts.back_mut().and_then(Arc::get_mut).filter(|part| !part.is_full());
        if open.is_none() {
            state.parts.push_back(Arc::default());
            self.changed.notify_all();
        }
        // A part just pushed is held by nobody else.
        let Some(newest) = state.parts.back_mut().and_then(Arc::get_mut) else { return };
        for event in events {
            newest.add(event);
        }
        newest.head = head;
    }

    /// The store was written to directly and wants a flush.
    pub(super) fn touch(&self) {
        self.state().touched = true;
        self.changed.notify_all();
    }

    pub(super) fn take_touched(&self) -> bool {
        std::mem::take(&mut self.state().touched)
    }

    /// The last position in a stream, when it has recent events.
    pub(super) fn stream_head(&self, stream: &Stream) -> Option<u64> {
        self.state().parts.iter().rev().find_map(|part| part.streams.get(stream)).map(Positions::last)
    }

    /// The first answer to a dedup key, when it is recent.
    pub(super) fn first_answer(&self, key: &(Stream, Arc<str>)) -> Option<Appended> {
        self.state().parts.iter().rev().find_map(|part| part.answers.get(key)).copied()
    }

    /// Up to `max` recent events of a stream from `from` on; `first` is that of its first recent event at all.
    pub(super) fn positions(&self, stream: &Stream, from: u64, max: usize) -> Positions {
        let mut found = Positions { first: u64::MAX, seqs: Vec::new() };
        for part in &self.state().parts {
            let Some(positions) = part.streams.get(stream) else { continue };
            found.first = found.first.min(positions.first);
            let skip = usize::try_from(from.saturating_sub(positions.first)).unwrap_or(usize::MAX);
            found.seqs.extend(positions.seqs.iter().skip(skip).take(max - found.seqs.len()));
        }
        found
    }

    /// Waits until the store has something to do: at once when a part is full, else after an interval. Says whether
    /// nothing more will come.
    pub(super) fn wait(&self, dirty: bool) -> bool {
        let mut state = self.state();
        while !state.stopped && !dirty && !state.touched && state.parts.is_empty() {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let waits = |state: &mut State| !state.stopped && state.parts.len() < 2;
        let waited = self.changed.wait_timeout_while(state, INTERVAL, waits);
        waited.unwrap_or_else(PoisonError::into_inner).0.stopped
    }

    /// The oldest part; it grows no more while somebody holds it.
    pub(super) fn oldest(&self) -> Option<Arc<Part>> {
        self.state().parts.front().cloned()
    }

    /// The oldest part is in the store.
    pub(super) fn drop_oldest(&self) {
        self.state().parts.pop_front();
        self.changed.notify_all();
    }

    pub(super) fn stop(&self) {
        self.state().stopped = true;
        self.changed.notify_all();
    }

    /// The store failed: nobody waits for it any more.
    pub(super) fn give_up(&self) {
        self.state().given_up = true;
        self.changed.notify_all();
    }
}
