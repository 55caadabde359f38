//! One client's place in the log. It holds at most one batch: shared events while the client keeps up, one bounded read
//! of the log while it does not.

use std::sync::Arc;

use regatta_core::event::user::Role;
use regatta_core::{ReadError, ReadMax, Seq};
use tokio::sync::watch;

use super::{Feed, Found, Published, read};
use crate::Filter;

/// Bounds what one client that is behind holds: one read of this size, plus at most one larger event.
pub(super) const LIVE_READ: ReadMax = ReadMax { events: 256, bytes: 256 << 10 };

/// One client's place in the log.
pub(crate) struct Cursor {
    feed: Feed,
    filter: Filter,
    grown: watch::Receiver<Seq>,
    next: Seq,
    batch: std::vec::IntoIter<Arc<Published>>,
}

impl Cursor {
    /// Begins at a position.
    pub(crate) fn new(feed: &Feed, filter: Filter, from: Seq) -> Self {
        let next = Seq(from.0.max(1));
        Self { feed: feed.clone(), filter, grown: feed.watch(), next, batch: Vec::new().into_iter() }
    }

    /// The next position to be looked at.
    pub(crate) fn place(&self) -> Seq {
        self.next
    }

    /// Gives from now on what somebody of that role may read.
    pub(crate) fn read_as(&mut self, role: Role) {
        self.filter = std::mem::take(&mut self.filter).for_reader(role);
    }

    /// Goes on at another position.
    pub(crate) fn skip_to(&mut self, next: Seq) {
        self.next = next;
        self.batch = Vec::new().into_iter();
    }

    /// The next wanted event; nothing when all there is was looked at.
    pub(crate) async fn next(&mut self) -> Result<Option<Arc<Published>>, ReadError> {
        loop {
            for event in self.batch.by_ref() {
                self.next = event.envelope.seq.next();
                if self.filter.wants(&event.envelope) {
                    return Ok(Some(event));
                }
            }
            // Seen before looking, so that what comes in between wakes again.
            self.grown.borrow_and_update();
            let batch = match self.feed.find(self.next, LIVE_READ.events) {
                Found::Recent(events) => events,
                Found::Older(recent) => self.older(recent).await?,
            };
            if batch.is_empty() {
                return Ok(None);
            }
            self.batch = batch.into_iter();
        }
    }

    async fn older(&mut self, recent: Seq) -> Result<Vec<Arc<Published>>, ReadError> {
        let batch = read(self.feed.log(), self.next, LIVE_READ).await?;
        if batch.is_empty() {
            // What stood here is no longer kept in the log.
            self.next = recent;
            return Ok(match self.feed.find(recent, LIVE_READ.events) {
                Found::Recent(events) => events,
                Found::Older(_) => Vec::new(),
            });
        }
        Ok(batch.into_iter().map(|envelope| Arc::new(Published::new(envelope))).collect())
    }

    /// Waits for more; nothing when there will be none.
    pub(crate) async fn grown(&mut self) -> Option<()> {
        self.grown.changed().await.ok()
    }
}
