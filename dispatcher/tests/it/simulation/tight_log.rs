//! A log on a disk that is full at times.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use regatta_core::log::{MemoryLog, Pending, ReadMax};
use regatta_core::{Append, AppendError, Envelope, Log, ReadError, Seq, Stream};

/// The log on a disk that is full at times: it then refuses, or holds back in order whoever is patient, and takes what
/// relieves the disk, unless it is quite full.
#[derive(Clone, Default)]
pub(super) struct TightLog {
    log: MemoryLog,
    is_quite_full: Arc<AtomicBool>,
    /// Something while the disk is full.
    held: Arc<Mutex<Option<VecDeque<Held>>>>,
}

type Held = (Append, tokio::sync::oneshot::Sender<Result<regatta_core::Appended, AppendError>>);

impl TightLog {
    pub(super) fn is_full(&self) -> bool {
        self.held.lock().expect("lock").is_some()
    }

    pub(super) fn fill(&self, is_quite_full: bool) {
        self.is_quite_full.store(is_quite_full, Ordering::SeqCst);
        self.held.lock().expect("lock").get_or_insert_default();
    }

    pub(super) fn free(&self) {
        let held = self.held.lock().expect("lock").take();
        self.write(held.into_iter().flatten());
    }

    fn write(&self, held: impl Iterator<Item = Held>) {
        for (append, answer) in held {
            answer.send(self.log.submit(append).try_recv().expect("memory answers at once")).ok();
        }
    }

    /// What was held back was never acknowledged, and is gone.
    pub(super) fn crash(&self) {
        self.held.lock().expect("lock").take();
    }
}

impl Log for TightLog {
    fn submit(&self, append: Append) -> Pending {
        if self.is_full() {
            let (answer, pending) = tokio::sync::oneshot::channel();
            answer.send(Err(AppendError::ReadOnly("full".into()))).expect("listened to");
            return pending;
        }
        self.log.submit(append)
    }

    fn submit_patiently(&self, append: Append) -> Pending {
        match &mut *self.held.lock().expect("lock") {
            Some(held) => {
                let (answer, pending) = tokio::sync::oneshot::channel();
                held.push_back((append, answer));
                pending
            }
            None => self.log.submit(append),
        }
    }

    fn submit_to_relieve(&self, append: Append) -> Pending {
        let pending = self.submit_patiently(append);
        if let Some(held) = &mut *self.held.lock().expect("lock")
            && !self.is_quite_full.load(Ordering::SeqCst)
        {
            self.write(held.drain(..));
        }
        pending
    }

    fn read_only(&self) -> Option<String> {
        self.is_full().then(|| "full".to_owned())
    }

    fn read_only_for_relief(&self) -> Option<String> {
        self.read_only().filter(|_| self.is_quite_full.load(Ordering::SeqCst))
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

    fn watch(&self) -> tokio::sync::watch::Receiver<Seq> {
        self.log.watch()
    }
}
