//! One run of a gateway's agent: what it said, what its tools did, how it ended. Pure.
//!
//! The first `final`, `aborted` or `error` of a run ends it; later ones are addenda. Its agent's own `end` comes before the
//! chat's and before the last of the text, so it ends nothing by itself: it says how a run ended whose chat's end nobody
//! heard, once something else shows that it is over (a session that is idle, a gateway that was started anew). A chat's end
//! that comes after such a guess replaces it. An empty `final`, as for a run that was queued, ends it without a text.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::frame::{self, Agent, Chat, Piece, Row, at};
use super::view::{AddendumView, GatewayRunState, GatewayRunView, PartView, ToolState, ToolView};

/// Longest text of a run that is kept, in bytes; the beginning.
pub const TEXT_BYTES_MAX: usize = 64 << 10;
/// Most tools of a run that are kept; the first ones.
const TOOLS_MAX: usize = 100;
/// Longest arguments or output of a tool that are kept, in bytes; the beginning.
const TOOL_BYTES_MAX: usize = 4 << 10;
/// Most parts of a run that are kept; the first ones.
const PARTS_MAX: usize = 2 * TOOLS_MAX;
/// Most addenda of a run.
const ADDENDA_MAX: usize = 4;
/// Longest prompt, reason or addendum, in bytes.
const SHORT_BYTES_MAX: usize = 4 << 10;
/// Longest id, name or title, in bytes.
const NAME_BYTES_MAX: usize = 128;
/// Longest arguments and outputs of all tools of a run together, in bytes; the first ones make room.
const TOOLS_BYTES_MAX: usize = 24 << 10;

/// One run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Run {
    pub(super) id: String,
    /// The gateway's process it was heard of from.
    pub(super) boot_id: String,
    pub(super) prompt: Option<String>,
    text: String,
    is_cut: bool,
    /// What its rows in the transcript are made of; their text is kept as far as `text` would be.
    parts: Vec<PartView>,
    /// Whether these are not all of it.
    are_parts_cut: bool,
    /// The last of these rows, by its place in the transcript: a row is told again after a connection was lost.
    last_row: u64,
    addenda: Vec<(GatewayRunState, String)>,
    tools: Vec<ToolView>,
    model: Option<String>,
    input_tokens: u64,
    output_tokens: u64,
    cost_micros: u64,
    started_at_us: u64,
    /// Questions it waits for.
    is_waiting: bool,
    /// How it ended by its agent's own word.
    told: Option<End>,
    end: Option<End>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct End {
    state: GatewayRunState,
    reason: Option<String>,
    at_us: u64,
    /// Whether the chat itself said so.
    is_said: bool,
}

impl Run {
    pub(super) fn new(id: &str, boot_id: &str, at_us: u64) -> Self {
        Self {
            id: name(id),
            boot_id: name(boot_id),
            prompt: None,
            text: String::new(),
            is_cut: false,
            parts: vec![],
            are_parts_cut: false,
            last_row: 0,
            addenda: vec![],
            tools: vec![],
            model: None,
            input_tokens: 0,
            output_tokens: 0,
            cost_micros: 0,
            started_at_us: at_us,
            is_waiting: false,
            told: None,
            end: None,
        }
    }

    /// Whether that is its id.
    pub(super) fn is(&self, id: &str) -> bool {
        self.id == cut(id, NAME_BYTES_MAX)
    }

