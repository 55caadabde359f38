//! One archive: a tar, packed with zstd, of everything an attempt left, each blob under its hash, and a list that says what
//! it was. Any tar unpacks it. Made whole or not at all, and read back from the disk before it gets its name. Knows
//! nothing of the log.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Read, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use regatta_core::{AttemptId, BlobRef, Blobs, blob};
use serde::Serialize;

/// How hard packing tries: patches and reports become a fraction, at more than what a disk takes.
const LEVEL: i32 = 3;
/// The list's name in the archive.
const LIST: &str = "attempt.json";
/// What stands before a blob's hash in the archive.
const BLOBS: &str = "blobs/";
/// Version of the list.
const FORMAT: u32 = 1;

/// What an attempt left: what each blob was called, by hash.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Left(BTreeMap<String, LeftBlob>);

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct LeftBlob {
    bytes: u64,
    /// `patch`, or an artifact's name.
    names: BTreeSet<String>,
}

impl Left {
    pub(crate) fn add(&mut self, blob: &BlobRef, name: String) {
        let known = self.0.entry(blob.hash.clone());
        known.or_insert_with(|| LeftBlob { bytes: blob.bytes, names: BTreeSet::new() }).names.insert(name);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn count(&self) -> u32 {
        u32::try_from(self.0.len()).unwrap_or(u32::MAX)
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.0.values().map(|blob| blob.bytes).sum()
    }

    /// Each blob's hash and size.
    pub(crate) fn blobs(&self) -> impl Iterator<Item = (&str, u64)> {
        self.0.iter().map(|(hash, blob)| (hash.as_str(), blob.bytes))
    }
}

/// Why there is no archive, or nothing comes out of it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// Its name is taken.
    #[error("{0} is there already, and is something else")]
    Taken(PathBuf),
    /// It does not hold what it should.
    #[error("the archive {0} {1}")]
    Other(PathBuf, String),
    /// A blob cannot be read or kept.
    #[error("what it left cannot be read or kept")]
    Blob(#[from] blob::Error),
    /// The disk failed.
    #[error("failed to {what} {path}")]
    Io {
        what: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

fn io(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Io { what, path, source }
}

/// An archive as it is on the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Made {
    pub(crate) bytes: u64,
    /// BLAKE3 of the file, lower-case hex.
    pub(crate) blake3: String,
}

/// Makes an archive in a folder that is there, or finds it made before a crash.
pub(crate) fn make(path: &Path, attempt: AttemptId, left: &Left, blobs: &Blobs) -> Result<Made, Error> {
    let folder = path.parent().unwrap_or(path);
    if path.exists() {
        let made = look(path, left).map_err(|_| Error::Taken(path.to_owned()))?;
        // The crash may have come before this.
        sync(folder)?;
        return Ok(made);
    }
    let name = path.file_name().unwrap_or_default();
    let unfinished = folder.join(format!(".{}.unfinished", name.display()));
    let made = write(&unfinished, attempt, left, blobs).and_then(|()| look(&unfinished, left));
    if made.is_err() {
        // What is in the way is written over by the next try.
        fs::remove_file(&unfinished).ok();
        return made;
    }
    fs::rename(&unfinished, path).map_err(io("name", path))?;
    sync(folder)?;
    made
}

fn write(path: &Path, attempt: AttemptId, left: &Left, blobs: &Blobs) -> Result<(), Error> {
    let failed = || io("write", path);
    let file = File::options().write(true).create(true).truncate(true).mode(0o600).open(path).map_err(failed())?;
    let mut packed = zstd::stream::write::Encoder::new(file, LEVEL).map_err(failed())?;
    packed.include_checksum(true).map_err(failed())?;
    let mut tar = tar::Builder::new(packed);
    let list = serde_json::json!({ "format": FORMAT, "attempt": attempt, "blobs": left.0 });
    append(&mut tar, LIST, format!("{list:#}\n").as_bytes(), 0).map_err(failed())?;
    for hash in left.0.keys() {
        let kept_at_us = blobs.kept_at_us(hash).unwrap_or_default();
        append(&mut tar, &format!("{BLOBS}{hash}"), &blobs.get(hash)?, kept_at_us).map_err(failed())?;
    }
    let mut file = tar.into_inner().and_then(zstd::stream::write::Encoder::finish).map_err(failed())?;
    file.flush().and_then(|()| file.sync_all()).map_err(failed())?;
    // What is in memory says nothing about the disk; where that cannot be asked for, it is read as it is.
    rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed).ok();
    Ok(())
}

fn append<W: io::Write>(tar: &mut tar::Builder<W>, name: &str, content: &[u8], at_us: u64) -> io::Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_mtime(at_us / 1_000_000);
    header.set_size(content.len() as u64);
    header.set_mode(0o600);
    tar.append_data(&mut header, name, content)
}

