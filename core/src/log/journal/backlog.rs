//! Appends that were taken from the queue and are not written yet, in order: one that did not fit into the last group,
//! and, while the log only reads, those that wait for room. They count against the queue's bound as if they were in it.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;

use super::writer::{Queue, Waiting};
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