    /// About how many bytes of the gateway's words it holds.
    pub(super) fn bytes(&self) -> usize {
        let tool = |tool: &ToolView| {
            let names = [Some(&tool.call), Some(&tool.name), tool.title.as_ref(), tool.approval.as_ref()];
            names.into_iter().flatten().map(String::len).sum::<usize>() + kept_of(tool)
        };
        let end = self.end.as_ref().and_then(|end| end.reason.as_ref()).map_or(0, String::len);
        let names = self.id.len() + self.boot_id.len() + self.model.as_ref().map_or(0, String::len);
        let part = |part: &PartView| match part {
            PartView::Text { text } => text.len(),
            PartView::Tool { call } => call.len(),
        };
        let parts: usize = self.parts.iter().map(part).sum();
        let addenda: usize = self.addenda.iter().map(|(_, text)| text.len()).sum();
        let tools: usize = self.tools.iter().map(tool).sum();
        names + end + parts + addenda + tools + self.text.len() + self.prompt.as_ref().map_or(0, String::len)
    }

    pub(super) fn is_open(&self) -> bool {
        self.end.is_none()
    }

    pub(super) fn state(&self) -> GatewayRunState {
        match &self.end {
            Some(end) => end.state,
            None if self.is_waiting => GatewayRunState::Waiting,
            None => GatewayRunState::Running,
        }
    }

    /// What was said last in it.
    pub(super) fn last_text(&self) -> &str {
        if self.text.is_empty() { self.prompt.as_deref().unwrap_or_default() } else { &self.text }
    }

    pub(super) fn asked(&mut self, prompt: &str) {
        self.prompt = Some(short(prompt));
    }

    /// A row of the transcript that belongs to it.
    pub(super) fn row(&mut self, row: &Row) {
        if let Some(seq) = row.about.as_ref().and_then(|about| about.seq) {
            if seq <= self.last_row {
                return;
            }
            self.last_row = seq;
        }
        if row.role == "assistant" {
            row.pieces().into_iter().for_each(|piece| self.says_piece(piece));
        }
        if let Some(model) = &row.model {
            self.model = Some(name(model));
        }
        if let Some(usage) = &row.usage {
            self.input_tokens = self.input_tokens.saturating_add(usage.input);
            self.output_tokens = self.output_tokens.saturating_add(usage.output);
            self.cost_micros = self.cost_micros.saturating_add(usage.cost_micros());
        }
    }

    fn says_piece(&mut self, piece: Piece<'_>) {
        if self.parts.len() >= PARTS_MAX {
            self.are_parts_cut = true;
            return;
        }
        match piece {
            Piece::Tool(call) => self.parts.push(PartView::Tool { call: name(call) }),
            Piece::Text("") => {}
            Piece::Text(text) => {
                let bytes = |part: &PartView| if let PartView::Text { text } = part { text.len() } else { 0 };
                let kept = cut(text, TEXT_BYTES_MAX.saturating_sub(self.parts.iter().map(bytes).sum()));
                self.are_parts_cut |= kept.len() < text.len();
                self.parts.push(PartView::Text { text: kept.to_owned() });
            }
        }
    }

    pub(super) fn chat(&mut self, chat: &Chat, at_us: u64) {
        let said = chat.message.as_ref().and_then(Row::text);
        let state = match chat.state.as_str() {
            "delta" => return self.delta(chat, said),
            "final" => GatewayRunState::Final,
            "aborted" => GatewayRunState::Aborted,
            "error" => GatewayRunState::Error,
            // What it is busy with is not kept.
            _ => return,
        };
        if self.end.as_ref().is_some_and(|end| end.is_said) {
            let text = said.or_else(|| chat.error_message.clone()).unwrap_or_default();
            if !text.is_empty() && text != self.text && self.addenda.len() < ADDENDA_MAX {
                self.addenda.push((state, short(&text)));
            }
            return;
        }
        if let Some(said) = said {
            self.says(&said);
        }
        let usual = chat.stop_reason.clone().filter(|reason| state != GatewayRunState::Final || reason != "stop");
        let reason = chat.error_message.clone().or(usual).map(|reason| short(&reason));
        self.end = Some(End { state, reason, at_us, is_said: true });
        self.is_waiting = false;
    }

