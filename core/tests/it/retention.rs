//! Old segments that are in a backup: what is left reads on by stream and by time, what is gone is said, and the backup
//! and the log together are the whole log.

use std::fs;
use std::path::Path;

use regatta_core::log::backup::{BackupError, backup, holds, receipts, restore};
use regatta_core::log::snapshots::{Kind, Place};
use regatta_core::log::{DurableLog, SegmentFile, verify};
use regatta_core::{Append, Expect, Log as _, ReadError, ReadMax, Seq};

use crate::given::{append, draft, one, sealing, small, stream};
use crate::simulated::Dice;

const ALL: ReadMax = ReadMax { events: usize::MAX, bytes: usize::MAX };
const ONE: ReadMax = ReadMax { events: 1, bytes: 1 };

/// Appends up to that many events, now and then of a stream that is seldom written to.
fn fill(log: &DurableLog, last: u64) {
    for n in log.head().0 + 1..=last {
        let to = if n % 50 == 0 { "run/seldom" } else { "run/often" };
        let append_of = Append { stream: stream(to), expect: Expect::Any, events: vec![draft(n, Dice(n).noise(300))] };
        append(log, append_of).expect("appended");
    }
}

/// Waits until every full segment is sealed.
fn sealed(log: &DurableLog) -> Vec<SegmentFile> {
    loop {
        let files = log.reader().segment_files().expect("reads");
        if files.iter().rev().skip(1).all(|file| file.sealed.is_some()) {
            return files;
        }
        std::thread::yield_now();
    }
}

/// A log of 300 events whose first segments were removed, and its backup made before.
fn given(folder: &Path) -> (DurableLog, Seq) {
    let log = DurableLog::open(sealing(&folder.join("data"))).expect("opens");
    fill(&log, 300);
    let files = sealed(&log);
    assert!(files.len() > 6, "{}", files.len());
    backup(log.dir(), &folder.join("archive")).expect("backed up");
    for file in files.iter().take(4) {
        holds(&folder.join("archive"), file).expect("it is there");
    }
    let first = log.remove_below(files[4].first).expect("removed");
    assert_eq!(first, files[4].first);
    (log, first)
}

#[test]
fn streams_read_on_from_their_first_kept_event_whatever_the_index_remembers() {
    let folder = tempfile::tempdir().expect("folder");
    let (log, first) = given(folder.path());
    let kept = log.read(first, ALL).expect("reads");
    let check = |log: &DurableLog| {
        assert_eq!((log.first(), log.head()), (first, Seq(300)));
        for name in ["run/often", "run/seldom"] {
            let wanted: Vec<_> = kept.iter().filter(|event| event.stream == stream(name)).cloned().collect();
            for max in [ALL, ReadMax { events: 1, bytes: 1 }, ReadMax { events: 7, ..ALL }] {
                let (mut read, mut from) = (Vec::new(), 1);
                loop {
                    let batch = log.read_stream(&stream(name), from, max).expect("reads");
                    let Some(last) = batch.last() else { break };
                    from = last.stream_seq + 1;
                    read.extend(batch);
                }
                assert_eq!(read, wanted, "{name} by {max:?}");
            }
        }
        assert_eq!(log.stream_head(&stream("run/seldom")).expect("reads"), 6);
        assert_eq!(log.stream_head(&stream("run/never")).expect("reads"), 0);
    };
    check(&log);
    log.close().expect("stops");
    let log = DurableLog::open(small(&folder.path().join("data"))).expect("opens");
    check(&log);
    log.close().expect("stops");
    // Rebuilt, it knows only the last of what was removed.
    fs::remove_dir_all(folder.path().join("data/index")).expect("removed");
    check(&DurableLog::open(small(&folder.path().join("data"))).expect("opens"));
}

#[test]
fn what_is_gone_is_said_with_the_backup_that_holds_it() {
    let folder = tempfile::tempdir().expect("folder");
    let (log, first) = given(folder.path());
    let archive = Some(folder.path().join("archive"));
    for asked in [log.read(Seq(1), ONE).map(drop), log.seq_at(1).map(drop)] {
        let error = asked.expect_err("it is gone");
        assert!(error.to_string().contains(&format!("the log begins with event {first}; the backup in ")), "{error}");
        assert!(
            matches!(error, ReadError::Removed { first: begins, archive: place, .. } if begins == first && place == archive)
        );
    }
    // Where nobody remembers a backup, none is named.
    fs::remove_file(folder.path().join("data/backups.json")).expect("removed");
    let error = log.read(Seq(1), ONE).expect_err("it is gone");
    assert_eq!(error.to_string(), format!("event 1 was removed; the log begins with event {first}"));
}

#[test]
fn the_backup_and_the_log_together_are_the_whole_log() {
    let folder = tempfile::tempdir().expect("folder");
    let (data, archive, whole) =
        (folder.path().join("data"), folder.path().join("archive"), folder.path().join("whole"));
    let (log, first) = given(folder.path());
    fill(&log, 400);
    let kept = log.read(first, ALL).expect("reads");
    log.close().expect("stops");
    let copied = backup(&data, &archive).expect("backed up");
    assert_eq!(copied.head, Seq(400));
    let known = receipts(&data);
    assert_eq!(known.len(), 1, "{known:?}");
    assert_eq!((known[0].first, known[0].head), (Seq(1), Seq(400)));
    restore(&archive, &whole).expect("restored");
    let report = verify(&whole).expect("verifies");
    assert_eq!((report.is_clean(), report.first, report.events), (true, Seq(1), 400), "{report:?}");
    assert_eq!(report.hash, verify(&data).expect("verifies").hash, "it is the same chain");
    let log = DurableLog::open(small(&whole)).expect("opens");
    assert_eq!(log.read(first, ALL).expect("reads"), kept);
    assert_eq!(log.read(Seq(1), ALL).expect("reads").len(), 400);
    assert_eq!(append(&log, one("run/seldom", Expect::At(8), 401)).expect("goes on").last, Seq(401));
}

