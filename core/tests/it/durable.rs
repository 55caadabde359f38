//! What only a log on disk promises: what was acknowledged is there after any end.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use regatta_core::log::journal::RealDisk;
use regatta_core::log::verify::verify_on;
use regatta_core::log::{DurableLog, OpenError, Options, Reader, verify};
use regatta_core::{Append, AppendError, Appended, Envelope, Expect, Log, ReadError, ReadMax, Seq};

use crate::given::{append, copied, keyed, one, open, small, stream};
use crate::simulated::SimulatedDisk;

const ALL: ReadMax = ReadMax { events: usize::MAX, bytes: usize::MAX };

fn events(log: &dyn Log) -> Vec<Envelope> {
    log.read(Seq(1), ALL).expect("read")
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
    let crashed = copied(dir.path());
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
    let crashed = copied(dir.path());
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

/// Byte lengths of the only segment after each append of one event.
fn one_segment(dir: &Path, appends: u64) -> (Vec<u64>, DurableLog) {
    let log = DurableLog::open(Options { ahead_bytes: 0, ..Options::new(dir) }).expect("opens");
    let file = only_segment(dir);
    let mut ends = vec![fs::metadata(&file).expect("segment").len()];
    for n in 1..=appends {
        append(&log, one("run/a", Expect::Any, n)).expect("appended");
        ends.push(fs::metadata(&file).expect("segment").len());
    }
    (ends, log)
}

fn segments(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir.join("journal")).expect("folder");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("entry").path()).collect();
    paths.sort();
    paths
}

fn only_segment(dir: &Path) -> PathBuf {
    let [segment] = segments(dir).try_into().expect("one segment");
    segment
}

fn flip(path: &Path, at: u64) {
    let mut bytes = fs::read(path).expect("file");
    bytes[usize::try_from(at).expect("offset")] ^= 0x10;
    fs::write(path, bytes).expect("file");
}

fn cut(path: &Path, len: u64) {
    File::options().write(true).open(path).expect("file").set_len(len).expect("cut");
}

#[test]
fn a_write_torn_at_any_byte_costs_nothing_that_was_acknowledged() {
    let dir = tempfile::tempdir().expect("folder");
    let (ends, _log) = one_segment(dir.path(), 3);
    let whole = fs::read(only_segment(dir.path())).expect("segment");
    let image = copied(dir.path());
    fs::remove_dir_all(image.path().join("index")).expect("it may know the third event already");
    let file = only_segment(image.path());
    for len in ends[2]..ends[3] {
        // As the file would be without and with space prepared behind the block.
        for prepared in [0, 8 << 10] {
            fs::write(&file, &whole[..usize::try_from(len).expect("offset")]).expect("segment");
            cut(&file, len + prepared);
            assert_eq!(Reader::open(image.path()).expect("opens").head(), Seq(2), "cut at {len}");
            let report = verify_on(&RealDisk, image.path()).expect("verifies");
            // Without its anchor nobody can tell whether a log ends where it should.
            let expected = if image.path().join("HEAD").exists() { &[][..] } else { &["HEAD"] };
            let places: Vec<&str> = report.faults.iter().map(|fault| fault.place.as_str()).collect();
            assert_eq!(places, expected, "cut at {len}");
        }
        if len % 16 == 0 {
            let log = open(image.path());
            assert_eq!((log.head(), events(&log).len()), (Seq(2), 2));
            let appended = append(&log, one("run/a", Expect::At(2), 9)).expect("goes on");
            assert_eq!(appended.first, Seq(3));
            drop(log);
            assert_eq!(open(image.path()).head(), Seq(3));
            let report = verify(image.path()).expect("verifies");
            assert_eq!((report.events, report.unfinished_bytes, report.is_clean()), (3, 0, true), "{report:?}");
            fs::remove_file(image.path().join("HEAD")).expect("anchor");
            fs::remove_dir_all(image.path().join("index")).expect("index");
        }
    }
}

