//! What frames say about runs, read out of their JSON. Pure; a frame that does not have the shape says nothing.
//!
//! Source of the shapes: frames captured from 2026.9.6, some of which are in `tests/frames`. Fields this does not know are
//! passed over, and so are events.

use serde::Deserialize;
use serde_json::Value;

/// What a frame says.
#[derive(Debug)]
pub(super) enum Said {
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
pub(super) struct Chat {
    pub(super) run_id: String,
    pub(super) session_key: String,
    #[serde(default)]
    pub(super) agent_id: Option<String>,
    /// `status`, `delta`, `final`, `aborted` or `error`; the set is open.
    pub(super) state: String,
    #[serde(default)]
    pub(super) delta_text: Option<String>,
    #[serde(default)]
    pub(super) replace: bool,
    #[serde(default)]
    pub(super) message: Option<Row>,
    #[serde(default)]
    pub(super) stop_reason: Option<String>,
    #[serde(default)]
    pub(super) error_message: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Agent {
    pub(super) run_id: String,
    /// `lifecycle`, `tool`, `item`, `command_output`, …; the set is open.
    pub(super) stream: String,
    #[serde(default)]
    pub(super) data: Value,
    #[serde(default)]
    pub(super) session_key: Option<String>,
    #[serde(default)]
    pub(super) agent_id: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Message {
    pub(super) session_key: String,
    #[serde(default)]
    pub(super) agent_id: Option<String>,
    pub(super) message: Row,
}

/// A row of a transcript, or what an agent said so far.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Row {
    #[serde(default)]
    pub(super) role: String,
    #[serde(default)]
    content: Value,
    #[serde(default)]
    pub(super) idempotency_key: Option<String>,
    #[serde(default)]
    pub(super) model: Option<String>,
    #[serde(default)]
    pub(super) usage: Option<Usage>,
    #[serde(default, rename = "__openclaw")]
    pub(super) about: Option<About>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct About {
    #[serde(default)]
    pub(super) run_id: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Usage {
    #[serde(default)]
    pub(super) input: u64,
    #[serde(default)]
    pub(super) output: u64,
    #[serde(default)]
    pub(super) cost: Option<Cost>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Cost {
    /// In dollars.
    #[serde(default)]
    pub(super) total: f64,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Session {
    pub(super) session_key: String,
    #[serde(default)]
    pub(super) agent_id: Option<String>,
    #[serde(default)]
    pub(super) label: Option<String>,
    #[serde(default)]
    pub(super) has_active_run: Option<bool>,
    /// Absent or null: not known. Empty: none.
    #[serde(default)]
    pub(super) active_run_ids: Option<Vec<String>>,
}

impl Session {
    /// Whether the gateway says that nothing runs in it.
    pub(super) fn is_idle(&self) -> bool {
        self.has_active_run == Some(false) && self.active_run_ids.as_ref().is_some_and(Vec::is_empty)
    }
}

impl Row {
    /// The text in it: of a text, or of the parts of a list that are text.
    pub(super) fn text(&self) -> Option<String> {
        text(&self.content)
    }
}

impl Usage {
    /// What it cost, in millionths of a dollar.
    pub(super) fn cost_micros(&self) -> u64 {
        let dollars = self.cost.as_ref().map_or(0.0, |cost| cost.total);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is clamped before")]
        let micros = (dollars * 1_000_000.0).round().clamp(0.0, 1e15) as u64;
        micros
    }
}

/// What stands there; null where nothing does.
pub(super) fn at<'a>(value: &'a Value, pointer: &str) -> &'a Value {
    static NULL: Value = Value::Null;
    value.pointer(pointer).unwrap_or(&NULL)
}

/// The text of content: of a text, or of the parts of a list that are text. Nothing when there is none.
pub(super) fn text(content: &Value) -> Option<String> {
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

/// What a frame says; nothing for one that is about something else.
pub(super) fn said(event: &str, frame: &[u8]) -> Option<Said> {
    #[derive(Deserialize)]
    struct Wire<T> {
        payload: T,
    }
    fn read<T: serde::de::DeserializeOwned>(frame: &[u8]) -> Option<T> {
        serde_json::from_slice::<Wire<T>>(frame).ok().map(|wire| wire.payload)
    }
    match event {
        "chat" => read(frame).map(Said::Chat),
        "agent" | "session.tool" => read(frame).map(Said::Agent),
        "session.message" => read(frame).map(Said::Message),
        "sessions.changed" => read(frame).map(Said::Session),
        _ => None,
    }
}
