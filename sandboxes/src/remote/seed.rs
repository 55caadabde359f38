//! The archive a sandbox on another machine is made from: the workspace with modes, links and times, the inbox, what must be
//! readable, and our own scripts. Written to a file without a name, since a try to send it may have to be repeated.

use std::fs::{File, Metadata};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use tar::{Builder, EntryType, Header};

use crate::provider::{Error, InboxFile};

/// Bytes of files sent at most.
pub(super) const BYTES_MAX: u64 = 2 << 30;
/// Files and folders sent at most.
const ENTRIES_MAX: u64 = 500_000;
/// Where a git work tree says whose objects it borrows.
const ALTERNATES: &str = ".git/objects/info/alternates";
/// What that file may hold.
const ALTERNATES_BYTES_MAX: u64 = 64 << 10;

/// Everything that goes into a sandbox.
#[derive(Debug)]
pub(super) struct Load<'a> {
    pub(super) seed: &'a Path,
    pub(super) inbox: &'a [InboxFile],
    /// Paths of this machine, sent to `read/0`, `read/1`, …
    pub(super) read_only: &'a [PathBuf],
    /// Our own small files: name, content.
    pub(super) ours: &'a [(&'a str, Vec<u8>)],
}

/// Writes the archive to `to`.
pub(super) fn pack(load: &Load<'_>, to: &Path) -> Result<(), Error> {
    let mut packer = Packer { archive: Builder::new(File::create(to).map_err(failed)?), bytes: 0, entries: 0 };
    packer.archive.follow_symlinks(false);
    packer.tree(load.seed, Path::new("work"), load.read_only)?;
    for folder in ["tmp", "execs", "inbox"] {
        packer.folder(folder, 0o700)?;
    }
    for file in load.inbox {
        packer.small(&format!("inbox/{}", file.name), &file.content, 0o400)?;
    }
    packer.folder("read", 0o700)?;
    for (number, path) in load.read_only.iter().enumerate() {
        if path.exists() {
            packer.tree(path, Path::new(&format!("read/{number}")), &[])?;
        }
    }
    for (name, content) in load.ours {
        packer.small(name, content, 0o600)?;
    }
    packer.archive.into_inner().and_then(|mut file| file.flush()).map_err(failed)
}

fn failed(source: io::Error) -> Error {
    Error::Transient { action: "pack what goes into a sandbox".to_owned(), source }
}

struct Packer {
    archive: Builder<File>,
    bytes: u64,
    entries: u64,
}

impl Packer {
    /// A folder with everything in it. A list of borrowed objects in it is told where they are inside.
    fn tree(&mut self, from: &Path, to: &Path, moved: &[PathBuf]) -> Result<(), Error> {
        let mut left = vec![PathBuf::new()];
        while let Some(below) = left.pop() {
            let (path, name) = (from.join(&below), to.join(&below));
            let found = path.symlink_metadata().map_err(failed)?;
            self.count(&found, from)?;
            self.times(&found)?;
            let kind = found.file_type();
            if kind.is_dir() {
                self.archive.append_dir(slim(&name), &path).map_err(failed)?;
                let names = path.read_dir().and_then(|entries| {
                    entries.map(|entry| entry.map(|entry| entry.file_name())).collect::<io::Result<Vec<_>>>()
                });
                let mut names = names.map_err(failed)?;
                names.sort_unstable();
                left.extend(names.into_iter().rev().map(|name| below.join(name)));
            } else if kind.is_symlink() {
                let mut header = Header::new_gnu();
                header.set_metadata(&found);
                header.set_size(0);
                let target = path.read_link().map_err(failed)?;
                self.archive.append_link(&mut header, &name, target).map_err(failed)?;
            } else if below == Path::new(ALTERNATES) && !moved.is_empty() {
                let text = told(&path, moved).map_err(failed)?;
                let mut header = Header::new_gnu();
                header.set_metadata(&found);
                header.set_size(text.len() as u64);
                self.archive.append_data(&mut header, &name, text.as_slice()).map_err(failed)?;
            } else if kind.is_file() {
                let mut file = File::open(&path).map_err(failed)?;
                self.archive.append_file(&name, &mut file).map_err(failed)?;
            } else {
                let what = if kind.is_socket() { "a socket" } else { "a pipe or device" };
                let reason = format!("the seed {} cannot be sent: {} is {what}", from.display(), below.display());
                return Err(Error::Unusable { reason });
            }
        }
        Ok(())
    }

    fn count(&mut self, found: &Metadata, from: &Path) -> Result<(), Error> {
        self.entries += 1;
        // A file with holes is sent with what they stand for.
        self.bytes = self.bytes.saturating_add(if found.is_file() { found.len() } else { 0 });
        if self.bytes > BYTES_MAX {
            return Err(Error::TooLarge {
                what: format!("the seed {}", from.display()),
                bytes: self.bytes,
                bytes_max: BYTES_MAX,
            });
        }
        if self.entries > ENTRIES_MAX {
            let reason = format!("the seed {} cannot be sent: it has more than {ENTRIES_MAX} files", from.display());
            return Err(Error::Unusable { reason });
        }
        Ok(())
    }

    /// The modification time to the nanosecond, which the plain header cannot hold.
    fn times(&mut self, found: &Metadata) -> Result<(), Error> {
        if found.mtime_nsec() == 0 {
            return Ok(());
        }
        let at = format!("{}.{:09}", found.mtime(), found.mtime_nsec());
        self.archive.append_pax_extensions([("mtime", at.as_bytes())]).map_err(failed)
    }

    fn folder(&mut self, name: &str, mode: u32) -> Result<(), Error> {
        let mut header = Header::new_gnu();
        header.set_entry_type(EntryType::Directory);
        header.set_mode(mode);
        header.set_size(0);
        self.archive.append_data(&mut header, name, io::empty()).map_err(failed)
    }

    fn small(&mut self, name: &str, content: &[u8], mode: u32) -> Result<(), Error> {
        let mut header = Header::new_gnu();
        header.set_mode(mode);
        header.set_size(content.len() as u64);
        self.archive.append_data(&mut header, name, content).map_err(failed)
    }
}

/// Without the slash that joining an empty path leaves.
fn slim(path: &Path) -> PathBuf {
    path.components().collect()
}

/// The list of borrowed objects, with paths of this machine as they are inside: relative to the objects they add to.
fn told(path: &Path, moved: &[PathBuf]) -> io::Result<Vec<u8>> {
    let mut text = String::new();
    File::open(path)?.take(ALTERNATES_BYTES_MAX).read_to_string(&mut text)?;
    let lines = text.lines().map(|line| match moved.iter().position(|path| path == Path::new(line)) {
        Some(number) => format!("../../../read/{number}\n"),
        None => format!("{line}\n"),
    });
    Ok(lines.collect::<String>().into_bytes())
}
