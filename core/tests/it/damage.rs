//! Damage of every kind to a log that was stopped cleanly: each is said with its place, and nothing is cut off.

use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use regatta_core::log::verify::{Report, verify_on};
use regatta_core::log::{DurableLog, OpenError, Options, Reader, verify};
use regatta_core::{Append, Expect, Log as _, ReadError, ReadMax, Seq};

use crate::given::{append, draft, one, small, stream};
use crate::simulated::{Dice, SimulatedDisk};

const ALL: ReadMax = ReadMax { events: usize::MAX, bytes: usize::MAX };
const HEADER_BYTES: usize = 4_096;

/// A log that was stopped cleanly.
struct Given {
    dir: tempfile::TempDir,
    disk: SimulatedDisk,
    events: u64,
    /// Its segments, each with the offsets where its header, its blocks and nothing more begin.
    segments: Vec<(PathBuf, Vec<usize>)>,
}

/// Payloads that fill segments, packed and plain.
const FULL: [Payload; 2] = [Payload::Text(1_000), Payload::Noise(1_000)];

/// What payloads are made of: blocks of text are packed, blocks of noise are not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Payload {
    Text(usize),
    Noise(usize),
}

impl Payload {
    fn bytes(self, n: u64) -> Vec<u8> {
        match self {
            Self::Text(bytes) => b"what is said again ".iter().copied().cycle().take(bytes).collect(),
            Self::Noise(bytes) => Dice(n).noise(bytes),
        }
    }
}

fn given(events: u64, payload: Payload) -> Given {
    let dir = tempfile::tempdir().expect("folder");
    let disk = SimulatedDisk::new(dir.path(), 1);
    let options = Options { disk: Arc::new(disk.clone()), ahead_bytes: 0, ..small(dir.path()) };
    let log = DurableLog::open(options).expect("opens");
    let mut segments: Vec<(PathBuf, Vec<usize>)> = Vec::new();
    for n in 1..=events {
        let events = vec![draft(n, payload.bytes(n))];
        append(&log, Append { stream: stream("run/a"), expect: Expect::Any, events }).expect("appended");
        let born = dir.path().join(format!("journal/{n:020}.seg"));
        if disk.exists(&born) {
            segments.push((born, vec![0, HEADER_BYTES]));
        }
        let (path, offsets) = segments.last_mut().expect("a segment");
        offsets.push(disk.bytes(path).len());
    }
    log.close().expect("stops");
    for (path, offsets) in &segments {
        // The compression of a block is the sixth byte of its header.
        let compressions = offsets[1..offsets.len() - 1].iter().map(|block| disk.bytes(path)[block + 5]);
        let expected = u8::from(matches!(payload, Payload::Text(256..)));
        assert!(compressions.clone().all(|compression| compression == expected), "{compressions:?} of {payload:?}");
    }
    Given { dir, disk, events, segments }
}

impl Given {
    fn verify(&self) -> Report {
        verify_on(&self.disk, self.dir.path()).expect("verifies")
    }

    fn refused(&self) -> OpenError {
        Reader::open_on(Arc::new(self.disk.clone()), self.dir.path()).expect_err("refused")
    }

    /// Shows that a start refuses too, and changes nothing.
    fn check_start(&self, path: &Path) {
        let damaged = self.disk.bytes(path);
        let options = Options { disk: Arc::new(self.disk.clone()), ..small(self.dir.path()) };
        DurableLog::open(options).expect_err("refused");
        assert!(self.disk.bytes(path) == damaged, "something was changed");
    }

    fn head(&self) -> PathBuf {
        self.dir.path().join("HEAD")
    }
}

fn place(path: &Path, at: usize) -> String {
    format!("journal/{} at byte {at}", path.file_name().expect("a name").to_string_lossy())
}

/// The beginning of the header or block that holds a byte.
fn begins(offsets: &[usize], at: usize) -> usize {
    *offsets.iter().rev().find(|offset| **offset <= at).expect("an offset")
}

fn first_place(report: &Report) -> &str {
    report.faults.first().map_or("nothing", |fault| &fault.place)
}

#[test]
fn every_flipped_bit_of_the_last_segment_and_of_the_anchor_is_refused_and_said_with_its_place() {
    for (events, payload) in [(4, Payload::Text(10)), (3, Payload::Text(600))] {
        check_flips_of_the_last_segment(&given(events, payload));
    }
}

