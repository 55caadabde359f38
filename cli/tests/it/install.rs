//! An installation of its own for each test: a data directory, a repository, the real binary.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Longer than anything waited for here takes.
const PATIENCE: Duration = Duration::from_secs(120);

/// What a command came to.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
    pub(crate) raw: Vec<u8>,
}

impl Done {
    pub(crate) fn of(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
            raw: output.stdout,
        }
    }

    /// Checks the exit code and gives itself back.
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:#?}");
        self
    }

    /// Checks what standard error says.
    pub(crate) fn says(self, text: &str) -> Self {
        assert!(self.err.contains(text), "{text:?} is not in {:?}", self.err);
        for debug in ["Some(", "Err(", "None)", " { ", "panicked", "unwrap"] {
            assert!(!self.err.contains(debug), "a person is told {debug:?}: {}", self.err);
        }
        self
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}", self.out))
    }
}

pub(crate) struct Install {
    folder: tempfile::TempDir,
}

impl Install {
    /// With a repository of one commit: `file` holds `one`.
    pub(crate) fn new() -> Self {
        let install = Self { folder: tempfile::tempdir().expect("folder") };
        fs::create_dir(install.repository()).expect("repository");
        install.write("file", "one\n");
        install.git(&["init", "-q", "-b", "main"]);
        install.commit("begin");
        install
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub(crate) fn repository(&self) -> PathBuf {
        self.folder.path().join("repository")
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.repository().join(name), text).expect(name);
    }

    /// The data directory's configuration; in force from the next start on.
    pub(crate) fn configure(&self, text: &str) {
        fs::create_dir_all(self.data()).expect("data directory");
        fs::write(self.data().join("regatta.toml"), text).expect("configuration");
    }

    pub(crate) fn git(&self, arguments: &[&str]) -> Done {
        let mut command = Command::new("git");
        command.args(["-c", "user.name=t", "-c", "user.email=t@localhost"]).args(arguments);
        let output = command.current_dir(self.repository()).stdin(Stdio::null()).output().expect("git");
        Done::of(output).exits(0)
    }

    pub(crate) fn commit(&self, message: &str) {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-qm", message]);
    }

    /// The binary, with nothing of this process's environment that could matter.
    pub(crate) fn command<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Command {
        self.program(env!("CARGO_BIN_EXE_regatta"), arguments)
    }

    /// Any program, as the binary is started.
    pub(crate) fn program<S: AsRef<OsStr>>(&self, program: &str, arguments: &[S]) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", self.folder.path().join("home")).env("REGATTA_USER", "ana");
        command.env("REGATTA_DATA_DIR", self.data()).env("REGATTA_LIMITS_ATTEMPTS", "8");
        command.env("REGATTA_HTTP_LISTEN", "127.0.0.1:0");
        // Which engine there is, is the machine's business.
        command.envs(std::env::var_os("DOCKER_HOST").map(|host| ("DOCKER_HOST", host)));
        command.current_dir(self.repository()).stdin(Stdio::null()).args(arguments);
        command
    }

    pub(crate) fn regatta<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Done {
        Done::of(self.command(arguments).output().expect("regatta"))
    }

    /// Asks for a run and waits for its end; its id.
    pub(crate) fn race(&self, arguments: &[&str], code: i32) -> String {
        let all: Vec<&str> = ["run", "change the file", "--wait"].iter().chain(arguments).copied().collect();
        let done = self.regatta(&all).exits(code);
        done.out.trim().to_owned()
    }

    /// The same of a command that prints one value a line.
    pub(crate) fn view_lines(&self, arguments: &[&str]) -> Vec<Value> {
        let all: Vec<&str> = arguments.iter().copied().chain(["--json"]).collect();
        let done = self.regatta(&all).exits(0);
        done.out.lines().map(|line| serde_json::from_str(line).expect("json")).collect()
    }

    pub(crate) fn view(&self, arguments: &[&str]) -> Value {
        let all: Vec<&str> = arguments.iter().copied().chain(["--json"]).collect();
        self.regatta(&all).exits(0).json()
    }
}

impl Drop for Install {
    fn drop(&mut self) {
        // A test that failed leaves its runs; they must not outlive it.
        if let Value::Object(page) = serde_json::from_str(&self.regatta(&["ls", "--json"]).out).unwrap_or_default() {
            let rows = page.get("rows").and_then(Value::as_array).cloned().unwrap_or_default();
            for row in rows.iter().filter(|row| row.get("finished_at_us").is_some_and(Value::is_null)) {
                let id = row.get("id").and_then(Value::as_str).unwrap_or_default();
                self.regatta(&["cancel", id]);
                self.regatta(&["watch", id]);
            }
        }
        self.regatta(&["down"]);
    }
}

/// Looks until something is there; longer than anything in these tests takes.
pub(crate) fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "{what} does not happen");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Whether local sandboxes can be fenced here; says why not.
pub(crate) fn can_race() -> bool {
    let install = Install::new();
    let findings = install.regatta(&["doctor", "--json"]).json();
    let works = findings.as_array().into_iter().flatten().any(|finding| {
        let name = finding.get("name").and_then(Value::as_str);
        matches!(name, Some("bubblewrap" | "landlock")) && finding.get("level").and_then(Value::as_str) == Some("ok")
    });
    if !works {
        assert!(std::env::var("REGATTA_TEST_REQUIRE").as_deref() != Ok("all"), "neither bubblewrap nor Landlock works");
        println!("skipped: neither bubblewrap nor Landlock works here");
    }
    works
}
