//! Removing a sandbox: its folder steps aside first, so that from then on it does not exist; then what runs is ended;
//! then the files go.

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::{Inner, exec, transient};
use crate::layout::{self, EXECS, EXIT, Runner, STARTED, STOP, WORK};
use crate::processes::{self, Marks};
use crate::provider::Error;
use crate::tree;

/// A runner that was told to end at once and is still there after this is ended itself.
const RUNNER_MAX: Duration = Duration::from_secs(5);
/// The first wait for a runner to be gone; it doubles.
const WAIT_FIRST: Duration = Duration::from_micros(100);
const WAIT_MAX: Duration = Duration::from_millis(10);
/// How often what another one removes too is tried again.
const TRIES_MAX: usize = 100;

pub(super) fn destroy(inner: &Inner, key: &str) -> Result<(), Error> {
    let folder = inner.folder(key)?;
    let root = &inner.options.root;
    let aside = root.join(format!(".{key}.{}.trash", inner.unique()));
    match std::fs::rename(&folder, &aside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(transient("remove a sandbox", error)),
        Ok(()) | Err(_) => {}
    }
    inner.changes.forget(&folder);
    // Also what an earlier try, or the making of it, left when it was interrupted.
    for entry in std::fs::read_dir(root).map_err(|source| transient("list sandboxes", source))? {
        let name = entry.map_err(|source| transient("list sandboxes", source))?.file_name();
        let Some(rest) = name.to_str().and_then(Rest::of).filter(|rest| rest.key == key) else { continue };
        if rest.kind != Kind::Part {
            end_all(inner, key, &root.join(&name)).map_err(|source| transient("end what runs in a sandbox", source))?;
        }
        remove(root, &name)?;
    }
    Ok(())
}

/// A folder that is no sandbox yet or no more, by its name.
#[derive(Debug)]
pub(super) struct Rest<'a> {
    /// The sandbox it is of.
    pub(super) key: &'a str,
    pub(super) kind: Kind,
}

/// What a [`Rest`] is of a sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// All there is of it so far.
    New,
    /// Whatever is left of it.
    Trash,
    /// A folder that was deep in it ([`tree::remove`]). All in it is the agent's.
    Part,
}

impl<'a> Rest<'a> {
    pub(super) fn of(name: &'a str) -> Option<Self> {
        let mut parts = name.strip_prefix('.')?.split('.');
        let (key, _unique, kind) = (parts.next()?, parts.next()?, parts.next()?);
        let kind = match (kind, parts.next()) {
            ("new", None) => Kind::New,
            ("trash", None) => Kind::Trash,
            ("new" | "trash", Some(_)) => Kind::Part,
            _ => return None,
        };
        layout::is_name(key).then_some(Self { key, kind })
    }
}

/// Removes a folder of the root; another one may do so at the same time.
pub(super) fn remove(root: &Path, name: impl AsRef<std::ffi::OsStr>) -> Result<(), Error> {
    let remove = || {
        let name = CString::new(name.as_ref().as_bytes()).map_err(io::Error::other)?;
        tree::remove(tree::open(root)?.as_fd(), &name)
    };
    let path = root.join(name.as_ref());
    let mut removed = remove();
    for _ in 0..TRIES_MAX {
        match &removed {
            Err(error) if error.kind() == io::ErrorKind::NotFound && path.symlink_metadata().is_ok() => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Ok(()) | Err(_) => break,
        }
        removed = remove();
    }
    removed.map_err(|source| transient("remove the files of a sandbox", source))
}

/// Ends every command of a sandbox. When a runner gave its word (`exit`), nothing is left of its command; else what
/// carries the sandbox's mark is searched for.
fn end_all(inner: &Inner, key: &str, folder: &Path) -> io::Result<()> {
    let execs = match std::fs::read_dir(folder.join(EXECS)) {
        Ok(execs) => execs,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => return Ok(()),
        Err(error) => return Err(error),
    };
    let mut is_sure = true;
    for exec in execs {
        let exec = exec?;
        // Nothing else is a command of ours.
        if exec.file_type()?.is_dir() {
            is_sure &= end(&exec.path(), &inner.unique())?;
        }
    }
    inner.runners.lock().unwrap_or_else(PoisonError::into_inner).retain_mut(|child| !has_ended(child));
    if is_sure {
        return Ok(());
    }
    processes::end_marked(&Marks::new(key, &inner.options.root.join(key).join(WORK), None))
}

fn has_ended(child: &mut std::process::Child) -> bool {
    !matches!(child.try_wait(), Ok(None))
}

/// Ends a command; whether it is sure that nothing of it is left. It may have been ended before, and be removed in part.
fn end(exec: &Path, unique: &str) -> io::Result<bool> {
    // Nobody may start it any more; a runner on its way finds that it is not the first.
    match File::options().create_new(true).write(true).mode(0o600).open(exec.join(STARTED)) {
        Ok(_) => return Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error),
    }
    if !exec.join(EXIT).exists()
        && let Some(runner) = exec::live_runner(exec)?
    {
        layout::publish(exec, STOP, b"0", unique)?;
        exec::tell(&runner, Signal::TERM)?;
    }
    if !is_alone(exec)? {
        if let Some(runner) = exec::live_runner(exec)? {
            exec::tell(&runner, Signal::KILL)?;
        }
        is_alone(exec)?;
    }
    Ok(exec.join(EXIT).exists())
}

/// Waits for the runner to be gone.
fn is_alone(exec: &Path) -> io::Result<bool> {
    let began = Instant::now();
    let mut wait = WAIT_FIRST;
    while layout::runner(exec)? == Runner::Alive {
        if began.elapsed() > RUNNER_MAX {
            return Ok(false);
        }
        std::thread::sleep(wait);
        wait = (wait * 2).min(WAIT_MAX);
    }
    Ok(true)
}
