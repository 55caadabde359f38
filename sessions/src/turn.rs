//! One turn of a session, from the message to its end: sent once, followed in the log, looked after when the gateway is
//! quiet, ended when it takes too long, prints too much or somebody wants it to.
//!
//! What the gateway says is read from the log, where the federation put it; what was missed is asked of the gateway's own
//! history. A gateway that was killed resumes its turns by itself under another run, so a turn is over only when the gateway
//! says twice, a quiet time apart and without a sign of life between, that nothing runs.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use regatta_agents::LINE_BYTES_MAX;
use regatta_core::event::gateway::GatewayEvent;
use regatta_core::event::user::Role;
use regatta_core::{Actor, Event, ReadMax, Refusal, RefusalKind, Stream};
use regatta_federation::LinkState;
use regatta_sandboxes::{Ended, Exit};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::kept::{Begun, Out, Seat};
use crate::line::{self, End, Heard};
use crate::seats::{Held, Inner};

/// Between two tries to write down what could not be written.
const DISK: Duration = Duration::from_secs(5);
/// Between two questions while there is no connection.
const AGAIN: Duration = Duration::from_millis(500);
/// How often in a row the gateway may refuse before that is believed.
const REFUSALS_MAX: u32 = 2;
/// The same of what becomes of a session: one whose turn was just ended has work queued for some seconds.
pub(crate) const AFTER_REFUSALS_MAX: u32 = 60;
/// The same while the gateway is not known: it was removed, or the server has just begun.
const ABSENT_MAX: u32 = 20;
/// How long a gateway may take to hear that a turn is to end.
pub(crate) const ABORT_WITHIN: Duration = Duration::from_secs(10);
/// How long the last words of a turn that was ended are waited for.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// Rows of a session's history that are looked at.
const ROWS_MAX: u32 = 200;

/// What a gateway tells of a session.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct History {
    #[serde(default)]
    messages: Vec<Value>,
    #[serde(default)]
    session_info: Info,
    #[serde(default)]
    in_flight_run: Option<Value>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Info {
    #[serde(default)]
    has_active_run: bool,
}

/// Follows a turn.
pub(crate) struct Turn {
    inner: Arc<Inner>,
    held: Arc<Held>,
    seat: Seat,
    begun: Begun,
    out: Out,
    /// Everything before this place in the gateway's stream was read.
    at: u64,
    was_sent: bool,
    /// When the gateway is asked how the turn is.
    look_at: Instant,
    /// Since when it says that nothing runs, without a sign of life.
    idle_since: Option<Instant>,
    /// How often in a row it refused, although it is connected.
    refused: u32,
}

impl Turn {
    pub(crate) fn open(inner: &Arc<Inner>, held: &Arc<Held>, begun: Begun) -> io::Result<Self> {
        let out = Out::open(&held.folder, begun.from)?;
        let was_sent = held.folder.was_sent();
        Ok(Self {
            inner: Arc::clone(inner),
            held: Arc::clone(held),
            seat: held.seat.clone(),
            begun,
            at: out.at,
            out,
            was_sent,
            look_at: Instant::now(),
            idle_since: None,
            refused: 0,
        })
    }

    /// Follows it to its end, which is on disk when this returns.
    pub(crate) async fn run(mut self) {
        let exit = loop {
            match self.follow().await {
                Ok(exit) => break exit,
                // A full disk: it goes on with what was not printed yet.
                Err(error) => {
                    tracing::warn!(session = self.seat.session, %error, "what a session says cannot be written down");
                    self.at = self.out.at;
                    sleep(DISK).await;
                }
            }
        };
        let elapsed_ms = self.inner.clock.now_ms().saturating_sub(self.begun.began_at_ms);
        let ended = Ended { exit, elapsed_ms, oom_kills: 0 };
        loop {
            match self.held.folder.end(&ended) {
                Ok(()) => break self.held.tell(),
                // The sandbox is gone, and who would want to know.
                Err(error) if error.kind() == io::ErrorKind::NotFound => break,
                Err(error) => {
                    tracing::warn!(session = self.seat.session, %error, "how a turn ended cannot be written down");
                    sleep(DISK).await;
                }
            }
        }
    }

    async fn follow(&mut self) -> io::Result<Exit> {
        let mut news = self.inner.log.watch();
        if self.out.bytes == 0 {
            self.print(line::begun(self.seat.gateway.as_str(), &self.seat.session))?;
        }
        let held = Arc::clone(&self.held);
        let left_ms = (self.begun.began_at_ms + self.begun.timeout_ms).saturating_sub(self.inner.clock.now_ms());
        let deadline = Instant::now() + Duration::from_millis(left_ms);
        loop {
            news.borrow_and_update();
            if let Some(end) = self.read()? {
                return Ok(exit(end));
            }
            if self.out.bytes > self.begun.output_bytes_max {
                let told = format!("it printed more than {} bytes", self.begun.output_bytes_max);
                return self.stop(Exit::OverLimit(told)).await;
            }
            let look_at = self.look_at;
            tokio::select! {
                biased;
                () = held.stopped() => return self.stop(Exit::Killed).await,
                () = sleep_until(deadline) => return self.stop(Exit::TimedOut).await,
                // What else happens waits: an answer takes moments, or the connection is gone and says so.
                () = sleep_until(look_at) => {
                    let looked = tokio::select! {
                        biased;
                        () = held.stopped() => continue,
                        () = sleep_until(deadline) => continue,
                        looked = self.look() => looked?,
                    };
                    if let Some(exit) = looked {
                        return Ok(exit);
                    }
                }
                changed = news.changed() => if changed.is_err() {
                    // The server ends; the next one goes on.
                    std::future::pending::<()>().await;
                },
            }
        }
    }

