//! Brings the segments of a journal to another place, in the order of the log. Wherever it stops, what is there is a
//! whole log that ends where it ended before, or later.
//!
//! A sealed segment cannot be the last one, so the next one begins, empty, before the one that was the last loses the
//! form it was written in: until then that one counts, and from then on the sealed one does (`journal/forms.rs`).

use std::path::Path;

use super::copy::{Brought, Known, Look, copy, is_beginning, is_there, remove_if_there};
use super::{BackupError, Copied, failed, make_folder, write_anchor};
use crate::log::journal::anchor::{self, Anchor};
use crate::log::journal::beginning::Beginning;
use crate::log::journal::reader::{Facts, Segment};
use crate::log::journal::recover::Recovered;
use crate::log::journal::sealed::shape::HASH_AND_CHECKSUM_BYTES;
use crate::log::journal::segment::{self, Form, Header};
use crate::log::journal::{Disk, RealDisk};
use crate::log::verify::verify_full;

/// From where to where.
#[derive(Clone, Copy)]
pub(super) struct Bring<'a> {
    /// What is written to. The files are the machine's, too.
    pub(super) disk: &'a dyn Disk,
    pub(super) from: &'a Path,
    pub(super) to: &'a Path,
    pub(super) look: Look,
}

impl Bring<'_> {
    /// Brings all of a journal up to its end as it was found.
    pub(super) fn journal(&self, found: &Recovered, copied: &mut Copied) -> Result<(), BackupError> {
        make_folder(&self.to.join(segment::FOLDER))?;
        segment::remove_unborn(self.disk, self.to).map_err(failed("clear the journal of", self.to))?;
        self.begin_log(found)?;
        let nexts = found.segments.iter().skip(1).map(Some).chain([None]);
        let mut before = None;
        for (segment, next) in found.segments.iter().zip(nexts) {
            self.begin(&segment.header)?;
            if let Some(sealed) = before.take() {
                self.remove(sealed, Form::Written)?;
            }
            let first = segment.header.first_seq;
            match (&segment.sealed, next) {
                (Some(facts), _) => {
                    copied.count(self.sealed(first, facts)?);
                    before = Some(first);
                }
                (None, Some(next)) => copied.count(self.full(segment, next)?),
                (None, None) => copied.count(self.beginning_of(first, found.tip.end)?),
            }
            if segment.sealed.is_none() {
                self.remove(first, Form::Sealed)?;
            }
        }
        Ok(())
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
        if [Form::Written, Form::Sealed].iter().any(|form| segment::path(self.to, header.first_seq, *form).exists()) {
            return Ok(());
        }
        let made = segment::create(self.disk, self.to, &header.in_form(Form::Written));
        made.map(drop).map_err(failed("begin a segment in", self.to))
    }

    fn sealed(&self, first: u64, facts: &Facts) -> Result<Brought, BackupError> {
        let [source, target] = self.paths(first, Form::Sealed);
        let covered = facts.file_bytes.saturating_sub(HASH_AND_CHECKSUM_BYTES as u64);
        let known = Known { hash: blake3::Hash::from_bytes(facts.blake3), covered };
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

    fn remove(&self, first: u64, form: Form) -> Result<(), BackupError> {
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
