//! Facts about rules: answers that people give to agents' questions in advance. Which question a rule is about is not
//! decided here.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::approval::Decision;
use crate::{GatewayName, RuleName, RunId};

/// A fact about rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RuleEvent {
    /// It answers from now on.
    Added(RuleAdded),
    /// It does not any more.
    Removed(RuleRemoved),
    /// Every rule there is, said again: what was said before may be removed from the log.
    Restated(RulesRestated),
}

/// What a rule answers. It never says `allow-always`: what it allows is asked again, and seen again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RuleAnswer {
    /// Yes, this time.
    Allow,
    /// No.
    Deny,
}

impl RuleAnswer {
    /// In the words of the gateway.
    #[must_use]
    pub fn decision(self) -> Decision {
        match self {
            Self::Allow => Decision::AllowOnce,
            Self::Deny => Decision::Deny,
        }
    }
}

/// Which questions a rule is about: those that everything named here fits.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RuleScope {
    /// Of this agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "main")]
    pub agent: Option<String>,
    /// Of this gateway.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub gateway: Option<GatewayName>,
    /// In a folder like this: `*` stands for any characters of one name, `**` for any names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "/work/**")]
    pub cwd: Option<String>,
    /// For a command like this. To allow: word by word, `*` for any characters of a word, alone for any words. To deny: `*`
    /// for any characters of the line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "make *")]
    pub command: Option<String>,
    /// By attempts of this run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub run: Option<RunId>,
}

/// An answer in advance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// What it is called.
    pub name: RuleName,
    /// What it answers.
    pub answer: RuleAnswer,
    /// To which questions.
    pub scope: RuleScope,
    /// Why, for whoever sees its answers.
    pub reason: String,
}

/// A rule answers from now on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RuleAdded {
    /// The rule.
    pub rule: Rule,
}

/// A rule does not answer any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RuleRemoved {
    /// Which.
    pub rule: RuleName,
}

/// Every rule there is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RulesRestated {
    /// The oldest first.
    pub rules: Vec<KnownRule>,
}

/// A rule, and when it was added.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
pub struct KnownRule {
    /// As it was added.
    pub rule: Rule,
    /// When, in microseconds since the Unix epoch.
    pub added_at_us: u64,
    /// By whom.
    pub added_by: String,
}
