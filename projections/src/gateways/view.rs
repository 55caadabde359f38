//! What people see of gateways. Plain data.

use regatta_core::GatewayName;
use regatta_core::event::gateway::Proof;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Every gateway of this installation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GatewaysView {
    /// By name.
    pub rows: Vec<GatewayView>,
}

/// Where the connection to a gateway stood, by what is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum GatewayState {
    /// It was never connected to.
    #[default]
    New,
    /// We were in.
    Connected,
    /// The connection was lost.
    Disconnected,
    /// There was none, for a reason.
    Stopped,
}

/// A gateway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GatewayView {
    /// What it is called.
    pub name: GatewayName,
    /// Where it listens.
    pub url: String,
    /// What proves to it that we may.
    pub proof: Proof,
    /// When it was added, in microseconds since the Unix epoch.
    pub added_at_us: u64,
    /// By whom.
    pub added_by: String,
    /// Where the connection stood.
    pub state: GatewayState,
    /// Since when, in microseconds since the Unix epoch.
    pub since_us: u64,
    /// Its version, once it told.
    pub version: Option<String>,
    /// Its process, once it told.
    pub boot_id: Option<String>,
    /// How many methods it offers.
    pub methods: u32,
    /// Rights we do not have there, each with what that means.
    pub lacks: Vec<String>,
    /// Why there is no connection.
    pub reason: Option<String>,
    /// What a person can do about it.
    pub advice: Option<String>,
    /// What is to be approved at the gateway, when that is why.
    pub pairing: Option<String>,
    /// How often we were let in.
    pub connections: u64,
    /// How often it was another process than before.
    pub restarts: u64,
    /// Events of it that are recorded.
    pub frames: u64,
    /// The place of the last one on its connection.
    pub last_seq: u64,
    /// When it came, in microseconds since the Unix epoch.
    pub last_frame_at_us: Option<u64>,
    /// How often events were missed.
    pub gaps: u64,
    /// How many that were; what happened while there was no connection is not counted.
    pub missing: u64,
    /// Its health, as it told last.
    pub health: Option<HealthView>,
    /// Questions of its agents that wait for an answer.
    pub approvals_open: u64,
}

/// A gateway's health, as it tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HealthView {
    /// Whether it says that it is well.
    pub is_well: bool,
    /// When it said so, in microseconds since the Unix epoch.
    pub at_us: u64,
    /// Its agents.
    pub agents: u64,
    /// Its sessions.
    pub sessions: u64,
    /// Plugins that failed.
    pub plugin_errors: u64,
}
