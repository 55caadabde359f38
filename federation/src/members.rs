//! Which gateways there are: adds, removes, says it again. Decides against the registry, makes it durable, and only then
//! starts or ends what follows from it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use regatta_core::event::gateway::{Added, GatewayEvent};
use regatta_core::{Actor, AppendError, Expect, GatewayName, ReadError, ReadMax, Refusal, RefusalKind, Seq, Stream};
use regatta_gateway::{AddressError, Credential, Options};
use tokio::sync::Notify;

use crate::handle::{Gateways, Held};
use crate::keeper::Shown;
use crate::keyring::Secret;
use crate::status::{LinkNow, LinkState};

/// How long a gateway that was just added is waited for, before it is said how it is.
const FIRST_WAIT: Duration = Duration::from_secs(5);
/// Longest address, in bytes.
const URL_BYTES_MAX: usize = 512;
/// How often it is tried to forget what was kept of gateways that are gone, while the vault or the log does not let us.
const SWEEP_AGAIN: Duration = Duration::from_secs(30);

/// Gateways that were removed, with when, in microseconds since the Unix epoch: what was kept of them may be there still.
#[derive(Debug, Default)]
pub(crate) struct Left(BTreeMap<GatewayName, u64>);

impl Left {
    pub(crate) fn evolve(&mut self, event: &GatewayEvent, at_us: u64) {
        if let GatewayEvent::Removed(removed) = event {
            self.0.insert(removed.gateway.clone(), at_us);
        } else if let GatewayEvent::Added(added) = event {
            self.0.remove(&added.gateway);
        }
    }
}

/// Says that a connection is not kept any more, however that came.
pub(crate) struct Ended(pub(crate) Arc<Notify>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

/// A gateway that is wanted.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// What it is to be called.
    pub name: GatewayName,
    /// Where it listens.
    pub url: String,
    /// Whether a credential may go there over an unencrypted connection.
    pub allow_plain: bool,
    /// Its credential.
    pub secret: Option<Secret>,
}

impl Gateways {
    /// Adds a gateway and connects to it. Says how that went so far.
    ///
    /// # Errors
    /// When the address cannot be used, the name is taken, or it cannot be recorded.
    pub async fn add(&self, wanted: Wanted, by: &Actor) -> Result<LinkNow, Refusal> {
        let by = by.clone();
        let shown = self.to_the_end(|all| async move { all.begin(wanted, &by).await }).await?;
        let mut now = shown.now;
        let settled = now.wait_for(|now| now.state != LinkState::Connecting);
        tokio::time::timeout(FIRST_WAIT, settled).await.ok();
        let told = now.borrow().clone();
        Ok(told)
    }

    async fn begin(&self, wanted: Wanted, by: &Actor) -> Result<Shown, Refusal> {
        let Wanted { name, url, allow_plain, secret } = wanted;
        let url = check_address(&url, allow_plain)?;
        let proof = Secret::proof(secret.as_ref());
        let added = Added { gateway: name.clone(), url, allow_plain, proof };
        let mut stand = self.held().await;
        let event = stand.registry.add(added.clone())?;
        self.writable()?;
        let heard = self.heard(&name).map_err(|error| unreadable(&error))?;
        // What proved it to another gateway of that name proves nothing to this one.
        self.forget(&mut stand, &name).await?;
        if let Some(secret) = &secret {
            self.0.keyring.keep(&name, secret, by).await?;
        }
        let (stand, recorded) = self.record(stand, event, by).await;
        recorded?;
        let shown = self.keep(added, heard);
        drop(stand);
        Ok(shown)
    }

    /// Removes a gateway: the connection is closed, and what proves that we may is forgotten.
    ///
    /// # Errors
    /// When there is none of that name, or it cannot be recorded; it stays as it is then.
    pub async fn remove(&self, gateway: &GatewayName, by: &Actor) -> Result<(), Refusal> {
        let (gateway, by) = (gateway.clone(), by.clone());
        self.to_the_end(|all| async move { all.leave(&gateway, &by).await }).await
    }

