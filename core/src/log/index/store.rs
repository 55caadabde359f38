//! The store itself: sled. Few trees, prefix keys, small values, blocking flushes on one thread. Everything that touches
//! it goes through [`guard`], because sled 0.34 may panic where it should return an error.
//!
//! Keys of `facts` (rebuilt from the journal): `m` the meta record, `p<stream>\0<stream_seq>` a chunk of positions,
//! `d<stream>\0<dedup key>` a first answer. Keys of `kept`: see [`super::keep`].

use std::fs::{self, File, TryLockError};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sled::{Batch, Db, Tree};

use super::{IndexError, Known, Part};
use crate::log::journal::{codec, regular};
use crate::log::{Appended, positions};
use crate::{Seq, Stream};

/// Memory sled may use for its cache; it takes a multiple of it.
const CACHE_BYTES: u64 = 32 << 20;
/// When somebody who waits for the index to open is first told so, and how often then.
const SAY_AFTER: Duration = Duration::from_secs(3);
const SAY_EVERY: Duration = Duration::from_secs(10);
/// A new shape of keys or values is a new number; an index of another one is rebuilt.
const FORMAT: u32 = 1;
/// Indexes set aside that are kept for looking at; older ones are removed.
const SET_ASIDE_MAX: usize = 2;
const META: &[u8] = b"m";
/// Folder of the store in the data directory.
const NAME: &str = "index";
/// Folder of the store that was begun while another one hung.
const NAME_AFTER_A_HANG: &str = "index.new";
/// What sled says when somebody has its files open. Dropping a store gives them back when sled's own threads are through
/// with it, which may be after the drop.
const LOCKED: &str = "could not acquire lock";
/// How often opening is tried again then, and the pause between.
const LOCKED_TRIES: u32 = 2_500;
const LOCKED_PAUSE: Duration = Duration::from_millis(2);
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

/// Opens the store of a data directory, and says up to where it knows the events, which may be further than `head`. One
/// that does not fit, or does not open in time, is set aside; one that somebody else has open is left alone.
pub(super) fn open(dir: &Path, journal: u64, head: u64, deadline: Duration) -> Result<(Store, u64), IndexError> {
    let path = dir.join(NAME);
    let begun = dir.join(NAME_AFTER_A_HANG);
    let failed = |error: io::Error| IndexError::Failed(error.to_string());
    [&path, &begun].into_iter().try_for_each(|path| wait_until_free(path))?;
    if begun.exists() {
        if path.exists() {
            let kept = set_aside(dir, &path).map_err(failed)?;
            tracing::info!(kept = %kept.display(), "index that hung set aside for good; the one begun then is used");
        }
        fs::rename(&begun, &path).map_err(failed)?;
    }
    let suspect = suspect_path(dir);
    // A link to nothing is in the way, too.
    if fs::symlink_metadata(&path).is_ok() {
        let opened = if suspect.exists() {
            Err(IndexError::Failed("it failed when it was last used".to_owned()))
        } else {
            within(deadline, {
                let path = path.clone();
                move || Store::open_at(&path, journal, head)
            })
        };
        match opened {
            Ok(opened) => return Ok(opened),
            Err(IndexError::InUse) => return Err(IndexError::InUse),
            Err(error) if error == hung(deadline) => {
                // What hangs may wake up and write under the old name, so that is left to it until the next start.
                tracing::warn!(%error, "index left behind; it is rebuilt, consumers begin from 0");
                return within(deadline, move || Ok((Store::open(&begun, journal)?, 0)));
            }
            Err(reason) => {
                let kept = set_aside(dir, &path).map_err(failed)?;
                tracing::warn!(%reason, kept = %kept.display(), "index set aside; it is rebuilt, consumers begin from 0");
            }
        }
    }
    fs::remove_file(suspect).ok();
    within(deadline, move || Ok((Store::open(&path, journal)?, 0)))
}

fn hung(deadline: Duration) -> IndexError {
    IndexError::Failed(format!("it did not open within {} ms", deadline.as_millis()))
}

