//! The index may be lost in any way; the log is the same afterwards.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use regatta_core::log::verify::IndexChecked;
use regatta_core::log::{DurableLog, IndexError, Options, verify};
use regatta_core::{Appended, Expect, Log, ReadMax, Seq};

use crate::given::{append, keyed, one, open, small, stream};

const ALL: ReadMax = ReadMax { events: usize::MAX, bytes: usize::MAX };

/// A closed log with two streams, a dedup key and a checkpoint.
fn given() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("folder");
    let log = open(dir.path());
    for n in 1..=100 {
        append(&log, one(if n % 2 == 0 { "run/a" } else { "run/b" }, Expect::Any, n)).expect("appended");
    }
    append(&log, keyed("run/a", Expect::At(50), 101, "key")).expect("appended");
    log.set_checkpoint("reactor", Seq(77)).expect("kept");
    log.close().expect("stops");
    dir
}

/// Shows that the log of [`given`] answers as it did, and whether the index was kept.
fn check(dir: &Path, kept: bool) {
    let log = open(dir);
    let from_stream: Vec<u64> =
        log.read_stream(&stream("run/a"), 1, ALL).expect("read").iter().map(|event| event.seq.0).collect();
    assert_eq!(from_stream, (2..=100).step_by(2).chain([101]).collect::<Vec<u64>>());
    let answer = Appended { first: Seq(101), last: Seq(101), stream_seq: 51, duplicate: true };
    assert_eq!(append(&log, keyed("run/a", Expect::Any, 102, "key")), Ok(answer));
    append(&log, one("run/b", Expect::At(49), 102)).expect_err("run/b is at 50");
    let checkpoint = if kept { Seq(77) } else { Seq(0) };
    assert_eq!(log.checkpoint("reactor").expect("checkpoint"), checkpoint);
    log.close().expect("stops");
}

fn set_aside(dir: &Path) -> usize {
    let entries = fs::read_dir(dir).expect("folder").map(|entry| entry.expect("entry").file_name());
    entries.filter(|name| name.to_string_lossy().starts_with("index.bad-")).count()
}

fn db(dir: &Path) -> PathBuf {
    dir.join("index/db")
}

#[test]
fn an_index_that_fits_is_used_again() {
    let dir = given();
    check(dir.path(), true);
    check(dir.path(), true);
    assert_eq!(set_aside(dir.path()), 0);
}

#[test]
fn every_consumer_that_said_so_is_told() {
    let dir = given();
    let log = open(dir.path());
    log.set_checkpoint("relay", Seq(20)).expect("kept");
    let said: Vec<(String, Seq)> = log.checkpoints().expect("checkpoints").into_iter().collect();
    assert_eq!(said, [("reactor".to_owned(), Seq(77)), ("relay".to_owned(), Seq(20))]);
    log.close().expect("stops");
}

#[test]
fn a_deleted_index_is_rebuilt() {
    let dir = given();
    fs::remove_dir_all(dir.path().join("index")).expect("removed");
    check(dir.path(), false);
    assert_eq!(set_aside(dir.path()), 0);
}

#[test]
fn an_index_whose_file_is_gone_or_empty_is_set_aside_and_rebuilt() {
    for damage in [|path: &Path| fs::remove_file(path), |path: &Path| fs::write(path, "")] {
        let dir = given();
        damage(&db(dir.path())).expect("damage");
        check(dir.path(), false);
        assert_eq!(set_aside(dir.path()), 1);
    }
}

#[test]
fn an_index_that_is_a_link_to_nothing_is_set_aside_and_rebuilt() {
    let dir = given();
    fs::remove_dir_all(dir.path().join("index")).expect("removed");
    std::os::unix::fs::symlink(dir.path().join("gone"), dir.path().join("index")).expect("link");
    check(dir.path(), false);
    assert_eq!(set_aside(dir.path()), 1);
    check(dir.path(), false);
    assert_eq!(set_aside(dir.path()), 1, "the one that was rebuilt is used");
}

#[test]
fn garbage_in_an_index_is_set_aside_and_rebuilt() {
    let dir = given();
    let image = crate::given::copied(dir.path());
    let len = fs::metadata(db(dir.path())).expect("db").len();
    let garbage: Vec<u8> = (0..len).map(|n| (n * 31 % 251) as u8).collect();
    fs::write(db(image.path()), garbage).expect("damage");
    check(image.path(), false);
    assert_eq!(set_aside(image.path()), 1);
}

