//! How fast durable appends are: 64 producers, each with one append of one small event under way, against the least
//! any log must do (append and sync by group commit, no checks, no chain, no index), in the same run and on the same
//! disk. `cargo run --release -p regatta-core --example append [folder] [producers] [payload bytes]`.

#![expect(clippy::print_stdout, reason = "a program for a terminal")]

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use regatta_core::log::{Options, append};
use regatta_core::{Actor, Append, Clock as _, Draft, DurableLog, Expect, Kind, Stream, SystemClock};

const ROUND: Duration = Duration::from_secs(2);
const ROUNDS: usize = 5;
type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// What one round showed.
struct Shown {
    per_second: f64,
    p50: Duration,
    p99: Duration,
}

fn shown(mut took: Vec<Duration>, elapsed: Duration) -> Shown {
    took.sort_unstable();
    let at = |share: f64| took.get((took.len() as f64 * share) as usize).copied().unwrap_or_default();
    Shown { per_second: took.len() as f64 / elapsed.as_secs_f64(), p50: at(0.50), p99: at(0.99) }
}

fn payload(bytes: usize) -> Vec<u8> {
    let mut text = "{\"text\":\"".to_owned();
    text.extend((0..bytes.saturating_sub(11)).map(|n| char::from(b'a' + (n % 26) as u8)));
    text.push_str("\"}");
    text.into_bytes()
}

async fn produce(log: DurableLog, stream: Stream, bytes: usize, until: Instant) -> Outcome<Vec<Duration>> {
    let payload = bytes::Bytes::from(payload(bytes));
    let mut took = Vec::new();
    while Instant::now() < until {
        let event = Draft {
            id: SystemClock.event_id(),
            kind: Kind::RUN_DECIDED,
            version: 1,
            at_us: SystemClock.now_us(),
            actor: Actor::regatta(),
            cause: None,
            correlation: uuid::Uuid::nil(),
            dedup: None,
            payload: payload.clone(),
        };
        let start = Instant::now();
        append(&log, Append { stream: stream.clone(), expect: Expect::Any, events: vec![event] }).await?;
        took.push(start.elapsed());
    }
    Ok(took)
}

fn ours(dir: &Path, producers: usize, bytes: usize) -> Outcome<Shown> {
    let log = DurableLog::open(Options::new(dir))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let start = Instant::now();
    let took = runtime.block_on(async {
        let mut tasks = Vec::new();
        for producer in 0..producers {
            let stream = Stream::try_from(format!("run/{producer}").as_str())?;
            tasks.push(tokio::spawn(produce(log.clone(), stream, bytes, start + ROUND)));
        }
        let mut all = Vec::new();
        for task in tasks {
            all.extend(task.await??);
        }
        Outcome::Ok(all)
    })?;
    let shown = shown(took, start.elapsed());
    log.close()?;
    Ok(shown)
}

type Waiting = (Vec<u8>, tokio::sync::oneshot::Sender<()>);

/// The least: take what waits, one write, one sync, answer.
fn commit(mut file: &File, waiting: &Receiver<Waiting>) -> io::Result<()> {
    while let Ok((mut group, first)) = waiting.recv() {
        let mut answers = vec![first];
        while group.len() < 1 << 20
            && let Ok((bytes, answer)) = waiting.try_recv()
        {
            group.extend(bytes);
            answers.push(answer);
        }
        file.write_all(&group)?;
        file.sync_data()?;
        for answer in answers {
            answer.send(()).ok();
        }
    }
    Ok(())
}

async fn produce_raw(queue: Sender<Waiting>, record: Vec<u8>, until: Instant) -> Outcome<Vec<Duration>> {
    let mut took = Vec::new();
    while Instant::now() < until {
        let start = Instant::now();
        let (answer, answered) = tokio::sync::oneshot::channel();
        queue.send((record.clone(), answer))?;
        answered.await?;
        took.push(start.elapsed());
    }
    Ok(took)
}

fn raw(dir: &Path, producers: usize, bytes: usize) -> Outcome<Shown> {
    let file = File::options().create(true).append(true).open(dir.join("raw"))?;
    let (queue, waiting) = channel();
    let committer = thread::spawn(move || commit(&file, &waiting));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let start = Instant::now();
    let record = payload(bytes + 52);
    let took = runtime.block_on(async {
        let tasks: Vec<_> =
            (0..producers).map(|_| tokio::spawn(produce_raw(queue.clone(), record.clone(), start + ROUND))).collect();
        let mut all = Vec::new();
        for task in tasks {
            all.extend(task.await??);
        }
        Outcome::Ok(all)
    })?;
    let shown = shown(took, start.elapsed());
    drop(queue);
    committer.join().map_err(|_| "the committer panicked")??;
    Ok(shown)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

fn main() -> Outcome<()> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().unwrap_or_else(|| ".".to_owned());
    let producers = arguments.next().map_or(Ok(64), |text| text.parse())?;
    let bytes = arguments.next().map_or(Ok(250), |text| text.parse())?;
    let dir = tempfile::tempdir_in(folder)?;
    let (mut rates, mut tails) = (Vec::new(), Vec::new());
    println!("{producers} producers, {bytes} B payloads, {} s rounds", ROUND.as_secs());
    for round in 0..ROUNDS {
        let least = raw(dir.path(), producers, bytes)?;
        let log = ours(&dir.path().join(format!("log-{round}")), producers, bytes)?;
        for (name, Shown { per_second, p50, p99 }) in [("raw", &least), ("log", &log)] {
            println!("{round} {name}: {per_second:>9.0} acks/s   p50 {p50:>9.1?}   p99 {p99:>9.1?}");
        }
        rates.push(log.per_second / least.per_second);
        tails.push(log.p99.as_secs_f64() / least.p99.as_secs_f64());
    }
    println!("median: {:.2}x raw acks/s, {:.2}x raw p99", median(rates), median(tails));
    Ok(())
}
