//! `connect` and its answer. Pure. A browser's credentials are not looked at: it is signed in already. The answer is our own:
//! nothing of the gateway's greeting is in it but what is taken out of it by name.

use regatta_core::event::user::Role;
use regatta_federation::hears;
use regatta_gateway::{CONNECT_BYTES_MAX, Hello, PROTOCOL, RpcError, UNLISTED};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::browser::FRAME_BYTES_MAX;
use super::desk::needs;
use super::frame::{Asked, invalid};
use super::gone::Gone;

/// What a client says it can take, so that it is told of tools.
const TOOL_EVENTS: &str = "tool-events";
/// Bytes of frames a browser may be behind before it is slow, as far as that can be said: see `browser::BEHIND_EVENTS_MAX`.
const BUFFERED_BYTES: usize = 8 << 20;
/// Events that come though no gateway advertises them.
const EVENTS_UNLISTED: [&str; 4] = ["config.changed", "chat.side_result", "chat.send_timing", "board.changed"];
/// Parts of a gateway's snapshot that are passed on.
const SNAPSHOT: [&str; 3] = ["health", "sessionDefaults", "suspension"];
/// Of a base64 text and what stands around it, this share is bytes: three in four, less a little.
const ATTACHMENT_BYTES_MAX: usize = FRAME_BYTES_MAX / 4 * 3 - (64 << 10);

/// A client that may come in.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Guest {
    /// Whether it can take frames of tools.
    pub(crate) tools: bool,
}

/// Why it may not, and how it is let go.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) error: RpcError,
    pub(crate) gone: Gone,
}

impl Refused {
    pub(crate) fn new(error: RpcError, gone: Gone) -> Box<Self> {
        Box::new(Self { error, gone })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Connect {
    min_protocol: u32,
    max_protocol: u32,
    #[serde(default)]
    role: Option<String>,
    #[serde(default)]
    caps: Vec<String>,
}

/// Looks at the first call.
pub(crate) fn check(asked: &Asked<'_>, bytes: usize) -> Result<Guest, Box<Refused>> {
    let refused = |message: String, what| Refused::new(invalid(message), Gone::Handshake(what));
    if bytes > CONNECT_BYTES_MAX {
        let error = invalid(format!("connect has at most {CONNECT_BYTES_MAX} bytes"));
        return Err(Refused::new(error, Gone::TooLarge));
    }
    if asked.method != "connect" {
        return Err(refused("invalid handshake: first request must be connect".to_owned(), "connect comes first"));
    }
    let params = asked.params.map_or("null", RawValue::get);
    let connect: Connect = serde_json::from_str(params).map_err(|_| {
        let message = "invalid connect params: minProtocol and maxProtocol are numbers, caps is a list of names";
        refused(message.to_owned(), "invalid connect params")
    })?;
    if !(connect.min_protocol..=connect.max_protocol).contains(&PROTOCOL) {
        let details = json!({
            "code": "PROTOCOL_MISMATCH", "expectedProtocol": PROTOCOL,
            "clientMinProtocol": connect.min_protocol, "clientMaxProtocol": connect.max_protocol,
        });
        let error = RpcError { details: Some(details), ..invalid("protocol mismatch") };
        return Err(Refused::new(error, Gone::Protocol));
    }
    if connect.role.is_some_and(|role| role != "operator") {
        return Err(refused("only operators come in by this door; leave role out".to_owned(), "operators only"));
    }
    Ok(Guest { tools: connect.caps.iter().any(|cap| cap == TOOL_EVENTS) })
}

/// Who is let in where.
pub(crate) struct Welcome<'a> {
    /// Our own version.
    pub(crate) version: &'a str,
    /// For how long this server has run, in milliseconds.
    pub(crate) uptime_ms: u64,
    /// This socket.
    pub(crate) conn_id: &'a str,
    pub(crate) role: Role,
    /// The gateway's greeting to us.
    pub(crate) hello: &'a Hello,
}

impl Welcome<'_> {
    /// The answer to `connect`.
    pub(crate) fn payload(&self) -> Value {
        let features = &self.hello.features;
        let methods: Vec<&str> = offered(self.role, features.methods.iter().map(String::as_str));
        let events = features.events.iter().map(String::as_str).chain(EVENTS_UNLISTED);
        let events: Vec<&str> = events.filter(|event| hears(event) <= self.role).collect();
        json!({
            "type": "hello-ok",
            "protocol": PROTOCOL,
            "server": {
                "version": format!("regatta {}", self.version),
                "bootId": self.hello.server.boot_id,
                "connId": self.conn_id,
            },
            "features": { "methods": methods, "events": events, "capabilities": features.capabilities },
            "snapshot": self.snapshot(),
            "auth": { "method": "trusted-proxy", "role": "operator", "scopes": scopes(self.role) },
            "policy": {
                "maxPayload": FRAME_BYTES_MAX,
                "maxBufferedBytes": BUFFERED_BYTES,
                "tickIntervalMs": self.hello.policy.tick_interval_ms,
                "attachments": { "maxBytes": ATTACHMENT_BYTES_MAX, "maxImageBytes": ATTACHMENT_BYTES_MAX },
            },
        })
    }

