//! Attempts in sandboxes of vendors, through the real binary, on fakes whose sandboxes run for real.

#![expect(clippy::indexing_slicing, reason = "indexing a JSON value gives null for what is missing")]

use std::time::Duration;

use regatta_sandbox_fakes::daytona::{FakeDaytona, Options as DaytonaOptions};
use regatta_sandbox_fakes::e2b::{FakeE2b, Options as E2bOptions};
use regatta_sandbox_fakes::{Program, inside};
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::install::{Done, Install, until};
use crate::secrets::piped;
use crate::victim::Victim;

/// Lines each agent prints.
const LINES: u32 = 40;

/// In a process of its own this is what runs in a fake sandbox.
#[test]
fn the_inside_of_a_sandbox() {
    inside::serve_if_asked();
}

/// A vendor, and an installation that has its key.
pub(crate) struct Rented {
    pub(crate) install: Install,
    pub(crate) fake: Fake,
    /// Answers as long as it is there.
    _runtime: Runtime,
}

pub(crate) enum Fake {
    E2b(FakeE2b),
    Daytona(FakeDaytona),
}

impl Fake {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::E2b(_) => "e2b",
            Self::Daytona(_) => "daytona",
        }
    }

    pub(crate) fn live(&self) -> Vec<String> {
        match self {
            Self::E2b(fake) => fake.live(),
            Self::Daytona(fake) => fake.labels("regatta-key"),
        }
    }

    /// What there is of sandboxes, whether they are listed or not.
    pub(crate) fn left(&self) -> Vec<String> {
        match self {
            Self::E2b(fake) => fake.left(),
            Self::Daytona(fake) => fake.left(),
        }
    }

    /// Takes every sandbox away, as a vendor's bad day does.
    fn vanish(&self) {
        match self {
            Self::E2b(fake) => fake.live().iter().for_each(|id| fake.vanish(id)),
            Self::Daytona(fake) => fake.live().iter().for_each(|id| fake.vanish(id)),
        }
    }

    fn set_cut(&self, is_cut: bool) {
        match self {
            Self::E2b(fake) => fake.set_cut(is_cut),
            Self::Daytona(fake) => fake.set_cut(is_cut),
        }
    }

    /// How often a sandbox was asked for.
    fn asked(&self) -> usize {
        match self {
            Self::E2b(fake) => fake.faults.count(&hyper::Method::POST, "/sandboxes"),
            Self::Daytona(fake) => fake.faults.count(&hyper::Method::POST, "/api/sandbox"),
        }
    }
}

/// Whether fakes can run here; says why not.
pub(crate) fn can_rent() -> bool {
    let has = std::process::Command::new("bwrap").args(["--ro-bind", "/", "/", "true"]).status();
    let can = has.is_ok_and(|status| status.success());
    if !can {
        assert!(std::env::var("REGATTA_TEST_REQUIRE").as_deref() != Ok("all"), "bubblewrap is missing");
        println!("skipped: a fake vendor needs bubblewrap");
    }
    can
}

pub(crate) fn e2b(options: E2bOptions) -> Rented {
    let runtime = runtime();
    let key = options.key.clone();
    let fake = runtime.block_on(FakeE2b::start(program(), options));
    let url = &fake.url;
    let section =
        format!("[e2b]\nkey = \"secret:e2b\"\nurl = \"{url}\"\nsandbox_url = \"{url}\"\ncreates_per_second = 50\n");
    Rented { install: keyed("e2b", &section, &key), fake: Fake::E2b(fake), _runtime: runtime }
}

pub(crate) fn daytona() -> Rented {
    let runtime = runtime();
    let options = DaytonaOptions { destroy_takes: Duration::from_millis(300), ..DaytonaOptions::default() };
    let key = options.key.clone();
    let fake = runtime.block_on(FakeDaytona::start(program(), options));
    let section = format!("[daytona]\nkey = \"secret:daytona\"\nurl = \"{}\"\n", fake.url);
    Rented { install: keyed("daytona", &section, &key), fake: Fake::Daytona(fake), _runtime: runtime }
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("runtime")
}

fn program() -> Program {
    Program::this_test("rented::the_inside_of_a_sandbox")
}

/// An installation with that configuration and that secret.
fn keyed(secret: &str, configuration: &str, value: &str) -> Install {
    let install = Install::new();
    install.configure(configuration);
    piped(&install, &["secret", "set", secret], value).exits(0);
    install
}

