//! Daytona's API (its version 0, the one that takes another address): sandboxes made, waited for, found and removed. States and
//! fields it does not know are let pass: new ones come without notice.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::header::AUTHORIZATION;
use reqwest::{Method, RequestBuilder, Response};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::time::Instant;

use super::{Options, VENDOR};
use crate::provider::Error;
use crate::remote::cloud::{KEY, Listed, Machine, OWNER, Wanted};
use crate::remote::wire::{Account, Again, Fault, Wire, bounded, transient};

/// Sandboxes on one page of a list.
const PAGE: &str = "100";
/// Pages read at most.
const PAGES_MAX: usize = 1_000;
/// Bytes of one answer.
const ANSWER_BYTES_MAX: usize = 16 << 20;
/// Until a sandbox that is being made, or woken, must have started.
const START_MAX: Duration = Duration::from_secs(300);
/// How long nobody asks for a sandbox after a refusal for their number that does not say.
const HOLD: Duration = Duration::from_secs(2);
/// Between two looks at one; it grows.
const LOOK: Duration = Duration::from_millis(100);
const LOOK_MAX: Duration = Duration::from_secs(1);

/// The API.
#[derive(Debug)]
pub(super) struct Control {
    pub(super) wire: Wire,
    pub(super) account: Account,
    options: Options,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    id: String,
    #[serde(default)]
    state: Option<String>,
    #[serde(default)]
    error_reason: Option<String>,
    #[serde(default)]
    toolbox_proxy_url: Option<String>,
    #[serde(default)]
    labels: Option<BTreeMap<String, String>>,
    #[serde(default)]
    created_at: Option<String>,
    #[serde(default)]
    cpu: Option<f64>,
    /// In GiB.
    #[serde(default)]
    memory: Option<f64>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    items: Vec<Row>,
    #[serde(default)]
    next_cursor: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Wish<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    snapshot: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<&'a str>,
    labels: BTreeMap<&'static str, Cow<'a, str>>,
    network_block_all: bool,
    /// In minutes without anything done in it.
    auto_stop_interval: u64,
    /// In minutes after it stopped.
    auto_delete_interval: u64,
}

/// What a state means to us; a name we do not know is on its way somewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Started,
    /// It starts when it is asked to.
    Asleep,
    /// It is over.
    Gone,
    /// It never will.
    Failed,
    Moving,
}

fn standing(state: Option<&str>) -> Standing {
    match state.unwrap_or_default() {
        "started" => Standing::Started,
        "stopped" | "archived" | "paused" => Standing::Asleep,
        "destroyed" => Standing::Gone,
        "error" | "build_failed" => Standing::Failed,
        _ => Standing::Moving,
    }
}

impl Control {
    pub(super) fn new(options: Options) -> Result<Self, Error> {
        let account = Account { key: options.key.clone(), header: AUTHORIZATION, word: "Bearer " };
        Ok(Self { wire: Wire::new()?, account, options })
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.wire.client.request(method, format!("{}{path}", self.options.api_url))
    }

    async fn ask(&self, again: Again, method: Method, path: &str) -> Result<Response, Fault> {
        self.account.send(again, || Ok(self.request(method.clone(), path))).await
    }

    /// Makes a sandbox of that key and waits until it has started. Its name is the key, so it cannot be made twice.
    pub(super) async fn create(&self, wanted: &Wanted<'_>) -> Result<Machine, Error> {
        let key = wanted.key;
        let minutes = self.options.ttl.as_secs().div_ceil(60).max(1);
        let wish = Wish {
            name: key,
            snapshot: self.options.snapshot.as_deref(),
            target: self.options.target.as_deref(),
            labels: wanted.labels(),
            network_block_all: !wanted.network,
            auto_stop_interval: minutes,
            auto_delete_interval: 0,
        };
        let sent =
            self.account.send(Again::SafeUnlessFull, || Ok(json_body(self.request(Method::POST, "/sandbox"), &wish)));
        let id = match sent.await {
            Ok(response) => self.read::<Row>("make a sandbox", response).await?.id,
            // An answer was lost, or somebody else was faster: that name has one.
            Err(Fault::Refused(refused)) if refused.status == 409 => key.to_owned(),
            Err(Fault::Refused(refused)) if refused.status == 429 => {
                return Err(VENDOR.full(refused.retry_after.unwrap_or(HOLD), &refused.message));
            }
            Err(fault) => return Err(VENDOR.error("make a sandbox", key, fault)),
        };
        self.started(&id).await
    }

    /// How a sandbox is reached, once it has started; woken when it sleeps.
    pub(super) async fn started(&self, id: &str) -> Result<Machine, Error> {
        let until = Instant::now() + START_MAX;
        let (mut pause, mut is_asked) = (LOOK, false);
        loop {
            let row = self.row(id).await?;
            match standing(row.state.as_deref()) {
                Standing::Started => return self.machine(row),
                Standing::Gone => return Err(Error::Missing(id.to_owned())),
                Standing::Failed => {
                    let reason = row.error_reason.unwrap_or_else(|| "no reason given".to_owned());
                    return Err(Error::Unusable { reason: format!("Daytona could not make the sandbox: {reason}") });
                }
                Standing::Asleep if !is_asked => {
                    let path = format!("/sandbox/{id}/start");
                    let asked = self.ask(Again::Safe, Method::POST, &path).await;
                    asked.map_err(|fault| VENDOR.error("start a sandbox", id, fault))?;
                    is_asked = true;
                }
                Standing::Asleep | Standing::Moving => {}
            }
            if Instant::now() + pause > until {
                let state = row.state.unwrap_or_else(|| "no state".to_owned());
                let reason = format!("it is {state} after {} s", START_MAX.as_secs());
                return Err(transient(format!("wait for sandbox {id}"), reason));
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LOOK_MAX);
        }
    }

