//! The walk along a journal: what must follow what, block by block, and what is wrong where it does not. Knows nothing of
//! locks, and of the index only what it is given.

use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

use super::{Damage, INDEX, REBUILT, Report, Seen};
use crate::Seq;
use crate::log::begin::first_answer;
use crate::log::index::Known;
use crate::log::journal::anchor::{self, Anchor};
use crate::log::journal::beginning::{self, Beginning};
use crate::log::journal::block::{self, Fault, Plain, Records};
use crate::log::journal::reader::Segment;
use crate::log::journal::record::Record;
use crate::log::journal::sealed::read::Bad;
use crate::log::journal::sealed::{self, Sealed};
use crate::log::journal::segment::{Form, Named};
use crate::log::journal::tail::{block_at, is_blank, next_block};
use crate::log::journal::window::Window;
use crate::log::journal::{Disk, DiskFile, Hash, Place, segment};

/// Bytes read at once.
const STEP_BYTES: usize = 1 << 20;

/// Verifies one full segment, up to where the next one begins. Places in streams are not compared.
pub(crate) fn verify_full(disk: &dyn Disk, dir: &Path, full: &Segment, next: &Segment) -> io::Result<Vec<Damage>> {
    let seen: Seen<'_> = &mut |_, _, _| {};
    let mut check = Check::new(Ok(None), Ok(Beginning::whole()), None, seen);
    check.lose();
    let (segment::Header { first_seq: first, number, .. }, next) = (full.header, next.header);
    check.number = number;
    check.segment((disk, dir), Named { first, form: full.form(), twice: false }, false)?;
    let ends = (Some(next.first_seq - 1), Some(next.prev_hash));
    if check.report.is_clean() && (check.seq, check.hash) != ends {
        let reason = format!("it ends at {}, but {} belongs here", check.report.head, next.first_seq - 1);
        check.report.fault(full.place(0), reason);
    }
    Ok(check.report.faults)
}

/// What is missing between segment `expected` and the one found, and which events.
fn missing(expected: u64, found: u64, from: Option<u64>, first: u64) -> String {
    if found < expected {
        return format!("it is segment {found}, but {expected} belongs here");
    }
    let events = from
        .filter(|from| *from < first)
        .map_or_else(String::new, |from| format!(": events {from} to {} are lost", first - 1));
    let last = found - 1;
    if expected == last {
        format!("segment {expected} is missing before it{events}")
    } else {
        format!("segments {expected} to {last} are missing before it{events}")
    }
}

/// What is known on the way. Nothing is known after damage, until the next whole block.
pub(super) struct Check<'a> {
    report: Report,
    beginning: Beginning,
    anchor: Option<Anchor>,
    /// Hash of the block that ends with the anchor's event.
    anchored: Option<Hash>,
    seq: Option<u64>,
    hash: Option<Hash>,
    /// Place of the next segment among all there ever were.
    number: u64,
    /// What is being read.
    place: Place,
    /// The last position in each stream.
    streams: HashMap<Box<str>, u64>,
    /// What the index knows, and the same from the journal.
    index: Option<(&'a Known, Known)>,
    /// Identity of the journal: the first segment's nonce.
    journal: Option<u64>,
    /// Set where events are missing: positions in streams may jump from then on.
    holes: bool,
    seen: Seen<'a>,
}

impl<'a> Check<'a> {
    pub(super) fn new(
        anchor: Result<Option<Anchor>, String>,
        beginning: Result<Beginning, String>,
        index: Option<&'a Known>,
        seen: Seen<'a>,
    ) -> Self {
        let mut report = Report::default();
        let anchor = anchor.unwrap_or_else(|reason| {
            report.fault(anchor::NAME, reason);
            None
        });
        report.anchor = anchor.map(|anchor| Seq(anchor.seq));
        let beginning = beginning.unwrap_or_else(|reason| {
            report.fault(beginning::NAME, reason);
            Beginning::whole()
        });
        report.first = Seq(beginning.first);
        let Beginning { first, number, prev_hash, journal, .. } = beginning;
        let before = first - 1;
        Self {
            report,
            beginning,
            anchor,
            anchored: anchor.filter(|anchor| anchor.seq == before).map(|_| prev_hash),
            seq: Some(before),
            hash: Some(prev_hash),
            number,
            place: Place { segment: first, form: Form::Written, at: 0 },
            streams: HashMap::new(),
            index: index.map(|known| (known, Known::begin(known))),
            journal: Some(journal).filter(|journal| *journal > 0),
            holes: false,
            seen,
        }
    }

