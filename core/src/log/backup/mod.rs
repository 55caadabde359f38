//! Backups: a copy of a data directory that is a data directory itself, made while a server writes, and the way back.
//! A copy goes on where one stopped, and brings only what is new. Reads the log as any reader does; never appends.
//!
//! What is copied: the journal's files (sealed ones never change; of the one being written, what is whole), the blobs,
//! the archives of what was cleaned, the install's name, and a `HEAD` of the copy's own. A backup keeps what the log has
//! removed since, so a folder that is backed up to again and again is the log's archive; the data directory remembers it
//! by a receipt. Not the index, which is rebuilt, nor sandboxes, mirrors and configuration. Blobs come after the journal:
//! a blob is kept before the event that names it. Wherever a backup stops, what it held before can be restored; a first
//! one held nothing before, and is marked until it is whole. What is damaged is left out, and what follows it in the log
//! is kept apart ([`later`]).

mod beside;
mod bring;
mod copy;
mod history;
mod later;
mod older;
mod place;
mod receipts;

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use super::journal::anchor::{self, Anchor};
use super::journal::beginning;
use super::journal::recover::{Recovered, Tip, recover};
use super::journal::{Disk, RealDisk, disk, segment};
use super::lock::{self, Lock};
use super::restoring::{self, Source};
use super::verify::{Damage, verify_on};
use super::{OpenError, ReadError, install, witness};
use crate::{Clock as _, Seq, SystemClock};
use beside::{blobs, cleaned};
use bring::Bring;
use copy::{Brought, Look, copy, is_beginning, remove_if_there};
pub use later::LATER;
pub use place::is_inside;
pub use receipts::{Receipt, holds, receipts};
pub(crate) use receipts::{holding, named};

pub use super::restoring::is_restoring;

/// Folder of the blobs in a data directory.
const BLOBS: &str = "blobs";
/// File of the configuration in a data directory, which may wait there for its log.
const CONFIGURATION: &str = "regatta.toml";
/// Times the journal is looked at anew because a file was sealed while it was being copied.
const LOOKS_MAX: u32 = 10;

/// What was copied.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Copied {
    /// Files that were brought over.
    pub files: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// Files that were there already.
    pub kept: u64,
    /// Files that are damaged where they come from; they were left out.
    pub damaged: Vec<Damage>,
    /// Events, from the first to the last, that are in no file of the copy that is whole. What follows them is kept apart
    /// until they can be brought, and is not restored.
    pub missing: Option<(Seq, Seq)>,
    /// The first event of the copy: not 1 when the log was pruned and no earlier backup is in that folder.
    pub first: Seq,
    /// The last event of the copy, before those that are missing.
    pub head: Seq,
    /// Hash of the block that ends with it, lower-case hex.
    pub hash: String,
}

/// Why there is no copy, or only a part of one. Trying again goes on with it.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The log that is copied, or the place it is copied to, cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// What is there is something else.
    #[error("{0}")]
    Other(String),
    /// The disk failed.
    #[error("failed to {what} {path}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// With which file.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// What is to be copied is not what was written. Nothing good was replaced by it.
    #[error("{place} is damaged: {reason}")]
    Damaged {
        /// The file, and where in it when that is known.
        place: String,
        /// What is wrong.
        reason: String,
    },
    /// The log could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The copy is not what was read.
    #[error("the copy of {0} is not what was read: the disk it is on, or the way to it, changes bytes")]
    Unfaithful(PathBuf),
}

/// Copies what is new in a data directory to a backup of it, made when there is none. A server may be at work. Every copy
/// that is there is read, and replaced when it is damaged. What is to be copied and is damaged is left out, and said.
///
/// # Errors
/// When there is no log, the place is something else or holds another history, or a disk fails. What the backup held
/// before can be restored then.
pub fn backup(dir: &Path, to: &Path) -> Result<Copied, BackupError> {
    backup_on(&RealDisk, dir, to, Look::Whole)
}

/// As [`backup`], but copies that are there are known by their length, beginning and end: for a backup that is made
/// again and again by itself. Whoever relies on a copy reads it, as [`holds`] does.
///
/// # Errors
/// As [`backup`].
pub fn archive(dir: &Path, to: &Path) -> Result<Copied, BackupError> {
    backup_on(&RealDisk, dir, to, Look::Ends)
}

/// As [`backup`], writing through a disk whose files are the machine's.
///
/// # Errors
/// As [`backup`].
pub fn backup_through(disk: &dyn Disk, dir: &Path, to: &Path) -> Result<Copied, BackupError> {
    backup_on(disk, dir, to, Look::Whole)
}

