//! What a browser listens to: what the gateway's protocol gives to everybody, and what it subscribed to. Pure.

use std::collections::BTreeSet;

use regatta_core::event::user::Role;
use regatta_gateway::RpcError;

use super::frame::invalid;

/// Most sessions one browser may subscribe to one by one.
const SESSIONS_MAX: usize = 256;

/// Who hears an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Audience {
    /// Nobody with a lesser role.
    pub(crate) role: Role,
    pub(crate) part: Part,
}

/// Which part of those.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    All,
    /// Who can take frames of tools.
    Tools,
    /// Who subscribed to all sessions.
    Sessions,
    /// Who subscribed to all sessions, or to this one.
    Session(String),
}

/// What one browser listens to.
#[derive(Debug)]
pub(crate) struct Listening {
    role: Role,
    tools: bool,
    all_sessions: bool,
    sessions: BTreeSet<String>,
}

impl Listening {
    pub(crate) fn new(role: Role, tools: bool) -> Self {
        Self { role, tools, all_sessions: false, sessions: BTreeSet::new() }
    }

    pub(crate) fn hears(&self, audience: &Audience) -> bool {
        self.role >= audience.role
            && match &audience.part {
                Part::All => true,
                Part::Tools => self.tools,
                Part::Sessions => self.all_sessions,
                Part::Session(key) => self.all_sessions || self.sessions.contains(key),
            }
    }

    /// To all sessions from now on.
    pub(crate) fn hear_all_sessions(&mut self) {
        self.all_sessions = true;
    }

    /// To that one from now on.
    pub(crate) fn hear_session(&mut self, key: &str) -> Result<(), RpcError> {
        if self.sessions.len() >= SESSIONS_MAX && !self.sessions.contains(key) {
            return Err(invalid(format!(
                "at most {SESSIONS_MAX} sessions are subscribed to; sessions.subscribe has all"
            )));
        }
        self.sessions.insert(key.to_owned());
        Ok(())
    }

    /// Not to that one any more.
    pub(crate) fn leave_session(&mut self, key: &str) {
        self.sessions.remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(listening: &Listening, role: Role, part: Part, hears: bool) {
        assert_eq!(listening.hears(&Audience { role, part: part.clone() }), hears, "{role} {part:?} {listening:?}");
    }

    #[test]
    fn who_did_not_subscribe_hears_what_everybody_hears() {
        let listening = Listening::new(Role::Operator, false);
        check(&listening, Role::Viewer, Part::All, true);
        check(&listening, Role::Operator, Part::All, true);
        check(&listening, Role::Approver, Part::All, false);
        check(&listening, Role::Viewer, Part::Tools, false);
        check(&listening, Role::Viewer, Part::Sessions, false);
        check(&Listening::new(Role::Viewer, true), Role::Viewer, Part::Tools, true);
    }

    #[test]
    fn a_subscription_is_to_one_session_or_to_all_and_one_can_be_left() {
        let (one, other) = (Part::Session("one".to_owned()), Part::Session("other".to_owned()));
        let mut listening = Listening::new(Role::Viewer, false);
        listening.hear_session("one").expect("room");
        check(&listening, Role::Viewer, one.clone(), true);
        check(&listening, Role::Viewer, other.clone(), false);
        listening.leave_session("one");
        check(&listening, Role::Viewer, one, false);
        listening.hear_all_sessions();
        check(&listening, Role::Viewer, other.clone(), true);
        check(&listening, Role::Approver, other, false);
    }

    #[test]
    fn subscriptions_are_bounded() {
        let mut listening = Listening::new(Role::Viewer, false);
        for number in 0..SESSIONS_MAX {
            listening.hear_session(&number.to_string()).expect("room");
        }
        assert!(listening.hear_session("more").is_err() && listening.hear_session("1").is_ok());
    }
}
