//! What stands around every route: bounds, stable answers to repeats, problems instead of plain errors, counts. Knows
//! nothing of what any route does.

mod arrive;
mod count;
mod mend;
mod rate;
mod repeat;

use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{NotForContentType, Predicate as _, SizeAbove};

pub(crate) use count::describe_requests;

use crate::Problem;

/// How long a request may take until its answer begins: a moment of long ago is folded from the log.
const ANSWER_MAX: Duration = Duration::from_secs(120);
/// Answers smaller than this are not worth compressing, in bytes.
const COMPRESS_BYTES_MIN: u64 = 1_024;

/// Puts around the routes of the API what they need. The last layer named is the first one a request meets. Bodies are
/// bounded where they arrive, so not again where they are read.
pub(crate) fn api(routes: Router) -> Router {
    routes
        .layer(middleware::from_fn_with_state(repeat::Answers::default(), repeat::answer))
        .layer(middleware::from_fn(in_time))
        .layer(middleware::from_fn_with_state(arrive::BODY_MAX, arrive::arrive))
        .layer(middleware::from_fn_with_state(rate::Rates::default(), rate::limit))
        .layer(DefaultBodyLimit::disable())
        .layer(middleware::from_fn(mend::mend))
}

/// Puts around the API and the page what both need.
pub(crate) fn everything(routes: Router) -> Router {
    let worth_it = SizeAbove::new(COMPRESS_BYTES_MIN).and(NotForContentType::const_new("text/event-stream"));
    routes.layer(CompressionLayer::new().compress_when(worth_it)).layer(middleware::from_fn(count::count))
}

/// Bounds how long an answer may be waited for.
async fn in_time(request: Request, next: Next) -> Response {
    let late = |_| {
        let detail = format!("there was no answer within {} s", ANSWER_MAX.as_secs());
        Problem::new(StatusCode::GATEWAY_TIMEOUT, "too_slow", detail).hint("ask for less, or again").into_response()
    };
    tokio::time::timeout(ANSWER_MAX, next.run(request)).await.unwrap_or_else(late)
}
