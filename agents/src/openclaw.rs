//! OpenClaw: a session of a gateway, one turn. Shapes as seen with 2026.9.6.
//!
//! In a sandbox the agent is a gateway of its own, which `openclaw.mjs` starts, asks and ends: wherever OpenClaw is, Node is,
//! and this program of ours need not be. A provider whose sandboxes have a session of a gateway elsewhere knows by
//! [`AGENT`] that this agent is wanted, and prints the same lines.

use serde_json::Value;

use crate::Known;
use crate::json::{last_lines, micros, number, strings, text_at};
use crate::lines::Lines;
use crate::said::{Reader, Said, Usage};

pub(crate) const KNOWN: Known = Known {
    name: "openclaw",
    about: "OpenClaw",
    program: Some("openclaw"),
    install: "npm install -g openclaw, then put models into ~/.openclaw/regatta.json, or set ANTHROPIC_API_KEY",
};

/// The variable that holds the id of the OpenClaw agent; empty for the gateway's own default.
pub const AGENT: &str = "REGATTA_OPENCLAW_AGENT";

/// Longest id of an OpenClaw agent, in bytes.
const ID_BYTES_MAX: usize = 64;

pub(crate) const ENV_PASS: &[&str] = &[
    "ANTHROPIC_API_KEY",
    "OPENAI_API_KEY",
    "GEMINI_API_KEY",
    "OPENROUTER_API_KEY",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NO_PROXY",
];

/// Not `openclaw.json`: that one holds the token of the gateway a person uses.
pub(crate) const HOME_LINKS: &[&str] = &[".openclaw/regatta.json"];

const DRIVER: &str = include_str!("openclaw.mjs");

pub(crate) fn text() -> String {
    format!("exec node --input-type=module - <<'REGATTA_END'\n{DRIVER}REGATTA_END\n")
}

/// Whether that can be the id of an OpenClaw agent: a part of a session's key.
#[must_use]
pub fn is_id(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte);
    (1..=ID_BYTES_MAX).contains(&text.len()) && text.bytes().all(fits)
}

/// Reads what a session's turn printed; what each message used is summed up on the way.
#[derive(Default)]
pub(crate) struct Turn {
    lines: Lines,
    used: Usage,
}

impl Reader for Turn {
    fn read(&mut self, bytes: &[u8]) -> Vec<Said> {
        let (mut said, mut used) = (Vec::new(), self.used);
        self.lines.push(bytes, |line| said.extend(one(line, &mut used)));
        self.used = used;
        said
    }

    fn end(&mut self) -> Vec<Said> {
        self.lines.end().map(|line| one(&line, &mut self.used)).unwrap_or_default()
    }
}

fn one(line: &[u8], used: &mut Usage) -> Vec<Said> {
    match serde_json::from_slice::<Value>(line) {
        Ok(value) if value.is_object() => understand(&value, used),
        _ if line.trim_ascii().is_empty() => Vec::new(),
        _ => vec![Said::Other(String::from_utf8_lossy(line).into_owned())],
    }
}

fn understand(line: &Value, used: &mut Usage) -> Vec<Said> {
    match (text_at(line, "/event"), text_at(line, "/stream"), text_at(line, "/state")) {
        (Some("regatta.session"), _, _) => {
            vec![Said::Session { id: text_at(line, "/session").unwrap_or_default().to_owned(), model: None }]
        }
        (Some("regatta.problem"), _, _) => vec![Said::Problem(text_at(line, "/text").unwrap_or_default().to_owned())],
        (Some("session.message"), _, _) => {
            *used = used.plus(usage(line));
            content(line).iter().filter_map(part).collect()
        }
        (Some("agent" | "session.tool"), Some("tool"), _) => tool(line).into_iter().collect(),
        (Some("agent"), Some("lifecycle" | "error"), _) => problem(line).into_iter().collect(),
        (Some("chat"), _, Some("final")) => vec![Said::Usage(*used), finished(last_words(line), false)],
        (Some("chat"), _, Some("error" | "aborted")) => {
            let text = text_at(line, "/errorMessage").map_or_else(|| last_words(line), str::to_owned);
            vec![Said::Usage(*used), finished(text, true)]
        }
        // What is said word by word comes again when it is whole.
        (Some("agent" | "session.tool"), Some(_), _) | (Some("chat"), _, Some("delta")) => Vec::new(),
        _ => vec![Said::Other(line.to_string())],
    }
}

fn content(line: &Value) -> &[Value] {
    line.pointer("/message/content").and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn part(part: &Value) -> Option<Said> {
    match text_at(part, "/type") {
        Some("text") => text_at(part, "/text").map(|text| Said::Text(text.to_owned())),
        Some("thinking") => text_at(part, "/thinking").map(|text| Said::Thought(text.to_owned())),
        // A call is told when it begins.
        _ => None,
    }
}

fn tool(line: &Value) -> Option<Said> {
    let id = text_at(line, "/data/toolCallId").unwrap_or_default().to_owned();
    match text_at(line, "/data/phase") {
        Some("start") => Some(Said::ToolStarted {
            id,
            name: text_at(line, "/data/name").unwrap_or_default().to_owned(),
            detail: strings(
                line,
                &["/data/args/command", "/data/args/path", "/data/args/pattern", "/data/args/query", "/data/args/url"],
            ),
        }),
        Some("result") => {
            let failed = line.pointer("/data/isError").and_then(Value::as_bool).unwrap_or(false);
            Some(Said::ToolEnded { id, failure: failed.then(|| last_lines(&answer(line))) })
        }
        _ => None,
    }
}

/// What a tool answered.
fn answer(line: &Value) -> String {
    let parts = line.pointer("/data/result/content").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    parts.iter().filter_map(|part| text_at(part, "/text")).collect::<Vec<_>>().join("\n")
}

fn problem(line: &Value) -> Option<Said> {
    text_at(line, "/data/error").map(|error| Said::Problem(error.to_owned()))
}

fn last_words(line: &Value) -> String {
    content(line).iter().filter_map(|part| text_at(part, "/text")).collect::<Vec<_>>().join("\n")
}

fn finished(text: String, failed: bool) -> Said {
    Said::Finished { text, failed, denied: 0 }
}

/// What one message used.
pub(crate) fn usage(line: &Value) -> Usage {
    let of = |name: &str| number(line, &format!("/message/usage/{name}"));
    let cached = of("cacheRead");
    Usage {
        input_tokens: of("input").saturating_add(of("cacheWrite")).saturating_add(cached),
        cached_input_tokens: cached,
        output_tokens: of("output"),
        cost_microdollars: micros(line, "/message/usage/cost/total"),
    }
}
