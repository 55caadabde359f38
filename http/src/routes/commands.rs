//! Commands about a run that is there: pick, cancel, restore. Nothing is decided here.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use regatta_core::RunId;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::looking::{LAST, RunPath, look, resolve};
use super::{Body, Caller, id, json, seen};
use crate::requests::{CancelRequest, PickRequest, Revealed, RevealedAttempt};
use crate::{Plane, Problem};

pub(super) fn routes() -> OpenApiRouter<Plane> {
    OpenApiRouter::new().routes(routes!(pick)).routes(routes!(cancel)).routes(routes!(restore))
}

/// Names an attempt of a run.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct SlotPath {
    /// The run's id, the beginning of one, or `last`.
    #[param(example = "7q2k9x0m")]
    pub(super) run: String,
    /// The attempt's letter.
    #[param(example = "b")]
    pub(super) slot: String,
}

/// The run that is meant; it may be written short. Not as `last` by whoever may ask again: by then it may be another.
pub(super) async fn found(plane: &Plane, run: String, caller: &Caller) -> Result<RunId, Problem> {
    if run == LAST && caller.key.is_some() {
        let detail = format!("with an idempotency key the run has to be named, not to be the {LAST} one");
        return Err(Problem::invalid(detail).hint("GET /runs lists them"));
    }
    look(plane, None, move |views, _| resolve(views, &run)).await?
}

/// Makes an attempt the winner and has it delivered. A blind vote is answered with everybody's names.
#[utoipa::path(post, path = "/runs/{run}/pick", operation_id = "pickAttempt", tag = "runs", params(RunPath),
    request_body = PickRequest, responses(
        (status = 200, description = "It is on disk; who did what (`blind`).", body = Revealed),
        (status = 204, description = "It is on disk.")))]
async fn pick(
    State(plane): State<Plane>,
    Path(RunPath { run }): Path<RunPath>,
    caller: Caller,
    body: Body,
) -> Result<Response, Problem> {
    let PickRequest { attempt, reason, blind } = json(body)?;
    let run = found(&plane, run, &caller).await?;
    plane.commands.pick(run, attempt, reason, blind, caller.asked()).await?;
    seen(&plane).await;
    if !blind {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let attempts = look(&plane, None, move |views, _| views.attempts.of_run(run, 0)).await?;
    let revealed = attempts.into_iter().map(|attempt| RevealedAttempt {
        slot: attempt.slot,
        agent: attempt.entry.agent,
        command: attempt.entry.command,
        model: attempt.entry.model,
    });
    Ok(Json(Revealed { winner: attempt, attempts: revealed.collect() }).into_response())
}

/// Stops a run, or one attempt of it.
#[utoipa::path(post, path = "/runs/{run}/cancel", operation_id = "cancelRun", tag = "runs", params(RunPath),
    request_body = Option<CancelRequest>, responses((status = 204, description = "It is on disk.")))]
async fn cancel(
    State(plane): State<Plane>,
    Path(RunPath { run }): Path<RunPath>,
    caller: Caller,
    body: Body,
) -> Result<StatusCode, Problem> {
    let request: CancelRequest = json(body)?;
    let run = found(&plane, run, &caller).await?;
    plane.commands.cancel(run, request.attempt, request.reason, caller.asked()).await?;
    seen(&plane).await;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes back that an attempt was put aside; of one that was not, delivers its work without changing the verdict.
#[utoipa::path(post, path = "/runs/{run}/attempts/{slot}/restore", operation_id = "restoreAttempt", tag = "runs",
    params(SlotPath), responses((status = 204, description = "It is on disk.")))]
async fn restore(
    State(plane): State<Plane>,
    Path(SlotPath { run, slot }): Path<SlotPath>,
    caller: Caller,
) -> Result<StatusCode, Problem> {
    let run = found(&plane, run, &caller).await?;
    plane.commands.restore(run, id(&slot)?, caller.asked()).await?;
    seen(&plane).await;
    Ok(StatusCode::NO_CONTENT)
}
