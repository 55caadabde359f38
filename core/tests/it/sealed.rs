//! Full segments are sealed in the background: smaller, and the same to whoever reads. Sealed ones may be removed from
//! the beginning, and the rest stays verifiable.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use regatta_core::log::{DurableLog, OpenError, Options, Reader, SegmentFile, begin_after_sealed, verify};
use regatta_core::{Append, Envelope, Expect, Log, ReadMax, Seq, SystemClock};

use crate::given::{append, copied, draft, keyed, sealing, small, stream};

const ALL: ReadMax = ReadMax { events: usize::MAX, bytes: usize::MAX };

fn event(n: u64) -> Append {
    let to = ["run/a", "run/b", "output/c"][n as usize % 3];
    let mut events = vec![draft(n, format!("{{\"n\":{n},\"text\":\"{}\"}}", "what is said again ".repeat(8)))];
    events[0].dedup = n.is_multiple_of(10).then(|| format!("key {n}").into());
    Append { stream: stream(to), expect: Expect::Any, events }
}

fn fill(log: &DurableLog, events: u64) {
    for n in log.head().0 + 1..=events {
        append(log, event(n)).expect("appended");
    }
}

fn segments(log: &DurableLog) -> Vec<SegmentFile> {
    log.reader().segment_files().expect("listed")
}

/// Waits until every full segment is sealed, and lists them.
fn all_sealed(log: &DurableLog) -> Vec<SegmentFile> {
    loop {
        let files = segments(log);
        if files.iter().rev().skip(1).all(|file| file.sealed.is_some()) {
            return files;
        }
        std::thread::yield_now();
    }
}

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir.join("journal")).expect("folder");
    let mut names: Vec<_> =
        entries.map(|entry| entry.expect("entry").file_name().into_string().expect("name")).collect();
    names.sort();
    names
}

/// A log of so many events, all of whose full segments are sealed, still open.
fn given(events: u64) -> (tempfile::TempDir, DurableLog, Vec<SegmentFile>) {
    let dir = tempfile::tempdir().expect("folder");
    let log = DurableLog::open(sealing(dir.path())).expect("opens");
    fill(&log, events);
    let files = all_sealed(&log);
    assert!(files.len() > 3);
    (dir, log, files)
}

fn all(log: &dyn Log) -> Vec<Envelope> {
    log.read(Seq(1), ALL).expect("reads")
}

#[test]
fn a_sealed_log_reads_as_it_was_written() {
    let (plain, dir) = (tempfile::tempdir().expect("folder"), tempfile::tempdir().expect("folder"));
    let plain = DurableLog::open(small(plain.path())).expect("opens");
    let log = DurableLog::open(sealing(dir.path())).expect("opens");
    fill(&plain, 300);
    fill(&log, 300);
    let check = |log: &DurableLog| {
        assert_eq!(all(log), all(&plain));
        for name in ["run/a", "run/b", "output/c"] {
            let (read, expected) = (log.read_stream(&stream(name), 7, ALL), plain.read_stream(&stream(name), 7, ALL));
            assert_eq!(read.expect("reads"), expected.expect("reads"));
        }
        let few = ReadMax { events: 3, ..ALL };
        for from in 1..=300 {
            assert_eq!(log.read(Seq(from), few).expect("reads"), plain.read(Seq(from), few).expect("reads"));
        }
        for at_us in (0..302_000).step_by(500) {
            assert_eq!(log.seq_at(at_us).expect("reads"), plain.seq_at(at_us).expect("reads"), "at {at_us}");
        }
    };
    check(&log);
    let files = all_sealed(&log);
    assert!(files.len() > 3, "{files:?}");
    check(&log);
    log.close().expect("stops");
    let unsealed = names(dir.path()).into_iter().filter(|name| name.ends_with(".seg")).count();
    assert_eq!((names(dir.path()).len(), unsealed), (files.len(), 1));
    let report = verify(dir.path()).expect("verifies");
    assert_eq!((report.is_clean(), report.events, report.sealed), (true, 300, files.len() as u64 - 1), "{report:?}");
    let log = DurableLog::open(small(dir.path())).expect("opens");
    check(&log);
    let again = append(&log, keyed("run/b", Expect::Any, 9_999, "key 10")).expect("answered");
    assert!(again.duplicate && again.first == Seq(10));
    log.close().expect("stops");
    fs::remove_dir_all(dir.path().join("index")).expect("removed");
    check(&DurableLog::open(small(dir.path())).expect("opens"));
}

