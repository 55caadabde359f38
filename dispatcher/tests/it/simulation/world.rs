//! The world of the simulation: chance, what commands do in it, its clock, and its git.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use regatta_core::event::attempt::{DiffStat, FileChange};
use regatta_core::{Clock, EventId, RunId};
use regatta_dispatcher::source_control::{Base, Delivery, SourceControl, Start, Unusable, Written};
use regatta_dispatcher::{Refusal, Uncommitted};
use regatta_sandboxes::fake::{FakeProvider, Script};
use regatta_sandboxes::{Exec, Exit, Secrets, Stdio};
use uuid::Uuid;

/// What every attempt that changes something changes.
pub(super) const PATCH: &[u8] =
    b"diff --git a/file b/file\n--- a/file\n+++ b/file\n@@ -1,3 +1,5 @@\n 1\n-2\n+two\n+and\n+more\n 3\n";

/// Splitmix64: the same seed, the same numbers.
#[derive(Clone)]
pub(super) struct Random(u64);

impl Random {
    /// The numbers of a seed.
    pub(super) fn of(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    pub(super) fn one_in(&mut self, chances: u64) -> bool {
        self.below(chances) == 0
    }
}

fn hash(seed: u64, text: &str) -> Random {
    Random(text.bytes().fold(seed, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)))
}

/// What a command does, from the seed and its name alone: a command asked for twice is the same command.
pub(super) fn script(seed: u64, key: &str, exec: &Exec) -> Script {
    let mut random = hash(seed, &format!("{key}/{}", exec.name));
    if exec.name.starts_with("collect") || exec.name == "baseline" {
        let patch = if exec.name == "baseline" { &b"setup"[..] } else { PATCH };
        let outbox = [("diff.patch", patch), ("numstat", &b"3\t1\tfile\0"[..])];
        let outbox = outbox.into_iter().map(|(name, bytes)| (name.to_owned(), bytes.to_vec())).collect();
        return Script { takes_ms: 1 + random.below(5), outbox, ..Script::default() };
    }
    if exec.name.starts_with("artifacts-") {
        let phase = exec.env.get("REGATTA_PHASE").expect("told");
        let outbox = [("artifacts.list", b"fk./left.txt\0fl./giant\0".to_vec()), ("artifacts.tar", packed(phase))];
        let outbox = outbox.into_iter().map(|(name, bytes)| (name.to_owned(), bytes)).collect();
        return Script { takes_ms: 1 + random.below(5), outbox, ..Script::default() };
    }
    let takes_ms = 1 + random.below(60);
    let prints = (0..random.below(6)).map(|n| {
        let stdio = if random.one_in(3) { Stdio::Err } else { Stdio::Out };
        (random.below(takes_ms), stdio, format!("{n} of {}\n", exec.name).into_bytes())
    });
    let mut prints: Vec<_> = prints.collect();
    prints.sort_by_key(|(at_ms, ..)| *at_ms);
    let exit = match random.below(10) {
        0 => Exit::Code(1),
        1 => Exit::Signal(11),
        _ => Exit::Code(0),
    };
    let touches = exec.name == "agent" && !random.one_in(6);
    let is_stubborn = random.one_in(4);
    Script { takes_ms, prints, exit, touches, leaves: random.one_in(3), is_stubborn, outbox: BTreeMap::new() }
}

/// One file, as a command leaves it.
fn packed(phase: &str) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    let (mut header, content) = (tar::Header::new_gnu(), format!("left by {phase}"));
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    builder.append_data(&mut header, "left.txt", content.as_bytes()).expect("appended");
    builder.into_inner().expect("whole")
}

/// Time is the world's; ids count up.
pub(super) struct ManualClock {
    world: FakeProvider,
    ids: AtomicU64,
}

impl ManualClock {
    pub(super) fn of(world: &FakeProvider) -> Self {
        Self { world: world.clone(), ids: AtomicU64::new(1) }
    }
}

impl Clock for ManualClock {
    fn now_us(&self) -> u64 {
        1_000_000_000 + self.world.now_ms() * 1_000
    }

    fn event_id(&self) -> EventId {
        EventId(Uuid::from_u128(u128::from(self.ids.fetch_add(1, Ordering::Relaxed))))
    }
}

/// Branches by name, with their commits.
#[derive(Clone, Default)]
pub(super) struct FakeGit(pub(super) Arc<Mutex<BTreeMap<String, String>>>);

#[async_trait]
impl SourceControl for FakeGit {
    async fn resolve(&self, path: &Path, _: Option<&str>, _: Uncommitted, _: u64) -> Result<Base, Refusal> {
        let repository = path.to_string_lossy().into_owned();
        Ok(Base { repository, base_ref: "main".into(), base_commit: "3f1c2".into(), uncommitted_included: 0 })
    }

    async fn prepare(&self, _: RunId, repository: &str, _: &str) -> Result<Start, Unusable> {
        if repository == "/gone" { Err(Unusable("it is gone".into())) } else { self.start(repository, "").await }
    }

    async fn start(&self, _: &str, _: &str) -> Result<Start, Unusable> {
        Ok(Start { seed: PathBuf::from("/seed"), read_only: vec![] })
    }

    fn collect_exec(&self, _: &str, _: &str) -> Exec {
        Exec {
            name: "collect".into(),
            argv: vec![],
            env: BTreeMap::new(),
            env_pass: vec![],
            secrets: Secrets::default(),
            timeout_ms: 60_000,
            output_bytes_max: 1 << 20,
        }
    }

    fn collect_failure(&self, exit: &Exit, _: &[u8]) -> Option<String> {
        (*exit != Exit::Code(0)).then(|| format!("{exit:?}"))
    }

    fn read_numstat(&self, numstat: &[u8]) -> Result<(DiffStat, Vec<FileChange>), Unusable> {
        assert_eq!(numstat, b"3\t1\tfile\0");
        let file = FileChange { path: "file".into(), added: Some(3), removed: Some(1) };
        Ok((DiffStat { files: 1, added: 3, removed: 1 }, vec![file]))
    }

    async fn compose(&self, _: &str, _: &str, patch: Vec<u8>) -> Result<Written, Unusable> {
        Ok(Written { patch, stat: DiffStat { files: 1, added: 3, removed: 1 } })
    }

    async fn deliver(&self, delivery: Delivery) -> Result<String, Unusable> {
        assert_eq!(delivery.patch, PATCH);
        let commit = format!("commit-of-{}", delivery.branch);
        self.0.lock().expect("lock").insert(delivery.branch, commit.clone());
        Ok(commit)
    }
}
