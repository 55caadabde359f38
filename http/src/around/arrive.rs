//! A request's body comes whole before anything is done with it: in bounded time, and bounded in size; much smaller from
//! whoever is not signed in.

use std::time::Duration;

use axum::body::{Body, HttpBody as _, to_bytes};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use crate::{Identity, Problem, REQUEST_BODY_BYTES_MAX, problem};

/// How long a body may take to come, however large.
pub(crate) const BODY_MAX: Duration = Duration::from_secs(30);
/// Largest body of somebody who is not signed in: a token to sign in with, and room for the rest.
const STRANGER_BODY_BYTES_MAX: usize = 16 << 10;

/// Lets a request on once its body is here.
pub(crate) async fn arrive(State(time): State<Duration>, request: Request, next: Next) -> Response {
    if request.body().is_end_stream() {
        return next.run(request).await;
    }
    let is_known = request.extensions().get::<Identity>().is_some();
    let bytes_max = if is_known { REQUEST_BODY_BYTES_MAX } else { STRANGER_BODY_BYTES_MAX };
    let (parts, body) = request.into_parts();
    if body.size_hint().lower() > bytes_max as u64 {
        return problem::too_large(bytes_max).into_response();
    }
    match tokio::time::timeout(time, to_bytes(body, bytes_max)).await {
        Ok(Ok(bytes)) => next.run(Request::from_parts(parts, Body::from(bytes))).await,
        Ok(Err(error)) if is_too_large(&error) => problem::too_large(bytes_max).into_response(),
        Ok(Err(error)) => Problem::invalid(format!("the body did not come to its end: {error}")).into_response(),
        Err(_) => {
            let detail = format!("the body was not here within {} s", time.as_secs());
            Problem::new(StatusCode::REQUEST_TIMEOUT, "body_too_slow", detail).hint("send it at once").into_response()
        }
    }
}

fn is_too_large(error: &axum::Error) -> bool {
    let mut cause = Some(error as &(dyn std::error::Error + 'static));
    while let Some(error) = cause {
        if error.is::<http_body_util::LengthLimitError>() {
            return true;
        }
        cause = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use axum::Router;
    use axum::body::Bytes;
    use axum::extract::DefaultBodyLimit;
    use axum::middleware::from_fn_with_state;
    use axum::routing::post;
    use futures_util::{StreamExt as _, stream};
    use tower::ServiceExt as _;

    use super::*;

    async fn sends(body: Body, is_known: bool) -> StatusCode {
        let layer = from_fn_with_state(Duration::from_millis(50), arrive);
        let router = Router::new().route("/", post(|body: Bytes| async move { body.len().to_string() }));
        let router = router.layer(layer).layer(DefaultBodyLimit::disable());
        let mut request = axum::http::Request::post("/").body(body).expect("request");
        if is_known {
            request.extensions_mut().insert(Identity::owner("ana"));
        }
        router.oneshot(request).await.expect("an answer").status()
    }

    fn drops(count: usize) -> impl futures_util::Stream<Item = Result<Bytes, Infallible>> {
        stream::iter(0..count).map(|_| Ok(Bytes::from_static(b"x")))
    }

    #[tokio::test]
    async fn a_body_that_does_not_come_in_time_is_not_waited_for() {
        assert_eq!(sends(Body::from_stream(drops(10)), true).await, StatusCode::OK);
        let never = drops(10).chain(stream::pending());
        assert_eq!(sends(Body::from_stream(never), true).await, StatusCode::REQUEST_TIMEOUT);
    }

    #[tokio::test]
    async fn who_is_not_signed_in_may_send_little() {
        for (bytes, is_known, status) in [
            (STRANGER_BODY_BYTES_MAX, false, StatusCode::OK),
            (STRANGER_BODY_BYTES_MAX + 1, false, StatusCode::PAYLOAD_TOO_LARGE),
            (STRANGER_BODY_BYTES_MAX + 1, true, StatusCode::OK),
            (REQUEST_BODY_BYTES_MAX, true, StatusCode::OK),
            (REQUEST_BODY_BYTES_MAX + 1, true, StatusCode::PAYLOAD_TOO_LARGE),
        ] {
            assert_eq!(sends(Body::from(vec![b'x'; bytes]), is_known).await, status, "{bytes} {is_known}");
        }
    }
}
