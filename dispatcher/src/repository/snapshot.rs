//! A commit of changes nobody committed. The user's repository is only read: index, objects and commit are made beside
//! it, and the one pack that results lands in our mirror.

use std::fs;
use std::io;
use std::path::Path;

use super::error::Error;
use super::git::{Git, SLOW};
use super::mirror::Mirror;
use super::resolve::Opened;
use super::status::{Change, ToIndex};
use super::{EMAIL, NAME, on_disk};

const MESSAGE: &str = "Uncommitted changes\n\nAs they lay in the work tree when the run was requested.\n";

/// Makes the commit on top of what is checked out and gives its name.
pub(super) async fn make(mirror: &Mirror, opened: &Opened, changes: &[Change], at_ms: u64) -> Result<String, Error> {
    let Some(head) = &opened.head else { return Err(Error::NoCommits { path: opened.top.clone() }) };
    mirror.bring(head).await?;
    let (places, from) = (mirror.places(), opened.git_dir.join("index"));
    let scratch = on_disk("include uncommitted changes", move || {
        let scratch = places.unfinished(&places.mirrors)?;
        fs::create_dir(scratch.path.join("objects"))?;
        copy_index(&from, &scratch.path.join("index"))?;
        Ok(scratch)
    })
    .await?;
    let git = || {
        let alternates = [opened.objects.as_path(), &mirror.objects()].map(quoted).join(":");
        Git::users(&opened.top, "include uncommitted changes")
            .env("GIT_INDEX_FILE", scratch.path.join("index"))
            .env("GIT_OBJECT_DIRECTORY", scratch.path.join("objects"))
            .env("GIT_ALTERNATE_OBJECT_DIRECTORIES", alternates)
            .signed(NAME, EMAIL, at_ms)
            .deadline(SLOW)
    };
    let removed = paths(changes, ToIndex::Remove);
    if !removed.is_empty() {
        git().args(["update-index", "-z", "--force-remove", "--stdin"]).stdin(removed).output().await?;
    }
    let taken = paths(changes, ToIndex::Take);
    if !taken.is_empty() {
        git().args(["update-index", "-z", "--add", "--remove", "--replace", "--stdin"]).stdin(taken).output().await?;
    }
    let tree = git().args(["write-tree"]).object().await?;
    let commit = git().args(["commit-tree", "-p", head, &tree]).stdin(MESSAGE.into()).object().await?;
    // A pack appears whole or not at all, and holds also what was staged and so is nowhere but in the user's repository.
    let pack = mirror.objects().join("pack").join("pack");
    let wanted = format!("{commit}\n^{head}\n").into_bytes();
    let pack_objects = git().args(["pack-objects", "-q", "--revs", "--delta-base-offset"]).args([pack]);
    pack_objects.stdin(wanted).output().await?;
    Ok(commit)
}

fn paths(changes: &[Change], index: ToIndex) -> Vec<u8> {
    let chosen = changes.iter().filter(|change| change.index == index);
    chosen.flat_map(|change| change.path.iter().copied().chain([0])).collect()
}

/// Copies the index with its time, by which git knows which entries were too fresh to trust.
fn copy_index(from: &Path, to: &Path) -> io::Result<()> {
    let modified = match fs::metadata(from) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other?.modified()?,
    };
    fs::copy(from, to)?;
    fs::File::options().write(true).open(to)?.set_modified(modified)
}

/// A path as git reads it in a list separated by colons.
fn quoted(path: &Path) -> String {
    let escaped = path.to_string_lossy().replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{escaped}\"")
}
