//! Views that are far behind the log say so with every answer: what they show is not how things stand now.

use regatta_http::CATCHING_UP_HEADER;
use serde_json::Value;

use crate::world::{World, text};

/// What an answer says of the views, and what the health does.
async fn said(world: &World) -> (Option<String>, Option<u64>) {
    let runs = world.get("/runs").await;
    let header = runs.headers().get(CATCHING_UP_HEADER).map(|told| told.to_str().expect("text").to_owned());
    let (_, body) = text(world.get("/health").await).await;
    let health: Value = serde_json::from_str(&body).expect("health");
    (header, health["catching_up"].as_u64())
}

#[tokio::test]
async fn views_that_are_built_anew_say_where_they_are() {
    let behind = World::stalled();
    behind.many(2_000).await;
    assert_eq!(said(&behind).await, (None, None), "a little behind is as good as up to date");
    behind.many(1_000).await;
    assert_eq!(said(&behind).await, (Some("0/3000".to_owned()), Some(0)));
    let live = World::new();
    live.many(3_000).await;
    while said(&live).await.1.is_some() {}
    assert_eq!(said(&live).await, (None, None));
}