#[test]
fn a_reader_beside_a_log_that_is_sealed_goes_on() {
    let dir = tempfile::tempdir().expect("folder");
    let log = DurableLog::open(small(dir.path())).expect("opens");
    fill(&log, 200);
    log.close().expect("stops");
    let reader = Reader::open(dir.path()).expect("opens");
    let events = reader.read(Seq(1), ALL).expect("reads");
    let log = DurableLog::open(sealing(dir.path())).expect("opens");
    all_sealed(&log);
    assert_eq!(reader.read(Seq(1), ALL).expect("reads"), events);
    assert_eq!(
        reader.segment_files().expect("listed").iter().filter(|file| file.sealed.is_some()).count() + 1,
        names(dir.path()).len()
    );
    assert_eq!(all(&log), events);
}

#[test]
fn a_long_log_is_replayed_in_order_by_several_threads() {
    let dir = tempfile::tempdir().expect("folder");
    let options = Options { segment_bytes: 512 << 10, bundle_bytes: 16 << 10, ..sealing(dir.path()) };
    let log = DurableLog::open(options).expect("opens");
    let events = 40_000;
    for first in (1..=events).step_by(500) {
        let drafts = (first..first + 500).map(|n| draft(n, format!("{{\"n\":{n}}}"))).collect();
        append(&log, Append { stream: stream("run/a"), expect: Expect::Any, events: drafts }).expect("appended");
    }
    let files = all_sealed(&log);
    assert!(files.len() > 5);
    for from in [1, 2, 777, 20_000] {
        let mut next = from;
        let replayed = log.reader().replay(Seq(from), &mut |event| {
            assert_eq!((event.seq, event.stream_seq, event.at_us), (Seq(next), next, next * 1_000));
            assert_eq!(event.payload, format!("{{\"n\":{next}}}").as_bytes());
            next += 1;
            std::ops::ControlFlow::Continue(())
        });
        replayed.expect("reads");
        assert_eq!(next, events + 1);
    }
    // Nobody is left waiting when it breaks, or panics.
    for stop_at in [1, 5_000, 39_999] {
        let mut seen = 0;
        let replayed = log.reader().replay(Seq(1), &mut |event| {
            seen = event.seq.0;
            if seen == stop_at { std::ops::ControlFlow::Break(()) } else { std::ops::ControlFlow::Continue(()) }
        });
        replayed.expect("reads");
        assert_eq!(seen, stop_at);
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            log.reader().replay(Seq(1), &mut |event| {
                assert_ne!(event.seq.0, stop_at);
                std::ops::ControlFlow::Continue(())
            })
        }));
        assert!(panicked.is_err());
    }
    // Damage stops it where it is.
    let damaged = &files[2];
    let mut bytes = fs::read(&damaged.path).expect("read");
    bytes[4_100] ^= 1;
    fs::write(&damaged.path, bytes).expect("damage");
    let mut seen = 0;
    let replayed = log.reader().replay(Seq(1), &mut |event| {
        seen = event.seq.0;
        std::ops::ControlFlow::Continue(())
    });
    assert!(matches!(replayed, Err(regatta_core::ReadError::Corrupt { .. })), "{replayed:?}");
    assert_eq!(seen + 1, damaged.first.0);
}

