//! Reads full segments, sealed or not yet, again and again in the background, one at a time, so that rot is known while there is still a
//! backup to restore from. Never writes; the log goes on whatever it finds.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::sync::watch;

use super::journal::Disk;
use super::journal::reader::Reader;
use super::verify::{Damage, verify_full};

/// What was found so far.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scrubbed {
    /// Segments read, counting each time.
    pub segments: u64,
    /// What was wrong with segments when they were last read.
    pub faults: Vec<Damage>,
}

/// What the thread needs.
pub(crate) struct Start {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) dir: PathBuf,
    pub(crate) reader: Arc<Reader>,
    /// Between two segments; zero for never.
    pub(crate) every: Duration,
    pub(crate) found: watch::Sender<Scrubbed>,
}

/// The thread.
#[derive(Debug)]
pub(crate) struct Scrub {
    stop: Sender<()>,
    thread: JoinHandle<()>,
}

impl Scrub {
    /// Begins, unless it is never to.
    pub(crate) fn start(start: Start) -> io::Result<Option<Self>> {
        if start.every.is_zero() {
            return Ok(None);
        }
        let (stop, stopped) = channel();
        let thread = thread::Builder::new().name("journal-scrub".to_owned()).spawn(move || start.run(&stopped))?;
        Ok(Some(Self { stop, thread }))
    }

    /// Ends after the segment being read.
    pub(crate) fn stop(self) {
        drop(self.stop);
        self.thread.join().ok();
    }
}

impl Start {
    fn run(self, stopped: &Receiver<()>) {
        let mut faults: BTreeMap<u64, Vec<Damage>> = BTreeMap::new();
        let mut next = 0;
        while stopped.recv_timeout(self.every) == Err(RecvTimeoutError::Timeout) {
            let Some((segment, follower)) = self.reader.full_from(next) else {
                next = 0;
                continue;
            };
            // A segment that is removed while it is read is not damaged.
            let is_kept = |first: u64| first >= self.reader.first().0;
            let found = verify_full(&*self.disk, &self.dir, &segment, &follower).unwrap_or_else(|error| {
                let place = segment.place(0).to_string();
                vec![Damage { place, reason: format!("it cannot be read: {error}") }]
            });
            let found = if is_kept(segment.header.first_seq) { found } else { Vec::new() };
            for Damage { place, reason } in &found {
                tracing::error!(%place, %reason, "a full segment is damaged; restore it from a backup");
            }
            faults.insert(segment.header.first_seq, found);
            faults.retain(|first, _| is_kept(*first));
            next = follower.header.first_seq;
            self.found.send_modify(|scrubbed| {
                scrubbed.segments += 1;
                scrubbed.faults = faults.values().flatten().cloned().collect();
            });
        }
    }
}
