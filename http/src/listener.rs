//! Where clients come in: a unix socket that only its owner can open. Knows nothing of what is served.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use axum::Router;
use tokio::net::{UnixListener, UnixStream};
use tokio_util::sync::CancellationToken;

/// Name of the socket in the data directory.
pub const SOCKET_NAME: &str = "regatta.sock";
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

/// Serves until `stop`, then finishes the requests under way.
///
/// # Errors
/// When the socket fails.
pub async fn serve(listener: UnixListener, router: Router, stop: CancellationToken) -> io::Result<()> {
    axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned()).await
}
