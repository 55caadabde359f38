//! Retention: which of the oldest sealed segments may go. One goes only when it is old or the log too large, when a
//! verified copy of it is in the archive, and when nobody needs what is in it; and never one before another that stays.
//! Judging changes nothing.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{self, Read as _};
use std::ops::ControlFlow;
use std::path::Path;

use super::journal::segment;
use super::{ReadError, Reader, SegmentFile};
use crate::{Kind, Seq};

/// Bytes of a sealed file behind what its hash covers: the hash itself and a checksum.
const UNHASHED_BYTES: u64 = 36;

/// How much of the log is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Policy {
    /// What is older may go.
    pub retain_us: Option<u64>,
    /// What is beyond so many bytes of files may go, oldest first.
    pub retain_bytes: Option<u64>,
}

/// Somebody who needs everything from an event on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// Who, for people.
    pub who: String,
    /// The first event that is needed.
    pub from: Seq,
}

/// Why a segment stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stays {
    /// It is being written, or not sealed yet.
    NotSealed,
    /// It is neither old enough, nor is the log too large.
    Wanted,
    /// Somebody needs an event in it.
    Needed(Need),
    /// There is no copy of it in the archive, or not the same.
    NotArchived,
    /// One before it stays.
    Behind,
}

/// A segment, and what becomes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// The segment.
    pub segment: SegmentFile,
    /// Why it stays; nothing when it may go.
    pub stays: Option<Stays>,
}

/// Judges the segments of a log, oldest first. `is_archived` is asked only about those that may go otherwise.
///
/// # Errors
/// As `is_archived`.
pub fn judge(
    segments: Vec<SegmentFile>,
    policy: Policy,
    needs: &[Need],
    now_us: u64,
    is_archived: &mut dyn FnMut(&SegmentFile) -> io::Result<bool>,
) -> io::Result<Vec<Judged>> {
    let mut left: u64 = segments.iter().map(|segment| segment.bytes).sum();
    let mut behind = false;
    let mut judged = Vec::with_capacity(segments.len());
    for segment in segments {
        let may_go = |last_at_us: u64| {
            policy.retain_us.is_some_and(|retain_us| last_at_us.saturating_add(retain_us) < now_us)
                || policy.retain_bytes.is_some_and(|retain_bytes| left > retain_bytes)
        };
        let need = needs.iter().filter(|need| need.from <= segment.last).min_by_key(|need| need.from);
        let stays = match (segment.sealed, need) {
            _ if behind => Some(Stays::Behind),
            (None, _) => Some(Stays::NotSealed),
            (Some(sealed), _) if !may_go(sealed.last_at_us) => Some(Stays::Wanted),
            (Some(_), Some(need)) => Some(Stays::Needed(need.clone())),
            (Some(_), None) if !is_archived(&segment)? => Some(Stays::NotArchived),
            (Some(_), None) => None,
        };
        behind |= stays.is_some();
        left -= segment.bytes;
        judged.push(Judged { segment, stays });
    }
    Ok(judged)
}

/// The first event that stays when all that may go are gone; nothing when none may.
#[must_use]
pub fn begins_at(judged: &[Judged]) -> Option<Seq> {
    let last = judged.iter().take_while(|judged| judged.stays.is_none()).last()?;
    Some(last.segment.last.next())
}

/// Whether a backup in this folder holds a whole copy of a sealed segment. Reads all of it.
///
/// # Errors
/// When the disk fails; a missing copy is no error.
pub fn is_archived(archive: &Path, segment: &SegmentFile) -> io::Result<bool> {
    let (Some(sealed), Some(name)) = (segment.sealed, segment.path.file_name()) else { return Ok(false) };
    let file = match File::open(archive.join(segment::FOLDER).join(name)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        other => other?,
    };
    if file.metadata()?.len() != segment.bytes {
        return Ok(false);
    }
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(file.take(segment.bytes.saturating_sub(UNHASHED_BYTES)))?;
    Ok(hasher.finalize() == blake3::Hash::from_bytes(sealed.blake3))
}

