//! Clients that say too much, too slowly or nothing at all, over real connections: they are let go, and everybody else
//! is served.

use std::time::Duration;

use regatta_http::listener::{self, Bounds};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::world::World;

/// How long anything here may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// What clients are held to here.
const BOUNDS: Bounds =
    Bounds { connections_max: 50, head_max: Duration::from_millis(300), stall_max: Duration::from_millis(300) };

struct Server {
    world: World,
    address: std::net::SocketAddr,
    token: String,
}

impl Server {
    async fn start(bounds: Bounds) -> Self {
        let world = World::new();
        let token = world.user("ben", "viewer").await.token;
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("address");
        tokio::spawn(listener::serve_tcp_within(listener, bounds, world.router.clone(), world.stop.clone()));
        Self { world, address, token }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.expect("it listens")
    }

    fn head(&self, request: &str, more: &str) -> String {
        format!("{request} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\n{more}\r\n", self.address, self.token)
    }

    /// Whether somebody with a good token is answered.
    async fn serves(&self) -> bool {
        let mut stream = self.connect().await;
        let head = self.head("GET /api/v1/me", "Connection: close\r\n");
        stream.write_all(head.as_bytes()).await.expect("asked");
        said(&mut stream).await.starts_with("HTTP/1.1 200")
    }
}

/// Everything the server says until it hangs up.
async fn said(stream: &mut TcpStream) -> String {
    let mut all = Vec::new();
    let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut all)).await.expect("it ends in time");
    // A connection that is cut off ends, too.
    read.ok();
    String::from_utf8_lossy(&all).into_owned()
}

#[tokio::test]
async fn a_flood_of_headers_is_cut_off() {
    let server = Server::start(BOUNDS).await;
    let many: String = (0..200).map(|n| format!("X-{n}: y\r\n")).collect();
    let long = format!("X-Long: {}\r\n", "y".repeat(64 << 10));
    let names = format!("{}: y\r\n", "x".repeat(64 << 10));
    for flood in [&many, &long, &names] {
        let mut stream = server.connect().await;
        // The server may hang up before all of it is sent.
        stream.write_all(server.head("GET /api/v1/me", flood).as_bytes()).await.ok();
        let said = said(&mut stream).await;
        assert!(said.starts_with("HTTP/1.1 431") || said.is_empty(), "{said}");
        assert!(server.serves().await);
    }
}

#[tokio::test]
async fn who_sends_a_little_too_much_of_a_head_hears_why() {
    let server = Server::start(BOUNDS).await;
    let many: String = (0..80).map(|n| format!("X-{n}: y\r\n")).collect();
    let long = format!("Cookie: {}\r\n", "y".repeat(40 << 10));
    for head in [&many, &long] {
        let mut stream = server.connect().await;
        stream.write_all(server.head("GET /api/v1/me", head).as_bytes()).await.expect("asked");
        let said = said(&mut stream).await;
        assert!(said.starts_with("HTTP/1.1 431") && said.contains("application/problem+json"), "{said}");
        assert!(said.contains("/problems/head_too_large") && said.contains("clear them"), "{said}");
    }
}

#[tokio::test]
async fn who_sends_a_head_drop_by_drop_or_nothing_is_let_go() {
    let server = Server::start(BOUNDS).await;
    let mut silent = server.connect().await;
    let mut slow = server.connect().await;
    slow.write_all(b"GET /api/v1/me HTTP/1.1\r\nHost: ").await.expect("begun");
    let mut kept = server.connect().await;
    kept.write_all(server.head("GET /healthz", "").as_bytes()).await.expect("asked");
    assert!(server.serves().await);
    let dropping = tokio::spawn(async move {
        let mut every = tokio::time::interval(Duration::from_millis(20));
        while slow.write_all(b"x").await.is_ok() {
            every.tick().await;
        }
    });
    assert_eq!(said(&mut silent).await, "", "one that says nothing");
    assert!(said(&mut kept).await.starts_with("HTTP/1.1 200"), "one that is kept alive for nothing");
    tokio::time::timeout(PATIENCE, dropping).await.expect("the slow one is cut off").expect("no panic");
    assert!(server.serves().await);
}

#[tokio::test]
async fn who_does_not_take_what_they_asked_for_is_let_go() {
    let server = Server::start(BOUNDS).await;
    server.world.many(60_000).await;
    let mut stream = server.connect().await;
    stream.write_all(server.head("GET /api/v1/events/stream?from=1", "").as_bytes()).await.expect("asked");
    let let_go = async {
        while server.world.live_clients.seated() == 0 {
            tokio::task::yield_now().await;
        }
        while server.world.live_clients.seated() > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, let_go).await.expect("it is let go");
    assert!(server.serves().await);
}

#[tokio::test]
async fn a_hundred_megabytes_are_refused_before_they_are_sent() {
    let server = Server::start(BOUNDS).await;
    for more in ["Content-Length: 104857600\r\n", "Transfer-Encoding: chunked\r\n"] {
        let mut stream = server.connect().await;
        let owner = server.world.user(&format!("op{}", more.len()), "operator").await.token;
        let head = format!(
            "POST /api/v1/runs HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {owner}\r\n{more}\r\n",
            server.address
        );
        stream.write_all(head.as_bytes()).await.expect("asked");
        let piece = format!("100000\r\n{}\r\n", " ".repeat(1 << 20));
        let mut sent = 0;
        while sent < 100 && stream.write_all(piece.as_bytes()).await.is_ok() {
            sent += 1;
        }
        assert!(sent < 100, "it was read to the end");
        assert!(server.serves().await);
    }
}

#[tokio::test]
async fn thousands_that_say_nothing_shut_out_nobody_and_end_no_stream() {
    let server = Server::start(Bounds { head_max: Duration::from_secs(60), ..BOUNDS }).await;
    let mut stream = server.connect().await;
    stream.write_all(server.head("GET /api/v1/events/stream?from=1", "").as_bytes()).await.expect("asked");
    let mut first = [0; 12];
    stream.read_exact(&mut first).await.expect("an answer");
    assert_eq!(&first, b"HTTP/1.1 200");
    let mut silent = Vec::new();
    for n in 0..2_000 {
        silent.push(server.connect().await);
        if n % 500 == 0 {
            assert!(server.serves().await, "after {n}");
            // Those that were let go; a test has not that many files either.
            silent.clear();
        }
    }
    assert!(server.serves().await);
    assert_eq!(server.world.live_clients.seated(), 1, "the stream goes on");
    server.world.started("7q2k9x0m.a", 1).await;
    let mut heard = String::new();
    while !heard.contains("attempt.started") {
        let mut piece = [0; 4_096];
        let read = tokio::time::timeout(PATIENCE, stream.read(&mut piece)).await.expect("in time").expect("read");
        assert!(read > 0, "{heard}");
        heard += &String::from_utf8_lossy(&piece[..read]);
    }
}

#[tokio::test]
async fn what_is_under_way_is_finished_when_the_server_stops() {
    let server = Server::start(BOUNDS).await;
    let mut stream = server.connect().await;
    stream.write_all(server.head("GET /api/v1/events/stream?from=1", "").as_bytes()).await.expect("asked");
    let mut first = [0; 12];
    stream.read_exact(&mut first).await.expect("an answer");
    server.world.stop.cancel();
    assert!(said(&mut stream).await.ends_with("0\r\n\r\n"), "the stream ends as it should");
    assert!(TcpStream::connect(server.address).await.is_err(), "nobody else comes in");
}
