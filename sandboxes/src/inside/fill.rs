//! What a sandbox begins with, as an archive that comes in pieces. Whole or not at all: whoever fills holds a lock, and
//! what an interrupted one left is cleared away by the next.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use bytes::{Buf as _, Bytes};
use rustix::fs::{AtFlags, CWD, FlockOperation, Mode, Timespec, Timestamps};
use tar::{Archive, Entry};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::{ROOT, SANDBOX, WARM, WARMED, WHOSE, WHOSE_FILE};
use crate::layout::{ARTIFACTS, CREATED, EXECS, HOME, TMP, WORK};
use crate::local::LocalProvider;

/// The file in the folder that is held by whoever fills.
const LOCK: &str = "filling";
/// What of an earlier sandbox is kept where setup need not run again.
const MADE_BY_SETUP: [&str; 4] = [WORK, HOME, TMP, ARTIFACTS];
/// Pieces that wait to be unpacked.
const PIECES_MAX: usize = 4;
/// Whoever fills and brings nothing for so long is gone; the main process does not see a connection end.
const SILENCE_MAX: Duration = Duration::from_secs(5);
/// Bits of a mode that count.
const PERMISSIONS: u32 = 0o777;

/// A filling under way.
pub(super) struct Filling {
    /// Nothing is the end: one that only ends was cut short.
    pieces: mpsc::Sender<Option<Bytes>>,
    unpacking: JoinHandle<io::Result<()>>,
}

/// Begins to fill; nothing when it is filled already. Waits for whoever is at it.
pub(super) async fn begin(provider: &LocalProvider) -> io::Result<Option<Filling>> {
    let lock = tokio::task::spawn_blocking(locked).await.map_err(io::Error::other)??;
    if whose()?.is_some() {
        return Ok(None);
    }
    let (pieces, arriving) = mpsc::channel(PIECES_MAX);
    let (provider, runtime) = (provider.clone(), Handle::current());
    let unpacking = tokio::task::spawn_blocking(move || {
        let kept: &[&str] = if is_warmed() { &MADE_BY_SETUP } else { &[] };
        clear(&folder(), kept)?;
        unpack(Path::new("/"), Pieces { arriving, piece: Bytes::new(), runtime })?;
        if is_warmed() {
            // Without a stamp nothing is proved untouched: setup may have changed files of the workspace.
            std::fs::write(WHOSE_FILE, ours())?;
        } else {
            settle(&provider)?;
        }
        drop(lock);
        Ok(())
    });
    Ok(Some(Filling { pieces, unpacking }))
}

impl Filling {
    /// Takes the next piece.
    pub(super) async fn take(self, piece: Bytes) -> io::Result<Self> {
        if self.pieces.send(Some(piece)).await.is_ok() {
            return Ok(self);
        }
        // It ended before its time, and says why.
        self.unpacking.await.map_err(io::Error::other)?.and(Err(io::Error::other("it is full already")))
    }

    /// There are no more.
    pub(super) async fn finish(self) -> io::Result<()> {
        // When nobody takes it, it ended before its time, and says why.
        self.pieces.send(None).await.ok();
        self.unpacking.await.map_err(io::Error::other)?
    }
}

