//! Which fences work here, found by trying.

use regatta_sandboxes::local::{Fence, Options};
use regatta_sandboxes::{LocalProvider, Provider as _};

use crate::failure::chain;

/// One fence: its name, what it is when it works or why it does not, and what to do then.
pub(crate) type Probe = (&'static str, Result<String, String>, &'static str);

/// Tries each fence.
pub(crate) async fn probe_fences() -> Vec<Probe> {
    let tried = [
        ("bubblewrap", Fence::Bubblewrap, "apt install bubblewrap, and allow unprivileged user namespaces"),
        ("landlock", Fence::Landlock, "a kernel of 5.13 or later with Landlock enabled; bubblewrap is better anyway"),
    ];
    let mut probes = Vec::new();
    for (name, fence, todo) in tried {
        probes.push((name, probe(fence).await, todo));
    }
    probes
}

async fn probe(fence: Fence) -> Result<String, String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let runner = std::env::current_exe().map_err(|error| error.to_string())?;
    let options = Options { root: folder.path().join("sandboxes"), runner, fence, hide: Vec::new(), read: Vec::new() };
    let provider = LocalProvider::new(options).map_err(|error| chain(&error))?;
    provider.probe().await.map_err(|error| chain(&error))
}
