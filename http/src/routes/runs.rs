//! Runs: ask for one, look at them, give commands about them.

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use regatta_core::RunId;
use regatta_dispatcher::RunRequest;

use super::looking::{look, resolve};
use super::{Caller, id, json};
use crate::requests::{CancelRequest, PickRequest, RunAccepted};
use crate::{Plane, Problem};

type Body = Result<Bytes, BytesRejection>;

/// Waits until the views show what was just decided, so that whoever asks next sees their own command's effect.
async fn seen(plane: &Plane) {
    // When the views have stopped, so has the server; the command stands all the same.
    plane.live.wait_for(plane.log.head()).await.ok();
}

/// `POST /runs`
pub(super) async fn request(
    State(plane): State<Plane>,
    caller: Caller,
    body: Body,
) -> Result<(StatusCode, Json<RunAccepted>), Problem> {
    let request: RunRequest = json(body)?;
    let run = plane.commands.request_run(request, caller.actor, caller.key).await?;
    seen(&plane).await;
    Ok((StatusCode::CREATED, Json(RunAccepted { run })))
}

/// The run that is meant; it may be written short.
async fn found(plane: &Plane, run: String) -> Result<RunId, Problem> {
    look(plane, None, move |views, _| resolve(views, &run)).await?
}

/// `POST /runs/{run}/pick`
pub(super) async fn pick(
    State(plane): State<Plane>,
    Path(run): Path<String>,
    caller: Caller,
    body: Body,
) -> Result<StatusCode, Problem> {
    let request: PickRequest = json(body)?;
    let run = found(&plane, run).await?;
    plane.commands.pick(run, request.attempt, request.reason, caller.actor).await?;
    seen(&plane).await;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /runs/{run}/cancel`
pub(super) async fn cancel(
    State(plane): State<Plane>,
    Path(run): Path<String>,
    caller: Caller,
    body: Body,
) -> Result<StatusCode, Problem> {
    let request: CancelRequest = json(body)?;
    let run = found(&plane, run).await?;
    plane.commands.cancel(run, request.attempt, request.reason, caller.actor).await?;
    seen(&plane).await;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /runs/{run}/attempts/{slot}/restore`
pub(super) async fn restore(
    State(plane): State<Plane>,
    Path((run, slot)): Path<(String, String)>,
    caller: Caller,
) -> Result<StatusCode, Problem> {
    let run = found(&plane, run).await?;
    plane.commands.restore(run, id(&slot)?, caller.actor).await?;
    seen(&plane).await;
    Ok(StatusCode::NO_CONTENT)
}
