//! The one place that runs the git program: a clean environment, a deadline, bounded output, no hooks. Knows nothing
//! of what the commands mean.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};

use super::error::Error;

/// For commands that read or write a few objects.
pub(super) const QUICK: Duration = Duration::from_secs(60);
/// For commands that may move a whole repository.
pub(super) const SLOW: Duration = Duration::from_secs(30 * 60);
/// Most bytes kept of a command's standard output; past it the command is stopped and what came is used.
const STDOUT_BYTES_MAX: u64 = 16 << 20;
/// Most bytes kept of a command's standard error; the rest is read and dropped.
const STDERR_BYTES_MAX: u64 = 64 << 10;
/// Most characters of git's words that reach an error.
const REASON_CHARS_MAX: usize = 600;

/// Variables of this process a git command may see. Nothing named `GIT_*` is among them.
const PASSED_ON: [&str; 3] = ["PATH", "TMPDIR", "SYSTEMROOT"];
/// What leads git to the user's own configuration.
const USERS_OWN: [&str; 3] = ["HOME", "XDG_CONFIG_HOME", "USER"];

/// One git command.
pub(super) struct Git {
    command: Command,
    folder: PathBuf,
    what: &'static str,
    stdin: Vec<u8>,
    deadline: Duration,
}

/// What a command said.
pub(super) struct Said {
    /// Whether it ended with code 0.
    pub(super) ok: bool,
    /// Its standard output.
    pub(super) stdout: Vec<u8>,
    /// Whether there was more of it.
    pub(super) cut: bool,
    /// Its standard error.
    pub(super) stderr: String,
}

impl Git {
    /// A command in the user's repository, under the user's own configuration (ignore rules, filters, trusted owners).
    /// It takes no locks it can do without, and starts no hook and no file-system monitor.
    pub(super) fn users(folder: &Path, what: &'static str) -> Self {
        let mut git = Self::bare(folder, what);
        for name in USERS_OWN {
            if let Some(value) = std::env::var_os(name) {
                git.command.env(name, value);
            }
        }
        git
    }

    /// A command under our own configuration alone, read from `config`.
    pub(super) fn ours(folder: &Path, config: &Path, what: &'static str) -> Self {
        let mut git = Self::bare(folder, what);
        git.command.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_ATTR_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", config);
        git
    }

    fn bare(folder: &Path, what: &'static str) -> Self {
        let mut command = Command::new("git");
        command.env_clear().current_dir(folder);
        for name in PASSED_ON {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command.env("LC_ALL", "C").env("GIT_TERMINAL_PROMPT", "0").env("GIT_OPTIONAL_LOCKS", "0");
        command.env("GIT_DEFAULT_REF_FORMAT", "files").env("GIT_LITERAL_PATHSPECS", "1");
        // On the command line, because a repository's own configuration would win over a file.
        command.args(["-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "-c", "gc.auto=0"]);
        command.args(["-c", "core.splitIndex=false", "-c", "maintenance.auto=false", "-c", "protocol.version=2"]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.kill_on_drop(true).process_group(0);
        Self { command, folder: folder.to_owned(), what, stdin: Vec::new(), deadline: QUICK }
    }

    pub(super) fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.command.args(args);
        self
    }

    pub(super) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Author and committer, with the time; two commits of the same content are then the same commit.
    pub(super) fn signed(self, name: &str, email: &str, at_ms: u64) -> Self {
        let date = format!("@{} +0000", at_ms / 1_000);
        self.env("GIT_AUTHOR_NAME", name)
            .env("GIT_AUTHOR_EMAIL", email)
            .env("GIT_AUTHOR_DATE", &date)
            .env("GIT_COMMITTER_NAME", name)
            .env("GIT_COMMITTER_EMAIL", email)
            .env("GIT_COMMITTER_DATE", &date)
    }

    pub(super) fn stdin(mut self, bytes: Vec<u8>) -> Self {
        self.command.stdin(Stdio::piped());
        self.stdin = bytes;
        self
    }

    pub(super) fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Runs it to its end, whatever its exit code.
    pub(super) async fn said(mut self) -> Result<Said, Error> {
        let child = self.command.spawn().map_err(|source| {
            // A missing folder says the same as a missing program.
            if source.kind() == io::ErrorKind::NotFound && self.folder.is_dir() {
                Error::GitMissing
            } else {
                Error::Io { what: self.what, source }
            }
        })?;
        let group = Group(child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw));
        let timed_out = Error::TimedOut { what: self.what, after_s: self.deadline.as_secs() };
        let said = tokio::time::timeout(self.deadline, converse(child, self.stdin)).await.map_err(|_| timed_out)?;
        let said = said.map_err(Error::io(self.what))?;
        if !said.cut {
            group.ended();
        }
        Ok(said)
    }

    /// Runs it and gives its standard output; any other exit code than 0 is an error.
    pub(super) async fn output(self) -> Result<Vec<u8>, Error> {
        let what = self.what;
        let said = self.said().await?;
        if said.ok { Ok(said.stdout) } else { Err(said.failure(what)) }
    }

    /// Runs a command that prints one object's name.
    pub(super) async fn object(self) -> Result<String, Error> {
        let what = self.what;
        let printed = self.output().await?;
        let name = String::from_utf8_lossy(&printed).trim().to_owned();
        if is_object(&name) { Ok(name) } else { Err(Error::Git { what, reason: format!("git printed {name:?}") }) }
    }
}

impl Said {
    /// What git complained about, in one line.
    pub(super) fn reason(&self) -> String {
        let lines: Vec<&str> = self.stderr.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        lines.join("; ").chars().take(REASON_CHARS_MAX).collect()
    }

    pub(super) fn failure(&self, what: &'static str) -> Error {
        Error::Git { what, reason: self.reason() }
    }
}

/// Whether this is the full name of an object, SHA-1 or SHA-256.
pub(super) fn is_object(name: &str) -> bool {
    matches!(name.len(), 40 | 64) && name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

async fn converse(mut child: Child, stdin: Vec<u8>) -> io::Result<Said> {
    let (to, out, err) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let write = async {
        if let Some(mut to) = to {
            // A command that does not read to the end says why by its exit code.
            drop(to.write_all(&stdin).await);
        }
        Ok(())
    };
    let (((), (stdout, cut)), (stderr, _)) = tokio::try_join!(
        async { tokio::try_join!(write, keep(out, STDOUT_BYTES_MAX, false)) },
        keep(err, STDERR_BYTES_MAX, true)
    )?;
    if cut {
        child.start_kill()?;
    }
    let status = child.wait().await?;
    let stderr = String::from_utf8_lossy(&stderr).into_owned();
    Ok(Said { ok: cut || status.success(), stdout, cut, stderr })
}

/// Reads up to `bytes_max`, then closes the channel or drops the rest.
async fn keep(from: Option<impl AsyncRead + Unpin>, bytes_max: u64, drop_rest: bool) -> io::Result<(Vec<u8>, bool)> {
    let mut kept = Vec::new();
    let Some(mut from) = from else { return Ok((kept, false)) };
    (&mut from).take(bytes_max).read_to_end(&mut kept).await?;
    let mut rest = [0; 4_096];
    let mut cut = false;
    while from.read(&mut rest).await? > 0 {
        cut = true;
        if !drop_rest {
            break;
        }
    }
    Ok((kept, cut))
}

/// The process group of a running command. Whatever git started itself ends with it, also when its future is dropped.
struct Group(Option<Pid>);

impl Group {
    fn ended(mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // The group may be gone by now, which is what is wanted.
            kill_process_group(group, Signal::KILL).ok();
        }
    }
}
