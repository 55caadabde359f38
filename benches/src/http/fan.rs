//! One event to a hundred readers of the event stream: how long after its acknowledgement each has it. Beside it a bare
//! server that keeps a line with one `fdatasync` and tells it to as many. The commands put an attempt of a finished run
//! aside and take that back: one event each, decided by the dispatcher, with nothing else to do.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::sync::mpsc;

use super::peer::Peer;
use super::wire::Wire;
use crate::Outcome;
use crate::place::Place;
use crate::rows::{Line, Rows, median, percentile};
use crate::server::Server;

const CLIENTS: usize = 100;
/// Between two events, so that none waits for the one before it.
const PAUSE: Duration = Duration::from_millis(20);
/// How long an event may take to reach everybody.
const SEEN_MAX: Duration = Duration::from_secs(10);

/// Readers of one stream.
struct Readers {
    seen: mpsc::UnboundedReceiver<Instant>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl Readers {
    async fn begin(place: &Place, path: &str) -> Outcome<Self> {
        let (sender, seen) = mpsc::unbounded_channel();
        let mut tasks = Vec::new();
        for _ in 0..CLIENTS {
            let mut wire = Wire::open(place).await?;
            wire.follow(path).await?;
            let sender = sender.clone();
            tasks.push(tokio::spawn(async move {
                while let Ok(line) = wire.line().await {
                    if line.starts_with("data: ") && sender.send(Instant::now()).is_err() {
                        return;
                    }
                }
            }));
        }
        Ok(Self { seen, tasks })
    }

    /// When each reader had the next event.
    async fn all(&mut self) -> Outcome<Vec<Instant>> {
        let mut all = Vec::new();
        while all.len() < CLIENTS {
            let seen = tokio::time::timeout(SEEN_MAX, self.seen.recv()).await;
            all.push(seen.map_err(|_| "an event did not reach everybody")?.ok_or("the readers are gone")?);
        }
        Ok(all)
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        self.tasks.iter().for_each(tokio::task::JoinHandle::abort);
    }
}

/// How late each reader was, in ms: after the answer was here, and after the command was sent.
#[derive(Default)]
struct Late {
    acknowledged: Vec<f64>,
    sent: Vec<f64>,
}

async fn tell(place: &Place, stream: &str, commands: &[(String, &str)], count: usize) -> Outcome<Late> {
    let mut readers = Readers::begin(place, stream).await?;
    let mut wire = Wire::open(place).await?;
    let mut late = Late::default();
    for (path, body) in commands.iter().cycle().take(count) {
        let sent = Instant::now();
        let (status, answer) = wire.ask("POST", path, body).await?;
        if status != 204 {
            return Err(format!("{path} was answered with {status}: {}", String::from_utf8_lossy(&answer)).into());
        }
        let acknowledged = Instant::now();
        for seen in readers.all().await? {
            late.acknowledged.push(seen.saturating_duration_since(acknowledged).as_secs_f64() * 1e3);
            late.sent.push(seen.duration_since(sent).as_secs_f64() * 1e3);
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(late)
}

pub(crate) async fn measure(regatta: &Path, is_quick: bool, rows: &mut Rows) -> Outcome<Vec<Line>> {
    let (rounds, count) = if is_quick { (2, 50) } else { (5, 200) };
    let server = Server::start(regatta).map_err(|error| error.to_string())?;
    let place = Place::of(&server)?;
    let events = server.race(1, "echo changed >> src/file1.txt").map_err(|error| error.to_string())?;
    let stream = events.first().and_then(|event| event.get("stream")).and_then(serde_json::Value::as_str);
    let run = stream.and_then(|stream| stream.split('/').nth(1)).ok_or("the run has no events")?;
    let attempt = format!("/api/v1/runs/{run}/attempts/a");
    let ours = [(format!("{attempt}/discard"), r#"{"reason":"bench"}"#), (format!("{attempt}/restore"), "{}")];
    let peer = Peer::start(&[])?;
    let bare = [("/say".to_owned(), r#"{"reason":"bench"}"#)];
    let mut figures = [Vec::new(), Vec::new(), Vec::new(), Vec::new()];
    for round in 0..=rounds {
        let our = tell(&place, "/api/v1/events/stream", &ours, count).await?;
        let their = tell(&peer.place, "/stream", &bare, count).await?;
        let p99 = [&our.acknowledged, &our.sent, &their.acknowledged, &their.sent].map(|all| percentile(all, 0.99));
        let p50 = [&our.acknowledged, &our.sent, &their.acknowledged, &their.sent].map(|all| median(all));
        rows.add(&json!({"bench": "fan", "round": round, "clients": CLIENTS, "events": count,
            "order": "ours after answer, ours after command, bare after answer, bare after command", "p50_ms": p50,
            "p99_ms": p99}))?;
        // The first round warms the caches of both.
        if round > 0 {
            figures.iter_mut().zip(p99).for_each(|(all, value)| all.push(value));
        }
    }
    let [acknowledged, sent, bare_acknowledged, bare_sent] = figures.map(|all| median(&all));
    Ok(vec![
        Line {
            what: format!(
                "event acknowledged to seen by {CLIENTS} SSE clients, p99 (from the command, with the disk: {sent:.1} ms)"
            ),
            must: "25 ms",
            measured: format!("{acknowledged:.1} ms"),
        },
        Line {
            what: format!(
                "a bare server with one `fdatasync` that tells as many, p99 (from the command: {bare_sent:.1} ms)"
            ),
            must: "–",
            measured: format!("{bare_acknowledged:.1} ms"),
        },
    ])
}
