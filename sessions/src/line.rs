//! What of a gateway's event becomes a line of an attempt's output, and whether it ends the turn. Pure.
//!
//! A line is what tells something: no repeated session rows (4 KB in every tool frame), no cumulative text, nothing said
//! twice. The driver of a gateway inside a sandbox (`agents/src/openclaw.mjs`) prints the same. The event as it came is in
//! the log.

use memchr::memmem;
use serde_json::{Map, Value};

/// What an event is to a session.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Heard {
    /// It is another's, or says nothing new.
    Nothing,
    /// It belongs to this session and is not printed.
    Sign,
    /// A line.
    Line(Map<String, Value>),
    /// The line the turn ends with.
    Last(Map<String, Value>, End),
}

/// How a turn ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// It said all it had to say.
    Final,
    /// It failed, or somebody aborted it.
    Failed,
}

const RUN: [&str; 5] = ["runId", "seq", "stream", "state", "data"];
const END: [&str; 6] = ["deltaText", "replace", "stopReason", "usage", "errorMessage", "errorKind"];
const STREAMS: [&str; 5] = ["tool", "lifecycle", "error", "compaction", "approval"];

/// Reads one event, as it came.
pub(crate) fn hear(text: &[u8], session: &str) -> Heard {
    // Most events of a gateway belong to somebody else, and reading JSON is dear.
    if memmem::find(text, session.as_bytes()).is_none() {
        return Heard::Nothing;
    }
    let Ok(Value::Object(frame)) = serde_json::from_slice::<Value>(text) else { return Heard::Nothing };
    let event = frame.get("event").and_then(Value::as_str).unwrap_or_default();
    let Some(Value::Object(payload)) = frame.get("payload") else { return Heard::Nothing };
    let text_of = |field: &str| payload.get(field).and_then(Value::as_str);
    if text_of("sessionKey") != Some(session) {
        return Heard::Nothing;
    }
    let inside = |field: &str, name: &str| payload.get(field)?.get(name)?.as_str();
    // What the federation made of a transcript: how the turn stands, the gateway itself is asked.
    let is_reconstructed = frame.get("reconstructed").and_then(Value::as_bool) == Some(true);
    match (event, text_of("state"), text_of("stream")) {
        ("session.message", _, _) if inside("message", "role") == Some("assistant") => {
            Heard::Line(picked(event, payload, &["message"]))
        }
        ("chat", Some("delta"), _) => Heard::Line(picked(event, payload, &[RUN.as_slice(), &END].concat())),
        ("chat", Some("final" | "error" | "aborted"), _) if is_reconstructed => Heard::Sign,
        ("chat", Some(state @ ("final" | "error" | "aborted")), _) => {
            let end = if state == "final" { End::Final } else { End::Failed };
            Heard::Last(picked(event, payload, &[RUN.as_slice(), &END, &["message"]].concat()), end)
        }
        ("agent" | "session.tool", _, Some(stream)) if STREAMS.contains(&stream) => match inside("data", "phase") {
            Some("update" | "model") => Heard::Sign,
            Some(_) | None => Heard::Line(picked(event, payload, &RUN)),
        },
        _ => Heard::Sign,
    }
}

fn picked(event: &str, payload: &Map<String, Value>, fields: &[&str]) -> Map<String, Value> {
    let told = fields.iter().filter_map(|field| Some(((*field).to_owned(), payload.get(*field)?.clone())));
    let mut line = named(event);
    line.extend(told);
    line
}

fn named(event: &str) -> Map<String, Value> {
    Map::from_iter([("event".to_owned(), event.into())])
}

/// The first line: where the agent works.
pub(crate) fn begun(gateway: &str, session: &str) -> Map<String, Value> {
    let mut line = named("regatta.session");
    line.extend([("gateway".to_owned(), gateway.into()), ("session".to_owned(), session.into())]);
    line
}

/// Something that may have cost output, for people.
pub(crate) fn problem(text: &str) -> Map<String, Value> {
    let mut line = named("regatta.problem");
    line.insert("text".to_owned(), text.into());
    line
}

/// What a gateway's history has that was not heard: the rows of this turn after the last one that was, and how it ended.
pub(crate) fn rebuilt(rows: &[Value], key: &str, after: u64) -> (Vec<Map<String, Value>>, Map<String, Value>, End) {
    let ours = rows.iter().position(|row| is_ours(row, key)).map_or(0, |at| at + 1);
    let answers = rows.iter().skip(ours).filter(|row| row.get("role").and_then(Value::as_str) == Some("assistant"));
    let answers: Vec<&Value> = answers.collect();
    let line = |row: &Value| {
        let mut line = named("session.message");
        line.extend([("message".to_owned(), row.clone()), ("rebuilt".to_owned(), true.into())]);
        line
    };
    let lines =
        answers.iter().filter(|row| place(row).is_none_or(|place| place > after)).map(|row| line(row)).collect();
    let mut last = named("chat");
    last.insert("rebuilt".to_owned(), true.into());
    let stopped = answers.last().and_then(|row| row.get("stopReason")?.as_str());
    let end = if stopped == Some("stop") { End::Final } else { End::Failed };
    last.insert("state".to_owned(), if end == End::Final { "final" } else { "error" }.into());
    match (end, answers.last()) {
        (End::Final, Some(row)) => last.insert("message".to_owned(), (*row).clone()),
        (End::Final | End::Failed, _) => last
            .insert("errorMessage".to_owned(), "its run ended while nobody was connected, before its last word".into()),
    };
    (lines, last, end)
}

