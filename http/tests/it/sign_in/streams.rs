//! What is open when somebody may not listen any more: it ends at once, as a stream and as a WebSocket.

use std::time::Duration;

use axum::http::{Request, StatusCode, header};
use futures_util::StreamExt as _;
use http_body_util::BodyExt as _;
use regatta_http::listener::{Bounds, serve_tcp_within};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use super::bearer;
use crate::world::World;

/// How long anything here may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long something that should not happen is waited for.
const A_WHILE: Duration = Duration::from_millis(200);

/// Something that is open, and ends by itself.
type Open = tokio::task::JoinHandle<Option<u16>>;

async fn stream(world: &World, credential: (&str, &str)) -> Open {
    let stream = world.near("GET", "/api/v1/events/stream", &[credential]).await;
    assert_eq!(stream.status(), StatusCode::OK);
    tokio::spawn(async move {
        stream.into_body().collect().await.expect("it ends well");
        None
    })
}

async fn upgrade(world: &World, headers: &[(&'static str, &str)]) -> Result<WebSocketStream<TcpStream>, Error> {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("address");
    tokio::spawn(serve_tcp_within(listener, Bounds::default(), world.router.clone(), world.stop.clone()));
    let mut request = format!("ws://{address}/api/v1/live").into_client_request().expect("request");
    // A browser says of which page it is; here of the server's own, unless a test says otherwise.
    if headers.iter().any(|(name, _)| *name == "cookie") {
        request.headers_mut().insert("origin", format!("http://{address}").parse().expect("value"));
    }
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().expect("value"));
    }
    let stream = TcpStream::connect(address).await.expect("it listens");
    client_async(request, stream).await.map(|(socket, _)| socket)
}

async fn socket(world: &World, credential: (&'static str, &str)) -> Open {
    let mut socket = upgrade(world, &[credential]).await.expect("a WebSocket");
    tokio::spawn(async move {
        loop {
            match socket.next().await {
                Some(Ok(Message::Close(frame))) => return frame.map(|frame| frame.code.into()),
                Some(Ok(_)) => {}
                other => panic!("it ends without a word: {other:?}"),
            }
        }
    })
}

async fn both(world: &World, credential: (&'static str, &str)) -> [Open; 2] {
    [stream(world, credential).await, socket(world, credential).await]
}

/// 1008: a policy does not allow it.
async fn end(open: [Open; 2]) {
    let [stream, socket] = open;
    assert_eq!(tokio::time::timeout(PATIENCE, stream).await.expect("the stream ends").expect("read"), None);
    assert_eq!(tokio::time::timeout(PATIENCE, socket).await.expect("the socket ends").expect("read"), Some(1008));
}

async fn change(world: &World, method: &str, path: &str, body: &'static str) {
    let request = Request::builder().method(method).uri(format!("/api/v1{path}")).body(body.into()).expect("request");
    assert_eq!(world.send(request).await.status(), StatusCode::NO_CONTENT, "{method} {path}");
}

#[tokio::test]
async fn what_is_open_ends_when_its_token_is_revoked_or_its_user_removed() {
    let world = World::new();
    for way in ["token", "user"] {
        let ben = world.user("ben", "operator").await;
        let by = bearer(&ben.token);
        let open = both(&world, ("authorization", &by)).await;
        if way == "token" {
            change(&world, "DELETE", &format!("/tokens/{}", ben.id), "").await;
            end(open).await;
            change(&world, "DELETE", "/users/ben", "").await;
        } else {
            change(&world, "DELETE", "/users/ben", "").await;
            end(open).await;
        }
        assert_eq!(world.live_clients.seated(), 0, "{way}");
    }
}

#[tokio::test]
async fn what_is_open_ends_when_its_token_expires() {
    let world = World::new();
    world.user("ben", "viewer").await;
    let short = world.token("ben", Some(1)).await;
    let by = bearer(&short.token);
    let open = both(&world, ("authorization", &by)).await;
    world.clock.forward_s(1);
    end(open).await;
}

#[tokio::test]
async fn what_is_open_ends_when_its_session_is_over() {
    let world = World::new();
    let ben = world.user("ben", "viewer").await;
    let cookie = world.session(&ben.token).await;
    let origin = ("origin", super::OURS);
    let stream = stream(&world, ("cookie", &cookie)).await;
    let socket = socket(&world, ("cookie", &cookie)).await;
    let out = world.near("DELETE", "/api/v1/session", &[("cookie", &cookie), origin]).await;
    assert_eq!(out.status(), StatusCode::NO_CONTENT);
    end([stream, socket]).await;
}

#[tokio::test]
async fn who_may_do_less_from_now_on_may_still_listen() {
    let world = World::new();
    let ben = world.user("ben", "admin").await;
    let by = bearer(&ben.token);
    let mut open = both(&world, ("authorization", &by)).await;
    change(&world, "PATCH", "/users/ben", r#"{"role":"viewer"}"#).await;
    for one in &mut open {
        assert!(tokio::time::timeout(A_WHILE, one).await.is_err(), "it goes on");
    }
    let shutdown = world.by(super::near(), super::ask("POST", "/api/v1/shutdown", &[("authorization", &by)], "")).await;
    assert_eq!(shutdown.status(), StatusCode::FORBIDDEN, "what they do is asked of what they are now");
    change(&world, "DELETE", "/users/ben", "").await;
    end(open).await;
}

#[tokio::test]
async fn who_may_read_less_from_now_on_is_told_less_by_a_stream_that_is_open() {
    let world = World::new();
    let ben = world.user("ben", "admin").await;
    let by = bearer(&ben.token);
    let stream = world.near("GET", "/api/v1/events/stream?kind=gateway", &[("authorization", &by)]).await;
    let mut body = stream.into_body();
    let mut next = async || {
        let frame = tokio::time::timeout(PATIENCE, body.frame()).await.expect("in time").expect("more").expect("read");
        String::from_utf8(frame.into_data().expect("data").to_vec()).expect("text")
    };
    world.said("terminal.data", "{}").await;
    assert!(next().await.contains("terminal.data"));
    change(&world, "PATCH", "/users/ben", r#"{"role":"viewer"}"#).await;
    world.said("terminal.data", "{}").await;
    world.said("chat", "{}").await;
    let told = next().await;
    assert!(told.contains("\"event\":\"chat\"") && !told.contains("terminal.data"), "{told}");
}

#[tokio::test]
async fn a_page_of_another_origin_or_host_gets_no_socket() {
    let world = World::new();
    let ben = world.user("ben", "admin").await;
    let (by, cookie) = (bearer(&ben.token), world.session(&ben.token).await);
    for headers in [
        [("cookie", cookie.as_str()), ("origin", "http://evil.example")],
        [("authorization", by.as_str()), ("origin", "http://evil.example")],
        [("authorization", by.as_str()), ("host", "evil.example")],
        [("cookie", cookie.as_str()), ("origin", "null")],
    ] {
        match upgrade(&world, &headers).await {
            Err(Error::Http(answer)) => assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{headers:?}"),
            other => panic!("{headers:?}: {other:?}"),
        }
    }
    match upgrade(&world, &[]).await {
        Err(Error::Http(answer)) => {
            assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
            assert!(answer.headers().contains_key(header::WWW_AUTHENTICATE));
        }
        other => panic!("{other:?}"),
    }
}
