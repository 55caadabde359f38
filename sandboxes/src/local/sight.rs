//! What fenced commands may see of this machine: not the homes of people, where keys, logins and histories are, nor sockets
//! that reach the whole machine; but the tools of whoever runs the server, wherever they are. Every fence takes it from here.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Component, Path, PathBuf};

use crate::layout;

/// Where the homes of people are, beside that of whoever runs the server.
const HOMES: [&str; 2] = ["/home", "/root"];
/// Who has which home.
const ACCOUNTS: &str = "/etc/passwd";
/// The first account of a person.
const PERSON_MIN: u32 = 1000;
/// What no home may be or hold, if it is to be hidden: without it nothing runs.
const SYSTEM: [&str; 10] = ["/usr", "/bin", "/sbin", "/lib", "/lib64", "/etc", "/opt", "/nix", "/proc", "/dev"];

/// Sockets outside `/run`, which is hidden as a whole.
const SOCKETS: [&str; 2] = ["/var/lib/docker", "/var/run/docker.sock"];

/// Never shown by ourselves, in a home; and hidden also where the home itself cannot be.
const IN_HOME: [&str; 41] = [
    ".ssh",
    ".gnupg",
    ".aws",
    ".azure",
    ".kube",
    ".docker",
    ".config",
    ".netrc",
    ".git-credentials",
    ".gitconfig",
    ".npmrc",
    ".yarnrc",
    ".yarnrc.yml",
    ".pypirc",
    ".pgpass",
    ".my.cnf",
    ".env",
    ".vault-token",
    ".terraformrc",
    ".terraform.d",
    ".boto",
    ".s3cfg",
    ".mozilla",
    ".thunderbird",
    ".password-store",
    ".bash_history",
    ".zsh_history",
    ".python_history",
    ".node_repl_history",
    ".psql_history",
    ".local/share/keyrings",
    ".local/share/opencode/auth.json",
    ".cargo/credentials",
    ".cargo/credentials.toml",
    ".cargo/config.toml",
    ".gem/credentials",
    ".m2/settings.xml",
    ".gradle/gradle.properties",
    ".claude/.credentials.json",
    ".codex/auth.json",
    ".gemini",
];

/// Files with keys, wherever they are: a folder with one of them is never shown as a whole by ourselves.
const KEYS: [&str; 9] = [
    ".env",
    ".npmrc",
    ".netrc",
    ".pypirc",
    ".credentials.json",
    "auth.json",
    "credentials",
    "credentials.json",
    "credentials.toml",
];

/// Where toolchains live in a home; nothing else is kept there.
const TOOLCHAINS: [&str; 38] = [
    ".rustup",
    ".cargo/bin",
    ".cargo/env",
    ".nvm",
    ".fnm",
    ".nodenv",
    ".volta",
    ".bun",
    ".deno",
    ".proto",
    ".pyenv",
    ".rye",
    ".pixi",
    ".rbenv",
    ".goenv",
    ".jenv",
    ".asdf",
    ".sdkman",
    ".ghcup",
    ".elan",
    ".juliaup",
    ".opam",
    ".dotnet",
    ".nix-profile",
    ".claude/local",
    "go/bin",
    "go/pkg",
    ".local/bin",
    ".local/lib",
    ".local/pipx/venvs",
    ".local/share/claude/versions",
    ".local/share/fnm",
    ".local/share/mise",
    ".local/share/pipx/venvs",
    ".local/share/pnpm",
    ".local/share/rtx",
    ".local/share/uv/python",
    ".local/share/uv/tools",
];

/// Tools that look for what they need in the home unless a variable says where, and where it is in the home. The home of a
/// command is its own.
const TOLD: [(&str, &str); 9] = [
    ("RUSTUP_HOME", ".rustup"),
    ("VOLTA_HOME", ".volta"),
    ("PYENV_ROOT", ".pyenv"),
    ("RBENV_ROOT", ".rbenv"),
    ("NODENV_ROOT", ".nodenv"),
    ("GOENV_ROOT", ".goenv"),
    ("ASDF_DATA_DIR", ".asdf"),
    ("MISE_DATA_DIR", ".local/share/mise"),
    ("ELAN_HOME", ".elan"),
];

