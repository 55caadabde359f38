//! One run of a gateway's agent: what it said and how it ended. What its tools did is in `tools`. Pure.
//!
//! The first `final`, `aborted` or `error` of a run ends it; later ones are addenda. Its agent's own `end` comes before the
//! chat's and before the last of the text, so it ends nothing by itself: it says how a run ended whose chat's end nobody
//! heard, once something else shows that it is over (a session that is idle, a gateway that was started anew). A chat's end
//! that comes after such a guess replaces it. An empty `final`, as for a run that was queued, ends it without a text.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::frame::{Agent, Chat, Piece, Row, at};
use super::tools::{TOOLS_MAX, Tools};
use super::view::{AddendumView, GatewayRunState, GatewayRunView, PartView, ToolState};

/// Longest text of a run that is kept, in bytes; the beginning.
pub const TEXT_BYTES_MAX: usize = 64 << 10;
/// Most parts of a run that are kept; the first ones.
const PARTS_MAX: usize = 2 * TOOLS_MAX;
/// Most rows of a run that are told from others; of more, the first ones count as heard.
const ROWS_MAX: usize = 512;
/// Most addenda of a run.
const ADDENDA_MAX: usize = 4;
/// Longest prompt, reason or addendum, in bytes.
const SHORT_BYTES_MAX: usize = 4 << 10;
/// Longest id, name or title, in bytes.
pub(super) const NAME_BYTES_MAX: usize = 128;

/// One run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Run {
    pub(super) id: String,
    /// The gateway's process it was heard of from.
    pub(super) boot_id: String,
    pub(super) prompt: Option<String>,
    text: String,
    is_cut: bool,
    /// What its rows in the transcript are made of, each with its row's place; their text is kept as far as `text` would be.
    parts: Vec<(u64, PartView)>,
    /// Whether these are not all of it.
    are_parts_cut: bool,
    /// Places of the rows that were heard: a row is told again after a connection was lost, or late.
    rows: BTreeSet<u64>,
    /// Rows up to this place count as heard.
    rows_gone: u64,
    addenda: Vec<(GatewayRunState, String)>,
    tools: Tools,
    model: Option<String>,
    input_tokens: u64,
    output_tokens: u64,
    cost_micros: u64,
    pub(super) started_at_us: u64,
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
            rows: BTreeSet::new(),
            rows_gone: 0,
            addenda: vec![],
            tools: Tools::default(),
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
        let end = self.end.as_ref().and_then(|end| end.reason.as_ref()).map_or(0, String::len);
        let names = self.id.len() + self.boot_id.len() + self.model.as_ref().map_or(0, String::len);
        let part = |(_, part): &(u64, PartView)| match part {
            PartView::Text { text } => text.len(),
            PartView::Tool { call } => call.len(),
        };
        let parts: usize = self.parts.iter().map(part).sum();
        let addenda: usize = self.addenda.iter().map(|(_, text)| text.len()).sum();
        names
            + end
            + parts
            + addenda
            + self.tools.bytes()
            + self.text.len()
            + self.prompt.as_ref().map_or(0, String::len)
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

    /// Whether a tool of that call works for it.
    pub(super) fn has_tool(&self, call: &str) -> bool {
        self.tools.has(call)
    }

    /// A row of the transcript that belongs to it, told in any order.
    pub(super) fn row(&mut self, row: &Row) {
        let last = self.rows.last().copied().unwrap_or(0);
        let place = row.place().map_or(last, |place| place.seq);
        if row.place().is_some() && !self.is_new_row(place) {
            return;
        }
        match row.role.as_str() {
            "assistant" => self.says_row(place, row),
            "toolResult" => self.tools.answered(row),
            _ => {}
        }
        if let Some(model) = row.model.as_ref().filter(|_| place >= last) {
            self.model = Some(name(model));
        }
        if let Some(usage) = &row.usage {
            self.input_tokens = self.input_tokens.saturating_add(usage.input);
            self.output_tokens = self.output_tokens.saturating_add(usage.output);
            self.cost_micros = self.cost_micros.saturating_add(usage.cost_micros());
        }
    }

    fn is_new_row(&mut self, place: u64) -> bool {
        let is_new = place > self.rows_gone && self.rows.insert(place);
        if self.rows.len() > ROWS_MAX {
            self.rows_gone = self.rows.pop_first().unwrap_or(self.rows_gone);
        }
        is_new
    }

    fn says_row(&mut self, place: u64, row: &Row) {
        let mut at = self.parts.partition_point(|(before, _)| *before <= place);
        for piece in row.pieces() {
            if let Piece::Tool(call) = piece {
                self.tools.called(call);
            }
            if let Some(part) = self.part(piece) {
                self.parts.insert(at, (place, part));
                at += 1;
            }
        }
    }

    /// A piece as it is kept; nothing when there is nothing to keep, or no room.
    fn part(&mut self, piece: Piece<'_>) -> Option<PartView> {
        if self.parts.len() >= PARTS_MAX {
            self.are_parts_cut = true;
            return None;
        }
        match piece {
            Piece::Tool(call) => Some(PartView::Tool { call: name(call.id) }),
            Piece::Text("") => None,
            Piece::Text(text) => {
                let bytes =
                    |(_, part): &(u64, PartView)| if let PartView::Text { text } = part { text.len() } else { 0 };
                let kept = cut(text, TEXT_BYTES_MAX.saturating_sub(self.parts.iter().map(bytes).sum()));
                self.are_parts_cut |= kept.len() < text.len();
                Some(PartView::Text { text: kept.to_owned() })
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
            "tool" => self.tools.said(data),
            "item" if at(data, "/kind") == "tool" => self.tools.shown(data),
            "command_output" => self.tools.printed(data),
            _ => {}
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
                if let Some(tool) = text("/toolCallId").and_then(|call| self.tools.get(call, None)) {
                    (tool.state, tool.approval) = (ToolState::Waiting, approval);
                }
            }
            Some("approval-resolved") => {
                self.is_waiting = false;
                if let Some(tool) = text("/toolCallId").and_then(|call| self.tools.get(call, None))
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

    pub(super) fn view(&self) -> GatewayRunView {
        let addendum = |(state, text): &(GatewayRunState, String)| AddendumView { state: *state, text: text.clone() };
        GatewayRunView {
            run: self.id.clone(),
            state: self.state(),
            reason: self.end.as_ref().and_then(|end| end.reason.clone()),
            prompt: self.prompt.clone(),
            text: self.text.clone(),
            is_cut: self.is_cut || self.are_parts_cut,
            parts: self.parts.iter().map(|(_, part)| part.clone()).collect(),
            addenda: self.addenda.iter().map(addendum).collect(),
            tools: self.tools.view(),
            model: self.model.clone(),
            input_tokens: self.input_tokens,
            output_tokens: self.output_tokens,
            cost_micros: self.cost_micros,
            started_at_us: self.started_at_us,
            ended_at_us: self.end.as_ref().map(|end| end.at_us),
        }
    }
}

/// An id, a name or a title, as it is kept. What is looked up is cut first, too.
pub(super) fn name(text: &str) -> String {
    cut(text, NAME_BYTES_MAX).to_owned()
}

pub(super) fn short(text: &str) -> String {
    cut(text, SHORT_BYTES_MAX).to_owned()
}

/// The beginning of a text, at most that many bytes, never half a character.
pub(super) fn cut(text: &str, bytes_max: usize) -> &str {
    text.get(..text.floor_char_boundary(bytes_max)).unwrap_or_default()
}
