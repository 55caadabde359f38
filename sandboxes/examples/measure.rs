//! How long sandboxes take here: `cargo run --release -p regatta-sandboxes --example measure [rounds [fence]]`.
//!
//! For each fence: from `start` to the command's first instruction; processor time of a whole life (create, start `true`,
//! follow to the end, prove it untouched, destroy); and fifty lives at once, beside fifty times `git worktree add`, `bwrap
//! true` and `git diff` by `xargs -P4`.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement that cannot be made has no result")]

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::time::Duration;

use regatta_sandboxes::local::{Fence, Options};
use regatta_sandboxes::{Bounds, Exec, Exit, LocalProvider, Provider, Secrets, Spec, Status, Stdio};
use rustix::time::{ClockId, clock_gettime};

const AT_ONCE: usize = 50;

fn main() -> ExitCode {
    if let Some(code) = regatta_sandboxes::runner::answer(std::env::args_os()) {
        return code;
    }
    match std::env::args().nth(1).as_deref() {
        Some("stamp") => println!("{}", now().as_nanos()),
        Some("print") => print_for_three_seconds(),
        rounds => {
            let rounds = rounds.and_then(|rounds| rounds.parse().ok()).unwrap_or(5);
            tokio::runtime::Runtime::new().unwrap().block_on(measure(rounds));
        }
    }
    ExitCode::SUCCESS
}

fn now() -> Duration {
    clock_gettime(ClockId::Monotonic).try_into().unwrap()
}

async fn measure(rounds: u32) {
    let folder = tempfile::tempdir().unwrap();
    let repository = folder.path().join("repository");
    make_repository(&repository);
    for fence in [Fence::Bubblewrap, Fence::Landlock, Fence::None] {
        if std::env::args().nth(2).is_some_and(|only| format!("{fence:?}") != only) {
            continue;
        }
        let options = Options {
            root: folder.path().join("sandboxes"),
            runner: std::env::current_exe().unwrap(),
            fence,
            hide: vec![],
            read: vec![],
        };
        let provider = Arc::new(LocalProvider::new(options).unwrap());
        let Ok(name) = provider.probe().await else { continue };
        let mut first: Vec<f64> = Vec::new();
        for _ in 0..rounds * 10 {
            first.push(first_instruction(&provider, &repository).await);
        }
        first.sort_by(f64::total_cmp);
        let (mid, late) = (first.get(first.len() / 2).unwrap(), first.get(first.len() * 95 / 100).unwrap());
        let before = processor_ms();
        for number in 0..rounds * 10 {
            life(&provider, &repository, &format!("one-{number}")).await;
        }
        let each = (processor_ms() - before) / f64::from(rounds * 10);
        println!("{name}: first instruction {mid:.1} ms (p95 {late:.1}), one life {each:.2} ms of processor");
        for _ in 0..rounds {
            let (began, before) = (now(), processor_ms());
            let lives = (0..AT_ONCE).map(|number| {
                let (provider, repository) = (Arc::clone(&provider), repository.clone());
                tokio::spawn(async move { life(&provider, &repository, &format!("many-{number}")).await })
            });
            for life in lives.collect::<Vec<_>>() {
                life.await.unwrap();
            }
            let wall = (now() - began).as_secs_f64() * 1000.0;
            println!("  {AT_ONCE} lives at once: {wall:.0} ms, {:.0} ms of processor", processor_ms() - before);
        }
    }
    talkers(folder.path(), &repository).await;
    for _ in 0..std::env::args().nth(2).map_or(rounds, |_| 0) {
        baseline(&repository);
    }
}

/// Prints 10,000 bytes a hundred times a second, each beginning with the time.
fn print_for_three_seconds() {
    for _ in 0..300 {
        println!("{:>20}{}", now().as_nanos(), "x".repeat(9_979));
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Fifty commands printing a megabyte a second each, followed by one server.
async fn talkers(folder: &Path, seed: &Path) {
    let options = Options {
        root: folder.join("sandboxes"),
        runner: std::env::current_exe().unwrap(),
        fence: Fence::Auto,
        hide: vec![],
        read: vec![],
    };
    let provider = Arc::new(LocalProvider::new(options).unwrap());
    let argv = vec![std::env::current_exe().unwrap().to_string_lossy().into_owned(), "print".to_owned()];
    for number in 0..AT_ONCE {
        let key = format!("talker-{number}");
        provider.create(&spec(&key, seed)).await.unwrap();
        let mut exec = exec(argv.clone());
        exec.output_bytes_max = 1 << 30;
        provider.start(&key, &exec).await.unwrap();
    }
    let (began, before) = (now(), own_processor_ms());
    let talkers = (0..AT_ONCE).map(|number| {
        let provider = Arc::clone(&provider);
        tokio::spawn(async move { lags(&provider, &format!("talker-{number}")).await })
    });
    let mut lags = Vec::new();
    for talker in talkers.collect::<Vec<_>>() {
        lags.extend(talker.await.unwrap());
    }
    lags.sort_by(f64::total_cmp);
    let at = |part: usize| lags.get(lags.len() * part / 1000).unwrap();
    let share = (own_processor_ms() - before) / (now() - began).as_secs_f64() / 10.0;
    println!("{AT_ONCE} talkers: server {share:.0} % of a processor, lag {:.1} ms (p99 {:.1})", at(500), at(990));
}

/// Follows a talker: how long after it was printed each line was read, in milliseconds.
async fn lags(provider: &LocalProvider, key: &str) -> Vec<f64> {
    let (mut lags, mut offset, began) = (Vec::new(), 0, now().as_nanos());
    loop {
        let has_ended = matches!(provider.status(key, "main").await.unwrap(), Status::Ended(_));
        let piece = provider.read(key, "main", Stdio::Out, offset, 1 << 20).await.unwrap();
        let seen = now().as_nanos();
        for (number, line) in piece.chunks(10_000).enumerate() {
            if (offset as usize + number * 10_000).is_multiple_of(10_000) && line.len() == 10_000 {
                let printed: u128 = std::str::from_utf8(line.get(..20).unwrap()).unwrap().trim().parse().unwrap();
                // What was printed before anybody followed says nothing.
                if printed > began {
                    lags.push((seen - printed) as f64 / 1e6);
                }
            }
        }
        offset += piece.len() as u64;
        if piece.is_empty() {
            if has_ended {
                return lags;
            }
            provider.changed(key, "main").await;
        }
    }
}

fn own_processor_ms() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let (_, rest) = stat.rsplit_once(')').unwrap();
    rest.split_ascii_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<f64>().unwrap() * 10.0).sum()
}

