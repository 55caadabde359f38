//! What tests begin with: logs, folders, drafts, streams.

use std::fs;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use regatta_core::log::{DurableLog, Options};
use regatta_core::{Actor, Append, AppendError, Appended, Draft, EventId, Expect, Kind, Log, Stream};
use uuid::Uuid;

/// Options that begin a new segment and prepare space early, leave full segments as they were written, and anchor nothing in
/// between: what happens to the disk follows from the test alone.
pub(crate) fn small(dir: &Path) -> Options {
    Options {
        segment_bytes: 8 << 10,
        ahead_bytes: 4 << 10,
        anchor_every: Duration::ZERO,
        seal: false,
        ..Options::new(dir)
    }
}

/// As [`small`], but full segments are sealed, in bundles of a few blocks.
pub(crate) fn sealing(dir: &Path) -> Options {
    Options { seal: true, bundle_bytes: 2 << 10, seal_again_after: Duration::from_millis(1), ..small(dir) }
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

pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("folder");
    for entry in fs::read_dir(from).expect("folder") {
        let entry = entry.expect("entry");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("type").is_dir() {
            copy(&entry.path(), &target);
        } else {
            match fs::copy(entry.path(), target) {
                // The index's own files come and go.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                copied => drop(copied.expect("copy")),
            }
        }
    }
}

/// What a crash now would leave of a data directory: the files as they are, nobody told to stop.
pub(crate) fn copied(dir: &Path) -> tempfile::TempDir {
    let image = tempfile::tempdir().expect("folder");
    copy(dir, image.path());
    image
}
