//! Requests that hold a secret: taken only where nobody can listen, and what is wrong with one is said without a word of it.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::http::StatusCode;
use regatta_core::vault::SECRET_BYTES_MAX;
use serde::de::DeserializeOwned;

use crate::Problem;
use crate::auth::{Identity, Place, Via};

/// Largest body that brings a secret, in bytes: a value whose every byte is escaped, and room for the rest.
const BODY_BYTES_MAX: usize = 6 * SECRET_BYTES_MAX + (64 << 10);

/// Whether nobody else can listen: at the owner's socket, or over TLS.
pub(crate) fn is_private(identity: &Identity, place: &Place) -> bool {
    identity.via == Via::Socket || place.is_secure
}

/// Refuses a secret where others could listen.
pub(crate) fn private(identity: &Identity, place: &Place) -> Result<(), Problem> {
    if is_private(identity, place) {
        return Ok(());
    }
    Err(Problem::new(StatusCode::CONFLICT, "in_the_clear", "a secret is not taken over a connection without TLS")
        .hint("on the server's machine: regatta secret set NAME; or serve the page over TLS: --tls-cert and --tls-key"))
}

/// Reads a body that holds a secret: what is wrong with it is said without a word of it.
pub(crate) fn sensitive<T: DeserializeOwned>(body: Result<Bytes, BytesRejection>) -> Result<T, Problem> {
    let body = body?;
    if body.len() > BODY_BYTES_MAX {
        let detail = format!("the request's body is larger than {BODY_BYTES_MAX} bytes");
        return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", detail)
            .hint(format!("a secret has at most {SECRET_BYTES_MAX} bytes")));
    }
    serde_json::from_slice(&body).map_err(|error| {
        Problem::invalid(format!(
            "the body is not what is expected, at line {} column {}",
            error.line(),
            error.column()
        ))
    })
}
