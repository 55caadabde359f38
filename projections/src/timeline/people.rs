//! One line for people per fact about who may do what. Pure.

use regatta_core::event::user::{Means, SignedOutReason, UserEvent};

/// The line of a fact; the caller bounds it.
pub(super) fn line(event: &UserEvent) -> String {
    match event {
        UserEvent::Added(added) => format!("{} may sign in, as {}", added.user, added.role),
        UserEvent::RoleChanged(changed) => format!("{} is {} now, was {}", changed.user, changed.to, changed.from),
        UserEvent::Removed(removed) => format!("{} may not sign in any more", removed.user),
        UserEvent::TokenIssued(issued) => {
            format!("token {} ({}) issued to {}, as {}", issued.token, issued.name, issued.user, issued.role)
        }
        UserEvent::TokenRevoked(revoked) => format!("token {} revoked", revoked.token),
        UserEvent::TokenExpired(expired) => format!("token {} has expired", expired.token),
        UserEvent::TokenUsed(used) => format!("token {} used from {}", used.token, used.source),
        UserEvent::SignedIn(signed) => {
            let means = match &signed.means {
                Means::Token(token) => format!("token {token}"),
                Means::Link => "a one-time link".to_owned(),
            };
            format!("{} signed in from {} with {means}", signed.user, signed.source)
        }
        UserEvent::SignedOut(signed) => {
            let reason = match signed.reason {
                SignedOutReason::Asked => "",
                SignedOutReason::Expired => ": the session's time was over",
                SignedOutReason::Idle => ": the session was not used",
                SignedOutReason::Replaced => ": another session took its place",
            };
            format!("{} signed out{reason}", signed.user)
        }
        UserEvent::Restated(restated) => {
            let (users, tokens, sessions) = (restated.users.len(), restated.tokens.len(), restated.sessions.len());
            format!("who may do what, said again: {users} users, {tokens} tokens, {sessions} sessions")
        }
        UserEvent::Refused(refused) => {
            let counts: Vec<String> =
                refused.counts.iter().map(|(reason, count)| format!("{count} {reason}")).collect();
            format!("callers turned away: {}; from {}", counts.join(", "), refused.sources.join(", "))
        }
    }
}
