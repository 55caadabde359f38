//! Connects to a gateway once, beside the connection that is kept, and explains what happens. Changes nothing there.

use std::time::Duration;

use regatta_gateway::{CallError, Hello, Link, Notice, OPERATOR_SCOPES, Options, Refusal, State};
use serde::{Deserialize, Serialize};
use serde_json::json;
use serde_json::value::to_raw_value;
use tokio::sync::{mpsc, watch};
use utoipa::ToSchema;

use crate::status::LinkNow;

/// How long it may take to be let in: a gateway that starts takes half a minute.
const IN_WITHIN: Duration = Duration::from_secs(40);
/// How long each answer may take.
const WITHIN: Duration = Duration::from_secs(10);

/// One thing that was tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Step {
    /// What.
    pub name: String,
    /// Whether it went well.
    pub is_good: bool,
    /// What was found.
    pub found: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub advice: Option<String>,
}

/// What came of connecting once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Tested {
    /// Whether everything went well.
    pub is_good: bool,
    /// Each thing that was tried, in order; what came after a failure was not.
    pub steps: Vec<Step>,
    /// What is to be approved at the gateway, when that is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub pairing: Option<String>,
}

impl Tested {
    fn of(steps: Vec<Step>, pairing: Option<String>) -> Self {
        Self { is_good: steps.iter().all(|step| step.is_good), steps, pairing }
    }

    /// Nothing could be tried.
    pub(crate) fn untried(refusal: &regatta_core::Refusal) -> Self {
        let step = Step { advice: refusal.hint.clone(), ..bad("credential", refusal.message.clone()) };
        Self::of(vec![step], None)
    }
}

fn good(name: &str, found: String) -> Step {
    Step { name: name.to_owned(), is_good: true, found, advice: None }
}

fn bad(name: &str, found: String) -> Step {
    Step { is_good: false, ..good(name, found) }
}

/// Tries it.
pub(crate) async fn test(options: Options) -> (Tested, Option<std::sync::Arc<Hello>>) {
    let url = options.url.clone();
    let opened = Link::open(Options { caps: vec![], ..options });
    let (link, mut notices) = match opened {
        Ok(opened) => opened,
        Err(error) => return (Tested::of(vec![bad("address", error.to_string())], None), None),
    };
    let entered = tokio::time::timeout(IN_WITHIN, entered(link.state(), &mut notices)).await;
    let late = || LinkNow {
        reason: Some(format!("it did not let us in within {} s", IN_WITHIN.as_secs())),
        ..LinkNow::default()
    };
    // Nobody takes more of them, and those that nobody takes would hold back the answers.
    drop(notices);
    let hello = match entered.unwrap_or_else(|_| Err(Box::new(late()))) {
        Ok(hello) => hello,
        Err(now) => {
            let reason = now.reason.unwrap_or_else(|| "the connection was closed".to_owned());
            let step = Step { advice: now.advice, ..bad("connection", reason) };
            return (Tested::of(vec![step], now.pairing), None);
        }
    };
    let mut steps = vec![
        good("connection", format!("let in at {url}, {}", words(hello.auth.method.as_deref()))),
        good("version", format!("{}, {} methods", hello.server.version, hello.features.methods.len())),
        rights(&hello),
    ];
    steps.push(answers(&link, "health", "it answers").await);
    steps.push(answers(&link, "exec.approval.list", "questions can be heard and answered").await);
    link.close().await;
    (Tested::of(steps, None), Some(hello))
}

/// Waits until we are in, or it is clear that we are not.
async fn entered(
    mut state: watch::Receiver<State>,
    notices: &mut mpsc::Receiver<Notice>,
) -> Result<std::sync::Arc<Hello>, Box<LinkNow>> {
    loop {
        tokio::select! {
            notice = notices.recv() => match notice {
                Some(Notice::Welcomed(hello)) => return Ok(hello),
                Some(Notice::Received(_) | Notice::Missing(_) | Notice::Lost(_)) => {}
                None => return Err(Box::default()),
            },
            changed = state.changed() => {
                let now = state.borrow_and_update().clone();
                if changed.is_err() || is_clear(&now) {
                    return Err(Box::new(LinkNow::of(&now)));
                }
            }
        }
    }
}

/// Whether a failure says something; a gateway that starts is waited for.
fn is_clear(state: &State) -> bool {
    match state {
        State::Disconnected(reason) => *reason != regatta_gateway::Reason::New,
        State::Reconnecting { loss, .. } => {
            !matches!(loss, regatta_gateway::Loss::Refused(Refusal::Starting { .. } | Refusal::Draining))
        }
        State::Connecting(_) | State::Authenticating(_) | State::Connected => false,
    }
}

fn words(method: Option<&str>) -> String {
    match method {
        Some("token") => "by its token".to_owned(),
        Some("device-token") => "by this device's token".to_owned(),
        Some(method) => format!("by {method}"),
        None => "without a credential".to_owned(),
    }
}

fn rights(hello: &Hello) -> Step {
    let lacks: Vec<&str> =
        OPERATOR_SCOPES.into_iter().filter(|scope| !hello.auth.scopes.iter().any(|has| has == scope)).collect();
    if lacks.is_empty() {
        return good("rights", "everything an operator may".to_owned());
    }
    let advice = "approve this device with these scopes at the gateway, or connect with its shared token".to_owned();
    Step { advice: Some(advice), ..bad("rights", format!("missing: {}", lacks.join(", "))) }
}

async fn answers(link: &Link, method: &str, meaning: &str) -> Step {
    let nothing = to_raw_value(&json!({})).unwrap_or_default();
    match link.call(method, nothing, WITHIN).await {
        Ok(_) => good(method, meaning.to_owned()),
        Err(error @ CallError::Refused(_)) => bad(method, error.to_string()),
        Err(error) => Step {
            advice: Some("look at the gateway's own log: openclaw logs".to_owned()),
            ..bad(method, error.to_string())
        },
    }
}
