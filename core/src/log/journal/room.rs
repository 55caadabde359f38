//! Whether there is room to write: the log only reads before the disk is full, so that what goes on beside it and the
//! next start still have some. It writes again by itself once there is room. What ends work and so gives room back may
//! take a part of what is kept free, or a disk that attempts have filled could not be relieved of them.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use super::disk::Disk;

/// Segments that must always fit beside what is there: the one being written and the next one.
const SEGMENTS_FREE_MIN: u64 = 2;
/// And this part of the disk, …
const PART_FREE_MIN: u64 = 20;
/// … but not more than this: 5 % of a large disk is far more than the log and its index can need at once.
const PART_FREE_BYTES_MAX: u64 = 1 << 30;
/// What gives room back is written until only this part of all that is left.
const RELIEF_PART: u64 = 4;
/// Once it only reads, this part more must be free, so that it does not change its mind with every append.
const RESUME_PART: u64 = 16;

/// What must stay free on the disk of one journal.
#[derive(Debug, Clone)]
pub(crate) struct LowWater {
    dir: PathBuf,
    segment_bytes: u64,
}

impl LowWater {
    /// That of a data directory.
    pub(crate) fn new(dir: PathBuf, segment_bytes: u64) -> Self {
        Self { dir, segment_bytes }
    }

    /// Bytes that may be taken of the disk until nothing may be written; nothing when that cannot be told.
    pub(crate) fn room(&self, disk: &dyn Disk) -> Option<u64> {
        let space = disk.space(&self.dir).ok()?;
        Some(space.free.saturating_sub(low_water(self.segment_bytes, space.total)))
    }

    /// Why nothing may be written now, if so.
    pub(crate) fn lacking(&self, disk: &dyn Disk) -> Option<String> {
        self.more_than(disk, low_water)
    }

    /// What to do about a disk on which a log cannot even be opened.
    pub(crate) fn lacking_to_open(&self, disk: &dyn Disk) -> String {
        let lacking = self.lack(disk, low_water);
        let lacking = lacking.unwrap_or_else(|| format!("{}: free some space", self.dir.display()));
        format!("{lacking}, then start again")
    }

    /// Why not even what gives room back may be written now, if so.
    pub(crate) fn lacking_for_relief(&self, disk: &dyn Disk) -> Option<String> {
        self.more_than(disk, |segment_bytes, total| low_water(segment_bytes, total) / RELIEF_PART)
    }

    fn lacking_to_resume(&self, disk: &dyn Disk) -> Option<String> {
        self.more_than(disk, |segment_bytes, total| {
            let low_water = low_water(segment_bytes, total);
            low_water + low_water / RESUME_PART
        })
    }

    fn more_than(&self, disk: &dyn Disk, needed: impl FnOnce(u64, u64) -> u64) -> Option<String> {
        self.lack(disk, needed).map(|lack| format!("{lack}, it then goes on by itself"))
    }

    fn lack(&self, disk: &dyn Disk, needed: impl FnOnce(u64, u64) -> u64) -> Option<String> {
        // A disk that does not say how full it is says so when it is written to.
        let space = disk.space(&self.dir).ok()?;
        let needed = needed(self.segment_bytes, space.total);
        (space.free < needed).then(|| {
            format!(
                "{} free on the disk of {}, but {} MiB must stay free: free at least {} MiB",
                mebibytes_are(space.free),
                self.dir.display(),
                needed.div_ceil(1 << 20),
                (needed - space.free).div_ceil(1 << 20),
            )
        })
    }
}

/// Whole MiB, as the beginning of a sentence.
fn mebibytes_are(bytes: u64) -> String {
    match bytes >> 20 {
        0 if bytes == 0 => "nothing is".to_owned(),
        0 => "less than 1 MiB is".to_owned(),
        1 => "1 MiB is".to_owned(),
        mebibytes => format!("{mebibytes} MiB are"),
    }
}

/// What something is written for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Anything.
    Work,
    /// Giving room back.
    Relief,
}

/// What cannot be written now, for others to see.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lacking {
    /// Why the log only reads.
    pub(crate) work: Option<String>,
    /// Why it does not even take what gives room back.
    pub(crate) relief: Option<String>,
}

/// Watches the room of one journal.
#[derive(Debug)]
pub(super) struct Room {
    low_water: LowWater,
    shown: Arc<Mutex<Lacking>>,
    read_only: bool,
    /// Whether the last write was refused by a disk that had not said that it is full.
    refused: bool,
}

impl Room {
    pub(super) fn new(low_water: LowWater, shown: Arc<Mutex<Lacking>>) -> Self {
        Self { low_water, shown, read_only: false, refused: false }
    }

    /// Whether nothing could be written when last looked at.
    pub(super) fn only_reads(&self) -> bool {
        self.read_only
    }

    /// Why nothing may be written now.
    pub(super) fn check(&mut self, disk: &dyn Disk) -> Result<(), String> {
        let low_water = &self.low_water;
        let lacking = if self.read_only { low_water.lacking_to_resume(disk) } else { low_water.lacking(disk) };
        let Some(reason) = lacking else {
            if self.read_only && !self.refused {
                tracing::info!("the log has room again and goes on");
            }
            self.show(Lacking::default());
            return Ok(());
        };
        if !self.read_only {
            tracing::error!(%reason, "the log only reads");
        }
        let relief = self.low_water.lacking_for_relief(disk);
        self.show(Lacking { work: Some(reason.clone()), relief });
        Err(reason)
    }

    /// As [`Self::check`]; what gives room back may take more.
    pub(super) fn check_for(&mut self, disk: &dyn Disk, purpose: Purpose) -> Result<(), String> {
        match purpose {
            Purpose::Work => self.check(disk),
            Purpose::Relief => self.low_water.lacking_for_relief(disk).map_or(Ok(()), Err),
        }
    }

    /// The disk refused a write because it is full.
    pub(super) fn refused(&mut self, error: &io::Error) -> String {
        let dir = self.low_water.dir.display();
        let reason = format!("the disk of {dir} is full ({error}): free some space, it then goes on by itself");
        if !self.refused {
            tracing::error!(%reason, "the log only reads");
        }
        self.refused = true;
        self.show(Lacking { work: Some(reason.clone()), relief: Some(reason.clone()) });
        reason
    }

    /// A write went well.
    pub(super) fn wrote(&mut self) {
        if std::mem::take(&mut self.refused) {
            tracing::info!("the log has room again and goes on");
        }
    }

    fn show(&mut self, lacking: Lacking) {
        if self.read_only || lacking.work.is_some() {
            self.read_only = lacking.work.is_some();
            *self.shown.lock().unwrap_or_else(PoisonError::into_inner) = lacking;
        }
    }
}

/// Bytes that must stay free on a disk of `total` bytes.
fn low_water(segment_bytes: u64, total: u64) -> u64 {
    SEGMENTS_FREE_MIN * segment_bytes + (total / PART_FREE_MIN).min(PART_FREE_BYTES_MAX)
}

/// Whether an error says that the disk, or what one may use of it, is full. Only what was never synced fails so.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_segments_and_a_bounded_part_of_the_disk_stay_free() {
        let (mib, gib) = (1 << 20, 1 << 30);
        assert_eq!(low_water(8 * mib, 100 * mib), 21 * mib);
        assert_eq!(low_water(64 * mib, 20 * gib), 128 * mib + gib);
        assert_eq!(low_water(64 * mib, 4_000 * gib), 128 * mib + gib);
    }
}
