//! A disk that cannot read some of its sectors: the place is said, what else there is can be read, and nothing is cut off
//! or lost once the disk reads again.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use regatta_core::log::journal::Disk as _;
use regatta_core::log::scrub::Scrubbed;
use regatta_core::log::verify::verify_on;
use regatta_core::log::{DurableLog, Options, Reader};
use regatta_core::{Envelope, Expect, Log as _, ReadError, ReadMax, Seq};

use crate::given::{append, one, sealing, small};
use crate::simulated::SimulatedDisk;

const EVENTS: u64 = 150;
const SECTOR: u64 = 512;
const ALL: ReadMax = ReadMax { events: usize::MAX, bytes: usize::MAX };
const ONE: ReadMax = ReadMax { events: 1, bytes: 1 };

/// A log of several segments on a simulated disk.
struct Given {
    dir: tempfile::TempDir,
    disk: SimulatedDisk,
    options: Options,
    /// Its segment files, in order.
    files: Vec<PathBuf>,
    events: Vec<Envelope>,
}

fn given(options: fn(&Path) -> Options) -> Given {
    let dir = tempfile::tempdir().expect("folder");
    let disk = SimulatedDisk::new(dir.path(), 1);
    let options = Options { disk: Arc::new(disk.clone()), ahead_bytes: 0, ..options(dir.path()) };
    let log = DurableLog::open(options.clone()).expect("opens");
    for n in 1..=EVENTS {
        append(&log, one("run/a", Expect::Any, n)).expect("appended");
    }
    let all_sealed = || {
        let files = log.reader().segment_files().expect("listed");
        files.iter().rev().skip(1).all(|file| file.sealed.is_some())
    };
    while options.seal && !all_sealed() {
        std::thread::yield_now();
    }
    let events = log.reader().read(Seq(1), ALL).expect("reads");
    let files: Vec<PathBuf> = log.reader().segment_files().expect("listed").into_iter().map(|file| file.path).collect();
    log.close().expect("stops");
    assert!(files.len() > 3);
    Given { dir, disk, options, files, events }
}

impl Given {
    /// A place in this file, as people are told it.
    fn named(&self, file: &Path) -> String {
        format!("journal/{} at byte ", file.file_name().expect("a name").display())
    }

    fn reader(&self) -> Reader {
        Reader::open_on(Arc::new(self.disk.clone()), self.dir.path()).expect("opens")
    }

    fn is_whole_again(&self) {
        self.disk.mend();
        assert!(verify_on(&self.disk, self.dir.path()).expect("verifies").is_clean());
        assert_eq!(self.reader().read(Seq(1), ALL).expect("reads"), self.events);
    }
}

/// Of a segment in the middle, each sector in turn cannot be read.
fn check_one_by_one(options: fn(&Path) -> Options) {
    let given = given(options);
    let file = given.files[1].clone();
    let reader = given.reader();
    let files = reader.segment_files().expect("listed");
    let inside = files[1].first.0..=files[1].last.0;
    let mut fewest = usize::MAX;
    for at in (0..given.disk.bytes(&file).len() as u64).step_by(SECTOR as usize) {
        given.disk.fail_reads(&file, at..at + SECTOR);
        let report = verify_on(&given.disk, given.dir.path()).expect("verifies");
        let [fault] = report.faults.as_slice() else { panic!("one fault at {at}: {report:?}") };
        let place = fault.place.strip_prefix(&given.named(&file)).unwrap_or_else(|| panic!("{at}: {fault:?}"));
        assert!(place.parse::<u64>().expect("a number") < at + SECTOR, "{at}: {fault:?}");
        assert!(fault.reason.starts_with("it cannot be read: "), "{at}: {fault:?}");
        let outside = given.events.iter().filter(|event| !inside.contains(&event.seq.0)).count() as u64;
        assert!(report.events >= outside && report.head == Seq(EVENTS), "{at}: {report:?}");
        let mut unread = 0;
        for event in &given.events {
            match reader.read(event.seq, ONE) {
                Ok(read) => assert_eq!(read, std::slice::from_ref(event)),
                Err(ReadError::Io(error)) => {
                    assert!(inside.contains(&event.seq.0), "{at}: {}: {error}", event.seq);
                    assert!(error.to_string().contains(&given.named(&file)), "{error}");
                    unread += 1;
                }
                Err(other) => panic!("{at}: {other}"),
            }
        }
        fewest = fewest.min(unread);
        given.disk.mend();
    }
    assert!(fewest < inside.count(), "what stands in other blocks is read: {fewest}");
    given.is_whole_again();
}

