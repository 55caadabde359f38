//! Opens regular files and nothing else: a pipe under the name of one would make whoever opens it wait for ever, a folder
//! would fail where it is read.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use rustix::fs::OFlags;

/// Opens a file for reading.
///
/// # Errors
/// When it is missing, is no regular file, or the disk fails.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    open_as(File::options().read(true), path)
}

/// Opens a file as the options say.
///
/// # Errors
/// As [`open`].
pub(crate) fn open_as(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    open_with(options, path, OFlags::empty())
}

/// Makes a file, or empties the one that is there. Where that is another file under a second name it gets one of its own:
/// what the other name stands for is not ours.
///
/// # Errors
/// As [`make_as`].
pub(crate) fn make(path: &Path) -> io::Result<File> {
    let options = || {
        let mut options = File::options();
        options.read(true).write(true);
        options
    };
    let file = make_as(options().create(true).truncate(false), path)?;
    if !has_other_names(&file)? {
        file.set_len(0)?;
        return Ok(file);
    }
    fs::remove_file(path)?;
    make_as(options().create_new(true), path)
}

/// Whether a file can be reached by another name, too.
pub(crate) fn has_other_names(file: &File) -> io::Result<bool> {
    Ok(file.metadata()?.nlink() > 1)
}

/// As [`open_as`], for a file that may be made or emptied: never one that a link leads to.
///
/// # Errors
/// As [`open`]; also when there is a link.
pub(crate) fn make_as(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    open_with(options, path, OFlags::NOFOLLOW)
}

fn open_with(options: &mut OpenOptions, path: &Path, flags: OFlags) -> io::Result<File> {
    // It has no meaning for regular files, and keeps everything else from waiting.
    let flags = i32::try_from((flags | OFlags::NONBLOCK).bits()).map_err(io::Error::other)?;
    let file = options.custom_flags(flags).open(path)?;
    if file.metadata()?.is_file() {
        return Ok(file);
    }
    Err(io::Error::new(io::ErrorKind::InvalidInput, format!("{} is no regular file", path.display())))
}
