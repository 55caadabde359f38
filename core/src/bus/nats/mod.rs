//! NATS JetStream beside the log: a [`Relay`] publishes every event to one stream, and [`mirror`] reads them back. The
//! log stays the truth; what is in NATS can always be made again from it, and the other way round.

mod follow;
mod foreign;
pub mod mirror;
mod order;
mod relay;
mod restore;
mod server;
mod stock;
mod subject;
pub mod witness;

use std::path::PathBuf;

use crate::log::{IndexError, ReadError};
use crate::{EventId, Seq};

pub use follow::Follower;
pub use mirror::{Events, Mirror, Mirrored, Skipped};
pub use relay::Relay;
pub use restore::{Restored, Wanted, restore};
pub use server::Server;
pub use subject::{filter, subject};

/// The JetStream stream that holds the events of every install.
pub const STREAM: &str = "REGATTA_EVENTS";
/// What the stream listens to.
pub const SUBJECTS: &str = "regatta.*.events.>";
/// The event's number, so that a look at the headers is enough to know what is there.
const SEQ_HEADER: &str = "Regatta-Seq";
/// With the last event of a block: its place in the chain of hashes, so that it can be proved and made again.
const LINK_HEADER: &str = "Regatta-Block";

/// What goes wrong between the log and NATS.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file with credentials or certificates.
    #[error("failed to read {path}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A credential that the configuration names.
    #[error(transparent)]
    Credential(#[from] crate::vault::CredentialError),
    /// NATS, or the way to it.
    #[error("failed to {what}: {reason}")]
    Nats {
        /// What was tried.
        what: &'static str,
        /// Why it failed, without secrets.
        reason: String,
    },
    /// The connection ended.
    #[error("the connection to NATS was lost")]
    Lost,
    /// Somebody, or a limit, took messages out of the stream.
    #[error("messages were removed from the stream: what it holds is compared with the log again")]
    Removed,
    /// An event that was removed from the stream, or whose id another message took, cannot be published yet.
    #[error(
        "event {seq} is not in the stream, but the server still knows its id and takes it for published: tried again \
         until it forgets (its duplicate_window, 30 s)"
    )]
    StillKnown {
        /// The event.
        seq: Seq,
    },
    /// A message cannot be published to this server, ever.
    #[error("event {seq} is a message of {bytes} bytes, but the server takes {max}: raise its max_payload")]
    TooLarge {
        /// The event.
        seq: Seq,
        /// Size of its message.
        bytes: usize,
        /// What the server takes.
        max: usize,
    },
    /// The stream has what the log has not.
    #[error(
        "the stream holds event {seq} as {there}, and this log does not: two logs publish as one install, or this one \
         was restored from before; restore it anew (regatta log restore), or remove the stream's messages of this install"
    )]
    Foreign {
        /// The event's number.
        seq: Seq,
        /// Its id in the stream.
        there: String,
    },
    /// An event is not in the stream.
    #[error("event {seq} is missing in the stream{}", after(*.next))]
    Missing {
        /// The event.
        seq: Seq,
        /// The next one that is there, and its message.
        next: Option<(Seq, u64)>,
    },
    /// Events of the stream are not what the chain of hashes says.
    #[error("the stream does not hold the log that was lost: {0}")]
    Unchained(String),
    /// Two events of the stream claim one place, or too many are out of order.
    #[error("the stream does not hold one log: {0}")]
    Disordered(String),
    /// The stream has events of several installs, or of none.
    #[error("{0}")]
    Install(String),
    /// The log could not be read.
    #[error("failed to read the log")]
    Read(#[from] ReadError),
    /// The checkpoint could not be kept.
    #[error("failed to keep the relay's checkpoint")]
    Index(#[from] IndexError),
    /// The log could not be written.
    #[error("failed to restore the log")]
    Import(#[from] crate::log::transfer::ImportError),
}

fn after(next: Option<(Seq, u64)>) -> String {
    next.map_or_else(String::new, |(seq, place)| format!("; the next one there is event {seq}, in message {place}"))
}

/// For `map_err`: what was tried with NATS, and its answer in one line.
fn nats<E: std::error::Error>(what: &'static str) -> impl FnOnce(E) -> Error {
    move |error| {
        let mut reason = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            let text = cause.to_string();
            if !reason.contains(&text) {
                reason = format!("{reason}: {text}");
            }
            source = cause.source();
        }
        Error::Nats { what, reason }
    }
}

/// The deduplication id of an event.
fn message_id(id: EventId) -> String {
    id.to_string()
}
