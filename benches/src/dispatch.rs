//! The dispatcher's numbers: how fast 50 attempts are through, how late the agent begins, how much memory and how much
//! lag output costs. The peer is what a person would do by hand: `git worktree add`, `bwrap`, `git diff`.

#![expect(clippy::print_stdout, reason = "the table is what a bench is for")]
#![expect(clippy::indexing_slicing, reason = "indexing a JSON value gives null for what is missing")]

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use serde_json::{Value, json};

use crate::rows::{Rows, median, percentile};
use crate::server::{Server, path};

/// Attempts at once.
const ATTEMPTS: usize = 50;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

pub(crate) fn run(regatta: PathBuf, quick: bool) -> Result<()> {
    let regatta = fs::canonicalize(regatta)?;
    let mut rows = Rows::create("dispatch")?;
    let rounds = if quick { 3 } else { 11 };
    println!("| what | must | aim | measured |\n|---|---|---|---|");
    fifty(&regatta, &mut rows, rounds, "true", "`true`")?;
    fifty(&regatta, &mut rows, rounds, "echo changed >> src/file1.txt", "a change of one line")?;
    first_instruction(&regatta, &mut rows, if quick { 20 } else { 200 })?;
    output(&regatta, &mut rows, if quick { 5 } else { 20 })?;
    Ok(())
}

/// 50 attempts against 50 times the same by hand, interleaved.
fn fifty(regatta: &Path, rows: &mut Rows, rounds: usize, agent: &str, name: &str) -> Result<()> {
    let server = Server::start(regatta)?;
    let (mut ours, mut ratios) = (Vec::new(), Vec::new());
    for round in 0..=rounds {
        let events = server.race(ATTEMPTS, agent)?;
        let requested = at_us(&events, "run.requested").ok_or("no run.requested")?;
        let ends = events.iter().filter(|event| event["kind"] == "attempt.finished");
        let finished = ends.filter_map(|event| event["at_us"].as_u64()).max().ok_or("no attempt.finished")?;
        let our_s = seconds(finished - requested);
        let by_hand_s: Vec<f64> =
            [2, 4, 8].into_iter().map(|jobs| by_hand(&server, agent, jobs)).collect::<Result<_>>()?;
        let peer_s = by_hand_s.iter().copied().fold(f64::INFINITY, f64::min);
        rows.add(&json!({"bench": "fifty", "agent": agent, "round": round, "ours_s": our_s, "by_hand_s": by_hand_s}))?;
        // The first round warms the caches of both.
        if round > 0 {
            ours.push(our_s);
            ratios.push(our_s / peer_s);
        }
    }
    println!("| 50 local attempts of {name}, accepted to all finished | 5 s | 2.5 s | {:.2} s |", median(&ours));
    println!("| the same against the best of `xargs -P 2`, `4`, `8` by hand | 1.3x | 1.1x | {:.2}x |", median(&ratios));
    Ok(())
}

/// 50 x (worktree, fence, agent, diff) by xargs; seconds. Git reads the other worktrees while they are being made and
/// sometimes fails on it, so adding is tried again.
fn by_hand(server: &Server, agent: &str, jobs: usize) -> Result<f64> {
    let (repository, folder) = (server.repository(), server.folder().join("by-hand"));
    fs::create_dir_all(&folder)?;
    let script = format!(
        "add() {{ rm -rf {folder}/$1; git -C {repository} worktree add --force --quiet --detach {folder}/$1 HEAD 2>/dev/null; }}; \
         n=0; until add $1; do n=$((n+1)); [ $n -lt 50 ] || exit 1; done; \
         bwrap --ro-bind / / --dev /dev --proc /proc --tmpfs /tmp --bind {folder}/$1 {folder}/$1 --chdir {folder}/$1 \
         --unshare-pid --unshare-ipc --unshare-uts --die-with-parent sh -c '{agent}' && \
         git -C {folder}/$1 diff HEAD > {folder}/$1.diff",
        repository = path(&repository)?,
        folder = path(&folder)?,
    );
    fs::write(folder.join("one.sh"), script)?;
    let numbers: Vec<String> = (0..ATTEMPTS).map(|n| n.to_string()).collect();
    fs::write(folder.join("numbers"), numbers.join("\n"))?;
    let begin = Instant::now();
    let status = Command::new("xargs")
        .args(["-P", &jobs.to_string(), "-n", "1", "sh", path(&folder.join("one.sh"))?])
        .stdin(fs::File::open(folder.join("numbers"))?)
        .status()?;
    let elapsed = begin.elapsed().as_secs_f64();
    if !status.success() {
        return Err("the peer failed; is bubblewrap installed?".into());
    }
    fs::remove_dir_all(&folder)?;
    Command::new("git").args(["-C", path(&repository)?, "worktree", "prune"]).status()?;
    Ok(elapsed)
}