/// Does something that may never end, on a thread that is then left behind.
fn within<T: Send + 'static>(
    deadline: Duration,
    action: impl FnOnce() -> Result<T, IndexError> + Send + 'static,
) -> Result<T, IndexError> {
    let (answer, answered) = channel();
    let opening = thread::Builder::new().name("index-open".to_owned()).spawn(move || answer.send(action()).is_ok());
    let opening = opening.map_err(|error| IndexError::Failed(error.to_string()))?;
    let mut waited = Duration::ZERO;
    loop {
        let next = if waited.is_zero() { SAY_AFTER } else { SAY_EVERY }.min(deadline - waited);
        match answered.recv_timeout(next) {
            Ok(result) => {
                opening.join().ok();
                return result;
            }
            Err(RecvTimeoutError::Disconnected) => return Err(IndexError::Failed("sled panicked".to_owned())),
            Err(RecvTimeoutError::Timeout) => waited += next,
        }
        if waited >= deadline {
            return Err(hung(deadline));
        }
        let (seconds, at_most) = (waited.as_secs(), deadline.as_secs());
        tracing::warn!(seconds, at_most, "waiting for the index to open; after that it is rebuilt from the journal");
    }
}

/// What the store of a data directory knows of the events from `first` on, to be compared with a journal; nothing when
/// there is none.
pub(super) fn known(dir: &Path, first: u64, deadline: Duration) -> Result<Option<Known>, IndexError> {
    let begun = dir.join(NAME_AFTER_A_HANG);
    let path = if begun.exists() { begun } else { dir.join(NAME) };
    if !path.exists() {
        return Ok(None);
    }
    if suspect_path(dir).exists() {
        return Err(IndexError::Failed("it failed when it was last used".to_owned()));
    }
    wait_until_free(&path)?;
    within(deadline, move || Store::open(&path, 0)?.known(first)).map(Some)
}

/// Up to where the store of a data directory knows the events of any journal; 0 when there is none.
pub(super) fn cursor(dir: &Path, deadline: Duration) -> Result<u64, IndexError> {
    let begun = dir.join(NAME_AFTER_A_HANG);
    let path = if begun.exists() { begun } else { dir.join(NAME) };
    if !path.exists() {
        return Ok(0);
    }
    wait_until_free(&path)?;
    within(deadline, move || Ok(Store::open(&path, 0)?.meta()?.map_or(0, |meta| meta.cursor)))
}

/// Waits a little while somebody has a store open: what sled left running of one that was just dropped in this process.
/// Whoever has it longer is another process. Not under the deadline: a store in use is no store that hangs.
fn wait_until_free(path: &Path) -> Result<(), IndexError> {
    // One that cannot be opened is said when the store is.
    let Ok(file) = regular::open(&path.join("db")) else { return Ok(()) };
    for _ in 0..LOCKED_TRIES {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => thread::sleep(LOCKED_PAUSE),
            _ => return Ok(()),
        }
    }
    Err(IndexError::InUse)
}

fn suspect_path(dir: &Path) -> PathBuf {
    dir.join("index.suspect")
}

/// Marks the store as failed, so that the next start does not trust it.
pub(super) fn suspect(dir: &Path) {
    if let Err(error) = File::create(suspect_path(dir)) {
        tracing::warn!(%error, "the index could not be marked as failed; remove its folder before the next start");
    }
}

/// Moves a store out of the way, removes older ones that were, and says where it is now.
fn set_aside(dir: &Path, path: &Path) -> io::Result<PathBuf> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(dir)? {
        let name = entry?.file_name();
        numbers.extend(name.to_str().and_then(|name| name.strip_prefix("index.bad-")?.parse::<u32>().ok()));
    }
    numbers.sort_unstable();
    let number = numbers.last().map_or(1, |last| last.saturating_add(1));
    let target = dir.join(format!("index.bad-{number}"));
    fs::rename(path, &target)?;
    for old in numbers.iter().rev().skip(SET_ASIDE_MAX - 1) {
        fs::remove_dir_all(dir.join(format!("index.bad-{old}")))?;
    }
    Ok(target)
}

impl Store {
    fn open(path: &Path, journal: u64) -> Result<Self, IndexError> {
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

    fn open_at(path: &Path, journal: u64, head: u64) -> Result<(Self, u64), IndexError> {
        let store = Self::open(path, journal)?;
        let cursor = store.cursor(head)?;
        Ok((store, cursor))
    }

    /// Everything it knows of the events from `from` on, summed up by stream.
    fn known(&self, from: u64) -> Result<Known, IndexError> {
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
