//! Why a gateway does not let us in, whether asking again helps, and what a person can do. Pure.

use crate::frame::RpcError;

/// Why a handshake was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The credential is wrong, missing, outdated or too narrow.
    #[error("{message}")]
    Credential {
        /// The gateway's code, such as `AUTH_TOKEN_MISMATCH`.
        code: String,
        /// The gateway's sentence.
        message: String,
    },
    /// A person must approve this device on the gateway first.
    #[error("the gateway does not know this device yet")]
    Pairing {
        /// What is to be approved; nothing when the gateway did not say.
        request: Option<String>,
    },
    /// It speaks another protocol.
    #[error("the gateway speaks protocol {expected}, this version of regatta speaks {}", crate::PROTOCOL)]
    Protocol {
        /// The one it speaks.
        expected: u64,
    },
    /// It has refused too often and does not listen for a while.
    #[error("the gateway refuses everybody from here for a while, after too many wrong credentials")]
    Limited {
        /// How long, in milliseconds.
        retry_after_ms: u64,
    },
    /// It is still starting.
    #[error("the gateway is still starting")]
    Starting {
        /// When to ask again, in milliseconds.
        retry_after_ms: u64,
    },
    /// It ends, and takes nobody new.
    #[error("the gateway is shutting down")]
    Draining,
    /// It, or a proxy before it, refused the upgrade to a WebSocket.
    #[error("the gateway answered the upgrade with HTTP {status}")]
    Upgrade {
        /// The status.
        status: u16,
    },
    /// Anything else.
    #[error("{message}")]
    Other {
        /// The finest code it gave.
        code: String,
        /// The gateway's sentence.
        message: String,
    },
}

/// Whether asking again helps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// Not before somebody changed something: asking again would lock us out or flood the gateway.
    Never,
    /// As after any lost connection.
    Backoff,
    /// Yes, and it said when, in milliseconds.
    After(u64),
}

/// When to ask again where a gateway that starts does not say.
const STARTING_MS: u64 = 500;

/// Longest id of a request, in bytes.
const REQUEST_BYTES_MAX: usize = 128;

/// An id that a person can be told to type in a shell.
fn plain(id: &str) -> Option<String> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let fits = (1..=REQUEST_BYTES_MAX).contains(&id.len()) && !id.starts_with('-') && id.bytes().all(is_plain);
    fits.then(|| id.to_owned())
}

impl Refusal {
    /// What an error that answers the first call means.
    #[must_use]
    pub fn of(error: &RpcError) -> Self {
        let code = error.detail().unwrap_or(&error.code).to_owned();
        let message = error.message.clone();
        let number = |field: &str| error.details.as_ref().and_then(|details| details.get(field)?.as_u64());
        match code.as_str() {
            "PAIRING_REQUIRED" => Self::Pairing { request: error.detail_text("requestId").and_then(plain) },
            "AUTH_RATE_LIMITED" => Self::Limited { retry_after_ms: error.retry_after_ms.unwrap_or(300_000) },
            "PROTOCOL_MISMATCH" => match number("expectedProtocol") {
                Some(expected) => Self::Protocol { expected },
                None => Self::Other { code, message },
            },
            "startup-sidecars" => Self::Starting { retry_after_ms: error.retry_after_ms.unwrap_or(STARTING_MS) },
            _ if code.starts_with("AUTH_") || code.starts_with("DEVICE_AUTH_") => Self::Credential { code, message },
            _ if error.code == "UNAVAILABLE" && error.retryable == Some(true) => {
                Self::Starting { retry_after_ms: error.retry_after_ms.unwrap_or(STARTING_MS) }
            }
            _ => Self::Other { code, message },
        }
    }

    /// What an HTTP answer in place of an upgrade means.
    #[must_use]
    pub fn of_upgrade(status: u16) -> Self {
        if status == 503 { Self::Draining } else { Self::Upgrade { status } }
    }

    /// Whether asking again helps.
    #[must_use]
    pub fn retry(&self) -> Retry {
        match self {
            Self::Credential { .. } | Self::Pairing { .. } | Self::Protocol { .. } | Self::Other { .. } => Retry::Never,
            Self::Limited { .. } => Retry::Never,
            Self::Starting { retry_after_ms } => Retry::After(*retry_after_ms),
            Self::Draining => Retry::Backoff,
            Self::Upgrade { status } if (500..600).contains(status) => Retry::Backoff,
            Self::Upgrade { .. } => Retry::Never,
        }
    }

    /// What a person can do about it.
    #[must_use]
    pub fn advice(&self) -> Option<String> {
        Some(match self {
            Self::Credential { code, .. } if code == "AUTH_SCOPE_MISMATCH" => {
                "the device's token allows less than is asked for; connect once with the gateway's shared token"
                    .to_owned()
            }
            Self::Credential { code, .. } if code.starts_with("DEVICE_AUTH_") => {
                "a new device is needed: remove the secret gateway-device, and start the server again".to_owned()
            }
            Self::Credential { .. } => {
                "the gateway's token is `gateway.auth.token` in its openclaw.json; remove the gateway here and add it \
                 again with that one"
                    .to_owned()
            }
            Self::Pairing { request: Some(request) } => {
                format!("on the gateway's machine run: openclaw devices approve {request}")
            }
            Self::Pairing { request: None } => "on the gateway's machine run: openclaw devices list".to_owned(),
            Self::Protocol { .. } => "update regatta or the gateway".to_owned(),
            Self::Limited { retry_after_ms } => {
                format!("check the token, then connect again in {} s", retry_after_ms.div_ceil(1_000))
            }
            Self::Upgrade { status: 403 } => {
                "a proxy on the way adds forwarding headers the gateway does not trust; name the proxy in its \
                 `gateway.trustedProxies`, or connect without it"
                    .to_owned()
            }
            Self::Upgrade { .. } => "check that the address is the gateway's own".to_owned(),
            Self::Starting { .. } | Self::Draining | Self::Other { .. } => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_request_that_is_more_than_a_name_is_not_told_to_anybody_who_types_it() {
        let requests = [
            ("9b9308d3-e11e-45df", Some("9b9308d3-e11e-45df")),
            ("x; rm -rf ~", None),
            ("$(reboot)", None),
            ("--all", None),
            ("x\u{1b}[2J", None),
            ("", None),
            (&"x".repeat(REQUEST_BYTES_MAX + 1), None),
        ];
        for (request, told) in requests {
            let details = json!({ "code": "PAIRING_REQUIRED", "requestId": request });
            let error = json!({ "code": "NOT_PAIRED", "message": "pairing required", "details": details });
            let error: RpcError = serde_json::from_value(error).expect("an error");
            assert_eq!(Refusal::of(&error), Refusal::Pairing { request: told.map(str::to_owned) }, "{request}");
        }
    }
}
