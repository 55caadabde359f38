//! One line of an export: an event, or the end.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::log::journal::record::Record;
use crate::{Actor, Draft, EventId, Kind, Stream};

/// How exports are written: 2 says in its first line that the last one is an [`End`]. The first exports said nothing.
pub(super) const FORMAT: u8 = 2;

/// One event as a line.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Line {
    pub(super) seq: u64,
    pub(super) stream: Stream,
    pub(super) stream_seq: u64,
    pub(super) id: Uuid,
    pub(super) kind: u16,
    /// The kind's name, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    version: u16,
    at_us: u64,
    actor: Actor,
    cause: Option<Uuid>,
    correlation: Uuid,
    dedup: Option<Arc<str>>,
    /// How many events of the same append follow.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) more: u16,
    /// The payload when it is JSON; its text is kept as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    payload: Option<Box<RawValue>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    payload_base64: Option<String>,
    /// The format of the export that begins with this line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) export: Option<u8>,
}

/// The last line of an export, so that one that was cut off is not taken for a whole one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct End {
    /// The last event.
    pub(super) end: u64,
    /// How many there are in this export.
    pub(super) events: u64,
}

fn is_zero(more: &u16) -> bool {
    *more == 0
}

impl Line {
    pub(super) fn of(seq: u64, record: &Record<'_>) -> Result<Self, String> {
        let payload = as_json(record.payload);
        let payload_base64 = payload.is_none().then(|| BASE64.encode(record.payload));
        Ok(Self {
            seq,
            stream: Stream::try_from(record.stream).map_err(|error| error.to_string())?,
            stream_seq: record.stream_seq,
            id: Uuid::from_bytes(record.id),
            kind: record.kind,
            name: Kind(record.kind).name().map(str::to_owned),
            version: record.version,
            at_us: record.at_us,
            actor: Actor::recorded(record.actor),
            cause: record.cause.map(Uuid::from_bytes),
            correlation: Uuid::from_bytes(record.correlation),
            dedup: record.dedup.map(Arc::from),
            more: record.more,
            payload,
            payload_base64,
            export: None,
        })
    }

    pub(super) fn draft(self) -> Result<Draft, String> {
        let kind = Kind(self.kind);
        if self.name.as_deref().is_some_and(|name| kind.name().is_some_and(|known| known != name)) {
            return Err(format!("kind {} is {kind}, not {}", self.kind, self.name.unwrap_or_default()));
        }
        let payload = match (self.payload, self.payload_base64) {
            (Some(json), None) => Bytes::copy_from_slice(json.get().as_bytes()),
            (None, Some(text)) => BASE64.decode(text).map_err(|error| format!("payload_base64: {error}"))?.into(),
            (Some(_), Some(_)) | (None, None) => return Err("exactly one of payload and payload_base64".to_owned()),
        };
        let Self { id, version, at_us, actor, cause, correlation, dedup, .. } = self;
        let (id, cause) = (EventId(id), cause.map(EventId));
        Ok(Draft { id, kind, version, at_us, actor, cause, correlation, dedup, payload })
    }
}

/// The payload as JSON text, when it is such and comes back from a line byte for byte. `null` would come back as
/// absent.
fn as_json(payload: &[u8]) -> Option<Box<RawValue>> {
    let text = str::from_utf8(payload).ok().filter(|text| *text != "null" && !text.contains(['\n', '\r']))?;
    RawValue::from_string(text.to_owned()).ok().filter(|json| json.get() == text)
}
