//! From an open socket to being let in: the challenge, the first call, the greeting. Every step has its time.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use secrecy::ExposeSecret as _;
use tokio_tungstenite::tungstenite::Message;

use super::Options;
use super::run::closed;
use super::socket::{Incoming, Outgoing, words};
use crate::connect::{Asking, CONNECT_ID, Challenge};
use crate::frame::{Decoded, decode};
use crate::hello::Hello;
use crate::refusal::Refusal;
use crate::state::{Loss, Signal};

/// How long a gateway may take for each answer of the handshake. A wrong token is answered after half a second; one that
/// starts may take its time.
const ANSWER_WITHIN: Duration = Duration::from_secs(15);
/// Events that may come before the greeting.
const EVENTS_BEFORE_MAX: usize = 100;

/// Gets us in, or says what it means that we are not.
pub(super) async fn greet(
    options: &Options,
    outgoing: &mut Outgoing,
    incoming: &mut Incoming,
) -> Result<Hello, Signal> {
    let challenge = challenge(incoming).await?;
    let caps = &options.caps;
    let asking = Asking {
        client: options.client,
        version: &options.version,
        scopes: &options.scopes,
        caps,
        credential: &options.credential,
        device: options.device.as_deref(),
    };
    let unreadable = |reason: String| Signal::Lost(Loss::Unreadable(reason));
    let call = asking.answer(&challenge).map_err(|error| unreadable(error.to_string()))?;
    let sent = outgoing.send(Message::text(call.expose_secret())).await;
    sent.map_err(|error| Signal::Lost(Loss::Broken(words(&error))))?;
    greeting(incoming).await
}

async fn challenge(incoming: &mut Incoming) -> Result<Challenge, Signal> {
    let unreadable = |reason: &str| Signal::Lost(Loss::Unreadable(reason.to_owned()));
    let text = next(incoming).await?;
    match decode(&text) {
        Ok(Decoded::Event { head, payload: Some(payload) }) if head.event == "connect.challenge" => {
            serde_json::from_str(payload.get()).map_err(|_| unreadable("its challenge has no nonce and time"))
        }
        Ok(_) => Err(unreadable("its first message is no challenge; it may not be a gateway")),
        Err(error) => Err(Signal::Lost(Loss::Unreadable(error.to_string()))),
    }
}

async fn greeting(incoming: &mut Incoming) -> Result<Hello, Signal> {
    for _ in 0..EVENTS_BEFORE_MAX {
        let text = next(incoming).await?;
        let decoded = decode(&text).map_err(|error| Signal::Lost(Loss::Unreadable(error.to_string())))?;
        let Decoded::Response(response) = decoded else { continue };
        if response.id != CONNECT_ID {
            continue;
        }
        return match response.outcome {
            Ok(payload) => Hello::read(payload).map_err(|reason| Signal::Lost(Loss::Unreadable(reason))),
            Err(error) => Err(Signal::Refused(Refusal::of(&error))),
        };
    }
    Err(Signal::Lost(Loss::Unreadable("it sends events before it lets anybody in".to_owned())))
}

/// The next text.
async fn next(incoming: &mut Incoming) -> Result<tokio_tungstenite::tungstenite::Utf8Bytes, Signal> {
    let reading = async {
        loop {
            match incoming.next().await {
                Some(Ok(Message::Text(text))) => return Ok(text),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                other => return Err(Signal::Lost(closed(other))),
            }
        }
    };
    let silent = Loss::Silent(u64::try_from(ANSWER_WITHIN.as_millis()).unwrap_or(u64::MAX));
    tokio::time::timeout(ANSWER_WITHIN, reading).await.unwrap_or(Err(Signal::Lost(silent)))
}
