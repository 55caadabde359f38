//! Damage of every kind to a sealed segment: each is said with its place, nothing wrong is ever read, and hostile
//! lengths cost no memory.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use regatta_core::log::verify::{Report, verify_on};
use regatta_core::log::{DurableLog, OpenError, Options, Reader};
use regatta_core::{Append, Envelope, Expect, ReadError, ReadMax, Seq};

use crate::given::{append, draft, sealing, small, stream};
use crate::simulated::SimulatedDisk;

const ALL: ReadMax = ReadMax { events: usize::MAX, bytes: usize::MAX };
const HEADER_BYTES: usize = 4_096;
const TRAILER_BYTES: usize = 60;

/// A closed log whose first segment is sealed.
struct Given {
    dir: tempfile::TempDir,
    disk: SimulatedDisk,
    path: PathBuf,
    whole: Vec<u8>,
    events: Vec<Envelope>,
}

fn given() -> Given {
    let dir = tempfile::tempdir().expect("folder");
    let disk = SimulatedDisk::new(dir.path(), 1);
    let options = Options { disk: Arc::new(disk.clone()), ahead_bytes: 0, bundle_bytes: 1_200, ..sealing(dir.path()) };
    let log = DurableLog::open(options).expect("opens");
    for n in 1..=9 {
        let payload: Vec<u8> = (0..400).map(|at| (at * n % 7) as u8).collect();
        let mut event = draft(n, payload);
        event.dedup = (n == 3).then(|| "key".into());
        let to = stream(if n % 2 == 0 { "run/a" } else { "output/b" });
        append(&log, Append { stream: to, expect: Expect::Any, events: vec![event] }).expect("appended");
    }
    while log.reader().segment_files().expect("listed")[0].sealed.is_none() {
        std::thread::yield_now();
    }
    let events = log.reader().read(Seq(1), ALL).expect("reads");
    log.close().expect("stops");
    let path = dir.path().join("journal/00000000000000000001.sealed");
    let whole = disk.bytes(&path);
    Given { dir, disk, path, whole, events }
}

impl Given {
    fn verify(&self) -> Report {
        verify_on(&self.disk, self.dir.path()).expect("verifies")
    }

    fn open(&self) -> Result<Reader, OpenError> {
        Reader::open_on(Arc::new(self.disk.clone()), self.dir.path())
    }

    /// What is said of the file as it is now: by `verify`, and by whoever reads it. Nothing else than what was written is
    /// ever read.
    fn said(&self) -> (String, Option<String>) {
        let report = self.verify();
        let place = report.faults.first().map_or_else(String::new, |fault| fault.place.clone());
        let read = match self.open() {
            Err(OpenError::Corrupt { place, .. }) => Some(place),
            Err(error) => panic!("{error}"),
            Ok(reader) => match reader.read(Seq(1), ALL) {
                Err(ReadError::Corrupt { place, .. }) => Some(place),
                Err(error) => panic!("{error}"),
                Ok(events) => {
                    assert_eq!(events, self.events);
                    None
                }
            },
        };
        (place, read)
    }

    /// Where the parts of the file begin: header, bundles and pages, summary, trailer.
    fn parts(&self) -> Vec<usize> {
        let trailer = self.whole.len() - TRAILER_BYTES;
        let number = |at: usize| u32::from_le_bytes(self.whole[at..at + 4].try_into().expect("four")) as usize;
        let summary = number(trailer + 8);
        let mut parts = vec![0, HEADER_BYTES];
        // Totals, one kind, then the bundles, then the pages.
        let bundles = summary + 88 + 8 + 18;
        let pages = bundles + 8 + 40 * number(bundles);
        let bundle_lens = (0..number(bundles)).map(|bundle| number(bundles + 8 + 40 * bundle));
        let page_lens = (0..number(pages)).map(|page| number(pages + 8 + 13 * page + 1));
        for len in bundle_lens.chain(page_lens) {
            parts.push(parts.last().expect("a part") + len);
        }
        assert_eq!(parts.last(), Some(&summary));
        parts.push(trailer);
        parts
    }
}

fn place(at: usize) -> String {
    format!("journal/00000000000000000001.sealed at byte {at}")
}

#[test]
fn every_flipped_bit_of_a_sealed_segment_is_said_with_its_place() {
    let given = given();
    let parts = given.parts();
    assert!(parts.len() > 6, "several bundles and pages: {parts:?}");
    assert_eq!(given.said(), (String::new(), None));
    let first_page = parts.len() - 3;
    for bit in 0..given.whole.len() * 8 {
        given.disk.flip(&given.path, bit);
        let part = parts.iter().rposition(|part| *part <= bit / 8).expect("a part");
        let expected = place(parts[part]);
        // What is behind the header's fields is under the same checksum: that it is refused is enough for most of it.
        if bit < 1_024 || bit % 61 == 0 || bit / 8 >= HEADER_BYTES {
            let (said, read) = given.said();
            assert_eq!(said, expected, "bit {bit}");
            // Reading has no use for the pages.
            let is_page = (first_page..parts.len() - 2).contains(&part);
            assert_eq!(read, (!is_page).then_some(expected), "bit {bit}");
        } else {
            assert!(matches!(given.open(), Err(OpenError::Corrupt { place, .. }) if place == expected), "bit {bit}");
        }
        given.disk.flip(&given.path, bit);
    }
    assert!(given.verify().is_clean());
}

