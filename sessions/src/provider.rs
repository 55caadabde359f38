//! The provider `gateway`: a workspace of another provider and a seat at a gateway. The command `agent` of an OpenClaw
//! agent is a turn of the session; every other command runs in the workspace, behind its fence.
//!
//! Honest limits. The agent itself works behind no fence of ours, but behind what its gateway has (`tools.exec`, permission
//! modes); it gets none of the run's variables. What a gateway could not be told within an hour is not done: a turn to be
//! ended, a session to be deleted.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use regatta_agents::openclaw;
use regatta_core::{Clock, Log, Stream};
use regatta_federation::{Gateways, LinkState};
use regatta_sandboxes::{Created, Error, Exec, Found, Provider, Spec, Status, Stdio};
use serde_json::json;
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::choose::Caps;
use crate::kept::{Begun, Folder, Seat};
use crate::seats::{Held, Inner, transient, unusable};
use crate::turn::{self, Turn};

/// The provider's name.
pub const NAME: &str = "gateway";
/// The one agent it takes.
const AGENT: &str = "openclaw";
/// The command that is the agent's turn.
const TURN: &str = "agent";
/// The variable with the file of the prompt.
const PROMPT_FILE: &str = "REGATTA_PROMPT_FILE";
/// How long [`Provider::changed`] waits at most.
const LATEST: Duration = Duration::from_secs(1);
/// How long what is to be done with a session afterwards is tried.
const AFTER_MAX: Duration = Duration::from_secs(60 * 60);

/// What becomes of a session when its attempt is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// It stays as it is.
    Keep,
    /// It stays, its history summed up by the gateway.
    Compact,
    /// It stays, empty.
    Reset,
    /// It goes.
    Delete,
}

impl After {
    fn method(self) -> Option<&'static str> {
        match self {
            Self::Keep => None,
            Self::Compact => Some("sessions.compact"),
            Self::Reset => Some("sessions.reset"),
            Self::Delete => Some("sessions.delete"),
        }
    }
}

/// How sessions are kept.
#[derive(Debug, Clone)]
pub struct Options {
    /// The folder with what is known of seats, and nothing else.
    pub root: PathBuf,
    /// How many attempts each gateway takes.
    pub caps: Caps,
    /// What becomes of sessions.
    pub after: After,
    /// After so long without a word a gateway is asked how a turn is.
    pub quiet: Duration,
}

impl Options {
    /// What [`Self::quiet`] should be: a gateway that was killed resumes its turns within 3 to 8 s.
    pub const QUIET: Duration = Duration::from_secs(15);
}

/// Makes workspaces with a seat at a gateway.
#[derive(Clone)]
pub struct GatewayProvider(Arc<Inner>);

