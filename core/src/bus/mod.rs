//! The bus: how events reach others. Inside one process it is the log's own wake-up ([`crate::Log::watch`]): nothing to
//! install, and a reader by cursor cannot lose anything. Beyond the process it is NATS ([`nats`], feature `nats`), fed by
//! a relay that tails the log. A bus is never the log of record, and knows nothing of what the facts mean.

#[cfg(feature = "nats")]
pub mod nats;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Seq;

/// Name of the relay's checkpoint, and of the snapshot that keeps where it stands in the stream.
pub const RELAY_CHECKPOINT: &str = "nats-relay";

/// Where a relay stands.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct RelayState {
    /// The server it publishes to, without credentials.
    pub server: String,
    /// Whether it is connected, and its stream was compared with the log.
    pub connected: bool,
    /// The last event of which it and all before it that the log still has are in the stream.
    pub acked: Seq,
    /// The last event of which it and all before it were published.
    #[serde(default)]
    pub published: Seq,
    /// How many of the published events are no longer in the stream and are not published again: its own limits dropped
    /// them, or the log no longer has them.
    #[serde(default)]
    pub missing: u64,
    /// How many messages of this install there are no events of this log. They are left alone.
    #[serde(default)]
    pub foreign: u64,
    /// The last event of the log when this was said.
    pub head: Seq,
    /// Time of the oldest event the server does not have yet, in microseconds since the Unix epoch; nothing when it has
    /// them all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting_since_us: Option<u64>,
    /// Why it was last interrupted; nothing when it has caught up since.
    pub last_error: Option<String>,
}

impl RelayState {
    /// How many events the server does not have yet.
    #[must_use]
    pub fn behind(&self) -> u64 {
        self.head.0.saturating_sub(self.published.0.max(self.acked.0))
    }

    /// For how many microseconds the oldest event has waited for the server; 0 when it has them all.
    #[must_use]
    pub fn behind_us(&self, now_us: u64) -> u64 {
        self.waiting_since_us.map_or(0, |since_us| now_us.saturating_sub(since_us))
    }
}

/// A server's address as it may be shown: what stands before an `@` in any of its parts is left out.
#[must_use]
pub fn redacted(url: &str) -> String {
    let shown = url.split(',').map(|part| {
        let (scheme, rest) = part.split_once("://").map_or(("", part), |(scheme, rest)| (scheme, rest));
        let separator = if scheme.is_empty() { "" } else { "://" };
        rest.rsplit_once('@').map_or_else(|| part.to_owned(), |(_, host)| format!("{scheme}{separator}***@{host}"))
    });
    shown.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::redacted;

    #[test]
    fn an_address_is_shown_without_its_secrets() {
        assert_eq!(redacted("nats://ana:pass@host:4222"), "nats://***@host:4222");
        assert_eq!(redacted("tls://token@a,b:pass@c"), "tls://***@a,***@c");
        assert_eq!(redacted("nats://ana:p@ss@host"), "nats://***@host");
        assert_eq!(redacted("nats://host:4222"), "nats://host:4222");
        assert_eq!(redacted("host"), "host");
    }
}
