//! Repositories, with the real git program in temporary folders.

mod collect;
mod deliver;
mod demo;
mod hostile;
mod resolve;
mod seed;
mod trees;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use regatta_core::RunId;
use regatta_core::event::attempt::{DiffStat, FileChange};
use regatta_dispatcher::Uncommitted;
use regatta_dispatcher::repository::{
    Base, Delivery, Error, Mirror, NUMSTAT_FILE, PATCH_FILE, Repositories, collect_exec, collect_failure, parse_numstat,
};
use regatta_sandboxes::Exit;

/// The time every test commits at.
const AT_MS: u64 = 1_700_000_000_000;

/// A temporary folder with a user's repository in `user` and our folders in `data`.
struct World {
    folder: tempfile::TempDir,
    repositories: Repositories,
}

/// An attempt's copy of a seed.
struct Workspace {
    path: PathBuf,
    outbox: PathBuf,
    home: PathBuf,
    objects: PathBuf,
    base_commit: String,
}

/// What was collected.
#[derive(Debug)]
struct Collected {
    patch: Vec<u8>,
    stat: DiffStat,
    files: Vec<FileChange>,
}

impl World {
    /// A repository with no commits.
    fn new() -> Self {
        Self::with(&["init", "-q", "-b", "main"])
    }

    /// A repository with one commit: `README.md` and `src/lib.txt`.
    fn small() -> Self {
        let world = Self::new();
        world.write("README.md", b"# small\n");
        world.write("src/lib.txt", b"one\ntwo\nthree\n");
        world.commit("first");
        world
    }

    fn with(init: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("folder");
        let user = folder.path().join("user");
        fs::create_dir(&user).expect("folder");
        git(&user, init);
        let repositories = Repositories::open(&folder.path().join("data")).expect("opens");
        Self { folder, repositories }
    }

    fn user(&self) -> PathBuf {
        self.folder.path().canonicalize().expect("path").join("user")
    }

    fn write(&self, name: &str, content: &[u8]) {
        write(&self.user(), name, content);
    }

    fn commit(&self, message: &str) -> String {
        git(&self.user(), &["add", "-A"]);
        git(&self.user(), &["commit", "-q", "--allow-empty", "-m", message]);
        self.rev("HEAD")
    }

    fn rev(&self, name: &str) -> String {
        git(&self.user(), &["rev-parse", name])
    }

    async fn resolve(&self, base_ref: Option<&str>, uncommitted: Uncommitted) -> Result<Base, Error> {
        self.repositories.resolve(&self.user(), base_ref, uncommitted, AT_MS).await
    }

    fn mirror(&self) -> Mirror {
        self.repositories.mirror(&self.user())
    }

    /// A copy of the seed of what is checked out, as a provider makes it.
    async fn workspace(&self, name: &str) -> Workspace {
        let commit = self.rev("HEAD");
        self.workspace_of(name, &commit).await
    }

    async fn workspace_of(&self, name: &str, commit: &str) -> Workspace {
        let mirror = self.mirror();
        mirror.ensure(commit, run()).await.expect("ensures");
        let seed = mirror.seed(commit).await.expect("seed");
        let folder = self.folder.path().join(name);
        let (path, outbox, home) = (folder.join("work"), folder.join("out"), folder.join("home"));
        for made in [&outbox, &home] {
            fs::create_dir_all(made).expect("folder");
        }
        ok(Command::new("cp").arg("-a").arg(&seed.path).arg(&path));
        Workspace { path, outbox, home, objects: mirror.objects(), base_commit: commit.to_owned() }
    }

    /// Delivers what was collected and gives the content of the branch.
    async fn delivered(&self, workspace: &Workspace, collected: &Collected) -> Tree {
        let delivery = Delivery {
            base_commit: &workspace.base_commit,
            patch: &collected.patch,
            branch: "regatta/0000000a/a",
            message: "an attempt",
            at_ms: AT_MS,
        };
        let commit = self.mirror().deliver(delivery).await.expect("delivers");
        tree_of(&self.user(), &commit)
    }
}

impl Workspace {
    fn write(&self, name: &str, content: &[u8]) {
        write(&self.path, name, content);
    }

    /// Runs a command as the agent would, with a private home.
    fn agent(&self, program: &str, args: &[&str]) -> Output {
        let mut command = Command::new(program);
        command.args(args).current_dir(&self.path).env_clear().env("PATH", path()).env("HOME", &self.home);
        ok(&mut command)
    }

    /// Runs the collecting command as a provider would, and gives how it ended and what it complained about.
    fn run_collect(&self) -> (Exit, Vec<u8>) {
        let exec = collect_exec(&self.objects, &self.base_commit);
        let (program, args) = exec.argv.split_first().expect("a program");
        let output = Command::new(program)
            .args(args)
            .current_dir(&self.path)
            .env_clear()
            .env("PATH", path())
            .env("HOME", &self.home)
            .env("REGATTA_WORKSPACE", &self.path)
            .env("REGATTA_OUTBOX", &self.outbox)
            .envs(&exec.env)
            .output()
            .expect("runs");
        assert_eq!(String::from_utf8_lossy(&output.stdout), "", "collecting prints nothing");
        (Exit::Code(output.status.code().expect("a code")), output.stderr)
    }

