//! The API as its document describes it, asked by schemathesis with an admin's token: nothing is answered with 5xx, no
//! answer breaks its schema, and the server is there afterwards. Knows the product only by its commands.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::output::Tally;
use super::{Step, heading, missing, single};
use crate::command::{answer, cargo, root, target};

const NAME: &str = "api";
/// Names another program than the one found.
const VARIABLE: &str = "REGATTA_SCHEMATHESIS";
/// Seconds each pass takes at most; there are two.
const PASS_SECONDS: &str = "40";
/// What stops the server is asked by nobody here; a WebSocket is none of its business.
const LEFT_OUT: &[&str] = &["shutdown", "live", "openGateway", "openAnyGateway"];
/// A stream that nothing happens on has no end, either.
const LEFT_OUT_ANYWHERE: &[&str] = &["shutdown", "live", "openGateway", "openAnyGateway", "streamEvents"];
/// Whatever a path names is there, in the pass that looks at answers; in the other one it hardly ever is.
const THERE: &str =
    "\n[parameters]\n\"path.run\" = \"last\"\n\"path.attempt\" = \"last.a\"\n\"path.slot\" = \"a\"\n\"path.seq\" = 1\n";

/// Asks the API everything its document allows, and everything it does not.
pub(super) fn api() -> Step {
    let Some(program) = program() else {
        heading(NAME);
        return missing(NAME, "there is no schemathesis (pip install schemathesis, or see .ci/run)");
    };
    let built = single(NAME, &mut cargo(&["build", "--package", "regatta", "--locked", "--quiet"]));
    if built.tally.failed > 0 {
        return built;
    }
    let folder = target().join("api");
    let asked = Server::start(&folder).and_then(|server| server.ask(&program));
    match asked {
        Ok(tally) => {
            let note = (tally.failed > 0).then(|| format!("the server's log is in {}", folder.display()));
            Step { name: NAME, tally, note }
        }
        Err(reason) => Step { name: NAME, tally: Tally { failed: 1, ..Tally::default() }, note: Some(reason) },
    }
}

fn program() -> Option<PathBuf> {
    let own = target().join("schemathesis/bin/schemathesis");
    let candidates = [std::env::var_os(VARIABLE).map(PathBuf::from), Some(own), Some("schemathesis".into())];
    let is_there = |program: &PathBuf| answer(Command::new(program).arg("--version")).is_some();
    candidates.into_iter().flatten().find(is_there)
}

/// A server with one finished run.
struct Server {
    folder: PathBuf,
    url: String,
    token: String,
}

impl Server {
    fn start(folder: &Path) -> Result<Self, String> {
        let trouble = |error: std::io::Error| format!("failed to make {}: {error}", folder.display());
        if folder.exists() {
            std::fs::remove_dir_all(folder).map_err(trouble)?;
        }
        let repository = folder.join("repository");
        std::fs::create_dir_all(&repository).map_err(trouble)?;
        std::fs::write(repository.join("file"), "one\n").map_err(trouble)?;
        for arguments in [&["init", "--quiet"][..], &["add", "."], &["commit", "--quiet", "--message", "begin"]] {
            let mut git = Command::new("git");
            git.args(["-c", "user.name=api", "-c", "user.email=api@localhost"]).args(arguments);
            answer(git.current_dir(&repository)).ok_or("git does not make a repository")?;
        }
        let mut server = Self { folder: folder.to_owned(), url: String::new(), token: String::new() };
        let told = server.says(&["up", "--detach", "--json", "--listen", "127.0.0.1:0"])?;
        let field = |name: &str| {
            let rest = told.split_once(&format!("\"{name}\":")).map(|(_, rest)| rest.trim_start());
            let text = rest.and_then(|rest| rest.strip_prefix('"')?.split_once('"'));
            text.map(|(text, _)| text.to_owned()).ok_or_else(|| format!("the server tells no {name}"))
        };
        (server.url, server.token) = (field("url")?, field("admin_token")?);
        let agent = ["--strategy", "all", "--wait", "-a", "command@host=echo told; echo changed >> file"];
        let repository = repository.display().to_string();
        let run = ["run", "change something", "--repo", &repository].into_iter().chain(agent);
        // Whether somebody won does not matter here.
        server.regatta(&run.collect::<Vec<_>>()).output().map_err(|error| error.to_string())?;
        Ok(server)
    }

    fn regatta(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(target().join("debug/regatta"));
        command.arg("--data-dir").arg(self.folder.join("data")).args(arguments).current_dir(&self.folder);
        // Variables that begin with REGATTA_ are its configuration.
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", &self.folder).env("REGATTA_USER", "ana").stdin(Stdio::null()).stderr(Stdio::null());
        command
    }

    fn says(&self, arguments: &[&str]) -> Result<String, String> {
        answer(&mut self.regatta(arguments)).ok_or_else(|| format!("regatta {} failed", arguments.join(" ")))
    }

    fn ask(&self, program: &Path) -> Result<Tally, String> {
        let document = self.folder.join("openapi.json");
        let settings = std::fs::read_to_string(root().join("xtask/src/test/schemathesis.toml"));
        let settings = settings.map_err(|error| format!("failed to read schemathesis.toml: {error}"))?;
        let write = |path: &Path, text: &str| {
            std::fs::write(path, text).map_err(|error| format!("failed to write {}: {error}", path.display()))
        };
        write(&document, &self.says(&["schema", "openapi"])?)?;
        let mut tally = Tally::default();
        for (pass, more, left_out) in [("there", THERE, LEFT_OUT), ("anywhere", "", LEFT_OUT_ANYWHERE)] {
            println!("\nschemathesis, {pass}");
            let config = self.folder.join(format!("{pass}.toml"));
            write(&config, &format!("{settings}{more}"))?;
            let mut command = Command::new(program);
            command.arg("--no-color").arg("--config-file").arg(&config).arg("run").arg(&document);
            command.args(["--url", &format!("{}/api/v1", self.url), "--max-time", PASS_SECONDS]);
            for operation in left_out {
                command.args(["--exclude-operation-id", operation]);
            }
            command.env("REGATTA_API_TOKEN", &self.token).current_dir(&self.folder).stdin(Stdio::null());
            let status = command.status().map_err(|error| format!("failed to start schemathesis: {error}"))?;
            tally.passed += u64::from(status.success());
            tally.failed += u64::from(!status.success());
        }
        // Whatever was asked, it goes on.
        self.says(&["show", "last"])?;
        tally.passed += 1;
        Ok(tally)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // One that is gone already is fine here; whoever asked it has said so.
        self.says(&["down"]).ok();
    }
}
