//! Events by the page, read from the log.

use std::sync::Arc;

use regatta_core::{Envelope, Log, ReadError, ReadMax, Seq};

use super::read;
use crate::filter::Filter;
use crate::requests::EventsPage;
use crate::{EVENTS_SCANNED_MAX, EventBody};

/// Bounds the payloads of one page.
const PAGE_BYTES_MAX: usize = 4 << 20;

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
            if page.rows.len() >= limit || bytes >= PAGE_BYTES_MAX || filter.is_past(envelope.seq) {
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

/// Reads the event at a position; nothing when there is none.
pub(crate) async fn one(log: &Arc<dyn Log>, seq: Seq) -> Result<Option<Envelope>, ReadError> {
    let found = read(log, seq, ReadMax { events: 1, ..ReadMax::default() }).await?;
    Ok(found.into_iter().next().filter(|envelope| envelope.seq == seq))
}
