//! Opening a store: which folder is the one, under a watchdog, and out of the way with what does not fit. Knows nothing of
//! what is in a store.
//!
//! Whatever fails while the disk is full says nothing about the store, and no other one could be begun in its place; so
//! nothing is set aside then.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use super::store::Store;
use super::{IndexError, Known, has_room};
use crate::log::journal::regular;

/// Folder of the store in the data directory.
const NAME: &str = "index";
/// Folder of the store that was begun while another one hung.
const NAME_AFTER_A_HANG: &str = "index.new";
/// Indexes set aside that are kept for looking at; older ones are removed.
const SET_ASIDE_MAX: usize = 2;
/// When somebody who waits for the index to open is first told so, and how often then.
const SAY_AFTER: Duration = Duration::from_secs(3);
const SAY_EVERY: Duration = Duration::from_secs(10);
/// How often a store that somebody has open is looked at again, and the pause between.
const LOCKED_TRIES: u32 = 2_500;
const LOCKED_PAUSE: Duration = Duration::from_millis(2);

/// Opens the store of a data directory, and says up to where it knows the events, which may be further than `head`. One
/// that does not fit, or does not open in time, is set aside; one that somebody else has open is left alone.
pub(super) fn open(dir: &Path, journal: u64, head: u64, deadline: Duration) -> Result<(Store, u64), IndexError> {
    let path = dir.join(NAME);
    let begun = dir.join(NAME_AFTER_A_HANG);
    let failed = |error: io::Error| IndexError::Failed(error.to_string());
    [&path, &begun].into_iter().try_for_each(|path| wait_until_free(path))?;
    if begun.exists() {
        if path.exists() {
            let kept = set_aside(dir, &path).map_err(failed)?;
            tracing::info!(kept = %kept.display(), "index that hung set aside for good; the one begun then is used");
        }
        fs::rename(&begun, &path).map_err(failed)?;
    }
    let suspect = suspect_path(dir);
    let excused = |error| excused(dir, error);
    // A link to nothing is in the way, too.
    if fs::symlink_metadata(&path).is_ok() {
        let opened = if suspect.exists() {
            Err(IndexError::Failed("it failed when it was last used".to_owned()))
        } else {
            within(deadline, {
                let path = path.clone();
                move || Store::open_at(&path, journal, head)
            })
        };
        match opened.map_err(excused) {
            Ok(opened) => return Ok(opened),
            Err(error @ (IndexError::InUse | IndexError::Full)) => return Err(error),
            Err(error) if error == hung(deadline) => {
                // What hangs may wake up and write under the old name, so that is left to it until the next start.
                tracing::warn!(%error, "index left behind; it is rebuilt, consumers begin from 0");
                return within(deadline, move || Ok((Store::open(&begun, journal)?, 0))).map_err(excused);
            }
            Err(reason) => {
                let kept = set_aside(dir, &path).map_err(failed)?;
                tracing::warn!(%reason, kept = %kept.display(), "index set aside; it is rebuilt, consumers begin from 0");
            }
        }
    }
    fs::remove_file(suspect).ok();
    within(deadline, move || Ok((Store::open(&path, journal)?, 0))).map_err(excused)
}

/// What a failure is when the disk is full.
fn excused(dir: &Path, error: IndexError) -> IndexError {
    let IndexError::Failed(reason) = &error else { return error };
    if has_room(dir) {
        return error;
    }
    tracing::warn!(reason, "the index cannot be opened on a full disk");
    IndexError::Full
}

fn hung(deadline: Duration) -> IndexError {
    IndexError::Failed(format!("it did not open within {} ms", deadline.as_millis()))
}

