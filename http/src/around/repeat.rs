//! A repeated POST: the same `Idempotency-Key` of the same caller on the same path returns the first answer and does
//! nothing. Answers as they were given are kept in memory, bounded. After a restart a handler answers from the log, where
//! the key stands on what the first request did: for that the request carries a [`CommandKey`] that stands for all this.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use regatta_core::BlobRef;
use regatta_dispatcher::CommandKey;
use tokio::sync::OnceCell;

use super::rate::caller;
use crate::{IDEMPOTENCY_HEADER, Problem, REQUEST_BODY_BYTES_MAX};

/// Most answers kept; the oldest makes room.
const ANSWERS_MAX: usize = 4_096;
/// Largest answer that is kept, in bytes; a larger one is given once.
const ANSWER_BYTES_MAX: usize = 64 << 10;
/// Says that an answer was given before.
const REPEATED: &str = "idempotency-replayed";

/// An answer as it was given.
#[derive(Debug, Clone)]
struct Answer {
    /// Of the request's body.
    hash: String,
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

type Place = Arc<OnceCell<Answer>>;

/// Answers by caller, path and key. Clones share them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Answers(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    places: HashMap<String, Place>,
    order: VecDeque<String>,
}

impl Answers {
    /// The place of an answer, whether there is one already or not.
    fn place(&self, name: String) -> Place {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = kept.places.get(&name) {
            return Arc::clone(place);
        }
        while kept.order.len() >= ANSWERS_MAX {
            let oldest = kept.order.pop_front();
            oldest.map(|oldest| kept.places.remove(&oldest));
        }
        let place = Place::default();
        kept.places.insert(name.clone(), Arc::clone(&place));
        kept.order.push_back(name);
        place
    }
}

/// Answers a repeat with the first answer; lets everything else through.
pub(crate) async fn answer(State(answers): State<Answers>, request: Request, next: Next) -> Response {
    let key = request.headers().get(IDEMPOTENCY_HEADER).filter(|_| request.method() == Method::POST);
    let Some(key) = key.and_then(|key| str::from_utf8(key.as_bytes()).ok()).map(str::to_owned) else {
        return next.run(request).await;
    };
    let name = format!("{}\n{}\n{key}", caller(&request), request.uri());
    let (mut parts, body) = request.into_parts();
    // It is here already, and bounded.
    let body = match to_bytes(body, REQUEST_BODY_BYTES_MAX).await {
        Ok(body) => body,
        Err(error) => return Problem::invalid(error.to_string()).into_response(),
    };
    let hash = BlobRef::of(&body).hash;
    parts.extensions.insert(command_key(&name, &hash));
    let place = answers.place(name);
    let mut is_first = false;
    let kept = place
        .get_or_try_init(|| {
            is_first = true;
            let request = Request::from_parts(parts, Body::from(body));
            given(next, request, hash.clone())
        })
        .await;
    match kept {
        Ok(kept) if kept.hash != hash => other_body().into_response(),
        Ok(kept) => kept.again(is_first),
        Err(response) => response,
    }
}

/// Bytes of a hash, in hexadecimal, that stand for what a key is about, and for what was asked under it.
const KEY_NAME_BYTES: usize = 32;
const KEY_CONTENT_BYTES: usize = 16;

fn command_key(name: &str, body_hash: &str) -> CommandKey {
    let short = |hash: &str, bytes| hash.get(..bytes).unwrap_or(hash).into();
    CommandKey {
        name: short(&BlobRef::of(name.as_bytes()).hash, KEY_NAME_BYTES),
        content: short(body_hash, KEY_CONTENT_BYTES),
    }
}

/// Runs the request. What is not worth keeping comes back as it is.
async fn given(next: Next, request: Request, hash: String) -> Result<Answer, Response> {
    let response = next.run(request).await;
    let status = response.status();
    // Trouble of the moment: asking again is what the key is for.
    if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
        return Err(response);
    }
    let (parts, body) = response.into_parts();
    match to_bytes(body, ANSWER_BYTES_MAX).await {
        Ok(body) => Ok(Answer { hash, status, headers: parts.headers, body }),
        Err(error) => Err(Problem::internal("keep an answer", &error).into_response()),
    }
}

impl Answer {
    fn again(&self, is_first: bool) -> Response {
        let mut response = (self.status, self.body.clone()).into_response();
        *response.headers_mut() = self.headers.clone();
        if !is_first {
            response.headers_mut().insert(REPEATED, HeaderValue::from_static("true"));
        }
        response
    }
}

fn other_body() -> Problem {
    regatta_dispatcher::asked::reused().into()
}
