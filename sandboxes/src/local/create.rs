//! Making sandboxes, finding them, and proving that one was not changed.

use std::collections::BTreeMap;
use std::fs::{DirBuilder, File};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use rustix::fs::{AtFlags, CWD, Mode, Timespec, Timestamps, UTIME_NOW};
use rustix::io::Errno;

use super::destroy::{self, Kind, Rest};
use super::{Inner, transient};
use crate::layout::{self, ARTIFACTS, CREATED, EXECS, HOME, INBOX, Kept, SPEC, TMP, WORK, Walls, is_name};
use crate::provider::{Created, Error, Found, Spec};
use crate::tree;

/// Files put into an inbox.
const INBOX_FILES_MAX: usize = 64;
/// How often the clock of the file system is asked to move on before the proof is given up; a tick is at most 10 ms.
const TICKS_MAX: u32 = 40;
/// Between two such questions.
const TICK: Duration = Duration::from_micros(500);

pub(super) fn create(inner: &Inner, spec: &Spec, walls: Walls, fence: String) -> Result<Created, Error> {
    let folder = inner.folder(&spec.key)?;
    if let Ok(found) = find(inner, &spec.key) {
        return Ok(found);
    }
    check(spec)?;
    let making = format!(".{}.{}.new", spec.key, inner.unique());
    let fresh = inner.options.root.join(&making);
    let fence = match walls {
        // Landlock knows no other protocol yet.
        Walls::Landlock if !spec.network => format!("{fence}, network off for TCP only"),
        Walls::Bubblewrap { .. } | Walls::Landlock | Walls::Container { .. } | Walls::None => fence,
    };
    let kept = Kept {
        owner: spec.owner.clone(),
        walls,
        fence,
        network: spec.network,
        bounds: spec.bounds,
        read_only: spec.read_only.clone(),
        home_links: spec.home_links.clone(),
        term: spec.term,
    };
    let made = make(&fresh, spec, &kept).and_then(|()| std::fs::rename(&fresh, &folder));
    let Err(error) = made else { return Ok(created(&folder, kept.fence)) };
    destroy::remove(&inner.options.root, &making)?;
    // Somebody else may have made it meanwhile.
    match find(inner, &spec.key) {
        Ok(found) => Ok(found),
        Err(_) if error.kind() == io::ErrorKind::Unsupported => {
            Err(Error::Unusable { reason: format!("the seed {} cannot be copied: {error}", spec.seed.display()) })
        }
        Err(_) => Err(transient("make a sandbox", error)),
    }
}

/// The sandbox of that key, as it was made.
pub(super) fn find(inner: &Inner, key: &str) -> Result<Created, Error> {
    Ok(created(&inner.folder(key)?, inner.kept(key)?.fence))
}

fn created(folder: &Path, fence: String) -> Created {
    let inside = |name| folder.join(name).to_string_lossy().into_owned();
    Created { fence, workspace: inside(WORK), inbox: inside(INBOX), is_warm: false }
}

pub(crate) fn check(spec: &Spec) -> Result<(), Error> {
    if !spec.seed.is_dir() {
        return Err(Error::Missing(format!("the folder {}", spec.seed.display())));
    }
    if spec.inbox.len() > INBOX_FILES_MAX {
        return Err(Error::Unusable { reason: format!("an inbox takes at most {INBOX_FILES_MAX} files") });
    }
    for file in &spec.inbox {
        if !is_plain(&file.name) {
            return Err(Error::Unusable { reason: format!("`{}` is no plain file name", file.name) });
        }
    }
    for link in &spec.home_links {
        let stays = link.target.components().all(|part| matches!(part, std::path::Component::Normal(_)));
        if !stays || link.target.as_os_str().is_empty() || !link.source.is_absolute() {
            let reason = format!("{} cannot be shown in the home: use a path below it", link.target.display());
            return Err(Error::Unusable { reason });
        }
    }
    Ok(())
}

/// Whether a name is that of a file in a folder and nothing more.
pub(crate) fn is_plain(name: &str) -> bool {
    !matches!(name, "" | "." | "..") && !name.contains(['/', '\0'])
}

fn make(fresh: &Path, spec: &Spec, kept: &Kept) -> io::Result<()> {
    private().create(fresh)?;
    // First, so that whoever finds the folder knows whose it is.
    write_new(&fresh.join(SPEC), &serde_json::to_vec(kept)?, 0o600)?;
    for name in [HOME, TMP, ARTIFACTS, INBOX, EXECS] {
        private().create(fresh.join(name))?;
    }
    // The copy tells by it what this process masks; nobody gets past the folder it is in.
    DirBuilder::new().mode(0o777).create(fresh.join(WORK))?;
    for file in &spec.inbox {
        write_new(&fresh.join(INBOX).join(&file.name), &file.content, 0o400)?;
    }
    if !matches!(kept.walls, Walls::Bubblewrap { .. }) {
        link_home(&fresh.join(HOME), spec)?;
    }
    let work = tree::open(&fresh.join(WORK))?;
    tree::copy(tree::open(&spec.seed)?.as_fd(), work.as_fd())?;
    rustix::fs::fchmod(&work, Mode::RWXU)?;
    stamp(&fresh.join(WORK), &fresh.join(CREATED))
}

