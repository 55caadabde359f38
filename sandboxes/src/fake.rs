//! A provider for simulations: a world in memory with a clock of its own, in which scripted commands run when the clock
//! is moved. It survives the crash of whoever uses it, fails and loses answers as its seed says, and counts what really
//! happened. No real time, no chance: the same seed and the same calls give the same world.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use tokio::sync::watch;

use crate::provider::{Capability, Created, Ended, Error, Exec, Exit, Found, Provider, Spec, Status, Stdio};

/// What a command does, in the world's time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// How long it runs by itself; past its own time-out it is stopped.
    pub takes_ms: u64,
    /// What it prints: when after its start, where, what.
    pub prints: Vec<(u64, Stdio, Vec<u8>)>,
    /// How it ends by itself.
    pub exit: Exit,
    /// What is in its outbox when it has ended.
    pub outbox: BTreeMap<String, Vec<u8>>,
    /// Whether it changes the workspace.
    pub touches: bool,
    /// Whether it leaves artifacts.
    pub leaves: bool,
    /// Whether a request to end is ignored, so that only force ends it.
    pub is_stubborn: bool,
}

impl Default for Script {
    fn default() -> Self {
        Self {
            takes_ms: 1,
            prints: vec![],
            exit: Exit::Code(0),
            outbox: BTreeMap::new(),
            touches: false,
            leaves: false,
            is_stubborn: false,
        }
    }
}

/// How often calls that change something go wrong, in a thousand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Mishaps {
    /// Nothing happens, and the call fails.
    pub fails: u16,
    /// It happens, but the answer is lost: the call fails all the same.
    pub answers_lost: u16,
    /// A sandbox is refused, because there are too many.
    pub full: u16,
}

/// How long a copy takes to make, in the world's time.
const FORK_TAKES_MS: u64 = 20;

type Writer = dyn Fn(&str, &Exec) -> Script + Send + Sync;

/// The provider, and the handle to its world; clones share it.
#[derive(Clone)]
pub struct FakeProvider {
    world: Arc<Mutex<World>>,
    /// Counts what changed in the world.
    moved: watch::Sender<u64>,
    script: Arc<Writer>,
}

impl std::fmt::Debug for FakeProvider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FakeProvider").field("world", &self.world).finish_non_exhaustive()
    }
}

#[derive(Debug)]
struct World {
    now_ms: u64,
    random: u64,
    mishaps: Mishaps,
    sandboxes: BTreeMap<String, Sandbox>,
    /// How often each command really began, also of sandboxes that are gone.
    begun: BTreeMap<(String, String), u32>,
}

#[derive(Debug)]
struct Sandbox {
    owner: String,
    created_at_ms: u64,
    execs: BTreeMap<String, Run>,
}

#[derive(Debug)]
struct Run {
    script: Script,
    started_at_ms: u64,
    ends_at_ms: u64,
    exit: Exit,
    ended: Option<Ended>,
    /// The count of changes when somebody last returned from [`Provider::changed`].
    seen: u64,
}

impl FakeProvider {
    /// An empty world. `script` says what a command of a sandbox does, by key and command.
    pub fn new(seed: u64, mishaps: Mishaps, script: impl Fn(&str, &Exec) -> Script + Send + Sync + 'static) -> Self {
        let world = World { now_ms: 0, random: seed, mishaps, sandboxes: BTreeMap::new(), begun: BTreeMap::new() };
        Self { world: Arc::new(Mutex::new(world)), moved: watch::Sender::new(1), script: Arc::new(script) }
    }

    /// The world's time.
    #[must_use]
    pub fn now_ms(&self) -> u64 {
        self.world().now_ms
    }

    /// When the next thing happens by itself: something is printed or ends.
    #[must_use]
    pub fn next_ms(&self) -> Option<u64> {
        let world = self.world();
        let running = world.sandboxes.values().flat_map(|sandbox| sandbox.execs.values());
        running.filter_map(|run| run.next_ms(world.now_ms)).min()
    }