#[test]
fn every_truncation_of_a_sealed_segment_is_said() {
    let given = given();
    for len in 0..given.whole.len() {
        given.disk.replace(&given.path, given.whole[..len].to_vec());
        let at = if len < HEADER_BYTES { 0 } else { len - TRAILER_BYTES };
        assert_eq!(given.said(), (place(at), Some(place(at))), "cut at {len}");
    }
    let longer = [given.whole.as_slice(), b"more"].concat();
    given.disk.replace(&given.path, longer);
    assert!(given.said().1.is_some());
}

/// A file whose summary says something else, with checksums that match.
fn with_summary(whole: &[u8], change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let (before, trailer) = whole.split_at(whole.len() - TRAILER_BYTES);
    let at = u64::from_le_bytes(trailer[8..16].try_into().expect("eight"));
    let (before, summary) = before.split_at(usize::try_from(at).expect("offset"));
    let (mut summary, mut trailer) = (summary.to_vec(), trailer.to_vec());
    change(&mut summary);
    trailer[16..20].copy_from_slice(&(summary.len() as u32).to_le_bytes());
    trailer[20..24].copy_from_slice(&crc32c::crc32c(&summary).to_le_bytes());
    let covered = [before, &summary, &trailer[..24]].concat();
    trailer[24..56].copy_from_slice(blake3::hash(&covered).as_bytes());
    let checksum = crc32c::crc32c(&trailer[..56]);
    trailer[56..].copy_from_slice(&checksum.to_le_bytes());
    [before, &summary, &trailer].concat()
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
fn a_summary_that_says_something_else_is_said_and_costs_no_memory() {
    const BUNDLES: usize = 88 + 8 + 18;
    let given = given();
    let set = |at: usize, bytes: &'static [u8]| {
        move |summary: &mut Vec<u8>| summary[at..at + bytes.len()].copy_from_slice(bytes)
    };
    // Numbers of kinds, of bundles; length, raw length, events of the first bundle; totals.
    let changes = [
        set(88, &[0xff; 8]),
        set(88, &[0xff, 0xff, 0, 0, 0, 0, 0, 0]),
        set(BUNDLES, &[0xff; 8]),
        set(BUNDLES, &[0xff, 0xff, 0xff, 0x7f, 0, 0, 0, 0]),
        set(BUNDLES + 8, &[0xff; 4]),
        set(BUNDLES + 12, &[0xff; 4]),
        set(BUNDLES + 12, &[0, 0, 0xb0, 0]),
        set(BUNDLES + 28, &[0xff; 4]),
        set(8, &[1]),
        set(32, &[1]),
        set(56, &[1]),
        set(87, &[1]),
    ];
    for (number, change) in changes.into_iter().enumerate() {
        given.disk.replace(&given.path, with_summary(&given.whole, change));
        forget_peak();
        let before = peak_bytes();
        assert!(given.verify().faults[0].place.contains(".sealed at byte"), "change {number}");
        match given.open().map(|reader| reader.read(Seq(1), ALL)) {
            Ok(Ok(events)) => assert_eq!(events, given.events, "change {number}"),
            Ok(Err(ReadError::Corrupt { .. })) | Err(OpenError::Corrupt { .. }) => {}
            other => panic!("{other:?}"),
        }
        let more = peak_bytes().saturating_sub(before);
        assert!(more < 48 << 20, "change {number} costs {more} bytes");
    }
}

#[test]
fn a_bundle_that_decompresses_to_more_than_it_says_costs_no_memory() {
    let given = given();
    // A frame of 256 MiB of zeros in place of the first bundle, and everything else fitted to it.
    let bomb = zstd::bulk::compress(&vec![0; 256 << 20], 1).expect("compressed");
    let old_len = given.parts()[2] - HEADER_BYTES;
    let mut file = [&given.whole[..HEADER_BYTES], &bomb, &given.whole[HEADER_BYTES + old_len..]].concat();
    let trailer = file.len() - TRAILER_BYTES;
    let summary_at = u64::from_le_bytes(file[trailer + 8..trailer + 16].try_into().expect("eight"));
    let moved = summary_at + bomb.len() as u64 - old_len as u64;
    file[trailer + 8..trailer + 16].copy_from_slice(&moved.to_le_bytes());
    let file = with_summary(&file, |summary| {
        summary[122..126].copy_from_slice(&(bomb.len() as u32).to_le_bytes());
        summary[126..130].copy_from_slice(&(8_u32 << 20).to_le_bytes());
        summary[130..134].copy_from_slice(&crc32c::crc32c(&bomb).to_le_bytes());
    });
    given.disk.replace(&given.path, file);
    forget_peak();
    let before = peak_bytes();
    assert_eq!(given.said(), (place(HEADER_BYTES), Some(place(HEADER_BYTES))));
    let more = peak_bytes().saturating_sub(before);
    assert!(more < 48 << 20, "it costs {more} bytes");
}

#[test]
fn sealed_segments_that_were_exchanged_or_lost_are_refused() {
    let given = given();
    let other = self::given();
    given.disk.replace(&given.path, other.whole.clone());
    // The same events in blocks of the same size, but drawn with another nonce.
    let refused = given.open().expect_err("refused");
    assert!(matches!(refused, OpenError::Corrupt { .. }), "{refused:?}");
    assert!(!given.verify().is_clean());
    regatta_core::log::journal::Disk::remove(&given.disk, &given.path).expect("removed");
    assert!(matches!(given.open(), Err(OpenError::Corrupt { .. })));
    assert!(DurableLog::open(Options { disk: Arc::new(given.disk.clone()), ..small(given.dir.path()) }).is_err());
    assert!(!given.verify().is_clean());
}
