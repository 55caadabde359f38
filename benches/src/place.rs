//! Where a server listens, and what a bench comes in with.

use crate::Outcome;
use crate::server::Server;

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

/// A thousand clients need as many files.
pub(crate) fn raise_files_max() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    // When it cannot be raised, connecting says so.
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }).ok();
}
