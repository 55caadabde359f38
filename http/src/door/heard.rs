//! What an event of the log is to browsers at a gateway's door. Made once for all of them. Pure.
//!
//! The place of a frame on our own connection (`seq`) is left out: it would have holes for whoever does not hear
//! everything. A frame without one is the protocol's own way; who misses something is let go instead.

use std::borrow::Cow;

use axum::extract::ws::Utf8Bytes;
use regatta_core::event::gateway::{Frame, GatewayEvent};
use regatta_core::event::user::Role;
use regatta_core::{Envelope, Event, GatewayName};
use regatta_federation::{hears, hears_stream};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::listening::{Audience, Part};

/// What a browser may hear, or what happened to the connection it hears it from.
#[derive(Debug)]
pub(crate) struct Heard {
    pub(crate) gateway: GatewayName,
    pub(crate) conn_id: String,
    pub(crate) what: What,
}

/// Which of both.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// The gateway said it to these.
    Said(Utf8Bytes, Audience),
    /// The connection begins.
    Begins,
    /// Something is missing.
    Missed,
    /// The connection is gone, because of that.
    Ends(String),
}

impl Heard {
    /// What it is, when it is about the connection to a gateway.
    pub(crate) fn of(envelope: &Envelope) -> Option<Self> {
        if envelope.kind.family() != "gateway" {
            return None;
        }
        let Ok(Event::Gateway(event)) = envelope.event() else { return None };
        let of = |gateway, conn_id, what| Some(Self { gateway, conn_id, what });
        match event {
            GatewayEvent::Frame(frame) => {
                let (text, audience) = said(&frame)?;
                of(frame.gateway, frame.conn_id, What::Said(text, audience))
            }
            GatewayEvent::Connected(fact) => of(fact.gateway, fact.conn_id, What::Begins),
            GatewayEvent::Missed(fact) => of(fact.gateway, fact.conn_id, What::Missed),
            GatewayEvent::Disconnected(fact) => of(fact.gateway, fact.conn_id, What::Ends(fact.reason)),
            GatewayEvent::Added(_)
            | GatewayEvent::Removed(_)
            | GatewayEvent::Restated(_)
            | GatewayEvent::Stopped(_)
            | GatewayEvent::Called(_) => None,
        }
    }
}

/// The least role that may read an event of the log: of what a gateway said, whoever would hear it at the door. One that
/// cannot be read may be anything.
pub(crate) fn least(envelope: &Envelope) -> Role {
    if envelope.kind.family() != "gateway" {
        return Role::Viewer;
    }
    let frame = match envelope.event() {
        Ok(Event::Gateway(GatewayEvent::Frame(frame))) => frame,
        Ok(Event::Unknown { .. }) | Err(_) => return Role::Admin,
        Ok(_) => return Role::Viewer,
    };
    serde_json::from_slice(&frame.text).map_or(Role::Admin, |came: Came<'_>| came.role(&frame.event))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Came<'a> {
    #[serde(default, borrow)]
    payload: Option<&'a RawValue>,
    #[serde(default, borrow)]
    state_version: Option<&'a RawValue>,
    #[serde(default)]
    recipient_profile_id: Option<IgnoredAny>,
    #[serde(default)]
    reconstructed: bool,
}

impl Came<'_> {
    /// The least role that hears it.
    fn role(&self, event: &str) -> Role {
        // What is meant for one profile is for the one the whole installation has there.
        if self.recipient_profile_id.is_some() {
            return Role::Admin;
        }
        let is_agents = matches!(event, "agent" | "session.tool");
        let stream = is_agents.then(|| about(self.payload).stream).flatten();
        hears(event).max(stream.map_or(Role::Viewer, |stream| hears_stream(&stream)))
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Goes<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    event: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state_version: Option<&'a RawValue>,
}

/// What of a payload says who hears it.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct About<'a> {
    #[serde(default, borrow)]
    stream: Option<Cow<'a, str>>,
    #[serde(default, borrow)]
    session_key: Option<Cow<'a, str>>,
}

fn said(frame: &Frame) -> Option<(Utf8Bytes, Audience)> {
    // The keeper records only what it could read.
    let came: Came<'_> = serde_json::from_slice(&frame.text).ok()?;
    let role = came.role(&frame.event);
    let Came { payload, state_version, reconstructed, .. } = came;
    // Whoever missed it has read it anew; nobody else did.
    if reconstructed {
        return None;
    }
    let goes = Goes { kind: "event", event: &frame.event, payload, state_version };
    let text = serde_json::to_string(&goes).ok()?;
    Some((text.into(), Audience { role, part: part(&frame.event, payload) }))
}

fn about(payload: Option<&RawValue>) -> About<'_> {
    payload.and_then(|payload| serde_json::from_str(payload.get()).ok()).unwrap_or_default()
}

