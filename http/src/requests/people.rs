//! People, their tokens and their sessions.

use regatta_core::event::user::Role;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::auth::Via;

/// Who the caller is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Me {
    /// Their name.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// What they may do, in words.
    pub can: Vec<String>,
    /// How they are known.
    pub via: Via,
}

/// Begins a session.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SessionRequest {
    /// The token's secret.
    pub token: String,
}

/// Makes a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenRequest {
    /// What people call it.
    pub name: String,
    /// Who acts with it; the caller when absent.
    #[serde(default)]
    pub user: Option<String>,
    /// At most this role; the user's own when absent.
    #[serde(default)]
    pub role: Option<Role>,
    /// For how long it is worth something; for ever when absent.
    #[serde(default)]
    pub expires_in_s: Option<u64>,
}

/// A token just made.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TokenMade {
    /// Its public name.
    pub id: String,
    /// The secret; told here and never again.
    pub token: String,
}

/// A sign-in link just made.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LinkMade {
    /// Opens the page signed in; works once.
    pub link: String,
    /// The page's address, without a path.
    pub url: String,
}

/// A token, without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TokenRow {
    /// Its public name.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// Who acts with it.
    pub user: String,
    /// At most this role.
    pub role: Role,
    /// When it was made, in microseconds since the Unix epoch.
    pub created_at_us: u64,
    /// When it stops being worth anything.
    pub expires_at_us: Option<u64>,
    /// When it was used last; of a use before the server was started, to the hour.
    pub last_used_at_us: Option<u64>,
    /// When it was revoked.
    pub revoked_at_us: Option<u64>,
}

/// Adds a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UserRequest {
    /// Their name.
    pub name: String,
    /// What they may do.
    pub role: Role,
}

/// Changes what a user may do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RoleRequest {
    /// What they may do now.
    pub role: Role,
}

/// A user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UserRow {
    /// Their name.
    pub name: String,
    /// What they may do.
    pub role: Role,
}