    /// Moves the clock and lets happen what is due.
    pub fn advance(&self, by_ms: u64) {
        self.change(|world| world.now_ms = world.now_ms.saturating_add(by_ms));
    }

    /// Moves the clock to the next thing that happens by itself; `false` when nothing ever will.
    pub fn step(&self) -> bool {
        let Some(next_ms) = self.next_ms() else { return false };
        self.advance(next_ms.saturating_sub(self.now_ms()));
        true
    }

    /// From now on calls go wrong that often.
    pub fn set_mishaps(&self, mishaps: Mishaps) {
        self.world().mishaps = mishaps;
    }

    /// Takes a sandbox away, as a machine that dies does.
    pub fn vanish(&self, key: &str) {
        self.change(|world| drop(world.sandboxes.remove(key)));
    }

    /// Takes the runner of a running command away: its exit is lost.
    pub fn lose(&self, key: &str, exec: &str) {
        self.change(|world| {
            let now_ms = world.now_ms;
            let run = world.sandboxes.get_mut(key).and_then(|sandbox| sandbox.execs.get_mut(exec));
            if let Some(run) = run.filter(|run| run.ended.is_none()) {
                (run.exit, run.ends_at_ms) = (Exit::Lost, now_ms);
            }
        });
    }

    /// The sandboxes that exist.
    #[must_use]
    pub fn sandboxes(&self) -> Vec<String> {
        self.world().sandboxes.keys().cloned().collect()
    }

    /// The commands that run, as sandbox and command.
    #[must_use]
    pub fn alive(&self) -> Vec<(String, String)> {
        let world = self.world();
        let all = world.sandboxes.iter().flat_map(|(key, sandbox)| {
            let alive = sandbox.execs.iter().filter(|(_, run)| run.ended.is_none());
            alive.map(|(exec, _)| (key.clone(), exec.clone()))
        });
        all.collect()
    }

    /// How often a command really began.
    #[must_use]
    pub fn begun(&self, key: &str, exec: &str) -> u32 {
        self.world().begun.get(&(key.to_owned(), exec.to_owned())).copied().unwrap_or(0)
    }

    /// Every command that ever began, and how often.
    #[must_use]
    pub fn all_begun(&self) -> BTreeMap<(String, String), u32> {
        self.world().begun.clone()
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change<T>(&self, change: impl FnOnce(&mut World) -> T) -> T {
        let mut world = self.world();
        let done = change(&mut world);
        let now_ms = world.now_ms;
        world.sandboxes.values_mut().flat_map(|sandbox| sandbox.execs.values_mut()).for_each(|run| run.settle(now_ms));
        self.moved.send_modify(|count| *count += 1);
        done
    }

    /// A call that changes something, and may go wrong before or after it.
    fn mutate<T>(&self, action: &str, change: impl FnOnce(&mut World) -> Result<T, Error>) -> Result<T, Error> {
        self.change(|world| {
            let (chance, Mishaps { fails, answers_lost, full: _ }) = (world.chance(), world.mishaps);
            let broken = |text| Err(Error::Transient { action: action.to_owned(), source: io::Error::other(text) });
            if chance < fails {
                return broken("nothing happened");
            }
            let done = change(world);
            if chance < fails.saturating_add(answers_lost) { broken("the answer was lost") } else { done }
        })
    }

    fn with_run<T>(&self, key: &str, exec: &str, look: impl FnOnce(Option<&mut Run>, u64) -> T) -> Result<T, Error> {
        let mut world = self.world();
        let now_ms = world.now_ms;
        let sandbox = world.sandboxes.get_mut(key).ok_or_else(|| missing(key))?;
        Ok(look(sandbox.execs.get_mut(exec), now_ms))
    }
}

fn created(key: &str) -> Created {
    let inside = |name| format!("/fake/{key}/{name}");
    Created { fence: "none".to_owned(), workspace: inside("work"), inbox: inside("inbox"), is_warm: false }
}

fn missing(key: &str) -> Error {
    Error::Missing(format!("sandbox {key}"))
}

impl World {
    /// A number below 1000; the sequence is splitmix64.
    fn chance(&mut self) -> u16 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        u16::try_from((mixed ^ (mixed >> 31)) % 1000).unwrap_or_default()
    }
}

