//! The routes of `/api/v1`, one file per thing they are about.

mod attempts;
mod compose;
mod events;
mod looking;
mod pieces;
mod premises;
mod runs;
mod server;
mod sign_in;
mod tokens;
mod users;
mod views;

use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, FromRequestParts, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use regatta_core::Actor;
use serde::de::DeserializeOwned;

use crate::{IDEMPOTENCY_HEADER, Identity, Plane, Problem, REQUEST_BODY_BYTES_MAX, page};

/// The whole API over one plane.
pub fn router(plane: Plane) -> Router {
    let auth = plane.auth.clone();
    let page = Router::new().route("/sign-in", get(sign_in::by_link)).with_state(plane.clone());
    let v1 = Router::new()
        .route("/runs", get(views::runs).post(runs::request))
        .route("/runs/{run}", get(views::run))
        .route("/runs/{run}/compare", get(views::compare))
        .route("/runs/{run}/timeline", get(views::run_timeline))
        .route("/runs/{run}/pick", post(runs::pick))
        .route("/runs/{run}/cancel", post(runs::cancel))
        .route("/runs/{run}/attempts/{slot}/restore", post(runs::restore))
        .route("/attempts/{attempt}", get(views::attempt))
        .route("/attempts/{attempt}/diff", get(attempts::diff))
        .route("/attempts/{attempt}/files", get(compose::files))
        .route("/attempts/{attempt}/files/{*path}", get(compose::file))
        .route("/runs/{run}/merge-preview", get(compose::merge_preview))
        .route("/attempts/{attempt}/output", get(attempts::output))
        .route("/attempts/{attempt}/pieces", get(pieces::pieces))
        .route("/events", get(events::page))
        .route("/events/stream", get(events::stream))
        .route("/fleet", get(views::fleet))
        .route("/health", get(server::health))
        .route("/shutdown", post(server::shutdown))
        .merge(sign_in::routes())
        .merge(tokens::routes())
        .merge(users::routes())
        .merge(premises::routes())
        .fallback(no_such_route)
        .method_not_allowed_fallback(no_such_method)
        .layer(DefaultBodyLimit::max(REQUEST_BODY_BYTES_MAX))
        .with_state(plane);
    Router::new()
        .nest("/api/v1", v1)
        .merge(page)
        .fallback(outside)
        .layer(axum::middleware::from_fn_with_state(auth, crate::auth::guard))
}

/// Outside the API stands the page.
async fn outside(request: Request) -> Response {
    if page::is_page(&request) {
        return page::serve(request.uri().path(), request.headers());
    }
    no_such_route(request.uri().clone()).await.into_response()
}

async fn no_such_route(uri: axum::http::Uri) -> Problem {
    Problem::not_found(format!("there is no {}", uri.path())).hint("every route begins with /api/v1")
}

async fn no_such_method(method: axum::http::Method, uri: axum::http::Uri) -> Problem {
    let detail = format!("{} does not take {method}", uri.path());
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail)
}

/// Who gives a command (see [`crate::auth`]), and its idempotency key.
struct Caller {
    actor: Actor,
    key: Option<String>,
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let text = |name: &str| -> Result<Option<String>, Problem> {
            let Some(value) = parts.headers.get(name) else { return Ok(None) };
            let text = str::from_utf8(value.as_bytes());
            text.map(|text| Some(text.to_owned())).map_err(|_| Problem::invalid(format!("{name} is not UTF-8")))
        };
        let identity = parts.extensions.get::<Identity>().ok_or_else(nobody)?;
        let actor = Actor::user(&identity.name);
        let key = text(IDEMPOTENCY_HEADER)?;
        if key.as_ref().is_some_and(|key| key.is_empty() || key.len() > IDEMPOTENCY_KEY_BYTES_MAX) {
            let detail = format!("{IDEMPOTENCY_HEADER} must have 1 to {IDEMPOTENCY_KEY_BYTES_MAX} bytes");
            return Err(Problem::invalid(detail));
        }
        Ok(Self { actor, key })
    }
}

/// A route that anyone may use does not know its caller.
fn nobody() -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, "not_signed_in", "nobody is signed in")
}

/// Longest idempotency key; leaves the dispatcher room for a prefix within the log's own bound.
const IDEMPOTENCY_KEY_BYTES_MAX: usize = 96;

/// Reads a JSON body. An empty one counts as `{}`, so that a POST without options needs none.
fn json<T: DeserializeOwned>(body: Result<Bytes, BytesRejection>) -> Result<T, Problem> {
    let body = body?;
    let text: &[u8] = if body.is_empty() { b"{}" } else { &body };
    serde_json::from_slice(text).map_err(|error| Problem::invalid(format!("the body is not what is expected: {error}")))
}

/// Reads an id out of the path.
fn id<T: std::str::FromStr<Err = regatta_core::id::InvalidId>>(text: &str) -> Result<T, Problem> {
    text.parse().map_err(|error: regatta_core::id::InvalidId| Problem::invalid(error.to_string()))
}
