//! A sandbox of a fake: processes behind bubblewrap with a process table, a home and a `/tmp` of their own, and in there a
//! server on a unix socket that does what the vendor's own does.

use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, Uri, header};
use axum::response::{IntoResponse, Response};
use hyper_util::rt::TokioIo;
use rustix::event::{PollFd, PollFlags};
use rustix::process::{Pid, PidfdFlags, Signal};
use tokio::net::UnixStream;

use crate::inside::{KIND, Kind, TOKEN};
use crate::unique;

/// How the server inside is started: a program, and what makes it [`crate::inside::serve_if_asked`].
#[derive(Debug, Clone)]
pub struct Program {
    pub path: PathBuf,
    pub arguments: Vec<OsString>,
}

impl Program {
    /// This very program, told to run one test that serves when it is asked.
    pub fn this_test(name: &str) -> Self {
        let arguments = ["--exact", name, "--nocapture"].map(OsString::from).to_vec();
        Self { path: std::env::current_exe().unwrap(), arguments }
    }
}

/// What makes machines.
#[derive(Debug, Clone)]
pub struct Machines {
    pub folder: Arc<tempfile::TempDir>,
    pub program: Program,
    pub kind: Kind,
}

#[derive(Debug)]
pub(crate) struct Machine {
    /// What is seen inside as `/home`.
    pub(crate) home: PathBuf,
    pub(crate) token: String,
    folder: PathBuf,
    child: Mutex<Child>,
    /// The first process inside; with it go all.
    first: OwnedFd,
    first_pid: Pid,
}

impl Machines {
    /// What keeps its machines in a folder of its own: below that one, or among the temporary files.
    pub fn new(program: Program, kind: Kind, below: Option<&std::path::Path>) -> Self {
        let mut folder = tempfile::Builder::new();
        let folder = folder.prefix("fake-");
        let folder = below.map_or_else(|| folder.tempdir(), |below| folder.tempdir_in(below)).unwrap();
        Self { folder: Arc::new(folder), program, kind }
    }

    /// What there is of machines: their folders, and processes that were started with one.
    pub(crate) fn left(&self) -> Vec<String> {
        let folder = self.folder.path().to_string_lossy().into_owned();
        let folders = std::fs::read_dir(self.folder.path()).unwrap().map(|entry| entry.unwrap().path());
        let mut left: Vec<String> = folders.map(|path| path.to_string_lossy().into_owned()).collect();
        for process in std::fs::read_dir("/proc").unwrap().flatten() {
            let line = std::fs::read_to_string(process.path().join("cmdline")).unwrap_or_default();
            if line.contains(&folder) {
                left.push(line.replace('\0', " "));
            }
        }
        left
    }

    /// A new machine; its server answers when this returns.
    pub(crate) async fn start(&self, network: bool) -> Machine {
        let folder = self.folder.path().join(unique());
        for name in ["home", "tmp", "run"] {
            std::fs::create_dir_all(folder.join(name)).unwrap();
        }
        self.start_in(folder, network).await
    }

    /// The files another machine has now.
    pub(crate) fn keep(&self, of: &Machine) -> PathBuf {
        let folder = self.folder.path().join(unique());
        let copied = Command::new("cp").arg("-a").arg(&of.folder).arg(&folder).status().unwrap();
        assert!(copied.success());
        std::fs::remove_file(folder.join("run/socket")).ok();
        folder
    }

    /// A new machine that begins with such files.
    pub(crate) async fn start_from(&self, kept: &std::path::Path, network: bool) -> Machine {
        let folder = self.folder.path().join(unique());
        assert!(Command::new("cp").arg("-a").arg(kept).arg(&folder).status().unwrap().success());
        self.start_in(folder, network).await
    }

