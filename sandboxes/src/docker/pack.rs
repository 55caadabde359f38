//! What is put into a container, as a tar archive that is written while it is sent. Times are in PAX records, so that none
//! loses its nanoseconds; names are not, since a line end would cut such a record.

use std::fs::{File, Metadata};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use tar::{Builder, EntryType, Header};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::tree::{DEPTH_MAX, too_deep};

/// Size of the pieces an archive is sent in.
const PIECE_BYTES: usize = 256 * 1024;
/// Pieces that wait to be sent.
const PIECES_MAX: usize = 4;
/// Permissions that go along; set-user-id and its like do not.
const PERMISSIONS: u32 = 0o777;

/// An archive, as it is written.
pub(super) type Body = std::pin::Pin<Box<dyn futures_util::Stream<Item = io::Result<Bytes>> + Send>>;

/// Something to be put at a path in a container, without the slash it begins with.
#[derive(Debug)]
pub(super) enum Part {
    /// A folder.
    Folder { at: PathBuf, mode: u32, user: u32 },
    /// A file with that content.
    Content { at: PathBuf, content: Vec<u8>, mode: u32, user: u32 },
    /// A file of this machine.
    Copy { at: PathBuf, from: PathBuf, mode: u32 },
    /// Everything in a folder of this machine, with modes, links and times.
    Tree { at: PathBuf, from: PathBuf, user: u32 },
    /// The same of a folder in which files come and go while it is read, and of which only whole ones matter.
    Moving { at: PathBuf, from: PathBuf },
}

/// The archive, and the work of writing it, whose failure says more than that of the request. A tree may have so many bytes,
/// with what holes in its files stand for.
pub(super) fn archive(parts: Vec<Part>, tree_bytes_max: u64) -> (Body, JoinHandle<io::Result<()>>) {
    let (pieces, mut to_send) = mpsc::channel::<io::Result<Bytes>>(PIECES_MAX);
    let writing = tokio::task::spawn_blocking(move || {
        let failing = pieces.clone();
        let written = write(&parts, tree_bytes_max, Pieces { pieces, piece: Vec::with_capacity(PIECE_BYTES) });
        if let Err(error) = &written {
            // An archive that merely ended would be taken for whole.
            failing.blocking_send(Err(io::Error::new(error.kind(), error.to_string()))).ok();
        }
        written
    });
    let stream = futures_util::stream::poll_fn(move |context| to_send.poll_recv(context));
    (Box::pin(stream), writing)
}

/// Sends what is written, in pieces.
struct Pieces {
    pieces: mpsc::Sender<io::Result<Bytes>>,
    piece: Vec<u8>,
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.piece.extend_from_slice(bytes);
        if self.piece.len() >= PIECE_BYTES {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.piece.is_empty() {
            return Ok(());
        }
        let piece = std::mem::replace(&mut self.piece, Vec::with_capacity(PIECE_BYTES));
        let gone = |_| io::Error::new(io::ErrorKind::BrokenPipe, "the engine took no more");
        self.pieces.blocking_send(Ok(piece.into())).map_err(gone)
    }
}

fn write(parts: &[Part], tree_bytes_max: u64, pieces: Pieces) -> io::Result<()> {
    let mut archive = Builder::new(pieces);
    for part in parts {
        match part {
            Part::Folder { at, mode, user } => {
                entry(&mut archive, at, EntryType::Directory, &Facts::new(*mode, *user, 0), None, io::empty())?;
            }
            Part::Content { at, content, mode, user } => {
                let facts = Facts::new(*mode, *user, content.len() as u64);
                entry(&mut archive, at, EntryType::Regular, &facts, None, &content[..])?;
            }
            Part::Copy { at, from, mode } => {
                let file = File::open(from)?;
                let facts = Facts::new(*mode, 0, file.metadata()?.len());
                entry(&mut archive, at, EntryType::Regular, &facts, None, file)?;
            }
            Part::Tree { at, from, user } => {
                let mut room = tree_bytes_max;
                tree(&mut archive, (at, from), *user, &mut room, false, 0)?;
            }
            // Of the mirror, which is ours.
            Part::Moving { at, from } => tree(&mut archive, (at, from), 0, &mut { u64::MAX }, true, 0)?,
        }
    }
    archive.into_inner()?.flush()
}

