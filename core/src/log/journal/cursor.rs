//! A place in the journal that moves forward cheaply, over segments of both forms. Checks every block it gives. Only
//! reads.

use std::io;
use std::sync::Arc;

use super::Place;
use super::block::{self, Fault, Header, Plain, Records};
use super::reader::{Mark, Reader, Segment, bad, corrupt, io, io_at};
use super::sealed::Sealed;
use super::sealed::read::{Bad, Unpacker};
use super::segment::{self, Form};
use super::window::Window;
use crate::Seq;
use crate::log::ReadError;

/// The place.
#[derive(Debug)]
pub(super) struct Cursor<'r> {
    reader: &'r Reader,
    /// The last event that may be read.
    pub(super) head: u64,
    /// Least bytes read at once.
    step: usize,
    open: Option<Open>,
}

/// Neighbouring blocks, checked.
#[derive(Debug)]
pub(super) struct Batch {
    /// Where the first one is.
    pub(super) place: Place,
    pub(super) bytes: Vec<u8>,
    /// Where the first one begins in `bytes`.
    pub(super) at: usize,
    /// The last event in them.
    pub(super) last: u64,
}

/// The segment the cursor is in.
#[derive(Debug)]
struct Open {
    segment: Arc<Segment>,
    /// The last event that may be read in it.
    last: u64,
    bytes: Bytes,
    /// The block after the current one.
    next: Mark,
}

/// Where bytes come from. Offsets are those of the file as it was written, or those in the bundle.
#[derive(Debug)]
enum Bytes {
    Written(Box<Written>),
    Sealed(Box<Unpacked>),
}

/// A segment as it was written, and memory for one of its blocks.
#[derive(Debug)]
struct Written {
    window: Window,
    room: Vec<u8>,
}

/// A sealed segment with one of its bundles.
#[derive(Debug)]
struct Unpacked {
    file: Sealed,
    unpacker: Unpacker,
    /// The bundle in `blocks`.
    bundle: Option<usize>,
    blocks: Vec<u8>,
}

impl<'r> Cursor<'r> {
    /// A cursor that ends where the log ends now.
    pub(super) fn new(reader: &'r Reader, step: usize) -> Self {
        Self { reader, head: reader.head().0, step, open: None }
    }

    fn segment(&mut self, seq: u64) -> Result<&mut Open, ReadError> {
        let here = |open: &Open| (open.segment.header.first_seq..=open.last).contains(&seq);
        let open = match self.open.take().filter(here) {
            Some(open) => open,
            None => {
                let found = self.reader.segment_of(seq, self.head);
                let (segment, last) = found.ok_or_else(|| self.reader.removed(Seq(seq)))?;
                self.enter(segment, last)?
            }
        };
        Ok(self.open.insert(open))
    }

