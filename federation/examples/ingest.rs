//! How many frames of a gateway are made durable in a second: the fake gateway says captured frames as fast as they are
//! taken, over one connection, into a log on disk. Fake and all share this process. `cargo xtask bench gateway` runs it.

#![expect(clippy::expect_used, clippy::print_stdout, reason = "a measurement says what it stands on, and its result")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use regatta_core::log::{DurableLog, Options};
use regatta_core::{Actor, Log as _, Stream, SystemClock, Vault};
use regatta_federation::{Gateways, Wanted};
use regatta_gateway_fake::House;
use tokio_util::sync::CancellationToken;

const CAPTURE: &str = include_str!("../../gateway/tests/frames/observer-subscribed-tool-turn.jsonl");
/// Frames in all.
const FRAMES: u64 = 100_000;
/// Frames that may be on their way: less than the fake holds.
const AHEAD: u64 = 20_000;

#[tokio::main]
async fn main() {
    let folder =
        tempfile::tempdir_in(std::env::args().nth(1).unwrap_or_else(|| "target".to_owned())).expect("a folder");
    let log = DurableLog::open(Options::new(folder.path())).expect("a log");
    let vault = Vault::of(&folder.path().join("vault"), Arc::new(log.clone()), Arc::new(SystemClock)).expect("a vault");
    let gateways = Gateways::open(Arc::new(log.clone()), vault, Arc::new(SystemClock)).expect("gateways");
    let house = House::open().await;
    let stop = CancellationToken::new();
    let running = tokio::spawn(gateways.clone().run(stop.clone()));
    let name: regatta_core::GatewayName = "main".parse().expect("a name");
    let wanted = Wanted { name: name.clone(), url: house.url.clone(), allow_plain: false, secret: None };
    gateways.add(wanted, &Actor::user("bench")).await.expect("added");
    let stream = Stream::link(&name);
    let recorded = || log.stream_head(&stream).expect("a position");

    let per_capture = CAPTURE
        .lines()
        .filter(|line| line.contains("\"type\":\"event\"") || line.contains("\"type\": \"event\""))
        .count() as u64;
    let (before, began) = (recorded(), Instant::now());
    let mut said = 0;
    while recorded() - before < FRAMES {
        if said < FRAMES && said - (recorded() - before).min(said) < AHEAD {
            house.replay(CAPTURE);
            said += per_capture;
        } else {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    let (frames, took) = (recorded() - before, began.elapsed());
    let bytes: u64 = walk(folder.path());
    #[expect(clippy::cast_precision_loss, reason = "a rate is a float")]
    let rate = frames as f64 / took.as_secs_f64();
    println!("{frames} frames in {took:.2?}: {rate:.0} frames/s durable, {} bytes a frame on disk", bytes / frames);
    stop.cancel();
    running.await.expect("no panic").expect("ended well");
}

fn walk(folder: &std::path::Path) -> u64 {
    let entries = std::fs::read_dir(folder).expect("a folder").flatten();
    entries
        .map(
            |entry| {
                if entry.path().is_dir() { walk(&entry.path()) } else { entry.metadata().map_or(0, |file| file.len()) }
            },
        )
        .sum()
}
