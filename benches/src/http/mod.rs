//! `cargo xtask bench http`: what issue "the web" asks of the server, measured on the real binary over loopback with a
//! real token. The peer stands in a process of its own, too: a bare server (axum, as ours) that answers the same bytes
//! and tells the same events after one `fdatasync`, in the same rounds.

#![expect(clippy::print_stdout, reason = "the table is what a bench is for")]

mod fan;
mod get;
mod idle;
mod load;
pub(crate) mod peer;
mod wire;

use std::path::Path;

use crate::Outcome;
use crate::rows::Rows;
use crate::server::Server;

/// What can be measured alone.
const PARTS: [&str; 3] = ["get", "fan", "idle"];

/// What one figure is, for the table.
pub(crate) struct Line {
    pub(crate) what: String,
    pub(crate) must: &'static str,
    pub(crate) measured: String,
}

/// Where a server listens, and what it lets in with.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    /// `address:port`.
    pub(crate) address: String,
    pub(crate) token: String,
}

impl Place {
    /// Of a server that runs.
    pub(crate) fn of(server: &Server) -> Outcome<Self> {
        let told = server.command(&["up", "--detach", "--json"]).map_err(|error| error.to_string())?.output()?;
        let told: serde_json::Value = serde_json::from_slice(&told.stdout)?;
        let url = told.get("url").and_then(serde_json::Value::as_str).ok_or("the server tells no address")?;
        let address = url.strip_prefix("http://").ok_or("the address is not http")?.to_owned();
        let made = server.command(&["token", "create", "bench"]).map_err(|error| error.to_string())?.output()?;
        Ok(Self { address, token: String::from_utf8(made.stdout)?.trim().to_owned() })
    }
}

/// Measures everything, or only the parts named.
pub(crate) fn run(regatta: &Path, words: &[&str]) -> Outcome<()> {
    let is_quick = words.contains(&"--quick");
    let parts: Vec<&str> = words.iter().take_while(|word| !word.starts_with("--")).copied().collect();
    if let Some(unknown) = parts.iter().find(|part| !PARTS.contains(part)) {
        return Err(format!("there is no part {unknown}; there are {}", PARTS.join(", ")).into());
    }
    let is_asked = |part: &str| parts.is_empty() || parts.contains(&part);
    let regatta = std::fs::canonicalize(regatta)?;
    raise_files_max();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let mut rows = Rows::create("http")?;
    let mut lines = Vec::new();
    if is_asked("fan") {
        lines.extend(runtime.block_on(fan::measure(&regatta, is_quick, &mut rows))?);
    }
    if is_asked("idle") {
        lines.extend(runtime.block_on(idle::measure(&regatta, is_quick, &mut rows))?);
    }
    if is_asked("get") {
        lines.extend(runtime.block_on(get::measure(&regatta, is_quick, &mut rows))?);
    }
    println!("| what | must | measured |\n|---|---|---|");
    for Line { what, must, measured } in lines {
        println!("| {what} | {must} | {measured} |");
    }
    Ok(())
}

/// A thousand clients need as many files.
fn raise_files_max() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    // When it cannot be raised, connecting says so.
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }).ok();
}