/// Folders of a home with all sorts of things in them: something in them may be shown, they may not.
const MIXED: [&str; 9] =
    [".local", ".local/share", ".local/state", ".cache", ".cargo", ".claude", ".codex", ".config", "go"];

/// A tool keeps its versions, or what it needs, in folders of that name; they come and go.
const KEPT_TOGETHER: [&str; 2] = ["versions", "node_modules"];

/// Links followed from a name on `PATH` to a program.
const LINKS_MAX: usize = 8;
/// Names looked at in one folder on `PATH`.
const NAMES_MAX: usize = 16 * 1024;

/// What is hidden, and what is seen although it lies in something hidden.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sight {
    /// Paths no command may see, whether they exist or not.
    pub(super) hide: Vec<PathBuf>,
    /// Paths every command may read.
    pub(super) read: Vec<PathBuf>,
    /// Variables that tell tools where they have what they need.
    pub(super) told: Vec<(&'static str, PathBuf)>,
}

impl Sight {
    /// What this process's user has, with what else was asked to be hidden and shown.
    pub(super) fn of_this_machine(hide: &[PathBuf], read: &[PathBuf]) -> Self {
        let home = std::env::home_dir().unwrap_or_default();
        let mut homes = accounts();
        homes.extend(HOMES.map(PathBuf::from));
        let looked = Looked::new(home, homes, hide);
        let mut shown = looked.toolchains(&std::env::var_os("PATH").unwrap_or_default());
        shown.extend(read.iter().cloned());
        let elsewhere = |name| std::env::var_os(name).map(PathBuf::from);
        let told = TOLD.map(|(name, folder)| (name, elsewhere(name).unwrap_or_else(|| looked.home.join(folder))));
        let told = told.into_iter().filter(|(_, folder)| folder.is_absolute() && folder.is_dir()).collect();
        let hide = looked.homes.into_iter().chain(looked.secrets).collect();
        Self { hide, read: shown, told }
    }
}

/// Homes of people that are not below the known places.
fn accounts() -> Vec<PathBuf> {
    let own = rustix::process::getuid().as_raw();
    let text = layout::small(Path::new(ACCOUNTS)).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let homes = text.lines().filter_map(|line| {
        let mut fields = line.split(':').skip(2);
        let account: u32 = fields.next()?.parse().ok()?;
        let home = fields.nth(2)?;
        (account == own || account == 0 || account >= PERSON_MIN).then(|| PathBuf::from(home))
    });
    homes.collect()
}

struct Looked {
    home: PathBuf,
    /// Hidden, but for tools.
    homes: Vec<PathBuf>,
    /// Hidden, and never shown by ourselves.
    secrets: Vec<PathBuf>,
}

impl Looked {
    fn new(home: PathBuf, homes: Vec<PathBuf>, hide: &[PathBuf]) -> Self {
        let secrets = IN_HOME.map(|name| home.join(name)).into_iter().chain(SOCKETS.map(PathBuf::from));
        let secrets = secrets.filter(|path| path.is_absolute()).chain(hide.iter().cloned()).collect();
        let mut homes: Vec<PathBuf> = homes.into_iter().chain([home.clone()]).collect();
        // Both as it is called and where it really is.
        homes.extend(homes.clone().iter().filter_map(|home| home.canonicalize().ok()));
        homes.retain(|home| home.is_absolute() && !is_system(home));
        homes.sort();
        homes.dedup();
        Self { home, homes, secrets }
    }

    /// Paths with programs: the known homes of toolchains, what is on `PATH`, and what that links to.
    fn toolchains(&self, path: &OsStr) -> Vec<PathBuf> {
        let mut shown: BTreeSet<PathBuf> = BTreeSet::new();
        shown.extend(TOOLCHAINS.iter().flat_map(|name| self.without_keys(&self.home.join(name))));
        for folder in std::env::split_paths(path).filter(|folder| folder.is_absolute()) {
            shown.extend(self.beside(&folder));
            for hop in links(&folder).into_iter().filter(|hop| self.is_at_home(hop)) {
                shown.extend(self.around(&hop));
            }
        }
        // What lies in something shown is shown.
        let all = shown.clone();
        shown.retain(|path| path.is_absolute() && !path.ancestors().skip(1).any(|around| all.contains(around)));
        shown.into_iter().collect()
    }

