//! A gateway that streams while its sockets are cut and its process is started anew, again and again: whether what it
//! said on each connection is in the log once and in order, whether every break is recorded, and whether a browser at
//! the door hears nothing twice, nothing out of order, and nothing past a hole without being told.

use std::collections::BTreeMap;
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

/// Frames in a second.
const FRAMES_PER_S: u64 = 200;
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
        let Ok(mut client) = Client::at_door(&place).await else {
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

/// Says numbered frames until told to end; how many.
async fn stream(house: Arc<House>, mut end: oneshot::Receiver<()>) -> u64 {
    let mut tick = tokio::time::interval(Duration::from_millis(1_000 / FRAMES_PER_S));
    let mut n = 0;
    loop {
        tokio::select! {
            _ = tick.tick() => house.say("chat", json!({ "n": n, "state": "delta" })),
            _ = &mut end => return n,
        }
        n += 1;
    }
}

/// What the log says of the connections.
#[derive(Debug, Default)]
struct Recorded {
    frames: u64,
    connections: u64,
    /// Breaks that are recorded, with the place of the last frame before.
    breaks: u64,
    /// Frames a `gateway.missed` says are not here.
    reported: u64,
    /// Frames that are not here though nothing says so.
    lost: u64,
    doubles: u64,
}

fn recorded(lines: &str) -> Outcome<Recorded> {
    let mut recorded = Recorded::default();
    let mut last: BTreeMap<String, u64> = BTreeMap::new();
    let mut seen = std::collections::BTreeSet::new();
    for line in lines.lines() {
        let event: Value = serde_json::from_str(line)?;
        let payload =
            event.get("payload").and_then(|payload| payload.as_object()?.values().next()).ok_or("no payload")?;
        let text = |name: &str| payload.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let place = |name: &str| payload.get(name).and_then(Value::as_u64);
        let conn = text("conn_id");
        match event.get("kind").and_then(Value::as_str) {
            Some("gateway.connected") => recorded.connections += 1,
            Some("gateway.frame") => {
                let Some(seq) = place("seq") else { continue };
                let last = last.entry(conn).or_default();
                recorded.frames += 1;
                recorded.doubles += u64::from(seq <= *last);
                recorded.lost += seq.saturating_sub(*last + 1);
                *last = seq.max(*last);
                let n = number(&text("text"));
                recorded.doubles += u64::from(n.is_some_and(|n| !seen.insert(n)));
            }
            Some("gateway.missed") => {
                let (before, next) = (place("last").unwrap_or(0), place("next").unwrap_or(0));
                recorded.reported += next.saturating_sub(before + 1);
                last.insert(conn, next.saturating_sub(1));
            }
            Some("gateway.disconnected") => {
                recorded.breaks += 1;
                recorded.lost += place("last_seq").unwrap_or(0).saturating_sub(last.get(&conn).copied().unwrap_or(0));
            }
            _ => {}
        }
    }
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
    let recorded = recorded(&tail.await??)?;
    rows.add(
        &json!({"bench": "drops", "drops": drops, "restarts": restarts, "said": said, "recorded": recorded.frames,
        "connections": recorded.connections, "breaks": recorded.breaks, "reported": recorded.reported,
        "lost": recorded.lost, "doubles": recorded.doubles, "browser": { "frames": heard.frames,
        "let_go": heard.let_go, "holes": heard.holes, "doubles": heard.doubles }}),
    )?;
    let unreported = recorded.connections.saturating_sub(recorded.breaks + 1);
    Ok(vec![
        Line {
            what: format!(
                "{drops} random socket drops and {restarts} gateway restarts while streaming {FRAMES_PER_S} frames/s ({said} \
                 said, {} recorded, {} breaks recorded): frames lost on a connection without a word, doubled, breaks unreported",
                recorded.frames, recorded.breaks
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
