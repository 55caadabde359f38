//! What a caller must be to have a gateway's method called in our name: we may do everything there, so the question is
//! asked here. Pure.

use regatta_core::event::user::Role;
use regatta_gateway::{Scope, method};
use serde_json::Value;

/// Methods that are more than their scope says.
const ADMINS: [&str; 2] = ["tools.invoke", "ui.command"];
/// Methods that show what everybody who looks at the page sees: conversations, sessions, agents, what was used.
const LOOKS: [&str; 12] = [
    "agents.files.get",
    "agents.files.list",
    "agents.list",
    "chat.history",
    "commands.list",
    "models.list",
    "sessions.describe",
    "sessions.list",
    "sessions.subscribe",
    "sessions.usage",
    "usage.cost",
    "usage.status",
];
/// What somebody who may talk in a session may change of it; anything else may widen what its agent is allowed.
const PATCHES: [&str; 8] =
    ["key", "agentId", "label", "model", "thinkingLevel", "pinned", "unread", "expectedSessionId"];
/// Methods that answer questions past everybody who keeps count of the answers.
const ANSWERS: [&str; 4] =
    ["exec.approval.resolve", "approval.resolve", "plugin.approval.resolve", "exec.approval.request"];
/// Parameters that are text for an agent. One that begins with a slash is a command to the gateway itself.
const TEXTS: [&str; 4] = ["message", "task", "text", "prompt"];

/// The least role that may have a method called with these parameters; nothing when nobody may.
#[must_use]
pub fn need(name: &str, params: &Value) -> Option<Role> {
    if ANSWERS.contains(&name) {
        return None;
    }
    if LOOKS.contains(&name) {
        return Some(Role::Viewer);
    }
    if name == "sessions.patch" {
        let is_plain = params.as_object().is_some_and(|all| all.keys().all(|key| PATCHES.contains(&key.as_str())));
        return Some(if is_plain { Role::Operator } else { Role::Admin });
    }
    let is_command = TEXTS
        .iter()
        .any(|field| params.get(*field).and_then(Value::as_str).is_some_and(|text| text.trim_start().starts_with('/')));
    if is_command || ADMINS.contains(&name) {
        return Some(Role::Admin);
    }
    Some(match method(name).map(|method| method.scope) {
        Some(Scope::Read | Scope::Write | Scope::Talk | Scope::SessionsWrite) => Role::Operator,
        Some(Scope::Approvals | Scope::Questions) => Role::Approver,
        Some(Scope::Node) => return None,
        // What depends on parameters, and what came after this version, may be anything.
        Some(Scope::Admin | Scope::Pairing | Scope::Dynamic | Scope::Plugin) | None => Role::Admin,
    })
}

/// Whether a call changes nothing, so that it need not be recorded.
#[must_use]
pub fn is_reading(name: &str) -> bool {
    method(name).is_some_and(|method| method.scope == Scope::Read)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_method_asks_for_the_role_that_its_reach_deserves() {
        let cases = [
            ("health", json!({}), Some(Role::Operator)),
            ("sessions.list", json!({ "search": "/x" }), Some(Role::Viewer)),
            ("logs.tail", json!({}), Some(Role::Operator)),
            ("chat.send", json!({ "message": "hello" }), Some(Role::Operator)),
            ("chat.send", json!({ "message": " /config set x" }), Some(Role::Admin)),
            ("sessions.create", json!({}), Some(Role::Admin)),
            ("sessions.patch", json!({ "key": "k", "label": "/l", "model": null }), Some(Role::Operator)),
            ("sessions.patch", json!({ "key": "k", "execAsk": "off" }), Some(Role::Admin)),
            ("sessions.patch", json!("not an object"), Some(Role::Admin)),
            ("exec.approval.list", json!({}), Some(Role::Approver)),
            ("exec.approval.resolve", json!({}), None),
            ("exec.approvals.set", json!({}), Some(Role::Admin)),
            ("tools.invoke", json!({}), Some(Role::Admin)),
            ("config.patch", json!({}), Some(Role::Admin)),
            ("skills.bins", json!({}), None),
            ("came.later", json!({}), Some(Role::Admin)),
            ("health", json!("not an object"), Some(Role::Operator)),
        ];
        for (name, params, role) in cases {
            assert_eq!(need(name, &params), role, "{name} {params}");
        }
        assert!(LOOKS.iter().all(|name| is_reading(name)));
        assert!(is_reading("health") && !is_reading("chat.send") && !is_reading("came.later"));
    }
}
