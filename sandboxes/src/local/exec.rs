//! Commands in a sandbox: started through a runner, then known by the files it leaves.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::process::{Command, Stdio as Channel};
use std::sync::PoisonError;
use std::time::Duration;

use rustix::fs::{FileType, Mode, OFlags};
use rustix::process::{Pid, PidfdFlags, Signal};
use secrecy::SecretString;

use super::create::is_plain;
use super::{Inner, transient};
use crate::inside::{WARMED, WHOSE};
use crate::layout::{
    self, ARTIFACTS, ERR, EXECS, EXIT, HOME, INBOX, Kept, MARK_EXEC, MARK_SANDBOX, MARK_WORKSPACE, OUT, OUTBOX,
    Outcome, Plan, Runner, SPEC, STARTED, STOP, TMP, WORK,
};
use crate::processes::{self, Marks};
use crate::provider::{Ended, Error, Exec, Exit, Status, Stdio};
use crate::runner;
use crate::secrets::Secrets;

/// Where programs are when nobody says.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// What a command sees of this process's environment, beside the locale.
const PASSED: [&str; 4] = ["PATH", "TZ", "USER", "LOGNAME"];
/// Engines tell it to every container.
const HOSTNAME: &str = "HOSTNAME";
/// How often a runner that has just begun is asked for its process id.
const PID_TRIES_MAX: u32 = 200;
/// Between two such questions.
const PID_WAIT: Duration = Duration::from_millis(1);

/// What a command is passed on from memory to memory: variables of this process's environment, and its secrets. A value
/// that is no text is none.
pub(crate) fn passed(exec: &Exec) -> Secrets {
    let of_environment = exec.env_pass.iter().filter_map(|name| Some((name.clone(), std::env::var(name).ok()?)));
    let secrets = exec.secrets.exposed().map(|(name, value)| (name.to_owned(), value.to_owned()));
    of_environment.chain(secrets).map(|(name, value)| (name, SecretString::from(value))).collect()
}

/// Starts a runner for the command unless one has begun; of several only one goes on.
pub(super) fn start(inner: &Inner, key: &str, exec: &Exec, passed: &Secrets) -> Result<(), Error> {
    let kept = inner.kept(key)?;
    let folder = inner.exec_folder(key, &exec.name)?;
    if folder.join(STARTED).exists() {
        return Ok(());
    }
    prepare(inner, key, &kept, exec, &folder).map_err(|source| transient("write down a command", source))?;
    let mut command = Command::new(&inner.options.runner);
    command.arg(runner::RUN).arg(&folder).env_clear().envs(environment(inner, key, exec, passed, &folder)?);
    command.stdin(Channel::null()).stdout(Channel::null()).stderr(Channel::null());
    match command.spawn() {
        Ok(child) => {
            let mut runners = inner.runners.lock().unwrap_or_else(PoisonError::into_inner);
            runners.retain_mut(lives);
            runners.push(child);
            Ok(())
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let reason = format!("the runner {} does not exist", inner.options.runner.display());
            Err(Error::Unusable { reason })
        }
        Err(source) => Err(transient("start the runner of a command", source)),
    }
}

fn lives(child: &mut std::process::Child) -> bool {
    matches!(child.try_wait(), Ok(None))
}

