//! The walls of bubblewrap, as arguments. Paths inside are the paths outside, so what an agent prints is true here.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::fd::RawFd;
use std::path::{Component, Path, PathBuf};

use crate::layout::{ARTIFACTS, HOME, INBOX, Plan, TMP, WORK};

/// Bounds what can be put in memory through each of `/tmp`, `/var/tmp` and `/dev/shm`; programs that follow `TMPDIR` write to
/// disk.
const TMP_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// What hides a folder holds nothing.
const HIDING_BYTES_MAX: u64 = 4096;
/// Sockets in `/run` reach the whole machine, so it is hidden but for what name resolution and NixOS need.
pub(super) const RUN_KEPT: [&str; 6] = [
    "/run/systemd/resolve",
    "/run/resolvconf",
    "/run/NetworkManager/resolv.conf",
    "/run/current-system",
    "/run/opengl-driver",
    "/run/wrappers",
];

/// What is seen at a path. For one path the later kind wins.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Seen {
    /// A link to what is seen elsewhere, where the link itself is hidden.
    Link(PathBuf),
    /// An empty folder.
    Empty { bytes_max: u64 },
    /// An empty file.
    EmptyFile,
    /// What is there outside, read-only; or what is at another path.
    Read(PathBuf),
    /// What is there outside.
    Write,
}

/// The arguments up to the command; `report` is the descriptor bubblewrap reports on.
pub(super) fn arguments(plan: &Plan, outbox: &Path, report: RawFd) -> Vec<OsString> {
    let mut list: Vec<OsString> = Vec::with_capacity(128);
    let mut push = |arguments: &[&str]| list.extend(arguments.iter().map(OsString::from));
    push(&["--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"]);
    if !plan.network {
        push(&["--unshare-net"]);
    }
    push(&["--die-with-parent", "--new-session", "--cap-drop", "ALL", "--json-status-fd", &report.to_string()]);
    push(&["--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc"]);
    // Sorted, a folder comes before what is in it, so what is nested shows through.
    for (path, seen) in needed(view(plan, outbox)) {
        let words: &[OsString] = &match seen {
            Seen::Link(target) => vec!["--symlink".into(), target.into()],
            Seen::Empty { bytes_max } => {
                vec!["--perms".into(), "1777".into(), "--size".into(), bytes_max.to_string().into(), "--tmpfs".into()]
            }
            Seen::EmptyFile => vec!["--ro-bind".into(), "/dev/null".into()],
            Seen::Read(source) => vec!["--ro-bind".into(), source.into()],
            Seen::Write => vec!["--bind".into(), path.clone().into()],
        };
        list.extend_from_slice(words);
        list.push(path.into());
    }
    // Else files there would take memory nobody counts.
    list.extend(["--remount-ro".into(), "/dev".into()]);
    list.extend(["--chdir".into(), plan.folder.join(WORK).into()]);
    list
}

fn view(plan: &Plan, outbox: &Path) -> BTreeMap<PathBuf, Seen> {
    let mut view = BTreeMap::new();
    let mut see = |path: PathBuf, seen: Seen| {
        let entry = view.entry(path).or_insert_with(|| seen.clone());
        *entry = seen.max(entry.clone());
    };
    for path in [Path::new("/tmp"), Path::new("/var/tmp"), Path::new("/dev/shm")] {
        see(path.to_owned(), Seen::Empty { bytes_max: TMP_BYTES_MAX });
    }
    let root = plan.folder.parent().unwrap_or(&plan.folder);
    for path in plan.hide.iter().map(PathBuf::as_path).chain([Path::new("/run"), root]) {
        // Asked now, not when the sandbox was made: it may have appeared since.
        let Ok(path) = path.canonicalize() else { continue };
        let seen = if path.is_dir() { Seen::Empty { bytes_max: HIDING_BYTES_MAX } } else { Seen::EmptyFile };
        see(path, seen);
    }
    // What may be read is seen also where everything else is hidden, as in `/tmp`.
    let shown = plan.read_only.iter().chain(&plan.read).map(PathBuf::as_path);
    for path in RUN_KEPT.iter().map(Path::new).chain(shown) {
        let Ok(real) = path.canonicalize() else { continue };
        if !path.components().any(|part| part == Component::ParentDir) && real != path {
            see(path.to_owned(), Seen::Link(real.clone()));
        }
        see(real.clone(), Seen::Read(real));
    }
    let home = plan.folder.join(HOME);
    for link in plan.home_links.iter().filter(|link| link.source.exists()) {
        see(home.join(&link.target), Seen::Read(link.source.clone()));
    }
    see(plan.folder.join(INBOX), Seen::Read(plan.folder.join(INBOX)));
    for path in [WORK, HOME, TMP, ARTIFACTS].map(|name| plan.folder.join(name)).into_iter().chain([outbox.to_owned()]) {
        see(path, Seen::Write);
    }
    view
}

