//! What the handlers stand on: the log to read, the views to show, the commands to give.

use std::path::PathBuf;
use std::sync::Arc;

use regatta_core::bus::RelayState;
use regatta_core::log::scrub::Scrubbed;
use regatta_core::log::witness::WitnessState;
use regatta_core::{Blobs, Log, Seq, Vault};
use regatta_federation::Gateways;
use regatta_projections::Live;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{Auth, Commands, Feed, LiveClients, Premises, Sandboxes, Works};

/// Views that are no further behind than this many events are as good as up to date.
const BEHIND_EVENTS_MAX: u64 = 2_048;

/// What the handlers stand on. Cheap to clone.
#[derive(Clone)]
pub struct Plane {
    /// Read only; appending is the dispatcher's.
    pub log: Arc<dyn Log>,
    /// What people look at, following the log.
    pub live: Live,
    /// The log's latest events, for live clients.
    pub feed: Feed,
    /// How many live clients there are.
    pub live_clients: LiveClients,
    /// Where patches are kept.
    pub blobs: Blobs,
    /// What attempts left behind.
    pub works: Works,
    /// What a handler may change.
    pub commands: Arc<dyn Commands>,
    /// Where attempts run, and what a handler may do there.
    pub sandboxes: Arc<dyn Sandboxes>,
    /// Who may do what.
    pub auth: Auth,
    /// What is sealed.
    pub vault: Vault,
    /// The gateways, and the connection to each.
    pub gateways: Gateways,
    /// The configuration and the machine.
    pub premises: Arc<dyn Premises>,
    /// What this server is.
    pub about: Arc<About>,
    /// Where the relay to NATS stands, when there is one.
    pub relay: Option<watch::Receiver<RelayState>>,
    /// How it goes with telling the witnesses, when there are any.
    pub witnesses: Option<watch::Receiver<Vec<WitnessState>>>,
    /// What reading the log again in the background has found, when it is.
    pub scrubbed: Option<watch::Receiver<Scrubbed>>,
    /// Ends live streams and the server; cancelled by `POST /shutdown` too.
    pub stop: CancellationToken,
}

impl Plane {
    /// Where the views are while they are far behind the log, as when they are built anew.
    #[must_use]
    pub fn catching_up(&self) -> Option<Seq> {
        let (shown, head) = (self.live.seq(), self.log.head());
        (head.0.saturating_sub(shown.0) > BEHIND_EVENTS_MAX).then_some(shown)
    }
}

/// What this server is.
#[derive(Debug, Clone)]
pub struct About {
    /// Its version.
    pub version: &'static str,
    /// Where it keeps everything.
    pub data_dir: PathBuf,
    /// The fence a local sandbox made now would have, or why there is none.
    pub fence: String,
    /// The page's address, without a path; when it is served by TCP.
    pub url: Option<String>,
    /// When it was started, in microseconds since the Unix epoch.
    pub started_at_us: u64,
}
