//! Seals full segments in the background, oldest first, on a thread of its own: the writer never waits for it. What
//! cannot be sealed stays as it was written, is said, and is tried again later. Also the one place that removes segments.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use thread_priority::{
    NormalThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy, set_thread_priority_and_policy, thread_native_id,
};

use super::beginning::{self, Beginning, Carried};
use super::disk::Disk;
use super::reader::{Reader, Segment};
use super::room::is_full;
use super::sealed::write::{SealError, Sealing};
use super::sealed::{Sealed, StreamEntry};
use super::segment::{self, Form};
use crate::log::{Options, positions};

/// Everything that is done to full segments, one thing at a time.
#[derive(Debug)]
pub(crate) struct Sealer {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    reader: Arc<Reader>,
    bundle_bytes: usize,
    /// Identity of the journal.
    journal: u64,
    /// Held while files change.
    turn: Mutex<()>,
    stopped: AtomicBool,
}

/// The thread.
#[derive(Debug)]
pub(crate) struct Running {
    sealer: Arc<Sealer>,
    wake: SyncSender<()>,
    thread: JoinHandle<()>,
}

/// Gives the thread only what no other wants, and gives way to any other at once. With `nice` alone a producer that
/// wakes waits until the turn of sealing is over, which is what the slowest acknowledgements waited for.
fn run_when_idle() {
    let idle = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle);
    if let Err(error) = set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, idle) {
        tracing::debug!(%error, "sealing is as urgent as everything else");
    }
}

/// What came of looking for a segment to seal.
#[derive(Debug, PartialEq, Eq)]
enum Sought {
    Sealed,
    NothingToDo,
    Failed,
}

impl Running {
    /// Begins.
    pub(crate) fn start(sealer: Arc<Sealer>, again_after: Duration) -> io::Result<Self> {
        let (wake, woken) = sync_channel(1);
        let thread = thread::Builder::new().name("journal-seal".to_owned()).spawn({
            let sealer = sealer.clone();
            move || sealer.run(&woken, again_after)
        })?;
        Ok(Self { sealer, wake, thread })
    }

    /// Wakes it when a segment is full; never waits.
    pub(crate) fn waker(&self) -> SyncSender<()> {
        self.wake.clone()
    }

    /// Ends it; a segment being sealed is left as it was.
    pub(crate) fn stop(self) {
        self.sealer.stopped.store(true, Ordering::Relaxed);
        self.wake.try_send(()).ok();
        drop(self.wake);
        self.thread.join().ok();
    }
}

impl Sealer {
    /// For the journal of that identity.
    pub(crate) fn new(options: &Options, reader: Arc<Reader>, journal: u64) -> Arc<Self> {
        let Options { dir, disk, bundle_bytes, .. } = options;
        let (dir, disk, bundle_bytes) = (dir.clone(), disk.clone(), *bundle_bytes);
        let (turn, stopped) = (Mutex::default(), AtomicBool::new(false));
        Arc::new(Self { disk, dir, reader, bundle_bytes, journal, turn, stopped })
    }

