//! The contract of a provider: few primitives, the same on every provider.

use std::collections::BTreeMap;
use std::path::PathBuf;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::secrets::Secrets;

/// What a sandbox is to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spec {
    /// Its deterministic name, unique per provider; characters `a-z0-9-`, at most 128.
    pub key: String,
    /// The installation that owns it; what [`Provider::list`] filters by.
    pub owner: String,
    /// A folder whose content becomes the workspace, with modes, symlinks and mtimes.
    pub seed: PathBuf,
    /// Paths on this machine that must be readable inside, under the same path where the provider can.
    pub read_only: Vec<PathBuf>,
    /// Files made before anything runs, readable inside, in the inbox.
    pub inbox: Vec<InboxFile>,
    /// Files of this machine shown read-only in the sandbox's home (credentials). Never copied into our folders.
    pub home_links: Vec<HomeLink>,
    /// Whether the network may be reached.
    pub network: bool,
    /// Hard bounds over everything that runs in it.
    pub bounds: Bounds,
    /// What was asked for by name, for a provider that chooses by it.
    #[serde(default)]
    pub wish: Wish,
    /// Under which right it is made, and until when.
    #[serde(default)]
    pub term: Term,
    /// What setup will make of it; a provider that kept that of an earlier one may begin with it.
    #[serde(default)]
    pub warm: Option<Warm>,
}

/// Tells what a setup command makes: where both are the same, so is that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warm {
    /// Names the repository, the command and what it is given.
    pub name: String,
    /// Names what it begins from.
    pub base: String,
}

/// The right a sandbox is made under; with its owner and its key it is written on it, where its provider writes anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Term {
    /// The number that outdates what was made for the same work before.
    pub epoch: u32,
    /// When everything in it is over at the latest, in milliseconds since the Unix epoch. Nobody has to ask its owner then, who
    /// may be gone for good. Nothing when that is not known.
    pub until_ms: Option<u64>,
}

/// What an attempt asked for by name.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Wish {
    /// One of the places of a provider that has several: `ams` in `gateway:ams`.
    pub place: Option<String>,
    /// The model, or whatever its agent takes for one.
    pub model: Option<String>,
}

/// A small file put into the sandbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InboxFile {
    /// A plain file name.
    pub name: String,
    /// Its content.
    pub content: Vec<u8>,
}

/// A file or folder of this machine shown in the sandbox's home.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HomeLink {
    /// Absolute path on this machine; skipped when it does not exist.
    pub source: PathBuf,
    /// Path under the sandbox's home.
    pub target: PathBuf,
}

/// Hard bounds of a sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bounds {
    /// Memory of all processes together, in bytes.
    pub memory_bytes_max: u64,
    /// Processes at once.
    pub processes_max: u32,
    /// Bytes in the sandbox's folders.
    pub disk_bytes_max: u64,
}

/// What was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Created {
    /// The fence really in force, for people: `bubblewrap`, `landlock (abi 7)`, `none`.
    pub fence: String,
    /// Absolute path of the workspace, as seen inside.
    pub workspace: String,
    /// Absolute path of the inbox, as seen inside.
    pub inbox: String,
    /// Whether it began with what an earlier one's setup made, by [`Spec::warm`].
    #[serde(default)]
    pub is_warm: bool,
}

/// A sandbox found by its owner label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its name.
    pub key: String,
    /// When it was made, in milliseconds since the Unix epoch.
    pub created_at_ms: u64,
    /// Bytes in its folders, when the provider knows cheaply.
    pub disk_bytes: Option<u64>,
    /// What its vendor asks for an hour of it as it stands now, in micro-dollars; nothing where nobody asks for anything, or
    /// it is not known.
    pub rent_usd_micros_per_hour: Option<u64>,
}

/// Images that a provider keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Images {
    /// How many.
    pub count: u64,
    /// What they take together, at least: bytes that several need are not counted.
    pub bytes: u64,
}

