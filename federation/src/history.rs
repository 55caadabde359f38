//! Questions that are over as a gateway keeps them: the answer to `approval.history`. Pure.
//!
//! Shape as measured on 2026.9.6: the latest first, for 30 days, without where a command would have run. What is neither a
//! command's nor a plugin's is left out.

use regatta_core::GatewayName;
use regatta_core::event::approval::Requested;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::questions::{Asked, Kept, Request, Settled};

/// Some of those that are over.
#[derive(Debug, Default)]
pub(crate) struct Page {
    pub(crate) oldest_first: Vec<Past>,
    /// Where those before them begin.
    pub(crate) next: Option<String>,
}

/// A question and what became of it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Past {
    pub(crate) requested: Requested,
    pub(crate) settled: Settled,
    pub(crate) at_ms: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer<'a> {
    #[serde(borrow)]
    items: Vec<&'a RawValue>,
    #[serde(default)]
    next_cursor: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Row<'a> {
    id: String,
    #[serde(borrow)]
    presentation: &'a RawValue,
    created_at_ms: u64,
    expires_at_ms: u64,
    #[serde(default)]
    source: Source,
}

#[derive(Deserialize)]
struct Presented {
    kind: String,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct Source {
    #[serde(default)]
    session_key: Option<String>,
}

/// What the answer to `approval.history` holds; nothing of one that has another shape.
pub(crate) fn past(gateway: &GatewayName, boot_id: &str, payload: &RawValue) -> Page {
    let Ok(Answer { items, next_cursor }) = serde_json::from_str(payload.get()) else { return Page::default() };
    let oldest_first = items.iter().rev().filter_map(|item| row(gateway, boot_id, item.get())).collect();
    Page { oldest_first, next: next_cursor }
}

fn row(gateway: &GatewayName, boot_id: &str, text: &str) -> Option<Past> {
    let (settled, at_ms) = serde_json::from_str::<Kept>(text).ok()?.settled()?;
    let Row { id, presentation, created_at_ms, expires_at_ms, source } = serde_json::from_str(text).ok()?;
    let Presented { kind } = serde_json::from_str(presentation.get()).ok()?;
    if kind != "exec" && kind != "plugin" {
        return None;
    }
    let mut request: Request = serde_json::from_str(presentation.get()).ok()?;
    request.session_key = source.session_key;
    let requested = Asked { id, request, created_at_ms, expires_at_ms }.requested(gateway, boot_id, true)?;
    Some(Past { requested, settled, at_ms })
}

#[cfg(test)]
mod tests {
    use regatta_core::event::approval::Decision;
    use serde_json::{Value, json};

    use super::*;

    fn read(answer: &Value) -> Page {
        let payload = serde_json::value::to_raw_value(answer).expect("JSON");
        past(&"main".parse().expect("a name"), "b-1", &payload)
    }

    fn item(id: &str, presentation: &Value, resolver: Option<&str>) -> Value {
        json!({
            "id": id, "status": "denied", "presentation": presentation, "urlPath": format!("/approve/{id}"),
            "createdAtMs": 1_795_328_902_568_u64, "expiresAtMs": 1_795_330_702_568_u64,
            "resolvedAtMs": 1_795_328_902_585_u64, "reason": "no-route", "decision": "deny",
            "source": { "agentId": "main", "sessionKey": "agent:main:cap" },
            "resolver": resolver.map(|id| json!({ "kind": "system", "id": id })),
        })
    }

    #[test]
    fn what_is_over_is_read_the_oldest_first_with_who_settled_it_and_when() {
        let exec = json!({
            "kind": "exec", "commandText": "uname -r", "commandPreview": null, "warningText": null, "host": "gateway",
            "nodeId": null, "agentId": "main", "allowedDecisions": ["allow-once", "deny"],
        });
        let plugin = json!({
            "kind": "plugin", "title": "Send mail", "description": "To all.", "severity": "warning", "pluginId": "mail",
            "allowedDecisions": ["deny"],
        });
        let system = json!({
            "kind": "system-agent", "title": "Update", "description": "…", "proposalHash": "0", "allowedDecisions": ["deny"],
        });
        let items = [
            item("b", &exec, Some("no-approval-route")),
            item("plugin:a", &plugin, None),
            item("c", &system, None),
            json!({ "id": "d", "status": "pending" }),
            json!(7),
        ];
        let page = read(&json!({ "items": items, "nextCursor": "eyJ2" }));
        let [first, second] = &page.oldest_first[..] else { panic!("{page:?}") };
        assert_eq!(
            (first.requested.approval.to_string().as_str(), page.next.as_deref()),
            ("main.plugin:a", Some("eyJ2"))
        );
        assert_eq!(first.settled, Settled::Resolved { decision: Decision::Deny, by: None });
        let question = &second.requested.question;
        assert_eq!((question.command.as_str(), question.session.as_deref()), ("uname -r", Some("agent:main:cap")));
        assert!(second.requested.is_reconstructed && question.plugin.is_none());
        let by = Some("no-approval-route".to_owned());
        assert_eq!(second.settled, Settled::Resolved { decision: Decision::Deny, by });
        assert_eq!(second.at_ms, Some(1_795_328_902_585));
    }

    #[test]
    fn what_has_another_shape_is_nothing() {
        for answer in [json!([]), json!({ "items": 7 }), json!(null)] {
            let page = read(&answer);
            assert!(page.oldest_first.is_empty() && page.next.is_none(), "{answer}");
        }
    }
}