/// Does something that may never end, on a thread that is then left behind.
fn within<T: Send + 'static>(
    deadline: Duration,
    action: impl FnOnce() -> Result<T, IndexError> + Send + 'static,
) -> Result<T, IndexError> {
    let (answer, answered) = channel();
    let opening = thread::Builder::new().name("index-open".to_owned()).spawn(move || answer.send(action()).is_ok());
    let opening = opening.map_err(|error| IndexError::Failed(error.to_string()))?;
    let mut waited = Duration::ZERO;
    loop {
        let next = if waited.is_zero() { SAY_AFTER } else { SAY_EVERY }.min(deadline - waited);
        match answered.recv_timeout(next) {
            Ok(result) => {
                opening.join().ok();
                return result;
            }
            Err(RecvTimeoutError::Disconnected) => return Err(IndexError::Failed("sled panicked".to_owned())),
            Err(RecvTimeoutError::Timeout) => waited += next,
        }
        if waited >= deadline {
            return Err(hung(deadline));
        }
        let (seconds, at_most) = (waited.as_secs(), deadline.as_secs());
        tracing::warn!(seconds, at_most, "waiting for the index to open; after that it is rebuilt from the journal");
    }
}

/// What the store of a data directory knows of the events from `first` on, to be compared with a journal; nothing when
/// there is none.
pub(super) fn known(dir: &Path, first: u64, deadline: Duration) -> Result<Option<Known>, IndexError> {
    let begun = dir.join(NAME_AFTER_A_HANG);
    let path = if begun.exists() { begun } else { dir.join(NAME) };
    if !path.exists() {
        return Ok(None);
    }
    if suspect_path(dir).exists() {
        return Err(IndexError::Failed("it failed when it was last used".to_owned()));
    }
    wait_until_free(&path)?;
    within(deadline, move || Store::open(&path, 0)?.known(first)).map(Some).map_err(|error| excused(dir, error))
}

/// Up to where the store of a data directory knows the events of any journal; 0 when there is none.
pub(super) fn cursor(dir: &Path, deadline: Duration) -> Result<u64, IndexError> {
    let begun = dir.join(NAME_AFTER_A_HANG);
    let path = if begun.exists() { begun } else { dir.join(NAME) };
    if !path.exists() {
        return Ok(0);
    }
    wait_until_free(&path)?;
    within(deadline, move || Store::open(&path, 0)?.reach()).map_err(|error| excused(dir, error))
}

/// Waits a little while somebody has a store open: what sled left running of one that was just dropped in this process.
/// Whoever has it longer is another process. Not under the deadline: a store in use is no store that hangs.
fn wait_until_free(path: &Path) -> Result<(), IndexError> {
    // One that cannot be opened is said when the store is.
    let Ok(file) = regular::open(&path.join("db")) else { return Ok(()) };
    for _ in 0..LOCKED_TRIES {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => thread::sleep(LOCKED_PAUSE),
            _ => return Ok(()),
        }
    }
    Err(IndexError::InUse)
}

fn suspect_path(dir: &Path) -> PathBuf {
    dir.join("index.suspect")
}

/// Marks the store as failed, so that the next start does not trust it.
pub(super) fn suspect(dir: &Path) {
    if let Err(error) = File::create(suspect_path(dir)) {
        tracing::warn!(%error, "the index could not be marked as failed; remove its folder before the next start");
    }
}

/// Moves a store out of the way, removes older ones that were, and says where it is now.
fn set_aside(dir: &Path, path: &Path) -> io::Result<PathBuf> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(dir)? {
        let name = entry?.file_name();
        numbers.extend(name.to_str().and_then(|name| name.strip_prefix("index.bad-")?.parse::<u32>().ok()));
    }
    numbers.sort_unstable();
    let number = numbers.last().map_or(1, |last| last.saturating_add(1));
    let target = dir.join(format!("index.bad-{number}"));
    fs::rename(path, &target)?;
    for old in numbers.iter().rev().skip(SET_ASIDE_MAX - 1) {
        fs::remove_dir_all(dir.join(format!("index.bad-{old}")))?;
    }
    Ok(target)
}