    fn enter(&self, segment: Arc<Segment>, last: u64) -> Result<Open, ReadError> {
        let (disk, dir) = self.reader.place();
        let first = segment.header.first_seq;
        let next = Mark { seq: first, at: segment::HEADER_BYTES as u64 };
        if segment.form() == Form::Written {
            match disk.open(&segment::path(dir, first, Form::Written)) {
                // It was sealed since.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                file => {
                    let file = file.map_err(io_at(segment.place(0)))?;
                    let end = file.size().map_err(io_at(segment.place(0)))?;
                    let (window, room) = (Window::new(file, end, self.step), Vec::new());
                    return Ok(Open { segment, last, bytes: Bytes::Written(Box::new(Written { window, room })), next });
                }
            }
        }
        let file = self.reader.sealed(first)?;
        let sealed = Segment::sealed(&file);
        let known = segment.header.in_form(Form::Sealed) == sealed.header && file.summary.totals.last_seq >= last;
        if !known || segment.sealed.is_some_and(|facts| Some(facts) != sealed.sealed) {
            return Err(bad(Bad { place: sealed.place(0), reason: "it is another segment than before".to_owned() }));
        }
        let segment = if segment.sealed.is_some() { segment } else { self.reader.replace(sealed) };
        let unpacker = Unpacker::new().map_err(io)?;
        let bytes = Bytes::Sealed(Box::new(Unpacked { file, unpacker, bundle: None, blocks: Vec::new() }));
        Ok(Open { segment, last, bytes, next })
    }

    /// The plain block that holds an event, checked.
    pub(super) fn block(&mut self, seq: u64) -> Result<(Place, Header, &[u8]), ReadError> {
        let open = self.segment(seq)?;
        let mut mark = open.next;
        // Going on where the last one ended needs no looking.
        if mark.seq != seq || seq > open.end() {
            mark = open.start(seq)?;
            if (mark.seq..=seq).contains(&open.next.seq) {
                mark = open.next;
            }
        }
        loop {
            let header = open.header(mark)?;
            let next = Mark { seq: header.last_seq() + 1, at: mark.at + header.block_bytes() as u64 };
            if header.last_seq() >= seq {
                open.next = next;
                let (place, nonce) = (open.place(mark.at), open.segment.header.nonce);
                let plain = open.bytes.plain(mark.at, &header, nonce).map_err(io_at(place))?;
                let Plain { header, bytes, .. } = plain.map_err(|fault| corrupt(place, &fault))?;
                return Ok((place, header, bytes));
            }
            open.note(next);
            mark = next;
        }
    }

    /// The last event of the batch that begins with an event, when it is known without reading it.
    pub(super) fn batch_ends(&mut self, seq: u64) -> Result<Option<u64>, ReadError> {
        let open = self.segment(seq)?;
        let Bytes::Sealed(unpacked) = &open.bytes else { return Ok(None) };
        let next = unpacked.file.summary.bundles.get(unpacked.file.bundle_of(seq) + 1);
        Ok(Some(next.map_or(open.last, |next| next.first_seq - 1)))
    }

    /// The block that holds an event and those after it in the same segment, about a step of them.
    pub(super) fn batch(&mut self, seq: u64, mut bytes: Vec<u8>) -> Result<Batch, ReadError> {
        bytes.clear();
        let step = self.step;
        let (place, header, block) = self.block(seq)?;
        let len = block.len();
        let mut last = header.last_seq();
        bytes.extend_from_slice(block);
        if let Some(open) = &self.open
            && matches!(open.bytes, Bytes::Sealed(_))
        {
            let (begins, ends) = (usize::try_from(open.next.at).unwrap_or(0) - len, open.end());
            while last < ends {
                last = self.block(last + 1)?.1.last_seq();
            }
            if let Some(open) = &mut self.open {
                open.take(&mut bytes);
            }
            return Ok(Batch { place, bytes, at: begins, last });
        }
        while bytes.len() < step && self.open.as_ref().is_some_and(|open| last < open.last) {
            let (_, header, block) = self.block(last + 1)?;
            last = header.last_seq();
            bytes.extend_from_slice(block);
        }
        Ok(Batch { place, bytes, at: 0, last })
    }

    /// The last event from `first` to `last`, all in one segment, whose time is not after `at_us`.
    pub(super) fn last_at(&mut self, first: u64, last: u64, at_us: u64) -> Result<Option<u64>, ReadError> {
        let open = self.segment(first)?;
        let mut from = first;
        if let Bytes::Sealed(unpacked) = &open.bytes {
            let bundles = &unpacked.file.summary.bundles;
            let found = bundles.iter().rfind(|bundle| bundle.t_min_us <= at_us && bundle.first_seq <= last);
            let Some(bundle) = found else { return Ok(None) };
            from = bundle.first_seq;
        }
        let mut mark = open.start(from)?;
        let last = last.min(open.end());
        let mut holds = None;
        while mark.seq <= last {
            let header = open.header(mark)?;
            if header.t_min_us <= at_us {
                holds = Some(header.first_seq);
            }
            mark = Mark { seq: header.last_seq() + 1, at: mark.at + header.block_bytes() as u64 };
            open.note(mark);
        }
        let Some(seq) = holds else { return Ok(None) };
        let (place, header, block) = self.block(seq)?;
        let mut found = None;
        for split in Records::of(&header, block) {
            let (seq, raw) = split.map_err(|fault| corrupt(place, &fault))?;
            let record = raw.read();
            let record = record.map_err(|reason| corrupt(place, &Fault::Record { seq, reason }))?;
            if seq <= last && record.at_us <= at_us {
                found = Some(seq);
            }
        }
        Ok(found)
    }
}