#[test]
fn the_segments_are_listed_with_what_a_backup_needs() {
    let (dir, log, files) = given(200);
    let mut next = 1;
    for (file, number) in files.iter().zip(1..) {
        assert_eq!((file.number, file.first), (number, Seq(next)));
        assert_eq!(file.bytes, fs::metadata(&file.path).expect("there").len());
        next = file.last.0 + 1;
        let Some(sealed) = file.sealed else { continue };
        let bytes = fs::read(&file.path).expect("read");
        let covered = &bytes[..bytes.len() - 36];
        assert_eq!(blake3::hash(covered).as_bytes(), &sealed.blake3);
        assert!(sealed.block_bytes > sealed.record_bytes && sealed.record_bytes > sealed.payload_bytes);
        assert_eq!((sealed.first_at_us, sealed.last_at_us), (file.first.0 * 1_000, file.last.0 * 1_000));
    }
    assert_eq!(next, 201);
    log.close().expect("stops");
    assert_eq!(Reader::open(dir.path()).expect("opens").segment_files().expect("listed")[0], files[0]);
}

#[test]
fn old_sealed_segments_are_removed_and_the_rest_is_verifiable() {
    let (dir, log, files) = given(300);
    let before = all(&log);
    // Nothing ends below these.
    assert_eq!(log.remove_below(Seq(0)).expect("removed"), Seq(1));
    assert_eq!(log.remove_below(files[0].last).expect("removed"), Seq(1));
    let first = log.remove_below(files[1].last.next()).expect("removed");
    assert_eq!((first, log.reader().first()), (files[2].first, files[2].first));
    assert_eq!(names(dir.path()).len(), files.len() - 2);
    let kept = &before[usize::try_from(first.0).expect("seq") - 1..];
    let check = |log: &DurableLog| {
        assert_eq!(log.read(first, ALL).expect("reads"), kept);
        assert!(matches!(log.read(Seq(1), ALL), Err(regatta_core::ReadError::Removed { .. })));
        let of_stream: Vec<_> = kept.iter().filter(|event| event.stream == stream("run/a")).cloned().collect();
        assert_eq!(log.read_stream(&stream("run/a"), 1, ALL).expect("reads"), of_stream);
        assert!(matches!(log.seq_at(1), Err(regatta_core::ReadError::Removed { .. })));
    };
    check(&log);
    fill(&log, 320);
    log.close().expect("stops");
    let report = verify(dir.path()).expect("verifies");
    assert_eq!((report.is_clean(), report.first, report.head), (true, first, Seq(320)), "{report:?}");
    // The active segment is never removed.
    let log = DurableLog::open(sealing(dir.path())).expect("opens");
    assert_eq!(log.head(), Seq(320));
    let last = all_sealed(&log).pop().expect("a segment");
    assert_eq!(log.remove_below(Seq(u64::MAX)).expect("removed"), last.first);
    log.close().expect("stops");
    assert!(verify(dir.path()).expect("verifies").is_clean());
    assert_eq!(DurableLog::open(small(dir.path())).expect("opens").head(), Seq(320));
    // Without what says where it begins, it is not taken for whole.
    fs::remove_file(dir.path().join("FIRST")).expect("removed");
    assert!(matches!(DurableLog::open(small(dir.path())), Err(OpenError::Corrupt { .. })));
    assert!(!verify(dir.path()).expect("verifies").is_clean());
}

#[test]
fn a_stream_whose_events_were_all_removed_does_not_begin_again() {
    let dir = tempfile::tempdir().expect("folder");
    let log = DurableLog::open(sealing(dir.path())).expect("opens");
    append(&log, crate::given::one("run/old", Expect::Empty, 1)).expect("appended");
    append(&log, crate::given::one("run/old", Expect::At(1), 2)).expect("appended");
    fill(&log, 100);
    let files = all_sealed(&log);
    log.remove_below(files[2].first).expect("removed");
    log.remove_below(files[3].first).expect("removed");
    log.close().expect("stops");
    // Not even when the index is lost.
    fs::remove_dir_all(dir.path().join("index")).expect("removed");
    let log = DurableLog::open(small(dir.path())).expect("opens");
    append(&log, crate::given::one("run/old", Expect::Empty, 101)).expect_err("it is at 2");
    assert_eq!(append(&log, crate::given::one("run/old", Expect::At(2), 102)).expect("appended").stream_seq, 3);
    assert_eq!(log.read_stream(&stream("run/old"), 1, ALL).expect("reads").len(), 1);
    log.close().expect("stops");
    let report = verify(dir.path()).expect("verifies");
    assert!(report.is_clean(), "{report:?}");
}