/// What is said of an entry.
struct Facts {
    mode: u32,
    user: u32,
    bytes: u64,
    /// Seconds and nanoseconds of the last change, when it matters.
    modified: Option<(i64, i64)>,
}

impl Facts {
    fn new(mode: u32, user: u32, bytes: u64) -> Self {
        Self { mode, user, bytes, modified: None }
    }

    fn of(metadata: &Metadata, user: u32, bytes: u64) -> Self {
        let mode = metadata.permissions().mode() & PERMISSIONS;
        Self { mode, user, bytes, modified: Some((metadata.mtime(), metadata.mtime_nsec())) }
    }
}

fn tree<W: Write>(
    archive: &mut Builder<W>,
    (at, from): (&Path, &Path),
    user: u32,
    room: &mut u64,
    moving: bool,
    depth: usize,
) -> io::Result<()> {
    if depth > DEPTH_MAX {
        return Err(too_deep());
    }
    let is_gone = |error: &io::Error| moving && error.kind() == io::ErrorKind::NotFound;
    let metadata = std::fs::symlink_metadata(from)?;
    entry(archive, at, EntryType::Directory, &Facts::of(&metadata, user, 0), None, io::empty())?;
    for found in std::fs::read_dir(from)? {
        let name = found?.file_name();
        let (at, from) = (at.join(&name), from.join(&name));
        let metadata = match std::fs::symlink_metadata(&from) {
            Err(error) if is_gone(&error) => continue,
            metadata => metadata?,
        };
        let kind = metadata.file_type();
        if kind.is_dir() {
            tree(archive, (&at, &from), user, room, moving, depth + 1)?;
        } else if kind.is_symlink() {
            let target = std::fs::read_link(&from)?;
            entry(archive, &at, EntryType::Symlink, &Facts::of(&metadata, user, 0), Some(&target), io::empty())?;
        } else if kind.is_file() {
            let file = match File::open(&from) {
                Err(error) if is_gone(&error) => continue,
                file => file?,
            };
            *room = room.checked_sub(metadata.len()).ok_or_else(|| {
                let text = format!("with {} it has more bytes than the disk of a sandbox may hold", from.display());
                io::Error::new(io::ErrorKind::FileTooLarge, text)
            })?;
            let facts = Facts::of(&metadata, user, metadata.len());
            entry(archive, &at, EntryType::Regular, &facts, None, file)?;
        } else {
            let text = format!("{} is neither a file, a folder nor a link", from.display());
            return Err(io::Error::new(io::ErrorKind::Unsupported, text));
        }
    }
    Ok(())
}

fn entry<W: Write>(
    archive: &mut Builder<W>,
    at: &Path,
    kind: EntryType,
    facts: &Facts,
    link: Option<&Path>,
    content: impl Read,
) -> io::Result<()> {
    if let Some((seconds, nanoseconds)) = facts.modified {
        let modified = format!("{seconds}.{nanoseconds:09}");
        archive.append_pax_extensions([("mtime", modified.as_bytes())])?;
    }
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(facts.mode);
    header.set_uid(facts.user.into());
    header.set_gid(facts.user.into());
    header.set_mtime(0);
    header.set_size(facts.bytes);
    if let Some(link) = link {
        return archive.append_link(&mut header, at, link);
    }
    // A file that grows meanwhile is cut; one that shrinks fails here, before the archive is out of step.
    let mut content = Exactly { content: content.take(facts.bytes), left: facts.bytes };
    archive.append_data(&mut header, at, &mut content)
}

/// As many bytes as were announced, or a failure.
struct Exactly<R> {
    content: io::Take<R>,
    left: u64,
}

