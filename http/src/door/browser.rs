//! One browser at a gateway's door, from its challenge to its last word.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::ws::{Message, Utf8Bytes, WebSocket};
use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use regatta_core::{Actor, GatewayName};
use regatta_gateway::RpcError;
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};
use tokio::time::timeout;
use uuid::Builder;

use super::desk::{Doing, decide};
use super::frame;
use super::gone::Gone;
use super::greeting::{Refused, Welcome, check};
use super::heard::{Heard, What};
use super::listening::Listening;
use crate::feed::Cursor;
use crate::live::{Seat, Wire, pings};
use crate::{Filter, Identity, Plane};

/// Most bytes of one message of a browser. An attachment of chat comes in one.
pub(crate) const FRAME_BYTES_MAX: usize = 8 << 20;
/// Most calls of one browser under way at once.
const CALLS_MAX: usize = 32;
/// Most bytes of their parameters together.
const CALLS_BYTES_MAX: usize = 2 * FRAME_BYTES_MAX;
/// A browser that is further behind than this many events of the log is slow.
const BEHIND_EVENTS_MAX: u64 = 16_384;
/// How long a browser may take for its `connect`.
const CONNECT_WITHIN: Duration = Duration::from_secs(15);
/// Frames told before calls have their turn.
const TURN_FRAMES_MAX: usize = 64;
/// How long is waited for calls to be answered when the gateway is gone: they are already.
const SETTLE_WITHIN: Duration = Duration::from_secs(1);

/// What came of a call, with the id the browser gave it.
struct Called {
    id: String,
    /// Of its parameters.
    bytes: usize,
    outcome: Result<Box<RawValue>, RpcError>,
}

/// One browser.
pub(crate) struct Browser {
    plane: Plane,
    identity: Identity,
    gateway: GatewayName,
    wire: Wire,
    #[expect(dead_code, reason = "held as long as the browser is there")]
    seat: Seat,
}

/// A browser that was let in.
struct Inside {
    /// The connection to the gateway that it hears from.
    conn_id: String,
    listening: Listening,
    cursor: Cursor,
    calls: FuturesUnordered<BoxFuture<'static, Called>>,
    /// Bytes of the parameters of those.
    calls_bytes: usize,
}

impl Browser {
    pub(crate) fn new(plane: Plane, identity: Identity, gateway: GatewayName, socket: WebSocket, seat: Seat) -> Self {
        Self { plane, identity, gateway, wire: Wire::new(socket), seat }
    }

    /// Serves it until it hangs up or is let go.
    pub(crate) async fn run(mut self) {
        let changed = self.plane.auth.clone().until_changed(self.identity.clone());
        let gone = tokio::select! {
            biased;
            () = changed => {
                if self.plane.auth.still(&self.identity).is_none() { Gone::Unknown } else { Gone::Rights }
            }
            gone = self.serve() => gone,
        };
        if let Some((code, reason)) = gone.said() {
            self.wire.goodbye(code, &reason).await;
            self.wire.linger().await;
        }
    }

    async fn serve(&mut self) -> Gone {
        let mut inside = match self.greet().await {
            Ok(inside) => inside,
            Err(gone) => return gone,
        };
        let gone = match self.attend(&mut inside).await {
            Ok(never) => match never {},
            Err(gone) => gone,
        };
        if gone != Gone::Away {
            self.settle(inside.calls).await;
        }
        gone
    }

