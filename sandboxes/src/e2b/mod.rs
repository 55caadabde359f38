//! E2B: small virtual machines of a vendor, made over its HTTP API. What makes them a provider is in [`crate::remote`].

mod control;
mod envelope;
mod inside;
mod snapshots;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;

use crate::provider::{Capability, Created, Error, Exec, Found, Provider, Spec, Status, Stdio};
use crate::remote::Remote;
use crate::remote::cloud::{Answer, Call, Cloud, KeySource, Lines, Listed, Machine, Price, Wanted};
use crate::remote::wire::{Vendor, chain};
use control::{Control, Label};
use inside::Inside;
pub use inside::Process;

/// Where the vendor's own service is.
pub const API_URL: &str = "https://api.e2b.app";
/// Its domain, whose sandboxes share one host.
pub const DOMAIN: &str = "e2b.app";
/// The template every account has.
pub const TEMPLATE: &str = "base";
/// How long a sandbox lives without us; put off while somebody has to do with it.
pub const TTL: Duration = Duration::from_secs(30 * 60);
/// What E2B's own service asks for an hour of a running sandbox: $0.0504 for each processor, $0.0162 for each GiB of memory, as
/// <https://e2b.dev/docs/faq/calculate-sandbox-price> said in August 2026. One that is paused costs nothing.
pub const PRICE: Price = Price { cpu_usd_micros: 50_400, gib_usd_micros: 16_200 };

const VENDOR: Vendor = Vendor { name: "E2B", key_hint: "check the key, and that it belongs to this server" };

/// How E2B is used.
#[derive(Clone)]
pub struct Options {
    /// The control plane.
    pub api_url: String,
    /// Where all insides are reached, when not by the domain.
    pub sandbox_url: Option<String>,
    /// The domain of sandboxes whose maker names none.
    pub domain: String,
    /// What sandboxes are made from; it needs bash, perl, tar, find, git and the agents.
    pub template: String,
    /// How long a sandbox lives without us.
    pub ttl: Duration,
    /// How often a sandbox may be asked for; an account's plan says so.
    pub creates_per_second: Option<f64>,
    /// What an hour is asked for; nothing when that is not known.
    pub price: Option<Price>,
    /// The account's key.
    pub key: KeySource,
}

impl Options {
    /// The vendor's own service.
    #[must_use]
    pub fn new(key: KeySource) -> Self {
        Self {
            api_url: API_URL.to_owned(),
            sandbox_url: None,
            domain: DOMAIN.to_owned(),
            template: TEMPLATE.to_owned(),
            ttl: TTL,
            creates_per_second: Some(1.0),
            price: Some(PRICE),
            key,
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { api_url, sandbox_url, domain, template, ttl, creates_per_second, price, key: _ } = self;
        f.debug_struct("Options")
            .field("api_url", api_url)
            .field("sandbox_url", sandbox_url)
            .field("domain", domain)
            .field("template", template)
            .field("ttl", ttl)
            .field("creates_per_second", creates_per_second)
            .field("price", price)
            .finish_non_exhaustive()
    }
}

/// Makes sandboxes at E2B.
pub struct E2bProvider {
    remote: Remote<E2b>,
}

impl E2bProvider {
    /// Nothing is asked yet.
    ///
    /// # Errors
    /// When this machine cannot do HTTPS.
    pub fn new(options: Options) -> Result<Self, Error> {
        Ok(Self { remote: Remote::new(E2b { control: Control::new(options)? }) })
    }

    /// The client behind it.
    #[must_use]
    pub fn client(&self) -> &E2b {
        self.remote.cloud()
    }
}

/// A client of E2B.
#[derive(Debug)]
pub struct E2b {
    control: Control,
}

impl E2b {
    /// Stops a sandbox where it is, memory kept. It costs no time then, and lives until it is removed.
    ///
    /// # Errors
    /// When it is gone, or E2B refuses or does not answer.
    pub async fn pause(&self, id: &str) -> Result<(), Error> {
        self.control.pause(id).await
    }

