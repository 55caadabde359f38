//! Sign-in: who a request comes from and what they may do. Keeps users, tokens and sessions as the log says them,
//! decides about them against that state, never against a view, and acts only on what is on disk.
//!
//! Knows nothing of runs.

mod accounts;
mod cookie;
mod gate;
mod guesses;
mod identity;
mod keep;
mod links;
mod origin;
mod proxy;
mod refusals;
mod rights;
mod secret;
mod sign_in;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};

use regatta_core::event::user::{Role, UserEvent};
use regatta_core::{
    Actor, Append, AppendError, Clock, Draft, Event, Expect, Log, ReadError, ReadMax, Seq, Stream, log, to_the_end,
};
use regatta_dispatcher::asked::reused;
use regatta_dispatcher::{CommandKey, Refusal, RefusalKind};
use tokio::sync::{OwnedMutexGuard, watch};

use accounts::{Accounts, By, Command};
use guesses::Guesses;
use links::Links;
use origin::Hosts;
use refusals::Refusals;

pub(crate) use gate::{guard, unknown};
pub(crate) use identity::{Credential, Place, SignedIn};
pub use identity::{Door, Identity, Via};
pub use rights::{Need, RIGHTS};
pub(crate) use rights::{may, rights};
pub use sign_in::Made;
pub(crate) use sign_in::TokenWish;

/// How sign-in is set up.
#[derive(Debug, Clone)]
pub struct Options {
    /// The installation's name; part of the cookie's.
    pub install: String,
    /// Names this server may be asked for by, beside `localhost` and addresses.
    pub hosts: Vec<String>,
    /// Proxies that are believed when they say for whom they ask.
    pub proxies: Vec<IpAddr>,
    /// Whether only those proxies may come by TCP without TLS from beyond this machine.
    pub is_exposed: bool,
    /// For how long a session holds at most, in milliseconds.
    pub session_max_ms: u64,
    /// For how long a session holds without being used, in milliseconds.
    pub session_idle_ms: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            install: "test".to_owned(),
            hosts: Vec::new(),
            proxies: Vec::new(),
            is_exposed: false,
            session_max_ms: 7 * 24 * 60 * 60 * 1_000,
            session_idle_ms: 24 * 60 * 60 * 1_000,
        }
    }
}

/// Sign-in. Cheap to clone.
#[derive(Clone)]
pub struct Auth(Arc<Inner>);

/// Requests whose keys are remembered; those beyond are done again when they are repeated.
const KEYS_MAX: usize = 10_000;

/// Where the stream stands, and the keys of the requests that led there, with what was asked under them.
#[derive(Default)]
struct Stand {
    position: u64,
    keys: BTreeMap<Arc<str>, Arc<str>>,
}

impl Stand {
    /// Whether a request was done before under that key; refused when it was another one.
    fn is_done(&self, key: &CommandKey) -> Result<bool, Refusal> {
        match self.keys.get(&key.name) {
            None => Ok(false),
            Some(content) if *content == key.content => Ok(true),
            Some(_) => Err(reused()),
        }
    }

    fn remember(&mut self, key: CommandKey) {
        self.keys.insert(key.name, key.content);
    }
}

/// Held while something is decided and made durable.
type Held = OwnedMutexGuard<Stand>;

/// What came of a wish.
pub(crate) enum Given {
    /// It was done now.
    Now,
    /// It was done before, under the same key.
    Before,
}

struct Inner {
    options: Options,
    hosts: Hosts,
    log: Arc<dyn Log>,
    clock: Arc<dyn Clock>,
    accounts: RwLock<Accounts>,
    /// Held while something is decided and made durable.
    stand: Arc<tokio::sync::Mutex<Stand>>,
    /// Tells open streams to ask again whether their caller still may listen.
    changed: watch::Sender<u64>,
    guesses: Mutex<Guesses>,
    links: Mutex<Links>,
    /// When each token and session was used last, since the start.
    used: Mutex<BTreeMap<String, u64>>,
    began_at_us: u64,
    refusals: Refusals,
}