    /// From the challenge to the greeting.
    async fn greet(&mut self) -> Result<Inside, Gone> {
        let now_ms = self.plane.auth.now_us() / 1_000;
        self.wire.say(frame::challenge(&fresh()?, now_ms)).await?;
        let late = |_| Gone::Handshake("connect did not come in time");
        let stop = self.plane.stop.clone();
        let text = tokio::select! {
            text = timeout(CONNECT_WITHIN, self.first()) => text.map_err(late)??,
            () = stop.cancelled() => return Err(Gone::Ends),
        };
        let asked = match frame::read(&text) {
            Ok(asked) => asked,
            Err(error) => {
                self.wire.say(frame::answer(None, Err(&error))).await?;
                return Err(Gone::Handshake("connect comes first"));
            }
        };
        match self.enter(&asked, text.len()) {
            Ok((payload, inside)) => {
                self.wire.say(frame::answer(Some(&asked.id), Ok(&payload))).await?;
                Ok(inside)
            }
            Err(refused) => {
                self.wire.say(frame::answer(Some(&asked.id), Err(&refused.error))).await?;
                Err(refused.gone)
            }
        }
    }

    async fn first(&mut self) -> Result<Utf8Bytes, Gone> {
        loop {
            match self.wire.hear().await? {
                Message::Text(text) => return Ok(text),
                Message::Binary(_) => return Err(Gone::Binary),
                Message::Ping(_) | Message::Pong(_) | Message::Close(_) => {}
            }
        }
    }

    /// Lets it in, with the greeting, or says why not.
    fn enter(&self, asked: &frame::Asked<'_>, bytes: usize) -> Result<(Box<RawValue>, Inside), Box<Refused>> {
        let guest = check(asked, bytes)?;
        // Before the gateway's greeting is looked at: what ends that connection stands behind this place.
        let from = self.plane.log.head().next();
        let hello = self.plane.gateways.greeting(&self.gateway);
        let hello = hello.map_err(|refusal| Refused::new(frame::away(&refusal), Gone::NoGateway))?;
        let role = self.identity.role;
        let unwritten = |gone| Refused::new(frame::invalid("the greeting could not be written"), gone);
        let welcome = Welcome {
            version: self.plane.about.version,
            uptime_ms: self.plane.auth.now_us().saturating_sub(self.plane.about.started_at_us) / 1_000,
            conn_id: &fresh().map_err(unwritten)?,
            role,
            hello: &hello,
        };
        let payload = to_raw_value(&welcome.payload()).map_err(|_| unwritten(Gone::Ends))?;
        let inside = Inside {
            conn_id: hello.server.conn_id.clone(),
            listening: Listening::new(role, guest.tools),
            cursor: Cursor::new(&self.plane.feed, Filter::of_link(&self.gateway), from),
            calls: FuturesUnordered::new(),
            calls_bytes: 0,
        };
        Ok((payload, inside))
    }

    async fn attend(&mut self, inside: &mut Inside) -> Result<Infallible, Gone> {
        let mut grown = self.plane.feed.watch();
        let stop = self.plane.stop.clone();
        let mut ping = pings();
        loop {
            grown.borrow_and_update();
            let has_more = self.tell(inside).await?;
            tokio::select! {
                biased;
                () = stop.cancelled() => return Err(Gone::Ends),
                _ = ping.tick() => self.wire.ping().await?,
                Some(called) = inside.calls.next(), if !inside.calls.is_empty() => {
                    inside.calls_bytes -= called.bytes;
                    self.wire.say(written(&called)).await?;
                }
                message = self.wire.hear() => self.hear(inside, message?).await?,
                () = std::future::ready(()), if has_more => {}
                changed = grown.changed() => changed.map_err(|_| Gone::Ends)?,
            }
        }
    }

    /// Tells what there is to be told, a piece of it; whether there may be more.
    async fn tell(&mut self, inside: &mut Inside) -> Result<bool, Gone> {
        let behind = self.plane.feed.head().0.saturating_sub(inside.cursor.place().0);
        if behind > BEHIND_EVENTS_MAX {
            return Err(Gone::Slow);
        }
        for _ in 0..TURN_FRAMES_MAX {
            let Some(event) = inside.cursor.next().await? else {
                self.wire.flush().await?;
                return Ok(false);
            };
            let Some(heard) = event.heard().filter(|heard| heard.gateway == self.gateway) else { continue };
            if let Some(text) = told(heard, inside)? {
                self.wire.feed(text).await?;
            }
        }
        self.wire.flush().await?;
        Ok(true)
    }