/// A command to run in a sandbox, in the workspace, with standard input empty and closed.
///
/// Inside it sees `HOME` (private), `TMPDIR`, `PATH`, `LANG`, `REGATTA_WORKSPACE`, `REGATTA_INBOX`, `REGATTA_OUTBOX`
/// (a fresh folder of this command alone), `REGATTA_ARTIFACTS` (a folder with the command's name, empty at first; those of
/// earlier commands are seen beside it), where this user's tools have what they need (`RUSTUP_HOME` and the like), what
/// [`Self::env`], [`Self::env_pass`] and [`Self::secrets`] add, and nothing else of this process's environment.
///
/// It cannot be serialized, because it holds secrets: what a provider writes down of it, it names field by field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exec {
    /// Its name in the sandbox; characters `a-z0-9-`. Starting the same name again does nothing.
    pub name: String,
    /// Program and arguments. Never a secret.
    pub argv: Vec<String>,
    /// Plain variables. Never a secret: they are written to disk.
    pub env: BTreeMap<String, String>,
    /// Names of variables of this process's environment to pass on (keys). Their values are never written to disk.
    pub env_pass: Vec<String>,
    /// Secrets as variables. A provider hands their values from memory to memory: through the environment of a child, a
    /// pipe or the body of a request over TLS. It never puts them into an argument list, a file (not on this machine and not
    /// in the sandbox), a label, a log line or an error; where an engine would keep them in what it knows of a container, as
    /// Docker does with `Env`, they go in with the command instead. They are needed only to begin: a command that was started
    /// before is found again without them.
    pub secrets: Secrets,
    /// It is stopped after this long, also when this process is gone, in milliseconds.
    pub timeout_ms: u64,
    /// Bytes it may print on each channel; past it the command is stopped.
    pub output_bytes_max: u64,
}

/// One of the two channels a command prints on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Stdio {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

/// Where a command stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// Never started; starting it is safe.
    NotStarted,
    /// It runs.
    Running,
    /// It ended, with every process it left.
    Ended(Ended),
}

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// How.
    pub exit: Exit,
    /// How long it ran, in milliseconds.
    pub elapsed_ms: u64,
    /// Processes of it that the kernel ended for want of memory, where the provider is told; also when the command itself
    /// ended well.
    #[serde(default)]
    pub oom_kills: u64,
}

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Exit {
    /// By itself, with a code.
    Code(i32),
    /// By a signal nobody of ours sent.
    Signal(i32),
    /// Its time was up.
    TimedOut,
    /// [`Provider::kill`] stopped it.
    Killed,
    /// It went past a bound; for people, with the numbers.
    OverLimit(String),
    /// It could not be started: why, and what to do.
    NotStarted(String),
    /// Whatever watched it is gone, and so is its exit code.
    Lost,
}

/// What a provider can do beyond the contract, so that nobody offers what would be refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Capability {
    /// [`Provider::pause`] and [`Provider::resume`].
    Pause,
    /// [`Provider::fork`].
    Fork,
    /// A sandbox can be kept off the network.
    NetworkOff,
    /// The memory of a sandbox is bounded by the kernel, not by looking.
    MemoryCaged,
    /// Sandboxes are on another machine than the server.
    Remote,
}

impl Capability {
    /// Its word, stable.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::Fork => "fork",
            Self::NetworkOff => "network-off",
            Self::MemoryCaged => "memory-caged",
            Self::Remote => "remote",
        }
    }
}

/// Why a provider could not do it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// This machine or configuration cannot do it at all; trying again does not help.
    #[error("{reason}")]
    Unusable {
        /// What is missing, and what to do.
        reason: String,
    },
    /// No sandbox, command or file of that name.
    #[error("{0} does not exist")]
    Missing(String),
    /// Larger than the caller allowed.
    #[error("{what} has {bytes} bytes, at most {bytes_max} are read")]
    TooLarge {
        /// What was read.
        what: String,
        /// Its size.
        bytes: u64,
        /// The bound.
        bytes_max: u64,
    },
    /// The provider takes no more sandboxes for now: a quota or a rate. Nothing failed.
    #[error("{reason}")]
    Full {
        /// In the provider's words.
        reason: String,
        /// How long it asks us to wait, in milliseconds.
        wait_ms: u64,
    },
    /// A failure that may go away: disk, process table, engine.
    #[error("failed to {action}")]
    Transient {
        /// What was being done.
        action: String,
        /// Why it failed.
        #[source]
        source: std::io::Error,
    },
}

impl Error {
    /// Whether trying again may help.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Transient { .. } | Self::Full { .. })
    }
}

