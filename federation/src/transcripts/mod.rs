//! Where the transcript of each session stands by what was recorded of it, and what of its history was not heard, as the
//! frames a gateway would have said. Pure.
//!
//! A gateway says no event twice, but keeps transcripts. So what happened while there was no connection, or in a gap, is
//! made of those: the rows nobody heard, the text of a run that goes on, the end of one that does not. Such frames have no
//! place on the connection, and `"reconstructed": true`. What is in no transcript (single deltas, tools at work) stays
//! missing.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use regatta_core::event::gateway::Frame;
use regatta_core::{HeardRows, RowPlace};
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// Most sessions that are followed; the one nothing was heard of for longest makes room.
const SESSIONS_MAX: usize = 256;
/// Most ends of runs that are remembered of one session.
const ENDS_MAX: usize = 32;

/// Every session that was heard of.
#[derive(Debug, Default)]
pub(crate) struct Transcripts {
    sessions: BTreeMap<String, Transcript>,
    /// By when they were heard of, the latest last.
    order: VecDeque<String>,
    /// Whether what is heard now is heard as it is said, and not read from the log.
    is_live: bool,
}

#[derive(Debug, Default)]
struct Transcript {
    rows: HeardRows,
    /// Whether the first of these is the first there ever was of it here.
    is_all: bool,
    /// Runs whose end was heard, the latest last.
    ended: VecDeque<String>,
}

impl Transcript {
    /// Whether a row was not heard. One before all that were may have been written while nobody listened, too.
    fn lacks(&self, row: RowPlace, since_ms: u64) -> bool {
        self.rows.lacks(row) || self.is_all && row.at_ms >= since_ms && self.rows.is_before_all(row)
    }

    fn end(&mut self, run: String) {
        self.ended.retain(|known| *known != run);
        self.ended.push_back(run);
        if self.ended.len() > ENDS_MAX {
            self.ended.pop_front();
        }
    }
}

