//! What others ask of the gateways: call, test, answer. Which there are is in `members`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use regatta_core::event::gateway::{self, Added, GatewayEvent};
use regatta_core::event::user::Role;
use regatta_core::{
    Actor, Append, AppendError, Clock, Draft, Event, Expect, GatewayName, Log, ReadError, ReadMax, Refusal,
    RefusalKind, Stream, Vault, log, to_the_end,
};
use regatta_gateway::{CallError, Hello, Link, method};
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};
use tokio::sync::{Notify, OwnedMutexGuard};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::broker::Broker;
use crate::calls::{is_reading, need};
use crate::keeper::{Keeper, Shown};
use crate::keyring::Keyring;
use crate::members::{Ended, Left};
use crate::rebuild::Rebuilder;
use crate::registry::Registry;
use crate::rules::Rules;
use crate::status::{LinkNow, LinkState};
use crate::test::{Tested, test};

/// How long a call may take.
const CALL_WITHIN: Duration = Duration::from_secs(60);
/// Methods that end work or give room back.
const RELIEVING: [&str; 4] = ["chat.abort", "sessions.abort", "sessions.delete", "sessions.reset"];
/// Methods named when there is none of that name.
const NAMED_MAX: usize = 5;

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

impl NotCalled {
    /// Whether the gateway itself says no, or has no such method: asked again it would say so again.
    #[must_use]
    pub fn is_no(&self) -> bool {
        match self {
            Self::Refused(refusal) => {
                matches!(refusal.kind, RefusalKind::Invalid | RefusalKind::Forbidden | RefusalKind::NotFound)
            }
            Self::Failed(error) => {
                matches!(error, CallError::Refused(refused) if refused.retryable != Some(true))
            }
        }
    }
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
pub struct Gateways(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) log: Arc<dyn Log>,
    clock: Arc<dyn Clock>,
    pub(crate) keyring: Keyring,
    pub(crate) rules: Rules,
    /// Held while something is decided, made durable and done.
    registry: Arc<tokio::sync::Mutex<Stand>>,
    kept: Mutex<BTreeMap<GatewayName, Kept>>,
    tasks: TaskTracker,
    stop: CancellationToken,
    /// Wakes who forgets what was kept of gateways that are gone.
    pub(crate) sweep: Notify,
}

pub(crate) struct Stand {
    pub(crate) registry: Registry,
    pub(crate) left: Left,
    /// Where the stream ends.
    pub(crate) position: u64,
}

/// Held while something is decided about which gateways there are.
pub(crate) type Held = OwnedMutexGuard<Stand>;

pub(crate) struct Kept {
    pub(crate) shown: Shown,
    pub(crate) stop: CancellationToken,
    pub(crate) ended: Arc<Notify>,
}

impl Gateways {
    /// Reads from the log which gateways there are. None is connected to before [`Self::keep_all`].
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn open(log: Arc<dyn Log>, vault: Vault, clock: Arc<dyn Clock>) -> Result<Self, ReadError> {
        let (stream, mut registry, mut left, mut position) =
            (Stream::gateways(), Registry::default(), Left::default(), 0);
        loop {
            let batch = log.read_stream(&stream, position + 1, ReadMax::default())?;
            let Some(last) = batch.last() else { break };
            position = last.stream_seq;
            for envelope in &batch {
                if let Ok(Event::Gateway(event)) = envelope.event() {
                    registry.evolve(&event, envelope.at_us, envelope.actor.as_str());
                    left.evolve(&event, envelope.at_us);
                }
            }
        }
        // Also what was removed counts.
        position = log.stream_head(&stream)?.max(position);
        let rules = Rules::open(Arc::clone(&log), Arc::clone(&clock))?;
        Ok(Self(Arc::new(Inner {
            rules,
            log,
            clock,
            keyring: Keyring::new(vault),
            registry: Arc::new(tokio::sync::Mutex::new(Stand { registry, left, position })),
            kept: Mutex::default(),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
            sweep: Notify::new(),
        })))
    }