#[test]
fn what_stood_behind_the_end_is_gone_after_the_next_append() {
    let dir = tempfile::tempdir().expect("folder");
    let (ends, _log) = one_segment(dir.path(), 3);
    let image = copied(dir.path());
    fs::remove_dir_all(image.path().join("index")).expect("it may know the third event already");
    let file = only_segment(image.path());
    let mut bytes = fs::read(&file).expect("segment");
    // The last block is torn in its header; behind it stands what a larger one would have left.
    bytes[usize::try_from(ends[2]).expect("offset") + 30] ^= 1;
    bytes.extend(std::iter::repeat_n(b"stale".as_slice(), 500).flatten());
    fs::write(&file, &bytes).expect("segment");
    let log = DurableLog::open(Options { ahead_bytes: 0, ..Options::new(image.path()) }).expect("opens");
    append(&log, one("run/a", Expect::At(2), 9)).expect("goes on");
    let bytes = fs::read(&file).expect("segment");
    assert!(!bytes.windows(5).any(|window| window == b"stale"));
    assert_eq!(bytes.len() as u64, ends[3], "an event of the same size ends at the same place");
    assert_eq!(Reader::open(image.path()).expect("opens").head(), Seq(3));
}

#[test]
fn blocks_of_another_log_are_not_taken_for_ours() {
    let (ours, theirs) = (tempfile::tempdir().expect("folder"), tempfile::tempdir().expect("folder"));
    let (ends, _log) = one_segment(ours.path(), 1);
    let (_, _their_log) = one_segment(theirs.path(), 4);
    let image = copied(ours.path());
    let file = only_segment(image.path());
    // Space that was used before: their blocks 2 to 4 stand exactly where ours would.
    let recycled = fs::read(only_segment(theirs.path())).expect("segment");
    let mut bytes = fs::read(&file).expect("segment");
    bytes.extend(&recycled[usize::try_from(ends[1]).expect("offset")..]);
    fs::write(&file, bytes).expect("segment");
    assert_eq!(Reader::open(image.path()).expect("opens").head(), Seq(1));
    let log = open(image.path());
    append(&log, one("run/a", Expect::At(1), 2)).expect("goes on");
    log.close().expect("stops");
    assert_eq!(events(&open(image.path())).len(), 2);
    assert!(verify(image.path()).expect("verifies").is_clean());
}

#[test]
fn a_flipped_byte_before_the_end_is_refused_with_its_place_and_nothing_is_cut() {
    let dir = tempfile::tempdir().expect("folder");
    let (ends, log) = one_segment(dir.path(), 4);
    log.close().expect("stops");
    let file = only_segment(dir.path());
    let whole = fs::read(&file).expect("segment");
    for at in (ends[1]..ends[2]).chain([0, 100, 4_095]) {
        flip(&file, at);
        let place = if at < 4_096 { 0 } else { ends[1] };
        let place = format!("journal/00000000000000000001.seg at byte {place}");
        let refused = DurableLog::open(small(dir.path())).expect_err("damaged").to_string();
        assert!(refused.contains(&place), "{at}: {refused}");
        assert_eq!(fs::metadata(&file).expect("segment").len(), ends[4]);
        let report = verify_on(&RealDisk, dir.path()).expect("verifies");
        assert_eq!(report.faults.first().map(|fault| fault.place.as_str()), Some(place.as_str()), "{at}: {report:?}");
        fs::write(&file, &whole).expect("segment");
    }
    assert_eq!(open(dir.path()).head(), Seq(4));
}

#[test]
fn damage_in_a_sealed_segment_is_said_when_it_is_read_and_by_verify() {
    let dir = tempfile::tempdir().expect("folder");
    let log = open(dir.path());
    for n in 1..=100 {
        append(&log, one("run/a", Expect::Any, n)).expect("appended");
    }
    log.close().expect("stops");
    let first = segments(dir.path()).remove(0);
    flip(&first, 5_000);
    let log = open(dir.path());
    let error = log.read(Seq(1), ALL).expect_err("damaged");
    assert!(
        matches!(&error, ReadError::Corrupt { place, .. } if place.contains("00000000000000000001.seg")),
        "{error}"
    );
    assert_eq!(log.read(Seq(90), ALL).expect("the rest is whole").len(), 11);
    let report = verify(dir.path()).expect("verifies");
    assert_eq!((report.faults.len(), report.head), (1, Seq(100)), "{report:?}");
    assert!(report.faults[0].reason.contains("are lost, the next whole block"), "{report:?}");
}

