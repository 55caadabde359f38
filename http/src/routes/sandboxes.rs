//! Where attempts run: what providers can do, which sandboxes there are, and what people do with them.

use std::convert::Infallible;

use axum::Json;
use axum::body::{Body as Answer, Bytes};
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use regatta_core::SandboxKey;
use regatta_core::event::attempt::Channel;
use regatta_dispatcher::executor::Piece;
use regatta_dispatcher::sandboxes::{ProviderRow, Reaping};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::looking::{Asked, look};
use super::{Body, Caller, id, json, seen};
use crate::requests::{ExecPiece, ExecRequest, ForkMade, ForkRequest, SandboxBody, SandboxesBody};
use crate::{IDEMPOTENCY_HEADER, Plane, Problem};

/// How long a command may run when nobody says, in milliseconds.
const EXEC_MS_DEFAULT: u64 = 10 * 60 * 1_000;
/// In milliseconds.
const HOUR_MS: u64 = 60 * 60 * 1_000;
/// How long a copy is kept when nobody says, in milliseconds.
const FORK_MS_DEFAULT: u64 = HOUR_MS;

pub(super) fn routes() -> OpenApiRouter<Plane> {
    OpenApiRouter::new()
        .routes(routes!(providers))
        .routes(routes!(list))
        .routes(routes!(remove))
        .routes(routes!(exec))
        .routes(routes!(fork))
        .routes(routes!(reap))
}

/// Names a sandbox.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
struct KeyPath {
    /// Its deterministic name.
    #[param(example = "regatta-abcd-7q2k9x0m-b-1")]
    key: String,
}

/// How a sandbox is removed.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct RemoveQuery {
    /// Also when an attempt uses it: that one is cancelled.
    #[serde(default)]
    force: bool,
}

/// What else is removed beside sandboxes.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ReapQuery {
    /// Also what providers keep so that later sandboxes are made sooner, whichever installation it was made for, and no
    /// sandbox is made of now. What is needed again is made again.
    #[serde(default)]
    images: bool,
}

/// Lists every provider of sandboxes that is configured: whether it can be used now, and what it can do.
#[utoipa::path(get, path = "/providers", operation_id = "listProviders", tag = "fleet",
    responses((status = 200, description = "By name.", body = [ProviderRow])))]
async fn providers(State(plane): State<Plane>) -> Json<Vec<ProviderRow>> {
    Json(plane.sandboxes.providers().await)
}

/// Lists every sandbox there is, asked of the providers now.
#[utoipa::path(get, path = "/sandboxes", operation_id = "listSandboxes", tag = "fleet",
    responses((status = 200, description = "Every sandbox.", body = SandboxesBody)))]
async fn list(State(plane): State<Plane>) -> Result<Json<SandboxesBody>, Problem> {
    let found = plane.sandboxes.sandboxes().await?;
    let body = look(&plane, None, move |views, now_us| {
        let rows = found.rows.into_iter().map(|sandbox| {
            let attempt = views.attempts.get(sandbox.attempt, now_us);
            let (entry, usage) = attempt.map(|attempt| (attempt.entry, attempt.usage)).unzip();
            let age_ms = (now_us / 1_000).saturating_sub(sandbox.created_at_ms);
            let rent_usd_micros = sandbox.rent_usd_micros_per_hour.map(|per_hour| rent(per_hour, age_ms));
            SandboxBody { sandbox, age_ms, rent_usd_micros, entry, usage }
        });
        SandboxesBody { rows: rows.collect(), unanswered: found.unanswered }
    });
    body.await.map(Json)
}

/// What an age costs at so much for an hour.
fn rent(usd_micros_per_hour: u64, age_ms: u64) -> u64 {
    let sum = u128::from(usd_micros_per_hour) * u128::from(age_ms) / u128::from(HOUR_MS);
    u64::try_from(sum).unwrap_or(u64::MAX)
}

/// Removes a sandbox. One that an attempt uses is refused unless it is forced; then the attempt is cancelled.
#[utoipa::path(delete, path = "/sandboxes/{key}", operation_id = "removeSandbox", tag = "fleet",
    params(KeyPath, RemoveQuery), responses((status = 204, description = "It is gone.")))]