    fn run(&self, woken: &Receiver<()>, again_after: Duration) {
        run_when_idle();
        // A segment that was left is tried again, whatever comes meanwhile.
        while !self.stopped.load(Ordering::Relaxed) {
            let wait = match self.next() {
                Sought::Sealed => continue,
                Sought::NothingToDo | Sought::Failed => again_after,
            };
            match woken.recv_timeout(wait) {
                Ok(()) | Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// Seals the oldest full segment that is not sealed.
    fn next(&self) -> Sought {
        let segments = self.reader.segments().clone();
        let full = segments.iter().zip(segments.iter().skip(1));
        let mut failed = false;
        for (segment, next) in full.filter(|(segment, _)| segment.sealed.is_none()) {
            match self.seal(segment, next) {
                Ok(()) => return Sought::Sealed,
                Err(SealError::Stopped) => return Sought::Failed,
                Err(SealError::Io(error)) if is_full(&error) => {
                    tracing::warn!(segment = segment.header.first_seq, %error, "no room to seal a segment; it is tried again later");
                    return Sought::Failed;
                }
                Err(error) => {
                    tracing::warn!(segment = segment.header.first_seq, %error, "a segment cannot be sealed; it stays as it was written");
                    failed = true;
                }
            }
        }
        if failed { Sought::Failed } else { Sought::NothingToDo }
    }

    fn seal(&self, segment: &Segment, next: &Segment) -> Result<(), SealError> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let first = segment.header.first_seq;
        if self.reader.first().0 > first {
            return Ok(());
        }
        let sealed = Sealing {
            disk: &*self.disk,
            dir: &self.dir,
            segment: segment.header,
            next: next.header,
            bundle_bytes: self.bundle_bytes,
            stopped: &|| self.stopped.load(Ordering::Relaxed),
        }
        .seal()?;
        self.adopt(&sealed)
    }

    /// Reads the sealed form from now on, and removes the other one.
    fn adopt(&self, sealed: &Sealed) -> Result<(), SealError> {
        let first = sealed.header.first_seq;
        self.reader.replace(Segment::sealed(sealed));
        self.disk.remove(&segment::path(&self.dir, first, Form::Written))?;
        self.disk.sync_folder(&self.dir.join(segment::FOLDER))?;
        let (was, is) = (sealed.summary.totals.block_bytes, sealed.file_bytes);
        tracing::debug!(segment = first, was, is, "sealed a segment");
        Ok(())
    }

    /// Removes the sealed segments all of whose events are before `seq`, oldest first, up to the first one that is not
    /// sealed. Says with which event the journal begins then.
    pub(crate) fn remove_below(&self, seq: u64) -> io::Result<u64> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let segments = self.reader.segments().clone();
        let ends_below = |segment: &Segment| segment.sealed.is_some_and(|facts| facts.totals.last_seq < seq);
        let removed: Vec<_> = segments.iter().take_while(|segment| ends_below(segment)).collect();
        let Some(kept) = segments.get(removed.len()).filter(|_| !removed.is_empty()) else {
            return Ok(self.reader.first().0);
        };
        let segment::Header { first_seq, number, prev_hash, .. } = kept.header;
        let carried = self.carried(&removed)?;
        Beginning::new(first_seq, number, prev_hash, self.journal, carried).write(&*self.disk, &self.dir)?;
        self.reader.begin_at(first_seq);
        remove_before(&*self.disk, &self.dir, first_seq)?;
        Ok(first_seq)
    }
}

impl Sealer {
    /// The last event of each stream in what is about to be removed, or was before.
    fn carried(&self, removed: &[&Arc<Segment>]) -> io::Result<Vec<Carried>> {
        let before = beginning::read(&*self.disk, &self.dir)?.map_err(io::Error::other)?;
        let mut carried: BTreeMap<String, Carried> =
            before.carried.into_iter().map(|carried| (carried.stream.clone(), carried)).collect();
        for segment in removed {
            let read = self.reader.streams(segment.header.first_seq, &mut |entry: &StreamEntry<'_>| {
                let seqs = positions::unpack(entry.positions).unwrap_or_default();
                let Some(seq) = seqs.last() else { return };
                let stream_seq = entry.first + seqs.len() as u64 - 1;
                let last = Carried { stream: entry.stream.to_owned(), stream_seq, seq: *seq };
                carried.insert(last.stream.clone(), last);
            });
            read.map_err(io::Error::other)?;
        }
        Ok(carried.into_values().collect())
    }
}

/// Removes the files of all segments before the one the journal begins with, and forms that do not count: a sealed one
/// at the end would count when the next segment begins, and be of another history by then.
pub(crate) fn remove_before(disk: &dyn Disk, dir: &Path, first: u64) -> io::Result<()> {
    let found = segment::list(disk, dir)?;
    let old: Vec<_> = found.iter().filter(|named| named.first < first || named.twice).collect();
    for named in &old {
        if named.twice {
            let other = if named.form == Form::Written { Form::Sealed } else { Form::Written };
            disk.remove(&segment::path(dir, named.first, other))?;
        }
        if named.first < first {
            disk.remove(&segment::path(dir, named.first, named.form))?;
        }
    }
    if old.is_empty() { Ok(()) } else { disk.sync_folder(&dir.join(segment::FOLDER)) }
}

#[cfg(test)]
mod tests {
    use thread_priority::{NormalThreadSchedulePolicy, ThreadSchedulePolicy, thread_schedule_policy};

    use super::run_when_idle;

    #[test]
    fn sealing_gives_way_to_every_other_thread() {
        let sealing = std::thread::spawn(|| {
            run_when_idle();
            thread_schedule_policy()
        });
        let policy = sealing.join().expect("the thread ends").expect("it has a policy");
        assert_eq!(policy, ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle));
    }
}
