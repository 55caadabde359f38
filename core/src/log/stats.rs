//! What is in a log, in numbers: how much of which kind, in how many streams, over what time. Reads all of it, with
//! memory for the names of streams only.

use std::collections::{BTreeMap, HashSet};
use std::ops::ControlFlow;

use super::{ReadError, Reader};
use crate::{Kind, Seq};

/// The numbers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Stats {
    /// Segment files.
    pub segments: u64,
    /// Bytes of the segment files.
    pub disk_bytes: u64,
    /// Everything in the log.
    pub all: Amount,
    /// By kind of event.
    pub kinds: BTreeMap<Kind, Amount>,
    /// By family of streams: what stands before the first slash of their names.
    pub families: BTreeMap<String, Family>,
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
    fn add(&mut self, payload_bytes: u64) {
        self.events += 1;
        self.payload_bytes += payload_bytes;
    }
}

/// Counts what is in the log up to its end as it is now.
///
/// # Errors
/// When the bytes on disk are damaged or cannot be read.
pub fn stats(reader: &Reader) -> Result<Stats, ReadError> {
    let mut stats = Stats::default();
    let mut streams: HashSet<Box<str>> = HashSet::new();
    reader.scan_all(reader.first().0, &mut |seq, record| {
        let bytes = record.payload.len() as u64;
        stats.head = Seq(seq);
        stats.all.add(bytes);
        stats.kinds.entry(Kind(record.kind)).or_default().add(bytes);
        let family = record.stream.split_once('/').map_or(record.stream, |(family, _)| family);
        let family = match stats.families.get_mut(family) {
            Some(known) => known,
            None => stats.families.entry(family.to_owned()).or_default(),
        };
        family.amount.add(bytes);
        if !streams.contains(record.stream) {
            streams.insert(record.stream.into());
            family.streams += 1;
        }
        stats.first_at_us = Some(stats.first_at_us.map_or(record.at_us, |first| first.min(record.at_us)));
        stats.last_at_us = stats.last_at_us.max(Some(record.at_us));
        Ok(ControlFlow::Continue(()))
    })?;
    let files = reader.segment_files()?;
    (stats.segments, stats.disk_bytes) = (files.len() as u64, files.iter().map(|file| file.bytes).sum());
    Ok(stats)
}
