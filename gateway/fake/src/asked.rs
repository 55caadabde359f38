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
    pub session: String,
    pub cwd: String,
    /// Whether a plugin asks: what it wants to do is the command then.
    pub of_plugin: bool,
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
            session: "agent:main:main".to_owned(),
            cwd: "/lab/run/workspace".to_owned(),
            of_plugin: false,
            created_at_ms,
            status: "pending".to_owned(),
            decision: None,
            reason: None,
            by: None,
        }
    }

    fn request(&self) -> Value {
        if self.of_plugin {
            return json!({
                "pluginId": "mail", "title": self.command, "description": "To three people.", "detail": null, "scope": null,
                "severity": "warning", "toolName": "send_mail", "toolCallId": "call_9", "agentId": "main",
                "allowedDecisions": self.decisions, "sessionKey": self.session, "runId": null,
            });
        }
        json!({
            "command": self.command, "systemRunPlan": null, "cwd": self.cwd, "nodeId": null,
            "host": "gateway", "security": "allowlist", "ask": "on-miss", "warningText": null,
            "commandAnalysis": { "commandCount": 1, "nestedCommandCount": 0, "riskKinds": [], "warningLines": [] },
            "allowedDecisions": self.decisions, "agentId": "main", "resolvedPath": "/usr/bin/env",
            "sessionKey": self.session, "runId": "636ac1ba-84bf-4cce-ac5f-6ad53dde6822", "toolCallId": "call_9",
        })
    }

    fn kind(&self) -> &'static str {
        if self.of_plugin { "plugin" } else { "exec" }
    }

    /// The event of that name about it.
    pub(crate) fn event(&self, name: &str) -> String {
        format!("{}.approval.{name}", self.kind())
    }

    /// As `requested` and `list` say it.
    pub(crate) fn requested(&self) -> Value {
        json!({
            "approvalKind": self.kind(), "id": self.id, "request": self.request(),
            "createdAtMs": self.created_at_ms, "expiresAtMs": self.created_at_ms + OPEN_MS,
        })
    }

    /// As `resolved` says it.
    pub(crate) fn resolved(&self) -> Value {
        json!({
            "id": self.id, "decision": self.decision, "resolvedBy": self.by, "ts": self.created_at_ms + 1,
            "request": self.request(),
        })
    }

    /// As `approval.get` and `approval.history` say it.
    pub(crate) fn durable(&self) -> Value {
        let presentation = if self.of_plugin {
            json!({
                "kind": "plugin", "title": self.command, "description": "To three people.", "severity": "warning",
                "allowedDecisions": self.decisions,
            })
        } else {
            json!({ "kind": "exec", "commandText": self.command, "allowedDecisions": self.decisions })
        };
        json!({
            "id": self.id, "status": self.status, "presentation": presentation, "createdAtMs": self.created_at_ms,
            "expiresAtMs": self.created_at_ms + OPEN_MS, "decision": self.decision, "reason": self.reason,
            "resolver": self.by.as_ref().map(|id| json!({ "kind": "runtime", "id": id })),
        })
    }
}

/// Answers a question: the event that tells of it, or what a gateway says when it does not take the answer.
pub(crate) fn answer(
    asked: &mut BTreeMap<String, Asked>,
    id: &str,
    decision: &str,
    by: &str,
) -> Result<(String, Value), Value> {
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
    Ok((question.event("resolved"), question.resolved()))
}
