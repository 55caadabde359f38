//! What a sandbox in a container costs beside `docker run`: `cargo xtask bench sandboxes [rounds]`.
//!
//! In interleaved rounds: one whole life (create with a seed, start `true`, follow to the end, prove it untouched, destroy)
//! and `docker run --rm` of the same with the same bounds; ten of each at once; and how long after a line was written inside
//! its bytes are here. Each pair is a line of the file that `REGATTA_ROWS` names.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement that cannot be made has no result")]

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio as Channel};
use std::sync::Arc;
use std::time::{Duration, Instant};

use regatta_sandboxes::docker::{IMAGE, Network, Options};
use regatta_sandboxes::{Bounds, DockerProvider, Exec, Exit, Provider, Secrets, Spec, Status, Stdio};
use rustix::time::{ClockId, clock_gettime};

const AT_ONCE: u32 = 10;
const LINES: usize = 300;

fn main() -> ExitCode {
    if let Some(code) = regatta_sandboxes::runner::answer(std::env::args_os()) {
        return code;
    }
    match std::env::args().nth(1).as_deref() {
        Some("print") => print_for_three_seconds(),
        rounds => {
            let rounds = rounds.and_then(|rounds| rounds.parse().ok()).unwrap_or(11);
            tokio::runtime::Runtime::new().unwrap().block_on(measure(rounds));
        }
    }
    ExitCode::SUCCESS
}

/// A clock that is the same inside a container.
fn now() -> Duration {
    clock_gettime(ClockId::Monotonic).try_into().unwrap()
}

fn print_for_three_seconds() {
    for _ in 0..LINES {
        println!("{:>19}", now().as_nanos());
        std::thread::sleep(Duration::from_millis(10));
    }
}

async fn measure(rounds: u32) {
    let folder = tempfile::tempdir().unwrap();
    let seed = folder.path().join("seed");
    std::fs::create_dir_all(seed.join("src")).unwrap();
    for number in 0..40 {
        std::fs::write(seed.join(format!("src/{number}.rs")), "fn main() {}\n".repeat(100)).unwrap();
    }
    let provider = Arc::new(provider());
    println!("{}", provider.probe().await.unwrap());
    // Whatever is made once is made.
    life(&*provider, &seed, "warm", &["true"]).await;
    bare().await;
    let (mut ours, mut theirs, mut many, mut many_bare) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for round in 0..rounds {
        ours.push(timed(life(&*provider, &seed, &format!("one-{round}"), &["true"])).await);
        theirs.push(timed(bare()).await);
        // Neither is always the one that comes after the other.
        if round % 2 == 0 {
            many.push(timed(lives(&provider, &seed)).await);
            many_bare.push(timed(bares()).await);
        } else {
            many_bare.push(timed(bares()).await);
            many.push(timed(lives(&provider, &seed)).await);
        }
    }
    keep(&[("one life", &ours, &theirs), ("ten at once", &many, &many_bare)]);
    let (one, one_bare) = (median(&mut ours), median(&mut theirs));
    println!("one life {one:.0} ms, docker run {one_bare:.0} ms, overhead {:.0} ms", one - one_bare);
    let (ten, ten_bare) = (median(&mut many), median(&mut many_bare));
    println!("{AT_ONCE} at once {ten:.0} ms, docker run {ten_bare:.0} ms, {:.2}x", ten / ten_bare);
    let mut lags = lags(&*provider, &seed).await;
    let p50 = median(&mut lags);
    println!(
        "output lag p50 {p50:.1} ms, p99 {:.1} ms, {} lines",
        lags.get(lags.len() * 99 / 100).unwrap(),
        lags.len()
    );
}

fn provider() -> DockerProvider {
    DockerProvider::new(Options {
        host: std::env::var("DOCKER_HOST").ok(),
        scope: format!("bench-{}-", std::process::id()),
        image: IMAGE.to_owned(),
        dockerfile: None,
        program: std::env::current_exe().unwrap(),
        network: Network::None,
        read_only: false,
        cpus_milli: None,
        memory_bytes_max: None,
        pids_max: 512,
        runtime: None,
        warm: true,
        starts_max: std::thread::available_parallelism().map_or(2, std::num::NonZero::get),
    })
}

