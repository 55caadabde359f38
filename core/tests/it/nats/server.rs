//! A real NATS server of its own for each test, which can be stopped, started again and robbed of its memory.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use regatta_core::bus::nats::Server;

/// How long a server may take to listen.
const START_MAX: Duration = Duration::from_secs(20);

pub(crate) struct Nats {
    program: PathBuf,
    port: u16,
    folder: tempfile::TempDir,
    more: Vec<String>,
    child: Option<Child>,
}

impl Nats {
    /// Starts one; nothing, with the reason told, when none is installed.
    pub(crate) fn start() -> Option<Self> {
        Self::start_with(&[])
    }

    pub(crate) fn start_with(more: &[&str]) -> Option<Self> {
        let Some(program) = program() else {
            let reason = "there is no nats-server: apt install nats-server, or name one in REGATTA_TEST_NATS_SERVER";
            assert!(std::env::var("REGATTA_TEST_REQUIRE").as_deref() != Ok("all"), "{reason}");
            println!("skipped: {reason}");
            return None;
        };
        let port = TcpListener::bind("127.0.0.1:0").expect("port").local_addr().expect("address").port();
        let more = more.iter().map(|text| (*text).to_owned()).collect();
        let folder = tempfile::tempdir().expect("folder");
        let mut nats = Self { program, port, folder, more, child: None };
        nats.again();
        Some(nats)
    }

    /// The way to it.
    pub(crate) fn server(&self) -> Server {
        Server { url: format!("nats://127.0.0.1:{}", self.port), ..Server::default() }
    }

    /// Starts it on the same port, with what it remembers.
    pub(crate) fn again(&mut self) {
        let mut command = Command::new(&self.program);
        command.args(["-a", "127.0.0.1", "-p", &self.port.to_string(), "-js", "-sd"]).arg(self.store());
        let said = self.folder.path().join("said");
        command.args(&self.more).stdout(Stdio::null()).stderr(fs::File::create(&said).expect("file"));
        let mut child = command.spawn().expect("nats-server");
        let began = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            let ended = child.try_wait().expect("wait").is_some();
            assert!(!ended, "the server ended: {}", fs::read_to_string(&said).unwrap_or_default());
            assert!(began.elapsed() < START_MAX, "the server does not listen");
            std::thread::yield_now();
        }
        self.child = Some(child);
    }

    /// Kills it at once.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("killed");
            child.wait().expect("ended");
        }
    }

    /// Takes everything it remembers away.
    pub(crate) fn wipe(&self) {
        assert!(self.child.is_none(), "it is stopped first");
        fs::remove_dir_all(self.store()).expect("wiped");
    }

    fn store(&self) -> PathBuf {
        self.folder.path().join("store")
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        self.kill();
    }
}

fn program() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("REGATTA_TEST_NATS_SERVER") {
        return Some(named.into());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    // Debian puts servers where not everybody looks.
    let folders = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin"), PathBuf::from("/usr/local/bin")]);
    folders.map(|folder| folder.join("nats-server")).find(|program| program.is_file())
}
