//! Claude Code without a screen: `claude -p … --output-format stream-json`. Shapes as seen with 2.1.197.

use serde_json::Value;

use crate::Known;
use crate::json::{last_lines, micros, number, strings, text_at};
use crate::said::{Said, Usage};

pub(crate) const KNOWN: Known = Known {
    name: "claude",
    about: "Claude Code",
    program: Some("claude"),
    install: "npm install -g @anthropic-ai/claude-code, then run `claude` once to log in, or set ANTHROPIC_API_KEY",
};

/// The sandbox is the fence, so its own questions are off; as root it would refuse that without `IS_SANDBOX`.
pub(crate) const ENV: &[(&str, &str)] =
    &[("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1"), ("DISABLE_AUTOUPDATER", "1"), ("IS_SANDBOX", "1")];

pub(crate) const ENV_PASS: &[&str] = &[
    "ANTHROPIC_API_KEY",
    "ANTHROPIC_AUTH_TOKEN",
    "ANTHROPIC_BASE_URL",
    "ANTHROPIC_CUSTOM_HEADERS",
    "CLAUDE_CODE_OAUTH_TOKEN",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NO_PROXY",
];

pub(crate) const HOME_LINKS: &[&str] = &[".claude/.credentials.json"];

pub(crate) fn text(prompt: &str, model: Option<&str>) -> String {
    let model = if model.is_some() { " --model \"$REGATTA_MODEL\"" } else { "" };
    format!("exec claude -p {prompt} --output-format stream-json --verbose --permission-mode bypassPermissions{model}")
}

/// What one line of its output says.
pub(crate) fn read(line: &Value) -> Vec<Said> {
    match text_at(line, "/type") {
        Some("system") if text_at(line, "/subtype") == Some("init") => vec![Said::Session {
            id: text_at(line, "/session_id").unwrap_or_default().to_owned(),
            model: text_at(line, "/model").map(str::to_owned),
        }],
        Some("assistant") => content(line).iter().filter_map(assistant).collect(),
        Some("user") => content(line).iter().filter_map(tool_result).collect(),
        Some("result") => result(line),
        // Progress within a message, which comes again when it is whole.
        Some("system" | "stream_event") => Vec::new(),
        _ => vec![Said::Other(line.to_string())],
    }
}

fn content(line: &Value) -> &[Value] {
    line.pointer("/message/content").and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn assistant(part: &Value) -> Option<Said> {
    match text_at(part, "/type") {
        Some("text") => text_at(part, "/text").map(|text| Said::Text(text.to_owned())),
        Some("thinking") => text_at(part, "/thinking").map(|text| Said::Thought(text.to_owned())),
        Some("tool_use") => Some(Said::ToolStarted {
            id: text_at(part, "/id").unwrap_or_default().to_owned(),
            name: text_at(part, "/name").unwrap_or_default().to_owned(),
            detail: strings(
                part,
                &["/input/command", "/input/file_path", "/input/path", "/input/pattern", "/input/url"],
            ),
        }),
        _ => None,
    }
}

fn tool_result(part: &Value) -> Option<Said> {
    let id = text_at(part, "/tool_use_id")?.to_owned();
    let failed = part.get("is_error").and_then(Value::as_bool).unwrap_or(false);
    Some(Said::ToolEnded { id, failure: failed.then(|| last_lines(&answer(part))) })
}

/// What a tool answered: a text, or parts that may have one.
fn answer(part: &Value) -> String {
    let parts: &[Value] = part.get("content").and_then(Value::as_array).map_or(&[], Vec::as_slice);
    let texts: Vec<&str> =
        text_at(part, "/content").into_iter().chain(parts.iter().filter_map(|part| text_at(part, "/text"))).collect();
    texts.join("\n")
}

/// The last line. An API failure has the subtype `success` too, so only `is_error` counts; a denied tool leaves both
/// quiet and stands in `permission_denials`. Usage and cost are those of this start alone.
fn result(line: &Value) -> Vec<Said> {
    let usage = usage(line, "/usage", micros(line, "/total_cost_usd"));
    let denied = line.get("permission_denials").and_then(Value::as_array).map_or(0, Vec::len);
    let finished = Said::Finished {
        text: text_at(line, "/result").unwrap_or_default().to_owned(),
        failed: line.get("is_error").and_then(Value::as_bool).unwrap_or(true),
        denied: u32::try_from(denied).unwrap_or(u32::MAX),
    };
    vec![Said::Usage(usage), finished]
}

/// The usage that stands at this place of a line.
pub(crate) fn usage(line: &Value, place: &str, cost_microdollars: Option<u64>) -> Usage {
    let of = |name: &str| number(line, &format!("{place}/{name}"));
    let cached = of("cache_read_input_tokens");
    Usage {
        input_tokens: of("input_tokens").saturating_add(of("cache_creation_input_tokens")).saturating_add(cached),
        cached_input_tokens: cached,
        output_tokens: of("output_tokens"),
        cost_microdollars,
    }
}