    /// What a program in that folder needs: in `bin`, also what lies beside `bin`.
    fn beside(&self, folder: &Path) -> Vec<PathBuf> {
        match folder.parent() {
            Some(rest) if folder.ends_with("bin") && !self.is_personal(rest) => self.without_keys(rest),
            Some(_) if !self.is_personal(folder) => self.without_keys(folder),
            Some(_) | None => Vec::new(),
        }
    }

    /// What a program that something on `PATH` links to needs.
    fn around(&self, program: &Path) -> Vec<PathBuf> {
        let together = program.ancestors().filter(|folder| KEPT_TOGETHER.iter().any(|name| folder.ends_with(name)));
        let outermost = together.filter(|folder| self.is_at_home(folder)).last();
        let shown = match (outermost, program.parent()) {
            (Some(folder), _) => self.without_keys(folder),
            (None, Some(folder)) => self.beside(folder),
            (None, None) => Vec::new(),
        };
        let is_secret = self.secrets.iter().any(|secret| program.starts_with(secret));
        if shown.is_empty() && !is_secret { vec![program.to_owned()] } else { shown }
    }

    /// The folder, or what is in it without what nobody may see.
    fn without_keys(&self, folder: &Path) -> Vec<PathBuf> {
        let real = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
        if self.is_secret(folder) || self.is_secret(&real) {
            return Vec::new();
        }
        if !self.has_keys(folder) {
            return vec![folder.to_owned()];
        }
        let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
        let paths = entries.flatten().take(NAMES_MAX).map(|entry| entry.path());
        let is_key = |path: &Path| KEYS.iter().any(|name| path.ends_with(name));
        paths.filter(|path| !is_key(path) && !self.is_secret(path) && !self.has_keys(path)).collect()
    }

    fn is_secret(&self, path: &Path) -> bool {
        self.secrets.iter().any(|secret| path.starts_with(secret))
    }

    fn has_keys(&self, folder: &Path) -> bool {
        self.secrets.iter().any(|secret| secret.starts_with(folder))
            || KEYS.iter().any(|name| folder.join(name).symlink_metadata().is_ok())
    }

    /// Whether somebody's things are in it, not only programs.
    fn is_personal(&self, folder: &Path) -> bool {
        let real = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
        let is_checkout = self.is_at_home(&real) && folder.join(".git").exists() && !self.is_toolchain(folder);
        let holds_home = |folder: &Path| self.homes.iter().any(|home| home.starts_with(folder));
        is_checkout
            || holds_home(folder)
            || holds_home(&real)
            // Directly in `/home` is a home.
            || folder.parent().is_some_and(|around| around == Path::new("/home"))
            || MIXED.iter().any(|name| folder == self.home.join(name))
    }

    fn is_toolchain(&self, folder: &Path) -> bool {
        TOOLCHAINS.iter().any(|name| folder.starts_with(self.home.join(name)))
    }

    fn is_at_home(&self, path: &Path) -> bool {
        self.homes.iter().any(|home| path.starts_with(home))
    }
}

fn is_system(home: &Path) -> bool {
    SYSTEM.iter().any(|system| Path::new(system).starts_with(home) || home == Path::new(system))
}

/// Where the links in a folder point to, over every link on the way.
fn links(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let links = entries.flatten().take(NAMES_MAX).filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_symlink()));
    let mut hops = Vec::new();
    for link in links {
        let mut path = link.path();
        for _ in 0..LINKS_MAX {
            let Ok(target) = std::fs::read_link(&path) else { break };
            path = joined(path.parent().unwrap_or(folder), &target);
            hops.push(path.clone());
        }
        hops.extend(link.path().canonicalize());
    }
    hops
}

/// Where a link leads, by its words alone.
fn joined(folder: &Path, target: &Path) -> PathBuf {
    let mut path = PathBuf::new();
    for part in folder.join(target).components() {
        match part {
            Component::ParentDir => drop(path.pop()),
            Component::CurDir => {}
            Component::RootDir | Component::Normal(_) | Component::Prefix(_) => path.push(part),
        }
    }
    path
}
