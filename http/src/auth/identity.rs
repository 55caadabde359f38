//! Who a request comes from, and by which door.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use regatta_core::event::user::Role;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// By which door a connection came in. Whoever sets it vouches for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// The unix socket, which only the person the server runs as can open.
    Socket,
    /// TCP, from there; over TLS or not.
    Tcp {
        /// The other end of the connection.
        peer: SocketAddr,
        /// Whether it came over TLS.
        is_secure: bool,
    },
}

/// How a caller is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Via {
    /// By the socket they could open.
    Socket,
    /// By a bearer token.
    Token,
    /// By the cookie of a session.
    Session,
}

/// What a caller is known by, so that it can be asked again whether it still holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Credential {
    Socket,
    Token(String),
    Session(String),
}

/// Who a request comes from.
#[derive(Debug, Clone)]
pub struct Identity {
    /// Their name.
    pub name: Arc<str>,
    /// What they may do.
    pub role: Role,
    /// How they are known.
    pub via: Via,
    pub(crate) credential: Credential,
}

#[cfg(test)]
impl Identity {
    /// Somebody at the socket.
    pub(crate) fn owner(name: &str) -> Self {
        Self { name: name.into(), role: Role::Admin, via: Via::Socket, credential: Credential::Socket }
    }
}

/// On an answer: whoever asked was known.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SignedIn;

/// Where a request comes from, after what a trusted proxy says.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) address: IpAddr,
    pub(crate) is_secure: bool,
    pub(crate) host: Option<String>,
}