/// From accepted to the agent's first instruction, one attempt at a time.
fn first_instruction(regatta: &Path, rows: &mut Rows, rounds: usize) -> Result<()> {
    let server = Server::start(regatta)?;
    let agent = format!("exec {} agent now", path(&std::env::current_exe()?)?);
    let mut late_ms = Vec::new();
    for round in 0..=rounds {
        let events = server.race(1, &agent)?;
        let requested = at_us(&events, "run.requested").ok_or("no run.requested")?;
        let said: u64 = printed(&events).trim().parse()?;
        let ms = seconds(said.saturating_sub(requested)) * 1_000.0;
        rows.add(&json!({"bench": "first_instruction", "round": round, "ms": ms}))?;
        if round > 0 {
            late_ms.push(ms);
        }
    }
    let (p50, p95) = (median(&late_ms), percentile(&late_ms, 0.95));
    println!("| accepted to the agent's first instruction, p95 (p50 {p50:.1} ms) | 60 ms | 25 ms | {p95:.1} ms |");
    Ok(())
}

/// 50 attempts printing 1 MB/s each: memory of the server, and how late a line is seen to be acknowledged.
fn output(regatta: &Path, rows: &mut Rows, run_s: u64) -> Result<()> {
    let server = Server::start(regatta)?;
    let agent = format!("exec {} agent lines 100 10000 {run_s}", path(&std::env::current_exe()?)?);
    let run = server.begin(ATTEMPTS, &agent)?;
    server.command(&["watch", &run])?.stdout(Stdio::null()).stderr(Stdio::null()).status()?;
    let memory = server.memory_bytes_max()?;
    let mut events = server.events(&format!("{run}.b"))?;
    // `bb` begins with `b` too.
    events.retain(|event| event["stream"] == format!("output/{run}.b"));
    let late_ms = late(&events);
    let (p50, p99) = (median(&late_ms), percentile(&late_ms, 0.99));
    #[expect(clippy::cast_precision_loss, reason = "megabytes")]
    let memory_mb = memory as f64 / 1e6;
    rows.add(&json!({"bench": "output", "lines_seen": late_ms.len(), "memory_mb": memory_mb, "lag_p50_ms": p50, "lag_p99_ms": p99}))?;
    println!("| memory of the server, 50 attempts printing 1 MB/s each | 250 MB | 150 MB | {memory_mb:.0} MB |");
    println!(
        "| output lag, line written to event acknowledged, upper bound, p99 (p50 {p50:.1} ms, {} lines) | 50 ms | 20 ms | {p99:.1} ms |",
        late_ms.len()
    );
    Ok(())
}

/// How late each line was acknowledged at the most, in ms: the next piece of a channel is only taken, and stamped, when
/// the one before it is acknowledged. So this is an upper bound, too high by the wait for that next piece.
fn late(events: &[Value]) -> Vec<f64> {
    let pieces: Vec<&Value> = events.iter().filter(|event| event["kind"] == "attempt.output").collect();
    let mut late_ms = Vec::new();
    for pair in pieces.windows(2) {
        let [piece, next] = pair else { continue };
        let Some(acknowledged_us) = next["at_us"].as_u64() else { continue };
        let text = piece["payload"]["output"]["text"].as_str().unwrap_or_default();
        let stamps = text.lines().filter_map(|line| line.split(' ').next()?.parse::<u64>().ok());
        let stamps = stamps.filter(|stamp| *stamp > 1_000_000_000_000_000);
        late_ms.extend(stamps.map(|stamp| seconds(acknowledged_us.saturating_sub(stamp)) * 1_000.0));
    }
    late_ms
}

fn at_us(events: &[Value], kind: &str) -> Option<u64> {
    events.iter().find(|event| event["kind"] == kind)?["at_us"].as_u64()
}

/// Everything a run printed, as text.
fn printed(events: &[Value]) -> String {
    let output = events.iter().filter(|event| event["kind"] == "attempt.output");
    output.filter_map(|event| event["payload"]["output"]["text"].as_str()).collect()
}

#[expect(clippy::cast_precision_loss, reason = "microseconds of a bench")]
fn seconds(us: u64) -> f64 {
    us as f64 / 1e6
}
