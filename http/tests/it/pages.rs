//! Events and the timeline by the page: filters, cursors, one event.

use axum::http::StatusCode;
use regatta_core::event::attempt::Channel;
use serde_json::Value;

use crate::world::{World, text};

async fn json(world: &World, path: &str) -> Value {
    let (status, body) = text(world.get(path).await).await;
    assert_eq!(status, StatusCode::OK, "{path}: {body}");
    serde_json::from_str(&body).unwrap_or_else(|error| panic!("{error}: {body}"))
}

fn seqs(page: &Value) -> Vec<u64> {
    page["rows"].as_array().expect("rows").iter().map(|row| row["seq"].as_u64().expect("seq")).collect()
}

/// 1 a started, 2 and 3 a prints, 4 b started, 5 another run's attempt started.
async fn given() -> World {
    let world = World::new();
    world.started("7q2k9x0m.a", 1).await;
    world.printed("7q2k9x0m.a", 1, Channel::Out, 0, b"needle").await;
    world.printed("7q2k9x0m.a", 1, Channel::Err, 0, b"x").await;
    world.started("7q2k9x0m.b", 1).await;
    world.started("00000000.a", 1).await;
    world
}

#[tokio::test]
async fn every_filter_leaves_out_what_is_not_wanted() {
    let world = given().await;
    for (query, wanted) in [
        ("", &[1, 2, 3, 4, 5][..]),
        ("kind=attempt.started", &[1, 4, 5]),
        ("family=attempt&kind=!attempt.output", &[1, 4, 5]),
        ("stream=output/", &[2, 3]),
        ("run=7q2k9x0m", &[1, 2, 3, 4]),
        ("attempt=7q2k9x0m.a", &[1, 2, 3]),
        ("actor=regatta", &[1, 2, 3, 4, 5]),
        ("actor=user:ada", &[]),
        ("from=2&to=4", &[2, 3, 4]),
        ("from=1970-01-01T00:00:02Z&to=1970-01-01T00:00:03Z", &[2, 3]),
        ("text=LEASE%201&to=4", &[]),
    ] {
        assert_eq!(seqs(&json(&world, &format!("/events?{query}")).await), wanted, "{query}");
    }
}

#[tokio::test]
async fn a_text_is_looked_for_in_the_line_people_read() {
    let world = given().await;
    let all = json(&world, "/events").await;
    let line = all["rows"][0]["text"].as_str().expect("text").to_uppercase();
    let word = line.split(' ').next().expect("a word");
    let found = seqs(&json(&world, &format!("/events?text={word}")).await);
    assert!(found.contains(&1), "{word} is in {line}");
    assert_eq!(seqs(&json(&world, "/events?text=nowhere-to-be-found").await), [0_u64; 0]);
}

#[tokio::test]
async fn one_event_is_found_by_its_position_or_said_to_be_missing() {
    let world = given().await;
    assert_eq!(json(&world, "/events/4").await["stream"], "attempt/7q2k9x0m.b");
    for (path, status, says) in [
        ("/events/6", StatusCode::NOT_FOUND, "up to 5"),
        ("/events/0", StatusCode::NOT_FOUND, "there is no event 0"),
        ("/events/x", StatusCode::BAD_REQUEST, "not a position"),
        ("/events/99999999999999999999", StatusCode::BAD_REQUEST, "not a position"),
    ] {
        let (got, body) = text(world.get(path).await).await;
        assert_eq!(got, status, "{path}");
        assert!(body.contains(says), "{path}: {body}");
    }
}

async fn walk(world: &World, first: &str, cursor: &str) -> Vec<Vec<u64>> {
    let (mut path, mut pages) = (first.to_owned(), Vec::new());
    loop {
        let page = json(world, &path).await;
        pages.push(seqs(&page));
        let Some(next) = page["next"].as_u64() else { return pages };
        path = format!("/timeline?limit=2&{cursor}={next}");
    }
}

#[tokio::test]
async fn the_timeline_goes_back_and_on_without_gap_or_overlap() {
    let world = World::new();
    for epoch in 1..=5 {
        world.started("7q2k9x0m.a", epoch).await;
    }
    assert_eq!(walk(&world, "/timeline?limit=2", "before").await, [vec![4, 5], vec![2, 3], vec![1]]);
    assert_eq!(walk(&world, "/timeline?limit=2&after=0", "after").await, [vec![1, 2], vec![3, 4], vec![5]]);
    assert_eq!(walk(&world, "/timeline?limit=2&after=1970-01-01T00:00:03Z", "after").await, [vec![4, 5]]);
    assert_eq!(seqs(&json(&world, "/timeline?as_of=3&limit=2").await), [2, 3]);
}

#[tokio::test]
async fn the_timeline_is_of_a_run_an_attempt_a_kind_or_a_text() {
    let world = given().await;
    for (query, wanted) in [
        ("", &[1, 4, 5][..]),
        ("run=7q2k9x0m", &[1, 4]),
        ("attempt=7q2k9x0m.b", &[4]),
        ("kind=attempt.started,run", &[1, 4, 5]),
        ("kind=run", &[]),
        ("actor=user:ada", &[]),
        ("text=nowhere-to-be-found", &[]),
    ] {
        assert_eq!(seqs(&json(&world, &format!("/timeline?{query}")).await), wanted, "{query}");
    }
    for query in ["limit=0", "after=1&before=3", "run=UPPER", "after=soon"] {
        assert_eq!(world.get(&format!("/timeline?{query}")).await.status(), StatusCode::BAD_REQUEST, "{query}");
    }
}
