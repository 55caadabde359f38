//! A log that lives in memory: the contract at its plainest, for tests and the simulation. Forgets everything when
//! dropped.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{oneshot, watch};

use super::{Append, AppendError, Appended, Expect, Log, Pending, ReadError, ReadMax, check_bounds};
use crate::{Envelope, Seq, Stream};

/// A log in memory. Clones share it.
#[derive(Debug, Clone)]
pub struct MemoryLog {
    kept: Arc<Mutex<Kept>>,
    head: watch::Sender<Seq>,
}

#[derive(Debug, Default)]
struct Kept {
    events: Vec<Envelope>,
    /// Indexes into `events`, by stream.
    streams: HashMap<Stream, Vec<usize>>,
    first_answers: HashMap<(Stream, Arc<str>), Appended>,
}

impl Default for MemoryLog {
    fn default() -> Self {
        Self { kept: Arc::default(), head: watch::Sender::new(Seq(0)) }
    }
}

impl MemoryLog {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn append(&mut self, append: Append) -> Result<Appended, AppendError> {
        check_bounds(&append)?;
        let dedup = append.events.first().and_then(|draft| draft.dedup.clone());
        if let Some(key) = &dedup
            && let Some(first_answer) = self.first_answers.get(&(append.stream.clone(), key.clone()))
        {
            return Ok(Appended { duplicate: true, ..*first_answer });
        }
        let places = self.streams.entry(append.stream.clone()).or_default();
        let actual = places.len() as u64;
        let met = match append.expect {
            Expect::Any => true,
            Expect::Empty => actual == 0,
            Expect::At(stream_seq) => actual == stream_seq,
        };
        if !met {
            return Err(AppendError::Conflict { stream: append.stream, expected: append.expect, actual });
        }
        let first = Seq(self.events.len() as u64 + 1);
        for draft in append.events {
            places.push(self.events.len());
            self.events.push(Envelope {
                seq: Seq(self.events.len() as u64 + 1),
                stream: append.stream.clone(),
                stream_seq: places.len() as u64,
                id: draft.id,
                kind: draft.kind,
                version: draft.version,
                at_us: draft.at_us,
                actor: draft.actor,
                cause: draft.cause,
                correlation: draft.correlation,
                dedup: draft.dedup,
                payload: draft.payload,
            });
        }
        let last = Seq(self.events.len() as u64);
        let appended = Appended { first, last, stream_seq: places.len() as u64, duplicate: false };
        if let Some(key) = dedup {
            self.first_answers.insert((append.stream, key), appended);
        }
        Ok(appended)
    }
}

/// Takes events until a bound is met, at least one.
fn bounded<'a>(events: impl Iterator<Item = &'a Envelope>, max: ReadMax) -> Vec<Envelope> {
    let mut taken: Vec<Envelope> = Vec::new();
    let mut bytes = 0;
    for event in events.take(max.events) {
        if !taken.is_empty() && bytes + event.payload.len() > max.bytes {
            break;
        }
        bytes += event.payload.len();
        taken.push(event.clone());
    }
    taken
}

impl Log for MemoryLog {
    fn submit(&self, append: Append) -> Pending {
        let (answer, pending) = oneshot::channel();
        let result = self.kept().append(append);
        if let Ok(appended) = &result {
            self.head.send_if_modified(|head| {
                let moved = appended.last > *head;
                *head = appended.last.max(*head);
                moved
            });
        }
        // A caller that went away does not take its append back.
        answer.send(result).ok();
        pending
    }

    fn read(&self, from: Seq, max: ReadMax) -> Result<Vec<Envelope>, ReadError> {
        let start = usize::try_from(from.0.saturating_sub(1)).unwrap_or(usize::MAX);
        Ok(bounded(self.kept().events.iter().skip(start), max))
    }

    fn read_stream(&self, stream: &Stream, from_stream_seq: u64, max: ReadMax) -> Result<Vec<Envelope>, ReadError> {
        let kept = self.kept();
        let start = usize::try_from(from_stream_seq.saturating_sub(1)).unwrap_or(usize::MAX);
        let places = kept.streams.get(stream).map_or(&[][..], Vec::as_slice);
        Ok(bounded(places.iter().skip(start).filter_map(|place| kept.events.get(*place)), max))
    }

    fn stream_head(&self, stream: &Stream) -> Result<u64, ReadError> {
        Ok(self.kept().streams.get(stream).map_or(0, |places| places.len() as u64))
    }

    fn head(&self) -> Seq {
        *self.head.borrow()
    }

    fn watch(&self) -> watch::Receiver<Seq> {
        self.head.subscribe()
    }
}
