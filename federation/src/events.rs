//! What a caller must be to hear an event of a gateway. We hear everything there, so the question is asked here, as that
//! of calls is in `calls`. Pure.

use regatta_core::event::user::Role;

/// The least role that hears an event of that name. What is not known may be anything, and is for admins.
#[must_use]
pub fn hears(event: &str) -> Role {
    let (family, rest) = event.split_once('.').unwrap_or((event, ""));
    match (family, rest) {
        // Who shares it with whom, which may be told with the token of the share.
        ("session", rest) if rest.starts_with("sharing") || rest.starts_with("publicShare") => Role::Admin,
        (_, "approval" | "approval.requested" | "approval.resolved") | ("question", _) => Role::Approver,
        ("agent" | "board" | "chat" | "cron" | "session" | "sessions" | "task" | "progressCard", _)
        | ("health" | "heartbeat" | "presence" | "shutdown" | "tick", "")
        | ("config" | "models" | "skills" | "gateway", _)
        | ("update", "available") => Role::Viewer,
        // Pairing, terminals, nodes, installations, one profile's own affairs, and what came after this version.
        _ => Role::Admin,
    }
}

/// The least role that hears what an agent does on a stream of that name: how a question of its ended names the command.
#[must_use]
pub fn hears_stream(stream: &str) -> Role {
    if stream == "approval" { Role::Approver } else { Role::Viewer }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_heard_by_whom_the_gateways_own_scopes_would_let_hear_it() {
        let cases = [
            ("tick", Role::Viewer),
            ("chat", Role::Viewer),
            ("agent", Role::Viewer),
            ("session.tool", Role::Viewer),
            ("session.sharing.changed", Role::Admin),
            ("sessions.changed", Role::Viewer),
            ("config.changed", Role::Viewer),
            ("update.available", Role::Viewer),
            ("exec.approval.requested", Role::Approver),
            ("plugin.approval.resolved", Role::Approver),
            ("session.approval", Role::Approver),
            ("question.requested", Role::Approver),
            ("device.pair.requested", Role::Admin),
            ("node.invoke.request", Role::Admin),
            ("terminal.data", Role::Admin),
            ("update.run.changed", Role::Admin),
            ("plugins.install.progress", Role::Admin),
            ("users.prefs.changed", Role::Admin),
            ("came.later", Role::Admin),
            ("", Role::Admin),
        ];
        for (event, role) in cases {
            assert_eq!(hears(event), role, "{event}");
        }
    }
}
