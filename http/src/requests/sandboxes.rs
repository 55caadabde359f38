//! Sandboxes and limits, and what may be done in one.

use regatta_core::event::attempt::Exit;
use regatta_core::event::run::Entry;
use regatta_core::{AttemptId, SandboxKey};
use regatta_dispatcher::sandboxes::{Limit, SandboxRow, Unanswered};
use regatta_projections::attempts::UsageView;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Makes a copy of a sandbox.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ForkRequest {
    /// It is removed after this long, in milliseconds; an hour when absent, a day at most.
    #[serde(default)]
    pub for_ms: Option<u64>,
}

/// A copy just made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ForkMade {
    /// Its deterministic name.
    pub key: SandboxKey,
}

/// Runs a command of one's own in a sandbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExecRequest {
    /// Program and arguments.
    pub argv: Vec<String>,
    /// It is stopped after this long, in milliseconds; ten minutes when absent, an hour at most.
    #[serde(default)]
    pub timeout_ms: Option<u64>,
}

/// What such a command came to so far: one line of the answer. Each holds one of them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct ExecPiece {
    /// Printed on standard output, in base 64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub out: Option<String>,
    /// Printed on standard error, in base 64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub err: Option<String>,
    /// How it ended; the last line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub exit: Option<Exit>,
}

/// A sandbox there is, and what is known of its attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SandboxBody {
    /// What its provider says.
    pub sandbox: SandboxRow,
    /// Time since it was made, in milliseconds.
    pub age_ms: u64,
    /// What its vendor asks for that time, in micro-dollars, as if it had stood all the while as it does now; absent where nobody
    /// asks for anything, or it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub rent_usd_micros: Option<u64>,
    /// Who tries; absent when the log knows no such attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub entry: Option<Entry>,
    /// What the attempt used so far; absent when the log knows no such attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub usage: Option<UsageView>,
}

/// Every sandbox there is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SandboxesBody {
    /// By provider, then by name.
    pub rows: Vec<SandboxBody>,
    /// Providers that could not be asked; they may have more.
    pub unanswered: Vec<Unanswered>,
}

/// A limit, and who takes it up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LimitBody {
    /// The limit.
    pub limit: Limit,
    /// Attempts under way that count towards it.
    pub in_use: usize,
    /// Whose they are, by name.
    pub by: Vec<LimitUse>,
}

/// What one person takes up of a limit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LimitUse {
    /// Who asked for their runs.
    pub by: String,
    /// Their attempts under way, by name.
    pub attempts: Vec<AttemptId>,
}
