//! What others ask of the gateways: add, remove, call, test, answer. Decides against the registry, makes it durable, and
//! only then starts or ends what follows from it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use regatta_core::event::approval::Decision;
use regatta_core::event::gateway::{self, Added, GatewayEvent};
use regatta_core::{
    Actor, Append, ApprovalId, Clock, Draft, Event, Expect, GatewayName, Log, ReadError, ReadMax, Refusal, RefusalKind,
    Seq, Stream, Vault, log,
};
use regatta_gateway::{AddressError, CallError, Credential, Hello, Link, Options, method};
use serde_json::value::RawValue;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::broker::Broker;
use crate::calls::is_reading;
use crate::keeper::{Keeper, Shown};
use crate::keyring::{Keyring, Secret};
use crate::rebuild::Rebuilder;
use crate::registry::Registry;
use crate::status::{LinkNow, LinkState};
use crate::test::{Tested, test};

/// How long a gateway that was just added is waited for, before it is said how it is.
const FIRST_WAIT: Duration = Duration::from_secs(5);
/// How long a call may take.
const CALL_WITHIN: Duration = Duration::from_secs(60);
/// Longest address, in bytes.
const URL_BYTES_MAX: usize = 512;
/// Methods named when there is none of that name.
const NAMED_MAX: usize = 5;

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

/// What a call was answered.
pub type Called = Box<RawValue>;

/// Why a call has no answer.
#[derive(Debug, Clone)]
pub enum NotCalled {
    /// It was not sent.
    Refused(Refusal),
    /// It was given to the connection, which says what came of it.
    Failed(CallError),
}

impl From<Refusal> for NotCalled {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<NotCalled> for Refusal {
    fn from(not_called: NotCalled) -> Self {
        match not_called {
            NotCalled::Refused(refusal) => refusal,
            NotCalled::Failed(error) => not_answered(&error),
        }
    }
}

/// Every gateway of this installation. Cheap to clone.
#[derive(Clone)]
pub struct Gateways(Arc<Inner>);

struct Inner {
    log: Arc<dyn Log>,
    clock: Arc<dyn Clock>,
    keyring: Keyring,
    /// Held while something is decided and made durable.
    registry: tokio::sync::Mutex<Stand>,
    kept: Mutex<BTreeMap<GatewayName, Kept>>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

struct Stand {
    registry: Registry,
    /// Where the stream ends.
    position: u64,
}

struct Kept {
    shown: Shown,
    stop: CancellationToken,
    ended: Arc<Notify>,
}

impl Gateways {
    /// Reads from the log which gateways there are. None is connected to before [`Self::run`].
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn open(log: Arc<dyn Log>, vault: Vault, clock: Arc<dyn Clock>) -> Result<Self, ReadError> {
        let (stream, mut registry, mut position) = (Stream::gateways(), Registry::default(), 0);
        loop {
            let batch = log.read_stream(&stream, position + 1, ReadMax::default())?;
            let Some(last) = batch.last() else { break };
            position = last.stream_seq;
            for envelope in &batch {
                if let Ok(Event::Gateway(event)) = envelope.event() {
                    registry.evolve(&event, envelope.at_us, envelope.actor.as_str());
                }
            }
        }
        // Also what was removed counts.
        position = log.stream_head(&stream)?.max(position);
        Ok(Self(Arc::new(Inner {
            log,
            clock,
            keyring: Keyring::new(vault),
            registry: tokio::sync::Mutex::new(Stand { registry, position }),
            kept: Mutex::default(),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
        })))
    }

    /// Connects to every gateway, and keeps the connections until told to stop.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn run(self, stop: CancellationToken) -> Result<(), ReadError> {
        let all: Vec<Added> = self.0.registry.lock().await.registry.all().cloned().collect();
        for added in all {
            // One that was added meanwhile is kept already.
            let is_kept = self.kept().contains_key(&added.gateway);
            if !is_kept {
                self.keep(added)?;
            }
        }
        stop.cancelled().await;
        self.0.stop.cancel();
        self.0.tasks.close();
        self.0.tasks.wait().await;
        Ok(())
    }

