//! The relay: publishes every event of the log, in order, and knows how far the server has them. Whatever happens to
//! either side, it looks at what the stream holds, then publishes what is missing. Never appends.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::IntoFuture as _;
use std::ops::ControlFlow;
use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::header::{NATS_EXPECTED_STREAM, NATS_MESSAGE_ID};
use async_nats::jetstream::context::{PublishAckFuture, PublishErrorKind};
use async_nats::jetstream::message::StreamMessage;
use async_nats::jetstream::stream::{Config, Info, RawMessageErrorKind, Stream};
use bytes::Bytes;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::foreign::{Foreign, Strangers};
use super::mirror::{Cursor, Part, Start};
use super::server::{Connection, Server};
use super::stock::{Anchor, Stock};
use super::{Error, LINK_HEADER, SEQ_HEADER, STREAM, message_id, nats, subject};
use crate::bus::{RELAY_CHECKPOINT, RelayState};
use crate::log::transfer::each_linked_line;
use crate::{DurableLog, EventId, InstallId, Kind, Log as _, ReadMax, Seq};

/// Version of that snapshot: the numbers of [`Kept`] after the event, eight bytes each, little end first.
const SNAPSHOT_VERSION: u32 = 3;
/// How often a quiet relay looks whether messages were removed from the stream, and how much less often where the stream
/// has limits, which remove them all the time.
const LOOK_EVERY: Duration = Duration::from_secs(60);
const LOOK_LESS: u32 = 60;
/// Most messages that wait for their acknowledgement.
const IN_FLIGHT_MAX: usize = 4_096;
/// Most bytes that wait for their acknowledgement; one message may go over it.
const IN_FLIGHT_BYTES_MAX: usize = 16 << 20;
/// Most events, and bytes, read from the log at once.
const BATCH: ReadMax = ReadMax { events: 1_024, bytes: 1 << 20 };
/// First and longest pause before connecting again.
const PAUSE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));

/// Publishes a log's events, from where it stopped.
#[derive(Debug)]
pub struct Relay {
    log: DurableLog,
    install: InstallId,
    server: Server,
    kept: Kept,
    /// What is in the log's index of that.
    written: Option<Kept>,
    look_every: Duration,
    state: watch::Sender<RelayState>,
}

/// What is kept of the last comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Kept {
    anchor: Anchor,
    /// The stream as it was seen then.
    seen: Seen,
    /// Events up to the anchor's that it does not hold.
    missing: u64,
    /// Messages before the anchor's that are no events of this log.
    foreign: u64,
}

/// What changes in a stream when messages are removed from it, or it is made anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Seen {
    created_us: u64,
    first: u64,
    deleted: u64,
}

impl Seen {
    fn of(info: &Info) -> Self {
        let created_us = u64::try_from(info.created.unix_timestamp_nanos() / 1_000).unwrap_or(0);
        Self { created_us, first: info.state.first_sequence.max(1), deleted: info.state.deleted_count.unwrap_or(0) }
    }
}

impl Kept {
    fn bytes(&self) -> Vec<u8> {
        let Seen { created_us, first, deleted } = self.seen;
        [self.anchor.at, created_us, first, deleted, self.missing, self.foreign].map(u64::to_le_bytes).concat()
    }

    fn parse(seq: Seq, bytes: &[u8]) -> Option<Self> {
        let (numbers, []) = bytes.as_chunks::<8>() else { return None };
        let [at, created_us, first, deleted, missing, foreign] = numbers else { return None };
        let number = |bytes: &[u8; 8]| u64::from_le_bytes(*bytes);
        let seen = Seen { created_us: number(created_us), first: number(first), deleted: number(deleted) };
        let anchor = Anchor { seq: seq.0, at: number(at) };
        Some(Self { anchor, seen, missing: number(missing), foreign: number(foreign) })
    }
}

/// Whether a stream drops messages by itself.
fn is_limited(config: &Config) -> bool {
    let counts = [config.max_messages, config.max_bytes, config.max_messages_per_subject];
    !config.max_age.is_zero() || counts.iter().any(|most| *most > 0)
}

fn id_in(message: &StreamMessage) -> Option<&str> {
    message.headers.get(NATS_MESSAGE_ID).map(|id| id.as_str())
}

fn seq_in(message: &StreamMessage) -> Option<u64> {
    message.headers.get(SEQ_HEADER)?.as_str().parse().ok()
}

/// An event about to be published.
struct Message {
    seq: u64,
    id: String,
    subject: String,
    body: Bytes,
    /// What the last event of a block tells of it.
    link: Option<String>,
}

