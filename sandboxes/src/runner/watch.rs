//! Watching a command to its end: its time, its bounds, and a wish to stop it. A watchdog: between two looks a bound can
//! be passed, so what is stopped may have taken a little more.

use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus};

use super::signals::Signals;
use super::{launch, oom};
use crate::layout::{self, ARTIFACTS, ERR, HOME, OUT, OUTBOX, Plan, STOP, TMP, WORK};
use crate::provider::Exit;
use crate::{processes, tree};

/// Until the first look; most short commands have ended by then.
const LOOK_FIRST: Duration = Duration::from_millis(100);
/// Between two looks when a bound is far.
const LOOK_FAR: Duration = Duration::from_millis(250);
/// Between two looks when more than half of a bound is used.
const LOOK_NEAR: Duration = Duration::from_millis(50);
/// Between two measurements of the disk, at least, and at least this many times what one takes.
const DISK: Duration = Duration::from_secs(2);
const DISK_SHARE: u32 = 20;
/// What a command may still do when its time is up or its runner is told to stop without saying how long.
const GRACE: Duration = Duration::from_secs(1);
/// Between two rounds against what is left when the command has ended.
const ROUND: Duration = Duration::from_millis(2);
/// Bounds what a clock can be asked to add; nobody waits longer for a command.
const TIMEOUT_MAX: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// Starts the command and returns when it and everything it started have ended: how, and how many of its processes the
/// kernel ended for want of memory, where it counts them.
pub(super) fn to_the_end(plan: &Plan, signals: &Signals, began: Instant) -> (Exit, u64) {
    if Path::new(STOP).exists() || signals.asked_to_stop() {
        return (Exit::Killed, 0);
    }
    let oom_before = oom::kills();
    let mut launched = match launch::launch(plan) {
        Ok(launched) => launched,
        Err(reason) => return (Exit::NotStarted(reason), 0),
    };
    let mut watch = Watch {
        plan,
        signals,
        main: launched.main,
        time_up: began + Duration::from_millis(plan.timeout_ms).min(TIMEOUT_MAX),
        look: began + LOOK_FIRST,
        disk: began + DISK,
        stopping: None,
    };
    let status = watch.until_main_ends();
    end_everyone(signals);
    cut_output(plan);
    let exit = match (watch.stopping, status) {
        (Some(stopping), _) => stopping.why,
        (None, Some(status)) => launched.exit(status, plan),
        (None, None) => Exit::Lost,
    };
    match plan.walls {
        layout::Walls::Container { .. } => told_of_memory(exit, oom::kills().saturating_sub(oom_before), plan),
        layout::Walls::Bubblewrap { .. } | layout::Walls::Landlock | layout::Walls::None => (exit, 0),
    }
}

/// How a command ended of which the kernel ended so many processes for want of memory, the command itself or what it
/// started. One that ended well all the same did so.
fn told_of_memory(exit: Exit, oom_kills: u64, plan: &Plan) -> (Exit, u64) {
    let how = match &exit {
        Exit::Code(code) if *code != 0 => format!("code {code}"),
        Exit::Signal(signal) => format!("signal {signal}"),
        Exit::Code(_) | Exit::TimedOut | Exit::Killed | Exit::OverLimit(_) | Exit::NotStarted(_) | Exit::Lost => {
            return (exit, oom_kills);
        }
    };
    if oom_kills == 0 {
        return (exit, 0);
    }
    let bound = plan.bounds.memory_bytes_max;
    let limit = format!(
        "bytes of memory: {bound} allowed; the kernel ended processes that wanted more: {oom_kills}, the command ended with {how}"
    );
    (Exit::OverLimit(limit), oom_kills)
}

struct Watch<'a> {
    plan: &'a Plan,
    signals: &'a Signals,
    main: Pid,
    time_up: Instant,
    look: Instant,
    disk: Instant,
    stopping: Option<Stopping>,
}

/// The command is being stopped.
struct Stopping {
    why: Exit,
    force: Instant,
}

