//! The log: append is the only write, tail is by cursor, reading never blocks writing.
//!
//! [`memory`] keeps everything in memory (tests, simulation), [`troubled`] on a disk with bad days; [`durable`] keeps it on disk, in the [`journal`] with the
//! [`index`] over it. Both keep the same contract, shown by one suite. Knows nothing of what the facts mean.

pub mod backup;
mod begin;
pub mod durable;
pub mod index;
pub mod install;
pub mod journal;
mod lock;
pub mod memory;
pub mod open;
mod positions;
#[cfg(feature = "nats")]
pub(crate) mod rebuild;
pub(crate) mod restoring;
pub mod retention;
pub mod scrub;
pub mod segments;
pub mod snapshots;
mod start;
pub mod stats;
pub mod transfer;
pub mod troubled;
pub mod verify;
pub mod witness;

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;

use crate::{Draft, Envelope, Kind, Seq, Stream};

pub use durable::{CloseError, DurableLog};
pub use index::IndexError;
pub use install::{adopt_install, install_id};
pub use journal::Reader;
pub use memory::MemoryLog;
pub use open::{OpenError, Options};
pub use segments::{SegmentFile, begin_after_sealed};
pub use snapshots::Snapshots;
pub use stats::stats;
pub use transfer::{export, import};
pub use troubled::{Trouble, TroubledLog};
pub use verify::verify;

/// Most events in one append.
pub const APPEND_EVENTS_MAX: usize = 1_024;
/// Most payload bytes in one append.
pub const APPEND_BYTES_MAX: usize = 4 << 20;

/// What the writer believes about the stream. A wrong belief is a conflict, and the caller decides again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// Nothing; append wherever it ends.
    Any,
    /// The stream has no events.
    Empty,
    /// The stream's last event has this `stream_seq`.
    At(u64),
}

/// Events for one stream, appended together or not at all.
#[derive(Debug, Clone)]
pub struct Append {
    /// The stream they go to.
    pub stream: Stream,
    /// What the writer believes about it.
    pub expect: Expect,
    /// The events, in order. A dedup key belongs on the first one.
    pub events: Vec<Draft>,
}

/// Where appended events stand. Having it means they are on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// Global position of the first.
    pub first: Seq,
    /// Global position of the last.
    pub last: Seq,
    /// Position in the stream of the last.
    pub stream_seq: u64,
    /// Whether nothing was written, because the first event's dedup key was known: the positions are then those of
    /// the first answer.
    pub duplicate: bool,
}

/// Why nothing was appended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// The stream is elsewhere than believed; decide again.
    #[error("stream {stream} is at {actual}, not {expected:?}")]
    Conflict {
        /// The stream.
        stream: Stream,
        /// What was believed.
        expected: Expect,
        /// Its last `stream_seq`; 0 when it has no events.
        actual: u64,
    },
    /// The append itself is out of bounds.
    #[error("append is out of bounds: {0}")]
    OutOfBounds(String),
    /// The queue before the writer is full; slow down.
    #[error("too many appends are waiting")]
    Busy,
    /// The disk is nearly full; the log only reads until there is room again.
    #[error("log is read-only: {0}")]
    ReadOnly(String),
    /// The disk failed once. Nothing is acknowledged any more; the process must be started again.
    #[error("log is poisoned: {0}")]
    Poisoned(String),
}

/// Why something could not be read.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ReadError {
    /// Bytes on disk are not what was written.
    #[error("log is corrupt at {place}: {reason}")]
    Corrupt {
        /// Segment and offset.
        place: String,
        /// What is wrong.
        reason: String,
    },
    /// Old events were removed, this one among them.
    #[error("event {seq} was removed; the log begins with event {first}{}", backup::named(archive.as_deref()))]
    Removed {
        /// The event.
        seq: Seq,
        /// The oldest one kept.
        first: Seq,
        /// The backup that holds it, as far as this data directory knows.
        archive: Option<PathBuf>,
    },
    /// The disk failed.
    #[error("failed to read the log: {0}")]
    Io(Arc<std::io::Error>),
}

/// An append under way: resolves when it is durable. Dropping it does not take the append back.
pub type Pending = tokio::sync::oneshot::Receiver<Result<Appended, AppendError>>;

/// Bounds one read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadMax {
    /// Most events returned.
    pub events: usize,
    /// Payload bytes after which no further event is added. At least one event is returned when there is one.
    pub bytes: usize,
}

impl Default for ReadMax {
    fn default() -> Self {
        Self { events: 1_024, bytes: 1 << 20 }
    }
}

