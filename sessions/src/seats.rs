//! Who has which seat, and how a sandbox gets one.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use regatta_agents::openclaw;
use regatta_core::event::user::Role;
use regatta_core::{Actor, Clock, GatewayName, Log, Refusal, SandboxKey};
use regatta_federation::{Gateways, LinkNow};
use regatta_sandboxes::{Error, Provider, Wish};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::choose::{Candidate, rank};
use crate::kept::{Folder, Seat};
use crate::provider::Options;

/// How long is waited for room, in milliseconds.
const ROOM_MS: u64 = 2_000;
/// How long a gateway may take to say what it has.
const ASKED_WITHIN: Duration = Duration::from_secs(5);

/// A gateway as it can be reached this moment.
#[derive(Debug, Clone)]
pub(crate) struct Reach {
    pub(crate) gateway: GatewayName,
    pub(crate) now: LinkNow,
    /// The agent it takes when none is named; nothing while there is no connection.
    default_agent: Option<String>,
}

/// Why a gateway does not take an attempt.
enum Lack {
    /// It did not say no: a moment later it may take it.
    Passing(String),
    /// It cannot do it.
    Lasting(String),
}

impl Lack {
    /// What lasts, said otherwise.
    fn said(self, otherwise: impl FnOnce(String) -> String) -> Self {
        match self {
            Self::Passing(reason) => Self::Passing(reason),
            Self::Lasting(reason) => Self::Lasting(otherwise(reason)),
        }
    }
}

/// What the provider and its turns share.
pub(crate) struct Inner {
    pub(crate) options: Options,
    pub(crate) workspaces: Arc<dyn Provider>,
    pub(crate) gateways: Gateways,
    pub(crate) log: Arc<dyn Log>,
    pub(crate) clock: Arc<dyn Clock>,
    /// Held while a seat is chosen, so that two never take the last one.
    pub(crate) choosing: tokio::sync::Mutex<()>,
    pub(crate) seats: Mutex<BTreeMap<String, Arc<Held>>>,
}

/// A seat that is taken.
pub(crate) struct Held {
    pub(crate) folder: Folder,
    pub(crate) seat: Seat,
    /// Somebody wants its turn to end.
    is_to_stop: AtomicBool,
    /// Counts what happened; what there is, is in the folder.
    news: watch::Sender<u64>,
    /// How much of that whoever reads has heard of.
    heard: AtomicU64,
}

impl Held {
    pub(crate) fn new(folder: Folder, seat: Seat) -> Arc<Self> {
        let (is_to_stop, news, heard) =
            (AtomicBool::new(folder.is_to_stop()), watch::Sender::new(0), AtomicU64::new(0));
        Arc::new(Self { folder, seat, is_to_stop, news, heard })
    }

    /// Something was printed, or it ended, or is to.
    pub(crate) fn tell(&self) {
        self.news.send_modify(|count| *count += 1);
    }

    /// Has its turn ended, as far as this process goes.
    pub(crate) fn stop(&self) {
        self.is_to_stop.store(true, Ordering::SeqCst);
        self.tell();
    }

    /// Returns when somebody wants the turn to end.
    pub(crate) async fn stopped(&self) {
        // The sender is held here, so it cannot be gone.
        self.news.subscribe().wait_for(|_| self.is_to_stop.load(Ordering::SeqCst)).await.ok();
    }

    /// Returns when something happened since it returned last.
    pub(crate) async fn changed(&self) {
        let heard = self.heard.load(Ordering::SeqCst);
        if let Ok(count) = self.news.subscribe().wait_for(|count| *count != heard).await {
            self.heard.store(*count, Ordering::SeqCst);
        }
    }
}

pub(crate) fn transient(action: &str, source: io::Error) -> Error {
    Error::Transient { action: action.to_owned(), source }
}

pub(crate) fn unusable(reason: impl Into<String>) -> Error {
    Error::Unusable { reason: reason.into() }
}

