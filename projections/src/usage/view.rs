//! What people see of usage. Plain data.

use regatta_core::GatewayName;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::attempts::UsageView;

/// What was used, day by day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UsageRows {
    /// When the first of these days begins, in microseconds since the Unix epoch.
    pub first_us: u64,
    /// The moment this is of, in microseconds since the Unix epoch.
    pub until_us: u64,
    /// The oldest day first.
    pub rows: Vec<UsageRow>,
}

/// What was used on one day by one agent with one model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UsageRow {
    /// When the day begins (UTC), in microseconds since the Unix epoch.
    pub day_us: u64,
    /// The gateway that told; nothing for attempts of this installation.
    pub gateway: Option<GatewayName>,
    /// The agent.
    pub agent: String,
    /// The model, when it was told.
    pub model: Option<String>,
    /// Answers of a model at a gateway; attempts that ended.
    pub turns: u64,
    /// Of these, how many nothing was told of.
    pub untold: u64,
    /// Of these, how many no cost was told of.
    pub uncosted: u64,
    /// What was told, together.
    pub used: UsageView,
}
