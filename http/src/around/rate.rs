//! How many requests one caller may make. Who is above it hears when to come again.

use std::num::NonZero;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota};

use crate::{Identity, Problem};

/// Requests of one caller per second, in the long run: a program that polls hard is far below it.
const REQUESTS_PER_SECOND_MAX: NonZero<u32> = NonZero::new(1_000).unwrap();
/// Requests of one caller at once.
const REQUESTS_BURST_MAX: NonZero<u32> = NonZero::new(4_000).unwrap();
/// Callers remembered before those that have been quiet are forgotten.
const CALLERS_MAX: usize = 10_000;

/// Who made how many. Clones share it.
#[derive(Clone)]
pub(crate) struct Rates(Arc<DefaultKeyedRateLimiter<String>>);

impl Default for Rates {
    fn default() -> Self {
        Self::of(Quota::per_second(REQUESTS_PER_SECOND_MAX).allow_burst(REQUESTS_BURST_MAX))
    }
}

impl Rates {
    fn of(quota: Quota) -> Self {
        Self(Arc::new(DefaultKeyedRateLimiter::keyed(quota)))
    }
}

/// Who a request comes from, for counting; who is not signed in is one caller with all others who are not.
pub(crate) fn caller(request: &Request) -> String {
    let identity = request.extensions().get::<Identity>();
    identity.map_or_else(String::new, |identity| format!("{:?} {}", identity.via, identity.name))
}

/// Lets a request through, or says when to come again.
pub(crate) async fn limit(State(rates): State<Rates>, request: Request, next: Next) -> Response {
    if rates.0.len() > CALLERS_MAX {
        rates.0.retain_recent();
    }
    match rates.0.check_key(&caller(&request)) {
        Ok(()) => next.run(request).await,
        Err(until) => too_many(until.wait_time_from(DefaultClock::default().now()).as_secs() + 1),
    }
}

fn too_many(wait_s: u64) -> Response {
    let detail = format!("more than {REQUESTS_PER_SECOND_MAX} requests per second");
    let mut response = Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", detail)
        .hint(format!("come again in {wait_s} s; GET /events/stream tells what changes without asking"))
        .into_response();
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(wait_s));
    response
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::Body;
    use axum::middleware::from_fn_with_state;
    use axum::routing::get;
    use tower::ServiceExt as _;

    use super::*;

    #[tokio::test]
    async fn who_asks_too_often_hears_when_to_come_again_and_others_are_answered() {
        // One more in an hour: the test may take as long as it likes.
        let quota = Quota::with_period(std::time::Duration::from_secs(3_600)).expect("a period");
        let rates = Rates::of(quota.allow_burst(NonZero::new(2).expect("two")));
        let router = Router::new().route("/", get(|| async { "yes" })).layer(from_fn_with_state(rates, limit));
        let ask = async |name: &str| {
            let mut request = axum::http::Request::get("/").body(Body::empty()).expect("request");
            request.extensions_mut().insert(Identity::owner(name));
            router.clone().oneshot(request).await.expect("an answer")
        };
        assert_eq!((ask("ana").await.status(), ask("ana").await.status()), (StatusCode::OK, StatusCode::OK));
        let third = ask("ana").await;
        assert_eq!(third.status(), StatusCode::TOO_MANY_REQUESTS);
        assert!(third.headers().contains_key(header::RETRY_AFTER));
        assert_eq!(ask("bob").await.status(), StatusCode::OK);
    }
}
