//! The page stands outside the API; with or without it built, the answer holds to its policy.

use axum::body::Body;
use axum::http::{Request, StatusCode, header};

use crate::world::{World, text};

fn get(path: &str) -> Request<Body> {
    Request::get(path).body(Body::empty()).expect("request")
}

#[tokio::test]
async fn every_address_outside_the_api_is_the_page_or_says_how_to_build_it() {
    let world = World::new();
    for path in ["/", "/runs/7q2k9x0m", "/settings?as_of=12"] {
        let response = world.send(get(path)).await;
        let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        assert!(header(header::CONTENT_SECURITY_POLICY).starts_with("default-src 'self';"), "{path}");
        assert!(header(header::CONTENT_TYPE).starts_with("text/html"), "{path}");
        let (status, body) = text(response).await;
        let is_built = status == StatusCode::OK && body.contains("/assets/");
        let says_how = status == StatusCode::SERVICE_UNAVAILABLE && body.contains("cargo xtask ui");
        assert!(is_built || says_how, "{path}: {status} {body}");
    }
}

#[tokio::test]
async fn a_file_of_an_older_page_is_not_answered_with_the_page() {
    let response = World::new().send(get("/assets/index-old.js")).await;
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_page_is_read_and_never_written() {
    let request = Request::post("/").body(Body::empty()).expect("request");
    let (status, body) = text(World::new().send(request).await).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert!(body.contains("/problems/not_found"), "{body}");
}
