//! Sandboxes in containers of a Docker engine, on this machine or another one. A sandbox is one container; a program of ours
//! inside (see [`crate::inside`]) keeps its folder and runs its commands there, and is asked over a connection through the
//! engine. Nothing of the server's machine is mounted, nothing but the container is left behind, and everything known is in
//! the container and its labels, so a new instance finds what an old one left.
//!
//! Honest limits. What keeps watch inside is root with five capabilities; commands are user 1000 with none. A container that
//! was stopped, with its engine or by somebody, is started again when it is asked for: what was printed is still there, what
//! ran counts as lost. The disk is watched from inside, not caged. The engine must run on the processor architecture of the
//! server, and images need a `/bin/sh`.

mod build;
mod channel;
mod create;
mod destroy;
mod engine;
mod fence;
mod image;
mod kept;
mod links;
mod pack;
mod warm;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bollard::Docker;
use bytes::Bytes;
use tokio::sync::{OnceCell, Semaphore};

use crate::inside::wire::{Answer, Call, sealed};
use crate::local::passed;
use crate::provider::{Capability, Created, Error, Exec, Found, Images, Provider, Spec, Status, Stdio, Warm};
use crate::remote::wire::random;
use channel::Channel;
pub use kept::{AGE_MAX, KEPT_MAX};

/// How long one who waits for news waits at most, also when nobody answers.
const NEWS_MAX: Duration = Duration::from_secs(2);
/// The same where nobody can be asked.
const NOBODY: Duration = Duration::from_secs(1);
/// The image `cargo xtask image` makes: Debian with git, and no agent.
pub const IMAGE: &str = "regatta/base:bookworm";
/// Tries of a call whose connection broke: the first, and one over a fresh connection.
const TRIES: u32 = 2;

/// The network of sandboxes that may have one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Network {
    /// None all the same.
    None,
    /// One of its own without a way out.
    Internal,
    /// The engine's bridge: out, and to other containers on it.
    Bridge,
}

/// How containers are made.
#[derive(Debug, Clone)]
pub struct Options {
    /// The engine, as `DOCKER_HOST` names it; the local socket when unset.
    pub host: Option<String>,
    /// Begins every name, and tells apart who shares an engine; characters `a-z0-9-`.
    pub scope: String,
    /// The image, by name.
    pub image: String,
    /// A Dockerfile the image is built from instead, once for each content of it.
    pub dockerfile: Option<PathBuf>,
    /// The program that answers [`crate::runner::answer`]'s calls; it is brought into containers with its libraries.
    pub program: PathBuf,
    /// What a sandbox that may reach the network gets.
    pub network: Network,
    /// Whether the root file system can only be read; the sandbox's own folder is a volume then, which goes with it, and
    /// which no fork has.
    pub read_only: bool,
    /// Processors a sandbox may use, in thousandths; all when unset.
    pub cpus_milli: Option<u32>,
    /// Memory of a sandbox in bytes, where its spec allows more.
    pub memory_bytes_max: Option<u64>,
    /// Processes and threads in a container; [`crate::Bounds::processes_max`] is watched besides.
    pub pids_max: u32,
    /// The runtime; the engine's own when unset.
    pub runtime: Option<String>,
    /// Whether what a setup command made is kept for others that begin from the same.
    pub warm: bool,
    /// Containers started at once. Starting is bound by processors: more at once is not faster for anyone.
    pub starts_max: usize,
}

/// Makes sandboxes in containers.
#[derive(Clone)]
pub struct DockerProvider {
    inner: Arc<Inner>,
}

/// Where the connection to a sandbox is kept.
type Door = Arc<tokio::sync::Mutex<Option<Arc<Channel>>>>;

struct Inner {
    options: Options,
    /// The engine, once it answered.
    engine: OnceCell<Docker>,
    /// The image containers are made of, once it is there.
    image: OnceCell<String>,
    /// Whether what is nobody's any more was removed, once.
    tidied: OnceCell<()>,
    /// Tells what this instance makes from what another one did.
    maker: String,
    starts: Semaphore,
    /// The connection to each sandbox. The inner lock is held while one is made.
    channels: Mutex<HashMap<String, Door>>,
    /// Held by whoever makes the sandbox of a key: one connection fills it once.
    makings: Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
}