    /// Every segment the log is said to have; what was found.
    pub(super) fn all(mut self, from: (&dyn Disk, &Path), mut segments: Vec<Named>) -> Report {
        // What is before it was to be removed when the power was cut.
        segments.retain(|named| named.first >= self.beginning.first);
        let last = segments.last().copied();
        for named in segments {
            self.file(from, named, Some(named) == last);
        }
        self.end();
        self.report
    }

    /// One file of the journal. One that cannot be read is a fault, and the others are read nevertheless.
    fn file(&mut self, from: (&dyn Disk, &Path), named: Named, is_last: bool) {
        if let Err(error) = self.segment(from, named, is_last) {
            self.report.fault(self.place, format!("it cannot be read: {error}"));
            self.lose();
        }
    }

    fn segment(
        &mut self,
        (disk, dir): (&dyn Disk, &Path),
        Named { first, form, .. }: Named,
        is_last: bool,
    ) -> io::Result<()> {
        self.report.segments += 1;
        self.place = Place { segment: first, form, at: 0 };
        let number = self.number;
        self.number += 1;
        if form == Form::Written {
            match disk.open(&segment::path(dir, first, form)) {
                // It was sealed since the names were listed.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                file => return self.written(file?, first, number, is_last),
            }
        }
        self.report.sealed += 1;
        match Sealed::open(disk, dir, first)? {
            Ok(sealed) => self.sealed(&sealed, number, is_last),
            Err(Bad { place, reason }) => {
                self.report.fault(place, reason);
                self.lose();
                Ok(())
            }
        }
    }

    fn written(&mut self, file: Arc<dyn DiskFile>, first: u64, number: u64, is_last: bool) -> io::Result<()> {
        let place = Place { segment: first, form: Form::Written, at: 0 };
        match segment::read_header(&*file, first, Form::Written)? {
            Ok(header) => {
                self.begin(place, &header, number);
                let end = file.size()?;
                let mut window = Window::new(file, end, STEP_BYTES);
                self.blocks(&mut window, &header, is_last)
            }
            Err(reason) => {
                self.report.fault(place, reason);
                self.lose();
                Ok(())
            }
        }
    }

    fn sealed(&mut self, sealed: &Sealed, number: u64, is_last: bool) -> io::Result<()> {
        let place = Place { segment: sealed.header.first_seq, form: Form::Sealed, at: 0 };
        self.begin(place, &sealed.header, number);
        sealed::check::check(sealed, &mut |checked| match checked {
            Ok((place, header, block)) => self.block(place, header, block),
            Err(Bad { place, reason }) => {
                self.report.fault(place, reason);
                self.lose();
            }
        })?;
        if is_last {
            self.report.fault(place, "it is sealed, but the segment after it is missing");
        }
        Ok(())
    }

    /// What must be so where a segment begins.
    fn begin(&mut self, place: Place, header: &segment::Header, number: u64) {
        let first = header.first_seq;
        self.journal = self.journal.or((header.number == 1).then_some(header.nonce));
        self.number = header.number.saturating_add(1);
        match self.seq {
            _ if header.number != number => {
                self.report.fault(place, missing(number, header.number, self.seq.map(|seq| seq + 1), first));
                self.lose();
            }
            Some(seq) if seq + 1 != first => {
                self.report.fault(place, format!("it begins with event {first}, but {} belongs here", seq + 1));
                self.lose();
            }
            _ if self.hash.is_some_and(|hash| hash != header.prev_hash) => self.report.fault(place, Fault::Chain),
            _ => {}
        }
        (self.seq, self.hash) = (Some(first - 1), Some(header.prev_hash));
    }

    fn blocks(&mut self, window: &mut Window, header: &segment::Header, is_last: bool) -> io::Result<()> {
        let mut at = segment::HEADER_BYTES as u64;
        let mut room = Vec::new();
        let mut looked_again = None;
        loop {
            let place = Place { segment: header.first_seq, form: Form::Written, at };
            self.place = place;
            let fault = match block_at(window, &mut room, at, header.nonce)? {
                Ok(Plain { header, bytes, stored }) => {
                    self.block(place, &header, bytes);
                    at += stored as u64;
                    continue;
                }
                Err(fault) => fault,
            };
            let expected = self.seq.map_or(0, |seq| seq + 1);
            let later = next_block(window, at + 1, header.nonce, expected)?;
            let Some((next, found)) = later else {
                return self.rest(window, place, &fault, is_last);
            };
            // A writer at work may have finished this block since it was read, and then the later one.
            if looked_again != Some(at) {
                looked_again = Some(at);
                window.forget();
                continue;
            }
            let lost = format!("events {expected} to {} are lost", found.first_seq.saturating_sub(1));
            self.report.fault(place, format!("{fault}; {lost}, the next whole block is at byte {next}"));
            self.lose();
            at = next;
        }
    }

