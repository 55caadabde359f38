//! The power is cut at any moment, and the disk may lie about a sync: what was acknowledged is there.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use regatta_core::log::verify::verify_on;
use regatta_core::log::{DurableLog, OpenError, Options, Reader};
use regatta_core::{AppendError, Envelope, Expect, Log, ReadMax, Seq};

use crate::given::{append, draft, one, sealing, small, stream};
use crate::simulated::{Dice, SimulatedDisk, Unsynced};

const ALL: ReadMax = ReadMax { events: usize::MAX, bytes: usize::MAX };
/// Cuts in each of the three models: so many logs, each cut so often.
const LOGS: u64 = 30;
const CUTS: u64 = 10;

/// One log through its power cuts.
struct Life {
    dir: tempfile::TempDir,
    disk: SimulatedDisk,
    unsynced: Unsynced,
    dice: Dice,
    /// What must be there: what was acknowledged, and what an open log showed, which is then known in full.
    durable: BTreeMap<Seq, Option<Envelope>>,
    /// Payloads by event id, of everything ever handed over.
    handed_over: BTreeMap<u64, Vec<u8>>,
    cuts: u64,
}

impl Life {
    fn new(unsynced: Unsynced, seed: u64) -> Self {
        let dir = tempfile::tempdir().expect("folder");
        let disk = SimulatedDisk::new(dir.path(), seed);
        let (durable, handed_over) = (BTreeMap::new(), BTreeMap::new());
        Self { dir, disk, unsynced, dice: Dice(!seed), durable, handed_over, cuts: 0 }
    }

    fn options(&mut self) -> Options {
        let ahead_bytes = self.dice.roll(3) * (4 << 10);
        // Full segments are sealed meanwhile, or by a later start.
        let seal = self.dice.roll(3) > 0;
        // Often, or never.
        let anchor_every = Duration::from_micros(self.dice.roll(3) * 100);
        Options { disk: Arc::new(self.disk.clone()), ahead_bytes, anchor_every, seal, ..sealing(self.dir.path()) }
    }

    /// Uses the log until the power is cut, at any call, or until after a clean stop.
    fn use_it(&mut self) {
        let calls = 1 + self.dice.roll(60);
        self.use_it_for(calls);
    }

    fn use_it_for(&mut self, calls: u64) {
        if self.dice.roll(4) == 0 {
            fs::remove_dir_all(self.dir.path().join("index")).ok();
        }
        self.disk.cut_after(calls);
        let options = self.options();
        let log = match DurableLog::open(options) {
            Ok(log) => log,
            Err(error) => return self.check_cut(&error),
        };
        self.shown(log.read(Seq(1), ALL).unwrap_or_default());
        let bursts = self.dice.roll(80);
        for _ in 0..bursts {
            if !self.burst(&log) {
                break;
            }
        }
        // It may fail, and then it was the power.
        log.close().ok();
    }

    fn check_cut(&self, error: &OpenError) {
        let source = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
        assert!(source.contains("the power was cut"), "{error}: {source}");
    }

    /// Appends a few events at once. Says whether the power is still on.
    fn burst(&mut self, log: &DurableLog) -> bool {
        let count = 1 + self.dice.roll(4);
        let pending: Vec<_> = (0..count).map(|_| log.submit(self.next_append())).collect();
        let answers: Vec<_> = pending.into_iter().map(|pending| pending.blocking_recv().expect("answered")).collect();
        for appended in answers.iter().flatten() {
            // Reading needs power too; without it the acknowledgement alone must do.
            let shown = log.read(appended.first, ReadMax { events: 1, ..ALL }).unwrap_or_default();
            self.durable.entry(appended.first).or_default();
            self.shown(shown);
        }
        answers.iter().all(Result::is_ok)
    }

    fn next_append(&mut self) -> regatta_core::Append {
        let n = self.handed_over.len() as u64 + 1;
        let bytes = match self.dice.roll(8) {
            0 => self.dice.roll(20_000),
            1 | 2 => self.dice.roll(5_000),
            _ => self.dice.roll(200),
        };
        // Noise stays as it is, text is packed.
        let letters = if self.dice.roll(2) == 0 { 256 } else { 3 };
        let payload: Vec<u8> = (0..bytes).map(|_| self.dice.roll(letters) as u8).collect();
        self.handed_over.insert(n, payload.clone());
        let to = ["run/a", "run/b", "run/c"][n as usize % 3];
        regatta_core::Append { stream: stream(to), expect: Expect::Any, events: vec![draft(n, payload)] }
    }

    fn shown(&mut self, events: Vec<Envelope>) {
        self.durable.extend(events.into_iter().map(|event| (event.seq, Some(event))));
    }