#[test]
fn a_sector_of_a_segment_as_it_was_written_is_said_and_the_rest_is_read() {
    check_one_by_one(small);
}

#[test]
fn a_sector_of_a_sealed_segment_is_said_and_the_rest_is_read() {
    check_one_by_one(sealing);
}

#[test]
fn a_log_whose_end_cannot_be_read_is_not_opened_and_nothing_is_cut_off() {
    let given = given(small);
    let file = given.files.last().expect("a segment").clone();
    let before = given.disk.bytes(&file);
    for at in (0..before.len() as u64).step_by(SECTOR as usize) {
        given.disk.fail_reads(&file, at..at + SECTOR);
        let refused = DurableLog::open(given.options.clone()).expect_err("refused");
        let source = std::error::Error::source(&refused).map(ToString::to_string).unwrap_or_default();
        assert!(
            source.contains(file.file_name().expect("a name").to_str().expect("text")),
            "{at}: {refused}: {source}"
        );
        assert_eq!(given.disk.bytes(&file), before, "{at}");
        given.disk.mend();
    }
    let log = DurableLog::open(given.options.clone()).expect("opens");
    append(&log, one("run/a", Expect::At(EVENTS), EVENTS + 1)).expect("it goes on");
    assert_eq!(log.read(Seq(1), ALL).expect("reads").len() as u64, EVENTS + 1);
    log.close().expect("stops");
}

#[test]
fn scrubbing_says_it_and_forgets_it_when_the_disk_reads_again() {
    let given = given(small);
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("runtime");
    let log = DurableLog::open(Options { scrub_every: Duration::from_millis(1), ..given.options.clone() });
    let log = log.expect("opens");
    let mut scrubbed = log.scrubbed();
    let mut wait = |until: &dyn Fn(&Scrubbed) -> bool| {
        runtime.block_on(scrubbed.wait_for(|scrubbed| until(scrubbed))).expect("it goes on").clone()
    };
    given.disk.fail_reads(&given.files[1], 5_000..5_512);
    let found = wait(&|found| !found.faults.is_empty());
    assert!(found.faults[0].place.starts_with(&given.named(&given.files[1])), "{found:?}");
    append(&log, one("run/a", Expect::Any, EVENTS + 1)).expect("the log goes on");
    given.disk.mend();
    wait(&|found| found.faults.is_empty());
    log.close().expect("stops");
}

#[test]
fn a_segment_that_cannot_be_read_is_not_sealed_until_it_can() {
    let given = given(small);
    let first = &given.files[0];
    given.disk.fail_reads(first, 5_000..5_512);
    let options = Options { disk: Arc::new(given.disk.clone()), ahead_bytes: 0, ..sealing(given.dir.path()) };
    let log = DurableLog::open(options).expect("opens");
    // Those after it are.
    let is_sealed = |file: usize| log.reader().segment_files().expect("listed")[file].sealed.is_some();
    while !is_sealed(1) {
        std::thread::yield_now();
    }
    assert!(!is_sealed(0) && given.disk.open(first).is_ok());
    given.disk.mend();
    while !is_sealed(0) {
        std::thread::yield_now();
    }
    assert_eq!(log.read(Seq(1), ALL).expect("reads"), given.events);
    log.close().expect("stops");
    given.is_whole_again();
}
