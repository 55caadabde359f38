//! Where the transcript of each session stands by what was recorded of it, and what of its history was not heard, as the
//! frames a gateway would have said. Pure.
//!
//! A gateway says no event twice, but keeps transcripts. So what happened while there was no connection, or in a gap, is
//! made of those: the rows nobody heard, the text of a run that goes on, the end of one that does not. Such frames have no
//! place on the connection, and `"reconstructed": true`. What is in no transcript (single deltas, tools at work) stays
//! missing.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;
use regatta_core::event::gateway::Frame;
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// Most sessions that are followed; the one nothing was heard of for longest makes room.
const SESSIONS_MAX: usize = 256;
/// Most rows of one session that are known to be missing; the oldest are let go.
const HOLES_MAX: usize = 512;

/// Every session that was heard of.
#[derive(Debug, Default)]
pub(crate) struct Transcripts {
    sessions: BTreeMap<String, Transcript>,
    /// By when they were heard of, the latest last.
    order: VecDeque<String>,
}

#[derive(Debug, Default)]
struct Transcript {
    /// The last row heard; 0 when none was.
    last: u64,
    /// Rows before it that were not heard.
    holes: BTreeSet<u64>,
}

impl Transcript {
    /// Of a transcript that is heard of for the first time nothing before that is missing.
    fn hear(&mut self, row: u64) {
        if row > self.last {
            if self.last > 0 {
                self.holes.extend((self.last + 1..row).rev().take(HOLES_MAX));
            }
            self.last = row;
        }
        self.holes.remove(&row);
        while self.holes.len() > HOLES_MAX {
            self.holes.pop_first();
        }
    }

    fn lacks(&self, row: u64) -> bool {
        row > self.last || self.holes.contains(&row)
    }
}

#[derive(Deserialize)]
struct Wire {
    payload: Heard,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Heard {
    session_key: String,
    message_seq: u64,
}

/// A gateway's list of sessions, as far as it is looked at.
#[derive(Debug, Deserialize)]
pub(crate) struct Sessions {
    /// The gateway's clock, in milliseconds since the Unix epoch.
    pub(crate) ts: u64,
    pub(crate) sessions: Vec<SessionRow>,
}

/// A session in that list.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SessionRow {
    pub(crate) key: String,
    #[serde(default)]
    agent_id: Option<String>,
    #[serde(default)]
    pub(crate) updated_at: Option<u64>,
    #[serde(default)]
    has_active_run: Option<bool>,
    #[serde(default)]
    active_run_ids: Option<Vec<String>>,
}

/// A session's history, as far as it is looked at.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct History {
    #[serde(default)]
    session_id: Option<String>,
    #[serde(default)]
    messages: Vec<Map<String, Value>>,
    #[serde(default)]
    in_flight_run: Option<InFlight>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct InFlight {
    run_id: String,
    #[serde(default)]
    text: String,
}

/// A frame that is made of what a gateway keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rebuilt {
    pub(crate) event: &'static str,
    pub(crate) text: Bytes,
}

fn rebuilt(event: &'static str, payload: &Value) -> Rebuilt {
    let frame = json!({ "type": "event", "event": event, "payload": payload, "reconstructed": true });
    Rebuilt { event, text: frame.to_string().into() }
}

fn about<'a>(row: &'a Map<String, Value>, field: &str) -> Option<&'a Value> {
    row.get("__openclaw")?.get(field)
}

impl Transcripts {
    /// Takes in a frame that was recorded.
    pub(crate) fn hear(&mut self, frame: &Frame) {
        if frame.event != "session.message" {
            return;
        }
        let Ok(Wire { payload: Heard { session_key, message_seq } }) = serde_json::from_slice(&frame.text) else {
            return;
        };
        self.order.retain(|key| *key != session_key);
        self.order.push_back(session_key.clone());
        self.sessions.entry(session_key).or_default().hear(message_seq);
        while self.order.len() > SESSIONS_MAX {
            self.order.pop_front().and_then(|oldest| self.sessions.remove(&oldest));
        }
    }

    /// Whether rows of that session are known to be missing.
    pub(crate) fn has_holes(&self, session: &str) -> bool {
        self.sessions.get(session).is_some_and(|transcript| !transcript.holes.is_empty())
    }

    /// What of a session was not heard, the oldest first: rows up to the time of the list (later ones are heard as they
    /// come), how its run stands, and whether one goes on at all. Of a session that was never heard of, rows since `since_ms`.
    pub(crate) fn missing(&self, row: &SessionRow, history: &History, since_ms: u64, until_ms: u64) -> Vec<Rebuilt> {
        let known = self.sessions.get(&row.key);
        let is_missing = |message: &Map<String, Value>| {
            let (seq, at) = (about(message, "seq")?.as_u64()?, about(message, "recordTimestampMs")?.as_u64()?);
            let lacks = known.map_or(at >= since_ms, |transcript| transcript.lacks(seq));
            (lacks && at <= until_ms).then_some(seq)
        };
        let mut missing = Vec::new();
        let mut ends: BTreeMap<&str, &Map<String, Value>> = BTreeMap::new();
        for message in &history.messages {
            let Some(seq) = is_missing(message) else { continue };
            missing.push(rebuilt("session.message", &row.message(history, message, seq)));
            let run = about(message, "runId").and_then(Value::as_str).filter(|run| !row.runs(history, run));
            if let Some(run) = run.filter(|_| message.get("role").is_some_and(|role| role == "assistant")) {
                ends.insert(run, message);
            }
        }
        let ends = ends.into_iter().filter_map(|(run, message)| row.end(run, message));
        missing.extend(ends.map(|end| rebuilt("chat", &end)));
        if let Some(run) = history.in_flight_run.as_ref().filter(|run| !run.text.is_empty()) {
            missing.push(rebuilt("chat", &row.so_far(run)));
        }
        // Runs whose end nobody heard are over when nothing runs there.
        missing.push(rebuilt("sessions.changed", &row.stands()));
        missing
    }
}

