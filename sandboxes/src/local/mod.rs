//! Sandboxes on this machine: a folder each, commands fenced by bubblewrap or Landlock, or by nothing when that was asked
//! for by name. Everything it knows is in the folders, so a new instance finds what an old one left.
//!
//! Honest limits. Memory, processes, output and disk are watched, not accounted by the kernel: memory, processes and output
//! every 50 to 250 ms, the disk every 2 s, so a bound can be passed for that long; one file cannot grow past the larger of the
//! bounds on disk and output. Behind Landlock other processes can be seen, UDP is not stopped by `network: false`, and on
//! kernels before 7.1 sockets in the file system can be reached. Behind bubblewrap a command that was ended by a signal, and
//! one that exits with 128 and the number of the signal, look the same. Without either, what a command may do is what the user
//! may do.

mod changes;
mod create;
mod destroy;
mod exec;
mod fence;
mod sight;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use rustix::fs::{IFlags, Mode};
use tokio::sync::OnceCell;

use crate::inside;
use crate::layout::{self, EXECS, Kept, SPEC, Walls};
use crate::provider::{Created, Error, Exec, Found, Provider, Spec, Status, Stdio};
use crate::secrets::Secrets;
use changes::Changes;
pub(crate) use create::{check, is_plain};
pub(crate) use exec::passed;
use sight::Sight;

/// Counts what this process writes; process ids do it between processes.
static UNIQUE: AtomicU64 = AtomicU64::new(0);

/// Which fence to put around commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fence {
    /// Bubblewrap when it works here, else Landlock, else nothing runs.
    Auto,
    /// Bubblewrap or nothing runs.
    Bubblewrap,
    /// Landlock or nothing runs.
    Landlock,
    /// No fence: commands can do whatever this user can.
    None,
}

/// How local sandboxes are made.
#[derive(Debug, Clone)]
pub struct Options {
    /// The folder that holds them all, and nothing else.
    pub root: PathBuf,
    /// The program that answers `<runner> sandbox-run <folder>` by [`crate::runner::answer`].
    pub runner: PathBuf,
    /// The fence.
    pub fence: Fence,
    /// Paths no command may see, beside the homes of people that are hidden anyway.
    pub hide: Vec<PathBuf>,
    /// Paths every command may read, beside the system's and the toolchains of this user, also when what is around them is hidden.
    pub read: Vec<PathBuf>,
}

