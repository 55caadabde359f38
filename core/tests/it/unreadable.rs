//! Names in a data directory that are no files that can be read: they are said with their place, nobody waits for them,
//! and the rest is looked at nevertheless.

use std::fs;
use std::path::{Path, PathBuf};

use regatta_core::log::backup::backup;
use regatta_core::log::verify::Report;
use regatta_core::log::{DurableLog, OpenError, install_id, verify};
use regatta_core::{Expect, Seq, SystemClock};

use crate::given::{append, copied, one, open, small};

const EVENTS: u64 = 150;

/// A log of several segments that was stopped cleanly, and their paths in it.
fn given() -> (tempfile::TempDir, Vec<PathBuf>) {
    let dir = tempfile::tempdir().expect("folder");
    let log = open(dir.path());
    for n in 1..=EVENTS {
        append(&log, one("run/a", Expect::Any, n)).expect("appended");
    }
    log.close().expect("stops");
    let entries = fs::read_dir(dir.path().join("journal")).expect("folder");
    let mut names: Vec<PathBuf> =
        entries.map(|entry| Path::new("journal").join(entry.expect("entry").file_name())).collect();
    names.sort();
    assert!(names.len() > 4);
    (dir, names)
}

fn make_folder(path: &Path) {
    fs::create_dir(path).expect("folder");
}

fn make_pipe(path: &Path) {
    rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, 0o600.into(), 0).expect("pipe");
}

/// What is said of a copy in which something else has that name.
fn replaced(dir: &Path, name: &Path, make: fn(&Path)) -> Report {
    let image = copied(dir);
    fs::remove_file(image.path().join(name)).expect("removed");
    make(&image.path().join(name));
    DurableLog::open(small(image.path())).expect_err("refused");
    verify(image.path()).expect("verifies")
}

#[test]
fn a_segment_that_cannot_be_read_is_one_fault_and_the_others_are_read() {
    let (dir, names) = given();
    for make in [make_folder, make_pipe] {
        let report = replaced(dir.path(), &names[1], make);
        let [fault] = report.faults.as_slice() else { panic!("one fault: {report:?}") };
        assert_eq!(fault.place, format!("{} at byte 0", names[1].display()));
        assert!(fault.reason.ends_with("is no regular file"), "{fault:?}");
        assert_eq!((report.segments, report.head), (names.len() as u64, Seq(EVENTS)));
        assert!(report.events > EVENTS / 2 && report.events < EVENTS, "{report:?}");
    }
}

#[test]
fn an_anchor_or_a_lock_that_is_no_file_is_a_fault_and_nobody_waits_for_it() {
    let (dir, _) = given();
    for name in ["HEAD", "lock"] {
        for make in [make_folder, make_pipe] {
            let report = replaced(dir.path(), Path::new(name), make);
            let [fault] = report.faults.as_slice() else { panic!("one fault: {report:?}") };
            assert_eq!((fault.place.as_str(), report.events), (name, EVENTS));
            assert!(fault.reason.ends_with("is no regular file"), "{fault:?}");
        }
    }
}

#[test]
fn a_missing_segment_is_one_fault() {
    let (dir, names) = given();
    let first = |name: &Path| -> u64 { name.file_stem().expect("name").to_string_lossy().parse().expect("a number") };
    for lost in [1..2, 2..4] {
        let image = copied(dir.path());
        names[lost.clone()].iter().for_each(|name| fs::remove_file(image.path().join(name)).expect("removed"));
        let report = verify(image.path()).expect("verifies");
        let [fault] = report.faults.as_slice() else { panic!("one fault: {report:?}") };
        let (from, next) = (first(&names[lost.start]), first(&names[lost.end]));
        let which = if lost.len() == 1 { "segment 2 is missing" } else { "segments 3 to 4 are missing" };
        assert_eq!(fault.reason, format!("{which} before it: events {from} to {} are lost", next - 1));
    }
}

#[test]
fn what_other_files_say_is_not_waited_for_either() {
    let (dir, _) = given();
    let to = tempfile::tempdir().expect("folder");
    for name in ["restoring", "backups.json", "install"] {
        let image = copied(dir.path());
        fs::remove_file(image.path().join(name)).ok();
        make_pipe(&image.path().join(name));
        // Each of them looks into one of the files; that it comes back is what is shown.
        DurableLog::open(small(image.path())).map(DurableLog::close).ok();
        install_id(image.path(), &SystemClock).ok();
        backup(image.path(), &to.path().join(name)).ok();
    }
}

#[test]
fn a_file_that_has_another_name_too_is_not_written_into() {
    let (dir, _) = given();
    let elsewhere = tempfile::tempdir_in(dir.path().parent().expect("a folder")).expect("folder");
    for name in ["lock", "HEAD.new"] {
        let image = copied(dir.path());
        let precious = elsewhere.path().join(name);
        fs::write(&precious, "precious").expect("written");
        fs::remove_file(image.path().join(name)).ok();
        fs::hard_link(&precious, image.path().join(name)).expect("linked");
        let log = open(image.path());
        let refused = DurableLog::open(small(image.path())).expect_err("in use");
        assert!(matches!(refused, OpenError::Locked { .. }), "{refused}");
        append(&log, one("run/a", Expect::Any, EVENTS + 1)).expect("appended");
        log.close().expect("stops");
        assert_eq!(fs::read_to_string(&precious).expect("read"), "precious", "{name}");
        assert!(verify(image.path()).expect("verifies").is_clean());
    }
}
