//! One event as bytes: the frozen shapes of a record. Knows nothing of blocks.

use std::sync::Arc;

use bytes::Bytes;
use uuid::Uuid;

use crate::log::{APPEND_BYTES_MAX, APPEND_EVENTS_MAX};
use crate::{Actor, Draft, Envelope, EventId, Kind, Seq, Stream};

/// Largest record in bytes: the largest payload and everything around it.
pub(crate) const RECORD_BYTES_MAX: usize = APPEND_BYTES_MAX + RECORD_OVERHEAD_MAX;
/// Most bytes around a payload: three names of 128 bytes, two ids and the integers.
pub(crate) const RECORD_OVERHEAD_MAX: usize = 1_024;

/// How records are written today.
///
/// - 1 (read only): every field of [`Record`] in order as bincode 1.3 writes it, integers and lengths fixed-width.
/// - 2: id, correlation, time (8 bytes), kind (2 bytes), a byte of flags, version, position in the stream, how many
///   more, stream, actor, cause, dedup key, payload. Integers without a width here, and lengths, are LEB128; how many
///   more, cause and key are there when their flag is set; the payload goes to the end. 28 bytes less for an event.
///
/// Never edit; a new shape is a new number.
pub(crate) const CODEC: u8 = 2;
/// Every number that can be read.
pub(crate) const CODECS: std::ops::RangeInclusive<u8> = 1..=CODEC;

const HAS_MORE: u8 = 1;
const HAS_CAUSE: u8 = 2;
const HAS_DEDUP: u8 = 4;

/// An event as it stands in a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Record<'a> {
    pub(crate) id: [u8; 16],
    pub(crate) stream: &'a str,
    pub(crate) stream_seq: u64,
    /// How many events of the same append follow: what the first answer to a dedup key is rebuilt from.
    pub(crate) more: u16,
    pub(crate) kind: u16,
    pub(crate) version: u16,
    pub(crate) at_us: u64,
    pub(crate) actor: &'a str,
    pub(crate) cause: Option<[u8; 16]>,
    pub(crate) correlation: [u8; 16],
    pub(crate) dedup: Option<&'a str>,
    pub(crate) payload: &'a [u8],
}

/// A record as bytes, and how they were written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Raw<'a> {
    pub(crate) codec: u8,
    pub(crate) bytes: &'a [u8],
}

impl<'a> Record<'a> {
    /// The record of a draft at its place.
    pub(crate) fn of(draft: &'a Draft, stream: &'a Stream, stream_seq: u64, more: u16) -> Self {
        Self {
            id: draft.id.0.into_bytes(),
            stream: stream.as_str(),
            stream_seq,
            more,
            kind: draft.kind.0,
            version: draft.version,
            at_us: draft.at_us,
            actor: draft.actor.as_str(),
            cause: draft.cause.map(|cause| cause.0.into_bytes()),
            correlation: draft.correlation.into_bytes(),
            dedup: draft.dedup.as_deref(),
            payload: &draft.payload,
        }
    }

    /// The record of an event, when so many of its append follow.
    pub(crate) fn of_event(event: &'a Envelope, more: u16) -> Self {
        Self {
            id: event.id.0.into_bytes(),
            stream: event.stream.as_str(),
            stream_seq: event.stream_seq,
            more,
            kind: event.kind.0,
            version: event.version,
            at_us: event.at_us,
            actor: event.actor.as_str(),
            cause: event.cause.map(|cause| cause.0.into_bytes()),
            correlation: event.correlation.into_bytes(),
            dedup: event.dedup.as_deref(),
            payload: &event.payload,
        }
    }

    /// Adds its bytes to a buffer.
    pub(crate) fn write(&self, buffer: &mut Vec<u8>) -> Result<(), String> {
        let begins = buffer.len();
        let flag = |is_set: bool, flag: u8| if is_set { flag } else { 0 };
        let flags = flag(self.more > 0, HAS_MORE)
            | flag(self.cause.is_some(), HAS_CAUSE)
            | flag(self.dedup.is_some(), HAS_DEDUP);
        buffer.extend(self.id);
        buffer.extend(self.correlation);
        buffer.extend(self.at_us.to_le_bytes());
        buffer.extend(self.kind.to_le_bytes());
        buffer.push(flags);
        write_number(buffer, u64::from(self.version));
        write_number(buffer, self.stream_seq);
        if self.more > 0 {
            write_number(buffer, u64::from(self.more));
        }
        write_text(buffer, self.stream);
        write_text(buffer, self.actor);
        buffer.extend(self.cause.iter().flatten());
        if let Some(dedup) = self.dedup {
            write_text(buffer, dedup);
        }
        buffer.extend_from_slice(self.payload);
        let bytes = buffer.len() - begins;
        if bytes <= RECORD_BYTES_MAX { Ok(()) } else { Err(format!("a record of {bytes} bytes is out of bounds")) }
    }
}

fn write_number(buffer: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        buffer.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    buffer.push(number as u8);
}

fn write_text(buffer: &mut Vec<u8>, text: &str) {
    write_number(buffer, text.len() as u64);
    buffer.extend_from_slice(text.as_bytes());
}