#[test]
fn a_lost_segment_is_refused_and_said() {
    let dir = tempfile::tempdir().expect("folder");
    let log = open(dir.path());
    for n in 1..=150 {
        append(&log, one("run/a", Expect::Any, n)).expect("appended");
    }
    log.close().expect("stops");
    let paths = segments(dir.path());
    assert!(paths.len() > 3);
    for lost in paths.iter().take(paths.len() - 1) {
        let kept = fs::read(lost).expect("segment");
        fs::remove_file(lost).expect("removed");
        let refused = DurableLog::open(small(dir.path())).expect_err("incomplete").to_string();
        assert!(refused.contains("is missing before it"), "{refused}");
        assert!(!verify(dir.path()).expect("verifies").is_clean());
        fs::write(lost, kept).expect("restored");
    }
    assert_eq!(open(dir.path()).head(), Seq(150));
}

#[test]
fn a_log_that_ends_before_its_anchor_is_refused() {
    let dir = tempfile::tempdir().expect("folder");
    let (ends, log) = one_segment(dir.path(), 3);
    log.close().expect("stops");
    let file = only_segment(dir.path());
    cut(&file, ends[2] + 5);
    let refused = DurableLog::open(small(dir.path())).expect_err("shortened");
    assert!(matches!(refused, OpenError::Shortened { seq: 2, anchor: 3, .. }), "{refused:?}");
    assert!(refused.to_string().contains("the log ends at 2 but was at 3: restore"), "{refused}");
    assert_eq!(fs::metadata(&file).expect("segment").len(), ends[2] + 5, "nothing was changed");
    let report = verify(dir.path()).expect("verifies");
    assert!(report.faults.iter().any(|fault| fault.place == "HEAD"), "{report:?}");
    fs::remove_file(&file).expect("removed");
    let refused = DurableLog::open(small(dir.path())).expect_err("missing");
    assert!(matches!(refused, OpenError::Missing { seq: 3, .. }), "{refused:?}");
    fs::remove_dir_all(dir.path().join("journal")).expect("removed");
    let refused = DurableLog::open(small(dir.path())).expect_err("missing");
    assert!(matches!(refused, OpenError::Missing { seq: 3, .. }), "{refused:?}");
    assert!(!verify(dir.path()).expect("verifies").is_clean());
}

#[test]
fn an_anchor_that_is_damaged_or_of_another_log_is_refused_and_a_missing_one_made_anew() {
    let (dir, other) = (tempfile::tempdir().expect("folder"), tempfile::tempdir().expect("folder"));
    let (_, log) = one_segment(dir.path(), 3);
    log.close().expect("stops");
    let (_, log) = one_segment(other.path(), 2);
    append(&log, one("run/b", Expect::Any, 7)).expect("appended");
    log.close().expect("stops");
    let anchor = dir.path().join("HEAD");
    let ours = fs::read(&anchor).expect("anchor");
    let mut damaged = ours.clone();
    damaged[20] ^= 1;
    for wrong in [fs::read(other.path().join("HEAD")).expect("anchor"), damaged, vec![]] {
        fs::write(&anchor, wrong).expect("anchor");
        let refused = DurableLog::open(small(dir.path())).expect_err("wrong anchor");
        assert!(matches!(refused, OpenError::Anchor { .. }), "{refused:?}");
        let report = verify(dir.path()).expect("verifies");
        assert_eq!(report.faults.iter().map(|fault| fault.place.as_str()).collect::<Vec<_>>(), ["HEAD"]);
    }
    fs::remove_file(&anchor).expect("removed");
    assert_eq!(open(dir.path()).head(), Seq(3));
    assert_eq!(fs::read(&anchor).expect("anchor"), ours);
}

#[test]
fn a_segment_that_never_got_its_name_is_forgotten() {
    let dir = tempfile::tempdir().expect("folder");
    let (_, log) = one_segment(dir.path(), 3);
    log.close().expect("stops");
    fs::write(dir.path().join("journal/00000000000000000004.seg.new"), "half a header").expect("file");
    assert_eq!(open(dir.path()).head(), Seq(3));
    assert_eq!(segments(dir.path()).len(), 1);
}