impl Inner {
    pub(crate) fn seats(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Held>>> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says why there is no room for a sandbox, before anything is made for it. Between this and [`Self::choose`] somebody
    /// else may take the last seat.
    pub(crate) fn room(&self, key: &str, wish: &Wish) -> Result<(), Error> {
        if self.seats().contains_key(key) {
            return Ok(());
        }
        let reaches = self.wanted(wish.place.as_deref())?;
        let (able, reasons) = rank(reaches.iter().map(|reach| self.candidate(reach)).collect(), &self.options.caps);
        if able.is_empty() { Err(Error::Full { reason: reasons.join("; "), wait_ms: ROOM_MS }) } else { Ok(()) }
    }

    /// Gives a sandbox its seat.
    pub(crate) async fn choose(&self, key: &str, wish: &Wish, workspace: &str) -> Result<Seat, Error> {
        let _choosing = self.choosing.lock().await;
        if let Some(held) = self.seats().get(key) {
            return Ok(held.seat.clone());
        }
        let reaches = self.wanted(wish.place.as_deref())?;
        let (able, mut reasons) = rank(reaches.iter().map(|reach| self.candidate(reach)).collect(), &self.options.caps);
        let mut may_pass = !reasons.is_empty();
        for gateway in able {
            let Some(reach) = reaches.iter().find(|reach| reach.gateway == gateway) else { continue };
            match self.lacks(reach, wish, workspace).await {
                Ok(agent) => {
                    let (session, message) = names(&agent, key)?;
                    let seat = Seat { gateway, agent, session, key: message, workspace: workspace.to_owned() };
                    let folder = Folder::new(&self.options.root, key);
                    folder.take(&seat).map_err(|source| transient("write down a seat", source))?;
                    self.seats().insert(key.to_owned(), Held::new(folder, seat.clone()));
                    return Ok(seat);
                }
                Err(lack) => {
                    let (Lack::Passing(reason) | Lack::Lasting(reason)) = &lack;
                    reasons.push(format!("gateway {gateway} {reason}"));
                    may_pass |= matches!(lack, Lack::Passing(_));
                }
            }
        }
        let reason = reasons.join("; ");
        if may_pass { Err(Error::Full { reason, wait_ms: ROOM_MS }) } else { Err(unusable(reason)) }
    }

    fn reach(&self) -> Vec<Reach> {
        let reach = |gateway: GatewayName| {
            let now = self.gateways.link(&gateway)?;
            let default_agent = self.gateways.greeting(&gateway).ok().map(|hello| {
                let snapshot = hello.snapshot.as_ref().map_or("null", |snapshot| snapshot.get());
                default_agent(&serde_json::from_str(snapshot).unwrap_or_default())
            });
            Some(Reach { gateway, now, default_agent })
        };
        self.gateways.names().into_iter().filter_map(reach).collect()
    }

    /// The gateways an attempt may go to.
    pub(crate) fn wanted(&self, place: Option<&str>) -> Result<Vec<Reach>, Error> {
        let all = self.reach();
        if all.is_empty() {
            return Err(unusable("there is no gateway; regatta gateway add main 127.0.0.1:18789 --token-stdin"));
        }
        let Some(place) = place else { return Ok(all) };
        let known = all.iter().map(|reach| reach.gateway.as_str()).collect::<Vec<_>>().join(", ");
        let named: Vec<Reach> = all.iter().filter(|reach| reach.gateway.as_str() == place).cloned().collect();
        if named.is_empty() {
            Err(unusable(format!("there is no gateway {place}; there are: {known}")))
        } else {
            Ok(named)
        }
    }

    fn candidate(&self, reach: &Reach) -> Candidate {
        let away = || reach.now.reason.clone().unwrap_or_else(|| "it is being connected to".to_owned());
        Candidate {
            gateway: reach.gateway.clone(),
            away: reach.default_agent.is_none().then(away),
            here: self.seats().values().filter(|held| held.seat.gateway == reach.gateway).count(),
        }
    }

    /// The OpenClaw agent that takes it there, or what the gateway lacks.
    async fn lacks(&self, reach: &Reach, wish: &Wish, workspace: &str) -> Result<String, Lack> {
        let here = &reach.gateway;
        let unseen = |reason: String| {
            format!("does not see {workspace}, as it must: it has to run on this machine, as this user ({reason})")
        };
        let seen = self.asked(here, "fs.listDir", &json!({ "path": workspace })).await;
        seen.map_err(|lack| lack.said(unseen))?;
        let Some(agent) = &wish.model else { return Ok(reach.default_agent.clone().unwrap_or_default()) };
        let agents = self.asked(here, "agents.list", &json!({})).await;
        let agents = agents.map_err(|lack| lack.said(|reason| format!("says: {reason}")))?;
        let unread = |_| Lack::Lasting("does not say which agents it has".to_owned());
        let agents: Agents = serde_json::from_str(&agents).map_err(unread)?;
        if agents.agents.iter().any(|known| known.id == *agent) {
            return Ok(agent.clone());
        }
        let known = agents.agents.iter().map(|known| known.id.as_str()).collect::<Vec<_>>().join(", ");
        Err(Lack::Lasting(format!("has no agent {agent}; it has: {known}")))
    }

    async fn asked(&self, gateway: &GatewayName, method: &str, params: &Value) -> Result<String, Lack> {
        let by = Actor::regatta();
        let calling = self.gateways.call(gateway, method, params, &by, Role::Admin);
        let late = |_| Lack::Passing(format!("does not answer within {} s", ASKED_WITHIN.as_secs()));
        let not_called = match timeout(ASKED_WITHIN, calling).await.map_err(late)? {
            Ok(answer) => return Ok(answer.get().to_owned()),
            Err(not_called) => not_called,
        };
        let is_no = not_called.is_no();
        let reason = Refusal::from(not_called).message;
        Err(if is_no { Lack::Lasting(reason) } else { Lack::Passing(format!("cannot be asked: {reason}")) })
    }
}

#[derive(Deserialize)]
struct Agents {
    #[serde(default)]
    agents: Vec<Agent>,
}

#[derive(Deserialize)]
struct Agent {
    id: String,
}

fn default_agent(snapshot: &Value) -> String {
    let id = snapshot.pointer("/sessionDefaults/defaultAgentId").and_then(Value::as_str);
    id.filter(|id| openclaw::is_id(id)).unwrap_or("main").to_owned()
}

/// The session's key and the message's, the same whenever they are asked for. Another try of an attempt is another session.
fn names(agent: &str, sandbox: &str) -> Result<(String, String), Error> {
    let key: SandboxKey = sandbox.parse().map_err(|_| unusable(format!("{sandbox:?} is no sandbox of an attempt")))?;
    let epoch = if key.epoch > 1 { format!("-{}", key.epoch) } else { String::new() };
    let name = format!("regatta-{}-{}{epoch}", key.attempt.run, key.attempt.slot);
    Ok((format!("agent:{agent}:{name}"), name))
}