impl GatewayProvider {
    /// Takes up what an earlier server left, turns under way included. Needs a running tokio runtime.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub async fn open(
        options: Options,
        workspaces: Arc<dyn Provider>,
        gateways: Gateways,
        (log, clock): (Arc<dyn Log>, Arc<dyn Clock>),
    ) -> io::Result<Self> {
        let all = Folder::all(&options.root)?;
        let (choosing, seats) = (tokio::sync::Mutex::default(), Mutex::default());
        let this = Self(Arc::new(Inner { options, workspaces, gateways, log, clock, choosing, seats }));
        for (sandbox, folder) in all {
            let is_left = matches!(this.0.workspaces.find(&sandbox).await, Err(Error::Missing(_)));
            match folder.seat()? {
                Some(seat) if !is_left => this.take_up(sandbox, Held::new(folder, seat))?,
                // Its workspace went, and an earlier server did not come to the end of the rest.
                Some(seat) if folder.begun()?.is_some() => drop(this.settle(Held::new(folder, seat))),
                Some(_) | None => folder.remove()?,
            }
        }
        Ok(this)
    }

    fn take_up(&self, sandbox: String, held: Arc<Held>) -> io::Result<()> {
        if let (Some(begun), None) = (held.folder.begun()?, held.folder.ended()?) {
            tokio::spawn(Turn::open(&self.0, &held, begun)?.run());
        }
        self.0.seats().insert(sandbox, held);
        Ok(())
    }

    fn seat(&self, sandbox: &str) -> Option<Arc<Held>> {
        self.0.seats().get(sandbox).cloned()
    }

    /// The turn of a sandbox, when that command is one and it has begun.
    fn turn(&self, sandbox: &str, exec: &str) -> Result<Option<(Arc<Held>, Begun)>, Error> {
        let Some(held) = self.seat(sandbox).filter(|_| exec == TURN) else { return Ok(None) };
        let begun = held.folder.begun().map_err(|source| transient("read how a turn began", source))?;
        Ok(begun.map(|begun| (held, begun)))
    }

    /// Begins the turn, unless it was begun.
    fn begin(&self, held: &Arc<Held>, exec: &Exec) -> io::Result<()> {
        if held.folder.begun()?.is_some() {
            return Ok(());
        }
        let prompt = exec.env.get(PROMPT_FILE).map(PathBuf::from).unwrap_or_default();
        let from = self.0.log.stream_head(&Stream::link(&held.seat.gateway)).map_err(io::Error::other)?;
        let (timeout_ms, output_bytes_max) = (exec.timeout_ms, exec.output_bytes_max);
        let begun = Begun { from, began_at_ms: self.0.clock.now_ms(), timeout_ms, output_bytes_max, prompt };
        // Before it is written that it has begun: what has begun is followed.
        let turn = Turn::open(&self.0, held, begun.clone())?;
        held.folder.begin(&begun)?;
        tokio::spawn(turn.run());
        Ok(())
    }

    /// Does with a session what is to be done when its attempt is over: has whatever runs there ended, which is told, and
    /// what becomes of it. Its folder goes last, so that a new server goes on with it.
    fn settle(&self, held: Arc<Held>) -> oneshot::Receiver<()> {
        let inner = Arc::clone(&self.0);
        let (told, aborted) = oneshot::channel();
        tokio::spawn(async move {
            let seat = &held.seat;
            let work = async {
                turn::abort(&inner, seat).await;
                // Whoever waited for it may have waited long enough.
                told.send(()).ok();
                let Some(method) = inner.options.after.method() else { return };
                let params = json!({ "key": seat.session });
                turn::insist(&inner, seat, method, &params, turn::AFTER_REFUSALS_MAX).await;
            };
            if timeout(AFTER_MAX, work).await.is_err() {
                tracing::error!(gateway = %seat.gateway, session = seat.session, "a session was left as it is");
            }
            if let Err(error) = held.folder.remove() {
                tracing::warn!(session = seat.session, %error, "what is known of a seat is left");
            }
        });
        aborted
    }
}

