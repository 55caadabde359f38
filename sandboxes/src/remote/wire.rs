//! HTTP as vendors of sandboxes want it: what may be sent again and when, how long they ask us to wait, and what a refusal
//! says. Knows neither vendor, and never shows a key: addresses are left out of errors, headers are never printed.

use std::sync::Once;
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Client, RequestBuilder, Response, StatusCode};
use secrecy::ExposeSecret as _;
use serde::Deserialize;

use super::cloud::KeySource;
use crate::provider::Error;

/// Tries of one request, the first included.
const TRIES_MAX: u32 = 3;
/// The pause after the first try; it doubles.
const PAUSE: Duration = Duration::from_millis(100);
/// The longest pause we choose by ourselves.
const PAUSE_MAX: Duration = Duration::from_secs(10);
/// The longest a vendor may make one request wait; past it the request fails with what was asked.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(20);
/// Until a connection is made.
const CONNECT: Duration = Duration::from_secs(10);
/// Without a byte for so long an answer counts as lost.
const SILENCE: Duration = Duration::from_secs(30);
/// Bytes of a refusal that are read.
const REFUSAL_BYTES_MAX: usize = 64 << 10;
/// Characters of a refusal shown to people.
const REFUSAL_CHARS_MAX: usize = 300;

/// Whether a request whose answer was lost may be sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Again {
    /// Sending it twice is the same as sending it once.
    Safe,
    /// The same, but not when there are too many already: whoever asks waits elsewhere.
    SafeUnlessFull,
    /// Only when it was surely not received.
    Unsent,
}

/// Why a request has no good answer.
#[derive(Debug)]
pub(crate) enum Fault {
    /// There is an answer, and it is no.
    Refused(Refused),
    /// There is none.
    Unreachable(String),
    /// There is no key to ask with.
    NoKey(String),
}

/// A no.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) status: u16,
    pub(crate) message: String,
    /// How long we are asked to wait.
    pub(crate) retry_after: Option<Duration>,
    /// What the vendor says about sending it again.
    should_retry: Option<bool>,
    /// Whether it comes from the way to a sandbox, and the sandbox itself is there.
    pub(crate) port_closed: bool,
}

/// The body of a refusal, of whichever service.
#[derive(Debug, Default, Deserialize)]
struct Body {
    message: Option<String>,
    error: Option<serde_json::Value>,
    port: Option<serde_json::Value>,
}

impl Refused {
    /// A proxy says so of a sandbox that is gone for good; of one that is still starting it names the port.
    pub(crate) fn is_gone(&self) -> bool {
        self.status == 404 || (self.status == 502 && !self.port_closed && self.message.contains("not found"))
    }

    fn may_pass(&self) -> bool {
        if let Some(said) = self.should_retry {
            return said;
        }
        match self.status {
            429 | 503 | 504 => true,
            502 => !self.is_gone(),
            409 => self.message.contains("transition"),
            _ => false,
        }
    }
}

/// A client of one vendor.
#[derive(Debug, Clone)]
pub(crate) struct Wire {
    /// For everything that is small or streams.
    pub(crate) client: Client,
    /// Never HTTP/2: E2B's proxy pads downloads with empty frames, for which the h2 crate closes the connection.
    pub(crate) plain: Client,
    /// For streams, and what becomes one: they may be silent as long as their reader allows.
    pub(crate) patient: Client,
}

impl Wire {
    pub(crate) fn new() -> Result<Self, Error> {
        static RING: Once = Once::new();
        // Whoever was first chose the same.
        RING.call_once(|| drop(rustls::crypto::ring::default_provider().install_default()));
        let builder = || {
            Client::builder()
                .connect_timeout(CONNECT)
                .redirect(reqwest::redirect::Policy::none())
                .tcp_nodelay(true)
                .user_agent(concat!("regatta/", env!("CARGO_PKG_VERSION")))
        };
        let failed = |error: reqwest::Error| Error::Unusable {
            reason: format!("no HTTPS on this machine: {}", chain(&error.without_url())),
        };
        Ok(Self {
            client: builder().read_timeout(SILENCE).build().map_err(failed)?,
            plain: builder().read_timeout(SILENCE).http1_only().build().map_err(failed)?,
            patient: builder().http1_only().build().map_err(failed)?,
        })
    }
}

