//! The store itself: sled. Few trees, prefix keys, small values, blocking flushes on one thread. Everything that touches
//! it goes through [`guard`], because sled 0.34 may panic where it should return an error. Knows nothing of which folder is
//! the one to open: see [`super::opening`].
//!
//! Keys of `facts` (rebuilt from the journal): `m` the meta record, `p<stream>\0<stream_seq>` a chunk of positions,
//! `d<stream>\0<dedup key>` a first answer. Keys of `kept`: see [`super::keep`].

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sled::{Batch, Db, Tree};

use super::{IndexError, Known, Part};
use crate::log::journal::codec;
use crate::log::journal::room::is_full;
use crate::log::{Appended, positions};
use crate::{Seq, Stream};

/// Memory sled may use for its cache; it takes a multiple of it.
const CACHE_BYTES: u64 = 32 << 20;
/// A new shape of keys or values is a new number; an index of another one is rebuilt.
const FORMAT: u32 = 1;
const META: &[u8] = b"m";
/// What sled says when somebody has its files open. Dropping a store gives them back when sled's own threads are through
/// with it, which may be after the drop.
const LOCKED: &str = "could not acquire lock";
/// Nothing is freed before the epoch advanced twice, and each flush advances it once.
const FLUSHES_MIN: usize = 3;
/// A flush frees at most 512 things; each key replaces a few.
const KEYS_PER_FLUSH: usize = 64;
/// Most bytes of a meta record or a first answer.
const SMALL_BYTES_MAX: usize = 64;

/// An open store.
#[derive(Debug)]
pub(super) struct Store {
    db: Db,
    facts: Tree,
    pub(super) kept: Tree,
    path: PathBuf,
    /// Identity of the journal it follows.
    journal: u64,
}

#[derive(Debug, Serialize, Deserialize)]
struct Meta {
    format: u32,
    journal: u64,
    cursor: u64,
}

#[derive(Debug, Serialize, Deserialize)]
struct Answer {
    first: u64,
    last: u64,
    stream_seq: u64,
}

/// Runs something of sled's, turning its panics into errors.
pub(super) fn guard<T>(action: impl FnOnce() -> Result<T, sled::Error>) -> Result<T, IndexError> {
    match catch_unwind(AssertUnwindSafe(action)) {
        Ok(Err(sled::Error::Io(error))) if is_full(&error) => Err(IndexError::Full),
        Ok(result) => result.map_err(|error| IndexError::Failed(error.to_string())),
        Err(_) => Err(IndexError::Failed("sled panicked".to_owned())),
    }
}

fn damaged(what: &str) -> IndexError {
    IndexError::Failed(format!("{what} in the index cannot be read"))
}

pub(super) fn to_bytes<T: Serialize>(value: &T) -> Vec<u8> {
    use bincode::Options as _;
    #[expect(clippy::expect_used, reason = "a struct of a few integers always serializes")]
    codec(SMALL_BYTES_MAX).serialize(value).expect("it is small")
}

pub(super) fn from_bytes<'a, T: Deserialize<'a>>(bytes: &'a [u8], what: &str) -> Result<T, IndexError> {
    use bincode::Options as _;
    codec(SMALL_BYTES_MAX).deserialize(bytes).map_err(|_| damaged(what))
}

impl Store {
    pub(super) fn open(path: &Path, journal: u64) -> Result<Self, IndexError> {
        let opened = guard(|| {
            // Its own flusher would race with ours.
            let config = sled::Config::new().path(path).cache_capacity(CACHE_BYTES).flush_every_ms(None);
            let db = config.open()?;
            let (facts, kept) = (db.open_tree("facts")?, db.open_tree("kept")?);
            Ok(Self { db, facts, kept, path: path.to_owned(), journal })
        });
        let is_locked = |error: &IndexError| matches!(error, IndexError::Failed(reason) if reason.contains(LOCKED));
        opened.map_err(|error| if is_locked(&error) { IndexError::InUse } else { error })
    }

