//! What attempts left behind, compared and put together: diffs of one attempt against another, files, merge previews.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use regatta_core::{AttemptId, RunId};
use regatta_dispatcher::SynthesisRequest;
use regatta_dispatcher::repository::Merge;
use regatta_projections::Views;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::attempts::not_collected;
use super::commands::{SlotPath, found as found_run};
use super::looking::{Asked, AttemptPath, RunPath, look, no_run, resolve, resolve_attempt};
use super::{Body, Caller, id, json, seen};
use crate::requests::{DiscardRequest, SynthesisAnswer, SynthesizeRequest};
use crate::works::{FilesBody, HunksBody, Left, MergePreview, MergeRow, MergeState};
use crate::{Plane, Problem};

/// What stands behind bytes an agent chose: never guessed at, never run, whoever opens them.
pub(super) const HARMLESS: [(header::HeaderName, &str); 2] =
    [(header::X_CONTENT_TYPE_OPTIONS, "nosniff"), (header::CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox")];

pub(super) fn routes() -> OpenApiRouter<Plane> {
    OpenApiRouter::new()
        .routes(routes!(files))
        .routes(routes!(file))
        .routes(routes!(hunks))
        .routes(routes!(merge_preview))
        .routes(routes!(synthesize))
        .routes(routes!(discard))
}

/// What an attempt left behind, once it was collected.
fn left(views: &Views, attempt: AttemptId) -> Result<Left, Problem> {
    let none = || Problem::not_found(format!("there is no attempt {attempt}")).hint("`regatta ls` lists the runs");
    let run = views.run(attempt.run).ok_or_else(none)?;
    let view = views.attempt(attempt, 0).ok_or_else(none)?;
    super::attempts::check_there(&view)?;
    let changes = view.changes.ok_or_else(|| not_collected(attempt))?;
    if let (None, Some(reason)) = (&changes.patch, changes.failure) {
        return Err(super::attempts::collect_failed(attempt, &reason));
    }
    Ok(Left { repository: run.row.repository, base_commit: run.base_commit, patch: changes.patch })
}

async fn found(plane: &Plane, attempt: String) -> Result<Left, Problem> {
    look(plane, None, move |views, _| left(views, resolve_attempt(views, &attempt)?)).await?
}

/// `GET /attempts/{attempt}/diff?against`: how its result differs from that of another attempt, which may be named by
/// its letter alone.
pub(super) async fn diff_against(plane: Plane, attempt: String, against: String) -> Result<Response, Problem> {
    let both = look(&plane, None, move |views, _| -> Result<(Left, Left), Problem> {
        let new = resolve_attempt(views, &attempt)?;
        let old = match against.parse() {
            Ok(slot) => AttemptId { run: new.run, slot },
            Err(_) => resolve_attempt(views, &against)?,
        };
        Ok((left(views, old)?, left(views, new)?))
    });
    let (old, new) = both.await??;
    if old.repository != new.repository {
        let detail = "these attempts are of different repositories";
        return Err(Problem::invalid(detail).hint("compare attempts of one run"));
    }
    let diff = plane.works.diff(&old, &new).await?;
    Ok(([(header::CONTENT_TYPE, "text/x-patch")], HARMLESS, diff).into_response())
}

/// Lists the files an attempt changed.
#[utoipa::path(get, path = "/attempts/{attempt}/files", operation_id = "listFiles", tag = "attempts",
    params(AttemptPath), responses((status = 200, description = "The files.", body = FilesBody)))]
async fn files(
    State(plane): State<Plane>,
    Path(AttemptPath { attempt }): Path<AttemptPath>,
) -> Result<Json<FilesBody>, Problem> {
    let left = found(&plane, attempt).await?;
    plane.works.files(&left).await.map(Json)
}

/// Gives the bytes of a file as the attempt left it.
#[utoipa::path(get, path = "/attempts/{attempt}/files/{*path}", operation_id = "getFile", tag = "attempts",
    params(AttemptPath, ("path" = String, Path, description = "Path in the repository.")),
    responses((status = 200, description = "The bytes.", body = [u8], content_type = "application/octet-stream")))]
async fn file(State(plane): State<Plane>, Path((attempt, path)): Path<(String, String)>) -> Result<Response, Problem> {
    let left = found(&plane, attempt).await?;
    let (mode, content) = plane.works.file(&left, &path).await?;
    let is_text = str::from_utf8(&content).is_ok() && !content.contains(&0);
    let content_type = if is_text { "text/plain; charset=utf-8" } else { "application/octet-stream" };
    Ok(([(header::CONTENT_TYPE, content_type)], HARMLESS, [("regatta-file-mode", mode)], content).into_response())
}

/// What the work is to be merged into.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct MergeQuery {
    /// A branch, tag or commit; the run's base as it stands now when absent.
    into: Option<String>,
}

/// The attempts of a run with what they left behind, or why there is nothing yet.
struct Candidates {
    repository: String,
    base_ref: String,
    base_commit: String,
    attempts: Vec<(AttemptId, Result<Left, Problem>)>,
}

fn candidates(views: &Views, run: RunId) -> Result<Candidates, Problem> {
    let view = views.run(run).ok_or_else(|| no_run(run))?;
    let attempts = views.attempts.of_run(run, 0).into_iter().map(|attempt| (attempt.id, left(views, attempt.id)));
    Ok(Candidates {
        repository: view.row.repository,
        base_ref: view.row.base_ref,
        base_commit: view.base_commit,
        attempts: attempts.collect(),
    })
}

