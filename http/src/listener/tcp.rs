//! The TCP address. What may come in is decided behind it; a connection carries where it comes from.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::Router;
use axum::serve::ListenerExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use super::connections::{self, Bounds};
use crate::auth::Door;

/// The port when nobody says.
pub const PORT_DEFAULT: u16 = 7433;
/// Ports after it that are tried when it is taken and nobody asked for it.
const PORTS_TRIED: u16 = 20;

/// Where to listen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// On loopback; the default port, or when it is taken a free one after it.
    Default,
    /// There and nowhere else; port 0 is any free one.
    At(SocketAddr),
}

/// Why the address cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("failed to listen on {address}")]
pub struct BindError {
    /// Which.
    pub address: SocketAddr,
    #[source]
    source: io::Error,
}

impl BindError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        #[expect(clippy::wildcard_enum_match_arm, reason = "the kinds of errors are the system's and many")]
        match self.source.kind() {
            io::ErrorKind::AddrInUse => {
                "another program listens there: stop it, or name another port: --listen 127.0.0.1:PORT (0: any free one)"
            }
            io::ErrorKind::AddrNotAvailable => "this machine has no such address: name one of its own with --listen",
            io::ErrorKind::PermissionDenied => "ports below 1024 are the system's: name a higher one with --listen",
            _ => "name another address with --listen",
        }
    }
}

/// Begins to listen.
///
/// # Errors
/// When the address is taken or is none of this machine's.
pub async fn bind_tcp(wanted: Wanted) -> Result<TcpListener, BindError> {
    let bind = |address: SocketAddr| async move {
        TcpListener::bind(address).await.map_err(|source| BindError { address, source })
    };
    let first = match wanted {
        Wanted::At(address) => return bind(address).await,
        Wanted::Default => SocketAddr::from((Ipv4Addr::LOCALHOST, PORT_DEFAULT)),
    };
    for port in PORT_DEFAULT..=PORT_DEFAULT + PORTS_TRIED {
        match bind(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)).await {
            Ok(listener) => return Ok(listener),
            Err(error) if error.source.kind() == io::ErrorKind::AddrInUse => {}
            Err(error) => return Err(error),
        }
    }
    bind(SocketAddr::new(first.ip(), 0)).await
}

/// Serves until `stop`, then finishes the requests under way.
///
/// # Errors
/// When the listener fails.
pub async fn serve_tcp(listener: TcpListener, router: Router, stop: CancellationToken) -> io::Result<()> {
    serve_tcp_within(listener, Bounds::default(), router, stop).await
}

/// The same within other bounds.
///
/// # Errors
/// When the listener fails.
pub async fn serve_tcp_within(
    listener: TcpListener,
    bounds: Bounds,
    router: Router,
    stop: CancellationToken,
) -> io::Result<()> {
    let listener = listener.tap_io(|stream| at_once(stream));
    let door = |peer: &SocketAddr| Door::Tcp { peer: *peer, is_secure: false };
    connections::serve(listener, bounds, door, router, stop).await
}

/// Small pieces leave as they come; live clients wait for them.
pub(super) fn at_once(stream: &TcpStream) {
    stream.set_nodelay(true).inspect_err(|error| tracing::debug!(%error, "a connection gathers small pieces")).ok();
}
