//! A journal that lost something, told by what stands beside it: nothing is begun, cut off or set aside.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

use regatta_core::log::verify::IndexChecked;
use regatta_core::log::{DurableLog, OpenError, Options, verify};
use regatta_core::{Expect, Log as _, Seq};

use crate::given::{append, copied, one, open, small};

/// Events in the log of [`killed`].
const EVENTS: u64 = 55;

fn options(dir: &Path) -> Options {
    Options { ahead_bytes: 0, anchor_every: Duration::ZERO, ..Options::new(dir) }
}

/// A log whose server was killed long after its last event: the anchor is that of the beginning, the index knows everything.
/// And where its blocks end.
fn killed() -> (tempfile::TempDir, Vec<u64>) {
    let dir = tempfile::tempdir().expect("folder");
    let log = DurableLog::open(options(dir.path())).expect("opens");
    let anchor = fs::read(dir.path().join("HEAD")).expect("anchor");
    let mut ends = vec![fs::metadata(segment(dir.path())).expect("segment").len()];
    for n in 1..=EVENTS {
        append(&log, one("run/a", Expect::Any, n)).expect("appended");
        ends.push(fs::metadata(segment(dir.path())).expect("segment").len());
    }
    log.close().expect("stops");
    fs::write(dir.path().join("HEAD"), anchor).expect("anchor");
    (dir, ends)
}

fn segment(dir: &Path) -> PathBuf {
    dir.join("journal/00000000000000000001.seg")
}

fn cut(dir: &Path, len: u64) {
    File::options().write(true).open(segment(dir)).expect("file").set_len(len).expect("cut");
}

#[test]
fn a_killed_log_that_is_whole_goes_on() {
    let (dir, _) = killed();
    assert!(verify(dir.path()).expect("verifies").is_clean());
    assert_eq!(open(dir.path()).head(), Seq(EVENTS));
}

#[test]
fn a_log_that_ends_before_what_its_index_knows_is_refused_and_said() {
    for (has_anchor, torn) in [(true, 0), (true, 7), (false, 0), (false, 7)] {
        let (dir, ends) = killed();
        let len = ends[16] + torn;
        cut(dir.path(), len);
        if !has_anchor {
            fs::remove_file(dir.path().join("HEAD")).expect("removed");
        }
        for _ in 0..2 {
            let refused = DurableLog::open(options(dir.path())).expect_err("it has lost its end");
            assert!(matches!(refused, OpenError::Lost { seq: 16, known: EVENTS, .. }), "{refused:?}");
            let told = refused.to_string();
            assert!(told.starts_with("the log ends at 16, but its index knows events up to 55"), "{told}");
            assert!(told.contains("regatta log restore") && told.contains("/HEAD and "), "{told}");
            assert_eq!(fs::metadata(segment(dir.path())).expect("segment").len(), len, "nothing was cut off");
            assert_eq!(dir.path().join("HEAD").exists(), has_anchor, "nothing was anchored");
            let report = verify(dir.path()).expect("verifies");
            let fault = report.faults.iter().find(|fault| fault.place == "index").expect("it is damage");
            assert!(fault.reason.starts_with("the index knows events up to 55, the journal ends at 16"), "{fault:?}");
            assert!(!fault.reason.contains("move the folder away"), "{fault:?}");
        }
        // As it says: whoever knows what is lost may go on.
        fs::remove_file(dir.path().join("HEAD")).ok();
        fs::rename(dir.path().join("index"), dir.path().join("away")).expect("moved");
        assert_eq!(open(dir.path()).head(), Seq(16));
    }
}

fn anchored(dir: &Path) -> Option<Seq> {
    verify(dir).expect("verifies").anchor
}

#[test]
fn what_is_cut_off_the_segment_being_written_is_noticed_by_the_anchor_alone() {
    let dir = tempfile::tempdir().expect("folder");
    let often = Options { anchor_every: Duration::from_millis(1), ..options(dir.path()) };
    let log = DurableLog::open(often).expect("opens");
    let mut ends = vec![fs::metadata(segment(dir.path())).expect("segment").len()];
    for n in 1..=EVENTS {
        append(&log, one("run/a", Expect::Any, n)).expect("appended");
        ends.push(fs::metadata(segment(dir.path())).expect("segment").len());
    }
    while anchored(dir.path()) != Some(Seq(EVENTS)) {
        std::thread::yield_now();
    }
    // It is killed, and its index is lost.
    let killed = copied(dir.path());
    fs::remove_dir_all(killed.path().join("index")).expect("removed");
    assert!(verify(killed.path()).expect("verifies").is_clean());
    cut(killed.path(), ends[16]);
    let refused = DurableLog::open(options(killed.path())).expect_err("it has lost its end");
    assert!(matches!(refused, OpenError::Shortened { seq: 16, anchor: EVENTS, .. }), "{refused:?}");
    let report = verify(killed.path()).expect("verifies");
    assert!(report.faults.iter().any(|fault| fault.place == "HEAD"), "{report:?}");
}

