//! Who may use which route: one table. A route without a row is refused to everybody, and a test says so.

use axum::http::Method;
use regatta_core::event::user::Role;
use regatta_projections::Can;

/// What a route asks of its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Nothing: it shows nothing of this installation.
    Anyone,
    /// To be signed in, with this role at least.
    Role(Role),
}

const ANYONE: Need = Need::Anyone;
const VIEWER: Need = Need::Role(Role::Viewer);
const OPERATOR: Need = Need::Role(Role::Operator);
const APPROVER: Need = Need::Role(Role::Approver);
const ADMIN: Need = Need::Role(Role::Admin);

/// Every route: its method, its path, what it asks of its caller.
pub const RIGHTS: &[(&str, &str, Need)] = &[
    ("GET", "/api/v1/runs", VIEWER),
    ("POST", "/api/v1/runs", OPERATOR),
    ("GET", "/api/v1/runs/{run}", VIEWER),
    ("GET", "/api/v1/runs/{run}/compare", VIEWER),
    ("GET", "/api/v1/runs/{run}/timeline", VIEWER),
    ("GET", "/api/v1/runs/{run}/merge-preview", VIEWER),
    ("POST", "/api/v1/runs/{run}/pick", APPROVER),
    ("POST", "/api/v1/runs/{run}/cancel", OPERATOR),
    ("POST", "/api/v1/runs/{run}/synthesize", OPERATOR),
    ("POST", "/api/v1/runs/{run}/attempts/{slot}/restore", OPERATOR),
    ("POST", "/api/v1/runs/{run}/attempts/{slot}/discard", OPERATOR),
    ("GET", "/api/v1/attempts/{attempt}", VIEWER),
    ("GET", "/api/v1/attempts/{attempt}/diff", VIEWER),
    ("GET", "/api/v1/attempts/{attempt}/output", VIEWER),
    ("GET", "/api/v1/attempts/{attempt}/pieces", VIEWER),
    ("GET", "/api/v1/attempts/{attempt}/hunks", VIEWER),
    ("GET", "/api/v1/attempts/{attempt}/files", VIEWER),
    ("GET", "/api/v1/attempts/{attempt}/files/{*path}", VIEWER),
    ("GET", "/api/v1/attempts/{attempt}/artifacts", VIEWER),
    ("GET", "/api/v1/attempts/{attempt}/artifacts/{*name}", VIEWER),
    ("GET", "/api/v1/events", VIEWER),
    ("GET", "/api/v1/events/stream", VIEWER),
    ("GET", "/api/v1/events/{seq}", VIEWER),
    ("GET", "/api/v1/live", VIEWER),
    ("GET", "/api/v1/timeline", VIEWER),
    ("GET", "/api/v1/fleet", VIEWER),
    ("GET", "/api/v1/limits", VIEWER),
    ("GET", "/api/v1/providers", VIEWER),
    ("GET", "/api/v1/sandboxes", VIEWER),
    ("DELETE", "/api/v1/sandboxes/{key}", OPERATOR),
    ("POST", "/api/v1/sandboxes/{key}/exec", OPERATOR),
    ("POST", "/api/v1/sandboxes/{key}/fork", OPERATOR),
    ("POST", "/api/v1/sandboxes/reap", OPERATOR),
    ("GET", "/api/v1/disk", VIEWER),
    ("POST", "/api/v1/disk/clean", OPERATOR),
    ("POST", "/api/v1/disk/restore", OPERATOR),
    ("POST", "/api/v1/disk/forget", ADMIN),
    ("GET", "/api/v1/health", VIEWER),
    ("GET", "/api/v1/openapi.json", ANYONE),
    ("POST", "/api/v1/shutdown", ADMIN),
    ("GET", "/api/v1/me", VIEWER),
    ("POST", "/api/v1/session", ANYONE),
    ("DELETE", "/api/v1/session", VIEWER),
    ("POST", "/api/v1/sign-in-links", ADMIN),
    ("GET", "/api/v1/tokens", ADMIN),
    ("POST", "/api/v1/tokens", ADMIN),
    ("DELETE", "/api/v1/tokens/{token}", ADMIN),
    ("GET", "/api/v1/users", VIEWER),
    ("POST", "/api/v1/users", ADMIN),
    ("PATCH", "/api/v1/users/{user}", ADMIN),
    ("DELETE", "/api/v1/users/{user}", ADMIN),
    ("GET", "/api/v1/config", VIEWER),
    ("PUT", "/api/v1/config/{key}", ADMIN),
    ("GET", "/api/v1/config/history", VIEWER),
    ("GET", "/api/v1/doctor", OPERATOR),
    ("GET", "/api/v1/secrets", ADMIN),
    ("PUT", "/api/v1/secrets/{name}", ADMIN),
    ("PATCH", "/api/v1/secrets/{name}", ADMIN),
    ("DELETE", "/api/v1/secrets/{name}", ADMIN),
    ("PUT", "/api/v1/vault/key", ADMIN),
    ("PUT", "/api/v1/vault/passphrase", ADMIN),
    ("PUT", "/api/v1/vault/contents", ADMIN),
    ("POST", "/api/v1/log/prune", ADMIN),
    ("GET", "/api/v1/gateways", VIEWER),
    ("POST", "/api/v1/gateways", ADMIN),
    ("GET", "/api/v1/gateways/{gateway}", VIEWER),
    ("DELETE", "/api/v1/gateways/{gateway}", ADMIN),
    ("POST", "/api/v1/gateways/{gateway}/test", OPERATOR),
    // What these ask of their caller beyond that depends on the method.
    ("GET", "/api/v1/gateways/{gateway}/read", VIEWER),
    ("POST", "/api/v1/gateways/{gateway}/call", OPERATOR),
    // The same, for every call, and for every event what it asks of whoever hears it.
    ("GET", "/api/gateway/ws", VIEWER),
    ("GET", "/api/gateway/{gateway}/ws", VIEWER),
    ("GET", "/api/v1/approvals", VIEWER),
    ("POST", "/api/v1/approvals/{approval}/answer", APPROVER),
    ("POST", "/api/v1/approvals/answers", APPROVER),
    ("GET", "/api/v1/approvals/rules", VIEWER),
    ("POST", "/api/v1/approvals/rules", ADMIN),
    ("DELETE", "/api/v1/approvals/rules/{rule}", ADMIN),
    ("POST", "/api/v1/approvals/rules/preview", OPERATOR),
    ("GET", "/api/v1/threads", VIEWER),
    ("GET", "/api/v1/threads/{thread}", VIEWER),
    ("GET", "/api/v1/usage", VIEWER),
    ("GET", "/sign-in", ANYONE),
    ("GET", "/problems/{name}", ANYONE),
    ("GET", "/healthz", ANYONE),
    ("GET", "/readyz", ANYONE),
    ("GET", "/metrics", VIEWER),
];

