//! Live streams: nothing missed, nothing twice, whatever breaks in between.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use regatta_core::event::attempt::Channel;

use crate::world::{World, text};

/// Reads events off a stream until it has `count` ids, then hangs up.
async fn ids(world: &World, path: &str, last: Option<u64>, count: usize) -> Vec<u64> {
    let mut request = Request::get(format!("/api/v1{path}"));
    if let Some(last) = last {
        request = request.header("last-event-id", last.to_string());
    }
    let response = world.send(request.body(Body::empty()).expect("request")).await;
    assert_eq!(response.status(), StatusCode::OK);
    let mut body = response.into_body();
    let mut seen = String::new();
    loop {
        let ids: Vec<u64> =
            seen.lines().filter_map(|line| line.strip_prefix("id: ")).map(|id| id.parse().expect("a seq")).collect();
        if ids.len() >= count {
            return ids;
        }
        let Some(frame) = body.frame().await else { return ids };
        let frame = frame.expect("frame").into_data().unwrap_or_default();
        seen.push_str(str::from_utf8(&frame).expect("text"));
    }
}

async fn print_many(world: &World, count: u64) {
    for n in 0..count {
        world.printed("7q2k9x0m.a", 1, Channel::Out, n, b"x").await;
    }
}

#[tokio::test]
async fn a_client_that_hangs_up_and_resumes_any_time_sees_every_event_once() {
    let world = World::new();
    print_many(&world, 700).await;
    let mut seen = Vec::new();
    for piece in [1, 7, 255, 256, 181] {
        let last = seen.last().copied().or(Some(0));
        seen.extend(ids(&world, "/events/stream", last, piece).await);
    }
    assert_eq!(seen, (1..=700).collect::<Vec<u64>>());
}

#[tokio::test]
async fn events_that_come_while_a_client_waits_reach_it_in_order() {
    let world = World::new();
    print_many(&world, 3).await;
    let (seen, ()) = tokio::join!(ids(&world, "/events/stream?from=2", None, 402), print_many(&world, 400));
    assert_eq!(seen, (2..=403).collect::<Vec<u64>>());
}

#[tokio::test]
async fn a_cursor_survives_a_restart_of_the_server() {
    let before = World::new();
    print_many(&before, 10).await;
    let mut seen = ids(&before, "/events/stream?from=1", None, 4).await;
    let after = World::with(before.log.clone(), None);
    print_many(&after, 5).await;
    seen.extend(ids(&after, "/events/stream", seen.last().copied(), 11).await);
    assert_eq!(seen, (1..=15).collect::<Vec<u64>>());
}

#[tokio::test]
async fn a_filter_leaves_out_what_is_not_wanted_and_nothing_else() {
    let world = World::new();
    world.started("7q2k9x0m.a", 1).await;
    print_many(&world, 300).await;
    world.started("7q2k9x0m.b", 1).await;
    world.started("00000000.a", 1).await;
    assert_eq!(ids(&world, "/events/stream?from=1&kind=attempt,!attempt.output", None, 3).await, [1, 302, 303]);
    assert_eq!(ids(&world, "/events/stream?from=1&stream=attempt/7q2k9x0m", None, 2).await, [1, 302]);
    assert_eq!(ids(&world, "/events/stream?from=1&run=00000000", None, 1).await, [303]);
}

#[tokio::test]
async fn a_stream_ends_when_the_server_stops() {
    let world = World::new();
    print_many(&world, 2).await;
    let stop = world.stop.clone();
    let stopping = async move { stop.cancel() };
    let (seen, ()) = tokio::join!(ids(&world, "/events/stream?from=3", None, 1), stopping);
    assert_eq!(seen, [0_u64; 0]);
}

#[tokio::test]
async fn a_cursor_of_another_log_is_refused_with_what_to_do() {
    let world = World::new();
    print_many(&world, 2).await;
    let request = Request::get("/api/v1/events/stream").header("last-event-id", "9");
    let (status, body) = text(world.send(request.body(Body::empty()).expect("request")).await).await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert!(body.contains("/problems/cursor_ahead") && body.contains("begin again without it"), "{body}");
}

#[tokio::test]
async fn pages_follow_one_another_without_gap_or_overlap() {
    let world = World::new();
    print_many(&world, 25).await;
    let (mut from, mut seen) = (1, Vec::new());
    while from <= 25 {
        let (_, body) = text(world.get(&format!("/events?from={from}&limit=10")).await).await;
        let page: regatta_http::requests::EventsPage = serde_json::from_str(&body).expect("page");
        seen.extend(page.rows.iter().map(|event| event.seq.0));
        assert!(page.next.0 > from, "a page moves on");
        from = page.next.0;
    }
    assert_eq!(seen, (1..=25).collect::<Vec<u64>>());
}

#[tokio::test]
async fn an_event_read_over_the_wire_is_the_one_that_was_written() {
    let world = World::new();
    world.started("7q2k9x0m.a", 3).await;
    world.printed("7q2k9x0m.a", 3, Channel::Err, 0, b"plain \xf0\x9f\x9a\xa3").await;
    world.printed("7q2k9x0m.a", 3, Channel::Out, 9, b"\xff\x00\x1b[2J").await;
    let (_, body) = text(world.get("/events").await).await;
    let page: regatta_http::requests::EventsPage = serde_json::from_str(&body).expect("page");
    let written = world.log.read(regatta_core::Seq(1), regatta_core::ReadMax::default());
    for (envelope, body) in written.expect("read").iter().zip(&page.rows) {
        assert_eq!(body.event().expect("fact"), envelope.event().expect("fact"));
    }
    assert_eq!(page.rows.len(), 3);
}
