//! What a durable log is opened with, and why it may refuse.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::journal::{Disk, RealDisk};
use crate::{Clock, SystemClock};

/// Bytes, uncompressed, after which a segment is full and the next one begins.
pub const SEGMENT_BYTES: u64 = 64 << 20;
/// Least and most [`Options::segment_bytes`].
pub const SEGMENT_BYTES_BOUNDS: std::ops::RangeInclusive<u64> = 8 << 10..=1 << 30;
/// Bytes of zeros prepared at once ahead of the writer. Their sync holds up that of a block: with 4 MiB one in a hundred
/// groups of 2 KB events waited ten times as long as the others, with 1 MiB twice.
pub const AHEAD_BYTES: u64 = 1 << 20;
/// How long the index may take to open. sled takes about 6 s for 10 million events; past this a rebuild is quicker.
pub const INDEX_DEADLINE: Duration = Duration::from_secs(120);

/// Between two looks at whether the log has gone on since it was anchored: what was acknowledged in between may be cut off
/// without `HEAD` telling.
pub const ANCHOR_EVERY: Duration = Duration::from_secs(3);

/// Between two sealed segments that are read again in the background: a week is enough for 126 GiB.
pub const SCRUB_EVERY: Duration = Duration::from_secs(300);

/// How long a segment that could not be sealed is left alone.
pub const SEAL_AGAIN_AFTER: Duration = Duration::from_secs(60);
/// Bytes of events compressed together in a sealed segment: more is smaller on disk, less is quicker to look into.
pub const BUNDLE_BYTES: usize = 256 << 10;
/// Least and most [`Options::bundle_bytes`].
pub const BUNDLE_BYTES_BOUNDS: std::ops::RangeInclusive<usize> = 1 << 10..=4 << 20;

/// How to open a log.
#[derive(Clone)]
pub struct Options {
    /// The data directory.
    pub dir: PathBuf,
    /// Size of a segment, uncompressed; a block that is larger gets one of its own.
    pub segment_bytes: u64,
    /// Zeros prepared ahead of the writer; 0 for none.
    pub ahead_bytes: u64,
    /// How long the index may take to open before it is taken for hanging, and rebuilt.
    pub index_deadline: Duration,
    /// Between two looks at whether the log has gone on since it was anchored; zero for never.
    pub anchor_every: Duration,
    /// Between two sealed segments that are read again in the background; zero for never.
    pub scrub_every: Duration,
    /// Whether full segments are sealed (compressed) in the background.
    pub seal: bool,
    /// Bytes of events compressed together when a segment is sealed.
    pub bundle_bytes: usize,
    /// How long a segment that could not be sealed is left alone.
    pub seal_again_after: Duration,
    /// Where creation times and nonces come from.
    pub clock: Arc<dyn Clock>,
    /// Where the journal is kept. The lock and the index are on the machine's own disk in any case.
    pub disk: Arc<dyn Disk>,
}

impl Options {
    /// The defaults for a data directory.
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            segment_bytes: SEGMENT_BYTES,
            ahead_bytes: AHEAD_BYTES,
            index_deadline: INDEX_DEADLINE,
            anchor_every: ANCHOR_EVERY,
            scrub_every: SCRUB_EVERY,
            seal: true,
            bundle_bytes: BUNDLE_BYTES,
            seal_again_after: SEAL_AGAIN_AFTER,
            clock: Arc::new(SystemClock),
            disk: Arc::new(RealDisk),
        }
    }
}

/// Why a log was not opened. No event on disk was touched.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process writes here.
    #[error("the data directory {dir} is in use by process {pid}: stop that process, or name another data directory")]
    Locked {
        /// The process; 0 when it could not be told.
        pid: u32,
        /// The data directory.
        dir: PathBuf,
    },
    /// Another process has its files open, though nobody holds the lock.
    #[error(
        "the data directory {dir} is in use by another process, though nobody holds its lock: its file `lock` was \
         removed under a server; stop that server (regatta down), then start again"
    )]
    InUse {
        /// The data directory.
        dir: PathBuf,
    },
    /// A restore or an import was begun here.
    #[error(
        "{what} into {dir} did not come to its end: run it again, it goes on where it stopped; or, to make do with what \
         is there, remove {dir}/restoring"
    )]
    Restoring {
        /// Which.
        what: &'static str,
        /// The data directory.
        dir: PathBuf,
    },
    /// There is nothing to read.
    #[error("there is no log in {dir}: name the data directory of a server that has run")]
    Absent {
        /// The data directory.
        dir: PathBuf,
    },
    /// The journal ends before its anchor.
    #[error(
        "the log ends at {seq} but was at {anchor}: restore {dir}/journal from backup, or, to go on without the \
         missing events, move {dir}/HEAD away"
    )]
    Shortened {
        /// Where it ends.
        seq: u64,
        /// Where it was.
        anchor: u64,
        /// The data directory.
        dir: PathBuf,
    },
    /// The journal ends before what its index was told, which is told of nothing that is not on disk.
    #[error(
        "the log ends at {seq}, but its index knows events up to {known}: what follows {seq} was on disk and is lost; \
         restore the log into an empty data directory, from a backup or from NATS (regatta log restore), or, to go on \
         from event {seq}, move {dir}/HEAD and {dir}/index away"
    )]
    Lost {
        /// Where it ends.
        seq: u64,
        /// Where it was.
        known: u64,
        /// The data directory.
        dir: PathBuf,
    },
    /// There is neither a journal nor an anchor, but something else that only a log leaves.
    #[error(
        "there is no log in {dir}, but there was one: {left}; restore it into an empty data directory, from a backup or \
         from NATS (regatta log restore), or, to begin an empty log, move {dir} away"
    )]
    Gone {
        /// What is left of it.
        left: String,
        /// The data directory.
        dir: PathBuf,
    },
    /// There is an anchor but no journal.
    #[error(
        "the log is missing but was at {seq}: restore {dir}/journal from backup, or, to begin a new log, move \
         {dir}/HEAD away"
    )]
    Missing {
        /// Where it was.
        seq: u64,
        /// The data directory.
        dir: PathBuf,
    },
    /// The anchor is no anchor of this journal.
    #[error(
        "the log's HEAD cannot be trusted: {reason}; run `regatta log verify`: when HEAD is all it finds damaged, move HEAD \
         away, and the next start writes it anew"
    )]
    Anchor {
        /// What is wrong.
        reason: String,
    },
    /// What says where the log begins cannot be read.
    #[error("the log's FIRST cannot be trusted: {reason}; restore that file from backup")]
    Beginning {
        /// What is wrong.
        reason: String,
    },
    /// Bytes on disk are not what was written.
    #[error("the log is corrupt at {place}: {reason}; nothing was cut off; restore that file from backup")]
    Corrupt {
        /// Segment and offset.
        place: String,
        /// What is wrong.
        reason: String,
    },
    /// A newer version wrote here.
    #[error("the log cannot be read by this version, at {place}: {reason}; nothing was changed")]
    Newer {
        /// Segment and offset.
        place: String,
        /// What is newer.
        reason: String,
    },
    /// An option is out of bounds.
    #[error("option is out of bounds: {0}")]
    OutOfBounds(String),
    /// There is no room for what an open log needs.
    #[error("the disk is full: {0}")]
    Full(String),
    /// The disk failed.
    #[error("failed to {what}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
}