/// Whether a row of a session's history is what we sent under that key.
pub(crate) fn is_ours(row: &Value, key: &str) -> bool {
    let sent = row.get("idempotencyKey").and_then(Value::as_str);
    sent.and_then(|sent| sent.strip_suffix(":user")) == Some(key)
}

/// The place of a row in its session's history.
pub(crate) fn place(row: &Value) -> Option<u64> {
    row.pointer("/__openclaw/seq").and_then(Value::as_u64)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const SESSION: &str = "agent:main:regatta-7q2k9x0m-a";

    fn heard(event: &str, mut payload: Value) -> Heard {
        payload["sessionKey"] = SESSION.into();
        hear(json!({ "type": "event", "event": event, "payload": payload, "seq": 7 }).to_string().as_bytes(), SESSION)
    }

    fn line(heard: Heard) -> Value {
        match heard {
            Heard::Line(line) | Heard::Last(line, _) => Value::Object(line),
            Heard::Nothing | Heard::Sign => Value::Null,
        }
    }

    #[test]
    fn a_line_tells_what_is_new_and_repeats_no_row() {
        let delta = json!({ "runId": "r", "seq": 4, "state": "delta", "deltaText": " you", "message": { "role": "assistant" } });
        let expected = json!({ "event": "chat", "runId": "r", "seq": 4, "state": "delta", "deltaText": " you" });
        assert_eq!(line(heard("chat", delta)), expected);
        let data = json!({ "phase": "start", "toolCallId": "c", "name": "exec", "args": { "command": "ls" } });
        let tool = json!({ "runId": "r", "seq": 5, "stream": "tool", "data": data, "session": { "key": SESSION } });
        let expected = json!({ "event": "agent", "runId": "r", "seq": 5, "stream": "tool", "data": data });
        assert_eq!(line(heard("agent", tool)), expected);
        let row = json!({ "message": { "role": "assistant", "content": "x" }, "session": {} });
        let expected = json!({ "event": "session.message", "message": { "role": "assistant", "content": "x" } });
        assert_eq!(line(heard("session.message", row)), expected);
    }

    #[test]
    fn what_says_nothing_new_is_a_sign_of_life_and_others_are_nothing() {
        for (event, payload) in [
            ("chat", json!({ "state": "status", "phase": "starting_model" })),
            ("agent", json!({ "stream": "assistant", "data": { "text": "x" } })),
            ("agent", json!({ "stream": "tool", "data": { "phase": "update" } })),
            ("session.message", json!({ "message": { "role": "user" } })),
            ("sessions.changed", json!({})),
        ] {
            assert_eq!(heard(event, payload), Heard::Sign, "{event}");
        }
        let others = json!({ "event": "chat", "payload": { "sessionKey": "agent:main:main", "about": SESSION } });
        for text in [others.to_string().as_str(), "{", "[]", SESSION] {
            assert_eq!(hear(text.as_bytes(), SESSION), Heard::Nothing, "{text}");
        }
    }

    #[test]
    fn the_first_terminal_state_ends_the_turn() {
        for (state, end) in [("final", End::Final), ("error", End::Failed), ("aborted", End::Failed)] {
            let Heard::Last(line, ended) = heard("chat", json!({ "state": state, "errorMessage": "x" })) else {
                panic!("{state} ends nothing")
            };
            assert_eq!((line["state"].as_str(), ended), (Some(state), end));
        }
    }

    #[test]
    fn a_terminal_state_that_was_reconstructed_ends_nothing() {
        for state in ["final", "error", "aborted"] {
            let payload = json!({ "state": state, "sessionKey": SESSION });
            let frame = json!({ "type": "event", "event": "chat", "payload": payload, "reconstructed": true });
            assert_eq!(hear(frame.to_string().as_bytes(), SESSION), Heard::Sign, "{state}");
        }
    }

    #[test]
    fn what_was_not_heard_is_rebuilt_from_the_rows_after_ours() {
        let row = |role: &str, seq: u64, stop: &str| json!({ "role": role, "stopReason": stop, "__openclaw": { "seq": seq } });
        let mut ours = row("user", 2, "");
        ours["idempotencyKey"] = "key:user".into();
        let rows = [
            row("assistant", 1, "stop"),
            ours,
            row("assistant", 3, "toolUse"),
            row("toolResult", 4, ""),
            row("assistant", 5, "stop"),
        ];
        let (lines, last, end) = rebuilt(&rows, "key", 3);
        assert_eq!(
            (lines.len(), line(Heard::Line(lines[0].clone()))["message"]["__openclaw"]["seq"].as_u64()),
            (1, Some(5))
        );
        assert_eq!((last["state"].as_str(), end), (Some("final"), End::Final));
        let (lines, last, end) = rebuilt(&rows[..3], "key", 0);
        assert_eq!((lines.len(), last["state"].as_str(), end), (1, Some("error"), End::Failed));
    }
}
