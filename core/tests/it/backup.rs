//! Backups made while a log is written are logs themselves, bring only what is new, and come back.

use std::fs;
use std::path::Path;

use regatta_core::log::backup::{BackupError, backup, is_restoring, restore};
use regatta_core::log::witness::Rechained;
use regatta_core::log::{DurableLog, OpenError, verify};
use regatta_core::{Expect, Log as _, ReadMax, Seq};

use crate::given::{append, one, open, small};

const ALL: ReadMax = ReadMax { events: usize::MAX, bytes: usize::MAX };

fn append_upto(log: &DurableLog, last: u64) {
    for n in log.head().0 + 1..=last {
        append(log, one(&format!("run/{}", n % 3), Expect::Any, n)).expect("appended");
    }
}

/// A blob in a data directory, as the store keeps them.
fn put_blob(dir: &Path, content: &[u8]) -> String {
    regatta_core::Blobs::open(&dir.join("blobs")).expect("store").put(content).expect("kept").hash
}

fn check_is_log(dir: &Path, log: &DurableLog, head: Seq) {
    let report = verify(dir).expect("verifies");
    assert!(report.is_clean() && report.head == head, "{report:?}");
    let reader = regatta_core::log::Reader::open(dir).expect("opens");
    let events = log.read(Seq(1), ALL).expect("read");
    let upto = events.iter().take_while(|event| event.seq <= head).count();
    assert_eq!(reader.read(Seq(1), ALL).expect("read"), events[..upto]);
}

#[test]
fn a_backup_is_a_log_and_the_next_one_brings_only_what_is_new() {
    let folder = tempfile::tempdir().expect("folder");
    let (data, to) = (folder.path().join("data"), folder.path().join("backup"));
    let log = open(&data);
    append_upto(&log, 300);
    let patch = put_blob(&data, b"a patch");
    fs::write(data.join("install"), "abcd\n").expect("name");
    let first = backup(&data, &to).expect("backed up");
    assert_eq!((first.head, first.kept, first.damaged.len()), (Seq(300), 0, 0));
    assert_eq!(first.hash, log.chain_head().1);
    check_is_log(&to, &log, Seq(300));
    assert_eq!(fs::read(to.join("blobs").join(folder_of(&patch)).join(&patch)).expect("blob"), b"a patch");

    let again = backup(&data, &to).expect("backed up");
    assert_eq!((again.files, again.bytes, again.kept), (0, 0, first.files));
    append_upto(&log, 310);
    put_blob(&data, b"another patch");
    let more = backup(&data, &to).expect("backed up");
    // The segment being written, perhaps the next one, and the blob.
    assert!((2..=3).contains(&more.files), "{more:?}");
    append_upto(&log, 700);
    log.clone().close().expect("stops");
    backup(&data, &to).expect("backed up");
    check_is_log(&to, &log, Seq(700));
    // It is a data directory.
    assert_eq!(open(&to).head(), Seq(700));
}

#[test]
fn backups_made_under_load_are_whole() {
    let folder = tempfile::tempdir().expect("folder");
    let (data, to) = (folder.path().join("data"), folder.path().join("backup"));
    let log = open(&data);
    append_upto(&log, 1);
    std::thread::scope(|scope| {
        let writing = scope.spawn(|| append_upto(&log, 1_500));
        let mut last = Seq(0);
        while !writing.is_finished() {
            let durable = log.head();
            let copied = backup(&data, &to).expect("backed up");
            assert!(copied.head >= durable && copied.head >= last, "{copied:?}");
            last = copied.head;
            let report = verify(&to).expect("verifies");
            assert!(report.is_clean() && report.head == last, "{report:?}");
        }
    });
    backup(&data, &to).expect("backed up");
    check_is_log(&to, &log, Seq(1_500));
}

#[test]
fn a_backup_that_stopped_anywhere_is_gone_on_with() {
    let folder = tempfile::tempdir().expect("folder");
    let data = folder.path().join("data");
    let log = open(&data);
    append_upto(&log, 200);
    let whole = folder.path().join("whole");
    backup(&data, &whole).expect("backed up");
    let mut files: Vec<_> =
        fs::read_dir(whole.join("journal")).expect("folder").map(|file| file.expect("file").path()).collect();
    files.sort();
    assert!(files.len() > 3, "{files:?}");
    append_upto(&log, 400);
    for kept in 0..files.len() {
        // The first files have their names, the next one is half there.
        let to = folder.path().join(format!("stopped-{kept}"));
        fs::create_dir_all(to.join("journal")).expect("folder");
        for (number, file) in files.iter().enumerate() {
            let bytes = fs::read(file).expect("file");
            let name = file.file_name().expect("name").to_string_lossy().into_owned();
            if number < kept {
                fs::write(to.join("journal").join(name), bytes).expect("copied");
            } else if number == kept {
                fs::write(to.join("journal").join(format!("{name}.new")), &bytes[..bytes.len() / 2]).expect("copied");
            }
        }
        backup(&data, &to).expect("backed up");
        check_is_log(&to, &log, Seq(400));
        let left: Vec<_> =
            fs::read_dir(to.join("journal")).expect("folder").map(|file| file.expect("file").file_name()).collect();
        assert!(left.iter().all(|name| !name.to_string_lossy().ends_with(".new")), "{left:?}");
    }
}