/// Says what merging each attempt's work would come to.
#[utoipa::path(get, path = "/runs/{run}/merge-preview", operation_id = "previewMerge", tag = "runs",
    params(RunPath, MergeQuery), responses((status = 200, description = "One row per attempt.", body = MergePreview)))]
async fn merge_preview(
    State(plane): State<Plane>,
    Path(RunPath { run }): Path<RunPath>,
    query: Asked<MergeQuery>,
) -> Result<Json<MergePreview>, Problem> {
    let Query(query) = query?;
    let run = look(&plane, None, move |views, _| candidates(views, resolve(views, &run)?)).await??;
    let into = query.into.unwrap_or(run.base_ref);
    let base = Left { repository: run.repository, base_commit: run.base_commit, patch: None };
    let (commit, behind) = plane.works.onto(&base, &into).await?;
    // Twins come to the same.
    let mut tried: BTreeMap<Option<String>, MergeRow> = BTreeMap::new();
    let mut rows = Vec::with_capacity(run.attempts.len());
    for (attempt, left) in run.attempts {
        let row = MergeRow { slot: attempt.slot, state: MergeState::Unknown, conflicts: vec![], behind, reason: None };
        let row = match left {
            Err(problem) => MergeRow { reason: Some(problem.detail), ..row },
            Ok(left) => {
                let patch = left.patch.as_ref().map(|patch| patch.hash.clone());
                if let Some(twin) = tried.get(&patch) {
                    MergeRow { slot: attempt.slot, ..twin.clone() }
                } else {
                    let row = judged(row, plane.works.merge(&left, &commit).await);
                    tried.insert(patch, row.clone());
                    row
                }
            }
        };
        rows.push(row);
    }
    Ok(Json(MergePreview { into, commit, rows }))
}

fn judged(row: MergeRow, merge: Result<Merge, Problem>) -> MergeRow {
    match merge {
        Ok(Merge::Clean) => MergeRow { state: MergeState::Clean, ..row },
        Ok(Merge::Conflicts(conflicts)) => MergeRow { state: MergeState::Conflicts, conflicts, ..row },
        Err(problem) => MergeRow { reason: Some(problem.detail), ..row },
    }
}

/// How a synthesis is wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct SynthesizeQuery {
    /// Only say what would come of it.
    #[serde(default)]
    dry_run: bool,
}

/// Makes a further attempt of hunks of several; it is checked, picked and delivered like any other.
#[utoipa::path(post, path = "/runs/{run}/synthesize", operation_id = "synthesize", tag = "runs",
    params(RunPath, SynthesizeQuery), request_body = SynthesizeRequest, responses(
        (status = 200, description = "What would come of it (`dry_run`).", body = SynthesisAnswer),
        (status = 201, description = "The attempt is on disk.", body = SynthesisAnswer)))]
async fn synthesize(
    State(plane): State<Plane>,
    Path(RunPath { run }): Path<RunPath>,
    query: Asked<SynthesizeQuery>,
    caller: Caller,
    body: Body,
) -> Result<(StatusCode, Json<SynthesisAnswer>), Problem> {
    let Query(SynthesizeQuery { dry_run }) = query?;
    let SynthesizeRequest { hunks, reason } = json(body)?;
    let run = found_run(&plane, run, &caller).await?;
    let request = SynthesisRequest { choices: hunks, reason, dry_run };
    let made = plane.commands.synthesize(run, request, caller.asked()).await?;
    if !dry_run {
        seen(&plane).await;
    }
    let status = if dry_run { StatusCode::OK } else { StatusCode::CREATED };
    let answer = SynthesisAnswer { slot: made.slot, hunks: made.hunks, stat: made.stat, conflicts: made.conflicts };
    Ok((status, Json(answer)))
}

/// Puts an attempt aside; `restore` takes it back.
#[utoipa::path(post, path = "/runs/{run}/attempts/{slot}/discard", operation_id = "discardAttempt", tag = "runs",
    params(SlotPath), request_body = Option<DiscardRequest>,
    responses((status = 204, description = "It is on disk.")))]
async fn discard(
    State(plane): State<Plane>,
    Path(SlotPath { run, slot }): Path<SlotPath>,
    caller: Caller,
    body: Body,
) -> Result<StatusCode, Problem> {
    let request: DiscardRequest = json(body)?;
    let run = found_run(&plane, run, &caller).await?;
    plane.commands.discard(run, id(&slot)?, request.reason, caller.asked()).await?;
    seen(&plane).await;
    Ok(StatusCode::NO_CONTENT)
}

/// Lists the hunks that can be taken of an attempt.
#[utoipa::path(get, path = "/attempts/{attempt}/hunks", operation_id = "listHunks", tag = "attempts",
    params(AttemptPath), responses((status = 200, description = "The hunks.", body = HunksBody)))]
async fn hunks(
    State(plane): State<Plane>,
    Path(AttemptPath { attempt }): Path<AttemptPath>,
) -> Result<Json<HunksBody>, Problem> {
    let left = found(&plane, attempt).await?;
    plane.works.hunks(&left).await.map(Json)
}