    /// Begins to keep a gateway's connection.
    fn keep(&self, added: Added) -> Result<Shown, ReadError> {
        let Inner { log, clock, keyring, tasks, stop, .. } = &*self.0;
        let (name, stop) = (added.gateway.clone(), stop.child_token());
        let broker = Broker::open(&name, Arc::clone(log), Arc::clone(clock))?;
        let rebuilder = Rebuilder::open(&name, Arc::clone(log), Arc::clone(clock))?;
        let of = (Arc::clone(log), Arc::clone(clock));
        let (keeper, shown) = Keeper::new(added, keyring.clone(), of, (broker, rebuilder), stop.clone());
        let ended = Arc::new(Notify::new());
        let kept = Kept { shown: shown.clone(), stop, ended: Arc::clone(&ended) };
        self.kept().insert(name, kept);
        tasks.spawn(async move {
            keeper.run().await;
            ended.notify_one();
        });
        Ok(shown)
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, BTreeMap<GatewayName, Kept>> {
        self.0.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn shown(&self, gateway: &GatewayName) -> Result<Shown, Refusal> {
        let none = || {
            Refusal::new(RefusalKind::NotFound, format!("there is no gateway {gateway}"))
                .hint("regatta gateway ls shows them")
        };
        self.kept().get(gateway).map(|kept| kept.shown.clone()).ok_or_else(none)
    }

    /// How the connection to a gateway is this moment.
    #[must_use]
    pub fn link(&self, gateway: &GatewayName) -> Option<LinkNow> {
        self.kept().get(gateway).map(|kept| kept.shown.now.borrow().clone())
    }

    /// The names of all gateways.
    #[must_use]
    pub fn names(&self) -> Vec<GatewayName> {
        self.kept().keys().cloned().collect()
    }

    /// How a gateway greeted us on the connection there is now. The greeting is on disk, and everything the gateway says
    /// after it, the end of the connection too, will stand behind it in the log.
    ///
    /// # Errors
    /// When there is no such gateway, or no connection to it.
    pub fn greeting(&self, gateway: &GatewayName) -> Result<Arc<Hello>, Refusal> {
        let shown = self.shown(gateway)?;
        connected(&shown, gateway)?;
        let hello = shown.hello.borrow().clone();
        hello.ok_or_else(|| away(&LinkNow::default(), gateway))
    }

    /// Adds a gateway and connects to it. Says how that went so far.
    ///
    /// # Errors
    /// When the address cannot be used, the name is taken, or it cannot be recorded.
    pub async fn add(&self, wanted: Wanted, by: &Actor) -> Result<LinkNow, Refusal> {
        let Wanted { name, url, allow_plain, secret } = wanted;
        let url = check_address(&url, allow_plain)?;
        let proof = Secret::proof(secret.as_ref());
        let added = Added { gateway: name.clone(), url, allow_plain, proof };
        let mut stand = self.0.registry.lock().await;
        let event = stand.registry.add(added.clone())?;
        if let Some(reason) = self.0.log.read_only() {
            return Err(Refusal::from(&regatta_core::AppendError::ReadOnly(reason)));
        }
        if let Some(secret) = &secret {
            self.0.keyring.keep(&name, secret, by).await?;
        }
        self.record(&mut stand, event, by).await?;
        drop(stand);
        let shown = self.keep(added).map_err(|error| Refusal::new(RefusalKind::Unusable, error.to_string()))?;
        let mut now = shown.now;
        let settled = now.wait_for(|now| now.state != LinkState::Connecting);
        tokio::time::timeout(FIRST_WAIT, settled).await.ok();
        let told = now.borrow().clone();
        Ok(told)
    }

    /// Removes a gateway: the connection is closed, and what proves that we may is forgotten.
    ///
    /// # Errors
    /// When there is none of that name, or it cannot be recorded.
    pub async fn remove(&self, gateway: &GatewayName, by: &Actor) -> Result<(), Refusal> {
        let mut stand = self.0.registry.lock().await;
        let event = stand.registry.remove(gateway)?;
        self.record(&mut stand, event, by).await?;
        let kept = self.kept().remove(gateway);
        if let Some(kept) = kept {
            kept.stop.cancel();
            kept.ended.notified().await;
            kept.shown.broker.end("the gateway was removed here").await;
        }
        self.0.keyring.forget(gateway, by).await
    }

    /// Connects once and explains what happens. When it goes well, the connection that is kept is tried now, too.
    ///
    /// # Errors
    /// When there is no such gateway.
    pub async fn test(&self, gateway: &GatewayName) -> Result<Tested, Refusal> {
        let added = self.0.registry.lock().await.registry.get(gateway)?.clone();
        let shown = self.shown(gateway)?;
        let options = match self.0.keyring.options(&added).await {
            Ok(options) => options,
            Err(refusal) => return Ok(Tested::untried(&refusal)),
        };
        let (tested, hello) = test(options).await;
        if let Some(token) = hello.as_ref().and_then(|hello| hello.auth.device_token.as_ref()) {
            self.0.keyring.keep_device_token(gateway, token).await?;
        }
        if hello.is_some() && shown.now.borrow().state != LinkState::Connected {
            shown.poke.notify_one();
        }
        Ok(tested)
    }

    /// Calls a method of a gateway over the connection that is kept, and gives back what it answered, as it came. Whether
    /// the caller may is [`crate::need`]'s question.
    ///
    /// # Errors
    /// When there is no such method, no connection, or the gateway says no.
    pub async fn call(
        &self,
        gateway: &GatewayName,
        name: &str,
        params: Box<RawValue>,
        by: &Actor,
    ) -> Result<Called, NotCalled> {
        let shown = self.shown(gateway)?;
        let link = connected(&shown, gateway)?;
        known(&shown, gateway, name)?;
        if !is_reading(name) {
            let called = gateway::Called { gateway: gateway.clone(), method: name.to_owned() };
            self.append(Stream::link(gateway), Expect::Any, GatewayEvent::Called(called), by).await?;
        }
        link.call(name, params, CALL_WITHIN).await.map_err(NotCalled::Failed)
    }

    /// Gives a person's answer to a question to its gateway, which has taken it when this returns well.
    ///
    /// # Errors
    /// When somebody else was faster (who, what and when), the answer is not offered, or the gateway cannot be told.
    pub async fn answer(&self, id: &ApprovalId, decision: Decision, note: String, by: &Actor) -> Result<(), Refusal> {
        let unknown = |_| {
            Refusal::new(RefusalKind::NotFound, format!("there is no question {id}"))
                .hint("regatta approvals shows the open ones")
        };
        let shown = self.shown(&id.gateway).map_err(unknown)?;
        let link = connected(&shown, &id.gateway)?;
        shown.broker.answer(&link, id, decision, note, by).await
    }

    /// Says everything that holds again, so that the facts before `below` may be removed from the log.
    ///
    /// # Errors
    /// When the log takes no writes now.
    pub async fn restate(&self, by: &Actor, below: Seq) -> Result<(), Refusal> {
        let mut stand = self.0.registry.lock().await;
        let first = self.0.log.read_stream(&Stream::gateways(), 1, ReadMax { events: 1, bytes: 0 });
        let first = first.map_err(|error| Refusal::new(RefusalKind::Unusable, error.to_string()))?;
        if first.first().is_none_or(|first| first.seq >= below) {
            return Ok(());
        }
        let event = stand.registry.restated();
        self.record(&mut stand, event, by).await
    }

    async fn record(&self, stand: &mut Stand, event: GatewayEvent, by: &Actor) -> Result<(), Refusal> {
        let (position, at_us) = self.append(Stream::gateways(), Expect::At(stand.position), event.clone(), by).await?;
        stand.position = position;
        stand.registry.evolve(&event, at_us, by.as_str());
        Ok(())
    }

    async fn append(
        &self,
        stream: Stream,
        expect: Expect,
        event: GatewayEvent,
        by: &Actor,
    ) -> Result<(u64, u64), Refusal> {
        let draft = Draft::new(&Event::Gateway(event), &*self.0.clock, by.clone(), Uuid::nil());
        let at_us = draft.at_us;
        let events = vec![Draft { correlation: draft.id.0, ..draft }];
        let appended = log::append(&*self.0.log, Append { stream, expect, events }).await;
        appended.map(|appended| (appended.stream_seq, at_us)).map_err(|error| Refusal::from(&error))
    }
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

fn connected(shown: &Shown, gateway: &GatewayName) -> Result<Arc<Link>, Refusal> {
    let now = shown.now.borrow().clone();
    let link = shown.link.borrow().clone();
    match link.filter(|_| now.state == LinkState::Connected) {
        Some(link) => Ok(link),
        None => Err(away(&now, gateway)),
    }
}

fn away(now: &LinkNow, gateway: &GatewayName) -> Refusal {
    let reason = now.reason.as_deref().unwrap_or("it is being connected to");
    let advice = now.advice.clone().unwrap_or_else(|| format!("regatta gateway test {gateway} says more"));
    Refusal::new(RefusalKind::WrongState, format!("gateway {gateway} is not connected: {reason}")).hint(advice)
}

/// Refuses a method that neither we nor the gateway know.
fn known(shown: &Shown, gateway: &GatewayName, name: &str) -> Result<(), Refusal> {
    let hello = shown.hello.borrow().clone();
    let offered = hello.as_ref().map(|hello| &hello.features);
    if offered.is_none_or(|features| features.offers(name)) && (offered.is_some() || method(name).is_some()) {
        return Ok(());
    }
    let family = name.split('.').next().unwrap_or(name);
    let near: Vec<&str> = offered
        .into_iter()
        .flat_map(|features| features.methods.iter().map(String::as_str))
        .filter(|known| known.split('.').next() == Some(family))
        .take(NAMED_MAX)
        .collect();
    let refusal = Refusal::new(RefusalKind::NotFound, format!("gateway {gateway} has no method {name:?}"));
    Err(if near.is_empty() {
        refusal.hint("as health, status or sessions.list; the gateway's own documentation has them all")
    } else {
        refusal.hint(format!("it has {}", near.join(", ")))
    })
}

fn not_answered(error: &CallError) -> Refusal {
    match error {
        CallError::Refused(refused) => {
            let detail = refused.detail().map(|detail| format!(" ({detail})")).unwrap_or_default();
            Refusal::new(RefusalKind::Unusable, format!("{error}{detail}"))
        }
        CallError::Busy => Refusal::new(RefusalKind::Busy, error.to_string()),
        CallError::TooLarge { .. } => Refusal::new(RefusalKind::Invalid, error.to_string()),
        CallError::NotConnected(_) => Refusal::new(RefusalKind::WrongState, error.to_string()),
        CallError::Lost(_) | CallError::TimedOut(_) => Refusal::new(RefusalKind::Unusable, error.to_string())
            .hint("it may have been done all the same; look before you ask again"),
    }
}