/// What is in the log itself and must stay: runs that are not finished, and whoever may sign in.
///
/// # Errors
/// When the log cannot be read.
pub fn needs_of(reader: &Reader) -> Result<Vec<Need>, ReadError> {
    let mut runs: HashMap<Box<str>, u64> = HashMap::new();
    let mut users = None;
    reader.scan_all(reader.first().0, &mut |seq, record| {
        match Kind(record.kind) {
            Kind::RUN_REQUESTED => drop(runs.insert(record.stream.into(), seq)),
            Kind::RUN_FINISHED => drop(runs.remove(record.stream)),
            kind if kind.family() == "user" => drop(users.get_or_insert(seq)),
            _ => {}
        }
        Ok(ControlFlow::Continue(()))
    })?;
    let runs: BTreeMap<u64, Box<str>> = runs.into_iter().map(|(stream, seq)| (seq, stream)).collect();
    let oldest = runs.into_iter().next().map(|(seq, stream)| {
        let run = stream.strip_prefix("run/").unwrap_or(&stream).to_owned();
        Need { who: format!("run {run}, which is not finished"), from: Seq(seq) }
    });
    let users = users.map(|seq| Need { who: "users and their tokens".to_owned(), from: Seq(seq) });
    Ok(oldest.into_iter().chain(users).collect())
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::super::segments::SealedFile;
    use super::*;

    const DAY_US: u64 = 86_400_000_000;

    /// Segments of ten events and 100 bytes; the n-th one's last event is of the n-th day. The last one is not sealed.
    fn segments(count: u64) -> Vec<SegmentFile> {
        let segment = |n: u64| SegmentFile {
            number: n,
            first: Seq(10 * n - 9),
            last: Seq(10 * n),
            path: PathBuf::from(format!("{n}.sealed")),
            bytes: 100,
            sealed: (n < count).then_some(SealedFile {
                blake3: [0; 32],
                chain: [0; 32],
                blocks: 1,
                block_bytes: 1,
                record_bytes: 1,
                payload_bytes: 1,
                first_at_us: (n - 1) * DAY_US,
                last_at_us: n * DAY_US,
            }),
        };
        (1..=count).map(segment).collect()
    }

    fn check(policy: Policy, needs: &[(&str, u64)], archived_upto: u64, expected: &[Option<Stays>]) {
        let needs: Vec<Need> =
            needs.iter().map(|(who, from)| Need { who: (*who).to_owned(), from: Seq(*from) }).collect();
        let mut asked = |segment: &SegmentFile| Ok(segment.number <= archived_upto);
        let judged = judge(segments(expected.len() as u64), policy, &needs, 10 * DAY_US, &mut asked).expect("judged");
        let stays: Vec<_> = judged.iter().map(|judged| judged.stays.clone()).collect();
        assert_eq!(stays, expected);
        let gone = expected.iter().take_while(|stays| stays.is_none()).count() as u64;
        assert_eq!(begins_at(&judged), (gone > 0).then_some(Seq(10 * gone + 1)));
    }

    fn days(days: u64) -> Policy {
        Policy { retain_us: Some(days * DAY_US), retain_bytes: None }
    }

    #[test]
    fn without_a_policy_everything_stays() {
        check(Policy::default(), &[], 9, &[Some(Stays::Wanted), Some(Stays::Behind), Some(Stays::Behind)]);
    }

    #[test]
    fn what_is_old_and_archived_goes_and_never_what_is_being_written() {
        check(days(7), &[], 9, &[None, None, Some(Stays::Wanted), Some(Stays::Behind), Some(Stays::Behind)]);
        check(days(0), &[], 9, &[None, None, Some(Stays::NotSealed)]);
        check(days(7), &[], 1, &[None, Some(Stays::NotArchived), Some(Stays::Behind), Some(Stays::Behind)]);
    }

    #[test]
    fn what_is_beyond_the_size_goes_oldest_first() {
        let size = |bytes| Policy { retain_us: None, retain_bytes: Some(bytes) };
        check(size(250), &[], 9, &[None, None, Some(Stays::Wanted), Some(Stays::Behind)]);
        check(size(400), &[], 9, &[Some(Stays::Wanted), Some(Stays::Behind), Some(Stays::Behind), Some(Stays::Behind)]);
    }

    #[test]
    fn what_somebody_needs_stays() {
        let need = |who: &str, from| Some(Stays::Needed(Need { who: who.to_owned(), from: Seq(from) }));
        let needs = [("views", 35), ("the relay", 20), ("run x", 21)];
        check(days(0), &needs, 9, &[None, need("the relay", 20), Some(Stays::Behind), Some(Stays::Behind)]);
        check(days(0), &[("views", 21)], 9, &[None, None, need("views", 21), Some(Stays::Behind)]);
        check(days(0), &[("nobody yet", 99)], 9, &[None, None, Some(Stays::NotSealed)]);
    }
}
