//! Many browsers at one gateway's door, and one chat that streams: the memory of the server, how late each delta is, and
//! that every browser hears every frame once.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use regatta_gateway_fake::House;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::Site;
use super::client::{Came, Client, number};
use crate::Outcome;
use crate::rows::{Line, Rows, median, percentile};
use crate::server::memory_bytes;

/// Deltas of the chat in a second; each is two frames, as a gateway says it.
const DELTAS_PER_S: u64 = 50;
const RUN: &str = "8a6c94a8-8f48-4876-aee1-43414e4fc05c";
const SESSION: &str = "agent:main:bench";
const WORDS: &str = "the boats go round ";

/// The two frames of a delta: the agent's, and the chat's.
fn delta(n: u64, text: &str) -> [(&'static str, Value); 2] {
    let data = json!({ "text": text, "delta": WORDS, "itemId": "item-1" });
    let agent = json!({ "runId": RUN, "seq": n * 2, "stream": "assistant", "ts": n, "data": data,
        "sessionKey": SESSION, "agentId": "main", "isHeartbeat": false });
    let message = json!({ "role": "assistant", "content": [{ "type": "text", "text": text }], "timestamp": n });
    let chat = json!({ "runId": RUN, "sessionKey": SESSION, "agentId": "main", "seq": n * 2 + 1, "state": "delta",
        "deltaText": WORDS, "message": message, "n": n });
    [("agent", agent), ("chat", chat)]
}

/// What one browser heard: when each delta came, and how many it missed or had twice.
struct Heard {
    at: Vec<Instant>,
    wrong: u64,
}

async fn listen(mut client: Client, deltas: u64, is_there: mpsc::Sender<()>) -> Outcome<Heard> {
    is_there.send(()).await.ok();
    drop(is_there);
    let mut heard = Heard { at: Vec::with_capacity(usize::try_from(deltas)?), wrong: 0 };
    let mut next = 0;
    while next < deltas {
        match client.next().await? {
            Came::Frame(frame) => {
                let Some(n) = frame.contains("\"state\":\"delta\"").then(|| number(&frame)).flatten() else { continue };
                heard.wrong += n.abs_diff(next);
                next = n + 1;
                heard.at.push(Instant::now());
            }
            Came::Closed(code) => return Err(format!("a browser was let go with {code}").into()),
        }
    }
    Ok(heard)
}

/// The highest resident memory of the server while something goes on.
struct Watched {
    highest: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
}

impl Watched {
    fn begin(process: u32) -> Self {
        let (highest, stop) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let watched = Self { highest: Arc::clone(&highest), stop: Arc::clone(&stop) };
        tokio::spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                let now = memory_bytes(process).unwrap_or(0);
                highest.fetch_max(usize::try_from(now).unwrap_or(usize::MAX), Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        });
        watched
    }

    #[expect(clippy::cast_precision_loss, reason = "megabytes")]
    fn end_mb(self) -> f64 {
        self.stop.store(true, Ordering::Relaxed);
        self.highest.load(Ordering::Relaxed) as f64 / 1e6
    }
}

/// Says so many deltas; when each was said.
async fn stream(house: &House, deltas: u64) -> Vec<Instant> {
    let (mut said, mut text) = (Vec::new(), String::new());
    let mut tick = tokio::time::interval(Duration::from_millis(1_000 / DELTAS_PER_S));
    for n in 0..deltas {
        tick.tick().await;
        // An answer of a few thousand characters, and then the next one.
        if n % 250 == 0 {
            text.clear();
        }
        text.push_str(WORDS);
        said.push(Instant::now());
        for (event, payload) in delta(n, &text) {
            house.say(event, payload);
        }
    }
    said
}

pub(super) async fn measure(regatta: &Path, is_quick: bool, rows: &mut Rows) -> Outcome<Vec<Line>> {
    let (browsers, seconds) = if is_quick { (20, 3) } else { (500, 30) };
    let deltas = DELTAS_PER_S * seconds;
    let site = Site::open(regatta).await?;
    let process = site.server.process_id();
    let before = memory_bytes(process)?;
    let (is_there, mut there) = mpsc::channel(browsers);
    let mut listening = JoinSet::new();
    for _ in 0..browsers {
        listening.spawn(listen(Client::at_door(&site.place).await?, deltas, is_there.clone()));
    }
    drop(is_there);
    while there.recv().await.is_some() {}
    let watched = Watched::begin(process);
    let said = stream(&site.house, deltas).await;
    let (mut late, mut wrong) = (Vec::new(), 0);
    while let Some(heard) = listening.join_next().await {
        let heard = heard??;
        wrong += heard.wrong;
        late.extend(
            heard.at.iter().zip(&said).map(|(at, said)| at.saturating_duration_since(*said).as_secs_f64() * 1e3),
        );
    }
    let highest = watched.end_mb();
    #[expect(clippy::cast_precision_loss, reason = "megabytes")]
    let before = before as f64 / 1e6;
    let (p50, p99) = (median(&late), percentile(&late, 0.99));
    rows.add(&json!({"bench": "crowd", "browsers": browsers, "deltas": deltas, "before_mb": before,
        "highest_mb": highest, "late_p50_ms": p50, "late_p99_ms": p99, "missed_or_double": wrong}))?;
    Ok(vec![
        Line {
            what: format!(
                "{browsers} browsers on one upstream, one chat streaming {DELTAS_PER_S} deltas/s for {seconds} s, memory of the \
                 server (without any: {before:.0} MB)"
            ),
            must: "250 MB",
            measured: format!("{highest:.0} MB"),
        },
        Line {
            what: format!("the same: a delta said to heard, with the disk between, p50 {p50:.1} ms, p99"),
            must: "–",
            measured: format!("{p99:.1} ms"),
        },
        Line {
            what: "the same: deltas missed or heard twice, all browsers".to_owned(),
            must: "0",
            measured: wrong.to_string(),
        },
    ])
}
