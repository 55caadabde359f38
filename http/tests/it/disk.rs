//! What takes room is told, what is asked for reaches the dispatcher attempt by attempt, and what was cleaned is a 410 that
//! says how to have it back.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use regatta_core::event::cleaning::{Archive, Archived, Removed, Requested, Returned, Wish};
use regatta_core::event::run::{Finished, RunOutcome};
use regatta_core::event::{CleaningEvent, RunEvent};
use regatta_core::{AttemptId, Stream};
use regatta_dispatcher::{Refusal, RefusalKind};
use regatta_http::Problem;
use serde_json::{Value, json};

use crate::compose::Repository;
use crate::world::{RUN, World, text};

fn id(slot: &str) -> AttemptId {
    format!("{RUN}.{slot}").parse().expect("attempt")
}

async fn say(world: &World, fact: CleaningEvent) {
    world.append(Stream::cleaning(fact.attempt().run), fact.into()).await;
}

/// The second attempt of a run that is over is cleaned.
async fn cleaned() -> Repository {
    let repository = Repository::new().await;
    let (world, attempt) = (&repository.world, id("b"));
    let finished = RunEvent::Finished(Finished { outcome: RunOutcome::Undecided });
    world.append(Stream::run(attempt.run), finished.into()).await;
    let archive = Archive { path: "cleaned/7q2k9x0m.b.tar.zst".into(), bytes: 77, blake3: "ab".repeat(32) };
    say(world, CleaningEvent::Requested(Requested { attempt, wish: Wish::Clean { to: None } })).await;
    say(world, CleaningEvent::Archived(Archived { attempt, archive, blobs: 1, blob_bytes: 9 })).await;
    say(world, CleaningEvent::Removed(Removed { attempt, blobs: 1, blob_bytes: 9, kept: 0 })).await;
    repository
}

async fn get(world: &World, path: &str) -> (StatusCode, Value) {
    let (status, body) = text(world.get(path).await).await;
    (status, serde_json::from_str(&body).unwrap_or_else(|error| panic!("{path}: {error}: {body}")))
}

#[tokio::test]
async fn what_takes_room_is_told_with_what_may_go() {
    let repository = cleaned().await;
    let (status, disk) = get(&repository.world, "/disk").await;
    assert_eq!(status, StatusCode::OK, "{disk}");
    assert_eq!((&disk["folder"], &disk["archives"]), (&json!("/data"), &json!("/data/cleaned")));
    let rows: Vec<(String, String)> = disk["left"]["rows"]
        .as_array()
        .expect("rows")
        .iter()
        .map(|row| (row["attempt"].as_str().expect("id").to_owned(), row["place"].as_str().expect("place").to_owned()))
        .collect();
    assert!(rows.contains(&("7q2k9x0m.a".into(), "here".into())), "{rows:?}");
    assert!(rows.contains(&("7q2k9x0m.b".into(), "archived".into())), "{rows:?}");
    assert_eq!(disk["left"]["may_go"]["attempts"], 1, "{disk}");
    assert_eq!(disk["left"]["cleaned"], json!({ "attempts": 1, "bytes": 77 }));
    // All that is there of blobs is 1,000 bytes: the first attempt's patch, and what nothing names.
    let of = |sort: &str| {
        let part = disk["parts"].as_array().expect("parts").iter().find(|part| part["sort"] == sort);
        part.and_then(|part| part["bytes"].as_u64())
    };
    assert_eq!(of("patches"), disk["left"]["patches_bytes"].as_u64());
    assert_eq!(of("patches").zip(of("unnamed")).map(|(patches, rest)| patches + rest), Some(1_000));
    let (_, only) = get(&repository.world, "/disk?only=7q2.b,7q2k9x0m.c").await;
    assert_eq!(only["left"]["rows"].as_array().map(Vec::len), Some(2), "{only}");
    let (_, young) = get(&repository.world, "/disk?older_than_ms=99999999999999").await;
    assert_eq!(young["left"]["may_go"]["attempts"], 0, "{young}");
    for (path, status, says) in [
        ("/disk?only=zzz", 404, "there is no run"),
        ("/disk?only=7q2.B", 400, "B"),
        ("/disk?limit=0", 400, "between 1 and"),
        ("/disk?as_of=1", 400, "as_of"),
    ] {
        let (got, problem) = get(&repository.world, path).await;
        assert_eq!(got.as_u16(), status, "{path}: {problem}");
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains(says)), "{path}: {problem}");
    }
}

