//! What surrounds a fact: where, when, who, why. Knows nothing of what the fact says.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::event::{Event, Kind};
use crate::log::journal::record::Record;
use crate::{AttemptId, Clock, GatewayName, RuleName, RunId, SandboxKey};

/// Longest stream name in bytes.
pub const STREAM_BYTES_MAX: usize = 128;
/// Longest actor name in bytes.
pub const ACTOR_BYTES_MAX: usize = 128;
/// Longest dedup key in bytes.
pub const DEDUP_BYTES_MAX: usize = 128;

/// The global position of an event, from 1. 0 is "before everything".
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, ToSchema, JsonSchema,
)]
pub struct Seq(pub u64);

impl Seq {
    /// The position after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The identity of one event (uuid v7), also its deduplication id on the bus.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema, JsonSchema)]
pub struct EventId(pub Uuid);

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Names the ordered events of one thing: `run/7q2k9x0m`, `attempt/7q2k9x0m.b`, `output/7q2k9x0m.b`, `sandbox/<key>`,
/// `delivery/7q2k9x0m`, `gateway/install`, `link/main`, `approval/main`, `rule/install`, `config/install`,
/// `user/install`, `secret/install`. Characters: `a-z0-9._/-`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "Arc<str>", into = "Arc<str>")]
pub struct Stream(Arc<str>);

/// A stream name that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a stream name (1 to 128 characters of a-z 0-9 . _ / -)")]
pub struct InvalidStream(String);

impl Stream {
    /// The stream of a run's own decisions.
    #[must_use]
    pub fn run(run: RunId) -> Self {
        Self(format!("run/{run}").into())
    }

    /// The stream of an attempt's own decisions.
    #[must_use]
    pub fn attempt(attempt: AttemptId) -> Self {
        Self(format!("attempt/{attempt}").into())
    }

    /// The stream of the raw bytes an attempt printed.
    #[must_use]
    pub fn output(attempt: AttemptId) -> Self {
        Self(format!("output/{attempt}").into())
    }

    /// The stream of one sandbox's life.
    #[must_use]
    pub fn sandbox(key: &SandboxKey) -> Self {
        Self(format!("sandbox/{key}").into())
    }

    /// The stream of a run's deliveries.
    #[must_use]
    pub fn delivery(run: RunId) -> Self {
        Self(format!("delivery/{run}").into())
    }

    /// The stream of what becomes of what a run's attempts left.
    #[must_use]
    pub fn cleaning(run: RunId) -> Self {
        Self(format!("cleaning/{run}").into())
    }

    /// The stream of this installation's configuration.
    #[must_use]
    pub fn config() -> Self {
        Self("config/install".into())
    }

    /// The stream of who may do what: users, tokens, sessions.
    #[must_use]
    pub fn users() -> Self {
        Self("user/install".into())
    }

    /// The stream of who was turned away. Its own, so that no refusal ever stands in the way of a decision.
    #[must_use]
    pub fn refusals() -> Self {
        Self("user/refused".into())
    }

    /// The stream of what the vault holds.
    #[must_use]
    pub fn secrets() -> Self {
        Self("secret/install".into())
    }

    /// The stream of who was given secrets. Its own, so that what the vault holds is read at once however often it is used.
    #[must_use]
    pub fn secret_uses() -> Self {
        Self("secret/used".into())
    }

    /// The stream of which gateways there are.
    #[must_use]
    pub fn gateways() -> Self {
        Self("gateway/install".into())
    }

    /// The stream of the connection to a gateway, with everything it said.
    #[must_use]
    pub fn link(gateway: &GatewayName) -> Self {
        Self(format!("link/{gateway}").into())
    }

    /// The stream of what agents of a gateway ask, and what became of it.
    #[must_use]
    pub fn approvals(gateway: &GatewayName) -> Self {
        Self(format!("approval/{gateway}").into())
    }

    /// The stream of which rules answer agents' questions.
    #[must_use]
    pub fn rules() -> Self {
        Self("rule/install".into())
    }

