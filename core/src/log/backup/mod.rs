//! Backups: a copy of a data directory that is a data directory itself, made while a server writes, and the way back.
//! A copy goes on where one stopped, and brings only what is new. Reads the log as any reader does; never appends.
//!
//! What is copied: the journal's files (sealed ones never change; of the one being written, what is whole), the blobs,
//! the archives of what was cleaned, the install's name, and a `HEAD` of the copy's own. A backup keeps what the log has
//! removed since, so a folder that is backed up to again and again is the log's archive; the data directory remembers
//! it by a receipt. Not the index, which is rebuilt, nor sandboxes, mirrors and
//! configuration. Blobs come after the journal: a blob is kept before the event that names it.

mod beside;
mod copy;
mod receipts;

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File};
use std::io::{self, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use super::journal::anchor::{self, Anchor};
use super::journal::beginning::{self, Beginning};
use super::journal::recover::{Tip, recover};
use super::journal::sealed::Sealed;
use super::journal::{Disk as _, RealDisk, segment};
use super::lock::Lock;
use super::{OpenError, install};
use crate::{Clock as _, Seq, SystemClock};
use beside::{blobs, cleaned};
use copy::{Brought, copy, copy_part, same};
pub use receipts::{Receipt, holds, receipts};
pub(crate) use receipts::{holding, named};

/// A restore is under way while this file is there.
const RESTORING: &str = "restoring";
/// Names a file of the journal may end with, the one that replaces the others first.
const ENDINGS: [&str; 2] = [".sealed", ".seg"];
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
    /// Blobs whose content is not what they are named by; they were left out.
    pub damaged: Vec<String>,
    /// The last event of the copy.
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
    /// The copy is not what was read.
    #[error("the copy of {0} is not what was read: the disk it is on, or the way to it, changes bytes")]
    Unfaithful(PathBuf),
}

/// Copies what is new in a data directory to a backup of it, made when there is none. A server may be at work.
///
/// # Errors
/// When there is no log, the backup is of another one, or a disk fails.
pub fn backup(dir: &Path, to: &Path) -> Result<Copied, BackupError> {
    make_folder(to)?;
    let _lock = Lock::take(to)?;
    if to.join(RESTORING).exists() {
        return Err(BackupError::Other(format!("{} is a data directory that is being restored", to.display())));
    }
    let mut copied = Copied::default();
    let mut looks = 1;
    let (tip, hash) = loop {
        let tip = tip(dir)?;
        check_continues(dir, to, &tip)?;
        match journal(dir, to, &tip, &mut copied) {
            // A segment that was sealed meanwhile has another name now.
            Err(BackupError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound && looks < LOOKS_MAX => {
                looks += 1;
            }
            done => {
                done?;
                let hash = tip.hash;
                break (tip, hash);
            }
        }
    };
    write_anchor(to, &tip)?;
    // What is cleaned or returned meanwhile is in one of the two at any moment: in an archive before a blob goes, and a
    // blob again before its archive does.
    cleaned(dir, to, &mut copied)?;
    blobs(dir, to, &mut copied)?;
    cleaned(dir, to, &mut copied)?;
    name(dir, to, &mut copied)?;
    (copied.head, copied.hash) = (Seq(tip.seq), blake3::Hash::from_bytes(hash).to_string());
    let (first, head) = (Seq(beginning(to)?.first), copied.head);
    let folder = std::path::absolute(to).unwrap_or_else(|_| to.to_owned());
    let receipt = Receipt { folder, first, head, hash: copied.hash.clone(), at_us: SystemClock.now_us() };
    if let Err(error) = receipts::keep(dir, receipt) {
        tracing::warn!(%error, "the backup is made, but the data directory cannot remember it: nothing is removed for it");
    }
    Ok(copied)
}

/// Brings a backup into an empty data directory, or goes on with a restore that stopped. Until it is done, a server
/// refuses to start there.
///
/// # Errors
/// When there is no backup, the data directory is not empty, or a disk fails.
pub fn restore(from: &Path, dir: &Path) -> Result<Copied, BackupError> {
    make_folder(dir)?;
    let marker = dir.join(RESTORING);
    if !marker.exists() {
        check_empty(dir)?;
    }
    let _lock = Lock::take(dir)?;
    let tip = tip(from)?;
    let said = blake3::Hash::from_bytes(tip.hash).to_string();
    match fs::read_to_string(&marker) {
        Ok(begun) if begun != said => {
            return Err(BackupError::Other(format!(
                "{} was begun to be restored from another backup: empty it, or restore from that one",
                dir.display()
            )));
        }
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => write_whole(&marker, said.as_bytes())?,
        Err(source) => return Err(BackupError::Io { what: "read", path: marker, source }),
    }
    let mut copied = Copied::default();
    // First of all: with it, and without all of the journal, no server starts.
    write_anchor(dir, &tip)?;
    journal(from, dir, &tip, &mut copied)?;
    blobs(from, dir, &mut copied)?;
    cleaned(from, dir, &mut copied)?;
    name(from, dir, &mut copied)?;
    (copied.head, copied.hash) = (Seq(tip.seq), said);
    fs::remove_file(&marker).map_err(|source| BackupError::Io { what: "remove", path: marker, source })?;
    RealDisk.sync_folder(dir).map_err(|source| BackupError::Io { what: "sync", path: dir.to_owned(), source })?;
    Ok(copied)
}

/// Whether a restore into this data directory was begun and did not come to its end.
#[must_use]
pub fn is_restoring(dir: &Path) -> bool {
    dir.join(RESTORING).exists()
}

fn make_folder(path: &Path) -> Result<(), BackupError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|source| BackupError::Io { what: "make", path: path.to_owned(), source })
}

