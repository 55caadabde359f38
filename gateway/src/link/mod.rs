//! The connection to one gateway, kept for as long as somebody wants it. A task of its own does what [`State`] says:
//! connects, answers the challenge, reads, sends, waits and tries again.
//!
//! Everything a gateway says goes to one receiver, in order, as [`Notice`]s; whoever takes them must not wait for a call
//! of the same link in between, because answers come on the same socket.

mod handshake;
mod run;
mod socket;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::value::RawValue;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot, watch};
use tokio_tungstenite::tungstenite::Utf8Bytes;

use crate::call::{Call, CallError, Outcome};
use crate::connect::{Client, Credential};
use crate::frame::{Decoded, StateVersion, decode};
use crate::hello::Hello;
use crate::identity::Device;
use crate::progress::Gap;
use crate::state::{Loss, Reason, State};

pub use socket::AddressError;

/// Notices that wait to be taken; past it nothing is read from the socket.
const NOTICES_MAX: usize = 1_024;
/// KiB of events that were handed over and are still held by whoever takes them; past it nothing is read from the socket.
/// More than the largest frame has.
const NOTICES_KIB_MAX: u32 = 64 << 10;
/// Orders that wait for the link's task.
const ORDERS_MAX: usize = 256;

/// Which gateway, as whom.
#[derive(Debug, Clone)]
pub struct Options {
    /// Its address: `ws://`, `wss://`, `http://` or `https://`, without a path's secrets or a user.
    pub url: String,
    /// Whether a credential may go over an unencrypted connection to another machine.
    pub allow_plain: bool,
    /// As what we connect.
    pub client: Client,
    /// Our version, for the gateway's list of who is there.
    pub version: String,
    /// What we ask to be allowed.
    pub scopes: Vec<&'static str>,
    /// What we can take.
    pub caps: Vec<&'static str>,
    /// The proof.
    pub credential: Credential,
    /// The key that signs it.
    pub device: Option<Arc<Device>>,
}

/// What a control plane asks for: everything an operator may.
pub const OPERATOR_SCOPES: [&str; 6] = [
    "operator.read",
    "operator.write",
    "operator.admin",
    "operator.approvals",
    "operator.questions",
    "operator.pairing",
];

/// What a control plane takes: tool frames, and questions for approval. Without the second, agents are refused at once
/// instead of waiting for an answer.
pub const CONTROL_CAPS: [&str; 2] = ["tool-events", "approvals"];

impl Options {
    /// A control plane's connection to that address.
    #[must_use]
    pub fn control_plane(url: &str, credential: Credential) -> Self {
        Self {
            url: url.to_owned(),
            allow_plain: false,
            client: Client::BACKEND,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            scopes: OPERATOR_SCOPES.to_vec(),
            caps: CONTROL_CAPS.to_vec(),
            credential,
            device: None,
        }
    }

    /// Whether the address can be used with these options; the address as it would be.
    ///
    /// # Errors
    /// Why it cannot.
    pub fn check(&self) -> Result<String, AddressError> {
        socket::Address::read(self).map(|address| address.to_string())
    }
}

/// What a gateway said, or what happened to the connection.
#[derive(Debug)]
pub enum Notice {
    /// We were let in; events of this connection begin here.
    Welcomed(Arc<Hello>),
    /// An event.
    Received(Received),
    /// Events are missing before the one that comes next.
    Missing(Gap),
    /// The connection is gone; what happens until the next [`Notice::Welcomed`] is missed.
    Lost(Loss),
}

/// An event as it came.
#[derive(Debug, Clone)]
pub struct Received {
    text: Utf8Bytes,
    /// What it takes of [`NOTICES_KIB_MAX`], until the last copy is dropped.
    _room: Arc<OwnedSemaphorePermit>,
    /// Its name.
    pub event: Box<str>,
    /// Its place on the connection; a few have none.
    pub seq: Option<u64>,
    /// Versions of presence and health, where it names them.
    pub state_version: Option<StateVersion>,
}

impl Received {
    /// The whole frame, as it came.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The whole frame, as it came, without a copy of it being made.
    #[must_use]
    pub fn bytes(&self) -> Bytes {
        self.text.clone().into()
    }

    /// The payload, as it came.
    #[must_use]
    pub fn payload(&self) -> Option<&RawValue> {
        match decode(&self.text) {
            Ok(Decoded::Event { payload, .. }) => payload,
            Ok(Decoded::Response(_)) | Err(_) => None,
        }
    }
}

#[derive(Debug)]
enum Order {
    Call(Call),
    Try,
    Close,
}

/// A connection to a gateway. Dropping it closes it.
#[derive(Debug)]
pub struct Link {
    orders: mpsc::Sender<Order>,
    state: watch::Receiver<State>,
}

impl Link {
    /// Begins to connect, and returns at once. Needs a running tokio runtime.
    ///
    /// # Errors
    /// When the address cannot be used; nothing was tried then.
    pub fn open(options: Options) -> Result<(Self, mpsc::Receiver<Notice>), AddressError> {
        let address = socket::Address::read(&options)?;
        let (notices, noticed) = mpsc::channel(NOTICES_MAX);
        let (orders, ordered) = mpsc::channel(ORDERS_MAX);
        let (state, stated) = watch::channel(State::Disconnected(Reason::New));
        tokio::spawn(run::Run::new(options, address, ordered, notices, state).go_on());
        Ok((Self { orders, state: stated }, noticed))
    }

    /// Where it stands, now and whenever it changes.
    #[must_use]
    pub fn state(&self) -> watch::Receiver<State> {
        self.state.clone()
    }

    /// Calls a method and waits for the answer, for a connection too while one is being tried, at most that long.
    ///
    /// # Errors
    /// See [`CallError`]; when the connection is lost, calls under way fail at once.
    pub async fn call(&self, method: &str, params: Box<RawValue>, within: Duration) -> Outcome {
        let (answer, answered) = oneshot::channel();
        let call = Call { method: method.to_owned(), params, answer };
        let gone = || CallError::NotConnected(Reason::Closed);
        let asking = async {
            self.orders.send(Order::Call(call)).await.map_err(|_| gone())?;
            answered.await.unwrap_or_else(|_| Err(gone()))
        };
        let within_ms = u64::try_from(within.as_millis()).unwrap_or(u64::MAX);
        tokio::time::timeout(within, asking).await.unwrap_or(Err(CallError::TimedOut(within_ms)))
    }

    /// Tries now: after it gave up, or in place of the rest of a wait.
    pub async fn try_now(&self) {
        // A link that was closed stays closed.
        self.orders.send(Order::Try).await.ok();
    }

    /// Closes it. Calls under way fail.
    pub async fn close(&self) {
        self.orders.send(Order::Close).await.ok();
    }
}