impl<R: Read> Read for Exactly<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.content.read(buffer)?;
        if read == 0 && self.left > 0 && !buffer.is_empty() {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "a file became shorter while it was sent"));
        }
        self.left = self.left.saturating_sub(read as u64);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStrExt as _;

    use super::*;
    use crate::inside::fill::unpack;

    /// What `unpack` makes of an archive, in a folder.
    fn unpacked(archive: &[u8]) -> (tempfile::TempDir, io::Result<()>) {
        let folder = tempfile::tempdir().expect("a folder");
        let done = unpack(folder.path(), archive);
        (folder, done)
    }

    fn packed(parts: Vec<Part>) -> io::Result<Vec<u8>> {
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        runtime.block_on(async {
            let (mut pieces, writing) = archive(parts, 1 << 20);
            let mut whole = Vec::new();
            while let Some(Ok(piece)) = futures_util::StreamExt::next(&mut pieces).await {
                whole.extend(piece);
            }
            writing.await.map_err(io::Error::other)?.map(|()| whole)
        })
    }

    #[test]
    fn a_tree_arrives_with_modes_links_and_times_whatever_its_names() {
        let seed = tempfile::tempdir().expect("a folder");
        let name = std::ffi::OsStr::from_bytes(b"bad\xffname\nand line");
        let long = "long".repeat(50);
        std::fs::create_dir_all(seed.path().join(&long).join(&long)).expect("folders");
        std::fs::write(seed.path().join(&long).join(&long).join("deep"), "deep").expect("a file");
        std::fs::write(seed.path().join(name), vec![7; 300_000]).expect("a file");
        std::fs::set_permissions(seed.path().join(name), std::fs::Permissions::from_mode(0o750)).expect("a mode");
        std::os::unix::fs::symlink(format!("{long}/{long}/deep"), seed.path().join("link")).expect("a link");
        let user = rustix::process::getuid().as_raw();
        let archive =
            packed(vec![Part::Tree { at: "work".into(), from: seed.path().to_owned(), user }]).expect("packed");
        let (folder, done) = unpacked(&archive);
        done.expect("unpacked");
        for path in [Path::new(""), Path::new(name), Path::new("link"), &Path::new(&long).join(&long).join("deep")] {
            let [was, is] = [seed.path().join(path), folder.path().join("work").join(path)]
                .map(|path| std::fs::symlink_metadata(path).expect("there"));
            let facts = |it: &Metadata| (it.mode(), it.mtime(), it.mtime_nsec(), it.uid(), it.is_dir() || it.len() > 0);
            assert_eq!(facts(&is), facts(&was), "{}", path.display());
        }
        assert_eq!(std::fs::read(folder.path().join("work/link")).expect("through the link"), b"deep");
    }

    #[test]
    fn an_archive_with_anything_else_is_refused() {
        let entry = |kind: EntryType, path: &str| {
            let mut archive = Builder::new(Vec::new());
            let mut header = Header::new_gnu();
            header.set_entry_type(kind);
            header.as_mut_bytes()[..path.len()].copy_from_slice(path.as_bytes());
            header.set_mode(0o644);
            header.set_size(0);
            header.set_cksum();
            archive.append(&header, io::empty()).expect("an entry");
            archive.into_inner().expect("an archive")
        };
        for (kind, path) in [
            (EntryType::Regular, "../out"),
            (EntryType::Regular, "/etc/out"),
            (EntryType::Directory, "a/../../out"),
            (EntryType::Char, "null"),
            (EntryType::Block, "disk"),
            (EntryType::Fifo, "pipe"),
            (EntryType::Link, "hard"),
            (EntryType::GNUSparse, "sparse"),
        ] {
            let (folder, done) = unpacked(&entry(kind, path));
            assert!(done.is_err(), "{path}");
            assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 0, "{path}");
        }
    }

    #[test]
    fn a_file_of_ten_gigabytes_of_nothing_is_not_packed() {
        let seed = tempfile::tempdir().expect("a folder");
        std::fs::write(seed.path().join("small"), "small").expect("a file");
        File::create(seed.path().join("sparse")).and_then(|file| file.set_len(10 << 30)).expect("a sparse file");
        let packed = packed(vec![Part::Tree { at: "work".into(), from: seed.path().to_owned(), user: 0 }]);
        assert!(
            packed
                .is_err_and(|error| error.kind() == io::ErrorKind::FileTooLarge && error.to_string().contains("sparse"))
        );
    }

    #[test]
    fn what_is_special_is_not_packed() {
        let seed = tempfile::tempdir().expect("a folder");
        std::os::unix::net::UnixListener::bind(seed.path().join("socket")).expect("a socket");
        let packed = packed(vec![Part::Tree { at: "work".into(), from: seed.path().to_owned(), user: 0 }]);
        assert!(
            packed
                .is_err_and(|error| error.kind() == io::ErrorKind::Unsupported && error.to_string().contains("socket"))
        );
    }
}