/// Makes sandboxes on this machine.
#[derive(Debug, Clone)]
pub struct LocalProvider {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    name: &'static str,
    options: Options,
    /// Who commands are run as, when this is the inside of a container.
    user: Option<u32>,
    /// What no command may see, known from the start.
    hide: Vec<PathBuf>,
    /// What every command may read, whatever is hidden around it.
    read: Vec<PathBuf>,
    /// Variables that tell tools where they have what they need.
    told: Vec<(&'static str, PathBuf)>,
    /// The fence that works here, once one was found.
    fence: OnceCell<(Walls, String)>,
    changes: Changes,
    /// Runners this process started, until they have ended.
    runners: Mutex<Vec<std::process::Child>>,
}

impl LocalProvider {
    /// Sandboxes fenced as the options say.
    ///
    /// # Errors
    /// When the root cannot be made.
    pub fn new(options: Options) -> Result<Self, Error> {
        let name = if options.fence == Fence::None { "host" } else { "local" };
        make_root(&options.root).map_err(|source| transient("make the folder of sandboxes", source))?;
        let root = options.root.canonicalize().map_err(|source| transient("find the folder of sandboxes", source))?;
        let Sight { hide, read, told } = Sight::of_this_machine(&options.hide, &options.read);
        let changes = Changes::new().map_err(|source| transient("watch for changes", source))?;
        let inner = Inner {
            name,
            options: Options { root, ..options },
            user: None,
            hide,
            read,
            told,
            fence: OnceCell::new(),
            changes,
            runners: Mutex::default(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Sandboxes without a fence: the provider `host`.
    ///
    /// # Errors
    /// When the root cannot be made.
    pub fn host(options: Options) -> Result<Self, Error> {
        Self::new(Options { fence: Fence::None, ..options })
    }

    /// The keeper of the one sandbox inside a container, whose folder was put there with it.
    ///
    /// # Errors
    /// When changes cannot be watched for.
    pub(crate) fn inside(runner: PathBuf, user: u32) -> Result<Self, Error> {
        let root = PathBuf::from(inside::ROOT);
        let inner = Inner {
            name: "inside",
            options: Options { root, runner, fence: Fence::None, hide: Vec::new(), read: Vec::new() },
            user: Some(user),
            hide: Vec::new(),
            read: Vec::new(),
            told: Vec::new(),
            fence: OnceCell::new(),
            changes: Changes::new().map_err(|source| transient("watch for changes", source))?,
            runners: Mutex::default(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Says that everything in the workspace was there before now; only the first time counts.
    pub(crate) fn stamp(&self, key: &str) -> Result<(), Error> {
        create::stamp_once(&self.inner, key)
    }

    /// [`Provider::start`], with the values of what is passed on.
    pub(crate) async fn start_with(&self, key: &str, exec: &Exec, passed: Secrets) -> Result<(), Error> {
        let (key, exec) = (key.to_owned(), exec.clone());
        self.aside(move |inner| exec::start(inner, &key, &exec, &passed)).await
    }

    /// Does what takes the disk more than a moment away from the threads that answer.
    async fn aside<T, F>(&self, work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnOnce(&Inner) -> Result<T, Error> + Send + 'static,
    {
        let inner = Arc::clone(&self.inner);
        match tokio::task::spawn_blocking(move || work(&inner)).await {
            Ok(done) => done,
            Err(error) => Err(transient("finish a piece of work", io::Error::other(error))),
        }
    }
}

fn make_root(root: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(root)?;
    let folder = crate::tree::open(root)?;
    // It may have been there before; of somebody else it stays as it is.
    rustix::fs::fchmod(&folder, Mode::RWXU).ok();
    // Tells ext4 that the folders in it have nothing to do with each other, so that it spreads them over the disk. Without a
    // journal it looks past every inode freed nearby in the last minutes, and making sandboxes took ten times as long.
    if let Ok(flags) = rustix::fs::ioctl_getflags(&folder) {
        rustix::fs::ioctl_setflags(&folder, flags | IFlags::TOPDIR).ok();
    }
    Ok(())
}

fn transient(action: &str, source: io::Error) -> Error {
    Error::Transient { action: action.to_owned(), source }
}

impl Inner {
    /// A sandbox's folder.
    fn folder(&self, key: &str) -> Result<PathBuf, Error> {
        if layout::is_name(key) {
            return Ok(self.options.root.join(key));
        }
        Err(Error::Unusable { reason: format!("`{key}` is no name of a sandbox: use a-z, 0-9 and -, at most 128") })
    }

    /// The folder of a command.
    fn exec_folder(&self, key: &str, exec: &str) -> Result<PathBuf, Error> {
        let folder = self.folder(key)?;
        if layout::is_name(exec) {
            return Ok(folder.join(EXECS).join(exec));
        }
        Err(Error::Unusable { reason: format!("`{exec}` is no name of a command: use a-z, 0-9 and -, at most 128") })
    }

    /// What a sandbox is.
    fn kept(&self, key: &str) -> Result<Kept, Error> {
        match layout::json(&self.folder(key)?.join(SPEC)) {
            Ok(kept) => Ok(kept),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(Error::Missing(format!("sandbox {key}"))),
            Err(error) => Err(transient("read what a sandbox is", error)),
        }
    }

    /// Keeps what this process writes apart from what others write at the same time.
    fn unique(&self) -> String {
        format!("{}-{}", std::process::id(), UNIQUE.fetch_add(1, Ordering::Relaxed))
    }

    fn output_bytes_max(&self, exec_folder: &Path) -> u64 {
        self.changes.output_bytes_max(exec_folder)
    }

    async fn walls(&self) -> Result<(Walls, String), Error> {
        let find = || fence::find(self.options.fence, &self.options.runner);
        self.fence.get_or_try_init(find).await.cloned()
    }
}

#[async_trait]
impl Provider for LocalProvider {
    fn name(&self) -> &'static str {
        self.inner.name
    }

    async fn probe(&self) -> Result<String, Error> {
        Ok(self.inner.walls().await?.1)
    }

    async fn create(&self, spec: &Spec) -> Result<Created, Error> {
        let (walls, fence) = self.inner.walls().await?;
        let spec = spec.clone();
        self.aside(move |inner| create::create(inner, &spec, walls, fence)).await
    }

    async fn find(&self, key: &str) -> Result<Created, Error> {
        create::find(&self.inner, key)
    }

    async fn list(&self, owner: &str) -> Result<Vec<Found>, Error> {
        let owner = owner.to_owned();
        self.aside(move |inner| create::list(inner, &owner)).await
    }

    async fn start(&self, key: &str, exec: &Exec) -> Result<(), Error> {
        self.start_with(key, exec, passed(exec)).await
    }

    async fn status(&self, key: &str, exec: &str) -> Result<Status, Error> {
        if let Some(status) = exec::status(&self.inner, key, exec)? {
            return Ok(status);
        }
        let (key, exec) = (key.to_owned(), exec.to_owned());
        self.aside(move |inner| exec::bury(inner, &key, &exec)).await
    }

    async fn read(&self, key: &str, exec: &str, stdio: Stdio, offset: u64, bytes_max: usize) -> Result<Vec<u8>, Error> {
        exec::read(&self.inner, key, exec, stdio, offset, bytes_max)
    }

    async fn changed(&self, key: &str, exec: &str) {
        match self.inner.exec_folder(key, exec) {
            Ok(folder) => self.inner.changes.wait(&folder).await,
            Err(_) => tokio::time::sleep(changes::LATEST).await,
        }
    }

    async fn kill(&self, key: &str, exec: &str, grace_ms: u64) -> Result<(), Error> {
        let (key, exec) = (key.to_owned(), exec.to_owned());
        self.aside(move |inner| exec::kill(inner, &key, &exec, grace_ms)).await
    }

    async fn get(&self, key: &str, exec: &str, name: &str, bytes_max: u64) -> Result<Vec<u8>, Error> {
        let (key, exec, name) = (key.to_owned(), exec.to_owned(), name.to_owned());
        self.aside(move |inner| exec::get(inner, &key, &exec, &name, bytes_max)).await
    }

    async fn left_nothing(&self, key: &str, exec: &str) -> Result<bool, Error> {
        exec::left_nothing(&self.inner, key, exec)
    }

    async fn untouched(&self, key: &str) -> Result<bool, Error> {
        let key = key.to_owned();
        self.aside(move |inner| create::untouched(inner, &key)).await
    }

    async fn destroy(&self, key: &str) -> Result<(), Error> {
        let key = key.to_owned();
        self.aside(move |inner| destroy::destroy(inner, &key)).await
    }
}
