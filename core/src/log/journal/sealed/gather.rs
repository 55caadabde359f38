//! Collects what the pages and the summary of a sealed segment say, from its blocks: for writing it, and again for
//! checking it. Knows nothing of files.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::super::block::{self, Fault, Records};
use super::super::record::Record;
use super::super::{Hash, codec};
use super::shape::{Bundle, ENTRY_BYTES_MAX, KindAmount, PAGE_BYTES, Totals};
use crate::log::positions;

/// Where some events of a stream are. Never edit; a new shape is a new format number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StreamEntry<'a> {
    pub(crate) stream: &'a str,
    /// Position in the stream of the first.
    pub(crate) first: u64,
    /// Payload bytes of the stream in the whole segment, on its first entry; 0 on the others.
    pub(crate) payload_bytes: u64,
    /// Global positions, packed as [`positions`] does.
    #[serde(with = "serde_bytes")]
    pub(crate) positions: &'a [u8],
}

/// The entries of a page.
pub(crate) fn entries<'a, Entry: Deserialize<'a>>(page: &'a [u8]) -> impl Iterator<Item = Result<Entry, String>> {
    use bincode::Options as _;
    let mut rest = page;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let split = rest.split_first_chunk::<4>().and_then(|(len, rest)| {
            let len = u32::from_le_bytes(*len) as usize;
            rest.split_at_checked(len).filter(|_| len <= ENTRY_BYTES_MAX)
        });
        let Some((entry, after)) = split else {
            rest = &[];
            return Some(Err("an entry does not fit its page".to_owned()));
        };
        rest = after;
        Some(codec(ENTRY_BYTES_MAX).deserialize(entry).map_err(|error| error.to_string()))
    })
}

/// What was collected so far.
#[derive(Debug)]
pub(super) struct Gather {
    pub(super) totals: Totals,
    kinds: BTreeMap<u16, KindAmount>,
    streams: BTreeMap<Box<str>, Places>,
}

#[derive(Debug)]
struct Places {
    /// Position in the stream of the first event.
    first: u64,
    payload_bytes: u64,
    seqs: Vec<u64>,
}

impl Gather {
    /// Nothing yet, behind the event `seq` in a block of this hash.
    pub(super) fn new(seq: u64, hash: Hash) -> Self {
        let (blocks, block_bytes, record_bytes, payload_bytes) = (0, 0, 0, 0);
        let (t_min_us, t_max_us) = (u64::MAX, 0);
        let last = (seq, hash);
        let totals = Totals {
            last_seq: last.0,
            blocks,
            block_bytes,
            record_bytes,
            payload_bytes,
            t_min_us,
            t_max_us,
            last_hash: last.1,
        };
        Self { totals, kinds: BTreeMap::new(), streams: BTreeMap::new() }
    }

    /// Adds the next block, which was checked.
    pub(super) fn block(&mut self, header: &block::Header, block: &[u8]) -> Result<(), Fault> {
        for split in Records::of(header, block) {
            let (seq, raw) = split?;
            let added = raw.read().and_then(|record| self.record(seq, raw.bytes.len() as u64, &record));
            added.map_err(|reason| Fault::Record { seq, reason })?;
        }
        let totals = &mut self.totals;
        totals.last_seq = header.last_seq();
        totals.blocks += 1;
        totals.block_bytes += block.len() as u64;
        totals.t_min_us = totals.t_min_us.min(header.t_min_us);
        totals.t_max_us = totals.t_max_us.max(header.t_max_us);
        totals.last_hash = block::hash(block);
        Ok(())
    }

    fn record(&mut self, seq: u64, record_bytes: u64, record: &Record<'_>) -> Result<(), String> {
        let payload_bytes = record.payload.len() as u64;
        self.totals.record_bytes += record_bytes;
        self.totals.payload_bytes += payload_bytes;
        let none = KindAmount { kind: record.kind, events: 0, payload_bytes: 0 };
        let kind = self.kinds.entry(record.kind).or_insert(none);
        kind.events += 1;
        kind.payload_bytes += payload_bytes;
        let places = match self.streams.get_mut(record.stream) {
            Some(places) => places,
            None => self.streams.entry(record.stream.into()).or_insert(Places {
                first: record.stream_seq,
                payload_bytes: 0,
                seqs: Vec::new(),
            }),
        };
        let expected = places.first + places.seqs.len() as u64;
        if record.stream_seq != expected {
            return Err(format!("it is number {} of {}, not {expected}", record.stream_seq, record.stream));
        }
        places.payload_bytes += payload_bytes;
        places.seqs.push(seq);
        Ok(())
    }

    /// What the summary says about kinds.
    pub(super) fn kinds(&self) -> Vec<KindAmount> {
        self.kinds.values().copied().collect()
    }

    /// The entries of all pages.
    pub(super) fn pages(&self) -> Result<Vec<Vec<u8>>, String> {
        let mut pages = Pages::default();
        for (stream, places) in &self.streams {
            let mut first = places.first;
            let mut payload_bytes = places.payload_bytes;
            for (count, positions) in positions::pack(&places.seqs) {
                pages.push(&StreamEntry { stream, first, payload_bytes, positions: &positions })?;
                first += u64::from(count);
                payload_bytes = 0;
            }
        }
        Ok(pages.0)
    }
}

/// Entries in pages: each entry with its length before it.
#[derive(Debug, Default)]
struct Pages(Vec<Vec<u8>>);

impl Pages {
    fn push(&mut self, entry: &impl Serialize) -> Result<(), String> {
        use bincode::Options as _;
        let bytes = codec(ENTRY_BYTES_MAX - 4).serialize(entry).map_err(|error| error.to_string())?;
        let len = u32::try_from(bytes.len()).map_err(|error| error.to_string())?;
        let open = self.0.last_mut().filter(|page| page.len() < PAGE_BYTES);
        let page = match open {
            Some(page) => page,
            None => {
                self.0.push(Vec::new());
                let Some(page) = self.0.last_mut() else { return Ok(()) };
                page
            }
        };
        page.extend(len.to_le_bytes());
        page.extend(bytes);
        Ok(())
    }
}

/// Blocks that are about to become a bundle.
#[derive(Debug, Default)]
pub(super) struct Loose {
    pub(super) bytes: Vec<u8>,
    first_seq: u64,
    count: u32,
    t_min_us: u64,
    t_max_us: u64,
}

impl Loose {
    /// Adds the next block.
    pub(super) fn push(&mut self, header: &block::Header, block: &[u8]) {
        if self.bytes.is_empty() {
            (self.first_seq, self.count, self.t_min_us, self.t_max_us) = (header.first_seq, 0, u64::MAX, 0);
        }
        self.bytes.extend_from_slice(block);
        self.count += header.count;
        self.t_min_us = self.t_min_us.min(header.t_min_us);
        self.t_max_us = self.t_max_us.max(header.t_max_us);
    }

    /// What the summary says about the bundle these bytes became.
    pub(super) fn bundle(&self, stored: &[u8]) -> Bundle {
        let Self { ref bytes, first_seq, count, t_min_us, t_max_us } = *self;
        let (len, raw_len, checksum) = (stored.len() as u32, bytes.len() as u32, crc32c::crc32c(stored));
        Bundle { len, raw_len, checksum, first_seq, count, t_min_us, t_max_us }
    }
}
