//! What agents printed and changed comes back byte for byte.

use axum::http::StatusCode;
use http_body_util::BodyExt as _;
use regatta_core::event::attempt::{AttemptEvent, Channel, Collected, DiffStat};
use regatta_core::{Event, Stream};

use crate::world::{World, text};

async fn check(world: &World, query: &str, bytes: &[u8]) {
    let response = world.get(&format!("/attempts/7q2k9x0m.a/output{query}")).await;
    assert_eq!(response.status(), StatusCode::OK, "{query}");
    assert_eq!(response.into_body().collect().await.expect("body").to_bytes(), bytes, "{query}");
}

#[tokio::test]
async fn output_comes_back_by_channel_offset_and_start() {
    let world = World::new();
    world.started("7q2k9x0m.a", 1).await;
    world.printed("7q2k9x0m.a", 1, Channel::Out, 0, b"first start").await;
    world.started("7q2k9x0m.a", 2).await;
    world.printed("7q2k9x0m.a", 2, Channel::Out, 0, b"one\xff").await;
    world.printed("7q2k9x0m.a", 2, Channel::Err, 0, b"oops").await;
    world.printed("7q2k9x0m.a", 2, Channel::Out, 4, b"two").await;
    check(&world, "", b"one\xffoopstwo").await;
    check(&world, "?channel=out", b"one\xfftwo").await;
    check(&world, "?channel=err", b"oops").await;
    check(&world, "?channel=out&offset=3", b"\xfftwo").await;
    check(&world, "?channel=out&offset=5", b"wo").await;
    check(&world, "?channel=out&offset=99", b"").await;
    check(&world, "?channel=out&epoch=1", b"first start").await;
    check(&world, "?phase=setup", b"").await;
}

#[tokio::test]
async fn a_patch_comes_back_once_it_is_collected() {
    let world = World::new();
    world.started("7q2k9x0m.a", 1).await;
    let (status, body) = text(world.get("/attempts/7q2k9x0m.a/diff").await).await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert!(body.contains("not_collected"), "{body}");

    let patch = world.blobs.put(b"diff --git a/x b/x\n\xff").expect("kept");
    let collected =
        Collected { epoch: 1, patch: Some(patch), stat: DiffStat::default(), files: Vec::new(), failure: None };
    let attempt = "7q2k9x0m.a".parse().expect("an attempt");
    world.append(Stream::attempt(attempt), Event::Attempt(AttemptEvent::Collected(collected))).await;
    let response = world.get("/attempts/7q2k9x0m.a/diff").await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.into_body().collect().await.expect("body").to_bytes(), &b"diff --git a/x b/x\n\xff"[..]);
}
