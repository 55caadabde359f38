//! What lies where in a sandbox's folder, and what the server leaves there for the runner.
//! The files are the only thing the two say to each other, so either may die at any moment.
//!
//! ```text
//! <root>/<key>/spec.json            what the sandbox is (Kept)
//! <root>/<key>/created              empty; its change time is later than that of everything in work/
//! <root>/<key>/{work,home,tmp}/     writable inside
//! <root>/<key>/artifacts/<name>/    what a command left to be kept; writable inside
//! <root>/<key>/inbox/               readable inside
//! <root>/<key>/execs/<name>/
//!     spec.json    what to run (Plan)
//!     lock         held by the runner as long as it lives
//!     started      made once, by the one runner that runs it; holds the runner's process id
//!     stop         a wish to stop it; holds the grace in milliseconds
//!     out, err     what it printed
//!     exit         how it ended (Outcome), when every process it left has ended too
//!     outbox/      writable inside
//! ```

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, OFlags};
use rustix::io::Errno;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::provider::{Bounds, Ended, Exit, HomeLink, Term};

pub(crate) const SPEC: &str = "spec.json";
pub(crate) const CREATED: &str = "created";
pub(crate) const WORK: &str = "work";
pub(crate) const HOME: &str = "home";
pub(crate) const TMP: &str = "tmp";
pub(crate) const ARTIFACTS: &str = "artifacts";
pub(crate) const INBOX: &str = "inbox";
pub(crate) const EXECS: &str = "execs";
pub(crate) const LOCK: &str = "lock";
pub(crate) const STARTED: &str = "started";
pub(crate) const STOP: &str = "stop";
pub(crate) const OUT: &str = "out";
pub(crate) const ERR: &str = "err";
pub(crate) const EXIT: &str = "exit";
pub(crate) const OUTBOX: &str = "outbox";

/// Marks every process of a sandbox, in its environment.
pub(crate) const MARK_SANDBOX: &str = "REGATTA_SANDBOX";
/// Marks every process of one command, in its environment.
pub(crate) const MARK_EXEC: &str = "REGATTA_EXEC";

/// Where the workspace is, in the environment of every process of a sandbox.
pub(crate) const MARK_WORKSPACE: &str = "REGATTA_WORKSPACE";

/// Our own small files; larger is damage.
const SMALL_FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// A name must stay a file name with our prefixes and suffixes around it.
const NAME_LEN_MAX: usize = 128;

/// Whether a sandbox or a command may be called that.
pub(crate) fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= NAME_LEN_MAX
        && name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
}

/// What keeps a command in its sandbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Walls {
    /// Bubblewrap: own process, mount, IPC and, without network, network namespaces.
    Bubblewrap {
        /// The program.
        program: PathBuf,
    },
    /// Landlock: no namespaces, but the kernel refuses files, signals and connections.
    Landlock,
    /// A container that is around the runner, too: the kernel bounds its memory. Commands run as that user and group.
    Container {
        /// Neither the runner's nor root.
        user: u32,
    },
    /// Nothing.
    None,
}

/// What is kept of a sandbox's spec.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Kept {
    pub(crate) owner: String,
    pub(crate) walls: Walls,
    /// The fence in force, for people.
    pub(crate) fence: String,
    pub(crate) network: bool,
    pub(crate) bounds: Bounds,
    pub(crate) read_only: Vec<PathBuf>,
    pub(crate) home_links: Vec<HomeLink>,
    #[serde(default)]
    pub(crate) term: Term,
}

/// Everything the runner needs to run one command. Its own environment is the rest: it holds what is passed on,
/// which is never written down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Plan {
    pub(crate) argv: Vec<String>,
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) timeout_ms: u64,
    pub(crate) output_bytes_max: u64,
    /// The sandbox's folder.
    pub(crate) folder: PathBuf,
    pub(crate) walls: Walls,
    pub(crate) network: bool,
    pub(crate) bounds: Bounds,
    /// Shown empty.
    pub(crate) hide: Vec<PathBuf>,
    /// Readable, whatever hides the folders above.
    pub(crate) read_only: Vec<PathBuf>,
    /// Readable too, as for every sandbox here.
    pub(crate) read: Vec<PathBuf>,
    pub(crate) home_links: Vec<HomeLink>,
    /// See [`Term::epoch`].
    #[serde(default)]
    pub(crate) epoch: u32,
}

