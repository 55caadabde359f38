//! What this machine has: git, fences, an engine, agents, room.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use regatta_core::Vault;
use regatta_dispatcher::sandboxes::ProviderRow;

use super::finding::Finding;
use crate::config::{Config, Vendor};
use crate::server;
use crate::terminal::numbers;

/// Below this, no run should be started.
const FREE_BYTES_MIN: u64 = 1 << 30;
/// Below this, a few attempts will fill the disk.
const FREE_BYTES_GOOD: u64 = 10 << 30;
/// The first git with everything we ask of it.
const GIT_MIN: (u32, u32) = (2, 34);

pub(super) fn git() -> Finding {
    let install = "install git, as apt install git";
    let Ok(output) = Command::new("git").arg("--version").output() else {
        return Finding::fail("git", "not found on PATH", install);
    };
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let version = text.strip_prefix("git version ").unwrap_or(&text).to_owned();
    let mut numbers = version.split('.').map_while(|part| part.parse::<u32>().ok());
    match (numbers.next(), numbers.next()) {
        (Some(major), Some(minor)) if (major, minor) >= GIT_MIN => Finding::ok("git", format!("version {version}")),
        (Some(_), Some(_)) => {
            Finding::fail("git", format!("version {version} is older than {}.{}", GIT_MIN.0, GIT_MIN.1), install)
        }
        _ => Finding::fail("git", format!("does not tell its version: {text}"), install),
    }
}

pub(super) fn data_dir(path: &Path) -> Finding {
    let shown = path.display();
    let existing = path.ancestors().find(|folder| folder.is_dir()).unwrap_or(path);
    if let Err(error) = tempfile::NamedTempFile::new_in(existing) {
        let todo = "name another one: --data-dir DIR or REGATTA_DATA_DIR";
        return Finding::fail("data directory", format!("{shown} cannot be written: {error}"), todo);
    }
    let Ok(room) = rustix::fs::statvfs(existing) else {
        return Finding::warn("data directory", format!("{shown}: its free space is not told"), "look at df yourself");
    };
    let free = room.f_bavail.saturating_mul(room.f_frsize);
    let told = format!("{shown}, {} free", numbers::bytes(free));
    let todo = "make room, or name another one: --data-dir DIR or REGATTA_DATA_DIR";
    match free {
        0..FREE_BYTES_MIN => Finding::fail("data directory", told, todo),
        FREE_BYTES_MIN..FREE_BYTES_GOOD => Finding::warn("data directory", told, todo),
        _ => Finding::ok("data directory", told),
    }
}

/// Each way of fencing a local sandbox; at least one must work.
pub(super) async fn fences() -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut works = false;
    for (name, probe, todo) in server::probe_fences().await {
        match probe {
            Ok(told) => {
                works = true;
                findings.push(Finding::ok(name, told));
            }
            Err(reason) => findings.push(Finding::warn(name, reason, todo)),
        }
    }
    if !works {
        let todo = "install bubblewrap (apt install bubblewrap), or use a kernel with Landlock (5.13 or later)";
        findings.push(Finding::fail("fence", "no local sandbox can be fenced", todo));
    }
    findings
}

/// Each agent there is a recipe for; at least one should be there.
pub(super) fn agents() -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut any = false;
    for known in regatta_agents::ALL {
        let Some(program) = known.program else { continue };
        match on_path(program) {
            Some(path) => {
                any = true;
                findings.push(Finding::ok(known.name, path.display().to_string()));
            }
            None => findings.push(Finding::note(known.name, format!("not on PATH; {}", known.install))),
        }
    }
    if !any {
        let todo = "install one of them, or race any program: -a 'command=./my-agent.sh'";
        findings.push(Finding::warn("agents", "no known agent is on PATH", todo));
    }
    findings
}

/// Whether containers can be made; needed by nobody who does not ask for them.
pub(super) async fn docker(config: &Config) -> Finding {
    match server::ask_docker(config).await {
        None => Finding::note("docker", "no engine on this machine; not needed for local sandboxes"),
        Some(told) => elsewhere("docker", told),
    }
}

/// Each vendor of sandboxes; needed by nobody who does not ask for them. `vault` is the server's own.
pub(super) async fn vendors(config: &Config, vault: Option<&Vault>) -> Vec<Finding> {
    let asked = server::ask_vendors(config, vault).await;
    let finding = |vendor: Vendor| match asked.iter().find(|(known, _)| *known == vendor) {
        None => Finding::note(vendor.name(), unused(vendor.name())),
        Some((_, None)) => {
            Finding::note(vendor.name(), "its key is in the vault, which only the server opens; none runs")
        }
        Some((_, Some(told))) => elsewhere(vendor.name(), told.clone()),
    };
    Vendor::ALL.map(finding).into()
}

fn unused(vendor: &str) -> String {
    let key = format!("{vendor}.key = \"secret:{vendor}\"");
    format!("not used; regatta secret set {vendor}, and {key} in the data directory's regatta.toml, make it usable")
}

/// The same, as the server that runs says it.
pub(super) fn at_the_server(name: &str, row: &ProviderRow) -> Finding {
    match (&row.fence, &row.problem) {
        (Some(fence), _) => Finding::ok(name, fence.clone()),
        (None, problem) => {
            let problem = problem.clone().unwrap_or_default();
            let (wrong, todo) = problem.rsplit_once("; ").unwrap_or((&problem, "ask again"));
            Finding::warn(name, wrong, todo)
        }
    }
}

fn elsewhere(name: &str, told: server::Told) -> Finding {
    match told {
        Ok(fence) => Finding::ok(name, fence),
        Err((wrong, todo)) => Finding::warn(name, wrong, todo),
    }
}

pub(super) fn nats() -> Finding {
    match on_path("nats-server") {
        Some(path) => Finding::ok("nats", path.display().to_string()),
        None => Finding::note("nats", "nats-server is not on PATH; not needed on one machine"),
    }
}

/// The program of that name that a shell would start.
fn on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|candidate| {
        candidate.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
    })
}
