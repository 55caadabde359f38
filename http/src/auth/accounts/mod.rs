//! Who may do what, as the facts say: users, tokens, sessions. Pure: time and ids are arguments, secrets are hashes.
//!
//! The state is folded from the stream `user/install` and decides about it; nothing else writes there.

mod decide;
mod restate;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use regatta_core::event::user::{Means, Role, UserEvent};

pub(crate) use decide::{By, Command};

use super::secret::Hash;

/// Users at once.
pub(crate) const USERS_MAX: usize = 1_000;
/// Tokens at once that are worth something.
pub(crate) const TOKENS_MAX: usize = 1_000;
/// Sessions of one user at once; the oldest makes room.
pub(crate) const SESSIONS_PER_USER_MAX: usize = 32;
/// Sessions at once; the oldest makes room.
pub(crate) const SESSIONS_MAX: usize = 2_000;
/// Tokens that are worth nothing any more and are still listed.
const DEAD_TOKENS_MAX: usize = 200;

/// For how long it is not said again that a token was used, in microseconds: few facts of a program that asks all the
/// time, and a last use that a restart leaves true to the hour.
pub(crate) const USE_TOLD_EVERY_US: u64 = 60 * 60 * 1_000_000;

/// A token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) name: String,
    pub(crate) user: String,
    pub(crate) role: Role,
    pub(crate) hash: Hash,
    pub(crate) created_at_us: u64,
    pub(crate) expires_at_us: Option<u64>,
    pub(crate) revoked_at_us: Option<u64>,
    /// Whether it was said that its time is over.
    pub(crate) is_known_expired: bool,
    /// When it was said last that it was used.
    pub(crate) used_at_us: Option<u64>,
}

impl Token {
    /// Whether it opens anything at that time.
    pub(crate) fn is_good(&self, now_us: u64) -> bool {
        self.revoked_at_us.is_none() && !self.is_past(now_us)
    }

    /// Whether it is to be said that it is used at that time.
    pub(crate) fn is_use_news(&self, now_us: u64) -> bool {
        self.used_at_us.is_none_or(|told_us| now_us.saturating_sub(told_us) >= USE_TOLD_EVERY_US)
    }

    /// Whether its time is over.
    pub(crate) fn is_past(&self, now_us: u64) -> bool {
        self.expires_at_us.is_some_and(|at_us| at_us <= now_us)
    }
}

/// A session of a browser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Session {
    pub(crate) user: String,
    pub(crate) role: Role,
    pub(crate) means: Means,
    pub(crate) hash: Hash,
    /// From where it began: an address.
    pub(crate) source: String,
    pub(crate) created_at_us: u64,
    pub(crate) expires_at_us: u64,
}

/// Who may do what.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Accounts {
    users: BTreeMap<String, Role>,
    tokens: BTreeMap<String, Token>,
    sessions: BTreeMap<String, Session>,
}

impl Accounts {
    /// Everybody, by name.
    pub(crate) fn users(&self) -> &BTreeMap<String, Role> {
        &self.users
    }

    /// Tokens, by their public names; also those worth nothing any more.
    pub(crate) fn tokens(&self) -> &BTreeMap<String, Token> {
        &self.tokens
    }

    /// Sessions, by their public names.
    pub(crate) fn sessions(&self) -> &BTreeMap<String, Session> {
        &self.sessions
    }

    /// What a user may do through something that allows `role` at most; nothing when there is no such user.
    pub(crate) fn role(&self, user: &str, role: Role) -> Option<Role> {
        self.users.get(user).map(|own| role.min(*own))
    }

    /// Takes in a fact.
    pub(crate) fn evolve(&mut self, event: &UserEvent, at_us: u64) {
        match event {
            UserEvent::Added(added) => {
                self.users.insert(added.user.clone(), added.role);
            }
            UserEvent::RoleChanged(changed) => {
                self.users.insert(changed.user.clone(), changed.to);
            }
            UserEvent::Removed(removed) => self.remove(&removed.user, at_us),
            UserEvent::TokenIssued(issued) => {
                self.tokens.insert(issued.token.clone(), Token::issued(issued, at_us));
            }
            UserEvent::TokenRevoked(revoked) => self.end_token(&revoked.token, |token| {
                token.revoked_at_us.get_or_insert(at_us);
            }),
            UserEvent::TokenExpired(expired) => self.end_token(&expired.token, |token| token.is_known_expired = true),
            UserEvent::TokenUsed(used) => {
                if let Some(token) = self.tokens.get_mut(&used.token) {
                    token.used_at_us = Some(at_us);
                }
            }
            UserEvent::SignedIn(signed) => {
                self.sessions.insert(signed.session.clone(), Session::begun(signed, at_us));
            }
            UserEvent::SignedOut(signed) => {
                self.sessions.remove(&signed.session);
            }
            UserEvent::Refused(_) => {}
            UserEvent::Restated(restated) => *self = Self::of(restated),
        }
    }

    fn remove(&mut self, user: &str, at_us: u64) {
        self.users.remove(user);
        self.sessions.retain(|_, session| session.user != user);
        for token in self.tokens.values_mut().filter(|token| token.user == user) {
            token.revoked_at_us.get_or_insert(at_us);
        }
        self.forget();
    }

    fn end_token(&mut self, id: &str, end: impl FnOnce(&mut Token)) {
        self.tokens.get_mut(id).map(end);
        self.sessions.retain(|_, session| session.means != Means::Token(id.to_owned()));
        self.forget();
    }

    /// Forgets the oldest tokens that are worth nothing any more, past the bound.
    fn forget(&mut self) {
        let is_dead = |token: &Token| token.revoked_at_us.is_some() || token.is_known_expired;
        let mut dead: Vec<(u64, String)> = self
            .tokens
            .iter()
            .filter(|(_, token)| is_dead(token))
            .map(|(id, token)| (token.created_at_us, id.clone()))
            .collect();
        dead.sort();
        for (_, id) in dead.iter().take(dead.len().saturating_sub(DEAD_TOKENS_MAX)) {
            self.tokens.remove(id);
        }
    }
}
