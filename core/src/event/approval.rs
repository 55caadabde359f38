//! Facts about what agents ask people: that it was asked, what was answered, and what became of it. The gateway decides
//! what holds; an answer is a wish until it says so.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{ApprovalId, AttemptId, RunId};

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
    /// Somebody elsewhere was told that it is about to expire, or could not be.
    Escalated(Escalated),
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
            Self::Escalated(fact) => &fact.approval,
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

/// What is asked: may this command be run, or this of a plugin be done?
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema, ToSchema)]
pub struct Question {
    /// The command as a shell would read it; of a plugin, what it wants to do in its own few words.
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
    /// What more a plugin says of what it wants to do; nothing for a command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub plugin: Option<PluginAsk>,
    /// What the gateway warns of.
    #[serde(default)]
    #[schema(required = true)]
    pub warnings: Vec<String>,
    /// Whether the command, its words or its folder are longer than what is kept here.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_cut: bool,
}

/// What a plugin says of what it wants to do.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize, JsonSchema, ToSchema)]
pub struct PluginAsk {
    /// Which plugin it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub name: Option<String>,
    /// The tool it would use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub tool: Option<String>,
    /// What it would do, and to what.
    pub about: String,
}

/// What identical questions of sibling attempts have in common.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Common {
    run: RunId,
    command: String,
    argv: Vec<String>,
    host: Option<String>,
    plugin: Option<PluginAsk>,
    warnings: Vec<String>,
    /// Without what tells the attempts apart.
    cwd: Option<String>,
    /// The same.
    program: Option<String>,
}

impl Question {
    /// The attempt whose agent asks, by the name of its session: `agent:<agent>:regatta-<run>-<slot>`.
    #[must_use]
    pub fn attempt(&self) -> Option<AttemptId> {
        let mut name = self.session.as_deref()?.rsplit(':').next()?.strip_prefix("regatta-")?.split('-');
        Some(AttemptId { run: name.next()?.parse().ok()?, slot: name.next()?.parse().ok()? })
    }

    /// What it has in common with the same question of a sibling; nothing for one that is no attempt's, or not all here.
    #[must_use]
    pub fn common(&self) -> Option<Common> {
        let attempt = self.attempt().filter(|_| !self.is_cut)?;
        Some(Common {
            run: attempt.run,
            command: self.command.clone(),
            argv: self.argv.clone(),
            host: self.host.clone(),
            plugin: self.plugin.clone(),
            warnings: self.warnings.clone(),
            cwd: self.cwd.as_deref().map(|cwd| alike(cwd, attempt)),
            program: self.program.as_deref().map(|program| alike(program, attempt)),
        })
    }
}

/// A path without what makes it the attempt's own: `regatta-abcd-7q2k9x0m-a-1` and `7q2k9x0m.a` are those of any attempt.
fn alike(path: &str, AttemptId { run, slot }: AttemptId) -> String {
    let name_alike = |name: &str| {
        let own = ['-', '.'].into_iter().find_map(|mark| {
            let (before, rest) = name.split_once(&format!("{run}{mark}{slot}"))?;
            // `…-a` must not be taken for the beginning of `…-ab`.
            let is_whole = !rest.starts_with(|c: char| c.is_ascii_alphanumeric());
            is_whole.then(|| format!("{before}{run}{mark}*{rest}"))
        });
        own.unwrap_or_else(|| name.to_owned())
    };
    path.split('/').map(name_alike).collect::<Vec<_>>().join("/")
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
    /// When, by the gateway's clock, in milliseconds since the Unix epoch, where it was found later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_ms: Option<u64>,
}

/// Nobody answered in time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Expired {
    /// The question.
    pub approval: ApprovalId,
    /// When, by the gateway's clock, in milliseconds since the Unix epoch, where it was found later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_ms: Option<u64>,
}

/// Nobody waits for the answer any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Cancelled {
    /// The question.
    pub approval: ApprovalId,
    /// Why: `gateway-restart`, …
    pub reason: String,
    /// When, by the gateway's clock, in milliseconds since the Unix epoch, where it was found later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_ms: Option<u64>,
}

/// Where somebody is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EscalatedTo {
    /// An address that takes JSON.
    Webhook,
    /// Slack.
    Slack,
}

impl fmt::Display for EscalatedTo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Webhook => "webhook",
            Self::Slack => "slack",
        })
    }
}

/// Somebody elsewhere was told that a question is about to expire, or could not be. The address is a secret, and not here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Escalated {
    /// The question.
    pub approval: ApprovalId,
    /// Where.
    pub to: EscalatedTo,
    /// Why they could not be told; nothing when they were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(slot: &str, command: &str, cwd: &str) -> Question {
        Question {
            command: command.to_owned(),
            session: Some(format!("agent:main:regatta-7q2k9x0m-{slot}")),
            cwd: Some(cwd.to_owned()),
            ..Question::default()
        }
    }

    #[test]
    fn siblings_ask_the_same_when_only_their_own_folder_differs() {
        let one = asked("a", "make", "/work/regatta-abcd-7q2k9x0m-a-1/app");
        assert_eq!(one.attempt().map(|attempt| attempt.to_string()).as_deref(), Some("7q2k9x0m.a"));
        let same = asked("b", "make", "/work/regatta-abcd-7q2k9x0m-b-1/app");
        assert!(one.common().is_some() && one.common() == same.common());
        let own = |question: &Question, slot: &str| Question {
            program: Some(format!("/work/7q2k9x0m.{slot}/bin/make")),
            ..question.clone()
        };
        assert_eq!(own(&one, "a").common(), own(&same, "b").common());
        let others = [
            asked("b", "make all", "/work/regatta-abcd-7q2k9x0m-b-1/app"),
            asked("b", "make", "/work/regatta-abcd-7q2k9x0m-b-1/lib"),
            asked("b", "make", "/work/regatta-abcd-7q2k9x0m-ab-1/app"),
            asked("b", "make", "/work/regatta-abcd-00000000-b-1/app"),
            Question { argv: vec!["make".to_owned()], ..same.clone() },
            Question { is_cut: true, ..same.clone() },
            Question { host: Some("node".to_owned()), ..same.clone() },
            Question { plugin: Some(PluginAsk::default()), ..same.clone() },
            Question { warnings: vec!["writes outside".to_owned()], ..same.clone() },
            Question { program: Some("/tmp/make".to_owned()), ..same.clone() },
            Question { session: Some("agent:main:main".to_owned()), ..same },
        ];
        for other in others {
            assert_ne!(one.common(), other.common(), "{other:?}");
        }
    }
}
