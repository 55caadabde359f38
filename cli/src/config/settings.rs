//! The configuration as typed values, for the server and for a run.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use regatta_core::event::run::{Check, Entry, Limits, Strategy, Variable};
use regatta_core::log::open::{INDEX_DEADLINE, SEGMENT_BYTES};
use regatta_core::vault::Credential;
use regatta_dispatcher::Uncommitted;
use regatta_federation::Escalation;
use regatta_http::listener::{PORT_DEFAULT, Wanted};
use regatta_sessions::{After, Caps};

use super::{Config, Value, environment};
use crate::attempt_spec::SANDBOXES;
use crate::failure::Failure;
use crate::{attempt_spec, check_spec};

/// How local sandboxes are fenced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fence {
    /// Bubblewrap when it works, else Landlock.
    Auto,
    Bubblewrap,
    Landlock,
}

/// What the server keeps to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ServerSettings {
    pub(crate) attempts_max: usize,
    /// The same by sandbox, where there is a limit.
    pub(crate) attempts_max_by: BTreeMap<String, usize>,
    pub(crate) fence: Fence,
    pub(crate) network: bool,
    pub(crate) hide: Vec<PathBuf>,
    pub(crate) read: Vec<PathBuf>,
    pub(crate) segment_bytes: u64,
    pub(crate) index_deadline: Duration,
}

/// Who is told where the log stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WitnessSettings {
    pub(crate) file: Option<PathBuf>,
    pub(crate) nats: bool,
    pub(crate) every: Duration,
}

/// What of the log is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RetainSettings {
    pub(crate) age: Option<Duration>,
    pub(crate) bytes: Option<u64>,
    pub(crate) every: Duration,
    /// Where a backup is made before anything is removed.
    pub(crate) archive: Option<PathBuf>,
}

/// How the page is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WebSettings {
    pub(crate) listen: Wanted,
    pub(crate) hosts: Vec<String>,
    pub(crate) proxies: Vec<IpAddr>,
    /// Certificate chain and key.
    pub(crate) tls: Option<(PathBuf, PathBuf)>,
    pub(crate) session_max_ms: u64,
    pub(crate) session_idle_ms: u64,
}

/// How NATS is reached. Secrets are in files.
#[derive(Clone)]
#[cfg_attr(not(feature = "nats"), expect(dead_code, reason = "only what speaks NATS reads them"))]
pub(crate) struct NatsSettings {
    pub(crate) url: String,
    pub(crate) credentials: Option<Credential>,
    pub(crate) nkey: Option<Credential>,
    pub(crate) tls_ca: Option<PathBuf>,
    pub(crate) tls_identity: Option<(PathBuf, PathBuf)>,
}

/// What a run is asked for with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RunDefaults {
    pub(crate) attempts: Vec<Entry>,
    pub(crate) checks: Vec<Check>,
    pub(crate) artifacts: Vec<String>,
    pub(crate) setup: Option<String>,
    pub(crate) strategy: Strategy,
    pub(crate) uncommitted: Uncommitted,
    pub(crate) base: Option<String>,
    pub(crate) limits: Limits,
    pub(crate) environment: Vec<Variable>,
}

impl Config {
    pub(super) fn value(&self, name: &str) -> &Value {
        self.setting(name).map_or(&Value::Unset, |setting| &setting.value)
    }

    pub(super) fn text(&self, name: &str) -> Option<String> {
        if let Value::Text(text) = self.value(name) { Some(text.clone()) } else { None }
    }

    /// A number of any unit.
    pub(super) fn number(&self, name: &str) -> Option<u64> {
        match self.value(name) {
            Value::Count(number) | Value::Milli(number) | Value::Ms(number) | Value::Bytes(number) => Some(*number),
            Value::Unset | Value::Text(_) | Value::Address(_) | Value::Flag(_) | Value::List(_) => None,
        }
    }

    fn list(&self, name: &str) -> Vec<String> {
        if let Value::List(texts) = self.value(name) { texts.clone() } else { Vec::new() }
    }

