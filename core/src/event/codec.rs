//! How a fact becomes bytes and back. JSON for all but the hot kinds, whose frozen bincode structs stand here.
//!
//! Old versions are brought up to date by [`super::upcast`] before they are read.

use bytes::Bytes;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::attempt::{Channel, Output, Phase};
use super::gateway::Frame;
use super::{
    ApprovalEvent, AttemptEvent, CleaningEvent, ConfigEvent, DeliveryEvent, Event, GatewayEvent, Kind, LogEvent,
    RuleEvent, RunEvent, SandboxEvent, SecretEvent, UserEvent, upcast,
};

/// A payload that does not have the shape its kind and version promise.
#[derive(Debug, thiserror::Error)]
#[error("failed to read the payload of {kind} version {version}: {reason}")]
pub struct DecodeError {
    /// The kind it claims.
    pub kind: Kind,
    /// The version it claims.
    pub version: u16,
    /// What is wrong.
    pub reason: String,
}

/// The frozen shape of `attempt.output` version 1. Never edit; a new shape is a new version.
#[derive(Serialize, Deserialize)]
struct OutputV1<'a> {
    epoch: u32,
    /// 0 setup, 1 agent, 2 check.
    phase: u8,
    check: u16,
    /// 0 out, 1 err.
    channel: u8,
    offset: u64,
    #[serde(borrow, with = "serde_bytes")]
    bytes: &'a [u8],
}

/// The frozen shape of `gateway.frame` version 1. Never edit; a new shape is a new version.
#[derive(Serialize, Deserialize)]
struct FrameV1<'a> {
    gateway: &'a str,
    boot_id: &'a str,
    conn_id: &'a str,
    /// 0 when it has none.
    seq: u64,
    event: &'a str,
    #[serde(borrow, with = "serde_bytes")]
    text: &'a [u8],
}

/// Fixed-width little-endian integers, no trailing bytes: what bincode 1.3 `DefaultOptions` with fixint writes.
fn options() -> impl bincode::Options {
    use bincode::Options as _;
    bincode::DefaultOptions::new().with_fixint_encoding().reject_trailing_bytes().with_limit(64 << 20)
}

impl Output {
    fn to_bytes(&self) -> Bytes {
        use bincode::Options as _;
        let (phase, check) = match self.phase {
            Phase::Setup => (0, 0),
            Phase::Agent => (1, 0),
            Phase::Check(index) => (2, index),
        };
        let channel = match self.channel {
            Channel::Out => 0,
            Channel::Err => 1,
        };
        let frozen = OutputV1 { epoch: self.epoch, phase, check, channel, offset: self.offset, bytes: &self.bytes };
        #[expect(clippy::expect_used, reason = "a struct of integers and bounded bytes always serializes")]
        options().serialize(&frozen).expect("output fits the limit").into()
    }

    fn from_bytes(payload: &Bytes) -> Result<Self, String> {
        use bincode::Options as _;
        let frozen: OutputV1<'_> = options().deserialize(payload).map_err(|error| error.to_string())?;
        let phase = match (frozen.phase, frozen.check) {
            (0, _) => Phase::Setup,
            (1, _) => Phase::Agent,
            (2, index) => Phase::Check(index),
            (other, _) => return Err(format!("phase {other}")),
        };
        let channel = match frozen.channel {
            0 => Channel::Out,
            1 => Channel::Err,
            other => return Err(format!("channel {other}")),
        };
        let bytes = payload.slice_ref(frozen.bytes);
        Ok(Self { epoch: frozen.epoch, phase, channel, offset: frozen.offset, bytes })
    }
}

impl Frame {
    fn to_bytes(&self) -> Bytes {
        use bincode::Options as _;
        let frozen = FrameV1 {
            gateway: self.gateway.as_str(),
            boot_id: &self.boot_id,
            conn_id: &self.conn_id,
            seq: self.seq.unwrap_or(0),
            event: &self.event,
            text: &self.text,
        };
        #[expect(clippy::expect_used, reason = "a struct of integers and bounded bytes always serializes")]
        options().serialize(&frozen).expect("a frame fits the limit").into()
    }