impl Rented {
    fn until_nothing_is_left(&self) {
        until("the rented sandboxes are removed", || self.fake.live().is_empty().then_some(()));
    }

    /// Asks for attempts that print many lines, slowly; the run.
    fn ask_for_lines(&self, attempts: usize) -> String {
        let name = self.fake.name();
        let agent = format!(
            "command@{name}=n=0; while [ $n -lt {LINES} ]; do echo line-$n; n=$((n+1)); sleep 0.1; done; echo two >> file"
        );
        let mut ask = vec!["run", "count", "--strategy", "all", "--check", "it=grep -q two file"];
        for _ in 0..attempts {
            ask.extend(["-a", &agent]);
        }
        self.install.regatta(&ask).exits(0).out.trim().to_owned()
    }

    fn until_it_is_over(&self, run: &str) {
        until("the run ends", || {
            let view: Value = serde_json::from_str(&self.install.regatta(&["show", run, "--json"]).out).ok()?;
            (!view["row"]["finished_at_us"].is_null()).then_some(())
        });
    }

    /// Every line came once, and nothing was started twice.
    fn check_lines(&self, run: &str, attempts: &[&str]) {
        let expected: String = (0..LINES).map(|line| format!("line-{line}\n")).collect();
        for slot in attempts {
            let attempt = format!("{run}.{slot}");
            let view = self.install.view(&["show", &attempt]);
            assert_eq!(view["state"]["outcome"], "passed", "{view}");
            assert_eq!(view["starts_used"], 1, "{view}");
            assert_eq!(self.install.regatta(&["show", &attempt, "--output"]).exits(0).out, expected, "{attempt}");
        }
    }
}

#[test]
fn a_race_at_a_vendor_is_checked_collected_and_delivered() {
    if !can_rent() {
        return;
    }
    for rented in [e2b(E2bOptions::default()), daytona()] {
        let (install, name) = (&rented.install, rented.fake.name());
        let agent = format!("command@{name}=cat made; echo two >> file; echo kept > $REGATTA_ARTIFACTS/note.txt");
        let check = "it=grep -q two file && echo seen > $REGATTA_ARTIFACTS/seen";
        let run = install.race(&["-a", &agent, "--setup", "echo made > made", "--check", check], 0);
        assert_eq!(install.git(&["show", &format!("regatta/{run}/a:file")]).out, "one\ntwo\n");
        assert_eq!(install.regatta(&["show", "last.a", "--output"]).exits(0).out, "made\n");
        let names = install.view(&["artifacts", "last.a"]).to_string();
        assert!(names.contains("agent/note.txt") && names.contains("check-0/seen"), "{names}");
        rented.until_nothing_is_left();
        let providers = install.regatta(&["doctor"]).out;
        assert!(providers.contains(name), "{providers}");
        let used = install.view(&["secret", "ls"])["rows"][0]["last_use"]["by"].to_string();
        assert!(used.contains(&format!("{name}.key")), "{used}");
    }
}

#[test]
fn a_server_killed_while_a_vendors_sandboxes_work_finishes_them_and_leaves_none() {
    if !can_rent() {
        return;
    }
    for rented in [e2b(E2bOptions { create_takes: Duration::from_millis(300), ..E2bOptions::default() }), daytona()] {
        rented.install.regatta(&["down"]).exits(0);
        let mut victim = Victim::new(&rented.install);
        victim.start();
        until("the server answers", || victim.is_up().then_some(()));
        let run = rented.ask_for_lines(3);
        for moment_ms in [400, 2_000, 2_000, 1_500] {
            std::thread::sleep(Duration::from_millis(moment_ms));
            victim.kill();
            victim.start();
        }
        rented.until_it_is_over(&run);
        rented.check_lines(&run, &["a", "b", "c"]);
        rented.until_nothing_is_left();
        victim.kill();
        rented.install.regatta(&["log", "verify"]).exits(0);
    }
}

