//! Errors that come from below the handlers (a path that is not UTF-8, a method nobody takes) become problems, too.

use axum::body::to_bytes;
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use crate::Problem;

/// Largest plain error that is read, in bytes.
const ERROR_BYTES_MAX: usize = 4 << 10;

/// Answers with a problem where an error is none, and says that data is data: no browser shall guess what it is.
pub(crate) async fn mend(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let status = response.status();
    let is_problem =
        response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == "application/problem+json");
    if (status.is_client_error() || status.is_server_error()) && !is_problem {
        response = problem(status, response).await;
    }
    response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

async fn problem(status: StatusCode, response: Response) -> Response {
    let (parts, body) = response.into_parts();
    let said = to_bytes(body, ERROR_BYTES_MAX).await.unwrap_or_default();
    let said = String::from_utf8_lossy(&said).trim().to_owned();
    let detail = if said.is_empty() { status.canonical_reason().unwrap_or("it failed").to_lowercase() } else { said };
    let mut mended = Problem::new(status, name(status), detail).into_response();
    if let Some(allow) = parts.headers.get(header::ALLOW) {
        mended.headers_mut().insert(header::ALLOW, allow.clone());
    }
    mended
}

fn name(status: StatusCode) -> &'static str {
    match status {
        StatusCode::NOT_FOUND => "not_found",
        StatusCode::METHOD_NOT_ALLOWED => "method_not_allowed",
        StatusCode::PAYLOAD_TOO_LARGE => "too_large",
        StatusCode::UNSUPPORTED_MEDIA_TYPE => "unsupported_media_type",
        StatusCode::UNPROCESSABLE_ENTITY => "unusable",
        StatusCode::TOO_MANY_REQUESTS => "too_many_requests",
        status if status.is_client_error() => "invalid",
        _ => "internal",
    }
}