    fn from_bytes(payload: &Bytes) -> Result<Self, String> {
        use bincode::Options as _;
        let frozen: FrameV1<'_> = options().deserialize(payload).map_err(|error| error.to_string())?;
        Ok(Self {
            gateway: frozen.gateway.parse().map_err(|error| format!("{error}"))?,
            boot_id: frozen.boot_id.to_owned(),
            conn_id: frozen.conn_id.to_owned(),
            seq: Some(frozen.seq).filter(|seq| *seq > 0),
            event: frozen.event.to_owned(),
            text: payload.slice_ref(frozen.text),
        })
    }
}

fn json<T: Serialize>(payload: &T) -> Bytes {
    #[expect(clippy::expect_used, reason = "our payloads have string keys and derived impls, so they always serialize")]
    serde_json::to_vec(payload).expect("payload serializes").into()
}

/// One row per kind: number, version written today, family and variant.
macro_rules! json_kinds {
    ($($kind:ident $version:literal $family:ident $enum:ident :: $variant:ident)*) => {
        fn encode_json(event: &Event) -> Option<(Kind, u16, Bytes)> {
            match event {
                $(Event::$family($enum::$variant(payload)) => Some((Kind::$kind, $version, json(payload))),)*
                Event::Attempt(AttemptEvent::Output(_))
                | Event::Gateway(GatewayEvent::Frame(_))
                | Event::Unknown { .. } => None,
            }
        }

        fn decode_json(kind: Kind, payload: &[u8]) -> Option<Result<Event, serde_json::Error>> {
            Some(match kind {
                $(Kind::$kind => read(payload).map(|payload| Event::$family($enum::$variant(payload))),)*
                _ => return None,
            })
        }

        /// The shape of each JSON kind's payload, as it is written today.
        fn payload_schemas_json(generator: &mut SchemaGenerator) -> Vec<(Kind, u16, Schema)> {
            vec![$((Kind::$kind, $version, shape($enum::$variant, generator))),*]
        }

        /// The version written today of each JSON kind.
        pub(super) const JSON_VERSIONS: &[(Kind, u16)] = &[$((Kind::$kind, $version)),*];
    };
}