#[test]
fn an_index_with_a_flipped_byte_never_changes_what_the_log_says() {
    let dir = given();
    let whole = fs::read(db(dir.path())).expect("db");
    let written = whole.iter().rposition(|byte| *byte != 0).expect("written") + 1;
    for at in (0..written).step_by(written / 24) {
        let image = crate::given::copied(dir.path());
        let mut damaged = whole.clone();
        damaged[at] ^= 0x40;
        fs::write(db(image.path()), damaged).expect("damage");
        let log = open(image.path());
        let kept = log.checkpoint("reactor").expect("checkpoint") == Seq(77);
        log.close().expect("stops");
        check(image.path(), kept);
    }
}

#[test]
fn an_index_that_follows_another_journal_is_set_aside() {
    let (dir, other) = (given(), given());
    fs::remove_dir_all(dir.path().join("index")).expect("removed");
    crate::given::copy(&other.path().join("index"), &dir.path().join("index"));
    check(dir.path(), false);
    assert_eq!(set_aside(dir.path()), 1);
}

#[test]
fn an_index_marked_as_failed_is_rebuilt_and_few_are_kept() {
    let dir = given();
    for round in 1..=5 {
        fs::write(dir.path().join("index.suspect"), "").expect("mark");
        check(dir.path(), false);
        assert_eq!(set_aside(dir.path()), round.min(2));
    }
    assert!(!dir.path().join("index.suspect").exists());
}

#[test]
fn checkpoints_and_snapshots_are_kept() {
    let dir = tempfile::tempdir().expect("folder");
    let log = open(dir.path());
    let large: Vec<u8> = (0..100_000_u32).map(|n| (n % 251) as u8).collect();
    assert_eq!((log.checkpoint("views"), log.snapshot("views", 1)), (Ok(Seq(0)), Ok(None)));
    for (seq, bytes) in [(5, &large[..]), (6, &large[..70_001]), (7, b""), (9, &large[..30_000])] {
        log.set_checkpoint("views", Seq(seq)).expect("kept");
        log.set_snapshot("views", 1, Seq(seq), bytes).expect("kept");
        log.set_snapshot("views2", 1, Seq(1), b"another").expect("kept");
        assert_eq!(log.snapshot("views", 1), Ok(Some((Seq(seq), bytes.to_vec()))));
    }
    log.close().expect("stops");
    let log: DurableLog = open(dir.path());
    assert_eq!(log.checkpoint("views"), Ok(Seq(9)));
    assert_eq!(log.snapshot("views", 1), Ok(Some((Seq(9), large[..30_000].to_vec()))));
    assert_eq!(log.snapshot("views", 2), Ok(None), "of another version");
    assert_eq!(log.snapshot("views2", 1), Ok(Some((Seq(1), b"another".to_vec()))));
    for name in ["", "a\0b", &"n".repeat(65)] {
        assert!(matches!(log.set_checkpoint(name, Seq(1)), Err(IndexError::OutOfBounds(_))));
    }
}

#[test]
fn a_long_stream_is_read_from_anywhere() {
    let dir = tempfile::tempdir().expect("folder");
    let log = open(dir.path());
    for n in 0..30 {
        for to in ["output/a", "run/b"] {
            let events = (0..500).map(|m| crate::given::draft(n * 500 + m, "{}")).collect();
            let append_many = regatta_core::Append { stream: stream(to), expect: Expect::Any, events };
            append(&log, append_many).expect("appended");
        }
    }
    let seq_of = |stream_seq: u64| (stream_seq - 1) / 500 * 1_000 + (stream_seq - 1) % 500 + 1;
    let read = |log: &DurableLog, from| -> Vec<(u64, u64)> {
        let events = log.read_stream(&stream("output/a"), from, ReadMax { events: 700, ..ALL }).expect("read");
        events.iter().map(|event| (event.stream_seq, event.seq.0)).collect()
    };
    let check = |log: &DurableLog| {
        for from in [1, 2, 499, 500, 501, 7_777, 14_301, 14_999, 15_000] {
            let then: Vec<_> = (from..=15_000).take(700).map(|place| (place, seq_of(place))).collect();
            assert_eq!(read(log, from), then, "from {from}");
        }
        assert_eq!(read(log, 15_001), []);
    };
    check(&log);
    log.close().expect("stops");
    check(&open(dir.path()));
}

/// Lets sled hang at its configuration, which it opens for reading, until [`let_go`].
fn hang(dir: &Path) {
    let conf = dir.join("index/conf");
    fs::remove_file(&conf).expect("it is what sled opens first");
    rustix::fs::mknodat(rustix::fs::CWD, &conf, rustix::fs::FileType::Fifo, 0o600.into(), 0).expect("fifo");
}

