//! Retention as the configuration wants it: archive, judge, record, remove. Used by the server on a schedule and by
//! `regatta log prune`.

use std::path::{Path, PathBuf};

use regatta_core::event::ConfigEvent;
use regatta_core::event::config::LogPruned;
use regatta_core::log::backup::backup;
use regatta_core::log::retention::{Judged, Need, Policy, Stays, begins_at, is_archived, judge, needs_of};
use regatta_core::log::{Reader, SegmentFile};
use regatta_core::{Actor, Append, Clock as _, Draft, DurableLog, Event, Expect, Log as _, Seq, Stream, SystemClock};
use regatta_projections::{Projection as _, Views};

use crate::config::Config;
use crate::failure::{Exit, Failure};

/// Who builds something from the log that cannot be built without all of it.
pub(crate) const CONSUMERS: &[&str] = &[Views::NAME];

/// How much of the log is wanted, and where the rest is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Retention {
    pub(crate) policy: Policy,
    pub(crate) archive: PathBuf,
}

/// What was removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pruned {
    pub(crate) segments: u64,
    pub(crate) bytes: u64,
    /// With which event the log begins now.
    pub(crate) first: Seq,
}

impl Retention {
    /// What the configuration wants; nothing when everything is kept.
    pub(crate) fn of(config: &Config, data_dir: &Path) -> Result<Option<Self>, Failure> {
        let (policy, archive) = config.retention();
        if policy == Policy::default() {
            return Ok(None);
        }
        let Some(archive) = archive else {
            return Err(Failure::usage("log.retain_days or log.retain_bytes is set, but log.archive is not")
                .hint("name the folder that keeps what is removed: log.archive = \"/mnt/elsewhere/regatta\""));
        };
        let archive = std::path::absolute(archive)?;
        if archive.starts_with(data_dir) {
            return Err(Failure::usage(format!("log.archive {} is inside the data directory", archive.display()))
                .hint("name a folder elsewhere, best on another disk"));
        }
        Ok(Some(Self { policy, archive }))
    }

    /// What would become of each segment. `done` is up to where every consumer is done with the events.
    pub(crate) fn judge(&self, reader: &Reader, done: Seq) -> Result<Vec<Judged>, Failure> {
        let unreadable = |error| Failure::caused("the log cannot be read", &error);
        let mut needs = needs_of(reader).map_err(unreadable)?;
        needs.push(Need { who: "a view or the relay, which is not past it".to_owned(), from: done.next() });
        let files = reader.segment_files().map_err(unreadable)?;
        let mut archived = |segment: &SegmentFile| is_archived(&self.archive, segment);
        judge(files, self.policy, &needs, SystemClock.now_us(), &mut archived)
            .map_err(|error| Failure::caused(format!("{} cannot be read", self.archive.display()), &error))
    }

    /// Archives the log, and removes what may go. Blocks.
    pub(crate) fn prune(&self, log: &DurableLog) -> Result<Option<Pruned>, Failure> {
        backup(log.dir(), &self.archive).map_err(|error| Failure::caused("the log was not archived", &error))?;
        let done = log.lowest_checkpoint(CONSUMERS).map_err(|error| Failure::caused("the index cannot be read", &error))?;
        let judged = self.judge(log.reader(), done)?;
        let Some(first) = begins_at(&judged) else { return Ok(None) };
        let going: Vec<&Judged> = judged.iter().take_while(|judged| judged.stays.is_none()).collect();
        let pruned = Pruned {
            segments: going.len() as u64,
            bytes: going.iter().map(|judged| judged.segment.bytes).sum(),
            first,
        };
        self.record(log, going.first().map_or(Seq(1), |judged| judged.segment.first), pruned)?;
        let begins = log.remove_below(first).map_err(|error| Failure::caused("old segments cannot be removed", &error))?;
        tracing::info!(segments = pruned.segments, bytes = pruned.bytes, first = %begins, "old events were archived and removed");
        Ok(Some(Pruned { first: begins, ..pruned }))
    }

    /// On disk before anything goes.
    fn record(&self, log: &DurableLog, from: Seq, pruned: Pruned) -> Result<(), Failure> {
        let fact = LogPruned {
            from,
            first: pruned.first,
            segments: pruned.segments,
            bytes: pruned.bytes,
            archive: self.archive.display().to_string(),
        };
        let event = Event::from(ConfigEvent::LogPruned(fact));
        let draft = Draft::new(&event, &SystemClock, Actor::regatta(), uuid::Uuid::nil());
        let draft = Draft { correlation: draft.id.0, ..draft };
        let append = Append { stream: Stream::config(), expect: Expect::Any, events: vec![draft] };
        let answered = log.submit(append).blocking_recv();
        let answered = answered.map_err(|error| Failure::caused("failed to record what is removed", &error))?;
        answered.map(drop).map_err(|error| Failure::caused("failed to record what is removed", &error))
    }
}

/// Why a segment stays, for people.
pub(crate) fn why(stays: &Stays, archive: &Path) -> String {
    match stays {
        Stays::NotSealed => "it is not sealed yet".to_owned(),
        Stays::Wanted => "it is neither old enough nor is the log too large".to_owned(),
        Stays::Needed(need) => format!("needed from event {} on by {}", need.from, need.who),
        Stays::NotArchived => format!("no whole copy of it in {}", archive.display()),
        Stays::Behind => "one before it stays".to_owned(),
    }
}

/// A server that does it by itself must not be raced with.
pub(crate) fn busy() -> Failure {
    Failure::new(Exit::Refused, "a server runs here, and removes what may go every hour by itself")
        .hint("look with --dry-run, or stop it first: regatta down")
}