#[test]
fn a_log_restored_from_sealed_segments_goes_on_after_them() {
    let (dir, log, files) = given(200);
    let before = all(&log);
    let image = copied(dir.path());
    let unsealed = files.last().expect("a segment");
    fs::remove_file(image.path().join("journal").join(unsealed.path.file_name().expect("name"))).expect("removed");
    fs::remove_dir_all(image.path().join("index")).expect("removed");
    assert!(matches!(DurableLog::open(small(image.path())), Err(OpenError::Corrupt { .. })));
    assert_eq!(begin_after_sealed(image.path(), &SystemClock).expect("begun"), Some(unsealed.first));
    assert_eq!(begin_after_sealed(image.path(), &SystemClock).expect("nothing to do"), None);
    let log = DurableLog::open(small(image.path())).expect("opens");
    assert_eq!(all(&log), before[..before.len() - (200 - unsealed.first.0 as usize + 1)]);
    fill(&log, 250);
    log.close().expect("stops");
    let report = verify(image.path()).expect("verifies");
    assert_eq!((report.is_clean(), report.events), (true, 250), "{report:?}");
}

#[test]
fn a_segment_that_is_there_in_both_forms_is_sealed_again() {
    let (dir, log, _) = given(100);
    log.close().expect("stops");
    let sealed: Vec<PathBuf> = names(dir.path())
        .into_iter()
        .filter(|name| name.ends_with(".sealed"))
        .map(|name| dir.path().join("journal").join(name))
        .collect();
    let plain = tempfile::tempdir().expect("folder");
    let log = DurableLog::open(small(plain.path())).expect("opens");
    fill(&log, 100);
    log.close().expect("stops");
    // The same events, but other nonces: only a sealed file that fits its log may be used.
    let other = copied(plain.path());
    for path in &sealed {
        fs::copy(path, other.path().join("journal").join(path.file_name().expect("name"))).expect("copied");
    }
    let log = DurableLog::open(sealing(other.path())).expect("opens");
    let files = all_sealed(&log);
    assert_eq!(all(&log).len(), 100);
    log.close().expect("stops");
    assert_eq!(names(other.path()).len(), files.len());
    let report = verify(other.path()).expect("verifies");
    assert!(report.is_clean(), "{report:?}");
}

#[test]
fn damage_in_a_full_segment_keeps_it_from_being_sealed_and_no_other() {
    let dir = tempfile::tempdir().expect("folder");
    let log = DurableLog::open(small(dir.path())).expect("opens");
    fill(&log, 200);
    let files = segments(&log);
    log.close().expect("stops");
    let mut bytes = fs::read(&files[1].path).expect("read");
    bytes[5_000] ^= 1;
    fs::write(&files[1].path, &bytes).expect("damage");
    let log = DurableLog::open(Options { seal_again_after: Duration::from_millis(1), ..sealing(dir.path()) });
    let log = log.expect("opens");
    let sealed = |files: &[SegmentFile]| files.iter().filter(|file| file.sealed.is_some()).count();
    while sealed(&segments(&log)) < files.len() - 2 {
        std::thread::yield_now();
    }
    assert!(segments(&log)[1].sealed.is_none());
    assert_eq!(fs::read(&files[1].path).expect("read"), bytes, "it is as it was");
    bytes[5_000] ^= 1;
    fs::write(&files[1].path, &bytes).expect("restored");
    all_sealed(&log);
    log.close().expect("stops");
    assert!(verify(dir.path()).expect("verifies").is_clean());
}
