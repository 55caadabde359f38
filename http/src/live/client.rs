//! One client of the live WebSocket: its subscriptions, each with its own place in the log, and how it is kept from
//! holding memory. Nothing is queued: a client that does not read is not written to, falls behind, and is told to read
//! again from where it stands.

use std::convert::Infallible;

use axum::extract::ws::{Message, WebSocket, close_code};
use regatta_core::{ReadError, Seq};

use super::Seat;
use super::message::{Answer, Request, Subscribe, Unsubscribe};
use super::topic::{Topic, said};
use super::wire::{Unheard, Wire, pings};
use crate::feed::Cursor;
use crate::{Identity, Plane};

/// Most topics one client may follow.
const SUBSCRIPTIONS_MAX: usize = 64;
/// A subscription further behind than this many events is told to read again.
const BEHIND_EVENTS_MAX: u64 = 8_192;
/// Events looked at for one subscription before the next one has its turn.
const TURN_EVENTS_MAX: usize = 64;
/// Bytes of answers one client holds: past it, what it holds is sent first. One answer may be larger.
const TURN_BYTES_MAX: usize = 256 << 10;

/// Why a client is let go.
enum Gone {
    /// It hung up, or does not answer.
    Away,
    /// The server stops, or the log cannot be read: it shall come again.
    Ends,
    /// Whoever listens may not any more.
    Unknown,
}

impl From<Unheard> for Gone {
    fn from(_: Unheard) -> Self {
        Self::Away
    }
}

impl From<ReadError> for Gone {
    fn from(error: ReadError) -> Self {
        tracing::error!(%error, "a live client is let go: the log cannot be read");
        Self::Ends
    }
}

struct Subscription {
    topic: Topic,
    cursor: Cursor,
}

/// One client.
pub(crate) struct Client {
    plane: Plane,
    identity: Identity,
    wire: Wire,
    subscriptions: Vec<Subscription>,
    #[expect(dead_code, reason = "held as long as the client is there")]
    seat: Seat,
}

impl Client {
    pub(crate) fn new(plane: Plane, identity: Identity, socket: WebSocket, seat: Seat) -> Self {
        Self { plane, identity, wire: Wire::new(socket), subscriptions: Vec::new(), seat }
    }

    /// Tells until the client hangs up or may not listen any more, or the server stops.
    pub(crate) async fn run(mut self) {
        let ended = self.plane.auth.clone().until_ended(self.identity.clone());
        let gone = tokio::select! {
            biased;
            () = ended => Gone::Unknown,
            gone = self.serve() => gone,
        };
        match gone {
            Gone::Away => {}
            Gone::Ends => self.wire.goodbye(close_code::RESTART, "come again, from the last seq").await,
            Gone::Unknown => self.wire.goodbye(close_code::POLICY, "you are not signed in any more").await,
        }
    }

    async fn serve(&mut self) -> Gone {
        match self.tell_all().await {
            Ok(never) => match never {},
            Err(gone) => gone,
        }
    }

    async fn tell_all(&mut self) -> Result<Infallible, Gone> {
        let mut grown = self.plane.feed.watch();
        let stop = self.plane.stop.clone();
        let mut ping = pings();
        loop {
            grown.borrow_and_update();
            while self.turn().await? {}
            tokio::select! {
                message = self.wire.hear() => self.hear(message?).await?,
                changed = grown.changed() => changed.map_err(|_| Gone::Ends)?,
                _ = ping.tick() => self.wire.ping().await?,
                () = stop.cancelled() => return Err(Gone::Ends),
            }
        }
    }

    async fn say(&mut self, text: Option<String>) -> Result<(), Gone> {
        match text {
            Some(text) => Ok(self.wire.say(text).await?),
            None => Ok(()),
        }
    }

    async fn hear(&mut self, message: Message) -> Result<(), Gone> {
        let answer = match message {
            Message::Text(text) => match serde_json::from_str(&text) {
                Ok(Request::Subscribe(wanted)) => self.subscribe(wanted),
                Ok(Request::Unsubscribe(unwanted)) => self.unsubscribe(unwanted),
                Err(error) => said(&Answer::wrong(format!("this is not understood: {error}"))),
            },
            Message::Binary(_) => said(&Answer::wrong("only text is understood".to_owned())),
            Message::Close(_) | Message::Ping(_) | Message::Pong(_) => None,
        };
        self.say(answer).await
    }

