//! What is rebuilt of a session's history, after which frames were heard.

use super::*;

fn frame(event: &str, payload: &Value) -> Frame {
    let text = json!({ "type": "event", "event": event, "payload": payload, "seq": 9 }).to_string();
    let (boot_id, conn_id, event) = ("b".to_owned(), "c".to_owned(), event.to_owned());
    Frame { gateway: "main".parse().expect("a name"), boot_id, conn_id, seq: Some(9), event, text: text.into() }
}

/// A row that was heard. Row 1 is written at 100, row 2 at 110, and so on.
fn heard(session: &str, seq: u64) -> Frame {
    let about = json!({ "recordTimestampMs": seq.saturating_mul(10).saturating_add(90), "seq": seq });
    let message = json!({ "__openclaw": about });
    frame("session.message", &json!({ "sessionKey": session, "messageSeq": seq, "message": message }))
}

fn ended(run: &str) -> Frame {
    frame("chat", &json!({ "sessionKey": "k", "runId": run, "state": "final" }))
}

fn row(active: &[&str]) -> SessionRow {
    let (key, agent_id, updated_at) = ("k".to_owned(), Some("main".to_owned()), Some(7));
    let active: Vec<String> = active.iter().map(|run| (*run).to_owned()).collect();
    SessionRow { key, agent_id, updated_at, has_active_run: Some(!active.is_empty()), active_run_ids: Some(active) }
}

fn message(seq: u64, at: u64, role: &str, run: Option<&str>) -> Value {
    let text = format!("row {seq}");
    json!({
        "role": role, "content": [{ "type": "text", "text": text }], "timestamp": at, "stopReason": "stop",
        "__openclaw": { "id": format!("m-{seq}"), "seq": seq, "recordTimestampMs": at, "runId": run },
    })
}

/// What is rebuilt after these rows were heard, in few words.
fn check(before: &[u64], row: &SessionRow, history: Value, then: &[&str]) {
    check_after(&before.iter().map(|seq| heard("k", *seq)).collect::<Vec<_>>(), row, history, then);
}

fn check_after(before: &[Frame], row: &SessionRow, history: Value, then: &[&str]) {
    let mut transcripts = Transcripts::default();
    transcripts.begin();
    before.iter().for_each(|frame| transcripts.hear(frame));
    let history: History = serde_json::from_value(history).expect("a history");
    let words = |rebuilt: &Rebuilt| {
        let frame: Value = serde_json::from_slice(&rebuilt.text).expect("JSON");
        assert_eq!(
            (&frame["event"], &frame["reconstructed"], frame.get("seq")),
            (&json!(rebuilt.event), &json!(true), None)
        );
        let payload = &frame["payload"];
        match rebuilt.event {
            "session.message" => format!("row {}", payload["messageSeq"]),
            "chat" => format!("{} {}", payload["runId"], payload["state"]).replace('"', ""),
            _ => format!("runs {}", payload["activeRunIds"]),
        }
    };
    assert_eq!(transcripts.missing(row, &history, 100, 200).iter().map(words).collect::<Vec<_>>(), then);
}

/// Two turns, of which the first ended before anything was missed.
fn two_turns() -> Value {
    json!({ "sessionId": "s", "messages": [
        message(1, 80, "user", None),
        message(2, 90, "assistant", Some("r1")),
        message(3, 120, "user", None),
        message(4, 130, "assistant", Some("r2")),
        message(5, 140, "assistant", Some("r2")),
    ] })
}

#[test]
fn rows_nobody_heard_are_said_and_a_run_that_is_over_ends() {
    check(&[1, 2], &row(&[]), two_turns(), &["row 3", "row 4", "row 5", "r2 final", "runs []"]);
    // In a gap: what came after it was heard.
    check(&[1, 4, 5], &row(&[]), two_turns(), &["row 2", "row 3", "r1 final", "r2 final", "runs []"]);
    let all = [heard("k", 1), heard("k", 2), heard("k", 3), heard("k", 4), heard("k", 5)];
    check_after(&all, &row(&[]), two_turns(), &["r2 final", "runs []"]);
    check_after(&[&all[..], &[ended("r2")]].concat(), &row(&[]), two_turns(), &["runs []"]);
    // Never heard of: what happened since.
    check(&[], &row(&[]), two_turns(), &["row 3", "row 4", "row 5", "r2 final", "runs []"]);
    // Heard of for the first time after it was missed.
    check(&[5], &row(&[]), two_turns(), &["row 3", "row 4", "r2 final", "runs []"]);
}

#[test]
fn rows_after_a_reset_are_other_rows() {
    let reset = json!({ "role": "system", "content": "Reset", "__openclaw": { "seq": 1, "kind": "reset" } });
    let messages = json!([reset, message(2, 160, "user", None), message(3, 170, "assistant", Some("r3"))]);
    let history = json!({ "sessionId": "s", "messages": messages });
    check(&[1, 2, 3, 4, 5], &row(&[]), history, &["row 2", "row 3", "r3 final", "runs []"]);
}

