//! What no fenced command may see: where programs keep keys and logins, and sockets that reach the whole machine.

use std::path::PathBuf;

/// Under the home of whoever runs the server.
const IN_HOME: [&str; 16] = [
    ".ssh",
    ".gnupg",
    ".aws",
    ".azure",
    ".kube",
    ".docker",
    ".config/gcloud",
    ".config/gh",
    ".config/hub",
    ".config/op",
    ".netrc",
    ".git-credentials",
    ".npmrc",
    ".pypirc",
    ".cargo/credentials.toml",
    ".password-store",
];

/// Sockets outside `/run`, which is hidden as a whole.
const SOCKETS: [&str; 2] = ["/var/lib/docker", "/var/run/docker.sock"];

/// The paths, whether they exist or not.
pub(super) fn credentials() -> Vec<PathBuf> {
    let home = std::env::home_dir();
    let in_home = home.into_iter().flat_map(|home| IN_HOME.map(|name| home.join(name)));
    in_home.chain(SOCKETS.map(PathBuf::from)).collect()
}