    /// What stands behind the last whole block of a segment.
    fn rest(&mut self, window: &mut Window, place: Place, fault: &Fault, is_last: bool) -> io::Result<()> {
        let left = window.end().saturating_sub(place.at);
        if !fault.may_be_unfinished() {
            self.report.fault(place, fault);
        } else if is_last && self.anchor.is_some_and(|anchor| anchor.seq > self.report.head.0) {
            self.report.fault(place, format!("{fault}, but the log went on here"));
        } else if is_last {
            self.report.unfinished_bytes = if is_blank(window, place.at)? { 0 } else { left };
        } else if left > 0 {
            self.report.fault(place, format!("{fault}; no whole block follows in this segment, but {left} bytes do"));
        }
        Ok(())
    }

    fn block(&mut self, place: Place, header: &block::Header, block: &[u8]) {
        self.place = place;
        if let Some(seq) = self.seq
            && header.first_seq != seq + 1
        {
            self.report.fault(place, Fault::Order { expected: seq + 1, found: header.first_seq });
            self.holes = true;
        } else if self.hash.is_some_and(|hash| hash != header.prev_hash) {
            self.report.fault(place, Fault::Chain);
        }
        for split in Records::of(header, block) {
            let checked = split.and_then(|(seq, raw)| {
                let record = raw.read().and_then(|record| self.record(seq, &record));
                record.map_err(|reason| Fault::Record { seq, reason })
            });
            if let Err(fault) = checked {
                self.report.fault(place, fault);
            }
        }
        let hash = block::hash(block);
        (self.seen)(Seq(header.first_seq), Seq(header.last_seq()), hash);
        if self.anchor.is_some_and(|anchor| anchor.seq == header.last_seq()) {
            self.anchored = Some(hash);
        }
        self.report.blocks += 1;
        self.report.events += u64::from(header.count);
        self.report.head = Seq(header.last_seq());
        (self.seq, self.hash) = (Some(header.last_seq()), Some(hash));
    }

    fn record(&mut self, seq: u64, record: &Record<'_>) -> Result<(), String> {
        if let Some((known, found)) = &mut self.index
            && seq <= known.cursor
        {
            found.position(record.stream, record.stream_seq, seq);
            if let Some(key) = record.dedup {
                found.answer(record.stream, key, &first_answer(seq, record));
            }
        }
        let last = match self.streams.get_mut(record.stream) {
            Some(last) => last,
            None => {
                // What was before the beginning is not known.
                let before = if self.beginning.first > 1 { record.stream_seq.saturating_sub(1) } else { 0 };
                self.streams.entry(record.stream.into()).or_insert(before)
            }
        };
        let expected = std::mem::replace(last, record.stream_seq) + 1;
        if record.stream_seq == expected || (self.holes && record.stream_seq > expected) {
            Ok(())
        } else {
            Err(format!("it is number {} of {}, not {expected}", record.stream_seq, record.stream))
        }
    }

    fn lose(&mut self) {
        (self.seq, self.hash, self.holes) = (None, None, true);
    }

    fn end_of_index(&mut self) {
        let Some((known, found)) = self.index.take() else { return };
        let head = self.report.head.0;
        if known.cursor > 0 && self.journal.is_some_and(|journal| journal != known.journal) {
            self.report.fault(INDEX, format!("it belongs to another journal {REBUILT}"));
        } else if known.cursor > head {
            let lost = format!("the index knows events up to {}, the journal ends at {head}", known.cursor);
            self.report.fault(INDEX, format!("{lost}: what follows was on disk and is lost"));
            self.report.contradicted = true;
        } else if !self.holes {
            for stream in found.differences(known) {
                self.report.fault(INDEX, format!("it says something else about {stream} than the journal {REBUILT}"));
            }
        }
    }

    fn end(&mut self) {
        self.report.hash = self.hash.map_or_else(String::new, |hash| blake3::Hash::from_bytes(hash).to_string());
        self.end_of_index();
        let head = self.report.head.0;
        let Some(anchor) = self.anchor else {
            // A damaged one was said; a log without events may not have one yet.
            if head > 0 && self.report.faults.iter().all(|fault| fault.place != anchor::NAME) {
                let reason = format!("it is missing; whether the log ended at {head} cannot be told");
                self.report.fault(anchor::NAME, reason);
            }
            return;
        };
        if anchor.seq > head {
            self.report.fault(anchor::NAME, format!("the log ends at {head} but was at {}", anchor.seq));
            self.report.contradicted = true;
        } else if self.anchored != Some(anchor.hash) {
            let reason = format!("its hash at event {} is not the journal's", anchor.seq);
            self.report.fault(anchor::NAME, reason);
            self.report.contradicted = true;
        }
    }
}
