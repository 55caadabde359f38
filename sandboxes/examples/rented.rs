//! How soon many sandboxes of a vendor work, and how soon what they print is here: on the fake E2B, whose machines are made
//! beforehand and take 300 ms to be had. `cargo xtask bench sandboxes` runs it.
//!
//! Between a sandbox asked for and its agent at work lie the vendor's answer, the seed sent and unpacked, and the command
//! sent: all of it is measured, through the provider and without a server's log. When an agent began is what it says itself,
//! by a clock that is the same inside; the last one counts. A vendor's machines have disks of their own, so those of the fake are
//! in memory: how fast this machine's disk makes a hundred of them is not what is asked.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement that cannot be made has no result")]

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use regatta_sandbox_fakes::e2b::{FakeE2b, Options as FakeOptions};
use regatta_sandbox_fakes::{Program, inside};
use regatta_sandboxes::e2b::Options;
use regatta_sandboxes::{Bounds, E2bProvider, Exec, Provider, Secrets, Spec, Status, Stdio};
use rustix::time::{ClockId, clock_gettime};

const AT_ONCE: usize = 100;
const CREATE_TAKES: Duration = Duration::from_millis(300);
const LINES: usize = 300;
/// Where the fake's machines are.
const MEMORY: &str = "/dev/shm";
/// Says when it began, in seconds since this machine started, and stays.
const STAY: &str = "read -r up rest < /proc/uptime; echo $up; exec sleep 60";
/// Prints when it does so, by a clock that is the same inside.
const PRINT: &str = "use Time::HiRes qw(clock_gettime CLOCK_MONOTONIC sleep); $| = 1; \
                     for (1..300) { printf \"%.0f\\n\", clock_gettime(CLOCK_MONOTONIC) * 1e9; sleep 0.01 }";

fn main() -> ExitCode {
    inside::serve_if_asked();
    let rounds = std::env::args().nth(1).and_then(|rounds| rounds.parse().ok()).unwrap_or(3);
    tokio::runtime::Runtime::new().unwrap().block_on(measure(rounds));
    ExitCode::SUCCESS
}

async fn measure(rounds: usize) {
    let folder = tempfile::tempdir().unwrap();
    let seed = folder.path().join("seed");
    std::fs::create_dir_all(seed.join("src")).unwrap();
    for number in 0..40 {
        std::fs::write(seed.join(format!("src/{number}.rs")), "fn main() {}\n".repeat(100)).unwrap();
    }
    for _ in 0..rounds {
        let folder = Some(PathBuf::from(MEMORY)).filter(|folder| folder.is_dir());
        let options = FakeOptions { create_takes: CREATE_TAKES, warm: AT_ONCE, folder, ..FakeOptions::default() };
        let (fake, provider) = rent(options).await;
        let began = clock(ClockId::Boottime);
        let starts = (0..AT_ONCE).map(|number| {
            let (provider, seed): (_, PathBuf) = (Arc::clone(&provider), seed.clone());
            tokio::spawn(async move {
                let key = format!("many-{number}");
                provider.create(&spec(&key, &seed)).await.unwrap();
                provider.start(&key, &exec(&["sh", "-c", STAY])).await.unwrap();
            })
        });
        for start in starts.collect::<Vec<_>>() {
            start.await.unwrap();
        }
        let told = clock(ClockId::Boottime) - began;
        let mut last = 0.0_f64;
        for number in 0..AT_ONCE {
            last = last.max(said(&*provider, &format!("many-{number}")).await);
        }
        let last = last - began.as_secs_f64();
        println!(
            "{AT_ONCE} sandboxes at once: the last agent began after {last:.2} s, known after {:.2} s",
            told.as_secs_f64()
        );
        fake.end();
    }
    let (fake, provider) = rent(FakeOptions { warm: 1, ..FakeOptions::default() }).await;
    let mut lags = lags(&*provider, &seed).await;
    lags.sort_by(f64::total_cmp);
    let at = |percent: usize| lags.get(lags.len() * percent / 100).unwrap();
    println!("output lag p50 {:.1} ms, p99 {:.1} ms, {} lines", at(50), at(99), lags.len());
    fake.end();
}

fn clock(id: ClockId) -> Duration {
    clock_gettime(id).try_into().unwrap()
}

/// When an agent began, as it says; it is at work still.
async fn said(provider: &dyn Provider, key: &str) -> f64 {
    loop {
        let said = provider.read(key, "main", Stdio::Out, 0, 100).await.unwrap();
        assert_eq!(provider.status(key, "main").await.unwrap(), Status::Running);
        if let Some(said) = String::from_utf8_lossy(&said).strip_suffix('\n') {
            return said.parse().unwrap();
        }
        provider.changed(key, "main").await;
    }
}

/// A vendor whose account has no limits, and a provider that uses it.
async fn rent(options: FakeOptions) -> (FakeE2b, Arc<E2bProvider>) {
    let program = Program { path: std::env::current_exe().unwrap(), arguments: vec![] };
    let account = options.key.clone();
    let fake = FakeE2b::start(program, options).await;
    let key = Arc::new(move || std::future::ready(Ok(account.clone().into())).boxed());
    let (api_url, sandbox_url) = (fake.url.clone(), Some(fake.url.clone()));
    let options = Options { api_url, sandbox_url, creates_per_second: None, ..Options::new(key) };
    (fake, Arc::new(E2bProvider::new(options).unwrap()))
}

fn spec(key: &str, seed: &Path) -> Spec {
    Spec {
        key: key.to_owned(),
        owner: "bench".to_owned(),
        seed: seed.to_owned(),
        read_only: vec![],
        inbox: vec![],
        home_links: vec![],
        network: true,
        bounds: Bounds { memory_bytes_max: 1 << 30, processes_max: 200, disk_bytes_max: 1 << 30 },
        wish: regatta_sandboxes::Wish::default(),
        term: regatta_sandboxes::Term::default(),
        warm: None,
    }
}

fn exec(argv: &[&str]) -> Exec {
    Exec {
        name: "main".to_owned(),
        argv: argv.iter().map(|word| (*word).to_owned()).collect(),
        env: std::collections::BTreeMap::new(),
        env_pass: vec![],
        secrets: Secrets::default(),
        timeout_ms: 120_000,
        output_bytes_max: 1 << 20,
    }
}

/// How long after each line was written it was read here, in milliseconds.
async fn lags(provider: &dyn Provider, seed: &Path) -> Vec<f64> {
    provider.create(&spec("lag", seed)).await.unwrap();
    provider.start("lag", &exec(&["perl", "-e", PRINT])).await.unwrap();
    let (mut lags, mut offset, mut rest) = (Vec::new(), 0, Vec::new());
    loop {
        let status = provider.status("lag", "main").await.unwrap();
        let piece = provider.read("lag", "main", Stdio::Out, offset, 1 << 16).await.unwrap();
        let now = clock(ClockId::Monotonic);
        offset += piece.len() as u64;
        rest.extend(&piece);
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = rest.drain(..=end).collect();
            let written_at: f64 = String::from_utf8_lossy(&line).trim().parse().unwrap();
            lags.push((now.as_nanos() as f64 - written_at) / 1e6);
        }
        match (status, piece.is_empty()) {
            (Status::Ended(_), true) => break,
            (_, true) => provider.changed("lag", "main").await,
            (_, false) => {}
        }
    }
    assert_eq!(lags.len(), LINES);
    lags
}
