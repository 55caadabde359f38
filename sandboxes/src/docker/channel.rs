//! A connection to the program inside a container: calls go in, answers come out, in any order.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bollard::container::LogOutput;
use bollard::errors::Error as Refused;
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use tokio::io::{AsyncWrite, AsyncWriteExt as _};
use tokio::sync::{mpsc, oneshot};

use crate::inside::wire::{Answer, Answered, Asked, Call, Frames, frame};

/// How long inside may take for an answer. One that takes longer is taken for lost.
const ANSWER_MAX: Duration = Duration::from_secs(60);
/// Calls that wait to be written.
const CALLS_MAX: usize = 64;
/// Bytes of complaints from inside that are kept, the last ones.
const COMPLAINTS_BYTES_MAX: usize = 4096;

/// What comes from a container.
pub(super) type Output = Pin<Box<dyn Stream<Item = Result<LogOutput, Refused>> + Send>>;
/// What goes to it.
pub(super) type Input = Pin<Box<dyn AsyncWrite + Send>>;

/// A connection; when it breaks, everything asked over it is told so.
#[derive(Debug)]
pub(super) struct Channel {
    calls: mpsc::Sender<Vec<u8>>,
    next: AtomicU64,
    waiting: Arc<Waiting>,
    tasks: [tokio::task::AbortHandle; 2],
}

/// Who waits for which answer.
#[derive(Debug, Default)]
struct Waiting(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    by_id: HashMap<u64, oneshot::Sender<(Answer, Bytes)>>,
    /// Why nothing comes any more.
    closed: Option<String>,
}

/// Nobody answers over this connection any more; why.
#[derive(Debug, thiserror::Error)]
#[error("the connection into the container broke: {0}")]
pub(super) struct Closed(String);

impl Channel {
    pub(super) fn new(output: Output, input: Input) -> Self {
        let (calls, to_write) = mpsc::channel(CALLS_MAX);
        let waiting = Arc::new(Waiting::default());
        let reading = tokio::spawn(read(output, Arc::clone(&waiting)));
        let writing = tokio::spawn(write(input, to_write, Arc::clone(&waiting)));
        Self { calls, next: AtomicU64::new(0), waiting, tasks: [reading.abort_handle(), writing.abort_handle()] }
    }

    pub(super) fn is_open(&self) -> bool {
        self.waiting.state().closed.is_none()
    }

    pub(super) async fn ask(&self, call: &Call, body: &[u8]) -> Result<(Answer, Bytes), Closed> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let asked = Asked { id, call: call.clone() };
        let frame = frame(&asked, body).map_err(|error| Closed(error.to_string()))?;
        let (tell, answer) = oneshot::channel();
        {
            let mut state = self.waiting.state();
            if let Some(why) = &state.closed {
                return Err(Closed(why.clone()));
            }
            state.by_id.insert(id, tell);
        }
        // Also when whoever asks gives up.
        let _forget = Forget { id, waiting: &self.waiting };
        let asked = async {
            if self.calls.send(frame).await.is_err() {
                return Err(self.why());
            }
            answer.await.map_err(|_| self.why())
        };
        match tokio::time::timeout(ANSWER_MAX, asked).await {
            Ok(answered) => answered,
            Err(_) => Err(Closed(format!("no answer within {} s; is it paused?", ANSWER_MAX.as_secs()))),
        }
    }

    fn why(&self) -> Closed {
        Closed(self.waiting.state().closed.clone().unwrap_or_else(|| "it ended".to_owned()))
    }
}

impl Drop for Channel {
    fn drop(&mut self) {
        self.tasks.iter().for_each(tokio::task::AbortHandle::abort);
    }
}

struct Forget<'a> {
    id: u64,
    waiting: &'a Waiting,
}

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        self.waiting.state().by_id.remove(&self.id);
    }
}

impl Waiting {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nothing comes any more: everybody who waits is told.
    fn close(&self, why: &str) {
        let mut state = self.state();
        state.closed.get_or_insert_with(|| why.to_owned());
        state.by_id.clear();
    }
}

async fn read(mut output: Output, waiting: Arc<Waiting>) {
    let (mut frames, mut complaints) = (Frames::default(), Vec::new());
    let why = loop {
        match output.next().await {
            Some(Ok(LogOutput::StdOut { message })) => {
                frames.push(&message);
                if let Err(error) = hand_out(&mut frames, &waiting) {
                    break error.to_string();
                }
            }
            Some(Ok(LogOutput::StdErr { message } | LogOutput::Console { message })) => {
                complaints.extend_from_slice(&message);
                let surplus = complaints.len().saturating_sub(COMPLAINTS_BYTES_MAX);
                complaints.drain(..surplus);
            }
            Some(Ok(LogOutput::StdIn { .. })) => {}
            Some(Err(error)) => break error.to_string(),
            None => break "it ended".to_owned(),
        }
    };
    let complaints = String::from_utf8_lossy(&complaints);
    let complaints = complaints.trim();
    waiting.close(&if complaints.is_empty() { why } else { format!("{why}: {complaints}") });
}

fn hand_out(frames: &mut Frames, waiting: &Waiting) -> std::io::Result<()> {
    while let Some((answered, body)) = frames.next::<Answered>()? {
        if let Some(tell) = waiting.state().by_id.remove(&answered.id) {
            // Whoever asked may have given up.
            tell.send((answered.answer, body)).ok();
        }
    }
    Ok(())
}

async fn write(mut input: Input, mut calls: mpsc::Receiver<Vec<u8>>, waiting: Arc<Waiting>) {
    while let Some(call) = calls.recv().await {
        let written = async {
            input.write_all(&call).await?;
            input.flush().await
        };
        if let Err(error) = written.await {
            return waiting.close(&error.to_string());
        }
    }
}