/// Writes down every pair, where somebody wants them.
fn keep(measured: &[(&str, &[f64], &[f64])]) {
    let Some(path) = std::env::var_os("REGATTA_ROWS") else { return };
    let pairs = measured.iter().flat_map(|(what, ours, bare)| ours.iter().zip(*bare).map(move |pair| (what, pair)));
    let row = |(what, (ours, bare)): (&&str, (&f64, &f64))| {
        format!("{{\"what\":\"{what}\",\"ms\":{ours:.1},\"docker_run_ms\":{bare:.1}}}\n")
    };
    std::fs::write(path, pairs.map(row).collect::<String>()).unwrap();
}

async fn timed(work: impl Future<Output = ()>) -> f64 {
    let began = Instant::now();
    work.await;
    began.elapsed().as_secs_f64() * 1000.0
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    *values.get(values.len() / 2).unwrap()
}

fn spec(key: &str, seed: &Path) -> Spec {
    Spec {
        key: key.to_owned(),
        owner: "bench".to_owned(),
        seed: seed.to_owned(),
        read_only: vec![],
        inbox: vec![],
        home_links: vec![],
        network: false,
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
        timeout_ms: 60_000,
        output_bytes_max: 1 << 20,
    }
}

async fn life(provider: &dyn Provider, seed: &Path, key: &str, argv: &[&str]) {
    let steps = std::env::var_os("STEPS").is_some();
    let began = Instant::now();
    let step = |what: &str| {
        if steps {
            println!("  {what} at {:.0} ms", began.elapsed().as_secs_f64() * 1000.0);
        }
    };
    provider.create(&spec(key, seed)).await.unwrap();
    step("created");
    provider.start(key, &exec(argv)).await.unwrap();
    step("started");
    loop {
        match provider.status(key, "main").await.unwrap() {
            Status::Ended(ended) => break assert_eq!(ended.exit, Exit::Code(0)),
            Status::NotStarted | Status::Running => provider.changed(key, "main").await,
        }
    }
    step("ended");
    assert!(provider.untouched(key).await.unwrap());
    step("untouched");
    provider.destroy(key).await.unwrap();
    step("destroyed");
}

async fn lives(provider: &Arc<DockerProvider>, seed: &Path) {
    let lives = (0..AT_ONCE).map(|number| {
        let (provider, seed): (_, PathBuf) = (Arc::clone(provider), seed.to_owned());
        tokio::spawn(async move { life(&*provider, &seed, &format!("many-{number}"), &["true"]).await })
    });
    for life in lives.collect::<Vec<_>>() {
        life.await.unwrap();
    }
}

async fn bare() {
    let run = || {
        let mut run = Command::new("docker");
        run.args(["run", "--rm", "--init", "--network", "none", "--memory", "1g", "--memory-swap", "1g"]);
        run.args([
            "--pids-limit",
            "512",
            "--cap-drop",
            "ALL",
            "--security-opt",
            "no-new-privileges",
            "--user",
            "1000:1000",
        ]);
        run.args(["--tmpfs", "/tmp", IMAGE, "true"]).stdin(Channel::null()).stdout(Channel::null());
        assert!(run.status().unwrap().success());
    };
    tokio::task::spawn_blocking(run).await.unwrap();
}

async fn bares() {
    let runs: Vec<_> = (0..AT_ONCE).map(|_| tokio::spawn(bare())).collect();
    for run in runs {
        run.await.unwrap();
    }
}

/// How long after each line was written it was read here.
async fn lags(provider: &dyn Provider, seed: &Path) -> Vec<f64> {
    provider.create(&spec("lag", seed)).await.unwrap();
    provider.start("lag", &exec(&["/regatta/bin/run", "print"])).await.unwrap();
    let (mut lags, mut offset, mut rest) = (Vec::new(), 0, Vec::new());
    loop {
        let status = provider.status("lag", "main").await.unwrap();
        let piece = provider.read("lag", "main", Stdio::Out, offset, 1 << 16).await.unwrap();
        let read_at = now().as_nanos();
        offset += piece.len() as u64;
        rest.extend(&piece);
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = rest.drain(..=end).collect();
            let written_at: u128 = String::from_utf8_lossy(&line).trim().parse().unwrap();
            lags.push((read_at - written_at) as f64 / 1e6);
        }
        match (status, piece.is_empty()) {
            (Status::Ended(_), true) => break,
            (_, true) => provider.changed("lag", "main").await,
            (_, false) => {}
        }
    }
    provider.destroy("lag").await.unwrap();
    assert_eq!(lags.len(), LINES);
    lags
}
