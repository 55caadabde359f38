//! What a backup does not do: take another history for its own, copy damage, write where it has no business.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use regatta_core::log::backup::{BackupError, archive, backup, is_inside, is_restoring, receipts, restore};
use regatta_core::log::{DurableLog, OpenError, Options, verify};
use regatta_core::{Append, Expect, Log as _, Seq};

use crate::given::{append, copied, draft, one, open, sealing, small, stream};
use crate::simulated::Dice;

fn fill(log: &DurableLog, last: u64, salt: u64) {
    for n in log.head().0 + 1..=last {
        let events = vec![draft(n, Dice(n + salt).noise(300))];
        append(log, Append { stream: stream("run/a"), expect: Expect::Any, events }).expect("appended");
    }
}

/// A log of so many events all of whose full segments are sealed, and stopped.
fn sealed_log(options: &Options, last: u64) {
    let log = DurableLog::open(options.clone()).expect("opens");
    fill(&log, last, 0);
    while !log.reader().segment_files().expect("reads").iter().rev().skip(1).all(|file| file.sealed.is_some()) {
        std::thread::yield_now();
    }
    log.close().expect("stops");
}

fn log_of_100(dir: &Path, seal: bool) {
    if seal {
        sealed_log(&sealing(dir), 100);
    } else {
        let log = open(dir);
        fill(&log, 100, 0);
        log.close().expect("stops");
    }
}

fn sealed_files(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir.join("journal")).expect("folder").map(|entry| entry.expect("entry").path());
    let mut files: Vec<_> = entries.filter(|path| path.extension().is_some_and(|end| end == "sealed")).collect();
    files.sort();
    files
}

/// Damages a file, past the first page of a segment, whose damage is noticed at once.
fn flip(file: &Path) {
    let mut bytes = fs::read(file).expect("file");
    let middle = 5_000.max(bytes.len() / 2);
    bytes[middle] ^= 1;
    fs::write(file, bytes).expect("damaged");
}

fn refused(dir: &Path, to: &Path) -> String {
    backup(dir, to).expect_err("refused").to_string()
}

#[test]
fn a_history_that_parted_is_refused_and_the_backup_stays() {
    for (whole, kept, seal) in [(197, 178, false), (197, 60, false), (300, 100, true)] {
        let folder = tempfile::tempdir().expect("folder");
        let (data, to) = (folder.path().join("data"), folder.path().join("backup"));
        let options = if seal { sealing } else { small };
        let log = DurableLog::open(options(&data)).expect("opens");
        fill(&log, kept, 0);
        log.close().expect("stops");
        let image = copied(&data);
        let log = DurableLog::open(options(&data)).expect("opens");
        fill(&log, whole, 0);
        log.close().expect("stops");
        backup(&data, &to).expect("backed up");
        // It is what an operator has who lost the end, moved HEAD away and went on.
        let log = DurableLog::open(options(image.path())).expect("opens");
        assert_eq!(log.head(), Seq(kept));
        fill(&log, whole + 60, 7);
        log.close().expect("stops");
        for made in [backup(image.path(), &to), archive(image.path(), &to)] {
            let refused = made.expect_err("another history").to_string();
            let wanted =
                format!("ends at event {whole} and holds another history than this log from event {} on", kept + 1);
            assert!(refused.contains(&wanted) && refused.contains("name another folder"), "{refused}");
        }
        let report = verify(&to).expect("verifies");
        assert_eq!((report.is_clean(), report.head), (true, Seq(whole)), "{report:?}");
        assert_eq!(backup(&data, &to).expect("the same log").head, Seq(whole));
    }
}

fn segment_files(dir: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> =
        fs::read_dir(dir.join("journal")).expect("folder").map(|entry| entry.expect("entry").path()).collect();
    files.sort();
    files
}

/// The first event of a segment, by its name.
fn first_of(file: &Path) -> Seq {
    Seq(file.file_stem().and_then(|stem| stem.to_str()?.parse().ok()).expect("a number"))
}

