//! What every command stands on: where data is kept, who gives commands, where output goes.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::client::{Client, Remote};
use crate::failure::Failure;
use crate::terminal::Terminal;

/// Most bytes read of the machine's list of users.
const USERS_BYTES_MAX: u64 = 1 << 20;

/// What every command stands on.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    pub(crate) terminal: Terminal,
    /// Absolute.
    pub(crate) data_dir: PathBuf,
    /// The person's name.
    pub(crate) user: String,
    /// Another server than that of the data directory.
    pub(crate) remote: Option<Arc<Remote>>,
}

impl Context {
    pub(crate) fn new(data_dir: Option<&Path>, json: bool) -> Result<Self, Failure> {
        let data_dir = std::path::absolute(data_dir.map_or_else(default_data_dir, |path| Ok(path.to_owned()))?)?;
        let mut named = ["REGATTA_USER", "USER", "LOGNAME"].into_iter().filter_map(|name| std::env::var(name).ok());
        let user = named.find(|name| !name.trim().is_empty());
        let user = user.or_else(login_name).unwrap_or_else(|| format!("uid-{}", rustix::process::getuid().as_raw()));
        Ok(Self { terminal: Terminal::detect(json), data_dir, user, remote: None })
    }

    pub(crate) fn client(&self) -> Client {
        match &self.remote {
            Some(remote) => Client::remote(Arc::clone(remote), &self.terminal),
            None => Client::new(&self.data_dir, &self.user, &self.terminal),
        }
    }
}

/// The name of this process's user in the machine's list; containers often set no variable.
fn login_name() -> Option<String> {
    let uid = rustix::process::getuid().as_raw().to_string();
    let mut list = String::new();
    File::open("/etc/passwd").ok()?.take(USERS_BYTES_MAX).read_to_string(&mut list).ok()?;
    let mut lines = list.lines().map(|line| line.split(':'));
    lines.find_map(|mut fields| {
        let name = fields.next()?;
        (fields.nth(1)? == uid).then(|| name.to_owned())
    })
}

fn default_data_dir() -> Result<PathBuf, Failure> {
    let absolute = |path: PathBuf| path.is_absolute().then_some(path);
    let given = std::env::var_os("XDG_DATA_HOME").map(PathBuf::from).and_then(absolute);
    let found = given.or_else(|| std::env::home_dir().map(|home| home.join(".local/share")));
    found
        .map(|base| base.join("regatta"))
        .ok_or_else(|| Failure::usage("there is no home directory to keep data in").hint("say where: --data-dir DIR"))
}

/// Runs a command's conversation with the server.
pub(crate) fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(work)
}