/// Lets whoever hangs at a fifo read its end.
fn let_go(fifo: &Path) {
    drop(fs::File::options().write(true).open(fifo).expect("somebody reads it"));
}

#[test]
fn an_index_that_hangs_is_left_behind_and_rebuilt() {
    let dir = given();
    hang(dir.path());
    let impatient = || Options { index_deadline: Duration::from_millis(300), ..small(dir.path()) };
    let log = DurableLog::open(impatient()).expect("opens");
    assert_eq!(log.read_stream(&stream("run/a"), 1, ALL).expect("read").len(), 51);
    assert_eq!(log.checkpoint("reactor"), Ok(Seq(0)), "it begins again");
    append(&log, one("run/b", Expect::At(50), 102)).expect("appended");
    log.set_checkpoint("reactor", Seq(78)).expect("kept");
    let_go(&dir.path().join("index/conf"));
    log.close().expect("stops");
    let report = verify(dir.path()).expect("verifies");
    assert_eq!((report.faults, report.index), (vec![], IndexChecked::Compared(Seq(102))));
    // The next start takes the new one for good.
    for _ in 0..2 {
        let log = open(dir.path());
        assert_eq!((log.checkpoint("reactor"), log.head()), (Ok(Seq(78)), Seq(102)));
        assert_eq!(log.read_stream(&stream("run/b"), 1, ALL).expect("read").len(), 51);
        log.close().expect("stops");
        assert_eq!((set_aside(dir.path()), dir.path().join("index.new").exists()), (1, false));
    }
}

/// How often this process has that file open.
fn times_open(path: &Path) -> usize {
    let open = fs::read_dir("/proc/self/fd").expect("open files");
    open.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok()).filter(|target| target == path).count()
}

#[test]
fn an_index_that_somebody_is_letting_go_of_is_waited_for_and_kept() {
    let dir = given();
    let path = fs::canonicalize(db(dir.path())).expect("the store");
    let held = fs::File::open(&path).expect("the store");
    rustix::fs::flock(&held, rustix::fs::FlockOperation::LockExclusive).expect("locked");
    let opening = std::thread::spawn({
        let dir = dir.path().to_owned();
        move || open(&dir)
    });
    while times_open(&path) < 2 {
        std::thread::yield_now();
    }
    drop(held);
    let log = opening.join().expect("opens");
    assert_eq!((log.read_stream(&stream("run/a"), 1, ALL).expect("read").len(), set_aside(dir.path())), (51, 0));
}

#[test]
fn verify_compares_the_index_when_nobody_uses_it() {
    let dir = given();
    let checked = |dir: &Path| {
        let report = verify(dir).expect("verifies");
        (report.index, report.faults.into_iter().map(|fault| (fault.place, fault.reason)).collect::<Vec<_>>())
    };
    assert_eq!(checked(dir.path()), (IndexChecked::Compared(Seq(101)), vec![]));
    let log = open(dir.path());
    assert_eq!(checked(dir.path()), (IndexChecked::InUse, vec![]));
    log.close().expect("stops");
    fs::remove_dir_all(dir.path().join("index")).expect("removed");
    assert_eq!(checked(dir.path()), (IndexChecked::Absent, vec![]));
    check(dir.path(), false);
    assert_eq!(checked(dir.path()), (IndexChecked::Compared(Seq(101)), vec![]));
    fs::write(db(dir.path()), "garbage").expect("damage");
    let (index, faults) = checked(dir.path());
    assert!(matches!((index, faults.as_slice()), (IndexChecked::Unreadable, [(place, _)]) if place == "index"));
}

#[test]
fn an_index_that_says_something_else_is_said_by_stream() {
    // Two ends of the same log.
    let (one_end, other_end) = (given(), tempfile::tempdir().expect("folder"));
    crate::given::copy(one_end.path(), other_end.path());
    for (dir, to, key) in [(one_end.path(), "run/a", "a"), (other_end.path(), "run/c", "c")] {
        let log = open(dir);
        append(&log, one(to, Expect::Any, 102)).expect("appended");
        append(&log, keyed("run/b", Expect::At(50), 103, key)).expect("appended");
        log.close().expect("stops");
    }
    fs::remove_dir_all(one_end.path().join("index")).expect("removed");
    crate::given::copy(&other_end.path().join("index"), &one_end.path().join("index"));
    let report = verify(one_end.path()).expect("verifies");
    let said = report.faults.iter().map(|fault| fault.reason.split_whitespace().nth(5).expect("a stream"));
    assert_eq!(said.collect::<Vec<_>>(), ["run/a", "run/b", "run/c"], "{report:?}");
    assert!(report.faults.iter().all(|fault| fault.place == "index"));
}
