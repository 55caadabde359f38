//! The two signals a runner waits for, as one descriptor to poll.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use rustix::pipe::PipeFlags;
use signal_hook::consts::{SIGCHLD, SIGTERM};

pub(super) struct Signals {
    wake: OwnedFd,
    asked_to_stop: Arc<AtomicBool>,
}

impl Signals {
    pub(super) fn listen() -> io::Result<Self> {
        let (wake, child) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
        let asked_to_stop = Arc::new(AtomicBool::new(false));
        signal_hook::flag::register(SIGTERM, Arc::clone(&asked_to_stop))?;
        signal_hook::low_level::pipe::register(SIGTERM, child.try_clone()?)?;
        signal_hook::low_level::pipe::register(SIGCHLD, child)?;
        Ok(Self { wake, asked_to_stop })
    }

    /// Whether somebody asked this runner to stop what it runs, since the last question.
    pub(super) fn asked_to_stop(&self) -> bool {
        self.asked_to_stop.swap(false, Ordering::Relaxed)
    }

    /// Waits for a signal, at most that long.
    pub(super) fn wait(&self, at_most: Duration) -> io::Result<()> {
        let mut polled = [PollFd::new(&self.wake, PollFlags::IN)];
        match rustix::event::poll(&mut polled, Some(&Timespec::try_from(at_most).unwrap_or_default())) {
            Ok(0) | Err(Errno::INTR) => return Ok(()),
            Ok(_) => {}
            Err(error) => return Err(error.into()),
        }
        match rustix::io::read(&self.wake, &mut [0; 64]) {
            Ok(_) | Err(Errno::AGAIN | Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}