/// Reads an archive from its beginning to its end: it must hold exactly that.
pub(crate) fn look(path: &Path, left: &Left) -> Result<Made, Error> {
    let mut hasher = blake3::Hasher::new();
    let file = File::open(path).map_err(io("read", path))?;
    let bytes = file.metadata().map_err(io("read", path))?.len();
    hasher.update_reader(file).map_err(io("read", path))?;
    unpack(path, left, |_| Ok(()))?;
    Ok(Made { bytes, blake3: hasher.finalize().to_hex().to_string() })
}

/// A blob as it comes out of an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unpacked<'a> {
    pub(crate) content: &'a [u8],
    /// When it was kept, in microseconds since the Unix epoch, to the second.
    pub(crate) kept_at_us: u64,
}

/// Gives every blob of an archive; it must hold exactly what was left.
pub(crate) fn unpack(
    path: &Path,
    left: &Left,
    mut take: impl FnMut(Unpacked<'_>) -> Result<(), Error>,
) -> Result<(), Error> {
    let failed = || io("read", path);
    let other = |reason: &str| Error::Other(path.to_owned(), reason.to_owned());
    let file = File::open(path).map_err(failed())?;
    let mut tar = tar::Archive::new(zstd::stream::read::Decoder::new(file).map_err(failed())?);
    let mut missing: BTreeSet<&str> = left.0.keys().map(String::as_str).collect();
    for entry in tar.entries().map_err(failed())? {
        let mut entry = entry.map_err(failed())?;
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        if name == LIST {
            continue;
        }
        let hash = name.strip_prefix(BLOBS).unwrap_or_default();
        let known = left.0.get(hash).filter(|known| known.bytes == entry.size() && missing.remove(hash));
        let known = known.ok_or_else(|| other("holds something else than what was left"))?;
        let mut content = Vec::with_capacity(usize::try_from(known.bytes).unwrap_or_default());
        entry.read_to_end(&mut content).map_err(failed())?;
        if blake3::hash(&content).to_hex().as_str() != hash {
            return Err(other("is damaged"));
        }
        let kept_at_us = entry.header().mtime().map_err(failed())?.saturating_mul(1_000_000);
        take(Unpacked { content: &content, kept_at_us })?;
    }
    // Up to its end, where its checksum is.
    io::copy(&mut tar.into_inner(), &mut io::sink()).map_err(failed())?;
    if missing.is_empty() { Ok(()) } else { Err(other("does not hold all that was left")) }
}

/// BLAKE3 of an archive, lower-case hex; nothing when it is not there.
pub(crate) fn hash(path: &Path) -> Result<Option<String>, Error> {
    let mut hasher = blake3::Hasher::new();
    match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => hasher.update_reader(opened.map_err(io("read", path))?).map_err(io("read", path))?,
    };
    Ok(Some(hasher.finalize().to_hex().to_string()))
}

/// Removes an archive for good. One that is not there is no failure, one whose folder is not there is.
pub(crate) fn remove(path: &Path) -> Result<(), Error> {
    let folder = path.parent().unwrap_or(path);
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && folder.is_dir() => Ok(()),
        removed => removed.map_err(io("remove", path)).and_then(|()| sync(folder)),
    }
}