/// What a route asks of its caller; nothing when the table does not have it.
pub(crate) fn need(method: &Method, path: &str) -> Option<Need> {
    // Whoever may read something may ask for its headers alone.
    let method = if *method == Method::HEAD { "GET" } else { method.as_str() };
    RIGHTS.iter().find(|(of, at, _)| *of == method && *at == path).map(|(_, _, need)| *need)
}

/// Whether somebody of that role may do what a view offers. The same roles stand in the table above.
pub(crate) fn may(role: Role, can: Can) -> bool {
    let path = match can {
        Can::Pick => "/api/v1/runs/{run}/pick",
        Can::Cancel => "/api/v1/runs/{run}/cancel",
        Can::Restore => "/api/v1/runs/{run}/attempts/{slot}/restore",
        Can::Discard => "/api/v1/runs/{run}/attempts/{slot}/discard",
    };
    matches!(need(&Method::POST, path), Some(Need::Role(least)) if role >= least)
}

/// What somebody of that role may do, in words the page knows.
pub(crate) fn rights(role: Role) -> Vec<&'static str> {
    let all = [
        (Role::Viewer, "look"),
        (Role::Operator, "run"),
        (Role::Operator, "cancel"),
        (Role::Operator, "restore"),
        (Role::Operator, "synthesize"),
        (Role::Operator, "discard"),
        (Role::Operator, "sandboxes"),
        (Role::Operator, "clean"),
        (Role::Operator, "doctor"),
        (Role::Operator, "test-gateways"),
        (Role::Operator, "chat"),
        (Role::Approver, "pick"),
        (Role::Approver, "answer"),
        (Role::Admin, "configure"),
        (Role::Admin, "tokens"),
        (Role::Admin, "users"),
        (Role::Admin, "secrets"),
        (Role::Admin, "gateways"),
        (Role::Admin, "sessions"),
        (Role::Admin, "agents"),
        (Role::Admin, "rules"),
        (Role::Admin, "forget"),
        (Role::Admin, "shutdown"),
    ];
    all.into_iter().filter(|(least, _)| role >= *least).map(|(_, right)| right).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_route_has_two_rows() {
        let rows: std::collections::BTreeSet<(&str, &str)> = RIGHTS.iter().map(|(of, at, _)| (*of, *at)).collect();
        assert_eq!(rows.len(), RIGHTS.len());
    }

    #[test]
    fn what_changes_something_needs_more_than_looking() {
        for (method, path, need) in RIGHTS.iter().filter(|(method, ..)| *method != "GET") {
            let is_own_session = path.ends_with("/session");
            assert!(is_own_session || matches!(need, Need::Role(role) if *role > Role::Viewer), "{method} {path}");
        }
    }

    #[test]
    fn a_view_offers_what_the_role_may_do() {
        assert!(!may(Role::Viewer, Can::Cancel) && may(Role::Operator, Can::Cancel));
        assert!(!may(Role::Operator, Can::Pick) && may(Role::Approver, Can::Pick));
        assert!(rights(Role::Viewer) == ["look"] && rights(Role::Admin).contains(&"pick"));
    }
}
