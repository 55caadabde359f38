//! Gateways: which there are, how the connection to each fares, how much of what they said is here, and their health as
//! they tell it.

mod fold;
mod view;

pub use fold::Gateways;
pub use view::{GatewayState, GatewayView, GatewaysView, HealthView};

use fold::Kept;

/// Scopes without which something here does not work, and what that is.
const NEEDED: [(&str, &str); 3] = [
    ("operator.read", "what agents say and do is not seen"),
    ("operator.approvals", "agents' questions are denied at once"),
    ("operator.write", "nothing can be sent"),
];

impl Gateways {
    /// Every gateway, by name; how many questions of each are open is asked for.
    #[must_use]
    pub fn view(&self, open: impl Fn(&regatta_core::GatewayName) -> u64) -> GatewaysView {
        GatewaysView { rows: self.kept.values().map(|kept| view(kept, open(&kept.added.gateway))).collect() }
    }

    /// One gateway.
    #[must_use]
    pub fn get(&self, gateway: &regatta_core::GatewayName, open: u64) -> Option<GatewayView> {
        self.kept.get(gateway).map(|kept| view(kept, open))
    }
}

fn view(kept: &Kept, approvals_open: u64) -> GatewayView {
    let is_connected = kept.state == GatewayState::Connected;
    let lacking = NEEDED.into_iter().filter(|(scope, _)| is_connected && !kept.scopes.iter().any(|has| has == scope));
    GatewayView {
        name: kept.added.gateway.clone(),
        url: kept.added.url.clone(),
        proof: kept.added.proof,
        added_at_us: kept.added_at_us,
        added_by: kept.added_by.clone(),
        state: kept.state,
        since_us: kept.since_us,
        version: kept.version.clone(),
        boot_id: kept.boot_id.clone(),
        methods: kept.methods,
        lacks: lacking.map(|(scope, meaning)| format!("{scope}: {meaning}")).collect(),
        reason: kept.reason.clone(),
        advice: kept.advice.clone(),
        pairing: kept.pairing.clone(),
        connections: kept.connections,
        restarts: kept.restarts,
        frames: kept.frames,
        last_seq: kept.last_seq,
        last_frame_at_us: kept.last_frame_at_us,
        gaps: kept.gaps,
        missing: kept.missing,
        health: kept.health.clone(),
        approvals_open,
    }
}
