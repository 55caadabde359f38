//! Snapshots of what consumers built from the log, a file each in a folder beside the journal. They are files and not
//! values of the index, because sled syncs no large value, would copy them again and again while it tidies up, and
//! would have to be open before a start could use them.
//!
//! A snapshot is never the truth. It is used when it is whole, was made by the same version of its maker, and the log
//! holds the very event it was made at; else the next older one is tried, and without any the consumer begins from 0.
//! Knows nothing of what is in one.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::journal::{RealDisk, disk};
use super::{Log, ReadMax};
use crate::{Envelope, EventId, Seq};

/// Most snapshots kept of one consumer: the newest, and ever fewer of long ago, for looking back.
pub const KEPT_MAX: usize = 6;
/// Whole snapshots of one consumer that are wanted before what they hold may be removed from the log.
const WHOLE_MAX: usize = 2;
/// Longest name of a consumer in bytes.
const NAME_BYTES_MAX: usize = 64;
/// Largest snapshot in bytes; a file that claims more is damaged.
const BYTES_MAX: u64 = 4 << 30;

const FOLDER: &str = "snapshots";
const SUFFIX: &str = ".snapshot";
const MAGIC: &[u8; 8] = b"RGTSNAP1";
/// Magic, checksum, version of the maker, position, id of the event there.
const HEADER_BYTES: usize = 8 + 4 + 4 + 8 + 16;

/// Where snapshots are kept.
#[derive(Debug, Clone)]
pub struct Snapshots {
    folder: PathBuf,
}

/// What a snapshot is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind {
    /// The consumer: a short name of `a-z` and `-`.
    pub name: &'static str,
    /// Version of what it builds and of how that is written down.
    pub version: u32,
}

/// The last event in a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Its position.
    pub seq: Seq,
    /// Its identity: a log that holds another event there is another log.
    pub event: EventId,
}

impl Place {
    /// The place of an event.
    #[must_use]
    pub fn of(envelope: &Envelope) -> Self {
        Self { seq: envelope.seq, event: envelope.id }
    }
}

/// Why a snapshot cannot be used.
#[derive(Debug)]
enum Unusable {
    /// Another version may use it.
    Version(u32),
    /// Nobody ever can.
    Never(String),
}

impl Snapshots {
    /// Those of a data directory.
    #[must_use]
    pub fn of(dir: &Path) -> Self {
        Self { folder: dir.join(FOLDER) }
    }

