//! What is done with a call of a browser. Pure.
//!
//! What a gateway keeps for a connection is kept here for each browser, since the connection is everybody's:
//! subscriptions. The installation's own is to everything, and no browser can end it.

use regatta_core::event::user::Role;
use regatta_federation::need;
use regatta_gateway::RpcError;
use serde_json::{Value, json};

use super::frame::{Asked, forbidden, invalid};
use super::listening::Listening;
use super::room;

/// The least role that may have a method called through the door; nothing when nobody may.
pub(crate) fn needs(method: &str, params: &Value) -> Option<Role> {
    // It is answered here.
    if method == "sessions.subscribe" { Some(Role::Viewer) } else { need(method, params) }
}

/// What is done.
#[derive(Debug, PartialEq)]
pub(crate) enum Doing {
    /// It is answered here.
    Answer(Value),
    /// The gateway is asked. The parameters are those that were looked at.
    Call { method: String, params: Value },
}

/// Decides about a call, and takes over what the browser wants to hear.
pub(crate) fn decide(asked: &Asked<'_>, role: Role, listening: &mut Listening) -> Result<Doing, RpcError> {
    let method = &*asked.method;
    if method == "connect" {
        return Err(invalid("connect is only valid as the first request"));
    }
    asked.params.map_or(Ok(()), |params| room::check(method, params.get()))?;
    let not_an_object = || invalid(format!("invalid {method} params: they are a JSON object"));
    let params: Value = asked
        .params
        .map_or_else(|| Ok(json!({})), |params| serde_json::from_str(params.get()))
        .map_err(|_| not_an_object())?;
    let fields = params.as_object().ok_or_else(not_an_object)?;
    match needs(method, &params) {
        Some(least) if role >= least => {}
        least => return Err(forbidden(method, least, role)),
    }
    let key = || {
        let key = fields.get("key").and_then(Value::as_str).filter(|key| !key.is_empty());
        key.ok_or_else(|| invalid(format!("invalid {method} params: key is the key of a session")))
    };
    match method {
        "sessions.subscribe" => {
            listening.hear_all_sessions();
            return Ok(Doing::Answer(json!({ "subscribed": true })));
        }
        "sessions.messages.subscribe" => {
            let key = key()?;
            let with_approvals = fields.get("includeApprovals").is_some_and(|wanted| *wanted != Value::Bool(false));
            if with_approvals && role < Role::Approver {
                return Err(forbidden(method, Some(Role::Approver), role));
            }
            listening.hear_session(key)?;
            if !with_approvals {
                return Ok(Doing::Answer(json!({ "subscribed": true, "key": key })));
            }
        }
        "sessions.messages.unsubscribe" => {
            let key = key()?;
            listening.leave_session(key);
            return Ok(Doing::Answer(json!({ "subscribed": false, "key": key })));
        }
        _ => {}
    }
    Ok(Doing::Call { method: method.to_owned(), params })
}

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;

    use super::*;

    /// The answer, the call as it is sent, or the code of the refusal.
    fn done(role: Role, method: &str, params: Option<&str>) -> String {
        let params = params.map(|params| RawValue::from_string(params.to_owned()).expect("JSON"));
        let asked = Asked { id: "1".into(), method: method.into(), params: params.as_deref() };
        match decide(&asked, role, &mut Listening::new(role, false)) {
            Ok(Doing::Answer(answer)) => format!("answered {answer}"),
            Ok(Doing::Call { method, params }) => format!("{method} {params}"),
            Err(error) => format!("{} {}", error.code, error.detail().unwrap_or_default()).trim().to_owned(),
        }
    }

    #[test]
    fn a_call_is_answered_passed_on_or_refused() {
        for (role, method, params, then) in [
            (Role::Operator, "health", None, "health {}"),
            (Role::Operator, "chat.send", Some(r#"{"message":"hello"}"#), r#"chat.send {"message":"hello"}"#),
            (Role::Operator, "chat.send", Some(r#"{"message":"/config"}"#), "FORBIDDEN REGATTA_ROLE"),
            (Role::Operator, "chat.send", Some(r#"{"message":"hello","message":"/config"}"#), "FORBIDDEN REGATTA_ROLE"),
            (Role::Viewer, "chat.send", Some(r#"{"message":"hello"}"#), "FORBIDDEN REGATTA_ROLE"),
            (Role::Admin, "exec.approval.resolve", None, "FORBIDDEN REGATTA_NOBODY"),
            (Role::Admin, "device.token.rotate", None, "FORBIDDEN REGATTA_NOBODY"),
            (Role::Admin, "connect", None, "INVALID_REQUEST"),
            (Role::Admin, "health", Some("[]"), "INVALID_REQUEST"),
            (Role::Admin, "health", Some("null"), "INVALID_REQUEST"),
            (Role::Operator, "sessions.subscribe", None, r#"answered {"subscribed":true}"#),
            (Role::Operator, "sessions.subscribe", Some(r#"{"limit":3}"#), r#"answered {"subscribed":true}"#),
            (
                Role::Operator,
                "sessions.messages.subscribe",
                Some(r#"{"key":"k"}"#),
                r#"answered {"key":"k","subscribed":true}"#,
            ),
            (Role::Operator, "sessions.messages.subscribe", Some(r#"{"key":7}"#), "INVALID_REQUEST"),
            (
                Role::Operator,
                "sessions.messages.subscribe",
                Some(r#"{"key":"k","includeApprovals":true}"#),
                "FORBIDDEN REGATTA_ROLE",
            ),
            (
                Role::Approver,
                "sessions.messages.subscribe",
                Some(r#"{"includeApprovals":true,"key":"k"}"#),
                r#"sessions.messages.subscribe {"includeApprovals":true,"key":"k"}"#,
            ),
            (
                Role::Operator,
                "sessions.messages.unsubscribe",
                Some(r#"{"key":"k"}"#),
                r#"answered {"key":"k","subscribed":false}"#,
            ),
        ] {
            assert_eq!(done(role, method, params), then, "{role} {method} {params:?}");
        }
    }

    #[test]
    fn parameters_nested_without_end_or_too_large_are_refused() {
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(10_000), "]".repeat(10_000));
        assert_eq!(done(Role::Admin, "health", Some(&deep)), "INVALID_REQUEST");
        let large = format!("{{\"a\":\"{}\"}}", "x".repeat(300 << 10));
        assert_eq!(done(Role::Admin, "health", Some(&large)), "INVALID_REQUEST REGATTA_TOO_LARGE");
    }
}
