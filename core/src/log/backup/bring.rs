//! Brings the segments of a journal to another place, in the order of the log. Wherever it stops, what is there is a
//! whole log that ends where it ended before, or later.
//!
//! A sealed segment cannot be the last one, so the next one begins, empty, before the one that was the last loses the
//! form it was written in: until then that one counts, and from then on the sealed one does (`journal/forms.rs`).
//!
//! Where a segment is damaged the log that is there ends, before it or within; those after it are brought elsewhere.

use std::path::Path;

use super::copy::{Brought, Known, Look, copy, hash_of, is_beginning, is_there, remove_if_there};
use super::{BackupError, Copied, failed, later, make_folder, recovered, write_anchor};
use crate::Seq;
use crate::log::journal::anchor::{self, Anchor};
use crate::log::journal::beginning::Beginning;
use crate::log::journal::reader::{Facts, Segment};
use crate::log::journal::recover::Recovered;
use crate::log::journal::sealed::shape::HASH_AND_CHECKSUM_BYTES;
use crate::log::journal::segment::{self, Form, Header};
use crate::log::journal::{Disk, RealDisk};
use crate::log::verify::{Damage, verify_full};

/// From where to where.
#[derive(Clone, Copy)]
pub(super) struct Bring<'a> {
    /// What is written to. The files are the machine's, too.
    pub(super) disk: &'a dyn Disk,
    pub(super) from: &'a Path,
    pub(super) to: &'a Path,
    pub(super) look: Look,
    /// Whether a damaged segment is left out and the others are brought nevertheless.
    pub(super) passes_over_damage: bool,
}

