//! Where the demo happens: a fresh folder with a repository, the four programs, and a data directory.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use regatta_core::RunId;
use regatta_core::event::run::Strategy;
use regatta_dispatcher::RunRequest;

use crate::config;
use crate::failure::{Exit, Failure};

macro_rules! embedded {
    ($($path:literal)*) => { &[$(($path, include_str!(concat!("../../../../examples/", $path)))),*] };
}

/// The repository and the programs, as they stand in `examples/`.
const FILES: &[(&str, &str)] = embedded! {
    "demo/README.md"
    "demo/package.json"
    "demo/src/cli.js"
    "demo/src/format.js"
    "demo/src/parse.js"
    "demo/src/table.js"
    "demo/test/cli.test.js"
    "demo/test/format.test.js"
    "demo/test/parse.test.js"
    "demo-agents/careful.mjs"
    "demo-agents/eager.mjs"
    "demo-agents/hasty.mjs"
    "demo-agents/endless.mjs"
};
/// The task; `{programs}` stands for the folder of the programs.
const TASK: &str = include_str!("../../../../examples/demo/task.json");
/// The first version of Node the programs run on.
const NODE_MIN: u32 = 20;

/// The demo's folder. It is kept.
pub(super) struct Place {
    root: PathBuf,
    data: PathBuf,
}

