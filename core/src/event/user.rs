//! Facts about who may do what: people, their tokens, their sessions, and who was refused. Secrets are never held, only
//! a hash of 256 random bits, which cannot be turned back.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Longest name of a user or a token, in characters.
pub const NAME_CHARS_MAX: usize = 64;
/// Most sources named in one [`Refused`].
pub const SOURCES_MAX: usize = 8;

/// What a person may do; each role may do everything the ones before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Look at everything, change nothing.
    Viewer,
    /// Start runs, stop them, get work back.
    Operator,
    /// Say who won, and answer what agents ask.
    Approver,
    /// Change the configuration, users and tokens; stop the server.
    Admin,
}

impl Role {
    /// Every role, the weakest first.
    pub const ALL: [Self; 4] = [Self::Viewer, Self::Operator, Self::Approver, Self::Admin];

    /// The role's name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Approver => "approver",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let role = Self::ALL.into_iter().find(|role| role.as_str() == text);
        role.ok_or_else(|| format!("{text:?} is no role: viewer, operator, approver or admin"))
    }
}

/// A fact about who may do what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UserEvent {
    /// Somebody may sign in from now on.
    Added(Added),
    /// Somebody may do more or less from now on.
    RoleChanged(RoleChanged),
    /// Somebody may not sign in any more; their tokens and sessions ended with this.
    Removed(Removed),
    /// A token was made.
    TokenIssued(TokenIssued),
    /// A token is worth nothing any more; its sessions ended with this.
    TokenRevoked(TokenRevoked),
    /// A token whose time is over was seen.
    TokenExpired(TokenExpired),
    /// A token was used, for the first time or again after a while.
    TokenUsed(TokenUsed),
    /// A session began.
    SignedIn(SignedIn),
    /// A session ended.
    SignedOut(SignedOut),
    /// Callers were turned away. Many refusals make one fact, so that guessing cannot flood the log.
    Refused(Refused),
    /// Everything that still holds, said again as a whole: what was said before may be removed from the log.
    Restated(Restated),
}

/// Somebody may sign in from now on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Added {
    /// Their name.
    pub user: String,
    /// What they may do.
    pub role: Role,
}

/// Somebody may do more or less from now on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RoleChanged {
    /// Whose.
    pub user: String,
    /// What they might do before.
    pub from: Role,
    /// What they may do now.
    pub to: Role,
}

/// Somebody may not sign in any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Removed {
    /// Who.
    pub user: String,
}

/// A token was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TokenIssued {
    /// Its public name; not secret.
    pub token: String,
    /// What people call it.
    pub name: String,
    /// Who acts with it.
    pub user: String,
    /// At most this role, however much the user may do.
    pub role: Role,
    /// BLAKE3 of the secret, in hexadecimal.
    pub hash: String,
    /// When it stops being worth anything, in microseconds since the Unix epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at_us: Option<u64>,
}

/// A token is worth nothing any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TokenRevoked {
    /// Which.
    pub token: String,
}

/// A token whose time is over was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TokenExpired {
    /// Which.
    pub token: String,
}

/// A token was used, for the first time or again after a while. Uses soon after one that was told are not told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TokenUsed {
    /// Which.
    pub token: String,
    /// From where: an address.
    pub source: String,
}

/// What a session was begun with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Means {
    /// A token; the session ends with it.
    Token(String),
    /// A one-time link that the owner made.
    Link,
}

/// A session began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SignedIn {
    /// Its public name; not secret.
    pub session: String,
    /// Who.
    pub user: String,
    /// At most this role, however much the user may do.
    pub role: Role,
    /// With what.
    pub means: Means,
    /// BLAKE3 of the cookie's secret, in hexadecimal.
    pub hash: String,
    /// From where: an address.
    pub source: String,
    /// When it ends at the latest, in microseconds since the Unix epoch.
    pub expires_at_us: u64,
}

/// Why a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SignedOutReason {
    /// The person asked.
    Asked,
    /// Its time was over.
    Expired,
    /// Nobody used it for too long.
    Idle,
    /// The same browser signed in anew, or there were too many sessions.
    Replaced,
}

/// A session ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SignedOut {
    /// Which.
    pub session: String,
    /// Whose.
    pub user: String,
    /// Why.
    pub reason: SignedOutReason,
}

/// Everything that still holds: users, tokens, sessions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Restated {
    /// Who may sign in.
    pub users: Vec<Added>,
    /// Every token that is still listed.
    pub tokens: Vec<RestatedToken>,
    /// Every session.
    pub sessions: Vec<RestatedSession>,
}

/// A token, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RestatedToken {
    /// As it was issued.
    #[serde(flatten)]
    pub issued: TokenIssued,
    /// When, in microseconds since the Unix epoch.
    pub issued_at_us: u64,
    /// When it was revoked, in microseconds since the Unix epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at_us: Option<u64>,
    /// Whether it was said that its time is over.
    pub is_known_expired: bool,
    /// When it was said last that it was used, in microseconds since the Unix epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used_at_us: Option<u64>,
}

/// A session, and when it began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RestatedSession {
    /// As it began.
    #[serde(flatten)]
    pub signed_in: SignedIn,
    /// When, in microseconds since the Unix epoch.
    pub signed_in_at_us: u64,
}

/// Callers were turned away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Refused {
    /// How often, by reason: `credential`, `locked_out`, `role`, `origin`, `host`, `link`.
    pub counts: std::collections::BTreeMap<String, u64>,
    /// From where, at most [`SOURCES_MAX`]; with more, the first ones.
    pub sources: Vec<String>,
    /// When the first of them was, in microseconds since the Unix epoch.
    pub since_us: u64,
}