fn sync(folder: &Path) -> Result<(), Error> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(io("sync", folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Given {
        folder: tempfile::TempDir,
        blobs: Blobs,
        left: Left,
    }

    fn given() -> Given {
        let folder = tempfile::tempdir().expect("folder");
        let blobs = Blobs::open(&folder.path().join("blobs")).expect("blobs");
        fs::create_dir(folder.path().join("cleaned")).expect("folder");
        let mut left = Left::default();
        for (name, content) in [("patch", &b"diff --git"[..]), ("agent/empty", b""), ("agent/copy", b"diff --git")] {
            left.add(&blobs.put(content).expect("kept"), name.to_owned());
        }
        Given { folder, blobs, left }
    }

    fn attempt() -> AttemptId {
        "7q2k9x0m.b".parse().expect("attempt")
    }

    impl Given {
        fn path(&self) -> PathBuf {
            self.folder.path().join("cleaned/7q2k9x0m.b.tar.zst")
        }

        fn make(&self) -> Result<Made, Error> {
            make(&self.path(), attempt(), &self.left, &self.blobs)
        }
    }

    #[test]
    fn what_goes_in_comes_out_and_the_list_says_what_it_was() {
        let given = given();
        assert_eq!((given.left.count(), given.left.bytes()), (2, 10));
        let made = given.make().expect("made");
        assert_eq!(hash(&given.path()).expect("read"), Some(made.blake3.clone()));
        let mut out = Vec::new();
        let take = |blob: Unpacked<'_>| {
            let kept_at_us = given.blobs.kept_at_us(&BlobRef::of(blob.content).hash).expect("kept");
            assert_eq!(blob.kept_at_us / 1_000_000, kept_at_us / 1_000_000);
            out.push(blob.content.to_vec());
            Ok(())
        };
        unpack(&given.path(), &given.left, take).expect("unpacked");
        out.sort();
        assert_eq!(out, [&b""[..], b"diff --git"]);
        // Made again after a crash it is the same one; nothing else lies beside it.
        assert_eq!(given.make().expect("found"), made);
        assert_eq!(fs::read_dir(given.folder.path().join("cleaned")).expect("folder").count(), 1);
        let packed = zstd::stream::decode_all(File::open(given.path()).expect("file")).expect("packed");
        let text = String::from_utf8_lossy(&packed);
        assert!(text.contains("\"agent/copy\"") && text.contains("\"7q2k9x0m.b\""), "{text}");
    }

    #[test]
    fn what_is_in_the_way_is_not_touched() {
        let given = given();
        fs::write(given.path(), "somebody's").expect("file");
        assert!(matches!(given.make(), Err(Error::Taken(_))));
        assert_eq!(fs::read(given.path()).expect("file"), b"somebody's");
    }

    #[test]
    fn an_archive_that_is_damaged_or_of_something_else_is_told() {
        let given = given();
        given.make().expect("made");
        let whole = fs::read(given.path()).expect("file");
        for at in [whole.len() / 2, whole.len() - 8] {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x40;
            fs::write(given.path(), &damaged).expect("file");
            assert!(look(&given.path(), &given.left).is_err(), "byte {at}");
        }
        fs::write(given.path(), &whole[..whole.len() / 2]).expect("file");
        assert!(look(&given.path(), &given.left).is_err());
        fs::write(given.path(), &whole).expect("file");
        let mut more = given.left.clone();
        more.add(&BlobRef::of(b"more"), "agent/more".to_owned());
        let mut less = Left::default();
        less.add(&BlobRef::of(b""), "agent/empty".to_owned());
        for other in [more, less] {
            assert!(matches!(look(&given.path(), &other), Err(Error::Other(..))));
        }
    }

    #[test]
    fn a_blob_that_is_missing_leaves_no_archive_and_removing_one_that_is_gone_is_done() {
        let mut given = given();
        given.left.add(&BlobRef::of(b"never kept"), "agent/x".to_owned());
        assert!(matches!(given.make(), Err(Error::Blob(_))));
        assert_eq!(fs::read_dir(given.folder.path().join("cleaned")).expect("folder").count(), 0);
        remove(&given.path()).expect("gone already");
        assert_eq!(hash(&given.path()).expect("asked"), None);
        fs::remove_dir(given.folder.path().join("cleaned")).expect("folder");
        assert!(remove(&given.path()).is_err());
    }
}
