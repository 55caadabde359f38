//! Follows the stream over outages: from where it was, nothing twice. Never publishes.

use std::collections::BTreeMap;

use super::Error;
use super::mirror::{Events, Mirror, Mirrored, Skipped};
use super::server::Server;
use super::stock::Stock;
use crate::InstallId;

/// Installs of which it is remembered what was seen; with more, what was seen is forgotten.
const INSTALLS_MAX: usize = 1_024;

/// A reader's place in the stream.
#[derive(Debug)]
pub struct Follower {
    server: Server,
    install: Option<InstallId>,
    /// Nothing after an outage.
    events: Option<Events>,
    /// The place that is read next.
    at: u64,
    /// When the stream was made, in nanoseconds since the Unix epoch.
    created_ns: i128,
    /// What was seen of each install.
    seen: BTreeMap<InstallId, Stock>,
    /// Whether the stream was made anew since: then it brings again what was seen.
    anew: bool,
}

impl Follower {
    /// Begins to read so many messages before the end, or at the beginning.
    ///
    /// # Errors
    /// When there is no server, or no stream.
    pub async fn begin(server: &Server, install: Option<InstallId>, last: Option<u64>) -> Result<Self, Error> {
        let mirror = Mirror::connect(server).await?;
        let (created_ns, end) = (mirror.created_ns(), mirror.last() + 1);
        let at = last.map_or(1, |last| end.saturating_sub(last));
        let events = Some(mirror.events(at, install.as_ref()).await?);
        Ok(Self { server: server.clone(), install, events, at, created_ns, seen: BTreeMap::new(), anew: false })
    }

    /// How many messages are known to follow; nothing when the connection is lost.
    #[must_use]
    pub fn left(&self) -> u64 {
        self.events.as_ref().map_or(0, Events::left)
    }

    /// Connects again, and goes on where it was.
    ///
    /// # Errors
    /// When there is no server, or no stream; it may be tried again.
    pub async fn connect(&mut self) -> Result<(), Error> {
        self.events = None;
        let mirror = Mirror::connect(&self.server).await?;
        // Places of another stream mean nothing in this one, nor do those it has lost.
        if mirror.created_ns() != self.created_ns || mirror.last() + 1 < self.at {
            (self.created_ns, self.at, self.anew) = (mirror.created_ns(), 1, true);
        }
        self.events = Some(mirror.events(self.at, self.install.as_ref()).await?);
        Ok(())
    }

    /// The next message, an event or one that is none of ours; waits for one.
    ///
    /// # Errors
    /// When the connection is lost: [`Self::connect`] goes on.
    pub async fn next(&mut self) -> Result<Result<Mirrored, Skipped>, Error> {
        loop {
            let Some(events) = &mut self.events else { return Err(Error::Lost) };
            let message = events.next().await;
            if message.is_err() {
                self.events = None;
            }
            let message = message?;
            self.at = self.events.as_ref().map_or(self.at, Events::at) + 1;
            if !message.as_ref().is_ok_and(|event| self.was_seen(event)) {
                return Ok(message);
            }
        }
    }

    fn was_seen(&mut self, event: &Mirrored) -> bool {
        if self.seen.len() >= INSTALLS_MAX && !self.seen.contains_key(&event.install) {
            self.seen.clear();
        }
        let (seq, stock) = (event.envelope.seq.0, self.seen.entry(event.install.clone()).or_default());
        // Only then: what claims to be an event that was seen may be another one.
        if self.anew && stock.holds(seq) {
            return true;
        }
        // With too many gaps it is begun again, and something may be seen twice.
        if stock.put(seq, self.at).is_err() {
            *stock = Stock::default();
        }
        false
    }
}