    /// Opens one of a journal with that head, and says up to where it knows the events; an error when it does not fit.
    pub(super) fn open_at(path: &Path, journal: u64, head: u64) -> Result<(Self, u64), IndexError> {
        let store = Self::open(path, journal)?;
        let cursor = store.cursor(head)?;
        Ok((store, cursor))
    }

    /// Everything it knows of the events from `from` on, summed up by stream.
    pub(super) fn known(&self, from: u64) -> Result<Known, IndexError> {
        let mut known = Known::default();
        let Some(meta) = self.meta()? else { return Ok(known) };
        (known.journal, known.cursor) = (meta.journal, meta.cursor);
        let mut entries = guard(|| Ok(self.facts.iter()))?;
        while let Some((key, value)) = guard(|| entries.next().transpose())? {
            match key.split_first() {
                Some((b'p', rest)) => known_positions(&mut known, from, rest, &value)?,
                Some((b'd', rest)) => known_answer(&mut known, from, rest, &value)?,
                _ => {}
            }
        }
        Ok(known)
    }

    /// Up to where it knows the events of any journal; 0 when it knows nothing.
    pub(super) fn reach(&self) -> Result<u64, IndexError> {
        Ok(self.meta()?.map_or(0, |meta| meta.cursor))
    }

    fn meta(&self) -> Result<Option<Meta>, IndexError> {
        let Some(bytes) = guard(|| self.facts.get(META))? else { return Ok(None) };
        let meta: Meta = from_bytes(&bytes, "the meta record")?;
        if meta.format == FORMAT {
            return Ok(Some(meta));
        }
        Err(IndexError::Failed(format!("it has format {}, not {FORMAT}", meta.format)))
    }

    /// Up to where it knows the events of a journal with that head; an error when it does not fit.
    fn cursor(&self, head: u64) -> Result<u64, IndexError> {
        match self.meta()? {
            Some(meta) if meta.journal == self.journal => Ok(meta.cursor),
            Some(_) => Err(IndexError::Failed("it belongs to another journal".to_owned())),
            None if head == 0 => Ok(0),
            // sled opens silently empty when its file is gone.
            None => Err(IndexError::Failed("it is empty".to_owned())),
        }
    }

    /// Takes over a part: all of it or nothing.
    pub(super) fn apply(&self, part: &Part) -> Result<(), IndexError> {
        let mut batch = Batch::default();
        for (stream, positions) in &part.streams {
            let mut first = positions.first;
            for (count, bytes) in positions::pack(&positions.seqs) {
                batch.insert(positions_key(stream, first), bytes);
                first += u64::from(count);
            }
        }
        for ((stream, key), answer) in &part.answers {
            let Appended { first, last, stream_seq, .. } = *answer;
            let answer = Answer { first: first.0, last: last.0, stream_seq };
            batch.insert(answer_key(stream, key), to_bytes(&answer));
        }
        batch.insert(META, to_bytes(&Meta { format: FORMAT, journal: self.journal, cursor: part.head }));
        let keys = part.streams.len() + part.answers.len();
        guard(|| {
            self.facts.apply_batch(batch)?;
            give_back(keys);
            Ok(())
        })
    }

    /// Makes everything durable: sled's own flush does not, so its file is synced after it.
    pub(super) fn flush(&self) -> Result<(), IndexError> {
        guard(|| {
            self.db.flush()?;
            File::open(self.path.join("db"))?.sync_data()?;
            Ok(())
        })
    }

    pub(super) fn stream_head(&self, stream: &Stream) -> Result<u64, IndexError> {
        let last = positions_key(stream, 0)..=positions_key(stream, u64::MAX);
        let Some((key, value)) = guard(|| self.facts.range(last).next_back().transpose())? else { return Ok(0) };
        let (first, count) = stream_seq_of(&key).zip(positions::count(&value)).ok_or_else(|| damaged("a chunk"))?;
        Ok(first.saturating_add(count).saturating_sub(1))
    }

