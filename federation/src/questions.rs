//! Questions for approval as a gateway says them: in events, in its lists, and in what it keeps of each. Pure.
//!
//! Shapes: `gateway/tests/frames/exec-approval-allow-once.jsonl` and `rpc-approvals` as measured on 2026.9.6; of plugins, what
//! its `plugin.approval.request` makes of one. Whatever does not have the shape of a question is none; the frame is recorded
//! all the same.

use regatta_core::event::approval::{Decision, PluginAsk, Question, Requested};
use regatta_core::{ApprovalId, GatewayName};
use serde::Deserialize;
use serde_json::value::RawValue;

/// Longest command of a question that is kept, in characters.
const COMMAND_CHARS_MAX: usize = 16_384;
/// Longest other text of a question that is kept, in characters.
const TEXT_CHARS_MAX: usize = 1_024;
/// Most words or warnings of a question that are kept.
const LIST_MAX: usize = 256;
/// Most questions read of one list.
const LISTED_MAX: usize = 1_000;

/// What a gateway says about a question.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// It is asked.
    Asked(Box<Requested>),
    /// It is settled.
    Settled(ApprovalId, Settled),
}

/// What became of a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Settled {
    /// Somebody answered; who, as the gateway says.
    Resolved { decision: Decision, by: Option<String> },
    /// Nobody did in time.
    Expired,
    /// Nobody waits any more, and why.
    Cancelled(String),
}

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow)]
    payload: &'a RawValue,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Asked {
    pub(crate) id: String,
    pub(crate) request: Request,
    pub(crate) created_at_ms: u64,
    pub(crate) expires_at_ms: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Request {
    /// The second is its name in what is kept.
    #[serde(default, alias = "commandText")]
    command: Option<String>,
    #[serde(default)]
    system_run_plan: Option<Plan>,
    #[serde(default)]
    cwd: Option<String>,
    #[serde(default)]
    host: Option<String>,
    #[serde(default)]
    resolved_path: Option<String>,
    #[serde(default)]
    agent_id: Option<String>,
    #[serde(default)]
    pub(crate) session_key: Option<String>,
    #[serde(default)]
    run_id: Option<String>,
    #[serde(default)]
    warning_text: Option<String>,
    #[serde(default)]
    command_analysis: Option<Analysis>,
    #[serde(default)]
    allowed_decisions: Option<Vec<String>>,
    /// What a plugin wants to do; a command has none.
    #[serde(default)]
    title: Option<String>,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    detail: Option<String>,
    #[serde(default)]
    severity: Option<String>,
    #[serde(default)]
    plugin_id: Option<String>,
    #[serde(default)]
    tool_name: Option<String>,
}

