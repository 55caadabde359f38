//! A server in the background: this program again, in its own session, with its output in the data directory.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::folder::{self, SERVER_LOG};
use crate::context::Context;
use crate::failure::{Exit, Failure};

/// What the server prints on standard output once it answers.
pub(super) const READY: &str = "ready";
/// Times a start is tried while another server has the data directory.
const STARTS_MAX: u32 = 60;
/// Looks at whether the other one answers, between two starts.
const LOOKS_MAX: u32 = 25;
/// Pause between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Bytes of the server's output looked at for why it did not start.
const REASON_BYTES_MAX: u64 = 8 << 10;

/// A server in the background.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Started {
    pub(crate) pid: u32,
    /// Whether it was there before.
    pub(crate) was_running: bool,
}

/// Starts a server in the background and returns when it answers.
pub(crate) async fn start_detached(context: &Context, flags: &[String]) -> Result<Started, Failure> {
    if let Some(health) = context.client().health().await? {
        return Ok(Started { pid: health.pid, was_running: true });
    }
    folder::make(&context.data_dir)?;
    let log_path = context.data_dir.join(SERVER_LOG);
    let log = File::options().create(true).append(true).open(&log_path)?;
    let log_start = log.metadata()?.len();
    for _ in 0..STARTS_MAX {
        let mut child = spawn(&context.data_dir, flags, log.try_clone()?)?;
        if is_ready(&mut child) {
            return Ok(Started { pid: child.id(), was_running: false });
        }
        if child.wait()?.code() != Some(Exit::Refused as i32) {
            break;
        }
        // Another server has the data directory: one that is just starting, as good as ours, or one that is just ending.
        for _ in 0..LOOKS_MAX {
            if let Some(health) = context.client().health().await? {
                return Ok(Started { pid: health.pid, was_running: true });
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
    Err(reason(&log_path, log_start))
}

fn spawn(data_dir: &Path, flags: &[String], log: File) -> Result<Child, Failure> {
    let program = std::env::current_exe()?;
    let mut command = Command::new(program);
    command.args(["up", "--as-detached", "--data-dir"]).arg(data_dir).args(flags);
    // Whatever folder this is, the server must not keep it busy.
    command.current_dir("/").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
    command.spawn().map_err(|error| Failure::caused("failed to start the server", &error))
}

/// Waits for the one line a server prints, or for its end.
fn is_ready(child: &mut Child) -> bool {
    let Some(stdout) = child.stdout.take() else { return false };
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line).is_ok_and(|_| line.trim_end() == READY)
}

/// Why a server did not start, in its own words.
fn reason(log: &Path, from: u64) -> Failure {
    let mut text = String::new();
    let read = File::open(log).and_then(|mut file| {
        let end = file.seek(SeekFrom::End(0))?;
        file.seek(SeekFrom::Start(from.max(end.saturating_sub(REASON_BYTES_MAX))))?;
        file.take(REASON_BYTES_MAX).read_to_string(&mut text)
    });
    let said = |start: &str| {
        let line = text.lines().rev().find_map(|line| line.strip_prefix(start));
        line.map(|rest| rest.trim().to_owned()).filter(|_| read.is_ok())
    };
    let message = said("error:").unwrap_or_else(|| "it ended without saying why".to_owned());
    let hint = said("hint:").unwrap_or_else(|| format!("its output is in {}", log.display()));
    Failure::new(Exit::Failed, format!("the server did not start: {message}")).hint(hint)
}