    /// Brings the power back and shows that nothing is lost.
    fn cut(&mut self) {
        self.disk = self.disk.after_a_cut(self.unsynced);
        self.cuts += 1;
        let reader = match Reader::open_on(Arc::new(self.disk.clone()), self.dir.path()) {
            Err(OpenError::Absent { .. }) if self.durable.is_empty() => return,
            opened => opened.expect("opens"),
        };
        let events = reader.read(Seq(1), ALL).expect("reads");
        let report = verify_on(&self.disk, self.dir.path()).expect("verifies");
        assert!(report.is_clean(), "{report:?}");
        assert_eq!((report.events, report.head), (events.len() as u64, reader.head()));
        for event in &events {
            let n = event.at_us / 1_000;
            assert_eq!(self.handed_over[&n], event.payload, "event {}", event.seq);
        }
        for (seq, event) in &self.durable {
            let found = events.get(usize::try_from(seq.0 - 1).expect("seq"));
            assert!(found.is_some(), "lost {seq} of {}, found {}", self.durable.len(), events.len());
            assert!(event.is_none() || event.as_ref() == found, "event {seq} is another one");
        }
    }
}

fn check(unsynced: Unsynced) {
    let seeds = match std::env::var("REGATTA_SEED") {
        Ok(seed) => vec![seed.parse().expect("REGATTA_SEED is a number")],
        Err(_) => (1..=LOGS).collect(),
    };
    let (mut cuts, mut durable) = (0, 0);
    for seed in seeds {
        // Shown when the test fails: the last one is the one to try again.
        println!("REGATTA_SEED={seed} {unsynced:?}");
        let mut life = Life::new(unsynced, seed);
        for _ in 0..CUTS {
            life.use_it();
            life.cut();
        }
        let options = life.options();
        DurableLog::open(options).expect("opens at last").close().expect("stops");
        cuts += life.cuts;
        durable += life.durable.len();
    }
    println!("{cuts} power cuts, {durable} durable events, none lost");
    assert!(durable > 0);
}

#[test]
fn nothing_acknowledged_is_lost_when_the_power_is_cut_and_what_is_unsynced_vanishes() {
    check(Unsynced::Vanishes);
}

#[test]
fn nothing_acknowledged_is_lost_when_the_power_is_cut_and_what_is_unsynced_survives() {
    check(Unsynced::Survives);
}

#[test]
fn nothing_acknowledged_is_lost_when_the_power_is_cut_and_what_is_unsynced_survives_at_random() {
    check(Unsynced::AtRandom);
}

#[test]
fn a_first_start_may_be_cut_at_any_call() {
    for seed in 1..=10 {
        for calls in 1..=16 {
            println!("REGATTA_SEED={seed}, cut at call {calls}");
            let mut life = Life::new(Unsynced::AtRandom, seed * 100 + calls);
            life.use_it_for(calls);
            life.cut();
            life.use_it();
            life.cut();
        }
    }
}

fn open_on(disk: &SimulatedDisk, dir: &Path) -> DurableLog {
    DurableLog::open(Options { disk: Arc::new(disk.clone()), ..small(dir) }).expect("opens")
}

#[test]
fn what_a_failed_sync_left_in_memory_is_written_once_more_before_anybody_is_shown_it() {
    let dir = tempfile::tempdir().expect("folder");
    let disk = SimulatedDisk::new(dir.path(), 1);
    let open = |disk: &SimulatedDisk| {
        let options = Options { disk: Arc::new(disk.clone()), ahead_bytes: 0, ..small(dir.path()) };
        DurableLog::open(options).expect("opens")
    };
    let log = open(&disk);
    append(&log, one("run/a", Expect::Any, 1)).expect("appended");
    disk.fail_syncs_after(0);
    append(&log, one("run/a", Expect::Any, 2)).expect_err("the disk failed");
    log.close().expect_err("it did");
    // The system shows what it could not write, and takes it for written.
    disk.mend();
    let log = open(&disk);
    assert_eq!(log.head(), Seq(2));
    let shown = log.read(Seq(1), ALL).expect("reads");
    let disk = disk.after_a_cut(Unsynced::Vanishes);
    drop(log);
    assert_eq!(open(&disk).read(Seq(1), ALL).expect("reads"), shown);
}

#[test]
fn a_sync_that_failed_once_is_never_trusted_again() {
    for syncs in 0..12 {
        let dir = tempfile::tempdir().expect("folder");
        let disk = SimulatedDisk::new(dir.path(), syncs);
        let log = DurableLog::open(Options { disk: Arc::new(disk.clone()), ahead_bytes: 0, ..small(dir.path()) });
        let log = log.expect("opens");
        disk.fail_syncs_after(syncs);
        let mut acknowledged = 0;
        while append(&log, one("run/a", Expect::Any, acknowledged + 1)).is_ok() {
            acknowledged += 1;
        }
        // A later sync would say that all is well, but what the failed one lost stays lost.
        disk.mend();
        for n in 0..20 {
            let answer = append(&log, one("run/a", Expect::Any, acknowledged + 2 + n));
            assert!(matches!(answer, Err(AppendError::Poisoned(_))), "{answer:?}");
        }
        assert!(log.close().is_err());
        for unsynced in [Unsynced::Vanishes, Unsynced::Survives, Unsynced::AtRandom] {
            let disk = disk.copy().after_a_cut(unsynced);
            let log = open_on(&disk, dir.path());
            assert!(log.head().0 >= acknowledged, "{} of {acknowledged} after {syncs} syncs", log.head());
            drop(log);
            fs::remove_dir_all(dir.path().join("index")).expect("index");
        }
        assert!(acknowledged <= syncs && acknowledged + 3 >= syncs, "{acknowledged} acknowledged by {syncs} syncs");
    }
}
