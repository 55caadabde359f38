//! Codex without a screen: `codex exec --json`. Shapes as seen with 0.169.0. It never gives up reconnecting to a server
//! that is gone; only the attempt's time limit ends it.

use serde_json::Value;

use crate::Known;
use crate::json::{last_lines, number, text_at};
use crate::said::{Said, Usage};

pub(crate) const KNOWN: Known = Known {
    name: "codex",
    about: "Codex",
    program: Some("codex"),
    install: "npm install -g @openai/codex, then run `codex login`, or set OPENAI_API_KEY",
};

pub(crate) const ENV_PASS: &[&str] =
    &["OPENAI_API_KEY", "CODEX_API_KEY", "OPENAI_BASE_URL", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY"];

pub(crate) const HOME_LINKS: &[&str] = &[".codex/auth.json"];

pub(crate) fn text(prompt: &str, model: Option<&str>) -> String {
    let model = if model.is_some() { " -c model=\"\\\"$REGATTA_MODEL\\\"\"" } else { "" };
    format!("exec codex exec --json --dangerously-bypass-approvals-and-sandbox{model} {prompt}")
}

/// What one line of its output says.
pub(crate) fn read(line: &Value) -> Vec<Said> {
    match text_at(line, "/type") {
        Some("thread.started") => {
            vec![Said::Session { id: text_at(line, "/thread_id").unwrap_or_default().to_owned(), model: None }]
        }
        Some("item.started") => started(line).into_iter().collect(),
        Some("item.completed") => completed(line),
        Some("turn.completed") => vec![
            Said::Usage(Usage {
                input_tokens: number(line, "/usage/input_tokens"),
                cached_input_tokens: number(line, "/usage/cached_input_tokens"),
                output_tokens: number(line, "/usage/output_tokens"),
                cost_microdollars: None,
            }),
            Said::Finished { text: String::new(), failed: false, denied: 0 },
        ],
        Some("turn.failed") => {
            let text = text_at(line, "/error/message").unwrap_or_default().to_owned();
            vec![Said::Finished { text, failed: true, denied: 0 }]
        }
        Some("error") => vec![Said::Problem(text_at(line, "/message").unwrap_or_default().to_owned())],
        Some("turn.started" | "item.updated") => Vec::new(),
        _ => vec![Said::Other(line.to_string())],
    }
}

fn started(line: &Value) -> Option<Said> {
    let name = text_at(line, "/item/type").filter(|kind| is_tool(kind))?.to_owned();
    Some(Said::ToolStarted { id: id(line), name, detail: detail(line) })
}

fn completed(line: &Value) -> Vec<Said> {
    let text = || text_at(line, "/item/text").unwrap_or_default().to_owned();
    match text_at(line, "/item/type") {
        Some("agent_message") => vec![Said::Text(text())],
        Some("reasoning") => vec![Said::Thought(text())],
        // A warning that ends nothing also comes as an error.
        Some("error") => vec![Said::Problem(text_at(line, "/item/message").unwrap_or_default().to_owned())],
        Some(kind) if is_tool(kind) => {
            let status = text_at(line, "/item/status");
            let exit_code = line.pointer("/item/exit_code").and_then(Value::as_i64);
            let failed = exit_code.map_or(status == Some("failed"), |code| code != 0);
            let answer = text_at(line, "/item/aggregated_output").unwrap_or_default();
            vec![Said::ToolEnded { id: id(line), failure: failed.then(|| last_lines(answer)) }]
        }
        _ => vec![Said::Other(line.to_string())],
    }
}

fn is_tool(kind: &str) -> bool {
    matches!(kind, "command_execution" | "file_change" | "mcp_tool_call" | "web_search")
}

fn id(line: &Value) -> String {
    text_at(line, "/item/id").unwrap_or_default().to_owned()
}

fn detail(line: &Value) -> String {
    crate::json::strings(line, &["/item/command", "/item/tool", "/item/query"])
}
