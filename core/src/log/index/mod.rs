//! What makes the journal fast to use: where the events of a stream are, which dedup keys are known. All of it can be
//! rebuilt from the journal at any time.

mod recent;

use std::sync::Arc;

use crate::Stream;
use crate::log::Appended;

use recent::Recent;

/// Why the index could not answer.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the index failed: {0}")]
pub struct IndexError(String);

/// One event on disk, as far as the index wants to know.
#[derive(Debug, Clone)]
pub(crate) struct Committed {
    pub(crate) stream: Stream,
    pub(crate) stream_seq: u64,
    pub(crate) seq: u64,
    /// The first answer to a dedup key, on the first event of its append.
    pub(crate) answer: Option<(Arc<str>, Appended)>,
}

/// Everything known about the events in the journal.
#[derive(Debug, Default)]
pub(crate) struct Catalog {
    recent: Recent,
}

impl Catalog {
    /// These events are durable, and now everything up to `head` is.
    pub(crate) fn add(&self, events: &[Committed], head: u64) {
        self.recent.add(events, head);
    }

    /// The last position in a stream; 0 when it has no events.
    pub(crate) fn stream_head(&self, stream: &Stream) -> Result<u64, IndexError> {
        Ok(self.recent.stream_head(stream).unwrap_or(0))
    }

    /// The first answer to a dedup key.
    pub(crate) fn first_answer(&self, key: &(Stream, Arc<str>)) -> Result<Option<Appended>, IndexError> {
        Ok(self.recent.first_answer(key))
    }

    /// Global positions of up to `max` events of a stream, from `from` on.
    pub(crate) fn positions(&self, stream: &Stream, from: u64, max: usize) -> Result<Vec<u64>, IndexError> {
        Ok(self.recent.positions(stream, from, max).seqs)
    }
}