#[async_trait]
impl Provider for GatewayProvider {
    fn name(&self) -> &'static str {
        NAME
    }

    async fn probe(&self) -> Result<String, Error> {
        let reaches = self.0.wanted(None)?;
        let connected = reaches.iter().filter(|reach| reach.now.state == LinkState::Connected).count();
        let fence = self.0.workspaces.probe().await?;
        Ok(format!("{connected} of {} gateways connected; setup and checks: {fence}", reaches.len()))
    }

    fn takes(&self, place: Option<&str>, agent: &str) -> Result<(), Error> {
        if agent != AGENT {
            return Err(unusable(format!(
                "a gateway runs the agent openclaw alone, not {agent}; write openclaw@{NAME}"
            )));
        }
        self.0.wanted(place).map(drop)
    }

    async fn create(&self, spec: &Spec) -> Result<Created, Error> {
        // The agent has its own credentials at its gateway.
        let spec = Spec { home_links: vec![], ..spec.clone() };
        self.0.room(&spec.key, &spec.wish)?;
        let created = self.0.workspaces.create(&spec).await?;
        match self.0.choose(&spec.key, &spec.wish, &created.workspace).await {
            Ok(seat) => Ok(Created { fence: fence(&seat, &created), ..created }),
            Err(error) => {
                // A workspace nobody works in would wait for room, too.
                if let Err(left) = self.0.workspaces.destroy(&spec.key).await {
                    tracing::warn!(sandbox = spec.key, error = %left, "a workspace without a seat is left");
                }
                Err(error)
            }
        }
    }

    async fn find(&self, key: &str) -> Result<Created, Error> {
        let created = self.0.workspaces.find(key).await?;
        let fence = self.seat(key).map(|held| fence(&held.seat, &created));
        Ok(Created { fence: fence.unwrap_or_else(|| created.fence.clone()), ..created })
    }

    async fn list(&self, owner: &str) -> Result<Vec<Found>, Error> {
        self.0.workspaces.list(owner).await
    }

    async fn start(&self, key: &str, exec: &Exec) -> Result<(), Error> {
        if exec.name != TURN || !exec.env.contains_key(openclaw::AGENT) {
            return self.0.workspaces.start(key, exec).await;
        }
        let held = self.seat(key).ok_or_else(|| Error::Missing(format!("sandbox {key}")))?;
        self.begin(&held, exec).map_err(|source| transient("begin a turn", source))
    }

    async fn status(&self, key: &str, exec: &str) -> Result<Status, Error> {
        let Some((held, _)) = self.turn(key, exec)? else { return self.0.workspaces.status(key, exec).await };
        let ended = held.folder.ended().map_err(|source| transient("read how a turn ended", source))?;
        Ok(ended.map_or(Status::Running, Status::Ended))
    }

    async fn read(&self, key: &str, exec: &str, stdio: Stdio, offset: u64, bytes_max: usize) -> Result<Vec<u8>, Error> {
        let Some((held, _)) = self.turn(key, exec)? else {
            return self.0.workspaces.read(key, exec, stdio, offset, bytes_max).await;
        };
        match stdio {
            Stdio::Out => held.folder.read(offset, bytes_max).map_err(|source| transient("read what it said", source)),
            Stdio::Err => Ok(Vec::new()),
        }
    }

    async fn changed(&self, key: &str, exec: &str) {
        match self.turn(key, exec) {
            Ok(Some((held, _))) => {
                timeout(LATEST, held.changed()).await.ok();
            }
            Ok(None) | Err(_) => self.0.workspaces.changed(key, exec).await,
        }
    }

    async fn kill(&self, key: &str, exec: &str, grace_ms: u64) -> Result<(), Error> {
        let Some((held, _)) = self.turn(key, exec)? else { return self.0.workspaces.kill(key, exec, grace_ms).await };
        held.folder.stop().map_err(|source| transient("end a turn", source))?;
        held.stop();
        Ok(())
    }

    async fn get(&self, key: &str, exec: &str, name: &str, bytes_max: u64) -> Result<Vec<u8>, Error> {
        self.0.workspaces.get(key, exec, name, bytes_max).await
    }

    async fn left_nothing(&self, key: &str, exec: &str) -> Result<bool, Error> {
        self.0.workspaces.left_nothing(key, exec).await
    }

    async fn untouched(&self, key: &str) -> Result<bool, Error> {
        self.0.workspaces.untouched(key).await
    }

    async fn destroy(&self, key: &str) -> Result<(), Error> {
        let taken = self.0.seats().remove(key);
        if let Some(held) = taken {
            let has_begun = !matches!(held.folder.begun(), Ok(None));
            if has_begun {
                // Also for a server that finds it again.
                if let Err(error) = held.folder.stop() {
                    tracing::warn!(session = held.seat.session, %error, "that a turn is to end cannot be written down");
                }
                held.stop();
                // Nobody is to work on in a workspace that goes.
                timeout(turn::ABORT_WITHIN, self.settle(held)).await.ok();
            } else if let Err(source) = held.folder.remove() {
                self.0.seats().insert(key.to_owned(), held);
                return Err(transient("forget a seat", source));
            }
        }
        self.0.workspaces.destroy(key).await
    }
}

/// What is around the commands, and that the agent's is the gateway's own.
fn fence(seat: &Seat, created: &Created) -> String {
    format!("gateway {}; checks: {}", seat.gateway, created.fence)
}