#[test]
fn after_a_failed_sync_nothing_is_acknowledged_any_more() {
    let dir = tempfile::tempdir().expect("folder");
    let disk = SimulatedDisk::new(dir.path(), 1);
    let options = || Options { disk: Arc::new(disk.clone()), ahead_bytes: 0, ..small(dir.path()) };
    let log = DurableLog::open(options()).expect("opens");
    disk.fail_syncs_after(2);
    for n in 1..=2 {
        append(&log, one("run/a", Expect::Any, n)).expect("appended");
    }
    let waiting: Vec<_> = (3..=9).map(|n| log.submit(one("run/a", Expect::Any, n))).collect();
    for pending in waiting {
        let answer = pending.blocking_recv().expect("answered");
        let then = |reason: &String| reason.contains("the disk is on fire");
        assert!(matches!(&answer, Err(AppendError::Poisoned(reason)) if then(reason)), "{answer:?}");
    }
    assert_eq!((log.head(), events(&log).len()), (Seq(2), 2), "what is not durable is not shown");
    assert!(log.clone().close().is_err());
    assert!(matches!(append(&log, one("run/a", Expect::Any, 10)), Err(AppendError::Poisoned(_))));
    drop(log);
    // The write did reach the file, so it may be found; but all that was acknowledged is there.
    disk.mend();
    assert!(events(&DurableLog::open(options()).expect("opens")).len() >= 2);
}

#[test]
fn a_segment_that_cannot_be_made_poisons_the_log() {
    let dir = tempfile::tempdir().expect("folder");
    let log = open(dir.path());
    let mut acknowledged = 0;
    let poisoned = loop {
        // In the way of whichever segment comes next.
        let next = format!("journal/{:020}.seg.new", acknowledged + 1);
        fs::create_dir_all(dir.path().join(&next)).expect("folder");
        match append(&log, one("run/a", Expect::Any, acknowledged + 1)) {
            Ok(_) => acknowledged += 1,
            Err(error) => break error,
        }
        fs::remove_dir(dir.path().join(&next)).expect("folder");
    };
    assert!(matches!(poisoned, AppendError::Poisoned(_)), "{poisoned:?}");
    assert!(acknowledged > 10);
    assert!(matches!(append(&log, one("run/a", Expect::Any, 1)), Err(AppendError::Poisoned(_))));
    drop(log);
    for entry in fs::read_dir(dir.path().join("journal")).expect("folder") {
        let path = entry.expect("entry").path();
        if path.is_dir() {
            fs::remove_dir(path).expect("folder");
        }
    }
    assert_eq!(events(&open(dir.path())).len() as u64, acknowledged);
}

#[test]
fn a_closed_log_reads_and_refuses() {
    let dir = tempfile::tempdir().expect("folder");
    let log = open(dir.path());
    append(&log, one("run/a", Expect::Any, 1)).expect("appended");
    log.clone().close().expect("stops");
    log.clone().close().expect("again");
    assert_eq!(events(&log).len(), 1);
    assert!(matches!(append(&log, one("run/a", Expect::Any, 2)), Err(AppendError::Poisoned(_))));
    assert_eq!(open(dir.path()).head(), Seq(1), "the data directory is free");
}

#[test]
fn a_reader_beside_the_writer_sees_whole_events_only() {
    let dir = tempfile::tempdir().expect("folder");
    let log = open(dir.path());
    let writer = std::thread::spawn({
        let log = log.clone();
        move || {
            for n in 1..=400 {
                append(&log, one("run/a", Expect::Any, n)).expect("appended");
            }
        }
    });
    let mut seen = Seq(0);
    while seen < Seq(400) {
        let before = log.head();
        let reader = Reader::open(dir.path()).expect("opens");
        let events = reader.read(Seq(1), ALL).expect("read");
        assert!(reader.head() >= before && events.len() as u64 == reader.head().0);
        let report = verify(dir.path()).expect("verifies");
        assert!(report.is_clean() && report.head >= reader.head(), "{report:?}");
        seen = report.head;
    }
    writer.join().expect("writer");
}

#[test]
fn a_replay_of_a_long_log_that_has_seen_enough_ends() {
    let dir = tempfile::tempdir().expect("folder");
    let log = DurableLog::open(Options { seal: false, ..Options::new(dir.path()) }).expect("opens");
    for n in 0..60 {
        let events = (0..500).map(|m| crate::given::draft(n * 500 + m, vec![b'x'; 200])).collect();
        append(&log, Append { stream: stream("run/a"), expect: Expect::Any, events }).expect("appended");
    }
    let mut seen = 0;
    let shown = log.reader().replay(Seq(1), &mut |event| {
        seen = event.seq.0;
        std::ops::ControlFlow::Break(())
    });
    shown.expect("reads");
    assert_eq!(seen, 1);
}
