//! One thread that takes whatever waits and commits it as one group: what the raw file, SQLite and fjall have in common,
//! so that each is measured with the group commit a good user of it would write.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};

use bytes::Bytes;
use tokio::sync::oneshot;

use super::load::{Engine, Turns};
use crate::Outcome;

/// Records in one group, at most.
const GROUP_RECORDS_MAX: usize = 4_096;
/// Bytes in one group, at most.
const GROUP_BYTES_MAX: usize = 1 << 20;

type Waiting = (Bytes, oneshot::Sender<()>);

/// The thread and the way to it. Dropping it ends the thread and reports what went wrong.
pub(crate) struct Committer {
    queue: Option<Sender<Waiting>>,
    thread: Option<JoinHandle<Outcome<()>>>,
    records: Turns<Bytes>,
}

impl Committer {
    /// `commit` makes one group durable.
    pub(crate) fn start(records: Turns<Bytes>, commit: impl FnMut(&[Bytes]) -> Outcome<()> + Send + 'static) -> Self {
        let (queue, waiting) = channel();
        let thread = Some(thread::spawn(move || run(&waiting, commit)));
        Self { queue: Some(queue), thread, records }
    }
}

fn run(waiting: &Receiver<Waiting>, mut commit: impl FnMut(&[Bytes]) -> Outcome<()>) -> Outcome<()> {
    let (mut group, mut answers) = (Vec::new(), Vec::new());
    while let Ok((record, answer)) = waiting.recv() {
        let mut bytes = record.len();
        group.push(record);
        answers.push(answer);
        while group.len() < GROUP_RECORDS_MAX
            && bytes < GROUP_BYTES_MAX
            && let Ok((record, answer)) = waiting.try_recv()
        {
            bytes += record.len();
            group.push(record);
            answers.push(answer);
        }
        commit(&group)?;
        group.clear();
        for answer in answers.drain(..) {
            answer.send(()).ok();
        }
    }
    Ok(())
}

impl Engine for Committer {
    async fn append(&self, _: usize) -> Outcome<()> {
        let (answer, answered) = oneshot::channel();
        let queue = self.queue.as_ref().ok_or("the committer has ended")?;
        queue.send((self.records.next()?.clone(), answer))?;
        Ok(answered.await?)
    }
}

impl Drop for Committer {
    fn drop(&mut self) {
        drop(self.queue.take());
        let ended = self.thread.take().map(JoinHandle::join);
        if let Some(Ok(Err(error))) = ended {
            eprintln!("error: the committer failed: {error}");
        }
    }
}
