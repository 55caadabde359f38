//! What the backup alone still holds: segments from before the log's beginning. Nobody can bring them again, so that they
//! are read where they are. Writes nothing.

use std::path::Path;

use super::copy::{Look, hash_of};
use super::{BackupError, failed, recovered};
use crate::log::OpenError;
use crate::log::journal::RealDisk;
use crate::log::journal::reader::Segment;
use crate::log::journal::sealed::shape::HASH_AND_CHECKSUM_BYTES;
use crate::log::journal::segment::{self, Form};
use crate::log::verify::verify_full;

/// No segment of a backup may be missing, and those from before event `first`, with which the log begins, must be as they
/// were written.
pub(super) fn check(to: &Path, first: u64, look: Look) -> Result<(), BackupError> {
    let found = match recovered(to) {
        Err(BackupError::Open(OpenError::Corrupt { place, reason })) => return Err(damaged(to, &place, &reason)),
        found => found?,
    };
    if look == Look::Ends {
        return Ok(());
    }
    let pairs = found.segments.iter().zip(found.segments.iter().skip(1));
    for (segment, next) in pairs.take_while(|(segment, _)| segment.header.first_seq < first) {
        check_segment(to, segment, next)?;
    }
    Ok(())
}

fn check_segment(to: &Path, segment: &Segment, next: &Segment) -> Result<(), BackupError> {
    let Some(facts) = &segment.sealed else {
        let path = segment::path(to, segment.header.first_seq, Form::Written);
        let faults = verify_full(&RealDisk, to, segment, next).map_err(failed("read", &path))?;
        return faults.into_iter().next().map_or(Ok(()), |fault| Err(damaged(to, &fault.place, &fault.reason)));
    };
    let path = segment::path(to, segment.header.first_seq, Form::Sealed);
    if *hash_of(&path, facts.file_bytes.saturating_sub(HASH_AND_CHECKSUM_BYTES as u64))?.as_bytes() == facts.blake3 {
        Ok(())
    } else {
        Err(damaged(to, &segment.place(0).to_string(), "its bytes are not those of its BLAKE3"))
    }
}

fn damaged(to: &Path, place: &str, reason: &str) -> BackupError {
    BackupError::Damaged {
        place: to.join(place).display().to_string(),
        reason: format!(
            "{reason}; what the log has removed can only come from another copy of this backup: put the file back from \
             one, or keep this folder as it is and back up to another one"
        ),
    }
}