    fn collect(&self) -> Collected {
        let (exit, complaints) = self.run_collect();
        assert_eq!(collect_failure(&exit, &complaints), None);
        let read = |name| fs::read(self.outbox.join(name)).expect("collected");
        let (stat, files) = parse_numstat(&read(NUMSTAT_FILE)).expect("parses");
        assert_eq!(fs::read_dir(&self.outbox).expect("outbox").count(), 2, "nothing else is left in the outbox");
        Collected { patch: read(PATCH_FILE), stat, files }
    }
}

impl Collected {
    fn paths(&self) -> Vec<&str> {
        self.files.iter().map(|file| file.path.as_str()).collect()
    }
}

/// Mode and content by path.
type Tree = BTreeMap<Vec<u8>, (u32, Vec<u8>)>;

/// The files of a commit.
fn tree_of(repository: &Path, commit: &str) -> Tree {
    let listed = ok(command("git").current_dir(repository).args(["ls-tree", "-r", "-z", commit])).stdout;
    let mut tree = Tree::new();
    for record in listed.split(|byte| *byte == 0).filter(|record| !record.is_empty()) {
        let tab = record.iter().position(|byte| *byte == b'\t').expect("a tab");
        let fields: Vec<&str> = str::from_utf8(&record[..tab]).expect("ascii").split(' ').collect();
        let content = match fields[1] {
            "blob" => ok(command("git").current_dir(repository).args(["cat-file", "blob", fields[2]])).stdout,
            _ => fields[2].as_bytes().to_vec(),
        };
        tree.insert(record[tab + 1..].to_vec(), (u32::from_str_radix(fields[0], 8).expect("octal"), content));
    }
    tree
}

/// The files of a work tree, as git would keep them. Leaves out every `.git`.
fn tree_at(folder: &Path) -> Tree {
    let mut tree = Tree::new();
    for (path, found) in fingerprint(folder) {
        let name = path.strip_prefix(folder).expect("inside");
        if name.components().any(|part| part.as_os_str() == ".git") || found.mode & 0o170_000 == 0o040_000 {
            continue;
        }
        let mode = match found.mode & 0o170_000 {
            0o120_000 => 0o120_000,
            _ if found.mode & 0o100 != 0 => 0o100_755,
            _ => 0o100_644,
        };
        tree.insert(name.as_os_str().as_bytes().to_vec(), (mode, found.content));
    }
    tree
}

/// Everything about a file that a careful user could see.
#[derive(Debug, PartialEq, Eq)]
struct Found {
    mode: u32,
    modified: (i64, i64),
    content: Vec<u8>,
}

fn fingerprint(folder: &Path) -> BTreeMap<PathBuf, Found> {
    let mut all = BTreeMap::new();
    let mut left = vec![folder.to_owned()];
    while let Some(path) = left.pop() {
        let found = fs::symlink_metadata(&path).expect("exists");
        let content = if found.is_dir() {
            left.extend(fs::read_dir(&path).expect("lists").map(|entry| entry.expect("entry").path()));
            Vec::new()
        } else if found.is_symlink() {
            fs::read_link(&path).expect("link").as_os_str().as_bytes().to_vec()
        } else {
            fs::read(&path).expect("reads")
        };
        // Git renews the time of an object it finds again, so that nobody prunes it; its bytes stay.
        let is_object = found.is_file() && path.components().any(|part| part.as_os_str() == "objects");
        let modified = if is_object { (0, 0) } else { (found.mtime(), found.mtime_nsec()) };
        all.insert(path, Found { mode: found.mode(), modified, content });
    }
    all
}

/// Checks that nothing was added, removed, rewritten or touched.
#[track_caller]
fn check_same(before: &BTreeMap<PathBuf, Found>, folder: &Path) {
    let after = fingerprint(folder);
    let paths: std::collections::BTreeSet<&PathBuf> = before.keys().chain(after.keys()).collect();
    let changed: Vec<&&PathBuf> = paths.iter().filter(|path| before.get(**path) != after.get(**path)).collect();
    assert!(changed.is_empty(), "{changed:?} changed");
}

fn run() -> RunId {
    RunId::from_bits(10)
}

fn path() -> std::ffi::OsString {
    std::env::var_os("PATH").expect("a PATH")
}

/// A command that sees nobody's git configuration.
fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("PATH", path()).env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
    for who in ["AUTHOR", "COMMITTER"] {
        command.env(format!("GIT_{who}_NAME"), "User").env(format!("GIT_{who}_EMAIL"), "user@example.com");
    }
    command
}

fn ok(command: &mut Command) -> Output {
    let output = command.output().expect("starts");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

fn git(folder: &Path, args: &[&str]) -> String {
    let output = ok(command("git").current_dir(folder).args(args));
    String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
}

fn write(folder: &Path, name: impl AsRef<Path>, content: &[u8]) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().expect("a folder")).expect("folder");
    fs::write(path, content).expect("writes");
}

fn make_executable(path: &Path) {
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("mode");
}
