//! The socket of one client: nothing is queued on it without bound, what is said leaves in time, and a client that does
//! not answer is gone.

use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket};
use futures_util::SinkExt as _;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, timeout};

/// How often a client is asked whether it is there.
const PING: Duration = Duration::from_secs(20);
/// How long one message may take to leave; a client that does not take it is gone.
const SEND_MAX: Duration = Duration::from_secs(30);
/// How long a last word may take to leave.
const GOODBYE_MAX: Duration = Duration::from_secs(1);
/// How tungstenite begins to say that a message is larger than allowed.
const TOO_LARGE: &str = "Space limit exceeded";

/// Why nothing more comes from a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unheard {
    /// It hung up, or does not answer.
    Away,
    /// It sent more than may be in one message.
    TooLarge,
}

impl From<axum::Error> for Unheard {
    fn from(error: axum::Error) -> Self {
        if error.to_string().starts_with(TOO_LARGE) { Self::TooLarge } else { Self::Away }
    }
}

/// The socket of one client.
pub(crate) struct Wire {
    socket: WebSocket,
    heard: bool,
}

/// Ticks whenever the client is to be pinged.
pub(crate) fn pings() -> Interval {
    let mut ping = interval_at(Instant::now() + PING, PING);
    ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ping
}

impl Wire {
    pub(crate) fn new(socket: WebSocket) -> Self {
        Self { socket, heard: true }
    }

    /// The next message. Nothing is lost when it is not waited for to the end.
    pub(crate) async fn hear(&mut self) -> Result<Message, Unheard> {
        let message = self.socket.recv().await.ok_or(Unheard::Away)??;
        self.heard = true;
        if matches!(message, Message::Close(_)) { Err(Unheard::Away) } else { Ok(message) }
    }

    /// Says something.
    pub(crate) async fn say(&mut self, text: impl Into<Utf8Bytes>) -> Result<(), Unheard> {
        self.send(Message::Text(text.into())).await
    }

    /// Says something, of which more follows at once; [`Self::flush`] ends it.
    pub(crate) async fn feed(&mut self, text: Utf8Bytes) -> Result<(), Unheard> {
        let fed = timeout(SEND_MAX, self.socket.feed(Message::Text(text))).await;
        fed.map_err(|_| Unheard::Away)?.map_err(Unheard::from)
    }

    /// Lets go what was fed.
    pub(crate) async fn flush(&mut self) -> Result<(), Unheard> {
        timeout(SEND_MAX, self.socket.flush()).await.map_err(|_| Unheard::Away)?.map_err(Unheard::from)
    }

    /// Asks whether the client is there; an error when it was silent since the last time.
    pub(crate) async fn ping(&mut self) -> Result<(), Unheard> {
        if !std::mem::take(&mut self.heard) {
            return Err(Unheard::Away);
        }
        self.send(Message::Ping(bytes::Bytes::new())).await
    }

    /// The last word.
    pub(crate) async fn goodbye(&mut self, code: u16, reason: &str) {
        let frame = CloseFrame { code, reason: reason.into() };
        timeout(GOODBYE_MAX, self.socket.send(Message::Close(Some(frame)))).await.ok();
    }

    /// Waits a moment for the client to hang up: the last word is lost where what it sent is left unread.
    pub(crate) async fn linger(&mut self) {
        let hangs_up = async { while let Some(Ok(_)) = self.socket.recv().await {} };
        timeout(GOODBYE_MAX, hangs_up).await.ok();
    }

    async fn send(&mut self, message: Message) -> Result<(), Unheard> {
        timeout(SEND_MAX, self.socket.send(message)).await.map_err(|_| Unheard::Away)?.map_err(Unheard::from)
    }
}