impl std::fmt::Debug for DockerProvider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DockerProvider").field("options", &self.inner.options).finish_non_exhaustive()
    }
}

impl DockerProvider {
    /// Containers as the options say. The engine is not asked before it is needed.
    #[must_use]
    pub fn new(options: Options) -> Self {
        let starts = Semaphore::new(options.starts_max.max(1));
        let (engine, image, tidied) = (OnceCell::new(), OnceCell::new(), OnceCell::new());
        let (channels, makings, maker) = (Mutex::default(), Mutex::default(), format!("{:016x}", random()));
        Self { inner: Arc::new(Inner { options, engine, image, tidied, maker, starts, channels, makings }) }
    }
}

impl Inner {
    async fn docker(&self) -> Result<&Docker, Error> {
        self.engine.get_or_try_init(|| engine::connect(self.options.host.as_deref())).await
    }

    /// Asks inside a sandbox. A connection that broke is made again, once: everything can be asked twice.
    async fn ask(&self, key: &str, call: &Call, body: &[u8]) -> Result<(Answer, Bytes), Error> {
        let mut tries = 1;
        loop {
            let channel = self.channel(key).await?;
            match channel.ask(call, body).await {
                Ok((Answer::Failed(failure), _)) => return Err(failure.into()),
                Ok(answered) => return Ok(answered),
                Err(closed) => {
                    self.forget(key, &channel).await;
                    if tries == TRIES {
                        let action = format!("ask inside sandbox {key}");
                        return Err(Error::Transient { action, source: std::io::Error::other(closed) });
                    }
                    tries += 1;
                }
            }
        }
    }

    /// Keeps others of this process from making the same sandbox.
    fn making(&self, key: &str) -> Arc<tokio::sync::Mutex<()>> {
        let mut makings = self.makings.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(makings.entry(key.to_owned()).or_default())
    }

    /// The door to a sandbox, behind which its connection is.
    fn door(&self, key: &str) -> Door {
        let mut channels = self.channels.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(channels.entry(key.to_owned()).or_default())
    }

    /// The connection to a sandbox, made when there is none.
    async fn channel(&self, key: &str) -> Result<Arc<Channel>, Error> {
        let door = self.door(key);
        let mut door = door.lock().await;
        if let Some(channel) = door.as_ref().filter(|channel| channel.is_open()) {
            return Ok(Arc::clone(channel));
        }
        let made = match create::connect(self, key).await {
            Err(error @ Error::Missing(_)) => {
                self.channels.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
                return Err(error);
            }
            made => Arc::new(made?),
        };
        *door = Some(Arc::clone(&made));
        Ok(made)
    }

    async fn forget(&self, key: &str, channel: &Arc<Channel>) {
        let door = self.door(key);
        let mut door = door.lock().await;
        if door.as_ref().is_some_and(|held| Arc::ptr_eq(held, channel)) {
            *door = None;
        }
    }
}

/// What cannot be: the other end is our own program.
fn confused() -> Error {
    let source = std::io::Error::other("the answer is to another question");
    Error::Transient { action: "understand what the sandbox says".to_owned(), source }
}