#[test]
fn answers_of_tools_are_said_too() {
    let call = json!({ "type": "toolCall", "id": "t", "name": "exec", "arguments": {} });
    let mut asks = message(2, 110, "assistant", Some("r1"));
    (asks["content"], asks["stopReason"]) = (json!([call]), json!("toolUse"));
    let gave = message(3, 120, "toolResult", None);
    let messages = json!([message(1, 100, "user", None), asks, gave, message(4, 130, "assistant", Some("r1"))]);
    let history = json!({ "messages": messages });
    check(&[1], &row(&[]), history.clone(), &["row 2", "row 3", "row 4", "r1 final", "runs []"]);
    // A gateway never says them by itself.
    let all = [heard("k", 1), heard("k", 2), heard("k", 4), ended("r1")];
    check_after(&all, &row(&[]), history, &["row 3", "runs []"]);
}

#[test]
fn a_run_that_goes_on_has_its_text_so_far_and_no_end() {
    let messages = json!([message(1, 100, "user", None), message(2, 120, "assistant", Some("r1"))]);
    let flying = json!({ "runId": "r1", "text": "tick 1 tick 2", "startedAt": 100, "events": [] });
    let history = json!({ "messages": messages, "inFlightRun": flying });
    check(&[1], &row(&["r1"]), history, &["row 2", "r1 delta", "runs [\"r1\"]"]);
}

#[test]
fn a_run_ends_as_its_last_row_says_and_not_before_the_answer_of_a_tool() {
    for (reason, then) in [("error", "r1 error"), ("aborted", "r1 aborted"), ("stop", "r1 final"), ("toolUse", "")] {
        let mut last = message(2, 120, "assistant", Some("r1"));
        last["stopReason"] = json!(reason);
        let history = json!({ "messages": [message(1, 110, "assistant", Some("r1")), last] });
        let then = ["row 1", "row 2", then, "runs []"].into_iter().filter(|words| !words.is_empty());
        check(&[], &row(&[]), history, &then.collect::<Vec<_>>());
    }
}

#[test]
fn text_that_an_abort_cut_short_ends_its_run_as_aborted() {
    // As 2026.9.6 keeps it.
    let mut last = message(2, 120, "assistant", Some("r1"));
    last["openclawAbort"] = json!({ "aborted": true, "origin": "rpc", "runId": "r1" });
    let history = json!({ "messages": [message(1, 100, "user", None), last] });
    check(&[1], &row(&[]), history, &["row 2", "r1 aborted", "runs []"]);
}

#[test]
fn an_older_page_is_asked_for_while_what_comes_first_is_missing() {
    let mut transcripts = Transcripts::default();
    (1..=4).for_each(|seq| transcripts.hear(&heard("k", seq)));
    let page = |first: u64, more: bool| -> History {
        let two = [first, first + 1].map(|seq| message(seq, seq * 10 + 90, "user", None));
        let messages = json!(two);
        serde_json::from_value(json!({ "messages": messages, "hasMore": more, "nextOffset": 1 })).expect("a history")
    };
    let mut history = page(7, true);
    assert_eq!((history.older_at(), transcripts.lacks_before("k", &history, 0)), (Some(1), true));
    // A row came meanwhile, and the page before begins one later.
    history.put_before(page(6, true));
    assert_eq!((history.older_at(), transcripts.lacks_before("k", &history, 0)), (Some(1), true));
    history.put_before(page(4, false));
    assert_eq!((history.older_at(), transcripts.lacks_before("k", &history, 0)), (None, false));
    let places: Vec<u64> = history.messages.iter().filter_map(place).map(|place| place.seq).collect();
    assert_eq!(places, [4, 5, 6, 7, 8]);
}

#[test]
fn what_is_said_since_we_are_connected_is_heard_as_it_comes() {
    let history = json!({ "messages": [message(2, 150, "user", None), message(3, 201, "user", None)] });
    check(&[1], &row(&[]), history, &["row 2", "runs []"]);
}

#[test]
fn what_is_remembered_is_bounded() {
    let mut transcripts = Transcripts::default();
    for number in 0..2 * SESSIONS_MAX {
        transcripts.hear(&heard(&number.to_string(), 1));
        transcripts.hear(&heard(&number.to_string(), u64::MAX));
    }
    assert_eq!((transcripts.sessions.len(), transcripts.order.len()), (SESSIONS_MAX, SESSIONS_MAX));
    assert!(transcripts.has_holes("511") && !transcripts.has_holes("0"));
    (0..2 * ENDS_MAX).for_each(|run| transcripts.hear(&ended(&run.to_string())));
    assert_eq!(transcripts.sessions["k"].ended.len(), ENDS_MAX);
}
