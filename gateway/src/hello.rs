//! What a gateway says when it lets us in. Reads what is acted upon, keeps no secret where it could be printed, and leaves
//! the snapshot as it came.

use std::collections::BTreeSet;

use secrecy::SecretString;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::connect::PROTOCOL;
use crate::method::UNLISTED;

/// A gateway that let us in.
#[derive(Debug)]
pub struct Hello {
    /// Which process, which connection.
    pub server: Server,
    /// What it can do.
    pub features: Features,
    /// As whom we are in.
    pub auth: Granted,
    /// Its bounds.
    pub policy: Policy,
    /// Presence, health and defaults, as they came. Holds no credential.
    pub snapshot: Option<Box<RawValue>>,
}

/// A gateway process and our connection to it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Server {
    /// Its version, such as `2026.9.6`.
    pub version: String,
    /// New with every process: tells a dropped connection from a gateway that was restarted.
    pub boot_id: String,
    /// New with every connection.
    pub conn_id: String,
}

/// What a gateway says it can do. Grows with every version.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Features {
    /// Methods it advertises.
    #[serde(default)]
    pub methods: BTreeSet<String>,
    /// Events it advertises; others come too.
    #[serde(default)]
    pub events: BTreeSet<String>,
    /// Single abilities.
    #[serde(default)]
    pub capabilities: BTreeSet<String>,
}

impl Features {
    /// Whether a method can be called: it is advertised, or one of those that are there without being advertised.
    #[must_use]
    pub fn offers(&self, method: &str) -> bool {
        self.methods.contains(method) || UNLISTED.contains(&method)
    }
}

/// As whom a gateway let us in.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Granted {
    /// How: `token`, `device-token`, …
    #[serde(default)]
    pub method: Option<String>,
    /// `operator`, …
    pub role: String,
    /// What we may; may be less than was asked for, and empty.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// A token for this device, to be kept in the vault with these scopes.
    #[serde(default)]
    pub device_token: Option<SecretString>,
}

/// A gateway's bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Policy {
    /// Most bytes of a frame we send.
    pub max_payload: usize,
    /// It says `tick` this often, in milliseconds.
    pub tick_interval_ms: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    #[serde(rename = "type")]
    kind: String,
    protocol: u32,
    server: Server,
    #[serde(default)]
    features: Features,
    auth: Granted,
    policy: Policy,
    #[serde(default)]
    snapshot: Option<Box<RawValue>>,
}

impl Hello {
    /// Reads the answer to the first call.
    ///
    /// # Errors
    /// When it is none, or of another protocol; the text says which.
    pub(crate) fn read(payload: Option<&RawValue>) -> Result<Self, String> {
        let payload = payload.ok_or("the gateway answered the handshake with nothing")?;
        let wire: Wire = serde_json::from_str(payload.get())
            .map_err(|error| format!("the gateway's greeting cannot be read (at byte {})", error.column()))?;
        if wire.kind != "hello-ok" || wire.protocol != PROTOCOL {
            return Err(format!(
                "the gateway greets with {:?} of protocol {}, not \"hello-ok\" of protocol {PROTOCOL}",
                wire.kind, wire.protocol
            ));
        }
        let Wire { server, features, auth, policy, snapshot, .. } = wire;
        Ok(Self { server, features, auth, policy, snapshot })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    const CAPTURED: &str = include_str!("../tests/frames/handshake-token-new-device.jsonl");

    fn captured() -> Box<RawValue> {
        let frames = CAPTURED.lines().map(|line| serde_json::from_str::<Value>(line).expect("a line"));
        let hello = frames.map(|line| line["frame"]["payload"].clone()).find(|payload| payload["type"] == "hello-ok");
        serde_json::value::to_raw_value(&hello.expect("a hello-ok")).expect("JSON")
    }

    #[test]
    fn a_captured_greeting_says_who_what_and_how_much() {
        let hello = Hello::read(Some(&captured())).expect("read");
        assert_eq!(hello.server.version, "2026.9.6");
        assert_eq!(hello.server.boot_id, "05daf75a-ccc7-42ba-81eb-4ea64765c930");
        assert_eq!(hello.server.conn_id, "e96aabfe-45bb-47e3-a6af-f3724f6b56be");
        assert_eq!((hello.features.methods.len(), hello.features.events.len()), (466, 64));
        assert_eq!((hello.auth.method.as_deref(), hello.auth.scopes.len()), (Some("token"), 8));
        assert_eq!(hello.policy, Policy { max_payload: 26_214_400, tick_interval_ms: 30_000 });
        let said = format!("{hello:?}");
        for secret in ["DUMMY-device-token-1", "DUMMY-recovery-scope-1", "DUMMY-cap-1"] {
            assert!(!said.contains(secret), "{secret} is printed");
        }
    }

    #[test]
    fn methods_that_are_not_advertised_can_still_be_called() {
        let features = Hello::read(Some(&captured())).expect("read").features;
        let asked = ["chat.send", "chat.inject", "sessions.get", "sessions.spawn", "exec.approvals.list"];
        assert_eq!(asked.map(|method| features.offers(method)), [true, true, true, false, false]);
    }

    #[test]
    fn another_protocol_is_refused_in_words() {
        let other = captured().get().replacen("\"protocol\":4", "\"protocol\":5", 1);
        let other = RawValue::from_string(other).expect("JSON");
        let refused = Hello::read(Some(&other)).expect_err("another protocol");
        assert_eq!(refused, "the gateway greets with \"hello-ok\" of protocol 5, not \"hello-ok\" of protocol 4");
    }
}