    async fn start_in(&self, folder: PathBuf, network: bool) -> Machine {
        let user = self.kind.user();
        std::fs::create_dir_all(folder.join("home").join(user)).unwrap();
        let token = format!("token-{}", unique());
        let mut command = Command::new("bwrap");
        command.args(["--unshare-pid", "--unshare-ipc", "--die-with-parent", "--ro-bind", "/", "/", "--dev", "/dev"]);
        command.args(["--proc", "/proc", "--clearenv"]);
        for (name, inside) in [("home", "/home"), ("tmp", "/tmp"), ("run", "/run")] {
            command.arg("--bind").arg(folder.join(name)).arg(inside);
        }
        command.arg("--ro-bind").arg(&self.program.path).arg("/run/inside");
        let home = format!("/home/{user}");
        let variables = [
            ("PATH", "/usr/local/bin:/usr/bin:/bin"),
            ("HOME", &home),
            ("USER", user),
            ("LANG", "C.UTF-8"),
            (KIND, self.kind.name()),
            (TOKEN, &token),
        ];
        for (name, value) in variables {
            command.args(["--setenv", name, value]);
        }
        if !network {
            command.arg("--unshare-net");
        }
        command.args(["--chdir", &home, "--", "/run/inside"]).args(&self.program.arguments);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let mut child = command.spawn().expect("bubblewrap");
        let socket = folder.join("run/socket");
        while UnixStream::connect(&socket).await.is_err() {
            assert!(child.try_wait().unwrap().is_none(), "the inside of a sandbox ended");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let pid = child.id();
        let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
        let first_pid = children.split_whitespace().next().and_then(|pid| Pid::from_raw(pid.parse().unwrap())).unwrap();
        let first = rustix::process::pidfd_open(first_pid, PidfdFlags::empty()).unwrap();
        Machine { home: folder.join("home").join(user), token, folder, child: Mutex::new(child), first, first_pid }
    }
}

impl Machine {
    /// Ends every process, and takes its files away.
    pub(crate) fn end(&self) {
        let mut child = self.child.lock().unwrap();
        rustix::process::pidfd_send_signal(&self.first, Signal::KILL).ok();
        let mut gone = [PollFd::new(&self.first, PollFlags::IN)];
        rustix::event::poll(&mut gone, None).ok();
        child.kill().ok();
        child.wait().ok();
        // What an attempt closed to itself must be opened first.
        Command::new("chmod").arg("-R").arg("u+rwx").arg(&self.folder).stderr(Stdio::null()).status().ok();
        std::fs::remove_dir_all(&self.folder).ok();
    }

    /// Stops or continues every process.
    pub(crate) fn freeze(&self, frozen: bool) {
        let signal = if frozen { Signal::STOP } else { Signal::CONT };
        let mut left = vec![self.first_pid.as_raw_nonzero().get()];
        while let Some(pid) = left.pop() {
            let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
            left.extend(children.split_whitespace().map(|pid| pid.parse::<i32>().unwrap()));
            if pid != self.first_pid.as_raw_nonzero().get() {
                rustix::process::kill_process(Pid::from_raw(pid).unwrap(), signal).ok();
            }
        }
    }

    /// Asks the server inside. The path is the one it knows.
    pub(crate) async fn ask(&self, mut request: Request<Body>, path: &str) -> Response {
        let Ok(stream) = UnixStream::connect(self.folder.join("run/socket")).await else {
            return crate::faults::refusal(502, "{}", &[]);
        };
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(async move { connection.with_upgrades().await });
        let is_upgrade = request.headers().contains_key(header::UPGRADE);
        let theirs = is_upgrade.then(|| hyper::upgrade::on(&mut request));
        *request.uri_mut() = path.parse::<Uri>().unwrap();
        let Ok(mut response) = sender.send_request(request).await else {
            return crate::faults::refusal(502, "{}", &[]);
        };
        if let Some(theirs) = theirs {
            let ours = hyper::upgrade::on(&mut response);
            tokio::spawn(async move {
                let (Ok(theirs), Ok(ours)) = (theirs.await, ours.await) else { return };
                tokio::io::copy_bidirectional(&mut TokioIo::new(theirs), &mut TokioIo::new(ours)).await.ok();
            });
        }
        response.map(Body::new).into_response()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.end();
    }
}
