//! How much room each part of the data directory takes. Only looks; what of it may go is said elsewhere.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use regatta_core::cleaning::FOLDER;
use regatta_core::{AttemptId, SandboxKey};
use regatta_http::premises::{DiskPart, DiskSort, Measured};

use super::folder::{BLOBS, SANDBOXES};

/// A file as the disk knows it: one that has several names takes room once.
type Inode = (u64, u64);

/// Measures a data directory. What vanishes meanwhile, or cannot be looked into, does not count.
pub(super) fn measure(data_dir: &Path) -> std::io::Result<Measured> {
    let space = rustix::fs::statvfs(data_dir)?;
    let mut seen = HashSet::new();
    let mut sizes: BTreeMap<DiskSort, u64> = BTreeMap::new();
    let mut workspaces = BTreeMap::new();
    for entry in fs::read_dir(data_dir)?.filter_map(Result::ok) {
        let name = entry.file_name();
        let sort = match name.to_str().unwrap_or_default() {
            "journal" => DiskSort::Log,
            "index" | "snapshots" => DiskSort::Index,
            BLOBS => DiskSort::Unnamed,
            FOLDER => DiskSort::Archives,
            SANDBOXES => DiskSort::Workspaces,
            "repositories" => DiskSort::Mirrors,
            "seeds" => DiskSort::Seeds,
            _ => DiskSort::Other,
        };
        let bytes = match sort {
            DiskSort::Workspaces => sandboxes(&entry.path(), &mut seen, &mut workspaces),
            // As they are named, in bytes and not in blocks, so that those of attempts add up to it.
            DiskSort::Unnamed => below(&entry.path(), &mut |found| found.is_file().then_some(found.len())),
            DiskSort::Log
            | DiskSort::Index
            | DiskSort::Patches
            | DiskSort::Artifacts
            | DiskSort::Prompts
            | DiskSort::Archives
            | DiskSort::Mirrors
            | DiskSort::Seeds
            | DiskSort::Other => taken(&entry.path(), &mut seen),
        };
        *sizes.entry(sort).or_default() += bytes;
    }
    Ok(Measured {
        folder: data_dir.display().to_string(),
        total_bytes: space.f_blocks.saturating_mul(space.f_frsize),
        free_bytes: space.f_bavail.saturating_mul(space.f_frsize),
        parts: sizes.into_iter().map(|(sort, bytes)| DiskPart { sort, bytes }).collect(),
        workspaces,
    })
}

/// Measures every sandbox, and tells whose it is.
fn sandboxes(root: &Path, seen: &mut HashSet<Inode>, workspaces: &mut BTreeMap<AttemptId, u64>) -> u64 {
    let within = |folder: &Path| fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    let mut all = 0;
    for sandbox in within(root).flat_map(|provider| within(&provider.path())) {
        let bytes = taken(&sandbox.path(), seen);
        all += bytes;
        if let Some(key) = sandbox.file_name().to_str().and_then(|name| name.parse::<SandboxKey>().ok()) {
            *workspaces.entry(key.attempt).or_default() += bytes;
        }
    }
    all
}

/// Bytes of disk a folder takes, each file once.
fn taken(path: &Path, seen: &mut HashSet<Inode>) -> u64 {
    below(path, &mut |found| {
        let is_new = found.nlink() < 2 || found.is_dir() || seen.insert((found.dev(), found.ino()));
        // The unit is 512 bytes whatever the file system.
        is_new.then(|| found.blocks().saturating_mul(512))
    })
}

/// The sum over everything below; links are not followed.
fn below(path: &Path, size: &mut dyn FnMut(&fs::Metadata) -> Option<u64>) -> u64 {
    let mut waiting: Vec<PathBuf> = vec![path.to_owned()];
    let mut bytes = 0_u64;
    while let Some(path) = waiting.pop() {
        let Ok(found) = path.symlink_metadata() else { continue };
        bytes = bytes.saturating_add(size(&found).unwrap_or(0));
        if found.is_dir() {
            waiting.extend(fs::read_dir(&path).into_iter().flatten().filter_map(Result::ok).map(|entry| entry.path()));
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_is_told_and_what_has_two_names_counts_once() {
        let folder = tempfile::tempdir().expect("folder");
        let data = folder.path();
        let sandbox = data.join("sandboxes/local/regatta-abcd-7q2k9x0m-b-1/work");
        for made in ["blobs/ab", "seeds", "cleaned", "vault"].map(|name| data.join(name)).iter().chain([&sandbox]) {
            fs::create_dir_all(made).expect("folder");
        }
        fs::write(data.join("blobs/ab/ab01"), vec![1; 10_000]).expect("blob");
        fs::write(sandbox.join("file"), vec![1; 20_000]).expect("file");
        fs::write(data.join("seeds/pack"), vec![1; 30_000]).expect("pack");
        fs::hard_link(data.join("seeds/pack"), data.join("seeds/again")).expect("link");
        std::os::unix::fs::symlink("/usr", data.join("seeds/elsewhere")).expect("link");
        let measured = measure(data).expect("measured");
        let of = |sort: DiskSort| {
            let part = measured.parts.iter().find(|part| part.sort == sort);
            part.map(|part| part.bytes).expect("a part")
        };
        assert_eq!(of(DiskSort::Unnamed), 10_000);
        assert!((30_000..60_000).contains(&of(DiskSort::Seeds)), "{}", of(DiskSort::Seeds));
        let workspace = measured.workspaces.get(&"7q2k9x0m.b".parse().expect("attempt")).copied();
        assert_eq!(workspace, Some(of(DiskSort::Workspaces)));
        assert!(workspace >= Some(20_000) && measured.free_bytes <= measured.total_bytes);
        assert!(measure(&data.join("nowhere")).is_err());
    }
}
