//! What the tools of one run did: as it was said while they worked, and as it stands in the transcript, in any order. Pure.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::frame::{self, Call, Row, at};
use super::run::{NAME_BYTES_MAX, cut, name};
use super::view::{ToolState, ToolView};

/// Most tools of a run that are kept; the first ones.
pub(super) const TOOLS_MAX: usize = 100;
/// Longest arguments or output of a tool that are kept, in bytes; the beginning.
const TOOL_BYTES_MAX: usize = 4 << 10;
/// Longest arguments and outputs of all tools of a run together, in bytes; the first ones make room.
const TOOLS_BYTES_MAX: usize = 24 << 10;

/// The tools of a run, in order.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Tools(Vec<ToolView>);

impl Tools {
    /// The tool of that call; there only are so many.
    pub(super) fn get(&mut self, call: &str, called: Option<&str>) -> Option<&mut ToolView> {
        let call = cut(call, NAME_BYTES_MAX);
        let at = self.0.iter().position(|tool| tool.call == call);
        let at = match at {
            Some(at) => at,
            None if self.0.len() < TOOLS_MAX => {
                self.0.push(ToolView {
                    call: call.to_owned(),
                    name: name(called.unwrap_or("tool")),
                    title: None,
                    arguments: None,
                    state: ToolState::Running,
                    output: String::new(),
                    exit_code: None,
                    approval: None,
                });
                self.0.len() - 1
            }
            None => return None,
        };
        self.0.get_mut(at)
    }

    pub(super) fn has(&self, call: &str) -> bool {
        self.0.iter().any(|tool| tool.call == cut(call, NAME_BYTES_MAX))
    }

    pub(super) fn said(&mut self, data: &Value) {
        let (Some(call), called) = (at(data, "/toolCallId").as_str(), at(data, "/name").as_str()) else { return };
        let Some(tool) = self.get(call, called) else { return };
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
        self.make_room();
    }

    /// What is shown of a tool while it works.
    pub(super) fn shown(&mut self, data: &Value) {
        let (Some(call), called) = (at(data, "/toolCallId").as_str(), at(data, "/name").as_str()) else { return };
        let Some(tool) = self.get(call, called) else { return };
        if let Some(title) = at(data, "/title").as_str() {
            tool.title = Some(name(title));
        }
        if at(data, "/phase") == "end" {
            tool.state = if at(data, "/status") == "failed" { ToolState::Failed } else { ToolState::Done };
        }
    }

    /// What a command prints.
    pub(super) fn printed(&mut self, data: &Value) {
        let (Some(call), called) = (at(data, "/toolCallId").as_str(), at(data, "/name").as_str()) else { return };
        let Some(tool) = self.get(call, called) else { return };
        // A piece while it runs, all of it at the end.
        if at(data, "/phase") == "end" {
            put(&mut tool.output, at(data, "/output").as_str().map(str::to_owned));
            tool.exit_code = at(data, "/exitCode").as_i64().or(tool.exit_code);
        }
        self.make_room();
    }

    /// What was called, as it stands in the transcript.
    pub(super) fn called(&mut self, call: Call<'_>) {
        if let Some(tool) = self.get(call.id, call.name)
            && tool.arguments.is_none()
            && !call.arguments.is_null()
        {
            tool.arguments = Some(cut(&call.arguments.to_string(), TOOL_BYTES_MAX).to_owned());
            self.make_room();
        }
    }

    /// What a tool gave, as it stands in the transcript.
    pub(super) fn answered(&mut self, row: &Row) {
        let Some(call) = &row.tool_call_id else { return };
        let Some(tool) = self.get(call, row.tool_name.as_deref()) else { return };
        put(&mut tool.output, row.text());
        tool.exit_code = at(&row.details, "/exitCode").as_i64().or(tool.exit_code);
        tool.state = if row.is_error == Some(true) { ToolState::Failed } else { ToolState::Done };
        self.make_room();
    }

    /// Lets go of what the first tools gave, when all together gave too much.
    fn make_room(&mut self) {
        let mut bytes: usize = self.0.iter().map(kept_of).sum();
        for tool in &mut self.0 {
            if bytes <= TOOLS_BYTES_MAX {
                return;
            }
            bytes -= kept_of(tool);
            (tool.arguments, tool.output) = (None, String::new());
        }
    }

    /// About how many bytes of the gateway's words they hold.
    pub(super) fn bytes(&self) -> usize {
        let tool = |tool: &ToolView| {
            let names = [Some(&tool.call), Some(&tool.name), tool.title.as_ref(), tool.approval.as_ref()];
            names.into_iter().flatten().map(String::len).sum::<usize>() + kept_of(tool)
        };
        self.0.iter().map(tool).sum()
    }

    pub(super) fn view(&self) -> Vec<ToolView> {
        self.0.clone()
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