/// What makes and keeps sandboxes.
#[async_trait]
pub trait Provider: Send + Sync + 'static {
    /// Its name: `local`, `host`, …
    fn name(&self) -> &'static str;

    /// The fence a sandbox made now would have.
    ///
    /// # Errors
    /// [`Error::Unusable`] when none could be made, with what to do.
    async fn probe(&self) -> Result<String, Error>;

    /// Whether it has that place and takes that agent.
    ///
    /// # Errors
    /// [`Error::Unusable`] when it does not, with what to do.
    fn takes(&self, place: Option<&str>, agent: &str) -> Result<(), Error> {
        // Any agent will do.
        let _: &str = agent;
        let Some(place) = place else { return Ok(()) };
        let reason = format!("the provider {0} has no places to choose from; write {0} without :{place}", self.name());
        Err(Error::Unusable { reason })
    }

    /// Makes a sandbox, or finds the one of that key.
    async fn create(&self, spec: &Spec) -> Result<Created, Error>;

    /// The sandbox of that key, as it was made; [`Error::Missing`] when there is none.
    async fn find(&self, key: &str) -> Result<Created, Error>;

    /// Every sandbox of that owner, whoever made it.
    async fn list(&self, owner: &str) -> Result<Vec<Found>, Error>;

    /// Starts a command that outlives this process. At most one ever runs under one name, however often and by however
    /// many processes this is called.
    async fn start(&self, key: &str, exec: &Exec) -> Result<(), Error>;

    /// Where a command stands.
    async fn status(&self, key: &str, exec: &str) -> Result<Status, Error>;

    /// What a command printed from `offset` on, at most `bytes_max`; empty at the end for now.
    async fn read(&self, key: &str, exec: &str, stdio: Stdio, offset: u64, bytes_max: usize) -> Result<Vec<u8>, Error>;

    /// Returns when a command may have printed more or ended since the last call, at the latest after a second.
    async fn changed(&self, key: &str, exec: &str);

    /// Stops a command and every process it started: a request to end, then after `grace_ms` by force. Returns when it
    /// has been asked; [`Provider::status`] tells when it has ended. Killing what has ended does nothing.
    async fn kill(&self, key: &str, exec: &str, grace_ms: u64) -> Result<(), Error>;

    /// A regular file a command wrote into its outbox; links are not followed.
    async fn get(&self, key: &str, exec: &str, name: &str, bytes_max: u64) -> Result<Vec<u8>, Error>;

    /// Whether it is proved, cheaply, that a command that has ended left nothing in its `REGATTA_ARTIFACTS`. `false`
    /// proves nothing.
    async fn left_nothing(&self, key: &str, exec: &str) -> Result<bool, Error> {
        // Nothing is known of either.
        let _: (&str, &str) = (key, exec);
        Ok(false)
    }

    /// Whether it is proved, cheaply, that nothing in the workspace changed since it was made. `false` proves nothing.
    async fn untouched(&self, key: &str) -> Result<bool, Error>;

    /// Removes a sandbox with every process and file in it. Removing what is gone succeeds.
    async fn destroy(&self, key: &str) -> Result<(), Error>;

    /// What it keeps so that later sandboxes are made sooner, whoever it was made for; nothing where nothing is kept.
    async fn kept(&self) -> Result<Option<Images>, Error> {
        Ok(None)
    }

    /// Removes of what it keeps all that no sandbox is made of now; what that was. What is needed again is made again.
    async fn clear_kept(&self) -> Result<Images, Error> {
        Ok(Images::default())
    }

    /// Keeps what setup has made of a sandbox, before anything else runs in it, for others of that [`Spec::warm`]. To keep
    /// nothing is always right.
    async fn keep_warm(&self, key: &str, warm: &Warm) -> Result<(), Error> {
        let _ = (key, warm);
        Ok(())
    }

    /// What it can do beyond the rest of this contract.
    fn capabilities(&self) -> &'static [Capability] {
        &[]
    }

    /// Stops everything in a sandbox where it is, memory kept. Pausing what is paused does nothing.
    async fn pause(&self, key: &str) -> Result<(), Error> {
        Err(self.cannot(key, "pause"))
    }

    /// Lets it go on.
    async fn resume(&self, key: &str) -> Result<(), Error> {
        Err(self.cannot(key, "resume"))
    }

    /// Makes a sandbox with the files another one has now, and nothing running; it is the one's equal from then on. When
    /// there is one of the key `into` already, it stays as it is.
    async fn fork(&self, key: &str, into: &str) -> Result<Created, Error> {
        let _ = into;
        Err(self.cannot(key, "fork"))
    }

    /// What is said of a wish beyond [`Self::capabilities`].
    fn cannot(&self, key: &str, what: &str) -> Error {
        Error::Unusable { reason: format!("the provider {} cannot {what} sandbox {key}", self.name()) }
    }
}