fn check_empty(dir: &Path) -> Result<(), BackupError> {
    let io = |source| BackupError::Io { what: "look into", path: dir.to_owned(), source };
    for entry in fs::read_dir(dir).map_err(io)? {
        let name = entry.map_err(io)?.file_name();
        // A configuration may wait for the log; a lock is left by an attempt that was refused.
        if name != "regatta.toml" && name != "lock" {
            return Err(BackupError::Other(format!(
                "{} is not empty: it holds {}; a backup is restored into an empty data directory",
                dir.display(),
                name.display()
            )));
        }
    }
    Ok(())
}

fn tip(dir: &Path) -> Result<Tip, BackupError> {
    let recovered = recover(&RealDisk, dir)?;
    Ok(recovered.ok_or_else(|| OpenError::Absent { dir: dir.to_owned() })?.tip)
}

/// The backup must be of this log, and not from after it.
fn check_continues(dir: &Path, to: &Path, tip: &Tip) -> Result<(), BackupError> {
    let theirs = anchor::read(&RealDisk, to);
    let theirs = theirs.map_err(|source| BackupError::Io { what: "read HEAD of", path: to.to_owned(), source })?;
    let theirs = theirs.map_err(|reason| OpenError::Anchor { reason })?;
    let Some(theirs) = theirs else { return Ok(()) };
    if theirs.seq > tip.seq {
        return Err(BackupError::Other(format!(
            "the backup in {} ends at {}, but the log at {}: it is of another log, or this one was cut; name another \
             folder",
            to.display(),
            theirs.seq,
            tip.seq
        )));
    }
    let name = |dir: &Path| fs::read_to_string(dir.join(install::NAME)).ok();
    if let (Some(ours), Some(there)) = (name(dir), name(to))
        && ours != there
    {
        return Err(BackupError::Other(format!(
            "the backup in {} is of install {}, but this is {}: name another folder",
            to.display(),
            there.trim_end(),
            ours.trim_end()
        )));
    }
    Ok(())
}

fn beginning(dir: &Path) -> Result<Beginning, BackupError> {
    let io = |source| BackupError::Io { what: "read FIRST of", path: dir.to_owned(), source };
    let found = beginning::read(&RealDisk, dir).map_err(io)?;
    found.map_err(|reason| {
        let place = format!("{}/{}", dir.display(), beginning::NAME);
        OpenError::Corrupt { place, reason }.into()
    })
}

/// Names of the journal's files by their first event, the one that counts as whole first.
fn files(dir: &Path) -> Result<BTreeMap<u64, Vec<String>>, BackupError> {
    let folder = dir.join(segment::FOLDER);
    let names = RealDisk.list(&folder).map_err(|source| BackupError::Io { what: "list", path: folder, source })?;
    let mut found: BTreeMap<u64, Vec<String>> = BTreeMap::new();
    for ending in ENDINGS {
        for name in &names {
            let digits = name.strip_suffix(ending).filter(|digits| digits.len() == 20);
            if let Some(first) = digits.and_then(|digits| digits.parse().ok()) {
                found.entry(first).or_default().push(name.clone());
            }
        }
    }
    Ok(found)
}

