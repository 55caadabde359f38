//! What only a log on disk promises: what was acknowledged is there after any end.

use std::fs;
use std::path::Path;

use regatta_core::log::{DurableLog, OpenError, Reader};
use regatta_core::{Appended, Envelope, Expect, Log, ReadMax, Seq};

use crate::given::{append, keyed, one, open, small, stream};

const ALL: ReadMax = ReadMax { events: usize::MAX, bytes: usize::MAX };

fn events(log: &dyn Log) -> Vec<Envelope> {
    log.read(Seq(1), ALL).expect("read")
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("folder");
    for entry in fs::read_dir(from).expect("folder") {
        let entry = entry.expect("entry");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("type").is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("copy");
        }
    }
}

/// What a crash now would leave: the files as they are, nobody told to stop.
fn crash(dir: &Path) -> tempfile::TempDir {
    let image = tempfile::tempdir().expect("folder");
    copy(dir, image.path());
    image
}

#[test]
fn everything_is_there_after_a_stop_and_after_a_crash() {
    let dir = tempfile::tempdir().expect("folder");
    let log = open(dir.path());
    for n in 1..=200 {
        append(&log, one(if n % 2 == 0 { "run/a" } else { "run/b" }, Expect::Any, n)).expect("appended");
    }
    let written = events(&log);
    assert!(fs::read_dir(dir.path().join("journal")).expect("folder").count() > 3, "several segments");
    let crashed = crash(dir.path());
    log.close().expect("stops");
    for dir in [dir.path(), crashed.path()] {
        let log = open(dir);
        assert_eq!((log.head(), events(&log)), (Seq(200), written.clone()));
        assert_eq!(log.read_stream(&stream("run/a"), 1, ALL).expect("read").len(), 100);
        let appended = append(&log, one("run/a", Expect::At(100), 201)).expect("appended");
        assert_eq!((appended.first, appended.stream_seq), (Seq(201), 101));
        assert_eq!(events(&log).len(), 201);
    }
}

#[test]
fn a_dedup_key_gets_its_first_answer_after_a_stop_and_after_a_crash() {
    let dir = tempfile::tempdir().expect("folder");
    let log = open(dir.path());
    append(&log, one("run/a", Expect::Any, 1)).expect("appended");
    let mut two = keyed("run/a", Expect::Any, 2, "key");
    two.events.push(crate::given::draft(3, "{}"));
    let answer = append(&log, two.clone()).expect("appended");
    append(&log, one("run/a", Expect::Any, 4)).expect("appended");
    let crashed = crash(dir.path());
    log.close().expect("stops");
    for dir in [dir.path(), crashed.path()] {
        assert_eq!(append(&open(dir), two.clone()), Ok(Appended { duplicate: true, ..answer }));
    }
}

#[test]
fn a_second_writer_is_refused_and_told_who_has_it() {
    let dir = tempfile::tempdir().expect("folder");
    let log = open(dir.path());
    let refused = DurableLog::open(small(dir.path())).expect_err("in use");
    let text = refused.to_string();
    assert!(matches!(refused, OpenError::Locked { pid, .. } if pid == std::process::id()), "{refused:?}");
    assert!(text.contains(&std::process::id().to_string()) && text.contains("stop that process"), "{text}");
    append(&log, one("run/a", Expect::Any, 1)).expect("appended");
    assert_eq!(Reader::open(dir.path()).expect("reading needs no lock").head(), Seq(1));
    log.close().expect("stops");
    assert_eq!(open(dir.path()).head(), Seq(1));
}
