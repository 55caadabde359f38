//! Tells the events of a log from whatever else was published under its subjects. The log is the truth: what is none of
//! it is counted, said and left alone, unless it is the same log gone another way, which nobody may publish over.

use std::ops::ControlFlow;

use async_nats::HeaderMap;
use async_nats::header::NATS_MESSAGE_ID;
use uuid::Uuid;

use super::{Error, LINK_HEADER, SEQ_HEADER};
use crate::Seq;
use crate::log::journal::GENESIS;
use crate::log::journal::link::Link;
use crate::log::{ReadError, Reader};

/// Ids of events read at once: the stream is about in the order of the log.
const IDS: usize = 4_096;
/// Bytes of the log read at once for them.
const STEP_BYTES: usize = 256 << 10;
/// Foreign messages that are said one by one.
const SAID_MAX: u64 = 10;

/// Messages that are no events of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Strangers {
    /// How many there are.
    pub(super) all: u64,
    /// How many of them stand before the last event that was seen.
    settled: u64,
    /// The place up to which was looked.
    upto: u64,
}

impl Strangers {
    /// How many stand before an event at a place: those a look from there on does not find again.
    pub(super) fn before(&self, place: u64) -> u64 {
        if place > self.upto { self.all } else { self.settled }
    }

    /// With so many that were known from before.
    pub(super) fn and(self, known: u64) -> Self {
        Self { all: self.all + known, settled: self.settled + known, ..self }
    }
}

/// Looks at message after message.
pub(super) struct Foreign<'a> {
    log: &'a Reader,
    head: u64,
    /// The event whose id is the first of `ids`.
    first: u64,
    ids: Vec<Uuid>,
    strangers: Strangers,
}

impl<'a> Foreign<'a> {
    pub(super) fn new(log: &'a Reader) -> Self {
        Self { log, head: log.head().0, first: 0, ids: Vec::new(), strangers: Strangers::default() }
    }

    /// The messages that are none of ours.
    pub(super) fn strangers(&self) -> Strangers {
        self.strangers
    }

    /// The event a message brings; nothing when it is none of ours.
    ///
    /// # Errors
    /// When it goes on from a block of this log in another way: the log was restored from before, or two publish as one.
    pub(super) fn is_ours(&mut self, headers: Option<&HeaderMap>, place: u64) -> Result<Option<u64>, Error> {
        self.strangers.upto = place;
        let header = |name: &str| headers.and_then(|headers| headers.get(name)).map(|value| value.as_str());
        let seq = header(SEQ_HEADER).and_then(|seq| seq.parse::<u64>().ok());
        let id = header(NATS_MESSAGE_ID.as_ref()).and_then(|id| Uuid::try_parse(id).ok());
        let Some((seq, id)) = seq.zip(id).filter(|(seq, _)| *seq > 0) else {
            self.found(place, "it names no event");
            return Ok(None);
        };
        // What was removed from the log can no longer be compared.
        if seq < self.log.first().0 || self.id_of(seq)? == Some(id) {
            self.strangers.settled = self.strangers.all;
            return Ok(Some(seq));
        }
        let link = header(LINK_HEADER).and_then(|text| Link::parse(text, seq));
        if let Some(link) = link
            && self.goes_on(&link)?
        {
            return Err(Error::Foreign { seq: Seq(seq), there: id.to_string() });
        }
        self.found(place, "it claims to be an event that this log does not have");
        Ok(None)
    }

    fn found(&mut self, place: u64, reason: &str) {
        self.strangers.all += 1;
        if self.strangers.all <= SAID_MAX {
            tracing::warn!(place, reason, "a message in the stream of NATS is none of ours and is left alone");
        }
    }

    fn id_of(&mut self, seq: u64) -> Result<Option<Uuid>, ReadError> {
        if seq > self.head {
            return Ok(None);
        }
        if seq < self.first || seq - self.first >= self.ids.len() as u64 {
            self.ids.clear();
            self.first = seq;
            let ids = &mut self.ids;
            self.log.scan(seq, STEP_BYTES, &mut |_, record| {
                ids.push(Uuid::from_bytes(record.id));
                Ok(if ids.len() < IDS { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
            })?;
        }
        Ok(usize::try_from(seq - self.first).ok().and_then(|index| self.ids.get(index)).copied())
    }

    /// Whether a block goes on from one of ours, by its own word.
    fn goes_on(&self, link: &Link) -> Result<bool, ReadError> {
        let before = link.first - 1;
        if before == 0 {
            return Ok(link.prev == GENESIS);
        }
        if !(self.log.first().0..=self.head).contains(&before) {
            return Ok(false);
        }
        Ok(self.log.block_of(before)? == (before, link.prev))
    }
}
