//! Which old segments may go, and why the others stay. Pure: what is on disk, who still needs what, and what a backup
//! holds are arguments. Only whole sealed segments go, from the beginning on, so the first one that stays keeps all
//! after it.

use std::fmt;

use super::SegmentFile;
use crate::Seq;

/// How much is to be kept. A segment is too much when either says so; without any nothing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Keep {
    /// What happened at or after this time, in microseconds since the Unix epoch.
    pub since_us: Option<u64>,
    /// What time it is: a later one was told by a clock that was wrong.
    pub now_us: u64,
    /// As many bytes of files.
    pub bytes: Option<u64>,
}

/// Somebody who still needs events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// Up to where they are done.
    pub done: Seq,
    /// Who it is and why, as the end of "it stays: ".
    pub reason: String,
}

/// Why a segment stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stays {
    /// It is part of what is to be kept.
    Kept,
    /// It is not sealed, or still being written.
    Unsealed,
    /// Somebody needs it.
    Needed(String),
    /// No backup is known to hold it: why.
    Unarchived(String),
}

impl fmt::Display for Stays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kept => f.write_str("it is part of what is to be kept"),
            Self::Unsealed => f.write_str("it is not sealed yet"),
            Self::Needed(reason) => f.write_str(reason),
            Self::Unarchived(reason) => write!(f, "it {reason}"),
        }
    }
}

/// What goes and what stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// What goes, oldest first.
    pub goes: Vec<SegmentFile>,
    /// What stays, oldest first.
    pub stays: Vec<SegmentFile>,
    /// Why the first of those stays, and so all after it.
    pub reason: Stays,
}

impl Plan {
    /// The first event kept.
    #[must_use]
    pub fn first(&self) -> Seq {
        self.stays.first().map_or(Seq(1), |file| file.first)
    }

    /// All of it, oldest first.
    #[must_use]
    pub fn goes_and_stays(&self) -> Vec<SegmentFile> {
        self.goes.iter().chain(&self.stays).cloned().collect()
    }

    /// Bytes that become free.
    #[must_use]
    pub fn freed_bytes(&self) -> u64 {
        self.goes.iter().map(|file| file.bytes).sum()
    }
}

/// Finds what goes. `archived` reads a backup and says why a segment is not in it; it is asked about what would go only.
pub fn plan(
    files: &[SegmentFile],
    keep: Keep,
    needs: &[Need],
    archived: &mut dyn FnMut(&SegmentFile) -> Result<(), Stays>,
) -> Plan {
    let mut left: u64 = files.iter().map(|file| file.bytes).sum();
    for (count, file) in files.iter().enumerate() {
        let from_here = files.get(count..).unwrap_or_default();
        let stays = stays(file, from_here, keep, left, needs).or_else(|| archived(file).err());
        if let Some(reason) = stays {
            let (goes, stays) = files.split_at(count);
            return Plan { goes: goes.to_vec(), stays: stays.to_vec(), reason };
        }
        left -= file.bytes;
    }
    // The last one is being written, so this is an empty list.
    Plan { goes: Vec::new(), stays: files.to_vec(), reason: Stays::Kept }
}

fn stays(file: &SegmentFile, from_here: &[SegmentFile], keep: Keep, left: u64, needs: &[Need]) -> Option<Stays> {
    if file.sealed.is_none() {
        // What is being written is never too much.
        return Some(Stays::Unsealed);
    }
    let is_old = keep.since_us.is_some_and(|since| last_at_us(from_here, keep.now_us) < since);
    let is_much = keep.bytes.is_some_and(|bytes| left > bytes);
    if !is_old && !is_much {
        return Some(Stays::Kept);
    }
    let need = needs.iter().filter(|need| need.done < file.last).min_by_key(|need| need.done)?;
    Some(Stays::Needed(need.reason.clone()))
}

/// When the last event of the first of these segments happened. A time that is still to come would hold all after it for
/// ever; what was written next is not older, so that one's time counts.
fn last_at_us(from_here: &[SegmentFile], now_us: u64) -> u64 {
    let mut told = from_here.iter().filter_map(|file| file.sealed).map(|sealed| sealed.last_at_us);
    told.find(|at_us| *at_us <= now_us).unwrap_or(now_us)
}

