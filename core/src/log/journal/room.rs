//! Whether there is room to write: the log only reads before the disk is full, so that what goes on beside it and the
//! next start still have some. It writes again by itself once there is room.

use std::io;
use std::path::PathBuf;

use super::disk::Disk;

/// Segments that must always fit beside what is there: the one being written and the next one.
const SEGMENTS_FREE_MIN: u64 = 2;
/// And this part of the disk, …
const PART_FREE_MIN: u64 = 20;
/// … but not more than this: 5 % of a large disk is far more than the log and its index can need at once.
const PART_FREE_BYTES_MAX: u64 = 1 << 30;
/// Once it only reads, this part more must be free, so that it does not change its mind with every append.
const RESUME_PART: u64 = 16;

/// Watches the room of one journal.
#[derive(Debug)]
pub(super) struct Room {
    dir: PathBuf,
    segment_bytes: u64,
    read_only: bool,
}

impl Room {
    pub(super) fn new(dir: PathBuf, segment_bytes: u64) -> Self {
        Self { dir, segment_bytes, read_only: false }
    }

    /// Why nothing may be written now.
    pub(super) fn check(&mut self, disk: &dyn Disk) -> Result<(), String> {
        // A disk that does not say how full it is says so when it is written to.
        let Ok(space) = disk.space(&self.dir) else { return Ok(()) };
        let low_water = low_water(self.segment_bytes, space.total);
        let needed = if self.read_only { low_water + low_water / RESUME_PART } else { low_water };
        if space.free >= needed {
            if self.read_only {
                tracing::info!(free_bytes = space.free, "the log has room again and goes on");
            }
            self.read_only = false;
            return Ok(());
        }
        let reason = self.reason(space.free, needed);
        if !self.read_only {
            tracing::error!(%reason, "the log only reads");
        }
        self.read_only = true;
        Err(reason)
    }

    /// The disk refused a write because it is full.
    pub(super) fn refused(&mut self, error: &io::Error) -> String {
        let reason =
            format!("the disk of {} is full ({error}): free some space, it then goes on by itself", self.dir.display());
        tracing::error!(%reason, "the log only reads");
        self.read_only = true;
        reason
    }

    fn reason(&self, free: u64, needed: u64) -> String {
        format!(
            "{} MiB are free on the disk of {}, but {} MiB must stay free: free some space, it then goes on by itself",
            free >> 20,
            self.dir.display(),
            needed.div_ceil(1 << 20)
        )
    }
}

/// Bytes that must stay free on a disk of `total` bytes.
fn low_water(segment_bytes: u64, total: u64) -> u64 {
    SEGMENTS_FREE_MIN * segment_bytes + (total / PART_FREE_MIN).min(PART_FREE_BYTES_MAX)
}

/// Whether an error says that the disk, or what one may use of it, is full. Only what was never synced fails so.
pub(super) fn is_full(error: &io::Error) -> bool {
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