#[derive(Deserialize)]
struct Wire<T> {
    payload: T,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct HeardRow {
    session_key: String,
    message_seq: u64,
    #[serde(default)]
    message: HeardMessage,
}

#[derive(Default, Deserialize)]
struct HeardMessage {
    #[serde(default, rename = "__openclaw")]
    about: HeardAbout,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct HeardAbout {
    #[serde(default)]
    record_timestamp_ms: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct HeardEnd {
    session_key: String,
    run_id: String,
    state: String,
}

fn payload<'a, T: Deserialize<'a>>(frame: &'a Frame) -> Option<T> {
    serde_json::from_slice::<Wire<T>>(&frame.text).ok().map(|wire| wire.payload)
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
    #[serde(default)]
    has_more: bool,
    #[serde(default)]
    next_offset: Option<u64>,
}

impl History {
    /// Where the page before this one begins, when there is one.
    pub(crate) fn older_at(&self) -> Option<u64> {
        self.next_offset.filter(|_| self.has_more && !self.messages.is_empty())
    }

    /// Puts the page before in front; rows that came meanwhile moved some of ours into it.
    pub(crate) fn put_before(&mut self, older: Self) {
        let first = self.messages.iter().find_map(place).map_or(u64::MAX, |first| first.seq);
        let is_older = |row: &Map<String, Value>| place(row).is_none_or(|place| place.seq < first);
        (self.has_more, self.next_offset) = (older.has_more, older.next_offset);
        self.messages.splice(0..0, older.messages.into_iter().filter(is_older));
    }
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

/// Where a row stands; nothing for a mark, which is no row.
fn place(row: &Map<String, Value>) -> Option<RowPlace> {
    let (seq, at_ms) = (about(row, "seq")?.as_u64()?, about(row, "recordTimestampMs")?.as_u64()?);
    Some(RowPlace { seq, at_ms })
}

impl Transcripts {
    /// From now on everything is heard as it is said.
    pub(crate) fn begin(&mut self) {
        self.is_live = true;
    }

    /// Takes in a frame that was recorded.
    pub(crate) fn hear(&mut self, frame: &Frame) {
        match frame.event.as_str() {
            "session.message" => {
                let Some(HeardRow { session_key, message_seq, message }) = payload(frame) else { return };
                let at_ms = message.about.record_timestamp_ms.unwrap_or(0);
                self.session(session_key).rows.hear(RowPlace { seq: message_seq, at_ms });
            }
            "chat" => {
                let Some(HeardEnd { session_key, run_id, state }) = payload(frame) else { return };
                if matches!(state.as_str(), "final" | "aborted" | "error") {
                    self.session(session_key).end(run_id);
                }
            }
            _ => {}
        }
    }

    fn session(&mut self, key: String) -> &mut Transcript {
        self.order.retain(|known| *known != key);
        self.order.push_back(key.clone());
        while self.order.len() > SESSIONS_MAX {
            self.order.pop_front().and_then(|oldest| self.sessions.remove(&oldest));
        }
        let is_all = self.is_live;
        self.sessions.entry(key).or_insert_with(|| Transcript { is_all, ..Transcript::default() })
    }

    /// Whether rows of that session are known to be missing.
    pub(crate) fn has_holes(&self, session: &str) -> bool {
        self.sessions.get(session).is_some_and(|transcript| transcript.rows.has_holes())
    }

    /// Of a session that was never heard of, what was written since is missing.
    fn lacks(&self, session: &str, row: RowPlace, since_ms: u64) -> bool {
        let known = self.sessions.get(session);
        known.map_or(row.at_ms >= since_ms, |transcript| transcript.lacks(row, since_ms))
    }

    /// Whether what comes before this piece of a session's history may be missing, too.
    pub(crate) fn lacks_before(&self, session: &str, history: &History, since_ms: u64) -> bool {
        let first = history.messages.iter().find_map(place);
        first.is_some_and(|first| self.lacks(session, first, since_ms))
    }

    /// What of a session was not heard, the oldest first: rows up to the time of the list (later ones are heard as they
    /// come), how each run since stands, and whether one goes on at all. Times are the gateway's.
    pub(crate) fn missing(&self, row: &SessionRow, history: &History, since_ms: u64, until_ms: u64) -> Vec<Rebuilt> {
        let has_ended =
            |run: &str| self.sessions.get(&row.key).is_some_and(|known| known.ended.iter().any(|ended| ended == run));
        let mut missing = Vec::new();
        let mut last: Vec<(&str, &Map<String, Value>)> = Vec::new();
        for message in &history.messages {
            let Some(at) = place(message).filter(|at| at.at_ms <= until_ms) else { continue };
            let is_missing = self.lacks(&row.key, at, since_ms);
            if is_missing {
                missing.push(rebuilt("session.message", &row.message(history, message, at.seq)));
            }
            let run = about(message, "runId").and_then(Value::as_str).filter(|_| is_missing || at.at_ms >= since_ms);
            if let Some(run) = run.filter(|_| message.get("role").is_some_and(|role| role == "assistant")) {
                last.retain(|(of, _)| *of != run);
                last.push((run, message));
            }
        }
        let is_over = |run: &str| !row.runs(history, run) && !has_ended(run);
        let ends = last.into_iter().filter(|(run, _)| is_over(run)).filter_map(|(run, message)| row.end(run, message));
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
        let abort =
            message.get("openclawAbort").filter(|abort| abort.get("aborted").is_some_and(|is_so| *is_so == true));
        let reason = message.get("stopReason");
        // Text that was cut short by an abort is kept as if the agent had stopped by itself.
        let (state, reason) = match (abort, reason.and_then(Value::as_str)) {
            (Some(abort), _) => ("aborted", abort.get("origin")),
            (None, Some("aborted")) => ("aborted", reason),
            (None, Some("error")) => ("error", reason),
            (None, Some("stop" | "length") | None) => ("final", reason),
            (None, Some(_)) => return None,
        };
        let content =
            json!({ "role": "assistant", "content": message.get("content"), "timestamp": message.get("timestamp") });
        Some(json!({
            "runId": run, "sessionKey": self.key, "agentId": self.agent_id, "state": state,
            "stopReason": reason, "message": content,
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
mod tests;
