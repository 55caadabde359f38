//! One reader of the log's tail for all live clients. It keeps the latest events, each written as JSON at most once,
//! and clients share those bytes. Whoever is behind what is kept reads the log at its own pace (see [`cursor`]): there
//! are no queues, so a slow client slows only itself, and nothing is missed or sent twice.

mod cursor;
pub(crate) mod page;

use std::collections::VecDeque;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use bytes::Bytes;
use regatta_core::{Envelope, Log, ReadError, ReadMax, Seq};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub(crate) use cursor::Cursor;

use crate::EventBody;
use crate::door::Heard;

/// Most events kept for live clients.
const RECENT_EVENTS_MAX: usize = 4_096;
/// Most bytes of payload kept for live clients; their JSON may be a few times as large.
const RECENT_BYTES_MAX: usize = 8 << 20;
/// One read of the tail.
const TAIL_READ: ReadMax = ReadMax { events: 512, bytes: 1 << 20 };

/// An event on its way to clients.
#[derive(Debug)]
pub(crate) struct Published {
    pub(crate) envelope: Envelope,
    json: OnceLock<Bytes>,
    heard: OnceLock<Option<Heard>>,
}

impl Published {
    pub(crate) fn new(envelope: Envelope) -> Self {
        Self { envelope, json: OnceLock::new(), heard: OnceLock::new() }
    }

    /// The event's body as JSON, in one line; written when the first client asks for it.
    pub(crate) fn json(&self) -> &Bytes {
        self.json.get_or_init(|| {
            let body = EventBody::from(&self.envelope);
            serde_json::to_vec(&body).map_or_else(
                |error| {
                    tracing::error!(%error, seq = %self.envelope.seq, "an event could not be written as JSON");
                    Bytes::from_static(b"{}")
                },
                Bytes::from,
            )
        })
    }

    /// What it is to browsers at a gateway's door, if anything; written when the first one asks for it.
    pub(crate) fn heard(&self) -> Option<&Heard> {
        self.heard.get_or_init(|| Heard::of(&self.envelope)).as_ref()
    }
}

/// The latest events.
#[derive(Debug)]
struct Recent {
    /// Every event from this position on is kept, as far as the feed has come.
    begins: Seq,
    events: VecDeque<Arc<Published>>,
    bytes: usize,
}

impl Recent {
    fn keep(&mut self, envelope: Envelope) {
        self.bytes += envelope.payload.len();
        self.events.push_back(Arc::new(Published::new(envelope)));
        while self.events.len() > RECENT_EVENTS_MAX || self.bytes > RECENT_BYTES_MAX {
            let Some(oldest) = self.events.pop_front() else { break };
            self.bytes -= oldest.envelope.payload.len();
            self.begins = oldest.envelope.seq.next();
        }
    }
}

/// What a client finds at its position.
pub(crate) enum Found {
    /// Events from that position on; none when it has seen all.
    Recent(Vec<Arc<Published>>),
    /// The position is older than what is kept; everything before this one has to be read from the log.
    Older(Seq),
}

/// The latest events of a log, for all live clients. Clones share them.
#[derive(Clone)]
pub struct Feed {
    log: Arc<dyn Log>,
    recent: Arc<RwLock<Recent>>,
    head: watch::Receiver<Seq>,
}

impl Feed {
    /// Follows a log from its end on, until `stop`. Must be called within a runtime.
    #[must_use]
    pub fn follow(log: Arc<dyn Log>, stop: CancellationToken) -> Self {
        let begins = log.head().next();
        let recent = Arc::new(RwLock::new(Recent { begins, events: VecDeque::new(), bytes: 0 }));
        let head = watch::Sender::new(log.head());
        let feed = Self { log, recent, head: head.subscribe() };
        let tail = Tail { log: Arc::clone(&feed.log), recent: Arc::clone(&feed.recent), head };
        tokio::spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                ended = tail.run() => if let Err(error) = ended {
                    tracing::error!(%error, "live clients are no longer told of events");
                },
            }
        });
        feed
    }

    /// The last position clients can be told of.
    pub(crate) fn head(&self) -> Seq {
        *self.head.borrow()
    }

    /// Wakes when there is more; closed when there will be none.
    pub(crate) fn watch(&self) -> watch::Receiver<Seq> {
        self.head.clone()
    }

    pub(crate) fn log(&self) -> &Arc<dyn Log> {
        &self.log
    }

    /// At most `max` events from a position on.
    fn find(&self, from: Seq, max: usize) -> Found {
        let recent = self.recent.read().unwrap_or_else(PoisonError::into_inner);
        if from < recent.begins {
            return Found::Older(recent.begins);
        }
        let place = recent.events.partition_point(|event| event.envelope.seq < from);
        Found::Recent(recent.events.iter().skip(place).take(max).cloned().collect())
    }
}

/// The task that reads.
struct Tail {
    log: Arc<dyn Log>,
    recent: Arc<RwLock<Recent>>,
    head: watch::Sender<Seq>,
}

impl Tail {
    /// Follows until the log is closed or nobody listens any more.
    async fn run(self) -> Result<(), ReadError> {
        let mut grown = self.log.watch();
        loop {
            // Marked as seen before reading: what comes in between wakes again.
            grown.borrow_and_update();
            while self.take().await? {}
            tokio::select! {
                changed = grown.changed() => if changed.is_err() { return Ok(()) },
                () = self.head.closed() => return Ok(()),
            }
        }
    }

    /// Takes one batch; whether there may be more.
    async fn take(&self) -> Result<bool, ReadError> {
        let from = self.head.borrow().next();
        let batch = read(&self.log, from, TAIL_READ).await?;
        let Some(last) = batch.last().map(|last| last.seq) else { return Ok(false) };
        {
            let mut recent = self.recent.write().unwrap_or_else(PoisonError::into_inner);
            batch.into_iter().for_each(|envelope| recent.keep(envelope));
        }
        self.head.send_replace(last);
        Ok(true)
    }
}

/// Reads without holding up the async threads.
async fn read(log: &Arc<dyn Log>, from: Seq, max: ReadMax) -> Result<Vec<Envelope>, ReadError> {
    let log = Arc::clone(log);
    let gone = |error: tokio::task::JoinError| ReadError::Io(Arc::new(std::io::Error::other(error)));
    tokio::task::spawn_blocking(move || log.read(from, max)).await.map_err(gone)?
}