#[derive(Deserialize)]
struct Plan {
    #[serde(default)]
    argv: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Analysis {
    /// How many commands the line holds, those in each other not counted.
    #[serde(default)]
    command_count: u32,
    #[serde(default)]
    risk_kinds: Vec<String>,
    #[serde(default)]
    warning_lines: Vec<String>,
}

impl Analysis {
    fn warnings(self) -> impl Iterator<Item = String> {
        let several = (self.command_count > 1).then(|| format!("these are {} commands", self.command_count));
        several.into_iter().chain(self.risk_kinds).chain(self.warning_lines)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Resolved {
    id: String,
    decision: String,
    #[serde(default)]
    resolved_by: Option<String>,
}

/// What `approval.get` and `approval.history` say of what became of one.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Kept {
    status: String,
    #[serde(default)]
    resolved_at_ms: Option<u64>,
    #[serde(default)]
    decision: Option<String>,
    #[serde(default)]
    reason: Option<String>,
    #[serde(default)]
    resolver: Option<Resolver>,
}

#[derive(Deserialize)]
struct Resolver {
    #[serde(default)]
    id: Option<String>,
}

/// What an event says about a question; nothing for one that is about something else.
pub(crate) fn said(gateway: &GatewayName, boot_id: &str, event: &str, text: &[u8]) -> Option<Said> {
    let payload = || serde_json::from_slice::<Event<'_>>(text).ok().map(|event| event.payload.get());
    match event {
        "exec.approval.requested" | "plugin.approval.requested" => {
            let asked: Asked = serde_json::from_str(payload()?).ok()?;
            Some(Said::Asked(Box::new(asked.requested(gateway, boot_id, false)?)))
        }
        "exec.approval.resolved" | "plugin.approval.resolved" => {
            let resolved: Resolved = serde_json::from_str(payload()?).ok()?;
            let decision = resolved.decision.parse().ok()?;
            let id = ApprovalId::of(gateway, &resolved.id).ok()?;
            Some(Said::Settled(id, Settled::Resolved { decision, by: resolved.resolved_by.map(short) }))
        }
        _ => None,
    }
}

/// The questions in the answer to `exec.approval.list` or `plugin.approval.list`.
pub(crate) fn listed(gateway: &GatewayName, boot_id: &str, payload: &RawValue) -> Vec<Requested> {
    let all: Vec<serde_json::Value> = serde_json::from_str(payload.get()).unwrap_or_default();
    let asked = all.into_iter().take(LISTED_MAX).filter_map(|asked| serde_json::from_value::<Asked>(asked).ok());
    asked.filter_map(|asked| asked.requested(gateway, boot_id, true)).collect()
}

/// What became of a question and when, by the answer to `approval.get`; nothing while it is open.
pub(crate) fn settled(payload: &RawValue) -> Option<(Settled, Option<u64>)> {
    #[derive(Deserialize)]
    struct Wrapped {
        approval: Kept,
    }
    let kept: Option<Kept> = serde_json::from_str(payload.get()).ok();
    kept.or_else(|| Some(serde_json::from_str::<Wrapped>(payload.get()).ok()?.approval))?.settled()
}

impl Kept {
    /// What became of it and when; nothing while it is open.
    pub(crate) fn settled(self) -> Option<(Settled, Option<u64>)> {
        let by = self.resolver.and_then(|resolver| resolver.id).map(short);
        let resolved = |usual| {
            let decision = self.decision.as_deref().and_then(|word| word.parse().ok()).unwrap_or(usual);
            Settled::Resolved { decision, by }
        };
        let settled = match self.status.as_str() {
            "allowed" => resolved(Decision::AllowOnce),
            "denied" => resolved(Decision::Deny),
            "expired" => Settled::Expired,
            "cancelled" => Settled::Cancelled(short(self.reason.unwrap_or_else(|| "cancelled".to_owned()))),
            _ => return None,
        };
        Some((settled, self.resolved_at_ms))
    }
}

impl Asked {
    pub(crate) fn requested(self, gateway: &GatewayName, boot_id: &str, is_reconstructed: bool) -> Option<Requested> {
        let Self { id, request, created_at_ms, expires_at_ms } = self;
        Some(Requested {
            approval: ApprovalId::of(gateway, &id).ok()?,
            boot_id: boot_id.to_owned(),
            decisions: request.decisions(),
            question: request.question(),
            asked_at_ms: created_at_ms,
            expires_at_ms,
            is_reconstructed,
        })
    }
}

impl Request {
    /// The answers that are offered. A plugin that names none takes any, and each takes a no.
    fn decisions(&self) -> Vec<Decision> {
        let named = self.allowed_decisions.iter().flatten().filter_map(|word| word.parse().ok());
        let named: Vec<Decision> = named.collect();
        if self.title.is_none() || named.contains(&Decision::Deny) {
            return named;
        }
        if named.is_empty() { Decision::ALL.to_vec() } else { named.into_iter().chain([Decision::Deny]).collect() }
    }

