//! An engine that stops while commands run, and starts again: one of the test's own, since others use the machine's.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio as Channel};
use std::time::{Duration, Instant};

use regatta_sandboxes::docker::Network;
use regatta_sandboxes::{DockerProvider, Error, Exit, Images, Provider as _, Stdio};

use crate::docker::options;
use crate::mounted::Mounted;
use crate::place::{FEW_BLOCKS, FILL, Kind, Place, all, ended, sh};

/// A runtime of the engine besides its own.
const OTHER: &str = "other";
/// A disk with room for an engine, the image and our program in it, and little more.
const DISK_MEGABYTES: u64 = 256;
/// Longer than an engine takes to start or stop.
const PATIENCE: Duration = Duration::from_secs(60);
/// An image of a few programs of this machine, with the libraries they need.
const IMAGE: &str = r#"
set -e
mkdir -p "$1/image/bin" "$1/image/etc" "$1/image/tmp" "$1/image/var/tmp"
for name in sh cat sleep touch; do cp "$(readlink -f "$(command -v $name)")" "$1/image/bin/$name"; done
for file in "$1"/image/bin/*; do ldd "$file" | grep -o '/[^ ]*'; done | sort -u | while read -r file; do
    mkdir -p "$1/image$(dirname "$file")"; cp -L "$file" "$1/image$file"
done
tar -C "$1/image" -c . | docker -H "$2" import - tests/tiny:1 > /dev/null
"#;

struct Engine {
    process: Option<Child>,
    /// Where it keeps everything, when that is not to be this machine's disk; taken away before the folder it is in.
    disk: Option<Mounted>,
    folder: tempfile::TempDir,
}

impl Engine {
    /// `None`, and said so, where none can be started.
    fn new() -> Option<Self> {
        Self::on(None)
    }

    /// One with a disk of its own of so many megabytes.
    fn on(megabytes: Option<u64>) -> Option<Self> {
        let is_there = Command::new("dockerd").arg("--version").output().is_ok_and(|output| output.status.success());
        if !is_there || !rustix::process::geteuid().is_root() {
            assert!(std::env::var("REGATTA_TEST_REQUIRE").as_deref() != Ok("all"), "no engine can be started");
            eprintln!("skipped: only root can start an engine of its own, with dockerd");
            return None;
        }
        let mut engine = Self { folder: tempfile::tempdir().unwrap(), process: None, disk: None };
        if let Some(megabytes) = megabytes {
            std::fs::create_dir(engine.path("data")).unwrap();
            engine.disk = Some(Mounted::at(&engine.path("data"), megabytes)?);
        }
        engine.start();
        let mut image = Command::new("sh");
        let made = image.args(["-c", IMAGE, "sh"]).arg(engine.folder.path()).arg(engine.host()).status().unwrap();
        assert!(made.success());
        Some(engine)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn host(&self) -> String {
        format!("unix://{}", self.path("socket").display())
    }

    fn start(&mut self) {
        // In a network of its own: an engine without a bridge takes away the one that is there.
        let mut engine = Command::new("unshare");
        engine.args(["--net", "dockerd", "--bridge", "none", "--iptables=false", "--ip-masq=false"]);
        // One more name for the runtime there always is.
        engine.arg("--add-runtime").arg(format!("{OTHER}=runc"));
        engine.arg("--host").arg(self.host());
        for (option, name) in [("--data-root", "data"), ("--exec-root", "exec"), ("--pidfile", "pid")] {
            engine.arg(option).arg(self.path(name));
        }
        let log = std::fs::File::create(self.path("log")).unwrap();
        self.process = Some(engine.stdout(Channel::null()).stderr(log).spawn().unwrap());
        let began = Instant::now();
        while !Command::new("docker").args(["-H", &self.host(), "version"]).output().unwrap().status.success() {
            let log = || std::fs::read_to_string(self.path("log")).unwrap();
            assert!(began.elapsed() < PATIENCE, "it does not start: {}", log());
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let pid = rustix::process::Pid::from_child(&process);
            rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
            process.wait().unwrap();
        }
    }

    /// What makes sandboxes of its only image, with the folder of that place.
    fn provider(&self, place: &Place) -> DockerProvider {
        DockerProvider::new(regatta_sandboxes::docker::Options {
            host: Some(self.host()),
            image: "tests/tiny:1".to_owned(),
            ..options(place.folder.path(), Network::None)
        })
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.stop();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_engine_that_stops_loses_what_ran_and_nothing_else() {
    let Some(mut engine) = Engine::new() else { return };
    // Only for its folder and its words.
    let Some(place) = Place::new(Kind::Here(regatta_sandboxes::local::Fence::None)).await else { return };
    let provider = engine.provider(&place);
    provider.create(&place.spec("a")).await.unwrap();
    provider.start("a", &sh("main", "echo one; touch begun; sleep 1000")).await.unwrap();
    while all(&provider, "a", "main", Stdio::Out).await.is_empty() {
        provider.changed("a", "main").await;
    }
    engine.stop();
    let asked = provider.status("a", "main").await;
    assert!(asked.as_ref().is_err_and(Error::is_transient), "{asked:?}");
    engine.start();
    assert_eq!(ended(&provider, "a", "main").await.exit, Exit::Lost);
    assert_eq!(all(&provider, "a", "main", Stdio::Out).await, b"one\n");
    provider.start("a", &sh("next", "cat begun && echo two")).await.unwrap();
    assert_eq!(ended(&provider, "a", "next").await.exit, Exit::Code(0));
    provider.destroy("a").await.unwrap();
    assert_eq!(provider.list("tests").await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_in_a_container_fails_what_writes_and_costs_neither_output_nor_end() {
    let Some(engine) = Engine::on(Some(DISK_MEGABYTES)) else { return };
    let Some(place) = Place::new(Kind::Here(regatta_sandboxes::local::Fence::None)).await else { return };
    let provider = engine.provider(&place);
    let mut spec = place.spec("a");
    spec.bounds.disk_bytes_max = 4 << 30;
    provider.create(&spec).await.unwrap();
    provider.start("a", &sh("main", &format!("echo begun; {FILL}; echo full"))).await.unwrap();
    assert_eq!(ended(&provider, "a", "main").await.exit, Exit::Code(0));
    assert!(rustix::fs::statvfs(engine.path("data")).unwrap().f_bavail < FEW_BLOCKS);
    assert_eq!(all(&provider, "a", "main", Stdio::Out).await, b"begun\nfull\n");
    provider.destroy("a").await.unwrap();
    assert!(rustix::fs::statvfs(engine.path("data")).unwrap().f_bavail > 0);
}

/// A way to the engine over TCP on this machine, as a tunnel makes one.
fn tunnel(socket: PathBuf) -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    listener.set_nonblocking(true).unwrap();
    let listener = tokio::net::TcpListener::from_std(listener).unwrap();
    tokio::spawn(async move {
        while let Ok((mut one, _)) = listener.accept().await {
            let socket = socket.clone();
            tokio::spawn(async move {
                let Ok(mut other) = tokio::net::UnixStream::connect(socket).await else { return };
                tokio::io::copy_bidirectional(&mut one, &mut other).await.ok();
            });
        }
    });
    format!("tcp://{address}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_engine_elsewhere_is_used_with_the_runtime_that_was_asked_for() {
    let Some(engine) = Engine::new() else { return };
    let Some(place) = Place::new(Kind::Here(regatta_sandboxes::local::Fence::None)).await else { return };
    let own = regatta_sandboxes::docker::Options {
        host: Some(tunnel(engine.path("socket"))),
        image: "tests/tiny:1".to_owned(),
        runtime: Some(OTHER.to_owned()),
        ..options(place.folder.path(), Network::None)
    };
    let provider = DockerProvider::new(own.clone());
    assert!(provider.probe().await.unwrap().starts_with("docker (other, "));
    assert!(provider.create(&place.spec("a")).await.unwrap().fence.starts_with("docker (other, "));
    provider.start("a", &sh("main", "cat README.md")).await.unwrap();
    assert_eq!(ended(&provider, "a", "main").await.exit, Exit::Code(0));
    assert_eq!(all(&provider, "a", "main", Stdio::Out).await, b"hello\n");
    provider.destroy("a").await.unwrap();
    assert_eq!(provider.list("tests").await.unwrap(), []);
    let unknown = DockerProvider::new(regatta_sandboxes::docker::Options { runtime: Some("runsc".to_owned()), ..own });
    let refused = unknown.probe().await.unwrap_err().to_string();
    assert!(refused.contains("the engine has no runtime runsc") && refused.contains("other"), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn images_that_are_kept_are_told_and_cleared_but_for_those_in_use() {
    let Some(engine) = Engine::new() else { return };
    let Some(place) = Place::new(Kind::Here(regatta_sandboxes::local::Fence::None)).await else { return };
    assert_eq!(place.provider.kept().await.unwrap(), None);
    let provider = engine.provider(&place);
    assert_eq!(provider.kept().await.unwrap(), Some(Images::default()));
    provider.create(&place.spec("a")).await.unwrap();
    let kept = provider.kept().await.unwrap().unwrap();
    assert!(kept.count == 1 && kept.bytes > 1 << 20, "{kept:?}");
    assert_eq!(provider.clear_kept().await.unwrap(), Images::default(), "a sandbox is made of it");
    provider.destroy("a").await.unwrap();
    assert_eq!(provider.clear_kept().await.unwrap(), kept);
    assert_eq!(provider.kept().await.unwrap(), Some(Images::default()));
    // It is made anew.
    provider.create(&place.spec("b")).await.unwrap();
    assert_eq!(provider.kept().await.unwrap(), Some(kept));
    provider.destroy("b").await.unwrap();
}