/// The view without what would be seen anyway: everything outside is read-only already, and each bind costs.
fn needed(view: BTreeMap<PathBuf, Seen>) -> BTreeMap<PathBuf, Seen> {
    let mut needed: BTreeMap<PathBuf, Seen> = BTreeMap::new();
    for (path, seen) in view {
        let around = path.ancestors().skip(1).find_map(|folder| Some((folder, needed.get(folder)?)));
        let is_seen_anyway = match (&seen, around) {
            (Seen::Read(source), None) => *source == path,
            (Seen::Read(source), Some((folder, Seen::Read(shown)))) => *source == path && shown == folder,
            // What is hidden already need not be hidden again, and a link is missed only there.
            (Seen::Empty { .. } | Seen::EmptyFile, Some((_, Seen::Empty { .. }))) => true,
            (Seen::Link(_), around) => !matches!(around, Some((_, Seen::Empty { .. }))),
            _ => false,
        };
        if !is_seen_anyway {
            needed.insert(path, seen);
        }
    }
    needed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(given: &[(&str, Seen)], then: &[&str]) {
        let view = given.iter().map(|(path, seen)| (PathBuf::from(path), seen.clone())).collect();
        let needed: Vec<PathBuf> = needed(view).into_keys().collect();
        assert_eq!(needed, then.iter().map(PathBuf::from).collect::<Vec<_>>());
    }

    fn read(path: &str) -> Seen {
        Seen::Read(PathBuf::from(path))
    }

    const HIDDEN: Seen = Seen::Empty { bytes_max: 1 };

    #[test]
    fn what_is_readable_anyway_is_not_bound_again() {
        check(&[("/usr", read("/usr")), ("/usr/bin", read("/usr/bin"))], &[]);
    }

    #[test]
    fn what_is_hidden_around_it_is_bound() {
        let given =
            [("/data", HIDDEN), ("/data/git", read("/data/git")), ("/data/git/objects", read("/data/git/objects"))];
        check(&given, &["/data", "/data/git"]);
    }

    #[test]
    fn what_is_hidden_in_something_readable_stays_hidden() {
        let given =
            [("/home/a", read("/home/a")), ("/home/a/.ssh", HIDDEN), ("/home/a/.ssh/pub", read("/home/a/.ssh/pub"))];
        check(&given, &["/home/a/.ssh", "/home/a/.ssh/pub"]);
    }

    #[test]
    fn what_is_hidden_already_is_not_hidden_again() {
        let given = [("/home", HIDDEN), ("/home/a", HIDDEN), ("/home/a/.env", Seen::EmptyFile), ("/root", HIDDEN)];
        check(&given, &["/home", "/root"]);
    }

    #[test]
    fn a_link_is_made_only_where_it_is_hidden() {
        let link = || Seen::Link(PathBuf::from("/data/go"));
        let given =
            [("/home", HIDDEN), ("/home/a/go", link()), ("/home/a/go/bin", link()), ("/home/b", read("/home/b"))];
        check(&given, &["/home", "/home/a/go", "/home/b"]);
        check(&[("/u/go", link()), ("/u/go/bin", link())], &[]);
    }

    #[test]
    fn what_comes_from_elsewhere_or_would_be_writable_is_bound() {
        let given = [("/work", Seen::Write), ("/work/fixed", read("/work/fixed")), ("/z", read("/elsewhere"))];
        check(&given, &["/work", "/work/fixed", "/z"]);
    }
}