    pub(super) fn first_answer(&self, (stream, key): &(Stream, Arc<str>)) -> Result<Option<Appended>, IndexError> {
        let Some(bytes) = guard(|| self.facts.get(answer_key(stream, key)))? else { return Ok(None) };
        let Answer { first, last, stream_seq } = from_bytes(&bytes, "a first answer")?;
        Ok(Some(Appended { first: Seq(first), last: Seq(last), stream_seq, duplicate: false }))
    }

    /// Global positions of up to `max` events of a stream whose positions in it are from `from` to before `below`.
    pub(super) fn positions(&self, stream: &Stream, from: u64, below: u64, max: usize) -> Result<Vec<u64>, IndexError> {
        let before = positions_key(stream, 0)..=positions_key(stream, from);
        let start = guard(|| self.facts.range(before).next_back().transpose())?;
        let start = start.map_or_else(|| positions_key(stream, from), |(key, _)| key.to_vec());
        let mut chunks = guard(|| Ok(self.facts.range(start..positions_key(stream, below))))?;
        let mut found = Vec::new();
        while found.len() < max {
            let Some((key, value)) = guard(|| chunks.next().transpose())? else { break };
            let packed = stream_seq_of(&key).zip(positions::unpack(&value));
            let (first, seqs) = packed.ok_or_else(|| damaged("a chunk"))?;
            let wanted = (first..below).zip(seqs).filter(|(stream_seq, _)| *stream_seq >= from);
            found.extend(wanted.map(|(_, seq)| seq).take(max - found.len()));
        }
        Ok(found)
    }
}

/// Gives back the memory of what a batch of so many keys replaced. sled leaves that to crossbeam-epoch, which frees some of
/// it at every 128th call; a batch is one call however large it is, so that gigabytes would wait.
fn give_back(keys: usize) {
    for _ in 0..=FLUSHES_MIN + keys / KEYS_PER_FLUSH {
        crossbeam_epoch::pin().flush();
    }
}

fn positions_key(stream: &Stream, stream_seq: u64) -> Vec<u8> {
    [b"p", stream.as_str().as_bytes(), b"\0", &stream_seq.to_be_bytes()].concat()
}

fn known_positions(known: &mut Known, from: u64, key: &[u8], value: &[u8]) -> Result<(), IndexError> {
    let parts = key.split_last_chunk::<8>().and_then(|(stream, first)| {
        let stream = std::str::from_utf8(stream.strip_suffix(b"\0")?).ok()?;
        Some((stream, u64::from_be_bytes(*first), positions::unpack(value)?))
    });
    let (stream, first, seqs) = parts.ok_or_else(|| damaged("a chunk"))?;
    let kept = (first..).zip(seqs).filter(|(_, seq)| *seq >= from);
    kept.for_each(|(stream_seq, seq)| known.position(stream, stream_seq, seq));
    Ok(())
}

fn known_answer(known: &mut Known, from: u64, key: &[u8], value: &[u8]) -> Result<(), IndexError> {
    let parts = std::str::from_utf8(key).ok().and_then(|key| key.split_once('\0'));
    let (stream, key) = parts.ok_or_else(|| damaged("the key of a first answer"))?;
    let Answer { first, last, stream_seq } = from_bytes(value, "a first answer")?;
    if first < from {
        return Ok(());
    }
    known.answer(stream, key, &Appended { first: Seq(first), last: Seq(last), stream_seq, duplicate: false });
    Ok(())
}

fn stream_seq_of(key: &[u8]) -> Option<u64> {
    key.last_chunk::<8>().map(|bytes| u64::from_be_bytes(*bytes))
}

fn answer_key(stream: &Stream, key: &str) -> Vec<u8> {
    [b"d", stream.as_str().as_bytes(), b"\0", key.as_bytes()].concat()
}
