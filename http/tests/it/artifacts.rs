//! Artifacts come back byte for byte, as something to save; and no name leads anywhere else.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use regatta_core::event::attempt::{Artifact, ArtifactsCollected, AttemptEvent, OmittedArtifact, Phase};
use regatta_core::{Event, Stream};

use crate::world::{World, text};

const HTML: &str = "<img src=x onerror=alert(1)>.html";

async fn keep(world: &World, epoch: u32, phase: Phase, files: &[(&str, &[u8])]) {
    let artifacts = files.iter().map(|(name, content)| Artifact {
        name: (*name).to_owned(),
        blob: world.blobs.put(content).expect("kept"),
        mode: 0o640,
    });
    let collected = ArtifactsCollected {
        epoch,
        phase,
        artifacts: artifacts.collect(),
        omitted: vec![OmittedArtifact { name: "core".to_owned(), reason: "larger than 32 MiB".to_owned() }],
        omitted_count: 1,
        failure: None,
        kept_count: 0,
        kept_bytes: 0,
    };
    let attempt = "7q2k9x0m.a".parse().expect("an attempt");
    world.append(Stream::attempt(attempt), Event::Attempt(AttemptEvent::ArtifactsCollected(collected))).await;
}

async fn world() -> World {
    let world = World::new();
    world.started("7q2k9x0m.a", 1).await;
    keep(&world, 1, Phase::Agent, &[("agent/of the lease before", b"gone")]).await;
    world.started("7q2k9x0m.a", 2).await;
    let html = format!("agent/{HTML}");
    keep(&world, 2, Phase::Agent, &[("agent/ü report.bin", b"0123456789"), (&html, b"<script>")]).await;
    keep(&world, 2, Phase::Check(0), &[("agent/ü report.bin", b"abcdefghij"), ("check-0/x", b"")]).await;
    world
}

#[tokio::test]
async fn the_list_shows_what_is_kept_of_the_last_lease() {
    let world = world().await;
    let (status, body) = text(world.get("/attempts/7q2k9x0m.a/artifacts").await).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    let body: serde_json::Value = serde_json::from_str(&body).expect("json");
    let names: Vec<&str> =
        body["rows"].as_array().expect("rows").iter().filter_map(|row| row["name"].as_str()).collect();
    assert_eq!(names, [&format!("agent/{HTML}"), "agent/ü report.bin", "check-0/x"]);
    assert_eq!(body["rows"][1]["mode"], "640");
    assert_eq!((&body["omitted_count"], &body["omitted"][0]["name"]), (&2.into(), &"core".into()));
    assert_eq!(world.get("/attempts/7q2k9x0m.b/artifacts").await.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn an_artifact_is_something_to_save_whatever_it_is() {
    let world = world().await;
    for (path, file) in [
        ("agent/%C3%BC%20report.bin", "attachment; filename=\"_ report.bin\"; filename*=UTF-8''%C3%BC%20report.bin"),
        (
            "agent/%3Cimg%20src=x%20onerror=alert(1)%3E.html",
            "attachment; filename=\"_img src_x onerror_alert_1__.html\"; \
             filename*=UTF-8''%3Cimg%20src%3Dx%20onerror%3Dalert%281%29%3E.html",
        ),
    ] {
        let response = world.get(&format!("/attempts/7q2k9x0m.a/artifacts/{path}")).await;
        assert_eq!(response.status(), StatusCode::OK);
        let told = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        assert_eq!(told("content-disposition"), file);
        assert_eq!(told("content-type"), "application/octet-stream");
        assert_eq!(told("x-content-type-options"), "nosniff");
        assert_eq!(told("content-security-policy"), "default-src 'none'; sandbox");
    }
}

#[tokio::test]
async fn a_range_gives_that_range() {
    let world = world().await;
    for (range, status, bytes, told) in [
        ("bytes=2-4", StatusCode::PARTIAL_CONTENT, "cde", "bytes 2-4/10"),
        ("bytes=7-", StatusCode::PARTIAL_CONTENT, "hij", "bytes 7-9/10"),
        ("bytes=-2", StatusCode::PARTIAL_CONTENT, "ij", "bytes 8-9/10"),
        ("bytes=0-99", StatusCode::PARTIAL_CONTENT, "abcdefghij", "bytes 0-9/10"),
        ("bytes=10-", StatusCode::RANGE_NOT_SATISFIABLE, "", "bytes */10"),
        ("bytes=4-2", StatusCode::RANGE_NOT_SATISFIABLE, "", "bytes */10"),
        ("bytes=0-1,4-5", StatusCode::OK, "abcdefghij", ""),
        ("lines=1-2", StatusCode::OK, "abcdefghij", ""),
    ] {
        let request = Request::get("/api/v1/attempts/7q2k9x0m.a/artifacts/agent/%C3%BC%20report.bin");
        let response = world.send(request.header("range", range).body(Body::empty()).expect("request")).await;
        assert_eq!(response.status(), status, "{range}");
        let place = response.headers().get("content-range").and_then(|value| value.to_str().ok()).unwrap_or_default();
        assert_eq!(place, told, "{range}");
        if status != StatusCode::RANGE_NOT_SATISFIABLE {
            assert_eq!(response.into_body().collect().await.expect("body").to_bytes(), bytes, "{range}");
        }
    }
}

#[tokio::test]
async fn no_name_leads_anywhere_else() {
    let world = world().await;
    let long = "x".repeat(5_000);
    for name in [
        "../../../../etc/passwd",
        "agent/../../etc/passwd",
        "%2e%2e/%2e%2e/etc/passwd",
        "agent/%2e%2e/x",
        "agent/..%2f..%2fetc%2fpasswd",
        "/etc/passwd",
        "%2Fetc%2Fpasswd",
        "agent%00",
        "agent/x%00.html",
        "agent%5C..%5Cx",
        "%5C%5Chost%5Cshare",
        "agent/%0d%0aset-cookie:%20x=1",
        "agent//x",
        "C:%5Cx",
        "no/such/thing",
        "%3Cscript%3Ealert(1)%3C/script%3E",
        &long,
    ] {
        let response = world.get(&format!("/attempts/7q2k9x0m.a/artifacts/{name}")).await;
        assert!(response.headers().get("set-cookie").is_none());
        let (status, body) = text(response).await;
        assert!(status == StatusCode::NOT_FOUND || status == StatusCode::BAD_REQUEST, "{name}: {status} {body}");
        assert!(!body.contains("root:") && !body.contains("<script>"), "{name}: {body}");
    }
    assert_eq!(world.get("/attempts/7q2k9x0m.a/artifacts/%ff").await.status(), StatusCode::BAD_REQUEST);
}