/// The log's contract.
///
/// Appends from one caller are written in the order of the calls. What was acknowledged survives any crash.
pub trait Log: Send + Sync + 'static {
    /// Hands events to the writer at once, keeping the order of calls; the answer comes when they are durable.
    fn submit(&self, append: Append) -> Pending;

    /// As [`Self::submit`], but while the log only reads it waits for room instead of being refused, with everything
    /// that was handed over so after it.
    fn submit_patiently(&self, append: Append) -> Pending {
        self.submit(append)
    }

    /// As [`Self::submit_patiently`], for what ends work and so gives room back: it may take a part of what is kept free,
    /// with everything that was handed over so before it.
    fn submit_to_relieve(&self, append: Append) -> Pending {
        self.submit_patiently(append)
    }

    /// Why nothing can be appended now, when the disk is nearly full: how much must be freed.
    fn read_only(&self) -> Option<String> {
        None
    }

    /// Why not even what gives room back can be.
    fn read_only_for_relief(&self) -> Option<String> {
        self.read_only()
    }

    /// Bytes that others may take of the log's disk before it only reads; nothing when that cannot be told.
    fn room(&self) -> Option<u64> {
        None
    }

    /// Reads events from `from` on, in order; empty at the end.
    ///
    /// # Errors
    /// When the bytes on disk are damaged or cannot be read.
    fn read(&self, from: Seq, max: ReadMax) -> Result<Vec<Envelope>, ReadError>;

    /// As [`Self::read`], but events of the kinds in `skip` come with an empty payload, which is cheaper: a view that is
    /// rebuilt has no use for what attempts printed.
    ///
    /// # Errors
    /// As [`Self::read`].
    fn read_skipping(&self, from: Seq, max: ReadMax, skip: &[Kind]) -> Result<Vec<Envelope>, ReadError> {
        let mut events = self.read(from, max)?;
        for event in events.iter_mut().filter(|event| skip.contains(&event.kind)) {
            event.payload = Bytes::new();
        }
        Ok(events)
    }

    /// The last event whose time is not after `at_us` (microseconds since the Unix epoch); 0 when there is none.
    ///
    /// # Errors
    /// As [`Self::read`].
    fn seq_at(&self, at_us: u64) -> Result<Seq, ReadError> {
        let mut found = Seq(0);
        let mut from = self.first();
        loop {
            let events = self.read(from, ReadMax::default())?;
            let Some(last) = events.last() else { return Ok(found) };
            from = last.seq.next();
            found = events.iter().rev().find(|event| event.at_us <= at_us).map_or(found, |event| event.seq);
        }
    }

    /// The first event that is kept after the last one that is before `at_us`; the one after the head when there is none.
    ///
    /// # Errors
    /// As [`Self::read`].
    fn seq_since(&self, at_us: u64) -> Result<Seq, ReadError> {
        since(self.seq_at(at_us.saturating_sub(1)))
    }

    /// Reads one stream from `from_stream_seq` on, in order; empty at the end. What was removed is left out: the first
    /// event then has a later position than was asked for.
    ///
    /// # Errors
    /// As [`Self::read`].
    fn read_stream(&self, stream: &Stream, from_stream_seq: u64, max: ReadMax) -> Result<Vec<Envelope>, ReadError>;

    /// How many events a stream ever had, removed ones included; 0 when there is no such stream.
    ///
    /// # Errors
    /// As [`Self::read`].
    fn stream_head(&self, stream: &Stream) -> Result<u64, ReadError>;

    /// The oldest event kept; 1 while nothing was removed.
    fn first(&self) -> Seq {
        Seq(1)
    }

    /// The last durable position; 0 when empty.
    fn head(&self) -> Seq;

    /// Wakes whoever waits for new events. It carries the head and no data, so it cannot lose any.
    fn watch(&self) -> tokio::sync::watch::Receiver<Seq>;
}

/// Appends and waits until it is durable.
///
/// # Errors
/// As [`AppendError`] says; nothing was appended then.
pub async fn append(log: &dyn Log, append: Append) -> Result<Appended, AppendError> {
    let gone = |_| AppendError::Poisoned("the writer is gone".to_owned());
    log.submit(append).await.map_err(gone)?
}

/// What follows the last event before a moment. What was removed is before everything that is kept.
pub(crate) fn since(last_before: Result<Seq, ReadError>) -> Result<Seq, ReadError> {
    match last_before {
        Err(ReadError::Removed { first, .. }) => Ok(first),
        found => found.map(Seq::next),
    }
}

/// Checks the bounds every log keeps.
///
/// # Errors
/// [`AppendError::OutOfBounds`], with the bound.
pub(crate) fn check_bounds(append: &Append) -> Result<(), AppendError> {
    let bytes: usize = append.events.iter().map(|draft| draft.payload.len()).sum();
    let misplaced_dedup = append.events.iter().skip(1).any(|draft| draft.dedup.is_some());
    let long_name = append.events.iter().any(|draft| {
        draft.actor.as_str().len() > crate::envelope::ACTOR_BYTES_MAX
            || draft.dedup.as_ref().is_some_and(|key| key.len() > crate::envelope::DEDUP_BYTES_MAX)
    });
    let wrong = if append.events.is_empty() {
        Some("no events".to_owned())
    } else if append.events.len() > APPEND_EVENTS_MAX {
        Some(format!("{} events, at most {APPEND_EVENTS_MAX}", append.events.len()))
    } else if bytes > APPEND_BYTES_MAX {
        Some(format!("{bytes} bytes, at most {APPEND_BYTES_MAX}"))
    } else if misplaced_dedup {
        Some("a dedup key after the first event".to_owned())
    } else if long_name {
        Some("an actor or dedup key of more than 128 bytes".to_owned())
    } else {
        None
    };
    wrong.map_or(Ok(()), |reason| Err(AppendError::OutOfBounds(reason)))
}