fn backup_on(disk: &dyn Disk, dir: &Path, to: &Path, look: Look) -> Result<Copied, BackupError> {
    place::check(dir, to)?;
    if !place::holds_log(dir) {
        return Err(OpenError::Absent { dir: dir.to_owned() }.into());
    }
    make_folder(to)?;
    let _lock = Lock::take(to)?;
    restoring::check(dir, None)?;
    begin(disk, to)?;
    let bring = Bring { disk, from: dir, to, look, passes_over_damage: true };
    let mut copied = Copied::default();
    let mut looks = 1;
    let found = loop {
        let found = recovered(dir)?;
        history::check_continues(dir, to, &found)?;
        copied.damaged.clear();
        // Before the log, which is known by it.
        name(&bring, &mut copied)?;
        match bring.journal(&found, &mut copied) {
            // A segment that was sealed meanwhile has another name now.
            Err(BackupError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound && looks < LOOKS_MAX => {
                looks += 1;
            }
            done => {
                done?;
                break found;
            }
        }
    };
    // Short of the log's end when something is missing.
    let tip = if copied.missing.is_some() { recovered(to)?.tip } else { found.tip };
    write_anchor(disk, to, &tip.anchor())?;
    // What is cleaned or returned meanwhile is in one of the two at any moment: in an archive before a blob goes, and a
    // blob again before its archive does.
    cleaned(&bring, &mut copied)?;
    blobs(&bring, &mut copied)?;
    cleaned(&bring, &mut copied)?;
    copied.end(&tip);
    let held = segment::list(disk, to).map_err(failed("list the copied segments in", to))?;
    copied.first = Seq(held.iter().map(|named| named.first).min().unwrap_or(1));
    // Last of all: what is new is safe whatever became of what is old, but nothing is removed for a backup that is not whole.
    older::check(to, found.beginning.first, look)?;
    if copied.missing.is_none() {
        remember(dir, to, &copied)?;
    }
    restoring::end(disk, to).map_err(failed("end the first backup in", to))?;
    Ok(copied)
}

/// Marks a place without a log, so that nobody takes a part of one for all of it.
fn begin(disk: &dyn Disk, to: &Path) -> Result<(), BackupError> {
    match restoring::read(to).map_err(failed("look for an unfinished restore in", to))? {
        None if place::holds_log(to) => Ok(()),
        None | Some(Source::Log) => {
            remove_if_there(disk, &to.join(disk::unfinished(restoring::NAME)))?;
            restoring::begin(disk, to, &Source::Log).map_err(failed("begin the backup in", to))
        }
        Some(Source::Backup(_) | Source::Nats | Source::Export) => {
            Err(BackupError::Other(format!("{} is a data directory that is being restored", to.display())))
        }
    }
}

fn remember(dir: &Path, to: &Path, copied: &Copied) -> Result<(), BackupError> {
    let first = beginning::read(&RealDisk, to).map_err(failed("read FIRST of", to))?;
    let first = first
        .map_err(|reason| OpenError::Corrupt { place: format!("{}/{}", to.display(), beginning::NAME), reason })?;
    let folder = std::path::absolute(to).unwrap_or_else(|_| to.to_owned());
    let Copied { head, hash, .. } = copied;
    let receipt =
        Receipt { folder, first: Seq(first.first), head: *head, hash: hash.clone(), at_us: SystemClock.now_us() };
    if let Err(error) = receipts::keep(dir, receipt) {
        tracing::warn!(%error, "the backup is made, but the data directory cannot remember it: nothing is removed for it");
    }
    Ok(())
}

/// Brings a backup into an empty data directory, or goes on with a restore that stopped. Until it is done, and what was
/// brought is verified, a server refuses to start there.
///
/// # Errors
/// When there is no backup, the data directory is not empty, a file of the backup is damaged, or a disk fails. It can be
/// run again then.
pub fn restore(from: &Path, dir: &Path) -> Result<Copied, BackupError> {
    make_folder(dir)?;
    let begun = restoring::read(dir).map_err(failed("look for an unfinished restore in", dir))?;
    if begun.is_none() {
        check_empty(dir)?;
    }
    let _lock = Lock::take(dir)?;
    restoring::check(from, None)?;
    let found = recovered(from)?;
    let mut copied = Copied::default();
    copied.end(&found.tip);
    let ours = Source::Backup(copied.hash.clone());
    if let Some(begun) = begun.filter(|begun| *begun != ours) {
        let what = if matches!(begun, Source::Backup(_)) { "a restore from another backup" } else { begun.told() };
        return Err(BackupError::Other(format!(
            "{what} was begun in {}: empty it, or go on with that one",
            dir.display()
        )));
    }
    restoring::begin(&RealDisk, dir, &ours).map_err(failed("begin the restore in", dir))?;
    // First of all: with it, and without all of the journal, no server starts.
    write_anchor(&RealDisk, dir, &found.tip.anchor())?;
    let bring = Bring { disk: &RealDisk, from, to: dir, look: Look::Whole, passes_over_damage: false };
    bring.journal(&found, &mut copied)?;
    blobs(&bring, &mut copied)?;
    cleaned(&bring, &mut copied)?;
    name(&bring, &mut copied)?;
    check_whole(from, dir)?;
    copied.missing = later::first(from)?.map(|next| (copied.head.next(), Seq(next.0 - 1)));
    copied.missing = copied.missing.filter(|(first, last)| first <= last);
    restoring::end(&RealDisk, dir).map_err(failed("end the restore in", dir))?;
    Ok(copied)
}

/// What was brought must be whole, or the file of the backup that is not is named.
fn check_whole(from: &Path, dir: &Path) -> Result<(), BackupError> {
    match verify_on(&RealDisk, dir)?.faults.into_iter().next() {
        None => Ok(()),
        Some(fault) => {
            let place = from.join(fault.place).display().to_string();
            Err(BackupError::Damaged { place, reason: fault.reason })
        }
    }
}

/// Makes a folder with all above it; they are on disk when this returns, one that was there already, too: whoever made it
/// may have been stopped before that.
fn make_folder(path: &Path) -> Result<(), BackupError> {
    let absolute = std::path::absolute(path).map_err(failed("make", path))?;
    let missing = absolute.ancestors().take_while(|folder| !folder.exists()).count();
    DirBuilder::new().recursive(true).mode(0o700).create(&absolute).map_err(failed("make", path))?;
    let above = absolute.ancestors().skip(1).take(missing.max(1));
    above.into_iter().try_for_each(|folder| match RealDisk.sync_folder(folder) {
        // Where we may not look it is left to the disk.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        synced => synced.map_err(failed("sync", folder)),
    })
}

fn check_empty(dir: &Path) -> Result<(), BackupError> {
    for entry in fs::read_dir(dir).map_err(failed("look into", dir))? {
        let name = entry.map_err(failed("look into", dir))?.file_name();
        // A lock is left by an attempt that was refused.
        if name != CONFIGURATION && name != lock::NAME && name != *disk::unfinished(restoring::NAME) {
            return Err(BackupError::Other(format!(
                "{} is not empty: it holds {}; a backup is restored into an empty data directory",
                dir.display(),
                name.display()
            )));
        }
    }
    Ok(())
}

fn recovered(dir: &Path) -> Result<Recovered, BackupError> {
    Ok(recover(&RealDisk, dir)?.ok_or_else(|| OpenError::Absent { dir: dir.to_owned() })?)
}

fn write_anchor(disk: &dyn Disk, dir: &Path, anchor: &Anchor) -> Result<(), BackupError> {
    remove_if_there(disk, &dir.join(disk::unfinished(anchor::NAME)))?;
    anchor.write(disk, dir).map_err(failed("write HEAD of", dir))
}

/// Copies the install's name, which a backup of a restore has too, and what is noted of such a restore.
fn name(bring: &Bring<'_>, copied: &mut Copied) -> Result<(), BackupError> {
    for name in [install::NAME, witness::RECHAINED] {
        let (source, target) = (bring.from.join(name), bring.to.join(name));
        let Ok(found) = fs::metadata(&source) else { continue };
        if is_beginning(&source, found.len(), &target)? {
            copied.count(Brought::Kept);
        } else {
            copied.count(copy(bring.disk, &source, u64::MAX, &target, None)?);
        }
    }
    Ok(())
}

fn failed(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> BackupError {
    let path = path.to_owned();
    move |source| BackupError::Io { what, path, source }
}

impl Copied {
    fn count(&mut self, brought: Brought) {
        match brought {
            Brought::Kept => self.kept += 1,
            Brought::Copied { bytes } => {
                self.files += 1;
                self.bytes += bytes;
            }
        }
    }

    fn end(&mut self, tip: &Tip) {
        (self.head, self.hash) = (Seq(tip.seq), blake3::Hash::from_bytes(tip.hash).to_string());
    }
}