#[test]
fn damaged_segments_are_named_and_left_out_and_what_follows_them_is_kept_until_they_are_mended() {
    for seal in [true, false] {
        let folder = tempfile::tempdir().expect("folder");
        let (data, to) = (folder.path().join("data"), folder.path().join("backup"));
        log_of_100(&data, seal);
        let files = segment_files(&data);
        assert!(files.len() > 4, "{files:?}");
        let damaged = [&files[1], &files[3]];
        let whole = damaged.map(|file| fs::read(file).expect("file"));
        damaged.iter().for_each(|file| flip(file));
        let missing = (first_of(&files[1]), Seq(first_of(&files[2]).0 - 1));
        // Again and again, it is the same.
        for _ in 0..2 {
            let made = backup(&data, &to).expect("the others are backed up");
            let named =
                |file: &Path| made.damaged.iter().any(|damage| damage.place.contains(&file.display().to_string()));
            assert!(made.damaged.len() == 2 && damaged.into_iter().all(|file| named(file)), "{made:?}");
            assert_eq!((made.missing, made.head.next()), (Some(missing), missing.0));
            assert_eq!(receipts(&data).len(), 0, "nothing is removed for it");
            let report = verify(&to).expect("verifies");
            assert_eq!((report.is_clean(), report.head), (true, made.head), "{report:?}");
        }
        let later: Vec<_> = segment_files(&to.join("later")).iter().map(|file| first_of(file)).collect();
        assert_eq!(later, [&files[2..3], &files[4..]].concat().iter().map(|file| first_of(file)).collect::<Vec<_>>());

        let back = folder.path().join("back");
        let restored = restore(&to, &back).expect("what is before it is restored");
        assert_eq!((restored.missing, restored.head.next()), (Some(missing), missing.0));
        assert_eq!(open(&back).head(), restored.head);

        for (file, whole) in damaged.iter().zip(&whole) {
            fs::write(file, whole).expect("mended");
        }
        let made = backup(&data, &to).expect("backed up");
        assert_eq!((made.damaged.len(), made.missing, made.head), (0, None, Seq(100)));
        assert!(verify(&to).expect("verifies").is_clean() && !to.join("later").exists());
        assert_eq!(
            (receipts(&data).len(), restore(&to, &folder.path().join("all")).expect("restored").head),
            (1, Seq(100))
        );
        // A good copy is never replaced by damage, and is enough.
        damaged.iter().for_each(|file| flip(file));
        let made = backup(&data, &to).expect("backed up");
        assert_eq!((made.missing, made.head), (None, Seq(100)), "{made:?}");
        assert!(verify(&to).expect("verifies").is_clean());
    }
}

#[test]
fn a_segment_that_is_damaged_after_its_beginning_was_backed_up_keeps_that_beginning() {
    for seal in [true, false] {
        let folder = tempfile::tempdir().expect("folder");
        let (data, to) = (folder.path().join("data"), folder.path().join("backup"));
        let log = open(&data);
        fill(&log, 30, 0);
        let held = backup(&data, &to).expect("backed up").head;
        let last = first_of(segment_files(&data).last().expect("a segment"));
        log.close().expect("stops");
        log_of_100(&data, seal);
        let file = segment_files(&data).into_iter().find(|file| first_of(file) == last).expect("it is there");
        flip(&file);
        let made = backup(&data, &to).expect("the others are backed up");
        assert_eq!(
            (made.damaged.len(), made.head, made.missing.map(|missing| missing.0)),
            (1, held, Some(held.next()))
        );
        assert_eq!(restore(&to, &folder.path().join("back")).expect("restored").head, held);
    }
}

#[test]
fn a_backup_of_nothing_leaves_nothing() {
    let folder = tempfile::tempdir().expect("folder");
    let (data, to) = (folder.path().join("data"), folder.path().join("backup"));
    assert!(refused(&data, &to).contains("there is no log in "), "{}", refused(&data, &to));
    assert!(!to.exists() && !data.exists());
}

