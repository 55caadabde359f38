//! The server and its log.

use regatta_core::Seq;
use regatta_core::bus::RelayState;
use regatta_core::log::verify::Damage;
use regatta_core::log::witness::WitnessState;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::EventBody;

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
    /// The oldest event the log keeps; older ones were removed.
    pub first: Seq,
    /// The last position of the log.
    pub seq: Seq,
    /// The last position that runs, attempts and the other views hold, while they are far behind `seq`: what they show is
    /// as of then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, value_type = Option<u64>)]
    pub catching_up: Option<Seq>,
    /// Where it keeps everything.
    pub data_dir: String,
    /// The fence a local sandbox made now would have, or why there is none.
    pub fence: String,
    /// The page's address, without a path; when it is served by TCP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub url: Option<String>,
    /// When it was started, in microseconds since the Unix epoch.
    pub started_at_us: u64,
    /// Where the relay to NATS stands, when there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub relay: Option<RelayState>,
    /// How it goes with telling each witness where the log stands.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub witnesses: Vec<WitnessState>,
    /// Why nothing can be recorded now, when the disk is nearly full.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub read_only: Option<String>,
    /// What is damaged in the log, as far as it was read again since the start; the first of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub damage: Vec<Damage>,
}
