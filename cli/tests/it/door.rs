//! The door to a real OpenClaw gateway, through the real server, when `REGATTA_TEST_OPENCLAW` names one: a client that
//! brings no credential comes in, sends a message, hears the turn, and is let go when the gateway is killed.

#![expect(clippy::indexing_slicing, reason = "what is not there fails the test")]

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::UnixStream;
use tokio::runtime::Runtime;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::install::{Install, until};
use crate::openclaw::{Real, TOKEN};
use crate::secrets::piped;

/// A gateway that was just started takes its time for the first turn.
const PATIENCE: Duration = Duration::from_secs(90);

struct Browser {
    runtime: Runtime,
    socket: WebSocketStream<UnixStream>,
    /// Every byte it got.
    bytes: Vec<u8>,
}

impl Browser {
    /// Comes in; nothing while the gateway is away.
    fn open(install: &Install) -> Option<(Self, Value)> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let opened = async {
            let stream = UnixStream::connect(install.data().join("regatta.sock")).await.expect("the server listens");
            client_async("ws://localhost/api/gateway/main/ws", stream).await.expect("a WebSocket")
        };
        let (socket, _) = runtime.block_on(opened);
        let mut browser = Self { runtime, socket, bytes: Vec::new() };
        assert_eq!(browser.hear()?["event"], "connect.challenge");
        let client = json!({ "id": "webchat-ui", "version": "1", "platform": "web", "mode": "webchat" });
        let params = json!({ "minProtocol": 4, "maxProtocol": 4, "client": client, "caps": ["tool-events"] });
        let hello = browser.call("connect", params);
        hello.ok().map(|hello| (browser, hello))
    }

    /// The next frame; nothing when it was let go, which must be with 1012 or 1013.
    fn hear(&mut self) -> Option<Value> {
        loop {
            let next = async { tokio::time::timeout(PATIENCE, self.socket.next()).await };
            let message = self.runtime.block_on(next).expect("in time").expect("it is there").expect("a message");
            self.bytes.extend_from_slice(&message.clone().into_data());
            match message {
                Message::Text(text) => return Some(serde_json::from_str(&text).expect("JSON")),
                Message::Close(frame) => {
                    let code = u16::from(frame.expect("a code").code);
                    assert!(code == 1012 || code == 1013, "{code}");
                    return None;
                }
                Message::Binary(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
            }
        }
    }

    fn call(&mut self, method: &str, params: Value) -> Result<Value, Value> {
        let call = json!({ "type": "req", "id": method, "method": method, "params": params });
        self.runtime.block_on(self.socket.send(Message::text(call.to_string()))).expect("sent");
        loop {
            let frame = self.hear().expect("an answer");
            if frame["type"] == "res" {
                assert_eq!(frame["id"], method);
                let is_good = frame["ok"] == true;
                return if is_good { Ok(frame["payload"].clone()) } else { Err(frame["error"].clone()) };
            }
        }
    }
}

#[test]
fn a_client_without_a_token_hears_the_turn_of_a_real_gateway_and_is_let_go_when_that_is_killed() {
    let install = Install::new();
    let Some(mut real) = Real::start(&install.folder().join("openclaw"), "ask") else { return };
    let url = format!("ws://127.0.0.1:{}", real.port);
    piped(&install, &["gateway", "add", "main", &url, "--token-stdin"], TOKEN).exits(0);
    // A moment after it is connected, that is on disk, too.
    let (mut browser, hello) = until("it is let in", || Browser::open(&install));
    let boot = hello["server"]["bootId"].clone();
    let methods = hello["features"]["methods"].as_array().expect("methods").len();
    assert!(methods > 400, "an owner may nearly everything: {methods}");
    assert_eq!(browser.call("sessions.subscribe", json!({})), Ok(json!({ "subscribed": true })));
    let listed = browser.call("sessions.list", json!({ "limit": 5 })).expect("listed");
    assert!(listed["sessions"].is_array(), "{listed}");
    let refused = browser.call("sessions.list", json!({ "no such": 1 })).expect_err("its schemas are closed");
    assert_eq!(refused["code"], "INVALID_REQUEST");
    let params =
        json!({ "sessionKey": "agent:main:door", "message": "[[say hello at the door]]", "idempotencyKey": "d-1" });
    assert_eq!(browser.call("chat.send", params).expect("sent")["status"], "started");
    let (mut events, mut text) = (Vec::new(), String::new());
    while !text.contains("hello at the door") {
        let frame = browser.hear().expect("it goes on");
        assert_eq!(frame.get("seq"), None);
        if frame["event"] == "chat" && frame["payload"]["state"] == "final" {
            text = frame["payload"]["message"].to_string();
        }
        events.push(frame["event"].as_str().expect("a name").to_owned());
    }
    for event in ["chat", "agent", "session.message", "sessions.changed"] {
        assert!(events.iter().any(|name| name == event), "{event} is not in {events:?}");
    }
    let history = browser.call("chat.history", json!({ "sessionKey": "agent:main:door" })).expect("kept");
    assert!(history["messages"].to_string().contains("hello at the door"));
    real.kill();
    while browser.hear().is_some() {}
    assert!(!String::from_utf8_lossy(&browser.bytes).contains(TOKEN));
    assert!(Browser::open(&install).is_none(), "the gateway is away");
    real.run();
    let (_, hello) = until("it is let in again", || Browser::open(&install));
    assert_ne!(hello["server"]["bootId"], boot, "it is another process");
    until("what was not heard is rebuilt", || {
        let told = install.regatta(&["log", "tail", "--json", "--kind", "gateway.frame", "-n", "1000"]).exits(0).out;
        told.contains("\\\"reconstructed\\\":true").then_some(())
    });
}
