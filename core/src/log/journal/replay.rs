//! Reads on and on: while events are shown, what comes next is read, decompressed and checked on other threads, which
//! is most of the work. Takes a few buffers of memory, however long the log is. Only reads.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use super::block::{Header, Records};
use super::cursor::{Batch, Cursor};
use super::reader::{Each, Reader, STEP_BYTES_MAX, corrupt, visit};
use crate::Seq;
use crate::envelope::EnvelopeRef;
use crate::log::ReadError;

/// Events below which other threads are not worth their start.
const EVENTS_MIN: u64 = 16_384;
/// Most threads that read ahead.
const THREADS_MAX: usize = 4;
/// Batches read ahead, in all.
const AHEAD_MAX: u64 = 8;

impl Reader {
    /// Shows every event from `from` on, without giving it memory of its own, until `each` breaks or the end as it is
    /// now is reached. For going over a whole log: nothing of a payload is looked at unless `each` does.
    ///
    /// # Errors
    /// When the bytes on disk are damaged or cannot be read, or `from` was removed.
    pub fn replay(
        &self,
        from: Seq,
        each: &mut dyn FnMut(&EnvelopeRef<'_>) -> ControlFlow<()>,
    ) -> Result<(), ReadError> {
        self.scan_all(from.0.max(1), &mut |seq, record| Ok(each(&EnvelopeRef::of(seq, record))))
    }

    /// Shows every record from `from` on to `each`, until it breaks or the end is reached. What `each` cannot make
    /// sense of is reported with its place.
    pub(crate) fn scan_all(&self, from: u64, each: &mut Each<'_>) -> Result<(), ReadError> {
        if self.head().0.saturating_sub(from) < EVENTS_MIN {
            return self.scan(from, STEP_BYTES_MAX, each);
        }
        let threads = thread::available_parallelism().map_or(1, usize::from).min(THREADS_MAX);
        let turns = Turns::new(from);
        let (batches, read) = channel();
        thread::scope(|scope| {
            let _stop = StopsInPanic(&turns);
            let mut running = 0;
            for _ in 0..threads {
                let (cursor, turns, batches) = (Cursor::new(self, STEP_BYTES_MAX), &turns, batches.clone());
                let named = thread::Builder::new().name("journal-read".to_owned());
                running += usize::from(named.spawn_scoped(scope, move || read_on(cursor, turns, &batches)).is_ok());
            }
            drop(batches);
            // A machine that has no thread to give reads all the same.
            let shown =
                if running == 0 { self.scan(from, STEP_BYTES_MAX, each) } else { show(from, &read, &turns, each) };
            turns.stop();
            shown
        })
    }
}

/// Who reads what: batches are taken in order, and not too far ahead of what was shown.
struct Turns {
    state: Mutex<Taken>,
    changed: Condvar,
}

struct Taken {
    /// The first event nobody has taken.
    next: u64,
    /// How many batches were taken, and shown.
    taken: u64,
    shown: u64,
    stopped: bool,
    /// Buffers to be used again.
    used: Vec<Vec<u8>>,
}

impl Turns {
    fn new(next: u64) -> Self {
        let state = Taken { next, taken: 0, shown: 0, stopped: false, used: Vec::new() };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    fn state(&self) -> MutexGuard<'_, Taken> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until something may be taken; nothing when it is over.
    fn turn(&self, head: u64) -> Option<MutexGuard<'_, Taken>> {
        let mut state = self.state();
        while !state.stopped && state.next <= head && state.taken >= state.shown + AHEAD_MAX {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        (!state.stopped && state.next <= head).then_some(state)
    }

    fn shown(&self, buffer: Vec<u8>) {
        let mut state = self.state();
        state.shown += 1;
        state.used.push(buffer);
        self.changed.notify_all();
    }

    fn stop(&self) {
        self.state().stopped = true;
        self.changed.notify_all();
    }
}

/// A thread that panics leaves nobody waiting for it.
struct StopsInPanic<'a>(&'a Turns);

impl Drop for StopsInPanic<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.stop();
        }
    }
}

/// A batch, or why there is none, and its place among all.
type Numbered = (u64, Result<Batch, ReadError>);

/// A thread that reads ahead.
fn read_on(mut cursor: Cursor<'_>, turns: &Turns, batches: &Sender<Numbered>) {
    let _stop = StopsInPanic(turns);
    while let Some(mut turn) = turns.turn(cursor.head) {
        let (from, number) = (turn.next, turn.taken);
        let buffer = turn.used.pop().unwrap_or_default();
        turn.taken += 1;
        let batch = match cursor.batch_ends(from) {
            // Where it ends is known, so that others can go on meanwhile.
            Ok(Some(last)) => {
                turn.next = last + 1;
                drop(turn);
                cursor.batch(from, buffer)
            }
            Ok(None) => {
                let batch = cursor.batch(from, buffer);
                turn.next = batch.as_ref().map_or(u64::MAX, |batch| batch.last + 1);
                drop(turn);
                batch
            }
            Err(error) => {
                turn.next = u64::MAX;
                Err(error)
            }
        };
        if batches.send((number, batch)).is_err() {
            return;
        }
    }
}

fn show(from: u64, read: &Receiver<Numbered>, turns: &Turns, each: &mut Each<'_>) -> Result<(), ReadError> {
    let mut early = BTreeMap::new();
    let mut next = 0;
    for (number, batch) in read {
        early.insert(number, batch);
        while let Some(batch) = early.remove(&next) {
            let batch = batch?;
            if show_batch(from, &batch, each)?.is_break() {
                return Ok(());
            }
            turns.shown(batch.bytes);
            next += 1;
        }
    }
    Ok(())
}

fn show_batch(from: u64, batch: &Batch, each: &mut Each<'_>) -> Result<ControlFlow<()>, ReadError> {
    let mut rest = batch.bytes.get(batch.at..).unwrap_or_default();
    while !rest.is_empty() {
        let header = Header::parse(rest).map_err(|fault| corrupt(batch.place, &fault))?;
        for split in Records::of(&header, rest) {
            let (seq, raw) = split.map_err(|fault| corrupt(batch.place, &fault))?;
            if seq >= from && visit(batch.place, seq, raw, each)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        rest = rest.get(header.block_bytes()..).unwrap_or_default();
    }
    Ok(ControlFlow::Continue(()))
}
