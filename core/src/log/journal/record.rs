//! One event as bytes: the frozen shape of a record, codec 1. Knows nothing of blocks.

use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::codec;
use crate::log::{APPEND_BYTES_MAX, APPEND_EVENTS_MAX};
use crate::{Actor, Draft, Envelope, EventId, Kind, Seq, Stream};

/// Largest record in bytes: the largest payload and everything around it.
pub(crate) const RECORD_BYTES_MAX: usize = APPEND_BYTES_MAX + RECORD_OVERHEAD_MAX;
/// Most bytes around a payload: three names of 128 bytes, two ids and the integers.
pub(crate) const RECORD_OVERHEAD_MAX: usize = 1_024;

/// An event as it stands in a block. Never edit; a new shape is a new codec number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record<'a> {
    pub(crate) id: [u8; 16],
    #[serde(borrow)]
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
    #[serde(with = "serde_bytes")]
    pub(crate) payload: &'a [u8],
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

    /// Adds its bytes to a buffer.
    pub(crate) fn write(&self, buffer: &mut Vec<u8>) -> Result<(), String> {
        use bincode::Options as _;
        codec(RECORD_BYTES_MAX).serialize_into(buffer, self).map_err(|error| error.to_string())
    }

    /// Reads a record from exactly its bytes.
    pub(crate) fn read(bytes: &'a [u8]) -> Result<Self, String> {
        let record = Fields(bytes).record().ok_or("its bytes are not a record")?;
        if usize::from(record.more) < APPEND_EVENTS_MAX {
            Ok(record)
        } else {
            Err(format!("{} more events in one append", record.more))
        }
    }
}

/// The fields of a record, taken from its bytes one by one: what bincode does, without its generality. A test compares
/// both.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    /// All of them; nothing may be left over.
    fn record(mut self) -> Option<Record<'a>> {
        let record = Record {
            id: self.take()?,
            stream: self.text()?,
            stream_seq: u64::from_le_bytes(self.take()?),
            more: u16::from_le_bytes(self.take()?),
            kind: u16::from_le_bytes(self.take()?),
            version: u16::from_le_bytes(self.take()?),
            at_us: u64::from_le_bytes(self.take()?),
            actor: self.text()?,
            cause: if self.is_some()? { Some(self.take()?) } else { None },
            correlation: self.take()?,
            dedup: if self.is_some()? { Some(self.text()?) } else { None },
            payload: self.bytes()?,
        };
        self.0.is_empty().then_some(record)
    }

    fn take<const BYTES: usize>(&mut self) -> Option<[u8; BYTES]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }

    fn is_some(&mut self) -> Option<bool> {
        match self.take()? {
            [0] => Some(false),
            [1] => Some(true),
            [_] => None,
        }
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let len = usize::try_from(u64::from_le_bytes(self.take()?)).ok()?;
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    fn text(&mut self) -> Option<&'a str> {
        std::str::from_utf8(self.bytes()?).ok()
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