    /// Keeps a snapshot; it is on disk when this returns. Older ones are thinned out.
    ///
    /// # Errors
    /// When the name or the size is out of bounds, or the disk fails. The older ones are untouched then.
    pub fn keep(&self, kind: Kind, place: Place, bytes: &[u8]) -> io::Result<()> {
        let named = (1..=NAME_BYTES_MAX).contains(&kind.name.len())
            && kind.name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
        if !named || bytes.len() as u64 > BYTES_MAX {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "the snapshot's name or size is out of bounds"));
        }
        fs::create_dir_all(&self.folder)?;
        let parts = [&header(kind.version, place, bytes), bytes];
        disk::replace(&RealDisk, &self.folder, &file_name(kind.name, place.seq), &parts)?;
        for seq in superfluous(&self.kept(kind.name)?) {
            fs::remove_file(self.path(kind.name, seq))?;
        }
        Ok(())
    }

    /// The newest usable snapshot not after `until`, as `read` understands it. Those that cannot be used are told in the
    /// log of the server, and removed when nobody ever can.
    pub fn newest<T>(
        &self,
        log: &dyn Log,
        kind: Kind,
        until: Seq,
        read: impl Fn(&[u8]) -> Result<T, String>,
    ) -> Option<(Place, T)> {
        let kept = self.kept(kind.name).unwrap_or_else(|error| {
            tracing::warn!(name = kind.name, %error, "snapshots cannot be listed; the log is folded from its beginning");
            Vec::new()
        });
        for seq in kept.into_iter().rev().filter(|seq| *seq <= until) {
            match self.read(log, kind, seq, &read) {
                Ok(found) => return Some(found),
                Err(Unusable::Version(version)) => tracing::info!(
                    name = kind.name, %seq, version, wanted = kind.version,
                    "snapshot is of another version; an older one or the whole log is used"
                ),
                Err(Unusable::Never(reason)) => {
                    tracing::warn!(name = kind.name, %seq, reason, "snapshot removed; an older one or the whole log is used");
                    fs::remove_file(self.path(kind.name, seq)).ok();
                }
            }
        }
        None
    }

    /// Up to where the newest snapshot of a consumer reaches, by its name alone; 0 when there is none.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn reach(&self, name: &str) -> io::Result<Seq> {
        Ok(self.kept(name)?.last().copied().unwrap_or_default())
    }

    /// Up to where events may go and a consumer still finds all it needs in its snapshots, even if its newest one were
    /// damaged: the older of the newest two of this version that are whole, or the only one; 0 when there is none.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn carries(&self, kind: Kind) -> io::Result<Seq> {
        let mut carried = Seq(0);
        let mut whole = 0;
        for seq in self.kept(kind.name)?.into_iter().rev() {
            let bytes = fs::read(self.path(kind.name, seq))?;
            if parse(&bytes).is_some_and(|(version, place, _)| version == kind.version && place.seq == seq) {
                carried = seq;
                whole += 1;
            }
            if whole == WHOLE_MAX {
                break;
            }
        }
        Ok(carried)
    }

    fn read<T>(
        &self,
        log: &dyn Log,
        kind: Kind,
        seq: Seq,
        read: impl Fn(&[u8]) -> Result<T, String>,
    ) -> Result<(Place, T), Unusable> {
        let never = |reason: &str| Unusable::Never(reason.to_owned());
        if seq > log.head() {
            return Err(never("it is ahead of the log"));
        }
        let path = self.path(kind.name, seq);
        let too_large = fs::metadata(&path).is_ok_and(|file| file.len() > BYTES_MAX + HEADER_BYTES as u64);
        let bytes = if too_large { Vec::new() } else { fs::read(path).map_err(|error| never(&error.to_string()))? };
        let (version, place, body) = parse(&bytes).ok_or_else(|| never("it is damaged"))?;
        if version != kind.version {
            return Err(Unusable::Version(version));
        }
        if seq.next() < log.first() {
            return Err(never("what came after it was removed from the log"));
        }
        // The last event that was removed can no longer be asked.
        let is_other = seq >= log.first() && {
            let there = log.read(seq, ReadMax { events: 1, bytes: 0 }).map_err(|error| never(&error.to_string()))?;
            there.first().is_none_or(|event| event.seq != seq || event.id != place.event)
        };
        if place.seq != seq || is_other {
            return Err(never("it is of another log"));
        }
        read(body).map(|made| (place, made)).map_err(Unusable::Never)
    }

    /// Positions of the kept ones, oldest first.
    fn kept(&self, name: &str) -> io::Result<Vec<Seq>> {
        let entries = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other?,
        };
        let mut kept = Vec::new();
        for entry in entries {
            let file = entry?.file_name();
            let seq = file.to_str().and_then(|file| file.strip_suffix(SUFFIX)?.strip_prefix(name)?.strip_prefix('.'));
            kept.extend(seq.and_then(|seq| seq.parse().ok()).map(Seq));
        }
        kept.sort_unstable();
        Ok(kept)
    }

    fn path(&self, name: &str, seq: Seq) -> PathBuf {
        self.folder.join(file_name(name, seq))
    }
}

fn file_name(name: &str, seq: Seq) -> String {
    format!("{name}.{:020}{SUFFIX}", seq.0)
}

fn header(version: u32, place: Place, body: &[u8]) -> Vec<u8> {
    let covered = [&version.to_le_bytes()[..], &place.seq.0.to_le_bytes(), place.event.0.as_bytes()].concat();
    let checksum = crc32c::crc32c_append(crc32c::crc32c(&covered), body);
    [&MAGIC[..], &checksum.to_le_bytes(), &covered].concat()
}

