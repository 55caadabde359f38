//! What frames say about runs, read out of their JSON. Pure; a frame that does not have the shape says nothing.
//!
//! Source of the shapes: frames captured from 2026.9.6, some of which are in `tests/frames`. Fields this does not know are
//! passed over, and so are events.

use regatta_core::RowPlace;
use serde::Deserialize;
use serde_json::Value;

/// A frame that says something.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) said: Said,
    /// When, in microseconds since the Unix epoch: when it was heard, or of what was made of a transcript when that was
    /// written there, which the gateway's clock says.
    pub(crate) at_us: u64,
    /// Whether it was made of a transcript, so that newer things may have been heard before it.
    pub(crate) is_late: bool,
}

/// What a frame says.
#[derive(Debug)]
pub(crate) enum Said {
    /// About a run of an agent: text, ends.
    Chat(Chat),
    /// About what an agent does: tools, phases.
    Agent(Agent),
    /// A row of a transcript.
    Message(Message),
    /// About a session.
    Session(Session),
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Chat {
    pub(crate) run_id: String,
    pub(crate) session_key: String,
    #[serde(default)]
    pub(crate) agent_id: Option<String>,
    /// `status`, `delta`, `final`, `aborted` or `error`; the set is open.
    pub(crate) state: String,
    #[serde(default)]
    pub(crate) delta_text: Option<String>,
    #[serde(default)]
    pub(crate) replace: bool,
    #[serde(default)]
    pub(crate) message: Option<Row>,
    #[serde(default)]
    pub(crate) stop_reason: Option<String>,
    #[serde(default)]
    pub(crate) error_message: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Agent {
    pub(crate) run_id: String,
    /// `lifecycle`, `tool`, `item`, `command_output`, …; the set is open.
    pub(crate) stream: String,
    #[serde(default)]
    pub(crate) data: Value,
    #[serde(default)]
    pub(crate) session_key: Option<String>,
    #[serde(default)]
    pub(crate) agent_id: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Message {
    pub(crate) session_key: String,
    #[serde(default)]
    pub(crate) agent_id: Option<String>,
    pub(crate) message: Row,
}

/// A row of a transcript, or what an agent said so far.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Row {
    #[serde(default)]
    pub(crate) role: String,
    #[serde(default)]
    content: Value,
    #[serde(default)]
    pub(crate) idempotency_key: Option<String>,
    #[serde(default)]
    pub(crate) model: Option<String>,
    #[serde(default)]
    pub(crate) usage: Option<Usage>,
    /// Of the answer of a tool: to which call, of which tool, and whether it failed.
    #[serde(default)]
    pub(crate) tool_call_id: Option<String>,
    #[serde(default)]
    pub(crate) tool_name: Option<String>,
    #[serde(default)]
    pub(crate) is_error: Option<bool>,
    #[serde(default)]
    pub(crate) details: Value,
    /// When it was said, in milliseconds since the Unix epoch.
    #[serde(default)]
    timestamp: Value,
    #[serde(default, rename = "__openclaw")]
    pub(crate) about: Option<About>,
}

/// A piece of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Piece<'a> {
    Text(&'a str),
    /// A tool's call.
    Tool(Call<'a>),
}

/// A tool's call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Call<'a> {
    /// The gateway's id of it.
    pub(crate) id: &'a str,
    pub(crate) name: Option<&'a str>,
    pub(crate) arguments: &'a Value,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct About {
    #[serde(default)]
    pub(crate) run_id: Option<String>,
    /// Where in the transcript, from 1.
    #[serde(default)]
    pub(crate) seq: Option<u64>,
    /// When it was written, in milliseconds since the Unix epoch.
    #[serde(default)]
    pub(crate) record_timestamp_ms: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Usage {
    #[serde(default)]
    pub(crate) input: u64,
    #[serde(default)]
    pub(crate) output: u64,
    /// Tokens read from a cache; `input` does not hold them.
    #[serde(default)]
    pub(crate) cache_read: u64,
    #[serde(default)]
    pub(crate) cost: Option<Cost>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Cost {
    /// In dollars.
    #[serde(default)]
    pub(crate) total: f64,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Session {
    pub(crate) session_key: String,
    #[serde(default)]
    pub(crate) agent_id: Option<String>,
    #[serde(default)]
    pub(crate) label: Option<String>,
    #[serde(default)]
    pub(crate) has_active_run: Option<bool>,
    /// Absent or null: not known. Empty: none.
    #[serde(default)]
    pub(crate) active_run_ids: Option<Vec<String>>,
}

impl Session {
    /// Whether the gateway says that nothing runs in it.
    pub(crate) fn is_idle(&self) -> bool {
        self.has_active_run == Some(false) && self.active_run_ids.as_ref().is_some_and(Vec::is_empty)
    }
}

impl Said {
    /// When a transcript says it was written, in milliseconds since the Unix epoch.
    fn written_at_ms(&self) -> Option<u64> {
        match self {
            Self::Message(message) => {
                let about = message.message.about.as_ref();
                about.and_then(|about| about.record_timestamp_ms).or(message.message.timestamp.as_u64())
            }
            Self::Chat(chat) => chat.message.as_ref()?.timestamp.as_u64(),
            Self::Agent(_) | Self::Session(_) => None,
        }
    }
}

impl Row {
    /// Where in the transcript.
    pub(crate) fn place(&self) -> Option<RowPlace> {
        let about = self.about.as_ref()?;
        Some(RowPlace { seq: about.seq?, at_ms: about.record_timestamp_ms.unwrap_or(0) })
    }

    /// The text in it: of a text, or of the parts of a list that are text.
    pub(crate) fn text(&self) -> Option<String> {
        text(&self.content)
    }

    /// What it is made of, in order: text, and calls of tools by their ids.
    pub(crate) fn pieces(&self) -> Vec<Piece<'_>> {
        match &self.content {
            Value::String(text) => vec![Piece::Text(text)],
            Value::Array(parts) => parts.iter().filter_map(piece).collect(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => vec![],
        }
    }
}

impl Usage {
    /// What it cost, in millionths of a dollar.
    pub(crate) fn cost_micros(&self) -> u64 {
        let dollars = self.cost.as_ref().map_or(0.0, |cost| cost.total);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is clamped before")]
        let micros = (dollars * 1_000_000.0).round().clamp(0.0, 1e15) as u64;
        micros
    }
}

fn piece(part: &Value) -> Option<Piece<'_>> {
    match at(part, "/type").as_str() {
        Some("text") => at(part, "/text").as_str().map(Piece::Text),
        Some("toolCall") => {
            let (name, arguments) = (at(part, "/name").as_str(), at(part, "/arguments"));
            at(part, "/id").as_str().map(|id| Piece::Tool(Call { id, name, arguments }))
        }
        Some(_) | None => None,
    }
}

/// What stands there; null where nothing does.
pub(crate) fn at<'a>(value: &'a Value, pointer: &str) -> &'a Value {
    static NULL: Value = Value::Null;
    value.pointer(pointer).unwrap_or(&NULL)
}

/// The text of content: of a text, or of the parts of a list that are text. Nothing when there is none.
pub(crate) fn text(content: &Value) -> Option<String> {
    match content {
        Value::String(text) => Some(text.clone()),
        Value::Array(parts) => {
            let texts =
                parts.iter().filter(|part| at(part, "/type") == "text").filter_map(|part| at(part, "/text").as_str());
            let texts: Vec<&str> = texts.collect();
            (!texts.is_empty()).then(|| texts.concat())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => None,
    }
}

/// What a frame that was heard then says; nothing for one that is about something else.
pub(crate) fn told(event: &str, frame: &[u8], heard_at_us: u64) -> Option<Told> {
    #[derive(Deserialize)]
    struct Wire<T> {
        payload: T,
        #[serde(default)]
        reconstructed: bool,
    }
    fn read<T: serde::de::DeserializeOwned>(frame: &[u8], of: impl FnOnce(T) -> Said) -> Option<(Said, bool)> {
        serde_json::from_slice::<Wire<T>>(frame).ok().map(|wire| (of(wire.payload), wire.reconstructed))
    }
    let (said, is_late) = match event {
        "chat" => read(frame, Said::Chat),
        "agent" | "session.tool" => read(frame, Said::Agent),
        "session.message" => read(frame, Said::Message),
        "sessions.changed" => read(frame, Said::Session),
        _ => None,
    }?;
    let written_at_us = said.written_at_ms().filter(|_| is_late).map(|at_ms| at_ms.saturating_mul(1_000));
    // A clock that is ahead does not make what was heard happen later.
    let at_us = written_at_us.map_or(heard_at_us, |at_us| at_us.min(heard_at_us));
    Some(Told { said, at_us, is_late })
}
