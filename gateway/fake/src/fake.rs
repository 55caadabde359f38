//! A gateway whose every step a test says: lets in, refuses, numbers events wrongly, closes, is silent.

use std::net::SocketAddr;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::CloseFrame;
use tokio_tungstenite::{WebSocketStream, accept_async};

pub struct Fake {
    listener: TcpListener,
    pub url: String,
    connections: u32,
}

/// One connection to it.
pub struct Guest {
    socket: WebSocketStream<TcpStream>,
    pub connect: Value,
}

impl Fake {
    pub async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address: SocketAddr = listener.local_addr().expect("an address");
        Self { listener, url: format!("ws://{address}"), connections: 0 }
    }

    /// Takes the next connection up to its first call.
    pub async fn asked(&mut self) -> Guest {
        let (stream, _) = self.listener.accept().await.expect("a connection");
        let mut socket = accept_async(stream).await.expect("an upgrade");
        let challenge = json!({ "nonce": "n-1", "ts": 1_795_328_450_453_u64, "capabilities": [] });
        let challenge = json!({ "type": "event", "event": "connect.challenge", "payload": challenge });
        socket.send(Message::text(challenge.to_string())).await.expect("sent");
        let mut guest = Guest { socket, connect: Value::Null };
        guest.connect = guest.heard().await.expect("the first call");
        guest
    }

    /// Takes the next connection and lets it in.
    pub async fn welcomed(&mut self) -> Guest {
        let mut guest = self.asked().await;
        self.connections += 1;
        guest
            .say(&json!({ "type": "res", "id": guest.connect["id"], "ok": true, "payload": hello(self.connections) }))
            .await;
        guest
    }

    /// Answers the next upgrade with an HTTP status.
    pub async fn answered_with(&mut self, status: &str) {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let (mut stream, _) = self.listener.accept().await.expect("a connection");
        let mut request = [0; 4_096];
        let read = stream.read(&mut request).await.expect("a request");
        assert!(read > 0);
        let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        stream.write_all(answer.as_bytes()).await.expect("answered");
    }
}

fn hello(connection: u32) -> Value {
    json!({
        "type": "hello-ok", "protocol": 4,
        "server": { "version": "2026.9.6", "buildId": "b", "bootId": "boot-1", "connId": format!("conn-{connection}") },
        "features": { "methods": ["health"], "events": ["tick"], "capabilities": [] },
        "auth": { "method": "token", "role": "operator", "scopes": ["operator.read"] },
        "policy": { "maxPayload": 4_096, "maxBufferedBytes": 1_024, "tickIntervalMs": 1_000 },
        "snapshot": { "uptimeMs": 1 },
    })
}

impl Guest {
    pub async fn say(&mut self, frame: &Value) {
        self.say_text(&frame.to_string()).await;
    }

    pub async fn say_text(&mut self, text: &str) {
        self.socket.send(Message::text(text)).await.expect("sent");
    }

    pub async fn tell(&mut self, seq: u64) {
        self.say(&json!({ "type": "event", "event": "tick", "seq": seq, "payload": { "ts": seq } })).await;
    }

    /// The next call; nothing when the other side is gone.
    pub async fn heard(&mut self) -> Option<Value> {
        loop {
            match self.socket.next().await {
                Some(Ok(Message::Text(text))) => return Some(serde_json::from_str(&text).expect("JSON")),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                _ => return None,
            }
        }
    }

    pub async fn refuse(mut self, error: Value, code: u16) {
        self.say(&json!({ "type": "res", "id": self.connect["id"], "ok": false, "error": error })).await;
        self.close(code, "refused").await;
    }

    pub async fn close(mut self, code: u16, reason: &'static str) {
        self.socket.close(Some(CloseFrame { code: code.into(), reason: reason.into() })).await.ok();
        while self.heard().await.is_some() {}
    }
}
