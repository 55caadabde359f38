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
use regatta_core::{Actor, Append, AppendError, Clock, Draft, Event, Expect, Log, ReadError, ReadMax, Stream, log};
use regatta_dispatcher::{Refusal, RefusalKind};
use tokio::sync::watch;

use accounts::{Accounts, By, Command};
use guesses::Guesses;
use links::Links;
use origin::Hosts;
use refusals::Refusals;

pub(crate) use gate::{guard, unknown};
pub(crate) use identity::{Credential, Place};
pub use identity::{Door, Identity, Via};
pub use rights::{Need, RIGHTS};
pub(crate) use rights::{may, rights};
pub use sign_in::Made;

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

struct Inner {
    options: Options,
    hosts: Hosts,
    log: Arc<dyn Log>,
    clock: Arc<dyn Clock>,
    accounts: RwLock<Accounts>,
    /// Held while something is decided and made durable; guards the stream's position.
    position: tokio::sync::Mutex<u64>,
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
        let (mut accounts, mut position) = (Accounts::default(), 0);
        loop {
            let batch = log.read_stream(&Stream::users(), position + 1, ReadMax::default())?;
            let Some(last) = batch.last() else { break };
            position = last.stream_seq;
            for envelope in &batch {
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
        let began_at_us = clock.now_us();
        Ok(Self(Arc::new(Inner {
            hosts: Hosts::new(options.hosts.iter().cloned()),
            options,
            refusals: Refusals::new(log.clone(), clock.clone()),
            log,
            clock,
            accounts: RwLock::new(accounts),
            position: tokio::sync::Mutex::new(position),
            changed: watch::Sender::new(position),
            guesses: Mutex::default(),
            links: Mutex::default(),
            used: Mutex::default(),
            began_at_us,
        })))
    }

    fn accounts(&self) -> RwLockReadGuard<'_, Accounts> {
        self.0.accounts.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn now_us(&self) -> u64 {
        self.0.clock.now_us()
    }

    /// Decides about a wish, makes what was decided durable, and only then lets it hold.
    pub(crate) async fn give(&self, by: By<'_>, command: Command) -> Result<Vec<UserEvent>, Refusal> {
        let mut position = self.0.position.lock().await;
        let now_us = self.now_us();
        let events = self.accounts().decide(by, command, now_us)?;
        if events.is_empty() {
            return Ok(events);
        }
        let actor = Actor::user(by.user);
        let draft = |event: &UserEvent| {
            let draft = Draft::new(&Event::User(event.clone()), &*self.0.clock, actor.clone(), uuid::Uuid::nil());
            Draft { correlation: draft.id.0, ..draft }
        };
        let drafts: Vec<Draft> = events.iter().map(draft).collect();
        let times: Vec<u64> = drafts.iter().map(|draft| draft.at_us).collect();
        let append = Append { stream: Stream::users(), expect: Expect::At(*position), events: drafts };
        let appended = log::append(&*self.0.log, append).await.map_err(refused)?;
        *position = appended.stream_seq;
        {
            let mut accounts = self.0.accounts.write().unwrap_or_else(PoisonError::into_inner);
            for (event, at_us) in events.iter().zip(times) {
                accounts.evolve(event, at_us);
            }
        }
        self.forget_unused();
        self.0.changed.send_replace(*position);
        Ok(events)
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

    /// Returns when a caller may not listen any more: their token was revoked or has expired, they signed out, or they
    /// were removed. Never for the owner at the socket.
    pub async fn until_ended(&self, identity: Identity) {
        let mut changed = self.0.changed.subscribe();
        while self.still(&identity).is_some() {
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
            Credential::Session(id) => Some(accounts.sessions().get(id)?.expires_at_us),
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

fn refused(error: AppendError) -> Refusal {
    let kind = match error {
        AppendError::ReadOnly(_) | AppendError::Poisoned(_) => RefusalKind::ReadOnly,
        AppendError::Busy | AppendError::Conflict { .. } => RefusalKind::Busy,
        AppendError::OutOfBounds(_) => RefusalKind::Invalid,
    };
    Refusal::new(kind, error.to_string()).hint("nothing was changed; try again once the log can be written")
}
