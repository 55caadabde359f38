//! Whether a backup is an earlier part of the log that is brought there now. Numbers alone do not tell: a log that lost
//! its end and went on has other events under the same numbers. The hashes of the chain do.

use std::path::Path;
use std::sync::Arc;

use super::{BackupError, failed};
use crate::log::journal::reader::Reader;
use crate::log::journal::recover::{Recovered, recover};
use crate::log::journal::{Hash, RealDisk, anchor};
use crate::log::{OpenError, ReadError, install};

/// The backup must be of this log, and not from after it.
pub(super) fn check_continues(dir: &Path, to: &Path, ours: &Recovered) -> Result<(), BackupError> {
    check_name(dir, to)?;
    let anchor = anchor::read(&RealDisk, to).map_err(failed("read HEAD of", to))?;
    let anchor = anchor.map_err(|reason| OpenError::Anchor { reason })?;
    // One that cannot be read is mended by what is brought there; what it says of its end is compared nevertheless.
    let theirs = recover(&RealDisk, to).ok().flatten();
    let ends = theirs.as_ref().map(|theirs| (theirs.tip.seq, theirs.tip.hash));
    for (seq, hash) in ends.into_iter().chain(anchor.map(|anchor| (anchor.seq, anchor.hash))) {
        check_end((dir, ours), (to, theirs.as_ref()), (seq, hash))?;
    }
    Ok(())
}

/// The log must have had this end once.
fn check_end(
    (dir, ours): (&Path, &Recovered),
    (to, theirs): (&Path, Option<&Recovered>),
    (seq, hash): (u64, Hash),
) -> Result<(), BackupError> {
    let (begins, place) = (&ours.beginning, to.display());
    if seq > ours.tip.seq {
        return Err(BackupError::Other(format!(
            "the backup in {place} ends at {seq}, but the log at {}: it is of another log, or this one was cut; name \
             another folder",
            ours.tip.seq
        )));
    }
    if seq + 1 < begins.first {
        return Err(BackupError::Other(format!(
            "the log begins with event {} now, and the backup in {place} ends before that: what is between was removed \
             from the log; name another folder",
            begins.first,
        )));
    }
    let here = reader(dir, ours);
    let is_same = match here.block_of(seq) {
        _ if seq + 1 == begins.first => begins.prev_hash == hash,
        // It is damaged here; who has begun the same segment has the same history, at least before it.
        Err(ReadError::Corrupt { .. }) => theirs.is_some_and(|theirs| has_segment(ours, theirs.tip.segment.nonce)),
        block => block? == (seq, hash),
    };
    if is_same {
        return Ok(());
    }
    let parting = theirs.map(|theirs| parting(&here, &reader(to, theirs), begins.first, seq));
    let parting = parting.map_or_else(String::new, |parting| format!(" from event {parting} on"));
    Err(BackupError::Other(format!(
        "the backup in {place} ends at event {seq} and holds another history than this log{parting}: keep it, what it \
         holds is nowhere else, and name another folder"
    )))
}

fn has_segment(found: &Recovered, nonce: u64) -> bool {
    found.segments.iter().any(|segment| segment.header.nonce == nonce)
}

/// The first event, up to one that is in both, whose block is another one.
fn parting(here: &Reader, there: &Reader, first: u64, last: u64) -> u64 {
    let is_same = |seq: u64| matches!((here.block_of(seq), there.block_of(seq)), (Ok(a), Ok(b)) if a == b);
    let (mut same, mut other) = (first.max(there.first().0) - 1, last);
    // A block names all before it by their hashes.
    while other - same > 1 {
        let middle = same + (other - same) / 2;
        if is_same(middle) { same = middle } else { other = middle }
    }
    other
}

fn reader(dir: &Path, found: &Recovered) -> Reader {
    Reader::new(Arc::new(RealDisk), dir, found.segments.clone(), found.tip.seq)
}

fn check_name(dir: &Path, to: &Path) -> Result<(), BackupError> {
    if !super::place::holds_log(to) {
        return Ok(());
    }
    let (ours, there) = (install::text(dir).ok(), install::text(to).ok());
    if ours == there {
        return Ok(());
    }
    let ours = ours.as_deref().map_or("an install without a name", str::trim_end);
    let of = |there: String| format!("is of install {}, but this is {ours}: name another folder", there.trim_end());
    let what = there.map_or_else(
        || format!("has lost its file `install`, so that nobody knows whether it is of {ours}: name another folder"),
        of,
    );
    Err(BackupError::Other(format!("the backup in {} {what}", to.display())))
}