    /// Prints what the log has of this turn; how it ended, when it has.
    fn read(&mut self) -> io::Result<Option<End>> {
        let stream = Stream::link(&self.seat.gateway);
        loop {
            let read = self.inner.log.read_stream(&stream, self.at + 1, ReadMax::default());
            let batch = read.unwrap_or_else(|error| {
                // It is read again with the next event; when the server ends, by the next one.
                tracing::warn!(session = self.seat.session, %error, "what a session says cannot be read");
                Vec::new()
            });
            if batch.is_empty() {
                return Ok(None);
            }
            for envelope in batch {
                self.at = envelope.stream_seq;
                let Ok(Event::Gateway(event)) = envelope.event() else { continue };
                if let Some(end) = self.take(&event)? {
                    return Ok(Some(end));
                }
            }
        }
    }

    fn take(&mut self, event: &GatewayEvent) -> io::Result<Option<End>> {
        match event {
            GatewayEvent::Frame(frame) => match line::hear(&frame.text, &self.seat.session) {
                Heard::Nothing => {}
                Heard::Sign => self.lives(),
                Heard::Line(line) => {
                    self.lives();
                    self.print(line)?;
                }
                Heard::Last(line, end) => {
                    self.print(line)?;
                    return Ok(Some(end));
                }
            },
            // Whatever it said meanwhile is in its history.
            GatewayEvent::Connected(_) => (self.idle_since, self.look_at) = (None, Instant::now()),
            GatewayEvent::Disconnected(gone) => {
                let text = format!("the connection to gateway {} was lost: {}", self.seat.gateway, gone.reason);
                self.print(line::problem(&text))?;
            }
            GatewayEvent::Missed(missed) => {
                let count = missed.next.saturating_sub(missed.last).saturating_sub(1);
                self.print(line::problem(&format!("{count} events of gateway {} were missed", self.seat.gateway)))?;
                self.look_at = Instant::now();
            }
            GatewayEvent::Added(_)
            | GatewayEvent::Removed(_)
            | GatewayEvent::Restated(_)
            | GatewayEvent::Stopped(_)
            | GatewayEvent::Called(_) => {}
        }
        Ok(None)
    }

    fn lives(&mut self) {
        self.idle_since = None;
        self.look_at = Instant::now() + self.inner.options.quiet;
    }

    fn print(&mut self, line: Map<String, Value>) -> io::Result<()> {
        self.out.print(line, self.at)?;
        self.held.tell();
        Ok(())
    }

    /// Asks the gateway how the turn is, and has it begun when it was not.
    async fn look(&mut self) -> io::Result<Option<Exit>> {
        let (looked_at, quiet) = (Instant::now(), self.inner.options.quiet);
        self.look_at = looked_at + quiet;
        match self.ask().await {
            Ok(history) => {
                self.refused = 0;
                let Some(history) = history else { return Ok(None) };
                let runs = history.session_info.has_active_run || history.in_flight_run.is_some();
                if runs {
                    self.idle_since = None;
                    return Ok(None);
                }
                let idle_since = *self.idle_since.get_or_insert(looked_at);
                let is_over = looked_at.duration_since(idle_since) >= quiet && looked_at > idle_since;
                if is_over { self.rebuild(&history).map(Some) } else { Ok(None) }
            }
            Err(refusal) => {
                self.look_at = Instant::now() + AGAIN;
                let state = self.inner.gateways.link(&self.seat.gateway).map(|now| now.state);
                let (counts, max) = match state {
                    Some(LinkState::Connected) => (true, REFUSALS_MAX),
                    Some(LinkState::Connecting | LinkState::Waiting | LinkState::Stopped) => (false, REFUSALS_MAX),
                    None => (true, ABSENT_MAX),
                };
                self.refused = if counts && !passes(&refusal) { self.refused + 1 } else { 0 };
                if self.was_sent || self.refused < max {
                    return Ok(None);
                }
                let hint = refusal.hint.map(|hint| format!("; {hint}")).unwrap_or_default();
                Ok(Some(Exit::NotStarted(format!("gateway {}: {}{hint}", self.seat.gateway, refusal.message))))
            }
        }
    }

