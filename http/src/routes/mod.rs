//! The routes of `/api/v1`, one file per thing they are about.

#![expect(unused_qualifications, reason = "the macro that describes a route writes them")]

mod approvals;
mod artifacts;
mod attempts;
mod commands;
mod compare;
mod compose;
mod disk;
pub(crate) mod door;
mod events;
mod fleet;
mod gateways;
mod live;
mod looking;
mod output;
mod pieces;
mod premises;
mod remarks;
mod rules;
mod runs;
mod sandboxes;
mod secrets;
mod server;
mod sign_in;
mod threads;
mod timeline;
mod tokens;
mod usage;
mod users;

use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use regatta_core::Actor;
use regatta_core::id::InvalidId;
use regatta_dispatcher::{Asked, CommandKey};
use regatta_projections::Can;
use serde::de::DeserializeOwned;
use utoipa_axum::router::OpenApiRouter;

use crate::auth::may;
use crate::problem::types;
use crate::{CATCHING_UP_HEADER, IDEMPOTENCY_HEADER, Identity, Plane, Problem, around, numbers, page};

pub use approvals::{AnswerOutcome, AnswersBody};
pub use gateways::{GatewayBody, GatewaysBody};
pub use rules::{RulePreview, RulesBody};

/// Every route of `/api/v1`, with what `schemas/openapi.json` says of it. A route is added here, by `routes!` in the
/// file of what it is about, so that none can be without its description.
pub(crate) fn described() -> OpenApiRouter<Plane> {
    OpenApiRouter::new()
        .merge(runs::routes())
        .merge(commands::routes())
        .merge(compare::routes())
        .merge(compose::routes())
        .merge(timeline::routes())
        .merge(attempts::routes())
        .merge(artifacts::routes())
        .merge(output::routes())
        .merge(pieces::routes())
        .merge(events::routes())
        .merge(live::routes())
        .merge(fleet::routes())
        .merge(sandboxes::routes())
        .merge(disk::routes())
        .merge(server::routes())
        .merge(sign_in::routes())
        .merge(tokens::routes())
        .merge(users::routes())
        .merge(premises::routes())
        .merge(secrets::routes())
        .merge(gateways::routes())
        .merge(approvals::routes())
        .merge(rules::routes())
        .merge(threads::routes())
        .merge(usage::routes())
}

/// The whole API over one plane.
pub fn router(plane: Plane) -> Router {
    let auth = plane.auth.clone();
    let page = Router::new().route("/sign-in", get(sign_in::by_link)).with_state(plane.clone());
    let (v1, _) = described().split_for_parts();
    let v1 = v1.fallback(no_such_route).method_not_allowed_fallback(no_such_method).with_state(plane.clone());
    let v1 = v1.layer(axum::middleware::from_fn_with_state(plane.clone(), told_when_behind));
    let (door, _) = door::routes().split_for_parts();
    let door = door.with_state(plane.clone());
    let rest = Router::new().merge(numbers::routes(plane)).merge(types::routes()).merge(page);
    let all = rest.nest(API, around::api(v1)).nest(door::PREFIX, around::api(door)).fallback(outside);
    // Whoever is turned away at the gate is counted all the same.
    around::everything(all.layer(axum::middleware::from_fn_with_state(auth, crate::auth::guard)))
}

/// Says with every answer that the views are far behind the log, when they are.
async fn told_when_behind(
    axum::extract::State(plane): axum::extract::State<Plane>,
    request: Request,
    next: axum::middleware::Next,
) -> Response {
    // Before the answer: it shows no more than what the views held then, or a little more.
    let behind = plane.catching_up();
    let mut answer = next.run(request).await;
    let told = behind.and_then(|shown| HeaderValue::try_from(format!("{shown}/{}", plane.log.head())).ok());
    if let Some(told) = told {
        answer.headers_mut().insert(CATCHING_UP_HEADER, told);
    }
    answer
}

/// Outside the API stands the page.
async fn outside(request: Request) -> Response {
    if page::is_page(&request) {
        return page::serve(request.uri().path(), request.headers());
    }
    absent(request.uri().path()).into_response()
}

/// Routes under it are nested, so their handlers see a path without it.
const API: &str = "/api/v1";

async fn no_such_route(uri: axum::http::Uri) -> Problem {
    absent(&format!("{API}{}", uri.path()))
}

fn absent(path: &str) -> Problem {
    Problem::not_found(format!("there is no {path}"))
        .hint("routes begin with /api/v1; GET /api/v1/openapi.json lists all")
}

async fn no_such_method(method: axum::http::Method, uri: axum::http::Uri) -> Problem {
    let detail = format!("the path {API}{} does not take {method}", uri.path());
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail)
}

/// Who gives a command (see [`crate::auth`]), and its idempotency key.
struct Caller {
    actor: Actor,
    /// Stands for the caller, the path and the key they sent: the same key of another caller is another one.
    key: Option<CommandKey>,
}

impl Caller {
    /// Who asks for something to be done, and under which key it is remembered that it was.
    fn asked(self) -> Asked {
        Asked { by: self.actor, key: self.key }
    }
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
        if text(IDEMPOTENCY_HEADER)?.is_some_and(|key| key.is_empty() || key.len() > IDEMPOTENCY_KEY_BYTES_MAX) {
            let detail = format!("{IDEMPOTENCY_HEADER} must have 1 to {IDEMPOTENCY_KEY_BYTES_MAX} bytes");
            return Err(Problem::invalid(detail));
        }
        Ok(Self { actor, key: parts.extensions.get().cloned() })
    }
}

/// Offers only what the caller may do.
fn narrow(can: &mut Vec<Can>, identity: &Identity) {
    can.retain(|can| may(identity.role, *can));
}

/// A route that anyone may use does not know its caller.
fn nobody() -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, "not_signed_in", "nobody is signed in")
}

/// Longest idempotency key; leaves the dispatcher room for a prefix within the log's own bound.
pub(crate) const IDEMPOTENCY_KEY_BYTES_MAX: usize = 96;

/// A request's body, or why it could not be read.
type Body = Result<Bytes, BytesRejection>;

/// How long a command waits for the views to show what came of it. Views that are built anew take longer.
const SEEN_MAX: Duration = Duration::from_secs(5);

/// Waits until the views show what was just decided, so that whoever asks next sees their own command's effect.
async fn seen(plane: &Plane) {
    // When the views have stopped, so has the server; the command stands all the same.
    tokio::time::timeout(SEEN_MAX, plane.live.wait_for(plane.log.head())).await.ok();
}

/// Reads a JSON body. An empty one and `null` count as `{}`, so that a POST without options needs none.
fn json<T: DeserializeOwned>(body: Result<Bytes, BytesRejection>) -> Result<T, Problem> {
    let body = body?;
    let text: &[u8] = if body.is_empty() || body == "null" { b"{}" } else { &body };
    serde_json::from_slice(text).map_err(|error| Problem::invalid(format!("the body is not what is expected: {error}")))
}

/// Reads an id out of the path.
fn id<T: std::str::FromStr<Err = InvalidId>>(text: &str) -> Result<T, Problem> {
    let wrong = |error: InvalidId| Problem::invalid(format!("this is not {}: {:?}", error.what, error.text));
    text.parse().map_err(wrong)
}