/// Makes a copy of another sandbox one of its own: the work is kept, and what ran there never did.
pub(super) fn own(provider: &LocalProvider) -> io::Result<()> {
    let Some(whose) = whose()? else { return Ok(()) };
    if whose == ours() {
        return Ok(());
    }
    if is_warmed() {
        // It is filled as a new one is, around what setup made.
        return std::fs::remove_file(WHOSE_FILE);
    }
    for exec in std::fs::read_dir(folder().join(EXECS))? {
        std::fs::remove_dir_all(exec?.path())?;
    }
    match std::fs::remove_file(folder().join(CREATED)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    settle(provider)
}

/// Removes what an interrupted filling left in the folder, or what was there before. Not the folder: it may be where a volume is
/// mounted.
fn clear(folder: &Path, keep: &[&str]) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name() == LOCK || keep.iter().any(|name| entry.file_name() == *name) {
            continue;
        }
        if entry.file_type()?.is_dir() {
            std::fs::remove_dir_all(entry.path())?;
        } else {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// From now on it is filled.
fn settle(provider: &LocalProvider) -> io::Result<()> {
    provider.stamp(SANDBOX).map_err(io::Error::other)?;
    std::fs::write(WHOSE_FILE, ours())
}

fn folder() -> PathBuf {
    Path::new(ROOT).join(SANDBOX)
}

fn is_warmed() -> bool {
    std::env::var_os(WARMED).is_some_and(|warmed| warmed == WARM)
}

fn ours() -> String {
    std::env::var(WHOSE).unwrap_or_default()
}

/// Whose the folder is; nothing until it is filled.
fn whose() -> io::Result<Option<String>> {
    match std::fs::read_to_string(WHOSE_FILE) {
        Ok(whose) => Ok(Some(whose)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn locked() -> io::Result<File> {
    std::fs::DirBuilder::new().mode(0o711).recursive(true).create(folder())?;
    let lock = File::options().create(true).truncate(false).write(true).mode(0o600).open(folder().join(LOCK))?;
    rustix::fs::flock(&lock, FlockOperation::LockExclusive)?;
    Ok(lock)
}

/// Reads pieces as one stream.
struct Pieces {
    arriving: mpsc::Receiver<Option<Bytes>>,
    piece: Bytes,
    runtime: Handle,
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            match self.runtime.block_on(tokio::time::timeout(SILENCE_MAX, self.arriving.recv())) {
                Ok(Some(Some(piece))) => self.piece = piece,
                Ok(Some(None)) => return Ok(0),
                Ok(None) | Err(_) => return Err(io::Error::other("whoever filled it is gone")),
            }
        }
        let length = self.piece.len().min(buffer.len());
        if let Some(into) = buffer.get_mut(..length) {
            self.piece.copy_to_slice(into);
        }
        Ok(length)
    }
}

/// What is said of a folder once everything is in it.
struct Finish {
    path: PathBuf,
    owner: u32,
    times: Option<Timestamps>,
}

/// Unpacks an archive below a folder.
///
/// # Errors
/// Also for what is neither file, folder nor link, and for names that lead out.
pub(crate) fn unpack(root: &Path, pieces: impl Read) -> io::Result<()> {
    let mut archive = Archive::new(pieces);
    let mut folders = Vec::new();
    for entry in archive.entries()? {
        let mut entry = entry?;
        let path = entry.path()?.into_owned();
        if !path.components().all(|part| matches!(part, Component::Normal(_))) {
            return Err(io::Error::other("it leads out of its place"));
        }
        let path = root.join(path);
        let times = times(&mut entry)?;
        let header = entry.header();
        let (mode, kind) = (header.mode()? & PERMISSIONS, header.entry_type());
        let owner = u32::try_from(header.uid()?).map_err(io::Error::other)?;
        if kind.is_dir() {
            match std::fs::DirBuilder::new().mode(0o755).recursive(true).create(&path) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                Ok(()) | Err(_) => {}
            }
            rustix::fs::chmod(path.as_path(), Mode::from_raw_mode(mode))?;
            folders.push(Finish { path, owner, times });
        } else if kind.is_symlink() {
            let target = entry.link_name()?.ok_or_else(|| io::Error::other("a link leads nowhere"))?;
            anew(&path, || std::os::unix::fs::symlink(&target, &path))?;
            finish(&Finish { path, owner, times })?;
        } else if kind.is_file() {
            let mut file = anew(&path, || File::options().write(true).create_new(true).mode(0o600).open(&path))?;
            io::copy(&mut entry, &mut file)?;
            rustix::fs::fchmod(&file, Mode::from_raw_mode(mode))?;
            finish(&Finish { path, owner, times })?;
        } else {
            return Err(io::Error::other("it holds neither a file, a folder nor a link"));
        }
    }
    folders.iter().rev().try_for_each(finish)
}

/// Makes what an interrupted filling may have left outside of the folder.
fn anew<T>(path: &Path, make: impl Fn() -> io::Result<T>) -> io::Result<T> {
    match make() {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            std::fs::remove_file(path)?;
            make()
        }
        made => made,
    }
}

/// Times first: they are the owner's to set.
fn finish(what: &Finish) -> io::Result<()> {
    if let Some(times) = &what.times {
        rustix::fs::utimensat(CWD, what.path.as_path(), times, AtFlags::SYMLINK_NOFOLLOW)?;
    }
    std::os::unix::fs::lchown(&what.path, Some(what.owner), Some(what.owner))
}

/// When it was changed last, to the nanosecond, when the archive says so.
fn times<R: Read>(entry: &mut Entry<'_, R>) -> io::Result<Option<Timestamps>> {
    let Some(records) = entry.pax_extensions()? else { return Ok(None) };
    for record in records {
        let record = record?;
        if record.key() != Ok("mtime") {
            continue;
        }
        let text = record.value().map_err(io::Error::other)?;
        let (seconds, nanoseconds) = text.split_once('.').unwrap_or((text, "0"));
        let number = |text: &str| text.parse::<i64>().map_err(io::Error::other);
        let at = Timespec { tv_sec: number(seconds)?, tv_nsec: number(nanoseconds)? };
        return Ok(Some(Timestamps { last_access: at, last_modification: at }));
    }
    Ok(None)
}
