//! Frames: one JSON object per WebSocket text message. Reads the few fields that say what a frame is and leaves its
//! payload as it came; knows nothing of what payloads mean.
//!
//! Payloads are open: fields this does not know are kept, because the text itself is kept. Nesting in a payload costs no
//! stack, since payloads are skipped and not parsed.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// Most bytes of a frame, in either direction: what the gateway itself allows after `connect` (`policy.maxPayload`).
pub const FRAME_BYTES_MAX: usize = 26_214_400;
/// Most bytes of a name a frame carries: an id, an event's name, an error's code.
const NAME_BYTES_MAX: usize = 512;

/// What a text turned out to be. Borrows from it.
#[derive(Debug)]
pub enum Decoded<'a> {
    /// Something happened.
    Event {
        /// What and where in the connection's order.
        head: EventHead<'a>,
        /// As it came; nothing when there was none.
        payload: Option<&'a RawValue>,
    },
    /// The answer to a call.
    Response(ResponseHead<'a>),
}

/// What an event frame says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventHead<'a> {
    /// Its name; the set is open.
    pub event: Cow<'a, str>,
    /// Its place on this connection, from 1 on; a few events have none.
    pub seq: Option<u64>,
    /// Versions of presence and health in this gateway process, where it names them.
    pub state_version: Option<StateVersion>,
}

/// The answer to a call.
#[derive(Debug)]
pub struct ResponseHead<'a> {
    /// The id the caller gave; `invalid` when the gateway could not read the call.
    pub id: Cow<'a, str>,
    /// The payload, or why not.
    pub outcome: Result<Option<&'a RawValue>, RpcError>,
}

/// Versions of two snapshots, counted in one gateway process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateVersion {
    /// Of who is there.
    pub presence: u64,
    /// Of the gateway's health.
    pub health: u64,
}

/// Why a call was not done, as the gateway says it. Its text may be shown to a person.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "camelCase")]
#[error("{message}")]
pub struct RpcError {
    /// A coarse code, nearly always `INVALID_REQUEST`; [`Self::detail`] says more.
    pub code: String,
    /// For people.
    pub message: String,
    /// What went wrong, in an open shape.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<serde_json::Value>,
    /// Whether the same call may succeed later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retryable: Option<bool>,
    /// When to try again, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}

impl RpcError {
    /// The fine code: `details.code`, else `details.reason`. What to branch on.
    #[must_use]
    pub fn detail(&self) -> Option<&str> {
        self.detail_text("code").or_else(|| self.detail_text("reason"))
    }

    /// A field of the details that is text.
    #[must_use]
    pub fn detail_text(&self, field: &str) -> Option<&str> {
        self.details.as_ref()?.get(field)?.as_str()
    }
}

/// Why a text is not a frame a gateway may send.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Larger than [`FRAME_BYTES_MAX`].
    #[error("a frame has {0} bytes, at most {FRAME_BYTES_MAX} are read")]
    TooLarge(usize),
    /// Not JSON, or a field has another type than the protocol's.
    #[error("a frame cannot be read: {0}")]
    Malformed(String),
    /// A `type` this protocol does not have.
    #[error("a frame has the type {0:?}; the gateway may be newer than this version of regatta")]
    UnknownType(String),
    /// Something the type must have is missing.
    #[error("a frame of type {kind} has no {field}")]
    Missing {
        /// The frame's type.
        kind: &'static str,
        /// What is missing.
        field: &'static str,
    },
    /// A name is longer than any real one.
    #[error("a frame's {field} has {bytes} bytes, at most {NAME_BYTES_MAX} are read")]
    LongName {
        /// Which.
        field: &'static str,
        /// Its size.
        bytes: usize,
    },
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    event: Option<Cow<'a, str>>,
    #[serde(borrow)]
    id: Option<Cow<'a, str>>,
    ok: Option<bool>,
    seq: Option<u64>,
    state_version: Option<StateVersion>,
    #[serde(borrow)]
    payload: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

/// Reads what a frame says about itself.
///
/// # Errors
/// When it is not one, or larger than allowed.
pub fn decode(text: &str) -> Result<Decoded<'_>, FrameError> {
    if text.len() > FRAME_BYTES_MAX {
        return Err(FrameError::TooLarge(text.len()));
    }
    let wire: Wire<'_> = serde_json::from_str(text).map_err(malformed)?;
    match &*wire.kind {
        "event" => event(wire),
        "res" => response(wire),
        other => Err(FrameError::UnknownType(other.chars().take(40).collect())),
    }
}

fn malformed(error: serde_json::Error) -> FrameError {
    // serde_json's text names a place and a kind of mistake, never the content.
    FrameError::Malformed(format!("{} at byte {}", category(&error), error.column()))
}

fn category(error: &serde_json::Error) -> &'static str {
    match error.classify() {
        serde_json::error::Category::Io => "it could not be read",
        serde_json::error::Category::Syntax => "it is not JSON",
        serde_json::error::Category::Data => "a field has another type than expected",
        serde_json::error::Category::Eof => "it is cut off",
    }
}

fn event(wire: Wire<'_>) -> Result<Decoded<'_>, FrameError> {
    let event = named("event", "event", wire.event)?;
    let head = EventHead { event, seq: wire.seq, state_version: wire.state_version };
    Ok(Decoded::Event { head, payload: wire.payload })
}

fn response(wire: Wire<'_>) -> Result<Decoded<'_>, FrameError> {
    let id = named("res", "id", wire.id)?;
    let missing = |field| FrameError::Missing { kind: "res", field };
    let outcome = if wire.ok.ok_or_else(|| missing("ok"))? {
        Ok(wire.payload)
    } else {
        let error = wire.error.ok_or_else(|| missing("error"))?;
        Err(serde_json::from_str(error.get()).map_err(malformed)?)
    };
    Ok(Decoded::Response(ResponseHead { id, outcome }))
}

fn named<'a>(kind: &'static str, field: &'static str, name: Option<Cow<'a, str>>) -> Result<Cow<'a, str>, FrameError> {
    let name = name.ok_or(FrameError::Missing { kind, field })?;
    if name.len() > NAME_BYTES_MAX { Err(FrameError::LongName { field, bytes: name.len() }) } else { Ok(name) }
}

/// A call as text. Closed schemas: nothing may be added to `params`.
#[derive(Serialize)]
pub(crate) struct Request<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    id: &'a str,
    method: &'a str,
    params: &'a RawValue,
}

impl<'a> Request<'a> {
    pub(crate) fn new(id: &'a str, method: &'a str, params: &'a RawValue) -> Self {
        Self { kind: "req", id, method, params }
    }

    pub(crate) fn text(&self) -> Result<String, FrameError> {
        let text = serde_json::to_string(self).map_err(malformed)?;
        if text.len() > FRAME_BYTES_MAX { Err(FrameError::TooLarge(text.len())) } else { Ok(text) }
    }
}
