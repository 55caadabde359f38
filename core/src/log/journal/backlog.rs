//! Appends that were taken from the queue and are not written yet, in order: one that did not fit into the last group,
//! and, while the log only reads, those that wait for room, or for the room that is kept for what gives some back. They
//! count against the queue's bound as if they were in it.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;

use super::writer::{Manner, Queue, Waiting, is_too_much};
use crate::log::AppendError;

/// Appends that come before everything in the queue.
#[derive(Default)]
pub(super) struct Backlog {
    waiting: VecDeque<Waiting>,
}

impl Backlog {
    /// The oldest.
    pub(super) fn next(&mut self) -> Option<Waiting> {
        self.waiting.pop_front()
    }

    /// Takes out what gives room back, with everything that was handed over before it: as much as one group takes.
    pub(super) fn relief(&mut self) -> Vec<Waiting> {
        let last = self.waiting.iter().rposition(|waiting| waiting.manner == Manner::Relieves);
        let (mut events, mut bytes) = (0, 0);
        let fits = |waiting: &&Waiting| {
            events += waiting.append.events.len();
            bytes += waiting.bytes;
            !is_too_much(events, bytes)
        };
        let fitting = self.waiting.iter().take_while(fits).count().max(1);
        let taken = last.map_or(0, |last| fitting.min(last + 1));
        self.waiting.drain(..taken).collect()
    }

    /// Takes in one that came after all the others.
    pub(super) fn add(&mut self, waiting: Waiting) {
        self.waiting.push_back(waiting);
    }

    /// Takes back, in their order, those that were just taken out.
    pub(super) fn give_back(&mut self, group: impl IntoIterator<Item = Waiting, IntoIter: DoubleEndedIterator>) {
        for waiting in group.into_iter().rev() {
            self.waiting.push_front(waiting);
        }
    }

    /// Refuses all of them.
    pub(super) fn refuse(self, queue: &Queue, error: &AppendError) {
        for waiting in self.waiting {
            queue.bytes.fetch_sub(waiting.bytes, Ordering::Relaxed);
            // Whoever asked may have gone away.
            waiting.answer.send(Err(error.clone())).ok();
        }
    }
}
