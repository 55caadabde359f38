//! Sealing and removing on a disk that fails: the power is cut at any call, the disk is full.

use std::path::Path;
use std::sync::Arc;

use regatta_core::log::verify::verify_on;
use regatta_core::log::{DurableLog, Options, Reader};
use regatta_core::{Append, Envelope, Expect, ReadMax, Seq};

use crate::given::{append, draft, sealing, small, stream};
use crate::simulated::{Dice, SimulatedDisk, Unsynced};

const ALL: ReadMax = ReadMax { events: usize::MAX, bytes: usize::MAX };
const MODELS: [Unsynced; 3] = [Unsynced::Vanishes, Unsynced::Survives, Unsynced::AtRandom];

/// What is packed when it is written.
fn repetitive(n: u64) -> Vec<u8> {
    (0..700).map(|at| (at * n % 11) as u8).collect()
}

/// What becomes smaller when it is sealed, and not before.
fn letters(n: u64) -> Vec<u8> {
    let mut dice = Dice(n);
    (0..700).map(|_| b'a' + dice.roll(16) as u8).collect()
}

/// A closed log with several full segments, as they were written.
fn given(seed: u64, payload: fn(u64) -> Vec<u8>) -> (tempfile::TempDir, SimulatedDisk, Vec<Envelope>) {
    let dir = tempfile::tempdir().expect("folder");
    let disk = SimulatedDisk::new(dir.path(), seed);
    let log = DurableLog::open(Options { ahead_bytes: 0, ..on(&disk, small(dir.path())) }).expect("opens");
    for n in 1..=24 {
        let to = stream(if n % 2 == 0 { "run/a" } else { "run/b" });
        append(&log, Append { stream: to, expect: Expect::Any, events: vec![draft(n, payload(n))] }).expect("appended");
    }
    let events = log.reader().read(Seq(1), ALL).expect("reads");
    log.close().expect("stops");
    (dir, disk, events)
}

fn on(disk: &SimulatedDisk, options: Options) -> Options {
    Options { disk: Arc::new(disk.clone()), ..options }
}

/// Whether every full segment is sealed; without power nobody knows.
fn is_sealed(log: &DurableLog) -> bool {
    let Ok(files) = log.reader().segment_files() else { return false };
    files.iter().rev().skip(1).all(|file| file.sealed.is_some())
}

fn wait(until: impl Fn() -> bool) {
    while !until() {
        std::thread::yield_now();
    }
}

/// Shows that a disk holds a whole log with these events.
fn check(disk: &SimulatedDisk, dir: &Path, events: &[Envelope]) {
    let report = verify_on(disk, dir).expect("verifies");
    assert!(report.is_clean(), "{report:?}");
    let reader = Reader::open_on(Arc::new(disk.clone()), dir).expect("opens");
    let first = reader.first();
    let kept = &events[usize::try_from(first.0).expect("seq") - 1..];
    assert_eq!(reader.read(first, ALL).expect("reads"), kept);
}

#[test]
fn sealing_may_be_cut_at_any_call() {
    let mut cuts = 0;
    for unsynced in MODELS {
        for calls in 1.. {
            let (dir, disk, events) = given(calls, repetitive);
            disk.cut_after(calls);
            let opened = DurableLog::open(Options { ahead_bytes: 0, ..on(&disk, sealing(dir.path())) });
            if let Ok(log) = &opened {
                wait(|| disk.is_cut() || is_sealed(log));
            }
            let done = !disk.is_cut();
            drop(opened);
            let after = disk.after_a_cut(unsynced);
            check(&after, dir.path(), &events);
            let log = DurableLog::open(on(&after, sealing(dir.path()))).expect("opens");
            wait(|| is_sealed(&log));
            log.close().expect("stops");
            check(&after, dir.path(), &events);
            cuts += 1;
            if done {
                break;
            }
        }
    }
    println!("{cuts} power cuts while sealing");
    assert!(cuts > 60, "{cuts}");
}

#[test]
fn removing_may_be_cut_at_any_call() {
    for unsynced in MODELS {
        for calls in 1.. {
            let (dir, disk, events) = given(calls, repetitive);
            let log = DurableLog::open(on(&disk, sealing(dir.path()))).expect("opens");
            wait(|| is_sealed(&log));
            log.close().expect("stops");
            let log = DurableLog::open(Options { ahead_bytes: 0, ..on(&disk, small(dir.path())) }).expect("opens");
            disk.cut_after(calls);
            let removed = log.remove_below(Seq(15));
            let done = !disk.is_cut();
            drop(log);
            let after = disk.after_a_cut(unsynced);
            check(&after, dir.path(), &events);
            let log = DurableLog::open(on(&after, sealing(dir.path()))).expect("opens");
            let first = log.remove_below(Seq(15)).expect("removed");
            assert!(removed.is_err() || removed.is_ok_and(|removed| removed == first));
            assert!(first > Seq(1) && first <= Seq(15), "{first}");
            log.close().expect("stops");
            check(&after, dir.path(), &events);
            if done {
                assert!(calls > 5, "{calls}");
                break;
            }
        }
    }
}

#[test]
fn a_full_disk_keeps_segments_as_they_were_until_there_is_room() {
    for seed in 1..=20 {
        println!("REGATTA_SEED={seed}");
        let (dir, disk, events) = given(seed, letters);
        disk.set_quota(disk.used() + Dice(seed).roll(4_500));
        let used = disk.used();
        let log = DurableLog::open(Options { ahead_bytes: 0, ..on(&disk, sealing(dir.path())) }).expect("opens");
        wait(|| disk.refused() > 2);
        assert_eq!(log.reader().read(Seq(1), ALL).expect("reads"), events);
        disk.set_quota(1 << 40);
        wait(|| is_sealed(&log));
        assert_eq!(log.reader().read(Seq(1), ALL).expect("reads"), events);
        log.close().expect("stops");
        assert!(disk.used() < used, "sealing makes room");
        check(&disk, dir.path(), &events);
    }
}

#[test]
fn a_sync_that_fails_while_sealing_costs_nothing() {
    for syncs in 0..8 {
        let (dir, disk, events) = given(syncs, repetitive);
        let log = DurableLog::open(Options { ahead_bytes: 0, ..on(&disk, sealing(dir.path())) });
        let log = log.expect("opens");
        disk.fail_syncs_after(syncs);
        append(&log, Append { stream: stream("run/c"), expect: Expect::Any, events: vec![draft(99, "x")] }).ok();
        drop(log);
        disk.mend();
        for unsynced in MODELS {
            let after = disk.copy().after_a_cut(unsynced);
            let report = verify_on(&after, dir.path()).expect("verifies");
            assert!(report.is_clean(), "{report:?}");
            let reader = Reader::open_on(Arc::new(after), dir.path()).expect("opens");
            assert_eq!(reader.read(Seq(1), ALL).expect("reads")[..24], events);
        }
    }
}
