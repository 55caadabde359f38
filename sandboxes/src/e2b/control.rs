//! E2B's control plane: sandboxes made, found, put off, paused and removed. The second version of its API, and the first where
//! a server has only that (self-hosted ones do).

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use reqwest::header::HeaderName;
use reqwest::{Method, RequestBuilder, Response};
use secrecy::SecretString;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Options, VENDOR};
use crate::provider::Error;
use crate::remote::cloud::{KEY, Listed, Machine, OWNER, Wanted};
use crate::remote::wire::{Account, Again, Fault, Wire, bounded, transient};

/// The header that holds the account's key.
const KEY_HEADER: HeaderName = HeaderName::from_static("x-api-key");
/// Sandboxes on one page of a list.
pub(super) const PAGE: &str = "100";
/// Pages read at most; a hundred thousand sandboxes are not ours.
pub(super) const PAGES_MAX: usize = 1_000;
/// Bytes of one answer.
const ANSWER_BYTES_MAX: usize = 16 << 20;
/// How long nobody asks for a sandbox after a refusal for their number that does not say.
const HOLD: Duration = Duration::from_secs(2);
/// The longest such a pause.
const HOLD_MAX: Duration = Duration::from_secs(60);

/// The control plane.
#[derive(Debug)]
pub(super) struct Control {
    pub(super) wire: Wire,
    pub(super) options: Options,
    pub(super) account: Account,
    /// Whether the second version of the API was found to be missing.
    is_first_version: AtomicBool,
    /// Lets sandboxes be asked for as often as the account may.
    creates: Option<DefaultDirectRateLimiter>,
    /// Nobody asks before, and the refusal that made it so.
    held: Mutex<Option<(Instant, String)>>,
    /// The names of snapshots somebody here makes a sandbox of now.
    pub(super) forking: Mutex<BTreeSet<String>>,
}

/// A sandbox as it is made or woken.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Made {
    #[serde(rename = "sandboxID")]
    id: String,
    #[serde(rename = "envdAccessToken")]
    token: Option<SecretString>,
    domain: Option<String>,
}

/// A sandbox in a list.
#[derive(Debug, Clone, Deserialize)]
struct Row {
    #[serde(rename = "sandboxID")]
    id: String,
    #[serde(rename = "startedAt")]
    started_at: String,
    #[serde(default)]
    metadata: Option<BTreeMap<String, String>>,
    #[serde(default)]
    state: Option<String>,
    #[serde(default, rename = "cpuCount")]
    cpus: Option<f64>,
    #[serde(default, rename = "memoryMB")]
    memory_mib: Option<f64>,
}

#[derive(Debug, Serialize)]
struct Wish<'a> {
    #[serde(rename = "templateID")]
    template: &'a str,
    timeout: u64,
    metadata: BTreeMap<&'static str, Cow<'a, str>>,
    /// Their only name with a lower line.
    allow_internet_access: bool,
    #[serde(rename = "autoPause")]
    auto_pause: bool,
    /// Only the first version knows it; the second is always so.
    #[serde(skip_serializing_if = "Option::is_none")]
    secure: Option<bool>,
}

impl Control {
    pub(super) fn new(options: Options) -> Result<Self, Error> {
        let quota = options.creates_per_second.map(|rate| {
            let burst = NonZeroU32::new(rate.max(1.0) as u32).unwrap_or(NonZeroU32::MIN);
            Quota::with_period(Duration::from_secs_f64(1.0 / rate)).map(|quota| quota.allow_burst(burst))
        });
        Ok(Self {
            wire: Wire::new()?,
            account: Account { key: options.key.clone(), header: KEY_HEADER, word: "" },
            options,
            is_first_version: AtomicBool::new(false),
            creates: quota.flatten().map(RateLimiter::direct),
            held: Mutex::default(),
            forking: Mutex::default(),
        })
    }

