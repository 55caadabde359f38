//! Segment files: names, headers, and how one comes to be. A name exists only once its header is on disk, so a named
//! segment with a bad header is damage, never an interrupted start. A segment may be there in two forms at once, as it
//! was written and [`super::sealed`]: its sealing was stopped at the very end, or it is the last one of a backup that
//! was. [`super::forms`] says which one counts.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::disk::{self, Disk, DiskFile};
use super::{Hash, fixed, forms, from_fixed};

/// Bytes of a segment's header: one page, so that writing blocks never touches the header's page.
pub(crate) const HEADER_BYTES: usize = 4_096;
/// No segment is larger: twice the most one is said to be full at, which leaves room for its last group and the zeros ahead.
/// A file of holes may look like a terabyte of zeros, which nobody can look through for a block after them.
pub(crate) const FILE_BYTES_MAX: u64 = 2 << 30;
/// Folder of the segments in the data directory.
pub(crate) const FOLDER: &str = "journal";

const MAGIC: u32 = 0x4753_4752;
const FORMAT: u16 = 1;
const CHECKSUM_AT: usize = HEADER_BYTES - size_of::<u32>();
/// Ends the name of a file that is not whole yet.
const UNBORN: &str = ".new";

/// How the blocks of a segment stand in its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// As they were written.
    Written,
    /// Compressed, with a summary: see [`super::sealed`].
    Sealed,
}

impl Form {
    fn number(self) -> u16 {
        match self {
            Self::Written => 0,
            Self::Sealed => 1,
        }
    }

    fn extension(self) -> &'static str {
        match self {
            Self::Written => ".seg",
            Self::Sealed => ".sealed",
        }
    }
}

/// The header of a segment; zeros follow up to the checksum in the page's last four bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Header {
    magic: u32,
    format: u16,
    /// 0: blocks as they were written; 1: sealed.
    form: u16,
    /// Place among the segments, from 1; a hole is a lost segment.
    pub(crate) number: u64,
    /// Drawn anew for every file; part of every block's checksum.
    pub(crate) nonce: u64,
    /// Position of the first event.
    pub(crate) first_seq: u64,
    /// Hash of the last block before this segment.
    pub(crate) prev_hash: Hash,
    /// When, in microseconds since the Unix epoch.
    pub(crate) created_at_us: u64,
}

impl Header {
    /// A header for a new file.
    pub(crate) fn new(number: u64, nonce: u64, first_seq: u64, prev_hash: Hash, created_at_us: u64) -> Self {
        Self { magic: MAGIC, format: FORMAT, form: 0, number, nonce, first_seq, prev_hash, created_at_us }
    }

    /// The same segment in a form.
    pub(crate) fn in_form(&self, form: Form) -> Self {
        Self { form: form.number(), ..*self }
    }

    /// The whole page.
    pub(crate) fn page(&self) -> Vec<u8> {
        let mut page = fixed(self);
        page.resize(CHECKSUM_AT, 0);
        page.extend(crc32c::crc32c(&page).to_le_bytes());
        page
    }

    /// Reads the page of a file of that form.
    pub(crate) fn parse(page: &[u8], form: Form) -> Result<Self, String> {
        let (covered, checksum) = page.split_at_checked(CHECKSUM_AT).ok_or("its header is cut off")?;
        if crc32c::crc32c(covered).to_le_bytes() != checksum {
            return Err("its header's checksum does not match".to_owned());
        }
        let bytes = covered.get(..size_of_header());
        let header: Self = bytes.and_then(from_fixed).ok_or("its header cannot be read")?;
        if header.magic != MAGIC {
            return Err("it is not a segment of a journal".to_owned());
        }
        if (header.format, header.form) != (FORMAT, form.number()) {
            return Err(format!(
                "it was written by a newer version (format {}, form {}): update regatta",
                header.format, header.form
            ));
        }
        Ok(header)
    }
}

