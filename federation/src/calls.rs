//! What a caller must be to have a gateway's method called in our name: we may do everything there, so the question is
//! asked here. Pure.
//!
//! Source: every method and its parameters as measured on 2026.9.6. The gateway's scopes say what somebody may who is alone
//! there; here many share one connection, so what acts beyond a conversation takes more than its scope.

use regatta_core::event::user::Role;
use regatta_gateway::{Scope, method};
use serde_json::Value;

use crate::chat_text::is_command;

/// Methods, and families of them (with a full stop at the end), that take an admin whatever their scope is.
const FAR: &[&str] = &[
    // They run tools, programs or code.
    "board.action",
    "computer.invoke",
    "mcp.app.callTool",
    "projects.add",
    "skills.library.activate",
    "skills.library.import",
    "skills.library.mutate",
    "skills.library.save",
    "skills.library.upload",
    "talk.client.toolCall",
    "tools.invoke",
    "ui.command",
    "worktrees.create",
    // They speak to people or devices outside, or for somebody else.
    "message.action",
    "node.pending.enqueue",
    "poll",
    "push.",
    "send",
    // They open something to the outside.
    "portal.",
    "session.publicShare.set",
    "sessions.github.confirm",
    "sessions.github.publish",
    // They change whose accounts are used, or what this connection may.
    "device.scopes.",
    "users.authConnect.",
    "users.github.",
    "users.prefs.set",
    "users.selectModelAccount",
    "users.setAvatar",
    "users.setDisplayName",
    "users.unlinkAuthProfile",
    // They change what holds for the whole gateway.
    "doctor.memory.backfillDreamDiary",
    "doctor.memory.dedupeDreamDiary",
    "doctor.memory.repairDreamingArtifacts",
    "doctor.memory.resetDreamDiary",
    "doctor.memory.resetGroundedShortTerm",
    "themes.import",
    "themes.set",
    "tts.disable",
    "tts.enable",
    "tts.setPersona",
    "tts.setProvider",
    "voicewake.set",
];
/// Methods that show what everybody who looks at the page sees: conversations, sessions, agents, what was used.
const LOOKS: [&str; 11] = [
    "agents.files.get",
    "agents.files.list",
    "agents.list",
    "chat.history",
    "commands.list",
    "models.list",
    "sessions.describe",
    "sessions.list",
    "sessions.usage",
    "usage.cost",
    "usage.status",
];
/// Methods that ask or answer questions past everybody who keeps count of them.
const ANSWERS: [&str; 5] = [
    "approval.resolve",
    "exec.approval.request",
    "exec.approval.resolve",
    "plugin.approval.request",
    "plugin.approval.resolve",
];
/// Methods whose answer is a credential: a token, a code to pair with, an address or a password that opens something. Who
/// needs one asks the gateway itself.
const CREDENTIALS: [&str; 16] = [
    "attach.grant",
    "desktop.observe",
    "device.pair.setupCode",
    "device.token.rotate",
    "node.pluginSurface.refresh",
    "plugin.surface.refresh",
    "plugins.credentials.inspect",
    "portal.list",
    "portal.open",
    "secrets.resolve",
    "secrets.store.list",
    "session.members.list",
    "session.members.listEvidence",
    "session.publicShare.set",
    "talk.client.create",
    "talk.session.create",
];
/// Parameters that ask for one.
const CREDENTIAL_FIELDS: [&str; 2] = ["includeSecrets", "reveal"];
/// Methods whose scope depends on their parameters, each with those an operator may give.
const NEAR: [(&str, &[&str]); 2] = [
    (
        "sessions.create",
        &[
            "key",
            "idempotencyKey",
            "agentId",
            "label",
            "displayName",
            "category",
            "model",
            "contextWindow",
            "thinkingLevel",
            "fastMode",
            "message",
            "task",
            "attachments",
            "timeoutMs",
        ],
    ),
    (
        "sessions.patch",
        &[
            "key",
            "agentId",
            "expectedSessionId",
            "expectedLifecycleRevision",
            "label",
            "autoLabel",
            "icon",
            "color",
            "category",
            "boardFace",
            "boardPresentation",
            "statusNote",
            "attention",
            "archived",
            "pinned",
            "unread",
            "contextWindow",
            "thinkingLevel",
            "fastMode",
            "model",
        ],
    ),
];
/// Parameters that say who speaks, to whom an answer goes, or which tools there are.
const FAR_FIELDS: [&str; 9] = [
    "deliver",
    "originatingAccountId",
    "originatingChannel",
    "originatingThreadId",
    "originatingTo",
    "senderIsOwner",
    "systemInputProvenance",
    "systemProvenanceReceipt",
    "toolBindings",
];
/// Parameters that are text for an agent, at any depth.
const TEXTS: [&str; 9] = ["body", "content", "message", "note", "objective", "prompt", "question", "task", "text"];
/// Methods that need no more than reading, and change something.
const CHANGES: [&str; 12] = [
    "board.prompt.authorize",
    "device.scopes.requestUpgrade",
    "device.scopes.waitUpgrade",
    "mentions.dismiss",
    "plugins.controlUi.report",
    "sessions.companion.ask",
    "sessions.messages.subscribe",
    "sessions.messages.unsubscribe",
    "sessions.observer.visibility",
    "sessions.setInvolvement",
    "sessions.subscribe",
    "sessions.viewers.set",
];

