//! `cargo xtask bench gateway`: what issue "OpenClaw gateways" asks of the door for browsers, measured on the real binary
//! over loopback with a real token. The fake gateway and the browsers stand in this process; the peer of a call through
//! the door is the same call to the fake itself, in the same rounds.

mod client;
mod crowd;
mod drops;
mod rpc;

use std::path::Path;

use regatta_gateway_fake::House;

use crate::Outcome;
use crate::place::{Place, raise_files_max};
use crate::rows::{Line, Rows, print_table};
use crate::server::Server;

/// What can be measured alone.
const PARTS: [&str; 3] = ["rpc", "crowd", "drops"];

/// Measures everything, or only the parts named.
pub(crate) fn run(regatta: &Path, words: &[&str]) -> Outcome<()> {
    let is_quick = words.contains(&"--quick");
    let parts: Vec<&str> = words.iter().take_while(|word| !word.starts_with("--")).copied().collect();
    if let Some(unknown) = parts.iter().find(|part| !PARTS.contains(part)) {
        return Err(format!("there is no part {unknown}; there are ingest (alone), {}", PARTS.join(", ")).into());
    }
    let is_asked = |part: &str| parts.is_empty() || parts.contains(&part);
    let regatta = std::fs::canonicalize(regatta)?;
    raise_files_max();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let mut rows = Rows::create("gateway")?;
    let mut lines: Vec<Line> = Vec::new();
    if is_asked("rpc") {
        lines.extend(runtime.block_on(rpc::measure(&regatta, is_quick, &mut rows))?);
    }
    if is_asked("crowd") {
        lines.extend(runtime.block_on(crowd::measure(&regatta, is_quick, &mut rows))?);
    }
    if is_asked("drops") {
        lines.extend(runtime.block_on(drops::measure(&regatta, is_quick, &mut rows))?);
    }
    print_table(lines);
    Ok(())
}

/// A server with the fake gateway `main`, connected.
struct Site {
    server: Server,
    place: Place,
    house: House,
}

impl Site {
    async fn open(regatta: &Path) -> Outcome<Self> {
        let house = House::open().await;
        let (regatta, url) = (regatta.to_owned(), house.url.clone());
        // The fake answers meanwhile.
        let started = tokio::task::spawn_blocking(move || -> Outcome<(Server, Place)> {
            let server = Server::start(&regatta).map_err(|error| error.to_string())?;
            let added =
                server.command(&["gateway", "add", "main", &url]).map_err(|error| error.to_string())?.output()?;
            if !added.status.success() {
                return Err(String::from_utf8_lossy(&added.stderr).into_owned().into());
            }
            let place = Place::of(&server)?;
            Ok((server, place))
        });
        let (server, place) = started.await??;
        Ok(Self { server, place, house })
    }
}
