//! What people see of threads. Plain data.

use regatta_core::{GatewayName, ThreadId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Conversations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ThreadsView {
    /// The latest first.
    pub rows: Vec<ThreadRow>,
}

/// A conversation in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ThreadRow {
    /// Its id.
    pub id: ThreadId,
    /// The gateway it is at.
    pub gateway: GatewayName,
    /// The gateway's name of it.
    pub session: String,
    /// The agent that answers in it.
    pub agent: Option<String>,
    /// What people call it.
    pub label: Option<String>,
    /// How its last run stands; nothing when there was none.
    pub state: Option<GatewayRunState>,
    /// How many runs are known here.
    pub runs: u64,
    /// When it was first heard of, in microseconds since the Unix epoch.
    pub first_at_us: u64,
    /// When something happened last, in microseconds since the Unix epoch.
    pub last_at_us: u64,
    /// What was said last, cut.
    pub last_text: String,
}

/// A conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ThreadView {
    /// As in a list.
    #[serde(flatten)]
    pub row: ThreadRow,
    /// Its runs, the oldest first; those before the latest ones are left out.
    pub turns: Vec<GatewayRunView>,
}

/// How a run of a gateway stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum GatewayRunState {
    /// The agent is at work.
    Running,
    /// It waits for a person's answer.
    Waiting,
    /// It ended well.
    Final,
    /// Somebody stopped it.
    Aborted,
    /// It failed.
    Error,
    /// How it ended was not heard: the gateway was restarted, or nobody listened.
    Unknown,
}

/// One turn of an agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GatewayRunView {
    /// The gateway's id of it.
    pub run: String,
    /// How it stands.
    pub state: GatewayRunState,
    /// Why it ended, when there is more to say.
    pub reason: Option<String>,
    /// What was asked; nothing when that was not heard.
    pub prompt: Option<String>,
    /// What the agent said, as far as it is kept.
    pub text: String,
    /// Whether that is not all of it.
    pub is_cut: bool,
    /// The same in order, with the tools in between, as far as it stands in the transcript. Text that is not in it yet is
    /// still being said.
    pub parts: Vec<PartView>,
    /// What was said after it had ended.
    pub addenda: Vec<AddendumView>,
    /// What tools did, in order.
    pub tools: Vec<ToolView>,
    /// The model that answered.
    pub model: Option<String>,
    /// Tokens read, as the gateway says.
    pub input_tokens: u64,
    /// Tokens written, as the gateway says.
    pub output_tokens: u64,
    /// What it cost, as the gateway says, in millionths of a dollar.
    pub cost_micros: u64,
    /// When it was first heard of, in microseconds since the Unix epoch.
    pub started_at_us: u64,
    /// When it ended, in microseconds since the Unix epoch.
    pub ended_at_us: Option<u64>,
}

/// A part of what an agent said and did in a turn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum PartView {
    /// It said something.
    Text {
        /// What.
        text: String,
    },
    /// It used a tool.
    Tool {
        /// The gateway's id of the call.
        call: String,
    },
}

/// Something that was said after a run had ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AddendumView {
    /// As what.
    pub state: GatewayRunState,
    /// What.
    pub text: String,
}

/// How a tool stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ToolState {
    /// It is at work.
    Running,
    /// It waits for a person's answer.
    Waiting,
    /// It ended well.
    Done,
    /// It failed, or was not allowed.
    Failed,
}

/// What a tool did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ToolView {
    /// The gateway's id of the call.
    pub call: String,
    /// The tool.
    pub name: String,
    /// What it does, for people.
    pub title: Option<String>,
    /// What it was called with, as JSON, cut.
    pub arguments: Option<String>,
    /// How it stands.
    pub state: ToolState,
    /// What it gave, cut.
    pub output: String,
    /// The command's exit code, when it is one.
    pub exit_code: Option<i64>,
    /// The question it waits for, by the gateway's id.
    pub approval: Option<String>,
}
