//! Clients that hang up while what they asked for is being written: it stands all the same, and so does what comes after.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, StatusCode};
use regatta_core::log::{Trouble, TroubledLog};
use regatta_core::{Log as _, Seq};
use regatta_http::auth::Door;
use tower::ServiceExt as _;

use crate::world::{World, text};

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::test]
async fn a_user_is_added_though_whoever_asked_hung_up_and_so_is_the_next_one() {
    let log = Arc::new(TroubledLog::default());
    let world = World::with(log.clone(), None);
    log.set(Trouble::Slow);
    let mut request =
        Request::post("/api/v1/users").body(Body::from(r#"{"name":"ben","role":"viewer"}"#)).expect("request");
    request.extensions_mut().insert(ConnectInfo(Door::Socket));
    let asking = tokio::spawn(world.router.clone().oneshot(request));
    let written = async { log.watch().wait_for(|head| *head > Seq(0)).await.map(drop) };
    tokio::time::timeout(PATIENCE, written).await.expect("it is written").expect("a log");
    asking.abort();
    assert!(asking.await.expect_err("they hung up").is_cancelled());
    log.set(Trouble::None);
    let (status, said) = text(world.post("/users", r#"{"name":"eve","role":"viewer"}"#).await).await;
    assert_eq!(status, StatusCode::CREATED, "{said}");
    let (_, users) = text(world.get("/users").await).await;
    assert!(users.contains("ben") && users.contains("eve"), "{users}");
}