/// Without a mount of its own a command sees files of the machine through links.
fn link_home(home: &Path, spec: &Spec) -> io::Result<()> {
    for link in spec.home_links.iter().filter(|link| link.source.exists()) {
        let target = home.join(&link.target);
        if let Some(parent) = target.parent() {
            private().recursive(true).create(parent)?;
        }
        match std::os::unix::fs::symlink(&link.source, &target) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}

fn private() -> DirBuilder {
    let mut builder = DirBuilder::new();
    builder.mode(0o700);
    builder
}

fn write_new(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    File::options().write(true).create_new(true).mode(mode).open(path)?.write_all(content)
}

/// Makes the stamp: a file whose change time is later than that of everything copied before, and not later than that of
/// anything changed from now on. The clock of the file system may tick slowly, so it is asked until it has moved on.
///
/// The folder itself was changed last by the copy, so being later than it is being later than all.
fn stamp(work: &Path, stamp: &Path) -> io::Result<()> {
    let copied = tree::changed_at(&rustix::fs::stat(work)?);
    let file = File::options().write(true).create_new(true).mode(0o600).open(stamp)?;
    let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
    for tick in 0..TICKS_MAX {
        // On kernels with fine change times, having looked makes the next one exact, without waiting.
        if tree::changed_at(&rustix::fs::fstat(&file)?) > copied {
            return Ok(());
        }
        if tick > 0 {
            std::thread::sleep(TICK);
        }
        rustix::fs::futimens(&file, &Timestamps { last_access: now, last_modification: now })?;
    }
    // A clock that stands still proves nothing later; the sandbox is as good.
    Ok(())
}

/// Makes the stamp of a sandbox whose files were put there by somebody else.
pub(super) fn stamp_once(inner: &Inner, key: &str) -> Result<(), Error> {
    let folder = inner.folder(key)?;
    match stamp(&folder.join(WORK), &folder.join(CREATED)) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(transient("stamp a sandbox", error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Whether nothing in the workspace was changed since the stamp.
///
/// `.git` at its top is left out: it holds no file of the workspace, and looking at it changes it.
pub(super) fn untouched(inner: &Inner, key: &str) -> Result<bool, Error> {
    let folder = inner.folder(key)?;
    let changed = || -> io::Result<bool> {
        let stamp = rustix::fs::statat(CWD, folder.join(CREATED), AtFlags::SYMLINK_NOFOLLOW)?;
        let work = tree::open_in(tree::open(&folder)?, c"work")?;
        tree::changed_since(work.as_fd(), tree::changed_at(&stamp), c".git")
    };
    match changed() {
        Ok(changed) => Ok(!changed),
        Err(error) if error.raw_os_error() == Some(Errno::NOENT.raw_os_error()) => inner.kept(key).map(|_| false),
        // What cannot be read is not proved.
        Err(_) => Ok(false),
    }
}

/// The sandboxes of an owner, also those of which only a rest is there: a sandbox is gone once nothing is left of it.
/// Folders that are not ours are left alone.
pub(super) fn list(inner: &Inner, owner: &str) -> Result<Vec<Found>, Error> {
    let read = |source| transient("list sandboxes", source);
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(&inner.options.root).map_err(read)? {
        let name = entry.map_err(read)?.file_name();
        let Some(name) = name.to_str() else { continue };
        let (key, rest) = match Rest::of(name) {
            Some(rest) => (rest.key, Some(rest.kind)),
            None if is_name(name) => (name, None),
            None => continue,
        };
        let folder = inner.options.root.join(name);
        let is_owned = match (rest, layout::json::<Kept>(&folder.join(SPEC))) {
            // What it was is gone first, or never was in it; who removes it removes it for everybody.
            (Some(Kind::Part), _) | (Some(Kind::Trash), Err(_)) => true,
            (_, Ok(kept)) => kept.owner == owner,
            // It may be going away, be no sandbox, or somebody has just begun it.
            (None | Some(Kind::New), Err(_)) => false,
        };
        if !is_owned || (rest.is_some() && inner.options.root.join(key).exists()) {
            continue;
        }
        let made = std::fs::metadata(folder.join(CREATED)).or_else(|_| std::fs::metadata(&folder));
        let modified = made.and_then(|metadata| metadata.modified());
        let age = modified.ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
        let created_at_ms = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
        let key = key.to_owned();
        found.insert(key.clone(), Found { key, created_at_ms, disk_bytes: None, rent_usd_micros_per_hour: None });
    }
    Ok(found.into_values().collect())
}
