//! What tests begin with: logs, folders, drafts, streams.

use std::path::Path;

use bytes::Bytes;
use regatta_core::log::{DurableLog, Options};
use regatta_core::{Actor, Append, AppendError, Appended, Draft, EventId, Expect, Kind, Log, Stream};
use uuid::Uuid;

/// Options that seal and prepare space early.
pub(crate) fn small(dir: &Path) -> Options {
    Options { segment_bytes: 8 << 10, ahead_bytes: 4 << 10, ..Options::new(dir) }
}

pub(crate) fn open(dir: &Path) -> DurableLog {
    DurableLog::open(small(dir)).expect("opens")
}

pub(crate) fn stream(name: &str) -> Stream {
    Stream::try_from(name).expect("name")
}

/// An event whose every field follows from `n`.
pub(crate) fn draft(n: u64, payload: impl Into<Bytes>) -> Draft {
    Draft {
        id: EventId(Uuid::from_u128(u128::from(n) << 64 | 7)),
        kind: Kind::RUN_DECIDED,
        version: 1,
        at_us: n * 1_000,
        actor: if n.is_multiple_of(3) { Actor::regatta() } else { Actor::user("ada") },
        cause: n.is_multiple_of(2).then(|| EventId(Uuid::from_u128(u128::from(n)))),
        correlation: Uuid::from_u128(u128::from(n) + 1),
        dedup: None,
        payload: payload.into(),
    }
}

pub(crate) fn one(to: &str, expect: Expect, n: u64) -> Append {
    Append { stream: stream(to), expect, events: vec![draft(n, format!("{{\"n\":{n}}}"))] }
}

pub(crate) fn keyed(to: &str, expect: Expect, n: u64, key: &str) -> Append {
    let mut append = one(to, expect, n);
    append.events[0].dedup = Some(key.into());
    append
}

pub(crate) fn append(log: &dyn Log, append: Append) -> Result<Appended, AppendError> {
    log.submit(append).blocking_recv().expect("answered")
}