fn prepare(inner: &Inner, key: &str, kept: &Kept, exec: &Exec, folder: &Path) -> io::Result<()> {
    let outbox = folder.join(OUTBOX);
    // Made by an earlier version, a sandbox may have no place for artifacts. What a command put there in the name of a
    // later one stays: nothing is followed, and everything that reads it does so inside.
    let artifacts = inner.options.root.join(key).join(ARTIFACTS);
    let kept_here = artifacts.join(&exec.name);
    // Another user gets through to its outbox, and sees nothing on the way.
    let passable = if inner.user.is_some() { 0o711 } else { 0o700 };
    for (folder, mode) in [(folder, passable), (&outbox, 0o700), (&artifacts, 0o700), (&kept_here, 0o700)] {
        match std::fs::DirBuilder::new().mode(mode).create(folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            Ok(()) | Err(_) => {}
        }
    }
    for folder in [&outbox, &artifacts, &kept_here].into_iter().filter(|_| inner.user.is_some()) {
        std::os::unix::fs::lchown(folder, inner.user, inner.user)?;
    }
    // The first to write it down is the one who said what to run.
    if folder.join(SPEC).exists() {
        return Ok(());
    }
    let plan = Plan {
        argv: exec.argv.clone(),
        env: plain(&exec.env),
        timeout_ms: exec.timeout_ms,
        output_bytes_max: exec.output_bytes_max,
        folder: inner.options.root.join(key),
        walls: kept.walls.clone(),
        network: kept.network,
        bounds: kept.bounds,
        hide: inner.hide.clone(),
        read_only: kept.read_only.clone(),
        read: inner.read.clone(),
        home_links: kept.home_links.clone(),
        epoch: kept.term.epoch,
    };
    layout::publish(folder, SPEC, &serde_json::to_vec(&plan)?, &inner.unique())
}

