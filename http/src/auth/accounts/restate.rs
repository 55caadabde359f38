//! Everything that holds as one fact, and back: once it is said again, the facts before it may go. Pure.

use regatta_core::event::user::{Added, Restated, RestatedSession, RestatedToken, SignedIn, TokenIssued};

use super::{Accounts, Session, Token};
use crate::auth::secret::Hash;

impl Accounts {
    /// All of it as a fact.
    pub(crate) fn restated(&self) -> Restated {
        let token = |(id, token): (&String, &Token)| RestatedToken {
            issued: TokenIssued {
                token: id.clone(),
                name: token.name.clone(),
                user: token.user.clone(),
                role: token.role,
                hash: token.hash.to_hex(),
                expires_at_us: token.expires_at_us,
            },
            issued_at_us: token.created_at_us,
            revoked_at_us: token.revoked_at_us,
            is_known_expired: token.is_known_expired,
            used_at_us: token.used_at_us,
        };
        let session = |(id, session): (&String, &Session)| RestatedSession {
            signed_in: SignedIn {
                session: id.clone(),
                user: session.user.clone(),
                role: session.role,
                means: session.means.clone(),
                hash: session.hash.to_hex(),
                source: session.source.clone(),
                expires_at_us: session.expires_at_us,
            },
            signed_in_at_us: session.created_at_us,
        };
        Restated {
            users: self.users.iter().map(|(user, role)| Added { user: user.clone(), role: *role }).collect(),
            tokens: self.tokens.iter().map(token).collect(),
            sessions: self.sessions.iter().map(session).collect(),
        }
    }

    /// What a fact says that says everything.
    pub(super) fn of(restated: &Restated) -> Self {
        let token = |restated: &RestatedToken| {
            let token = Token {
                revoked_at_us: restated.revoked_at_us,
                is_known_expired: restated.is_known_expired,
                used_at_us: restated.used_at_us,
                ..Token::issued(&restated.issued, restated.issued_at_us)
            };
            (restated.issued.token.clone(), token)
        };
        let session = |restated: &RestatedSession| {
            let signed = &restated.signed_in;
            (signed.session.clone(), Session::begun(signed, restated.signed_in_at_us))
        };
        Self {
            users: restated.users.iter().map(|added| (added.user.clone(), added.role)).collect(),
            tokens: restated.tokens.iter().map(token).collect(),
            sessions: restated.sessions.iter().map(session).collect(),
        }
    }
}

impl Token {
    pub(super) fn issued(issued: &TokenIssued, at_us: u64) -> Self {
        Self {
            name: issued.name.clone(),
            user: issued.user.clone(),
            role: issued.role,
            hash: Hash::from_hex(&issued.hash),
            created_at_us: at_us,
            expires_at_us: issued.expires_at_us,
            revoked_at_us: None,
            is_known_expired: false,
            used_at_us: None,
        }
    }
}

impl Session {
    pub(super) fn begun(signed: &SignedIn, at_us: u64) -> Self {
        Self {
            user: signed.user.clone(),
            role: signed.role,
            means: signed.means.clone(),
            hash: Hash::from_hex(&signed.hash),
            source: signed.source.clone(),
            created_at_us: at_us,
            expires_at_us: signed.expires_at_us,
        }
    }
}
