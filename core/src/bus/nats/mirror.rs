//! Reading events back from the stream: to look at them, or to rebuild a data directory that was lost. Never publishes.

use std::collections::BTreeMap;
use std::io::{self, BufReader, Read};
use std::time::Duration;

use async_nats::jetstream::consumer::pull;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy};
use async_nats::jetstream::stream::Stream;
use bytes::Bytes;
use futures_util::StreamExt as _;
use tokio::sync::mpsc;

use super::server::{Connection, Server};
use super::{Error, STREAM, filter, nats, subject};
use crate::log::restoring::{self, Source};
use crate::log::transfer::{Moved, import_from, read_line};
use crate::log::witness::Rechained;
use crate::log::{Options, adopt_install};
use crate::{Envelope, InstallId, Seq};

/// Messages asked for at once.
const PULL_MESSAGES: usize = 512;
/// How long the server keeps a reader that does not ask.
const IDLE_MAX: Duration = Duration::from_secs(60);
/// Most events that wait for an earlier one while restoring. The relay has fewer in flight.
const EARLY_MAX: usize = 65_536;
/// Most bytes of them.
const EARLY_BYTES_MAX: usize = 256 << 20;
/// Messages that are none of ours and are named one by one.
const SKIPPED_MAX: usize = 100;
/// Lines between the reader of the stream and the writer of the log.
const LINES_MAX: usize = 1_024;

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
    /// How many events of the same append follow.
    more: u16,
    line: Bytes,
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
pub struct Events<'a> {
    mirror: &'a Mirror,
    cursor: Cursor,
}

impl std::fmt::Debug for Events<'_> {
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

    /// Reads from a place of the stream on, the events of one install or of all.
    ///
    /// # Errors
    /// When the server does not answer.
    pub async fn events(&self, at: u64, install: Option<&InstallId>) -> Result<Events<'_>, Error> {
        let start = Start { install, at, part: Part::Everything };
        Ok(Events { mirror: self, cursor: Cursor::open(&self.connection, &self.stream, start).await? })
    }
}

impl Events<'_> {
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
        let message = self.mirror.connection.hold(self.cursor.next()).await??;
        let read = || {
            let install = subject::install(&message.subject).ok_or("its subject names no install")?;
            let (envelope, more) = read_line(&message.payload)?;
            Ok(Mirrored { install, envelope, more, line: message.payload.clone() })
        };
        Ok(read().map_err(|reason: String| Skipped { place: self.cursor.at(), reason }))
    }
}

/// What was restored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// The install it was of; the data directory has its name now.
    pub install: InstallId,
    /// How much was brought in.
    pub moved: Moved,
    /// Events at the end that were left out, because their append is not whole in the stream.
    pub left_out: u64,
    /// Messages that are no events of ours, the first ones.
    pub skipped: Vec<Skipped>,
    /// How many there are more.
    pub skipped_more: u64,
}

/// Rebuilds a log from the stream, in an empty data directory, or goes on where a restore stopped. `install` may be left
/// out when the stream has the events of one only. The stream has every event and no hash of any: that each is there,
/// once, is checked, and not that none was replaced. Blocks are written and chained anew, which is noted in the data
/// directory.
///
/// # Errors
/// When the stream lacks an event or holds two for one place, or the log cannot be written. What was brought in stays.
pub async fn restore(server: &Server, install: Option<InstallId>, options: Options) -> Result<Restored, Error> {
    let mirror = Mirror::connect(server).await?;
    let mut events = mirror.events(1, install.as_ref()).await?;
    if events.left() == 0 {
        let whose = install.map_or_else(String::new, |install| format!(" of install {install}"));
        return Err(Error::Install(format!("the stream has no events{whose}")));
    }
    let dir = options.dir.clone();
    let (lines, received) = mpsc::channel(LINES_MAX);
    let importing = tokio::task::spawn_blocking(move || {
        let lines = Lines { received, rest: Bytes::new(), finished: false };
        import_from(&Source::Nats, options, &mut BufReader::with_capacity(1 << 20, lines))
    });
    let mut order = Order::default();
    let put_in_order = order.run(&mut events, install, lines).await;
    let imported = importing.await.map_err(|_| Error::Lost)?;
    // When the reader failed, the importer says only that it got too little.
    let (install, left_out) = put_in_order?;
    let moved = imported?.moved;
    let io = |source| Error::File { path: dir.clone(), source };
    if let Some(first) = (moved.last.0 + 1).checked_sub(moved.events).filter(|_| moved.events > 0) {
        Rechained::note(&dir, Seq(first), moved.last).map_err(io)?;
    }
    let named = adopt_install(&dir, &install).map_err(|error| io(io::Error::other(error)))?;
    if named != install {
        return Err(Error::Install(format!(
            "the data directory is install {named}, but these are events of {install}"
        )));
    }
    // Last of all: from now on a server may start there.
    restoring::end(&dir).map_err(io)?;
    Ok(Restored { install, moved, left_out, skipped: order.skipped, skipped_more: order.skipped_more })
}