fn check_flips_of_the_last_segment(given: &Given) {
    let [(segment, offsets)] = given.segments.as_slice() else { panic!("one segment") };
    for (path, is_anchor) in [(segment.clone(), false), (given.head(), true)] {
        let bits = given.disk.bytes(&path).len() * 8;
        for bit in 0..bits {
            given.disk.flip(&path, bit);
            let expected = if is_anchor { "HEAD".to_owned() } else { place(&path, begins(offsets, bit / 8)) };
            assert_eq!(first_place(&given.verify()), expected, "bit {bit}");
            given.refused();
            if bit % 499 == 0 {
                given.check_start(&path);
            }
            given.disk.flip(&path, bit);
        }
        println!("{bits} bits of {}", path.display());
    }
    assert!(given.verify().is_clean());
}

#[test]
fn every_flipped_bit_of_a_full_segment_is_said_with_its_place_and_when_it_is_read() {
    for payload in FULL {
        check_flips_of_a_full_segment(&given(8, payload));
    }
}

fn check_flips_of_a_full_segment(given: &Given) {
    let (path, offsets) = &given.segments[0];
    assert!(given.segments.len() > 1, "it is full");
    let bits = given.disk.bytes(path).len() * 8;
    for bit in 0..bits {
        given.disk.flip(path, bit);
        let at = begins(offsets, bit / 8);
        // What is behind the header's fields is under the same checksum: that it is refused is enough for most of it.
        let is_padding = (1_024..HEADER_BYTES * 8).contains(&bit);
        if !is_padding || bit % 61 == 0 {
            assert_eq!(first_place(&given.verify()), place(path, at), "bit {bit}");
        }
        match Reader::open_on(Arc::new(given.disk.clone()), given.dir.path()) {
            Err(error) => assert!(at == 0 && matches!(error, OpenError::Corrupt { .. }), "{error:?}"),
            Ok(reader) => {
                let error = reader.read(Seq(1), ALL).expect_err("damaged");
                assert!(
                    matches!(&error, ReadError::Corrupt { place: said, .. } if *said == place(path, at)),
                    "{error}"
                );
            }
        }
        given.disk.flip(path, bit);
    }
}

#[test]
fn every_truncation_of_the_last_segment_and_of_the_anchor_is_refused_and_said_with_its_place() {
    for payload in FULL {
        check_truncations_of_the_last_segment(&given(8, payload));
    }
}

fn check_truncations_of_the_last_segment(given: &Given) {
    let (path, offsets) = given.segments.last().expect("a segment");
    for (path, is_anchor) in [(path.clone(), false), (given.head(), true)] {
        let whole = given.disk.bytes(&path);
        for len in 0..whole.len() {
            given.disk.replace(&path, whole[..len].to_vec());
            let at = if len < HEADER_BYTES { 0 } else { begins(offsets, len) };
            let expected = if is_anchor { "HEAD".to_owned() } else { place(&path, at) };
            assert_eq!(first_place(&given.verify()), expected, "cut at {len}");
            given.refused();
            if len % 97 == 0 {
                given.check_start(&path);
            }
        }
        given.disk.replace(&path, whole);
    }
    assert_eq!((given.verify().is_clean(), given.verify().events), (true, given.events));
}

#[test]
fn every_truncation_of_a_full_segment_is_said() {
    for payload in FULL {
        check_truncations_of_a_full_segment(&given(8, payload));
    }
}

fn check_truncations_of_a_full_segment(given: &Given) {
    let ((path, offsets), (next, _)) = (&given.segments[0], &given.segments[1]);
    let whole = given.disk.bytes(path);
    for len in 0..whole.len() {
        given.disk.replace(path, whole[..len].to_vec());
        let report = given.verify();
        let between_blocks = len >= HEADER_BYTES && offsets.contains(&len);
        let at = if len < HEADER_BYTES { 0 } else { begins(offsets, len) };
        let expected = if between_blocks { place(next, 0) } else { place(path, at) };
        assert_eq!(first_place(&report), expected, "cut at {len}");
        if len >= HEADER_BYTES {
            let reader = Reader::open_on(Arc::new(given.disk.clone()), given.dir.path()).expect("the end is whole");
            reader.read(Seq(1), ALL).expect_err("it is not read over");
        }
    }
}

/// The most memory this process had since [`forget_peak`].
fn peak_bytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("VmHWM");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") << 10
}

fn forget_peak() {
    fs::write("/proc/self/clear_refs", "5").expect("the peak is forgotten");
}

