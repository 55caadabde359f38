//! Daytona: sandboxes of a vendor, made over version 0 of its HTTP API. What makes them a provider is in [`crate::remote`].

mod control;
mod inside;
mod log;
mod parts;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::provider::{Capability, Created, Error, Exec, Found, Provider, Spec, Status, Stdio};
use crate::remote::Remote;
use crate::remote::cloud::{Answer, Call, Cloud, KeySource, Lines, Listed, Machine, Price, Wanted};
use crate::remote::wire::Vendor;
use control::{Control, Label};
use inside::Inside;

/// Where the vendor's own service is.
pub const API_URL: &str = "https://app.daytona.io/api";
/// How long a sandbox lives without us.
pub const TTL: Duration = Duration::from_secs(30 * 60);
/// What Daytona's own service asks for an hour of a started sandbox: $0.0504 for each processor, $0.0162 for each GiB of memory, as
/// <https://www.daytona.io/pricing> said in November 2026. Disk beyond what is free, and a stopped sandbox's, is not reckoned.
pub const PRICE: Price = Price { cpu_usd_micros: 50_400, gib_usd_micros: 16_200 };

const VENDOR: Vendor = Vendor { name: "Daytona", key_hint: "check the key, and that it belongs to this server" };

/// How Daytona is used.
#[derive(Clone)]
pub struct Options {
    /// The API.
    pub api_url: String,
    /// What sandboxes are made from; the account's default when unset. It needs bash, perl, tar, find, git and the agents.
    pub snapshot: Option<String>,
    /// The region; the account's default when unset.
    pub target: Option<String>,
    /// How long a sandbox lives when nothing is done in it.
    pub ttl: Duration,
    /// What an hour is asked for; nothing when that is not known.
    pub price: Option<Price>,
    /// The account's key.
    pub key: KeySource,
}

impl Options {
    /// The vendor's own service.
    #[must_use]
    pub fn new(key: KeySource) -> Self {
        Self { api_url: API_URL.to_owned(), snapshot: None, target: None, ttl: TTL, price: Some(PRICE), key }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { api_url, snapshot, target, ttl, price, key: _ } = self;
        f.debug_struct("Options")
            .field("api_url", api_url)
            .field("snapshot", snapshot)
            .field("target", target)
            .field("ttl", ttl)
            .field("price", price)
            .finish_non_exhaustive()
    }
}

/// Makes sandboxes at Daytona.
pub struct DaytonaProvider {
    remote: Remote<Daytona>,
}

impl DaytonaProvider {
    /// Nothing is asked yet.
    ///
    /// # Errors
    /// When this machine cannot do HTTPS.
    pub fn new(options: Options) -> Result<Self, Error> {
        Ok(Self { remote: Remote::new(Daytona { control: Arc::new(Control::new(options)?) }) })
    }
}

/// A client of Daytona.
#[derive(Debug)]
struct Daytona {
    control: Arc<Control>,
}

impl Daytona {
    fn inside<'a>(&'a self, machine: &'a Machine) -> Inside<'a> {
        Inside { control: &self.control, machine }
    }
}

#[async_trait]
impl Cloud for Daytona {
    fn name(&self) -> &'static str {
        "daytona"
    }

    fn fence(&self) -> &'static str {
        "daytona sandbox"
    }

    fn capabilities(&self) -> &'static [Capability] {
        &[Capability::NetworkOff, Capability::MemoryCaged, Capability::Remote]
    }

    async fn check(&self) -> Result<(), Error> {
        let page = self.control.page("{}", "1", None).await;
        page.map(drop).map_err(|fault| VENDOR.error("list sandboxes", "the list of sandboxes", fault))
    }

    async fn make(&self, wanted: &Wanted<'_>) -> Result<Machine, Error> {
        self.control.create(wanted).await
    }

    async fn find(&self, key: &str) -> Result<Vec<Listed>, Error> {
        self.control.labelled(Label::Key(key)).await
    }

    async fn reach(&self, id: &str) -> Result<Machine, Error> {
        self.control.started(id).await
    }

    async fn list(&self, owner: &str) -> Result<Vec<Listed>, Error> {
        self.control.labelled(Label::Owner(owner)).await
    }

    async fn remove(&self, id: &str) -> Result<(), Error> {
        self.control.remove(id).await
    }

    async fn renew(&self, id: &str) -> Result<(), Error> {
        self.control.put_off(id).await
    }

    async fn call(&self, machine: &Machine, call: &Call) -> Result<Answer, Error> {
        self.inside(machine).call(call).await
    }

    async fn upload(&self, machine: &Machine, path: &str, file: &Path) -> Result<(), Error> {
        self.inside(machine).upload(path, file).await
    }

    async fn part(&self, _: &Machine, _: &str, _: u64, _: usize) -> Result<Option<Vec<u8>>, Error> {
        Ok(None)
    }

    async fn download(&self, machine: &Machine, path: &str, bytes_max: u64) -> Result<Vec<u8>, Error> {
        self.inside(machine).download(path, bytes_max).await
    }

    async fn lines(&self, machine: &Machine, call: &Call) -> Result<Lines, Error> {
        let session = self.inside(machine).begin(call).await?;
        Ok(inside::lines(Arc::clone(&self.control), machine.clone(), session))
    }
}

crate::remote::provider!(DaytonaProvider);
