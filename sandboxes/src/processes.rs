//! Finding and ending processes through `/proc`: by descent while someone watches, by mark when nobody does.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

use rustix::process::{Pid, Signal};

use crate::layout::{MARK_EXEC, MARK_SANDBOX, MARK_WORKSPACE};

/// An environment is read up to here when looking for a mark.
const ENVIRON_BYTES_MAX: u64 = 2 * 1024 * 1024;
/// Rounds against processes that keep coming.
const ROUNDS_MAX: u32 = 200;
/// Between two rounds.
const ROUND: Duration = Duration::from_millis(5);

/// Every living descendant of a process, nearest first.
pub(crate) fn descendants(of: Pid) -> Vec<Pid> {
    // Most kernels list children; on the others everybody says who the parent is.
    if fs::exists("/proc/thread-self/children").unwrap_or(false) {
        descend(of, listed_children)
    } else {
        let parents = parents();
        descend(of, |pid, found| found.extend(parents.iter().filter(|(_, of)| *of == pid).map(|(child, _)| *child)))
    }
}

fn descend(of: Pid, children: impl Fn(Pid, &mut Vec<Pid>)) -> Vec<Pid> {
    let mut found = Vec::new();
    children(of, &mut found);
    let mut next = 0;
    while let Some(pid) = found.get(next).copied() {
        children(pid, &mut found);
        next += 1;
    }
    found
}

fn listed_children(of: Pid, found: &mut Vec<Pid>) {
    let Ok(tasks) = fs::read_dir(format!("/proc/{}/task", of.as_raw_nonzero())) else { return };
    for task in tasks.flatten() {
        let Ok(text) = fs::read_to_string(task.path().join("children")) else { continue };
        found.extend(text.split_ascii_whitespace().filter_map(|raw| Pid::from_raw(raw.parse().ok()?)));
    }
}

/// Every process with its parent.
fn parents() -> Vec<(Pid, Pid)> {
    let parent = |pid: Pid| {
        let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
        // The name before the last parenthesis may hold anything.
        let (_, rest) = stat.rsplit_once(')')?;
        Pid::from_raw(rest.split_ascii_whitespace().nth(1)?.parse().ok()?)
    };
    all().filter_map(|pid| Some((pid, parent(pid)?))).collect()
}

fn all() -> impl Iterator<Item = Pid> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| Pid::from_raw(entry.file_name().to_str()?.parse().ok()?))
}

/// What a process of a sandbox carries in its environment.
#[derive(Debug)]
pub(crate) struct Marks(Vec<Vec<u8>>);

impl Marks {
    /// The marks of a sandbox, or of one command in it. The workspace tells apart sandboxes of the same name that belong to
    /// different installations.
    pub(crate) fn new(sandbox: &str, workspace: &Path, exec: Option<&str>) -> Self {
        let mark = |name: &str, value: &[u8]| [name.as_bytes(), b"=", value].concat();
        let mut marks = vec![mark(MARK_SANDBOX, sandbox.as_bytes())];
        marks.push(mark(MARK_WORKSPACE, workspace.as_os_str().as_bytes()));
        marks.extend(exec.map(|exec| mark(MARK_EXEC, exec.as_bytes())));
        Self(marks)
    }
}

/// Every process that carries all the marks; not this process.
fn marked(marks: &Marks) -> Vec<Pid> {
    let own = rustix::process::getpid();
    all().filter(|pid| *pid != own && carries(*pid, marks)).collect()
}

fn carries(pid: Pid, marks: &Marks) -> bool {
    // What vanished or belongs to somebody else is not ours.
    let Ok(file) = fs::File::open(format!("/proc/{}/environ", pid.as_raw_nonzero())) else { return false };
    let Ok(environ) = crate::layout::bounded(&file, ENVIRON_BYTES_MAX) else { return false };
    marks.0.iter().all(|mark| environ.split(|byte| *byte == 0).any(|variable| variable == mark))
}

/// Ends every process that carries the marks, and everything below it.
///
/// # Errors
/// When some are still there in the end.
pub(crate) fn end_marked(marks: &Marks) -> io::Result<()> {
    for _ in 0..ROUNDS_MAX {
        let found = marked(marks);
        if found.is_empty() {
            return Ok(());
        }
        end(&found);
        std::thread::sleep(ROUND);
    }
    Err(io::Error::other("processes of the sandbox do not end"))
}

/// Ends every process of a user that none of those runners started, and everything below it. Where another user's
/// environment cannot be read, marks cannot be told.
///
/// # Errors
/// When some are still there in the end.
pub(crate) fn end_strays(user: u32, runners: &[Pid]) -> io::Result<()> {
    for _ in 0..ROUNDS_MAX {
        let watched: BTreeSet<i32> =
            runners.iter().flat_map(|runner| descendants(*runner)).map(|pid| pid.as_raw_nonzero().get()).collect();
        let found: Vec<Pid> =
            all().filter(|pid| is_of(*pid, user) && !watched.contains(&pid.as_raw_nonzero().get())).collect();
        if found.is_empty() {
            return Ok(());
        }
        end(&found);
        std::thread::sleep(ROUND);
    }
    Err(io::Error::other("processes of the sandbox do not end"))
}

/// Whether it runs as that user, and is no corpse.
fn is_of(pid: Pid, user: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{}/status", pid.as_raw_nonzero())).unwrap_or_default();
    let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
    let real = field("Uid:").split_ascii_whitespace().next().and_then(|text| text.parse().ok());
    real == Some(user) && !field("State:").trim_start().starts_with('Z')
}

/// Stops the processes and everything below them until no new one appears, then ends them all.
fn end(roots: &[Pid]) {
    let mut all: BTreeSet<i32> = BTreeSet::new();
    loop {
        let mut fresh = Vec::new();
        for root in roots {
            fresh.push(*root);
            fresh.extend(descendants(*root));
        }
        fresh.retain(|pid| all.insert(pid.as_raw_nonzero().get()));
        if fresh.is_empty() {
            break;
        }
        signal(fresh, Signal::STOP);
    }
    signal(all.into_iter().filter_map(Pid::from_raw), Signal::KILL);
}

/// Ends everything below a process, once; what was forked meanwhile is found by the next call.
pub(crate) fn end_descendants(of: Pid) {
    let children = descendants(of);
    end(&children);
}

/// Sends a signal; a process that is gone already is fine.
pub(crate) fn signal(to: impl IntoIterator<Item = Pid>, signal: Signal) {
    for pid in to {
        rustix::process::kill_process(pid, signal).ok();
    }
}

/// Memory of those processes together, in bytes: resident pages, and when that is more than `bytes_max`, with shared
/// pages counted once, as far as the kernel tells.
pub(crate) fn memory_bytes(of: &[Pid], bytes_max: u64) -> u64 {
    let page = u64::try_from(rustix::param::page_size()).unwrap_or(4096);
    let resident = of.iter().map(|pid| resident_pages(*pid).saturating_mul(page)).sum();
    if resident <= bytes_max {
        return resident;
    }
    of.iter().map(|pid| proportional_bytes(*pid).unwrap_or_else(|| resident_pages(*pid).saturating_mul(page))).sum()
}

fn resident_pages(pid: Pid) -> u64 {
    let text = fs::read_to_string(format!("/proc/{}/statm", pid.as_raw_nonzero())).unwrap_or_default();
    text.split_ascii_whitespace().nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0)
}

fn proportional_bytes(pid: Pid) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{}/smaps_rollup", pid.as_raw_nonzero())).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    let kilobytes: u64 = line.split_ascii_whitespace().next()?.parse().ok()?;
    Some(kilobytes.saturating_mul(1024))
}