/// What was asked for, without what would hide a process from us.
fn plain(env: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let ours = |name: &str| matches!(name, MARK_SANDBOX | MARK_EXEC | MARK_WORKSPACE);
    env.iter().filter(|(name, _)| !ours(name)).map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// The runner's environment, which is the command's but for [`Plan::env`]. It goes from process to process and never
/// to disk.
fn environment(
    inner: &Inner,
    key: &str,
    exec: &Exec,
    passed: &Secrets,
    folder: &Path,
) -> Result<BTreeMap<OsString, OsString>, Error> {
    let mut env: BTreeMap<OsString, OsString> = BTreeMap::new();
    env.insert("PATH".into(), PATH.into());
    env.insert("LANG".into(), "C.UTF-8".into());
    env.insert("TERM".into(), "dumb".into());
    env.extend(inner.told.iter().map(|(name, folder)| ((*name).into(), folder.into())));
    for (name, value) in std::env::vars_os() {
        let is_locale = name.to_str().is_some_and(|name| name == "LANG" || name.starts_with("LC_"));
        // Inside a container the environment is the image's, and nobody's here.
        let is_image = inner.user.is_some() && name != HOSTNAME && name != WHOSE && name != WARMED;
        if is_locale || is_image || PASSED.iter().any(|passed| name == *passed) {
            env.insert(name, value);
        }
    }
    env.extend(passed.exposed().map(|(name, value)| (name.into(), value.into())));
    let sandbox = inner.folder(key)?;
    let ours = [
        ("HOME", sandbox.join(HOME).into_os_string()),
        ("TMPDIR", sandbox.join(TMP).into_os_string()),
        (MARK_WORKSPACE, sandbox.join(WORK).into_os_string()),
        ("REGATTA_INBOX", sandbox.join(INBOX).into_os_string()),
        ("REGATTA_OUTBOX", folder.join(OUTBOX).into_os_string()),
        ("REGATTA_ARTIFACTS", sandbox.join(ARTIFACTS).join(&exec.name).into_os_string()),
        (MARK_SANDBOX, inner.user.and_then(|_| std::env::var_os(WHOSE)).unwrap_or_else(|| key.into())),
        (MARK_EXEC, exec.name.as_str().into()),
    ];
    env.extend(ours.map(|(name, value)| (name.into(), value)));
    Ok(env)
}

/// Where a command stands; `None` when its runner is gone and what it left must be ended first.
pub(super) fn status(inner: &Inner, key: &str, exec: &str) -> Result<Option<Status>, Error> {
    let folder = inner.exec_folder(key, exec)?;
    if let Some(ended) = ended(inner, key, &folder)? {
        inner.runners.lock().unwrap_or_else(PoisonError::into_inner).retain_mut(lives);
        return Ok(Some(Status::Ended(ended)));
    }
    match layout::runner(&folder).map_err(|source| transient("look for a runner", source))? {
        Runner::Alive => Ok(Some(Status::Running)),
        // It may have ended between the two looks.
        Runner::Gone => Ok(ended(inner, key, &folder)?.map(Status::Ended)),
        Runner::Never => inner.kept(key).map(|_| Some(Status::NotStarted)),
    }
}

fn ended(inner: &Inner, key: &str, folder: &Path) -> Result<Option<Ended>, Error> {
    match layout::json::<Outcome>(&folder.join(EXIT)) {
        Ok(outcome) => Ok(Some(outcome.under(inner.kept(key)?.term.epoch))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(transient("read how a command ended", error)),
    }
}

/// Ends what a command left whose runner is gone, and writes that down.
pub(super) fn bury(inner: &Inner, key: &str, exec: &str) -> Result<Status, Error> {
    let folder = inner.exec_folder(key, exec)?;
    let end = || match inner.user {
        Some(user) => processes::end_strays(user, &live_runners(inner, key)?),
        None => processes::end_marked(&Marks::new(key, &inner.options.root.join(key).join(WORK), Some(exec))),
    };
    end().map_err(|source| transient("end what a lost command left", source))?;
    // Nobody saw the end: it lived at least from its start to what it printed last.
    let modified = |name| std::fs::metadata(folder.join(name)).and_then(|metadata| metadata.modified()).ok();
    let last = modified(OUT).max(modified(ERR));
    let lived = last.zip(modified(STARTED)).and_then(|(last, first)| last.duration_since(first).ok());
    let elapsed_ms = u64::try_from(lived.unwrap_or_default().as_millis()).unwrap_or(u64::MAX);
    let lost = Ended { oom_kills: 0, exit: Exit::Lost, elapsed_ms };
    let write = || layout::publish(&folder, EXIT, &serde_json::to_vec(&lost)?, &inner.unique());
    write().map_err(|source| transient("write down that a command was lost", source))?;
    Ok(Status::Ended(lost))
}

pub(super) fn read(
    inner: &Inner,
    key: &str,
    exec: &str,
    stdio: Stdio,
    offset: u64,
    bytes_max: usize,
) -> Result<Vec<u8>, Error> {
    let folder = inner.exec_folder(key, exec)?;
    let name = match stdio {
        Stdio::Out => OUT,
        Stdio::Err => ERR,
    };
    let file = match layout::open(&folder.join(name)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return inner.kept(key).map(|_| Vec::new()),
        Err(error) => return Err(transient("open what a command printed", error)),
    };
    let read = || {
        // Past the bound it is being stopped; nobody needs to see how far it got.
        let printed = file.metadata()?.len().min(inner.output_bytes_max(&folder));
        let there = usize::try_from(printed.saturating_sub(offset)).unwrap_or(usize::MAX);
        if there == 0 {
            return Ok(Vec::new());
        }
        let mut bytes = vec![0; there.min(bytes_max)];
        let read = std::os::unix::fs::FileExt::read_at(&file, &mut bytes, offset)?;
        bytes.truncate(read);
        Ok(bytes)
    };
    read().map_err(|source| transient("read what a command printed", source))
}

/// Leaves the wish to stop, then tells the runner. One that begins only now finds the wish.
pub(super) fn kill(inner: &Inner, key: &str, exec: &str, grace_ms: u64) -> Result<(), Error> {
    let folder = inner.exec_folder(key, exec)?;
    let stop = || {
        if !folder.exists() || folder.join(EXIT).exists() {
            return Ok(());
        }
        layout::publish(&folder, STOP, grace_ms.to_string().as_bytes(), &inner.unique())?;
        match live_runner(&folder)? {
            Some(runner) => tell(&runner, Signal::TERM),
            None => Ok(()),
        }
    };
    stop().map_err(|source| transient("stop a command", source))
}

/// Every runner that lives in a sandbox.
fn live_runners(inner: &Inner, key: &str) -> io::Result<Vec<Pid>> {
    let mut live = Vec::new();
    for exec in std::fs::read_dir(inner.options.root.join(key).join(EXECS))? {
        let folder = exec?.path();
        if layout::runner(&folder)? == Runner::Alive {
            let text = String::from_utf8(layout::small(&folder.join(STARTED))?).unwrap_or_default();
            live.extend(text.parse().ok().and_then(Pid::from_raw));
        }
    }
    Ok(live)
}

/// The process that watches a command now.
pub(super) fn live_runner(folder: &Path) -> io::Result<Option<OwnedFd>> {
    for _ in 0..PID_TRIES_MAX {
        if layout::runner(folder)? != Runner::Alive {
            return Ok(None);
        }
        let text = String::from_utf8(layout::small(&folder.join(STARTED))?).unwrap_or_default();
        // It may have begun without having written its id yet.
        let Some(pid) = text.parse().ok().and_then(Pid::from_raw) else {
            std::thread::sleep(PID_WAIT);
            continue;
        };
        let Ok(process) = rustix::process::pidfd_open(pid, PidfdFlags::empty()) else { continue };
        // Still alive after opening it, so it was this runner and not a later process of that number.
        return Ok((layout::runner(folder)? == Runner::Alive).then_some(process));
    }
    Err(io::Error::other("the runner does not say who it is"))
}

/// Sends a signal; a process that is gone already is fine.
pub(super) fn tell(process: &OwnedFd, signal: Signal) -> io::Result<()> {
    match rustix::process::pidfd_send_signal(process, signal) {
        Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

pub(super) fn get(inner: &Inner, key: &str, exec: &str, name: &str, bytes_max: u64) -> Result<Vec<u8>, Error> {
    let folder = inner.exec_folder(key, exec)?;
    let what = || format!("a regular file `{name}` in the outbox of {exec}");
    if !is_plain(name) {
        return Err(Error::Missing(what()));
    }
    let open = || -> io::Result<Option<File>> {
        let outbox = crate::tree::open_in(crate::tree::open(&folder)?, c"outbox")?;
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = rustix::fs::openat(outbox.as_fd(), name, flags, Mode::empty())?;
        let kind = FileType::from_raw_mode(rustix::fs::fstat(&file)?.st_mode);
        Ok((kind == FileType::RegularFile).then(|| File::from(file)))
    };
    let file = match open() {
        Ok(Some(file)) => file,
        Ok(None) => return Err(Error::Missing(what())),
        Err(error) if is_absent(&error) => return Err(Error::Missing(what())),
        Err(error) => return Err(transient("open a file of an outbox", error)),
    };
    let read = |source| transient("read a file of an outbox", source);
    let bytes = file.metadata().map_err(read)?.len();
    if bytes > bytes_max {
        return Err(Error::TooLarge { what: name.to_owned(), bytes, bytes_max });
    }
    match layout::bounded(&file, bytes_max) {
        // It grows while it is read.
        Err(error) if error.kind() == io::ErrorKind::FileTooLarge => {
            Err(Error::TooLarge { what: name.to_owned(), bytes: bytes_max.saturating_add(1), bytes_max })
        }
        content => content.map_err(read),
    }
}

/// Whether the folder of a command's artifacts is empty or gone.
pub(super) fn left_nothing(inner: &Inner, key: &str, exec: &str) -> Result<bool, Error> {
    inner.exec_folder(key, exec)?;
    let look = || -> io::Result<bool> {
        let artifacts = crate::tree::open(&inner.folder(key).map_err(io::Error::other)?.join(ARTIFACTS))?;
        let name = std::ffi::CString::new(exec)?;
        Ok(crate::tree::entries(crate::tree::open_in(artifacts, &name)?.as_fd())?.is_empty())
    };
    match look() {
        Ok(is_empty) => Ok(is_empty),
        // Something that is no folder may be anything.
        Err(error) if error.kind() == io::ErrorKind::NotFound => inner.kept(key).map(|_| true),
        Err(_) => Ok(false),
    }
}

/// Gone, or a link, or a folder or socket where a file should be.
fn is_absent(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let code = error.raw_os_error();
    [Errno::NOENT, Errno::LOOP, Errno::NOTDIR, Errno::NXIO, Errno::NAMETOOLONG]
        .iter()
        .any(|errno| code == Some(errno.raw_os_error()))
}
