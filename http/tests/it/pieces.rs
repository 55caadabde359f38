//! What attempts printed comes back by pages, in both directions.

use axum::http::StatusCode;
use regatta_core::event::attempt::Channel;
use serde_json::Value;

use crate::world::{World, text};

const ATTEMPT: &str = "7q2k9x0m.a";

async fn world(pieces: u64) -> World {
    let world = World::new();
    world.started(ATTEMPT, 1).await;
    for piece in 1..=pieces {
        world.printed(ATTEMPT, 1, Channel::Out, piece - 1, piece.to_string().as_bytes()).await;
    }
    world
}

async fn check(world: &World, query: &str, pieces: &[u64], is_start: bool, is_end: bool) {
    let (status, body) = text(world.get(&format!("/attempts/{ATTEMPT}/pieces{query}")).await).await;
    assert_eq!(status, StatusCode::OK, "{query}: {body}");
    let page: Value = serde_json::from_str(&body).expect("json");
    let found = page["pieces"].as_array().expect("pieces");
    let numbers: Vec<u64> = found.iter().map(|piece| piece["stream_seq"].as_u64().expect("a place")).collect();
    assert_eq!(
        (numbers.as_slice(), &page["is_start"], &page["is_end"]),
        (pieces, &is_start.into(), &is_end.into()),
        "{query}"
    );
    for piece in found {
        assert_eq!(piece["text"], piece["stream_seq"].to_string(), "{query}");
    }
}

#[tokio::test]
async fn the_end_comes_first_and_pages_go_both_ways() {
    let world = world(300).await;
    check(&world, "?limit=3", &[298, 299, 300], false, true).await;
    check(&world, "?limit=2&before=298", &[296, 297], false, false).await;
    check(&world, "?limit=9&before=3", &[1, 2], true, false).await;
    check(&world, "?limit=2&after=0", &[1, 2], true, false).await;
    check(&world, "?limit=9&after=298", &[299, 300], false, true).await;
    check(&world, "?after=300", &[], true, true).await;
    let all: Vec<u64> = (1..=300).collect();
    check(&world, "", &all, true, true).await;
    check(&world, "?after=0", &all, true, true).await;
}

#[tokio::test]
async fn a_moment_shows_what_was_printed_by_then() {
    let world = world(10).await;
    // The start is event 1.
    check(&world, "?as_of=4&limit=2", &[2, 3], false, true).await;
    check(&world, "?as_of=1", &[], true, true).await;
}

#[tokio::test]
async fn an_attempt_that_printed_nothing_has_an_empty_page() {
    check(&world(0).await, "", &[], true, true).await;
}

#[tokio::test]
async fn what_cannot_be_a_page_is_refused() {
    let world = world(1).await;
    for query in ["?limit=0", "?limit=2001", "?after=1&before=2", "?form=1"] {
        let (status, _) = text(world.get(&format!("/attempts/{ATTEMPT}/pieces{query}")).await).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{query}");
    }
}