impl SessionRow {
    fn runs(&self, history: &History, run: &str) -> bool {
        history.in_flight_run.as_ref().is_some_and(|flying| flying.run_id == run)
            || self.active_run_ids.iter().flatten().any(|active| active == run)
    }

    fn message(&self, history: &History, message: &Map<String, Value>, seq: u64) -> Value {
        json!({
            "sessionKey": self.key, "agentId": self.agent_id, "sessionId": history.session_id, "message": message,
            "messageId": about(message, "id"), "messageSeq": seq,
        })
    }

    /// The end of a run, with its last row; nothing when that is none, as before the answer of a tool.
    fn end(&self, run: &str, message: &Map<String, Value>) -> Option<Value> {
        let state = match message.get("stopReason").and_then(Value::as_str) {
            Some("stop") | None => "final",
            Some("aborted") => "aborted",
            Some("error") => "error",
            Some(_) => return None,
        };
        let content =
            json!({ "role": "assistant", "content": message.get("content"), "timestamp": message.get("timestamp") });
        Some(json!({
            "runId": run, "sessionKey": self.key, "agentId": self.agent_id, "state": state,
            "stopReason": message.get("stopReason"), "message": content,
            "errorMessage": message.get("errorMessage"),
        }))
    }

    /// All text so far of a run that goes on.
    fn so_far(&self, run: &InFlight) -> Value {
        let content = json!([{ "type": "text", "text": run.text }]);
        json!({
            "runId": run.run_id, "sessionKey": self.key, "agentId": self.agent_id, "state": "delta", "replace": true,
            "deltaText": run.text, "message": { "role": "assistant", "content": content },
        })
    }

    fn stands(&self) -> Value {
        json!({
            "sessionKey": self.key, "agentId": self.agent_id, "reason": "reconstructed",
            "hasActiveRun": self.has_active_run, "activeRunIds": self.active_run_ids, "updatedAt": self.updated_at,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(session: &str, seq: u64) -> Frame {
        let payload = json!({ "sessionKey": session, "messageSeq": seq, "message": {} });
        let text = json!({ "type": "event", "event": "session.message", "payload": payload, "seq": 9 }).to_string();
        let (boot_id, conn_id, event) = ("b".to_owned(), "c".to_owned(), "session.message".to_owned());
        Frame { gateway: "main".parse().expect("a name"), boot_id, conn_id, seq: Some(9), event, text: text.into() }
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

    /// What is rebuilt, in few words.
    fn check(before: &[u64], row: &SessionRow, history: Value, then: &[&str]) {
        let mut transcripts = Transcripts::default();
        before.iter().for_each(|seq| transcripts.hear(&heard("k", *seq)));
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

    #[test]
    fn rows_nobody_heard_are_said_and_a_run_that_is_over_ends() {
        let messages = json!([
            message(1, 90, "user", None),
            message(2, 110, "assistant", Some("r1")),
            message(3, 120, "user", None),
            message(4, 130, "assistant", Some("r2")),
            message(5, 140, "assistant", Some("r2")),
        ]);
        let history = json!({ "sessionId": "s", "messages": messages });
        check(&[1, 2], &row(&[]), history.clone(), &["row 3", "row 4", "row 5", "r2 final", "runs []"]);
        // In a gap: what came after it was heard.
        check(&[1, 4, 5], &row(&[]), history.clone(), &["row 2", "row 3", "r1 final", "runs []"]);
        check(&[1, 2, 3, 4, 5], &row(&[]), history.clone(), &["runs []"]);
        // Never heard of: what happened since.
        check(&[], &row(&[]), history, &["row 2", "row 3", "row 4", "row 5", "r1 final", "r2 final", "runs []"]);
    }

    #[test]
    fn a_run_that_goes_on_has_its_text_so_far_and_no_end() {
        let messages = json!([message(1, 110, "user", None), message(2, 120, "assistant", Some("r1"))]);
        let flying = json!({ "runId": "r1", "text": "tick 1 tick 2", "startedAt": 100, "events": [] });
        let history = json!({ "messages": messages, "inFlightRun": flying });
        check(&[1], &row(&["r1"]), history, &["row 2", "r1 delta", "runs [\"r1\"]"]);
    }

    #[test]
    fn a_run_ends_as_its_last_row_says_and_not_before_the_answer_of_a_tool() {
        for (reason, then) in [("error", "r1 error"), ("aborted", "r1 aborted"), ("stop", "r1 final"), ("toolUse", "")]
        {
            let mut last = message(2, 120, "assistant", Some("r1"));
            last["stopReason"] = json!(reason);
            let history = json!({ "messages": [message(1, 110, "assistant", Some("r1")), last] });
            let then = ["row 1", "row 2", then, "runs []"].into_iter().filter(|words| !words.is_empty());
            check(&[], &row(&[]), history, &then.collect::<Vec<_>>());
        }
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
        assert!(transcripts.sessions.values().all(|transcript| transcript.holes.len() == HOLES_MAX));
        assert!(transcripts.has_holes("511") && !transcripts.has_holes("0"));
    }
}
