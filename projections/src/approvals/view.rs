//! What people see of questions. Plain data.

use regatta_core::event::approval::{Decision, EscalatedTo, Question};
use regatta_core::{ApprovalId, AttemptId, GatewayName};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Questions of agents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ApprovalsView {
    /// Those that wait for an answer, the oldest first.
    pub open: Vec<ApprovalView>,
    /// Those that are over, the latest first; empty unless they are asked for.
    pub over: Vec<ApprovalView>,
}

/// Where a question stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ApprovalState {
    /// It waits for an answer.
    Open,
    /// Somebody answered here, and the gateway is being told.
    Answering,
    /// The gateway took an answer.
    Resolved,
    /// Nobody answered in time.
    Expired,
    /// Nobody waits for an answer any more.
    Cancelled,
}

/// A question of an agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ApprovalView {
    /// Its id.
    pub id: ApprovalId,
    /// The gateway whose agent asks.
    pub gateway: GatewayName,
    /// Where it stands.
    pub state: ApprovalState,
    /// The attempt whose agent asks, when it is one's.
    pub attempt: Option<AttemptId>,
    /// What is asked.
    pub question: Question,
    /// The answers that are offered.
    pub decisions: Vec<Decision>,
    /// When it was asked, in microseconds since the Unix epoch.
    pub asked_at_us: u64,
    /// When the gateway stops waiting, in microseconds since the Unix epoch; then the command is not run.
    pub expires_at_us: u64,
    /// The answer, once there is one.
    pub decision: Option<Decision>,
    /// Who gave it.
    pub by: Option<String>,
    /// Their note.
    pub note: Option<String>,
    /// When it was answered, or was over without an answer, in microseconds since the Unix epoch.
    pub settled_at_us: Option<u64>,
    /// Why it was cancelled, or why an answer did not reach the gateway.
    pub reason: Option<String>,
    /// The gateway's process that waits.
    pub boot_id: String,
    /// Whether it was not heard but found in the gateway's list after a connection.
    pub is_reconstructed: bool,
    /// Other attempts' questions that are open and the same: one answer can be given to all.
    pub siblings: Vec<ApprovalId>,
    /// Who was told elsewhere that it is about to expire.
    pub escalated: Vec<EscalationView>,
}

/// Somebody elsewhere was told that a question is about to expire, or could not be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EscalationView {
    /// Where.
    pub to: EscalatedTo,
    /// Why they could not be told; nothing when they were.
    pub failed: Option<String>,
}
