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
use async_nats::jetstream::stream::{RawMessageErrorKind, Stream};
use bytes::Bytes;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::mirror::{Cursor, Part, Start};
use super::server::{Connection, Server};
use super::stock::{Anchor, Stock};
use super::{Error, SEQ_HEADER, STREAM, message_id, nats, subject};
use crate::bus::{RELAY_CHECKPOINT, RelayState};
use crate::log::transfer::each_line;
use crate::{DurableLog, EventId, InstallId, Kind, Log as _, ReadMax, Seq};

/// Version of that snapshot: the place in the stream, eight bytes, little end first.
const SNAPSHOT_VERSION: u32 = 1;
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
    anchor: Anchor,
    state: watch::Sender<RelayState>,
}

/// An event about to be published.
struct Message {
    seq: u64,
    id: String,
    subject: String,
    body: Bytes,
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
        let anchor = kept.and_then(|(seq, bytes)| {
            let at = u64::from_le_bytes(bytes.try_into().ok()?);
            Some(Anchor { seq: seq.0, at })
        });
        let anchor = anchor.unwrap_or_default();
        let state =
            RelayState { server: server.shown(), acked: Seq(anchor.seq), head: log.head(), ..RelayState::default() };
        let (state, seen) = watch::channel(state);
        Ok((Self { log, install, server, anchor, state }, seen))
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
        let waiting_since_us = self.waiting_since_us(self.state.borrow().acked, head);
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
        let stock = connection.hold(Box::pin(self.stock(&connection, &stream))).await??;
        let mut head = self.log.watch();
        let mut flow = Flow { connection: &connection, stock, in_flight: VecDeque::new(), bytes: 0 };
        self.keep(&flow.stock)?;
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
                self.keep(&flow.stock)?;
            } else {
                flow.settle(0).await?;
                self.keep(&flow.stock)?;
                let grown = connection.hold(head.wait_for(|head| head.0 >= next)).await?;
                drop(grown.map_err(|_| Error::Lost)?);
                fetch = self.fetch(next);
            }
        }
    }

    /// Reads the next events as messages.
    fn fetch(&self, from: u64) -> Fetch {
        let (log, install) = (self.log.clone(), self.install.clone());
        tokio::task::spawn_blocking(move || {
            let (mut messages, mut bytes) = (Vec::new(), 0);
            each_line(log.reader(), Seq(from), &mut |seq, record, line| {
                let Ok(stream) = crate::Stream::try_from(record.stream) else { return ControlFlow::Break(()) };
                let id = message_id(EventId(uuid::Uuid::from_bytes(record.id)));
                let subject = subject(&install, Kind(record.kind), &stream);
                bytes += line.len();
                messages.push(Message { seq, id, subject, body: Bytes::copy_from_slice(line) });
                let full = messages.len() >= BATCH.events || bytes >= BATCH.bytes;
                if full { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })?;
            Ok(messages)
        })
    }

    /// Looks at what the stream holds of this log.
    async fn stock(&self, connection: &Connection, stream: &Stream) -> Result<Stock, Error> {
        let anchor = if self.stands(stream).await? { self.anchor } else { Anchor::default() };
        let mut stock = Stock::new(anchor);
        let start = Start { install: Some(&self.install), at: anchor.at + 1, part: Part::Headers };
        let mut cursor = Cursor::open(connection, stream, start).await?;
        let mut last = None;
        while cursor.left() > 0 {
            let seen = cursor.next().await?;
            let header = |name: &str| seen.headers.as_ref().and_then(|headers| headers.get(name));
            // Whatever else was published there is none of ours.
            let Some(seq) = header(SEQ_HEADER).and_then(|seq| seq.as_str().parse().ok()) else { continue };
            stock.put(seq, cursor.at())?;
            if last.as_ref().is_none_or(|(known, _)| *known < seq) {
                last =
                    Some((seq, header(NATS_MESSAGE_ID.as_ref()).map(|id| id.as_str().to_owned()).unwrap_or_default()));
            }
        }
        // What was removed from the log can no longer be compared.
        if let Some((seq, id)) = last.filter(|(seq, _)| *seq >= self.log.first().0)
            && self.id_of(seq)?.as_ref() != Some(&id)
        {
            return Err(Error::Foreign { seq: Seq(seq), there: id });
        }
        Ok(stock)
    }

    /// Whether the stream still is the one the anchor is in.
    async fn stands(&self, stream: &Stream) -> Result<bool, Error> {
        let Anchor { seq, at } = self.anchor;
        let state = stream.get_info().await.map_err(nats("look at the stream"))?.state;
        if seq == 0 || at > state.last_sequence {
            return Ok(false);
        }
        if at < state.first_sequence {
            // The stream's own limits removed it, or somebody who meant to.
            return Ok(true);
        }
        let message = match stream.get_raw_message(at).await {
            Err(error) if error.kind() == RawMessageErrorKind::NoMessageFound => return Ok(false),
            other => other.map_err(nats("read the stream"))?,
        };
        let id = message.headers.get(NATS_MESSAGE_ID).map(|id| id.as_str().to_owned());
        if seq < self.log.first().0 {
            return Ok(id.is_some());
        }
        Ok(id.is_some() && id == self.id_of(seq)?)
    }

    fn id_of(&self, seq: u64) -> Result<Option<String>, Error> {
        let events = self.log.read(Seq(seq), ReadMax { events: 1, bytes: 1 })?;
        Ok(events.first().map(|event| message_id(event.id)))
    }

    /// Time of the oldest event the server does not have.
    fn waiting_since_us(&self, acked: Seq, head: Seq) -> Option<u64> {
        if acked >= head {
            return None;
        }
        // A log that cannot be read is told by whoever needs what is in it.
        let events = self.log.read(acked.next(), ReadMax { events: 1, bytes: 1 }).ok()?;
        events.first().map(|event| event.at_us)
    }

    /// Keeps and tells how far the server has everything.
    fn keep(&mut self, stock: &Stock) -> Result<(), Error> {
        if let Some(anchor) = stock.anchor().filter(|anchor| *anchor != self.anchor) {
            self.anchor = anchor;
            self.log.set_snapshot(RELAY_CHECKPOINT, SNAPSHOT_VERSION, Seq(anchor.seq), &anchor.at.to_le_bytes())?;
            self.log.set_checkpoint(RELAY_CHECKPOINT, Seq(anchor.seq))?;
        }
        let (acked, head) = (Seq(stock.upto()), self.log.head());
        let waiting_since_us = self.waiting_since_us(acked, head);
        self.state.send_modify(|state| {
            let caught_up = acked == head;
            *state = RelayState { connected: true, acked, head, waiting_since_us, ..std::mem::take(state) };
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
    stock: Stock,
    in_flight: VecDeque<(u64, usize, PublishAckFuture)>,
    bytes: usize,
}

impl Flow<'_> {
    async fn publish(&mut self, message: Message) -> Result<(), Error> {
        if self.in_flight.len() >= IN_FLIGHT_MAX || self.bytes >= IN_FLIGHT_BYTES_MAX {
            self.settle(IN_FLIGHT_MAX / 2).await?;
        }
        let Message { seq, id, subject, body } = message;
        let mut headers = HeaderMap::new();
        headers.insert(NATS_MESSAGE_ID, id);
        headers.insert(NATS_EXPECTED_STREAM, STREAM);
        headers.insert(SEQ_HEADER, seq.to_string());
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
            self.stock.put(seq, ack.sequence)?;
        }
        Ok(())
    }
}