async fn remove(
    State(plane): State<Plane>,
    Path(KeyPath { key }): Path<KeyPath>,
    query: Asked<RemoveQuery>,
    caller: Caller,
) -> Result<StatusCode, Problem> {
    let key: SandboxKey = id(&key)?;
    plane.sandboxes.remove(key, query?.0.force, caller.asked()).await?;
    seen(&plane).await;
    Ok(StatusCode::NO_CONTENT)
}

/// Makes a copy of the sandbox of an attempt under way: its files, and nothing that runs. It is removed after a while. Only
/// of providers that can `fork`.
#[utoipa::path(post, path = "/sandboxes/{key}/fork", operation_id = "forkSandbox", tag = "fleet", params(KeyPath),
    request_body = Option<ForkRequest>, responses((status = 201, description = "It is there.", body = ForkMade)))]
async fn fork(
    State(plane): State<Plane>,
    Path(KeyPath { key }): Path<KeyPath>,
    caller: Caller,
    body: Body,
) -> Result<(StatusCode, Json<ForkMade>), Problem> {
    let ForkRequest { for_ms } = json(body)?;
    let key = plane.sandboxes.fork(id(&key)?, for_ms.unwrap_or(FORK_MS_DEFAULT), caller.actor).await?;
    seen(&plane).await;
    Ok((StatusCode::CREATED, Json(ForkMade { key })))
}

/// Removes every sandbox without a right to exist.
#[utoipa::path(post, path = "/sandboxes/reap", operation_id = "reapSandboxes", tag = "fleet", params(ReapQuery),
    responses((status = 200, description = "Which were removed.", body = Reaping)))]
async fn reap(State(plane): State<Plane>, query: Asked<ReapQuery>, caller: Caller) -> Result<Json<Reaping>, Problem> {
    let reaping = plane.sandboxes.reap(query?.0.images, caller.actor).await?;
    seen(&plane).await;
    Ok(Json(reaping))
}

/// Runs a command in the sandbox of an attempt under way and gives what it prints, line by line, until it ends; the log
/// says who did. It is stopped when nobody reads on.
#[utoipa::path(post, path = "/sandboxes/{key}/exec", operation_id = "execInSandbox", tag = "fleet", params(KeyPath),
    request_body = ExecRequest, responses(
        (status = 200, description = "One JSON object a line.", body = ExecPiece, content_type = "application/x-ndjson")))]
async fn exec(
    State(plane): State<Plane>,
    Path(KeyPath { key }): Path<KeyPath>,
    caller: Caller,
    body: Body,
) -> Result<Response, Problem> {
    if caller.key.is_some() {
        let detail = format!("what a command prints is not kept, so it takes no {IDEMPOTENCY_HEADER}");
        return Err(Problem::invalid(detail).hint("ask without one"));
    }
    let ExecRequest { argv, timeout_ms } = json(body)?;
    let entered = plane.sandboxes.enter(id(&key)?, argv, timeout_ms.unwrap_or(EXEC_MS_DEFAULT), caller.actor).await?;
    let lines = futures_util::stream::unfold((entered, plane.stop), |(mut entered, stop)| async move {
        // A server that is told to stop does not wait for a person's command.
        let piece = stop.run_until_cancelled(entered.pieces.recv()).await??;
        Some((Ok::<Bytes, Infallible>(line(piece)), (entered, stop)))
    });
    let headers = [
        (header::CONTENT_TYPE, "application/x-ndjson"),
        // Some proxies keep what is small until there is more of it.
        (header::HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    Ok((headers, Answer::from_stream(lines)).into_response())
}

fn line(piece: Piece) -> Bytes {
    let body = match piece {
        Piece::Printed(Channel::Out, bytes) => ExecPiece { out: Some(BASE64.encode(bytes)), ..ExecPiece::default() },
        Piece::Printed(Channel::Err, bytes) => ExecPiece { err: Some(BASE64.encode(bytes)), ..ExecPiece::default() },
        Piece::Ended(exit) => ExecPiece { exit: Some(exit), ..ExecPiece::default() },
    };
    let mut line = serde_json::to_vec(&body).unwrap_or_default();
    line.push(b'\n');
    line.into()
}