/// Puts events in the order of the log, and appends together.
#[derive(Default)]
struct Order {
    early: BTreeMap<u64, Mirrored>,
    early_bytes: usize,
    /// The last event in order.
    last: u64,
    /// The lines up to it that were not handed on, because their append is not whole.
    group: Vec<Bytes>,
    skipped: Vec<Skipped>,
    skipped_more: u64,
}

type Handed = mpsc::Sender<Option<Bytes>>;

impl Order {
    async fn run(
        &mut self,
        events: &mut Events<'_>,
        install: Option<InstallId>,
        lines: Handed,
    ) -> Result<(InstallId, u64), Error> {
        let mut whose = install;
        while events.left() > 0 {
            let event = match events.next().await? {
                Ok(event) => event,
                Err(skipped) => {
                    self.skip(skipped);
                    continue;
                }
            };
            let known = whose.get_or_insert_with(|| event.install.clone());
            if *known != event.install {
                let reason =
                    format!("the stream has events of {known} and of {}: name one, --install ID", event.install);
                return Err(Error::Install(reason));
            }
            self.put(event)?;
            if !self.hand_on(&lines).await {
                break;
            }
        }
        if !self.early.is_empty() && !lines.is_closed() {
            return Err(Error::Missing { seq: Seq(self.last + 1) });
        }
        // Without this end the importer takes what it got for a broken connection.
        lines.send(None).await.ok();
        let whose = whose.ok_or_else(|| Error::Install("the stream has no events".to_owned()))?;
        Ok((whose, self.group.len() as u64))
    }

    fn skip(&mut self, skipped: Skipped) {
        if self.skipped.len() < SKIPPED_MAX {
            self.skipped.push(skipped);
        } else {
            self.skipped_more += 1;
        }
    }

    fn put(&mut self, event: Mirrored) -> Result<(), Error> {
        let seq = event.envelope.seq.0;
        if seq <= self.last {
            // Published twice, long after the first time; the importer has the first.
            return Ok(());
        }
        self.early_bytes += event.line.len();
        if let Some(other) = self.early.insert(seq, event) {
            self.early_bytes -= other.line.len();
            let same = self.early.get(&seq).is_some_and(|event| event.envelope == other.envelope);
            if !same {
                return Err(Error::Disordered(format!("there are two events {seq}")));
            }
        }
        if self.early.len() > EARLY_MAX || self.early_bytes > EARLY_BYTES_MAX {
            return Err(Error::Missing { seq: Seq(self.last + 1) });
        }
        Ok(())
    }

    /// Hands on what is whole; whether somebody takes it.
    async fn hand_on(&mut self, lines: &Handed) -> bool {
        while let Some(entry) = self.early.first_entry()
            && *entry.key() == self.last + 1
        {
            self.last += 1;
            let event = entry.remove();
            self.early_bytes -= event.line.len();
            self.group.push(event.line);
            if event.more == 0 {
                for line in self.group.drain(..) {
                    if lines.send(Some(line)).await.is_err() {
                        return false;
                    }
                }
            }
        }
        true
    }
}

/// Lines as they come from the stream, for the importer's thread.
struct Lines {
    received: mpsc::Receiver<Option<Bytes>>,
    rest: Bytes,
    finished: bool,
}

impl Read for Lines {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.rest.is_empty() && !self.finished {
            match self.received.blocking_recv() {
                Some(Some(line)) => self.rest = line,
                Some(None) => self.finished = true,
                None => return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the stream broke off")),
            }
        }
        let count = self.rest.len().min(into.len());
        let taken = self.rest.split_to(count);
        if let Some(place) = into.get_mut(..count) {
            place.copy_from_slice(&taken);
        }
        Ok(count)
    }
}