    /// Text as it streams: all of it so far where the gateway says that, so that what was missed is made good.
    fn delta(&mut self, chat: &Chat, said: Option<String>) {
        match (said, &chat.delta_text) {
            (Some(said), _) => self.says(&said),
            (None, Some(text)) if chat.replace => self.says(text),
            (None, Some(text)) => self.adds(text),
            (None, None) => {}
        }
    }

    fn says(&mut self, text: &str) {
        self.text = cut(text, TEXT_BYTES_MAX).to_owned();
        self.is_cut = self.text.len() < text.len();
    }

    fn adds(&mut self, text: &str) {
        if self.is_cut {
            return;
        }
        let added = cut(text, TEXT_BYTES_MAX - self.text.len());
        self.text.push_str(added);
        self.is_cut = added.len() < text.len();
    }

    /// It is over, as far as that can be told: as its agent said, else like this. What the chat itself says counts more.
    pub(super) fn ends(&mut self, state: GatewayRunState, reason: Option<&str>, at_us: u64) {
        if self.is_open() {
            let guess = End { state, reason: reason.map(short), at_us, is_said: false };
            self.end = Some(self.told.take().unwrap_or(guess));
            self.is_waiting = false;
        }
    }

    /// Its agent's own word of the end; the first counts.
    fn tells(&mut self, state: GatewayRunState, reason: Option<&str>, at_us: u64) {
        self.told.get_or_insert_with(|| End { state, reason: reason.map(short), at_us, is_said: false });
        self.is_waiting = false;
    }

    pub(super) fn agent(&mut self, agent: &Agent, at_us: u64) {
        let data = &agent.data;
        match agent.stream.as_str() {
            "lifecycle" => self.lifecycle(data, at_us),
            "tool" => self.tool_said(data),
            "item" if at(data, "/kind") == "tool" => self.card_said(data),
            "command_output" => self.command_said(data),
            _ => return,
        }
        self.make_room();
    }

    /// Lets go of what the first tools gave, when all together gave too much.
    fn make_room(&mut self) {
        let mut bytes: usize = self.tools.iter().map(kept_of).sum();
        for tool in &mut self.tools {
            if bytes <= TOOLS_BYTES_MAX {
                return;
            }
            bytes -= kept_of(tool);
            (tool.arguments, tool.output) = (None, String::new());
        }
    }

    fn lifecycle(&mut self, data: &Value, at_us: u64) {
        let text = |pointer: &str| at(data, pointer).as_str();
        match text("/phase") {
            Some("model") => {
                if let Some(model) = text("/model") {
                    self.model = Some(name(model));
                }
            }
            Some("waiting-approval") => {
                self.is_waiting = true;
                let approval = text("/approvalId").map(name);
                if let Some(tool) = text("/toolCallId").and_then(|call| self.tool(call, None)) {
                    (tool.state, tool.approval) = (ToolState::Waiting, approval);
                }
            }
            Some("approval-resolved") => {
                self.is_waiting = false;
                if let Some(tool) = text("/toolCallId").and_then(|call| self.tool(call, None))
                    && tool.state == ToolState::Waiting
                {
                    tool.state = ToolState::Running;
                }
            }
            Some("end") if at(data, "/aborted") == true => {
                self.tells(GatewayRunState::Aborted, text("/stopReason"), at_us);
            }
            Some("end") => self.tells(GatewayRunState::Final, None, at_us),
            Some("error") => self.tells(GatewayRunState::Error, text("/error"), at_us),
            Some(_) | None => {}
        }
    }

    fn tool_said(&mut self, data: &Value) {
        let (Some(call), called) = (at(data, "/toolCallId").as_str(), at(data, "/name").as_str()) else { return };
        let Some(tool) = self.tool(call, called) else { return };
        match at(data, "/phase").as_str() {
            Some("start") => tool.arguments = Some(cut(&at(data, "/args").to_string(), TOOL_BYTES_MAX).to_owned()),
            Some("update") => put(&mut tool.output, frame::text(at(data, "/partialResult/content"))),
            Some("result") => {
                put(&mut tool.output, frame::text(at(data, "/result/content")));
                tool.exit_code = at(data, "/result/details/exitCode").as_i64().or(tool.exit_code);
                tool.state = if at(data, "/isError") == true { ToolState::Failed } else { ToolState::Done };
            }
            Some(_) | None => {}
        }
    }

