//! Sessions of browsers.

use axum::http::StatusCode;
use serde_json::json;

use super::{OURS, ask, cookie_of, near, set_cookie};
use crate::world::World;

async fn begin(world: &World, token: &str, headers: &[(&str, &str)]) -> axum::http::Response<axum::body::Body> {
    let all: Vec<(&str, &str)> = headers.iter().copied().chain([("origin", OURS)]).collect();
    world.by(near(), ask("POST", "/api/v1/session", &all, &json!({ "token": token }).to_string())).await
}

#[tokio::test]
async fn the_cookie_is_out_of_reach_of_scripts_and_other_sites() {
    let world = World::new();
    let ben = world.user("ben", "viewer").await;
    let cookie = set_cookie(&begin(&world, &ben.token, &[]).await);
    for part in ["regatta-test=rgs_", "; HttpOnly", "; SameSite=Strict", "; Path=/", "; Max-Age=604800"] {
        assert!(cookie.contains(part), "{part:?} is not in {cookie:?}");
    }
    assert!(!cookie.contains("Secure") && !cookie.contains("Domain"), "{cookie}");
    let secure = regatta_http::auth::Door::Tcp { peer: "127.0.0.1:5".parse().expect("peer"), is_secure: true };
    let body = json!({ "token": ben.token }).to_string();
    let origin = [("origin", "https://127.0.0.1:7433")];
    let cookie = set_cookie(&world.by(secure, ask("POST", "/api/v1/session", &origin, &body)).await);
    assert!(cookie.starts_with("__Host-regatta-test=rgs_") && cookie.ends_with("; Secure"), "{cookie}");
}

#[tokio::test]
async fn a_session_is_never_one_that_was_there_before() {
    let world = World::new();
    let ben = world.user("ben", "viewer").await;
    let mallory = world.user("mallory", "viewer").await;
    let planted = world.session(&mallory.token).await;
    let signed_in = begin(&world, &ben.token, &[("cookie", &planted)]).await;
    let own = cookie_of(&signed_in);
    assert_ne!(own, planted);
    assert_eq!(world.me_by_cookie(&planted).await, StatusCode::UNAUTHORIZED, "it ended");
    assert_eq!(world.me_by_cookie(&own).await, StatusCode::OK);
    let invented = "regatta-test=rgs_7q2k9x0m_chosen";
    let own = cookie_of(&begin(&world, &ben.token, &[("cookie", invented)]).await);
    assert_eq!(world.me_by_cookie(invented).await, StatusCode::UNAUTHORIZED);
    assert_eq!(world.me_by_cookie(&format!("{own}; {invented}")).await, StatusCode::UNAUTHORIZED, "one was planted");
}

#[tokio::test]
async fn a_session_ends_by_its_person_by_its_time_and_by_idleness() {
    let world = World::new();
    let ben = world.user("ben", "viewer").await;
    let cookie = world.session(&ben.token).await;
    let gone = world.near("DELETE", "/api/v1/session", &[("cookie", &cookie), ("origin", OURS)]).await;
    assert_eq!(gone.status(), StatusCode::NO_CONTENT);
    assert!(set_cookie(&gone).contains("regatta-test=; ") && set_cookie(&gone).contains("Max-Age=0"));
    assert_eq!(world.me_by_cookie(&cookie).await, StatusCode::UNAUTHORIZED);

    let idle = world.session(&ben.token).await;
    world.clock.forward_s(24 * 60 * 60 - 1);
    assert_eq!(world.me_by_cookie(&idle).await, StatusCode::OK, "used in time");
    world.clock.forward_s(24 * 60 * 60);
    assert_eq!(world.me_by_cookie(&idle).await, StatusCode::UNAUTHORIZED);

    let long = world.session(&ben.token).await;
    for _ in 0..7 {
        assert_eq!(world.me_by_cookie(&long).await, StatusCode::OK);
        world.clock.forward_s(24 * 60 * 60 - 1);
    }
    world.clock.forward_s(7);
    assert_eq!(world.me_by_cookie(&long).await, StatusCode::UNAUTHORIZED, "used all the time, and over");
    let told = world.everything();
    for reason in ["asked", "idle", "expired"] {
        assert!(told.contains(&format!(r#""reason":"{reason}""#)), "{reason}");
    }
}

#[tokio::test]
async fn a_session_ends_with_the_token_it_began_with() {
    let world = World::new();
    let ben = world.user("ben", "viewer").await;
    let cookie = world.session(&ben.token).await;
    let revoke = axum::http::Request::delete(format!("/api/v1/tokens/{}", ben.id)).body("".into()).expect("request");
    assert_eq!(world.send(revoke).await.status(), StatusCode::NO_CONTENT);
    assert_eq!(world.me_by_cookie(&cookie).await, StatusCode::UNAUTHORIZED);
}
