//! The real server, killed without warning at random moments while eight attempts run in containers, or at a vendor, and
//! started again. Every attempt comes to one end, with every line of its output once, and of their sandboxes nothing is left.
//!
//! As a test a few kills for each provider; `cargo xtask bench sandboxes kills` asks for more by `REGATTA_KILLS`, and for a
//! row of each by `REGATTA_KILLS_ROWS`, a file.

#![expect(clippy::indexing_slicing, reason = "indexing a JSON value gives null for what is missing")]

use std::fs::{self, File};
use std::io::Write as _;
use std::time::{Duration, Instant};

use regatta_sandbox_fakes::e2b::Options as E2bOptions;
use serde_json::{Value, json};

use crate::docker::{docker, has_image, left};
use crate::install::{Install, until};
use crate::kill::{check, events, finished, random};
use crate::rented::{self, Rented};
use crate::victim::Victim;

/// Kills when nobody says.
const KILLS: u64 = 6;
/// Attempts of each run.
const SLOTS: [&str; 8] = ["a", "b", "c", "d", "e", "f", "g", "h"];
/// Lines each agent prints, a tenth of a second between them.
const LINES: u32 = 30;
/// A kill comes within so long after the server answered. Every third one does not wait for that.
const MOMENT_MS: u64 = 1_200;
/// How long each of the last runs may take once nobody kills any more, and what is left to go.
const FINISH_MAX: Duration = Duration::from_secs(100);

/// Where the sandboxes are, and what there is of them.
struct Ground<'a> {
    provider: &'static str,
    install: &'a Install,
    /// Sandboxes that exist now.
    alive: &'a dyn Fn() -> usize,
    /// Everything there is of sandboxes, in words.
    left: &'a dyn Fn() -> Vec<String>,
}

#[test]
fn kills_leave_nothing_in_the_engine() {
    if !has_image() {
        return;
    }
    let install = Install::new();
    install.configure("[docker]\nnetwork = \"internal\"\nread_only = true\n[limits]\ndocker = 8\n");
    let owner = || fs::read_to_string(install.data().join("install")).unwrap_or_default().trim().to_owned();
    let alive = || {
        let filter = format!("label=dev.regatta.owner={}", owner());
        docker(&["ps", "-q", "--filter", &filter]).map_or(0, |ids| ids.lines().count())
    };
    let half_made = || docker(&["ps", "-aq", "--filter", &format!("label=dev.regatta.preparing=sandbox-{}", owner())]);
    let left = || {
        let mut left = left(&owner());
        left.extend(half_made().unwrap_or_default().lines().map(|id| format!("a half-made image in container {id}")));
        left
    };
    Ground { provider: "docker", install: &install, alive: &alive, left: &left }.survives_kills();
}

#[test]
fn kills_leave_nothing_at_e2b() {
    if rented::can_rent() {
        let takes = Duration::from_millis(300);
        at_vendor(&rented::e2b(E2bOptions { create_takes: takes, ..E2bOptions::default() }));
    }
}

#[test]
fn kills_leave_nothing_at_daytona() {
    if rented::can_rent() {
        at_vendor(&rented::daytona());
    }
}

fn at_vendor(rented: &Rented) {
    // It was started to keep the key.
    rented.install.regatta(&["down"]).exits(0);
    let (alive, left) = (|| rented.fake.live().len(), || rented.fake.left());
    Ground { provider: rented.fake.name(), install: &rented.install, alive: &alive, left: &left }.survives_kills();
}

impl Ground<'_> {
    fn survives_kills(&self) {
        let kills = std::env::var("REGATTA_KILLS").map_or(KILLS, |kills| kills.parse().expect("a number"));
        let seed = std::env::var("REGATTA_SEED").map_or(0x5eed_cafe, |seed| seed.parse().expect("a number"));
        println!("REGATTA_SEED={seed}");
        let (mut rows, mut chance, began) = (Rows::open(), seed, Instant::now());
        let (mut victim, mut runs) = (Victim::new(self.install), Vec::new());
        for kill in 0..kills {
            victim.start();
            let is_up = kill % 3 != 2;
            if is_up {
                let idle = until("the server answers", || self.is_idle());
                if idle {
                    runs.push(self.ask(kill));
                }
            }
            let moment_ms = random(&mut chance) % MOMENT_MS;
            std::thread::sleep(Duration::from_millis(moment_ms));
            let alive = (self.alive)();
            victim.kill();
            rows.add(&json!({
                "bench": "kills", "provider": self.provider, "kill": kill, "after_answer": is_up,
                "moment_ms": moment_ms, "run": runs.len(), "sandboxes": alive,
            }));
        }
        victim.start();
        until("the server answers", || victim.is_up().then_some(()));
        let mut again = Vec::new();
        for run in &runs {
            let finishing = Instant::now();
            until("the runs finish", || {
                assert!(finishing.elapsed() < FINISH_MAX, "{run} does not finish: {:?}", (self.left)());
                finished(&events(self.install, "run/"), run).then_some(())
            });
            again.extend(check(self.install, run, &SLOTS, LINES));
        }
        let over = Instant::now();
        until("nothing is left", || {
            let left = (self.left)();
            assert!(over.elapsed() < FINISH_MAX, "left: {left:#?}");
            left.is_empty().then_some(())
        });
        let (leaks, reaped) = self.told();
        assert_eq!(leaks, 0, "the fleet counts leaks");
        victim.kill();
        self.install.regatta(&["log", "verify"]).exits(0);
        rows.add(&json!({
            "bench": "kills", "provider": self.provider, "kills": kills, "seed": seed, "runs": runs.len(),
            "attempts": runs.len() * SLOTS.len(), "left": 0, "leaks": leaks, "reaped": reaped,
            "made_again": again,
            "elapsed_s": began.elapsed().as_secs(),
        }));
    }

    /// Whether no run is under way; nothing while the server does not answer.
    fn is_idle(&self) -> Option<bool> {
        let told: Value = serde_json::from_str(&self.install.regatta(&["ls", "--json"]).out).ok()?;
        Some(told["rows"].as_array()?.iter().all(|row| !row["finished_at_us"].is_null()))
    }

    /// Asks for a run of eight attempts; its id.
    fn ask(&self, kill: u64) -> String {
        let agent = format!(
            "command@{}=echo begin; n=0; while [ $n -lt {LINES} ]; do echo line-$n; n=$((n+1)); sleep 0.1; done; \
             echo changed >> file",
            self.provider
        );
        let strategy = if kill.is_multiple_of(2) { "all" } else { "race" };
        let check = "it=grep -q changed file";
        let mut ask = vec!["run", "count", "--no-start", "--strategy", strategy, "--check", check];
        for _ in SLOTS {
            ask.extend(["-a", &agent]);
        }
        self.install.regatta(&ask).exits(0).out.trim().to_owned()
    }

    /// Leaks, and strays that a start found, as the fleet counts them.
    fn told(&self) -> (u64, u64) {
        let totals = self.install.view(&["fleet"])["totals"].clone();
        (totals["leaks"].as_u64().expect("leaks"), totals["reaped"].as_u64().expect("reaped"))
    }
}

/// A row of each kill, when they are to be kept.
struct Rows(Option<File>);

impl Rows {
    fn open() -> Self {
        let path = std::env::var_os("REGATTA_KILLS_ROWS");
        Self(path.map(|path| File::create(path).expect("rows")))
    }

    fn add(&mut self, row: &Value) {
        if let Some(file) = &mut self.0 {
            writeln!(file, "{row}").expect("row");
        }
    }
}
