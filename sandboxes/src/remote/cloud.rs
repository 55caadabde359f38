//! The few primitives a vendor of sandboxes must have for [`super::Remote`] to keep a provider's promises on them. A vendor
//! knows its API; it knows nothing of commands that outlive us, of output by offset or of workspaces.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::Stream;
use futures_util::future::BoxFuture;
use secrecy::SecretString;

use crate::provider::{Capability, Error, Term};

/// The label that holds a sandbox's key.
pub(crate) const KEY: &str = "regatta-key";
/// The label that holds its owner.
pub(crate) const OWNER: &str = "regatta-owner";
/// The label that holds the number that outdates what was made for the same work before.
const EPOCH: &str = "regatta-epoch";
/// The label that says when everything in it is over at the latest, in seconds since the Unix epoch.
const DEADLINE: &str = "regatta-deadline";

/// Where the key of an account comes from, asked for each request: it may be replaced while we run. The error says what to do.
pub type KeySource = Arc<dyn Fn() -> BoxFuture<'static, Result<SecretString, String>> + Send + Sync>;

/// One sandbox of a vendor, as it is reached.
#[derive(Debug, Clone)]
pub(crate) struct Machine {
    /// The vendor's own id.
    pub(crate) id: String,
    /// Where its inside is reached.
    pub(crate) address: String,
    /// What opens the inside, when it is not the account's key.
    pub(crate) token: Option<SecretString>,
}

/// What a sandbox is asked for with.
#[derive(Debug, Clone)]
pub(crate) struct Wanted<'a> {
    pub(crate) key: &'a str,
    pub(crate) owner: &'a str,
    pub(crate) network: bool,
    pub(crate) term: Term,
}

impl<'a> Wanted<'a> {
    /// What is written on it.
    pub(crate) fn labels(&self) -> BTreeMap<&'static str, Cow<'a, str>> {
        let epoch = Cow::from(self.term.epoch.to_string());
        let mut labels = BTreeMap::from([(KEY, Cow::from(self.key)), (OWNER, Cow::from(self.owner)), (EPOCH, epoch)]);
        labels.extend(self.term.until_ms.map(|until_ms| (DEADLINE, Cow::from((until_ms / 1_000).to_string()))));
        labels
    }
}

/// A sandbox of ours, as the vendor lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) id: String,
    pub(crate) key: String,
    pub(crate) created_at_ms: u64,
    /// See [`crate::Found::rent_usd_micros_per_hour`].
    pub(crate) rent_usd_micros_per_hour: Option<u64>,
}

/// What a vendor asks for an hour of a sandbox that runs, by what was set aside for it, in micro-dollars.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Price {
    /// For each processor.
    pub cpu_usd_micros: u64,
    /// For each GiB of memory.
    pub gib_usd_micros: u64,
}

impl Price {
    /// For so many processors and so much memory; nothing when the vendor does not say how much it is.
    pub(crate) fn of(self, cpus: Option<f64>, gib: Option<f64>) -> Option<u64> {
        let sum = cpus? * self.cpu_usd_micros as f64 + gib? * self.gib_usd_micros as f64;
        sum.is_finite().then(|| sum.max(0.0).round() as u64)
    }
}

/// A short command inside, waited for. Running it twice must do no harm. It is never printed: it may hold secrets.
#[derive(Clone, Default)]
pub(crate) struct Call {
    pub(crate) argv: Vec<String>,
    /// Variables, which may be secrets: they must reach no file.
    pub(crate) env: BTreeMap<String, String>,
    /// Whether it runs as a login shell would run it, which finds more programs and takes several processes more.
    pub(crate) login: bool,
}

/// How a call ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) code: i32,
    pub(crate) out: Vec<u8>,
    pub(crate) err: Vec<u8>,
}

/// Bytes a call may answer on each channel.
pub(crate) const ANSWER_BYTES_MAX: usize = 4 << 20;
/// Bytes one line of a stream may have.
pub(crate) const LINE_BYTES_MAX: usize = 256 << 10;

/// Lines a command inside prints, as it prints them. Dropping it may leave the command running.
pub(crate) type Lines = Pin<Box<dyn Stream<Item = Result<String, Error>> + Send>>;

/// A vendor.
#[async_trait]
pub(crate) trait Cloud: Send + Sync + 'static {
    /// The provider's name.
    fn name(&self) -> &'static str;

    /// What keeps commands in there, for people.
    fn fence(&self) -> &'static str;

    /// What it can do beyond the contract.
    fn capabilities(&self) -> &'static [Capability];

    /// Whether the account can be used.
    async fn check(&self) -> Result<(), Error>;

    /// Makes a sandbox and returns when commands can be run in it. After a lost answer it may be made twice.
    async fn make(&self, wanted: &Wanted<'_>) -> Result<Machine, Error>;

    /// Every live sandbox of that key, oldest first.
    async fn find(&self, key: &str) -> Result<Vec<Listed>, Error>;

    /// How a sandbox is reached, woken up when it sleeps. [`Error::Missing`] when it is gone.
    async fn reach(&self, id: &str) -> Result<Machine, Error>;

    /// Every live sandbox of that owner.
    async fn list(&self, owner: &str) -> Result<Vec<Listed>, Error>;

    /// Asks for the end of a sandbox; what is gone is fine.
    async fn remove(&self, id: &str) -> Result<(), Error>;

    /// Puts off the end the vendor makes by itself.
    async fn renew(&self, id: &str) -> Result<(), Error>;

    /// Stops a sandbox where it is, memory kept.
    async fn pause(&self, id: &str) -> Result<(), Error> {
        Err(Error::Unusable { reason: format!("{} cannot pause sandbox {id}", self.name()) })
    }

    /// Lets it go on.
    async fn resume(&self, id: &str) -> Result<(), Error> {
        Err(Error::Unusable { reason: format!("{} cannot resume sandbox {id}", self.name()) })
    }

    /// Makes a sandbox that begins with the files another one has now. What ran in that one may run in it.
    async fn fork(&self, id: &str, wanted: &Wanted<'_>) -> Result<(), Error> {
        let _ = wanted;
        Err(Error::Unusable { reason: format!("{} cannot fork sandbox {id}", self.name()) })
    }

    /// Runs a short command.
    async fn call(&self, machine: &Machine, call: &Call) -> Result<Answer, Error>;

    /// Writes a file, folders above it included.
    async fn upload(&self, machine: &Machine, path: &str, file: &Path) -> Result<(), Error>;

    /// A part of a file; nothing when it has no such part. `None` when the vendor cannot, and a call must do it.
    async fn part(
        &self,
        machine: &Machine,
        path: &str,
        offset: u64,
        bytes_max: usize,
    ) -> Result<Option<Vec<u8>>, Error>;

    /// A whole file of at most that many bytes.
    async fn download(&self, machine: &Machine, path: &str, bytes_max: u64) -> Result<Vec<u8>, Error>;

    /// Runs a command whose lines are read as they come.
    async fn lines(&self, machine: &Machine, call: &Call) -> Result<Lines, Error>;
}