    fn subscribe(&mut self, wanted: Subscribe) -> Option<String> {
        let topic = Topic { name: wanted.topic, id: wanted.id };
        let filter = match topic.filter() {
            Ok(filter) => filter,
            Err(reason) => return said(&Answer::wrong(reason)),
        };
        self.subscriptions.retain(|subscription| subscription.topic != topic);
        if self.subscriptions.len() >= SUBSCRIPTIONS_MAX {
            return said(&Answer::wrong(format!("a client follows at most {SUBSCRIPTIONS_MAX} topics")));
        }
        // The log itself: what is there and not yet on its way to clients will be told.
        let head = self.plane.log.head();
        let from = wanted.from_seq.map_or(head.next(), Seq);
        if from > head.next() {
            let reason = format!("from_seq {from} is past the end of the log, which is at {head}; begin without it");
            return said(&Answer::wrong(reason));
        }
        let first = self.plane.log.first();
        if from < first {
            let reason =
                format!("from_seq {from} was removed; the log begins with event {first}: begin there, or without it");
            return said(&Answer::wrong(reason));
        }
        let told = Seq(from.0.saturating_sub(1));
        let answer = said(&Answer { subscribed: Some(true), ..Answer::about(topic.name, topic.id.as_deref(), told) });
        self.subscriptions.push(Subscription { cursor: Cursor::new(&self.plane.feed, filter, from), topic });
        answer
    }

    fn unsubscribe(&mut self, unwanted: Unsubscribe) -> Option<String> {
        let topic = Topic { name: unwanted.topic, id: unwanted.id };
        self.subscriptions.retain(|subscription| subscription.topic != topic);
        None
    }

    /// Gives each subscription its turn; whether one of them may have more.
    async fn turn(&mut self) -> Result<bool, Gone> {
        let mut more = false;
        for index in 0..self.subscriptions.len() {
            let (told, has_more) = self.tell(index).await?;
            for text in told {
                self.say(Some(text)).await?;
            }
            more |= has_more;
        }
        Ok(more)
    }

    /// What one subscription has to say now, and whether there may be more.
    async fn tell(&mut self, index: usize) -> Result<(Vec<String>, bool), Gone> {
        let head = self.plane.feed.head();
        let Some(subscription) = self.subscriptions.get_mut(index) else { return Ok((Vec::new(), false)) };
        let place = subscription.cursor.place();
        if head.0.saturating_sub(place.0) > BEHIND_EVENTS_MAX {
            subscription.cursor.skip_to(head.next());
            let topic = &subscription.topic;
            let about = Answer::about(topic.name, topic.id.as_deref(), head);
            return Ok((said(&Answer { reread: Some(place), ..about }).into_iter().collect(), true));
        }
        subscription.tell().await
    }
}

impl Subscription {
    async fn tell(&mut self) -> Result<(Vec<String>, bool), Gone> {
        let (mut told, mut changed, mut last) = (Vec::<String>::new(), Vec::new(), None);
        let mut bytes = 0;
        for _ in 0..TURN_EVENTS_MAX {
            if bytes > TURN_BYTES_MAX {
                break;
            }
            let Some(event) = self.cursor.next().await? else {
                told.extend(self.gathered(changed, last));
                return Ok((told, false));
            };
            if self.topic.is_gathered() {
                last = Some(event.envelope.seq);
                let run = self.topic.changed(&event);
                changed.extend(run.filter(|run| !changed.contains(run)));
            } else {
                let text = self.topic.tell(&event);
                bytes += text.as_ref().map_or(0, String::len);
                told.extend(text);
            }
        }
        told.extend(self.gathered(changed, last));
        Ok((told, true))
    }

    fn gathered(&self, changed: Vec<String>, last: Option<Seq>) -> Option<String> {
        self.topic.tell_changed(changed, last?)
    }
}