    fn question(self) -> Question {
        let critical = self.severity.filter(|severity| severity == "critical");
        let analysis = self.command_analysis.into_iter();
        let analysis = analysis.flat_map(Analysis::warnings);
        let warnings = self.warning_text.into_iter().chain(critical).chain(analysis).collect();
        let argv = self.system_run_plan.map(|plan| plan.argv).unwrap_or_default();
        let is_plugin = self.title.is_some();
        let command = self.title.or(self.command).unwrap_or_else(|| argv.join(" "));
        let about: Vec<String> = self.description.into_iter().chain(self.detail).collect();
        let about = about.join("\n\n");
        let is_long = |text: &String, chars_max: usize| text.chars().nth(chars_max).is_some();
        let is_cut = [&command, &about].into_iter().any(|text| is_long(text, COMMAND_CHARS_MAX))
            || argv.len() > LIST_MAX
            || argv.iter().chain(&self.cwd).any(|text| is_long(text, TEXT_CHARS_MAX));
        let (name, tool, about) = (self.plugin_id, self.tool_name, cut(about, COMMAND_CHARS_MAX));
        Question {
            command: cut(command, COMMAND_CHARS_MAX),
            argv: some(argv, "words"),
            cwd: self.cwd.map(short),
            program: self.resolved_path.map(short),
            host: self.host.map(short),
            agent: self.agent_id.map(short),
            session: self.session_key.map(short),
            run: self.run_id.map(short),
            plugin: is_plugin.then(|| PluginAsk { name: name.map(short), tool: tool.map(short), about }),
            warnings: some(warnings, "warnings"),
            is_cut,
        }
    }
}

/// So many texts of a list; the last says how many are not there.
fn some(all: Vec<String>, what: &str) -> Vec<String> {
    let more = all.len().saturating_sub(LIST_MAX);
    let rest = (more > 0).then(|| format!("… ({more} more {what})"));
    all.into_iter().take(LIST_MAX).map(short).chain(rest).collect()
}

pub(crate) fn short(text: String) -> String {
    cut(text, TEXT_CHARS_MAX)
}

/// A command that is cut says so: nobody may take the beginning for the whole.
fn cut(text: String, chars_max: usize) -> String {
    match text.char_indices().nth(chars_max) {
        None => text,
        Some((end, _)) => format!("{}… ({} more bytes)", text.get(..end).unwrap_or_default(), text.len() - end),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const CAPTURED: &str = include_str!("../../gateway/tests/frames/exec-approval-allow-once.jsonl");

    fn main() -> GatewayName {
        "main".parse().expect("a name")
    }

    fn captured() -> impl Iterator<Item = Value> {
        CAPTURED.lines().map(|line| serde_json::from_str::<Value>(line).expect("a line")["frame"].clone())
    }

    fn raw(value: &Value) -> Box<RawValue> {
        serde_json::value::to_raw_value(value).expect("JSON")
    }

    #[test]
    fn a_captured_question_is_read_with_what_a_person_needs() {
        let frames = captured().filter(|frame| frame["type"] == "event");
        let said: Vec<Said> = frames
            .filter_map(|frame| {
                said(&main(), "b-1", frame["event"].as_str().expect("a name"), frame.to_string().as_bytes())
            })
            .collect();
        let [Said::Asked(asked), Said::Settled(id, settled)] = &said[..] else { panic!("{said:?}") };
        assert_eq!(asked.approval.to_string(), "main.a734987a-e5f9-4cc1-9920-e234a03b6053");
        assert_eq!(asked.decisions, [Decision::AllowOnce, Decision::Deny]);
        let question = &asked.question;
        assert_eq!((question.command.as_str(), question.cwd.as_deref()), ("uname -s", Some("/lab/run/workspace")));
        assert_eq!((question.program.as_deref(), question.agent.as_deref()), (Some("/usr/bin/uname"), Some("main")));
        assert_eq!(asked.expires_at_ms - asked.asked_at_ms, 1_800_000);
        assert_eq!(
            (id, settled),
            (&asked.approval, &Settled::Resolved { decision: Decision::AllowOnce, by: Some("cli".to_owned()) })
        );
    }

    #[test]
    fn a_captured_list_has_its_questions() {
        let list = captured().find(|frame| frame["payload"].is_array()).expect("a list");
        let listed = listed(&main(), "b-1", &raw(&list["payload"]));
        let commands: Vec<&str> = listed.iter().map(|asked| asked.question.command.as_str()).collect();
        assert_eq!(commands, ["uname -m", "uname -s"]);
        assert!(listed.iter().all(|asked| asked.is_reconstructed));
    }

    #[test]
    fn what_became_of_a_question_is_read_with_and_without_a_wrapping() {
        let cases = [
            (json!({ "status": "pending" }), None),
            (json!({ "status": "expired" }), Some(Settled::Expired)),
            (
                json!({ "status": "cancelled", "reason": "gateway-restart" }),
                Some(Settled::Cancelled("gateway-restart".to_owned())),
            ),
            (
                json!({ "status": "denied", "decision": "deny", "resolver": { "kind": "system", "id": "no-approval-route" } }),
                Some(Settled::Resolved { decision: Decision::Deny, by: Some("no-approval-route".to_owned()) }),
            ),
        ];
        for (mut kept, then) in cases {
            kept["resolvedAtMs"] = json!(7);
            let then = then.map(|settled| (settled, Some(7)));
            assert_eq!(settled(&raw(&kept)), then, "{kept}");
            assert_eq!(settled(&raw(&json!({ "approval": kept }))), then, "{kept}");
        }
    }

    #[test]
    fn a_question_of_a_plugin_is_read_with_what_it_says() {
        let asked = |decisions: Value| {
            let request = json!({
                "pluginId": "mail", "title": "Send customer update", "description": "To 3 people.", "detail": "Dear all",
                "scope": null, "severity": "critical", "toolName": "send_mail", "toolCallId": "call_1", "agentId": "main",
                "sessionKey": "agent:main:main", "runId": null, "allowedDecisions": decisions,
            });
            let id = "plugin:0b6f7a4e-95f1-4f3a-8d0b-6f3f2a1c9d11";
            let payload = json!({
                "approvalKind": "plugin", "id": id, "request": request, "createdAtMs": 1, "expiresAtMs": 120_001,
            });
            let text = json!({ "payload": payload }).to_string();
            match said(&main(), "b", "plugin.approval.requested", text.as_bytes()) {
                Some(Said::Asked(asked)) => *asked,
                other => panic!("{other:?}"),
            }
        };
        let all = asked(Value::Null);
        assert_eq!(all.approval.to_string(), "main.plugin:0b6f7a4e-95f1-4f3a-8d0b-6f3f2a1c9d11");
        let about = PluginAsk {
            name: Some("mail".to_owned()),
            tool: Some("send_mail".to_owned()),
            about: "To 3 people.\n\nDear all".to_owned(),
        };
        assert_eq!((all.question.command.as_str(), &all.question.plugin), ("Send customer update", &Some(about)));
        assert_eq!(all.question.warnings, ["critical"]);
        assert_eq!(all.decisions, Decision::ALL);
        assert_eq!(asked(json!(["allow-once"])).decisions, [Decision::AllowOnce, Decision::Deny]);
    }

    #[test]
    fn words_that_are_left_out_are_counted() {
        let asked = |words: usize| {
            let plan = json!({ "argv": vec!["x"; words] });
            let request = json!({ "systemRunPlan": plan, "allowedDecisions": ["deny"] });
            let payload = json!({ "id": "a", "request": request, "createdAtMs": 1, "expiresAtMs": 2 });
            let said =
                said(&main(), "b", "exec.approval.requested", json!({ "payload": payload }).to_string().as_bytes());
            let Some(Said::Asked(asked)) = said else { panic!("{said:?}") };
            asked.question
        };
        let (all, cut) = (asked(LIST_MAX), asked(LIST_MAX + 2));
        assert_eq!((all.argv.len(), all.argv.last().map(String::as_str), all.is_cut), (LIST_MAX, Some("x"), false));
        assert_eq!((cut.argv.len(), cut.is_cut), (LIST_MAX + 1, true));
        assert_eq!(cut.argv.last().map(String::as_str), Some("… (2 more words)"));
        assert!(cut.command.ends_with("x x"));
    }

    #[test]
    fn what_is_no_question_is_none_and_a_long_one_says_that_it_is_cut() {
        let strange = json!({ "payload": { "id": "../x", "request": {}, "createdAtMs": 1, "expiresAtMs": 2 } });
        assert_eq!(said(&main(), "b", "exec.approval.requested", strange.to_string().as_bytes()), None);
        assert_eq!(said(&main(), "b", "exec.approval.requested", b"not JSON"), None);
        assert_eq!(said(&main(), "b", "tick", b"{}"), None);
        let long = cut("x".repeat(COMMAND_CHARS_MAX + 5), COMMAND_CHARS_MAX);
        assert!(long.ends_with("x… (5 more bytes)"), "{long}");
    }
}