/// An account's key, and how it is put on a request.
#[derive(Clone)]
pub(crate) struct Account {
    pub(crate) key: KeySource,
    pub(crate) header: HeaderName,
    /// Stands before the key.
    pub(crate) word: &'static str,
}

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Account").field("header", &self.header).finish_non_exhaustive()
    }
}

impl Account {
    /// Sends a request with the key, which is asked for once for all tries.
    pub(crate) async fn send(
        &self,
        again: Again,
        build: impl Fn() -> Result<RequestBuilder, String>,
    ) -> Result<Response, Fault> {
        let value = self.value().await.map_err(Fault::NoKey)?;
        send(again, || Ok(build()?.header(&self.header, &value))).await
    }

    async fn value(&self) -> Result<HeaderValue, String> {
        let key = (self.key)().await?;
        let value = HeaderValue::from_str(&format!("{}{}", self.word, key.expose_secret().trim()));
        let mut value = value.map_err(|_| "it has characters no key has".to_owned())?;
        value.set_sensitive(true);
        Ok(value)
    }
}

/// Sends a request until it has an answer that is no passing trouble, a few times at most.
pub(crate) async fn send(again: Again, build: impl Fn() -> Result<RequestBuilder, String>) -> Result<Response, Fault> {
    let mut pause = PAUSE;
    for tries in 1.. {
        let fault = match try_once(&build).await {
            Ok(response) => return Ok(response),
            Err(fault) => fault,
        };
        let wait = match &fault.0 {
            Fault::NoKey(_) => None,
            Fault::Refused(refused) if refused.status == 429 && again == Again::SafeUnlessFull => None,
            Fault::Refused(refused) if refused.may_pass() => {
                Some(refused.retry_after.unwrap_or(jittered(pause))).filter(|wait| *wait <= RETRY_AFTER_MAX)
            }
            Fault::Refused(_) => None,
            Fault::Unreachable(_) => (again != Again::Unsent || fault.1).then(|| jittered(pause)),
        };
        match wait {
            Some(wait) if tries < TRIES_MAX => tokio::time::sleep(wait).await,
            Some(_) | None => return Err(fault.0),
        }
        pause = (pause * 2).min(PAUSE_MAX);
    }
    Err(Fault::Unreachable("no answer".to_owned()))
}

/// The fault, and whether the request was surely not received.
async fn try_once(build: &impl Fn() -> Result<RequestBuilder, String>) -> Result<Response, (Fault, bool)> {
    let request = build().map_err(|reason| (Fault::NoKey(reason), true))?;
    match request.send().await {
        Ok(response) if response.status().is_success() || response.status() == StatusCode::SWITCHING_PROTOCOLS => {
            Ok(response)
        }
        Ok(response) => Err((Fault::Refused(refused(response).await), true)),
        Err(error) => {
            let unsent = error.is_connect() || error.is_builder();
            Err((Fault::Unreachable(chain(&error.without_url())), unsent))
        }
    }
}

async fn refused(response: Response) -> Refused {
    let status = response.status();
    let retry_after = retry_after(response.headers());
    let should_retry = response.headers().get("should-retry").and_then(|said| match said.as_bytes() {
        b"true" => Some(true),
        b"false" => Some(false),
        _ => None,
    });
    let bytes = bounded(response, REFUSAL_BYTES_MAX).await.unwrap_or_default();
    let body: Body = serde_json::from_slice(&bytes).unwrap_or_default();
    let said = body.message.or_else(|| body.error.and_then(|error| error.as_str().map(str::to_owned)));
    let message: String = said
        .unwrap_or_else(|| status.canonical_reason().unwrap_or("no reason given").to_owned())
        .chars()
        .filter(|character| !character.is_control())
        .take(REFUSAL_CHARS_MAX)
        .collect();
    Refused { status: status.as_u16(), message, retry_after, should_retry, port_closed: body.port.is_some() }
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// A body of at most that many bytes; nothing when there is more, or it breaks off.
pub(crate) async fn bounded(mut response: Response, bytes_max: usize) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() <= bytes_max => body.extend_from_slice(&chunk),
            Ok(Some(_)) | Err(_) => return None,
            Ok(None) => return Some(body),
        }
    }
}

