//! A log as text and back: one JSON object per line and event. Nothing is lost on the way: ids, times, actors, dedup
//! keys, the extent of appends, and payloads byte for byte. The last line says that it is the last. Blocks; not for
//! async code.

mod import;
mod line;

use std::io::{self, Write};
use std::ops::ControlFlow;

#[cfg(feature = "nats")]
use super::journal::link::Link;
use super::journal::record::Record;
use super::{APPEND_EVENTS_MAX, CloseError, OpenError, ReadError, Reader};
use crate::Seq;
#[cfg(feature = "nats")]
use crate::{Draft, Envelope};
pub use import::import;
#[cfg(feature = "nats")]
pub(crate) use import::import_from;
use line::{End, FORMAT, Line};

/// Longest line in bytes: the largest payload in base64 and everything around it.
pub const LINE_BYTES_MAX: usize = 8 << 20;

/// Bytes read at once when looking for the first event of an append.
const LOOK_BACK_BYTES: usize = 64 << 10;

/// Bytes read at once for lines that tell the chain.
#[cfg(feature = "nats")]
const LINKED_BYTES: usize = 256 << 10;

/// Why a log could not be exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The log could not be read.
    #[error("failed to export the log")]
    Read(#[from] ReadError),
    /// The text could not be written.
    #[error("failed to write the export")]
    Write(#[from] io::Error),
}

/// Why a log could not be imported. What stands before that line was imported; importing again goes on after it.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// A line cannot be accepted.
    #[error("line {line}: {reason}")]
    Line {
        /// From 1.
        line: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// The data directory could not be opened.
    #[error("failed to open the log to import into")]
    Open(#[from] OpenError),
    /// What is there already could not be read.
    #[error("failed to read the log to import into")]
    Read(#[from] ReadError),
    /// The text could not be read.
    #[error("failed to read the export")]
    Io(#[from] io::Error),
    /// The log did not stop cleanly.
    #[error("failed to finish the import")]
    Close(#[from] CloseError),
}

/// How much was moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Moved {
    /// Events written.
    pub events: u64,
    /// Events that were there already and are the same.
    pub same: u64,
    /// The last event.
    pub last: Seq,
}

/// What came of an import.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Imported {
    /// How much was moved.
    pub moved: Moved,
    /// Whether the export said where it ends. One that an older version wrote does not: whether it is whole cannot be
    /// told.
    pub ended: bool,
}

/// Writes the events from `from` to `upto`, or to the end as it is now, one line each, and then that this was the end.
/// The events of one append are not parted: it begins and ends with a whole one.
///
/// # Errors
/// When the log is damaged or the text cannot be written.
pub fn export(reader: &Reader, from: Seq, upto: Seq, out: &mut dyn Write) -> Result<Moved, ExportError> {
    let mut moved = Moved::default();
    let mut failed = None;
    let mut more = 0;
    each_line(reader, begin_of_append(reader, from)?, Some(FORMAT), &mut |seq, record, line| {
        if more == 0 && seq > upto.0 {
            return ControlFlow::Break(());
        }
        more = record.more;
        if let Err(error) = out.write_all(line) {
            failed = Some(error);
            return ControlFlow::Break(());
        }
        moved.events += 1;
        moved.last = Seq(seq);
        ControlFlow::Continue(())
    })?;
    failed.map_or(Ok(()), Err)?;
    let end = End { end: moved.last.0, events: moved.events };
    serde_json::to_writer(&mut *out, &end).map_err(io::Error::from)?;
    out.write_all(b"\n")?;
    out.flush()?;
    Ok(moved)
}

/// The first event of the append that holds an event, as far as it is kept.
fn begin_of_append(reader: &Reader, seq: Seq) -> Result<Seq, ReadError> {
    let earliest = seq.0.saturating_sub(APPEND_EVENTS_MAX as u64).max(reader.first().0);
    let mut begin = seq;
    reader.scan(earliest.min(seq.0), LOOK_BACK_BYTES, &mut |at, record| {
        if at >= seq.0 {
            return Ok(ControlFlow::Break(()));
        }
        // An append that ends before this event says nothing about it.
        begin = match record.more {
            0 => seq,
            _ if begin == seq => Seq(at),
            _ => begin,
        };
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(begin)
}

/// Takes an event, its record and its line.
pub(crate) type EachLine<'a> = dyn FnMut(u64, &Record<'_>, &[u8]) -> ControlFlow<()> + 'a;

/// The same, with what the last event of a block tells of it.
#[cfg(feature = "nats")]
pub(crate) type EachLinkedLine<'a> = dyn FnMut(u64, &Record<'_>, &[u8], Option<&Link>) -> ControlFlow<()> + 'a;

/// Shows every event from `from` on as a line, with its end of line, until `each` breaks.
#[cfg(feature = "nats")]
pub(crate) fn each_linked_line(reader: &Reader, from: Seq, each: &mut EachLinkedLine<'_>) -> Result<(), ReadError> {
    let mut text = Vec::new();
    reader.scan_linked(from.0.max(1), LINKED_BYTES, &mut |seq, record, link| {
        write_line(&Line::of(seq, record)?, &mut text)?;
        Ok(each(seq, record, &text, link))
    })
}

fn write_line(line: &Line, text: &mut Vec<u8>) -> Result<(), String> {
    text.clear();
    serde_json::to_writer(&mut *text, line).map_err(|error| error.to_string())?;
    text.push(b'\n');
    Ok(())
}

fn each_line(reader: &Reader, from: Seq, mut format: Option<u8>, each: &mut EachLine<'_>) -> Result<(), ReadError> {
    let mut text = Vec::new();
    reader.scan_all(from.0.max(1), &mut |seq, record| {
        let mut line = Line::of(seq, record)?;
        line.export = format.take();
        write_line(&line, &mut text)?;
        Ok(each(seq, record, &text))
    })
}

/// Reads a line: the event, and how many of the same append follow.
#[cfg(feature = "nats")]
pub(crate) fn read_line(text: &[u8]) -> Result<(Envelope, u16), String> {
    let line: Line = serde_json::from_slice(text).map_err(|error| error.to_string())?;
    let (seq, stream, stream_seq, more) = (Seq(line.seq), line.stream.clone(), line.stream_seq, line.more);
    let Draft { id, kind, version, at_us, actor, cause, correlation, dedup, payload } = line.draft()?;
    Ok((
        Envelope { seq, stream, stream_seq, id, kind, version, at_us, actor, cause, correlation, dedup, payload },
        more,
    ))
}