impl Bring<'_> {
    /// Brings all of a journal up to its end as it was found, or to what is damaged.
    pub(super) fn journal(&self, found: &Recovered, copied: &mut Copied) -> Result<(), BackupError> {
        make_folder(&self.to.join(segment::FOLDER))?;
        segment::remove_unborn(self.disk, self.to).map_err(failed("clear the journal of", self.to))?;
        self.begin_log(found)?;
        let mut before = None;
        copied.missing = None;
        for (number, segment) in found.segments.iter().enumerate() {
            let next = found.segments.get(number + 1).map(|next| &**next);
            self.begin(&segment.header)?;
            if let Some(sealed) = before.take() {
                self.remove(sealed, Form::Written)?;
            }
            let first = segment.header.first_seq;
            match self.segment(segment, next, found.tip.end) {
                Ok(brought) => {
                    copied.count(brought);
                    match segment.sealed {
                        Some(_) => before = Some(first),
                        None => self.remove(first, Form::Sealed)?,
                    }
                    later::remove(self, first)?;
                }
                Err(error) => {
                    let Some(next) = next else { return Err(error) };
                    copied.damaged.push(self.damage(error)?);
                    if self.holds(segment, next) {
                        continue;
                    }
                    if self.has(next.header.first_seq) {
                        // The place went on after it once, so that the damage is there, too.
                        copied.missing.get_or_insert((Seq(first), Seq(next.header.first_seq - 1)));
                        continue;
                    }
                    copied
                        .missing
                        .get_or_insert((Seq(recovered(self.to)?.tip.seq + 1), Seq(next.header.first_seq - 1)));
                    let rest = found.segments.get(number + 1..).unwrap_or_default();
                    return later::bring(self, rest, found.tip.end, copied);
                }
            }
        }
        later::end(self)
    }

    /// Brings one segment, in the form it has.
    pub(super) fn segment(&self, segment: &Segment, next: Option<&Segment>, end: u64) -> Result<Brought, BackupError> {
        match (&segment.sealed, next) {
            (Some(facts), _) => self.sealed(segment.header.first_seq, facts),
            (None, Some(next)) => self.full(segment, next),
            (None, None) => self.beginning_of(segment.header.first_seq, end),
        }
    }

    /// What an error says of a file that is brought; the error when it says something else, or when damage is not passed
    /// over.
    pub(super) fn damage(&self, error: BackupError) -> Result<Damage, BackupError> {
        if let (BackupError::Damaged { place, reason }, true) = (&error, self.passes_over_damage) {
            return Ok(Damage { place: place.clone(), reason: reason.clone() });
        }
        if let (BackupError::Io { path, source, .. }, true) = (&error, self.passes_over_damage)
            && path.starts_with(self.from)
            && source.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error())
        {
            return Ok(Damage { place: path.display().to_string(), reason: format!("it cannot be read: {source}") });
        }
        Err(error)
    }

    /// Whether there is a segment that begins so, in any form.
    fn has(&self, first: u64) -> bool {
        [Form::Written, Form::Sealed].iter().any(|form| segment::path(self.to, first, *form).exists())
    }

    /// Whether the place has a whole copy of a segment from before it was damaged.
    fn holds(&self, segment: &Segment, next: &Segment) -> bool {
        let [_, sealed] = self.paths(segment.header.first_seq, Form::Sealed);
        let is_sealed = segment
            .sealed
            .as_ref()
            .is_some_and(|facts| hash_of(&sealed, covered(facts)).is_ok_and(|hash| *hash.as_bytes() == facts.blake3));
        let written = Segment::new(segment.header.in_form(Form::Written));
        is_sealed || verify_full(&RealDisk, self.to, &written, next).is_ok_and(|faults| faults.is_empty())
    }

    /// An empty place begins with an empty log. One that goes further back keeps its own beginning.
    fn begin_log(&self, found: &Recovered) -> Result<(), BackupError> {
        let (to, begins) = (self.to, &found.beginning);
        if segment::list(&RealDisk, to).map_err(failed("list the journal of", to))?.is_empty()
            && *begins != Beginning::whole()
        {
            begins.write(self.disk, to).map_err(failed("write FIRST of", to))?;
        }
        if let Some(first) = found.segments.first() {
            self.begin(&first.header)?;
        }
        if !to.join(anchor::NAME).exists() {
            write_anchor(self.disk, to, &Anchor::new(begins.first - 1, begins.first, begins.prev_hash))?;
        }
        Ok(())
    }

    /// Makes a segment without events, unless it is there.
    fn begin(&self, header: &Header) -> Result<(), BackupError> {
        if self.has(header.first_seq) {
            return Ok(());
        }
        let made = segment::create(self.disk, self.to, &header.in_form(Form::Written));
        made.map(drop).map_err(failed("begin a segment in", self.to))
    }

    fn sealed(&self, first: u64, facts: &Facts) -> Result<Brought, BackupError> {
        let [source, target] = self.paths(first, Form::Sealed);
        let known = Known { hash: blake3::Hash::from_bytes(facts.blake3), covered: covered(facts) };
        if is_there(&source, &target, Some(&known), self.look)? {
            return Ok(Brought::Kept);
        }
        copy(self.disk, &source, u64::MAX, &target, Some(&known))
    }

    /// A full segment that is not sealed yet: its blocks are what says that it is whole.
    fn full(&self, segment: &Segment, next: &Segment) -> Result<Brought, BackupError> {
        let [source, target] = self.paths(segment.header.first_seq, Form::Written);
        let bytes = std::fs::metadata(&source).map_err(failed("look at", &source))?.len();
        if is_beginning(&source, bytes, &target)? {
            return Ok(Brought::Kept);
        }
        let faults = verify_full(&RealDisk, self.from, segment, next).map_err(failed("read", &source))?;
        if let Some(fault) = faults.into_iter().next() {
            let place = self.from.join(fault.place).display().to_string();
            return Err(BackupError::Damaged { place, reason: fault.reason });
        }
        copy(self.disk, &source, bytes, &target, None)
    }

    /// What of the segment being written is whole.
    fn beginning_of(&self, first: u64, end: u64) -> Result<Brought, BackupError> {
        let [source, target] = self.paths(first, Form::Written);
        if is_beginning(&source, end, &target)? {
            return Ok(Brought::Kept);
        }
        copy(self.disk, &source, end, &target, None)
    }

    pub(super) fn remove(&self, first: u64, form: Form) -> Result<(), BackupError> {
        let path = segment::path(self.to, first, form);
        if !path.exists() {
            return Ok(());
        }
        remove_if_there(self.disk, &path)?;
        let folder = self.to.join(segment::FOLDER);
        self.disk.sync_folder(&folder).map_err(failed("sync", &folder))
    }

    fn paths(&self, first: u64, form: Form) -> [std::path::PathBuf; 2] {
        [self.from, self.to].map(|dir| segment::path(dir, first, form))
    }
}

/// Bytes of a sealed segment that its hash covers.
fn covered(facts: &Facts) -> u64 {
    facts.file_bytes.saturating_sub(HASH_AND_CHECKSUM_BYTES as u64)
}
