//! A thousand live clients to whom nothing happens, half of them streams and half WebSockets: the memory of the server.
//! Beside it a bare server with as many streams.

use std::path::Path;
use std::time::Duration;

use serde_json::json;

use super::peer::Peer;
use super::wire::Wire;
use crate::Outcome;
use crate::place::Place;
use crate::rows::{Line, Rows};
use crate::server::{Server, memory_bytes};

const CLIENTS: usize = 1_000;

/// Connections of half the clients, and tasks that take what comes.
async fn connect(place: &Place, stream: &str, socket: Option<&str>) -> Outcome<Vec<tokio::task::JoinHandle<()>>> {
    let mut staying = Vec::new();
    for n in 0..CLIENTS {
        let mut wire = Wire::open(place).await?;
        let by_socket = socket.filter(|_| n % 2 == 1);
        if let Some(path) = by_socket {
            wire.upgrade(path, r#"{"subscribe":{"topic":"timeline"}}"#).await?;
        } else {
            wire.follow(stream).await?;
        }
        let is_socket = by_socket.is_some();
        staying.push(tokio::spawn(async move {
            if is_socket {
                wire.stay().await.ok();
            } else {
                while wire.line().await.is_ok() {}
            }
        }));
    }
    Ok(staying)
}

pub(crate) async fn measure(regatta: &Path, is_quick: bool, rows: &mut Rows) -> Outcome<Vec<Line>> {
    // Long enough that each client was asked once whether it is there.
    let idle = Duration::from_secs(if is_quick { 5 } else { 25 });
    let server = Server::start(regatta).map_err(|error| error.to_string())?;
    let (place, peer) = (Place::of(&server)?, Peer::start(&[])?);
    let before = (memory_bytes(server.process_id())?, memory_bytes(peer.process_id())?);
    let ours = connect(&place, "/api/v1/events/stream", Some("/api/v1/live")).await?;
    let theirs = connect(&peer.place, "/stream", None).await?;
    tokio::time::sleep(idle).await;
    let gone = ours.iter().chain(&theirs).filter(|client| client.is_finished()).count();
    if gone > 0 {
        return Err(format!("{gone} clients were let go").into());
    }
    let after = (memory_bytes(server.process_id())?, memory_bytes(peer.process_id())?);
    ours.iter().chain(&theirs).for_each(tokio::task::JoinHandle::abort);
    #[expect(clippy::cast_precision_loss, reason = "megabytes")]
    let mb = |bytes: u64| bytes as f64 / 1e6;
    rows.add(&json!({"bench": "idle", "clients": CLIENTS, "before_mb": mb(before.0), "after_mb": mb(after.0),
        "bare_before_mb": mb(before.1), "bare_after_mb": mb(after.1)}))?;
    Ok(vec![
        Line {
            what: format!(
                "{CLIENTS} idle live clients, half SSE, half WebSocket, memory of the server (without any: {:.0} MB)",
                mb(before.0)
            ),
            must: "150 MB",
            measured: format!("{:.0} MB", mb(after.0)),
        },
        Line {
            what: format!("a bare server with as many SSE clients (without any: {:.0} MB)", mb(before.1)),
            must: "–",
            measured: format!("{:.0} MB", mb(after.1)),
        },
    ])
}