impl Auth {
    /// Reads from the log who may do what.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn open(log: Arc<dyn Log>, clock: Arc<dyn Clock>, options: Options) -> Result<Self, ReadError> {
        let (mut accounts, mut stand) = (Accounts::default(), Stand::default());
        loop {
            let batch = log.read_stream(&Stream::users(), stand.position + 1, ReadMax::default())?;
            let Some(last) = batch.last() else { break };
            stand.position = last.stream_seq;
            for envelope in &batch {
                let key = envelope.dedup.as_deref().and_then(CommandKey::from_dedup);
                key.into_iter().for_each(|key| stand.remember(key));
                match envelope.event() {
                    Ok(Event::User(event)) => accounts.evolve(&event, envelope.at_us),
                    // A fact of a later version may have taken something away, which must not be given back.
                    Ok(_) => tracing::error!(seq = %envelope.seq, "a fact about who may do what is not understood"),
                    Err(error) => {
                        return Err(ReadError::Corrupt {
                            place: format!("event {}", envelope.seq),
                            reason: error.to_string(),
                        });
                    }
                }
            }
        }
        // Also what was removed counts.
        stand.position = log.stream_head(&Stream::users())?.max(stand.position);
        let began_at_us = clock.now_us();
        Ok(Self(Arc::new(Inner {
            hosts: Hosts::new(options.hosts.iter().cloned()),
            options,
            refusals: Refusals::new(log.clone(), clock.clone()),
            log,
            clock,
            accounts: RwLock::new(accounts),
            changed: watch::Sender::new(stand.position),
            stand: Arc::new(tokio::sync::Mutex::new(stand)),
            guesses: Mutex::default(),
            links: Mutex::default(),
            used: Mutex::default(),
            began_at_us,
        })))
    }

    /// Records what was counted and not recorded yet. To be called once nobody is answered any more.
    pub async fn settle(&self) {
        self.0.refusals.settle().await;
    }

    fn accounts(&self) -> RwLockReadGuard<'_, Accounts> {
        self.0.accounts.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn now_us(&self) -> u64 {
        self.0.clock.now_us()
    }

    /// Says everything that holds again, so that the facts before `below` may be removed from the log.
    ///
    /// # Errors
    /// When the log takes no writes now.
    pub async fn restate(&self, by: Actor, below: Seq) -> Result<(), Refusal> {
        let stand = self.held().await;
        let first = self.0.log.read_stream(&Stream::users(), 1, ReadMax { events: 1, bytes: 0 });
        let first = first.map_err(|error| Refusal::new(RefusalKind::Unusable, error.to_string()))?;
        if first.first().is_none_or(|first| first.seq >= below) {
            return Ok(());
        }
        let event = UserEvent::Restated(self.accounts().restated());
        let draft = Draft::new(&Event::User(event), &*self.0.clock, by, uuid::Uuid::nil());
        let drafts = vec![Draft { correlation: draft.id.0, ..draft }];
        self.record(stand, drafts, |_, _| {}).await.map_err(|error| Refusal::from(&error))
    }

    async fn held(&self) -> Held {
        Arc::clone(&self.0.stand).lock_owned().await
    }

    /// Makes facts durable and takes in what follows from them, as one: whoever hangs up meanwhile leaves no position
    /// behind the log.
    async fn record(
        &self,
        mut stand: Held,
        events: Vec<Draft>,
        take_in: impl FnOnce(&Self, &mut Stand) + Send + 'static,
    ) -> Result<(), AppendError> {
        let auth = self.clone();
        to_the_end(async move {
            let append = Append { stream: Stream::users(), expect: Expect::At(stand.position), events };
            stand.position = log::append(&*auth.0.log, append).await?.stream_seq;
            take_in(&auth, &mut stand);
            Ok(())
        })
        .await
    }

    /// Decides about a wish, makes what was decided durable, and only then lets it hold.
    pub(crate) async fn give(&self, by: By<'_>, command: Command) -> Result<(), Refusal> {
        self.give_once(by, None, command).await.map(drop)
    }

    /// The same for a request with a key, which is done once.
    pub(crate) async fn give_once(
        &self,
        by: By<'_>,
        key: Option<CommandKey>,
        command: Command,
    ) -> Result<Given, Refusal> {
        let stand = self.held().await;
        if key.as_ref().map_or(Ok(false), |key| stand.is_done(key))? {
            return Ok(Given::Before);
        }
        let now_us = self.now_us();
        let events = self.accounts().decide(by, command, now_us)?;
        if events.is_empty() {
            return Ok(Given::Now);
        }
        let actor = Actor::user(by.user);
        let draft = |event: &UserEvent| {
            let draft = Draft::new(&Event::User(event.clone()), &*self.0.clock, actor.clone(), uuid::Uuid::nil());
            Draft { correlation: draft.id.0, ..draft }
        };
        let mut drafts: Vec<Draft> = events.iter().map(draft).collect();
        let key = key.filter(|_| stand.keys.len() < KEYS_MAX);
        drafts.iter_mut().take(1).for_each(|first| first.dedup = key.as_ref().map(CommandKey::to_dedup));
        let times: Vec<u64> = drafts.iter().map(|draft| draft.at_us).collect();
        let take_in = move |auth: &Self, stand: &mut Stand| {
            key.into_iter().for_each(|key| stand.remember(key));
            {
                let mut accounts = auth.0.accounts.write().unwrap_or_else(PoisonError::into_inner);
                for (event, at_us) in events.iter().zip(times) {
                    accounts.evolve(event, at_us);
                }
            }
            auth.forget_unused();
            auth.0.changed.send_replace(stand.position);
        };
        self.record(stand, drafts, take_in).await.map_err(|error| Refusal::from(&error))?;
        Ok(Given::Now)
    }

    /// Forgets when those were used that are gone, so that no more is remembered than there are.
    fn forget_unused(&self) {
        let accounts = self.accounts();
        self.used().retain(|id, _| accounts.tokens().contains_key(id) || accounts.sessions().contains_key(id));
    }

    /// What a caller may do now; nothing when what they are known by does not hold any more.
    pub(crate) fn still(&self, identity: &Identity) -> Option<Role> {
        let (accounts, now_us) = (self.accounts(), self.now_us());
        match &identity.credential {
            Credential::Socket => Some(Role::Admin),
            Credential::Token(id) => {
                let token = accounts.tokens().get(id).filter(|token| token.is_good(now_us))?;
                accounts.role(&token.user, token.role)
            }
            Credential::Session(id) => {
                let session = accounts.sessions().get(id)?;
                self.is_session_good(id, session, now_us).then(|| accounts.role(&session.user, session.role))?
            }
        }
    }

    /// Tells whenever who may do what changed.
    pub(crate) fn watch(&self) -> watch::Receiver<u64> {
        self.0.changed.subscribe()
    }

    /// Returns when a caller may not listen any more: their token was revoked or has expired, they signed out, or they
    /// were removed. Never for the owner at the socket.
    pub async fn until_ended(self, identity: Identity) {
        self.until(identity, |role| role.is_none()).await;
    }

    /// Returns when a caller may not do what they could when they came: as [`Self::until_ended`], and when their role
    /// is another one.
    pub(crate) async fn until_changed(self, identity: Identity) {
        let came_as = identity.role;
        self.until(identity, |role| role != Some(came_as)).await;
    }

    async fn until(self, identity: Identity, is_so: impl Fn(Option<Role>) -> bool) {
        let mut changed = self.0.changed.subscribe();
        while !is_so(self.still(&identity)) {
            let rest = self.expires_in(&identity);
            let is_over = async {
                match rest {
                    Some(rest) => tokio::time::sleep(rest).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                result = changed.changed() => if result.is_err() { return },
                () = is_over => {}
            }
        }
    }

    /// The time until a caller's credential expires; a little more, so that it has when it is over.
    fn expires_in(&self, identity: &Identity) -> Option<std::time::Duration> {
        let accounts = self.accounts();
        let at_us = match &identity.credential {
            Credential::Socket => None,
            Credential::Token(id) => accounts.tokens().get(id)?.expires_at_us,
            Credential::Session(id) => accounts.sessions().get(id).map(|session| self.ends_at_us(id, session)),
        }?;
        Some(std::time::Duration::from_micros(at_us.saturating_sub(self.now_us()) + 1_000))
    }

    fn used(&self) -> MutexGuard<'_, BTreeMap<String, u64>> {
        self.0.used.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn guesses(&self) -> MutexGuard<'_, Guesses> {
        self.0.guesses.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn links(&self) -> MutexGuard<'_, Links> {
        self.0.links.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