    async fn hear(&mut self, inside: &mut Inside, message: Message) -> Result<(), Gone> {
        let text = match message {
            Message::Text(text) if text.len() <= FRAME_BYTES_MAX => text,
            Message::Text(_) => return Err(Gone::TooLarge),
            Message::Binary(_) => return Err(Gone::Binary),
            Message::Ping(_) | Message::Pong(_) | Message::Close(_) => return Ok(()),
        };
        let (id, outcome) = match frame::read(&text) {
            Ok(asked) => (Some(asked.id.as_ref().to_owned()), self.take(inside, &asked)),
            Err(error) => (None, Err(error)),
        };
        match outcome {
            Ok(None) => Ok(()),
            Ok(Some(payload)) => Ok(self.wire.say(frame::answer(id.as_deref(), Ok(&payload))).await?),
            Err(error) => Ok(self.wire.say(frame::answer(id.as_deref(), Err(&error))).await?),
        }
    }

    /// Begins a call; the answer, when there is one already.
    fn take(&self, inside: &mut Inside, asked: &frame::Asked<'_>) -> Result<Option<Box<RawValue>>, RpcError> {
        if inside.calls.len() >= CALLS_MAX {
            return Err(frame::busy(&format!("{CALLS_MAX} calls")));
        }
        let bytes = asked.params.map_or(0, |params| params.get().len());
        if inside.calls_bytes + bytes > CALLS_BYTES_MAX {
            return Err(frame::busy(&format!("calls with {} bytes", inside.calls_bytes)));
        }
        let raw = |value: &Value| to_raw_value(value).map_err(|error| frame::invalid(error.to_string()));
        match decide(asked, self.identity.role, &mut inside.listening)? {
            Doing::Answer(answer) => raw(&answer).map(Some),
            Doing::Call { method, params } => {
                let (id, role) = (asked.id.as_ref().to_owned(), self.identity.role);
                let (gateways, gateway) = (self.plane.gateways.clone(), self.gateway.clone());
                let by = Actor::user(&self.identity.name);
                inside.calls_bytes += bytes;
                inside.calls.push(Box::pin(async move {
                    let called = gateways.call(&gateway, &method, &params, &by, role).await;
                    Called { id, bytes, outcome: called.map_err(frame::not_called) }
                }));
                Ok(None)
            }
        }
    }

    /// Gives the answers that are there; without a connection, all are.
    async fn settle(&mut self, mut calls: FuturesUnordered<BoxFuture<'static, Called>>) {
        while let Ok(Some(called)) = timeout(SETTLE_WITHIN, calls.next()).await {
            if self.wire.say(written(&called)).await.is_err() {
                return;
            }
        }
    }
}

/// A name nobody had before.
fn fresh() -> Result<String, Gone> {
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(|error| {
        tracing::error!(%error, "a browser is let go: the machine gives no random bytes");
        Gone::Ends
    })?;
    Ok(Builder::from_random_bytes(random).into_uuid().to_string())
}

fn written(called: &Called) -> String {
    frame::answer(Some(&called.id), called.outcome.as_deref())
}

/// What this browser is told of something; an error when it cannot hear on.
fn told(heard: &Heard, inside: &Inside) -> Result<Option<Utf8Bytes>, Gone> {
    let is_ours = heard.conn_id == inside.conn_id;
    match &heard.what {
        What::Said(text, audience) => Ok((is_ours && inside.listening.hears(audience)).then(|| text.clone())),
        What::Missed if is_ours => Err(Gone::Missed),
        What::Ends(reason) if is_ours => Err(Gone::Lost(reason.clone())),
        // Its end was not recorded.
        What::Begins if !is_ours => Err(Gone::Lost("it was connected to again".to_owned())),
        // Of the connection before, or the beginning of this one.
        What::Missed | What::Ends(_) | What::Begins => Ok(None),
    }
}
