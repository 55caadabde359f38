//! Whoever comes in, goes, or is turned away is a fact.

use std::time::Duration;

use axum::http::Request;
use regatta_core::event::UserEvent;
use regatta_core::{Event, ReadMax, Seq};

use super::{HOST, OURS, ask, bearer, from, near};
use crate::world::World;

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// Checks that a request is turned away, and that a fact says why and from where.
async fn check(world: &World, request: Request<axum::body::Body>, reason: &str) {
    let response = world.by(near(), request).await;
    assert!(response.status().is_client_error(), "{reason}: {}", response.status());
    let recorded = async {
        loop {
            let all = world.log.read(Seq(1), ReadMax::default()).expect("events");
            let refused = all.iter().find_map(|event| match event.event() {
                Ok(Event::User(UserEvent::Refused(refused))) => Some(refused),
                Ok(_) | Err(_) => None,
            });
            if let Some(refused) = refused {
                return refused;
            }
            tokio::task::yield_now().await;
        }
    };
    let refused = tokio::time::timeout(PATIENCE, recorded).await.expect("it is recorded");
    assert_eq!(refused.counts.into_iter().collect::<Vec<_>>(), [(reason.to_owned(), 1)]);
    assert_eq!(refused.sources, ["127.0.0.1"]);
}

#[tokio::test]
async fn whoever_is_turned_away_makes_a_fact_that_says_why() {
    for reason in ["credential", "role", "origin", "host", "link"] {
        // What came before is told with what comes in the minute after it.
        let world = World::new();
        let viewer = bearer(&world.user("vera", "viewer").await.token);
        let signed_in = ("authorization", viewer.as_str());
        let request = match reason {
            "credential" => ask("GET", "/api/v1/me", &[("authorization", "Bearer rgt_7q2k9x0m_guess")], ""),
            "role" => ask("POST", "/api/v1/runs/7q2k9x0m/pick", &[signed_in], r#"{"attempt":"a"}"#),
            "origin" => ask("GET", "/api/v1/runs", &[signed_in, ("origin", "http://evil.example")], ""),
            "host" => ask("GET", "/api/v1/runs", &[signed_in, ("host", "evil.example")], ""),
            _ => {
                let link = world.link().await;
                world.near("GET", &link, &[]).await;
                ask("GET", &link, &[], "")
            }
        };
        check(&world, request, reason).await;
    }
}

#[tokio::test]
async fn the_first_refusal_of_each_reason_and_source_is_a_fact_at_once() {
    let world = World::new();
    let guess = || ask("GET", "/api/v1/me", &[("authorization", "Bearer rgt_7q2k9x0m_guess")], "");
    for door in [near(), from("10.0.0.9"), near(), near()] {
        world.by(door, guess()).await;
    }
    world.by(near(), ask("GET", "/api/v1/runs", &[("host", "evil.example")], "")).await;
    let recorded = async {
        while world.kinds().iter().filter(|kind| *kind == "user.refused").count() < 3 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, recorded).await.expect("they do not wait for the minute's end");
}

#[tokio::test]
async fn coming_in_and_going_are_facts() {
    let world = World::new();
    let ada = world.user("ada", "admin").await;
    let cookie = world.session(&ada.token).await;
    let out = [("cookie", cookie.as_str()), ("origin", OURS), ("host", HOST)];
    assert!(world.near("DELETE", "/api/v1/session", &out).await.status().is_success());
    let kinds = world.kinds();
    assert!(kinds.ends_with(&["user.signed_in".to_owned(), "user.signed_out".to_owned()]), "{kinds:?}");
}