#[test]
fn a_backup_with_a_hole_is_never_made() {
    let folder = tempfile::tempdir().expect("folder");
    let (data, early, fresh) = (folder.path().join("data"), folder.path().join("early"), folder.path().join("fresh"));
    let log = DurableLog::open(sealing(&data)).expect("opens");
    fill(&log, 60);
    sealed(&log);
    backup(&data, &early).expect("backed up");
    fill(&log, 300);
    let files = sealed(&log);
    let first = files[files.len() - 3].first;
    log.remove_below(first).expect("removed");
    let refused = backup(&data, &early).expect_err("what is between is gone");
    assert!(matches!(&refused, BackupError::Other(reason) if reason.contains("name another folder")), "{refused}");
    assert!(verify(&early).expect("verifies").is_clean(), "it is as it was");
    backup(&data, &fresh).expect("backed up");
    let report = verify(&fresh).expect("verifies");
    assert_eq!((report.is_clean(), report.first), (true, first), "{report:?}");
}

#[test]
fn what_only_the_backup_holds_is_read_again_by_every_backup() {
    let folder = tempfile::tempdir().expect("folder");
    let (log, first) = given(folder.path());
    let archive = folder.path().join("archive");
    backup(log.dir(), &archive).expect("backed up");
    let mut old: Vec<_> =
        fs::read_dir(archive.join("journal")).expect("folder").map(|file| file.expect("file").path()).collect();
    old.sort();
    let receipt = receipts(log.dir()).pop().expect("remembered");
    let check_refused = |named: &Path, wanted: &str| {
        fill(&log, log.head().0 + 1);
        let error = backup(log.dir(), &archive).expect_err("it is not whole");
        let BackupError::Damaged { place, reason } = &error else { panic!("{error}") };
        assert!(place.starts_with(&named.display().to_string()) && reason.contains(wanted), "{error}");
        assert_eq!(receipts(log.dir()), std::slice::from_ref(&receipt), "nothing is removed for it");
    };
    for file in &old[..4] {
        let whole = fs::read(file).expect("file");
        let mut bytes = whole.clone();
        let middle = 5_000.max(bytes.len() / 2).min(bytes.len() - 1);
        bytes[middle] ^= 1;
        fs::write(file, bytes).expect("damaged");
        check_refused(file, "");
        fs::write(file, whole).expect("mended");
    }
    for number in 0..4 {
        let whole = fs::read(&old[number]).expect("file");
        fs::remove_file(&old[number]).expect("removed");
        check_refused(&old[number + 1], "is missing before it");
        fs::write(&old[number], whole).expect("mended");
    }
    // What is new was brought nevertheless.
    assert_eq!((log.first(), verify(&archive).expect("verifies").head), (first, log.head()));
    assert_eq!(backup(log.dir(), &archive).expect("backed up").head, log.head());
}

#[test]
fn a_backup_holds_a_segment_only_as_it_is() {
    let folder = tempfile::tempdir().expect("folder");
    let archive = folder.path().join("archive");
    let log = DurableLog::open(sealing(&folder.path().join("data"))).expect("opens");
    fill(&log, 100);
    let files = sealed(&log);
    backup(log.dir(), &archive).expect("backed up");
    let file = &files[0];
    let copy = archive.join("journal").join(file.path.file_name().expect("name"));
    let bytes = fs::read(&copy).expect("file");
    for at in (0..bytes.len() - 36).step_by(97) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1;
        fs::write(&copy, damaged).expect("damage");
        assert!(holds(&archive, file).expect_err("it is another").contains("is not the same"), "byte {at}");
    }
    fs::write(&copy, &bytes[..bytes.len() - 1]).expect("cut");
    holds(&archive, file).expect_err("it is cut");
    fs::remove_file(&copy).expect("removed");
    assert!(holds(&archive, file).expect_err("it is gone").starts_with("is not in the backup "));
    fs::write(&copy, &bytes).expect("brought back");
    holds(&archive, file).expect("it is there");
    assert_eq!(holds(&archive, files.last().expect("a segment")), Err("is not sealed yet".to_owned()));
}

#[test]
fn a_snapshot_is_used_when_the_log_goes_on_right_after_it() {
    const VIEWS: Kind = Kind { name: "views", version: 1 };
    let folder = tempfile::tempdir().expect("folder");
    let (data, archive) = (folder.path().join("data"), folder.path().join("archive"));
    let log = DurableLog::open(sealing(&data)).expect("opens");
    fill(&log, 300);
    let files = sealed(&log);
    backup(&data, &archive).expect("backed up");
    let first = files[4].first;
    let places = [first.0 - 2, first.0 - 1].map(|seq| Place::of(&log.read(Seq(seq), ONE).expect("reads")[0]));
    for place in places {
        log.snapshots().keep(VIEWS, place, b"state").expect("kept");
    }
    assert_eq!(log.remove_below(first).expect("removed"), first);
    let newest = |until| log.snapshots().newest(&log, VIEWS, Seq(until), |_| Ok(())).map(|(place, ())| place.seq);
    assert_eq!(newest(300), Some(Seq(first.0 - 1)));
    assert_eq!(newest(first.0 - 2), None, "what came after it is gone");
}