/// Copies the journal up to a tip, in the order of the log, so that a copy that stops is a shorter log.
fn journal(from: &Path, to: &Path, tip: &Tip, copied: &mut Copied) -> Result<(), BackupError> {
    let (here, there) = (from.join(segment::FOLDER), to.join(segment::FOLDER));
    make_folder(&there)?;
    segment::remove_unborn(&RealDisk, to).map_err(|source| BackupError::Io {
        what: "clear",
        path: there.clone(),
        source,
    })?;
    let begins = beginning(from)?;
    let there_before = files(to)?;
    if let Some(last) = there_before.keys().next_back().filter(|last| **last < begins.first) {
        check_adjoins(to, *last, &begins)?;
    }
    // A copy that goes further back keeps its own beginning.
    if there_before.is_empty() && begins != Beginning::whole() {
        let written = begins.write(&RealDisk, to);
        written.map_err(|source| BackupError::Io { what: "write FIRST of", path: to.to_owned(), source })?;
    }
    for (first, names) in files(from)?.range(begins.first..=tip.segment.first_seq) {
        let Some(name) = names.first() else { continue };
        let (source, target) = (here.join(name), there.join(name));
        let is_last = *first == tip.segment.first_seq && name.ends_with(".seg");
        let brought = if is_last { copy_part(&source, tip.end, &target)? } else { whole(&source, &target)? };
        copied.count(brought);
        remove_others(&there, *first, name)?;
    }
    Ok(())
}

/// Between what a copy holds and where the log begins now nothing may be missing.
fn check_adjoins(to: &Path, last: u64, begins: &Beginning) -> Result<(), BackupError> {
    let sealed = Sealed::open(&RealDisk, to, last);
    let ends = match &sealed {
        Ok(Ok(sealed)) => Some((sealed.summary.totals.last_seq, sealed.summary.totals.last_hash)),
        Ok(Err(_)) | Err(_) => None,
    };
    if ends == Some((begins.first - 1, begins.prev_hash)) {
        return Ok(());
    }
    Err(BackupError::Other(format!(
        "the log begins with event {} now, and the backup in {} ends before that: what is between was removed from the \
         log; name another folder",
        begins.first,
        to.display(),
    )))
}

/// Copies a file that does not change any more, unless it is there.
fn whole(source: &Path, target: &Path) -> Result<Brought, BackupError> {
    if same(source, target)? { Ok(Brought::Kept) } else { copy(source, target) }
}

/// Removes the copy of a segment as it was before it was sealed.
fn remove_others(folder: &Path, first: u64, name: &str) -> Result<(), BackupError> {
    for ending in ENDINGS {
        let other = format!("{first:020}{ending}");
        if other == name {
            continue;
        }
        let path = folder.join(other);
        match fs::remove_file(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            removed => removed.map_err(|source| BackupError::Io { what: "remove", path, source })?,
        }
    }
    Ok(())
}

fn write_anchor(dir: &Path, tip: &Tip) -> Result<(), BackupError> {
    let anchor = Anchor::new(tip.seq, tip.segment.first_seq, tip.hash);
    let written = anchor.write(&RealDisk, dir);
    written.map_err(|source| BackupError::Io { what: "write HEAD of", path: dir.to_owned(), source })
}

/// Copies the install's name, which a backup of a restore has too.
fn name(from: &Path, to: &Path, copied: &mut Copied) -> Result<(), BackupError> {
    let (source, target) = (from.join(install::NAME), to.join(install::NAME));
    if source.exists() {
        copied.count(whole(&source, &target)?);
    }
    Ok(())
}

fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), BackupError> {
    let written = File::create(path).and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()));
    written.map_err(|source| BackupError::Io { what: "write", path: path.to_owned(), source })
}

impl Copied {
    fn count(&mut self, brought: Brought) {
        match brought {
            Brought::Kept => self.kept += 1,
            Brought::Copied { bytes, .. } => {
                self.files += 1;
                self.bytes += bytes;
            }
        }
    }
}
