//! One line for people per fact about the vault. Pure.

use regatta_core::event::SecretEvent;
use regatta_core::event::secret::{Scope, UsedBy};

/// The line of a fact; the caller bounds it.
pub(super) fn line(event: &SecretEvent) -> String {
    match event {
        SecretEvent::Set(set) => format!("secret {} is set, for {}", set.secret, scope(&set.scope)),
        SecretEvent::Removed(removed) => format!("secret {} is gone", removed.secret),
        SecretEvent::Allowed(allowed) => {
            format!("secret {} may be used by {}", allowed.secret, scope(&allowed.scope))
        }
        SecretEvent::Rotated(rotated) if rotated.secrets == 0 => {
            format!("the vault has a fresh key ({}) and nothing in it", rotated.key)
        }
        SecretEvent::Rotated(rotated) => {
            format!("the vault has a fresh key ({}); {} sealed again", rotated.key, rotated.secrets)
        }
        SecretEvent::Used(used) => {
            let by = match &used.by {
                UsedBy::Attempt { attempt, phase, .. } => format!("attempt {attempt} ({phase})"),
                UsedBy::Setting(setting) => format!("the server, for {setting}"),
            };
            format!("{by} was given {}", used.secrets.join(", "))
        }
    }
}

fn scope(scope: &Scope) -> String {
    match (scope.everywhere, scope.repositories.len()) {
        (true, _) => "every repository".to_owned(),
        (false, 0) => "no repository yet".to_owned(),
        (false, _) => scope.repositories.iter().cloned().collect::<Vec<_>>().join(", "),
    }
}
