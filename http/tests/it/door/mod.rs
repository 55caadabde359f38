//! The door to a gateway as browsers meet it: over a real connection, with the fake gateway behind it.

mod calls;
mod doctor;
mod events;
mod handshake;
mod hostile;
mod reads;
mod rights;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use axum::http::StatusCode;
use futures_util::{SinkExt as _, StreamExt as _};
use regatta_federation::LinkState;
use regatta_gateway_fake::House;
use regatta_http::listener::{Bounds, serve_tcp_within};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::world::{World, text};

/// How long anything here may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// The token of the gateway. Nothing else holds this.
const CANARY: &str = "canary-of-the-door-4417-heron";

/// A server with the fake gateway `main` behind it, connected.
struct Place {
    world: World,
    house: House,
    address: SocketAddr,
}

impl Place {
    async fn new() -> Self {
        let (world, house) = (World::new(), House::open().await);
        house.wants_token(CANARY);
        let address = served(&world).await;
        let body = json!({ "name": "main", "url": house.url, "token": CANARY }).to_string();
        let (status, said) = text(world.post("/gateways", body).await).await;
        assert_eq!(status, StatusCode::CREATED, "{said}");
        let place = Self { world, house, address };
        place.connected().await;
        place
    }

    /// Waits until the gateway is connected, and what is done then is done.
    async fn connected(&self) {
        let is_so = async || {
            let (_, said) = text(self.world.get("/gateways/main").await).await;
            let row: Value = serde_json::from_str(&said).expect("JSON");
            row["link"]["state"] == json!(LinkState::Connected)
        };
        until("the gateway is connected", is_so).await;
        let asked = self.house.connections() as usize;
        until("it was asked everything", async || self.house.calls("exec.approval.list").len() >= asked).await;
    }

    /// A browser of somebody with that role, let in.
    async fn browser(&self, role: &str) -> Browser {
        let token = self.world.user(role, role).await.token;
        let mut browser = Browser::open(self.address, "/api/gateway/main/ws", &token).await.expect("a WebSocket");
        browser.connect(&["tool-events"]).await;
        browser
    }
}

/// Waits until something is so; what is waited for happens in other tasks.
async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let looking = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, looking).await.unwrap_or_else(|_| panic!("{what}: it does not happen"));
}

async fn served(world: &World) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("address");
    tokio::spawn(serve_tcp_within(listener, Bounds::default(), world.router.clone(), world.stop.clone()));
    address
}

/// A browser, and every byte it got.
struct Browser {
    socket: WebSocketStream<TcpStream>,
    bytes: Vec<u8>,
    /// Events that came while an answer was waited for.
    events: VecDeque<Value>,
    calls: u32,
}

fn connect_params(caps: &[&str]) -> Value {
    let client = json!({ "id": "webchat-ui", "version": "1", "platform": "web", "mode": "webchat" });
    json!({ "minProtocol": 4, "maxProtocol": 4, "client": client, "caps": caps, "auth": { "token": "not looked at" } })
}

impl Browser {
    async fn open(address: SocketAddr, path: &str, token: &str) -> Result<Self, Error> {
        let mut request = format!("ws://{address}{path}").into_client_request().expect("request");
        request.headers_mut().insert("authorization", format!("Bearer {token}").parse().expect("value"));
        let stream = TcpStream::connect(address).await.expect("it listens");
        let (socket, _) = client_async(request, stream).await?;
        Ok(Self { socket, bytes: Vec::new(), events: VecDeque::new(), calls: 0 })
    }

    async fn say(&mut self, message: Message) {
        self.socket.send(message).await.expect("sent");
    }

    async fn say_json(&mut self, frame: &Value) {
        self.say(Message::text(frame.to_string())).await;
    }

    /// The next message that is no ping.
    async fn next(&mut self) -> Message {
        loop {
            let next = tokio::time::timeout(PATIENCE, self.socket.next()).await.expect("in time");
            let message = next.expect("the server is there").expect("a message");
            self.bytes.extend_from_slice(&message.clone().into_data());
            if !matches!(message, Message::Ping(_) | Message::Pong(_)) {
                return message;
            }
        }
    }

    async fn hear(&mut self) -> Value {
        match self.next().await {
            Message::Text(text) => serde_json::from_str(&text).expect("JSON"),
            other => panic!("{other:?}"),
        }
    }

    /// Takes the challenge and comes in; the payload of the greeting.
    async fn connect(&mut self, caps: &[&str]) -> Value {
        assert_eq!(self.hear().await["event"], "connect.challenge");
        let connect = json!({ "type": "req", "id": "c", "method": "connect", "params": connect_params(caps) });
        self.say_json(&connect).await;
        let answer = self.hear().await;
        assert_eq!((&answer["id"], &answer["ok"]), (&json!("c"), &json!(true)), "{answer}");
        answer["payload"].clone()
    }

    /// Begins a call; its id.
    async fn begin(&mut self, method: &str, params: Value) -> String {
        self.calls += 1;
        let id = format!("call {}", self.calls);
        self.say_json(&json!({ "type": "req", "id": id, "method": method, "params": params })).await;
        id
    }

    /// The next answer, with its id.
    async fn answer(&mut self) -> Value {
        loop {
            let frame = self.hear().await;
            if frame["type"] == "res" {
                return frame;
            }
            self.events.push_back(frame);
        }
    }

    async fn call(&mut self, method: &str, params: Value) -> Value {
        let id = self.begin(method, params).await;
        let answer = self.answer().await;
        assert_eq!(answer["id"], id);
        answer
    }

    /// The names of the events that come, up to the first of that name.
    async fn events_up_to(&mut self, name: &str) -> Vec<String> {
        let mut names = Vec::new();
        loop {
            let event = match self.events.pop_front() {
                Some(event) => event,
                None => self.hear().await,
            };
            assert_eq!(event["type"], "event", "{event}");
            let event = event["event"].as_str().expect("a name").to_owned();
            if event == name {
                return names;
            }
            names.push(event);
        }
    }

    /// The code and reason it is let go with; what comes before is let go.
    async fn closed(&mut self) -> (u16, String) {
        loop {
            if let Message::Close(frame) = self.next().await {
                let frame = frame.expect("a code");
                return (frame.code.into(), frame.reason.as_str().to_owned());
            }
        }
    }
}
