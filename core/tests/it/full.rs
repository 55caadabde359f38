//! The disk fills up: the log only reads in time, says so, loses nothing, and goes on by itself.

use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;

use regatta_core::log::verify::{IndexChecked, verify_on};
use regatta_core::log::{DurableLog, Options, verify};
use regatta_core::{Append, AppendError, Expect, Log, ReadMax, Seq};

use tokio::sync::oneshot::error::TryRecvError;

use crate::given::{append, draft, one, small, stream};
use crate::mounted::Mounted;
use crate::simulated::{Dice, SimulatedDisk, Unsynced};

const ALL: ReadMax = ReadMax { events: usize::MAX, bytes: usize::MAX };

fn sized(n: u64, bytes: usize) -> Append {
    let events = vec![draft(n, Dice(n).noise(bytes))];
    Append { stream: stream("run/a"), expect: Expect::Any, events }
}

/// Appends until the log only reads; says how many events there are then, and why it only reads.
fn fill(log: &DurableLog, bytes: usize) -> (u64, String) {
    loop {
        match append(log, sized(log.head().0 + 1, bytes)) {
            Ok(appended) => assert_eq!(appended.last, log.head()),
            Err(AppendError::ReadOnly(reason)) => return (log.head().0, reason),
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn the_log_only_reads_before_the_disk_is_full_and_goes_on_when_there_is_room() {
    let (capacity, low_water) = (400 << 10, (16 << 10) + (20 << 10));
    let dir = tempfile::tempdir().expect("folder");
    let disk = SimulatedDisk::new(dir.path(), 1);
    disk.set_capacity(capacity);
    let options = || Options { disk: Arc::new(disk.clone()), ..small(dir.path()) };
    let log = DurableLog::open(options()).expect("opens");
    let (events, reason) = fill(&log, 500);
    assert!(reason.contains("must stay free: free at least "), "{reason}");
    let free = capacity - disk.used();
    // A group, a header and the space prepared ahead may be below it.
    assert!((low_water - (16 << 10)..low_water).contains(&free), "{free} are free");
    for n in 0..50 {
        assert!(matches!(append(&log, one("run/b", Expect::Empty, n)), Err(AppendError::ReadOnly(_))));
    }
    assert_eq!(log.read(Seq(1), ALL).expect("reads").len() as u64, events);
    disk.set_capacity(capacity + low_water);
    append(&log, one("run/b", Expect::Empty, 1)).expect("goes on");
    assert!(fill(&log, 500).0 > events + 20);
    let events = log.head();
    log.close().expect("stops");
    let log = DurableLog::open(options()).expect("opens while it only reads");
    assert_eq!((log.head(), log.read(Seq(1), ALL).expect("reads").len() as u64), (events, events.0));
    // The stop gave back what was prepared ahead.
    fill(&log, 500);
    log.close().expect("stops");
    assert!(verify_on(&disk, dir.path()).expect("verifies").is_clean());
}

#[test]
fn what_waits_for_room_is_written_in_order_when_there_is_some() {
    let capacity = 400 << 10;
    let dir = tempfile::tempdir().expect("folder");
    let disk = SimulatedDisk::new(dir.path(), 1);
    disk.set_capacity(capacity);
    let options = || Options { disk: Arc::new(disk.clone()), ..small(dir.path()) };
    let log = DurableLog::open(options()).expect("opens");
    assert_eq!(log.read_only(), None);
    let (full, _) = fill(&log, 500);
    let told = log.read_only().expect("it says so");
    assert!(told.contains("free at least 1 MiB"), "{told}");
    // More than one group, each on top of the one before it.
    let waiting: Vec<_> = (0..40)
        .map(|n| {
            let events = vec![draft(n, Dice(n).noise(50_000))];
            log.submit_patiently(Append { stream: stream("run/b"), expect: Expect::At(n), events })
        })
        .collect();
    for n in 0..10 {
        assert!(matches!(append(&log, one("run/c", Expect::Empty, n)), Err(AppendError::ReadOnly(_))));
    }
    assert_eq!(log.head(), Seq(full), "nothing is acknowledged");
    disk.set_capacity(8 << 20);
    for (n, pending) in (1..).zip(waiting) {
        let appended = pending.blocking_recv().expect("answered").expect("written");
        assert_eq!((appended.last, appended.stream_seq), (Seq(full + n), n));
    }
    assert_eq!(log.read_only(), None);
    // Those that wait when it is closed are told, and the stop is a clean one.
    disk.set_capacity(disk.used());
    let late = log.submit_patiently(one("run/c", Expect::Empty, 1));
    disk.set_capacity(disk.used() + (4 << 10));
    log.close().expect("stops");
    assert!(matches!(late.blocking_recv().expect("answered"), Err(AppendError::ReadOnly(_))));
    disk.set_capacity(8 << 20);
    let log = DurableLog::open(options()).expect("opens");
    assert_eq!(log.head(), Seq(full + 40));
}

#[test]
fn what_gives_room_back_is_written_first_with_all_before_it_as_long_as_some_is_left() {
    let dir = tempfile::tempdir().expect("folder");
    let disk = SimulatedDisk::new(dir.path(), 1);
    disk.set_capacity(400 << 10);
    let log = DurableLog::open(Options { disk: Arc::new(disk.clone()), ..small(dir.path()) }).expect("opens");
    let (full, _) = fill(&log, 500);
    let of = |name: &str, n: u64| {
        let expect = if n == 0 { Expect::Empty } else { Expect::At(n) };
        Append { stream: stream(name), expect, events: vec![draft(n, Dice(n).noise(100))] }
    };
    let mut waiting: Vec<_> = (0..5).map(|n| log.submit_patiently(of("run/b", n))).collect();
    waiting.push(log.submit_to_relieve(of("run/b", 5)));
    for (n, pending) in (1..).zip(waiting) {
        let appended = pending.blocking_recv().expect("answered").expect("written");
        assert_eq!((appended.last, appended.stream_seq), (Seq(full + n), n));
    }
    assert!(log.read_only().is_some() && log.read_only_for_relief().is_none());
    assert!(matches!(append(&log, of("run/d", 0)), Err(AppendError::ReadOnly(_))));
    assert_eq!(log.head(), Seq(full + 6));
    // It takes no more than its part; the last one waits for room like any other.
    let mut relieved = 6;
    let spent = loop {
        let mut pending = log.submit_to_relieve(of("run/b", relieved));
        let answer = loop {
            match pending.try_recv() {
                Err(TryRecvError::Empty) if log.read_only_for_relief().is_none() => std::thread::yield_now(),
                answer => break answer,
            }
        };
        match answer {
            Ok(written) => relieved = written.expect("written").stream_seq,
            Err(_) => break pending,
        }
    };
    assert!(relieved > 20, "{relieved}");
    let late = log.submit_patiently(of("run/c", 0));
    disk.set_capacity(8 << 20);
    for (pending, then) in [(spent, full + relieved + 1), (late, full + relieved + 2)] {
        assert_eq!(pending.blocking_recv().expect("answered").expect("written").last, Seq(then));
    }
    log.close().expect("stops");
    assert!(verify_on(&disk, dir.path()).expect("verifies").is_clean());
}

#[test]
fn a_disk_that_is_full_without_saying_so_costs_nothing_and_the_log_goes_on() {
    for seed in 1..=30 {
        println!("REGATTA_SEED={seed}");
        let dir = tempfile::tempdir().expect("folder");
        let disk = SimulatedDisk::new(dir.path(), seed);
        let mut dice = Dice(!seed);
        let ahead_bytes = dice.roll(2) * (4 << 10);
        let options = || Options { disk: Arc::new(disk.clone()), ahead_bytes, ..small(dir.path()) };
        let log = DurableLog::open(options()).expect("opens");
        let mut refused = 0;
        for _ in 0..40 {
            disk.set_quota(disk.used() + dice.roll(10_000));
            let (events, reason) = fill(&log, 1 + dice.roll(3_000) as usize);
            refused += usize::from(reason.contains("is full"));
            assert_eq!(log.read(Seq(1), ALL).expect("reads").len() as u64, events);
        }
        assert_eq!(refused, 40);
        let head = log.head();
        let cut = disk.after_a_cut(Unsynced::Vanishes);
        cut.set_quota(1 << 40);
        drop(log);
        assert!(verify_on(&cut, dir.path()).expect("verifies").is_clean());
        let log = DurableLog::open(Options { disk: Arc::new(cut.clone()), ..small(dir.path()) }).expect("opens");
        let events = log.read_stream(&stream("run/a"), 1, ALL).expect("reads");
        assert_eq!((log.head(), events.len() as u64), (head, head.0));
    }
}

fn fill_file(path: &Path, bytes: usize) {
    fs::write(path, vec![1; bytes]).expect("written");
    File::open(path).expect("file").sync_all().expect("synced");
}

#[test]
fn a_real_disk_of_96_megabytes_fills_up() {
    let folder = tempfile::tempdir().expect("folder");
    let Some(mounted) = Mounted::at(folder.path(), 96) else { return };
    let filler = mounted.path().join("filler");
    fill_file(&filler, 40 << 20);
    let dir = mounted.path().join("data");
    let options = || Options { segment_bytes: 4 << 20, ahead_bytes: 1 << 20, seal: false, ..Options::new(&dir) };
    let log = DurableLog::open(options()).expect("opens");
    let (full, reason) = fill(&log, 100 << 10);
    let mounts = fs::read_to_string("/proc/mounts").expect("mounts");
    let at = mounted.path().display().to_string();
    println!("{}", mounts.lines().find(|line| line.contains(&at)).expect("it is mounted"));
    println!("{full} events of 100 KiB, then: {reason}");
    assert!(full > 250, "{full}");
    fs::remove_file(&filler).expect("removed");
    append(&log, sized(full + 1, 100)).expect("goes on by itself");
    let (more, _) = fill(&log, 100 << 10);
    assert!(more > full + 300, "{more}");
    log.close().expect("stops");
    let log = DurableLog::open(options()).expect("opens");
    assert_eq!(log.head(), Seq(more));
    // The stop gave back what was prepared ahead.
    let (more, _) = fill(&log, 100 << 10);
    log.close().expect("stops");
    let report = verify(&dir).expect("verifies");
    assert_eq!((report.is_clean(), report.events), (true, more), "{report:?}");
}

#[test]
fn an_index_that_does_not_open_on_a_full_disk_is_no_damaged_one() {
    let folder = tempfile::tempdir().expect("folder");
    let Some(mounted) = Mounted::at(folder.path(), 96) else { return };
    let dir = mounted.path().join("data");
    let options = || small(&dir);
    let log = DurableLog::open(options()).expect("opens");
    for n in 0..100 {
        append(&log, sized(n, 1)).expect("appended");
    }
    log.set_checkpoint("reactor", Seq(77)).expect("kept");
    log.close().expect("stops");
    let names = || {
        let mut names: Vec<_> =
            fs::read_dir(&dir).expect("folder").map(|entry| entry.expect("entry").file_name()).collect();
        names.sort();
        names
    };
    let before = names();
    let filler = mounted.fill_up();
    for _ in 0..2 {
        let refused = DurableLog::open(options()).expect_err("nothing is left").to_string();
        assert!(refused.starts_with("the disk is full: nothing is free on the disk of "), "{refused}");
        assert!(refused.contains("free at least ") && refused.ends_with(", then start again"), "{refused}");
        let report = verify(&dir).expect("verifies");
        assert_eq!((report.index, report.faults), (IndexChecked::DiskFull, vec![]));
        assert_eq!(names(), before, "nothing was set aside or begun");
    }
    fs::remove_file(&filler).expect("freed");
    let log = DurableLog::open(options()).expect("opens");
    assert_eq!((log.head(), log.checkpoint("reactor")), (Seq(100), Ok(Seq(77))), "the index is the one that was there");
    append(&log, sized(100, 1)).expect("goes on");
    log.close().expect("stops");
    assert_eq!((names(), verify(&dir).expect("verifies").index), (before, IndexChecked::Compared(Seq(101))));
}
