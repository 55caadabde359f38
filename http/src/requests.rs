//! Bodies of requests and small answers, shared with clients.

use regatta_core::bus::RelayState;
use regatta_core::{RunId, Seq, Slot};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::EventBody;

/// The answer to a run asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RunAccepted {
    /// Its id.
    pub run: RunId,
}

/// Makes an attempt the winner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PickRequest {
    /// Which.
    pub attempt: Slot,
    /// One line for people.
    #[serde(default)]
    pub reason: String,
}

/// Stops a run, or one attempt of it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CancelRequest {
    /// Which; the whole run when absent.
    #[serde(default)]
    pub attempt: Option<Slot>,
    /// One line for people.
    #[serde(default)]
    pub reason: String,
}

/// A page of events.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EventsPage {
    /// In order.
    pub rows: Vec<EventBody>,
    /// Where the next page begins. A page may be empty and yet not be the last one: compare with `head`.
    pub next: Seq,
    /// The last position of the log when this was read.
    pub head: Seq,
}

/// How the server is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Health {
    /// Its version.
    pub version: String,
    /// Its process.
    pub pid: u32,
    /// The last position of the log.
    pub seq: Seq,
    /// Where it keeps everything.
    pub data_dir: String,
    /// The fence a local sandbox made now would have, or why there is none.
    pub fence: String,
    /// When it was started, in microseconds since the Unix epoch.
    pub started_at_us: u64,
    /// Where the relay to NATS stands, when there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub relay: Option<RelayState>,
}
