//! What the chain knows of a block. With it the block can be made again from its events, byte for byte, and so proved to
//! be the one that was written. Knows nothing of where it is told, and nothing of files.

use std::fmt;

use super::Hash;
use super::block::{self, Builder, Header};
use super::record::Record;

/// A block's place in the chain. Told as text: first event, nonce, hash before and hash, with spaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Link {
    /// The first event of the block.
    pub(crate) first: u64,
    /// The last event of it, which tells the link.
    pub(crate) last: u64,
    /// The nonce of its segment.
    pub(crate) nonce: u64,
    /// Hash of the block before it.
    pub(crate) prev: Hash,
    /// Its own hash.
    pub(crate) hash: Hash,
}

/// A block that was made again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Made {
    pub(crate) link: Link,
    /// As it stands in a file.
    pub(crate) bytes: Vec<u8>,
    /// Bytes of its plain form.
    pub(crate) plain: u64,
}

impl Link {
    /// Of a checked, plain block; nothing when an older version wrote it in a way that is not written any more.
    pub(crate) fn of(header: &Header, block: &[u8], nonce: u64) -> Option<Self> {
        let (first, last, prev, hash) = (header.first_seq, header.last_seq(), header.prev_hash, block::hash(block));
        header.is_written_so_today().then_some(Self { first, last, nonce, prev, hash })
    }

    /// Reads what the block's last event tells.
    pub(crate) fn parse(text: &str, last: u64) -> Option<Self> {
        let mut words = text.split(' ');
        let first = words.next()?.parse().ok().filter(|first| (1..=last).contains(first))?;
        let nonce = u64::from_str_radix(words.next()?, 16).ok()?;
        let mut hash = || blake3::Hash::from_hex(words.next()?).ok().map(|hash| *hash.as_bytes());
        let (prev, hash) = (hash()?, hash()?);
        words.next().is_none().then_some(Self { first, last, nonce, prev, hash })
    }

    /// Makes the block of these records, all of it and in order; nothing when that is another one.
    pub(crate) fn make<'r>(&self, records: impl Iterator<Item = Record<'r>>) -> Option<Made> {
        let mut builder = Builder::default();
        for record in records {
            builder.push(&record).ok()?;
        }
        let plain = builder.len() as u64;
        builder.pack();
        let whole = u64::from(builder.count()) == self.last - self.first + 1;
        let (bytes, hash) = builder.finish(self.first, self.prev, self.nonce).ok()?;
        (whole && hash == self.hash).then(|| Made { link: *self, bytes: bytes.to_vec(), plain })
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { first, nonce, prev, hash, last: _ } = self;
        let hex = |hash: &Hash| blake3::Hash::from_bytes(*hash).to_hex();
        write!(f, "{first} {nonce:016x} {} {}", hex(prev), hex(hash))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(n: u64, payload: &[u8]) -> Record<'_> {
        Record {
            id: [n as u8; 16],
            stream: "run/a",
            stream_seq: n,
            more: 0,
            kind: 1,
            version: 1,
            at_us: n,
            actor: "user:ada",
            cause: None,
            correlation: [1; 16],
            dedup: None,
            payload,
        }
    }

    #[test]
    fn a_block_is_made_again_from_its_events_and_from_no_others() {
        let payload = b"{\"text\":\"again and again and again\"}".repeat(9);
        let records = |payload| [7, 8, 9].map(|n| record(n, payload));
        let mut builder = Builder::default();
        for record in records(&payload) {
            builder.push(&record).expect("pushed");
        }
        builder.pack();
        let (stored, hash) = builder.finish(7, [3; 32], 5).expect("finished");
        let (stored, link) = (stored.to_vec(), Link { first: 7, last: 9, nonce: 5, prev: [3; 32], hash });
        assert_eq!(Link::parse(&link.to_string(), 9), Some(link));
        let made = link.make(records(&payload).into_iter()).expect("made");
        assert_eq!((made.link, made.bytes), (link, stored));
        assert_eq!(link.make(records(&payload).into_iter().take(2)), None);
        assert_eq!(link.make(records(b"{}").into_iter()), None);
        assert_eq!(Link { nonce: 6, ..link }.make(records(&payload).into_iter()), None);
        assert_eq!(Link { prev: [4; 32], ..link }.make(records(&payload).into_iter()), None);
    }

    #[test]
    fn other_text_is_no_link() {
        let hash = "0".repeat(64);
        let wrong = ["".to_owned(), "1 2".to_owned(), format!("0 1 {hash} {hash}"), format!("9 1 {hash} {hash}")];
        for text in wrong.into_iter().chain([format!("1 1 {hash} {hash} x"), format!("1 x {hash} {hash}")]) {
            assert_eq!(Link::parse(&text, 8), None, "{text}");
        }
        assert!(Link::parse(&format!("8 1 {hash} {hash}"), 8).is_some());
    }
}
