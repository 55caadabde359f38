//! A place for sandboxes that is gone after the test, and the words tests are written in.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use regatta_sandboxes::local::{Fence, Options};
use regatta_sandboxes::{Bounds, Ended, Exec, Exit, LocalProvider, Provider, Secrets, Spec, Status, Stdio};

use crate::docker;
use crate::remote::{self, Rented};

/// Longer than any command of these tests takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// Which provider a test is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Sandboxes are folders of this machine, behind that fence.
    Here(Fence),
    /// Sandboxes are containers.
    Docker,
    /// Sandboxes are a vendor's, of which there is a fake.
    E2b,
    /// The same, of another one.
    Daytona,
}

/// Fills the disk a workspace is on to its last block, with programs that are in every image.
pub(crate) const FILL: &str = "cat /dev/zero > big; n=0; while echo x > small$n; do n=$((n+1)); done; true";

/// A full disk has some blocks that are only for itself.
pub(crate) const FEW_BLOCKS: u64 = 16;

/// Names the commands a test runs on the side.
static ASIDE: AtomicU32 = AtomicU32::new(0);

pub(crate) struct Place {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) kind: Kind,
    pub(crate) provider: Arc<dyn Provider>,
    /// The fake of a vendor.
    pub(crate) rented: Option<Rented>,
}

impl Place {
    /// `None`, and said so, when that provider does not work here.
    pub(crate) async fn new(kind: Kind) -> Option<Self> {
        Self::in_folder(kind, tempfile::Builder::new().prefix("sandboxes-").tempdir().unwrap()).await
    }

    /// In a folder that no fence hides by itself, where this user may make one.
    pub(crate) async fn in_the_open(kind: Kind) -> Option<Self> {
        let mut folder = tempfile::Builder::new();
        let folder = folder.prefix("sandboxes-").tempdir_in(env!("CARGO_TARGET_TMPDIR"));
        Self::in_folder(kind, folder.or_else(|_| tempfile::tempdir()).unwrap()).await
    }

    async fn in_folder(kind: Kind, folder: tempfile::TempDir) -> Option<Self> {
        let seed = folder.path().join("seed");
        fs::create_dir_all(seed.join("src")).unwrap();
        fs::create_dir_all(seed.join(".git")).unwrap();
        fs::create_dir_all(folder.path().join("secret")).unwrap();
        fs::write(seed.join("README.md"), "hello\n").unwrap();
        fs::write(seed.join("src/main.rs"), "fn main() {}\n").unwrap();
        fs::write(seed.join("run.sh"), "#!/bin/sh\necho ran\n").unwrap();
        fs::set_permissions(seed.join("run.sh"), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        std::os::unix::fs::symlink("src/main.rs", seed.join("link")).unwrap();
        let rented = match kind {
            Kind::Here(_) | Kind::Docker => None,
            Kind::E2b | Kind::Daytona => Some(Rented::start(folder.path(), kind).await?),
        };
        let provider = provider(folder.path(), kind);
        if let Err(error) = provider.probe().await {
            assert!(std::env::var("REGATTA_TEST_REQUIRE").as_deref() != Ok("all"), "{kind:?}: {error}");
            eprintln!("skipped: {kind:?}: {error}");
            return None;
        }
        Some(Self { folder, kind, provider, rented })
    }

    /// The provider as a server that starts again would make it.
    pub(crate) fn again(&self) -> Arc<dyn Provider> {
        provider(self.folder.path(), self.kind)
    }

    /// Whether sandboxes are folders of this machine.
    pub(crate) fn is_here(&self) -> bool {
        matches!(self.kind, Kind::Here(_))
    }

    /// The folder of a sandbox, as seen inside.
    pub(crate) fn inside(&self, key: &str) -> PathBuf {
        match self.kind {
            Kind::Here(_) => self.root().join(key),
            Kind::Docker => "/regatta/sandbox".into(),
            Kind::E2b => "/home/user/regatta".into(),
            Kind::Daytona => "/home/daytona/regatta".into(),
        }
    }

    /// The sandboxes that are there, and whatever else was left of any.
    pub(crate) async fn left(&self) -> Vec<String> {
        match self.kind {
            Kind::Here(_) => {
                let entries = fs::read_dir(self.root()).unwrap();
                entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
            }
            Kind::Docker => docker::left(&docker::scope(self.folder.path())).await,
            Kind::E2b | Kind::Daytona => self.rented.as_ref().map(Rented::keys).unwrap_or_default(),
        }
    }

    /// Runs a command on the side and gives what it printed; it must end well.
    pub(crate) async fn aside(&self, key: &str, argv: &[&str]) -> String {
        let name = format!("aside-{}", ASIDE.fetch_add(1, Ordering::Relaxed));
        let ran = self.ran(key, &exec(&name, argv)).await;
        assert_eq!(ran.ended.exit, Exit::Code(0), "{argv:?}: {ran:?}");
        ran.out
    }

    /// Makes an empty file in a workspace, from inside.
    pub(crate) async fn touch(&self, key: &str, name: &str) {
        self.aside(key, &["touch", name]).await;
    }

    /// Whether there is a file of that name in a workspace.
    pub(crate) async fn has(&self, key: &str, name: &str) -> bool {
        self.aside(key, &["sh", "-c", "[ -e \"$1\" ] && echo yes; true", "sh", name]).await == "yes\n"
    }

    /// Waits until a command inside has made that file.
    pub(crate) async fn until_it_has(&self, key: &str, name: &str) {
        self.aside(key, &["sh", "-c", "while ! [ -e \"$1\" ]; do sleep 0.005; done", "sh", name]).await;
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.folder.path().join("data/sandboxes").canonicalize().unwrap()
    }

    /// A key no other test uses, for looking at the processes of the whole machine.
    pub(crate) fn key(&self, name: &str) -> String {
        let kind: String = format!("{:?}", self.kind).to_lowercase().chars().filter(char::is_ascii_lowercase).collect();
        format!("{name}-{kind}-{}", std::process::id())
    }

    pub(crate) fn spec(&self, key: &str) -> Spec {
        Spec {
            key: key.to_owned(),
            owner: "tests".to_owned(),
            seed: self.folder.path().join("seed"),
            read_only: vec![],
            inbox: vec![],
            home_links: vec![],
            network: true,
            bounds: Bounds { memory_bytes_max: 1 << 30, processes_max: 200, disk_bytes_max: 1 << 30 },
            wish: regatta_sandboxes::Wish::default(),
            term: regatta_sandboxes::Term::default(),
            warm: None,
        }
    }

    /// Makes a sandbox and runs a command in it to its end.
    pub(crate) async fn run(&self, key: &str, script: &str) -> Ran {
        self.provider.create(&self.spec(key)).await.unwrap();
        self.ran(key, &sh("main", script)).await
    }

    /// Runs a command to its end.
    pub(crate) async fn ran(&self, key: &str, exec: &Exec) -> Ran {
        self.provider.start(key, exec).await.unwrap();
        let ended = ended(&*self.provider, key, &exec.name).await;
        let out = all(&*self.provider, key, &exec.name, Stdio::Out).await;
        let err = all(&*self.provider, key, &exec.name, Stdio::Err).await;
        Ran { ended, out: String::from_utf8_lossy(&out).into_owned(), err: String::from_utf8_lossy(&err).into_owned() }
    }
}

/// How long something sleeps, in seconds, that is told apart by that.
pub(crate) fn long() -> String {
    format!("{}", 1_000_000 + u64::from(std::process::id()) * 100 + u64::from(ASIDE.fetch_add(1, Ordering::Relaxed)))
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.kind == Kind::Docker {
            docker::clear(&docker::scope(self.folder.path()));
        }
    }
}