impl Open {
    fn place(&self, at: u64) -> Place {
        match &self.bytes {
            Bytes::Written(_) => self.segment.place(at),
            Bytes::Sealed(unpacked) => unpacked.file.place(unpacked.bundle.unwrap_or(0)),
        }
    }

    /// Where to begin to look for an event.
    fn start(&mut self, seq: u64) -> Result<Mark, ReadError> {
        let Bytes::Sealed(unpacked) = &mut self.bytes else { return Ok(self.segment.mark_before(seq)) };
        let wanted = unpacked.file.bundle_of(seq);
        if unpacked.bundle != Some(wanted) {
            unpacked.bundle = None;
            let Unpacked { file, unpacker, blocks, .. } = &mut **unpacked;
            file.blocks(unpacker, wanted, blocks).map_err(io_at(file.place(wanted)))?.map_err(bad)?;
            unpacked.bundle = Some(wanted);
            // A mark of another bundle means nothing here.
            self.next = Mark { seq: 0, at: 0 };
        }
        let first = unpacked.file.summary.bundles.get(wanted).map_or(seq, |bundle| bundle.first_seq);
        Ok(Mark { seq: first, at: 0 })
    }

    /// The last event that can be walked to from where [`Self::start`] began.
    fn end(&self) -> u64 {
        match &self.bytes {
            Bytes::Written(_) => self.last,
            Bytes::Sealed(unpacked) => {
                let Some(bundle) = unpacked.bundle else { return 0 };
                let next = unpacked.file.summary.bundles.get(bundle + 1);
                next.map_or(self.last, |next| next.first_seq - 1)
            }
        }
    }

    /// Gives the bundle away for an empty buffer.
    fn take(&mut self, bytes: &mut Vec<u8>) {
        if let Bytes::Sealed(unpacked) = &mut self.bytes {
            std::mem::swap(&mut unpacked.blocks, bytes);
            unpacked.bundle = None;
            self.next = Mark { seq: 0, at: 0 };
        }
    }

    fn note(&self, mark: Mark) {
        if matches!(self.bytes, Bytes::Written(_)) {
            self.segment.note(mark);
        }
    }

    /// The header at a mark; it must begin with the event the mark says.
    fn header(&mut self, mark: Mark) -> Result<Header, ReadError> {
        let place = self.place(mark.at);
        let bytes = self.bytes.get(mark.at, block::HEADER_BYTES).map_err(io_at(place))?;
        let header = Header::parse(bytes).and_then(|header| {
            let in_order = header.first_seq == mark.seq;
            if in_order { Ok(header) } else { Err(Fault::Order { expected: mark.seq, found: header.first_seq }) }
        });
        header.map_err(|fault| corrupt(place, &fault))
    }
}

impl Bytes {
    /// Bytes from an offset on: fewer only before the end.
    fn get(&mut self, at: u64, len: usize) -> io::Result<&[u8]> {
        match self {
            Self::Written(written) => written.window.get(at, len),
            Self::Sealed(unpacked) => {
                let at = usize::try_from(at).unwrap_or(usize::MAX);
                let rest = unpacked.blocks.get(at..).unwrap_or_default();
                Ok(rest.get(..len).unwrap_or(rest))
            }
        }
    }

    /// The plain block of a header that stands at an offset.
    fn plain(&mut self, at: u64, header: &Header, nonce: u64) -> io::Result<Result<Plain<'_>, Fault>> {
        if let Self::Written(written) = self {
            let Written { window, room } = &mut **written;
            return Ok(header.open(window.get(at, header.block_bytes())?, nonce, room));
        }
        let bytes = self.get(at, header.block_bytes())?;
        let checked = header.check_plain(bytes, nonce);
        Ok(checked.map(|()| Plain { header: *header, bytes, stored: bytes.len() }))
    }
}
