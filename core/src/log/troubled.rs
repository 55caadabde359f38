//! A log in memory whose disk has bad days, as whoever holds it says: for tests of those who have to live with them.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{oneshot, watch};

use super::{Append, AppendError, Appended, Log, MemoryLog, Pending, ReadError, ReadMax};
use crate::{Envelope, Seq, Stream};

/// Why nothing is taken, as it is told.
const FULL: &str = "the disk is nearly full";

/// What is the matter with the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Trouble {
    /// Nothing.
    #[default]
    None,
    /// What is appended is there, and nobody is told before it is over.
    Slow,
    /// It is nearly full: appends are refused or, of whoever is patient, held back in order; what gives room back is taken,
    /// with all before it.
    Full,
    /// It is so full that nothing is taken.
    QuiteFull,
}

/// A log in memory that is in trouble at times. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct TroubledLog {
    log: MemoryLog,
    disk: Arc<Mutex<Disk>>,
}

#[derive(Debug, Default)]
struct Disk {
    trouble: Trouble,
    held: VecDeque<Held>,
}

type Answer = oneshot::Sender<Result<Appended, AppendError>>;

/// Whoever waits for the trouble to be over.
#[derive(Debug)]
enum Held {
    ToBeWritten(Append, Answer),
    ToBeTold(Pending, Answer),
}

impl Held {
    fn end(self, log: &MemoryLog) {
        let (mut pending, answer) = match self {
            Self::ToBeWritten(append, answer) => (log.submit(append), answer),
            Self::ToBeTold(pending, answer) => (pending, answer),
        };
        // Memory answers at once. Whoever asked may be gone.
        if let Ok(appended) = pending.try_recv() {
            answer.send(appended).ok();
        }
    }
}

impl TroubledLog {
    /// What is the matter from now on. When it is nothing, everybody who waited is answered.
    pub fn set(&self, trouble: Trouble) {
        let mut disk = self.disk();
        disk.trouble = trouble;
        if trouble == Trouble::None {
            self.end_all(&mut disk);
        }
    }

    /// What is the matter now.
    #[must_use]
    pub fn trouble(&self) -> Trouble {
        self.disk().trouble
    }

    /// The process dies and the trouble is over: what was held back was never acknowledged, and is gone.
    pub fn crash(&self) {
        *self.disk() = Disk::default();
    }

    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.disk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end_all(&self, disk: &mut Disk) {
        disk.held.drain(..).for_each(|held| held.end(&self.log));
    }

    fn take(&self, append: Append, is_patient: bool) -> Pending {
        let mut disk = self.disk();
        let (answer, pending) = oneshot::channel();
        match (disk.trouble, is_patient) {
            (Trouble::None, _) => return self.log.submit(append),
            (Trouble::Slow, _) => disk.held.push_back(Held::ToBeTold(self.log.submit(append), answer)),
            (Trouble::Full | Trouble::QuiteFull, true) => disk.held.push_back(Held::ToBeWritten(append, answer)),
            (Trouble::Full | Trouble::QuiteFull, false) => {
                answer.send(Err(AppendError::ReadOnly(FULL.to_owned()))).ok();
            }
        }
        pending
    }
}

impl Log for TroubledLog {
    fn submit(&self, append: Append) -> Pending {
        self.take(append, false)
    }

    fn submit_patiently(&self, append: Append) -> Pending {
        self.take(append, true)
    }

    fn submit_to_relieve(&self, append: Append) -> Pending {
        let pending = self.take(append, true);
        let mut disk = self.disk();
        if disk.trouble == Trouble::Full {
            self.end_all(&mut disk);
        }
        pending
    }

    fn read_only(&self) -> Option<String> {
        matches!(self.trouble(), Trouble::Full | Trouble::QuiteFull).then(|| FULL.to_owned())
    }

    fn read_only_for_relief(&self) -> Option<String> {
        (self.trouble() == Trouble::QuiteFull).then(|| FULL.to_owned())
    }

    fn read(&self, from: Seq, max: ReadMax) -> Result<Vec<Envelope>, ReadError> {
        self.log.read(from, max)
    }

    fn read_stream(&self, stream: &Stream, from: u64, max: ReadMax) -> Result<Vec<Envelope>, ReadError> {
        self.log.read_stream(stream, from, max)
    }

    fn stream_head(&self, stream: &Stream) -> Result<u64, ReadError> {
        self.log.stream_head(stream)
    }

    fn head(&self) -> Seq {
        self.log.head()
    }

    fn watch(&self) -> watch::Receiver<Seq> {
        self.log.watch()
    }
}