    /// Begins to connect to every gateway that is not kept yet: from then on all of them are known to whoever asks here.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn keep_all(&self) -> Result<(), ReadError> {
        let stand = self.held().await;
        for added in stand.registry.all() {
            // One that was added meanwhile is kept already.
            let is_kept = self.kept().contains_key(&added.gateway);
            if !is_kept {
                self.keep(added.clone(), self.heard(&added.gateway)?);
            }
        }
        drop(stand);
        Ok(())
    }

    /// Connects to every gateway, and keeps the connections until told to stop.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn run(self, stop: CancellationToken) -> Result<(), ReadError> {
        self.keep_all().await?;
        tokio::select! {
            () = stop.cancelled() => {}
            () = self.sweep() => {}
        }
        self.0.stop.cancel();
        self.0.tasks.close();
        self.0.tasks.wait().await;
        Ok(())
    }

    pub(crate) async fn held(&self) -> Held {
        Arc::clone(&self.0.registry).lock_owned().await
    }

    /// What the log holds of a gateway: its questions, and where its transcripts stand.
    pub(crate) fn heard(&self, gateway: &GatewayName) -> Result<(Broker, Rebuilder), ReadError> {
        let Inner { log, clock, .. } = &*self.0;
        let broker = Broker::open(gateway, Arc::clone(log), Arc::clone(clock))?;
        Ok((broker, Rebuilder::open(gateway, Arc::clone(log), Arc::clone(clock))?))
    }

    /// Begins to keep a gateway's connection; whoever does holds the registry, so that nobody removes it meanwhile.
    pub(crate) fn keep(&self, added: Added, (broker, rebuilder): (Broker, Rebuilder)) -> Shown {
        let Inner { log, clock, keyring, rules, tasks, stop, .. } = &*self.0;
        let (name, stop) = (added.gateway.clone(), stop.child_token());
        let of = (Arc::clone(log), Arc::clone(clock));
        let heard = (broker, rebuilder, rules.watch());
        let (keeper, shown) = Keeper::new(added, keyring.clone(), of, heard, stop.clone());
        let ended = Arc::new(Notify::new());
        let kept = Kept { shown: shown.clone(), stop, ended: Arc::clone(&ended) };
        self.kept().insert(name, kept);
        let ended = Ended(ended);
        tasks.spawn(async move {
            let _ended = ended;
            keeper.run().await;
        });
        shown
    }

    /// Brings something to its end, whoever hangs up, and has the server's end wait for it.
    pub(crate) async fn to_the_end<T: Send + 'static, W>(&self, work: impl FnOnce(Self) -> W) -> T
    where
        W: Future<Output = T> + Send + 'static,
    {
        to_the_end(self.0.tasks.track_future(work(self.clone()))).await
    }

    pub(crate) fn kept(&self) -> MutexGuard<'_, BTreeMap<GatewayName, Kept>> {
        self.0.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn shown(&self, gateway: &GatewayName) -> Result<Shown, Refusal> {
        let none = || {
            Refusal::new(RefusalKind::NotFound, format!("there is no gateway {gateway}"))
                .hint("regatta gateway ls shows them")
        };
        self.kept().get(gateway).map(|kept| kept.shown.clone()).ok_or_else(none)
    }

    /// The rules that answer questions in advance.
    #[must_use]
    pub fn rules(&self) -> &Rules {
        &self.0.rules
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

    /// Connects once and explains what happens. When it goes well, the connection that is kept is tried now, too.
    ///
    /// # Errors
    /// When there is no such gateway.
    pub async fn test(&self, gateway: &GatewayName) -> Result<Tested, Refusal> {
        let added = self.held().await.registry.get(gateway)?.clone();
        let shown = self.shown(gateway)?;
        let options = match self.0.keyring.options(&added).await {
            Ok(options) => options,
            Err(refusal) => return Ok(Tested::untried(&refusal)),
        };
        let (tested, hello) = test(options).await;
        if let Some(token) = hello.as_ref().and_then(|hello| hello.auth.device_token.as_ref()) {
            let stand = self.held().await;
            if stand.registry.get(gateway)? == &added {
                self.0.keyring.keep_device_token(gateway, token).await?;
            }
        }
        if hello.is_some() && shown.now.borrow().state != LinkState::Connected {
            shown.poke.notify_one();
        }
        Ok(tested)
    }

    /// Calls a method of a gateway over the connection that is kept, and gives back what it answered, as it came.
    ///
    /// # Errors
    /// When somebody of that role may not, there is no such method, no connection, or the gateway says no.
    pub async fn call(
        &self,
        gateway: &GatewayName,
        name: &str,
        params: &Value,
        by: &Actor,
        role: Role,
    ) -> Result<Called, NotCalled> {
        allowed(name, params, role)?;
        let shown = self.shown(gateway)?;
        let link = connected(&shown, gateway)?;
        known(&shown, gateway, name)?;
        let params = to_raw_value(params).map_err(|error| Refusal::new(RefusalKind::Invalid, error.to_string()))?;
        if !is_reading(name) {
            self.note_call(gateway::Called { gateway: gateway.clone(), method: name.to_owned() }, by).await?;
        }
        link.call(name, params, CALL_WITHIN).await.map_err(NotCalled::Failed)
    }

    /// Records that a method is called. What ends work is recorded while the log takes no other writes, too.
    async fn note_call(&self, called: gateway::Called, by: &Actor) -> Result<(), Refusal> {
        let (log, stream) = (&*self.0.log, Stream::link(&called.gateway));
        if !RELIEVING.contains(&called.method.as_str()) {
            return self.append(stream, Expect::Any, GatewayEvent::Called(called), by).await.map(drop);
        }
        if let Some(reason) = log.read_only_for_relief() {
            return Err(Refusal::from(&AppendError::ReadOnly(reason)));
        }
        let (append, _) = self.drafted(stream, Expect::Any, GatewayEvent::Called(called), by);
        let gone = |_| Err(AppendError::Poisoned("the writer is gone".to_owned()));
        let appended = log.submit_to_relieve(append).await.unwrap_or_else(gone);
        appended.map(drop).map_err(|error| Refusal::from(&error))
    }

    pub(crate) async fn append(
        &self,
        stream: Stream,
        expect: Expect,
        event: GatewayEvent,
        by: &Actor,
    ) -> Result<(u64, u64), Refusal> {
        let (append, at_us) = self.drafted(stream, expect, event, by);
        let appended = log::append(&*self.0.log, append).await;
        appended.map(|appended| (appended.stream_seq, at_us)).map_err(|error| Refusal::from(&error))
    }

    /// An event as it is handed to the log, and its time.
    fn drafted(&self, stream: Stream, expect: Expect, event: GatewayEvent, by: &Actor) -> (Append, u64) {
        let draft = Draft::new(&Event::Gateway(event), &*self.0.clock, by.clone(), Uuid::nil());
        let at_us = draft.at_us;
        (Append { stream, expect, events: vec![Draft { correlation: draft.id.0, ..draft }] }, at_us)
    }
}

/// Refuses a method with these parameters to whoever may not have it called.
fn allowed(name: &str, params: &Value, role: Role) -> Result<(), Refusal> {
    let refused = |message: String| Refusal::new(RefusalKind::Forbidden, message);
    match need(name, params) {
        None => {
            let instead =
                "questions are answered with `regatta approvals answer`; a credential is asked of the gateway itself";
            Err(refused(format!("nobody may have {name} called")).hint(instead))
        }
        Some(least) if role < least => {
            Err(refused(format!("{name} with these parameters is for {least}s, and you are {role}")))
        }
        Some(_) => Ok(()),
    }
}

pub(crate) fn connected(shown: &Shown, gateway: &GatewayName) -> Result<Arc<Link>, Refusal> {
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
