//! The process is killed at any moment: what was acknowledged is there, and the index agrees with it.

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use regatta_core::log::verify;
use regatta_core::log::verify::IndexChecked;
use regatta_core::{Append, Expect, Log as _, ReadMax, Seq};

use crate::given::{draft, open, stream};
use crate::simulated::Dice;

/// Where the process that is to be killed writes.
const DIR: &str = "REGATTA_TEST_KILLED_DIR";
/// How often it is killed, when not as often as by default.
const KILLS: &str = "REGATTA_TEST_KILLS";
const IN_FLIGHT: usize = 8;

fn payload(n: u64) -> Vec<u8> {
    let mut dice = Dice(n);
    let bytes = if dice.roll(10) == 0 { dice.roll(6_000) } else { dice.roll(300) };
    (0..bytes).map(|_| dice.roll(256) as u8).collect()
}

fn numbered(n: u64) -> Append {
    let to = stream(["run/a", "run/b", "output/c"][n as usize % 3]);
    let mut event = draft(n, payload(n));
    event.dedup = n.is_multiple_of(7).then(|| format!("key {n}").into());
    Append { stream: to, expect: Expect::Any, events: vec![event] }
}

/// What the killed process does: it appends for ever and says what was acknowledged. In the process of the tests
/// itself there is nothing to do.
#[test]
fn a_process_appends_until_it_is_killed() {
    let Some(dir) = std::env::var_os(DIR) else { return };
    let log = open(Path::new(&dir));
    let mut pending = VecDeque::new();
    let mut n = log.head().0;
    let mut out = std::io::stdout().lock();
    loop {
        while pending.len() < IN_FLIGHT {
            n += 1;
            pending.push_back(log.submit(numbered(n)));
        }
        let answer = pending.pop_front().expect("pending").blocking_recv().expect("answered");
        writeln!(out, "ack {}", answer.expect("appended").last).expect("said");
        log.set_checkpoint("killed", log.head()).expect("kept");
    }
}

fn spawn(dir: &Path) -> Child {
    let mut child = Command::new(std::env::current_exe().expect("this test"));
    child.args(["--exact", "killed::a_process_appends_until_it_is_killed", "--nocapture", "--test-threads=1"]);
    child.env(DIR, dir).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("started")
}

/// Kills a process after so many lines, and gives the last event it said was acknowledged.
fn kill_after(mut child: Child, lines: u64) -> Option<u64> {
    let mut said = BufReader::new(child.stdout.take().expect("its output")).lines();
    let mut last = None;
    let mut take = |line: String| {
        last = line.strip_prefix("ack ").map(|seq| seq.parse().expect("a number")).or(last);
    };
    said.by_ref().take(usize::try_from(lines).expect("lines")).for_each(|line| take(line.expect("read")));
    child.kill().expect("killed");
    // What stood in the pipe was said before.
    said.map_while(Result::ok).for_each(&mut take);
    let status = child.wait().expect("ended");
    assert!(!status.success() && status.code().is_none(), "it was killed: {status}");
    last
}

#[test]
fn nothing_acknowledged_is_lost_when_the_process_is_killed() {
    let kills: u64 = std::env::var(KILLS).map_or(30, |kills| kills.parse().expect("a number"));
    let dir = tempfile::tempdir().expect("folder");
    let mut dice = Dice(kills);
    let mut acknowledged = 0;
    let mut compared = 0;
    for kill in 1..=kills {
        // The first lines are said before the log is open.
        let lines = dice.roll(if kill % 3 == 0 { 5 } else { 150 });
        let child = spawn(dir.path());
        acknowledged = kill_after(child, lines).unwrap_or(acknowledged);
        if !dir.path().join("journal").exists() || (acknowledged == 0 && !dir.path().join("HEAD").exists()) {
            continue;
        }
        let report = verify(dir.path()).expect("verifies");
        assert!(report.is_clean() && report.head >= Seq(acknowledged), "kill {kill}, at {acknowledged}: {report:?}");
        compared += u64::from(matches!(report.index, IndexChecked::Compared(_)));
    }
    let log = open(dir.path());
    assert!(log.head().0 >= acknowledged && acknowledged > kills);
    let mut from = Seq(1);
    while from <= log.head() {
        for event in log.read(from, ReadMax::default()).expect("reads") {
            assert_eq!((event.seq, event.at_us / 1_000), (from, from.0));
            assert_eq!(event.payload, payload(from.0), "event {from}");
            from = from.next();
        }
    }
    println!("{kills} kills, {acknowledged} events acknowledged, none lost; the index was compared {compared} times");
}
