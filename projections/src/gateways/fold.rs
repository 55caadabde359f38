//! How facts about gateways become what is shown of them.

use std::collections::BTreeMap;

use regatta_core::event::gateway::{Added, Connected, Frame, GatewayEvent, RestatedGateway, Stopped};
use regatta_core::{Envelope, Event, GatewayName};
use serde::{Deserialize, Serialize};

use super::{GatewayState, HealthView};
use crate::projection::{Fact, Fold, Stray};

/// Every gateway there is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Gateways {
    pub(super) kept: BTreeMap<GatewayName, Kept>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Kept {
    pub(super) added: Added,
    pub(super) added_at_us: u64,
    pub(super) added_by: String,
    pub(super) state: GatewayState,
    pub(super) since_us: u64,
    pub(super) version: Option<String>,
    pub(super) boot_id: Option<String>,
    pub(super) methods: u32,
    pub(super) scopes: Vec<String>,
    pub(super) reason: Option<String>,
    pub(super) advice: Option<String>,
    pub(super) pairing: Option<String>,
    pub(super) connections: u64,
    pub(super) restarts: u64,
    pub(super) frames: u64,
    pub(super) last_seq: u64,
    pub(super) last_frame_at_us: Option<u64>,
    pub(super) gaps: u64,
    pub(super) missing: u64,
    pub(super) health: Option<HealthView>,
}

impl Fold for Gateways {
    fn fold(&mut self, fact: &Fact<'_>) -> Result<(), Stray> {
        let Event::Gateway(event) = fact.event else { return Ok(()) };
        match event {
            GatewayEvent::Added(added) => {
                let kept = Kept::new(added.clone(), fact.envelope.at_us, fact.envelope.actor.as_str());
                self.kept.insert(added.gateway.clone(), kept);
            }
            GatewayEvent::Removed(removed) => {
                self.kept.remove(&removed.gateway);
            }
            GatewayEvent::Restated(restated) => self.restate(&restated.gateways),
            GatewayEvent::Connected(connected) => {
                self.of(&connected.gateway, |kept| kept.connected(connected, fact.envelope));
            }
            GatewayEvent::Disconnected(gone) => self.of(&gone.gateway, |kept| {
                kept.stands(GatewayState::Disconnected, fact.envelope.at_us);
                kept.reason = Some(gone.reason.clone());
            }),
            GatewayEvent::Stopped(stopped) => self.of(&stopped.gateway, |kept| kept.stopped(stopped, fact.envelope)),
            GatewayEvent::Missed(missed) => self.of(&missed.gateway, |kept| {
                kept.gaps += 1;
                kept.missing += missed.count();
            }),
            GatewayEvent::Frame(frame) => self.of(&frame.gateway, |kept| kept.heard(frame, fact.envelope.at_us)),
            GatewayEvent::Called(_) => {}
        }
        Ok(())
    }
}

impl Gateways {
    /// One that was removed may still be told of: its connection ends after it.
    fn of(&mut self, gateway: &GatewayName, change: impl FnOnce(&mut Kept)) {
        if let Some(kept) = self.kept.get_mut(gateway) {
            change(kept);
        }
    }

    /// What is known already stays; only a log whose beginning is gone learns something here.
    fn restate(&mut self, gateways: &[RestatedGateway]) {
        for restated in gateways {
            let RestatedGateway { added, added_at_us, added_by } = restated;
            let known = || Kept::new(added.clone(), *added_at_us, added_by);
            self.kept.entry(added.gateway.clone()).or_insert_with(known);
        }
    }
}

impl Kept {
    fn new(added: Added, at_us: u64, by: &str) -> Self {
        Self {
            added,
            added_at_us: at_us,
            added_by: by.to_owned(),
            state: GatewayState::New,
            since_us: at_us,
            version: None,
            boot_id: None,
            methods: 0,
            scopes: vec![],
            reason: None,
            advice: None,
            pairing: None,
            connections: 0,
            restarts: 0,
            frames: 0,
            last_seq: 0,
            last_frame_at_us: None,
            gaps: 0,
            missing: 0,
            health: None,
        }
    }

    fn stands(&mut self, state: GatewayState, at_us: u64) {
        (self.state, self.since_us) = (state, at_us);
        (self.reason, self.advice, self.pairing) = (None, None, None);
    }

    fn connected(&mut self, connected: &Connected, envelope: &Envelope) {
        self.stands(GatewayState::Connected, envelope.at_us);
        self.connections += 1;
        self.restarts += u64::from(self.boot_id.as_ref().is_some_and(|boot_id| *boot_id != connected.boot_id));
        self.boot_id = Some(connected.boot_id.clone());
        self.version = Some(connected.version.clone());
        (self.methods, self.scopes) = (connected.methods, connected.scopes.clone());
        self.last_seq = 0;
    }

    fn stopped(&mut self, stopped: &Stopped, envelope: &Envelope) {
        self.stands(GatewayState::Stopped, envelope.at_us);
        self.reason = Some(stopped.reason.clone());
        (self.advice, self.pairing) = (stopped.advice.clone(), stopped.pairing.clone());
    }

    fn heard(&mut self, frame: &Frame, at_us: u64) {
        self.frames += 1;
        self.last_seq = frame.seq.unwrap_or(self.last_seq);
        self.last_frame_at_us = Some(at_us);
        if frame.event == "health" {
            self.health = health(&frame.text, at_us).or_else(|| self.health.take());
        }
    }
}

/// What a gateway says about its health.
fn health(text: &[u8], at_us: u64) -> Option<HealthView> {
    #[derive(Deserialize)]
    struct Wire {
        payload: Health,
    }
    #[derive(Deserialize)]
    struct Health {
        ok: bool,
        #[serde(default)]
        agents: Vec<serde::de::IgnoredAny>,
        #[serde(default)]
        sessions: Option<Sessions>,
        #[serde(default)]
        plugins: Option<Plugins>,
    }
    #[derive(Deserialize)]
    struct Sessions {
        #[serde(default)]
        count: u64,
    }
    #[derive(Deserialize)]
    struct Plugins {
        #[serde(default)]
        errors: Vec<serde::de::IgnoredAny>,
    }
    let Wire { payload } = serde_json::from_slice(text).ok()?;
    Some(HealthView {
        is_well: payload.ok,
        at_us,
        agents: payload.agents.len() as u64,
        sessions: payload.sessions.map_or(0, |sessions| sessions.count),
        plugin_errors: payload.plugins.map_or(0, |plugins| plugins.errors.len() as u64),
    })
}