    pub(super) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.wire.client.request(method, format!("{}{path}", self.options.api_url))
    }

    /// Asks the second version, or the first where there is no second. `unknown` are the refusals that mean so.
    async fn versioned(&self, again: Again, build: impl Fn(&'static str) -> RequestBuilder) -> Result<Response, Fault> {
        if !self.is_first_version.load(Ordering::Relaxed) {
            match self.account.send(again, || Ok(build("/v2"))).await {
                Err(Fault::Refused(refused)) if matches!(refused.status, 404 | 405) => {}
                answered => return answered,
            }
        }
        let answered = self.account.send(again, || Ok(build(""))).await;
        if answered.is_ok() {
            self.is_first_version.store(true, Ordering::Relaxed);
        }
        answered
    }

    /// Makes a sandbox from a template, or from a snapshot.
    pub(super) async fn create(&self, template: &str, wanted: &Wanted<'_>) -> Result<Made, Error> {
        self.wait_for_turn().await?;
        let key = wanted.key;
        let wish = |version: &str| Wish {
            template,
            timeout: self.options.ttl.as_secs(),
            metadata: wanted.labels(),
            allow_internet_access: wanted.network,
            auto_pause: false,
            secure: version.is_empty().then_some(true),
        };
        // With the key a lost answer can be asked for again; the first version does not know it, and whoever asks looks
        // whether there are two.
        let response = self
            .versioned(Again::SafeUnlessFull, |version| {
                let request = self.request(Method::POST, &format!("{version}/sandboxes"));
                json_body(request.header("Idempotency-Key", key), &wish(version))
            })
            .await;
        let response = response.map_err(|fault| self.create_failed(key, fault))?;
        self.read("make a sandbox", response).await
    }

    /// Waits until a sandbox may be asked for; what holds everybody up for long is a refusal with the reason.
    async fn wait_for_turn(&self) -> Result<(), Error> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((until, reason)) = held.filter(|(until, _)| *until > Instant::now()) {
            return Err(VENDOR.full(until.saturating_duration_since(Instant::now()), &reason));
        }
        if let Some(creates) = &self.creates {
            creates.until_ready().await;
        }
        Ok(())
    }

    fn create_failed(&self, key: &str, fault: Fault) -> Error {
        if let Fault::Refused(refused) = &fault
            && refused.status == 429
        {
            let wait = refused.retry_after.unwrap_or(HOLD).min(HOLD_MAX);
            let held = (Instant::now() + wait, refused.message.clone());
            *self.held.lock().unwrap_or_else(PoisonError::into_inner) = Some(held);
            return VENDOR.full(wait, &refused.message);
        }
        VENDOR.error("make a sandbox", key, fault)
    }

    /// How a sandbox is reached; one that was paused goes on.
    pub(super) async fn connect(&self, id: &str) -> Result<Made, Error> {
        let timeout = self.options.ttl.as_secs();
        let response = self
            .versioned(Again::Safe, |version| {
                let request = self.request(Method::POST, &format!("{version}/sandboxes/{id}/connect"));
                json_body(request, &json!({ "timeout": timeout }))
            })
            .await;
        let response = response.map_err(|fault| VENDOR.error("reach a sandbox", id, fault))?;
        self.read("reach a sandbox", response).await
    }

    /// Every sandbox with that label, oldest first.
    pub(super) async fn labelled(&self, label: Label<'_>) -> Result<Vec<Listed>, Error> {
        let (name, value) = match label {
            Label::Key(key) => (KEY, key),
            Label::Owner(owner) => (OWNER, owner),
        };
        let mut rows = Vec::new();
        let mut next: Option<String> = None;
        for _ in 0..PAGES_MAX {
            let response = self.page(Some(&format!("{name}={value}")), PAGE, next.as_deref()).await;
            let response = response.map_err(|fault| VENDOR.error("list sandboxes", "the list of sandboxes", fault))?;
            next = response.headers().get("x-next-token").and_then(|token| token.to_str().ok()).map(str::to_owned);
            rows.extend(self.read::<Vec<Row>>("list sandboxes", response).await?);
            if next.as_ref().is_none_or(String::is_empty) {
                break;
            }
        }
        // A server that does not know the filter lists everybody's.
        let ours = |row: Row| {
            let rent_usd_micros_per_hour = self.rent(&row);
            let labels = row.metadata.unwrap_or_default();
            let key = labels.get(KEY).filter(|_| labels.get(name).is_some_and(|found| found == value))?.clone();
            let created_at_ms = at_ms(&row.started_at);
            Some(Listed { id: row.id, key, created_at_ms, rent_usd_micros_per_hour })
        };
        let mut listed: Vec<Listed> = rows.into_iter().filter_map(ours).collect();
        listed.sort_by(|one, other| (one.created_at_ms, &one.id).cmp(&(other.created_at_ms, &other.id)));
        Ok(listed)
    }

    /// Asks for one page of a list.
    pub(super) async fn page(
        &self,
        metadata: Option<&str>,
        limit: &str,
        next: Option<&str>,
    ) -> Result<Response, Fault> {
        self.versioned(Again::Safe, |version| {
            let mut request = self.request(Method::GET, &format!("{version}/sandboxes"));
            if let Some(metadata) = metadata {
                request = request.query(&[("metadata", metadata)]);
            }
            if version.is_empty() {
                return request;
            }
            request = request.query(&[("state", "running,paused"), ("limit", limit)]);
            match next {
                Some(next) => request.query(&[("nextToken", next)]),
                None => request,
            }
        })
        .await
    }

    /// Ends a sandbox; what is gone is fine.
    pub(super) async fn kill(&self, id: &str) -> Result<(), Error> {
        let sent = self.account.send(Again::Safe, || Ok(self.request(Method::DELETE, &format!("/sandboxes/{id}"))));
        match sent.await {
            Ok(_) => Ok(()),
            Err(Fault::Refused(refused)) if refused.status == 404 => Ok(()),
            Err(fault) => Err(VENDOR.error("remove a sandbox", id, fault)),
        }
    }

    /// From now on it lives for the configured time.
    pub(super) async fn put_off(&self, id: &str) -> Result<(), Error> {
        let body = json!({ "timeout": self.options.ttl.as_secs() });
        self.post(&format!("/sandboxes/{id}/timeout"), &body, "keep a sandbox", id).await.map(drop)
    }

    /// Stops a sandbox where it is; [`Self::connect`] lets it go on.
    pub(super) async fn pause(&self, id: &str) -> Result<(), Error> {
        let sent = self.account.send(Again::Unsent, || {
            Ok(json_body(self.request(Method::POST, &format!("/sandboxes/{id}/pause")), &json!({})))
        });
        match sent.await {
            // It is paused already.
            Err(Fault::Refused(refused)) if refused.status == 409 => Ok(()),
            sent => sent.map(drop).map_err(|fault| VENDOR.error("pause a sandbox", id, fault)),
        }
    }

    /// What an hour of a sandbox is asked for, as it stands: one that is paused costs nothing.
    fn rent(&self, row: &Row) -> Option<u64> {
        if row.state.as_deref() == Some("paused") {
            return Some(0);
        }
        self.options.price?.of(row.cpus, row.memory_mib.map(|mib| mib / 1_024.0))
    }

    async fn post(&self, path: &str, body: &serde_json::Value, action: &str, id: &str) -> Result<Response, Error> {
        let sent = self.account.send(Again::Unsent, || Ok(json_body(self.request(Method::POST, path), body)));
        sent.await.map_err(|fault| VENDOR.error(action, id, fault))
    }

    pub(super) async fn read<T: DeserializeOwned>(&self, action: &str, response: Response) -> Result<T, Error> {
        let body = bounded(response, ANSWER_BYTES_MAX).await;
        let body = body.ok_or_else(|| transient(action.to_owned(), "the answer broke off".to_owned()))?;
        // The body itself may hold a token; what is wrong with it does not.
        serde_json::from_slice(&body).map_err(|error| {
            let reason = format!("{} answers oddly: line {}, column {}", VENDOR.name, error.line(), error.column());
            transient(action.to_owned(), reason)
        })
    }

    /// How the inside of a sandbox is reached.
    pub(super) fn machine(&self, made: Made) -> Machine {
        let domain = made.domain.as_deref().filter(|domain| !domain.is_empty()).unwrap_or(&self.options.domain);
        let address = match &self.options.sandbox_url {
            Some(url) => url.clone(),
            // One host for all; a header says which.
            None if domain == super::DOMAIN => format!("https://sandbox.{domain}"),
            None => format!("https://{}-{}.{domain}", super::inside::PORT, made.id),
        };
        Machine { id: made.id, address, token: made.token }
    }
}

/// What a list is filtered by.
#[derive(Debug, Clone, Copy)]
pub(super) enum Label<'a> {
    Key(&'a str),
    Owner(&'a str),
}

pub(super) fn json_body(request: RequestBuilder, body: &impl Serialize) -> RequestBuilder {
    let json = serde_json::to_vec(body).unwrap_or_default();
    request.header("Content-Type", "application/json").body(json)
}

fn at_ms(text: &str) -> u64 {
    text.parse::<jiff::Timestamp>().ok().and_then(|at| u64::try_from(at.as_millisecond()).ok()).unwrap_or(0)
}
