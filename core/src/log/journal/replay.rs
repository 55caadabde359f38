//! Reads on and on: while events are shown, the next bytes are read, decompressed and checked on another thread. Takes
//! a few buffers of memory, however long the log is. Only reads.

use std::ops::ControlFlow;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread;

use super::block::{Header, Records};
use super::cursor::{Batch, Cursor};
use super::reader::{Each, Reader, STEP_BYTES_MAX, corrupt, visit};
use crate::Seq;
use crate::envelope::EnvelopeRef;
use crate::log::ReadError;

/// Events below which another thread is not worth its start.
const EVENTS_MIN: u64 = 16_384;
/// Batches read ahead.
const AHEAD_MAX: usize = 4;

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
        let (batches, read) = sync_channel(AHEAD_MAX);
        let (used, emptied) = channel();
        thread::scope(|scope| {
            let cursor = Cursor::new(self, STEP_BYTES_MAX);
            let ahead = thread::Builder::new().name("journal-read".to_owned());
            match ahead.spawn_scoped(scope, move || read_on(cursor, from, &batches, &emptied)) {
                // It takes the receiver with it: who reads ahead must not wait for ever when `each` has had enough.
                Ok(_) => show(from, read, &used, each),
                // A machine that has no thread to give reads all the same.
                Err(_) => self.scan(from, STEP_BYTES_MAX, each),
            }
        })
    }
}

/// The thread that reads ahead.
fn read_on(
    mut cursor: Cursor<'_>,
    from: u64,
    batches: &SyncSender<Result<Batch, ReadError>>,
    emptied: &Receiver<Vec<u8>>,
) {
    let mut next = from;
    while next <= cursor.head {
        let batch = cursor.batch(next, emptied.try_recv().unwrap_or_default());
        next = batch.as_ref().map_or(u64::MAX, |batch| batch.last + 1);
        if batches.send(batch).is_err() {
            return;
        }
    }
}

fn show(
    from: u64,
    read: Receiver<Result<Batch, ReadError>>,
    used: &Sender<Vec<u8>>,
    each: &mut Each<'_>,
) -> Result<(), ReadError> {
    for batch in read {
        let batch = batch?;
        if show_batch(from, &batch, each)?.is_break() {
            return Ok(());
        }
        // The other side may be done.
        used.send(batch.bytes).ok();
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
