//! Starting the command behind its walls, and telling how it ended from what the walls report.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::fs::MemfdFlags;
use rustix::pipe::PipeFlags;
use rustix::process::{Pid, Resource, Rlimit, WaitStatus};

use super::{FENCE, bubblewrap};
use crate::layout::{ERR, OUT, OUTBOX, Plan, WORK, Walls};
use crate::provider::Exit;

/// What bubblewrap says about itself is small; more is damage.
const REPORT_BYTES_MAX: u64 = 64 * 1024;
/// The end of the error channel, searched for why bubblewrap could not start.
const REASON_BYTES: u64 = 4 * 1024;
/// What a shell and bubblewrap add to the number of a signal.
const SIGNAL_BASE: i32 = 128;
/// The last signal without a queue; larger codes are codes.
const SIGNAL_MAX: i32 = 31;

/// A command that was started.
pub(super) struct Launched {
    /// The process whose end is the command's end.
    pub(super) main: Pid,
    report: Report,
}

/// Who says whether the command was really started.
enum Report {
    /// Bubblewrap writes there that it was, and how it ended.
    Bubblewrap(File),
    /// Whoever becomes the command writes there why it could not.
    Landlock(OwnedFd),
    /// Starting it would have failed.
    Start,
}

/// Starts the command; the error says why not, for people.
pub(super) fn launch(plan: &Plan) -> Result<Launched, String> {
    let program = plan.argv.first().ok_or("the command is empty")?;
    limit(plan).map_err(|error| format!("failed to set its limits: {error}"))?;
    let channels = (|| Ok::<_, io::Error>((channel(OUT)?, channel(ERR)?)))();
    let (out, err) = channels.map_err(|error| format!("failed to open its output files: {error}"))?;
    let (mut command, report) = command(plan).map_err(|error| format!("failed to prepare it: {error}"))?;
    let child = command.stdout(out).stderr(err).spawn();
    let child = child.map_err(|error| match &plan.walls {
        Walls::Bubblewrap { program } => format!("failed to start {}: {error}", program.display()),
        Walls::Landlock => format!("failed to start the fence: {error}"),
        Walls::Container { .. } | Walls::None => could_not_start(program, &error),
    })?;
    let main = Pid::from_raw(child.id().cast_signed()).ok_or("it has no process id")?;
    Ok(Launched { main, report })
}

fn command(plan: &Plan) -> io::Result<(Command, Report)> {
    let folder = std::env::current_dir()?;
    match &plan.walls {
        Walls::Bubblewrap { program } => {
            let report = inherited_file()?;
            let mut command = Command::new(program);
            command
                .args(bubblewrap::arguments(plan, &folder.join(OUTBOX), report.as_raw_fd()))
                .arg("--")
                .args(&plan.argv);
            // Inherited by the command inside, and in nobody's list of processes.
            command.envs(&plan.env).stdin(Stdio::null());
            Ok((command, Report::Bubblewrap(report.into())))
        }
        Walls::Landlock => {
            let (report, told) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
            // This very program, also when its file was replaced since.
            let mut command = Command::new("/proc/self/exe");
            command.arg(FENCE).arg(folder).stdin(told);
            Ok((command, Report::Landlock(report)))
        }
        Walls::Container { .. } | Walls::None => {
            let mut words = plan.argv.iter();
            let mut command = Command::new(words.next().map_or("", String::as_str));
            command.args(words).envs(&plan.env).current_dir(plan.folder.join(WORK)).stdin(Stdio::null());
            if let Walls::Container { user } = plan.walls {
                // From root to somebody else every capability is lost, and the container lets nobody gain any.
                command.uid(user).gid(user);
            }
            Ok((command, Report::Start))
        }
    }
}

/// Why a program could not be started, and what to do.
pub(super) fn could_not_start(program: &str, why: &io::Error) -> String {
    if why.kind() == io::ErrorKind::NotFound {
        return format!("`{program}` was not found; install it or correct PATH");
    }
    format!("`{program}` could not be started: {why}")
}