    fn snapshot(&self) -> Value {
        let mut snapshot = json!({
            "presence": [],
            "health": {},
            "stateVersion": { "presence": 0, "health": 0 },
            "uptimeMs": self.uptime_ms,
        });
        let theirs: Option<Value> =
            self.hello.snapshot.as_ref().and_then(|snapshot| serde_json::from_str(snapshot.get()).ok());
        for name in SNAPSHOT {
            if let (Some(part), Some(fields)) =
                (theirs.as_ref().and_then(|theirs| theirs.get(name)), snapshot.as_object_mut())
            {
                fields.insert(name.to_owned(), part.clone());
            }
        }
        snapshot
    }
}

/// The methods there are that somebody of that role may have called, with some parameters at least.
fn offered<'a>(role: Role, listed: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let nothing = json!({});
    let all = listed.chain(UNLISTED.iter().copied()).filter(|method| *method != "connect");
    all.filter(|method| needs(method, &nothing).is_some_and(|least| role >= least)).collect()
}

/// What somebody of that role may do, in the gateway's words.
fn scopes(role: Role) -> Vec<&'static str> {
    let all = [
        ("operator.read", "health"),
        ("operator.write", "chat.send"),
        ("operator.approvals", "exec.approval.list"),
        ("operator.questions", "question.list"),
        ("operator.pairing", "device.pair.list"),
        ("operator.admin", "config.patch"),
    ];
    all.into_iter()
        .filter(|(_, method)| needs(method, &json!({})).is_some_and(|least| role >= least))
        .map(|(scope, _)| scope)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(method: &str, params: &str) -> Result<Guest, (String, Gone)> {
        let params = RawValue::from_string(params.to_owned()).expect("JSON");
        let asked = Asked { id: "1".into(), method: method.into(), params: Some(&params) };
        check(&asked, 100).map_err(|refused| (refused.error.message, refused.gone))
    }

    #[test]
    fn whoever_speaks_the_protocol_comes_in_whatever_proof_they_bring() {
        for (params, tools) in [
            (r#"{"minProtocol":4,"maxProtocol":4}"#, false),
            (r#"{"minProtocol":3,"maxProtocol":5,"role":"operator","caps":["approvals","tool-events"]}"#, true),
            (
                r#"{"minProtocol":4,"maxProtocol":4,"auth":{"token":"t"},"device":{"id":"d"},"client":{"id":"x"}}"#,
                false,
            ),
        ] {
            assert_eq!(checked("connect", params), Ok(Guest { tools }), "{params}");
        }
    }

    #[test]
    fn nobody_else_comes_in() {
        for (method, params, gone) in [
            ("health", "{}", Gone::Handshake("connect comes first")),
            ("connect", "null", Gone::Handshake("invalid connect params")),
            ("connect", r#"{"minProtocol":"secret","maxProtocol":4}"#, Gone::Handshake("invalid connect params")),
            ("connect", r#"{"minProtocol":3,"maxProtocol":3}"#, Gone::Protocol),
            ("connect", r#"{"minProtocol":5,"maxProtocol":3}"#, Gone::Protocol),
            ("connect", r#"{"minProtocol":4,"maxProtocol":4,"role":"node"}"#, Gone::Handshake("operators only")),
        ] {
            let (message, then) = checked(method, params).expect_err(params);
            assert_eq!(then, gone, "{method} {params}");
            assert!(!message.contains("secret"), "{message}");
        }
    }

    #[test]
    fn a_role_has_the_scopes_of_what_it_may_have_called() {
        assert_eq!(scopes(Role::Operator), ["operator.read", "operator.write"]);
        assert_eq!(scopes(Role::Admin).len(), 6);
        let offered = offered(Role::Operator, ["health", "config.patch", "exec.approval.resolve"].into_iter());
        assert!(offered.contains(&"health") && offered.contains(&"sessions.usage"), "{offered:?}");
        assert!(!offered.iter().any(|method| ["config.patch", "exec.approval.resolve", "connect"].contains(method)));
    }
}