    /// What the server keeps to.
    pub(crate) fn server(&self) -> ServerSettings {
        let count = |name: &str| self.number(name).and_then(|count| usize::try_from(count).ok());
        let paths = |name| self.list(name).iter().map(|text| expand_home(text)).collect();
        ServerSettings {
            attempts_max: count("limits.attempts").unwrap_or(1),
            attempts_max_by: SANDBOXES
                .iter()
                // Each gateway has its own.
                .filter(|name| **name != regatta_sessions::NAME)
                .filter_map(|name| Some(((*name).to_owned(), count(&format!("limits.{name}"))?)))
                .collect(),
            fence: match self.text("sandbox.fence").as_deref() {
                Some("bubblewrap") => Fence::Bubblewrap,
                Some("landlock") => Fence::Landlock,
                Some(_) | None => Fence::Auto,
            },
            network: *self.value("sandbox.network") == Value::Flag(true),
            hide: paths("sandbox.hide"),
            read: paths("sandbox.read"),
            segment_bytes: self.number("log.segment").unwrap_or(SEGMENT_BYTES),
            index_deadline: self.number("log.index_deadline").map_or(INDEX_DEADLINE, Duration::from_millis),
        }
    }

    /// How many attempts each gateway takes, and what becomes of their sessions.
    pub(crate) fn gateway(&self) -> Result<(Caps, After), Failure> {
        let cap = |text: String| {
            let wrong = || {
                Failure::usage(format!("gateway.attempts_by: {text:?} is no gateway with a number"))
                    .hint("write it as ams=8")
            };
            let (name, count) = text.split_once('=').ok_or_else(wrong)?;
            let count = count.trim().parse().ok().filter(|count| *count > 0).ok_or_else(wrong)?;
            Ok((name.trim().to_owned(), count))
        };
        let each = self.number("gateway.attempts").and_then(|count| usize::try_from(count).ok()).unwrap_or(1);
        let by_gateway = self.list("gateway.attempts_by").into_iter().map(cap).collect::<Result<_, Failure>>()?;
        let after = match self.text("gateway.session").as_deref() {
            Some("compact") => After::Compact,
            Some("reset") => After::Reset,
            Some("delete") => After::Delete,
            Some(_) | None => After::Keep,
        };
        Ok((Caps { each, by_gateway }, after))
    }

    /// Who is told where the log stands.
    pub(crate) fn witness(&self) -> WitnessSettings {
        WitnessSettings {
            file: self.text("witness.file").map(|text| expand_home(&text)),
            nats: *self.value("witness.nats") == Value::Flag(true),
            every: Duration::from_millis(self.number("witness.every").unwrap_or(60_000)),
        }
    }

    /// What of the log is kept.
    pub(crate) fn retain(&self) -> RetainSettings {
        RetainSettings {
            age: self.number("log.retain_age").map(Duration::from_millis),
            bytes: self.number("log.retain_bytes"),
            every: Duration::from_millis(self.number("log.retain_every").unwrap_or(3_600_000)),
            archive: self.text("log.archive").map(|text| expand_home(&text)),
        }
    }

    /// How the page is served.
    pub(crate) fn web(&self) -> Result<WebSettings, Failure> {
        let proxy = |text: &String| {
            let wrong = || {
                Failure::usage(format!("http.behind_proxy: {text:?} is no address"))
                    .hint("give the proxy's own, as 127.0.0.1")
            };
            text.parse::<IpAddr>().map_err(|_| wrong())
        };
        Ok(WebSettings {
            listen: self.text("http.listen").as_deref().map_or(Ok(Wanted::Default), listen)?,
            hosts: self.list("http.hosts"),
            proxies: self.list("http.behind_proxy").iter().map(proxy).collect::<Result<_, _>>()?,
            tls: self.pair("http.tls_cert", "http.tls_key")?,
            session_max_ms: self.number("http.session_max").unwrap_or(0),
            session_idle_ms: self.number("http.session_idle").unwrap_or(0),
        })
    }

    /// How NATS is reached; nothing when it is not wanted.
    pub(crate) fn nats(&self) -> Result<Option<NatsSettings>, Failure> {
        let Value::Address(url) = self.value("nats.url") else { return Ok(None) };
        let path = |name| self.text(name).map(|text| expand_home(&text));
        let tls_identity = self.pair("nats.tls_cert", "nats.tls_key")?;
        Ok(Some(NatsSettings {
            url: url.clone(),
            credentials: self.credential("nats.credentials"),
            nkey: self.credential("nats.nkey"),
            tls_ca: path("nats.tls_ca"),
            tls_identity,
        }))
    }

    /// Who is told elsewhere that a question is about to expire; nothing when nobody is.
    pub(crate) fn escalation(&self, page: Option<String>) -> Option<Escalation> {
        let (webhook, slack) = (self.credential("approvals.webhook"), self.credential("approvals.slack"));
        let before = Duration::from_millis(self.number("approvals.escalate_before").unwrap_or(0));
        let is_wanted = webhook.is_some() || slack.is_some();
        is_wanted.then_some(Escalation { before, webhook, slack, page, pause: Escalation::PAUSE })
    }