/// The shape of what a constructor takes.
fn shape<T: JsonSchema, E>(_: fn(T) -> E, generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

/// The shape of every kind's payload that is written as JSON, with the version written today: all but the hot kinds.
pub fn payload_schemas(generator: &mut SchemaGenerator) -> Vec<(Kind, u16, Schema)> {
    payload_schemas_json(generator)
}

fn read<T: DeserializeOwned>(payload: &[u8]) -> Result<T, serde_json::Error> {
    serde_json::from_slice(payload)
}

json_kinds! {
    RUN_REQUESTED             1 Run      RunEvent::Requested
    RUN_PREPARED              1 Run      RunEvent::Prepared
    RUN_ATTEMPT_ENDED         1 Run      RunEvent::AttemptEnded
    RUN_DECIDED               2 Run      RunEvent::Decided
    RUN_CANCEL_REQUESTED      1 Run      RunEvent::CancelRequested
    RUN_FINISHED              1 Run      RunEvent::Finished
    RUN_SYNTHESIS_REQUESTED   1 Run      RunEvent::SynthesisRequested
    RUN_ATTEMPT_DISCARDED     1 Run      RunEvent::AttemptDiscarded
    RUN_DISCARD_UNDONE        1 Run      RunEvent::DiscardUndone
    ATTEMPT_QUEUED            1 Attempt  AttemptEvent::Queued
    ATTEMPT_WAITING           1 Attempt  AttemptEvent::Waiting
    ATTEMPT_STARTED           1 Attempt  AttemptEvent::Started
    ATTEMPT_PHASE_STARTED     1 Attempt  AttemptEvent::PhaseStarted
    ATTEMPT_PHASE_ENDED       1 Attempt  AttemptEvent::PhaseEnded
    ATTEMPT_COLLECTED         1 Attempt  AttemptEvent::Collected
    ATTEMPT_RETRY_SCHEDULED   1 Attempt  AttemptEvent::RetryScheduled
    ATTEMPT_CANCEL_REQUESTED  1 Attempt  AttemptEvent::CancelRequested
    ATTEMPT_FINISHED          1 Attempt  AttemptEvent::Finished
    ATTEMPT_ARTIFACTS_COLLECTED 1 Attempt AttemptEvent::ArtifactsCollected
    SANDBOX_INTENDED          1 Sandbox  SandboxEvent::Intended
    SANDBOX_CREATED           1 Sandbox  SandboxEvent::Created
    SANDBOX_FAILED            1 Sandbox  SandboxEvent::Failed
    SANDBOX_DESTROYED         1 Sandbox  SandboxEvent::Destroyed
    SANDBOX_REAPED            1 Sandbox  SandboxEvent::Reaped
    GATEWAY_ADDED             1 Gateway  GatewayEvent::Added
    GATEWAY_REMOVED           1 Gateway  GatewayEvent::Removed
    GATEWAY_RESTATED          1 Gateway  GatewayEvent::Restated
    GATEWAY_CONNECTED         1 Gateway  GatewayEvent::Connected
    GATEWAY_DISCONNECTED      1 Gateway  GatewayEvent::Disconnected
    GATEWAY_STOPPED           1 Gateway  GatewayEvent::Stopped
    GATEWAY_MISSED            1 Gateway  GatewayEvent::Missed
    GATEWAY_CALLED            1 Gateway  GatewayEvent::Called
    APPROVAL_REQUESTED        1 Approval ApprovalEvent::Requested
    APPROVAL_ANSWERED         1 Approval ApprovalEvent::Answered
    APPROVAL_ANSWER_FAILED    1 Approval ApprovalEvent::AnswerFailed
    APPROVAL_RESOLVED         1 Approval ApprovalEvent::Resolved
    APPROVAL_EXPIRED          1 Approval ApprovalEvent::Expired
    APPROVAL_CANCELLED        1 Approval ApprovalEvent::Cancelled
    APPROVAL_ESCALATED        1 Approval ApprovalEvent::Escalated
    APPROVAL_RULE_ADDED       1 Rule     RuleEvent::Added
    APPROVAL_RULE_REMOVED     1 Rule     RuleEvent::Removed
    APPROVAL_RULES_RESTATED   1 Rule     RuleEvent::Restated
    SANDBOX_ENTERED           1 Sandbox  SandboxEvent::Entered
    SANDBOX_FORKED            1 Sandbox  SandboxEvent::Forked
    SANDBOX_FORK_ENDED        1 Sandbox  SandboxEvent::ForkEnded
    DELIVERY_INTENDED         1 Delivery DeliveryEvent::Intended
    DELIVERY_DELIVERED        1 Delivery DeliveryEvent::Delivered
    DELIVERY_FAILED           1 Delivery DeliveryEvent::Failed
    CONFIG_APPLIED            1 Config   ConfigEvent::Applied
    CONFIG_CHANGED            1 Config   ConfigEvent::Changed
    USER_ADDED                1 User     UserEvent::Added
    USER_ROLE_CHANGED         1 User     UserEvent::RoleChanged
    USER_REMOVED              1 User     UserEvent::Removed
    USER_TOKEN_ISSUED         1 User     UserEvent::TokenIssued
    USER_TOKEN_REVOKED        1 User     UserEvent::TokenRevoked
    USER_TOKEN_EXPIRED        1 User     UserEvent::TokenExpired
    USER_TOKEN_USED           1 User     UserEvent::TokenUsed
    USER_SIGNED_IN            1 User     UserEvent::SignedIn
    USER_SIGNED_OUT           1 User     UserEvent::SignedOut
    USER_REFUSED              1 User     UserEvent::Refused
    USER_RESTATED             1 User     UserEvent::Restated
    SECRET_SET                1 Secret   SecretEvent::Set
    SECRET_REMOVED            1 Secret   SecretEvent::Removed
    SECRET_ALLOWED            1 Secret   SecretEvent::Allowed
    SECRET_ROTATED            1 Secret   SecretEvent::Rotated
    SECRET_USED               1 Secret   SecretEvent::Used
    LOG_RELEASED              1 Log      LogEvent::Released
    CLEANING_REQUESTED        1 Cleaning CleaningEvent::Requested
    CLEANING_ARCHIVED         1 Cleaning CleaningEvent::Archived
    CLEANING_REMOVED          1 Cleaning CleaningEvent::Removed
    CLEANING_RETURNED         1 Cleaning CleaningEvent::Returned
    CLEANING_FORGOTTEN        1 Cleaning CleaningEvent::Forgotten
    CLEANING_FAILED           1 Cleaning CleaningEvent::Failed
}

/// The version written today of `attempt.output`.
const OUTPUT_VERSION: u16 = 1;
/// The version written today of `gateway.frame`.
const FRAME_VERSION: u16 = 1;

impl Event {
    /// The fact as bytes: kind, version of the shape, payload.
    #[must_use]
    pub fn encode(&self) -> (Kind, u16, Bytes) {
        match self {
            Self::Attempt(AttemptEvent::Output(output)) => (Kind::ATTEMPT_OUTPUT, OUTPUT_VERSION, output.to_bytes()),
            Self::Gateway(GatewayEvent::Frame(frame)) => (Kind::GATEWAY_FRAME, FRAME_VERSION, frame.to_bytes()),
            Self::Unknown { kind, version, payload } => (*kind, *version, payload.clone()),
            Self::Run(_)
            | Self::Attempt(_)
            | Self::Sandbox(_)
            | Self::Gateway(_)
            | Self::Approval(_)
            | Self::Rule(_)
            | Self::Delivery(_)
            | Self::Config(_)
            | Self::User(_)
            | Self::Secret(_)
            | Self::Log(_)
            | Self::Cleaning(_) =>
            {
                #[expect(clippy::expect_used, reason = "every other kind stands in the table above; a test walks it")]
                encode_json(self).expect("kind has a row")
            }
        }
    }

    /// Reads a fact, bringing an old version up to date. Unknown kinds and versions from the future come back as
    /// [`Event::Unknown`].
    ///
    /// # Errors
    /// When a known kind's payload does not have the shape its version promises.
    pub fn decode(kind: Kind, version: u16, payload: &Bytes) -> Result<Self, DecodeError> {
        let wrong = |reason: String| DecodeError { kind, version, reason };
        let unknown = || Self::Unknown { kind, version, payload: payload.clone() };
        if kind == Kind::ATTEMPT_OUTPUT {
            return if version == OUTPUT_VERSION {
                Output::from_bytes(payload).map(|output| Self::Attempt(AttemptEvent::Output(output))).map_err(wrong)
            } else {
                Ok(unknown())
            };
        }
        if kind == Kind::GATEWAY_FRAME {
            return if version == FRAME_VERSION {
                Frame::from_bytes(payload).map(|frame| Self::Gateway(GatewayEvent::Frame(frame))).map_err(wrong)
            } else {
                Ok(unknown())
            };
        }
        let Some((_, today)) = JSON_VERSIONS.iter().find(|(known, _)| *known == kind) else {
            return Ok(unknown());
        };
        if version > *today {
            return Ok(unknown());
        }
        let upcast;
        let payload_today: &[u8] = if version == *today {
            payload
        } else {
            upcast = upcast::to_today(upcast::STEPS, kind, version, *today, payload).map_err(wrong)?;
            &upcast
        };
        match decode_json(kind, payload_today) {
            Some(result) => result.map_err(|error| wrong(error.to_string())),
            None => Ok(unknown()),
        }
    }
}
