//! Brings an export into a data directory, under the same positions, and goes on with an import that stopped.

use std::collections::{HashMap, HashSet, VecDeque};
use std::io::{self, BufRead};
use std::sync::Arc;

use uuid::Uuid;

use super::line::{End, FORMAT, Line};
use super::{ImportError, Imported, LINE_BYTES_MAX, Moved};
use crate::log::journal::RealDisk;
use crate::log::restoring::{self, Source};
use crate::log::witness::Rechained;
use crate::log::{
    APPEND_EVENTS_MAX, Append, AppendError, Appended, DurableLog, Expect, Log, OpenError, Options, Pending, ReadMax,
};
use crate::{Draft, Envelope, Seq, Stream};

/// Appends under way at once while importing.
const IN_FLIGHT_MAX: usize = 256;
/// Bytes under way at once while importing.
const IN_FLIGHT_BYTES_MAX: usize = 16 << 20;

/// What is done when it cannot be noted that an import tells no hashes.
const NOTE: &str = "note which events are imported";
/// Why an export may begin with a later event than is wanted.
const BEGINS_LATE: &str = ": the export begins in the middle of its log, because of --from or because what was before was \
                           pruned, and can only go on after a log that holds what is before";

/// Brings exported events into a data directory, under the same positions. It must be empty, or hold the beginning of
/// the same log: then the import goes on after its end. Once something was brought in, no server starts there until all
/// is. Several exports may follow each other. Takes about 32 bytes of memory an event: no id may come twice. An export tells
/// no hashes: which events have new ones is noted in the data directory, so that a witness is not said to contradict them.
///
/// # Errors
/// At the first line that is too long, cannot be read, leaves a gap, is there already, or is not what the directory
/// holds; and at the end, when an export was cut off.
pub fn import(options: Options, input: &mut dyn BufRead) -> Result<Imported, ImportError> {
    let dir = options.dir.clone();
    let imported = import_from(&Source::Export, options, input)?;
    Rechained::end(&dir, imported.moved.last).map_err(|source| OpenError::Io { what: NOTE, source })?;
    restoring::end(&RealDisk, &dir).map_err(|source| OpenError::Io { what: "end the import", source })?;
    Ok(imported)
}

/// As [`import`], from somewhere. The data directory stays marked as not whole: whoever calls it ends that.
pub(crate) fn import_from(source: &Source, options: Options, input: &mut dyn BufRead) -> Result<Imported, ImportError> {
    let log = DurableLog::open_to_fill(options, Some(source))?;
    let mut import = Import::new(&log, source);
    let imported = import.run(input).and_then(|()| import.settle(0));
    let (moved, ended) = (import.moved, import.exports.ended);
    log.close()?;
    imported.map(|()| Imported { moved, ended })
}

/// Where in one of the exports that follow each other it is.
#[derive(Debug, Default)]
struct Exports {
    /// Whether the one at hand says where it ends, once it has begun.
    ends: Option<bool>,
    /// Events of it.
    events: u64,
    /// The last of them.
    last: u64,
    /// Whether the last one said so.
    ended: bool,
}

impl Exports {
    fn event(&mut self, line: &Line) -> Result<(), String> {
        match line.export {
            Some(newer) if newer > FORMAT => {
                return Err(format!("the export was written by a newer version (format {newer}): update regatta"));
            }
            Some(_) => self.check_ended()?,
            None => {}
        }
        if line.export.is_some() || self.ends.is_none() {
            *self = Self { ends: Some(line.export.is_some()), ..Self::default() };
        }
        self.events += 1;
        self.last = line.seq;
        Ok(())
    }

    fn end(&mut self, end: End) -> Result<(), String> {
        if (end.end, end.events) != (self.last, self.events) {
            return Err(format!(
                "the export says that it ends here with event {} after {} events, but {} came, up to {}",
                end.end, end.events, self.events, self.last
            ));
        }
        *self = Self { ended: true, ..Self::default() };
        Ok(())
    }

    /// One that says where it ends must have said so.
    fn check_ended(&self) -> Result<(), String> {
        if self.ends == Some(true) {
            return Err(format!("the export is cut off after event {}: its end is missing", self.last));
        }
        Ok(())
    }
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
    source: &'a Source,
    /// Whether the data directory is marked as not whole.
    marked: bool,
    exports: Exports,
    /// Ids that came.
    ids: HashSet<Uuid>,
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
    fn new(log: &'a DurableLog, source: &'a Source) -> Self {
        let had = log.head().0;
        Self {
            log,
            source,
            marked: false,
            exports: Exports::default(),
            ids: HashSet::new(),
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
            if text.starts_with(b"{\"end\"") {
                let end = serde_json::from_slice(&text).map_err(|error| wrong(error.to_string()))?;
                self.check_whole(number)?;
                self.exports.end(end).map_err(wrong)?;
                continue;
            }
            let line: Line = serde_json::from_slice(&text).map_err(|error| wrong(error.to_string()))?;
            self.exports.event(&line).map_err(wrong)?;
            self.line(number, line)?;
        }
        self.check_whole(number)?;
        self.exports.check_ended().map_err(|reason| ImportError::Line { line: number, reason })
    }

    /// No append may be begun where an export ends.
    fn check_whole(&self, line: u64) -> Result<(), ImportError> {
        match &self.group {
            None => Ok(()),
            Some(group) => {
                let reason = format!("the export ends where {} more events of one append belong", group.more);
                Err(ImportError::Line { line, reason })
            }
        }
    }

    fn line(&mut self, number: u64, line: Line) -> Result<(), ImportError> {
        let wrong = |reason| ImportError::Line { line: number, reason };
        let seq = line.seq;
        let least = self.next.unwrap_or(1);
        let most = self.next.unwrap_or(self.had + 1);
        if !(least..=most).contains(&seq) {
            let begins = if number == 1 && seq > most { BEGINS_LATE } else { "" };
            return Err(wrong(format!("it is event {seq}, but {most} belongs here{begins}")));
        }
        if !self.ids.insert(line.id) {
            return Err(wrong(format!("the id {} came before, with another event", line.id)));
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
        self.mark()?;
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

    /// Before anything is there that a server could take for a whole log.
    fn mark(&mut self) -> Result<(), ImportError> {
        if !self.marked {
            if *self.source == Source::Export {
                let noted = Rechained::begin(self.log.dir(), Seq(self.had + 1));
                noted.map_err(|source| OpenError::Io { what: NOTE, source })?;
            }
            let marked = restoring::begin(&RealDisk, self.log.dir(), self.source);
            marked.map_err(|source| OpenError::Io { what: "begin the import", source })?;
            self.marked = true;
        }
        Ok(())
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