impl Watch<'_> {
    /// `None` when the main process ended without leaving a status.
    fn until_main_ends(&mut self) -> Option<WaitStatus> {
        loop {
            match reap(Some(self.main)) {
                Reaped::Main(status) => return Some(status),
                Reaped::Nobody => return None,
                Reaped::Others => {}
            }
            let now = Instant::now();
            self.stop_if_asked(now);
            self.look_if_due(now);
            if self.stopping.as_ref().is_some_and(|stopping| stopping.force <= now) {
                self.force();
            }
            let next = match &self.stopping {
                Some(stopping) if stopping.force > now => stopping.force,
                Some(_) => now + ROUND,
                None => self.time_up.min(self.look),
            };
            // Waiting fails only for want of memory; then the next round tries again.
            drop(self.signals.wait(next.saturating_duration_since(now)));
        }
    }

    fn stop_if_asked(&mut self, now: Instant) {
        let asked = self.signals.asked_to_stop().then(asked_grace);
        match (&mut self.stopping, asked) {
            // Asked again, it may be for less patience.
            (Some(stopping), Some(grace)) => stopping.force = stopping.force.min(now + grace),
            (None, Some(grace)) => self.stop(Exit::Killed, grace, now),
            (None, None) if self.time_up <= now => self.stop(Exit::TimedOut, GRACE, now),
            (Some(_) | None, None) => {}
        }
    }

    fn stop(&mut self, why: Exit, grace: Duration, now: Instant) {
        self.stopping = Some(Stopping { why, force: now + grace });
        if !grace.is_zero() {
            // Bubblewrap itself would take everything down at once: it is not asked.
            let walls = matches!(self.plan.walls, layout::Walls::Bubblewrap { .. }).then_some(self.main);
            let tree = processes::descendants(rustix::process::getpid());
            processes::signal(tree.into_iter().filter(|pid| Some(*pid) != walls), Signal::TERM);
        }
    }

    /// Behind bubblewrap the end of the main process is the end of all; elsewhere the tree is walked.
    fn force(&self) {
        match self.plan.walls {
            layout::Walls::Bubblewrap { .. } => processes::signal([self.main], Signal::KILL),
            layout::Walls::Landlock | layout::Walls::Container { .. } | layout::Walls::None => {
                processes::end_descendants(rustix::process::getpid());
            }
        }
    }

    fn look_if_due(&mut self, now: Instant) {
        if self.stopping.is_some() || self.look > now {
            return;
        }
        let mut over = Vec::new();
        let mut near = false;
        for (used, bound, what) in self.used() {
            near |= used > bound / 2;
            if used > bound {
                over.push(format!("{what}: {used} used, {bound} allowed"));
            }
        }
        if self.disk <= now {
            over.extend(self.disk_over());
            self.disk = now + DISK.max(now.elapsed() * DISK_SHARE);
        }
        self.look = now + if near { LOOK_NEAR } else { LOOK_FAR };
        if !over.is_empty() {
            self.stop(Exit::OverLimit(over.join("; ")), Duration::ZERO, now);
        }
    }

    fn used(&self) -> [(u64, u64, &'static str); 4] {
        let tree = processes::descendants(rustix::process::getpid());
        let bounds = &self.plan.bounds;
        let walls = match self.plan.walls {
            layout::Walls::Bubblewrap { .. } => 2,
            layout::Walls::Landlock | layout::Walls::Container { .. } | layout::Walls::None => 0,
        };
        let count = u64::try_from(tree.len().saturating_sub(walls)).unwrap_or(u64::MAX);
        let memory = match self.plan.walls {
            // The kernel keeps that bound.
            layout::Walls::Container { .. } => 0,
            layout::Walls::Bubblewrap { .. } | layout::Walls::Landlock | layout::Walls::None => {
                processes::memory_bytes(&tree, bounds.memory_bytes_max)
            }
        };
        [
            (memory, bounds.memory_bytes_max, "bytes of memory"),
            (count, u64::from(bounds.processes_max), "processes"),
            (length(OUT), self.plan.output_bytes_max, "bytes of standard output"),
            (length(ERR), self.plan.output_bytes_max, "bytes of standard error"),
        ]
    }

    fn disk_over(&self) -> Option<String> {
        let bound = self.plan.bounds.disk_bytes_max;
        let mut used = 0_u64;
        for folder in [WORK, HOME, TMP, ARTIFACTS]
            .map(|name| self.plan.folder.join(name))
            .into_iter()
            .chain([PathBuf::from(OUTBOX)])
        {
            match tree::open(&folder).and_then(|folder| tree::disk_bytes(folder.as_fd())) {
                Ok(bytes) => used = used.saturating_add(bytes),
                Err(error) if error.kind() == io::ErrorKind::InvalidInput => return Some(error.to_string()),
                // A folder that cannot be read for a moment is measured next time.
                Err(_) => {}
            }
        }
        (used > bound).then(|| format!("bytes on disk: {used} used, {bound} allowed"))
    }
}

fn length(channel: &str) -> u64 {
    std::fs::metadata(channel).map_or(0, |metadata| metadata.len())
}

/// How long the one who asked gives the command.
fn asked_grace() -> Duration {
    let asked = layout::small(Path::new(STOP)).ok().and_then(|text| String::from_utf8(text).ok()?.parse().ok());
    asked.map_or(GRACE, |ms| Duration::from_millis(ms).min(TIMEOUT_MAX))
}

enum Reaped {
    Main(WaitStatus),
    Others,
    Nobody,
}

/// Takes every child that has ended; nobody means that no child is left, ended or not.
fn reap(main: Option<Pid>) -> Reaped {
    loop {
        match rustix::process::wait(WaitOptions::NOHANG) {
            Ok(Some((pid, status))) if Some(pid) == main => return Reaped::Main(status),
            Ok(Some(_)) | Err(Errno::INTR) => {}
            Ok(None) => return Reaped::Others,
            Err(_) => return Reaped::Nobody,
        }
    }
}

/// Ends whatever the command left. Everything that leaves its parent becomes our child, so no child means nothing left.
fn end_everyone(signals: &Signals) {
    let mut is_first = true;
    while !matches!(reap(None), Reaped::Nobody) {
        // What ends with the main process is often just about to: that is cheaper to wait for than to look for.
        if !is_first {
            processes::end_descendants(rustix::process::getpid());
        }
        is_first = false;
        drop(signals.wait(ROUND));
    }
}

/// Cuts what was printed past the bound before the watchdog saw it.
fn cut_output(plan: &Plan) {
    for channel in [OUT, ERR].into_iter().filter(|channel| length(channel) > plan.output_bytes_max) {
        let cut = std::fs::File::options().write(true).open(channel);
        drop(cut.and_then(|file| file.set_len(plan.output_bytes_max)));
    }
}
