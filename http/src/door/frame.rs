//! Frames as browsers send and get them. Reads what a call says about itself and leaves its parameters as they came; repeats
//! nothing of what cannot be read.

use std::borrow::Cow;

use regatta_core::event::user::Role;
use regatta_core::{Refusal, RefusalKind};
use regatta_federation::NotCalled;
use regatta_gateway::{CallError, RpcError};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};

/// Longest id of a call, and longest name of a method, in bytes.
const NAME_BYTES_MAX: usize = 256;
/// The id of an answer to what is no call.
const NO_CALL: &str = "invalid";

/// A call. Borrows from the text.
#[derive(Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) id: Cow<'a, str>,
    pub(crate) method: Cow<'a, str>,
    pub(crate) params: Option<&'a RawValue>,
}

/// Closed, as the gateway's own. The last two are for the gateway's own clients, and not passed on.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Wire<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    method: Cow<'a, str>,
    #[serde(default, borrow)]
    params: Option<&'a RawValue>,
    #[serde(default, rename = "traceparent")]
    _trace: Option<serde::de::IgnoredAny>,
    #[serde(default, rename = "expectedProfileId")]
    _profile: Option<serde::de::IgnoredAny>,
}

/// Reads a call.
pub(crate) fn read(text: &str) -> Result<Asked<'_>, RpcError> {
    let wrong = |what: &str| invalid(format!("invalid request frame: {what}"));
    let wire: Wire<'_> = serde_json::from_str(text)
        .map_err(|_| wrong("one JSON object with type, id, method, params, and nothing else"))?;
    if wire.kind != "req" {
        return Err(wrong("only type \"req\" comes from a client"));
    }
    for name in [&wire.id, &wire.method] {
        if name.is_empty() || name.len() > NAME_BYTES_MAX {
            return Err(wrong(&format!("id and method have 1 to {NAME_BYTES_MAX} bytes")));
        }
    }
    Ok(Asked { id: wire.id, method: wire.method, params: wire.params })
}

#[derive(Serialize)]
struct Answer<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    id: &'a str,
    ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a RpcError>,
}

/// An answer to a call; to what is none, without an id.
pub(crate) fn answer(id: Option<&str>, outcome: Result<&RawValue, &RpcError>) -> String {
    let answer = Answer {
        kind: "res",
        id: id.unwrap_or(NO_CALL),
        ok: outcome.is_ok(),
        payload: outcome.ok(),
        error: outcome.err(),
    };
    serde_json::to_string(&answer).unwrap_or_else(|error| {
        tracing::error!(%error, "an answer to a browser could not be written");
        json!({ "type": "res", "id": answer.id, "ok": false, "error": invalid("the answer could not be written") })
            .to_string()
    })
}

/// What the server says first.
pub(crate) fn challenge(nonce: &str, now_ms: u64) -> String {
    let payload = json!({ "nonce": nonce, "ts": now_ms, "capabilities": [] });
    json!({ "type": "event", "event": "connect.challenge", "payload": payload }).to_string()
}

fn error(code: &str, message: impl Into<String>, details: Option<Value>) -> RpcError {
    let (code, message) = (code.to_owned(), message.into());
    RpcError { code, message, details, retryable: None, retry_after_ms: None }
}

/// The call is not what is expected.
pub(crate) fn invalid(message: impl Into<String>) -> RpcError {
    error("INVALID_REQUEST", message, None)
}

/// The caller may not have that called.
pub(crate) fn forbidden(method: &str, needs: Option<Role>, is: Role) -> RpcError {
    match needs {
        None => {
            let message = format!(
                "nobody may have {method} called through this door: it answers a question or gives a credential"
            );
            error("FORBIDDEN", message, Some(json!({ "code": "REGATTA_NOBODY" })))
        }
        Some(needs) => {
            let message = format!("{method} with these parameters is for {needs}s, and you are {is}");
            error("FORBIDDEN", message, Some(json!({ "code": "REGATTA_ROLE", "needs": needs })))
        }
    }
}

/// Parameters hold more than their method's may.
pub(crate) fn too_large(method: &str, most: &str) -> RpcError {
    let message =
        format!("the parameters of {method} hold more than {most}, which is the most that goes through this door");
    error("INVALID_REQUEST", message, Some(json!({ "code": "REGATTA_TOO_LARGE" })))
}

/// Too much of this browser is under way.
pub(crate) fn busy(what: &str) -> RpcError {
    let message = format!("{what} are under way, and no more are taken; wait for an answer");
    RpcError { retryable: Some(true), ..error("UNAVAILABLE", message, Some(json!({ "code": "REGATTA_BUSY" }))) }
}

