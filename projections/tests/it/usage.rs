//! What was used: transcripts of gateways counted once, and attempts of ours beside them.

use regatta_core::event::attempt::Outcome;
use regatta_core::event::run::{Entry, Strategy};
use regatta_projections::attempts::UsageSource;
use regatta_projections::usage::UsageRow;
use regatta_projections::{Views, snapshot};
use serde_json::{Value, json};

use crate::gateways::{Gateways as _, captured, main};
use crate::history::{History, attempt, entry, request, run};

const OBSERVED: &str = include_str!("../../../gateway/tests/frames/observer-subscribed-tool-turn.jsonl");

fn rows(history: &History, days: u64) -> Vec<UsageRow> {
    history.views().usage.view(days, history.now_us()).rows
}

/// A row of a transcript that a gateway tells of.
fn row(at_ms: u64, more: &Value) -> Value {
    let mut message = json!({
        "role": "assistant", "content": "well", "model": "m-1",
        "__openclaw": { "recordTimestampMs": at_ms, "seq": 2 },
    });
    message.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    let payload = json!({ "sessionKey": "agent:main:main", "agentId": "main", "message": message });
    json!({ "type": "event", "event": "session.message", "payload": payload, "seq": 1 })
}

#[test]
fn a_captured_turn_is_counted_as_the_gateway_told_it() {
    let mut history = History::new();
    for (_, frame) in captured(OBSERVED) {
        history.heard("b-1", &frame);
    }
    let [row] = &rows(&history, 1)[..] else { panic!("one row") };
    assert_eq!((row.gateway.clone(), row.agent.as_str(), row.model.as_deref()), (Some(main()), "main", Some("stub-1")));
    assert_eq!((row.turns, row.untold, row.uncosted), (2, 0, 0));
    let used = row.used;
    assert_eq!((used.tokens_in, used.tokens_out, used.cost_usd_micros), (Some(200), Some(40), Some(280)));
}

#[test]
fn a_row_that_is_told_again_counts_once_and_what_was_not_told_is_not_nothing() {
    let mut history = History::new();
    let told = row(7, &json!({ "usage": { "input": 5, "output": 1, "cacheRead": 3, "cost": { "total": 0.5 } } }));
    for frame in [&told, &told, &row(8, &json!({})), &row(9, &json!({ "model": "gateway-injected" }))] {
        history.heard("b-1", frame);
    }
    let [row] = &rows(&history, 1)[..] else { panic!("one row") };
    assert_eq!((row.turns, row.untold, row.uncosted), (2, 1, 1));
    assert_eq!(
        (row.used.tokens_in, row.used.tokens_cached, row.used.cost_usd_micros),
        (Some(8), Some(3), Some(500_000))
    );
    assert_eq!(row.used.source, UsageSource::Reported);
}

/// A row made of a transcript, at that place.
fn late(at_ms: u64, seq: u64) -> Value {
    let mut row = row(at_ms, &json!({ "__openclaw": { "recordTimestampMs": at_ms, "seq": seq } }));
    row["reconstructed"] = true.into();
    row.as_object_mut().expect("an object").remove("seq");
    row
}

#[test]
fn a_row_that_was_missed_counts_behind_newer_ones_once_and_on_the_day_it_was_written() {
    let mut history = History::new();
    let (now, day) = (history.now_us() / 1_000, 86_400 * 1_000);
    let heard = |at_ms: u64, seq: u64| row(at_ms, &json!({ "__openclaw": { "recordTimestampMs": at_ms, "seq": seq } }));
    for frame in [heard(now - 3 * day, 1), heard(now, 6), late(now - 2 * day, 3), late(now - 2 * day, 3)] {
        history.heard("b-1", &frame);
    }
    // A clock of a gateway that is ahead makes nothing happen tomorrow.
    history.heard("b-1", &late(now + 2 * day, 7));
    let turns: Vec<(u64, u64)> =
        rows(&history, 30).iter().map(|row| ((now * 1_000 - row.day_us) / (day * 1_000), row.turns)).collect();
    assert_eq!(turns, [(2, 1), (0, 3)], "what was heard counts when it was heard");
}

#[test]
fn an_attempt_that_ended_stands_beside_them_and_older_days_are_left_out() {
    let mut history = History::new();
    let first = run(1);
    history.requested(first, request(Strategy::All, &[entry("claude")], &[])).prepared(first);
    let a = attempt(first, 0);
    history.running(a).over(a, Outcome::Unchanged);
    let [row] = &rows(&history, 1)[..] else { panic!("one row") };
    assert_eq!((row.gateway.as_ref(), row.agent.as_str(), row.model.as_deref()), (None, "claude", Some("m1")));
    assert_eq!((row.turns, row.untold), (1, 1));
    let kept = snapshot::save(&history.views());
    assert_eq!(snapshot::restore::<Views>(&kept).expect("restored"), history.views());
    history.pass(3 * 86_400 * 1_000);
    assert!(rows(&history, 2).is_empty() && rows(&history, 5).len() == 1);
}

#[test]
fn an_attempt_at_a_gateway_is_counted_there_and_one_with_a_gateway_of_its_own_here() {
    for (sandbox, counted) in [("gateway", 0), ("gateway:ams", 0), ("local", 1)] {
        let mut history = History::new();
        let entry = Entry { sandbox: sandbox.to_owned(), ..entry("openclaw") };
        history.requested(run(1), request(Strategy::All, &[entry], &[])).prepared(run(1));
        let a = attempt(run(1), 0);
        history.running(a).over(a, Outcome::Unchanged);
        assert_eq!(rows(&history, 1).len(), counted, "{sandbox}");
    }
}
