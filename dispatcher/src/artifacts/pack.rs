//! The command that packs artifacts, to be run in the sandbox when every process of the command before it is gone.

use std::collections::BTreeMap;

use regatta_core::event::attempt::Phase;
use regatta_sandboxes::{Exec, Exit, Secrets};

use super::{ARTIFACT_BYTES_MAX, ARTIFACTS_BYTES_MAX, PACKING_BYTES_MAX};

/// The file in its outbox that names what was found: a letter of where ([`Source::letter`]), one of what (`k` kept, `l` too
/// large, `o` no regular file), the path from `./` on, NUL.
pub const LIST_FILE: &str = "artifacts.list";
/// How long it may take.
const TIMEOUT_MS: u64 = 2 * 60 * 1_000;
/// Most bytes it may print; only complaints are printed.
const COMPLAINTS_BYTES_MAX: u64 = 1 << 20;
/// Characters of a complaint shown to people.
const COMPLAINT_CHARS_MAX: usize = 400;
/// What `ulimit -f` of a POSIX shell counts in.
const BLOCK_BYTES: u64 = 512;
/// Exit code of the script: there is no tar.
const TAR_MISSING: i32 = 67;
/// Exit code of the script: there is no git.
const GIT_MISSING: i32 = 68;

const SCRIPT: &str = include_str!("pack.sh");

/// Where an artifact lay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// In the command's own `REGATTA_ARTIFACTS`.
    Folder,
    /// In the workspace, asked for by its path.
    Workspace,
}

impl Source {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Folder, Self::Workspace];

    /// The archive in the outbox; it is not there when nothing was found.
    #[must_use]
    pub fn archive(self) -> &'static str {
        match self {
            Self::Folder => "artifacts.tar",
            Self::Workspace => "workspace.tar",
        }
    }

    /// What the list says of it.
    #[must_use]
    pub fn letter(self) -> u8 {
        match self {
            Self::Folder => b'f',
            Self::Workspace => b'w',
        }
    }
}

/// The command that packs what `phase` left, and what `globs` name. Names of its tries must differ.
#[must_use]
pub fn pack_exec(name: String, phase: Phase, globs: &[String]) -> Exec {
    let archive_blocks_max = (ARTIFACTS_BYTES_MAX + PACKING_BYTES_MAX) / BLOCK_BYTES;
    let env = [
        ("REGATTA_PHASE", phase.to_string()),
        ("REGATTA_ARTIFACT_BYTES_MAX", ARTIFACT_BYTES_MAX.to_string()),
        ("REGATTA_ARCHIVE_BLOCKS_MAX", archive_blocks_max.to_string()),
        ("GIT_CONFIG_NOSYSTEM", "1".to_owned()),
        ("GIT_CONFIG_GLOBAL", "/dev/null".to_owned()),
        ("LC_ALL", "C".to_owned()),
    ];
    // `:(glob)` also says that nothing else at its beginning has a meaning.
    let globs = globs.iter().map(|glob| format!(":(glob){glob}"));
    Exec {
        name,
        argv: ["sh", "-c", SCRIPT, "pack"].into_iter().map(str::to_owned).chain(globs).collect(),
        env: env.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<BTreeMap<_, _>>(),
        env_pass: Vec::new(),
        secrets: Secrets::default(),
        timeout_ms: TIMEOUT_MS,
        output_bytes_max: COMPLAINTS_BYTES_MAX,
    }
}

/// Why packing failed, for people; nothing when it did not. `complaints` is what it printed on standard error.
#[must_use]
pub fn pack_failure(exit: &Exit, complaints: &[u8]) -> Option<String> {
    let reason = match exit {
        Exit::Code(0) => return None,
        Exit::Code(TAR_MISSING) => "tar is missing in the sandbox".to_owned(),
        Exit::Code(GIT_MISSING) => "git is missing in the sandbox".to_owned(),
        Exit::Code(127) => "sh, find, sort, sed or xargs is missing in the sandbox".to_owned(),
        Exit::Code(code) => format!("exit code {code}"),
        Exit::Signal(signal) => format!("signal {signal}"),
        Exit::TimedOut => format!("it took longer than {} s", TIMEOUT_MS / 1_000),
        Exit::Killed => "it was stopped".to_owned(),
        Exit::OverLimit(limit) => limit.clone(),
        Exit::NotStarted(reason) => reason.clone(),
        Exit::Lost => "its sandbox is gone".to_owned(),
    };
    let complaints = String::from_utf8_lossy(complaints);
    let lines = complaints.lines().map(str::trim).filter(|line| !line.is_empty());
    let complaint: String = lines.collect::<Vec<_>>().join("; ").chars().take(COMPLAINT_CHARS_MAX).collect();
    let colon = if complaint.is_empty() { "" } else { ": " };
    Some(format!("failed to collect the artifacts: {reason}{colon}{complaint}"))
}
