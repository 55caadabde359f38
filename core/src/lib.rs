//! Facts and how they are kept: events, envelopes, the log, blobs, ids and time; and the vault, for what must not be a fact.
//!
//! This crate knows nothing of sandboxes, agents, dispatch or views. It imports none of our other crates.

pub mod asks;
mod begun;
pub mod blob;
pub mod bus;
pub mod cleaning;
pub mod clock;
pub mod envelope;
pub mod event;
pub mod id;
pub mod log;
pub mod refusal;
mod schema;
pub mod transcript;
pub mod vault;

pub use asks::Asks;
pub use begun::to_the_end;
pub use blob::{BlobRef, Blobs};
pub use clock::{Clock, SystemClock};
pub use envelope::{Actor, Draft, Envelope, EventId, Seq, Stream};
pub use event::{Event, Kind};
pub use id::{ApprovalId, AttemptId, GatewayName, InstallId, RuleName, RunId, SandboxKey, Slot, ThreadId};
pub use log::{Append, AppendError, Appended, DurableLog, Expect, Log, ReadError, ReadMax};
pub use refusal::{Refusal, RefusalKind};
pub use transcript::{HeardRows, RowPlace};
pub use vault::{SecretName, SecretString, Vault, VaultError};
