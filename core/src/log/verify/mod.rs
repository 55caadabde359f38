//! Reads a whole journal and says everything that is wrong with it, each with its place. Needs no lock and changes
//! nothing: a writer may be at work, and what it is just writing is no fault. The index is compared with it when nobody
//! uses it.

mod check;

use std::io;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::begin::check_new;
use super::index::{self, IndexError, Known};
use super::journal::{Disk, Hash, RealDisk, anchor, beginning, segment};
use super::open::INDEX_DEADLINE;
use super::{OpenError, lock};
use crate::Seq;
use check::Check;
pub(crate) use check::verify_full;

/// Faults that are reported one by one; the others are counted.
pub const FAULTS_MAX: usize = 1_000;
/// Place of what is wrong with the index.
const INDEX: &str = "index";
/// Places of what holds no event.
pub const BESIDE: [&str; 3] = [anchor::NAME, INDEX, lock::NAME];
const REBUILT: &str = "(move the folder away, and it is rebuilt from the journal at the next start)";

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// Segments.
    pub segments: u64,
    /// How many of them are sealed.
    pub sealed: u64,
    /// The oldest event kept: 1 unless old segments were removed.
    pub first: Seq,
    /// Whole blocks.
    pub blocks: u64,
    /// Events in them.
    pub events: u64,
    /// The last event.
    pub head: Seq,
    /// Hash of the last block, lower-case hex: publish it, and nobody can change what stands before it unnoticed.
    pub hash: String,
    /// The event the anchor names.
    pub anchor: Option<Seq>,
    /// Bytes behind the last block that a writer was, or is just now, writing. No fault.
    pub unfinished_bytes: u64,
    /// Whether the index says the same.
    pub index: IndexChecked,
    /// Whether HEAD or the index tell of events that are not here, or not so: the journal was shortened, or is another one.
    pub contradicted: bool,
    /// Everything that is wrong, in the order of the log.
    pub faults: Vec<Damage>,
    /// Faults past [`FAULTS_MAX`].
    pub faults_left_out: u64,
}

/// Whether the index was compared with the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum IndexChecked {
    /// There is none; it is rebuilt at the next start.
    #[default]
    Absent,
    /// A server is using it.
    InUse,
    /// It cannot be opened while the disk is full.
    DiskFull,
    /// It cannot be read, or is not about this journal: see the faults.
    Unreadable,
    /// It was compared up to this event; differences are among the faults.
    Compared(Seq),
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Damage {
    /// Segment and offset, or the anchor.
    pub place: String,
    /// What is wrong there.
    pub reason: String,
}

impl Report {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.faults.is_empty()
    }

    /// Whether everything that is wrong is wrong with what is made anew at a start once it is moved away: [`BESIDE`].
    #[must_use]
    pub fn is_journal_whole(&self) -> bool {
        let is_beside = |fault: &Damage| BESIDE.contains(&fault.place.as_str());
        !self.contradicted && self.faults_left_out == 0 && self.faults.iter().all(is_beside)
    }

    fn fault(&mut self, place: impl ToString, reason: impl ToString) {
        if self.faults.len() < FAULTS_MAX {
            self.faults.push(Damage { place: place.to_string(), reason: reason.to_string() });
        } else {
            self.faults_left_out += 1;
        }
    }
}

/// Verifies the journal of a data directory.
///
/// # Errors
/// When there is no log or the disk fails. Damage is no error; it is in the report.
pub fn verify(dir: &Path) -> Result<Report, OpenError> {
    verify_within(dir, INDEX_DEADLINE)
}

/// As [`verify`], for an index that may take so long to open before it is taken for hanging.
///
/// # Errors
/// As [`verify`].
pub fn verify_within(dir: &Path, index_deadline: Duration) -> Result<Report, OpenError> {
    verify_seeing(dir, index_deadline, &mut |_, _, _| {})
}

/// What is shown of each whole block: its first and last event, and its hash.
type Seen<'a> = &'a mut dyn FnMut(Seq, Seq, Hash);

/// As [`verify_within`], showing every whole block in the order of the log.
pub(crate) fn verify_seeing(dir: &Path, index_deadline: Duration, seen: Seen<'_>) -> Result<Report, OpenError> {
    let mut index = IndexChecked::InUse;
    let mut known = None;
    let unused = lock::unused(dir);
    let lock_fault = unused.as_ref().err().map(ToString::to_string);
    if let Ok(Some(unused)) = unused {
        index = IndexChecked::Absent;
        // What is wrong with the beginning is said below.
        let first = beginning::read(&RealDisk, dir).map_or(1, |read| read.map_or(1, |beginning| beginning.first));
        known = index::known(dir, first, index_deadline).transpose();
        match &known {
            Some(Err(IndexError::InUse)) => (index, known) = (IndexChecked::InUse, None),
            Some(Err(IndexError::Full)) => (index, known) = (IndexChecked::DiskFull, None),
            _ => {}
        }
        drop(unused);
    }
    let index_known = known.as_ref().and_then(|known| known.as_ref().ok());
    let mut report = match verify_with(&RealDisk, dir, index_known, seen) {
        Err(absent @ OpenError::Absent { .. }) => {
            check_new(dir, index_deadline)?;
            return Err(absent);
        }
        verified => verified?,
    };
    if let Some(reason) = lock_fault {
        report.fault(lock::NAME, reason);
    }
    if let Some(known) = known {
        index = known.as_ref().map_or(IndexChecked::Unreadable, |known| IndexChecked::Compared(Seq(known.cursor)));
        if let Err(error) = known {
            let reason = if let IndexError::Failed(reason) = &error { reason.clone() } else { error.to_string() };
            report.fault(INDEX, format!("{reason} {REBUILT}"));
        }
    }
    report.index = index;
    Ok(report)
}

/// As [`verify`], on any disk, without the index.
///
/// # Errors
/// As [`verify`].
pub fn verify_on(disk: &dyn Disk, dir: &Path) -> Result<Report, OpenError> {
    verify_with(disk, dir, None, &mut |_, _, _| {})
}

fn verify_with(disk: &dyn Disk, dir: &Path, index: Option<&Known>, seen: Seen<'_>) -> Result<Report, OpenError> {
    let io = |source| OpenError::Io { what: "verify the journal", source };
    // Before the segments: a writer at work may move it on, but never past what they then hold.
    let unread = |error: io::Error| error.to_string();
    let anchor = anchor::read(disk, dir).map_err(unread).flatten();
    let beginning = beginning::read(disk, dir).map_err(unread).flatten();
    let segments = segment::list(disk, dir).map_err(io)?;
    if segments.is_empty() && anchor == Ok(None) {
        return Err(OpenError::Absent { dir: dir.to_owned() });
    }
    Ok(Check::new(anchor, beginning, index, seen).all((disk, dir), segments))
}
