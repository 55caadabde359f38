//! Which fence works on this machine, found by trying.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use super::Fence;
use crate::layout::Walls;
use crate::provider::Error;
use crate::runner::PROBE;

/// A probe that takes longer does not work.
const PATIENCE: Duration = Duration::from_secs(10);
/// What bubblewrap must be able to do here.
const TRY: [&str; 16] = [
    "--unshare-pid",
    "--unshare-ipc",
    "--unshare-uts",
    "--unshare-net",
    "--die-with-parent",
    "--new-session",
    "--cap-drop",
    "ALL",
    "--ro-bind",
    "/",
    "/",
    "--dev",
    "/dev",
    "--proc",
    "/proc",
    "--",
];

/// The fence to use, and what it is called.
pub(super) async fn find(fence: Fence, runner: &Path) -> Result<(Walls, String), Error> {
    match fence {
        Fence::None => Ok((Walls::None, "none".to_owned())),
        Fence::Bubblewrap => bubblewrap().await.map_err(|why| unusable(&why)),
        Fence::Landlock => landlock(runner).await.map_err(|why| unusable(&why)),
        Fence::Auto => match bubblewrap().await {
            Ok(found) => Ok(found),
            Err(one) => landlock(runner).await.map_err(|other| unusable(&format!("{one}; {other}"))),
        },
    }
}

fn unusable(why: &str) -> Error {
    let reason =
        format!("{why}. Install bubblewrap (`apt install bubblewrap`), or ask for `host` to run without a fence");
    Error::Unusable { reason }
}

async fn bubblewrap() -> Result<(Walls, String), String> {
    let program = on_path("bwrap").ok_or("bubblewrap (`bwrap`) is not installed")?;
    let mut command = Command::new(&program);
    command.args(TRY).arg("true");
    tried(command).await.map_err(|why| format!("bubblewrap does not work here: {why}"))?;
    Ok((Walls::Bubblewrap { program }, "bubblewrap".to_owned()))
}

async fn landlock(runner: &Path) -> Result<(Walls, String), String> {
    let mut command = Command::new(runner);
    command.arg(PROBE);
    let fence = tried(command).await.map_err(|why| format!("Landlock does not work here: {why}"))?;
    Ok((Walls::Landlock, fence))
}

/// What a program printed that ended well, else what it said was wrong.
async fn tried(mut command: Command) -> Result<String, String> {
    let output = command.stdin(Stdio::null()).kill_on_drop(true).output();
    let output = tokio::time::timeout(PATIENCE, output).await.map_err(|_| "it does not answer".to_owned())?;
    let output = output.map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(said.lines().last().unwrap_or("it ended with an error").to_owned())
}

fn on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join(program))
        .find(|path| rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok())
}
