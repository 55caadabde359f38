//! What stands between the files of a data directory and a log at work: where writing goes on, and an index that knows
//! everything up to there.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use std::{fs, io};

use super::index::{self, Catalog, Committed, IndexError};
use super::install;
use super::journal::reader::{Reader, Segment};
use super::journal::record::{Names, Record};
use super::journal::recover::{Recovered, Tip};
use super::journal::segment::Form;
use super::journal::writer::new_header;
use super::journal::{Disk, DiskFile, GENESIS, beginning, disk, segment};
use super::{Appended, OpenError, Options, ReadError};
use crate::{Seq, Stream};

/// What is in a data directory only after a log was begun there.
const LEFT_BY_A_LOG: [(&str, &str); 4] = [
    (beginning::NAME, "its file"),
    (install::NAME, "the installation's name"),
    ("blobs", "the folder of patches and prompts"),
    ("snapshots", "the folder of views"),
];
/// Events told to the catalog at once.
const REPLAY_EVENTS: usize = 1_024;

/// Makes the first segment and the anchor that says there is a log.
pub(super) fn begin(options: &Options) -> io::Result<Recovered> {
    let header = new_header(&*options.clock, 1, 1, GENESIS);
    let disk = &*options.disk;
    if let Some(parent) = options.dir.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        disk.sync_folder(parent)?;
    }
    // Before the anchor, which says that there is a journal.
    disk.sync_folder(&options.dir)?;
    segment::create(disk, &options.dir, &header)?;
    Ok(Recovered {
        segments: vec![Arc::new(Segment::new(header))],
        tip: Tip::at_the_beginning_of(header),
        anchored: false,
        clean: false,
        beginning: beginning::Beginning::whole(),
    })
}

/// Refuses to begin a log where there was one. Nobody may take a lost journal for one that never was: sandboxes at work
/// would have no right to exist.
pub(super) fn check_new(dir: &Path, deadline: Duration) -> Result<(), OpenError> {
    let known = match index::cursor(dir, deadline) {
        Err(error @ (IndexError::InUse | IndexError::Full)) => return Err(index::unopened(dir, error)),
        // One that cannot be read knows nothing.
        known => known.unwrap_or(0),
    };
    let left = match LEFT_BY_A_LOG.into_iter().find(|(name, _)| has_something(&dir.join(name))) {
        _ if known > 0 => format!("its index knows events up to {known}"),
        Some((name, what)) => format!("{what} `{name}` is there"),
        None => return Ok(()),
    };
    Err(OpenError::Gone { left, dir: dir.to_owned() })
}

/// Whether there is such a file, or such a folder that is not empty.
fn has_something(path: &Path) -> bool {
    fs::read_dir(path).map_or_else(|_| path.is_file(), |mut entries| entries.next().is_some())
}

/// Cuts what stands behind the end, so that no old byte can ever be taken for a block, and makes durable what was
/// found: it is about to be read by others. After a stop that was not clean the last block is written once more, because
/// a sync of it may have failed: the system then shows bytes as they should be on disk, takes them for written, and a
/// sync alone would not write them.
pub(super) fn continue_at(disk: &dyn Disk, dir: &Path, recovered: &Recovered) -> io::Result<Arc<dyn DiskFile>> {
    let Recovered { tip, anchored, clean, .. } = recovered;
    let name = segment::file_name(tip.segment.first_seq, Form::Written);
    if let Some((fault, bytes)) = &tip.unfinished {
        tracing::warn!(segment = name, at = tip.end, bytes, %fault, "cut an unfinished write off the end of the log");
    }
    let file = disk.open_to_write(&segment::path(dir, tip.segment.first_seq, Form::Written))?;
    file.set_size(tip.end)?;
    if !clean {
        let mut block = vec![0; usize::try_from(tip.end - tip.last).map_err(io::Error::other)?];
        disk::read_full(&*file, &mut block, tip.last)?;
        file.write(&block, tip.last)?;
        disk.sync_folder(&dir.join(segment::FOLDER))?;
    }
    disk::sync_all(&*file)?;
    if !anchored {
        if tip.seq > 0 {
            tracing::warn!(seq = tip.seq, "the log had no HEAD; it is anchored anew");
        }
        tip.anchor().write(disk, dir)?;
    }
    Ok(file)
}

/// Tells the catalog how far each stream was in what was removed.
pub(super) fn carry(catalog: &Catalog, beginning: beginning::Beginning) -> Result<(), OpenError> {
    let named = |carried: beginning::Carried| {
        let stream = Stream::try_from(carried.stream.as_str()).map_err(|error| error.to_string())?;
        Ok(Committed { stream, stream_seq: carried.stream_seq, seq: carried.seq, answer: None })
    };
    let events: Result<Vec<_>, String> = beginning.carried.into_iter().map(named).collect();
    let events = events.map_err(|reason| OpenError::Beginning { reason })?;
    if !events.is_empty() {
        catalog.add(&events, beginning.first - 1);
    }
    Ok(())
}

/// Tells the catalog about the events from `from` on.
pub(super) fn replay(reader: &Reader, catalog: &Catalog, from: u64) -> Result<(), OpenError> {
    let mut names = Names::default();
    let mut events = Vec::with_capacity(REPLAY_EVENTS);
    let head = reader.head().0;
    let replayed = reader.scan_all(from.max(reader.first().0), &mut |seq, record| {
        events.push(committed(&mut names, seq, record)?);
        if events.len() == REPLAY_EVENTS || seq == head {
            catalog.add(&events, seq);
            events.clear();
        }
        Ok(std::ops::ControlFlow::Continue(()))
    });
    replayed.map_err(|error| match error {
        ReadError::Corrupt { place, reason } => OpenError::Corrupt { place, reason },
        removed @ ReadError::Removed { .. } => {
            OpenError::Io { what: "read the journal", source: io::Error::other(removed) }
        }
        ReadError::Io(source) => OpenError::Io { what: "read the journal", source: io::Error::other(source) },
    })
}

fn committed(names: &mut Names, seq: u64, record: &Record<'_>) -> Result<Committed, String> {
    Ok(Committed {
        stream: names.stream(record.stream)?,
        stream_seq: record.stream_seq,
        seq,
        answer: record.dedup.map(|key| (Arc::from(key), first_answer(seq, record))),
    })
}

/// What was answered to the append that began with this event.
pub(super) fn first_answer(seq: u64, record: &Record<'_>) -> Appended {
    let more = u64::from(record.more);
    let stream_seq = record.stream_seq.saturating_add(more);
    Appended { first: Seq(seq), last: Seq(seq.saturating_add(more)), stream_seq, duplicate: false }
}