/// Bytes of the fields alone.
const fn size_of_header() -> usize {
    4 + 2 + 2 + 8 + 8 + 8 + 32 + 8
}

/// The name of the segment that begins with this event.
pub(crate) fn file_name(first_seq: u64, form: Form) -> String {
    format!("{first_seq:020}{}", form.extension())
}

/// The path of the segment that begins with this event.
pub(crate) fn path(dir: &Path, first_seq: u64, form: Form) -> PathBuf {
    dir.join(FOLDER).join(file_name(first_seq, form))
}

/// The path of a segment that is not whole yet.
pub(crate) fn unborn_path(dir: &Path, first_seq: u64, form: Form) -> PathBuf {
    dir.join(FOLDER).join(format!("{}{UNBORN}", file_name(first_seq, form)))
}

/// A segment found in the folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Named {
    /// Position of its first event.
    pub(crate) first: u64,
    /// The form that counts.
    pub(crate) form: Form,
    /// Whether it is there in both forms.
    pub(crate) twice: bool,
}

/// All segments, in order. A missing folder has none.
pub(crate) fn list(disk: &dyn Disk, dir: &Path) -> io::Result<Vec<Named>> {
    let names = match disk.list(&dir.join(FOLDER)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other?,
    };
    let mut found = BTreeMap::new();
    for name in names {
        for form in [Form::Written, Form::Sealed] {
            let digits = name.strip_suffix(form.extension()).filter(|digits| digits.len() == 20);
            if let Some(first) = digits.and_then(|digits| digits.parse::<u64>().ok()) {
                let forms: &mut Vec<Form> = found.entry(first).or_default();
                forms.push(form);
            }
        }
    }
    let nexts: Vec<_> = found.keys().skip(1).copied().map(Some).chain([None]).collect();
    let named = found.into_iter().zip(nexts).map(|((first, found), next)| {
        let form = match found.as_slice() {
            [form] => *form,
            _ => forms::counts(disk, dir, first, next)?,
        };
        Ok(Named { first, form, twice: found.len() > 1 })
    });
    named.collect()
}

/// Removes what an interrupted [`create`] or sealing left. Nothing in it was ever acknowledged.
pub(crate) fn remove_unborn(disk: &dyn Disk, dir: &Path) -> io::Result<()> {
    let folder = dir.join(FOLDER);
    let names = disk.list(&folder)?;
    names.iter().filter(|name| name.ends_with(UNBORN)).try_for_each(|name| disk.remove(&folder.join(name)))
}

/// Makes a segment; its header and its name are on disk when this returns.
pub(crate) fn create(disk: &dyn Disk, dir: &Path, header: &Header) -> io::Result<Arc<dyn DiskFile>> {
    let path = path(dir, header.first_seq, Form::Written);
    let unborn = unborn_path(dir, header.first_seq, Form::Written);
    let file = disk.create(&unborn)?;
    file.write(&header.page(), 0)?;
    disk::sync_all(&*file)?;
    disk.rename(&unborn, &path)?;
    disk.sync_folder(&dir.join(FOLDER)).map_err(io::Error::other)?;
    Ok(file)
}

/// Reads the header of an existing segment.
pub(crate) fn read_header(file: &dyn DiskFile, first_seq: u64, form: Form) -> io::Result<Result<Header, String>> {
    let page = disk::read_first(file, HEADER_BYTES)?;
    if page.len() < HEADER_BYTES {
        return Ok(Err("its header is cut off".to_owned()));
    }
    let bytes = file.size()?;
    if bytes > FILE_BYTES_MAX {
        return Ok(Err(format!("it is {bytes} bytes long, and no segment is longer than {FILE_BYTES_MAX}")));
    }
    Ok(Header::parse(&page, form).and_then(|header| {
        let named = header.first_seq == first_seq;
        if named { Ok(header) } else { Err(format!("it begins with event {}, not with its name's", header.first_seq)) }
    }))
}