/// The least role that may have a method called with these parameters; nothing when nobody may.
#[must_use]
pub fn need(name: &str, params: &Value) -> Option<Role> {
    let asks_for_one = CREDENTIAL_FIELDS.iter().any(|field| params.get(*field).is_some_and(|asked| *asked != false));
    if ANSWERS.contains(&name) || CREDENTIALS.contains(&name) || asks_for_one {
        return None;
    }
    if LOOKS.contains(&name) {
        return Some(Role::Viewer);
    }
    if is_far(name) || FAR_FIELDS.iter().any(|field| params.get(*field).is_some()) || holds_command(params, false) {
        return Some(Role::Admin);
    }
    Some(match method(name).map(|method| method.scope) {
        Some(Scope::Read | Scope::Write | Scope::Talk | Scope::SessionsWrite) => Role::Operator,
        Some(Scope::Approvals | Scope::Questions) => Role::Approver,
        Some(Scope::Node) => return None,
        Some(Scope::Dynamic) if is_near(name, params) => Role::Operator,
        // What came after this version may be anything.
        Some(Scope::Admin | Scope::Pairing | Scope::Dynamic | Scope::Plugin) | None => Role::Admin,
    })
}

fn is_far(name: &str) -> bool {
    FAR.iter().any(|far| if far.ends_with('.') { name.starts_with(far) } else { name == *far })
}

fn is_near(name: &str, params: &Value) -> bool {
    let fields = NEAR.iter().find(|(near, _)| *near == name).map(|(_, fields)| *fields).unwrap_or_default();
    params.as_object().is_some_and(|params| params.keys().all(|field| fields.contains(&field.as_str())))
}

/// Whether a text for an agent is or holds a command; `is_text` where the value is such a text, or is in one.
fn holds_command(value: &Value, is_text: bool) -> bool {
    match value {
        Value::String(text) => is_text && is_command(text),
        Value::Array(items) => items.iter().any(|item| holds_command(item, is_text)),
        Value::Object(fields) => {
            // What is attached is shown to the agent as a file.
            let fields = fields.iter().filter(|(name, _)| *name != "attachments");
            fields.into_iter().any(|(name, value)| holds_command(value, is_text || TEXTS.contains(&name.as_str())))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Whether a call changes nothing, so that it need not be recorded.
#[must_use]
pub fn is_reading(name: &str) -> bool {
    let is_read = method(name).is_some_and(|method| method.scope == Scope::Read);
    is_read && !CHANGES.contains(&name) && !name.starts_with("users.github.")
}

#[cfg(test)]
mod tests {
    use regatta_gateway::METHODS;
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
            ("chat.send", json!({ "message": "do it\n/exec host=gateway" }), Some(Role::Admin)),
            ("chat.send", json!({ "message": [{ "type": "text", "text": "!ls" }] }), Some(Role::Admin)),
            ("chat.send", json!({ "message": "hello", "originatingTo": "+1" }), Some(Role::Admin)),
            ("chat.send", json!({ "message": "a", "attachments": [{ "content": "/9j/4AAQ" }] }), Some(Role::Operator)),
            ("sessions.send", json!({ "key": "a", "message": "\u{feff}/restart" }), Some(Role::Admin)),
            ("wake", json!({ "mode": "now", "text": "go /elevated full" }), Some(Role::Admin)),
            ("sessions.create", json!({ "label": "new", "message": "hello" }), Some(Role::Operator)),
            ("sessions.create", json!({ "task": "/bash ls" }), Some(Role::Admin)),
            ("sessions.create", json!({ "cwd": "/" }), Some(Role::Admin)),
            ("sessions.patch", json!({ "key": "a", "model": "m" }), Some(Role::Operator)),
            ("sessions.patch", json!({ "key": "a", "execSecurity": "full" }), Some(Role::Admin)),
            ("sessions.patch", json!({ "key": "a", "permissionMode": "workspace" }), Some(Role::Admin)),
            ("sessions.delete", json!({ "key": "a" }), Some(Role::Admin)),
            ("exec.approval.list", json!({}), Some(Role::Approver)),
            ("exec.approval.resolve", json!({}), None),
            ("exec.approvals.set", json!({}), Some(Role::Admin)),
            ("tools.invoke", json!({}), Some(Role::Admin)),
            ("mcp.app.callTool", json!({}), Some(Role::Admin)),
            ("computer.invoke", json!({}), Some(Role::Admin)),
            ("users.github.authorize.start", json!({}), Some(Role::Admin)),
            ("portal.list", json!({}), None),
            ("talk.config", json!({ "includeSecrets": true }), None),
            ("chat.send", json!({ "message": "hello", "deliver": true }), Some(Role::Admin)),
            ("sessions.subscribe", json!({}), Some(Role::Operator)),
            ("config.patch", json!({}), Some(Role::Admin)),
            ("skills.bins", json!({}), None),
            ("came.later", json!({}), Some(Role::Admin)),
            ("health", json!("not an object"), Some(Role::Operator)),
        ];
        for (name, params, role) in cases {
            assert_eq!(need(name, &params), role, "{name} {params}");
        }
        let reads =
            ["health", "chat.send", "came.later", "users.github.disconnect", "mentions.dismiss"].map(is_reading);
        assert_eq!(reads, [true, false, false, false, false]);
    }

    #[test]
    fn every_name_in_these_tables_is_a_methods() {
        assert!(LOOKS.iter().all(|name| is_reading(name)));
        let is_known = |name: &&str| METHODS.iter().any(|method| method.name.starts_with(*name));
        let near = NEAR.map(|(name, _)| name);
        let all = FAR.iter().chain(&ANSWERS).chain(&CREDENTIALS).chain(&CHANGES).chain(&near);
        assert_eq!(all.filter(|name| !is_known(name)).collect::<Vec<_>>(), [&""; 0]);
    }
}
