//! A gateway that streams rows of a transcript while its sockets are cut and its process is started anew, again and again:
//! whether each row is in the log once, as it was heard or as it was rebuilt from the transcript, whether every break is
//! recorded, and whether a browser at the door hears nothing twice, and nothing past a hole without being told.

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use regatta_gateway_fake::House;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::Site;
use super::client::{Came, Client, number};
use crate::Outcome;
use crate::place::Place;
use crate::rows::{Line, Rows};

/// Rows in a second.
const ROWS_PER_S: u64 = 50;
/// Rows the gateway gives of its transcript at once.
const HISTORY_ROWS: usize = 200;
const SESSION: &str = "agent:main:bench";
/// How long a connection is let be before the next break, at most, in milliseconds.
const BETWEEN_MS_MAX: u64 = 400;
/// How long it may take until the gateway is connected again.
const AGAIN_WITHIN: Duration = Duration::from_secs(30);

/// Small numbers that look like chance, the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

/// What a browser heard: how often it was let go, and what was wrong with what it heard in between.
#[derive(Debug, Default)]
struct Heard {
    frames: u64,
    let_go: u64,
    /// Not the next number, though it was not let go before.
    holes: u64,
    /// A number that was there already.
    doubles: u64,
}

/// Listens, and comes again whenever it is let go, until told to end.
async fn browse(place: Place, mut end: oneshot::Receiver<()>) -> Outcome<Heard> {
    let (mut heard, mut last) = (Heard::default(), None::<u64>);
    loop {
        let Ok(mut client) = at_door(&place).await else {
            if end.try_recv().is_ok() {
                return Ok(heard);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let mut is_new = true;
        loop {
            let came = tokio::select! {
                came = client.next() => came?,
                _ = &mut end => return Ok(heard),
            };
            match came {
                Came::Frame(frame) => {
                    let Some(n) = number(&frame) else { continue };
                    heard.frames += 1;
                    heard.doubles += u64::from(last.is_some_and(|last| n <= last));
                    heard.holes += u64::from(!is_new && last.is_some_and(|last| n > last + 1));
                    (last, is_new) = (Some(n), false);
                }
                Came::Closed(1012) => {
                    heard.let_go += 1;
                    break;
                }
                Came::Closed(code) => return Err(format!("a browser was let go with {code}").into()),
            }
        }
    }
}

async fn at_door(place: &Place) -> Outcome<Client> {
    let mut client = Client::at_door(place).await?;
    client.call("sessions.subscribe").await?;
    Ok(client)
}

/// Says numbered rows until told to end, each of which is in the transcript before it is said; how many.
async fn stream(house: Arc<House>, mut end: oneshot::Receiver<()>) -> u64 {
    let mut tick = tokio::time::interval(Duration::from_millis(1_000 / ROWS_PER_S));
    let (mut n, mut rows) = (0, VecDeque::new());
    loop {
        tokio::select! {
            _ = tick.tick() => {}
            _ = &mut end => return n,
        }
        n += 1;
        let now_ms = now_ms();
        let about = json!({ "id": format!("m-{n}"), "seq": n, "recordTimestampMs": now_ms });
        let row = json!({ "role": "user", "content": format!("row {n}"), "timestamp": now_ms, "__openclaw": about });
        rows.push_back(row.clone());
        if rows.len() > HISTORY_ROWS {
            rows.pop_front();
        }
        let session = json!({ "key": SESSION, "agentId": "main", "updatedAt": now_ms, "hasActiveRun": false,
            "activeRunIds": [] });
        house.answers("sessions.list", json!({ "ts": now_ms, "sessions": [session] }));
        house.answers("chat.history", json!({ "sessionKey": SESSION, "sessionId": "s", "messages": rows }));
        let said = json!({ "sessionKey": SESSION, "agentId": "main", "message": row, "messageSeq": n, "n": n });
        house.say("session.message", said);
    }
}

fn now_ms() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "a gateway has a clock")]
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}

/// What the log says of the connections.
#[derive(Debug, Default)]
struct Recorded {
    /// Rows as they were heard, and as they were rebuilt.
    heard: u64,
    rebuilt: u64,
    connections: u64,
    breaks: u64,
    /// Rows that are there in neither way.
    lost: u64,
    doubles: u64,
}

