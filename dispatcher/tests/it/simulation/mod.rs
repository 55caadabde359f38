//! The whole dispatcher on a fake world and a manual clock, crashed at every failpoint, seed after seed. After each
//! crash it starts again on the same log and the same world; at the end nothing may be lost, doubled or left behind.
//!
//! A failing seed prints itself: `REGATTA_SEED=… cargo nextest run -p regatta-dispatcher simulation`.

mod tidy;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use regatta_core::Vault;
use regatta_core::event::attempt::{AttemptEvent, Channel, DiffStat, Exit as Ended, FileChange, Phase};
use regatta_core::event::cleaning::Wish;
use regatta_core::event::delivery::DeliveryEvent;
use regatta_core::event::run::{Check, Entry, Limits, RunEvent, RunOutcome, Strategy};
use regatta_core::log::{MemoryLog, Pending, ReadMax, Snapshots};
use regatta_core::{
    Actor, Append, AppendError, AttemptId, Blobs, Clock, Envelope, Event, EventId, InstallId, Log, ReadError, RunId,
    Seq, Slot, Stream,
};
use regatta_dispatcher::compose::{Choice, NotComposed};
use regatta_dispatcher::failpoint::{FAILPOINTS, Failpoints};
use regatta_dispatcher::source_control::{Base, Delivery, SourceControl, Start, Unusable, Written};
use regatta_dispatcher::{
    Archives, Caps, Handle, Options, Recall, Refusal, RefusalKind, RunRequest, SynthesisRequest, Uncommitted, World,
};
use regatta_sandboxes::fake::{FakeProvider, Mishaps, Script};
use regatta_sandboxes::{Exec, Exit, Secrets, Stdio};
use tidy::{TIDIED, Tidying, check_left, tidy_up};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Seeds of one ordinary test run; more with `REGATTA_SEEDS`.
const SEEDS: u64 = 1_000;
/// Steps of one life after which the simulation is taken to hang.
const STEPS_MAX: usize = 5_000;
const CAP: usize = 3;
/// What every attempt that changes something changes.
const PATCH: &[u8] =
    b"diff --git a/file b/file\n--- a/file\n+++ b/file\n@@ -1,3 +1,5 @@\n 1\n-2\n+two\n+and\n+more\n 3\n";

/// Splitmix64: the same seed, the same numbers.
#[derive(Clone)]
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn one_in(&mut self, chances: u64) -> bool {
        self.below(chances) == 0
    }
}

fn hash(seed: u64, text: &str) -> Random {
    Random(text.bytes().fold(seed, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)))
}