#[test]
fn an_anchor_that_cannot_be_written_stops_nobody_and_is_tried_again() {
    let dir = tempfile::tempdir().expect("folder");
    let often = Options { anchor_every: Duration::from_millis(1), ..options(dir.path()) };
    let log = DurableLog::open(often).expect("opens");
    let in_the_way = dir.path().join("HEAD.new");
    while fs::create_dir(&in_the_way).is_err() {
        std::thread::yield_now();
    }
    for n in 1..=EVENTS {
        append(&log, one("run/a", Expect::Any, n)).expect("appended");
    }
    assert_eq!(anchored(dir.path()), Some(Seq(0)));
    fs::remove_dir(&in_the_way).expect("removed");
    while anchored(dir.path()) != Some(Seq(EVENTS)) {
        std::thread::yield_now();
    }
    log.close().expect("stops");
}

#[test]
fn a_log_is_not_begun_where_there_was_one() {
    type Leave = (&'static str, fn(&Path));
    let leave: [Leave; 4] = [
        ("its index knows events up to 3", |dir| {
            let log = open(dir);
            for n in 1..=3 {
                append(&log, one("run/a", Expect::Any, n)).expect("appended");
            }
            log.close().expect("stops");
            fs::remove_dir_all(dir.join("journal")).expect("removed");
            fs::remove_file(dir.join("HEAD")).expect("removed");
        }),
        ("the installation's name `install`", |dir| fs::write(dir.join("install"), "abcd1234\n").expect("name")),
        ("`blobs` is there", |dir| fs::create_dir_all(dir.join("blobs/ab")).expect("blobs")),
        ("`snapshots` is there", |dir| fs::create_dir_all(dir.join("snapshots/views")).expect("snapshots")),
    ];
    for (what, leave) in leave {
        let dir = tempfile::tempdir().expect("folder");
        leave(dir.path());
        for refused in [DurableLog::open(small(dir.path())).map(drop), verify(dir.path()).map(drop)] {
            let refused = refused.expect_err("there was a log");
            assert!(matches!(refused, OpenError::Gone { .. }), "{refused:?}");
            let told = refused.to_string();
            assert!(told.contains(what) && told.contains("regatta log restore"), "{told}");
        }
        let segments = fs::read_dir(dir.path().join("journal")).map_or(0, Iterator::count);
        assert_eq!((segments, dir.path().join("HEAD").exists()), (0, false), "nothing was begun");
    }
}

#[test]
fn a_log_is_begun_where_there_only_was_a_start() {
    let dir = tempfile::tempdir().expect("folder");
    // Cut off before the first segment had its name.
    open(dir.path()).close().expect("stops");
    fs::remove_dir_all(dir.path().join("journal")).expect("removed");
    fs::remove_file(dir.path().join("HEAD")).expect("removed");
    fs::create_dir(dir.path().join("blobs")).expect("empty");
    let log = open(dir.path());
    append(&log, one("run/a", Expect::Empty, 1)).expect("appended");
}

#[test]
fn a_log_whose_lock_file_was_removed_is_not_opened_twice() {
    let dir = tempfile::tempdir().expect("folder");
    let log = open(dir.path());
    append(&log, one("run/a", Expect::Any, 1)).expect("appended");
    fs::remove_file(dir.path().join("lock")).expect("removed");
    let unborn = dir.path().join("journal/00000000000000000009.seg.new");
    fs::write(&unborn, "being born").expect("file");
    for index_deadline in [Duration::from_millis(100), Duration::from_secs(120)] {
        let refused = DurableLog::open(Options { index_deadline, ..small(dir.path()) }).expect_err("in use");
        assert!(matches!(refused, OpenError::InUse { .. }), "{refused:?}");
        assert!(unborn.exists(), "what is the other's is left alone");
        let report = verify(dir.path()).expect("verifies");
        assert_eq!((report.index, report.faults), (IndexChecked::InUse, vec![]));
    }
    append(&log, one("run/a", Expect::At(1), 2)).expect("the first one goes on");
    log.close().expect("stops");
    assert_eq!(open(dir.path()).head(), Seq(2));
    let names = fs::read_dir(dir.path()).expect("folder").map(|entry| entry.expect("entry").file_name());
    assert_eq!(names.filter(|name| name.to_string_lossy().starts_with("index.")).count(), 0, "none was set aside");
}
