//! The unix socket: only its owner can open it.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use axum::Router;
use tokio::net::unix::SocketAddr;
use tokio::net::{UnixListener, UnixStream};
use tokio_util::sync::CancellationToken;

use super::connections::{self, Bounds};
use crate::auth::Door;

/// Name of the socket in the data directory.
pub const SOCKET_NAME: &str = "regatta.sock";
/// What a stranger hears.
const TURNED_AWAY: &[u8] = b"HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain\r\nContent-Length: 42\r\n\
    Connection: close\r\n\r\nattempts may not give commands to Regatta\n";
/// Longest path the kernel takes for a socket, its closing NUL left out.
const SOCKET_PATH_BYTES_MAX: usize = 107;

/// A path to the socket short enough for the kernel. A long one goes through the folder's descriptor, which must stay
/// open until the path has been used.
fn reachable(data_dir: &Path) -> io::Result<(PathBuf, Option<File>)> {
    let path = data_dir.join(SOCKET_NAME);
    if path.as_os_str().len() <= SOCKET_PATH_BYTES_MAX {
        return Ok((path, None));
    }
    let folder = File::open(data_dir)?;
    Ok((PathBuf::from(format!("/proc/self/fd/{}/{SOCKET_NAME}", folder.as_raw_fd())), Some(folder)))
}

/// Opens the socket in a data directory this process alone owns, in place of one left behind.
///
/// # Errors
/// When the folder or the socket cannot be made.
pub fn bind(data_dir: &Path) -> io::Result<UnixListener> {
    let path = data_dir.join(SOCKET_NAME);
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let (short, _folder) = reachable(data_dir)?;
    let listener = UnixListener::bind(short)?;
    // The folder is 0700 already; this is the second lock on the same door.
    fs::set_permissions(&path, Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Connects to the server of a data directory.
///
/// # Errors
/// When nobody listens there.
pub async fn connect(data_dir: &Path) -> io::Result<UnixStream> {
    let (short, _folder) = reachable(data_dir)?;
    UnixStream::connect(short).await
}

/// Tells by its process id whether a client may not come in.
pub type IsStranger = fn(i32) -> bool;

/// Serves until `stop`, then finishes the requests under way. Strangers are turned away before they say anything: what
/// an agent in a sandbox could reach of this socket, behind a weak fence, it shall not use.
///
/// # Errors
/// When the socket fails.
pub async fn serve(
    listener: UnixListener,
    is_stranger: IsStranger,
    router: Router,
    stop: CancellationToken,
) -> io::Result<()> {
    let guarded = Guarded { listener, is_stranger };
    connections::serve(guarded, Bounds::default(), |_| Door::Socket, router, stop).await
}

/// A socket with somebody at the door.
struct Guarded {
    listener: UnixListener,
    is_stranger: IsStranger,
}

impl axum::serve::Listener for Guarded {
    type Io = UnixStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (UnixStream, SocketAddr) {
        loop {
            let (stream, address) = axum::serve::Listener::accept(&mut self.listener).await;
            let process = stream.peer_cred().ok().and_then(|peer| peer.pid());
            if process.is_some_and(|process| !(self.is_stranger)(process)) {
                return (stream, address);
            }
            tracing::warn!(process, "a process in a sandbox tried to give commands, and was turned away");
            // It may not be listening; it is turned away all the same.
            stream.try_write(TURNED_AWAY).ok();
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}
