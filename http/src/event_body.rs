//! An envelope as JSON, and back. What agents printed travels as text when it is text, else as base 64: nothing is
//! lost either way.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use regatta_core::event::attempt::{AttemptEvent, Channel, Output, Phase};
use regatta_core::event::gateway::{Frame, GatewayEvent};
use regatta_core::{Actor, Envelope, Event, EventId, GatewayName, Kind, Seq, Stream};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

/// An envelope as it crosses the wire.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema, JsonSchema)]
pub struct EventBody {
    /// Global position.
    pub seq: Seq,
    /// The thing it is about.
    pub stream: Stream,
    /// Position in the stream, from 1.
    pub stream_seq: u64,
    /// Its identity.
    pub id: EventId,
    /// What kind of fact, by name.
    pub kind: String,
    /// The fixed number of the kind.
    pub number: Kind,
    /// Version of the payload's shape.
    pub version: u16,
    /// When, as RFC 3339 in UTC.
    pub at: String,
    /// When, in microseconds since the Unix epoch.
    pub at_us: u64,
    /// Who.
    pub actor: Actor,
    /// The event that led to this one.
    pub cause: Option<EventId>,
    /// What it all belongs to.
    pub correlation: Uuid,
    /// One line for people. It may hold control characters that came from outside.
    pub text: String,
    /// The fact itself, brought up to today's shape.
    pub payload: Payload,
}

/// A fact as JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Payload {
    /// A fact with fields.
    Fields(Value),
    /// Something an agent printed.
    Output(OutputBody),
    /// Something a gateway said.
    Frame(FrameBody),
    /// Bytes this version cannot read, in base 64.
    Opaque(String),
}

/// A piece of output as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema, JsonSchema)]
pub struct OutputBody {
    /// Under which lease.
    pub epoch: u32,
    /// By which command.
    pub phase: Phase,
    /// Where.
    pub channel: Channel,
    /// Place of the first byte.
    pub offset: u64,
    /// The bytes, when they are UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub text: Option<String>,
    /// The bytes in base 64, when they are not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub base64: Option<String>,
}

/// What a gateway said as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema, JsonSchema)]
pub struct FrameBody {
    /// Which gateway.
    pub gateway: GatewayName,
    /// Its process.
    pub boot_id: String,
    /// The connection.
    pub conn_id: String,
    /// Its place on the connection, from 1; a few have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub seq: Option<u64>,
    /// The name of the event.
    pub event: String,
    /// The whole frame as it came: JSON as text.
    pub text: String,
}

impl From<&Frame> for FrameBody {
    fn from(frame: &Frame) -> Self {
        Self {
            gateway: frame.gateway.clone(),
            boot_id: frame.boot_id.clone(),
            conn_id: frame.conn_id.clone(),
            seq: frame.seq,
            event: frame.event.clone(),
            // A WebSocket's text message is UTF-8.
            text: String::from_utf8_lossy(&frame.text).into_owned(),
        }
    }
}

impl From<&FrameBody> for Event {
    fn from(body: &FrameBody) -> Self {
        Self::Gateway(GatewayEvent::Frame(Frame {
            gateway: body.gateway.clone(),
            boot_id: body.boot_id.clone(),
            conn_id: body.conn_id.clone(),
            seq: body.seq,
            event: body.event.clone(),
            text: body.text.clone().into(),
        }))
    }
}

impl From<&Output> for OutputBody {
    fn from(output: &Output) -> Self {
        let text = str::from_utf8(&output.bytes).ok().map(str::to_owned);
        let base64 = text.is_none().then(|| BASE64.encode(&output.bytes));
        Self { epoch: output.epoch, phase: output.phase, channel: output.channel, offset: output.offset, text, base64 }
    }
}

impl From<&Envelope> for EventBody {
    fn from(envelope: &Envelope) -> Self {
        let opaque = || (envelope.version, Payload::Opaque(BASE64.encode(&envelope.payload)));
        let event = envelope.event();
        let text = event.as_ref().map_or_else(ToString::to_string, regatta_projections::timeline::line);
        let (version, payload) = match event {
            Ok(Event::Attempt(AttemptEvent::Output(output))) => (envelope.version, Payload::Output((&output).into())),
            Ok(Event::Gateway(GatewayEvent::Frame(frame))) => (envelope.version, Payload::Frame((&frame).into())),
            Ok(Event::Unknown { .. }) | Err(_) => opaque(),
            Ok(event) => {
                let (_, version, bytes) = event.encode();
                serde_json::from_slice(&bytes).map_or_else(|_| opaque(), |fields| (version, Payload::Fields(fields)))
            }
        };
        Self {
            seq: envelope.seq,
            stream: envelope.stream.clone(),
            stream_seq: envelope.stream_seq,
            id: envelope.id,
            kind: envelope.kind.to_string(),
            number: envelope.kind,
            version,
            at: rfc3339(envelope.at_us),
            at_us: envelope.at_us,
            actor: envelope.actor.clone(),
            cause: envelope.cause,
            correlation: envelope.correlation,
            text,
            payload,
        }
    }
}

/// Microseconds since the epoch as RFC 3339 in UTC.
#[must_use]
pub fn rfc3339(at_us: u64) -> String {
    let stamp = i64::try_from(at_us).ok().and_then(|us| jiff::Timestamp::from_microsecond(us).ok());
    stamp.map_or_else(|| format!("{at_us} µs"), |stamp| format!("{stamp:.6}"))
}

/// A body that does not hold what its kind promises.
#[derive(Debug, thiserror::Error)]
#[error("failed to read event {seq} of kind {kind}: {reason}")]
pub struct BodyError {
    /// Which.
    pub seq: Seq,
    /// The kind it claims.
    pub kind: String,
    /// What is wrong.
    pub reason: String,
}

impl EventBody {
    /// The fact, typed again.
    ///
    /// # Errors
    /// When the body does not hold what its kind promises.
    pub fn event(&self) -> Result<Event, BodyError> {
        let wrong = |reason: String| BodyError { seq: self.seq, kind: self.kind.clone(), reason };
        let payload: Bytes = match &self.payload {
            Payload::Output(output) => return output.event().map_err(wrong),
            Payload::Frame(frame) => return Ok(frame.into()),
            Payload::Fields(fields) => serde_json::to_vec(fields).map_err(|error| wrong(error.to_string()))?.into(),
            Payload::Opaque(base64) => BASE64.decode(base64).map_err(|error| wrong(error.to_string()))?.into(),
        };
        Event::decode(self.number, self.version, &payload).map_err(|error| wrong(error.to_string()))
    }
}

impl OutputBody {
    /// The bytes as they were printed.
    ///
    /// # Errors
    /// When neither text nor base 64 is there, or the base 64 is not.
    pub fn bytes(&self) -> Result<Bytes, String> {
        match (&self.text, &self.base64) {
            (Some(text), _) => Ok(text.clone().into()),
            (None, Some(base64)) => BASE64.decode(base64).map(Bytes::from).map_err(|error| error.to_string()),
            (None, None) => Err("no bytes".to_owned()),
        }
    }

    fn event(&self) -> Result<Event, String> {
        let bytes = self.bytes()?;
        let output = Output { epoch: self.epoch, phase: self.phase, channel: self.channel, offset: self.offset, bytes };
        Ok(Event::Attempt(AttemptEvent::Output(output)))
    }
}
