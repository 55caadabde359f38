//! What is shown in the home of a sandbox: small files of this machine, sent over the connection and kept in the container's
//! memory, never on its disk and never in the engine's records.

use std::path::{Path, PathBuf};

use super::Inner;
use crate::inside::wire::{Call, Shown};
use crate::provider::{Error, Spec};

/// Files shown at most.
const FILES_MAX: usize = 256;
/// Bytes of all of them; the memory they are kept in is not larger.
pub(super) const BYTES_MAX: usize = 4 << 20;

/// Shows what the spec says, once more after a crash too: what is there stays.
pub(super) async fn show(inner: &Inner, spec: &Spec) -> Result<(), Error> {
    if spec.home_links.is_empty() {
        return Ok(());
    }
    let links = spec.home_links.clone();
    let read = move || {
        let (mut files, mut contents) = (Vec::new(), Vec::new());
        for link in &links {
            gather(&link.source, link.target.clone(), &mut files, &mut contents)?;
        }
        Ok::<_, std::io::Error>((files, contents))
    };
    let read = tokio::task::spawn_blocking(read).await.map_err(std::io::Error::other).and_then(|read| read);
    let (files, contents) =
        read.map_err(|source| Error::Transient { action: "read what is shown in the home".to_owned(), source })?;
    if files.is_empty() {
        return Ok(());
    }
    inner.ask(&spec.key, &Call::Show { files }, &contents).await.map(drop)
}

/// A file, or every file below a folder. What does not exist is skipped.
fn gather(source: &Path, target: PathBuf, files: &mut Vec<Shown>, contents: &mut Vec<u8>) -> std::io::Result<()> {
    let Ok(metadata) = std::fs::metadata(source) else { return Ok(()) };
    if metadata.is_dir() {
        for entry in std::fs::read_dir(source)? {
            let entry = entry?;
            // Links within a folder lead anywhere.
            if !entry.file_type()?.is_symlink() {
                gather(&entry.path(), target.join(entry.file_name()), files, contents)?;
            }
        }
        return Ok(());
    }
    let Some(target) = target.to_str().filter(|_| metadata.is_file()) else { return Ok(()) };
    let content = std::fs::read(source)?;
    if files.len() == FILES_MAX || contents.len() + content.len() > BYTES_MAX {
        let reason = format!("{} is too much to show in a container", source.display());
        return Err(std::io::Error::other(format!("{reason}: at most {FILES_MAX} files of {BYTES_MAX} bytes")));
    }
    files.push(Shown { target: target.to_owned(), bytes: content.len() });
    contents.extend(content);
    Ok(())
}
