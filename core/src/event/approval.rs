//! Facts about what agents ask people: that it was asked, what was answered, and what became of it. The gateway decides
//! what holds; an answer is a wish until it says so.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::ApprovalId;

/// A fact about a question.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "questions are few, and a fact is held one at a time")]
pub enum ApprovalEvent {
    /// An agent asks, and waits for the answer.
    Requested(Requested),
    /// Somebody answered here. Recorded before the gateway is told.
    Answered(Answered),
    /// The gateway could not be told; the question is open again.
    AnswerFailed(AnswerFailed),
    /// The gateway took an answer, of ours or of somebody else.
    Resolved(Resolved),
    /// Nobody answered in time.
    Expired(Expired),
    /// Nobody waits for the answer any more.
    Cancelled(Cancelled),
}

impl ApprovalEvent {
    /// The question it is about.
    #[must_use]
    pub fn approval(&self) -> &ApprovalId {
        match self {
            Self::Requested(fact) => &fact.approval,
            Self::Answered(fact) => &fact.approval,
            Self::AnswerFailed(fact) => &fact.approval,
            Self::Resolved(fact) => &fact.approval,
            Self::Expired(fact) => &fact.approval,
            Self::Cancelled(fact) => &fact.approval,
        }
    }
}

/// An answer to a question, in the words of the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Decision {
    /// Yes, this time.
    AllowOnce,
    /// Yes, and from now on whenever exactly this is asked.
    AllowAlways,
    /// No.
    Deny,
}

impl Decision {
    /// Every answer there is.
    pub const ALL: [Self; 3] = [Self::AllowOnce, Self::AllowAlways, Self::Deny];

    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AllowOnce => "allow-once",
            Self::AllowAlways => "allow-always",
            Self::Deny => "deny",
        }
    }
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Decision {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let decision = Self::ALL.into_iter().find(|decision| decision.as_str() == text);
        decision.ok_or_else(|| format!("{text:?} is no answer: allow-once, allow-always or deny"))
    }
}

/// What is asked: may this command be run?
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema, ToSchema)]
pub struct Question {
    /// The command as a shell would read it.
    pub command: String,
    /// The command word by word, where the gateway says it.
    #[serde(default)]
    #[schema(required = true)]
    pub argv: Vec<String>,
    /// Where it would run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub cwd: Option<String>,
    /// The program it would start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub program: Option<String>,
    /// On what: `gateway` or `node`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub host: Option<String>,
    /// Which agent asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub agent: Option<String>,
    /// In which session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub session: Option<String>,
    /// In which of the gateway's runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub run: Option<String>,
    /// What the gateway warns of.
    #[serde(default)]
    #[schema(required = true)]
    pub warnings: Vec<String>,
    /// Whether the command, its words or its folder are longer than what is kept here.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_cut: bool,
}

/// An agent asks, and waits for the answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Requested {
    /// The question.
    pub approval: ApprovalId,
    /// The gateway's process that waits for the answer.
    pub boot_id: String,
    /// What is asked.
    pub question: Question,
    /// The answers that are offered; no other one is taken.
    pub decisions: Vec<Decision>,
    /// When it was asked, by the gateway's clock, in milliseconds since the Unix epoch.
    pub asked_at_ms: u64,
    /// When the gateway stops waiting, by its clock, in milliseconds since the Unix epoch.
    pub expires_at_ms: u64,
    /// Whether it was not heard but found in the gateway's list after a connection.
    pub is_reconstructed: bool,
}

/// Somebody answered here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Answered {
    /// The question.
    pub approval: ApprovalId,
    /// The answer.
    pub decision: Decision,
    /// One line for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
}

/// The gateway could not be told an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AnswerFailed {
    /// The question.
    pub approval: ApprovalId,
    /// Why.
    pub reason: String,
}

/// The gateway took an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Resolved {
    /// The question.
    pub approval: ApprovalId,
    /// The answer.
    pub decision: Decision,
    /// Who gave it, as the gateway says.
    pub by: String,
    /// Whether it was not heard but asked for later.
    pub is_reconstructed: bool,
}

/// Nobody answered in time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Expired {
    /// The question.
    pub approval: ApprovalId,
}

/// Nobody waits for the answer any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Cancelled {
    /// The question.
    pub approval: ApprovalId,
    /// Why: `gateway-restart`, …
    pub reason: String,
}
