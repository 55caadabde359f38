//! Checks a sealed segment whole: every byte under its checksum, every block, that the summary and the pages say what
//! the blocks say, and the hash over all. Used when one was just written, by `verify` and by the scrub.

use std::io;

use super::super::block::{Fault, Header};
use super::super::disk::read_full;
use super::super::segment::{self, Form};
use super::super::{Place, recover};
use super::gather::{Gather, Loose};
use super::read::{Bad, Sealed, Unpacker};
use super::shape::{Bundle, HASH_AND_CHECKSUM_BYTES, Page, Summary};

/// What the check shows on its way: a block with its bundle's place, or what is wrong.
pub(crate) type Checked<'a> = Result<(Place, &'a Header, &'a [u8]), Bad>;

/// Checks everything. Blocks come in order; those of a damaged bundle do not come.
pub(crate) fn check(sealed: &Sealed, each: &mut dyn FnMut(Checked<'_>)) -> io::Result<()> {
    let header = sealed.header;
    let gather = Gather::new(header.first_seq - 1, header.prev_hash);
    let (unpacker, hasher) = (Unpacker::new()?, blake3::Hasher::new());
    let mut pass = Pass { sealed, each, whole: true, unpacker, hasher, gather };
    pass.raw(0, segment::HEADER_BYTES)?;
    let bundles = pass.bundles()?;
    let pages = pass.pages()?;
    let (summary_at, summary_len) = sealed.trailer.summary();
    pass.raw(summary_at, summary_len)?;
    // What follows from damage that was said is not said again.
    if pass.whole {
        pass.summary(bundles, &pages);
    }
    if pass.whole {
        pass.hash();
    }
    Ok(())
}

struct Pass<'a> {
    sealed: &'a Sealed,
    each: &'a mut dyn FnMut(Checked<'_>),
    whole: bool,
    unpacker: Unpacker,
    hasher: blake3::Hasher,
    gather: Gather,
}

impl Pass<'_> {
    fn bad(&mut self, bad: Bad) {
        self.whole = false;
        (self.each)(Err(bad));
    }

    fn bad_at(&mut self, at: u64, reason: &str) {
        let place = Place { segment: self.sealed.header.first_seq, form: Form::Sealed, at };
        self.bad(Bad { place, reason: reason.to_owned() });
    }

    /// Takes bytes into the hash that were checked when the segment was opened.
    fn raw(&mut self, at: u64, len: usize) -> io::Result<()> {
        let mut bytes = vec![0; len];
        let read = read_full(self.sealed.file(), &mut bytes, at)?;
        self.hasher.update(bytes.get(..read).unwrap_or_default());
        Ok(())
    }

    fn bundles(&mut self) -> io::Result<Vec<Bundle>> {
        let (mut bundles, mut blocks) = (Vec::new(), Vec::new());
        for number in 0..self.sealed.summary.bundles.len() {
            let read = self.sealed.blocks(&mut self.unpacker, number, &mut blocks)?;
            self.hasher.update(&self.unpacker.stored);
            match read {
                Ok(()) => bundles.push(self.walk(self.sealed.place(number), &blocks)),
                Err(bad) => self.bad(bad),
            }
        }
        Ok(bundles)
    }

    /// Shows the blocks of a bundle, and says what its entry in the summary must be.
    fn walk(&mut self, place: Place, blocks: &[u8]) -> Bundle {
        let mut loose = Loose::default();
        let mut rest = blocks;
        while !rest.is_empty() {
            let (header, block) = match self.next(rest) {
                Ok(found) => found,
                Err(fault) => {
                    self.bad(Bad { place, reason: fault.to_string() });
                    break;
                }
            };
            (self.each)(Ok((place, &header, block)));
            loose.push(&header, block);
            rest = rest.get(block.len()..).unwrap_or_default();
        }
        loose.bundle(&self.unpacker.stored)
    }

    fn next<'b>(&mut self, rest: &'b [u8]) -> Result<(Header, &'b [u8]), Fault> {
        let header = Header::parse(rest)?;
        let block = rest.get(..header.block_bytes()).ok_or(Fault::CutOff)?;
        header.check_plain(block, self.sealed.header.nonce)?;
        if self.whole {
            let totals = &self.gather.totals;
            recover::follows(&header, totals.last_seq, totals.last_hash)?;
            self.gather.block(&header, block)?;
        }
        Ok((header, block))
    }

    /// A hash of all pages: there may be many.
    fn pages(&mut self) -> io::Result<blake3::Hash> {
        let mut pages = blake3::Hasher::new();
        for number in 0..self.sealed.summary.pages.len() {
            let mut entries = Vec::new();
            let read = self.sealed.page(&mut self.unpacker, number, &mut entries)?;
            self.hasher.update(&self.unpacker.stored);
            match read {
                Ok(holds) => add(&mut pages, holds, &entries),
                Err(bad) => self.bad(bad),
            }
        }
        Ok(pages.finalize())
    }

    fn summary(&mut self, bundles: Vec<Bundle>, pages: &blake3::Hash) {
        let said = &self.sealed.summary;
        let (totals, kinds) = (self.gather.totals, self.gather.kinds());
        let found = Summary { totals, kinds, bundles, pages: said.pages.clone() };
        if found != *said {
            let (summary_at, _) = self.sealed.trailer.summary();
            self.bad_at(summary_at, "its summary says something else than its blocks");
            return;
        }
        let mut expected = blake3::Hasher::new();
        for entries in self.gather.pages().unwrap_or_default() {
            add(&mut expected, Page::STREAMS, &entries);
        }
        if expected.finalize() != *pages {
            let place = self.sealed.place(said.bundles.len());
            self.bad_at(place.at, "its pages say something else than its blocks");
        }
    }

    fn hash(&mut self) {
        let unsigned = self.sealed.trailer.bytes();
        self.hasher.update(unsigned.get(..unsigned.len() - HASH_AND_CHECKSUM_BYTES).unwrap_or_default());
        if *self.hasher.finalize().as_bytes() != self.sealed.blake3() {
            self.bad_at(0, "its bytes are not those of its BLAKE3");
        }
    }
}

fn add(pages: &mut blake3::Hasher, holds: u8, entries: &[u8]) {
    pages.update(&[holds]).update(&(entries.len() as u64).to_le_bytes()).update(entries);
}