#[test]
fn a_backup_comes_back_into_an_empty_data_directory_only_and_goes_on() {
    let folder = tempfile::tempdir().expect("folder");
    let (data, to, back) = (folder.path().join("data"), folder.path().join("backup"), folder.path().join("back"));
    let log = open(&data);
    append_upto(&log, 250);
    put_blob(&data, b"a patch");
    fs::write(data.join("install"), "abcd\n").expect("name");
    let noted = Rechained { from: Seq(1), upto: Seq(90) };
    Rechained::note(&data, noted.from, noted.upto).expect("noted");
    backup(&data, &to).expect("backed up");
    let restored = restore(&to, &back).expect("restored");
    assert_eq!(Rechained::of(&back).expect("noted"), Some(noted), "what a witness cannot be asked about comes along");
    assert_eq!((restored.head, is_restoring(&back)), (Seq(250), false));
    check_is_log(&back, &log, Seq(250));
    assert_eq!(fs::read_to_string(back.join("install")).expect("name"), "abcd\n");
    let again = open(&back);
    append_upto(&again, 260);
    again.close().expect("stops");
    let refused = restore(&to, &back).expect_err("not empty").to_string();
    assert!(refused.contains("is not empty: it holds "), "{refused}");
    // What was restored is backed up into the same place.
    assert_eq!(backup(&back, &to).expect("backed up").head, Seq(260));
    // But another log, or one from before, is not.
    let refused = |dir: &Path| backup(dir, &to).expect_err("another log").to_string();
    assert!(refused(&data).contains("ends at 260, but the log at 250"), "{}", refused(&data));
    let other = folder.path().join("other");
    let log = open(&other);
    append_upto(&log, 900);
    fs::write(other.join("install"), "efgh\n").expect("name");
    assert!(refused(&other).contains("is of install abcd, but this is efgh"), "{}", refused(&other));
}

#[test]
fn no_server_starts_on_half_a_restore_and_it_is_gone_on_with() {
    let folder = tempfile::tempdir().expect("folder");
    let (data, to, back) = (folder.path().join("data"), folder.path().join("backup"), folder.path().join("back"));
    let log = open(&data);
    append_upto(&log, 250);
    backup(&data, &to).expect("backed up");
    // A folder in the way of the second segment stops it.
    let mut names: Vec<_> =
        fs::read_dir(to.join("journal")).expect("folder").map(|file| file.expect("file").file_name()).collect();
    names.sort();
    let in_the_way = back.join("journal").join(&names[1]);
    fs::create_dir_all(&back).expect("folder");
    // Not before the restore has begun, or it is not empty.
    fs::write(back.join("restoring"), log.chain_head().1).expect("begun");
    fs::create_dir_all(in_the_way.join("x")).expect("folder");
    assert!(matches!(restore(&to, &back), Err(BackupError::Io { .. })));
    assert!(is_restoring(&back));
    let refused = DurableLog::open(small(&back)).expect_err("half a restore");
    assert!(matches!(refused, OpenError::Restoring { .. }), "{refused}");
    fs::remove_dir_all(&in_the_way).expect("removed");
    let other = folder.path().join("other");
    append_upto(&open(&other), 3);
    let mixed = restore(&other, &back).expect_err("another backup").to_string();
    assert!(mixed.contains("from another backup"), "{mixed}");
    assert_eq!(restore(&to, &back).expect("restored").head, Seq(250));
    check_is_log(&back, &log, Seq(250));
    assert_eq!(open(&back).head(), Seq(250));
}

#[test]
fn a_blob_that_is_damaged_is_named_and_not_copied() {
    let folder = tempfile::tempdir().expect("folder");
    let (data, to) = (folder.path().join("data"), folder.path().join("backup"));
    append_upto(&open(&data), 3);
    let patch = put_blob(&data, b"a patch");
    fs::write(data.join("blobs").join(folder_of(&patch)).join(&patch), "b patch").expect("damaged");
    let copied = backup(&data, &to).expect("backed up");
    let damaged: Vec<_> = copied.damaged.iter().map(|damage| damage.place.ends_with(&patch)).collect();
    assert_eq!((damaged, copied.missing), (vec![true], None));
    assert!(!to.join("blobs").join(folder_of(&patch)).join(&patch).exists());
}

/// Blobs are kept below the beginning of their name.
fn folder_of(blob: &str) -> &str {
    blob.get(..2).expect("a hash")
}

#[test]
fn archives_of_what_was_cleaned_are_kept_by_a_backup_and_come_back() {
    let folder = tempfile::tempdir().expect("folder");
    let (data, to, back) = (folder.path().join("data"), folder.path().join("backup"), folder.path().join("back"));
    let log = open(&data);
    append_upto(&log, 3);
    let archive = Path::new("cleaned/7q2k9x0m.b.tar.zst");
    fs::create_dir(data.join("cleaned")).expect("folder");
    fs::write(data.join(archive), b"packed").expect("archive");
    fs::write(data.join("cleaned/.7q2k9x0m.c.tar.zst.unfinished"), b"pac").expect("being written");
    let first = backup(&data, &to).expect("backed up");
    assert_eq!(fs::read(to.join(archive)).expect("archive"), b"packed");
    assert_eq!(fs::read_dir(to.join("cleaned")).expect("folder").count(), 1);
    let again = backup(&data, &to).expect("backed up");
    assert_eq!((again.files, again.bytes), (0, 0), "after {first:?}");
    // What is put back or forgotten meanwhile stays in the backup, as blobs do.
    fs::remove_file(data.join(archive)).expect("removed");
    backup(&data, &to).expect("backed up");
    restore(&to, &back).expect("restored");
    assert_eq!(fs::read(back.join(archive)).expect("archive"), b"packed");
}