/// What a command does, from the seed and its name alone: a command asked for twice is the same command.
fn script(seed: u64, key: &str, exec: &Exec) -> Script {
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
struct ManualClock {
    world: FakeProvider,
    ids: AtomicU64,
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
struct FakeGit(Arc<Mutex<BTreeMap<String, String>>>);

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

/// The log on a disk that is full at times: it then refuses, or holds back in order whoever is patient, and takes what
/// relieves the disk, unless it is quite full.
#[derive(Clone, Default)]
struct TightLog {
    log: MemoryLog,
    is_quite_full: Arc<AtomicBool>,
    /// Something while the disk is full.
    held: Arc<Mutex<Option<VecDeque<Held>>>>,
}

type Held = (Append, tokio::sync::oneshot::Sender<Result<regatta_core::Appended, AppendError>>);

impl TightLog {
    fn is_full(&self) -> bool {
        self.held.lock().expect("lock").is_some()
    }

    fn fill(&self, is_quite_full: bool) {
        self.is_quite_full.store(is_quite_full, Ordering::SeqCst);
        self.held.lock().expect("lock").get_or_insert_default();
    }

    fn free(&self) {
        let held = self.held.lock().expect("lock").take();
        self.write(held.into_iter().flatten());
    }

    fn write(&self, held: impl Iterator<Item = Held>) {
        for (append, answer) in held {
            answer.send(self.log.submit(append).try_recv().expect("memory answers at once")).ok();
        }
    }

    /// What was held back was never acknowledged, and is gone.
    fn crash(&self) {
        self.held.lock().expect("lock").take();
    }
}

impl Log for TightLog {
    fn submit(&self, append: Append) -> Pending {
        if self.is_full() {
            let (answer, pending) = tokio::sync::oneshot::channel();
            answer.send(Err(AppendError::ReadOnly("full".into()))).expect("listened to");
            return pending;
        }
        self.log.submit(append)
    }

    fn submit_patiently(&self, append: Append) -> Pending {
        match &mut *self.held.lock().expect("lock") {
            Some(held) => {
                let (answer, pending) = tokio::sync::oneshot::channel();
                held.push_back((append, answer));
                pending
            }
            None => self.log.submit(append),
        }
    }

    fn submit_to_relieve(&self, append: Append) -> Pending {
        let pending = self.submit_patiently(append);
        if let Some(held) = &mut *self.held.lock().expect("lock")
            && !self.is_quite_full.load(Ordering::SeqCst)
        {
            self.write(held.drain(..));
        }
        pending
    }

    fn read_only(&self) -> Option<String> {
        self.is_full().then(|| "full".to_owned())
    }

    fn read_only_for_relief(&self) -> Option<String> {
        self.read_only().filter(|_| self.is_quite_full.load(Ordering::SeqCst))
    }

    fn read(&self, from: Seq, max: ReadMax) -> Result<Vec<Envelope>, ReadError> {
        self.log.read(from, max)
    }

    fn read_stream(&self, stream: &Stream, from: u64, max: ReadMax) -> Result<Vec<Envelope>, ReadError> {
        self.log.read_stream(stream, from, max)
    }

    fn stream_head(&self, stream: &Stream) -> Result<u64, ReadError> {
        self.log.stream_head(stream)
    }

    fn head(&self) -> Seq {
        self.log.head()
    }

    fn watch(&self) -> tokio::sync::watch::Receiver<Seq> {
        self.log.watch()
    }
}

/// What outlives a crash.
struct Simulation {
    seed: u64,
    log: TightLog,
    world: FakeProvider,
    git: FakeGit,
    clock: Arc<ManualClock>,
    blobs: Blobs,
    /// Where snapshots are kept.
    folder: tempfile::TempDir,
    random: Random,
    /// Requests by idempotency key, with the run they were answered with.
    asked: BTreeMap<String, (RunRequest, Option<RunId>)>,
    /// What people do when everything is settled.
    tidying: Tidying,
    /// Failpoints crashed at so far.
    crashed_at: BTreeSet<&'static str>,
}

impl Simulation {
    fn new(seed: u64, blobs: Blobs) -> Self {
        let mut random = Random(seed);
        let mishaps =
            if random.one_in(2) { Mishaps { fails: 60, answers_lost: 60, full: 60 } } else { Mishaps::default() };
        let world = FakeProvider::new(seed, mishaps, move |key, exec| script(seed, key, exec));
        let clock = Arc::new(ManualClock { world: world.clone(), ids: AtomicU64::new(1) });
        let asked = (0..=random.below(3)).map(|n| (format!("key-{seed}-{n}"), (request(&mut random), None))).collect();
        let crashed_at = BTreeSet::new();
        Self {
            seed,
            log: TightLog::default(),
            world,
            git: FakeGit::default(),
            clock,
            blobs,
            folder: tempfile::tempdir().expect("folder"),
            random,
            asked,
            tidying: Tidying::Not,
            crashed_at,
        }
    }

    /// Lives until everything is settled, or until a failpoint kills it. Whether everything is settled.
    fn live(&mut self, crash_after: i64) -> bool {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        runtime.expect("runtime").block_on(self.one_life(crash_after))
    }

    async fn one_life(&mut self, crash_after: i64) -> bool {
        self.log.crash();
        let (left, dead) = (Arc::new(AtomicI64::new(crash_after)), Arc::new(AtomicBool::new(false)));
        let place: Arc<Mutex<Option<&'static str>>> = Arc::default();
        let (dying, died_at) = (Arc::clone(&dead), Arc::clone(&place));
        let failpoints = Failpoints::new(move |point| {
            if left.fetch_sub(1, Ordering::SeqCst) == 0 {
                *died_at.lock().expect("lock") = Some(point);
                dying.store(true, Ordering::SeqCst);
            }
            dying.load(Ordering::SeqCst)
        });
        let (dispatcher, handle) = self.options(failpoints).build();
        let cancel = CancellationToken::new();
        let working = tokio::spawn(dispatcher.run(cancel.clone()));
        let asking = tokio::spawn(ask(handle.clone(), self.asked.clone()));
        let mut settled = false;
        for step in 0..STEPS_MAX {
            // Virtual time moves only when nothing else can.
            tokio::time::sleep(Duration::from_millis(1)).await;
            if dead.load(Ordering::SeqCst) {
                break;
            }
            assert!(!working.is_finished(), "the dispatcher gave up: {:?}", working.await);
            if !self.world.step() {
                if asking.is_finished() && self.is_settled() && self.is_tidy() {
                    settled = true;
                    break;
                }
                self.world.advance(500);
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
            self.meddle(&handle).await;
            self.put_down();
            assert!(step < STEPS_MAX - 1, "it hangs");
        }
        self.crashed_at.extend(*place.lock().expect("lock"));
        if asking.is_finished() {
            for (key, run) in asking.await.expect("asked") {
                let (_, answer) = self.asked.get_mut(&key).expect("asked");
                assert_eq!(*answer.get_or_insert(run), run, "a repeated request was answered with another run");
            }
        }
        settled
    }

    fn options(&self, failpoints: Failpoints) -> Options {
        let install: InstallId = "test".parse().expect("id");
        let providers = BTreeMap::from([("fake".to_owned(), Arc::new(self.world.clone()) as _)]);
        let world = World {
            install,
            log: Arc::new(self.log.clone()),
            blobs: self.blobs.clone(),
            archives: Archives::of(self.folder.path()),
            clock: Arc::clone(&self.clock) as _,
            providers,
            source_control: Arc::new(self.git.clone()),
            home: None,
            network: false,
            vault: Vault::of(
                &self.folder.path().join("vault"),
                Arc::new(self.log.clone()),
                Arc::clone(&self.clock) as _,
            )
            .expect("vault"),
            failpoints,
        };
        let caps = Caps { attempts_max: 8, by_provider: BTreeMap::from([("fake".to_owned(), CAP)]), ..Caps::default() };
        Options { world, caps, snapshots: Some(Snapshots::of(self.folder.path())) }
    }

    /// People and machines do as they please.
    async fn meddle(&mut self, handle: &Handle) {
        if self.random.one_in(if self.log.is_full() { 20 } else { 120 }) {
            if self.log.is_full() { self.log.free() } else { self.log.fill(self.random.one_in(2)) }
        }
        let by = Actor::user("meddler");
        let runs: Vec<RunId> = self.asked.values().filter_map(|(_, run)| *run).collect();
        let slot = Slot::new(usize::try_from(self.random.below(4)).expect("small")).expect("slot");
        if self.tidying != Tidying::Not {
            return self.tidy(handle).await;
        }
        if let Some(run) = runs.first().copied().filter(|_| self.random.one_in(40)) {
            // Every answer is allowed, a refusal too; a hang is not.
            let asked = match self.random.below(10) {
                0 => {
                    Box::pin(handle.cancel(run, None, String::new(), by)) as std::pin::Pin<Box<dyn Future<Output = _>>>
                }
                1 => Box::pin(handle.cancel(run, Some(slot), String::new(), by)),
                2 => Box::pin(handle.pick(run, slot, String::new(), false, by)),
                3 => Box::pin(handle.discard(run, slot, Some("not this".into()), by)),
                4 => Box::pin(handle.discard(run, slot, None, by)),
                5 => Box::pin(synthesize(handle.clone(), run, slot, by)),
                6 => Box::pin(handle.clean(run, slot, Wish::Clean { to: None }, by)),
                7 => Box::pin(handle.clean(run, slot, Wish::Return, by)),
                8 => Box::pin(fork(handle.clone(), self.world.alive(), 1 + self.random.below(60), by)),
                _ => Box::pin(handle.restore(run, slot, by)),
            };
            tokio::time::timeout(Duration::from_millis(50), asked).await.map(Result::ok).ok();
        }
        if self.random.one_in(200)
            && let Some((key, exec)) = self.world.alive().first()
        {
            if self.random.one_in(2) {
                self.world.vanish(key);
            } else {
                self.world.lose(key, exec);
            }
        }
    }

    /// A snapshot may be taken at any moment.
    fn put_down(&mut self) {
        if self.random.one_in(500) {
            let snapshots = Snapshots::of(self.folder.path());
            let recall = Recall::resume(&self.log, &snapshots).expect("recalled");
            recall.keep(&self.log, &snapshots).expect("kept");
        }
    }

    /// A restart from a snapshot finds what one from the beginning finds.
    fn check_recall(&self) {
        let resumed = Recall::resume(&self.log, &Snapshots::of(self.folder.path())).expect("recalled");
        assert_eq!(resumed, Recall::fold(&self.log).expect("recalled"), "a snapshot changes what is under way");
    }

    fn events(&self) -> Vec<(String, Event)> {
        let all = self.log.read(Seq(1), ReadMax { events: usize::MAX, bytes: usize::MAX }).expect("read");
        all.iter().map(|envelope| (envelope.stream.to_string(), envelope.event().expect("event"))).collect()
    }

    fn is_settled(&self) -> bool {
        let events = self.events();
        let last = |stream: &str| {
            let is_move = |event: &Event| matches!(event, Event::Run(event) if !matches!(event, RunEvent::AttemptDiscarded(_) | RunEvent::DiscardUndone(_)));
            let of_run = events.iter().filter(|(name, event)| name == stream && is_move(event));
            matches!(of_run.last(), Some((_, Event::Run(RunEvent::Finished(_)))))
        };
        let runs: BTreeSet<&String> =
            events.iter().map(|(name, _)| name).filter(|name| name.starts_with("run/")).collect();
        runs.iter().all(|run| last(run)) && self.world.sandboxes().is_empty()
    }
}

/// Makes a copy of a sandbox in which something runs; its time may be up before it is made.
async fn fork(handle: Handle, alive: Vec<(String, String)>, for_ms: u64, by: Actor) -> Result<(), Refusal> {
    let Some((key, _)) = alive.first() else { return Ok(()) };
    handle.fork(key.parse().expect("key"), for_ms, by).await.map(drop)
}

/// Makes a further attempt of one hunk.
async fn synthesize(handle: Handle, run: RunId, slot: Slot, by: Actor) -> Result<(), Refusal> {
    let choices = vec![Choice { slot, path: "file".into(), hunk: Some(1), hash: None }];
    let request = SynthesisRequest { choices, reason: String::new(), dry_run: false };
    match handle.synthesize(run, request, by).await {
        Ok(_) => Ok(()),
        Err(NotComposed::Refused(refusal)) => Err(refusal),
        Err(NotComposed::Conflicts(conflicts)) => panic!("one hunk is in conflict: {conflicts:?}"),
    }
}

async fn ask(handle: Handle, requests: BTreeMap<String, (RunRequest, Option<RunId>)>) -> Vec<(String, RunId)> {
    let mut answers = Vec::new();
    for (key, (request, _)) in requests {
        let run = loop {
            match handle.request_run(request.clone(), Actor::user("asker"), Some(key.clone())).await {
                // The disk is full; what to do is said, and done here.
                Err(Refusal { kind: RefusalKind::ReadOnly, .. }) => {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                run => break run.expect("no other refusal"),
            }
        };
        answers.push((key, run));
    }
    answers
}

fn request(random: &mut Random) -> RunRequest {
    let entry = Entry { agent: "command".into(), command: Some("true".into()), model: None, sandbox: "fake".into() };
    let check = |name: &str| Check { name: name.into(), command: "true".into() };
    let strategy = match random.below(3) {
        0 => Strategy::All,
        1 => Strategy::Race,
        _ => Strategy::Best,
    };
    RunRequest {
        prompt: if random.one_in(8) { "long ".repeat(4_000) } else { "fix it".into() },
        repository: if random.one_in(12) { "/gone" } else { "/repo" }.into(),
        base: None,
        uncommitted: Uncommitted::Refuse,
        attempts: vec![entry; usize::try_from(1 + random.below(5)).expect("small")],
        strategy,
        setup: random.one_in(3).then(|| "true".into()),
        checks: (0..random.below(3)).map(|n| check(&format!("check {n}"))).collect(),
        artifacts: if random.one_in(4) { vec!["out/**".into()] } else { vec![] },
        limits: Limits { agent_timeout_ms: 40, ..Limits::default() },
        environment: vec![],
    }
}

/// What must hold in every log, at every moment.
fn check_history(simulation: &Simulation) {
    let mut leases: BTreeSet<AttemptId> = BTreeSet::new();
    let mut epochs: BTreeMap<AttemptId, u32> = BTreeMap::new();
    let mut finished: BTreeMap<String, u32> = BTreeMap::new();
    let mut artifacts: BTreeSet<(AttemptId, u32, String)> = BTreeSet::new();
    let mut printed: BTreeMap<(String, u32, Phase, Channel), Vec<u8>> = BTreeMap::new();
    for (stream, event) in simulation.events() {
        let attempt: Option<AttemptId> = stream.strip_prefix("attempt/").and_then(|id| id.parse().ok());
        match (event, attempt) {
            (Event::Attempt(AttemptEvent::Started(started)), Some(attempt)) => {
                let before = epochs.insert(attempt, started.epoch).unwrap_or(0);
                assert_eq!(started.epoch, before + 1, "{attempt}: a lease is skipped or repeated");
                assert!(leases.insert(attempt), "{attempt} has two leases");
                assert!(leases.len() <= CAP, "more leases than allowed");
            }
            (Event::Attempt(AttemptEvent::RetryScheduled(_)), Some(attempt)) => {
                assert!(leases.remove(&attempt), "{attempt} tries again without a lease");
            }
            (Event::Attempt(AttemptEvent::Finished(_)), Some(attempt)) => {
                leases.remove(&attempt);
                *finished.entry(stream).or_default() += 1;
            }
            (Event::Attempt(AttemptEvent::Output(output)), None) => {
                let so_far = printed.entry((stream, output.epoch, output.phase, output.channel)).or_default();
                assert_eq!(so_far.len() as u64, output.offset, "output is missing or doubled");
                so_far.extend(&output.bytes);
            }
            (Event::Attempt(AttemptEvent::ArtifactsCollected(collected)), Some(attempt)) => {
                if collected.failure.is_some() {
                    continue;
                }
                assert_eq!((collected.artifacts.len(), collected.omitted_count), (1, 1), "{attempt}");
                for artifact in collected.artifacts {
                    let is_new = artifacts.insert((attempt, collected.epoch, artifact.name.clone()));
                    assert!(is_new, "{attempt}: {} is kept twice", artifact.name);
                }
            }
            (Event::Attempt(AttemptEvent::PhaseEnded(ended)), Some(attempt)) => {
                let of = |channel| printed.get(&(format!("output/{attempt}"), ended.epoch, ended.phase, channel));
                let (out, err) = (of(Channel::Out).map_or(0, Vec::len), of(Channel::Err).map_or(0, Vec::len));
                assert_eq!(
                    (out as u64, err as u64),
                    (ended.out_bytes, ended.err_bytes),
                    "{attempt}: output counted wrong"
                );
                if matches!(ended.exit, Ended::Code(_) | Ended::Signal(_)) {
                    let exec = Exec { name: ended.phase.to_string(), ..FakeGit::default().collect_exec("", "") };
                    let key = format!("regatta-test-{}-{}-{}", attempt.run, attempt.slot, ended.epoch);
                    let script = script(simulation.seed, &key, &exec);
                    let all: usize = script.prints.iter().map(|(.., bytes)| bytes.len()).sum();
                    assert_eq!(out + err, all, "{attempt}: output of {} is incomplete", ended.phase);
                }
            }
            _ => {}
        }
    }
    check_left(simulation);
    assert!(finished.values().all(|times| *times == 1), "an attempt ended twice: {finished:?}");
    let begun = simulation.world.all_begun();
    assert!(begun.values().all(|times| *times == 1), "a command was started twice: {begun:?}");
}

/// What must hold when everything is settled.
fn check_end(simulation: &Simulation) {
    assert_eq!(simulation.world.sandboxes(), Vec::<String>::new(), "sandboxes are left");
    let events = simulation.events();
    for (key, (request, run)) in &simulation.asked {
        let run = run.unwrap_or_else(|| panic!("{key} was never answered"));
        let of_run: Vec<&RunEvent> = events
            .iter()
            .filter(|(stream, _)| *stream == format!("run/{run}"))
            .filter_map(|(_, event)| if let Event::Run(event) = event { Some(event) } else { None })
            .filter(|event| !matches!(event, RunEvent::AttemptDiscarded(_) | RunEvent::DiscardUndone(_)))
            .collect();
        let added = of_run.iter().filter(|event| matches!(event, RunEvent::SynthesisRequested(_))).count();
        let attempts = request.attempts.len() + added;
        let requested = of_run.iter().filter(|event| matches!(event, RunEvent::Requested(_))).count();
        assert_eq!(requested, 1, "{run} was requested {requested} times");
        let Some(RunEvent::Finished(finished)) = of_run.last() else { panic!("{run} did not finish") };
        let ended = of_run.iter().filter(|event| matches!(event, RunEvent::AttemptEnded(_))).count();
        match &finished.outcome {
            RunOutcome::Failed { .. } => assert_eq!((request.repository.as_str(), ended), ("/gone", 0)),
            RunOutcome::Cancelled if ended == 0 => {}
            RunOutcome::Delivered { winner } => {
                assert_eq!(ended, attempts);
                let branch = format!("regatta/{run}/{winner}");
                assert!(simulation.git.0.lock().expect("lock").contains_key(&branch), "{branch} is missing");
            }
            RunOutcome::Undelivered { .. } | RunOutcome::Undecided | RunOutcome::Cancelled => {
                assert_eq!(ended, attempts);
            }
        }
    }
    let delivered = events.iter().filter(|(_, event)| matches!(event, Event::Delivery(DeliveryEvent::Delivered(_))));
    let branches = simulation.git.0.lock().expect("lock").len();
    assert!(delivered.count() >= branches, "a branch was made that no event tells of");
}

fn simulate(seed: u64, blobs: Blobs) -> BTreeSet<&'static str> {
    let mut simulation = Simulation::new(seed, blobs);
    let crashes = simulation.random.below(8);
    for _ in 0..crashes {
        let crash_after = i64::try_from(simulation.random.below(60)).expect("small");
        simulation.live(crash_after);
        simulation.check_recall();
        check_history(&simulation);
    }
    while !simulation.live(i64::MAX) {
        check_history(&simulation);
    }
    simulation.check_recall();
    check_history(&simulation);
    check_end(&simulation);
    if seed.is_multiple_of(TIDIED) {
        tidy_up(&mut simulation);
    }
    simulation.crashed_at
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().expect("a number"))
}

#[test]
fn nothing_is_lost_doubled_or_left_behind_at_any_crash() {
    let folder = tempfile::tempdir().expect("folder");
    let blobs = Blobs::open(folder.path()).expect("blobs");
    let seeds: Vec<u64> = match number("REGATTA_SEED") {
        Some(seed) => vec![seed],
        None => (0..number("REGATTA_SEEDS").unwrap_or(SEEDS)).collect(),
    };
    let mut crashed_at = BTreeSet::new();
    for seed in &seeds {
        let blobs = blobs.clone();
        let result = std::panic::catch_unwind(|| simulate(*seed, blobs));
        crashed_at.extend(result.unwrap_or_else(|cause| {
            eprintln!("REGATTA_SEED={seed}");
            std::panic::resume_unwind(cause)
        }));
    }
    if seeds.len() > 100 {
        let all: BTreeSet<&str> = FAILPOINTS.iter().copied().collect();
        assert_eq!(all.difference(&crashed_at).collect::<Vec<_>>(), Vec::<&&str>::new(), "failpoints never crashed at");
    }
}