/// How a command ended, as it is written down: with the number of the right under which it ran, so that a result of an earlier
/// one is never taken for a later one's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Outcome {
    pub(crate) exit: Exit,
    pub(crate) elapsed_ms: u64,
    #[serde(default)]
    pub(crate) oom_kills: u64,
    /// Nothing where nobody knew it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) epoch: Option<u32>,
}

impl Outcome {
    /// What it says to whoever asks under that right.
    pub(crate) fn under(self, epoch: u32) -> Ended {
        let Self { exit, elapsed_ms, oom_kills, epoch: written } = self;
        if written.is_some_and(|written| written != epoch) {
            return Ended { exit: Exit::Lost, elapsed_ms: 0, oom_kills: 0 };
        }
        Ended { exit, elapsed_ms, oom_kills }
    }
}

/// Reads one of our small files.
pub(crate) fn small(path: &Path) -> io::Result<Vec<u8>> {
    bounded(&open(path)?, SMALL_FILE_BYTES_MAX)
}

/// Reads one of our JSON files.
pub(crate) fn json<T: DeserializeOwned>(path: &Path) -> io::Result<T> {
    Ok(serde_json::from_slice(&small(path)?)?)
}

/// Opens a regular file for reading, never through a link, never waiting.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    File::options().read(true).custom_flags(flags.bits().cast_signed()).open(path)
}

/// The whole of an open file, at most `bytes_max`.
pub(crate) fn bounded(file: &File, bytes_max: u64) -> io::Result<Vec<u8>> {
    use std::io::Read;
    let mut content = Vec::new();
    file.take(bytes_max.saturating_add(1)).read_to_end(&mut content)?;
    if u64::try_from(content.len()).unwrap_or(u64::MAX) > bytes_max {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("a file has more than {bytes_max} bytes")));
    }
    Ok(content)
}

/// Writes a file so that it is either absent or whole; `unique` keeps concurrent writers apart.
pub(crate) fn publish(folder: &Path, name: &str, content: &[u8], unique: &str) -> io::Result<()> {
    let fresh = folder.join(format!("{name}.{unique}"));
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(&fresh)?;
    file.write_all(content)?;
    std::fs::rename(fresh, folder.join(name))
}

/// Who watches a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Runner {
    /// Nobody ever did.
    Never,
    /// Its runner lives.
    Alive,
    /// Its runner is gone.
    Gone,
}

/// Who watches the command of that folder. A gone runner may have left `exit` just before: look again for it.
///
/// The lock is tried only when `started` exists: from then on no runner that wants to start depends on it.
pub(crate) fn runner(exec: &Path) -> io::Result<Runner> {
    if !exec.join(STARTED).try_exists()? {
        return Ok(Runner::Never);
    }
    let lock = match open(&exec.join(LOCK)) {
        // It is being removed, and that begins when the runner is gone.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Runner::Gone),
        lock => lock?,
    };
    match rustix::fs::flock(&lock, FlockOperation::NonBlockingLockShared) {
        Ok(()) => Ok(Runner::Gone),
        Err(Errno::WOULDBLOCK) => Ok(Runner::Alive),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_counts_under_the_right_it_was_written_under() {
        let outcome = |epoch: &str| -> Outcome {
            serde_json::from_str(&format!(r#"{{"exit":{{"Code":0}},"elapsed_ms":5{epoch}}}"#)).expect("an outcome")
        };
        let ended = Ended { exit: Exit::Code(0), elapsed_ms: 5, oom_kills: 0 };
        assert_eq!(outcome(r#","epoch":3"#).under(3), ended);
        // As runners wrote it who knew of no epoch.
        assert_eq!(outcome("").under(3), ended);
        assert_eq!(outcome(r#","epoch":2"#).under(3).exit, Exit::Lost);
    }
}