impl Run {
    fn settle(&mut self, now_ms: u64) {
        if self.ended.is_none() && self.ends_at_ms <= now_ms {
            let elapsed_ms = self.ends_at_ms.saturating_sub(self.started_at_ms);
            self.ended = Some(Ended { oom_kills: 0, exit: self.exit.clone(), elapsed_ms });
        }
    }

    fn next_ms(&self, now_ms: u64) -> Option<u64> {
        if self.ended.is_some() {
            return None;
        }
        let prints = self.script.prints.iter().map(|(at_ms, ..)| self.started_at_ms.saturating_add(*at_ms));
        prints.filter(|at_ms| *at_ms > now_ms).chain([self.ends_at_ms]).min()
    }

    fn printed(&self, now_ms: u64, stdio: Stdio) -> Vec<u8> {
        let lived_ms = now_ms.min(self.ends_at_ms).saturating_sub(self.started_at_ms);
        let due = self.script.prints.iter().filter(|(at_ms, on, _)| *on == stdio && *at_ms <= lived_ms);
        due.flat_map(|(.., bytes)| bytes.iter().copied()).collect()
    }
}

#[async_trait]
impl Provider for FakeProvider {
    fn name(&self) -> &'static str {
        "fake"
    }

    async fn probe(&self) -> Result<String, Error> {
        Ok("none".to_owned())
    }

    async fn create(&self, spec: &Spec) -> Result<Created, Error> {
        let is_full = self.change(|world| world.mishaps.full > 0 && world.chance() < world.mishaps.full);
        if is_full {
            return Err(Error::Full { reason: "there are too many".to_owned(), wait_ms: 100 });
        }
        self.mutate("make a sandbox", |world| {
            let created_at_ms = world.now_ms;
            let make = || Sandbox { owner: spec.owner.clone(), created_at_ms, execs: BTreeMap::new() };
            world.sandboxes.entry(spec.key.clone()).or_insert_with(make);
            Ok(created(&spec.key))
        })
    }

    async fn find(&self, key: &str) -> Result<Created, Error> {
        if self.world().sandboxes.contains_key(key) { Ok(created(key)) } else { Err(missing(key)) }
    }

    async fn list(&self, owner: &str) -> Result<Vec<Found>, Error> {
        let world = self.world();
        let own = world.sandboxes.iter().filter(|(_, sandbox)| sandbox.owner == owner);
        let found = own.map(|(key, sandbox)| Found {
            key: key.clone(),
            created_at_ms: sandbox.created_at_ms,
            disk_bytes: None,
            rent_usd_micros_per_hour: None,
        });
        Ok(found.collect())
    }

    async fn start(&self, key: &str, exec: &Exec) -> Result<(), Error> {
        self.mutate("start a command", |world| {
            let now_ms = world.now_ms;
            let sandbox = world.sandboxes.get_mut(key).ok_or_else(|| missing(key))?;
            if sandbox.execs.contains_key(&exec.name) {
                return Ok(());
            }
            let script = (self.script)(key, exec);
            let is_late = script.takes_ms > exec.timeout_ms;
            let run = Run {
                started_at_ms: now_ms,
                ends_at_ms: now_ms.saturating_add(script.takes_ms.min(exec.timeout_ms)),
                exit: if is_late { Exit::TimedOut } else { script.exit.clone() },
                script,
                ended: None,
                seen: 0,
            };
            sandbox.execs.insert(exec.name.clone(), run);
            *world.begun.entry((key.to_owned(), exec.name.clone())).or_default() += 1;
            Ok(())
        })
    }

    async fn status(&self, key: &str, exec: &str) -> Result<Status, Error> {
        self.with_run(key, exec, |run, _| match run.map(|run| run.ended.clone()) {
            None => Status::NotStarted,
            Some(None) => Status::Running,
            Some(Some(ended)) => Status::Ended(ended),
        })
    }

    async fn read(&self, key: &str, exec: &str, stdio: Stdio, offset: u64, bytes_max: usize) -> Result<Vec<u8>, Error> {
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        self.with_run(key, exec, |run, now_ms| {
            let printed = run.map(|run| run.printed(now_ms, stdio)).unwrap_or_default();
            printed.into_iter().skip(offset).take(bytes_max).collect()
        })
    }

    async fn changed(&self, key: &str, exec: &str) {
        let mut moved = self.moved.subscribe();
        loop {
            let count = *moved.borrow_and_update();
            let is_new = self.with_run(key, exec, |run, _| match run {
                Some(run) => std::mem::replace(&mut run.seen, count) != count,
                None => false,
            });
            // What is gone has changed for good.
            if is_new.unwrap_or(true) || moved.changed().await.is_err() {
                return;
            }
        }
    }

    async fn kill(&self, key: &str, exec: &str, grace_ms: u64) -> Result<(), Error> {
        self.mutate("stop a command", |world| {
            let now_ms = world.now_ms;
            let sandbox = world.sandboxes.get_mut(key).ok_or_else(|| missing(key))?;
            if let Some(run) = sandbox.execs.get_mut(exec).filter(|run| run.ended.is_none()) {
                let grace_ms = if run.script.is_stubborn { grace_ms } else { 0 };
                run.ends_at_ms = run.ends_at_ms.min(now_ms.saturating_add(grace_ms));
                run.exit = Exit::Killed;
            }
            Ok(())
        })
    }

    async fn get(&self, key: &str, exec: &str, name: &str, bytes_max: u64) -> Result<Vec<u8>, Error> {
        let content = self.with_run(key, exec, |run, _| {
            run.filter(|run| run.ended.is_some()).and_then(|run| run.script.outbox.get(name).cloned())
        })?;
        let content = content.ok_or_else(|| Error::Missing(format!("`{name}` in the outbox of {exec}")))?;
        match u64::try_from(content.len()).unwrap_or(u64::MAX) {
            bytes if bytes > bytes_max => Err(Error::TooLarge { what: name.to_owned(), bytes, bytes_max }),
            _ => Ok(content),
        }
    }

    async fn left_nothing(&self, key: &str, exec: &str) -> Result<bool, Error> {
        self.with_run(key, exec, |run, _| run.is_none_or(|run| !run.script.leaves))
    }

    async fn untouched(&self, key: &str) -> Result<bool, Error> {
        let world = self.world();
        let sandbox = world.sandboxes.get(key).ok_or_else(|| missing(key))?;
        Ok(!sandbox.execs.values().any(|run| run.script.touches))
    }

    fn capabilities(&self) -> &'static [Capability] {
        &[Capability::Fork]
    }

    async fn fork(&self, key: &str, into: &str) -> Result<Created, Error> {
        let mut moved = self.moved.subscribe();
        let until_ms = self.now_ms().saturating_add(FORK_TAKES_MS);
        while self.now_ms() < until_ms {
            // The sender is ours.
            moved.changed().await.ok();
        }
        self.mutate("copy a sandbox", |world| {
            let created_at_ms = world.now_ms;
            let owner = world.sandboxes.get(key).ok_or_else(|| missing(key))?.owner.clone();
            let make = || Sandbox { owner, created_at_ms, execs: BTreeMap::new() };
            world.sandboxes.entry(into.to_owned()).or_insert_with(make);
            Ok(created(into))
        })
    }

    async fn destroy(&self, key: &str) -> Result<(), Error> {
        self.mutate("remove a sandbox", |world| {
            world.sandboxes.remove(key);
            Ok(())
        })
    }
}
