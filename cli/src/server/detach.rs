//! A server in the background: this program again, in its own session, with its output in the data directory.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use super::folder::{self, SERVER_LOG};
use crate::commands::log::witness;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::terminal::escape;

/// What the server prints on standard output once it answers.
pub(super) const READY: &str = "ready";
/// Times a start is tried while another server has the data directory.
const STARTS_MAX: u32 = 60;
/// Looks at whether the other one answers, between two starts.
const LOOKS_MAX: u32 = 25;
/// Pause between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How often whoever waits for a server is told what it says.
const STILL_EVERY: Duration = Duration::from_secs(5);
/// Bytes of the server's output looked at for why it did not start.
const REASON_BYTES_MAX: u64 = 8 << 10;
/// Last lines of it that are told.
const LINES_MAX: usize = 3;

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
    let log = File::options().create(true).append(true).open(&log_path);
    let log = log.map_err(|error| {
        Failure::caused(format!("the server's output cannot be kept in {}", log_path.display()), &error)
    })?;
    let log_start = log.metadata()?.len();
    for _ in 0..STARTS_MAX {
        let mut child = spawn(&context.data_dir, flags, log.try_clone()?)?;
        let still = || {
            if let Some(last) = last_lines(&log_path, log_start, 1) {
                context.terminal.note(format!("the server is still starting; it says: {}", escape::line(&last)));
            }
        };
        let said = match first_line(&mut child, still) {
            Some(Said::Ready) => {
                tell_contradictions(context).await;
                return Ok(Started { pid: child.id(), was_running: false });
            }
            Some(Said::Failed(said)) => Some(said),
            None => None,
        };
        let status = child.wait()?;
        if status.code() != Some(Exit::Refused as i32) {
            return Err(reason(said, status, &log_path, log_start));
        }
        // Another server has the data directory: one that is just starting, as good as ours, or one that is just ending.
        for _ in 0..LOOKS_MAX {
            if let Some(health) = context.client().health().await? {
                return Ok(Started { pid: health.pid, was_running: true });
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
    Err(Failure::new(Exit::Refused, format!("another process has {} and does not answer", context.data_dir.display()))
        .hint("see what it is: the file `lock` there holds its process id"))
}

/// What its witnesses have against the log of the server that was just started; whoever started it sees none of its
/// output.
async fn tell_contradictions(context: &Context) {
    let Ok(Some(health)) = context.client().health().await else { return };
    for state in &health.witnesses {
        if let Some(reason) = &state.contradicted {
            let reason = escape::line(reason);
            context.terminal.note(format!("{} contradicts the log: {reason}; {}", state.name, witness::todo(state)));
        }
    }
}

fn spawn(data_dir: &Path, flags: &[String], log: File) -> Result<Child, Failure> {
    let program = std::env::current_exe()?;
    let mut command = Command::new(program);
    command.args(["up", "--as-detached", "--data-dir"]).arg(data_dir).args(flags);
    // Whatever folder this is, the server must not keep it busy.
    command.current_dir("/").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
    command.spawn().map_err(|error| Failure::caused("failed to start the server", &error))
}

/// What a server says first. It goes over the pipe, because a disk that is full keeps no output.
enum Said {
    Ready,
    Failed(Reason),
}

/// Why a server did not start, as the one who started it is told.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct Reason {
    message: String,
    hint: Option<String>,
}

/// Tells whoever started this server that it ended before it answered.
pub(super) fn tell(context: &Context, failure: &Failure) {
    let reason = Reason { message: failure.message.clone(), hint: failure.hint.clone() };
    // Nobody listens any more once the server was ready.
    context.terminal.json(&reason).ok();
}

/// Waits for the one line a server prints, or for its end. `still` is called from time to time meanwhile.
fn first_line(child: &mut Child, still: impl Fn()) -> Option<Said> {
    let mut out = BufReader::new(child.stdout.take()?.take(REASON_BYTES_MAX));
    let (said, heard) = channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        // Nobody waits for it any more only when this process ends.
        said.send(out.read_line(&mut line).map(|_| line)).ok();
    });
    let line = loop {
        match heard.recv_timeout(STILL_EVERY) {
            Ok(line) => break line.ok()?,
            Err(RecvTimeoutError::Timeout) => still(),
            Err(RecvTimeoutError::Disconnected) => return None,
        }
    };
    match line.trim_end() {
        READY => Some(Said::Ready),
        told => serde_json::from_str(told).ok().map(Said::Failed),
    }
}

/// Why a server did not start: in its own words, or by the last it printed.
fn reason(said: Option<Reason>, status: ExitStatus, log: &Path, from: u64) -> Failure {
    let (message, hint) = said.map_or_else(
        || {
            (
                last_lines(log, from, LINES_MAX).unwrap_or_else(|| format!("it ended without saying why ({status})")),
                None,
            )
        },
        |said| (said.message, said.hint),
    );
    let hint = hint.unwrap_or_else(|| format!("its output is in {}", log.display()));
    Failure::new(Exit::Failed, format!("the server did not start: {message}")).hint(hint)
}

fn last_lines(log: &Path, from: u64, most: usize) -> Option<String> {
    let mut file = File::open(log).ok()?;
    let end = file.seek(SeekFrom::End(0)).ok()?;
    file.seek(SeekFrom::Start(from.max(end.saturating_sub(REASON_BYTES_MAX)))).ok()?;
    let mut bytes = Vec::new();
    file.take(REASON_BYTES_MAX).read_to_end(&mut bytes).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    let mut lines: Vec<&str> = text.lines().rev().filter(|line| !line.trim().is_empty()).take(most).collect();
    lines.reverse();
    (!lines.is_empty()).then(|| lines.join("; "))
}
