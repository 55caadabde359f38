//! A log as text and back: one JSON object per line and event. Nothing is lost on the way: ids, times, actors, dedup
//! keys, the extent of appends, and payloads byte for byte. Blocks; not for async code.

use std::collections::{HashMap, HashSet, VecDeque};
use std::io::{self, BufRead, Write};
use std::ops::ControlFlow;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

use super::journal::record::Record;
use super::{
    APPEND_EVENTS_MAX, Append, AppendError, Appended, CloseError, DurableLog, Expect, Log, OpenError, Options, Pending,
    ReadError, ReadMax, Reader,
};
use crate::{Actor, Draft, Envelope, EventId, Kind, Seq, Stream};

/// Longest line in bytes: the largest payload in base64 and everything around it.
pub const LINE_BYTES_MAX: usize = 8 << 20;
/// Appends under way at once while importing.
const IN_FLIGHT_MAX: usize = 256;
/// Bytes under way at once while importing.
const IN_FLIGHT_BYTES_MAX: usize = 16 << 20;

/// One event as a line.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    seq: u64,
    stream: Stream,
    stream_seq: u64,
    id: Uuid,
    kind: u16,
    /// The kind's name, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    version: u16,
    at_us: u64,
    actor: Actor,
    cause: Option<Uuid>,
    correlation: Uuid,
    dedup: Option<Arc<str>>,
    /// How many events of the same append follow.
    #[serde(default, skip_serializing_if = "is_zero")]
    more: u16,
    /// The payload when it is JSON; its text is kept as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    payload: Option<Box<RawValue>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    payload_base64: Option<String>,
}

fn is_zero(more: &u16) -> bool {
    *more == 0
}

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

/// Writes the events from `from` to the end as it is now, one line each.
///
/// # Errors
/// When the log is damaged or the text cannot be written.
pub fn export(reader: &Reader, from: Seq, out: &mut dyn Write) -> Result<Moved, ExportError> {
    let mut moved = Moved::default();
    let mut failed = None;
    each_line(reader, from, &mut |seq, _, line| {
        if let Err(error) = out.write_all(line) {
            failed = Some(error);
            return ControlFlow::Break(());
        }
        moved.events += 1;
        moved.last = Seq(seq);
        ControlFlow::Continue(())
    })?;
    failed.map_or_else(|| out.flush(), Err)?;
    Ok(moved)
}

/// Takes an event, its record and its line.
pub(crate) type EachLine<'a> = dyn FnMut(u64, &Record<'_>, &[u8]) -> ControlFlow<()> + 'a;