    /// Lets a sandbox go on; one that runs stays as it is.
    ///
    /// # Errors
    /// When it is gone, or E2B refuses or does not answer.
    pub async fn resume(&self, id: &str) -> Result<(), Error> {
        self.control.connect(id).await.map(drop)
    }

    /// The ids of the live sandboxes of that key, oldest first.
    ///
    /// # Errors
    /// When E2B refuses or does not answer.
    pub async fn ids(&self, key: &str) -> Result<Vec<String>, Error> {
        Ok(self.control.labelled(Label::Key(key)).await?.into_iter().map(|listed| listed.id).collect())
    }

    /// The processes envd knows in a sandbox.
    ///
    /// # Errors
    /// When it is gone, or E2B refuses or does not answer.
    pub async fn processes(&self, id: &str) -> Result<Vec<Process>, Error> {
        let machine = self.reach(id).await?;
        self.inside(&machine).processes().await
    }

    fn inside<'a>(&'a self, machine: &'a Machine) -> Inside<'a> {
        Inside { wire: &self.control.wire, vendor: VENDOR, machine }
    }
}

#[async_trait]
impl Cloud for E2b {
    fn name(&self) -> &'static str {
        "e2b"
    }

    fn fence(&self) -> &'static str {
        "e2b virtual machine"
    }

    fn capabilities(&self) -> &'static [Capability] {
        use Capability::{Fork, MemoryCaged, NetworkOff, Pause, Remote};
        &[Pause, Fork, NetworkOff, MemoryCaged, Remote]
    }

    async fn check(&self) -> Result<(), Error> {
        let page = self.control.page(None, "1", None).await;
        page.map(drop).map_err(|fault| VENDOR.error("list sandboxes", "the list of sandboxes", fault))
    }

    async fn make(&self, wanted: &Wanted<'_>) -> Result<Machine, Error> {
        let made = self.control.create(&self.control.options.template, wanted).await?;
        Ok(self.control.machine(made))
    }

    async fn find(&self, key: &str) -> Result<Vec<Listed>, Error> {
        self.control.labelled(Label::Key(key)).await
    }

    async fn reach(&self, id: &str) -> Result<Machine, Error> {
        Ok(self.control.machine(self.control.connect(id).await?))
    }

    /// Whoever asks this looks for what was left behind, so snapshots left behind go here.
    async fn list(&self, owner: &str) -> Result<Vec<Listed>, Error> {
        if let Err(error) = self.control.remove_snapshots(owner).await {
            tracing::warn!(owner, error = chain(&error), "whether a snapshot was left at E2B is not known");
        }
        self.control.labelled(Label::Owner(owner)).await
    }

    async fn remove(&self, id: &str) -> Result<(), Error> {
        self.control.kill(id).await
    }

    async fn renew(&self, id: &str) -> Result<(), Error> {
        self.control.put_off(id).await
    }

    async fn pause(&self, id: &str) -> Result<(), Error> {
        Self::pause(self, id).await
    }

    async fn resume(&self, id: &str) -> Result<(), Error> {
        Self::resume(self, id).await
    }

    async fn fork(&self, id: &str, wanted: &Wanted<'_>) -> Result<(), Error> {
        self.control.fork(id, wanted).await
    }

    async fn call(&self, machine: &Machine, call: &Call) -> Result<Answer, Error> {
        self.inside(machine).call(call).await
    }

    async fn upload(&self, machine: &Machine, path: &str, file: &Path) -> Result<(), Error> {
        self.inside(machine).upload(path, file).await
    }

    async fn part(
        &self,
        machine: &Machine,
        path: &str,
        offset: u64,
        bytes_max: usize,
    ) -> Result<Option<Vec<u8>>, Error> {
        self.inside(machine).part(path, offset, bytes_max).await.map(Some)
    }

    async fn download(&self, machine: &Machine, path: &str, bytes_max: u64) -> Result<Vec<u8>, Error> {
        self.inside(machine).download(path, bytes_max).await
    }

    async fn lines(&self, machine: &Machine, call: &Call) -> Result<Lines, Error> {
        self.inside(machine).lines(call).await
    }
}

crate::remote::provider!(E2bProvider);
