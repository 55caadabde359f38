//! Counts requests by route, method and status, and how long they took until the answer began.

use axum::extract::{MatchedPath, Request};
use axum::middleware::Next;
use axum::response::Response;
use metrics::{counter, describe_counter, describe_histogram, histogram};
use tokio::time::Instant;

/// The route of a request that no route takes; its path is a stranger's text and would have no bound.
const NO_ROUTE: &str = "none";

const SECONDS: &str = "regatta_http_request_seconds";
const REQUESTS: &str = "regatta_http_requests_total";

/// Tells the recorder what is counted here.
pub(crate) fn describe_requests() {
    describe_histogram!(SECONDS, "Seconds from a request's arrival until its answer began, by route and method.");
    describe_counter!(REQUESTS, "Requests answered, by route, method and status.");
}

/// Counts one request.
pub(crate) async fn count(request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map_or(NO_ROUTE, MatchedPath::as_str).to_owned();
    let method = request.method().as_str().to_owned();
    let begun = Instant::now();
    let response = next.run(request).await;
    let status = response.status().as_u16().to_string();
    histogram!(SECONDS, "route" => route.clone(), "method" => method.clone()).record(begun.elapsed().as_secs_f64());
    counter!(REQUESTS, "route" => route, "method" => method, "status" => status).increment(1);
    response
}