/// Shows every event from `from` on as a line, with its end of line, until `each` breaks.
pub(crate) fn each_line(reader: &Reader, from: Seq, each: &mut EachLine<'_>) -> Result<(), ReadError> {
    let mut text = Vec::new();
    reader.scan_all(from.0.max(1), &mut |seq, record| {
        text.clear();
        serde_json::to_writer(&mut text, &Line::of(seq, record)?).map_err(|error| error.to_string())?;
        text.push(b'\n');
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

/// Brings exported events into a data directory, under the same positions. It must be empty, or hold the beginning of
/// the same log: then the import goes on after its end.
///
/// # Errors
/// At the first line that is too long, cannot be read, leaves a gap, or is not what the directory holds.
pub fn import(options: Options, input: &mut dyn BufRead) -> Result<Moved, ImportError> {
    let log = DurableLog::open(options)?;
    let mut import = Import::new(&log);
    let imported = import.run(input).and_then(|()| import.settle(0));
    let moved = import.moved;
    log.close()?;
    imported.map(|()| moved)
}

impl Line {
    fn of(seq: u64, record: &Record<'_>) -> Result<Self, String> {
        let payload = as_json(record.payload);
        let payload_base64 = payload.is_none().then(|| BASE64.encode(record.payload));
        Ok(Self {
            seq,
            stream: Stream::try_from(record.stream).map_err(|error| error.to_string())?,
            stream_seq: record.stream_seq,
            id: Uuid::from_bytes(record.id),
            kind: record.kind,
            name: Kind(record.kind).name().map(str::to_owned),
            version: record.version,
            at_us: record.at_us,
            actor: Actor::recorded(record.actor),
            cause: record.cause.map(Uuid::from_bytes),
            correlation: Uuid::from_bytes(record.correlation),
            dedup: record.dedup.map(Arc::from),
            more: record.more,
            payload,
            payload_base64,
        })
    }

    fn draft(self) -> Result<Draft, String> {
        let kind = Kind(self.kind);
        if self.name.as_deref().is_some_and(|name| kind.name().is_some_and(|known| known != name)) {
            return Err(format!("kind {} is {kind}, not {}", self.kind, self.name.unwrap_or_default()));
        }
        let payload = match (self.payload, self.payload_base64) {
            (Some(json), None) => Bytes::copy_from_slice(json.get().as_bytes()),
            (None, Some(text)) => BASE64.decode(text).map_err(|error| format!("payload_base64: {error}"))?.into(),
            (Some(_), Some(_)) | (None, None) => return Err("exactly one of payload and payload_base64".to_owned()),
        };
        let Self { id, version, at_us, actor, cause, correlation, dedup, .. } = self;
        let (id, cause) = (EventId(id), cause.map(EventId));
        Ok(Draft { id, kind, version, at_us, actor, cause, correlation, dedup, payload })
    }
}

/// The payload as JSON text, when it is such and comes back from a line byte for byte. `null` would come back as
/// absent.
fn as_json(payload: &[u8]) -> Option<Box<RawValue>> {
    let text = str::from_utf8(payload).ok().filter(|text| *text != "null" && !text.contains(['\n', '\r']))?;
    RawValue::from_string(text.to_owned()).ok().filter(|json| json.get() == text)
}

/// An append being put together from lines.
struct Group {
    stream: Stream,
    first: u64,
    first_stream_seq: u64,
    drafts: Vec<Draft>,
    bytes: usize,
    /// How many events are still to come.
    more: u16,
}

struct Import<'a> {
    log: &'a DurableLog,
    /// The last event that was there before.
    had: u64,
    /// Some of what was there before, from the next event on.
    existing: VecDeque<Envelope>,
    /// The event the next line must bring.
    next: Option<u64>,
    group: Option<Group>,
    /// Positions of streams, those under way included.
    heads: HashMap<Stream, u64>,
    /// Dedup keys under way.
    keys: HashSet<(Stream, Arc<str>)>,
    in_flight: VecDeque<(u64, Pending, Appended, usize)>,
    in_flight_bytes: usize,
    moved: Moved,
}

impl<'a> Import<'a> {
    fn new(log: &'a DurableLog) -> Self {
        let had = log.head().0;
        Self {
            log,
            had,
            existing: VecDeque::new(),
            next: None,
            group: None,
            heads: HashMap::new(),
            keys: HashSet::new(),
            in_flight: VecDeque::new(),
            in_flight_bytes: 0,
            moved: Moved { last: Seq(had), ..Moved::default() },
        }
    }

    fn run(&mut self, input: &mut dyn BufRead) -> Result<(), ImportError> {
        let mut text = Vec::new();
        let mut number = 0;
        loop {
            text.clear();
            number += 1;
            io::Read::take(&mut *input, LINE_BYTES_MAX as u64 + 1).read_until(b'\n', &mut text)?;
            if text.is_empty() {
                break;
            }
            let wrong = |reason| ImportError::Line { line: number, reason };
            if text.len() > LINE_BYTES_MAX {
                return Err(wrong(format!("it is longer than {LINE_BYTES_MAX} bytes")));
            }
            let line: Line = serde_json::from_slice(&text).map_err(|error| wrong(error.to_string()))?;
            self.line(number, line)?;
        }
        match &self.group {
            None => Ok(()),
            Some(group) => {
                let reason = format!("the export ends where {} more events of one append belong", group.more);
                Err(ImportError::Line { line: number, reason })
            }
        }
    }

    fn line(&mut self, number: u64, line: Line) -> Result<(), ImportError> {
        let wrong = |reason| ImportError::Line { line: number, reason };
        let seq = line.seq;
        let least = self.next.unwrap_or(1);
        let most = self.next.unwrap_or(self.had + 1);
        if !(least..=most).contains(&seq) {
            return Err(wrong(format!("it is event {seq}, but {most} belongs here")));
        }
        self.next = Some(seq + 1);
        let (stream, stream_seq, more) = (line.stream.clone(), line.stream_seq, line.more);
        let draft = line.draft().map_err(wrong)?;
        if seq <= self.had {
            return self.compare(number, seq, &stream, stream_seq, &draft);
        }
        let group = self.group.get_or_insert_with(|| Group {
            stream: stream.clone(),
            first: seq,
            first_stream_seq: stream_seq,
            drafts: Vec::new(),
            bytes: 0,
            more: more.saturating_add(1),
        });
        let place = group.first_stream_seq.saturating_add(group.drafts.len() as u64);
        if group.stream != stream || group.more != more.saturating_add(1) || place != stream_seq {
            return Err(wrong("it does not go on with the append the line before began".to_owned()));
        }
        if usize::from(more) >= APPEND_EVENTS_MAX {
            return Err(wrong(format!("an append of more than {APPEND_EVENTS_MAX} events")));
        }
        group.bytes += draft.payload.len();
        group.drafts.push(draft);
        group.more = more;
        if more == 0 { self.submit(number) } else { Ok(()) }
    }

    /// Checks that an event that is there already is the one of the line.
    fn compare(
        &mut self,
        number: u64,
        seq: u64,
        stream: &Stream,
        stream_seq: u64,
        draft: &Draft,
    ) -> Result<(), ImportError> {
        if self.existing.is_empty() {
            self.existing = self.log.read(Seq(seq), ReadMax::default())?.into();
        }
        let same = self.existing.pop_front().is_some_and(|event| {
            let Envelope { stream: its_stream, stream_seq: its_stream_seq, .. } = &event;
            (its_stream, *its_stream_seq) == (stream, stream_seq) && draft_of(event) == *draft
        });
        if same {
            self.moved.same += 1;
            return Ok(());
        }
        let reason = format!("event {seq} in the data directory is another one: import into an empty directory");
        Err(ImportError::Line { line: number, reason })
    }

    fn submit(&mut self, number: u64) -> Result<(), ImportError> {
        let Some(Group { stream, first, first_stream_seq, drafts, bytes, .. }) = self.group.take() else {
            return Ok(());
        };
        let count = drafts.len() as u64;
        let stream_seq = first_stream_seq.saturating_add(count).saturating_sub(1);
        let dedup = drafts.first().and_then(|draft| draft.dedup.clone());
        let key = dedup.map(|key| (stream.clone(), key));
        // Before it is under way: of what is, everything will stand where its line says.
        self.check(&stream, first_stream_seq, key.as_ref())
            .map_err(|reason| ImportError::Line { line: number, reason })?;
        self.heads.insert(stream.clone(), stream_seq);
        self.keys.extend(key);
        let then = Appended { first: Seq(first), last: Seq(first + count - 1), stream_seq, duplicate: false };
        let expect = Expect::At(first_stream_seq.saturating_sub(1));
        let pending = self.log.submit(Append { stream, expect, events: drafts });
        self.in_flight.push_back((number, pending, then, bytes));
        self.in_flight_bytes += bytes;
        let full = self.in_flight.len() >= IN_FLIGHT_MAX || self.in_flight_bytes >= IN_FLIGHT_BYTES_MAX;
        self.settle(if full { 0 } else { IN_FLIGHT_MAX })
    }

    /// Checks that the log will put an append where it stood before.
    fn check(&self, stream: &Stream, place: u64, key: Option<&(Stream, Arc<str>)>) -> Result<(), String> {
        let catalog = self.log.catalog();
        let head = match self.heads.get(stream) {
            Some(head) => *head,
            None => catalog.stream_head(stream).map_err(|error| error.to_string())?,
        };
        if place != head + 1 {
            return Err(format!("it is number {place} of {stream}, but {} belongs here", head + 1));
        }
        let Some(key) = key else { return Ok(()) };
        let known = self.keys.contains(key) || catalog.first_answer(key).map_err(|error| error.to_string())?.is_some();
        if known { Err(format!("the dedup key {:?} was used before in {stream}", key.1)) } else { Ok(()) }
    }

    /// Waits until at most `left` appends are under way and few bytes are.
    fn settle(&mut self, left: usize) -> Result<(), ImportError> {
        while self.in_flight.len() > left || self.in_flight_bytes >= IN_FLIGHT_BYTES_MAX {
            let Some((line, pending, then, bytes)) = self.in_flight.pop_front() else { break };
            self.in_flight_bytes -= bytes;
            let wrong = |reason| ImportError::Line { line, reason };
            let gone = |_| Err(AppendError::Poisoned("the writer is gone".to_owned()));
            match pending.blocking_recv().unwrap_or_else(gone) {
                Ok(appended) if appended == then => {}
                Ok(appended) => return Err(wrong(format!("it came to stand at {}", appended.first))),
                Err(error) => return Err(wrong(error.to_string())),
            }
            self.moved.events += then.last.0 - then.first.0 + 1;
            self.moved.last = then.last;
        }
        if self.in_flight.is_empty() {
            self.keys.clear();
        }
        Ok(())
    }
}

fn draft_of(event: Envelope) -> Draft {
    let Envelope { id, kind, version, at_us, actor, cause, correlation, dedup, payload, .. } = event;
    Draft { id, kind, version, at_us, actor, cause, correlation, dedup, payload }
}
