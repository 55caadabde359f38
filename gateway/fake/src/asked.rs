//! Questions for approval as the gateway keeps them: open until somebody answers, then durable with who did. The shapes
//! are those of `tests/frames/exec-approval-allow-once.jsonl`.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// How long a question stays open, in milliseconds.
const OPEN_MS: u64 = 1_800_000;

/// A question and what became of it.
#[derive(Debug, Clone)]
pub struct Asked {
    pub id: String,
    pub command: String,
    pub decisions: Vec<String>,
    pub created_at_ms: u64,
    /// `pending`, `allowed`, `denied`, `expired` or `cancelled`.
    pub status: String,
    pub decision: Option<String>,
    pub reason: Option<String>,
    pub by: Option<String>,
}

impl Asked {
    pub(crate) fn new(id: &str, command: &str, decisions: &[&str], created_at_ms: u64) -> Self {
        Self {
            id: id.to_owned(),
            command: command.to_owned(),
            decisions: decisions.iter().map(|word| (*word).to_owned()).collect(),
            created_at_ms,
            status: "pending".to_owned(),
            decision: None,
            reason: None,
            by: None,
        }
    }

    fn request(&self) -> Value {
        json!({
            "command": self.command, "systemRunPlan": null, "cwd": "/lab/run/workspace", "nodeId": null,
            "host": "gateway", "security": "allowlist", "ask": "on-miss", "warningText": null,
            "commandAnalysis": { "commandCount": 1, "nestedCommandCount": 0, "riskKinds": [], "warningLines": [] },
            "allowedDecisions": self.decisions, "agentId": "main", "resolvedPath": "/usr/bin/env",
            "sessionKey": "agent:main:main", "runId": "636ac1ba-84bf-4cce-ac5f-6ad53dde6822", "toolCallId": "call_9",
        })
    }

    /// As `exec.approval.requested` and `exec.approval.list` say it.
    pub(crate) fn requested(&self) -> Value {
        json!({
            "approvalKind": "exec", "id": self.id, "request": self.request(),
            "createdAtMs": self.created_at_ms, "expiresAtMs": self.created_at_ms + OPEN_MS,
        })
    }

    /// As `exec.approval.resolved` says it.
    pub(crate) fn resolved(&self) -> Value {
        json!({
            "id": self.id, "decision": self.decision, "resolvedBy": self.by, "ts": self.created_at_ms + 1,
            "request": self.request(),
        })
    }

    /// As `approval.get` says it.
    pub(crate) fn durable(&self) -> Value {
        json!({ "approval": {
            "id": self.id, "status": self.status, "createdAtMs": self.created_at_ms,
            "presentation": { "kind": "exec", "commandText": self.command, "allowedDecisions": self.decisions },
            "expiresAtMs": self.created_at_ms + OPEN_MS, "decision": self.decision, "reason": self.reason,
            "resolver": self.by.as_ref().map(|id| json!({ "kind": "runtime", "id": id })),
        } })
    }
}

/// Answers a question; what a gateway says when it does not take the answer.
pub(crate) fn answer(asked: &mut BTreeMap<String, Asked>, id: &str, decision: &str, by: &str) -> Result<Value, Value> {
    let refused = |message: &str, reason: &str| json!({ "code": "INVALID_REQUEST", "message": message, "details": { "reason": reason } });
    let Some(question) = asked.get_mut(id) else {
        return Err(refused("unknown or expired approval id", "APPROVAL_NOT_FOUND"));
    };
    match question.status.as_str() {
        "pending" => {}
        "allowed" | "denied" => return Err(refused("approval already resolved", "APPROVAL_ALREADY_RESOLVED")),
        _ => return Err(refused("unknown or expired approval id", "APPROVAL_NOT_FOUND")),
    }
    if !question.decisions.iter().any(|offered| offered == decision) {
        return Err(refused("allow-always is not available", "APPROVAL_ALLOW_ALWAYS_UNAVAILABLE"));
    }
    question.status = if decision == "deny" { "denied" } else { "allowed" }.to_owned();
    (question.decision, question.by) = (Some(decision.to_owned()), Some(by.to_owned()));
    Ok(question.resolved())
}