fn channel(name: &str) -> io::Result<File> {
    File::options().create(true).append(true).mode(0o600).open(Path::new(name))
}

/// A file without a name that the next program inherits.
fn inherited_file() -> io::Result<OwnedFd> {
    Ok(rustix::fs::memfd_create("report", MemfdFlags::empty())?)
}

/// Limits the kernel keeps by itself, for us and all we start: no core files, no file above every bound.
fn limit(plan: &Plan) -> io::Result<()> {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    rustix::process::setrlimit(Resource::Core, none)?;
    let before = rustix::process::getrlimit(Resource::Fsize);
    let bytes = plan.bounds.disk_bytes_max.max(plan.output_bytes_max);
    let bytes = before.maximum.map_or(bytes, |maximum| maximum.min(bytes));
    rustix::process::setrlimit(Resource::Fsize, Rlimit { current: Some(bytes), maximum: Some(bytes) })?;
    Ok(())
}

impl Launched {
    /// How the command ended, told by the end of the main process.
    pub(super) fn exit(&mut self, status: WaitStatus, plan: &Plan) -> Exit {
        let exit = match (status.exit_status(), status.terminating_signal()) {
            (Some(code), _) => Exit::Code(code),
            (None, Some(signal)) => Exit::Signal(signal),
            (None, None) => Exit::Lost,
        };
        let exit = match (exit, &mut self.report) {
            (Exit::Code(code), Report::Bubblewrap(report)) => behind_bubblewrap(code, report),
            (Exit::Code(code), Report::Landlock(report)) => behind_landlock(code, report),
            (exit, _) => exit,
        };
        if exit == Exit::Signal(rustix::process::Signal::XFSZ.as_raw()) {
            let bytes = plan.bounds.disk_bytes_max.max(plan.output_bytes_max);
            return Exit::OverLimit(format!("a file grew past {bytes} bytes"));
        }
        exit
    }
}

/// Bubblewrap reports a code only of a command it could execute, and a signal as a code, as shells do.
fn behind_bubblewrap(code: i32, report: &mut File) -> Exit {
    let mut text = String::new();
    let read = report.seek(SeekFrom::Start(0)).and_then(|_| report.take(REPORT_BYTES_MAX).read_to_string(&mut text));
    if read.is_err() || !text.contains("\"exit-code\"") {
        return Exit::NotStarted(bubblewrap_reason());
    }
    match code - SIGNAL_BASE {
        signal @ 1..=SIGNAL_MAX => Exit::Signal(signal),
        _ => Exit::Code(code),
    }
}

/// Nothing was told when the command took over.
fn behind_landlock(code: i32, report: &OwnedFd) -> Exit {
    let mut text = [0; 1024];
    match rustix::io::read(report, &mut text) {
        Ok(length @ 1..) => {
            let told = text.get(..length).unwrap_or_default();
            Exit::NotStarted(String::from_utf8_lossy(told).into_owned())
        }
        Ok(0) | Err(_) => Exit::Code(code),
    }
}

/// The last thing bubblewrap said.
fn bubblewrap_reason() -> String {
    let tail = || {
        let mut file = File::open(ERR)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(REASON_BYTES)))?;
        let mut bytes = Vec::new();
        file.take(REASON_BYTES).read_to_end(&mut bytes)?;
        Ok::<_, io::Error>(String::from_utf8_lossy(&bytes).into_owned())
    };
    let tail = tail().unwrap_or_default();
    let said = tail.lines().rev().find_map(|line| line.strip_prefix("bwrap: "));
    match said {
        Some(said) => match said.strip_prefix("execvp ") {
            Some(said) => format!("{said}; install it or correct PATH"),
            None => format!("bubblewrap failed: {said}"),
        },
        None => "bubblewrap ended before the command began".to_owned(),
    }
}