fn part(event: &str, payload: Option<&RawValue>) -> Part {
    match event.split_once('.') {
        None if event == "agent" && about(payload).stream.as_deref() == Some("tool") => Part::Tools,
        // Of these a gateway tells whoever subscribed; messages of one session, to those who subscribed to it.
        Some(("sessions", _)) | Some(("session", "tool")) => Part::Sessions,
        Some(("session", _)) => {
            about(payload).session_key.map_or(Part::Sessions, |key| Part::Session(key.into_owned()))
        }
        _ => Part::All,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(event: &str, text: &str) -> Option<(String, Audience)> {
        let (gateway, boot_id, conn_id) = ("main".parse().expect("a name"), "b".to_owned(), "c".to_owned());
        let text = text.to_owned().into_bytes().into();
        let said = said(&Frame { gateway, boot_id, conn_id, seq: Some(1), event: event.to_owned(), text })?;
        Some((said.0.as_str().to_owned(), said.1))
    }

    #[test]
    fn a_frame_goes_on_as_it_came_without_our_place() {
        let came = r#"{"type":"event","event":"health","payload":{"ok":  true},"seq":7,"stateVersion":{"presence":1,"health":2},"odd":1}"#;
        let (text, audience) = heard("health", came).expect("said");
        assert_eq!(
            text,
            r#"{"type":"event","event":"health","payload":{"ok":  true},"stateVersion":{"presence":1,"health":2}}"#
        );
        assert_eq!(audience, Audience { role: Role::Viewer, part: Part::All });
        assert_eq!(
            heard("tick", r#"{"type":"event","event":"tick"}"#).expect("said").0,
            r#"{"type":"event","event":"tick"}"#
        );
    }

    #[test]
    fn who_hears_it_is_said_by_the_event_and_its_payload() {
        let key = || Part::Session("k".to_owned());
        for (event, payload, role, part) in [
            ("chat", r#"{"sessionKey":"k"}"#, Role::Viewer, Part::All),
            ("agent", r#"{"stream":"assistant"}"#, Role::Viewer, Part::All),
            ("agent", r#"{"stream":"tool"}"#, Role::Viewer, Part::Tools),
            ("agent", r#"{"stream":"lifecycle","data":{"phase":"waiting-approval"}}"#, Role::Viewer, Part::All),
            ("agent", r#"{"stream":"approval","data":{"message":"uname -n"}}"#, Role::Approver, Part::All),
            ("session.tool", r#"{"stream":"approval"}"#, Role::Approver, Part::Sessions),
            ("session.tool", r#"{"sessionKey":"k"}"#, Role::Viewer, Part::Sessions),
            ("session.message", r#"{"sessionKey":"k"}"#, Role::Viewer, key()),
            ("session.approval", r#"{"sessionKey":"k"}"#, Role::Approver, key()),
            ("session.message", r#"{"sessionKey":7}"#, Role::Viewer, Part::Sessions),
            ("session.message", "7", Role::Viewer, Part::Sessions),
            ("sessions.changed", r#"{"sessionKey":"k"}"#, Role::Viewer, Part::Sessions),
            ("exec.approval.requested", "{}", Role::Approver, Part::All),
            ("terminal.data", "{}", Role::Admin, Part::All),
        ] {
            let text = format!(r#"{{"type":"event","event":"{event}","payload":{payload},"seq":1}}"#);
            assert_eq!(heard(event, &text).expect("said").1, Audience { role, part }, "{event} {payload}");
        }
        let own = r#"{"type":"event","event":"chat","payload":{},"recipientProfileId":"p"}"#;
        assert_eq!(heard("chat", own).expect("said").1.role, Role::Admin);
    }

    #[test]
    fn what_cannot_be_read_or_was_made_of_a_history_is_not_said() {
        assert_eq!(heard("chat", "{\"payload\":"), None);
        assert_eq!(heard("chat", r#"{"payload":{},"reconstructed":true}"#), None);
    }
}