#[async_trait]
impl Provider for DockerProvider {
    fn name(&self) -> &'static str {
        "docker"
    }

    async fn probe(&self) -> Result<String, Error> {
        fence::probe(&self.inner).await
    }

    async fn create(&self, spec: &Spec) -> Result<Created, Error> {
        let mut spec = spec.clone();
        if let Some(bytes_max) = self.inner.options.memory_bytes_max {
            spec.bounds.memory_bytes_max = spec.bounds.memory_bytes_max.min(bytes_max);
        }
        let created = create::create(&self.inner, &spec).await?;
        links::show(&self.inner, &spec).await?;
        Ok(created)
    }

    async fn find(&self, key: &str) -> Result<Created, Error> {
        create::find(&self.inner, key).await
    }

    async fn list(&self, owner: &str) -> Result<Vec<Found>, Error> {
        engine::list(&self.inner, owner).await
    }

    async fn start(&self, key: &str, exec: &Exec) -> Result<(), Error> {
        let body = sealed(&passed(exec))
            .map_err(|source| Error::Transient { action: "hand over what is passed on".to_owned(), source })?;
        self.inner.ask(key, &Call::Start { command: exec.into() }, &body).await.map(drop)
    }

    async fn status(&self, key: &str, exec: &str) -> Result<Status, Error> {
        match self.inner.ask(key, &Call::Status { exec: exec.to_owned() }, &[]).await? {
            (Answer::Status(told), _) => Ok(told.into()),
            _ => Err(confused()),
        }
    }

    async fn read(&self, key: &str, exec: &str, stdio: Stdio, offset: u64, bytes_max: usize) -> Result<Vec<u8>, Error> {
        let call = Call::Read { exec: exec.to_owned(), stdio, offset, bytes_max };
        Ok(self.inner.ask(key, &call, &[]).await?.1.into())
    }

    async fn changed(&self, key: &str, exec: &str) {
        let call = Call::Changed { exec: exec.to_owned() };
        let asked = tokio::time::timeout(NEWS_MAX, self.inner.ask(key, &call, &[]));
        if let Ok(Err(_)) = asked.await {
            tokio::time::sleep(NOBODY).await;
        }
    }

    async fn kill(&self, key: &str, exec: &str, grace_ms: u64) -> Result<(), Error> {
        self.inner.ask(key, &Call::Kill { exec: exec.to_owned(), grace_ms }, &[]).await.map(drop)
    }

    async fn get(&self, key: &str, exec: &str, name: &str, bytes_max: u64) -> Result<Vec<u8>, Error> {
        let call = Call::Get { exec: exec.to_owned(), name: name.to_owned(), bytes_max };
        Ok(self.inner.ask(key, &call, &[]).await?.1.into())
    }

    async fn left_nothing(&self, key: &str, exec: &str) -> Result<bool, Error> {
        match self.inner.ask(key, &Call::LeftNothing { exec: exec.to_owned() }, &[]).await? {
            (Answer::Flag(empty), _) => Ok(empty),
            _ => Err(confused()),
        }
    }

    async fn untouched(&self, key: &str) -> Result<bool, Error> {
        match self.inner.ask(key, &Call::Untouched, &[]).await? {
            (Answer::Flag(untouched), _) => Ok(untouched),
            _ => Err(confused()),
        }
    }

    async fn keep_warm(&self, key: &str, warm: &Warm) -> Result<(), Error> {
        warm::keep(&self.inner, key, warm).await
    }

    async fn destroy(&self, key: &str) -> Result<(), Error> {
        destroy::destroy(&self.inner, key).await
    }

    async fn kept(&self) -> Result<Option<Images>, Error> {
        kept::all(&self.inner).await.map(Some)
    }

    async fn clear_kept(&self) -> Result<Images, Error> {
        kept::clear(&self.inner).await
    }

    fn capabilities(&self) -> &'static [Capability] {
        if self.inner.options.read_only {
            return &[Capability::Pause, Capability::NetworkOff, Capability::MemoryCaged];
        }
        &[Capability::Pause, Capability::Fork, Capability::NetworkOff, Capability::MemoryCaged]
    }

    async fn fork(&self, key: &str, into: &str) -> Result<Created, Error> {
        if self.inner.options.read_only {
            return Err(self.cannot(key, "fork"));
        }
        create::fork(&self.inner, key, into).await
    }

    async fn pause(&self, key: &str) -> Result<(), Error> {
        engine::pause(&self.inner, key).await
    }

    async fn resume(&self, key: &str) -> Result<(), Error> {
        engine::resume(&self.inner, key).await
    }
}