    async fn row(&self, id: &str) -> Result<Row, Error> {
        let response = self.ask(Again::Safe, Method::GET, &format!("/sandbox/{id}")).await;
        let response = response.map_err(|fault| VENDOR.error("ask for a sandbox", id, fault))?;
        self.read("ask for a sandbox", response).await
    }

    fn machine(&self, row: Row) -> Result<Machine, Error> {
        let no_address = || transient("reach a sandbox".to_owned(), "it has no toolbox address".to_owned());
        let url = row.toolbox_proxy_url.filter(|url| !url.is_empty()).ok_or_else(no_address)?;
        Ok(Machine { address: format!("{}/{}", url.trim_end_matches('/'), row.id), id: row.id, token: None })
    }

    /// Every sandbox with that label that is not gone, oldest first.
    pub(super) async fn labelled(&self, label: Label<'_>) -> Result<Vec<Listed>, Error> {
        let (name, value) = match label {
            Label::Key(key) => (KEY, key),
            Label::Owner(owner) => (OWNER, owner),
        };
        let labels = json!({ name: value }).to_string();
        let (mut rows, mut next) = (Vec::new(), None::<String>);
        for _ in 0..PAGES_MAX {
            let response = self.page(&labels, PAGE, next.as_deref()).await;
            let response = response.map_err(|fault| VENDOR.error("list sandboxes", "the list of sandboxes", fault))?;
            let page: Page = self.read("list sandboxes", response).await?;
            rows.extend(page.items);
            next = page.next_cursor.filter(|cursor| !cursor.is_empty());
            if next.is_none() {
                break;
            }
        }
        let ours = |row: Row| {
            let rent_usd_micros_per_hour = self.rent(&row);
            let labels = row.labels.unwrap_or_default();
            let is_gone = standing(row.state.as_deref()) == Standing::Gone;
            let key = labels.get(KEY).filter(|_| !is_gone && labels.get(name).is_some_and(|found| found == value))?;
            let created_at_ms = row.created_at.as_deref().map_or(0, at_ms);
            Some(Listed { id: row.id, key: key.clone(), created_at_ms, rent_usd_micros_per_hour })
        };
        let mut listed: Vec<Listed> = rows.into_iter().filter_map(ours).collect();
        listed.sort_by(|one, other| (one.created_at_ms, &one.id).cmp(&(other.created_at_ms, &other.id)));
        Ok(listed)
    }

    /// What an hour of a sandbox is asked for while it is started; what its disk costs otherwise is not known.
    fn rent(&self, row: &Row) -> Option<u64> {
        let price = self.options.price.filter(|_| standing(row.state.as_deref()) == Standing::Started);
        price?.of(row.cpu, row.memory)
    }

    /// Asks for one page of a list.
    pub(super) async fn page(&self, labels: &str, limit: &str, next: Option<&str>) -> Result<Response, Fault> {
        let sent = self.account.send(Again::Safe, || {
            let request = self.request(Method::GET, "/sandbox").query(&[("labels", labels), ("limit", limit)]);
            Ok(match next {
                Some(next) => request.query(&[("cursor", next)]),
                None => request,
            })
        });
        sent.await
    }

    /// Asks for the end of a sandbox; it takes a while.
    pub(super) async fn remove(&self, id: &str) -> Result<(), Error> {
        match self.ask(Again::Safe, Method::DELETE, &format!("/sandbox/{id}")).await {
            Ok(_) => Ok(()),
            Err(Fault::Refused(refused)) if refused.status == 404 => Ok(()),
            Err(fault) => Err(VENDOR.error("remove a sandbox", id, fault)),
        }
    }

    /// Begins its time without us anew. Where a server has no such request, what is done inside counts, too.
    pub(super) async fn put_off(&self, id: &str) -> Result<(), Error> {
        match self.ask(Again::Safe, Method::POST, &format!("/sandbox/{id}/last-activity")).await {
            Ok(_) => Ok(()),
            Err(Fault::Refused(refused)) if matches!(refused.status, 404 | 405) => Ok(()),
            Err(fault) => Err(VENDOR.error("keep a sandbox", id, fault)),
        }
    }

    async fn read<T: DeserializeOwned>(&self, action: &str, response: Response) -> Result<T, Error> {
        read(action, response, ANSWER_BYTES_MAX).await
    }
}

/// What a list is filtered by.
#[derive(Debug, Clone, Copy)]
pub(super) enum Label<'a> {
    Key(&'a str),
    Owner(&'a str),
}

/// An answer as JSON.
pub(super) async fn read<T: DeserializeOwned>(action: &str, response: Response, bytes_max: usize) -> Result<T, Error> {
    let body = bounded(response, bytes_max).await;
    let body = body.ok_or_else(|| transient(action.to_owned(), "the answer broke off".to_owned()))?;
    serde_json::from_slice(&body).map_err(|error| {
        let reason = format!("{} answers oddly: line {}, column {}", VENDOR.name, error.line(), error.column());
        transient(action.to_owned(), reason)
    })
}

pub(super) fn json_body(request: RequestBuilder, body: &impl Serialize) -> RequestBuilder {
    let json = serde_json::to_vec(body).unwrap_or_default();
    request.header("Content-Type", "application/json").body(json)
}

fn at_ms(text: &str) -> u64 {
    text.parse::<jiff::Timestamp>().ok().and_then(|at| u64::try_from(at.as_millisecond()).ok()).unwrap_or(0)
}
