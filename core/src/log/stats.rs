//! What is in a log, in numbers: how much of which kind, in how many streams, over what time. Sealed segments say it
//! themselves; of the others all is read. Takes memory for the names of streams only.

use std::collections::{BTreeMap, HashSet};
use std::ops::ControlFlow;

use super::journal::sealed::shape::{KindAmount, Summary};
use super::journal::segment;
use super::positions;
use super::{ReadError, Reader, SegmentFile};
use crate::{Kind, Seq};

/// The numbers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Stats {
    /// Segments.
    pub segments: u64,
    /// How many of them are sealed.
    pub sealed: u64,
    /// Bytes of all segment files.
    pub disk_bytes: u64,
    /// Bytes of the sealed ones.
    pub sealed_bytes: u64,
    /// Bytes the sealed ones would have uncompressed.
    pub sealed_from_bytes: u64,
    /// Everything in the log.
    pub all: Amount,
    /// By kind of event.
    pub kinds: BTreeMap<Kind, Amount>,
    /// By family of streams: what stands before the first slash of their names.
    pub families: BTreeMap<String, Family>,
    /// The oldest event kept.
    pub first: Seq,
    /// The last event.
    pub head: Seq,
    /// Time of the earliest event, in microseconds since the Unix epoch; nothing in an empty log.
    pub first_at_us: Option<u64>,
    /// Time of the latest event.
    pub last_at_us: Option<u64>,
}

/// How much there is of something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Amount {
    /// Events.
    pub events: u64,
    /// Bytes of their payloads.
    pub payload_bytes: u64,
}

/// How much there is in a family of streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Family {
    /// Streams.
    pub streams: u64,
    /// What is in them.
    pub amount: Amount,
}

impl Amount {
    fn add(&mut self, events: u64, payload_bytes: u64) {
        self.events += events;
        self.payload_bytes += payload_bytes;
    }
}

/// Counts what is in the log up to its end as it is now.
///
/// # Errors
/// When the bytes on disk are damaged or cannot be read.
pub fn stats(reader: &Reader) -> Result<Stats, ReadError> {
    let files = reader.segment_files()?;
    let mut count = Count::default();
    let stats = &mut count.stats;
    (stats.segments, stats.head) = (files.len() as u64, reader.head());
    stats.first = files.first().map_or(Seq(1), |file| file.first);
    for file in &files {
        count.stats.disk_bytes += file.bytes;
        if let Some(sealed) = file.sealed {
            count.stats.sealed += 1;
            count.stats.sealed_bytes += file.bytes;
            count.stats.sealed_from_bytes += sealed.block_bytes + segment::HEADER_BYTES as u64;
            count.sealed(reader, file.first.0)?;
        } else {
            count.written(reader, file)?;
        }
    }
    Ok(count.stats)
}

#[derive(Default)]
struct Count {
    stats: Stats,
    streams: HashSet<Box<str>>,
}

impl Count {
    /// Takes over what a sealed segment says of itself.
    fn sealed(&mut self, reader: &Reader, first: u64) -> Result<(), ReadError> {
        let Summary { totals, kinds, .. } = reader.sealed(first)?.summary;
        for KindAmount { kind, events, payload_bytes } in kinds {
            self.stats.all.add(events, payload_bytes);
            self.stats.kinds.entry(Kind(kind)).or_default().add(events, payload_bytes);
        }
        self.time(totals.t_min_us, totals.t_max_us);
        reader.streams(first, &mut |entry| {
            let events = positions::count(entry.positions).unwrap_or(0);
            self.stream(entry.stream, events, entry.payload_bytes);
        })
    }

    /// Reads what is not sealed.
    fn written(&mut self, reader: &Reader, file: &SegmentFile) -> Result<(), ReadError> {
        if file.last < file.first {
            return Ok(());
        }
        reader.scan_all(file.first.0, &mut |seq, record| {
            if seq > file.last.0 {
                return Ok(ControlFlow::Break(()));
            }
            let bytes = record.payload.len() as u64;
            self.stats.all.add(1, bytes);
            self.stats.kinds.entry(Kind(record.kind)).or_default().add(1, bytes);
            self.time(record.at_us, record.at_us);
            self.stream(record.stream, 1, bytes);
            Ok(ControlFlow::Continue(()))
        })
    }

    fn stream(&mut self, stream: &str, events: u64, payload_bytes: u64) {
        let name = stream.split_once('/').map_or(stream, |(family, _)| family);
        let family = match self.stats.families.get_mut(name) {
            Some(known) => known,
            None => self.stats.families.entry(name.to_owned()).or_default(),
        };
        family.amount.add(events, payload_bytes);
        if !self.streams.contains(stream) {
            self.streams.insert(stream.into());
            family.streams += 1;
        }
    }

    fn time(&mut self, first_us: u64, last_us: u64) {
        self.stats.first_at_us = Some(self.stats.first_at_us.map_or(first_us, |first| first.min(first_us)));
        self.stats.last_at_us = self.stats.last_at_us.max(Some(last_us));
    }
}