/// When to come again while a gateway is away, in milliseconds.
const AWAY_AGAIN_MS: u64 = 1_000;

/// There is no connection to the gateway.
pub(crate) fn away(refusal: &Refusal) -> RpcError {
    let details = json!({ "code": "REGATTA_NOT_CONNECTED", "reason": refusal.message, "advice": refusal.hint });
    let away = error("UNAVAILABLE", refusal.message.clone(), Some(details));
    RpcError { retryable: Some(true), retry_after_ms: Some(AWAY_AGAIN_MS), ..away }
}

/// Why a call has no answer of the gateway.
pub(crate) fn not_called(not_called: NotCalled) -> RpcError {
    let unavailable = |code: &str, message: String| error("UNAVAILABLE", message, Some(json!({ "code": code })));
    match not_called {
        NotCalled::Failed(CallError::Refused(error)) => error,
        NotCalled::Failed(error @ CallError::TooLarge { .. }) => invalid(error.to_string()),
        NotCalled::Failed(error @ CallError::Busy) => {
            RpcError { retryable: Some(true), ..unavailable("REGATTA_BUSY", error.to_string()) }
        }
        NotCalled::Failed(error @ CallError::NotConnected(_)) => {
            RpcError { retryable: Some(true), ..unavailable("REGATTA_NOT_CONNECTED", error.to_string()) }
        }
        NotCalled::Failed(error @ CallError::Lost(_)) => unavailable("REGATTA_LOST", error.to_string()),
        NotCalled::Failed(error @ CallError::TimedOut(_)) => unavailable("REGATTA_TIMED_OUT", error.to_string()),
        NotCalled::Refused(refusal) => match refusal.kind {
            RefusalKind::NotFound => {
                error("INVALID_REQUEST", refusal.message, Some(json!({ "code": "UNKNOWN_METHOD" })))
            }
            RefusalKind::Forbidden => error("FORBIDDEN", refusal.message, Some(json!({ "code": "REGATTA_ROLE" }))),
            RefusalKind::WrongState => away(&refusal),
            RefusalKind::Busy => RpcError { retryable: Some(true), ..unavailable("REGATTA_BUSY", refusal.message) },
            RefusalKind::Invalid
            | RefusalKind::Archived
            | RefusalKind::Cleaned
            | RefusalKind::Repository
            | RefusalKind::Unusable
            | RefusalKind::KeyReused
            | RefusalKind::ReadOnly
            | RefusalKind::Unknown => unavailable("REGATTA_NOT_RECORDED", refusal.message),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_read_as_it_is() {
        let asked = read(r#"{"type":"req","id":"a\n1","method":"health","params":{"x":[1]},"traceparent":"00-1"}"#);
        let asked = asked.expect("read");
        assert_eq!(
            (&*asked.id, &*asked.method, asked.params.map(RawValue::get)),
            ("a\n1", "health", Some("{\"x\":[1]}"))
        );
        assert!(read(r#"{"type":"req","id":"1","method":"health"}"#).expect("read").params.is_none());
    }

    #[test]
    fn what_is_no_call_is_refused_without_being_repeated() {
        let long = format!(r#"{{"type":"req","id":"{}","method":"health"}}"#, "x".repeat(NAME_BYTES_MAX + 1));
        let deep = "[".repeat(100_000);
        for text in [
            "",
            "secret",
            "[]",
            "null",
            r#"{"type":"req","id":1,"method":"health"}"#,
            r#"{"type":"req","id":"","method":"health"}"#,
            r#"{"type":"req","id":"1","method":""}"#,
            r#"{"type":"req","id":"1"}"#,
            r#"{"type":"res","id":"1","method":"health"}"#,
            r#"{"type":"req","id":"1","method":"health","secret":1}"#,
            r#"{"type":"req","id":"1","method":"health","method":"secret"}"#,
            "{\"type\":\"req\",\"id\":\"\\ud800\",\"method\":\"health\"}",
            long.as_str(),
            deep.as_str(),
        ] {
            let error = read(text).expect_err(text);
            assert_eq!(error.code, "INVALID_REQUEST");
            assert!(error.message.len() < 200 && !error.message.contains("secret"), "{}", error.message);
        }
    }

    #[test]
    fn an_answer_carries_the_id_it_was_asked_under() {
        let payload = RawValue::from_string("{\"a\": 1}".to_owned()).expect("JSON");
        assert_eq!(answer(Some("\"1"), Ok(&payload)), r#"{"type":"res","id":"\"1","ok":true,"payload":{"a": 1}}"#);
        assert_eq!(
            answer(None, Err(&invalid("no"))),
            r#"{"type":"res","id":"invalid","ok":false,"error":{"code":"INVALID_REQUEST","message":"no"}}"#
        );
    }
}
