//! The live WebSocket over a real connection: topics, exact resuming, slow clients, restarts.

use std::sync::Arc;

use axum::extract::ConnectInfo;
use futures_util::{SinkExt as _, StreamExt as _};
use regatta_core::event::attempt::Channel;
use regatta_core::log::{DurableLog, Options};
use regatta_http::Door;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::world::World;

struct Client(WebSocketStream<TcpStream>);

impl Client {
    /// A client of this world's server, over TCP.
    async fn of(world: &World) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("address");
        let router = world.router.clone().layer(axum::Extension(ConnectInfo(Door::Socket)));
        let serving = axum::serve(listener, router).with_graceful_shutdown(world.stop.clone().cancelled_owned());
        tokio::spawn(serving.into_future());
        let stream = TcpStream::connect(address).await.expect("connected");
        let (socket, _) = client_async(format!("ws://{address}/api/v1/live"), stream).await.expect("upgraded");
        Self(socket)
    }

    async fn say(&mut self, message: Value) {
        self.0.send(Message::text(message.to_string())).await.expect("sent");
    }

    async fn subscribe(&mut self, topic: &str, id: Option<&str>, from_seq: Option<u64>) -> Value {
        self.say(json!({ "subscribe": { "topic": topic, "id": id, "from_seq": from_seq } })).await;
        self.hear().await
    }

    /// The next message; pings are answered below.
    async fn hear(&mut self) -> Value {
        loop {
            match self.0.next().await.expect("the server is there").expect("a message") {
                Message::Text(text) => return serde_json::from_str(&text).expect("JSON"),
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    async fn seqs(&mut self, count: usize) -> Vec<u64> {
        let mut seqs = Vec::new();
        while seqs.len() < count {
            seqs.push(self.hear().await["seq"].as_u64().expect("seq"));
        }
        seqs
    }
}

#[tokio::test]
async fn each_topic_tells_what_it_is_about_and_nothing_else() {
    let world = World::new();
    world.started("7q2k9x0m.a", 1).await;
    let mut client = Client::of(&world).await;
    assert_eq!(
        client.subscribe("run", Some("7q2k9x0m"), None).await,
        json!({ "topic": "run", "id": "7q2k9x0m", "seq": 1, "subscribed": true })
    );
    client.subscribe("output", Some("7q2k9x0m.a"), None).await;
    client.subscribe("runs", None, None).await;
    world.started("00000000.a", 1).await;
    let changed = client.hear().await;
    assert_eq!(changed, json!({ "topic": "runs", "seq": 2, "changed": ["00000000"] }));
    world.printed("7q2k9x0m.a", 1, Channel::Out, 0, b"hello\xff").await;
    let printed = client.hear().await;
    assert_eq!((printed["topic"].as_str(), printed["seq"].as_u64()), (Some("output"), Some(3)));
    assert_eq!(printed["output"]["base64"], "aGVsbG//");
    world.started("7q2k9x0m.b", 1).await;
    let (first, second) = (client.hear().await, client.hear().await);
    let (run, runs) = if first["topic"] == "run" { (first, second) } else { (second, first) };
    assert_eq!(run["event"]["stream"], "attempt/7q2k9x0m.b");
    assert_eq!(runs["changed"], json!(["7q2k9x0m"]));
}

#[tokio::test]
async fn who_comes_again_from_the_next_position_misses_nothing_and_hears_nothing_twice() {
    let world = World::new();
    for epoch in 1..=300 {
        world.started("7q2k9x0m.a", epoch).await;
    }
    let mut seen = Vec::new();
    for piece in [1, 99, 150] {
        let mut client = Client::of(&world).await;
        client.subscribe("timeline", None, Some(seen.last().map_or(1, |last| last + 1))).await;
        seen.extend(client.seqs(piece).await);
    }
    assert_eq!(seen, (1..=250).collect::<Vec<u64>>());
}

#[tokio::test]
async fn a_cursor_survives_a_restart_over_the_real_log() {
    let folder = tempfile::tempdir().expect("folder");
    let open = || DurableLog::open(Options::new(folder.path())).expect("open");
    let log = open();
    let before = World::with(Arc::new(log.clone()), None);
    for epoch in 1..=40 {
        before.started("7q2k9x0m.a", epoch).await;
    }
    let mut client = Client::of(&before).await;
    client.subscribe("run", Some("7q2k9x0m"), Some(1)).await;
    let mut seen = client.seqs(25).await;
    before.stop.cancel();
    log.close().expect("closed");
    let after = World::with(Arc::new(open()), None);
    for epoch in 41..=60 {
        after.started("7q2k9x0m.a", epoch).await;
    }
    let mut client = Client::of(&after).await;
    client.subscribe("run", Some("7q2k9x0m"), Some(26)).await;
    seen.extend(client.seqs(35).await);
    assert_eq!(seen, (1..=60).collect::<Vec<u64>>());
}

#[tokio::test]
async fn who_is_too_far_behind_is_told_to_read_again_and_then_hears_what_comes() {
    let world = World::new();
    world.many(9_000).await;
    let mut client = Client::of(&world).await;
    // Whoever hears the last event knows that all are on their way to clients.
    client.subscribe("timeline", None, Some(9_000)).await;
    assert_eq!(client.hear().await["seq"], 9_000);
    client.subscribe("timeline", None, Some(5)).await;
    assert_eq!(client.hear().await, json!({ "topic": "timeline", "seq": 9_000, "reread": 5 }));
    world.started("7q2k9x0m.a", 1).await;
    assert_eq!(client.hear().await["seq"], 9_001);
}

#[tokio::test]
async fn what_is_not_understood_is_answered_and_the_client_stays() {
    let world = World::new();
    let mut client = Client::of(&world).await;
    for (message, says) in [
        (json!("hello"), "not understood"),
        (json!({ "subscribe": { "topic": "weather" } }), "not understood"),
        (json!({ "subscribe": { "topic": "run" } }), "needs the id of a run"),
        (json!({ "subscribe": { "topic": "run", "id": "../etc" } }), "is not a run id"),
        (json!({ "subscribe": { "topic": "runs", "id": "x" } }), "takes no id"),
        (json!({ "subscribe": { "topic": "runs", "from_seq": 99 } }), "past the end of the log"),
    ] {
        client.say(message.clone()).await;
        let answer = client.hear().await;
        assert!(answer["problem"].as_str().is_some_and(|problem| problem.contains(says)), "{message}: {answer}");
    }
    assert_eq!(client.subscribe("fleet", None, None).await["subscribed"], true);
}

#[tokio::test]
async fn a_client_is_told_to_come_again_when_the_server_stops() {
    let world = World::new();
    let mut client = Client::of(&world).await;
    client.subscribe("runs", None, None).await;
    world.stop.cancel();
    let said = client.0.next().await.expect("a word").expect("a message");
    assert!(matches!(&said, Message::Close(Some(frame)) if u16::from(frame.code) == 1012), "{said:?}");
}
