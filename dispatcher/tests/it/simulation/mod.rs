//! The whole dispatcher on a fake world and a manual clock, crashed at every failpoint, seed after seed. After each
//! crash it starts again on the same log and the same world; at the end nothing may be lost, doubled or left behind.
//!
//! A failing seed prints itself: `REGATTA_SEED=… cargo nextest run -p regatta-dispatcher simulation`.

mod history;
mod tidy;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use history::{check_end, check_history};
use regatta_core::event::cleaning::Wish;
use regatta_core::event::run::{Check, Entry, Limits, RunEvent, Strategy};
use regatta_core::log::{ReadMax, Snapshots, Trouble, TroubledLog};
use regatta_core::{Actor, Blobs, Event, InstallId, Log as _, RunId, Seq, Slot, Vault};
use regatta_dispatcher::compose::{Choice, NotComposed};
use regatta_dispatcher::failpoint::{FAILPOINTS, Failpoints};
use regatta_dispatcher::{
    Archives, Caps, Handle, Options, Recall, Refusal, RefusalKind, RunRequest, SynthesisRequest, Uncommitted, World,
};
use regatta_sandboxes::fake::{FakeProvider, Mishaps};
use tidy::{TIDIED, Tidying, tidy_up};
use tokio_util::sync::CancellationToken;
use world::{FakeGit, ManualClock, Random, script};

/// Seeds of one ordinary test run; more with `REGATTA_SEEDS`.
const SEEDS: u64 = 1_000;
/// Steps of one life after which the simulation is taken to hang.
const STEPS_MAX: usize = 5_000;
const CAP: usize = 3;

/// What outlives a crash.
struct Simulation {
    seed: u64,
    log: TroubledLog,
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
        let mut random = Random::of(seed);
        let mishaps =
            if random.one_in(2) { Mishaps { fails: 60, answers_lost: 60, full: 60 } } else { Mishaps::default() };
        let world = FakeProvider::new(seed, mishaps, move |key, exec| script(seed, key, exec));
        let clock = Arc::new(ManualClock::of(&world));
        let asked = (0..=random.below(3)).map(|n| (format!("key-{seed}-{n}"), (request(&mut random), None))).collect();
        let crashed_at = BTreeSet::new();
        Self {
            seed,
            log: TroubledLog::default(),
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
        let is_full = self.log.read_only().is_some();
        if self.random.one_in(if is_full { 20 } else { 120 }) {
            let fill = |is_quite_full| if is_quite_full { Trouble::QuiteFull } else { Trouble::Full };
            self.log.set(if is_full { Trouble::None } else { fill(self.random.one_in(2)) });
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