    /// What is shown of a tool while it works.
    fn card_said(&mut self, data: &Value) {
        let (Some(call), called) = (at(data, "/toolCallId").as_str(), at(data, "/name").as_str()) else { return };
        let Some(tool) = self.tool(call, called) else { return };
        if let Some(title) = at(data, "/title").as_str() {
            tool.title = Some(name(title));
        }
        if at(data, "/phase") == "end" {
            tool.state = if at(data, "/status") == "failed" { ToolState::Failed } else { ToolState::Done };
        }
    }

    fn command_said(&mut self, data: &Value) {
        let (Some(call), called) = (at(data, "/toolCallId").as_str(), at(data, "/name").as_str()) else { return };
        let Some(tool) = self.tool(call, called) else { return };
        // A piece while it runs, all of it at the end.
        if at(data, "/phase") == "end" {
            put(&mut tool.output, at(data, "/output").as_str().map(str::to_owned));
            tool.exit_code = at(data, "/exitCode").as_i64().or(tool.exit_code);
        }
    }

    /// The tool of that call; there only are so many.
    fn tool(&mut self, call: &str, called: Option<&str>) -> Option<&mut ToolView> {
        let call = cut(call, NAME_BYTES_MAX);
        let at = self.tools.iter().position(|tool| tool.call == call);
        let at = match at {
            Some(at) => at,
            None if self.tools.len() < TOOLS_MAX => {
                self.tools.push(ToolView {
                    call: call.to_owned(),
                    name: name(called.unwrap_or("tool")),
                    title: None,
                    arguments: None,
                    state: ToolState::Running,
                    output: String::new(),
                    exit_code: None,
                    approval: None,
                });
                self.tools.len() - 1
            }
            None => return None,
        };
        self.tools.get_mut(at)
    }

    pub(super) fn view(&self) -> GatewayRunView {
        let addendum = |(state, text): &(GatewayRunState, String)| AddendumView { state: *state, text: text.clone() };
        GatewayRunView {
            run: self.id.clone(),
            state: self.state(),
            reason: self.end.as_ref().and_then(|end| end.reason.clone()),
            prompt: self.prompt.clone(),
            text: self.text.clone(),
            is_cut: self.is_cut || self.are_parts_cut,
            parts: self.parts.clone(),
            addenda: self.addenda.iter().map(addendum).collect(),
            tools: self.tools.clone(),
            model: self.model.clone(),
            input_tokens: self.input_tokens,
            output_tokens: self.output_tokens,
            cost_micros: self.cost_micros,
            started_at_us: self.started_at_us,
            ended_at_us: self.end.as_ref().map(|end| end.at_us),
        }
    }
}

fn put(output: &mut String, text: Option<String>) {
    if let Some(text) = text {
        *output = cut(&text, TOOL_BYTES_MAX).to_owned();
    }
}

/// What is kept of a tool's arguments and output, in bytes.
fn kept_of(tool: &ToolView) -> usize {
    tool.arguments.as_ref().map_or(0, String::len) + tool.output.len()
}

/// An id, a name or a title, as it is kept. What is looked up is cut first, too.
pub(super) fn name(text: &str) -> String {
    cut(text, NAME_BYTES_MAX).to_owned()
}

pub(super) fn short(text: &str) -> String {
    cut(text, SHORT_BYTES_MAX).to_owned()
}

/// The beginning of a text, at most that many bytes, never half a character.
fn cut(text: &str, bytes_max: usize) -> &str {
    text.get(..text.floor_char_boundary(bytes_max)).unwrap_or_default()
}
