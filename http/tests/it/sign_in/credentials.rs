//! Tokens and links: good ones, and every way of not being one.

use axum::http::{Request, StatusCode, header};
use http_body_util::BodyExt as _;
use regatta_core::Clock as _;
use regatta_http::auth::{Auth, Options};
use regatta_http::requests::TokenRow;
use std::time::Duration;

use super::{OURS, ask, bearer, from, near, problem, read};
use crate::world::{World, text};

/// How long anything here may take.
const PATIENCE: Duration = Duration::from_secs(20);

#[tokio::test]
async fn without_a_credential_nothing_is_told_not_even_on_this_machine() {
    let world = World::new();
    for path in ["/api/v1/runs", "/api/v1/events/stream", "/api/v1/me", "/api/v1/nothing"] {
        let response = world.near("GET", path, &[]).await;
        assert_eq!(response.headers().get(header::WWW_AUTHENTICATE).expect("challenge"), "Bearer realm=\"regatta\"");
        assert_eq!(problem(response).await, (StatusCode::UNAUTHORIZED, "not_signed_in".to_owned()), "{path}");
    }
    // A connection whose door nobody vouches for is not the owner's.
    let bare = ask("GET", "/api/v1/runs", &[], "");
    let response = tower::ServiceExt::oneshot(world.router.clone(), bare).await.expect("answer");
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_token_is_worth_something_until_it_expires_or_is_revoked() {
    let world = World::new();
    let ben = world.user("ben", "viewer").await;
    let short = world.token("ben", Some(60)).await;
    assert_eq!(world.me_by_token(&ben.token).await, StatusCode::OK);
    assert_eq!(world.me_by_token(&short.token).await, StatusCode::OK);
    world.clock.forward_s(60);
    for _ in 0..3 {
        assert_eq!(world.me_by_token(&short.token).await, StatusCode::UNAUTHORIZED, "expired");
    }
    assert_eq!(world.kinds().iter().filter(|kind| *kind == "user.token_expired").count(), 1, "noted once");
    let revoke = Request::delete(format!("/api/v1/tokens/{}", ben.id)).body("".into()).expect("request");
    assert_eq!(world.send(revoke).await.status(), StatusCode::NO_CONTENT);
    assert_eq!(world.me_by_token(&ben.token).await, StatusCode::UNAUTHORIZED, "revoked");
    let flipped = format!("{}0", &ben.token[..ben.token.len() - 1]);
    for wrong in [flipped.as_str(), "", "rgt_", "rgt_x_y", "Basic x", &"x".repeat(10_000)] {
        assert_eq!(world.me_by_token(wrong).await, StatusCode::UNAUTHORIZED, "{wrong}");
    }
}

#[tokio::test]
async fn what_is_streaming_ends_when_its_token_is_revoked() {
    let world = World::new();
    let ben = world.user("ben", "viewer").await;
    let headers = [("authorization", bearer(&ben.token))];
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let stream = world.near("GET", "/api/v1/events/stream", &headers).await;
    assert_eq!(stream.status(), StatusCode::OK);
    let reading = tokio::spawn(stream.into_body().collect());
    let revoke = Request::delete(format!("/api/v1/tokens/{}", ben.id)).body("".into()).expect("request");
    assert_eq!(world.send(revoke).await.status(), StatusCode::NO_CONTENT);
    let ended = tokio::time::timeout(PATIENCE, reading).await.expect("the stream ends");
    assert!(ended.expect("read").is_ok());
}

#[tokio::test]
async fn a_link_signs_in_once() {
    let world = World::new();
    let link = world.link().await;
    let shown = world.near("HEAD", &link, &[]).await;
    assert!(shown.headers().get(header::SET_COOKIE).is_none(), "who shows links in a chat does not use them");
    let first = world.near("GET", &link, &[]).await;
    assert_eq!(
        (first.status(), first.headers()[header::LOCATION].as_bytes()),
        (StatusCode::SEE_OTHER, b"/".as_slice())
    );
    let cookie = super::cookie_of(&first);
    assert_eq!(world.me_by_cookie(&cookie).await, StatusCode::OK);
    let again = world.near("GET", &link, &[]).await;
    assert!(again.headers().get(header::SET_COOKIE).is_none());
    let policy = again.headers()[header::CONTENT_SECURITY_POLICY].to_str().expect("text").to_owned();
    let (status, body) = text(again).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    for part in ["opens nothing any more", "regatta token link", r#"href="/sign-in""#, r#"href="/plain.css""#] {
        assert!(body.contains(part), "{part}: {body}");
    }
    assert!(policy.starts_with("default-src 'self';") && !body.contains("<script") && !body.contains("<style"));
    let look = world.near("GET", "/plain.css", &[]).await;
    assert_eq!(look.headers()[header::CONTENT_TYPE], "text/css; charset=utf-8");
    let late = world.link().await;
    world.clock.forward_s(600);
    assert_eq!(world.near("GET", &late, &[]).await.status(), StatusCode::UNAUTHORIZED, "too old");
}

#[tokio::test]
async fn a_link_allows_no_more_than_what_it_was_made_with_and_for_no_longer() {
    let world = World::new();
    let boss = world.user("boss", "admin").await;
    let made_by = async |token: &str, body: &str| {
        let made = world.near_with("POST", "/api/v1/sign-in-links", &[("authorization", &bearer(token))], body).await;
        let (status, said) = text(made).await;
        (status, said.split(OURS).nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_default().to_owned())
    };
    let opens = async |link: &str| {
        let answer = world.near("GET", link, &[]).await;
        if answer.status() == StatusCode::SEE_OTHER { Some(super::cookie_of(&answer)) } else { None }
    };
    assert!(made_by(&boss.token, r#"{"user":"ben"}"#).await.0.is_client_error(), "a link is for whoever asks");

    // Whoever was removed does not come back by a link of before.
    let mallory = world.user("mallory", "admin").await;
    let (_, link) = made_by(&mallory.token, "").await;
    let remove = Request::delete("/api/v1/users/mallory").body("".into()).expect("request");
    assert_eq!(world.send(remove).await.status(), StatusCode::NO_CONTENT);
    assert_eq!(opens(&link).await, None, "removed");

    // What a token made ends with it.
    let (_, unused) = made_by(&boss.token, "").await;
    let cookie = opens(&made_by(&boss.token, "").await.1).await.expect("signed in");
    assert_eq!(world.me_by_cookie(&cookie).await, StatusCode::OK);
    let revoke = Request::delete(format!("/api/v1/tokens/{}", boss.id)).body("".into()).expect("request");
    assert_eq!(world.send(revoke).await.status(), StatusCode::NO_CONTENT);
    assert_eq!(opens(&unused).await, None, "of a token that was revoked");
    assert_eq!(world.me_by_cookie(&cookie).await, StatusCode::UNAUTHORIZED);

    let brief = world.token("boss", Some(60)).await;
    let cookie = opens(&made_by(&brief.token, "").await.1).await.expect("signed in");
    world.clock.forward_s(61);
    assert_eq!(world.me_by_cookie(&cookie).await, StatusCode::UNAUTHORIZED, "its token has expired");
}

#[tokio::test]
async fn guesses_are_told_to_come_later_while_a_good_token_passes_and_make_few_facts() {
    let world = World::new();
    let (ben, new) = (world.user("ben", "viewer").await, world.token("ben", None).await);
    assert_eq!(world.me_by_token(&ben.token).await, StatusCode::OK);
    for _ in 0..10 {
        assert_eq!(world.me_by_token("rgt_7q2k9x0m_guess").await, StatusCode::UNAUTHORIZED);
    }
    for _ in 0..100 {
        let response = world.near("GET", "/api/v1/me", &[("authorization", "Bearer rgt_7q2k9x0m_guess")]).await;
        assert_eq!(response.headers()[header::RETRY_AFTER], "60");
        assert_eq!(problem(response).await, (StatusCode::TOO_MANY_REQUESTS, "locked_out".to_owned()));
    }
    assert_eq!(world.me_by_token(&new.token).await, StatusCode::OK, "a good one that was never seen");
    assert_eq!(world.me_by_token(&ben.token).await, StatusCode::OK, "one that was good before");
    let other = world.token("ben", None).await;
    assert_eq!(world.me_by_cookie(&world.session(&other.token).await).await, StatusCode::OK, "one to sign in with");
    let forged = format!("{}x", &new.token[..new.token.len() - 1]);
    for wrong in ["rgt_7q2k9x0m_guess", &forged] {
        assert_eq!(
            world.me_by_token(wrong).await,
            StatusCode::TOO_MANY_REQUESTS,
            "whether there is such a name or not"
        );
    }
    let link = world.link().await;
    assert_eq!(world.near("GET", &link, &[]).await.status(), StatusCode::SEE_OTHER, "the owner gets in");
    let elsewhere = ask("GET", "/api/v1/me", &[("authorization", &bearer(&new.token))], "");
    assert_eq!(world.by(from("127.0.0.2"), elsewhere).await.status(), StatusCode::OK, "others are listened to");
    world.clock.forward_s(60);
    assert_eq!(world.me_by_token(&new.token).await, StatusCode::OK);
    let recorded = async {
        while !world.kinds().iter().any(|kind| kind == "user.refused") {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, recorded).await.expect("it is recorded");
    let refused = world.kinds().iter().filter(|kind| *kind == "user.refused").count();
    assert!((1..=2).contains(&refused), "{refused} facts");
}

#[tokio::test]
async fn when_a_token_was_used_last_is_known_after_a_restart_and_told_once_an_hour() {
    let world = World::new();
    let (ben, idle) = (world.user("ben", "viewer").await, world.token("ben", None).await);
    let used = async |world: &World, id: &str| {
        let rows: Vec<TokenRow> = read(world.get("/tokens").await).await;
        rows.into_iter().find(|row| row.id == id).expect("a row").last_used_at_us
    };
    let told = |world: &World| world.kinds().iter().filter(|kind| *kind == "user.token_used").count();
    assert_eq!(used(&world, &ben.id).await, None);
    for _ in 0..3 {
        assert_eq!(world.me_by_token(&ben.token).await, StatusCode::OK);
    }
    let first = used(&world, &ben.id).await;
    assert_eq!(first, Some(world.clock.now_us()));
    world.clock.forward_s(3_599);
    assert_eq!((world.me_by_token(&ben.token).await, told(&world)), (StatusCode::OK, 1));
    let later = World::with(world.log.clone(), None);
    assert_eq!((used(&later, &ben.id).await, used(&later, &idle.id).await), (first, None));
    world.clock.forward_s(1);
    assert_eq!((world.me_by_token(&ben.token).await, told(&world)), (StatusCode::OK, 2));
}

#[tokio::test]
async fn an_idempotency_key_is_its_callers_own_and_so_is_what_was_answered_under_it() {
    const RUN: &str = r#"{"prompt":"fix it","repository":"/r","attempts":[{"agent":"claude"}],"strategy":"race"}"#;
    let world = World::new();
    let (ana, ben) = (world.user("ana", "admin").await, world.user("ben", "admin").await);
    let post = async |made: &regatta_http::requests::TokenMade, path: &str, body: &str| {
        let headers = [("authorization", bearer(&made.token)), ("idempotency-key", "k".to_owned())];
        let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let response = world.by(near(), ask("POST", path, &headers, body)).await;
        let is_replayed = response.headers().contains_key("idempotency-replayed");
        (is_replayed, text(response).await.1)
    };
    for caller in [&ana, &ben, &ana] {
        post(caller, "/api/v1/runs", RUN).await;
    }
    let asked = world.told.asked.lock().expect("lock").clone();
    let keys: Vec<&str> = asked.iter().filter_map(|asked| asked.split_once(" key ")).map(|(_, key)| key).collect();
    assert!(matches!(keys[..], [a, b] if a != b && a.starts_with("Some")), "each has a key of their own: {keys:?}");
    let token = r#"{"name":"t","user":"ben"}"#;
    let (first, other, again) = (
        post(&ana, "/api/v1/tokens", token).await,
        post(&ben, "/api/v1/tokens", token).await,
        post(&ana, "/api/v1/tokens", token).await,
    );
    assert!(!first.0 && !other.0 && again.0);
    assert_ne!(first.1, other.1, "a secret is told only to whoever asked for it");
    assert_eq!(first.1, again.1);
}

#[tokio::test]
async fn no_secret_is_in_a_fact_and_none_is_shown_twice() {
    let world = World::new();
    let ben = world.user("ben", "viewer").await;
    let cookie = world.session(&ben.token).await;
    let link = world.link().await;
    assert_eq!(world.near("GET", &link, &[]).await.status(), StatusCode::SEE_OTHER);
    let secret = |text: &str| text.rsplit('_').next().expect("secret").to_owned();
    let mut told = world.everything();
    for path in ["/tokens", "/users", "/events", "/config", "/me"] {
        told += &text(world.get(path).await).await.1;
    }
    for text in [&ben.token, &cookie, &link] {
        assert_eq!(told.matches(&secret(text)).count(), 0);
    }
    assert!(told.contains(&ben.id) && told.contains("user.signed_in"), "what is not secret is there");
}

#[tokio::test]
async fn who_may_do_what_survives_a_restart_and_the_first_token_is_made_once() {
    let world = World::new();
    let ben = world.user("ben", "viewer").await;
    let cookie = world.session(&ben.token).await;
    let later = World::with(world.log.clone(), None);
    assert_eq!(later.me_by_token(&ben.token).await, StatusCode::OK);
    assert_eq!(later.me_by_cookie(&cookie).await, StatusCode::OK);
    let auth = Auth::open(world.log.clone(), world.clock.clone(), Options::default()).expect("accounts");
    assert!(auth.first_token("ana").await.expect("decided").is_none(), "there are tokens already");
    let fresh = World::new();
    let auth = Auth::open(fresh.log.clone(), fresh.clock.clone(), Options::default()).expect("accounts");
    let made = auth.first_token("ana").await.expect("decided").expect("the first");
    let again = World::with(fresh.log.clone(), None);
    let me: serde_json::Value =
        read(again.by(near(), ask("GET", "/api/v1/me", &[("authorization", &bearer(&made.secret))], "")).await).await;
    assert_eq!(
        (me["name"].as_str(), me["role"].as_str(), me["via"].as_str()),
        (Some("ana"), Some("admin"), Some("token"))
    );
}