fn spec(key: &str, seed: &Path) -> Spec {
    Spec {
        key: key.to_owned(),
        owner: "measure".to_owned(),
        seed: seed.to_owned(),
        read_only: vec![std::env::current_exe().unwrap()],
        inbox: vec![],
        home_links: vec![],
        network: true,
        bounds: Bounds { memory_bytes_max: 1 << 32, processes_max: 1000, disk_bytes_max: 1 << 32 },
        wish: regatta_sandboxes::Wish::default(),
        term: regatta_sandboxes::Term::default(),
        warm: None,
    }
}

fn exec(argv: Vec<String>) -> Exec {
    let name = "main".to_owned();
    Exec {
        name,
        argv,
        env: [].into(),
        env_pass: vec![],
        secrets: Secrets::default(),
        timeout_ms: 60_000,
        output_bytes_max: 1 << 20,
    }
}

async fn until_ended(provider: &LocalProvider, key: &str) {
    loop {
        if let Status::Ended(ended) = provider.status(key, "main").await.unwrap() {
            assert_eq!(ended.exit, Exit::Code(0));
            return;
        }
        provider.changed(key, "main").await;
    }
}

async fn life(provider: &LocalProvider, seed: &Path, key: &str) {
    provider.create(&spec(key, seed)).await.unwrap();
    provider.start(key, &exec(vec!["true".to_owned()])).await.unwrap();
    until_ended(provider, key).await;
    assert!(provider.untouched(key).await.unwrap(), "{key} is untouched");
    provider.destroy(key).await.unwrap();
}

async fn first_instruction(provider: &LocalProvider, seed: &Path) -> f64 {
    provider.create(&spec("first", seed)).await.unwrap();
    let own: PathBuf = std::env::current_exe().unwrap();
    let began = now().as_nanos();
    provider.start("first", &exec(vec![own.to_string_lossy().into_owned(), "stamp".to_owned()])).await.unwrap();
    until_ended(provider, "first").await;
    let printed = provider.read("first", "main", Stdio::Out, 0, 100).await.unwrap();
    provider.destroy("first").await.unwrap();
    let stamp: u128 = String::from_utf8(printed).unwrap().trim().parse().unwrap();
    Duration::from_nanos(u64::try_from(stamp - began).unwrap()).as_secs_f64() * 1000.0
}

/// Processor time of this process and of what it waited for, in steps of 10 ms.
fn processor_ms() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let (_, rest) = stat.rsplit_once(')').unwrap();
    rest.split_ascii_whitespace().skip(11).take(4).map(|ticks| ticks.parse::<f64>().unwrap() * 10.0).sum()
}

/// A small repository: some thirty files in a few folders.
fn make_repository(folder: &Path) {
    let script = "git init -q . && for d in src tests docs; do mkdir $d; for i in 1 2 3 4 5 6 7 8 9 10; do \
        head -c 2000 /dev/urandom | base64 > $d/f$i; done; done; git add -A && \
        git -c user.name=a -c user.email=a@b commit -qm one && git gc -q && rm -rf .git/hooks";
    std::fs::create_dir(folder).unwrap();
    assert!(Command::new("sh").args(["-c", script]).current_dir(folder).status().unwrap().success());
}

fn baseline(repository: &Path) {
    let script = "seq 50 | xargs -P4 -I@ sh -c 'git worktree add -q --detach ../w@ 2>/dev/null; bwrap --ro-bind / / --dev /dev \
        --proc /proc --bind $PWD/../w@ $PWD/../w@ --unshare-pid --die-with-parent true; git -C ../w@ diff HEAD'";
    let began = now();
    // `git worktree add` now and then fails beside another one; nobody waits for it then.
    Command::new("sh").args(["-c", script]).current_dir(repository).status().unwrap();
    let wall = (now() - began).as_secs_f64() * 1000.0;
    println!("baseline, 50 x (git worktree add, bwrap true, git diff): {wall:.0} ms");
    let clear = "rm -rf ../w*; git worktree prune";
    assert!(Command::new("sh").args(["-c", clear]).current_dir(repository).status().unwrap().success());
}
