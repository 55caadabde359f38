//! The numbers of the kinds. A number is never reused and never changes; enum ordinals never reach the disk.
//! The high byte is the family.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The fixed number of one kind of event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema, JsonSchema)]
#[serde(transparent)]
pub struct Kind(pub u16);

macro_rules! kinds {
    ($($number:literal $name:literal $constant:ident)*) => {
        impl Kind {
            $(#[doc = concat!("`", $name, "`")] pub const $constant: Self = Self($number);)*

            /// Every kind this version knows, with its name.
            pub const ALL: &[(Self, &'static str)] = &[$((Self($number), $name)),*];
        }
    };
}

kinds! {
    0x0101 "run.requested"           RUN_REQUESTED
    0x0102 "run.prepared"            RUN_PREPARED
    0x0103 "run.attempt_ended"       RUN_ATTEMPT_ENDED
    0x0104 "run.decided"             RUN_DECIDED
    0x0105 "run.cancel_requested"    RUN_CANCEL_REQUESTED
    0x0106 "run.finished"            RUN_FINISHED
    0x0107 "run.synthesis_requested" RUN_SYNTHESIS_REQUESTED
    0x0108 "run.attempt_discarded"   RUN_ATTEMPT_DISCARDED
    0x0109 "run.discard_undone"      RUN_DISCARD_UNDONE

    0x0201 "attempt.queued"          ATTEMPT_QUEUED
    0x0202 "attempt.waiting"         ATTEMPT_WAITING
    0x0203 "attempt.started"         ATTEMPT_STARTED
    0x0204 "attempt.phase_started"   ATTEMPT_PHASE_STARTED
    0x0205 "attempt.output"          ATTEMPT_OUTPUT
    0x0206 "attempt.phase_ended"     ATTEMPT_PHASE_ENDED
    0x0207 "attempt.collected"       ATTEMPT_COLLECTED
    0x0208 "attempt.retry_scheduled" ATTEMPT_RETRY_SCHEDULED
    0x0209 "attempt.cancel_requested" ATTEMPT_CANCEL_REQUESTED
    0x020a "attempt.finished"        ATTEMPT_FINISHED
    0x020b "attempt.artifacts_collected" ATTEMPT_ARTIFACTS_COLLECTED

    0x0301 "sandbox.intended"        SANDBOX_INTENDED
    0x0302 "sandbox.created"         SANDBOX_CREATED
    0x0303 "sandbox.failed"          SANDBOX_FAILED
    0x0304 "sandbox.destroyed"       SANDBOX_DESTROYED
    0x0305 "sandbox.reaped"          SANDBOX_REAPED
    0x0306 "sandbox.entered"         SANDBOX_ENTERED
    0x0307 "sandbox.forked"          SANDBOX_FORKED
    0x0308 "sandbox.fork_ended"      SANDBOX_FORK_ENDED

    0x0401 "gateway.added"           GATEWAY_ADDED
    0x0402 "gateway.removed"         GATEWAY_REMOVED
    0x0403 "gateway.restated"        GATEWAY_RESTATED
    0x0404 "gateway.connected"       GATEWAY_CONNECTED
    0x0405 "gateway.disconnected"    GATEWAY_DISCONNECTED
    0x0406 "gateway.stopped"         GATEWAY_STOPPED
    0x0407 "gateway.missed"          GATEWAY_MISSED
    0x0408 "gateway.called"          GATEWAY_CALLED
    0x0409 "gateway.frame"           GATEWAY_FRAME

    0x0601 "approval.requested"      APPROVAL_REQUESTED
    0x0602 "approval.answered"       APPROVAL_ANSWERED
    0x0603 "approval.answer_failed"  APPROVAL_ANSWER_FAILED
    0x0604 "approval.resolved"       APPROVAL_RESOLVED
    0x0605 "approval.expired"        APPROVAL_EXPIRED
    0x0606 "approval.cancelled"      APPROVAL_CANCELLED
    0x0607 "approval.rule_added"     APPROVAL_RULE_ADDED
    0x0608 "approval.rule_removed"   APPROVAL_RULE_REMOVED
    0x0609 "approval.rules_restated" APPROVAL_RULES_RESTATED
    0x060a "approval.escalated"      APPROVAL_ESCALATED

    0x0901 "delivery.intended"       DELIVERY_INTENDED
    0x0902 "delivery.delivered"      DELIVERY_DELIVERED
    0x0903 "delivery.failed"         DELIVERY_FAILED

    0x0b01 "config.applied"          CONFIG_APPLIED
    0x0b02 "config.changed"          CONFIG_CHANGED

    0x0c01 "user.added"              USER_ADDED
    0x0c02 "user.role_changed"       USER_ROLE_CHANGED
    0x0c03 "user.removed"            USER_REMOVED
    0x0c04 "user.token_issued"       USER_TOKEN_ISSUED
    0x0c05 "user.token_revoked"      USER_TOKEN_REVOKED
    0x0c06 "user.token_expired"      USER_TOKEN_EXPIRED
    0x0c07 "user.signed_in"          USER_SIGNED_IN
    0x0c08 "user.signed_out"         USER_SIGNED_OUT
    0x0c09 "user.refused"            USER_REFUSED
    0x0c0a "user.restated"           USER_RESTATED
    0x0c0b "user.token_used"         USER_TOKEN_USED

    0x0d01 "secret.set"              SECRET_SET
    0x0d02 "secret.removed"          SECRET_REMOVED
    0x0d03 "secret.allowed"          SECRET_ALLOWED
    0x0d04 "secret.rotated"          SECRET_ROTATED
    0x0d05 "secret.used"             SECRET_USED

    0x0e01 "log.released"            LOG_RELEASED

    0x0f01 "cleaning.requested"      CLEANING_REQUESTED
    0x0f02 "cleaning.archived"       CLEANING_ARCHIVED
    0x0f03 "cleaning.removed"        CLEANING_REMOVED
    0x0f04 "cleaning.returned"       CLEANING_RETURNED
    0x0f05 "cleaning.forgotten"      CLEANING_FORGOTTEN
    0x0f06 "cleaning.failed"         CLEANING_FAILED
}

impl Kind {
    /// Kinds that hold bytes as they came, many and large: nobody lists them unless asked to.
    pub const RAW: [Self; 2] = [Self::ATTEMPT_OUTPUT, Self::GATEWAY_FRAME];

    /// Whether it holds bytes as they came.
    #[must_use]
    pub fn is_raw(self) -> bool {
        Self::RAW.contains(&self)
    }

    /// The name, or nothing for a kind this version does not know.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        Self::ALL.iter().find(|(kind, _)| *kind == self).map(|(_, name)| *name)
    }

    /// The kind of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| *known == name).map(|(kind, _)| *kind)
    }

    /// The family, by the high byte: `run`, `attempt`, …; `unknown` for one this version does not know.
    #[must_use]
    pub fn family(self) -> &'static str {
        const FAMILIES: [&str; 15] = [
            "run", "attempt", "sandbox", "gateway", "session", "approval", "pipeline", "schedule", "delivery",
            "budget", "config", "user", "secret", "log", "cleaning",
        ];
        let place = usize::from(self.0 >> 8).checked_sub(1);
        place.and_then(|place| FAMILIES.get(place)).copied().unwrap_or("unknown")
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "unknown.{:#06x}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_number_and_no_name_is_used_twice() {
        let numbers: std::collections::BTreeSet<u16> = Kind::ALL.iter().map(|(kind, _)| kind.0).collect();
        let names: std::collections::BTreeSet<&str> = Kind::ALL.iter().map(|(_, name)| *name).collect();
        assert_eq!((numbers.len(), names.len()), (Kind::ALL.len(), Kind::ALL.len()));
    }

    #[test]
    fn a_kinds_name_begins_with_its_family() {
        for (kind, name) in Kind::ALL {
            assert!(name.starts_with(&format!("{}.", kind.family())), "{name} is numbered as {}", kind.family());
        }
    }
}