    async fn leave(&self, gateway: &GatewayName, by: &Actor) -> Result<(), Refusal> {
        let stand = self.held().await;
        let added = stand.registry.get(gateway)?.clone();
        let event = stand.registry.remove(gateway)?;
        self.writable()?;
        let kept = self.kept().remove(gateway);
        if let Some(kept) = &kept {
            kept.stop.cancel();
            kept.ended.notified().await;
        }
        let (mut stand, removed) = self.record(stand, event, by).await;
        let heard = kept.map(|kept| (kept.shown.broker, kept.shown.rebuilder));
        match (&removed, heard) {
            (Ok(()), Some((broker, _))) => broker.end("the gateway was removed here").await,
            (Err(_), Some(heard)) => drop(self.keep(added, heard)),
            (_, None) => {}
        }
        if let Err(refusal) = self.forget(&mut stand, gateway).await {
            let reason = refusal.message;
            tracing::warn!(%gateway, reason, "the credential of a gateway that was removed is forgotten later");
            self.0.sweep.notify_one();
        }
        removed
    }

    /// Forgets what was kept of a gateway that was removed, if there is any. A crash before that leaves it to a later start.
    async fn forget(&self, stand: &mut Held, gateway: &GatewayName) -> Result<(), Refusal> {
        if let Some(removed_at_us) = stand.left.0.get(gateway).copied() {
            self.0.keyring.forget(gateway, removed_at_us).await?;
            stand.left.0.remove(gateway);
        }
        Ok(())
    }

    /// Forgets what was kept of gateways that are gone, as soon as that can be done; for ever.
    pub(crate) async fn sweep(&self) {
        loop {
            let mut stand = self.held().await;
            let left: Vec<GatewayName> = stand.left.0.keys().cloned().collect();
            let mut reasons = Vec::new();
            for gateway in &left {
                reasons.extend(self.forget(&mut stand, gateway).await.err().map(|refusal| refusal.message));
            }
            drop(stand);
            match reasons.first() {
                None => self.0.sweep.notified().await,
                Some(reason) => {
                    tracing::debug!(reason, "credentials of gateways that were removed are still there");
                    tokio::time::sleep(SWEEP_AGAIN).await;
                }
            }
        }
    }

    /// A change that could not be recorded is not made.
    fn writable(&self) -> Result<(), Refusal> {
        let refused = |reason| Err(Refusal::from(&AppendError::ReadOnly(reason)));
        self.0.log.read_only().map_or(Ok(()), refused)
    }

    /// Says everything that holds again, so that the facts before `below` may be removed from the log.
    ///
    /// # Errors
    /// When the log takes no writes now.
    pub async fn restate(&self, by: &Actor, below: Seq) -> Result<(), Refusal> {
        self.0.rules.restate(by, below).await?;
        let stand = self.held().await;
        let first = self.0.log.read_stream(&Stream::gateways(), 1, ReadMax { events: 1, bytes: 0 });
        let first = first.map_err(|error| unreadable(&error))?;
        if first.first().is_none_or(|first| first.seq >= below) {
            return Ok(());
        }
        let event = stand.registry.restated();
        self.record(stand, event, by).await.1
    }

    /// Makes a fact durable and takes it in, as one.
    async fn record(&self, mut stand: Held, event: GatewayEvent, by: &Actor) -> (Held, Result<(), Refusal>) {
        let by = by.clone();
        self.to_the_end(|all| async move {
            let expect = Expect::At(stand.position);
            let appended = all.append(Stream::gateways(), expect, event.clone(), &by).await;
            let recorded = appended.map(|(position, at_us)| {
                stand.position = position;
                stand.registry.evolve(&event, at_us, by.as_str());
                stand.left.evolve(&event, at_us);
            });
            (stand, recorded)
        })
        .await
    }
}

fn unreadable(error: &ReadError) -> Refusal {
    Refusal::new(RefusalKind::Unusable, error.to_string())
}

/// The address as it is recorded, when it can be one.
fn check_address(url: &str, allow_plain: bool) -> Result<String, Refusal> {
    let invalid = |message: String| Refusal::new(RefusalKind::Invalid, message);
    if url.len() > URL_BYTES_MAX || url.chars().any(char::is_control) {
        return Err(invalid(format!("an address has at most {URL_BYTES_MAX} bytes and no control characters")));
    }
    // A device's token is worth as much as any other credential once there is one.
    let proof = Credential::Token(String::new().into());
    let options = Options { allow_plain, ..Options::control_plane(url, proof) };
    match options.check() {
        Ok(address) => Ok(address),
        Err(error @ AddressError::Plain(_)) => Err(invalid(error.to_string()).hint("to allow it: --allow-plain")),
        Err(error @ (AddressError::Unreadable(_) | AddressError::HoldsMore)) => Err(invalid(error.to_string())),
    }
}
