//! What fenced commands may see of this machine: not where programs keep keys and logins, nor sockets that reach the whole
//! machine; but the tools of whoever runs the server.

use std::path::{Path, PathBuf};

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

/// Where toolchains live in a home; nothing else is kept there.
const TOOLCHAINS: [&str; 16] = [
    ".rustup",
    ".cargo/bin",
    ".nvm",
    ".fnm",
    ".volta",
    ".bun",
    ".deno",
    ".pyenv",
    ".rbenv",
    ".asdf",
    ".sdkman",
    ".nix-profile",
    "go",
    ".local/bin",
    ".local/lib",
    ".local/share/mise",
];

/// Paths no command may see, whether they exist or not.
pub(super) fn hidden() -> Vec<PathBuf> {
    let home = std::env::home_dir();
    let in_home = home.into_iter().flat_map(|home| IN_HOME.map(|name| home.join(name)));
    in_home.chain(SOCKETS.map(PathBuf::from)).collect()
}

/// Paths with programs that commands may read: the known homes of toolchains, and what is on `PATH`. A program in `bin` needs
/// what lies beside `bin`, unless that is somebody's home or holds something hidden.
pub(super) fn toolchains(hidden: &[PathBuf]) -> Vec<PathBuf> {
    let home = std::env::home_dir().unwrap_or_default();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).filter(|folder| folder.is_absolute());
    let with_rest = on_path.map(|folder| match folder.parent() {
        Some(rest) if folder.ends_with("bin") && !is_personal(rest, &home, hidden) => rest.to_owned(),
        Some(_) | None => folder,
    });
    let all = TOOLCHAINS.iter().map(|name| home.join(name)).chain(with_rest);
    all.filter(|path| !hidden.iter().any(|hidden| path.starts_with(hidden))).collect()
}

fn is_personal(folder: &Path, home: &Path, hidden: &[PathBuf]) -> bool {
    home.starts_with(folder) || folder == home.join(".local") || hidden.iter().any(|hidden| hidden.starts_with(folder))
}
