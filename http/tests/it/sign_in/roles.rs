//! Every route, every role.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use regatta_http::Problem;
use regatta_http::auth::{Need, RIGHTS};

use super::{ask, bearer, near};
use crate::world::{World, text};

const ROLES: [&str; 4] = ["viewer", "operator", "approver", "admin"];

/// A path with something in every place.
fn filled(path: &str) -> String {
    let parts = path.split('/').map(|part| match part {
        "{run}" => "7q2k9x0m",
        "{slot}" => "a",
        "{attempt}" => "7q2k9x0m.a",
        "{seq}" => "1",
        other if other.starts_with('{') => "x",
        other => other,
    });
    parts.collect::<Vec<_>>().join("/")
}

/// What a caller meets at the gate: `in`, or the problem's name.
async fn met(world: &World, method: &str, path: &str, token: Option<&str>) -> String {
    let authorization = token.map(bearer);
    let headers: Vec<(&str, &str)> = authorization.iter().map(|value| ("authorization", value.as_str())).collect();
    let response = world.by(near(), ask(method, path, &headers, "{}")).await;
    if response.status() != StatusCode::UNAUTHORIZED && response.status() != StatusCode::FORBIDDEN {
        return "in".to_owned();
    }
    let (_, body) = text(response).await;
    serde_json::from_str::<Problem>(&body).map_or(body.clone(), |problem| problem.name().to_owned())
}

#[tokio::test]
async fn every_route_lets_in_who_the_table_says_and_nobody_else() {
    for (method, path, need) in RIGHTS {
        // A route may end what the next one needs, as the server itself.
        let world = World::new();
        let mut tokens = BTreeMap::new();
        for role in ROLES {
            tokens.insert(role, world.user(role, role).await.token);
        }
        let at = filled(path);
        let anonymous = met(&world, method, &at, None).await;
        let expected = if *need == Need::Anyone { "in" } else { "not_signed_in" };
        assert_eq!(anonymous, expected, "{method} {path}");
        for role in ROLES {
            let is_enough = match need {
                Need::Anyone => true,
                Need::Role(least) => role.parse::<regatta_core::event::user::Role>().expect("role") >= *least,
            };
            let expected = if is_enough { "in" } else { "forbidden" };
            assert_eq!(met(&world, method, &at, Some(&tokens[role])).await, expected, "{method} {path} as {role}");
        }
    }
}

#[tokio::test]
async fn who_acts_is_who_signed_in_whatever_they_say() {
    let world = World::new();
    let ben = world.user("ben", "approver").await;
    let headers = [("authorization", bearer(&ben.token)), ("regatta-actor", "ana".to_owned())];
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let response = world.by(near(), ask("POST", "/api/v1/runs/7q2k9x0m/pick", &headers, r#"{"attempt":"b"}"#)).await;
    assert_eq!(response.status(), StatusCode::NO_CONTENT);
    assert_eq!(*world.told.asked.lock().expect("lock"), [r#"pick 7q2k9x0m.b "" by user:ben"#]);
}

#[tokio::test]
async fn a_changed_role_holds_at_once_and_a_removed_user_is_nobody() {
    let world = World::new();
    let ben = world.user("ben", "viewer").await;
    let cookie = world.session(&ben.token).await;
    let pick = async |world: &World| {
        let headers = [("cookie", cookie.as_str()), ("origin", super::OURS)];
        world.by(near(), ask("POST", "/api/v1/runs/7q2k9x0m/pick", &headers, r#"{"attempt":"b"}"#)).await.status()
    };
    assert_eq!(pick(&world).await, StatusCode::FORBIDDEN);
    // The token was made for a viewer and stays that; a new one may do more.
    let change =
        axum::http::Request::patch("/api/v1/users/ben").body(r#"{"role":"approver"}"#.into()).expect("request");
    assert_eq!(world.send(change).await.status(), StatusCode::NO_CONTENT);
    assert_eq!(pick(&world).await, StatusCode::FORBIDDEN);
    let more = world.token("ben", None).await;
    assert_eq!(world.me_by_token(&more.token).await, StatusCode::OK);
    let remove = axum::http::Request::delete("/api/v1/users/ben").body("".into()).expect("request");
    assert_eq!(world.send(remove).await.status(), StatusCode::NO_CONTENT);
    for status in [world.me_by_cookie(&cookie).await, world.me_by_token(&more.token).await] {
        assert_eq!(status, StatusCode::UNAUTHORIZED);
    }
}