fn recorded(lines: &str, said: u64) -> Outcome<Recorded> {
    let (mut recorded, mut rows) = (Recorded::default(), BTreeMap::<u64, u64>::new());
    for line in lines.lines() {
        let event: Value = serde_json::from_str(line)?;
        let payload =
            event.get("payload").and_then(|payload| payload.as_object()?.values().next()).ok_or("no payload")?;
        match event.get("kind").and_then(Value::as_str) {
            Some("gateway.connected") => recorded.connections += 1,
            Some("gateway.disconnected") => recorded.breaks += 1,
            Some("gateway.frame") => {
                let text = payload.get("text").and_then(Value::as_str).unwrap_or_default();
                let frame: Value = serde_json::from_str(text)?;
                let Some(row) = frame.get("payload").and_then(|payload| payload.get("messageSeq")?.as_u64()) else {
                    continue;
                };
                let is_rebuilt = frame.get("reconstructed").is_some();
                *if is_rebuilt { &mut recorded.rebuilt } else { &mut recorded.heard } += 1;
                *rows.entry(row).or_default() += 1;
            }
            _ => {}
        }
    }
    let first = rows.keys().next().copied().unwrap_or(1);
    recorded.lost = (first..=said).filter(|row| !rows.contains_key(row)).count() as u64;
    recorded.doubles = rows.values().map(|times| times - 1).sum();
    Ok(recorded)
}

async fn again(house: &House, connections: u32) -> Outcome<()> {
    let waiting = async {
        while house.connections() <= connections {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    Ok(tokio::time::timeout(AGAIN_WITHIN, waiting).await.map_err(|_| "the gateway is not connected to again")?)
}

pub(super) async fn measure(regatta: &Path, is_quick: bool, rows: &mut Rows) -> Outcome<Vec<Line>> {
    let (drops, restarts): (u64, u64) = if is_quick { (3, 1) } else { (100, 20) };
    let Site { server, place, house } = Site::open(regatta).await?;
    let house = Arc::new(house);
    let (end_browser, browser_ends) = oneshot::channel();
    let browser = tokio::spawn(browse(place, browser_ends));
    let (end_stream, stream_ends) = oneshot::channel();
    let streaming = tokio::spawn(stream(Arc::clone(&house), stream_ends));
    let mut dice = Dice(7);
    for number in 0..drops + restarts {
        tokio::time::sleep(Duration::from_millis(dice.below(BETWEEN_MS_MAX))).await;
        let connections = house.connections();
        // Spread over the whole.
        if number % (drops + restarts).div_ceil(restarts) == 0 {
            house.restart();
        } else {
            house.drop_connections();
        }
        again(&house, connections).await?;
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    end_stream.send(()).ok();
    let said = streaming.await?;
    // What was said last is on its way.
    tokio::time::sleep(Duration::from_secs(1)).await;
    end_browser.send(()).ok();
    let heard = browser.await??;
    let tail = tokio::task::spawn_blocking(move || -> Outcome<String> {
        let arguments = ["log", "tail", "--json", "--stream", "link/main", "--from", "1"];
        let told = server.command(&arguments).map_err(|error| error.to_string())?.output()?;
        Ok(String::from_utf8(told.stdout)?)
    });
    let recorded = recorded(&tail.await??, said)?;
    let unreported = recorded.connections.saturating_sub(recorded.breaks + 1);
    rows.add(&json!({"bench": "drops", "drops": drops, "restarts": restarts, "said": said, "heard": recorded.heard,
        "rebuilt": recorded.rebuilt, "connections": recorded.connections, "breaks": recorded.breaks,
        "lost": recorded.lost, "doubles": recorded.doubles, "browser": { "frames": heard.frames,
        "let_go": heard.let_go, "holes": heard.holes, "doubles": heard.doubles }}))?;
    Ok(vec![
        Line {
            what: format!(
                "{drops} random socket drops and {restarts} gateway restarts while streaming {ROWS_PER_S} rows/s ({said} said, {} \
                 heard, {} rebuilt): rows lost, rows twice in the log, breaks unreported",
                recorded.heard, recorded.rebuilt
            ),
            must: "0, 0, 0",
            measured: format!("{}, {}, {unreported}", recorded.lost, recorded.doubles),
        },
        Line {
            what: format!(
                "a browser at the door meanwhile ({} frames, {} times let go): holes it was not told of, frames heard twice",
                heard.frames, heard.let_go
            ),
            must: "0, 0",
            measured: format!("{}, {}", heard.holes, heard.doubles),
        },
    ])
}