/// Half to all of a pause, so that many do not come back at once.
fn jittered(pause: Duration) -> Duration {
    let half = u64::try_from(pause.as_millis() / 2).unwrap_or(0);
    Duration::from_millis(half + random() % (half + 1))
}

/// Any number.
pub(crate) fn random() -> u64 {
    let mut bytes = [0; 8];
    // Without the machine's source every pause is the same, and names are told apart by the process.
    getrandom::fill(&mut bytes).ok();
    u64::from_le_bytes(bytes)
}

/// An error with everything that led to it, on one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

/// How a vendor is spoken of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Vendor {
    pub(crate) name: &'static str,
    /// What to do when the key is refused.
    pub(crate) key_hint: &'static str,
}

impl Vendor {
    /// No more sandboxes are made for now; `said` is the vendor's word.
    pub(crate) fn full(self, wait: Duration, said: &str) -> Error {
        let reason = format!("{} says too many: {said}", self.name);
        Error::Full { reason, wait_ms: u64::try_from(wait.as_millis()).unwrap_or(u64::MAX) }
    }

    /// What a fault means to whoever asked for `action`, a fragment as `make a sandbox`; `what` is what may be missing.
    pub(crate) fn error(self, action: &str, what: &str, fault: Fault) -> Error {
        let Self { name, key_hint } = self;
        let refused = match fault {
            Fault::NoKey(reason) => return Error::Unusable { reason: format!("there is no key for {name}: {reason}") },
            Fault::Unreachable(reason) => {
                return transient(format!("{action}: {name} does not answer"), reason);
            }
            Fault::Refused(refused) => refused,
        };
        let Refused { status, message, .. } = &refused;
        let known = StatusCode::from_u16(*status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        match *status {
            401 => Error::Unusable { reason: format!("{name} refuses the key: {message}; {key_hint}") },
            _ if refused.is_gone() => Error::Missing(what.to_owned()),
            429 => {
                let wait = refused.retry_after.map_or(String::new(), |wait| format!(", wait {} s", wait.as_secs()));
                transient(format!("{action}: {name} says too many (429{wait})"), message.clone())
            }
            409 | 408 | 502..=504 => transient(format!("{action}: {name} answers {status}"), message.clone()),
            _ if known.is_server_error() => transient(format!("{action}: {name} answers {status}"), message.clone()),
            _ => Error::Unusable { reason: format!("{name} refuses to {action} ({status}): {message}") },
        }
    }
}

pub(crate) fn transient(action: String, reason: String) -> Error {
    Error::Transient { action, source: std::io::Error::other(reason) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: u16, message: &str, port_closed: bool) -> Refused {
        Refused { status, message: message.to_owned(), retry_after: None, should_retry: None, port_closed }
    }

    #[test]
    fn the_two_kinds_of_502_are_told_apart() {
        let gone = refused(502, "The sandbox was not found", false);
        assert!(gone.is_gone() && !gone.may_pass());
        let starting = refused(502, "The sandbox is running but port is not open", true);
        assert!(!starting.is_gone() && starting.may_pass());
    }

    #[test]
    fn the_vendors_word_on_sending_again_counts_most() {
        let told = |should_retry, status| Refused { should_retry: Some(should_retry), ..refused(status, "", false) };
        assert!(told(true, 500).may_pass() && !told(false, 503).may_pass());
        for (status, passes) in [(429, true), (503, true), (504, true), (500, false), (400, false), (401, false)] {
            assert_eq!(refused(status, "", false).may_pass(), passes, "{status}");
        }
    }

    #[test]
    fn a_refused_key_is_no_passing_trouble_and_says_what_to_do() {
        let vendor = Vendor { name: "E2B", key_hint: "see E2B_API_KEY" };
        let error = vendor.error("make a sandbox", "a", Fault::Refused(refused(401, "invalid key", false)));
        assert_eq!(error.to_string(), "E2B refuses the key: invalid key; see E2B_API_KEY");
        assert!(!error.is_transient());
    }
}
