//! Every fact Regatta records, one file per family. A closed enum, past tense, facts only.
//!
//! Money is integer micro-dollars, time is integer µs or ms with the unit in the name. How a fact becomes bytes is in
//! [`codec`]; how old bytes become today's fact is in [`upcast`]. Knows nothing of who decides or who looks.

pub mod approval;
pub mod attempt;
pub mod cleaning;
pub mod codec;
pub mod config;
pub mod delivery;
pub mod gateway;
mod kind;
pub mod log;
pub mod rule;
pub mod run;
pub mod sandbox;
pub mod secret;
pub mod upcast;
pub mod user;

use bytes::Bytes;

use crate::BlobRef;

pub use approval::ApprovalEvent;
pub use attempt::AttemptEvent;
pub use cleaning::CleaningEvent;
pub use codec::DecodeError;
pub use config::ConfigEvent;
pub use delivery::DeliveryEvent;
pub use gateway::GatewayEvent;
pub use kind::Kind;
pub use log::LogEvent;
pub use rule::RuleEvent;
pub use run::RunEvent;
pub use sandbox::SandboxEvent;
pub use secret::SecretEvent;
pub use user::UserEvent;

use run::Prompt;

/// A fact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// About a run as a whole.
    Run(RunEvent),
    /// About one attempt.
    Attempt(AttemptEvent),
    /// About the place an attempt runs in.
    Sandbox(SandboxEvent),
    /// About a gateway and the connection to it.
    Gateway(GatewayEvent),
    /// About what an agent asks a person.
    Approval(ApprovalEvent),
    /// About answers to such questions in advance.
    Rule(RuleEvent),
    /// About bringing the winner to its target.
    Delivery(DeliveryEvent),
    /// About this installation's configuration.
    Config(ConfigEvent),
    /// About who may do what.
    User(UserEvent),
    /// About the vault.
    Secret(SecretEvent),
    /// About the log itself.
    Log(LogEvent),
    /// About what attempts left being moved out of the way, and back.
    Cleaning(CleaningEvent),
    /// A kind this version does not know. Kept as it came, never dropped.
    Unknown {
        /// The number of the kind.
        kind: Kind,
        /// Version of the payload's shape.
        version: u16,
        /// The payload as stored.
        payload: Bytes,
    },
}

impl Event {
    /// Every blob it names, with what it is to the event's subject.
    #[must_use]
    pub fn blobs(&self) -> Vec<(&BlobRef, &'static str)> {
        match self {
            Self::Run(RunEvent::Requested(requested)) => match &requested.prompt {
                Prompt::Blob(blob) => vec![(blob, "its prompt")],
                Prompt::Inline(_) => vec![],
            },
            Self::Run(RunEvent::SynthesisRequested(synthesis)) => vec![(&synthesis.patch, "what was put together")],
            Self::Attempt(AttemptEvent::Collected(collected)) => {
                collected.patch.iter().map(|patch| (patch, "its patch")).collect()
            }
            Self::Attempt(AttemptEvent::ArtifactsCollected(collected)) => {
                collected.artifacts.iter().map(|artifact| (&artifact.blob, "an artifact")).collect()
            }
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
            | Self::Cleaning(_)
            | Self::Unknown { .. } => vec![],
        }
    }
}

macro_rules! from_family {
    ($($family:ident($event:ident))*) => {$(
        impl From<$event> for Event {
            fn from(event: $event) -> Self { Self::$family(event) }
        }
    )*};
}
from_family! { Run(RunEvent) Attempt(AttemptEvent) Sandbox(SandboxEvent) Gateway(GatewayEvent) Approval(ApprovalEvent) Rule(RuleEvent) Delivery(DeliveryEvent) Config(ConfigEvent) User(UserEvent) Secret(SecretEvent) Log(LogEvent) Cleaning(CleaningEvent) }
