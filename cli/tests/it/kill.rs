//! The real server, killed without warning at random moments of busy runs, and started again. Nothing acknowledged may
//! be lost, nothing started twice, no output missing or doubled, no sandbox or process left.

#![expect(clippy::indexing_slicing, reason = "indexing a JSON value gives null for what is missing")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::install::{Install, can_race};
use crate::victim::Victim;

/// Times the server is killed; fewer or more with `REGATTA_KILLS`.
const KILLS: u64 = 300;
/// Lines each agent prints.
const LINES: u32 = 60;
/// How long the last runs may take to finish once nobody kills any more.
const FINISH_MAX: Duration = Duration::from_secs(120);

/// Kills come within so long after a start.
const MOMENT_MS: u64 = 450;

/// A run of four attempts, unless the server dies before it acknowledges it.
fn ask(install: &Install, strategy: &str) -> Option<String> {
    let agent = format!(
        "command=echo begin; n=0; while [ $n -lt {LINES} ]; do echo line-$n; n=$((n+1)); sleep 0.01; done; \
         echo changed >> file"
    );
    let mut arguments =
        vec!["run", "count", "--no-start", "--strategy", strategy, "--check", "it=grep -q changed file"];
    for _ in 0..4 {
        arguments.extend(["--attempt", &agent]);
    }
    let done = install.regatta(&arguments);
    (done.code == 0).then(|| done.out.trim().to_owned())
}

pub(crate) fn events(install: &Install, streams: &str) -> Vec<Value> {
    let done = install.regatta(&["log", "tail", "--json", "--from", "1", "--stream", streams]).exits(0);
    done.out.lines().map(|line| serde_json::from_str(line).expect("json")).collect()
}

