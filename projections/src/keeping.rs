//! Views over a restart: snapshots are written while the views go on, and taken up again at a start or for a look back.
//! A snapshot is a shortcut and never the truth: without a usable one the log is folded from its beginning.

use std::time::Duration;

use regatta_core::log::Snapshots;
use regatta_core::log::snapshots::{Kind, Place};
use regatta_core::{Log, ReadError, ReadMax, Seq};
use tokio::task::JoinHandle;

use crate::{Projection as _, Views, snapshot};

/// Events after which a snapshot is written: folding as many at a start takes a fraction of a second.
pub const SNAPSHOT_EVENTS: u64 = 100_000;
/// Time after which a snapshot is written when anything happened.
pub const SNAPSHOT_EVERY: Duration = Duration::from_secs(300);

/// What snapshots of views are called, and the version that is written now.
pub const KIND: Kind = Kind { name: Views::NAME, version: Views::VERSION };

/// Where snapshots of views are kept, and how often they are written.
#[derive(Debug, Clone)]
pub struct Keeping {
    /// Where.
    pub snapshots: Snapshots,
    /// After how many events.
    pub events: u64,
    /// After how much time, when anything happened.
    pub every: Duration,
}

impl Keeping {
    /// As often as is good for a server.
    #[must_use]
    pub fn new(snapshots: Snapshots) -> Self {
        Self { snapshots, events: SNAPSHOT_EVENTS, every: SNAPSHOT_EVERY }
    }
}

/// The newest views kept up to and including `until`; empty ones when there are none that can be used.
pub(crate) fn newest(log: &dyn Log, snapshots: &Snapshots, until: Seq) -> Views {
    let restored = |bytes: &[u8]| snapshot::restore::<Views>(bytes).map_err(|error| error.to_string());
    snapshots.newest(log, KIND, until, restored).map(|(_, views)| views).unwrap_or_default()
}

impl Views {
    /// Everything up to and including `until`, from the nearest snapshot before it, or from the log's beginning.
    ///
    /// # Errors
    /// When the log cannot be read, or what stands there was removed.
    pub fn as_of(log: &dyn Log, snapshots: Option<&Snapshots>, until: Seq) -> Result<Self, ReadError> {
        if until > Seq(0) && until < log.first() {
            log.read(until, ReadMax { events: 1, bytes: 0 })?;
        }
        let mut views = snapshots.map(|snapshots| newest(log, snapshots, until)).unwrap_or_default();
        views.catch_up(log, Some(until))?;
        Ok(views)
    }
}

/// Writes snapshots of views that go on, one at a time.
pub(crate) struct Keeper {
    keeping: Keeping,
    /// The last event of the newest snapshot.
    kept: Seq,
    writing: Option<JoinHandle<()>>,
}

impl Keeper {
    pub(crate) fn new(keeping: Keeping, kept: Seq) -> Self {
        Self { keeping, kept, writing: None }
    }

    pub(crate) fn every(&self) -> Duration {
        self.keeping.every
    }

    /// Whether enough happened since the newest snapshot, and none is being written.
    pub(crate) fn is_due(&self, seq: Seq) -> bool {
        seq.0 >= self.kept.0.saturating_add(self.keeping.events) && self.is_idle()
    }

    /// Whether anything happened since the newest snapshot, and none is being written.
    pub(crate) fn is_behind(&self, seq: Seq) -> bool {
        seq > self.kept && self.is_idle()
    }

    fn is_idle(&self) -> bool {
        self.writing.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Begins to write a snapshot; the views it is of share what they hold with those that go on.
    pub(crate) fn begin(&mut self, views: Views, place: Place) {
        self.kept = place.seq;
        let snapshots = self.keeping.snapshots.clone();
        self.writing = Some(tokio::task::spawn_blocking(move || {
            if let Err(error) = snapshots.keep(KIND, place, &snapshot::save(&views)) {
                tracing::warn!(seq = %place.seq, %error, "snapshot of the views was not kept; the next start takes longer");
            }
        }));
    }

    /// Waits until what is being written is on disk.
    pub(crate) async fn written(&mut self) {
        if let Some(writing) = self.writing.take()
            && let Err(error) = writing.await
        {
            tracing::warn!(%error, "snapshot of the views was not kept; the next start takes longer");
        }
    }
}
