//! The runner: the small program that starts one command, watches it, and writes down how it ended. It outlives the
//! server that started it, and whatever happens to it can be read from the files it leaves.
//!
//! It answers these calls of the program it is part of: `sandbox-run <folder of the command>`; behind Landlock
//! `sandbox-fence <folder of the command>`, which fences itself and becomes the command; and `sandbox-probe`, which says
//! what Landlock can do here. It has one thread and must not know tokio. `sandbox-serve`, which keeps the sandbox inside a
//! container, does, and is only handed on.

mod bubblewrap;
mod landlock;
mod launch;
mod oom;
mod signals;
mod watch;

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use rustix::fs::FlockOperation;
use rustix::io::Errno;

use crate::inside::{self, SERVE};
use crate::layout::{self, EXIT, LOCK, Outcome, Plan, SPEC, STARTED};
use crate::provider::Exit;
use signals::Signals;

/// The first argument that makes a program the runner.
pub(crate) const RUN: &str = "sandbox-run";
/// The first argument that makes it fence itself and become a command.
const FENCE: &str = "sandbox-fence";
/// The first argument that makes it say what Landlock can do here.
pub(crate) const PROBE: &str = "sandbox-probe";

/// What the name of a file ends in that only the runner writes, until it is whole.
const FRESH: &str = "new";
/// More than an end ever takes to be written down.
const RESERVED_BYTES: usize = 4_096;
/// Between two tries on a full disk.
const FULL_DISK: Duration = Duration::from_secs(1);

/// Answers the runner's calls: a program that can be the runner calls this before anything else, with its arguments.
/// `None` when it was called for something else.
#[must_use]
pub fn answer(arguments: impl IntoIterator<Item = OsString>) -> Option<ExitCode> {
    let mut arguments = arguments.into_iter().skip(1);
    let call = arguments.next()?;
    let folder = arguments.next().unwrap_or_default();
    let folder = Path::new(&folder);
    let done = match call.to_str()? {
        RUN => run(folder),
        FENCE => Err(landlock::become_command(folder)),
        PROBE => landlock::probe().map_err(io::Error::other).and_then(|name| writeln!(io::stdout(), "{name}")),
        SERVE => inside::serve(folder.to_str().unwrap_or_default()),
        _ => return None,
    };
    Some(match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    })
}

fn run(folder: &Path) -> io::Result<()> {
    // Only a process group leader cannot leave its session, and then it is apart already.
    rustix::process::setsid().ok();
    std::env::set_current_dir(folder)?;
    let signals = Signals::listen()?;
    let Some(_lock) = claim()? else { return Ok(()) };
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    reserve();
    let began = Instant::now();
    let ((exit, oom_kills), epoch) = match layout::json::<Plan>(Path::new(SPEC)) {
        Ok(plan) => (watch::to_the_end(&plan, &signals, began), Some(plan.epoch)),
        Err(error) => ((Exit::NotStarted(format!("the plan of the command cannot be read: {error}")), 0), None),
    };
    let elapsed_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    tell(&serde_json::to_vec(&Outcome { exit, elapsed_ms, oom_kills, epoch })?)
}

/// Takes the room that writing down the end needs, while there is some: on a disk only this sandbox fills nobody makes any.
fn reserve() {
    // Without it the end is told as well, later.
    fresh().and_then(|mut file| file.write_all(&[0; RESERVED_BYTES])).ok();
}

/// What becomes the file that tells the end.
fn fresh() -> io::Result<File> {
    File::options().write(true).create(true).truncate(false).mode(0o600).open(format!("{EXIT}.{FRESH}"))
}

/// Writes down how it ended, where room was taken for it. If there is none all the same, it is waited for: without the file the
/// end would count as lost.
fn tell(ended: &[u8]) -> io::Result<()> {
    loop {
        let written = fresh().and_then(|mut file| {
            file.write_all(ended)?;
            file.set_len(ended.len() as u64)
        });
        match written {
            Err(error) if error.kind() == io::ErrorKind::StorageFull => std::thread::sleep(FULL_DISK),
            Err(error) => return Err(error),
            Ok(()) => return std::fs::rename(format!("{EXIT}.{FRESH}"), EXIT),
        }
    }
}

/// Takes the command for this runner, once and for all; `None` when another one has or had it.
fn claim() -> io::Result<Option<OwnedFd>> {
    let lock = File::options().create(true).truncate(false).write(true).mode(0o600).open(LOCK)?;
    match rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(Errno::WOULDBLOCK) => return Ok(None),
        Err(error) => return Err(error.into()),
    }
    let mut started = match File::options().create_new(true).write(true).mode(0o600).open(STARTED) {
        Ok(started) => started,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(None),
        Err(error) => return Err(error),
    };
    write!(started, "{}", rustix::process::getpid().as_raw_nonzero())?;
    Ok(Some(lock.into()))
}