pub(crate) fn random(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

/// Processes that carry the mark of a sandbox of this install.
fn processes_left(data: &Path) -> Vec<String> {
    let mark = data.to_string_lossy().into_owned();
    let all = fs::read_dir("/proc").expect("proc").filter_map(Result::ok);
    all.filter(|entry| {
        let environ = fs::read(entry.path().join("environ")).unwrap_or_default();
        let environ = String::from_utf8_lossy(&environ).into_owned();
        environ.contains("REGATTA_SANDBOX=") && environ.contains(&mark)
    })
    .map(|entry| entry.file_name().to_string_lossy().into_owned())
    .collect()
}

#[test]
fn a_server_killed_at_any_moment_loses_nothing_and_leaves_nothing() {
    if !can_race() {
        return;
    }
    let kills = std::env::var("REGATTA_KILLS").map_or(KILLS, |kills| kills.parse().expect("a number"));
    let mut chance = std::env::var("REGATTA_SEED").map_or(0x5eed_cafe, |seed| seed.parse().expect("a number"));
    println!("REGATTA_SEED={chance}");
    let install = Install::new();
    let mut victim = Victim::new(&install);
    let mut acknowledged: Vec<String> = Vec::new();
    // A busy machine starts a server slowly; the moments must reach past that, or none ever acknowledges anything.
    let begin = Instant::now();
    victim.start();
    while !victim.is_up() {
        assert!(begin.elapsed() < FINISH_MAX, "the server does not start");
    }
    let start_ms = u64::try_from(begin.elapsed().as_millis()).expect("short");
    victim.kill();
    for kill in 0..kills {
        victim.start();
        let span_ms = if kill % 5 == 0 { MOMENT_MS.max(4 * start_ms) } else { MOMENT_MS };
        let moment = Duration::from_millis(random(&mut chance) % span_ms);
        let strategy = ["race", "all", "best"][usize::try_from(kill / 5 % 3).expect("small")];
        std::thread::scope(|scope| {
            let asking = (kill % 5 == 0).then(|| scope.spawn(|| wait_and_ask(&install, strategy)));
            std::thread::sleep(moment);
            victim.kill();
            acknowledged.extend(asking.and_then(|asking| asking.join().expect("asked")));
        });
    }
    assert!(acknowledged.len() as u64 > kills / 20, "only {} runs were acknowledged", acknowledged.len());
    victim.start();
    let begin = Instant::now();
    let unfinished = || {
        let events = events(&install, "run/");
        acknowledged.iter().filter(|run| !finished(&events, run)).count()
    };
    while !victim.is_up() || unfinished() > 0 {
        assert!(begin.elapsed() < FINISH_MAX, "{} runs do not finish", unfinished());
        std::thread::sleep(Duration::from_millis(100));
    }
    for run in &acknowledged {
        assert_eq!(check(&install, run, &["a", "b", "c", "d"], LINES), [""; 0], "lost and tried again");
    }
    check_nothing_left(&install);
    victim.kill();
    install.regatta(&["log", "verify"]).exits(0);
}

/// Asks as soon as the server answers; the server may be killed before, meanwhile or after.
fn wait_and_ask(install: &Install, strategy: &str) -> Option<String> {
    for _ in 0..20 {
        if let Some(run) = ask(install, strategy) {
            return Some(run);
        }
    }
    None
}

pub(crate) fn finished(events: &[Value], run: &str) -> bool {
    let mut of_run = events.iter().filter(|event| event["stream"] == format!("run/{run}"));
    of_run.next_back().is_some_and(|event| event["kind"] == "run.finished")
}

/// Each attempt's agent began once, and those that came to their end printed all these lines once. Which attempts had to be
/// started again before their agent began, and why.
pub(crate) fn check(install: &Install, run: &str, slots: &[&str], lines: u32) -> Vec<String> {
    let events = events(install, &format!("attempt/{run},output/{run}"));
    let mut printed: BTreeMap<(String, u64, String, String), String> = BTreeMap::new();
    for event in events.iter().filter(|event| event["kind"] == "attempt.output") {
        let output = &event["payload"]["output"];
        let (stream, epoch) = (event["stream"].as_str().expect("stream"), output["epoch"].as_u64().expect("epoch"));
        let key = (stream.to_owned(), epoch, output["phase"].to_string(), output["channel"].to_string());
        let so_far = printed.entry(key).or_default();
        assert_eq!(output["offset"], so_far.len(), "{stream}: output is missing or doubled");
        so_far.push_str(output["text"].as_str().expect("text"));
    }
    let ends = events.iter().filter(|event| event["kind"] == "attempt.phase_ended");
    for end in ends {
        let fields = &end["payload"]["fields"];
        if fields["phase"] != "agent" || fields["exit"]["code"] != 0 {
            continue;
        }
        let attempt = end["stream"].as_str().and_then(|stream| stream.strip_prefix("attempt/")).expect("attempt");
        let key = |channel: &str| {
            (
                format!("output/{attempt}"),
                fields["epoch"].as_u64().expect("epoch"),
                "\"agent\"".into(),
                format!("{channel:?}"),
            )
        };
        let out = &printed[&key("out")];
        let printed: Vec<&str> = out.lines().filter(|line| *line != "begin").collect();
        let expected: Vec<String> = (0..lines).map(|n| format!("line-{n}")).collect();
        assert_eq!(printed, expected, "{attempt} printed something else");
        assert_eq!(out.matches("begin").count(), 1, "{attempt} began more than once");
    }
    let mut again = Vec::new();
    for attempt in slots {
        let of_attempt = events.iter().filter(|event| event["stream"] == format!("attempt/{run}.{attempt}"));
        let count = |kind: &str| of_attempt.clone().filter(|event| event["kind"] == kind).count();
        assert_eq!(count("attempt.finished"), 1, "{run}.{attempt} ended {} times", count("attempt.finished"));
        let began = of_attempt
            .clone()
            .filter(|event| event["kind"] == "attempt.phase_started" && event["payload"]["fields"]["phase"] == "agent");
        assert!(began.count() <= 1, "{run}.{attempt} began more than once");
        let retried = of_attempt.filter(|event| event["kind"] == "attempt.retry_scheduled");
        again.extend(retried.map(|event| format!("{run}.{attempt}: {}", event["payload"]["fields"]["reason"])));
    }
    again
}

fn check_nothing_left(install: &Install) {
    let begin = Instant::now();
    let left = || {
        let roots = ["local", "host"].map(|provider| install.data().join("sandboxes").join(provider));
        let folders = roots.iter().filter_map(|root| fs::read_dir(root).ok()).flatten().filter_map(Result::ok);
        let names = folders.map(|entry| entry.file_name().to_string_lossy().into_owned());
        names.filter(|name| name.contains("regatta-")).collect::<Vec<_>>()
    };
    while !left().is_empty() {
        assert!(begin.elapsed() < Duration::from_secs(20), "sandboxes are left: {:?}", left());
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(processes_left(&install.data()), Vec::<String>::new(), "processes are left");
}
