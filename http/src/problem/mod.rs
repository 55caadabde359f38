//! Errors as RFC 9457 problems: a stable `type`, one sentence, and what to do. Internal causes go to the server's log,
//! never to the client.

pub(crate) mod types;

use std::path::Path;

use axum::Json;
use axum::extract::rejection::{BytesRejection, PathRejection, QueryRejection};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use regatta_core::cleaning::Missing;
use regatta_core::{ReadError, blob};
use regatta_dispatcher::compose::{Conflict, NotComposed};
use regatta_dispatcher::{Refusal, RefusalKind};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use types::TYPES;

/// What stands before the name of a problem in `type`.
pub const TYPE_PREFIX: &str = "/problems/";

/// A problem as it crosses the wire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// `/problems/<name>`; stable.
    #[serde(rename = "type")]
    pub kind: String,
    /// The name in words; the same for every problem of that type.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What is wrong this time.
    pub detail: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub hint: Option<String>,
    /// For `conflicts`: what does not go together.
    #[serde(default, skip_serializing_if = "<[_]>::is_empty")]
    #[schema(value_type = Vec<Conflict>)]
    pub conflicts: Box<[Conflict]>,
}

impl Problem {
    /// A problem of the given name (snake case).
    #[must_use]
    pub fn new(status: StatusCode, name: &str, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("{TYPE_PREFIX}{name}"),
            title: name.replace('_', " "),
            status: status.as_u16(),
            detail: detail.into(),
            hint: None,
            conflicts: Box::default(),
        }
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The name alone, without the prefix.
    #[must_use]
    pub fn name(&self) -> &str {
        self.kind.strip_prefix(TYPE_PREFIX).unwrap_or(&self.kind)
    }

    pub(crate) fn invalid(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid", detail)
    }

    pub(crate) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", detail)
    }

    pub(crate) fn internal(what: &str, error: &(dyn std::error::Error + 'static)) -> Self {
        tracing::error!(error, what, "request failed");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", format!("the server failed to {what}"))
            .hint("the reason is in the server's own output; `regatta log verify` checks the log")
    }
}

/// The request's body is too large.
pub(crate) fn too_large(bytes_max: usize) -> Problem {
    let detail = format!("the request's body is larger than {bytes_max} bytes");
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", detail)
        .hint("put the long part into a file of the repository and name it in the prompt")
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(self)).into_response();
        let content_type = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, content_type);
        response
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let (status, name) = match refusal.kind {
            RefusalKind::Invalid => (StatusCode::BAD_REQUEST, "invalid"),
            RefusalKind::Forbidden => (StatusCode::FORBIDDEN, "forbidden"),
            RefusalKind::NotFound => (StatusCode::NOT_FOUND, "not_found"),
            RefusalKind::Archived => (StatusCode::GONE, "archived"),
            RefusalKind::Cleaned => (StatusCode::GONE, "cleaned"),
            RefusalKind::WrongState => (StatusCode::CONFLICT, "wrong_state"),
            RefusalKind::Repository => (StatusCode::UNPROCESSABLE_ENTITY, "repository"),
            RefusalKind::Unusable => (StatusCode::UNPROCESSABLE_ENTITY, "unusable"),
            RefusalKind::KeyReused => (StatusCode::UNPROCESSABLE_ENTITY, "key_reused"),
            RefusalKind::Busy => (StatusCode::TOO_MANY_REQUESTS, "busy"),
            RefusalKind::ReadOnly => (StatusCode::SERVICE_UNAVAILABLE, "read_only"),
            RefusalKind::Unknown => (StatusCode::INTERNAL_SERVER_ERROR, "unknown"),
        };
        let problem = Self::new(status, name, refusal.message);
        Self { hint: refusal.hint, ..problem }
    }
}

impl From<NotComposed> for Problem {
    fn from(not: NotComposed) -> Self {
        let conflicts = match not {
            NotComposed::Refused(refusal) => return refusal.into(),
            NotComposed::Conflicts(conflicts) => conflicts,
        };
        let count = conflicts.len();
        let detail =
            format!("what is chosen does not go together in {count} {}", if count == 1 { "place" } else { "places" });
        let problem = Self::new(StatusCode::CONFLICT, "conflicts", detail).hint("leave out one of each two");
        Self { conflicts: conflicts.into(), ..problem }
    }
}

impl From<ReadError> for Problem {
    fn from(error: ReadError) -> Self {
        match &error {
            ReadError::Removed { archive, .. } => archived(error.to_string(), archive.as_deref()),
            ReadError::Corrupt { .. } | ReadError::Io(_) => Self::internal("read the log", &error),
        }
    }
}

/// What was asked for was removed from the log.
pub(crate) fn archived(detail: impl Into<String>, archive: Option<&Path>) -> Problem {
    let whole = match archive {
        Some(folder) => format!("regatta --data-dir NEW log restore --from {}", folder.display()),
        None => "regatta --data-dir NEW log restore --from BACKUP".to_owned(),
    };
    Problem::new(StatusCode::GONE, "archived", detail).hint(format!("to look at all there ever was: {whole}"))
}

/// What an attempt left is in an archive, or gone.
impl From<Missing> for Problem {
    fn from(missing: Missing) -> Self {
        Self { hint: missing.hint, ..Self::new(StatusCode::GONE, "cleaned", missing.message) }
    }
}

impl From<blob::Error> for Problem {
    fn from(error: blob::Error) -> Self {
        Self::internal("read a blob", &error)
    }
}

impl From<QueryRejection> for Problem {
    fn from(rejection: QueryRejection) -> Self {
        let said = rejection.body_text();
        let what = said.strip_prefix("Failed to deserialize query string: ").unwrap_or(&said);
        Self::invalid(format!("the query is not what is expected: {what}"))
    }
}

impl From<PathRejection> for Problem {
    fn from(rejection: PathRejection) -> Self {
        Self::invalid(rejection.body_text())
    }
}

impl From<BytesRejection> for Problem {
    fn from(rejection: BytesRejection) -> Self {
        Self::invalid(rejection.body_text())
    }
}