impl<'a> Raw<'a> {
    /// Reads a record from exactly its bytes.
    pub(crate) fn read(self) -> Result<Record<'a>, String> {
        let fields = Fields(self.bytes);
        let record = match self.codec {
            1 => fields.first(),
            CODEC => fields.second(),
            _ => None,
        };
        let record = record.filter(|_| self.bytes.len() <= RECORD_BYTES_MAX).ok_or("its bytes are not a record")?;
        if usize::from(record.more) < APPEND_EVENTS_MAX {
            Ok(record)
        } else {
            Err(format!("{} more events in one append", record.more))
        }
    }
}

/// The fields of a record, taken from its bytes one by one.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    /// All of them as codec 1 has them; nothing may be left over.
    fn first(mut self) -> Option<Record<'a>> {
        let record = Record {
            id: self.take()?,
            stream: self.wide_text()?,
            stream_seq: u64::from_le_bytes(self.take()?),
            more: u16::from_le_bytes(self.take()?),
            kind: u16::from_le_bytes(self.take()?),
            version: u16::from_le_bytes(self.take()?),
            at_us: u64::from_le_bytes(self.take()?),
            actor: self.wide_text()?,
            cause: if self.is_some()? { Some(self.take()?) } else { None },
            correlation: self.take()?,
            dedup: if self.is_some()? { Some(self.wide_text()?) } else { None },
            payload: self.wide_bytes()?,
        };
        self.0.is_empty().then_some(record)
    }

    /// All of them as codec 2 has them.
    fn second(mut self) -> Option<Record<'a>> {
        let (id, correlation) = (self.take()?, self.take()?);
        let at_us = u64::from_le_bytes(self.take()?);
        let kind = u16::from_le_bytes(self.take()?);
        let [flags] = self.take()?;
        if flags & !(HAS_MORE | HAS_CAUSE | HAS_DEDUP) != 0 {
            return None;
        }
        let version = u16::try_from(self.number()?).ok()?;
        let stream_seq = self.number()?;
        let more = if flags & HAS_MORE == 0 { 0 } else { u16::try_from(self.number()?).ok()? };
        let (stream, actor) = (self.text()?, self.text()?);
        let cause = if flags & HAS_CAUSE == 0 { None } else { Some(self.take()?) };
        let dedup = if flags & HAS_DEDUP == 0 { None } else { Some(self.text()?) };
        let payload = self.0;
        Some(Record { id, stream, stream_seq, more, kind, version, at_us, actor, cause, correlation, dedup, payload })
    }

    fn take<const BYTES: usize>(&mut self) -> Option<[u8; BYTES]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }

    fn number(&mut self) -> Option<u64> {
        let (mut number, mut shift) = (0, 0);
        loop {
            let [byte] = self.take()?;
            let bits = u64::from(byte & 0x7f);
            // What does not fit is no number.
            if shift > 63 || (bits << shift) >> shift != bits {
                return None;
            }
            number |= bits << shift;
            if byte < 0x80 {
                return Some(number);
            }
            shift += 7;
        }
    }

    fn is_some(&mut self) -> Option<bool> {
        match self.take()? {
            [0] => Some(false),
            [1] => Some(true),
            [_] => None,
        }
    }

    fn bytes(&mut self, len: u64) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(usize::try_from(len).ok()?)?;
        self.0 = rest;
        Some(taken)
    }

    fn text(&mut self) -> Option<&'a str> {
        let len = self.number()?;
        std::str::from_utf8(self.bytes(len)?).ok()
    }

    fn wide_bytes(&mut self) -> Option<&'a [u8]> {
        let len = u64::from_le_bytes(self.take()?);
        self.bytes(len)
    }

    fn wide_text(&mut self) -> Option<&'a str> {
        std::str::from_utf8(self.wide_bytes()?).ok()
    }
}

/// Turns records into envelopes. Neighbours often share stream and actor; they then share the text too.
#[derive(Debug, Default)]
pub(crate) struct Names {
    stream: Option<Stream>,
    actor: Option<Actor>,
}

impl Names {
    /// The stream of that name.
    pub(crate) fn stream(&mut self, name: &str) -> Result<Stream, String> {
        match &self.stream {
            Some(last) if last.as_str() == name => Ok(last.clone()),
            _ => {
                let stream = Stream::try_from(name).map_err(|error| error.to_string())?;
                self.stream = Some(stream.clone());
                Ok(stream)
            }
        }
    }

    fn actor(&mut self, name: &str) -> Actor {
        match &self.actor {
            Some(last) if last.as_str() == name => last.clone(),
            _ => {
                let actor = Actor::recorded(name);
                self.actor = Some(actor.clone());
                actor
            }
        }
    }

    /// The envelope of the record at `seq`; its payload is left out when not wanted.
    pub(crate) fn envelope(&mut self, seq: u64, record: &Record<'_>, with_payload: bool) -> Result<Envelope, String> {
        Ok(Envelope {
            seq: Seq(seq),
            stream: self.stream(record.stream)?,
            stream_seq: record.stream_seq,
            id: EventId(Uuid::from_bytes(record.id)),
            kind: Kind(record.kind),
            version: record.version,
            at_us: record.at_us,
            actor: self.actor(record.actor),
            cause: record.cause.map(|cause| EventId(Uuid::from_bytes(cause))),
            correlation: Uuid::from_bytes(record.correlation),
            dedup: record.dedup.map(Arc::from),
            payload: if with_payload { Bytes::copy_from_slice(record.payload) } else { Bytes::new() },
        })
    }
}