impl Place {
    pub(super) fn make(dir: Option<&Path>, data: Option<&Path>) -> Result<Self, Failure> {
        let node = node()?;
        if let Some(data) = data {
            empty(data)?;
        }
        let root = fresh(dir)?;
        let data = data.map_or_else(|| root.join("data"), Path::to_owned);
        let place = Self { root, data };
        for (path, text) in FILES {
            let target = place.target(path);
            fs::create_dir_all(target.parent().unwrap_or(&place.root))?;
            fs::write(target, text)?;
        }
        place.git(&["init", "--quiet", "--initial-branch", "main"])?;
        place.git(&["add", "--all"])?;
        place.git(&["commit", "--quiet", "--message", "Reads and writes comma-separated values"])?;
        place.configure(&node)?;
        Ok(place)
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn data(&self) -> PathBuf {
        self.data.clone()
    }

    pub(super) fn repository(&self) -> PathBuf {
        self.root.join("repository")
    }

    fn programs(&self) -> PathBuf {
        self.root.join("programs")
    }

    fn target(&self, path: &str) -> PathBuf {
        match path.split_once('/') {
            Some(("demo-agents", name)) => self.programs().join(name),
            Some((_, name)) => self.repository().join(name),
            None => self.root.join(path),
        }
    }

    /// The programs, and Node where it is not the system's, must be readable behind the fence.
    fn configure(&self, node: &Path) -> Result<(), Failure> {
        super::server::make_data_dir(&self.data())?;
        let mut read = vec![self.programs()];
        if !node.starts_with("/usr") {
            read.extend(node.parent().and_then(Path::parent).map(Path::to_owned));
        }
        let read: Vec<String> = read.iter().map(|path| format!("{:?}", path.to_string_lossy())).collect();
        let text = format!("[limits]\nattempts = 4\n\n[sandbox]\nread = [{}]\nnetwork = false\n", read.join(", "));
        Ok(fs::write(self.data().join(config::FILE_NAME), text)?)
    }

    /// The task as a request.
    pub(super) fn request(&self, strategy: Strategy, sandbox: &str) -> Result<RunRequest, Failure> {
        let broken = |error: serde_json::Error| Failure::caused("the demo's task is broken", &error);
        let mut task: serde_json::Value = serde_json::from_str(TASK).map_err(broken)?;
        if let Some(fields) = task.as_object_mut() {
            fields.insert("repository".to_owned(), self.repository().to_string_lossy().into());
        }
        let mut request: RunRequest = serde_json::from_value(task).map_err(broken)?;
        request.strategy = strategy;
        for entry in &mut request.attempts {
            sandbox.clone_into(&mut entry.sandbox);
            let programs = self.programs().to_string_lossy().into_owned();
            entry.command = entry.command.take().map(|command| command.replace("{programs}", &programs));
        }
        Ok(request)
    }

    /// The winner's branch is there, and nothing else of the repository was touched.
    pub(super) fn promise_branch(&self, run: &RunId) -> Result<(), Failure> {
        let promised = |what: &str| Failure::new(Exit::NoWinner, format!("not as promised: {what}"));
        let branches = self.git(&["for-each-ref", "--format=%(refname:short)", "refs/heads/regatta"])?;
        if branches.lines().filter(|branch| branch.starts_with(&format!("regatta/{run}/"))).count() != 1 {
            return Err(promised("there is not exactly one branch of the run in the repository"));
        }
        if !self.git(&["status", "--porcelain"])?.is_empty() {
            return Err(promised("the work tree of the repository was touched"));
        }
        if self.git(&["rev-parse", "--abbrev-ref", "HEAD"])?.trim() != "main" {
            return Err(promised("another branch is checked out"));
        }
        Ok(())
    }

    fn git(&self, arguments: &[&str]) -> Result<String, Failure> {
        let mut command = Command::new("git");
        command.args(["-c", "user.name=Demo", "-c", "user.email=demo@localhost", "-c", "commit.gpgSign=false"]);
        let output = command.args(arguments).current_dir(self.repository()).stdin(Stdio::null()).output();
        let output = output.map_err(|error| {
            Failure::caused("git cannot be started", &error).hint("install git, as apt install git")
        })?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let told = String::from_utf8_lossy(&output.stderr).trim().replace('\n', "; ");
        Err(Failure::new(Exit::Failed, format!("git {} failed: {told}", arguments.join(" "))))
    }
}

/// Makes a folder, or sees to it that nothing is in it.
fn empty(dir: &Path) -> Result<(), Failure> {
    fs::create_dir_all(dir)?;
    if fs::read_dir(dir)?.next().is_some() {
        return Err(Failure::usage(format!("{} is not empty", dir.display())).hint("name a fresh folder"));
    }
    Ok(())
}

/// A fresh folder, absolute, with a name that can stand in shell text.
fn fresh(dir: Option<&Path>) -> Result<PathBuf, Failure> {
    let root = match dir {
        Some(dir) => {
            empty(dir)?;
            dir.to_owned()
        }
        None => tempfile::Builder::new().prefix("regatta-demo-").tempdir()?.keep(),
    };
    let root = root.canonicalize()?;
    if root.to_str().is_none_or(|path| path.contains(['\'', '\n'])) {
        return Err(
            Failure::usage(format!("{} cannot stand in shell text", root.display())).hint("name another: --dir DIR")
        );
    }
    Ok(root)
}

/// Node's own path, when it is new enough.
fn node() -> Result<PathBuf, Failure> {
    let needs = |what: &str| {
        Failure::new(Exit::Failed, format!("the demo's programs need Node {NODE_MIN} or later: {what}"))
            .hint("install it, as apt install nodejs, or from nodejs.org; Regatta itself does not need it")
    };
    let ask = ["-p", "process.versions.node + '\\n' + process.execPath"];
    let output = Command::new("node").args(ask).stdin(Stdio::null()).output();
    let output = output.map_err(|_| needs("node is not on PATH"))?;
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    let (version, path) = told.trim().split_once('\n').ok_or_else(|| needs("node does not tell its version"))?;
    let major: Option<u32> = version.split('.').next().and_then(|major| major.parse().ok());
    if major.is_some_and(|major| major >= NODE_MIN) {
        Ok(PathBuf::from(path))
    } else {
        Err(needs(&format!("this is {version}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_examples_is_embedded() {
        let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
        let mut found = Vec::new();
        let mut folders = vec![examples.join("demo"), examples.join("demo-agents")];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).expect("folder") {
                let path = entry.expect("entry").path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    found.push(path.strip_prefix(&examples).expect("inside").to_string_lossy().into_owned());
                }
            }
        }
        let mut embedded: Vec<String> = FILES.iter().map(|(path, _)| (*path).to_owned()).collect();
        embedded.push("demo/task.json".to_owned());
        found.sort();
        embedded.sort();
        assert_eq!(found, embedded);
    }

    #[test]
    fn the_task_is_a_request_without_placeholders() {
        let place = Place { root: "/demo".into(), data: "/demo/data".into() };
        let request = place.request(Strategy::Race, "host").expect("request");
        request.check().expect("within its bounds");
        assert_eq!(request.attempts.len(), 4);
        for entry in request.attempts {
            assert!(entry.command.is_some_and(|command| command.starts_with("node '/demo/programs/")));
            assert_eq!(entry.sandbox, "host");
        }
    }
}
