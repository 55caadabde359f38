//! Tells people elsewhere that questions are about to expire: a webhook, and Slack, each by itself. Each question once, and that
//! it was told of, or could not be, is a fact; whoever is told in the moment the server ends may be told again. The addresses
//! are secrets: they are in no fact, log line or error.

use std::sync::Once;
use std::time::Duration;

use regatta_core::event::approval::{Escalated, EscalatedTo, Requested};
use regatta_core::vault::{Credential, ExposeSecret as _};
use regatta_core::{AppendError, ApprovalId, SecretString, Vault};
use reqwest::{Client, StatusCode, Url};
use serde_json::Value;
use tokio::time::{MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;

use crate::handle::Gateways;
use crate::notice;

/// How often it is looked for questions that are about to expire.
const EVERY: Duration = Duration::from_secs(1);
/// How long one try may take.
const WITHIN: Duration = Duration::from_secs(10);
/// Tries to tell of the same, the first included.
const TRIES_MAX: u32 = 4;
/// Longest reason that is recorded, in characters.
const REASON_CHARS_MAX: usize = 200;

/// Who is told, and when.
#[derive(Debug, Clone)]
pub struct Escalation {
    /// How long before a question expires.
    pub before: Duration,
    /// An address that takes JSON by POST.
    pub webhook: Option<Credential>,
    /// An incoming webhook of Slack.
    pub slack: Option<Credential>,
    /// Where the page is, for links to the questions.
    pub page: Option<String>,
    /// The pause after the first try that failed, as [`Self::PAUSE`]; it doubles.
    pub pause: Duration,
}

impl Escalation {
    /// Long enough for whoever restarts what listens there.
    pub const PAUSE: Duration = Duration::from_secs(2);
}

/// A question that is about to expire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Expiring {
    pub(crate) asked: Requested,
    /// How long it is open yet.
    pub(crate) left: Duration,
}

/// Why a try failed; never the address.
struct Failed {
    reason: String,
    /// Whether it may go better the next time.
    is_passing: bool,
}

/// Tells people elsewhere.
pub struct Escalator {
    gateways: Gateways,
    vault: Vault,
    wanted: Escalation,
    client: Client,
}

impl Escalator {
    /// Ready to tell.
    ///
    /// # Errors
    /// When this machine has no HTTPS.
    pub fn new(gateways: Gateways, vault: Vault, wanted: Escalation) -> Result<Self, String> {
        static RING: Once = Once::new();
        // Whoever was first chose the same.
        RING.call_once(|| drop(rustls::crypto::ring::default_provider().install_default()));
        let client = Client::builder()
            .timeout(WITHIN)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("regatta/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| format!("no HTTPS on this machine: {}", words(&error.without_url())))?;
        Ok(Self { gateways, vault, wanted, client })
    }

    /// Goes on until it is told to stop.
    pub async fn run(self, stop: CancellationToken) {
        let Escalation { webhook, slack, .. } = &self.wanted;
        let telling = async {
            tokio::join!(
                self.tell_all(EscalatedTo::Webhook, webhook.as_ref()),
                self.tell_all(EscalatedTo::Slack, slack.as_ref())
            )
        };
        tokio::select! {
            () = stop.cancelled() => {}
            ((), ()) = telling => {}
        }
    }

    async fn tell_all(&self, to: EscalatedTo, address: Option<&Credential>) {
        let Some(address) = address else { return };
        let mut looks = interval(EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // What the log took no note of: told of all the same, and not again.
        let mut owed: Vec<Escalated> = Vec::new();
        loop {
            looks.tick().await;
            owed = self.note(owed).await;
            let mut due = self.gateways.expiring(self.wanted.before, to).await;
            due.retain(|expiring| !owed.iter().any(|owed| owed.approval == expiring.asked.approval));
            if due.is_empty() {
                continue;
            }
            let failed = self.tell(to, address, &due).await.err();
            if let Some(reason) = &failed {
                let questions = due.len();
                tracing::error!(%to, questions, reason, "nobody was told of questions that are about to expire");
            }
            let fact = |approval: ApprovalId| Escalated { approval, to, failed: failed.clone() };
            owed.extend(due.into_iter().map(|expiring| fact(expiring.asked.approval)));
            owed = self.note(owed).await;
        }
    }

    /// Records whom was told of what; gives back what the log does not take now.
    async fn note(&self, facts: Vec<Escalated>) -> Vec<Escalated> {
        let mut owed = Vec::new();
        for fact in facts {
            let noted: Result<(), AppendError> = self.gateways.escalated(fact.clone()).await;
            if noted.is_err() {
                owed.push(fact);
            }
        }
        owed
    }

    /// Tells of all that is due at once, again for so long as that may help.
    async fn tell(&self, to: EscalatedTo, address: &Credential, due: &[Expiring]) -> Result<(), String> {
        let page = self.wanted.page.as_deref();
        let message = match to {
            EscalatedTo::Webhook => notice::json(due, page),
            EscalatedTo::Slack => notice::slack(due, page),
        };
        let (mut pause, mut tries) = (self.wanted.pause, 1);
        loop {
            match self.post(to, address, &message).await {
                Err(Failed { reason, is_passing: true }) if tries < TRIES_MAX => {
                    tracing::warn!(%to, reason, "tried again in a moment");
                }
                done => return done.map_err(|failed| failed.reason.chars().take(REASON_CHARS_MAX).collect()),
            }
            sleep(pause).await;
            (pause, tries) = (pause * 2, tries + 1);
        }
    }

    async fn post(&self, to: EscalatedTo, address: &Credential, message: &Value) -> Result<(), Failed> {
        // Anew each time: a vault may be opened meanwhile, or an address corrected.
        let address = address.read(Some(&self.vault), &format!("approvals.{to}")).await;
        let address = address.map_err(|error| Failed { reason: words(&error), is_passing: true })?;
        let request = self.client.post(url(&address)?).header("content-type", "application/json");
        let answer = request.body(message.to_string()).send().await;
        let answer = answer.map_err(|error| Failed { reason: words(&error.without_url()), is_passing: true })?;
        let status = answer.status();
        if status.is_success() {
            return Ok(());
        }
        let is_passing =
            status.is_server_error() || matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS);
        Err(Failed { reason: format!("it answered {}", status.as_u16()), is_passing })
    }
}

/// An address that may be told: over TLS, or on this machine.
fn url(address: &SecretString) -> Result<Url, Failed> {
    let failed = |reason: &str| Failed { reason: reason.to_owned(), is_passing: false };
    let url = Url::parse(address.expose_secret().trim()).map_err(|_| failed("what it names is no address"))?;
    let is_near = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    if url.scheme() == "https" || url.scheme() == "http" && is_near {
        return Ok(url);
    }
    Err(failed("the address does not begin with https://"))
}

/// An error with what led to it.
fn words(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        words = format!("{words}: {error}");
        source = error.source();
    }
    words
}