#[test]
fn a_hostile_length_in_a_large_file_costs_no_memory() {
    const MEMORY_BYTES: u64 = 48 << 20;
    let dir = tempfile::tempdir().expect("folder");
    let log = DurableLog::open(Options { ahead_bytes: 0, ..Options::new(dir.path()) }).expect("opens");
    for n in 1..=3 {
        append(&log, one("run/a", Expect::Any, n)).expect("appended");
    }
    log.close().expect("stops");
    let path = dir.path().join("journal/00000000000000000001.seg");
    let whole = fs::read(&path).expect("segment");
    let block = &whole[HEADER_BYTES..HEADER_BYTES + 80];
    // Lengths of the body and of it uncompressed, and the number of events: as large as allowed, and larger.
    let lengths = [(8 << 20, 4_096, 1 << 30), (u32::MAX, u32::MAX, 64 << 20), (8 << 20, u32::MAX, 64 << 20)];
    for (compression, (len, count, file_bytes)) in [0, 1].into_iter().flat_map(|one| lengths.map(|of| (one, of))) {
        let mut hostile = block.to_vec();
        hostile[5] = compression;
        hostile[8..16].copy_from_slice(&4_u64.to_le_bytes());
        hostile[16..20].copy_from_slice(&count.to_le_bytes());
        hostile[20..24].copy_from_slice(&len.to_le_bytes());
        hostile[24..28].copy_from_slice(&len.to_le_bytes());
        let file = File::options().write(true).open(&path).expect("segment");
        file.set_len(file_bytes).expect("large");
        file.write_all_at(&hostile, whole.len() as u64).expect("hostile");
        forget_peak();
        let before = peak_bytes();
        let report = verify(dir.path()).expect("verifies");
        assert_eq!((report.events, report.unfinished_bytes), (3, file_bytes - whole.len() as u64), "{report:?}");
        let reader = Reader::open(dir.path()).expect("opens");
        assert_eq!(reader.read(Seq(1), ALL).expect("reads").len(), 3);
        // The same in a block that was acknowledged.
        file.write_all_at(&hostile[16..28], HEADER_BYTES as u64 + 16).expect("hostile");
        let refused = Reader::open(dir.path()).expect_err("damaged").to_string();
        assert!(refused.contains("at byte 4096"), "{refused}");
        assert!(!verify(dir.path()).expect("verifies").is_clean());
        let more = peak_bytes().saturating_sub(before);
        println!("a length of {len} costs {more} bytes");
        assert!(more < MEMORY_BYTES, "a length of {len} costs {more} bytes");
        file.set_len(0).expect("cut");
        fs::write(&path, &whole).expect("restored");
    }
    let log = DurableLog::open(Options::new(dir.path())).expect("opens");
    assert_eq!(log.read_stream(&stream("run/a"), 1, ALL).expect("reads").len(), 3);
}

#[test]
fn a_segment_that_was_made_a_terabyte_of_zeros_is_told_and_not_looked_through() {
    let dir = tempfile::tempdir().expect("folder");
    let log = DurableLog::open(Options { ahead_bytes: 0, ..Options::new(dir.path()) }).expect("opens");
    append(&log, one("run/a", Expect::Any, 1)).expect("appended");
    log.close().expect("stops");
    let path = dir.path().join("journal/00000000000000000001.seg");
    let whole = fs::metadata(&path).expect("segment").len();
    let file = File::options().write(true).open(&path).expect("segment");
    file.set_len(1 << 40).expect("large");
    let report = verify(dir.path()).expect("verifies");
    let said = "it is 1099511627776 bytes long, and no segment is longer than 2147483648";
    assert!(report.faults.iter().any(|fault| fault.reason.contains(said)), "{report:?}");
    let refused = DurableLog::open(Options::new(dir.path())).expect_err("too large").to_string();
    assert!(refused.contains(said), "{refused}");
    file.set_len(whole).expect("as it was");
    assert!(verify(dir.path()).expect("verifies").is_clean());
}

#[test]
fn a_log_that_a_newer_version_wrote_is_said_to_be_one_and_left_alone() {
    let given = given(2, Payload::Text(600));
    let (path, offsets) = &given.segments[0];
    let mut bytes = given.disk.bytes(path);
    // Another compression in the last block, under a checksum that is right: the segment's nonce, the header, the body.
    let last = offsets[offsets.len() - 2];
    bytes[last + 5] = 9;
    let covered = [&bytes[16..24], &bytes[last..last + 76], &bytes[last + 80..]].concat();
    bytes[last + 76..last + 80].copy_from_slice(&crc32c::crc32c(&covered).to_le_bytes());
    given.disk.replace(path, bytes);
    let refused = given.refused();
    assert!(matches!(&refused, OpenError::Newer { place: said, .. } if *said == place(path, last)), "{refused:?}");
    assert!(refused.to_string().contains("update regatta; nothing was changed"), "{refused}");
    given.check_start(path);
}