#[test]
fn a_damaged_copy_is_replaced() {
    let folder = tempfile::tempdir().expect("folder");
    let (data, to) = (folder.path().join("data"), folder.path().join("backup"));
    sealed_log(&Options { segment_bytes: 32 << 10, ..sealing(&data) }, 300);
    let patch = Dice(1).noise(20_000);
    let blobs = regatta_core::Blobs::open(&data.join("blobs")).expect("store");
    let hash = blobs.put(&patch).expect("kept").hash;
    backup(&data, &to).expect("backed up");
    let blob = to.join("blobs").join(hash.get(..2).expect("a hash")).join(&hash);
    for file in [&sealed_files(&to)[1], &blob] {
        flip(file);
        assert_eq!(archive(&data, &to).expect("backed up").files, 0, "by itself it looks at the ends only");
        assert_eq!(backup(&data, &to).expect("backed up").files, 1);
    }
    assert!(verify(&to).expect("verifies").is_clean());
    assert_eq!(fs::read(blob).expect("blob"), patch);
}

#[test]
fn a_restore_from_a_damaged_backup_names_the_file_and_can_be_run_again() {
    for seal in [true, false] {
        let folder = tempfile::tempdir().expect("folder");
        let (data, to, back) = (folder.path().join("data"), folder.path().join("to"), folder.path().join("back"));
        log_of_100(&data, seal);
        backup(&data, &to).expect("backed up");
        let mut files: Vec<_> =
            fs::read_dir(to.join("journal")).expect("folder").map(|entry| entry.expect("entry").path()).collect();
        files.sort();
        let whole = fs::read(&files[1]).expect("file");
        flip(&files[1]);
        let name = files[1].display().to_string();
        for _ in 0..2 {
            let error = restore(&to, &back).expect_err("damage");
            assert!(matches!(&error, BackupError::Damaged { place, .. } if place.starts_with(&name)), "{error}");
            let refused = DurableLog::open(small(&back)).expect_err("half a restore");
            assert!(matches!(refused, OpenError::Restoring { .. }), "{refused}");
        }
        fs::write(&files[1], &whole).expect("replaced");
        assert_eq!(restore(&to, &back).expect("restored").head, Seq(100));
        assert!(!is_restoring(&back) && verify(&back).expect("verifies").is_clean());
    }
}

#[test]
fn a_place_that_is_something_else_is_left_alone() {
    let folder = tempfile::tempdir().expect("folder");
    let (data, to) = (folder.path().join("data"), folder.path().join("to"));
    append(&open(&data), one("run/a", Expect::Any, 1)).expect("appended");
    fs::write(data.join("install"), "abcd\n").expect("name");
    let foreign = folder.path().join("foreign");
    fs::write(&foreign, "precious").expect("file");
    for link in ["HEAD.new", "lock"] {
        fs::create_dir(&to).expect("folder");
        symlink(&foreign, to.join(link)).expect("link");
        drop(backup(&data, &to));
        assert_eq!(fs::read_to_string(&foreign).expect("file"), "precious", "{link}");
        fs::remove_dir_all(&to).expect("removed");
    }
    fs::create_dir(&to).expect("folder");
    fs::write(to.join("letter.txt"), "dear").expect("file");
    assert!(
        refused(&data, &to).contains("is neither empty nor a backup: it holds letter.txt"),
        "{}",
        refused(&data, &to)
    );
    assert_eq!(fs::read_dir(&to).expect("folder").count(), 1, "nothing was made there");
    fs::remove_file(to.join("letter.txt")).expect("removed");
    backup(&data, &to).expect("backed up");
    fs::remove_file(to.join("install")).expect("removed");
    assert!(refused(&data, &to).contains("has lost its file `install`"), "{}", refused(&data, &to));
}

#[test]
fn a_place_inside_the_data_directory_is_refused_in_any_spelling() {
    let folder = tempfile::tempdir().expect("folder");
    let (data, elsewhere) = (folder.path().join("data"), folder.path().join("elsewhere"));
    append(&open(&data), one("run/a", Expect::Any, 1)).expect("appended");
    fs::create_dir_all(&elsewhere).expect("folder");
    symlink(&data, folder.path().join("link")).expect("link");
    symlink(data.join("journal"), elsewhere.join("deep")).expect("link");
    for inside in ["data", "data/a", "data/a/b", "link", "link/a", "elsewhere/../data/a", "elsewhere/deep/../x"] {
        let to = folder.path().join(inside);
        assert!(refused(&data, &to).contains("is inside the data directory"), "{inside}");
    }
    for outside in ["data2", "data/../data2", "elsewhere/a"] {
        assert!(!is_inside(&folder.path().join(outside), &data).expect("looked"), "{outside}");
    }
}