#[test]
fn a_sandbox_that_vanished_is_made_anew_from_the_base_as_often_as_the_run_allows() {
    if !can_rent() {
        return;
    }
    for (rented, starts) in [(e2b(E2bOptions::default()), "2"), (daytona(), "2"), (e2b(E2bOptions::default()), "1")] {
        let install = &rented.install;
        let agent = format!(
            "command@{}=cat file; echo two >> file; n=0; while [ $n -lt 20 ]; do sleep 0.1; n=$((n+1)); done",
            rented.fake.name()
        );
        let mut ask = install.command(&["run", "vanish", "-a", &agent, "--check", "it=grep -q two file"]);
        let asked = Done::of(ask.env("REGATTA_RUN_STARTS", starts).output().expect("regatta")).exits(0);
        let run = asked.out.trim();
        crate::sandbox::printed(install, &format!("{run}.a"), "one");
        rented.fake.vanish();
        rented.until_it_is_over(run);
        let view = install.view(&["show", &format!("{run}.a")]);
        if starts == "1" {
            let outcome = view["state"]["outcome"].to_string();
            assert!(outcome.contains("whatever ran the agent command is gone"), "{view}");
        } else {
            assert_eq!((&view["state"]["outcome"], &view["starts_used"]), (&"passed".into(), &2.into()), "{view}");
            // From the base: what the one that vanished had changed is not there.
            assert_eq!(install.regatta(&["show", &format!("{run}.a"), "--output"]).exits(0).out, "one\n");
        }
        rented.until_nothing_is_left();
    }
}

#[test]
fn a_network_that_is_cut_while_agents_work_costs_no_line() {
    if !can_rent() {
        return;
    }
    // As long as somebody says: `REGATTA_CUT_SECONDS=60`.
    let cut = std::env::var("REGATTA_CUT_SECONDS").map_or(3, |seconds| seconds.parse().expect("a number"));
    let cut = Duration::from_secs(cut);
    for rented in [e2b(E2bOptions::default()), daytona()] {
        let run = rented.ask_for_lines(2);
        crate::sandbox::printed(&rented.install, &format!("{run}.a"), "line-3");
        rented.fake.set_cut(true);
        std::thread::sleep(cut);
        rented.fake.set_cut(false);
        rented.until_it_is_over(&run);
        rented.check_lines(&run, &["a", "b"]);
        rented.until_nothing_is_left();
    }
}

#[test]
fn a_wrong_key_or_none_is_one_clear_refusal_before_anything_starts() {
    if !can_rent() {
        return;
    }
    let rented = e2b(E2bOptions::default());
    let install = &rented.install;
    let run = ["run", "x", "-a", "command@e2b=true"];
    install
        .regatta(&["run", "x", "-a", "command@daytona=true"])
        .exits(3)
        .says("there is no sandbox provider \"daytona\"")
        .says("doctor");
    let wrong = "e2b_canary000000000000000000000000000000000";
    piped(install, &["secret", "set", "e2b"], wrong).exits(0);
    let refused = install.regatta(&run).exits(3).says("E2B refuses the key: Invalid API key");
    assert!(!refused.err.contains(wrong), "{}", refused.err);
    let findings = install.regatta(&["doctor", "--json"]).json();
    let finding = findings.as_array().into_iter().flatten().find(|finding| finding["name"] == "e2b").expect("finding");
    assert!(finding["detail"].as_str().is_some_and(|told| told.contains("refuses the key")), "{finding}");
    install.regatta(&["secret", "rm", "e2b", "--yes"]).exits(0);
    install.regatta(&run).exits(3).says("there is no secret `e2b`").says("regatta secret set e2b");
    assert_eq!(rented.fake.asked(), 0, "no sandbox was asked for");
    assert!(install.regatta(&["ls"]).out.is_empty(), "no run was begun");
    install.regatta(&["down"]).exits(0);
    install.configure("[e2b]\nkey = \"secret:e2b\"\nurl = \"http://e2b.example\"\n");
    install.regatta(&["up", "--detach"]).says("would send the key in the clear");
}

#[test]
fn a_vendor_that_takes_no_more_is_waited_for_with_its_reason_and_no_attempt_is_lost() {
    if !can_rent() {
        return;
    }
    let rented = e2b(E2bOptions { concurrent_max: 1, ..E2bOptions::default() });
    let install = &rented.install;
    let run = rented.ask_for_lines(3);
    until("the queue says why", || {
        let queue = install.view(&["fleet"])["queue"].to_string();
        queue.contains("maximum number of concurrent").then_some(())
    });
    rented.until_it_is_over(&run);
    rented.check_lines(&run, &["a", "b", "c"]);
    rented.until_nothing_is_left();
    assert!(rented.fake.asked() <= 20, "{} times a sandbox was asked for", rented.fake.asked());
}
