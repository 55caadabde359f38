//! Facts about gateways: which there are, how the connection to each fares, and every event they say, as it came. No
//! credential is in any of them.
//!
//! What a gateway says is kept by connection (`boot_id`, `conn_id`) and place on it (`seq`): its numbers begin anew with
//! every connection.

use bytes::Bytes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::GatewayName;

/// A fact about a gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GatewayEvent {
    /// It belongs to this installation from now on.
    Added(Added),
    /// It does not any more.
    Removed(Removed),
    /// Every gateway there is, said again: what was said before may be removed from the log.
    Restated(Restated),
    /// It let us in.
    Connected(Connected),
    /// The connection is gone.
    Disconnected(Disconnected),
    /// There is no connection, and it is not tried, or not soon: why, and what to do.
    Stopped(Stopped),
    /// Some of what it said is not here.
    Missed(Missed),
    /// Somebody had one of its methods called.
    Called(Called),
    /// It said something.
    Frame(Frame),
}

/// What proves to a gateway that we may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Proof {
    /// Its shared token, which the vault holds.
    Token,
    /// Its password, which the vault holds.
    Password,
    /// Our device alone, once it was approved there; or nothing, where it asks for nothing.
    Device,
}

/// A gateway belongs to this installation from now on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Added {
    /// What it is called.
    pub gateway: GatewayName,
    /// Where it listens: `ws://…` or `wss://…`, without any secret.
    pub url: String,
    /// Whether a credential may go there over an unencrypted connection.
    pub allow_plain: bool,
    /// What proves that we may.
    pub proof: Proof,
}

/// A gateway does not belong to this installation any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Removed {
    /// Which.
    pub gateway: GatewayName,
}

/// Every gateway there is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Restated {
    /// Each as it was added.
    pub gateways: Vec<RestatedGateway>,
}

/// A gateway, and when it was added.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RestatedGateway {
    /// As it was added.
    #[serde(flatten)]
    pub added: Added,
    /// When, in microseconds since the Unix epoch.
    pub added_at_us: u64,
    /// By whom.
    pub added_by: String,
}

/// A gateway let us in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Connected {
    /// Which.
    pub gateway: GatewayName,
    /// Its process: another one than before was started anew.
    pub boot_id: String,
    /// This connection.
    pub conn_id: String,
    /// Its version, such as `2026.9.6`.
    pub version: String,
    /// What we may there.
    pub scopes: Vec<String>,
    /// How many methods it offers.
    pub methods: u32,
}

/// The connection to a gateway is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Disconnected {
    /// Which.
    pub gateway: GatewayName,
    /// Its process.
    pub boot_id: String,
    /// The connection.
    pub conn_id: String,
    /// Why.
    pub reason: String,
    /// The place of the last event that came on it; 0 when none did.
    pub last_seq: u64,
}

/// There is no connection to a gateway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Stopped {
    /// Which.
    pub gateway: GatewayName,
    /// Why.
    pub reason: String,
    /// What a person can do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
    /// What is to be approved at the gateway, when that is why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pairing: Option<String>,
    /// Whether it is tried again by itself.
    pub is_tried_again: bool,
}

/// Some of what a gateway said is not here: the events of one connection after `last` and before `next`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Missed {
    /// Which.
    pub gateway: GatewayName,
    /// Its process.
    pub boot_id: String,
    /// The connection.
    pub conn_id: String,
    /// The last one that is here, 0 when none is.
    pub last: u64,
    /// The next one that is here, or would be.
    pub next: u64,
    /// Why.
    pub why: Why,
}

impl Missed {
    /// How many are missing.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.next.saturating_sub(self.last).saturating_sub(1)
    }
}

/// Why something a gateway said is not here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// It never came.
    Lost,
    /// It came while the log took no writes.
    NotRecorded(String),
    /// It was larger than the log takes, in bytes.
    TooLarge(u64),
}

/// Somebody had a method of a gateway called. The parameters may hold secrets and are not here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Called {
    /// Which gateway.
    pub gateway: GatewayName,
    /// Which method.
    pub method: String,
}

/// A gateway said something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Which.
    pub gateway: GatewayName,
    /// Its process.
    pub boot_id: String,
    /// The connection.
    pub conn_id: String,
    /// Its place on the connection, from 1; a few have none.
    pub seq: Option<u64>,
    /// The name of the event.
    pub event: String,
    /// The whole frame as it came: JSON.
    pub text: Bytes,
}
