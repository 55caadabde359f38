//! A real server on a data directory of its own, a small repository, and the command line as its client.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// How long a server may take until it answers; one with a long log has its views to take up.
const START_MAX: Duration = Duration::from_secs(60);

pub(crate) struct Server {
    regatta: PathBuf,
    process: Child,
    folder: TempDir,
}

impl Server {
    /// Starts one that lets 64 attempts run at once.
    pub(crate) fn start(regatta: &Path) -> Result<Self, Box<dyn Error>> {
        Self::start_in(regatta, Self::folder_for_bench()?)
    }

    /// A folder that is gone after the bench.
    pub(crate) fn folder_for_bench() -> std::io::Result<TempDir> {
        tempfile::Builder::new().prefix("regatta-bench-").tempdir()
    }

    /// Starts one on what is in `data` of that folder already.
    pub(crate) fn start_in(regatta: &Path, folder: TempDir) -> Result<Self, Box<dyn Error>> {
        let repository = folder.path().join("repository");
        make_repository(&repository)?;
        let data = folder.path().join("data");
        fs::create_dir_all(&data)?;
        let process = Command::new(regatta)
            .args(["--data-dir", path(&data)?, "up", "--listen", "127.0.0.1:0"])
            .env("REGATTA_LIMITS_ATTEMPTS", "64")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let server = Self { regatta: regatta.to_owned(), process, folder };
        let begin = Instant::now();
        while !server.command(&["ls"])?.stdout(Stdio::null()).stderr(Stdio::null()).status()?.success() {
            if begin.elapsed() > START_MAX {
                return Err("the server does not answer".into());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(server)
    }

    pub(crate) fn repository(&self) -> PathBuf {
        self.folder.path().join("repository")
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A command on this server.
    pub(crate) fn command(&self, arguments: &[&str]) -> Result<Command, Box<dyn Error>> {
        let mut command = Command::new(&self.regatta);
        command.args(["--data-dir", path(&self.folder.path().join("data"))?]).args(arguments);
        Ok(command)
    }

    /// Runs `count` attempts of one command to the end and gives the run's events.
    pub(crate) fn race(&self, count: usize, agent: &str) -> Result<Vec<Value>, Box<dyn Error>> {
        let run = self.begin(count, agent)?;
        // Its exit tells the verdict, which is not what is measured.
        self.command(&["watch", &run])?.stdout(Stdio::null()).stderr(Stdio::null()).status()?;
        self.events(&run)
    }

    /// Starts `count` attempts of one command; the run's id.
    pub(crate) fn begin(&self, count: usize, agent: &str) -> Result<String, Box<dyn Error>> {
        let repository = self.repository();
        let attempt = format!("command={agent}");
        let mut arguments = vec!["run", "bench", "--repo", path(&repository)?, "--strategy", "all"];
        for _ in 0..count {
            arguments.extend(["--attempt", &attempt]);
        }
        let output = self.command(&arguments)?.output()?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
        }
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    }

    /// Every event of a run, one JSON object each.
    pub(crate) fn events(&self, run: &str) -> Result<Vec<Value>, Box<dyn Error>> {
        let streams = format!("run/{run},attempt/{run},output/{run}");
        let output = self.command(&["log", "tail", "--json", "--stream", &streams, "--from", "1"])?.output()?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
        }
        Ok(String::from_utf8(output.stdout)?.lines().map(serde_json::from_str).collect::<Result<_, _>>()?)
    }

    /// Highest resident memory of the server so far, in bytes.
    pub(crate) fn memory_bytes_max(&self) -> Result<u64, Box<dyn Error>> {
        Ok(status_bytes(self.process.id(), "VmHWM:")?)
    }

    #[cfg(any(feature = "gateway", feature = "http"))]
    pub(crate) fn process_id(&self) -> u32 {
        self.process.id()
    }
}

/// Resident memory of a process now, in bytes.
#[cfg(any(feature = "gateway", feature = "http"))]
pub(crate) fn memory_bytes(process: u32) -> Result<u64, String> {
    status_bytes(process, "VmRSS:")
}

fn status_bytes(process: u32, name: &str) -> Result<u64, String> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).map_err(|error| error.to_string())?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)).ok_or("no such line of the process's status")?;
    let kib = line.split_whitespace().next().and_then(|kib| kib.parse::<u64>().ok()).ok_or("no number")?;
    Ok(kib * 1_024)
}

impl Drop for Server {
    fn drop(&mut self) {
        // The folder goes away with the server; a server that is gone already is fine.
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

fn make_repository(path: &Path) -> Result<(), Box<dyn Error>> {
    fs::create_dir_all(path.join("src"))?;
    for n in 0..20 {
        fs::write(path.join(format!("src/file{n}.txt")), format!("line {n}\n").repeat(50))?;
    }
    for arguments in [&["init", "--quiet"][..], &["add", "."], &["commit", "--quiet", "--message", "begin"]] {
        let done = Command::new("git")
            .args(["-c", "user.name=bench", "-c", "user.email=bench@localhost"])
            .args(arguments)
            .current_dir(path)
            .status()?;
        if !done.success() {
            return Err("git failed".into());
        }
    }
    Ok(())
}

pub(crate) fn path(path: &Path) -> Result<&str, Box<dyn Error>> {
    path.to_str().ok_or_else(|| "a path that is not UTF-8".into())
}
