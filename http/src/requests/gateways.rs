//! Gateways, calls to them, answers to what their agents ask, and rules.

use regatta_core::event::approval::Decision;
use regatta_core::event::rule::{RuleAnswer, RuleScope};
use regatta_core::vault::SecretString;
use regatta_core::{ApprovalId, GatewayName};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Adds a gateway.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GatewayRequest {
    /// What it is to be called.
    pub name: GatewayName,
    /// Where it listens: `ws://127.0.0.1:18789`, `wss://host`, without any secret.
    pub url: String,
    /// Whether a credential may go there over an unencrypted connection to another machine.
    #[serde(default)]
    pub allow_plain: bool,
    /// Its shared token; without it and a password this device proves who we are, once it was approved there.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub token: Option<SecretString>,
    /// Its password.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub password: Option<SecretString>,
}

/// Has a method of a gateway called.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CallRequest {
    /// Which.
    pub method: String,
    /// With what: an object; an empty one when absent.
    #[serde(default)]
    pub params: Option<serde_json::Value>,
}

/// Answers a question of an agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AnswerRequest {
    /// One of the answers that are offered.
    pub decision: Decision,
    /// One line for people.
    #[serde(default)]
    pub note: String,
}

/// Answers the identical question of several attempts of one run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AnswersRequest {
    /// The questions, by their whole ids: 1 to 256.
    pub approvals: Vec<ApprovalId>,
    /// One of the answers that are offered.
    pub decision: Decision,
    /// One line for people.
    #[serde(default)]
    pub note: String,
}

/// Asks what a rule would have answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PreviewRequest {
    /// What it would answer.
    pub answer: RuleAnswer,
    /// To which questions.
    pub scope: RuleScope,
}