type Fetch = JoinHandle<Result<Vec<Message>, Error>>;

impl Relay {
    /// A relay of this log, and where it stands. It does nothing until it is run.
    ///
    /// # Errors
    /// When the checkpoint cannot be read.
    pub fn new(
        log: DurableLog,
        install: InstallId,
        server: Server,
    ) -> Result<(Self, watch::Receiver<RelayState>), Error> {
        let kept = log.snapshot(RELAY_CHECKPOINT, SNAPSHOT_VERSION)?;
        let kept = kept.and_then(|(seq, bytes)| Kept::parse(seq, &bytes)).unwrap_or_default();
        let (published, missing, head) = (Seq(kept.anchor.seq), kept.missing, log.head());
        let acked = if missing == 0 { published } else { Seq(0) };
        let (server_shown, foreign) = (server.shown(), kept.foreign);
        let state =
            RelayState { server: server_shown, acked, published, missing, foreign, head, ..RelayState::default() };
        let (state, seen) = watch::channel(state);
        Ok((Self { log, install, server, kept, written: None, look_every: LOOK_EVERY, state }, seen))
    }

    /// Looks this often whether messages were removed from the stream, while there is nothing to publish.
    #[must_use]
    pub fn looking_every(mut self, period: Duration) -> Self {
        self.look_every = period;
        self
    }

    /// Relays until `stop`. Outages of the server are waited for.
    pub async fn run(mut self, stop: impl Future<Output = ()>) {
        let mut stop = std::pin::pin!(stop);
        let mut pause = PAUSE.0;
        loop {
            let error = tokio::select! {
                () = &mut stop => return,
                ended = Box::pin(self.session()) => match ended { Err(error) => error },
            };
            if self.state.borrow().connected {
                pause = PAUSE.0;
            }
            self.interrupted(&error);
            tokio::select! {
                () = &mut stop => return,
                () = tokio::time::sleep(pause) => pause = (2 * pause).min(PAUSE.1),
            }
        }
    }

    fn interrupted(&self, error: &Error) {
        let reason = match std::error::Error::source(error) {
            Some(cause) => format!("{error}: {cause}"),
            None => error.to_string(),
        };
        // An outage is told once, not at every try.
        if self.state.borrow().last_error.as_ref() != Some(&reason) {
            tracing::warn!(reason, server = self.server.shown(), "the relay to NATS was interrupted");
        }
        let head = self.log.head();
        let waiting_since_us = self.waiting_since_us(self.state.borrow().published, head);
        self.state.send_modify(|state| {
            state.connected = false;
            state.head = head;
            state.waiting_since_us = waiting_since_us;
            state.last_error = Some(reason);
        });
    }

    /// One connection: looks at what the stream holds, then publishes the rest.
    async fn session(&mut self) -> Result<Infallible, Error> {
        let connection = self.server.connect(2 * IN_FLIGHT_MAX).await?;
        let stream = connection.hold(connection.stream()).await??;
        let info = connection.hold(look(&stream)).await??;
        let (stock, strangers) = connection.hold(Box::pin(self.stock(&connection, &stream, &info))).await??;
        let seen = Seen::of(&info);
        let mut looks = tokio::time::interval(self.look_every * if is_limited(&info.config) { LOOK_LESS } else { 1 });
        looks.reset();
        let mut head = self.log.watch();
        let mut flow = Flow { connection: &connection, stream: &stream, stock, in_flight: VecDeque::new(), bytes: 0 };
        self.keep(&flow.stock, seen, strangers)?;
        tracing::info!(server = self.server.shown(), from = flow.stock.upto() + 1, "relaying to NATS");
        let mut next = flow.stock.upto() + 1;
        let mut fetch = self.fetch(next);
        loop {
            let batch = read(&mut fetch).await?;
            if let Some(last) = batch.last() {
                next = last.seq + 1;
                // The next ones are read while these are published.
                fetch = self.fetch(next);
                for message in batch {
                    if !flow.stock.holds(message.seq) {
                        flow.publish(message).await?;
                    }
                }
                self.keep(&flow.stock, seen, strangers)?;
            } else {
                flow.settle(0).await?;
                self.keep(&flow.stock, seen, strangers)?;
                let grown = async {
                    let grown = connection.hold(head.wait_for(|head| head.0 >= next)).await?;
                    grown.map(drop).map_err(|_| Error::Lost)
                };
                tokio::select! {
                    grown = grown => grown?,
                    _ = looks.tick() => {
                        if Seen::of(&connection.hold(look(&stream)).await??) != seen {
                            return Err(Error::Removed);
                        }
                    }
                }
                fetch = self.fetch(next);
            }
        }
    }