    /// The session's history; nothing when the turn begins only now.
    async fn ask(&mut self) -> Result<Option<History>, Refusal> {
        let Seat { agent, session, key, workspace, .. } = self.seat.clone();
        if !self.was_sent {
            // Of a session that is there it changes nothing.
            self.call("sessions.create", json!({ "key": session, "agentId": agent, "cwd": workspace })).await?;
        }
        let history = self.call("chat.history", json!({ "sessionKey": session, "limit": ROWS_MAX })).await?;
        let unread = |error: serde_json::Error| {
            let message = format!("its history cannot be read (at byte {})", error.column());
            Refusal::new(RefusalKind::Unusable, message)
        };
        let history: History = serde_json::from_str(history.get()).map_err(unread)?;
        if !self.was_sent && !history.messages.iter().any(|row| line::is_ours(row, &key)) {
            let message = std::fs::read_to_string(&self.begun.prompt)
                .map_err(|error| Refusal::new(RefusalKind::Unusable, format!("the prompt cannot be read: {error}")))?;
            let turn = json!({
                "sessionKey": session, "message": message, "idempotencyKey": key, "suppressCommandInterpretation": true,
            });
            self.call("chat.send", turn).await?;
            self.note_sent();
            return Ok(None);
        }
        self.note_sent();
        Ok(Some(history))
    }

    fn note_sent(&mut self) {
        // Without it the history is looked at again, and the key keeps it from being taken twice.
        if !std::mem::replace(&mut self.was_sent, true)
            && let Err(error) = self.held.folder.sent()
        {
            tracing::warn!(session = self.seat.session, %error, "that a message was sent cannot be written down");
        }
    }

    /// The turn ended unheard: what the gateway's history has of it.
    fn rebuild(&mut self, history: &History) -> io::Result<Exit> {
        let (lines, last, end) = line::rebuilt(&history.messages, &self.seat.key, self.out.row);
        for line in lines.into_iter().filter(fits) {
            self.print(line)?;
        }
        self.print(last)?;
        Ok(exit(end))
    }

    /// Has the turn ended at the gateway, and waits a moment for its last words.
    async fn stop(&mut self, exit: Exit) -> io::Result<Exit> {
        let (inner, seat) = (Arc::clone(&self.inner), self.seat.clone());
        // A message that was sent a moment ago may be taken only now.
        let is_told = timeout(ABORT_WITHIN, abort(&inner, &seat)).await.unwrap_or(false);
        if !is_told {
            self.print(line::problem("its gateway could not be told to stop; what runs there may go on for a while"))?;
            return Ok(exit);
        }
        let mut news = self.inner.log.watch();
        let until = Instant::now() + LAST_WORDS;
        loop {
            news.borrow_and_update();
            if self.read()?.is_some() {
                return Ok(exit);
            }
            tokio::select! {
                () = sleep_until(until) => return Ok(exit),
                changed = news.changed() => if changed.is_err() {
                    return Ok(exit);
                },
            }
        }
    }

    async fn call(&self, method: &str, params: Value) -> Result<Box<RawValue>, Refusal> {
        call(&self.inner, &self.seat, method, &params).await
    }
}

/// One row may be as large as a gateway likes.
fn fits(line: &Map<String, Value>) -> bool {
    serde_json::to_vec(line).is_ok_and(|text| text.len() < LINE_BYTES_MAX)
}

fn exit(end: End) -> Exit {
    Exit::Code(match end {
        End::Final => 0,
        End::Failed => 1,
    })
}

async fn call(inner: &Inner, seat: &Seat, method: &str, params: &Value) -> Result<Box<RawValue>, Refusal> {
    let (gateway, by) = (&seat.gateway, Actor::regatta());
    inner.gateways.call(gateway, method, params, &by, Role::Admin).await.map_err(Refusal::from)
}

/// Whether it says nothing of the gateway: too much was under way, or the disk is nearly full.
fn passes(refusal: &Refusal) -> bool {
    matches!(refusal.kind, RefusalKind::Busy | RefusalKind::ReadOnly)
}

/// Calls until the gateway takes it, or says no so often in a row although it is connected; whether it took it.
pub(crate) async fn insist(inner: &Inner, seat: &Seat, method: &str, params: &Value, refusals_max: u32) -> bool {
    let mut refused = 0;
    while let Err(refusal) = call(inner, seat, method, params).await {
        let is_connected = inner.gateways.link(&seat.gateway).is_some_and(|now| now.state == LinkState::Connected);
        refused = if is_connected && !passes(&refusal) { refused + 1 } else { 0 };
        if refused >= refusals_max {
            tracing::warn!(session = seat.session, method, reason = refusal.message, "a gateway refuses");
            return false;
        }
        sleep(AGAIN).await;
    }
    true
}

/// Has whatever runs in the session ended; returns when the gateway took it, or whether it does not.
pub(crate) async fn abort(inner: &Inner, seat: &Seat) -> bool {
    insist(inner, seat, "chat.abort", &json!({ "sessionKey": seat.session }), REFUSALS_MAX).await
}