/// Version, place and body, when the bytes are what was written.
fn parse(bytes: &[u8]) -> Option<(u32, Place, &[u8])> {
    let (checksum, covered) = bytes.strip_prefix(MAGIC)?.split_first_chunk::<4>()?;
    if crc32c::crc32c(covered).to_le_bytes() != *checksum {
        return None;
    }
    let (version, rest) = covered.split_first_chunk::<4>()?;
    let (seq, rest) = rest.split_first_chunk::<8>()?;
    let (event, body) = rest.split_first_chunk::<16>()?;
    let place = Place { seq: Seq(u64::from_le_bytes(*seq)), event: EventId(uuid::Uuid::from_bytes(*event)) };
    Some((u32::from_le_bytes(*version), place, body))
}

/// Which of the kept ones, oldest first, to let go: of those that stand closest together for their age, the older. The
/// newest two always stay, so that a damaged one costs little.
fn superfluous(kept: &[Seq]) -> Vec<Seq> {
    let mut kept = kept.to_vec();
    let mut removed = Vec::new();
    while kept.len() > KEPT_MAX {
        let newest = kept.last().map_or(0, |seq| seq.0);
        let crowded = kept.windows(2).take(kept.len() - 2).enumerate().min_by_key(|(_, pair)| match *pair {
            [older, newer] => {
                let (gap, age) = (newer.0 - older.0, newest - older.0);
                u128::from(gap) * 1_000_000 / u128::from(age.max(1))
            }
            _ => u128::MAX,
        });
        let Some((place, _)) = crowded else { break };
        removed.push(kept.remove(place));
    }
    removed
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::log::MemoryLog;
    use crate::{Actor, Append, Draft, Expect, Stream};

    const KIND: Kind = Kind { name: "views", version: 3 };

    fn log(events: u64, salt: u128) -> MemoryLog {
        let log = MemoryLog::default();
        for seq in 1..=events {
            let draft = Draft {
                id: EventId(Uuid::from_u128(u128::from(seq) + salt)),
                kind: crate::Kind(1),
                version: 1,
                at_us: seq,
                actor: Actor::regatta(),
                cause: None,
                correlation: Uuid::nil(),
                dedup: None,
                payload: bytes::Bytes::from_static(b"{}"),
            };
            let stream = Stream::try_from("run/a").expect("stream");
            drop(log.submit(Append { stream, expect: Expect::Any, events: vec![draft] }));
        }
        log
    }

    fn place(seq: u64) -> Place {
        Place { seq: Seq(seq), event: EventId(Uuid::from_u128(u128::from(seq))) }
    }

    /// Snapshots at these positions of a log of 100 events.
    fn given(seqs: &[u64]) -> (tempfile::TempDir, Snapshots) {
        let dir = tempfile::tempdir().expect("folder");
        let snapshots = Snapshots::of(dir.path());
        for seq in seqs {
            snapshots.keep(KIND, place(*seq), format!("state at {seq}").as_bytes()).expect("kept");
        }
        (dir, snapshots)
    }

    fn newest(snapshots: &Snapshots, log: &MemoryLog, kind: Kind, until: u64) -> Option<String> {
        let read = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).map_err(|error| error.to_string());
        snapshots.newest(log, kind, Seq(until), read).map(|(place, text)| {
            assert_eq!(text, format!("state at {}", place.seq));
            text
        })
    }

    #[test]
    fn the_newest_not_after_a_position_is_used() {
        let (_dir, snapshots) = given(&[10, 50, 90]);
        let log = log(100, 0);
        assert_eq!(newest(&snapshots, &log, KIND, 100).as_deref(), Some("state at 90"));
        assert_eq!(newest(&snapshots, &log, KIND, 89).as_deref(), Some("state at 50"));
        assert_eq!(newest(&snapshots, &log, KIND, 9), None);
        assert_eq!(newest(&snapshots, &log, Kind { name: "other", ..KIND }, 100), None);
        assert_eq!(snapshots.reach("views").expect("reach"), Seq(90));
        assert_eq!(snapshots.reach("view").expect("reach"), Seq(0));
    }

    #[test]
    fn one_of_another_version_is_ignored_and_stays() {
        let (_dir, snapshots) = given(&[10]);
        let log = log(100, 0);
        assert_eq!(newest(&snapshots, &log, Kind { version: 4, ..KIND }, 100), None);
        assert_eq!(newest(&snapshots, &log, KIND, 100).as_deref(), Some("state at 10"));
    }

    #[test]
    fn any_damaged_byte_or_cut_costs_that_snapshot_alone() {
        let (dir, snapshots) = given(&[10]);
        let path = dir.path().join("snapshots/views.00000000000000000050.snapshot");
        let log = log(100, 0);
        snapshots.keep(KIND, place(50), b"state at 50").expect("kept");
        let whole = fs::read(&path).expect("file");
        let flipped = (0..whole.len()).map(|at| {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            bytes
        });
        let cut = (0..whole.len()).map(|len| whole[..len].to_vec());
        for damaged in flipped.chain(cut) {
            fs::write(&path, damaged).expect("damage");
            assert_eq!(newest(&snapshots, &log, KIND, 100).as_deref(), Some("state at 10"));
            assert!(!path.exists(), "it would be told at every start");
        }
    }

    #[test]
    fn what_two_whole_ones_of_this_version_hold_may_go() {
        let (dir, snapshots) = given(&[]);
        let carries = |version| snapshots.carries(Kind { version, ..KIND }).expect("carries").0;
        assert_eq!(carries(3), 0);
        for seq in [10, 50, 90] {
            snapshots.keep(KIND, place(seq), b"state").expect("kept");
        }
        assert_eq!((carries(3), carries(4)), (50, 0));
        fs::write(dir.path().join("snapshots/views.00000000000000000090.snapshot"), "damage").expect("damage");
        assert_eq!(carries(3), 10);
        fs::remove_file(dir.path().join("snapshots/views.00000000000000000010.snapshot")).expect("removed");
        assert_eq!(carries(3), 50, "there is no other");
    }

    #[test]
    fn one_that_is_ahead_of_the_log_or_of_another_log_is_removed() {
        for log in [log(89, 0), log(100, 7)] {
            let (_dir, snapshots) = given(&[90]);
            assert_eq!(newest(&snapshots, &log, KIND, 200), None);
            assert_eq!(snapshots.reach("views").expect("reach"), Seq(0));
        }
    }

    #[test]
    fn what_its_maker_cannot_read_is_removed() {
        let (_dir, snapshots) = given(&[10, 20]);
        let read = |bytes: &[u8]| if bytes == b"state at 20" { Err("no".to_owned()) } else { Ok(()) };
        let found = snapshots.newest(&log(100, 0), KIND, Seq(100), read);
        assert_eq!((found, snapshots.reach("views").expect("reach")), (Some((place(10), ())), Seq(10)));
    }

    #[test]
    fn few_are_kept_and_fewer_of_long_ago() {
        let (_dir, snapshots) = given(&(1..=64).map(|n| n * 1_000).collect::<Vec<_>>());
        let kept: Vec<u64> = snapshots.kept("views").expect("kept").into_iter().map(|seq| seq.0 / 1_000).collect();
        assert_eq!((kept.len(), &kept[KEPT_MAX - 2..]), (KEPT_MAX, &[63, 64][..]));
        let gaps: Vec<u64> = kept.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(gaps.is_sorted_by(|older, newer| older >= newer), "{kept:?}");
    }

    #[test]
    fn a_name_out_of_bounds_is_refused() {
        let (_dir, snapshots) = given(&[]);
        for name in ["", "../x", "a.b"] {
            snapshots.keep(Kind { name, version: 1 }, place(1), b"").expect_err("out of bounds");
        }
    }
}