pub(crate) fn provider(folder: &Path, kind: Kind) -> Arc<dyn Provider> {
    match kind {
        Kind::Here(fence) => Arc::new(local(folder, fence)),
        Kind::Docker => Arc::new(docker::provider(folder, regatta_sandboxes::docker::Network::Bridge)),
        Kind::E2b | Kind::Daytona => remote::provider(folder, kind),
    }
}

fn local(folder: &Path, fence: Fence) -> LocalProvider {
    LocalProvider::new(Options {
        root: folder.join("data/sandboxes"),
        runner: PathBuf::from(env!("CARGO_BIN_EXE_regatta-sandbox-runner")),
        fence,
        hide: vec![folder.join("data"), folder.join("secret")],
        read: vec![],
    })
    .unwrap()
}

#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) ended: Ended,
    pub(crate) out: String,
    pub(crate) err: String,
}

pub(crate) fn exec(name: &str, argv: &[&str]) -> Exec {
    Exec {
        name: name.to_owned(),
        argv: argv.iter().map(|word| (*word).to_owned()).collect(),
        env: BTreeMap::new(),
        env_pass: vec![],
        secrets: Secrets::default(),
        timeout_ms: 30_000,
        output_bytes_max: 256 << 20,
    }
}

pub(crate) fn sh(name: &str, script: &str) -> Exec {
    exec(name, &["sh", "-c", script])
}

/// Follows a command to its end, as a server would.
pub(crate) async fn ended(provider: &dyn Provider, key: &str, exec: &str) -> Ended {
    let began = Instant::now();
    loop {
        if let Status::Ended(ended) = provider.status(key, exec).await.unwrap() {
            return ended;
        }
        assert!(began.elapsed() < PATIENCE, "{key}/{exec} does not end");
        provider.changed(key, exec).await;
    }
}

/// Everything a command printed so far, in pieces.
pub(crate) async fn all(provider: &dyn Provider, key: &str, exec: &str, stdio: Stdio) -> Vec<u8> {
    let mut all = Vec::new();
    loop {
        let piece = provider.read(key, exec, stdio, all.len() as u64, 1 << 20).await.unwrap();
        if piece.is_empty() {
            return all;
        }
        all.extend(piece);
    }
}

/// Everything a command prints, read while it runs in pieces of that size.
pub(crate) async fn follow(provider: &dyn Provider, key: &str, exec: &str, stdio: Stdio, piece: usize) -> Vec<u8> {
    let mut all = Vec::new();
    loop {
        let has_ended = matches!(provider.status(key, exec).await.unwrap(), Status::Ended(_));
        let read = provider.read(key, exec, stdio, all.len() as u64, piece).await.unwrap();
        match (read.is_empty(), has_ended) {
            (true, true) => return all,
            (true, false) => provider.changed(key, exec).await,
            (false, _) => all.extend(read),
        }
    }
}

/// Waits until something holds, looking often: for what no file of ours announces.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "never: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Every living process with that word among its arguments.
pub(crate) fn running(word: &str) -> Vec<String> {
    let lines = fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| {
        let line = fs::read_to_string(entry.path().join("cmdline")).ok()?;
        line.split('\0').any(|found| found == word).then_some(line)
    });
    lines.collect()
}

/// Every living process whose environment names the sandbox.
pub(crate) fn processes(key: &str) -> Vec<String> {
    let mark = format!("REGATTA_SANDBOX={key}");
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let environ = fs::read(entry.path().join("environ")).unwrap_or_default();
        if environ.split(|byte| *byte == 0).any(|variable| variable == mark.as_bytes()) {
            found.push(fs::read_to_string(entry.path().join("cmdline")).unwrap_or_default().replace('\0', " "));
        }
    }
    found
}