    /// Reads the next events as messages.
    fn fetch(&self, from: u64) -> Fetch {
        let (log, install) = (self.log.clone(), self.install.clone());
        tokio::task::spawn_blocking(move || {
            let (mut messages, mut bytes) = (Vec::new(), 0);
            each_linked_line(log.reader(), Seq(from), &mut |seq, record, line, link| {
                let Ok(stream) = crate::Stream::try_from(record.stream) else { return ControlFlow::Break(()) };
                let id = message_id(EventId(uuid::Uuid::from_bytes(record.id)));
                let subject = subject(&install, Kind(record.kind), &stream);
                bytes += line.len();
                let (body, link) = (Bytes::copy_from_slice(line), link.map(ToString::to_string));
                messages.push(Message { seq, id, subject, body, link });
                let full = messages.len() >= BATCH.events || bytes >= BATCH.bytes;
                if full { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })?;
            Ok(messages)
        })
    }

    /// Looks at what the stream holds of this log: of what came since the last look, or of everything when something was
    /// removed since.
    async fn stock(&self, connection: &Connection, stream: &Stream, info: &Info) -> Result<(Stock, Strangers), Error> {
        let is_same = self.stands(stream, info).await?;
        let is_whole = is_same && Seen::of(info) == self.kept.seen && self.kept.missing == 0;
        let anchor = if is_whole { self.kept.anchor } else { Anchor::default() };
        let (mut stock, strangers) = self.held(connection, stream, anchor).await?;
        // What is no longer in the log cannot be published again, and what the stream itself drops should not be.
        let mut lost = self.log.first().0 - 1;
        if is_limited(&info.config) {
            let known = if is_same { self.kept.anchor.seq } else { 0 };
            lost = lost.max(known).max(stock.first().map_or(0, |first| first - 1));
        }
        stock.give_up(lost);
        let again = if is_same { self.kept.anchor.seq.saturating_sub(stock.upto()) } else { 0 };
        if again > 0 {
            tracing::warn!(
                again,
                from = stock.upto() + 1,
                "messages are gone from the stream of NATS; they are published again"
            );
        }
        if stock.missing() > self.kept.missing {
            let missing = stock.missing();
            tracing::warn!(missing, from = stock.upto() + 1, "messages are missing in the stream of NATS for good");
        }
        Ok((stock, if is_whole { strangers.and(self.kept.foreign) } else { strangers }))
    }

    /// Reads in the headers which events stand after a place, and which messages there are none of this log's.
    async fn held(
        &self,
        connection: &Connection,
        stream: &Stream,
        anchor: Anchor,
    ) -> Result<(Stock, Strangers), Error> {
        let mut stock = Stock::new(anchor);
        let mut foreign = Foreign::new(self.log.reader());
        let start = Start { install: Some(&self.install), at: anchor.at + 1, part: Part::Headers };
        let mut cursor = Cursor::open(connection, stream, start).await?;
        while cursor.left() > 0 {
            let seen = cursor.next().await?;
            if let Some(seq) = foreign.is_ours(seen.headers.as_ref(), cursor.at())? {
                stock.put(seq, cursor.at())?;
            }
        }
        Ok((stock, foreign.strangers()))
    }

    /// Whether the stream still is the one the anchor is in, whatever was removed from it.
    async fn stands(&self, stream: &Stream, info: &Info) -> Result<bool, Error> {
        let Kept { anchor: Anchor { seq, at }, seen, .. } = self.kept;
        if seq == 0 || at > info.state.last_sequence || seen.created_us != Seen::of(info).created_us {
            return Ok(false);
        }
        let Some(message) = message_at(stream, at).await? else { return Ok(true) };
        match (seq_in(&message), id_in(&message)) {
            // What was removed from the log can no longer be compared.
            (Some(seq), Some(_)) if seq < self.log.first().0 => Ok(true),
            (Some(seq), Some(id)) => Ok(self.id_of(seq)?.as_deref() == Some(id)),
            _ => Ok(false),
        }
    }

    fn id_of(&self, seq: u64) -> Result<Option<String>, Error> {
        let events = self.log.read(Seq(seq), ReadMax { events: 1, bytes: 1 })?;
        Ok(events.first().map(|event| message_id(event.id)))
    }

    /// Time of the oldest event that was not published.
    fn waiting_since_us(&self, published: Seq, head: Seq) -> Option<u64> {
        if published >= head {
            return None;
        }
        // A log that cannot be read is told by whoever needs what is in it.
        let events = self.log.read(published.next(), ReadMax { events: 1, bytes: 1 }).ok()?;
        events.first().map(|event| event.at_us)
    }

    /// Keeps and tells how far the server has everything.
    fn keep(&mut self, stock: &Stock, seen: Seen, strangers: Strangers) -> Result<(), Error> {
        let acked = Seq(stock.whole(self.log.first().0));
        if let Some(anchor) = stock.anchor() {
            let (missing, foreign) = (stock.missing(), strangers.before(anchor.at));
            let kept = Kept { anchor, seen, missing, foreign };
            if self.written != Some(kept) {
                self.log.set_snapshot(RELAY_CHECKPOINT, SNAPSHOT_VERSION, Seq(anchor.seq), &kept.bytes())?;
                self.log.set_checkpoint(RELAY_CHECKPOINT, acked)?;
                (self.kept, self.written) = (kept, Some(kept));
            }
        }
        let (published, missing, head) = (Seq(stock.upto()), stock.missing(), self.log.head());
        let (waiting_since_us, foreign) = (self.waiting_since_us(published, head), strangers.all);
        self.state.send_modify(|state| {
            let caught_up = published == head;
            let before = std::mem::take(state);
            *state =
                RelayState { connected: true, acked, published, missing, foreign, head, waiting_since_us, ..before };
            if caught_up {
                state.last_error = None;
            }
        });
        Ok(())
    }
}

async fn read(fetch: &mut Fetch) -> Result<Vec<Message>, Error> {
    // It only fails when the runtime is ending.
    fetch.await.map_err(|_| Error::Lost)?
}

/// Messages on their way.
struct Flow<'a> {
    connection: &'a Connection,
    stream: &'a Stream,
    stock: Stock,
    in_flight: VecDeque<(u64, usize, PublishAckFuture)>,
    bytes: usize,
}