    /// Where a credential comes from.
    pub(super) fn credential(&self, name: &str) -> Option<Credential> {
        // It was read when the key was; a path may begin with `~`.
        let credential = self.text(name)?.parse().ok()?;
        Some(match credential {
            Credential::File(path) => Credential::File(expand_home(&path.to_string_lossy())),
            named @ (Credential::Secret(_) | Credential::Variable(_)) => named,
        })
    }

    /// Two files that go together.
    fn pair(&self, certificate: &str, key: &str) -> Result<Option<(PathBuf, PathBuf)>, Failure> {
        let path = |name| self.text(name).map(|text| expand_home(&text));
        match (path(certificate), path(key)) {
            (Some(certificate), Some(key)) => Ok(Some((certificate, key))),
            (None, None) => Ok(None),
            (Some(_), None) | (None, Some(_)) => {
                Err(Failure::usage(format!("{certificate} and {key} go together")).hint("name both files, or neither"))
            }
        }
    }

    /// What a run is asked for with.
    pub(crate) fn run(&self, agents: &[&str]) -> Result<RunDefaults, Failure> {
        let checks = self.list("run.checks");
        Ok(RunDefaults {
            attempts: self.entries(agents)?,
            checks: check_spec::parse_all(checks.iter().map(String::as_str)),
            artifacts: self.list("run.artifacts"),
            setup: self.text("run.setup"),
            strategy: match self.text("run.strategy").as_deref() {
                Some("best") => Strategy::Best,
                Some("all") => Strategy::All,
                Some(_) | None => Strategy::Race,
            },
            uncommitted: match self.text("run.uncommitted").as_deref() {
                Some("ignore") => Uncommitted::Ignore,
                Some("include") => Uncommitted::Include,
                Some(_) | None => Uncommitted::Refuse,
            },
            base: self.text("run.base"),
            limits: self.limits(),
            environment: environment::variables(&self.environment).map_err(Failure::usage)?,
        })
    }

    /// The attempts. A project's file cannot ask for a sandbox without a fence: who wrote the repository is not who
    /// runs it.
    fn entries(&self, agents: &[&str]) -> Result<Vec<Entry>, Failure> {
        let sandbox = self.text("run.sandbox").unwrap_or_else(|| "local".to_owned());
        let mut entries = Vec::new();
        for spec in self.list("run.attempts") {
            let read = attempt_spec::parse(&spec, agents, &sandbox);
            entries.extend(read.map_err(|error| Failure::usage(error.to_string()).hint(error.hint))?);
        }
        let from_project = |name| self.setting(name).is_some_and(|setting| setting.from_project);
        let asks_for_host = entries.iter().any(|entry| entry.sandbox == "host");
        let by_project = (from_project("run.attempts") && sandbox != "host") || from_project("run.sandbox");
        if asks_for_host && by_project {
            return Err(Failure::usage("the project's regatta.toml asks for the sandbox host, which has no fence")
                .hint("ask for it yourself, with --sandbox host, when you trust the repository"));
        }
        Ok(entries)
    }

    fn limits(&self) -> Limits {
        let default = Limits::default();
        let number = |name, default| self.number(name).unwrap_or(default);
        let small = |name, default| self.number(name).and_then(|count| u32::try_from(count).ok()).unwrap_or(default);
        Limits {
            agent_timeout_ms: number("run.timeout", default.agent_timeout_ms),
            setup_timeout_ms: number("run.setup_timeout", default.setup_timeout_ms),
            check_timeout_ms: number("run.check_timeout", default.check_timeout_ms),
            memory_bytes_max: number("run.memory", default.memory_bytes_max),
            processes_max: small("run.processes", default.processes_max),
            disk_bytes_max: number("run.disk", default.disk_bytes_max),
            output_bytes_max: number("run.output", default.output_bytes_max),
            starts_max: small("run.starts", default.starts_max),
        }
    }
}

/// `127.0.0.1:7433`, `127.0.0.1`, `[::1]:0`.
fn listen(text: &str) -> Result<Wanted, Failure> {
    let alone = || text.parse::<IpAddr>().map(|address| SocketAddr::new(address, PORT_DEFAULT));
    let wrong = |_| {
        Failure::usage(format!("http.listen = {text:?} is no address with a port"))
            .hint("as 127.0.0.1:7433, or 127.0.0.1:0 for any free port; names are not looked up")
    };
    text.parse().or_else(|_| alone()).map(Wanted::At).map_err(wrong)
}

pub(super) fn expand_home(text: &str) -> PathBuf {
    match (text.strip_prefix("~/"), std::env::home_dir()) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => PathBuf::from(text),
    }
}
