//! What an attempt changed, found out from inside its sandbox. The script in `collect.sh` trusts nothing there: not the
//! attempt's `.git`, not its attributes, not the times of its files.
//!
//! What is collected: every file that is not ignored, with content, mode and kind; new ones too, and files of
//! repositories made inside the work tree, as plain files. What is not: ignored files, empty folders, and anything about
//! submodules, which stay as they are in the base. Agent's own commits do not matter: it is the files that count.

use std::collections::BTreeMap;
use std::path::Path;

use regatta_sandboxes::{Exec, Exit, Secrets};

/// Name of the command in the sandbox.
pub const COLLECT_EXEC: &str = "collect";
/// The file in its outbox that holds the patch; empty when nothing changed.
pub const PATCH_FILE: &str = "diff.patch";
/// The file in its outbox that holds what [`super::parse_numstat`] reads.
pub const NUMSTAT_FILE: &str = "numstat";
/// Largest patch in bytes. It is held in memory here, stored as a blob and shown to people.
pub const PATCH_BYTES_MAX: u64 = 64 << 20;
/// Largest list of changed paths in bytes, around a hundred thousand paths.
pub const NUMSTAT_BYTES_MAX: u64 = 8 << 20;
/// How long it may take: reading every file of the work tree once.
pub const COLLECT_TIMEOUT_MS: u64 = 5 * 60 * 1_000;

/// Most bytes it may print; only complaints are printed.
const COMPLAINTS_BYTES_MAX: u64 = 1 << 20;
/// Characters of a complaint shown to people.
const COMPLAINT_CHARS_MAX: usize = 600;
/// Exit code of the script: the patch is larger than [`PATCH_BYTES_MAX`].
const PATCH_TOO_LARGE: i32 = 65;
/// Exit code of the script: the list of paths is larger than [`NUMSTAT_BYTES_MAX`].
const NUMSTAT_TOO_LARGE: i32 = 66;

/// What `ulimit -f` of a POSIX shell counts in.
const BLOCK_BYTES: u64 = 512;

const SCRIPT: &str = include_str!("collect.sh");

/// Configuration of the repository the script makes for itself. Objects go away with it, so they are written fast.
const CONFIG: &str = "\
[core]
	bare = false
	fileMode = true
	symlinks = true
	hooksPath = /dev/null
	fsmonitor = false
	attributesFile = /dev/null
	excludesFile = /dev/null
	autocrlf = false
	safecrlf = false
	compression = 0
	fsync = none
	bigFileThreshold = 64m
[submodule]
	recurse = false
[gc]
	auto = 0
";

/// The command that collects what changed against `base_commit`, to be run in the attempt's sandbox when every process
/// of the agent is gone. `objects` is the mirror's folder of objects, as seen inside. When it exits with 0, the outbox
/// holds [`PATCH_FILE`] and [`NUMSTAT_FILE`]; otherwise [`collect_failure`] says why.
#[must_use]
pub fn collect_exec(objects: &Path, base_commit: &str) -> Exec {
    let config = format!("{}{CONFIG}", super::mirror::object_format(base_commit.len()));
    let blocks = |bytes: u64| (bytes / BLOCK_BYTES).to_string();
    let (patch_blocks_max, numstat_blocks_max) = (blocks(PATCH_BYTES_MAX), blocks(NUMSTAT_BYTES_MAX));
    let objects = objects.to_string_lossy();
    let env = [
        ("REGATTA_BASE", base_commit),
        ("REGATTA_OBJECTS", &objects),
        ("REGATTA_GIT_CONFIG", &config),
        ("REGATTA_PATCH_BLOCKS_MAX", &patch_blocks_max),
        ("REGATTA_NUMSTAT_BLOCKS_MAX", &numstat_blocks_max),
        ("GIT_CONFIG_NOSYSTEM", "1"),
        ("GIT_CONFIG_GLOBAL", "/dev/null"),
        ("GIT_ATTR_NOSYSTEM", "1"),
        ("GIT_NO_REPLACE_OBJECTS", "1"),
        ("GIT_TERMINAL_PROMPT", "0"),
        ("GIT_OPTIONAL_LOCKS", "0"),
        ("LC_ALL", "C"),
    ];
    Exec {
        name: COLLECT_EXEC.to_owned(),
        argv: ["sh", "-c", SCRIPT, COLLECT_EXEC].map(str::to_owned).to_vec(),
        env: env.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect::<BTreeMap<_, _>>(),
        env_pass: Vec::new(),
        secrets: Secrets::default(),
        timeout_ms: COLLECT_TIMEOUT_MS,
        output_bytes_max: COMPLAINTS_BYTES_MAX,
    }
}

/// Why collecting failed, for people; nothing when it did not. `complaints` is what it printed on standard error.
#[must_use]
pub fn collect_failure(exit: &Exit, complaints: &[u8]) -> Option<String> {
    let reason = match exit {
        Exit::Code(0) => return None,
        Exit::Code(PATCH_TOO_LARGE) => {
            let max = PATCH_BYTES_MAX >> 20;
            return Some(format!("the patch is larger than {max} MiB; let the task ignore build results (.gitignore)"));
        }
        Exit::Code(NUMSTAT_TOO_LARGE) => {
            return Some("too many files changed; let the task ignore build results (.gitignore)".to_owned());
        }
        Exit::Code(127) => "git or sh is missing in the sandbox".to_owned(),
        Exit::Code(code) => format!("exit code {code}"),
        Exit::Signal(signal) => format!("signal {signal}"),
        Exit::TimedOut => format!("it took longer than {} s", COLLECT_TIMEOUT_MS / 1_000),
        Exit::Killed => "it was stopped".to_owned(),
        Exit::OverLimit(limit) => limit.clone(),
        Exit::NotStarted(reason) => reason.clone(),
        Exit::Lost => "its sandbox is gone".to_owned(),
    };
    let complaints = String::from_utf8_lossy(complaints);
    let lines = complaints.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("hint:"));
    let complaint: String = lines.collect::<Vec<_>>().join("; ").chars().take(COMPLAINT_CHARS_MAX).collect();
    let colon = if complaint.is_empty() { "" } else { ": " };
    Some(format!("failed to collect the changes: {reason}{colon}{complaint}"))
}