#[cfg(test)]
mod tests {
    use super::super::segments::SealedFile;
    use super::*;

    /// Segments of 100 events and 10 bytes each, an hour each; the last one is being written.
    fn files(count: u64) -> Vec<SegmentFile> {
        let file = |number: u64| SegmentFile {
            number,
            first: Seq(100 * (number - 1) + 1),
            last: Seq(100 * number),
            path: format!("{number}").into(),
            bytes: 10,
            sealed: (number < count).then_some(SealedFile {
                blake3: [0; 32],
                chain: [0; 32],
                blocks: 1,
                block_bytes: 10,
                record_bytes: 10,
                payload_bytes: 10,
                first_at_us: (number - 1) * 60,
                last_at_us: number * 60 - 1,
            }),
        };
        (1..=count).map(file).collect()
    }

    fn need(done: u64) -> Need {
        Need { done: Seq(done), reason: format!("somebody is at {done}") }
    }

    const KEEP: Keep = Keep { since_us: None, now_us: u64::MAX, bytes: None };

    /// Of five segments, with the first `archived` in a backup: the first event kept, and why.
    fn check(keep: Keep, needs: &[Need], archived: u64, first: u64, reason: &str) {
        let files = files(5);
        let plan = plan(&files, keep, needs, &mut |file| {
            if file.number <= archived { Ok(()) } else { Err(Stays::Unarchived("is in no backup".to_owned())) }
        });
        assert_eq!((plan.first(), plan.reason.to_string().as_str()), (Seq(first), reason));
        assert_eq!(plan.goes.len() + plan.stays.len(), files.len());
        assert_eq!(plan.freed_bytes(), plan.goes.len() as u64 * 10);
    }

    #[test]
    fn old_segments_go_up_to_the_first_that_stays() {
        let since = |since| Keep { since_us: Some(since), ..KEEP };
        let bytes = |bytes| Keep { bytes: Some(bytes), ..KEEP };
        let kept = "it is part of what is to be kept";
        check(Keep::default(), &[], 9, 1, kept);
        check(since(0), &[], 9, 1, kept);
        check(since(119), &[], 9, 101, kept);
        check(since(120), &[], 9, 201, kept);
        check(since(u64::MAX), &[], 9, 401, "it is not sealed yet");
        check(bytes(50), &[], 9, 1, kept);
        check(bytes(49), &[], 9, 101, kept);
        check(bytes(1), &[], 9, 401, "it is not sealed yet");
        // Either is enough.
        check(Keep { since_us: Some(120), bytes: Some(10_000), ..KEEP }, &[], 9, 201, kept);
        check(Keep { since_us: Some(0), bytes: Some(20), ..KEEP }, &[], 9, 301, kept);
    }

    #[test]
    fn what_a_wrong_clock_told_is_as_old_as_what_was_written_next() {
        let gone = |wrong: &[usize], since_us| {
            let mut files = files(5);
            for at in wrong {
                let sealed = files[*at].sealed.as_mut().expect("sealed");
                (sealed.first_at_us, sealed.last_at_us) = (9_000_000, 9_000_059);
            }
            let keep = Keep { since_us: Some(since_us), now_us: 300, bytes: None };
            plan(&files, keep, &[], &mut |_| Ok(())).goes.len()
        };
        for (wrong, since_us, then) in [
            (&[][..], 120, 2),
            (&[0], 60, 0),
            (&[0], 120, 2),
            (&[1], 120, 1),
            (&[1], 180, 3),
            (&[0, 1, 2], 240, 4),
            (&[3], 300, 3),
            (&[3], 301, 4),
        ] {
            assert_eq!(gone(wrong, since_us), then, "{wrong:?} since {since_us}");
        }
    }

    #[test]
    fn nothing_goes_that_somebody_needs_or_no_backup_holds() {
        let all = Keep { since_us: Some(u64::MAX), ..KEEP };
        check(all, &[need(100)], 9, 101, "somebody is at 100");
        check(all, &[need(199)], 9, 101, "somebody is at 199");
        check(all, &[need(350), need(200)], 9, 201, "somebody is at 200");
        check(all, &[need(0)], 9, 1, "somebody is at 0");
        check(all, &[need(300)], 2, 201, "it is in no backup");
        check(all, &[], 0, 1, "it is in no backup");
    }
}
