//! Pages of other origins, names that were made to point here, proxies nobody named.

use axum::http::{StatusCode, header};

use super::{HOST, OURS, ask, near, problem};
use crate::world::World;

const EVIL: &str = "http://evil.example";

async fn check(world: &World, method: &str, path: &str, headers: &[(&str, &str)], then: (u16, &str)) {
    let (status, name) = problem(world.near(method, path, headers).await).await;
    assert_eq!((status.as_u16(), name.as_str()), then, "{method} {path} {headers:?}");
}

#[tokio::test]
async fn a_request_with_two_hosts_is_none() {
    let world = World::new();
    let ours = [("host", HOST), ("host", HOST)];
    for headers in [&ours, &[("host", HOST), ("host", "evil.example")]] {
        check(&world, "GET", "/healthz", headers, (400, "invalid")).await;
        check(&world, "GET", "/api/v1/me", headers, (400, "invalid")).await;
    }
}

const FOREIGN: (u16, &str) = (403, "foreign_origin");

#[tokio::test]
async fn a_page_of_another_origin_can_do_nothing_with_a_persons_cookie() {
    let world = World::new();
    let ada = world.user("ada", "admin").await;
    let cookie = world.session(&ada.token).await;
    let cookie = ("cookie", cookie.as_str());
    for origin in [EVIL, "null", "http://localhost:7433", "http://127.0.0.1:3000", "https://127.0.0.1:7433"] {
        check(&world, "POST", "/api/v1/runs/7q2k9x0m/cancel", &[cookie, ("origin", origin)], FOREIGN).await;
        check(&world, "GET", "/api/v1/runs", &[cookie, ("origin", origin)], FOREIGN).await;
        check(&world, "POST", "/api/v1/session", &[("origin", origin)], FOREIGN).await;
    }
    for site in ["cross-site", "same-site"] {
        check(&world, "GET", "/api/v1/runs", &[cookie, ("sec-fetch-site", site)], FOREIGN).await;
    }
    check(&world, "POST", "/api/v1/runs/7q2k9x0m/cancel", &[cookie], FOREIGN).await;
    assert!(world.told.asked.lock().expect("lock").is_empty(), "nothing reached the dispatcher");
    let ours = [cookie, ("origin", OURS)];
    assert_eq!(world.near("POST", "/api/v1/runs/7q2k9x0m/cancel", &ours).await.status(), StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn a_websocket_of_another_origin_is_not_opened() {
    let world = World::new();
    let ada = world.user("ada", "admin").await;
    let cookie = world.session(&ada.token).await;
    let upgrade = [
        ("cookie", cookie.as_str()),
        ("connection", "Upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    for more in [Some(("origin", EVIL)), Some(("origin", "null")), Some(("sec-fetch-site", "cross-site")), None] {
        let headers: Vec<(&str, &str)> = upgrade.into_iter().chain(more).collect();
        check(&world, "GET", "/api/v1/events/stream", &headers, FOREIGN).await;
    }
}

#[tokio::test]
async fn a_name_that_was_made_to_point_here_is_not_ours() {
    let world = World::new();
    let ada = world.user("ada", "admin").await;
    let authorization = super::bearer(&ada.token);
    for host in ["evil.example", "evil.example:7433", "127.0.0.1.evil.example", ""] {
        let headers = [("host", host), ("authorization", authorization.as_str())];
        check(&world, "GET", "/api/v1/runs", &headers, (403, "foreign_host")).await;
        check(&world, "GET", "/", &[("host", host)], (403, "foreign_host")).await;
    }
    for host in ["localhost:7433", "[::1]:7433", HOST] {
        let headers = [("host", host), ("authorization", authorization.as_str())];
        assert_eq!(world.near("GET", "/api/v1/runs", &headers).await.status(), StatusCode::OK, "{host}");
    }
}

#[tokio::test]
async fn what_an_unnamed_proxy_says_is_not_believed() {
    let world = World::new();
    let lies = [("x-forwarded-for", "10.0.0.1"), ("x-forwarded-proto", "https"), ("x-forwarded-host", "evil.example")];
    let response = world.near("GET", "/", &lies).await;
    assert_ne!(response.status(), StatusCode::FORBIDDEN, "its Host is ours, whatever the rest says");
    // Guesses count against who really sent them.
    for n in 0..11 {
        let own = format!("10.0.0.{n}");
        let headers = [("x-forwarded-for", own.as_str()), ("authorization", "Bearer rgt_7q2k9x0m_guess")];
        let status = world.near("GET", "/api/v1/me", &headers).await.status();
        assert_eq!(status == StatusCode::TOO_MANY_REQUESTS, n == 10, "{n}: {status}");
    }
}

#[tokio::test]
async fn the_owners_socket_serves_no_page_and_no_proxy() {
    let world = World::new();
    for header in [("origin", OURS), ("x-forwarded-for", "10.0.0.1"), ("forwarded", "for=10.0.0.1")] {
        let response = world.send(ask("GET", "/api/v1/runs", &[header], "")).await;
        assert_eq!(problem(response).await, (StatusCode::FORBIDDEN, "not_the_owner".to_owned()), "{header:?}");
    }
}

#[tokio::test]
async fn every_answer_keeps_a_browser_from_being_tricked() {
    let world = World::new();
    for path in ["/", "/sign-in", "/api/v1/me", "/api/v1/nothing", "/assets/none.js"] {
        let response = world.by(near(), ask("GET", path, &[], "")).await;
        let header =
            |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let policy = header("content-security-policy");
        assert!(policy.contains("default-src 'self'") || policy.contains("default-src 'none'"), "{path}: {policy}");
        assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"), "{path}: {policy}");
        assert_eq!(header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(header("cross-origin-opener-policy"), "same-origin", "{path}");
        assert!(["same-origin", "no-referrer"].contains(&header("referrer-policy")), "{path}");
        if path.starts_with("/api") {
            assert_eq!(header(header::CACHE_CONTROL.as_str()), "no-store", "{path}");
        }
    }
}
