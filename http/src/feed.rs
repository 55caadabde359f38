//! Reading events for a client, a page or a live stream at a time, by cursor. Each client has its own place in the
//! log and at most one read in memory; there are no queues, so a slow client slows only itself.

use std::sync::Arc;

use futures_util::Stream as FutureStream;
use regatta_core::{Envelope, Log, ReadError, ReadMax, Seq};
use tokio_util::sync::CancellationToken;

use crate::filter::Filter;
use crate::requests::EventsPage;
use crate::{EVENTS_SCANNED_MAX, EventBody};

/// Bounds what one live client holds: one read of this size, plus at most one larger event.
const LIVE_READ: ReadMax = ReadMax { events: 256, bytes: 256 << 10 };
/// Bounds the payloads of one page.
const PAGE_BYTES_MAX: usize = 4 << 20;

/// Reads without holding up the async threads.
async fn read(log: &Arc<dyn Log>, from: Seq, max: ReadMax) -> Result<Vec<Envelope>, ReadError> {
    let log = Arc::clone(log);
    let gone = |error: tokio::task::JoinError| ReadError::Io(Arc::new(std::io::Error::other(error)));
    tokio::task::spawn_blocking(move || log.read(from, max)).await.map_err(gone)?
}

/// Reads a page of at most `limit` events that the filter wants.
pub(crate) async fn page(
    log: &Arc<dyn Log>,
    from: Seq,
    limit: usize,
    filter: &Filter,
) -> Result<EventsPage, ReadError> {
    let head = log.head();
    let mut page = EventsPage { rows: Vec::new(), next: Seq(from.0.max(1)), head };
    let (mut scanned, mut bytes) = (0, 0);
    while page.rows.len() < limit && scanned < EVENTS_SCANNED_MAX && bytes < PAGE_BYTES_MAX {
        let batch = read(log, page.next, ReadMax::default()).await?;
        if batch.is_empty() {
            break;
        }
        for envelope in batch {
            if page.rows.len() >= limit || bytes >= PAGE_BYTES_MAX {
                return Ok(page);
            }
            scanned += 1;
            page.next = envelope.seq.next();
            if filter.wants(&envelope) {
                bytes += envelope.payload.len();
                page.rows.push(EventBody::from(&envelope));
            }
        }
    }
    Ok(page)
}

/// One client's place in the log.
struct Cursor {
    log: Arc<dyn Log>,
    filter: Filter,
    head: tokio::sync::watch::Receiver<Seq>,
    stop: CancellationToken,
    next: Seq,
    batch: std::vec::IntoIter<Envelope>,
    failed: bool,
}

/// Every event from `from` on that the filter wants, each once, in order, for as long as the client stays. Ends when
/// the server stops, or after a read that failed.
pub(crate) fn live(
    log: Arc<dyn Log>,
    from: Seq,
    filter: Filter,
    stop: CancellationToken,
) -> impl FutureStream<Item = Result<Envelope, ReadError>> {
    let head = log.watch();
    let cursor =
        Cursor { log, filter, head, stop, next: Seq(from.0.max(1)), batch: Vec::new().into_iter(), failed: false };
    futures_util::stream::unfold(cursor, |mut cursor| async move { cursor.step().await.map(|found| (found, cursor)) })
}

impl Cursor {
    async fn step(&mut self) -> Option<Result<Envelope, ReadError>> {
        while !self.failed && !self.stop.is_cancelled() {
            if let Some(envelope) = self.next_wanted() {
                return Some(Ok(envelope));
            }
            // The wake-up is marked as seen before the read, so one that comes in between wakes us again.
            self.head.borrow_and_update();
            match read(&self.log, self.next, LIVE_READ).await {
                Ok(batch) if batch.is_empty() => self.wait().await?,
                Ok(batch) => self.batch = batch.into_iter(),
                Err(error) => {
                    self.failed = true;
                    return Some(Err(error));
                }
            }
        }
        None
    }

    fn next_wanted(&mut self) -> Option<Envelope> {
        for envelope in self.batch.by_ref() {
            self.next = envelope.seq.next();
            if self.filter.wants(&envelope) {
                return Some(envelope);
            }
        }
        None
    }

    /// Waits for new events; nothing when there will be none.
    async fn wait(&mut self) -> Option<()> {
        tokio::select! {
            changed = self.head.changed() => changed.ok(),
            () = self.stop.cancelled() => None,
        }
    }
}
