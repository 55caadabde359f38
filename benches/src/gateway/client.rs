//! A client of a gateway as a bench needs it: comes in, calls, takes what comes.

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::Outcome;
use crate::place::Place;

const CONNECT: &str = r#"{"type":"req","id":"c","method":"connect","params":{"minProtocol":4,"maxProtocol":4,"client":{"id":"webchat-ui","version":"1","platform":"web","mode":"webchat"},"role":"operator","scopes":["operator.read"],"caps":[]}}"#;

pub(super) struct Client {
    socket: WebSocketStream<TcpStream>,
    calls: u64,
}

/// What came.
pub(super) enum Came {
    /// A frame, as text.
    Frame(String),
    /// It was let go, with that code.
    Closed(u16),
}

impl Client {
    /// At the gateway itself.
    pub(super) async fn direct(url: &str) -> Outcome<Self> {
        Self::enter(url, None).await
    }

    /// At the server's door to it.
    pub(super) async fn at_door(place: &Place) -> Outcome<Self> {
        Self::enter(&format!("ws://{}/api/gateway/main/ws", place.address), Some(&place.token)).await
    }

    async fn enter(url: &str, token: Option<&str>) -> Outcome<Self> {
        let mut request = url.into_client_request()?;
        if let Some(token) = token {
            request.headers_mut().insert("authorization", format!("Bearer {token}").parse()?);
        }
        let address = request.uri().authority().ok_or("no address")?.as_str().to_owned();
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (socket, _) = client_async(request, stream).await?;
        let mut client = Self { socket, calls: 0 };
        client.frame().await?;
        client.socket.send(Message::text(CONNECT)).await?;
        let answer = loop {
            let frame = client.frame().await?;
            if frame.contains("\"type\":\"res\"") {
                break frame;
            }
        };
        if answer.contains("hello-ok") { Ok(client) } else { Err(format!("not let in: {answer:.300}").into()) }
    }

    async fn frame(&mut self) -> Outcome<String> {
        match self.next().await? {
            Came::Frame(text) => Ok(text),
            Came::Closed(code) => Err(format!("closed with {code}").into()),
        }
    }

    /// What comes next.
    pub(super) async fn next(&mut self) -> Outcome<Came> {
        loop {
            match self.socket.next().await {
                Some(Ok(Message::Text(text))) => return Ok(Came::Frame(text.as_str().to_owned())),
                Some(Ok(Message::Close(frame))) => {
                    return Ok(Came::Closed(frame.map_or(1005, |frame| frame.code.into())));
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error.into()),
                None => return Ok(Came::Closed(1006)),
            }
        }
    }

    /// Calls a method, and waits for the answer.
    pub(super) async fn call(&mut self, method: &str) -> Outcome<()> {
        self.calls += 1;
        let id = self.calls;
        let call = format!(r#"{{"type":"req","id":"{id}","method":"{method}","params":{{}}}}"#);
        self.socket.send(Message::text(call)).await?;
        let answered = format!("\"id\":\"{id}\"");
        loop {
            let frame = self.frame().await?;
            if !frame.contains("\"type\":\"res\"") {
                continue;
            }
            let is_good = frame.contains(&answered) && frame.contains("\"ok\":true");
            return if is_good { Ok(()) } else { Err(format!("{method}: {frame:.300}").into()) };
        }
    }
}

/// The number a frame of ours carries; nothing of another one.
pub(super) fn number(frame: &str) -> Option<u64> {
    let frame: Value = serde_json::from_str(frame).ok()?;
    frame.get("payload")?.get("n")?.as_u64()
}
