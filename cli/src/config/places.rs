//! Where sandboxes are made besides this machine's own folders, as the configuration says it: an engine, and vendors.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::num::NonZero;
use std::path::Path;
use std::time::Duration;

use regatta_core::vault::Credential;
use regatta_sandboxes::docker::{self, Network};
use regatta_sandboxes::{KeySource, Price, daytona, e2b};

use super::keys::USD_MICROS_PER_MILLICENT;
use super::settings::expand_home;
use super::{Config, Value};
use crate::failure::Failure;

/// What every container's name begins with; the sandbox's own, which names the installation, comes after it.
const SCOPE: &str = "sandbox-";
/// Who rents sandboxes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Vendor {
    E2b,
    Daytona,
}

impl Vendor {
    /// All of them.
    pub(crate) const ALL: [Self; 2] = [Self::E2b, Self::Daytona];

    /// What its section of the configuration and its sandboxes are called.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::E2b => "e2b",
            Self::Daytona => "daytona",
        }
    }
}

impl Config {
    /// How containers are made. `program` is brought into them.
    pub(crate) fn docker(&self, program: &Path) -> docker::Options {
        let small = |name| self.number(name).and_then(|number| u32::try_from(number).ok());
        docker::Options {
            host: self.text("docker.host"),
            scope: SCOPE.to_owned(),
            image: self.text("docker.image").unwrap_or_else(|| docker::IMAGE.to_owned()),
            dockerfile: self.text("docker.dockerfile").map(|text| expand_home(&text)),
            program: program.to_owned(),
            network: match self.text("docker.network").as_deref() {
                Some("none") => Network::None,
                Some("internal") => Network::Internal,
                Some(_) | None => Network::Bridge,
            },
            read_only: *self.value("docker.read_only") == Value::Flag(true),
            cpus_milli: small("docker.cpus"),
            memory_bytes_max: self.number("docker.memory"),
            pids_max: small("docker.pids").unwrap_or(u32::MAX),
            runtime: self.text("docker.runtime"),
            warm: *self.value("docker.warm") == Value::Flag(true),
            starts_max: std::thread::available_parallelism().map_or(1, NonZero::get),
        }
    }

    /// Where the key of a vendor's account comes from; nothing when the vendor is not to be used.
    pub(crate) fn vendor_key(&self, vendor: Vendor) -> Option<Credential> {
        self.credential(&format!("{}.key", vendor.name()))
    }

    /// How E2B is used, with that key.
    pub(crate) fn e2b(&self, key: KeySource) -> Result<e2b::Options, Failure> {
        let defaults = e2b::Options::new(key);
        Ok(e2b::Options {
            api_url: self.address("e2b.url")?.unwrap_or(defaults.api_url),
            sandbox_url: self.address("e2b.sandbox_url")?,
            domain: self.text("e2b.domain").unwrap_or(defaults.domain),
            template: self.text("e2b.template").unwrap_or(defaults.template),
            ttl: self.number("e2b.ttl").map_or(defaults.ttl, Duration::from_millis),
            creates_per_second: self.number("e2b.creates_per_second").map(|milli| milli as f64 / 1_000.0),
            price: self.price("e2b"),
            key: defaults.key,
        })
    }

    /// How Daytona is used, with that key.
    pub(crate) fn daytona(&self, key: KeySource) -> Result<daytona::Options, Failure> {
        let defaults = daytona::Options::new(key);
        Ok(daytona::Options {
            api_url: self.address("daytona.url")?.unwrap_or(defaults.api_url),
            snapshot: self.text("daytona.snapshot"),
            target: self.text("daytona.target"),
            ttl: self.number("daytona.ttl").map_or(defaults.ttl, Duration::from_millis),
            price: self.price("daytona"),
            key: defaults.key,
        })
    }

    /// What a vendor asks for an hour. Its own list is not that of a server of somebody else's: then it is not known unless it is
    /// said.
    fn price(&self, vendor: &str) -> Option<Price> {
        let names = ["cpu", "gib"].map(|what| format!("{vendor}.cents_per_{what}_hour"));
        let is_said = |name: &str| self.setting(name).is_some_and(|setting| setting.from != "default");
        if is_said(&format!("{vendor}.url")) && !names.iter().all(|name| is_said(name)) {
            return None;
        }
        let [cpu_usd_micros, gib_usd_micros] = names.map(|name| self.number(&name));
        Some(Price {
            cpu_usd_micros: cpu_usd_micros? * USD_MICROS_PER_MILLICENT,
            gib_usd_micros: gib_usd_micros? * USD_MICROS_PER_MILLICENT,
        })
    }

    /// Refuses what a start would refuse.
    pub(crate) fn check_vendors(&self) -> Result<(), Failure> {
        ["e2b.url", "e2b.sandbox_url", "daytona.url"].iter().try_for_each(|name| self.address(name).map(drop))
    }

    /// Least time between two starts, by provider, in milliseconds.
    pub(crate) fn pace_ms(&self) -> BTreeMap<String, u64> {
        let pace = self.number("e2b.creates_per_second").map(|milli| 1_000_000 / milli.max(1));
        pace.filter(|pace| *pace > 0).map(|pace| ("e2b".to_owned(), pace)).into_iter().collect()
    }

    /// Whether anything was said about a section.
    pub(crate) fn is_said(&self, section: &str) -> bool {
        let of_section = |name: &str| name.split_once('.').is_some_and(|(first, _)| first == section);
        self.iter()
            .any(|(name, setting)| of_section(name) && setting.from != "default" && setting.value != Value::Unset)
    }

    /// Where a vendor is reached. A key does not go there in the clear, unless it stays on this machine.
    fn address(&self, name: &str) -> Result<Option<String>, Failure> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let url = text.trim_end_matches('/');
        let wrong = || Failure::usage(format!("{name} = {text:?} is no address")).hint("as https://api.example.com");
        let (scheme, rest) = url.split_once("://").ok_or_else(wrong)?;
        let authority = rest.split('/').next().unwrap_or_default();
        let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
        if host.is_empty() || authority.contains('@') || text.contains(char::is_whitespace) {
            return Err(wrong());
        }
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let is_here = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
        match scheme {
            "https" => Ok(Some(url.to_owned())),
            "http" if is_here => Ok(Some(url.to_owned())),
            "http" => Err(Failure::usage(format!("{name} = {text:?} would send the key in the clear"))
                .hint("use https://; or bring the port here, as with ssh -L, and use http://127.0.0.1:PORT")),
            _ => Err(wrong()),
        }
    }
}