#[tokio::test]
async fn what_was_cleaned_is_gone_until_it_is_back_and_says_how() {
    let repository = cleaned().await;
    let world = &repository.world;
    let paths = ["diff", "diff?against=a", "files", "files/raw.bin", "hunks", "artifacts", "artifacts/agent/x"];
    for path in paths {
        let (status, body) = text(world.get(&format!("/attempts/7q2k9x0m.b/{path}")).await).await;
        let problem: Problem = serde_json::from_str(&body).unwrap_or_else(|error| panic!("{path}: {error}: {body}"));
        assert_eq!((status, problem.name()), (StatusCode::GONE, "cleaned"), "{path}");
        assert!(problem.detail.contains("cleaned/7q2k9x0m.b.tar.zst"), "{path}: {body}");
        assert_eq!(problem.hint.as_deref(), Some("put it back: regatta clean --restore 7q2k9x0m.b"), "{path}");
    }
    // What it was, what it printed and who else there is can be seen all the same.
    assert_eq!(world.get("/attempts/7q2k9x0m.b").await.status(), StatusCode::OK);
    assert_eq!(world.get("/attempts/7q2k9x0m.b/output").await.status(), StatusCode::OK);
    assert_eq!(world.get("/attempts/7q2k9x0m.a/diff").await.status(), StatusCode::OK);
    let (status, preview) = get(world, &format!("/runs/{RUN}/merge-preview")).await;
    assert_eq!(status, StatusCode::OK, "{preview}");
    assert!(preview["rows"][1]["reason"].as_str().is_some_and(|reason| reason.contains("was cleaned")), "{preview}");
    say(world, CleaningEvent::Returned(Returned { attempt: id("b"), blobs: 1, blob_bytes: 9 })).await;
    for path in ["diff", "files", "hunks", "artifacts"] {
        assert_eq!(world.get(&format!("/attempts/7q2k9x0m.b/{path}")).await.status(), StatusCode::OK, "{path}");
    }
}

#[tokio::test]
async fn wishes_reach_the_dispatcher_one_by_one_each_under_its_own_key() {
    let world = World::new();
    let send = |path: &str, key: &str, body: &Value| {
        let request = Request::post(format!("/api/v1/disk/{path}")).header("regatta-actor", "ana");
        world.send(request.header("idempotency-key", key).body(Body::from(body.to_string())).expect("request"))
    };
    let both = json!({ "attempts": ["7q2k9x0m.a", "7q2k9x0m.b"] });
    for _ in 0..2 {
        assert_eq!(send("clean", "k1", &both).await.status(), StatusCode::OK);
    }
    let (one, to) = (json!({ "attempts": ["7q2k9x0m.a"] }), json!({ "attempts": ["7q2k9x0m.a"], "to": "/mnt/x" }));
    for path in ["restore", "forget"] {
        assert_eq!(send(path, "k2", &to).await.status(), StatusCode::BAD_REQUEST, "{path} takes no folder");
        let (status, body) = text(send(path, "k3", &one).await).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        let answer: Value = serde_json::from_str(&body).expect("json");
        assert_eq!(answer, json!({ "rows": [{ "attempt": "7q2k9x0m.a", "refused": null, "hint": null }] }));
    }
    let asked = world.told.asked.lock().expect("lock").clone();
    assert_eq!(
        asked,
        [
            "clean 7q2k9x0m.a Clean { to: None } key true by user:ana",
            "clean 7q2k9x0m.b Clean { to: None } key true by user:ana",
            "clean 7q2k9x0m.a Return key true by user:ana",
            "clean 7q2k9x0m.a Forget key true by user:ana",
        ],
        "the repeat was answered, and nothing was done"
    );
}

#[tokio::test]
async fn what_is_refused_altogether_is_a_problem() {
    let refusal = Refusal::new(RefusalKind::Cleaned, "its archive was removed for good");
    let world = World::refusing(refusal);
    for (body, status, name) in [
        (r#"{"attempts":["7q2k9x0m.a"]}"#, 410, "cleaned"),
        (r#"{"attempts":[]}"#, 400, "invalid"),
        (r#"{"attempts":["7q2"]}"#, 400, "invalid"),
        ("{}", 400, "invalid"),
    ] {
        let (got, answer) = text(world.post("/disk/clean", body).await).await;
        let problem: Problem = serde_json::from_str(&answer).unwrap_or_else(|error| panic!("{error}: {answer}"));
        assert_eq!((got.as_u16(), problem.name()), (status, name), "{body}: {answer}");
    }
}