/// How the stream is now.
async fn look(stream: &Stream) -> Result<Info, Error> {
    stream.get_info().await.map_err(nats("look at the stream"))
}

/// The message at a place of the stream; nothing when there is none any more.
async fn message_at(stream: &Stream, at: u64) -> Result<Option<StreamMessage>, Error> {
    match stream.get_raw_message(at).await {
        Err(error) if error.kind() == RawMessageErrorKind::NoMessageFound => Ok(None),
        found => found.map(Some).map_err(nats("read the stream")),
    }
}

impl Flow<'_> {
    async fn publish(&mut self, message: Message) -> Result<(), Error> {
        if self.in_flight.len() >= IN_FLIGHT_MAX || self.bytes >= IN_FLIGHT_BYTES_MAX {
            self.settle(IN_FLIGHT_MAX / 2).await?;
        }
        let Message { seq, id, subject, body, link } = message;
        let mut headers = HeaderMap::new();
        headers.insert(NATS_MESSAGE_ID, id);
        headers.insert(NATS_EXPECTED_STREAM, STREAM);
        headers.insert(SEQ_HEADER, seq.to_string());
        if let Some(link) = link {
            headers.insert(LINK_HEADER, link);
        }
        let bytes = body.len();
        let context = &self.connection.context;
        let sent = self.connection.hold(context.publish_with_headers(subject, headers, body)).await?;
        let sent = sent.map_err(|error| {
            if error.kind() == PublishErrorKind::MaxPayloadExceeded {
                return Error::TooLarge { seq: Seq(seq), bytes, max: context.client().server_info().max_payload };
            }
            nats("publish")(error)
        })?;
        self.bytes += bytes;
        self.in_flight.push_back((seq, bytes, sent));
        Ok(())
    }

    /// Waits until at most `left` messages, and few bytes, are on their way.
    async fn settle(&mut self, left: usize) -> Result<(), Error> {
        while self.in_flight.len() > left || self.bytes >= IN_FLIGHT_BYTES_MAX {
            let Some((seq, bytes, sent)) = self.in_flight.pop_front() else { break };
            let ack = self.connection.hold(sent.into_future()).await?.map_err(nats("publish"))?;
            self.bytes -= bytes;
            if !ack.duplicate && self.stock.anchor().is_some_and(|anchor| ack.sequence <= anchor.at) {
                return Err(Error::Disordered("it was made anew".to_owned()));
            }
            // The server remembers ids longer than messages that somebody removes, and whoever took them.
            if ack.duplicate {
                let there = self.connection.hold(message_at(self.stream, ack.sequence)).await??;
                if there.and_then(|message| seq_in(&message)) != Some(seq) {
                    return Err(Error::StillKnown { seq: Seq(seq) });
                }
            }
            self.stock.put(seq, ack.sequence)?;
        }
        Ok(())
    }
}
