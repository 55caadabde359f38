//! What attempts printed comes back by pages, in both directions.

use axum::http::StatusCode;
use regatta_core::event::attempt::{Channel, Finished, Outcome, Queued};
use regatta_core::event::run::{Entry, Limits, Prompt, Requested, Strategy};
use regatta_core::event::{AttemptEvent, RunEvent};
use regatta_core::{AttemptId, Stream};
use serde_json::Value;

use crate::world::{World, text};

const ATTEMPT: &str = "7q2k9x0m.a";

async fn world(pieces: u64) -> World {
    let world = World::new();
    world.started(ATTEMPT, 1).await;
    for piece in 1..=pieces {
        world.printed(ATTEMPT, 1, Channel::Out, piece - 1, piece.to_string().as_bytes()).await;
    }
    world
}

async fn check(world: &World, query: &str, pieces: &[u64], is_start: bool, is_end: bool) {
    let (status, body) = text(world.get(&format!("/attempts/{ATTEMPT}/pieces{query}")).await).await;
    assert_eq!(status, StatusCode::OK, "{query}: {body}");
    let page: Value = serde_json::from_str(&body).expect("json");
    let found = page["pieces"].as_array().expect("pieces");
    let numbers: Vec<u64> = found.iter().map(|piece| piece["stream_seq"].as_u64().expect("a place")).collect();
    assert_eq!(
        (numbers.as_slice(), &page["is_start"], &page["is_end"]),
        (pieces, &is_start.into(), &is_end.into()),
        "{query}"
    );
    for piece in found {
        assert_eq!(piece["text"], piece["stream_seq"].to_string(), "{query}");
    }
}

#[tokio::test]
async fn the_end_comes_first_and_pages_go_both_ways() {
    let world = world(300).await;
    check(&world, "?limit=3", &[298, 299, 300], false, true).await;
    check(&world, "?limit=2&before=298", &[296, 297], false, false).await;
    check(&world, "?limit=9&before=3", &[1, 2], true, false).await;
    check(&world, "?limit=2&after=0", &[1, 2], true, false).await;
    check(&world, "?limit=9&after=298", &[299, 300], false, true).await;
    check(&world, "?after=300", &[], true, true).await;
    let all: Vec<u64> = (1..=300).collect();
    check(&world, "", &all, true, true).await;
    check(&world, "?after=0", &all, true, true).await;
}

#[tokio::test]
async fn a_moment_shows_what_was_printed_by_then() {
    let world = world(10).await;
    // The start is event 1.
    check(&world, "?as_of=4&limit=2", &[2, 3], false, true).await;
    check(&world, "?as_of=1", &[], true, true).await;
}

#[tokio::test]
async fn an_attempt_that_printed_nothing_has_an_empty_page() {
    check(&world(0).await, "", &[], true, true).await;
}

#[tokio::test]
async fn what_cannot_be_a_page_is_refused() {
    let world = world(1).await;
    for query in ["?limit=0", "?limit=2001", "?after=1&before=2", "?form=1"] {
        let (status, _) = text(world.get(&format!("/attempts/{ATTEMPT}/pieces{query}")).await).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{query}");
    }
}

/// An attempt of an agent that prints JSON.
async fn claude() -> World {
    let world = World::new();
    let id: AttemptId = ATTEMPT.parse().expect("an attempt");
    let entry = Entry { agent: "claude".into(), command: None, model: None, sandbox: "local".into() };
    let requested = Requested {
        title: "fix".into(),
        prompt: Prompt::Inline("fix".into()),
        repository: "/r".into(),
        base_ref: "main".into(),
        base_commit: "ab".repeat(20),
        uncommitted_included: 0,
        attempts: vec![entry.clone()],
        strategy: Strategy::All,
        setup: None,
        checks: vec![],
        artifacts: vec![],
        limits: Limits::default(),
        environment: vec![],
    };
    world.append(Stream::run(id.run), RunEvent::Requested(requested).into()).await;
    let queued = Queued { run: id.run, slot: id.slot, entry, setup: false, checks: 0, starts_max: 1 };
    world.append(Stream::attempt(id), AttemptEvent::Queued(queued).into()).await;
    world.started(ATTEMPT, 1).await;
    world
}

/// What a page says in words, one line per piece.
async fn words(world: &World, query: &str) -> Vec<String> {
    let (status, body) = text(world.get(&format!("/attempts/{ATTEMPT}/pieces?words=true{query}")).await).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    let page: Value = serde_json::from_str(&body).expect("json");
    let of = |piece: &Value| {
        let words = piece["words"].as_array().cloned().unwrap_or_default();
        let words = words.iter().map(|word| format!("{}:{}", word["sort"].as_str().expect("a sort"), word["text"]));
        words.chain(piece["text"].as_str().map(|text| format!("plain:{text:?}"))).collect::<Vec<_>>().join(" ")
    };
    page["pieces"].as_array().expect("pieces").iter().map(of).collect()
}

const SAID: &str = r#"{"type":"assistant","message":{"content":[{"type":"text","text":"I look."},
{"type":"tool_use","id":"t","name":"Bash","input":{"command":"make"}}]}}"#;

#[tokio::test]
async fn what_an_agent_says_in_json_comes_in_words_where_its_line_ends() {
    let world = claude().await;
    let said = SAID.replace('\n', "") + "\n";
    let (first, second) = said.split_at(40);
    for (channel, bytes) in [
        (Channel::Out, "plain\n"),
        (Channel::Out, first),
        (Channel::Err, "warned"),
        (Channel::Out, second),
        (Channel::Out, "no end"),
    ] {
        world.printed(ATTEMPT, 1, channel, 0, bytes.as_bytes()).await;
    }
    let all = [r#"other:"plain""#, "", r#"plain:"warned""#, r#"text:"I look." tool:"Bash: make""#, ""];
    assert_eq!(words(&world, "").await, all);
    // A page that begins inside a line knows how it began.
    assert_eq!(words(&world, "&after=2").await, all[2..]);
    assert_eq!(words(&world, "&after=3").await, all[3..]);
    assert_eq!(words(&world, "&before=4&limit=1").await, all[2..3]);
}

#[tokio::test]
async fn a_line_without_an_end_is_told_when_another_start_begins_or_all_is_over() {
    let world = claude().await;
    world.printed(ATTEMPT, 1, Channel::Out, 0, b"killed").await;
    world.printed(ATTEMPT, 2, Channel::Out, 0, b"no key").await;
    assert_eq!(words(&world, "").await, ["", r#"other:"killed""#]);
    assert_eq!(words(&world, "&after=1").await, [r#"other:"killed""#]);
    let finished = Finished { outcome: Outcome::Passed, elapsed_ms: 1 };
    let id: AttemptId = ATTEMPT.parse().expect("an attempt");
    world.append(Stream::attempt(id), AttemptEvent::Finished(finished).into()).await;
    assert_eq!(words(&world, "").await, ["", r#"other:"killed" other:"no key""#]);
}

#[tokio::test]
async fn words_are_for_agents_that_print_json_and_for_who_asks() {
    let world = claude().await;
    world.printed(ATTEMPT, 1, Channel::Out, 0, b"{}\n").await;
    let (_, body) = text(world.get(&format!("/attempts/{ATTEMPT}/pieces")).await).await;
    assert!(body.contains(r#""text":"{}\n""#) && !body.contains("words"), "{body}");
    let plain = self::world(2).await;
    assert_eq!(words(&plain, "").await, [r#"plain:"1""#, r#"plain:"2""#]);
}
