//! Reads events back from the stream, in its order. Never publishes.

use std::time::Duration;

use async_nats::jetstream::consumer::pull;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy};
use async_nats::jetstream::stream::Stream;
use bytes::Bytes;
use futures_util::StreamExt as _;

use super::server::{Connection, Server};
use super::{Error, LINK_HEADER, STREAM, filter, nats, subject};
use crate::log::journal::link::Link;
use crate::log::transfer::read_line;
use crate::{Envelope, InstallId};

/// Messages asked for at once.
const PULL_MESSAGES: usize = 512;
/// How long the server keeps a reader that does not ask.
const IDLE_MAX: Duration = Duration::from_secs(60);

/// What of a message is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Headers,
    Everything,
}

/// Where to begin.
#[derive(Debug, Clone, Copy)]
pub(super) struct Start<'a> {
    pub(super) install: Option<&'a InstallId>,
    /// The place in the stream.
    pub(super) at: u64,
    pub(super) part: Part,
}

/// Reads messages in the order of the stream.
pub(super) struct Cursor {
    messages: pull::Stream,
    delivered: u64,
    left: u64,
    at: u64,
}

impl Cursor {
    pub(super) async fn open(connection: &Connection, stream: &Stream, start: Start<'_>) -> Result<Self, Error> {
        let config = pull::Config {
            deliver_policy: DeliverPolicy::ByStartSequence { start_sequence: start.at.max(1) },
            ack_policy: AckPolicy::None,
            filter_subject: filter(start.install),
            headers_only: start.part == Part::Headers,
            inactive_threshold: IDLE_MAX,
            memory_storage: true,
            num_replicas: 1,
            ..pull::Config::default()
        };
        let consumer = connection.hold(stream.create_consumer(config)).await?.map_err(nats("read the stream"))?;
        let left = consumer.cached_info().num_pending;
        let messages = consumer.stream().max_messages_per_batch(PULL_MESSAGES).messages().await;
        Ok(Self { messages: messages.map_err(nats("read the stream"))?, delivered: 0, left, at: 0 })
    }

    /// How many messages are known to follow.
    pub(super) fn left(&self) -> u64 {
        self.left
    }

    /// The place of the last message.
    pub(super) fn at(&self) -> u64 {
        self.at
    }

    /// The next message; waits for one.
    pub(super) async fn next(&mut self) -> Result<async_nats::Message, Error> {
        let message = self.messages.next().await.ok_or(Error::Lost)?.map_err(nats("read the stream"))?;
        let place = message.info().map_err(|error| Error::Disordered(error.to_string()))?;
        self.delivered += 1;
        if place.consumer_sequence != self.delivered {
            // A message was lost on the way.
            return Err(Error::Lost);
        }
        (self.left, self.at) = (place.pending, place.stream_sequence);
        Ok(message.message)
    }
}

/// An event as the stream has it.
#[derive(Debug, Clone)]
pub struct Mirrored {
    /// Whose event it is.
    pub install: InstallId,
    /// The event.
    pub envelope: Envelope,
    /// Its place in the stream.
    pub place: u64,
    /// How many events of the same append follow.
    pub(super) more: u16,
    pub(super) line: Bytes,
    /// What the chain knows of the block that ends with it.
    pub(super) link: Option<Link>,
}

/// A message in the stream that is no event of ours: somebody else published it there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// Its place in the stream.
    pub place: u64,
    /// Why it is no event.
    pub reason: String,
}

/// The stream, for reading.
pub struct Mirror {
    connection: Connection,
    stream: Stream,
}

impl std::fmt::Debug for Mirror {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mirror").finish_non_exhaustive()
    }
}

/// Events out of the stream, in its order.
pub struct Events {
    connection: Connection,
    cursor: Cursor,
}

impl std::fmt::Debug for Events {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Events").finish_non_exhaustive()
    }
}

impl Mirror {
    /// Connects to the stream, which must be there.
    ///
    /// # Errors
    /// When there is no server, or no stream.
    pub async fn connect(server: &Server) -> Result<Self, Error> {
        let connection = server.connect(1).await?;
        let stream = connection.context.get_stream(STREAM).await;
        Ok(Self { stream: stream.map_err(nats("find the stream REGATTA_EVENTS"))?, connection })
    }

    /// The last place of the stream; 0 when it is empty.
    #[must_use]
    pub fn last(&self) -> u64 {
        self.stream.cached_info().state.last_sequence
    }

    /// When it was made, in nanoseconds since the Unix epoch: another one has another time.
    pub(super) fn created_ns(&self) -> i128 {
        self.stream.cached_info().created.unix_timestamp_nanos()
    }

    /// Reads from a place of the stream on, the events of one install or of all.
    ///
    /// # Errors
    /// When the server does not answer.
    pub async fn events(&self, at: u64, install: Option<&InstallId>) -> Result<Events, Error> {
        let start = Start { install, at, part: Part::Everything };
        let cursor = Cursor::open(&self.connection, &self.stream, start).await?;
        Ok(Events { connection: self.connection.clone(), cursor })
    }
}

impl Events {
    /// The place of the last message.
    pub(super) fn at(&self) -> u64 {
        self.cursor.at()
    }

    /// How many events are known to follow.
    #[must_use]
    pub fn left(&self) -> u64 {
        self.cursor.left()
    }

    /// The next message, an event or one that is none of ours; waits for one.
    ///
    /// # Errors
    /// When the connection is lost.
    pub async fn next(&mut self) -> Result<Result<Mirrored, Skipped>, Error> {
        let message = self.connection.hold(self.cursor.next()).await??;
        let place = self.cursor.at();
        let read = || {
            let install = subject::install(&message.subject).ok_or("its subject names no install")?;
            let (envelope, more) = read_line(&message.payload)?;
            let told = message.headers.as_ref().and_then(|headers| headers.get(LINK_HEADER));
            let link = told.and_then(|told| Link::parse(told.as_str(), envelope.seq.0));
            Ok(Mirrored { install, envelope, place, more, line: message.payload.clone(), link })
        };
        Ok(read().map_err(|reason: String| Skipped { place, reason }))
    }
}