    /// The stream of what becomes of the log itself.
    #[must_use]
    pub fn log() -> Self {
        Self("log/install".into())
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<Arc<str>> for Stream {
    type Error = InvalidStream;

    fn try_from(name: Arc<str>) -> Result<Self, InvalidStream> {
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._/-".contains(&byte);
        if (1..=STREAM_BYTES_MAX).contains(&name.len()) && name.bytes().all(allowed) {
            Ok(Self(name))
        } else {
            Err(InvalidStream(name.chars().take(64).collect()))
        }
    }
}

impl TryFrom<&str> for Stream {
    type Error = InvalidStream;

    fn try_from(name: &str) -> Result<Self, InvalidStream> {
        Self::try_from(Arc::<str>::from(name))
    }
}

impl From<Stream> for Arc<str> {
    fn from(stream: Stream) -> Self {
        stream.0
    }
}

/// Who caused an event: `user:<name>`, `regatta` (our own reactions), `import`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Actor(Arc<str>);

impl Actor {
    /// Regatta's own reactions.
    #[must_use]
    pub fn regatta() -> Self {
        Self("regatta".into())
    }

    /// A person, by name; control characters are dropped, and it is cut to [`ACTOR_BYTES_MAX`].
    #[must_use]
    pub fn user(name: &str) -> Self {
        let clean: String = name.chars().filter(|c| !c.is_control()).take(ACTOR_BYTES_MAX / 4 - 8).collect();
        Self(format!("user:{clean}").into())
    }

    /// A rule that answers what people answered in advance.
    #[must_use]
    pub fn rule(name: &RuleName) -> Self {
        Self(format!("rule:{name}").into())
    }

    /// An actor as it was written.
    #[must_use]
    pub fn recorded(text: &str) -> Self {
        Self(text.into())
    }

    /// The actor as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

crate::text_schema! {
    Stream "^[a-z0-9._/-]{1,128}$" "run/7q2k9x0m"
    Actor "^.{1,128}$" "user:ada"
}

/// An event about to be appended. The log adds `seq` and `stream_seq`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// Its identity.
    pub id: EventId,
    /// What kind of fact, and the version of its payload.
    pub kind: Kind,
    /// Version of the payload's shape.
    pub version: u16,
    /// When, in microseconds since the Unix epoch.
    pub at_us: u64,
    /// Who.
    pub actor: Actor,
    /// The event that led to this one.
    pub cause: Option<EventId>,
    /// What it all belongs to: for a run, the id of its `run.requested`.
    pub correlation: Uuid,
    /// A repeated append with the same key in the same stream returns the first answer and writes nothing.
    pub dedup: Option<Arc<str>>,
    /// The fact itself: JSON bytes, or the frozen bincode struct of a hot kind.
    pub payload: Bytes,
}

impl Draft {
    /// A fact as of now, with nothing that led to it and no dedup key.
    #[must_use]
    pub fn new(event: &Event, clock: &dyn Clock, actor: Actor, correlation: Uuid) -> Self {
        let (kind, version, payload) = event.encode();
        let (id, at_us) = (clock.event_id(), clock.now_us());
        Self { id, kind, version, at_us, actor, cause: None, correlation, dedup: None, payload }
    }
}

/// A fact with everything around it, as read from the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// Global position.
    pub seq: Seq,
    /// The thing it is about.
    pub stream: Stream,
    /// Position in the stream, from 1.
    pub stream_seq: u64,
    /// Its identity.
    pub id: EventId,
    /// What kind of fact.
    pub kind: Kind,
    /// Version of the payload's shape.
    pub version: u16,
    /// When, in microseconds since the Unix epoch.
    pub at_us: u64,
    /// Who.
    pub actor: Actor,
    /// The event that led to this one.
    pub cause: Option<EventId>,
    /// What it all belongs to.
    pub correlation: Uuid,
    /// The deduplication key it was appended under.
    pub dedup: Option<Arc<str>>,
    /// The fact itself, as stored.
    pub payload: Bytes,
}

impl Envelope {
    /// Reads the fact, brought up to today's version.
    ///
    /// # Errors
    /// When a known kind's payload does not have the shape its version promises. Unknown kinds are no error: they
    /// come back as [`Event::Unknown`].
    pub fn event(&self) -> Result<Event, crate::event::DecodeError> {
        Event::decode(self.kind, self.version, &self.payload)
    }
}

/// A fact with everything around it, as it stands in the journal: nothing of it was copied or looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EnvelopeRef<'a> {
    /// Global position.
    pub seq: Seq,
    /// The thing it is about, by the name of its [`Stream`].
    pub stream: &'a str,
    /// Position in the stream, from 1.
    pub stream_seq: u64,
    /// Its identity.
    pub id: EventId,
    /// What kind of fact.
    pub kind: Kind,
    /// Version of the payload's shape.
    pub version: u16,
    /// When, in microseconds since the Unix epoch.
    pub at_us: u64,
    /// Who.
    pub actor: &'a str,
    /// The event that led to this one.
    pub cause: Option<EventId>,
    /// What it all belongs to.
    pub correlation: Uuid,
    /// The deduplication key it was appended under.
    pub dedup: Option<&'a str>,
    /// The fact itself, as stored.
    pub payload: &'a [u8],
}

impl<'a> EnvelopeRef<'a> {
    /// A record at its place.
    pub(crate) fn of(seq: u64, record: &Record<'a>) -> Self {
        Self {
            seq: Seq(seq),
            stream: record.stream,
            stream_seq: record.stream_seq,
            id: EventId(Uuid::from_bytes(record.id)),
            kind: Kind(record.kind),
            version: record.version,
            at_us: record.at_us,
            actor: record.actor,
            cause: record.cause.map(|cause| EventId(Uuid::from_bytes(cause))),
            correlation: Uuid::from_bytes(record.correlation),
            dedup: record.dedup,
            payload: record.payload,
        }
    }

    /// Reads the fact, brought up to today's version.
    ///
    /// # Errors
    /// As [`Envelope::event`].
    pub fn event(&self) -> Result<Event, crate::event::DecodeError> {
        Event::decode(self.kind, self.version, &Bytes::copy_from_slice(self.payload))
    }
}
