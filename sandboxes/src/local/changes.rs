//! Noticing that a command printed or ended: one inotify descriptor for all commands, armed for one event at a time.
//! What counts is what the files say; an event only says that looking is worth it, so losing one costs at most a second.

use std::collections::HashMap;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use tokio::io::unix::AsyncFd;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::layout::{self, ERR, EXIT, OUT, Plan, SPEC};

/// The longest anyone waits without looking.
pub(super) const LATEST: Duration = Duration::from_secs(1);
/// One read of events; each is at most a few hundred bytes.
const EVENTS_BYTES: usize = 16 * 1024;

#[derive(Debug)]
pub(super) struct Changes {
    shared: Arc<Shared>,
    /// Reads the events; started by the first who waits, since it needs a runtime.
    reader: OnceLock<tokio::task::AbortHandle>,
}

#[derive(Debug)]
struct Shared {
    inotify: OwnedFd,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    watched: HashMap<PathBuf, Arc<Watched>>,
    armed: HashMap<i32, Arc<Watched>>,
}

/// One command that somebody follows.
#[derive(Debug, Default)]
struct Watched {
    wake: Notify,
    seen: Mutex<Seen>,
    output_bytes_max: OnceLock<u64>,
}

/// What the files said last.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Seen {
    out: u64,
    err: u64,
    ended: bool,
}

impl Seen {
    fn now(folder: &Path) -> Self {
        let length = |name| std::fs::metadata(folder.join(name)).map_or(0, |metadata| metadata.len());
        Self { out: length(OUT), err: length(ERR), ended: folder.join(EXIT).exists() }
    }
}

impl Changes {
    pub(super) fn new() -> io::Result<Self> {
        let inotify = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
        Ok(Self { shared: Arc::new(Shared { inotify, state: Mutex::default() }), reader: OnceLock::new() })
    }

    /// Returns when the files of the command say something new since the last return, or after [`LATEST`].
    pub(super) async fn wait(&self, folder: &Path) {
        let watched = self.shared.watched(folder);
        let deadline = Instant::now() + LATEST;
        self.reader.get_or_init(|| tokio::spawn(read(Arc::clone(&self.shared))).abort_handle());
        loop {
            if watched.has_news(folder) {
                return;
            }
            self.shared.arm(folder, &watched);
            // Between looking and arming it may have happened.
            if watched.has_news(folder) {
                return;
            }
            if tokio::time::timeout_at(deadline, watched.wake.notified()).await.is_err() {
                return;
            }
        }
    }

    /// Forgets the commands of a sandbox.
    pub(super) fn forget(&self, sandbox: &Path) {
        self.shared.state().watched.retain(|folder, _| !folder.starts_with(sandbox));
    }

    /// Bytes a command may print on one channel, from its plan.
    pub(super) fn output_bytes_max(&self, folder: &Path) -> u64 {
        let watched = self.shared.watched(folder);
        if let Some(bytes) = watched.output_bytes_max.get() {
            return *bytes;
        }
        match layout::json::<Plan>(&folder.join(SPEC)) {
            Ok(plan) => *watched.output_bytes_max.get_or_init(|| plan.output_bytes_max),
            Err(_) => u64::MAX,
        }
    }
}

impl Drop for Changes {
    fn drop(&mut self) {
        if let Some(reader) = self.reader.get() {
            reader.abort();
        }
    }
}

impl Watched {
    fn has_news(&self, folder: &Path) -> bool {
        let now = Seen::now(folder);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *seen, now) != now
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn watched(&self, folder: &Path) -> Arc<Watched> {
        let mut state = self.state();
        match state.watched.get(folder) {
            Some(watched) => Arc::clone(watched),
            None => Arc::clone(state.watched.entry(folder.to_owned()).or_default()),
        }
    }

    /// Asks for one event of the folder. Where it cannot be asked for, [`LATEST`] must do.
    fn arm(&self, folder: &Path, watched: &Arc<Watched>) {
        let flags = WatchFlags::MODIFY | WatchFlags::MOVED_TO | WatchFlags::ONESHOT | WatchFlags::ONLYDIR;
        // Held over both, so that the event finds whom to wake.
        let mut state = self.state();
        if let Ok(watch) = inotify::add_watch(&self.inotify, folder, flags) {
            state.armed.insert(watch, Arc::clone(watched));
        }
    }

    fn wake(&self, watch: i32, events: ReadFlags) {
        let mut state = self.state();
        if events.contains(ReadFlags::QUEUE_OVERFLOW) {
            state.armed.values().for_each(|watched| watched.wake.notify_one());
        } else if let Some(watched) = state.armed.get(&watch) {
            watched.wake.notify_one();
        }
        // The kernel took the watch away, after its one event or with the folder.
        if events.contains(ReadFlags::IGNORED) {
            state.armed.remove(&watch);
        }
    }
}

/// Reads events for ever.
async fn read(shared: Arc<Shared>) {
    #[expect(deprecated, reason = "sound for a descriptor we own and never replace; its successor is an unsafe fn")]
    let Ok(inotify) = shared.inotify.try_clone().and_then(AsyncFd::new) else { return };
    let mut buffer = [MaybeUninit::uninit(); EVENTS_BYTES];
    loop {
        let Ok(mut ready) = inotify.readable().await else { return };
        let mut events = inotify::Reader::new(inotify.get_ref(), &mut buffer);
        while let Ok(event) = events.next() {
            shared.wake(event.wd(), event.events());
        }
        ready.clear_ready();
    }
}
