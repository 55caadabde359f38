//! Events as runs have them, for measurements: verdicts, collected changes, failures and output, with words, paths, numbers
//! and hashes that are drawn anew for each, so that they compress as real ones do and no better. Knows no log.

use regatta_core::event::attempt::{
    AttemptEvent, Channel, Collected, DiffStat, Exit, FileChange, Finished, Outcome, Output, Phase,
};
use regatta_core::event::run::{Decided, Judge, RunEvent};
use regatta_core::{BlobRef, Event};

const WORDS: [&str; 48] = [
    "the", "parser", "fails", "on", "nested", "brackets", "because", "a", "token", "is", "taken", "twice", "tests",
    "pass", "again", "with", "error", "expected", "found", "line", "function", "returns", "before", "lock", "released",
    "timeout", "while", "reading", "config", "default", "value", "missing", "in", "module", "cache", "key", "was",
    "not", "checked", "against", "bounds", "so", "loop", "never", "ends", "when", "input", "empty",
];
const FOLDERS: [&str; 8] = ["src", "tests", "src/parser", "src/server/http", "docs", "benches", "src/store", "ui/src"];
const EXTENSIONS: [&str; 4] = ["rs", "ts", "md", "toml"];

/// Numbers that look random (splitmix64).
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    /// The next one, below a bound.
    pub(crate) fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % sides
    }

    fn one_of<'a>(&mut self, all: &[&'a str]) -> &'a str {
        let place = self.roll(all.len() as u64) as usize;
        all.get(place).copied().unwrap_or_default()
    }

    fn path(&mut self) -> String {
        let (folder, name, extension) = (self.one_of(&FOLDERS), self.one_of(&WORDS), self.one_of(&EXTENSIONS));
        format!("{folder}/{name}_{}.{extension}", self.one_of(&WORDS))
    }

    /// Words, numbers and paths.
    fn text(&mut self, bytes: usize) -> String {
        let mut text = String::with_capacity(bytes + 32);
        while text.len() < bytes {
            match self.roll(12) {
                0 => text.push_str(&self.path()),
                1 => text.push_str(&self.roll(100_000).to_string()),
                _ => text.push_str(self.one_of(&WORDS)),
            }
            text.push(' ');
        }
        text.truncate(bytes);
        text
    }

    /// What a test runner prints.
    fn lines(&mut self, bytes: usize) -> String {
        let mut text = String::with_capacity(bytes + 96);
        while text.len() < bytes {
            let (module, name, took) = (self.one_of(&WORDS), self.one_of(&WORDS), self.roll(100_000));
            let end = if self.roll(9) == 0 { "FAILED" } else { "ok" };
            text.push_str(&format!("test {module}::{name}_{} ... {end} ({took} us)\n", self.one_of(&WORDS)));
        }
        text.truncate(bytes);
        text
    }

    fn hash(&mut self) -> String {
        (0..4).map(|_| format!("{:016x}", self.roll(u64::MAX))).collect()
    }
}

/// An event that follows from `n`, whose payload has about so many bytes (at least about 250).
pub(crate) fn event(n: u64, bytes: usize) -> Event {
    let mut dice = Dice(n);
    match dice.roll(4) {
        0 => {
            let reason = dice.text(bytes.saturating_sub(58));
            Event::Run(RunEvent::Decided(Decided { winner: None, judge: Judge::Checks, reason, blind: false }))
        }
        1 => Event::Attempt(AttemptEvent::Collected(collected(&mut dice, bytes))),
        2 => {
            let reason = dice.text(bytes.saturating_sub(88));
            let outcome = Outcome::AgentFailed { exit: Exit::NotStarted { reason } };
            Event::Attempt(AttemptEvent::Finished(Finished { outcome, elapsed_ms: dice.roll(3_600_000) }))
        }
        _ => {
            let printed = dice.lines(bytes.saturating_sub(28));
            let (phase, channel, offset) = (Phase::Check(0), Channel::Out, dice.roll(1 << 20));
            Event::Attempt(AttemptEvent::Output(Output { epoch: 1, phase, channel, offset, bytes: printed.into() }))
        }
    }
}

fn collected(dice: &mut Dice, bytes: usize) -> Collected {
    /// Bytes of a changed path beside its name.
    const EACH: usize = 37;
    /// Bytes around the paths.
    const AROUND: usize = 160;
    let mut files = Vec::new();
    let mut taken = AROUND;
    while taken + EACH < bytes {
        let path = dice.path();
        taken += EACH + path.len();
        files.push(FileChange { path, added: Some(dice.roll(400)), removed: Some(dice.roll(90)) });
    }
    files.sort();
    let stat = DiffStat { files: files.len() as u32, added: dice.roll(2_000), removed: dice.roll(500) };
    let patch = Some(BlobRef { hash: dice.hash(), bytes: dice.roll(100_000) });
    Collected { epoch: 1, patch, stat, files, failure: None }
}
